//! One group's life.
//!
//! ```text
//!   Idle --opens--> Rising --all are there--> Up
//!    ^ ^               |                       |
//!    | |               |  a member fails       |
//!    | |               v                       v
//!    | |   Rising <--- Falling: members are taken down, the last one first
//!    | '-- Waiting <---'  |
//!    |     Over    <------'
//!    '--------------------'
//! ```
//!
//! A wait before a restart is the failed member's own: a group that falls to rise again
//! rises when all that it took down are down and none of them waits any more.

use alloc::boxed::Box;

use serde::{Deserialize, Serialize};

use super::due::{Due, earliest};
use super::intensity::Intensity;
use super::phase::Over;
use super::recall::{self, Standing};
use super::tally::Tally;
use crate::model::limits::{CHILDREN_MAX, GROUPS_MAX};
use crate::model::memory::{GroupMemory, Hold, Scale};
use crate::model::spec::OnLimit;
use crate::model::tree::Strategy;
use crate::model::{Exit, GroupId, GroupSpec, Member, RestartPolicy, Uptime};

/// A turn that everybody has at once. No group has so many members.
pub(super) const EVERYBODYS: u16 = u16::MAX;
const _: () = assert!(CHILDREN_MAX + GROUPS_MAX < EVERYBODYS as usize);

/// What a group is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupPhase {
    /// Nothing of it runs. It opens as soon as it is wanted and may.
    Idle,
    /// Its members are started, one after the other.
    Rising {
        /// Whose turn it is.
        next: u16,
        /// Whether it starts as a whole, so that a failed start is its own.
        fresh: bool,
    },
    /// Every member that is to run has been started.
    Up {
        /// Since when.
        since: Uptime,
        /// Since when nothing was charged to it.
        calm: Uptime,
    },
    /// Members are taken down, the last one first.
    Falling {
        /// The first of those that go.
        from: u16,
        /// Whose turn it was, if it was rising: behind it, nobody starts.
        next: u16,
        /// What comes then.
        then: Then,
    },
    /// It has failed, and its parent will start it again.
    Waiting {
        /// When that is.
        until: Uptime,
    },
    /// Nothing more happens by itself.
    Over(Over),
}

/// What comes when all that go are down. A later one outweighs an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Then {
    /// They are started again.
    Rise,
    /// See [`GroupPhase::Idle`].
    Idle,
    /// See [`GroupPhase::Waiting`].
    Waiting {
        /// When that is over.
        until: Uptime,
    },
    /// See [`GroupPhase::Over`].
    Over(Over),
}

impl Then {
    fn weight(self) -> u8 {
        match self {
            Self::Rise => 0,
            Self::Idle => 1,
            Self::Waiting { .. } => 2,
            Self::Over(_) => 3,
        }
    }
}

impl From<Then> for GroupPhase {
    fn from(then: Then) -> Self {
        match then {
            Then::Rise | Then::Idle => Self::Idle,
            Then::Waiting { until } => Self::Waiting { until },
            Then::Over(over) => Self::Over(over),
        }
    }
}

/// Whose failure last took others along, and how it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The group whose strategy did it.
    pub group: GroupId,
    /// Its member that failed.
    pub by: Member,
    /// How the child at the bottom of it ended.
    pub exit: Option<Exit>,
    /// When.
    pub at: Uptime,
}

/// One group's state.
#[derive(Debug)]
pub struct Group {
    pub(super) id: GroupId,
    pub(super) spec: GroupSpec,
    /// Its group, and its place there. Only the root has none.
    pub(super) parent: Option<(GroupId, u16)>,
    pub(super) members: Box<[Member]>,
    pub(super) phase: GroupPhase,
    pub(super) hold: Hold,
    pub(super) window: Intensity,
    pub(super) streak: u32,
    /// One failure more is one too many: the one try after *parked* or *gave up*.
    pub(super) trial: bool,
    /// Starts as a whole.
    pub(super) opens: u32,
    pub(super) restarts: u32,
    pub(super) failures: u32,
    pub(super) tally: Tally,
    pub(super) cause: Option<Cause>,
    pub(super) scale: Option<Scale>,
    /// Of the last pass: a person or the configuration keeps it down, or one above it.
    pub(super) is_held: bool,
    /// Of the last pass: it will not come back by itself, for that reason or because it
    /// or one above it is over.
    pub(super) is_off: bool,
    /// It has come to members that run, before it was started.
    pub(super) has_runs: bool,
    /// It has just come, with a reload or another sup, around members that are what they are:
    /// what has done its work is not to do it again for that.
    pub(super) has_come: bool,
    /// Within a pass: the last of its members that is still to end.
    pub(super) busy: Option<u16>,
}

