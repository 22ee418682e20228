//! How processes ended.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;

use super::{Async, adopt, oom};
use crate::model::Gather as _;
use crate::model::sorted::Map;
use crate::model::{Exit, Signal};

thread_local! {
    /// The processes that somebody here waits for, and when they were made.
    static OURS: RefCell<Map<u32, Duration>> = const { RefCell::new(Map::new()) };
    /// Of those, the ones whose end SIGCHLD is to tell.
    static WAITING: RefCell<Map<u32, News>> = const { RefCell::new(Map::new()) };
    /// The news of one of ours, which others take, was before that of the rest.
    static IS_BEHIND: Cell<bool> = const { Cell::new(false) };
}

/// From now on somebody here waits for this process.
pub(super) fn own(pid: u32) {
    oom::begin();
    OURS.with_borrow_mut(|ours| ours.insert(pid, oom::moment()));
}

/// Whether somebody here waits for this process.
#[must_use]
pub fn is_ours(pid: u32) -> bool {
    OURS.with_borrow(|ours| ours.contains_key(&pid))
}

/// A child of ours, whose end has not been told.
pub struct Child {
    pid: u32,
    /// Linux 5.3; without it, SIGCHLD tells.
    pidfd: Option<Async<OwnedFd>>,
    /// Its end has been told.
    is_over: bool,
}

impl Child {
    /// From now on somebody here waits for it.
    pub(super) fn of(pid: u32, pidfd: Option<OwnedFd>) -> Self {
        own(pid);
        let pidfd = pidfd.map(Async::of_nonblocking);
        Self {
            pid,
            pidfd: pidfd.or_else(|| adopt::pidfd(pid)),
            is_over: false,
        }
    }

    /// One that this process has made when it was another program.
    #[must_use]
    pub fn inherited(pid: u32) -> Self {
        Self::of(pid, None)
    }

    /// Its process id, which nobody else gets before its end has been told.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.pid
    }

    /// Waits for its end. Vanished: somebody else has taken the news. Small, because there
    /// is one for each child.
    pub fn ended(mut self) -> impl Future<Output = Exit> {
        let mut waits = false;
        poll_fn(move |context| {
            let is_first = !std::mem::replace(&mut waits, true);
            match self.status(context, is_first) {
                Poll::Ready(status) => {
                    self.is_over = true;
                    let exit = judged(self.pid, status);
                    hear_rest();
                    Poll::Ready(exit)
                }
                Poll::Pending => Poll::Pending,
            }
        })
    }

    /// What [`taken`] says once it has ended; until then this task is woken to ask again.
    fn status(&mut self, context: &Context<'_>, is_first: bool) -> Poll<Option<ExitStatus>> {
        if let Some(pidfd) = &self.pidfd {
            if !is_first && let Some(status) = taken(self.pid) {
                return Poll::Ready(status);
            }
            if pidfd.wake_to_read(context).is_ok() {
                return Poll::Pending;
            }
            self.pidfd = None; // It cannot be waited for.
        }
        told_by_signal(self.pid, context.waker())
    }
}

impl Drop for Child {
    /// Nobody waits any more: its news is taken when it comes.
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        OURS.with_borrow_mut(|ours| ours.remove(&self.pid));
        let heard = WAITING.with_borrow_mut(|waiting| waiting.remove(&self.pid));
        let is_taken = matches!(heard, Some(News::Ended(_)));
        if !is_taken && taken(self.pid).is_none() {
            WAITING.with_borrow_mut(|waiting| waiting.insert(self.pid, News::Unwanted));
        }
    }
}

/// How a process of ours has ended that nobody waits for any more.
fn judged(pid: u32, status: Option<ExitStatus>) -> Exit {
    let made = OURS.with_borrow_mut(|ours| ours.remove(&pid));
    let exit = status.map_or(Exit::Vanished, exit);
    let killed = matches!(exit, Exit::Signal { signal, .. } if signal == Signal::KILL);
    if killed && oom::has_killed(pid, made.unwrap_or_default()) {
        return Exit::OutOfMemory;
    }
    exit
}

