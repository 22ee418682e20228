//! Version 1 of what is saved: children only. Frozen: `tests/golden/state-v1.bin` stays
//! readable for ever, so no field here changes. What memory learned later is in `v2`,
//! which writes its children as they are here.
//!
//! Times are milliseconds. A past moment is its age when it was saved, a coming one what
//! was left until then: both are short numbers, and mean something under another boot.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::Gather as _;
use crate::model::alert::AlertMemory;
use crate::model::limits::{EXITS_KEPT, RESTARTS_MAX};
use crate::model::memory::{self as model, ChildMemory};
use crate::model::{self as nouns, BootId, Signal, Stage, StartFault, Timeout, Uptime};

#[derive(Serialize, Deserialize)]
pub(super) struct Memory {
    boot: [u8; 16],
    at: u64,
    children: Vec<Child>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Child {
    name: Box<str>,
    hold: Hold,
    streak: u32,
    window_ages: Vec<u64>,
    credit: Credit,
    runs: u32,
    restarts: u32,
    failures: u32,
    up_total: u64,
    wanted_total: u64,
    exits: Vec<Ended>,
}

#[derive(Serialize, Deserialize)]
pub(super) enum Hold {
    None,
    Up,
    Down,
    DownFor(u64),
}

#[derive(Serialize, Deserialize)]
pub(super) enum Credit {
    Whole,
    ParkedFor(u64),
    GaveUp,
    Trial,
}

#[derive(Serialize, Deserialize)]
struct Ended {
    nth: u32,
    exit: Exit,
    age: u64,
    ran: u64,
    asked: bool,
}

#[derive(Serialize, Deserialize)]
enum Exit {
    Code(u8),
    Signal { number: u8, core: bool },
    Vanished,
    StartFault { stage: u8, errno: i32 },
    StartTimeout,
    StopTimeout,
    Watchdog,
    Unhealthy,
    OutOfMemory,
}

// ---- from the model ----

impl Child {
    pub(super) fn of(child: &ChildMemory, at: Uptime) -> Self {
        Self {
            name: child.name.clone(),
            hold: Hold::of(child.hold, at),
            streak: child.streak,
            window_ages: ages(&child.window, at),
            credit: Credit::of(child.credit, at),
            runs: child.runs,
            restarts: child.restarts,
            failures: child.failures,
            up_total: millis(child.up_total),
            wanted_total: millis(child.wanted_total),
            exits: child.exits.iter().map(|e| Ended::of(e, at)).gather(),
        }
    }
}

impl Hold {
    pub(super) fn of(hold: model::Hold, at: Uptime) -> Self {
        match hold {
            model::Hold::None => Self::None,
            model::Hold::Up => Self::Up,
            model::Hold::Down => Self::Down,
            model::Hold::DownUntil(until) => Self::DownFor(millis(until - at)),
        }
    }
}

impl Credit {
    pub(super) fn of(credit: model::Credit, at: Uptime) -> Self {
        match credit {
            model::Credit::Whole => Self::Whole,
            model::Credit::Parked(until) => Self::ParkedFor(millis(until - at)),
            model::Credit::GaveUp => Self::GaveUp,
            model::Credit::Trial => Self::Trial,
        }
    }
}

impl Ended {
    fn of(ended: &model::Ended, at: Uptime) -> Self {
        Self {
            nth: ended.nth,
            exit: Exit::of(ended.exit),
            age: millis(at - ended.at),
            ran: millis(ended.ran),
            asked: ended.asked,
        }
    }
}

impl Exit {
    fn of(exit: nouns::Exit) -> Self {
        match exit {
            nouns::Exit::Code(code) => Self::Code(code),
            nouns::Exit::Signal { signal, core } => Self::Signal {
                number: signal.0,
                core,
            },
            nouns::Exit::Vanished => Self::Vanished,
            nouns::Exit::StartFault(StartFault { stage, errno }) => Self::StartFault {
                stage: stage as u8,
                errno,
            },
            nouns::Exit::Timeout(Timeout::Start) => Self::StartTimeout,
            nouns::Exit::Timeout(Timeout::Stop) => Self::StopTimeout,
            nouns::Exit::Watchdog => Self::Watchdog,
            nouns::Exit::Unhealthy => Self::Unhealthy,
            nouns::Exit::OutOfMemory => Self::OutOfMemory,
        }
    }
}

pub(super) fn ages(moments: &[Uptime], at: Uptime) -> Vec<u64> {
    moments.iter().map(|&moment| millis(at - moment)).gather()
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

// ---- to the model ----

impl From<Memory> for nouns::Memory {
    fn from(memory: Memory) -> Self {
        let at = moment(memory.at);
        let children = memory.children.into_iter();
        Self {
            boot: BootId(memory.boot),
            at,
            children: children.map(|child| child.into_model(at)).gather(),
            groups: Vec::new(),
            alerts: AlertMemory::default(),
        }
    }
}

impl Child {
    pub(super) fn into_model(self, at: Uptime) -> ChildMemory {
        let exits = newest(&self.exits, EXITS_KEPT);
        ChildMemory {
            name: self.name,
            hold: self.hold.to_model(at),
            streak: self.streak,
            window: window(&self.window_ages, at),
            credit: self.credit.to_model(at),
            runs: self.runs,
            restarts: self.restarts,
            failures: self.failures,
            up_total: Duration::from_millis(self.up_total),
            wanted_total: Duration::from_millis(self.wanted_total),
            exits: exits.iter().map(|ended| ended.to_model(at)).collect(),
        }
    }
}

impl Hold {
    pub(super) fn to_model(&self, at: Uptime) -> model::Hold {
        match *self {
            Self::None => model::Hold::None,
            Self::Up => model::Hold::Up,
            Self::Down => model::Hold::Down,
            Self::DownFor(left) => model::Hold::DownUntil(at + Duration::from_millis(left)),
        }
    }
}

impl Credit {
    pub(super) fn to_model(&self, at: Uptime) -> model::Credit {
        match *self {
            Self::Whole => model::Credit::Whole,
            Self::ParkedFor(left) => model::Credit::Parked(at + Duration::from_millis(left)),
            Self::GaveUp => model::Credit::GaveUp,
            Self::Trial => model::Credit::Trial,
        }
    }
}

impl Ended {
    fn to_model(&self, at: Uptime) -> model::Ended {
        model::Ended {
            nth: self.nth,
            exit: self.exit.to_model(),
            at: ago(at, self.age),
            ran: Duration::from_millis(self.ran),
            asked: self.asked,
        }
    }
}

impl Exit {
    fn to_model(&self) -> nouns::Exit {
        match *self {
            Self::Code(code) => nouns::Exit::Code(code),
            Self::Signal { number, core } => nouns::Exit::Signal {
                signal: Signal(number),
                core,
            },
            Self::StartFault { stage, errno } => match Stage::ALL.get(usize::from(stage)) {
                Some(&stage) => nouns::Exit::StartFault(StartFault { stage, errno }),
                // A step that only a later sup has: all that we can say is that it is gone.
                None => nouns::Exit::Vanished,
            },
            Self::Vanished => nouns::Exit::Vanished,
            Self::StartTimeout => nouns::Exit::Timeout(Timeout::Start),
            Self::StopTimeout => nouns::Exit::Timeout(Timeout::Stop),
            Self::Watchdog => nouns::Exit::Watchdog,
            Self::Unhealthy => nouns::Exit::Unhealthy,
            Self::OutOfMemory => nouns::Exit::OutOfMemory,
        }
    }
}

/// When a memory was written.
pub(super) fn moment(millis: u64) -> Uptime {
    Uptime::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

pub(super) fn window(ages: &[u64], at: Uptime) -> Vec<Uptime> {
    let ages = newest(ages, usize::from(RESTARTS_MAX)).iter();
    ages.map(|&age| ago(at, age)).gather()
}

pub(super) fn ago(at: Uptime, age: u64) -> Uptime {
    at.before(Duration::from_millis(age))
}

/// The last `count` of a list whose newest stand last: limits may shrink.
fn newest<T>(list: &[T], count: usize) -> &[T] {
    &list[list.len().saturating_sub(count)..]
}