impl Group {
    pub(super) fn new(id: GroupId, spec: GroupSpec) -> Self {
        let window = Self::window_of(&spec);
        Self {
            id,
            spec,
            parent: None,
            members: Box::default(),
            phase: GroupPhase::Idle,
            hold: Hold::None,
            window,
            streak: 0,
            trial: false,
            opens: 0,
            restarts: 0,
            failures: 0,
            tally: Tally::default(),
            cause: None,
            scale: None,
            is_held: false,
            is_off: false,
            has_runs: false,
            has_come: true,
            busy: None,
        }
    }

    fn window_of(spec: &GroupSpec) -> Intensity {
        spec.budget
            .as_ref()
            .map_or_else(Intensity::none, Intensity::new)
    }

    /// A new specification: what was counted stays counted.
    pub(super) fn adjust(&mut self, spec: GroupSpec) {
        self.adjust_places(&spec);
        let mut window = Self::window_of(&spec);
        window.restore(self.window.made());
        (self.spec, self.window) = (spec, window);
    }

    /// Members have other places: whose turn it is is seen anew, and those that were going
    /// down still are, with whoever stands behind the first of them now.
    fn adjust_places(&mut self, spec: &GroupSpec) {
        if spec.members == self.spec.members {
            return;
        }
        match &mut self.phase {
            GroupPhase::Rising { next, .. } if *next != EVERYBODYS => *next = 0,
            GroupPhase::Falling { from, next, .. } if *from > 0 => {
                *next = 0;
                let went = &self.spec.members[usize::from(*from)..];
                let first = spec.members.iter().position(|name| went.contains(name));
                let first = first.unwrap_or(spec.members.len());
                *from = u16::try_from(first).unwrap_or(EVERYBODYS);
            }
            GroupPhase::Idle
            | GroupPhase::Rising { .. }
            | GroupPhase::Up { .. }
            | GroupPhase::Falling { .. }
            | GroupPhase::Waiting { .. }
            | GroupPhase::Over(_) => {}
        }
    }

    // ---- memory -------------------------------------------------------------

    pub(super) fn remember(&self, now: Uptime) -> GroupMemory {
        let over = match self.phase {
            GroupPhase::Over(over)
            | GroupPhase::Falling {
                then: Then::Over(over),
                ..
            } => Some(over),
            GroupPhase::Idle
            | GroupPhase::Rising { .. }
            | GroupPhase::Up { .. }
            | GroupPhase::Falling { .. }
            | GroupPhase::Waiting { .. } => None,
        };
        GroupMemory {
            name: self.spec.name.clone(),
            hold: self.hold,
            streak: self.streak,
            window: self.window.made().to_vec(),
            credit: recall::credit(over, self.trial),
            restarts: self.restarts,
            failures: self.failures,
            up_total: self.up_total(now),
            wanted_total: self.wanted_total(now),
            scale: self.scale.clone(),
        }
    }

    /// Takes up its memory, before its first start.
    pub(super) fn recall(&mut self, memory: &GroupMemory, rebooted: bool, now: Uptime) {
        self.hold = memory.hold;
        self.streak = memory.streak;
        self.window.restore(&memory.window);
        self.restarts = memory.restarts;
        self.failures = memory.failures;
        self.tally.recall(memory.up_total, memory.wanted_total);
        let on_limit = self.on_limit();
        match recall::standing(memory.credit, on_limit, rebooted, now) {
            Standing::Whole => {}
            Standing::Trial => self.trial = true,
            Standing::Over(over) => self.phase = GroupPhase::Over(over),
        }
    }

    // ---- what it costs ------------------------------------------------------

    /// Charges one restart: whether it may be made.
    pub(super) fn charge(&mut self, now: Uptime) -> bool {
        let admitted = match &self.spec.budget {
            None => true,
            Some(budget) => !core::mem::take(&mut self.trial) && self.window.admit(budget, now),
        };
        self.restarts = self.restarts.saturating_add(u32::from(admitted));
        if let GroupPhase::Up { calm, .. } = &mut self.phase {
            *calm = now; // It has to settle anew.
        }
        admitted
    }

