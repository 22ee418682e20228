//! What can happen.

use crate::model::{ChildId, Exit, Order, RunId, StartFault};

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
    /// A person asks something of a child.
    Order {
        /// The child.
        child: ChildId,
        /// What.
        order: Order,
    },
    /// End: stop everything in order. A second one kills at once.
    Shutdown,
    /// The memory could not be written.
    SaveFailed,
}
