//! How things stand, for people and scripts: what `status` and `why` show.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::Health;
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
    /// Its group; `None`: the root.
    pub group: Option<String>,
    /// How deep in the tree, from 0.
    pub depth: u16,
    /// What it waits for, or what holds it back: a child or a group.
    pub waits_for: Option<String>,
    /// Whether that is a group that it is in, which starts its members again.
    pub waits_for_own: bool,
    /// The group that it belongs to, or one above that, which is down and keeps it down.
    pub kept_down_by: Option<String>,
    /// Its main process.
    pub pid: Option<u32>,
    /// The number of its present or last run.
    pub run: u32,
    /// How long it has been running (up, readying, stopping).
    pub up: Option<Duration>,
    /// Resident memory of its session, in bytes; pages that two processes share count twice.
    pub resident: Option<u64>,
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
    /// Whether that window is its group's, because it has none of its own.
    pub counted_by_group: bool,
    /// Whose failure last took it along.
    pub taken_by: Option<CauseReport>,
    /// Whether this run is the one try after giving up.
    pub trial: bool,
    /// The restart policy's name.
    pub policy: String,
    /// Its last ends, the newest last.
    pub exits: Vec<EndedReport>,
    /// How well it is; `None`: it has no checks, or does not run.
    pub health: Option<HealthReport>,
    /// Time spent up, ever.
    pub up_total: Duration,
    /// Time for which it was wanted up, ever.
    pub wanted_total: Duration,
}

impl ChildReport {
    /// Time up as a share of the time wanted up, in hundredths of a percent; `None`: it was
    /// never wanted, or it has done its work, and nobody wants it up.
    #[must_use]
    pub fn availability(&self) -> Option<u16> {
        let is_done = self.state == State::Finished;
        share(self.up_total, self.wanted_total).filter(|_| !is_done)
    }

    /// Whose failure a run of it was ended for, if it was.
    #[must_use]
    pub fn taken(&self, ended: &EndedReport) -> Option<&CauseReport> {
        let during = ended.ago..=ended.ago + ended.ran;
        let by = self.taken_by.as_ref();
        by.filter(|by| ended.asked && during.contains(&by.ago))
    }
}

fn share(up: Duration, wanted: Duration) -> Option<u16> {
    let wanted = wanted.as_millis();
    let share = up.as_millis().min(wanted) * 10_000;
    u16::try_from(share.checked_div(wanted)?).ok()
}

/// What concerns one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupReport {
    /// Its name.
    pub name: String,
    /// Its parent; `None`: the root, or it is the root.
    pub group: Option<String>,
    /// How deep in the tree, from 0.
    pub depth: u16,
    /// Its strategy's name.
    pub strategy: String,
    /// What it is doing.
    pub state: GroupState,
    /// The member that it waits for while it starts.
    pub waits_for: Option<String>,
    /// The group above it that is down and keeps it down.
    pub kept_down_by: Option<String>,
    /// How long it has been up.
    pub up: Option<Duration>,
    /// Whether a person said that it should be up or down.
    pub hold: HoldReport,
    /// Until the next thing happens by itself.
    pub next: Option<Duration>,
    /// Restarts that were charged to it, ever.
    pub restarts: u32,
    /// How often it failed as a whole, ever.
    pub failures: u32,
    /// How often its parent has started it again since it last settled.
    pub streak: u32,
    /// Restarts in the window.
    pub recent: u16,
    /// How many the window allows; `None`: no limit.
    pub max_restarts: Option<u16>,
    /// The window; `None`: nothing is counted.
    pub window: Option<Duration>,
    /// Whether one failure more is one too many.
    pub trial: bool,
    /// Whose failure last took others along.
    pub last: Option<CauseReport>,
    /// Its instances, where it has a template.
    pub instances: Option<u16>,
    /// Time spent up, ever.
    pub up_total: Duration,
    /// Time for which it was wanted up, ever.
    pub wanted_total: Duration,
}

impl GroupReport {
    /// Time up as a share of the time wanted up, in hundredths of a percent.
    #[must_use]
    pub fn availability(&self) -> Option<u16> {
        share(self.up_total, self.wanted_total)
    }
}

