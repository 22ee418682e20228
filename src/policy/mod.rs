//! The verbs. An event and a time go in; actions and the next deadline come out.
//!
//! ```text
//!   handle(event, now):   apply     the event sets a phase
//!                         expire    what is due sets phases
//!                         start     in order:         idle, wanted, nothing missing -> Spawn
//!                         stop      in reverse order: live, not wanted, nobody on it -> Signal
//!                         finish    all down? save? how long may we sleep?
//! ```
//!
//! No clock, no file, no chance: the time is an argument, dice come from a seed. Nothing
//! is allocated after construction (`tests/allocation.rs`), so a decision cannot fail.

mod action;
mod backoff;
mod child;
mod deps;
mod due;
mod event;
mod intensity;
mod orders;
mod passes;
mod phase;
mod recall;
mod reload;
mod restart;
mod save;

use alloc::boxed::Box;
use alloc::vec::Vec;

pub use action::{Action, Alarm, Answer, Reach};
pub use backoff::{jittered, wait};
pub use child::Child;
pub use due::Due;
pub use event::Event;
pub use intensity::Intensity;
pub use phase::{Next, Over, Phase, Process};
pub use reload::{Change, change, plan};
pub use restart::{is_clean, wants_restart};
pub use save::SaveClock;

use child::{Around, Out, earliest};
use core::time::Duration;
use deps::Links;

use crate::model::memory::Hold;
use crate::model::{BootId, ChildId, ChildSpec, Memory, RunId, Uptime};

/// After the last KILL, how long we wait for the kernel before we leave anyway: a
/// process in uninterruptible sleep ends when its disk answers, not before.
const LEAVE_AFTER: Duration = Duration::from_secs(2);

/// Most actions that one event can cause for one child: a stop is told, signalled and
/// continued, an end told, explained and followed by a start, an order answered.
const ACTIONS_PER_CHILD: usize = 8;

/// What concerns the whole.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// From the request to end until the last child is killed.
    pub shutdown_timeout: Duration,
    /// Whether sup ends when nothing more will happen by itself: `sup -- COMMAND`.
    pub ends_when_over: bool,
    /// Where dice come from.
    pub seed: u64,
}

/// Decides over all children.
#[derive(Debug)]
pub struct Supervisor {
    slots: Vec<Slot>,
    /// Every configured or leaving child, each behind all that it waits for.
    order: Box<[ChildId]>,
    rules: Rules,
    ending: Option<Ending>,
    out: Out,
    dice: u64,
}

/// One place in the table. A child keeps its place over reloads.
#[derive(Debug)]
struct Slot {
    spec: ChildSpec,
    child: Child,
    links: Links,
    /// A child that it requires and that is down for good.
    blocked: Option<ChildId>,
    presence: Presence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Configured,
    /// No longer configured; its place is free when it is down.
    Leaving,
    /// A place for a new child.
    Free,
}

/// Everything is being stopped.
#[derive(Clone, Copy, Debug)]
struct Ending {
    kill_at: Option<Uptime>,
    leave_at: Uptime,
    success: bool,
    said: bool,
}

impl Supervisor {
    /// A supervisor of these children, none of which has been started. The first
    /// event, whichever it is, starts them.
    #[must_use]
    pub fn new(specs: Vec<ChildSpec>, rules: Rules) -> Self {
        let slots: Vec<Slot> = (0..)
            .zip(specs)
            .map(|(n, spec)| Slot::new(ChildId(n), spec))
            .collect();
        let out = Out {
            actions: Vec::new(),
            save: SaveClock::default(),
            escalated: false,
        };
        let mut supervisor = Self {
            slots,
            order: Box::default(),
            rules,
            ending: None,
            out,
            dice: rules.seed,
        };
        supervisor.link();
        supervisor
    }

    /// Takes up what was remembered, before the first event. Moments in `memory` are
    /// already on this boot's clock; `boot` tells whether the machine was restarted.
    pub fn recall(&mut self, memory: &Memory, boot: BootId, now: Uptime) {
        let rebooted = memory.boot != boot || boot == BootId::default();
        for slot in &mut self.slots {
            if let Some(known) = memory
                .children
                .iter()
                .find(|known| known.name == slot.spec.name)
            {
                slot.child.recall(known, &slot.spec.life, rebooted, now);
            }
        }
    }

    /// Takes up a run that another sup has started, and that may have ended since, before
    /// the first event. It counts as up since it was started.
    pub fn adopt(&mut self, run: RunId, pid: u32, at: Uptime) {
        if let Some(slot) = self.slots.get_mut(run.child.index()) {
            slot.child.adopt(run, pid, at);
        }
    }

