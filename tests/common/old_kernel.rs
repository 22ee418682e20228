//! Plays Linux 3.2, the oldest that sup has to live with, as Synology ships it: calls that
//! came later do not exist, and the vendor has his own behind the numbers 402 to 427,
//! which refuse our arguments (nas.md 4.3). `OLD_KERNEL=1` runs every test so.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::libc::{self, sock_filter};

/// The first system call that came after Linux 3.2.
#[cfg(target_arch = "x86_64")]
const FIRST_NEW: u32 = 312; // kcmp, 3.5
#[cfg(not(target_arch = "x86_64"))]
const FIRST_NEW: u32 = 272; // kcmp, 3.5, in the table that newer machines share

const VENDORS_FIRST: u32 = 402;
const VENDORS_LAST: u32 = 427;

/// `prctl` options that came later: a child subreaper (3.4), no new privileges (3.5).
const NEW_OPTIONS: [i32; 2] = [libc::PR_SET_CHILD_SUBREAPER, libc::PR_SET_NO_NEW_PRIVS];

pub(crate) fn is_played() -> bool {
    std::env::var_os("OLD_KERNEL").is_some()
}

/// From its `exec` on, the command sees the old kernel, and so does all that it starts.
pub(crate) fn play(command: &mut Command) {
    let filter = filter();
    let install = move || {
        let program = libc::sock_fprog {
            len: u16::try_from(filter.len()).map_err(io::Error::other)?,
            filter: filter.as_ptr().cast_mut(),
        };
        if !nix::unistd::geteuid().is_root() {
            // Others may not filter without it.
            nix::sys::prctl::set_no_new_privs()?;
        }
        let mode = libc::SECCOMP_MODE_FILTER;
        // SAFETY: the kernel copies the program before the call returns.
        match unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &program) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: two system calls; nothing is allocated, no lock is taken.
    unsafe { command.pre_exec(install) };
}

fn filter() -> Vec<sock_filter> {
    let load = |offset| op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0);
    let equal = |value, yes, no| op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, yes, no);
    let at_least = |value, yes, no| op(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, value, yes, no);
    let answer = |value| op(libc::BPF_RET | libc::BPF_K, value, 0, 0);
    let error = |errno: i32| answer(libc::SECCOMP_RET_ERRNO | errno.unsigned_abs());
    let prctl = u32::try_from(libc::SYS_prctl).unwrap_or(u32::MAX);
    let [subreaper, privileges] = NEW_OPTIONS.map(i32::unsigned_abs);
    vec![
        load(0),                          // 0: the number of the call
        equal(prctl, 3, 0),               // 1: to 5
        at_least(FIRST_NEW, 0, 7),        // 2: to 10, an old call
        at_least(VENDORS_FIRST, 0, 5),    // 3: to 9, unknown
        at_least(VENDORS_LAST + 1, 4, 3), // 4: to 9, unknown; to 8, the vendor's
        load(16),                         // 5: its first argument
        equal(subreaper, 1, 0),           // 6: to 8
        equal(privileges, 0, 2),          // 7: to 8, or to 10
        error(libc::EINVAL),              // 8
        error(libc::ENOSYS),              // 9
        answer(libc::SECCOMP_RET_ALLOW),  // 10
    ]
}

fn op(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    let code = u16::try_from(code).expect("operation codes are small");
    sock_filter { code, jt, jf, k }
}