    /// Restarts in its window, and how many that allows, where it counts.
    #[must_use]
    pub fn counted(&self, now: Uptime) -> Option<(u16, u16)> {
        let budget = self.spec.budget.as_ref()?;
        Some((self.window.recent(budget, now), budget.max_restarts?))
    }

    pub(super) fn on_limit(&self) -> OnLimit {
        self.spec
            .budget
            .map_or(OnLimit::Escalate, |budget| budget.on_limit)
    }

    /// Forgets failures, and waits no longer.
    pub(super) fn forgive(&mut self) {
        self.streak = 0;
        self.trial = false;
        self.window.clear();
        self.proceed();
    }

    /// Forgets failures. What has done its work, or was taken along, has failed at nothing.
    pub(super) fn reset(&mut self) {
        let phase = self.phase;
        self.forgive();
        if let GroupPhase::Over(Over::Finished { .. } | Over::TakenAlong)
        | GroupPhase::Falling {
            then: Then::Over(Over::Finished { .. } | Over::TakenAlong),
            ..
        } = phase
        {
            self.phase = phase;
        }
    }

    /// Whatever it waits for, it waits no longer.
    pub(super) fn proceed(&mut self) {
        match &mut self.phase {
            GroupPhase::Waiting { .. } | GroupPhase::Over(_) => self.phase = GroupPhase::Idle,
            GroupPhase::Falling { then, .. } if *then != Then::Rise => *then = Then::Idle,
            GroupPhase::Falling { .. }
            | GroupPhase::Idle
            | GroupPhase::Rising { .. }
            | GroupPhase::Up { .. } => {}
        }
    }

    /// The group around it starts afresh: what was done, or taken along, starts with it.
    pub(super) fn renew(&mut self) {
        self.has_come = false;
        match &mut self.phase {
            phase @ GroupPhase::Over(Over::Finished { .. } | Over::TakenAlong) => {
                *phase = GroupPhase::Idle;
            }
            GroupPhase::Falling {
                then: then @ Then::Over(Over::Finished { .. } | Over::TakenAlong),
                ..
            } => *then = Then::Idle,
            GroupPhase::Idle
            | GroupPhase::Rising { .. }
            | GroupPhase::Up { .. }
            | GroupPhase::Falling { .. }
            | GroupPhase::Waiting { .. }
            | GroupPhase::Over(_) => {}
        }
    }

    // ---- what happens to it -------------------------------------------------

    /// Takes down its members from that one on. Of two reasons the heavier one holds.
    pub(super) fn fall(&mut self, from: u16, then: Then, now: Uptime) {
        match &mut self.phase {
            GroupPhase::Falling {
                from: first,
                then: before,
                ..
            } => {
                *first = from.min(*first);
                if then.weight() > before.weight() {
                    *before = then;
                }
            }
            GroupPhase::Up { since, .. } => {
                self.tally.up += now - *since;
                let next = EVERYBODYS;
                self.phase = GroupPhase::Falling { from, next, then };
            }
            GroupPhase::Rising { next, .. } => {
                let next = *next;
                self.phase = GroupPhase::Falling { from, next, then };
            }
            GroupPhase::Idle | GroupPhase::Waiting { .. } | GroupPhase::Over(_) => {
                debug_assert!(then == Then::Idle, "only what runs can fail");
            }
        }
    }

    /// Nothing of it is to run, and something does: it goes down, and is then as it is now.
    pub(super) fn falls_as_it_is(&mut self) {
        self.has_runs = false;
        let then = match self.phase {
            GroupPhase::Waiting { until } => Then::Waiting { until },
            GroupPhase::Over(over) => Then::Over(over),
            GroupPhase::Idle
            | GroupPhase::Rising { .. }
            | GroupPhase::Up { .. }
            | GroupPhase::Falling { .. } => Then::Idle,
        };
        let (from, next) = (0, EVERYBODYS);
        self.phase = GroupPhase::Falling { from, next, then };
    }

