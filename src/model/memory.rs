//! What survives us: a restart of sup, a reboot, a power cut.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::alert::AlertMemory;
use super::exit::Exit;
use super::ids::BootId;
use super::limits::EXITS_KEPT;
use super::time::Uptime;

/// Everything that survives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The boot under which it was written. The moments below count only there.
    pub boot: BootId,
    /// When it was written. Under another boot only spans are kept: a moment is
    /// then read as "so long before [`Memory::at`]".
    pub at: Uptime,
    /// One entry a child.
    pub children: Vec<ChildMemory>,
    /// One entry a group.
    pub groups: Vec<GroupMemory>,
    /// What is wrong, and who has been told.
    pub alerts: AlertMemory,
}

/// What is remembered of one child.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChildMemory {
    /// Its name in the configuration.
    pub name: Box<str>,
    /// What a person last said.
    pub hold: Hold,
    /// Restarts since it last settled; the backoff level.
    pub streak: u32,
    /// The restarts in the window, oldest first.
    pub window: Vec<Uptime>,
    /// How it stands with its budget.
    pub credit: Credit,
    /// Runs so far, which is the number of the last one.
    pub runs: u32,
    /// Restarts that sup made by itself, ever.
    pub restarts: u32,
    /// Ends that nobody asked for and that were not clean, ever.
    pub failures: u32,
    /// Time spent up, ever, up to [`Memory::at`].
    pub up_total: Duration,
    /// Time for which it was wanted up, ever, up to [`Memory::at`].
    pub wanted_total: Duration,
    /// The last ends, the newest last.
    pub exits: heapless::Vec<Ended, EXITS_KEPT>,
}

/// What is remembered of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupMemory {
    /// Its name in the configuration.
    pub name: Box<str>,
    /// What a person last said.
    pub hold: Hold,
    /// How often its parent has started it again since it last settled.
    pub streak: u32,
    /// The restarts in the window, oldest first.
    pub window: Vec<Uptime>,
    /// How it stands with its budget.
    pub credit: Credit,
    /// Restarts that were charged to it, ever.
    pub restarts: u32,
    /// How often it failed as a whole, ever.
    pub failures: u32,
    /// Time spent up, ever, up to [`Memory::at`].
    pub up_total: Duration,
    /// Time for which it was wanted up, ever, up to [`Memory::at`].
    pub wanted_total: Duration,
    /// What a person made of its count.
    pub scale: Option<Scale>,
}

/// What a person made of a template's count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scale {
    /// The count of the configuration at that time. Under another one this is void:
    /// whoever edits the file means it.
    pub configured: u16,
    /// The numbers of the instances, ascending.
    pub instances: Vec<u16>,
}

/// What a person last said about a child or a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hold {
    /// Nothing: the configuration decides.
    #[default]
    None,
    /// Start it, though the configuration does not.
    Up,
    /// Keep it down until someone says otherwise.
    Down,
    /// Keep it down until then.
    DownUntil(Uptime),
}

/// How a child or a group stands with its budget of restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Credit {
    /// Restarts are counted in the window.
    #[default]
    Whole,
    /// It is parked: one try when the moment has come.
    Parked(Uptime),
    /// Given up.
    GaveUp,
    /// This run is the one try after *parked* or *gave up*.
    Trial,
}

/// The end of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which run.
    pub nth: u32,
    /// How.
    pub exit: Exit,
    /// When; under another boot only `Memory::at - at` means anything.
    pub at: Uptime,
    /// How long it had been running.
    pub ran: Duration,
    /// Whether we had asked it to end.
    pub asked: bool,
}
