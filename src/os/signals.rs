//! Signals, to runs and to us.

use std::io;

use async_signal::Signals;
use nix::errno::Errno;
use nix::sys::signal::{kill, killpg};
use nix::unistd::Pid;

use super::procfs;
use crate::model::Signal;

/// What we listen to, one event each.
///
/// # Errors
/// Where no handler can be installed: out of descriptors.
pub fn listen() -> io::Result<Signals> {
    use async_signal::Signal::{Child, Hup, Int, Term};
    Signals::new([Term, Int, Hup, Child])
}

/// Sends a signal to one process that we know is ours and not yet reaped.
pub fn send(pid: u32, signal: Signal) {
    send_raw(pid.cast_signed(), signal);
}

/// Sends a signal to every process of the session that `leader` made: its group in
/// one call, and the members that moved to groups of their own.
pub fn send_session(leader: u32, signal: Signal) {
    let leader = leader.cast_signed();
    let Ok(number) = nix::sys::signal::Signal::try_from(i32::from(signal.0)) else {
        // nix has no real-time signals; libc has.
        // SAFETY: no memory is involved.
        unsafe { nix::libc::kill(-leader, i32::from(signal.0)) };
        return;
    };
    let _gone = killpg(Pid::from_raw(leader), number);
    for stray in procfs::session(leader)
        .iter()
        .filter(|stat| stat.group != leader)
    {
        send_raw(stray.pid, signal);
    }
}

/// Whether the process group that `leader` made still has a member: one system call.
#[must_use]
pub fn group_lives(leader: u32) -> bool {
    matches!(
        killpg(Pid::from_raw(leader.cast_signed()), None),
        Ok(()) | Err(Errno::EPERM)
    )
}

/// Whether anything of the session that `leader` made is alive. Looks at every
/// process, so it is not for the fast path.
#[must_use]
pub fn session_lives(leader: u32) -> bool {
    !procfs::session(leader.cast_signed()).is_empty()
}

fn send_raw(pid: i32, signal: Signal) {
    match nix::sys::signal::Signal::try_from(i32::from(signal.0)) {
        // ESRCH: it ended a moment ago, and its exit is on its way to us.
        Ok(number) => drop(kill(Pid::from_raw(pid), number)),
        // SAFETY: no memory is involved.
        Err(_) => drop(unsafe { nix::libc::kill(pid, i32::from(signal.0)) }),
    }
}
