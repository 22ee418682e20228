//! Signals, to runs and to us.

use std::io;

use async_signal::Signals;
use nix::errno::Errno;

use super::procfs::{self, Census, Mark};
use crate::model::Signal;

/// What we listen to, one event each. Whoever started us may have blocked them: a
/// program inherits that, and would never hear of TERM. What was *ignored* stays so, as
/// `nohup` and a shell's `&` mean it; but where HUP is to reload, it does.
///
/// # Errors
/// Where no handler can be installed: out of descriptors.
pub fn listen(reloads: bool) -> io::Result<Signals> {
    use async_signal::Signal::{Child, Hup, Int, Term};
    let interrupt = (!is_ignored(nix::libc::SIGINT)).then_some(Int);
    let hang_up = (reloads || !is_ignored(nix::libc::SIGHUP)).then_some(Hup);
    let all = [Some(Term), Some(Child), interrupt, hang_up];
    let signals = Signals::new(all.into_iter().flatten())?;
    nix::sys::signal::SigSet::empty().thread_set_mask()?;
    Ok(signals)
}

fn is_ignored(signal: nix::libc::c_int) -> bool {
    let mut found = std::mem::MaybeUninit::<nix::libc::sigaction>::zeroed();
    // SAFETY: asks only; the kernel fills what is valid all zero as well.
    let found = unsafe {
        nix::libc::sigaction(signal, std::ptr::null(), found.as_mut_ptr());
        found.assume_init()
    };
    found.sa_sigaction == nix::libc::SIG_IGN
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