    /// Its members start, in turn or, instances, all together. Those of a one-for-one
    /// root are strangers to each other: nobody waits for all of them.
    pub(super) fn rises(&mut self, next: u16, fresh: bool, now: Uptime) {
        self.phase = if self.spec.is_ordered() {
            GroupPhase::Rising { next, fresh }
        } else if self.parent.is_some() {
            GroupPhase::Rising {
                next: EVERYBODYS,
                fresh,
            }
        } else {
            GroupPhase::Up {
                since: now,
                calm: now,
            }
        };
    }

    /// Whether the member at that place may be started now.
    pub(super) fn admits(&self, place: u16) -> bool {
        match self.phase {
            GroupPhase::Idle | GroupPhase::Waiting { .. } | GroupPhase::Over(_) => false,
            GroupPhase::Rising { next, .. } => place <= next,
            GroupPhase::Up { .. } => true,
            GroupPhase::Falling { from, next, .. } => place < from && place <= next,
        }
    }

    /// Whether the member at that place may go on running.
    pub(super) fn keeps(&self, place: u16) -> bool {
        match self.phase {
            GroupPhase::Idle | GroupPhase::Waiting { .. } | GroupPhase::Over(_) => false,
            GroupPhase::Rising { .. } | GroupPhase::Up { .. } => true,
            GroupPhase::Falling { from, .. } => place < from,
        }
    }

    /// Whether the member at that place goes down because this group does.
    pub(super) fn drops(&self, place: u16) -> bool {
        matches!(self.phase, GroupPhase::Falling { from, .. } if place >= from)
    }

    /// Whether the member at that place is down only until others of its group are.
    pub(super) fn takes(&self, place: u16) -> bool {
        matches!(self.phase, GroupPhase::Falling { from, then: Then::Rise, .. } if place >= from)
    }

    /// Whether a failed start of the member at that place is the group's own.
    pub(super) fn opens_with(&self, place: u16) -> bool {
        matches!(self.phase, GroupPhase::Rising { next, fresh: true } if next == place)
    }

    /// The next moment at which something happens by itself, and what.
    #[must_use]
    pub fn deadline(&self) -> Option<(Uptime, Due)> {
        let of = Member::Group(self.id);
        let by_phase = match self.phase {
            GroupPhase::Waiting { until } => Some((until, Due::Restart(of))),
            GroupPhase::Over(Over::Parked { until }) => {
                let wanted = matches!(self.hold, Hold::None | Hold::Up);
                wanted.then_some((until, Due::Try(of)))
            }
            GroupPhase::Up { calm, .. } => self
                .is_unsettled()
                .then(|| (calm + self.spec.backoff.settle, Due::Settle(of))),
            GroupPhase::Idle
            | GroupPhase::Rising { .. }
            | GroupPhase::Falling { .. }
            | GroupPhase::Over(Over::Finished { .. } | Over::GaveUp | Over::TakenAlong) => None,
        };
        let by_hold = match self.hold {
            Hold::DownUntil(at) => Some((at, Due::Term(of))),
            Hold::None | Hold::Up | Hold::Down => None,
        };
        earliest(by_phase, by_hold)
    }

    fn is_unsettled(&self) -> bool {
        self.streak > 0 || self.trial
    }

    /// It has been up for long enough. Comes back with the restarts that it had taken.
    pub(super) fn settle(&mut self) -> u32 {
        if core::mem::take(&mut self.trial) {
            self.window.clear();
        }
        core::mem::take(&mut self.streak)
    }

    /// Whether its own hold, or the configuration, lets it run.
    pub(super) fn is_wanted(&self) -> bool {
        match self.hold {
            Hold::None => self.spec.autostart,
            Hold::Up => true,
            Hold::Down | Hold::DownUntil(_) => false,
        }
    }

    /// What a person's wish for it to run amounts to.
    pub(super) fn hold_up(&self) -> Hold {
        if self.spec.autostart {
            Hold::None
        } else {
            Hold::Up
        }
    }

    pub(super) fn is_temporary(&self) -> bool {
        self.spec.restart == RestartPolicy::No
    }

    /// The first of those that are started again with the member at `place`; `None`: it is
    /// started alone.
    pub(super) fn brings_along(&self, place: u16) -> Option<u16> {
        match self.spec.strategy {
            Strategy::OneForOne | Strategy::SimpleOneForOne => None,
            Strategy::OneForAll => Some(0),
            Strategy::RestForOne => Some(place),
        }
    }
}
