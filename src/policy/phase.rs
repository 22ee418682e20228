//! What a child is doing. A state carries its own data.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::order::StopWhy;
use crate::model::{RunId, Uptime};

/// A run that has a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The run.
    pub run: RunId,
    /// Its main process.
    pub pid: u32,
    /// When it was started.
    pub at: Uptime,
}

/// What a child is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Nothing runs. It starts as soon as it is wanted and may.
    Idle,
    /// Its process has been asked for.
    Starting {
        /// The run that will be.
        run: RunId,
        /// Since when.
        at: Uptime,
    },
    /// It has a process and is not ready yet.
    Readying {
        /// The run.
        process: Process,
        /// When that has taken too long.
        fail_at: Option<Uptime>,
    },
    /// It is ready.
    Up {
        /// The run.
        process: Process,
        /// Since when it is ready.
        since: Uptime,
    },
    /// It has been asked to end.
    Stopping {
        /// The run.
        process: Process,
        /// Why.
        why: StopWhy,
        /// When it is killed; `None`: never, or it has been.
        kill_at: Option<Uptime>,
        /// Whether KILL has been sent.
        killed: bool,
    },
    /// Its main process is gone, others of its session are not.
    Clearing {
        /// The run that is gone.
        process: Process,
        /// How we get rid of the rest.
        sweep: Sweep,
        /// What comes then.
        next: Next,
    },
    /// It waits for its next start.
    Waiting {
        /// When that is.
        until: Uptime,
    },
    /// Nothing more happens by itself.
    Over(Over),
}

/// How we get rid of what a run left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    pub(super) kill_at: Option<Uptime>,
    pub(super) killed: bool,
    pub(super) look_at: Uptime,
    pub(super) pause: Duration,
}

/// What comes when nothing of a run is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Next {
    /// See [`Phase::Idle`].
    Idle,
    /// See [`Phase::Waiting`].
    Waiting {
        /// When that is over.
        until: Uptime,
    },
    /// See [`Phase::Over`].
    Over(Over),
}

impl From<Next> for Phase {
    fn from(next: Next) -> Self {
        match next {
            Next::Idle => Self::Idle,
            Next::Waiting { until } => Self::Waiting { until },
            Next::Over(over) => Self::Over(over),
        }
    }
}

/// Why nothing more happens by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Over {
    /// Its policy says that it has done its work.
    Finished {
        /// Whether with success.
        clean: bool,
    },
    /// Too many restarts.
    GaveUp,
    /// Too many restarts; one try when the moment has come.
    Parked {
        /// When that is.
        until: Uptime,
    },
    /// Its group took it down with others, and its policy asks for no more.
    TakenAlong,
}

impl Phase {
    /// The run whose process may be alive, if there is one.
    #[must_use]
    pub fn process(&self) -> Option<Process> {
        match *self {
            Self::Readying { process, .. }
            | Self::Up { process, .. }
            | Self::Stopping { process, .. }
            | Self::Clearing { process, .. } => Some(process),
            Self::Idle | Self::Starting { .. } | Self::Waiting { .. } | Self::Over(_) => None,
        }
    }

    /// Whether a process of this child exists or is being made.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        match self {
            Self::Starting { .. }
            | Self::Readying { .. }
            | Self::Up { .. }
            | Self::Stopping { .. }
            | Self::Clearing { .. } => true,
            Self::Idle | Self::Waiting { .. } | Self::Over(_) => false,
        }
    }
}