    /// Everything that is to survive.
    #[must_use]
    pub fn remember(&self, boot: BootId, now: Uptime) -> Memory {
        let children = self
            .children()
            .map(|(_, spec, child)| child.remember(&spec.name, now));
        Memory {
            boot,
            at: now,
            children: children.collect(),
        }
    }

    /// Takes one event. The actions are to be carried out in their order before the
    /// next event.
    #[must_use = "actions are to be carried out"]
    pub fn handle(&mut self, event: Event, now: Uptime) -> impl Iterator<Item = Action> + '_ {
        let room = self.out.actions.capacity();
        self.apply(event, now);
        self.expire(now);
        self.start_pass(now);
        self.stop_pass(now);
        self.finish(now);
        debug_assert_eq!(
            room,
            self.out.actions.capacity(),
            "the list of actions has grown"
        );
        self.out.actions.drain(..)
    }

    /// When `handle` wants to be called with [`Event::Tick`], and why; `None`: nothing
    /// happens by itself.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(Uptime, Due)> {
        let saving = self.out.save.deadline().map(|at| (at, Due::Save));
        let ending = self
            .ending
            .map(|ending| (ending.kill_at.unwrap_or(ending.leave_at), Due::Shutdown));
        let present = self
            .slots
            .iter()
            .filter(|slot| slot.presence != Presence::Free);
        present.fold(earliest(saving, ending), |soonest, slot| {
            earliest(soonest, slot.child.deadline(&slot.spec.life))
        })
    }

    // ---- what others may know -----------------------------------------------

    /// Every configured child, in start order.
    pub fn children(&self) -> impl Iterator<Item = (ChildId, &ChildSpec, &Child)> {
        self.order.iter().filter_map(|&id| {
            let slot = self.slot(id);
            (slot.presence == Presence::Configured).then_some((id, &slot.spec, &slot.child))
        })
    }

    /// A configured child by its name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<ChildId> {
        self.children()
            .find(|(_, spec, _)| *spec.name == *name)
            .map(|(id, _, _)| id)
    }

    /// A child's specification. Ids stay good for as long as their child is known.
    #[must_use]
    pub fn spec(&self, id: ChildId) -> &ChildSpec {
        &self.slot(id).spec
    }

    /// A child's state.
    #[must_use]
    pub fn child(&self, id: ChildId) -> &Child {
        &self.slot(id).child
    }

    /// The required child for want of which this one does not run.
    #[must_use]
    pub fn blocked_by(&self, id: ChildId) -> Option<ChildId> {
        self.slot(id).blocked
    }

    /// The first child that this one is waiting for before it can start.
    #[must_use]
    pub fn waits_for(&self, id: ChildId) -> Option<ChildId> {
        let links = &self.slot(id).links;
        let mut before = links.requires.iter().chain(&*links.after);
        before.find(|&&id| !self.is_ready(id)).copied()
    }

    /// Whether people and the configuration want it to run.
    #[must_use]
    pub fn is_wanted(&self, id: ChildId) -> bool {
        self.slot(id).is_wanted() && self.ending.is_none()
    }

    /// Whether everything is being stopped.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// Room for every child that ever had a place: ids are below this.
    #[must_use]
    pub fn places(&self) -> usize {
        self.slots.len()
    }

    // ---- one event ----------------------------------------------------------

    fn apply(&mut self, event: Event, now: Uptime) {
        match event {
            Event::Tick => {}
            Event::Started { run, pid } => {
                self.with(run.child, now, |slot, around, out| {
                    let ready = slot.spec.launch.ready;
                    if !slot.child.started(run, pid, ready, around, out) {
                        out.actions.push(Action::Alarm(Alarm::UnexpectedStart(run)));
                    }
                });
            }
            Event::StartFailed { run, fault } => {
                self.with(run.child, now, |slot, around, out| {
                    slot.child.start_failed(run, fault, around, out);
                });
            }
            Event::Ready { run } => {
                self.with(run.child, now, |slot, _, out| {
                    slot.child.ready(run, now, out);
                });
            }
            Event::Exited { run, exit, left } => {
                self.with(run.child, now, |slot, around, out| {
                    slot.child.exited(run, exit, left, around, out);
                });
            }
            Event::Cleared { run } => {
                self.with(run.child, now, |slot, _, _| slot.child.cleared(run));
            }
            Event::Order { child, order } => self.obey(child, order, now),
            Event::Shutdown => self.end(true, now),
            Event::SaveFailed => self.out.save.soon(),
        }
        if core::mem::take(&mut self.out.escalated) && self.ending.is_none() {
            self.end(false, now);
        }
    }

    /// Does something with one slot, its surroundings and the list of actions.
    fn with<T>(
        &mut self,
        id: ChildId,
        now: Uptime,
        act: impl FnOnce(&mut SlotParts<'_>, &Around<'_>, &mut Out) -> T,
    ) -> Option<T> {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let dice = self.dice >> 33;
        let ending = self.ending.is_some();
        let slot = self
            .slots
            .get_mut(id.index())
            .filter(|slot| slot.presence != Presence::Free)?;
        let wanted = slot.is_wanted() && slot.blocked.is_none() && !ending;
        let around = Around {
            life: &slot.spec.life,
            now,
            wanted,
            dice,
        };
        let mut parts = SlotParts {
            spec: &slot.spec,
            child: &mut slot.child,
        };
        Some(act(&mut parts, &around, &mut self.out))
    }

    fn expire(&mut self, now: Uptime) {
        for n in 0..self.order.len() {
            let id = self.order[n];
            let slot = self.slot(id);
            let due = slot.child.deadline(&slot.spec.life);
            if due.is_some_and(|(at, _)| at <= now) {
                self.with(id, now, |slot, around, out| slot.child.expire(around, out));
            }
        }
        if let Some(ending) = self.ending
            && ending.kill_at.is_some_and(|at| at <= now)
        {
            self.kill_all(now);
        }
    }

    fn slot(&self, id: ChildId) -> &Slot {
        &self.slots[id.index()]
    }

    fn slot_mut(&mut self, id: ChildId) -> &mut Slot {
        &mut self.slots[id.index()]
    }

    // ---- the table ----------------------------------------------------------

    /// Children that have left and are down make room.
    fn free_places(&mut self) {
        for slot in &mut self.slots {
            if slot.presence == Presence::Leaving && !slot.child.phase.is_alive() {
                slot.presence = Presence::Free;
            }
        }
    }

    /// Makes links, order and room after the table has changed.
    fn link(&mut self) {
        let present = (0..)
            .zip(&self.slots)
            .filter(|(_, slot)| slot.presence != Presence::Free);
        let specs: Vec<(ChildId, &ChildSpec)> =
            present.map(|(n, slot)| (ChildId(n), &slot.spec)).collect();
        let (links, order) = deps::link(&specs, self.slots.len());
        for (slot, links) in self.slots.iter_mut().zip(links) {
            slot.links = links;
        }
        self.order = order;
        let room = ACTIONS_PER_CHILD * self.slots.len() + 16;
        self.out.actions.reserve(room);
    }
}