/// Its status, where it has ended; no status, where somebody else has taken that. The
/// bare call: nix knows no real-time signals, and would lose the news.
fn taken(pid: u32) -> Option<Option<ExitStatus>> {
    let mut status = 0;
    // SAFETY: the kernel writes the status, and nothing else.
    match unsafe { libc::waitpid(pid.cast_signed(), &raw mut status, libc::WNOHANG) } {
        0 => None,
        -1 if Errno::last() == Errno::EINTR => None,
        -1 => Some(None),
        _ => Some(Some(ExitStatus::from_raw(status))),
    }
}

/// What somebody who waits for a SIGCHLD has heard.
enum News {
    /// Nothing yet.
    Awaited(Waker),
    /// What [`taken`] says of one that has ended.
    Ended(Option<ExitStatus>),
    /// Nothing yet, and nobody is to hear it.
    Unwanted,
}

fn told_by_signal(pid: u32, waker: &Waker) -> Poll<Option<ExitStatus>> {
    WAITING.with_borrow_mut(|waiting| {
        let known = waiting.get(&pid);
        if let Some(News::Ended(status)) = known {
            let status = *status;
            waiting.remove(&pid);
            return Poll::Ready(status);
        }
        // It may have ended before anybody waited.
        if known.is_none()
            && let Some(status) = taken(pid)
        {
            return Poll::Ready(status);
        }
        waiting.insert(pid, News::Awaited(waker.clone()));
        Poll::Pending
    })
}

/// Whether somebody waits for a SIGCHLD.
#[must_use]
pub fn is_awaited() -> bool {
    !WAITING.with_borrow(Map::is_empty)
}

/// A SIGCHLD has come: whoever waits for one is told, and where orphans come to us, the news
/// of the dead ones is taken. What it costs does not grow with those who live, but in the
/// kernel, and while the news of another's process lies before ours.
pub fn hear(adopts: bool) {
    if !adopts && !is_awaited() {
        return;
    }
    IS_BEHIND.set(false);
    while let Some(pid) = dead() {
        let is_taken = if WAITING.with_borrow(|waiting| waiting.contains_key(&pid)) {
            tell(pid)
        } else {
            // We look before we take: one of somebody else here is never taken.
            adopts && !is_ours(pid) && matches!(taken(pid), Some(Some(_)))
        };
        if !is_taken {
            IS_BEHIND.set(adopts);
            let all: Vec<u32> = WAITING.with_borrow(|waiting| waiting.keys().copied().gather());
            for pid in all {
                tell(pid);
            }
            return;
        }
    }
}

/// The news of one of ours has been taken: that of orphans may have been behind it, and no
/// other signal may come for them.
fn hear_rest() {
    if IS_BEHIND.get() {
        hear(true);
    }
}

/// Whether there was something to tell.
fn tell(pid: u32) -> bool {
    let waker = WAITING.with_borrow_mut(|waiting| {
        let news = waiting.get_mut(&pid)?;
        if matches!(news, News::Ended(_)) {
            return None;
        }
        let status = taken(pid)?;
        match std::mem::replace(news, News::Ended(status)) {
            News::Awaited(waker) => Some(Some(waker)),
            News::Ended(_) | News::Unwanted => {
                waiting.remove(&pid);
                Some(None)
            }
        }
    });
    if let Some(Some(waker)) = &waker {
        waker.wake_by_ref();
    }
    waker.is_some()
}

/// A process whose news nobody has taken yet: the first of them. The bare call, as above.
fn dead() -> Option<u32> {
    let look = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: numbers and null pointers, all of which may be zero.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills what it is given; what it says is of a process, or zero.
    let pid = unsafe {
        let result = libc::waitid(libc::P_ALL, 0, &raw mut info, look);
        if result == 0 { info.si_pid() } else { 0 }
    };
    u32::try_from(pid).ok().filter(|&pid| pid != 0)
}

pub(super) fn exit(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(u8::try_from(code).unwrap_or(u8::MAX)),
        (None, Some(signal)) => Exit::Signal {
            signal: Signal(u8::try_from(signal).unwrap_or(u8::MAX)),
            core: status.core_dumped(),
        },
        (None, None) => Exit::Vanished,
    }
}
