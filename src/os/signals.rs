//! Signals, to runs and to us.

use std::cell::Cell;
use std::io;

use nix::errno::Errno;
use nix::sys::signal::Signal::{SIGCHLD, SIGHUP, SIGILL, SIGINT, SIGTERM, SIGTRAP, SIGUSR2};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, sigaction};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::Async;
use super::procfs::{self, Census, Mark};
use crate::model::Signal;

/// Looks for what is to be killed, at most.
const LOOKS: usize = 4;

/// What has been sent to us.
pub struct Signals {
    kernel: Async<SignalFd>,
}

/// What we listen to, one event each: signals wait for us to take them, as the kernel keeps
/// them (`signalfd(2)`, Linux 2.6.27). Whoever started us may have blocked others: a program
/// inherits that. What was *ignored* stays so, as `nohup` and a shell's `&` mean it; but
/// where HUP is to reload, it does.
///
/// # Errors
/// Where the kernel refuses: out of descriptors.
pub fn listen(reloads: bool) -> io::Result<Signals> {
    let mut wanted = SigSet::from_iter([SIGTERM, SIGCHLD]);
    if !is_ignored(SIGINT) {
        wanted.add(SIGINT);
    }
    if reloads || !is_ignored(SIGHUP) {
        wanted.add(SIGHUP);
    }
    if reloads {
        wanted.add(SIGUSR2);
    }
    Signals::of(&wanted)
}

/// Only how children end; other signals do to us what they do to any program.
///
/// # Errors
/// As above.
pub fn listen_to_children() -> io::Result<Signals> {
    Signals::of(&SIGCHLD.into())
}

impl Signals {
    fn of(wanted: &SigSet) -> io::Result<Self> {
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let kernel = SignalFd::with_flags(wanted, flags)?;
        let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        for signal in wanted {
            // What is ignored would not wait for us.
            // SAFETY: no handler runs.
            unsafe { sigaction(signal, &default)? };
        }
        LISTENED.set(*wanted);
        hear_again();
        Ok(Self {
            kernel: Async::of_nonblocking(kernel),
        })
    }

    /// The next one.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub async fn next(&mut self) -> io::Result<Signal> {
        loop {
            self.kernel.readable().await?;
            let told = self.kernel.get_ref().read_signal()?;
            // None of the kernel's numbers is larger.
            if let Some(number) = told.and_then(|told| u8::try_from(told.ssi_signo).ok()) {
                return Ok(Signal(number));
            }
        }
    }
}

thread_local! {
    /// What waits to be taken instead of being done to us.
    static LISTENED: Cell<SigSet> = Cell::new(SigSet::empty());
}

/// From now on all signals to us wait, over a change of program too, until the other one
/// listens.
pub fn hold() {
    let _held = all_but_traps().thread_set_mask();
}

/// A mistake in us does not wait; it is to have its last words (`trap`).
fn all_but_traps() -> SigSet {
    let mut all = SigSet::all();
    all.remove(SIGILL);
    all.remove(SIGTRAP);
    all
}

/// What we do not listen to does to us again what it does to any program.
pub fn hear_again() {
    let _mask = LISTENED.get().thread_set_mask();
}

/// Signals to us wait until we listen, but for those that end us: nothing runs yet.
pub fn hold_all_but_end() {
    let mut held = all_but_traps();
    held.remove(SIGTERM);
    held.remove(SIGINT);
    let _held = held.thread_set_mask();
}

fn is_ignored(signal: nix::sys::signal::Signal) -> bool {
    let mut found = std::mem::MaybeUninit::<nix::libc::sigaction>::zeroed();
    // SAFETY: asks only; the kernel fills what is valid all zero as well.
    let found = unsafe {
        nix::libc::sigaction(signal as i32, std::ptr::null(), found.as_mut_ptr());
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

/// Kills all that belongs to `leader`. What is being made while we look has nobody to make
/// more of it the next time, if not the first.
pub fn kill_family(leader: u32, mark: &Mark) {
    for _ in 0..LOOKS {
        let census = Census::take();
        send_family(leader, Some(mark), Signal::KILL, &census);
        if census.family(leader, Some(mark)).is_empty() {
            return;
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
