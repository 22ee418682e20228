//! This boot, and this process's place in it.

use std::fs;
use std::sync::OnceLock;

use nix::libc;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{Pid, getpid};

use crate::model::BootId;

/// The kernel's name for this boot. All zero where it cannot be read, which equals
/// no boot: moments and pids are then not trusted.
#[must_use]
pub fn id() -> BootId {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    BootId::parse(&text).unwrap_or_default()
}

/// Orphans of our children come to us and not to init. Whether they do: always as
/// PID 1, else since Linux 3.4.
pub fn adopt_orphans() -> bool {
    getpid() == Pid::from_raw(1) || nix::sys::prctl::set_child_subreaper(true).is_ok()
}

/// The descriptors that a process may open, as we found it, where we have changed it.
static FOUND: OnceLock<libc::rlimit> = OnceLock::new();

/// As many descriptors as we may have: two a child, and the usual 1024 ends at the
/// five hundredth. Children get back what we found, because some programs count on it
/// (`select(2)`).
pub fn take_descriptors() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return;
    };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        let _first = FOUND.set(libc::rlimit {
            rlim_cur: soft,
            rlim_max: hard,
        });
    }
}

/// What [`take_descriptors`] has changed, for children.
pub(super) fn found_descriptors() -> Option<libc::rlimit> {
    FOUND.get().copied()
}

/// Descriptors that whoever started us left open must not reach our children.
pub fn close_on_exec() {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else {
        return;
    };
    let numbers = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    for fd in numbers.filter(|&fd| fd > 2).collect::<Vec<_>>() {
        // SAFETY: F_SETFD on any number touches no memory; a number that is not open
        // (such as that of the directory read above) gives EBADF.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}
