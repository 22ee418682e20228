//! Plays Linux 3.2, the oldest that sup has to live with, as Synology ships it: calls that
//! came later do not exist, and the vendor has his own behind the numbers 402 to 427,
//! which refuse our arguments (nas.md 4.3). `OLD_KERNEL=1` runs every test so.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::libc::{self, sock_filter};

/// The first system call that came after Linux 3.2.
#[cfg(target_arch = "x86_64")]
pub(crate) const FIRST_NEW: u32 = 312; // kcmp, 3.5
#[cfg(target_arch = "arm")]
pub(crate) const FIRST_NEW: u32 = 378; // kcmp, 3.5
#[cfg(not(any(target_arch = "x86_64", target_arch = "arm")))]
pub(crate) const FIRST_NEW: u32 = 272; // kcmp, 3.5, in the table that newer machines share

const VENDORS_FIRST: u32 = 402;
const VENDORS_LAST: u32 = 427;

/// ARM has calls of its own up there, without which no program starts (`set_tls`).
const MACHINES_FIRST: u32 = 0x000f_0000;

/// `prctl` options that came later: a child subreaper (3.4), no new privileges (3.5).
const NEW_OPTIONS: [i32; 2] = [libc::PR_SET_CHILD_SUBREAPER, libc::PR_SET_NO_NEW_PRIVS];

pub(crate) fn is_played() -> bool {
    std::env::var_os("OLD_KERNEL").is_some()
}

/// From its `exec` on, the command sees the old kernel, and so does all that it starts.
pub(crate) fn play(command: &mut Command) {
    install(command, filter());
}

/// From its `exec` on, a filter decides about each of its system calls.
pub(crate) fn install(command: &mut Command, filter: Vec<sock_filter>) {
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
        equal(prctl, 4, 0),               // 1: to 6
        at_least(FIRST_NEW, 0, 8),        // 2: to 11, an old call
        at_least(MACHINES_FIRST, 7, 0),   // 3: to 11, one of the machine's own
        at_least(VENDORS_FIRST, 0, 5),    // 4: to 10, unknown
        at_least(VENDORS_LAST + 1, 4, 3), // 5: to 10, unknown; to 9, the vendor's
        load(16),                         // 6: its first argument
        equal(subreaper, 1, 0),           // 7: to 9
        equal(privileges, 0, 2),          // 8: to 9, or to 11
        error(libc::EINVAL),              // 9
        error(libc::ENOSYS),              // 10
        answer(libc::SECCOMP_RET_ALLOW),  // 11
    ]
}

pub(crate) fn op(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    let code = u16::try_from(code).expect("operation codes are small");
    sock_filter { code, jt, jf, k }
}
