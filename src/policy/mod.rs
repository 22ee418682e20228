//! The verbs. An event and a time go in; actions and the next deadline come out.
//!
//! ```text
//!   handle(event, now):   apply     the event sets a phase
//!                         expire    what is due sets phases
//!                         groups    rise and fall, until nothing changes
//!                         start     in order:         idle, wanted, nothing missing -> Spawn
//!                         stop      in reverse order: live, not wanted, nobody on it -> Signal
//!                         finish    all down? save? how long may we sleep?
//! ```
//!
//! No clock, no file, no chance: the time is an argument, dice come from a seed. Nothing
//! is allocated after construction (`tests/allocation.rs`), so a decision cannot fail.

mod action;
mod backoff;
mod charge;
mod child;
mod deps;
mod due;
mod ending;
mod event;
mod fate;
mod group;
mod handover;
mod health;
mod host;
mod intensity;
mod orders;
mod passes;
mod paths;
mod phase;
mod recall;
mod reload;
mod restart;
mod rise;
mod save;
mod scale;
mod slot;
mod slots;
mod table;
mod tally;
mod view;
mod watch;

use alloc::boxed::Box;
use alloc::vec::Vec;

pub use action::{Action, Alarm, Answer, Reach};
pub use backoff::{jittered, wait};
pub use child::Child;
pub use due::Due;
pub use event::Event;
pub use group::{Cause, Group, GroupPhase, Then};
pub use handover::{Handover, NotNow, Stranger};
pub use health::{Check, Checks};
pub use intensity::Intensity;
pub use phase::{Next, Over, Phase, Process};
pub use reload::{Change, change, plan};
pub use restart::{is_clean, wants_restart};
pub use save::SaveClock;
pub use scale::ScaleFault;

use child::{Around, Out};
use core::time::Duration;
use due::earliest;
use host::Host;
use slot::{Presence, Slot, SlotParts};
use slots::Slots;

