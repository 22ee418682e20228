//! Signals, to runs and to us.

use std::io;

use async_signal::Signals;
use nix::errno::Errno;

use super::procfs::{self, Census, Mark};
use crate::model::Signal;

/// What we listen to, one event each. Whoever started us may have blocked them: a
/// program inherits that, and would never hear of TERM.
///
/// # Errors
/// Where no handler can be installed: out of descriptors.
pub fn listen() -> io::Result<Signals> {
    use async_signal::Signal::{Child, Hup, Int, Term};
    let signals = Signals::new([Term, Int, Hup, Child])?;
    nix::sys::signal::SigSet::empty().thread_set_mask()?;
    Ok(signals)
}

/// Sends a signal to one process that we know is ours and not yet reaped.
pub fn send(pid: u32, signal: Signal) {
    send_raw(pid.cast_signed(), signal);
}

/// Sends a signal to everything alive that belongs to a run (see [`Census::family`]):
/// its process group in one call, so that nobody is missed who is being made meanwhile,
/// and the others one by one.
pub fn send_family(leader: u32, mark: Option<&Mark>, signal: Signal, census: &Census) {
    let group = leader.cast_signed();
    if group > 1 {
        send_raw(-group, signal);
    }
    let family = census.family(leader, mark);
    for stray in family.iter().filter(|stat| stat.group != group) {
        // Still who it was when the census was taken?
        if procfs::stat(stray.pid).is_some_and(|now| now.start == stray.start) {
            send_raw(stray.pid, signal);
        }
    }
}

/// Whether the process group that `leader` made still has a member: one system call.
#[must_use]
pub fn group_lives(leader: u32) -> bool {
    // SAFETY: no memory is involved.
    let result = unsafe { nix::libc::kill(-leader.cast_signed(), 0) };
    result == 0 || Errno::last() == Errno::EPERM
}

/// ESRCH means that it ended a moment ago, and its exit is on its way to us. `nix` knows
/// no real-time signals, so this is the bare call.
fn send_raw(pid: i32, signal: Signal) {
    // SAFETY: no memory is involved.
    unsafe { nix::libc::kill(pid, i32::from(signal.0)) };
}
