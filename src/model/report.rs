//! How things stand, for people and scripts: what `status` and `why` show.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::exit::Exit;

/// What concerns sup itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupReport {
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// How long it has been running.
    pub up: Duration,
    /// The configuration that it runs.
    pub config: String,
    /// Why memory could not be written; `None`: it could.
    pub memory_fault: Option<String>,
}

/// What concerns one child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildReport {
    /// Its name.
    pub name: String,
    /// What it is doing.
    pub state: State,
    /// The child for which it waits, or that holds it back.
    pub waits_for: Option<String>,
    /// Its main process.
    pub pid: Option<u32>,
    /// The number of its present or last run.
    pub run: u32,
    /// How long it has been running (up, readying, stopping).
    pub up: Option<Duration>,
    /// Whether another sup has started this run, so that the kernel will not tell us how
    /// it ends.
    pub adopted: bool,
    /// Whether a person said that it should be up or down.
    pub hold: HoldReport,
    /// Until the next thing happens by itself.
    pub next: Option<Duration>,
    /// Restarts that sup made by itself, ever.
    pub restarts: u32,
    /// Unclean ends that nobody asked for, ever.
    pub failures: u32,
    /// Restarts since it last settled.
    pub streak: u32,
    /// Restarts in the window.
    pub recent: u16,
    /// How many the window allows; `None`: no limit.
    pub max_restarts: Option<u16>,
    /// The window.
    pub window: Duration,
    /// Whether this run is the one try after giving up.
    pub trial: bool,
    /// The restart policy's name.
    pub policy: String,
    /// Its last ends, the newest last.
    pub exits: Vec<EndedReport>,
    /// Time spent up, ever.
    pub up_total: Duration,
    /// Time for which it was wanted up, ever.
    pub wanted_total: Duration,
}

impl ChildReport {
    /// Time up as a share of the time wanted up, in hundredths of a percent.
    #[must_use]
    pub fn availability(&self) -> Option<u16> {
        let wanted = self.wanted_total.as_millis();
        let share = self.up_total.as_millis().min(wanted) * 10_000;
        u16::try_from(share.checked_div(wanted)?).ok()
    }
}

/// What a child is doing, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Down, because a person or the configuration said so.
    Stopped,
    /// It waits for another child before it starts.
    Queued,
    /// It cannot start: a child that it requires is down.
    Held,
    /// Its process is being made.
    Starting,
    /// It has a process, and has not said that it is ready.
    Readying,
    /// It runs.
    Up,
    /// It has been asked to end.
    Stopping,
    /// Its main process has ended; others that it left behind are being ended.
    Clearing,
    /// It waits for its next start.
    Backoff,
    /// It has done its work.
    Finished,
    /// It has ended without success, and its policy says no restart.
    Failed,
    /// Too many restarts.
    GaveUp,
    /// Too many restarts; one try now and then.
    Parked,
}

impl State {
    /// As in `status` and its JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Queued => "queued",
            Self::Held => "held",
            Self::Starting => "starting",
            Self::Readying => "readying",
            Self::Up => "up",
            Self::Stopping => "stopping",
            Self::Clearing => "clearing",
            Self::Backoff => "backoff",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::GaveUp => "gave-up",
            Self::Parked => "parked",
        }
    }

    /// Whether this is as it should be.
    #[must_use]
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Up | Self::Stopped | Self::Finished)
    }
}

/// What a person said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HoldReport {
    /// Nothing.
    None,
    /// Keep it up.
    Up,
    /// Keep it down.
    Down,
    /// Keep it down for so long from now.
    DownFor(Duration),
}

/// The end of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedReport {
    /// Which run.
    pub nth: u32,
    /// How.
    pub exit: Exit,
    /// How long ago.
    pub ago: Duration,
    /// How long it had been running.
    pub ran: Duration,
    /// Whether we had asked it to end.
    pub asked: bool,
}
