//! What a person asks, and what a person is told.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::exit::{Exit, Signal};
use super::ids::{ChildId, RunId};

/// What a person asked of one child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Run. Gave up, parked and waiting children start at once, with a whole budget.
    Start,
    /// Stay down; with a time, come back when it is over.
    Stop {
        /// How long to stay down; `None`: until told to start.
        term: Option<Duration>,
    },
    /// End and run again, or start where it was down.
    Restart,
    /// Send a signal to the running process.
    Signal(Signal),
    /// Forget failures: backoff, window, gave up. A child that had been given up starts.
    Reset,
}

/// Something worth telling. The words are in [`words`](super::words).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A run has a process.
    Started {
        /// The run.
        run: RunId,
        /// Its process.
        pid: u32,
    },
    /// A run said that it is ready.
    Ready {
        /// The run.
        run: RunId,
    },
    /// A run ended, asked for or not.
    Ended {
        /// The run.
        run: RunId,
        /// How.
        exit: Exit,
        /// Whether we had asked it to.
        asked: bool,
    },
    /// It will be started again.
    Restarting {
        /// The run that failed.
        run: RunId,
        /// How it ended.
        exit: Exit,
        /// From now to the start.
        delay: Duration,
        /// Which restart of the window this is, counted from 1.
        attempt: u16,
        /// How many the window allows; `None`: no limit.
        max: Option<u16>,
    },
    /// Its policy says that it has done its work.
    Finished {
        /// The last run.
        run: RunId,
        /// How it ended.
        exit: Exit,
    },
    /// Too many restarts: nothing more is tried.
    GaveUp {
        /// The last run.
        run: RunId,
        /// How it ended.
        exit: Exit,
        /// Restarts that were made in the window.
        restarts: u16,
        /// The window.
        window: Duration,
        /// Whether a single try after giving up failed, which makes a new count pointless.
        trial: bool,
    },
    /// Too many restarts: one try now and then.
    Parked {
        /// The last run.
        run: RunId,
        /// How it ended.
        exit: Exit,
        /// From now to the next try.
        pause: Duration,
    },
    /// Too many restarts: the group fails with it.
    Escalated {
        /// The last run.
        run: RunId,
        /// How it ended.
        exit: Exit,
    },
    /// It settled after failures.
    Recovered {
        /// The run that settled.
        run: RunId,
        /// Restarts it had taken.
        restarts: u32,
    },
    /// It is being asked to end.
    Stopping {
        /// The run.
        run: RunId,
        /// Why.
        why: StopWhy,
    },
    /// It did not end in time, or something of it is left: KILL was sent.
    Killed {
        /// The run.
        run: RunId,
    },
    /// Its main process is gone and others of its session are not.
    LeftBehind {
        /// The run.
        run: RunId,
    },
    /// It cannot start, because this child that it requires is down for good.
    Held {
        /// The one that does not start.
        child: ChildId,
        /// The one that is missing.
        by: ChildId,
    },
    /// The time of a stop is over: it may run again.
    TermOver {
        /// The child.
        child: ChildId,
    },
    /// Everything is being stopped.
    ShuttingDown,
}

/// Why a run is being asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopWhy {
    /// A person said so.
    Asked,
    /// To start it again, with a new configuration or because a person said so.
    Recycle,
    /// It is no longer configured.
    Removed,
    /// A child that it requires is down for good.
    Requirement,
    /// sup ends.
    Shutdown,
    /// It was not ready in time.
    StartTimeout,
}