/// A slot's specification and state, apart from each other.
struct SlotParts<'a> {
    spec: &'a ChildSpec,
    child: &'a mut Child,
}

impl Slot {
    fn new(id: ChildId, spec: ChildSpec) -> Self {
        let child = Child::new(id, &spec.life);
        Self {
            spec,
            child,
            links: Links::default(),
            blocked: None,
            presence: Presence::Configured,
        }
    }

    fn is_wanted(&self) -> bool {
        let by_people = match self.child.hold {
            Hold::None => self.spec.life.autostart,
            Hold::Up => true,
            Hold::Down | Hold::DownUntil(_) => false,
        };
        by_people && self.presence == Presence::Configured
    }

    /// Whether it is ready, or has done its work with success.
    fn is_ready(&self) -> bool {
        matches!(
            self.child.phase,
            Phase::Up { .. } | Phase::Over(Over::Finished { clean: true })
        )
    }

    /// Whether those that require it cannot run: it is down, and will not come back by
    /// itself. One that is only being restarted blocks nobody.
    fn blocks(&self) -> bool {
        match self.child.phase {
            Phase::Over(Over::Finished { clean: true })
            | Phase::Clearing {
                next: Next::Over(Over::Finished { clean: true }),
                ..
            } => false,
            Phase::Over(_)
            | Phase::Clearing {
                next: Next::Over(_),
                ..
            } => true,
            Phase::Idle
            | Phase::Starting { .. }
            | Phase::Readying { .. }
            | Phase::Up { .. }
            | Phase::Stopping { .. }
            | Phase::Clearing { .. }
            | Phase::Waiting { .. } => !self.is_wanted() || self.blocked.is_some(),
        }
    }
}