/// Whose failure took others along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseReport {
    /// The group whose strategy did it.
    pub group: String,
    /// That strategy's name.
    pub strategy: String,
    /// The member that failed.
    pub by: String,
    /// How the child at the bottom of it ended.
    pub exit: Option<Exit>,
    /// How long ago.
    pub ago: Duration,
}

/// What a group is doing, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupState {
    /// Down, because a person or the configuration said so, or its parent is.
    Stopped,
    /// It waits for its turn.
    Queued,
    /// Its members are being started.
    Starting,
    /// All of it has been started.
    Up,
    /// Members are taken down, to be started again with the one that failed.
    Restarting,
    /// It is being stopped.
    Stopping,
    /// Its parent waits before it starts it again.
    Backoff,
    /// It has done its work.
    Finished,
    /// It has failed, and is not to be started again.
    Failed,
    /// Too many restarts.
    GaveUp,
    /// Too many restarts; one try now and then.
    Parked,
}

impl GroupState {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Stopped,
        Self::Queued,
        Self::Starting,
        Self::Up,
        Self::Restarting,
        Self::Stopping,
        Self::Backoff,
        Self::Finished,
        Self::Failed,
        Self::GaveUp,
        Self::Parked,
    ];

    /// As in `status` and its JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Restarting => "restarting",
            Self::Stopping => "stopping",
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

/// What a child is doing, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Down, because a person or the configuration said so.
    Stopped,
    /// It waits for another child before it starts.
    Queued,
    /// It cannot start: what it requires, or its group, is down.
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
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Stopped,
        Self::Queued,
        Self::Held,
        Self::Starting,
        Self::Readying,
        Self::Up,
        Self::Stopping,
        Self::Clearing,
        Self::Backoff,
        Self::Finished,
        Self::Failed,
        Self::GaveUp,
        Self::Parked,
    ];

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

/// How checks stand that have not found anything yet.
pub const STARTING: &str = "starting";

/// How well a child or the box is, by all its checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReport {
    /// The worst that a check has found; `None`: not all have found something yet, and
    /// what has been found is good.
    pub health: Option<Health>,
    /// The check that found it, where it is not good, and its words.
    pub worst: Option<(String, String)>,
}

impl HealthReport {
    /// The check that found the worst, where that is not good.
    #[must_use]
    pub fn worst_check(&self) -> Option<&str> {
        self.worst.as_ref().map(|(check, _)| check.as_str())
    }

    /// What people are told of it; nothing where all is well.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let (check, words) = self.worst.as_ref()?;
        let found = if words.is_empty() {
            String::new()
        } else {
            format!(": {words}")
        };
        Some(format!("{} (check {check}){found}", self.name()))
    }

    /// In one word.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.health.map_or(STARTING, Health::name)
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// Whose it is; `None`: the box's.
    pub child: Option<String>,
    /// Its name.
    pub name: String,
    /// Its kind, by its key in the configuration.
    pub kind: String,
    /// How it stands; `None`: it has not found anything yet that counts, or its child is
    /// down.
    pub health: Option<Health>,
    /// Bad results in a row.
    pub failing: u8,
    /// How many of them count.
    pub retries: u8,
    /// Until the next probe; `None`: it is being made, or there is none.
    pub next: Option<Duration>,
    /// Its last results, the newest last.
    pub results: Vec<ResultReport>,
}

impl CheckReport {
    /// How it stands, in one word.
    #[must_use]
    pub fn standing(&self) -> &'static str {
        self.health.map_or(STARTING, Health::name)
    }

    /// The words of its newest result.
    #[must_use]
    pub fn words(&self) -> &str {
        self.results.last().map_or("", |last| &last.words)
    }
}

/// What one probe has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultReport {
    /// How well it was.
    pub health: Health,
    /// How long ago.
    pub ago: Duration,
    /// How long it took.
    pub took: Duration,
    /// What was seen, in words.
    pub words: String,
    /// What the program said, or the answer was, where it failed.
    pub output: String,
}
