//! What can happen.

use crate::model::{CheckId, ChildId, Exit, Health, Member, Order, RunId, StartFault, Uptime};

/// What can happen. Each comes with the time, read once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing but time going by: a deadline is reached.
    Tick,
    /// A run that was asked for has a process.
    Started {
        /// The run.
        run: RunId,
        /// Its process.
        pid: u32,
    },
    /// A run that was asked for has none.
    StartFailed {
        /// The run.
        run: RunId,
        /// The step and the reason.
        fault: StartFault,
    },
    /// A run says that it is ready.
    Ready {
        /// The run.
        run: RunId,
    },
    /// A run's main process ended.
    Exited {
        /// The run.
        run: RunId,
        /// How.
        exit: Exit,
        /// Whether other processes of its session are still there.
        left: bool,
    },
    /// Nothing of the session of a run is there any more.
    Cleared {
        /// The run.
        run: RunId,
    },
    /// The paths that a child waits for are there, or are not there any more.
    Paths {
        /// The child.
        child: ChildId,
        /// Whether all of them are.
        there: bool,
    },
    /// A check has been made.
    Probed {
        /// Which.
        check: CheckId,
        /// The number of the probe.
        nth: u32,
        /// What it has found.
        health: Health,
    },
    /// When a run last showed that it lives.
    Pulse {
        /// The run.
        run: RunId,
        /// `None`: never, as far as we know.
        last: Option<Uptime>,
    },
    /// A person asks something of a child or a group.
    Order {
        /// Of which.
        of: Member,
        /// What.
        order: Order,
    },
    /// End: stop everything in order. A second one kills at once.
    Shutdown,
    /// Something that is not ours is to be remembered: memory is written soon.
    Remember,
    /// The memory could not be written.
    SaveFailed,
}