use crate::model::Gather as _;
use crate::model::alert::AlertMemory;
use crate::model::order::GroupNotice;
use crate::model::{BootId, ChildId, Exit, GroupId, Member, Memory, Notice, RunId, Tree, Uptime};

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
    slots: Slots,
    /// The root first.
    groups: Vec<Group>,
    /// Every group behind its parent.
    group_order: Box<[GroupId]>,
    /// The tree as people see it: each member behind its group, with its depth.
    rows: Box<[(u16, Member)]>,
    /// Every configured or leaving child, each behind all that it waits for.
    order: Box<[ChildId]>,
    rules: Rules,
    ending: Option<Ending>,
    out: Out,
    dice: u64,
    host: Host,
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
    /// A supervisor of this tree, nothing of which has been started. The first event,
    /// whichever it is, starts it.
    #[must_use]
    pub fn new(tree: impl Into<Tree>, rules: Rules) -> Self {
        let out = Out {
            actions: Vec::new(),
            save: SaveClock::default(),
            fate: None,
        };
        let mut supervisor = Self {
            slots: Slots::default(),
            groups: Vec::new(),
            group_order: Box::default(),
            rows: Box::default(),
            order: Box::default(),
            rules,
            ending: None,
            out,
            dice: rules.seed,
            host: Host::default(),
        };
        supervisor.plant(tree.into());
        supervisor
    }

    /// Takes up what was remembered, before the first event. Moments in `memory` are
    /// already on this boot's clock; `boot` tells whether the machine was restarted.
    pub fn recall(&mut self, memory: &Memory, boot: BootId, now: Uptime) {
        let rebooted = memory.boot != boot || boot == BootId::default();
        self.recall_groups(&memory.groups, rebooted, now);
        for slot in self.slots.touch_all() {
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
        if let Some(slot) = self.slots.get_mut(run.child) {
            slot.child.adopt(run, pid, at);
            slot.child.begin_watch(&slot.spec.life, true, at);
            self.mark_runs(run.child);
        }
    }

    /// Takes up what another sup, that was killed, had decided when run `nth` was over,
    /// before the first event.
    pub fn adopt_verdict(&mut self, id: ChildId, nth: u32, next: Next, now: Uptime) {
        if let Some(slot) = self.slots.get_mut(id) {
            slot.child.adopt_verdict(nth, next, &slot.spec.life, now);
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
            children: children.gather(),
            groups: self.groups.iter().map(|group| group.remember(now)).gather(),
            alerts: AlertMemory::default(), // They are not ours.
        }
    }

    /// What is to be remembered is written with the next event, and not within the minute.
    pub fn remember_at_once(&mut self) {
        self.out.save.hurry();
    }

    /// Takes one event. The actions are to be carried out in their order before the
    /// next event. Starts may come first: what stands before one is said, or is done to
    /// other children.
    #[must_use = "actions are to be carried out"]
    pub fn handle(&mut self, event: Event, now: Uptime) -> impl Iterator<Item = Action> + '_ {
        let room = self.out.actions.capacity();
        if self.groups[GroupId::ROOT.index()].phase == GroupPhase::Idle {
            // The first event may be about a run of another sup, and terms may be over.
            self.expire(now);
            self.group_pass(now);
        }
        self.apply(event, now);
        self.expire(now);
        self.group_pass(now);
        self.start_pass(now);
        self.stop_pass(now);
        self.finish(now);
        debug_assert_eq!(
            room,
            self.out.actions.capacity(),
            "the list of actions has grown"
        );
        debug_assert!(self.slots.is_honest(), "a child is due, and is not asked");
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
        let ours = earliest(earliest(saving, ending), self.host_deadline());
        let soonest = self.slots.soonest(ours);
        self.groups.iter().fold(soonest, |soonest, group| {
            earliest(soonest, group.deadline())
        })
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
                self.fulfil(run.child, Exit::StartFault(fault), now);
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
                self.fulfil(run.child, exit, now);
            }
            Event::Cleared { run } => {
                self.with(run.child, now, |slot, _, _| slot.child.cleared(run));
            }
            Event::Paths { child, there } => self.know_paths(child, there),
            Event::Probed { check, nth, health } => match check.of {
                Some(child) => drop(self.with(child, now, |slot, around, out| {
                    slot.child.probed(check, nth, health, around, out);
                })),
                None => self.host_probed(check, nth, health, now),
            },
            Event::Pulse { run, last } => {
                self.with(run.child, now, |slot, around, out| {
                    slot.child.pulse(run, last, around, out);
                });
            }
            Event::Order { of, order } => self.obey(of, order, now),
            Event::Shutdown => self.end(true, now),
            Event::Remember | Event::SaveFailed => self.out.save.soon(),
        }
    }

    /// What the end of a run means to others. What is ending has no more to share.
    fn fulfil(&mut self, id: ChildId, exit: Exit, now: Uptime) {
        if let Some(fate) = self.out.fate.take()
            && self.ending.is_none()
        {
            let last = self.slot(id).child.exits.back();
            let exit = last.map_or(exit, |ended| ended.exit); // A time-out is said there.
            self.share_fate(id, fate, exit, now);
        }
    }

    fn roll(&mut self) -> u64 {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.dice >> 33
    }

    /// Does something with one slot, its surroundings and the list of actions.
    fn with<T>(
        &mut self,
        id: ChildId,
        now: Uptime,
        act: impl FnOnce(&mut SlotParts<'_>, &mut Around<'_>, &mut Out) -> T,
    ) -> Option<T> {
        let dice = self.roll();
        let ending = self.ending.is_some();
        let slot = self
            .slots
            .get_mut(id)
            .filter(|slot| slot.presence != Presence::Free)?;
        let (group, place) = slot.parent.unwrap_or((GroupId::ROOT, 0));
        let group = &mut self.groups[group.index()];
        let stays = slot.parent.is_some() && group.keeps(place) && !group.is_off;
        let mut around = Around {
            life: &slot.spec.life,
            now,
            wanted: slot.wants_to_run() && slot.blocked.is_none() && !ending && stays,
            taken: slot.parent.is_some() && group.takes(place),
            awaits: slot.awaits,
            opening: slot.parent.is_some() && group.opens_with(place),
            group,
            dice,
        };
        let mut parts = SlotParts {
            spec: &slot.spec,
            child: &mut slot.child,
        };
        Some(act(&mut parts, &mut around, &mut self.out))
    }

    fn expire(&mut self, now: Uptime) {
        for n in 0..self.order.len() {
            let id = self.order[n];
            if self.slots.is_due(id, now) {
                self.with(id, now, |slot, around, out| slot.child.expire(around, out));
            }
        }
        for n in 0..self.groups.len() {
            self.expire_group(GroupId(n as u16), now);
        }
        self.expire_host(now);
        if let Some(ending) = self.ending
            && ending.kill_at.is_some_and(|at| at <= now)
        {
            self.kill_all(now);
        }
    }

    fn expire_group(&mut self, id: GroupId, now: Uptime) {
        while let Some((_, due)) = self.groups[id.index()]
            .deadline()
            .filter(|(at, _)| *at <= now)
        {
            let group = &mut self.groups[id.index()];
            match due {
                Due::Restart(_) => group.phase = GroupPhase::Idle,
                Due::Try(_) => {
                    group.trial = true;
                    group.phase = GroupPhase::Idle;
                }
                Due::Settle(_) => {
                    let restarts = group.settle();
                    self.out.save.soon();
                    self.out.tell_group(id, GroupNotice::Recovered { restarts });
                }
                Due::Term(of) => {
                    group.hold = group.hold_up();
                    self.out.save.soon();
                    self.out.tell(Notice::TermOver { of });
                }
                Due::StartTimeout(_)
                | Due::Kill(_)
                | Due::Look(_)
                | Due::Probe(_)
                | Due::Pulse(_)
                | Due::Save
                | Due::Shutdown => return, // Not a group's.
            }
        }
    }

    fn slot(&self, id: ChildId) -> &Slot {
        &self.slots[id.index()]
    }

    fn slot_mut(&mut self, id: ChildId) -> &mut Slot {
        self.slots.touch(id)
    }
}
