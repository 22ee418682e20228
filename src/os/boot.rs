//! This boot, and this process's place in it.

use std::fs;
use std::os::fd::AsRawFd;
use std::sync::OnceLock;
use std::time::Duration;

use nix::libc;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::{Pid, getpid};

use crate::model::BootId;
use crate::model::Gather as _;
use crate::model::limits::DESCRIPTORS_KEPT;

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

/// How many descriptors this process may open.
#[must_use]
pub fn descriptors_max() -> u64 {
    // Its type differs between machines.
    #[allow(clippy::useless_conversion, reason = "u32 on 32-bit machines")]
    getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| u64::from(soft))
}

/// Whether so few descriptors are left that one more child would take from what people need
/// who ask for something. The kernel gives the lowest free number, which tells.
#[must_use]
pub fn is_short_of_descriptors() -> bool {
    let free = nix::unistd::dup(std::io::stderr());
    let free = free.map(|fd| u64::from(fd.as_raw_fd().unsigned_abs()));
    free.map_or(true, |free| free + DESCRIPTORS_KEPT >= descriptors_max())
}

/// Undoes [`take_descriptors`], for a program that takes our place: it is to find what we
/// found. What is open stays open.
pub(super) fn give_descriptors_back() {
    if let Some(found) = found_descriptors() {
        let _lowered = setrlimit(Resource::RLIMIT_NOFILE, found.rlim_cur, found.rlim_max);
    }
}

/// What [`take_descriptors`] has changed, for children.
pub(super) fn found_descriptors() -> Option<libc::rlimit> {
    FOUND.get().copied()
}

/// What is said, and with which code this process ends, when its time is over.
static LATE: OnceLock<(&str, i32)> = OnceLock::new();

/// Ends this process, not its children, if it is still there then, with these words and
/// this code.
pub fn end_in(span: Duration, words: &'static str, code: u8) {
    extern "C" fn end(_signal: libc::c_int) {
        let (words, code) = LATE.get().copied().unwrap_or(("", 1));
        // SAFETY: both may be called from a handler, and the words are there for ever.
        unsafe {
            libc::write(libc::STDERR_FILENO, words.as_ptr().cast(), words.len());
            libc::_exit(code);
        }
    }
    let _first = LATE.set((words, i32::from(code)));
    let ends = SigAction::new(SigHandler::Handler(end), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler calls nothing that a handler may not. Without it the signal ends
    // us all the same.
    let _set = unsafe { sigaction(Signal::SIGALRM, &ends) };
    let seconds = u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
    nix::unistd::alarm::set(seconds.max(1));
}

/// Descriptors that whoever started us left open must not reach our children.
pub fn close_on_exec() {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else {
        return;
    };
    let numbers = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    for fd in numbers.filter(|&fd| fd > 2).gather::<Vec<_>>() {
        // SAFETY: F_SETFD on any number touches no memory; a number that is not open
        // (such as that of the directory read above) gives EBADF.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}
