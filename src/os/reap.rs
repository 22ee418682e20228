//! How processes ended.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use async_process::Child;
use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};

use crate::model::{Exit, Signal};

thread_local! {
    /// The processes that somebody here waits for.
    static OURS: RefCell<BTreeSet<u32>> = const { RefCell::new(BTreeSet::new()) };
}

/// From now on somebody here waits for this process.
pub(super) fn own(pid: u32) {
    OURS.with_borrow_mut(|ours| ours.insert(pid));
}

/// Whether somebody here waits for this process.
#[must_use]
pub fn is_ours(pid: u32) -> bool {
    OURS.with_borrow(|ours| ours.contains(&pid))
}

/// Waits for our child's end, through its pidfd where the kernel has one. Vanished:
/// somebody else has taken the news.
pub async fn ended(mut child: Child) -> Exit {
    let pid = child.id();
    let status = child.status().await;
    OURS.with_borrow_mut(|ours| ours.remove(&pid));
    status.map_or(Exit::Vanished, exit)
}

fn exit(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(u8::try_from(code).unwrap_or(u8::MAX)),
        (None, Some(signal)) => Exit::Signal {
            signal: Signal(u8::try_from(signal).unwrap_or(u8::MAX)),
            core: status.core_dumped(),
        },
        (None, None) => Exit::Vanished,
    }
}

/// Takes the news of dead orphans that came to us, and never that of a child: we look
/// before we take. Stops at the first own child, whose news is on its way through
/// [`ended`]; call again after that.
pub fn orphans() {
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    while let Ok(status) = waitid(Id::All, look)
        && let Some(pid) = status.pid()
        && status != WaitStatus::StillAlive
        && !is_ours(pid.as_raw().cast_unsigned())
    {
        if matches!(waitpid(pid, Some(WaitPidFlag::WNOHANG)), Err(Errno::ECHILD)) {
            break;
        }
    }
}
