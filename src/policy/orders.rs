//! What a person asks of a child, or of a whole group.

use super::group::{GroupPhase, Then};
use super::{Action, Answer, Next, Over, Phase, Presence, Reach, Supervisor};
use crate::model::memory::Hold;
use crate::model::{ChildId, GroupId, Member, Order, Signal, Uptime};

impl Supervisor {
    pub(super) fn obey(&mut self, of: Member, order: Order, now: Uptime) {
        let known = match of {
            Member::Child(id) => self
                .slots
                .get(id.index())
                .is_some_and(|slot| slot.presence == Presence::Configured),
            Member::Group(id) => id.index() < self.groups.len(),
        };
        let answer = match of {
            _ if !known || self.ending.is_some() => Answer::Ending,
            Member::Child(id) => self.order_child(id, order, now),
            Member::Group(id) => self.order_group(id, order, now),
        };
        if answer == Answer::Accepted {
            self.out.save.at_once();
        }
        self.out.actions.push(Action::Answer(answer));
    }

    // ---- one child ----------------------------------------------------------

    fn order_child(&mut self, id: ChildId, order: Order, now: Uptime) -> Answer {
        match order {
            Order::Start | Order::Restart => {
                self.mark_groups(now);
                if let Some(group) = self.kept_down_by(id) {
                    return Answer::GroupDown(group);
                }
                if let Some(group) = self.lacks(id) {
                    return Answer::RequirementDown(group);
                }
                let hurried = self.hurry_groups(self.slot(id).parent);
                let answer = self.start_child(id);
                if order == Order::Start {
                    return if hurried { Answer::Accepted } else { answer };
                }
                let child = &mut self.slot_mut(id).child;
                child.recycle |= matches!(child.phase, Phase::Readying { .. } | Phase::Up { .. });
                Answer::Accepted
            }
            Order::Stop { term } => {
                let slot = self.slot_mut(id);
                let hold = term.map_or(Hold::Down, |term| Hold::DownUntil(now + term));
                let changed = slot.child.hold != hold || slot.child.phase.is_alive();
                slot.child.hold = hold;
                slot.child.recycle = false;
                if changed {
                    Answer::Accepted
                } else {
                    Answer::Unchanged
                }
            }
            Order::Signal(signal) if self.signal_child(id, signal) => Answer::Unchanged,
            Order::Signal(_) => Answer::NotRunning,
            Order::Reset => {
                self.reset_child(id);
                Answer::Accepted
            }
        }
    }

    /// The group that keeps down something that it requires, however far away: as little as
    /// a member of that is it started by itself. Each is asked behind all that it requires.
    fn lacks(&mut self, id: ChildId) -> Option<GroupId> {
        for n in 0..self.order.len() {
            let id = self.order[n];
            let mut requires = self.slot(id).links.requires.iter();
            self.slot_mut(id).lacks = requires.find_map(|&member| match member {
                _ if !self.blocks(member) => None,
                Member::Child(id) => self.kept_down_by(id).or(self.slot(id).lacks),
                Member::Group(id) => self.group_kept_down_by(id),
            });
        }
        self.slot(id).lacks
    }

    /// Groups above what a person wants now do not wait any longer. Whether one did.
    fn hurry_groups(&mut self, mut of: Option<(GroupId, u16)>) -> bool {
        let mut hurried = false;
        while let Some((group, _)) = of {
            let group = &mut self.groups[group.index()];
            if let GroupPhase::Waiting { .. }
            | GroupPhase::Falling {
                then: Then::Waiting { .. },
                ..
            } = group.phase
            {
                group.proceed();
                hurried = true;
            }
            of = group.parent;
        }
        hurried
    }

    /// Start it, and before it what it requires: a person who wants the one wants the
    /// other (systemd's `Requires=`).
    fn start_child(&mut self, id: ChildId) -> Answer {
        // Asked once: in a lattice of requirements there are more paths than stars.
        self.slot_mut(id).blocked = None;
        let mut pulled = false;
        for n in 0..self.slot(id).links.requires.len() {
            let required = self.slot(id).links.requires[n];
            if self.blocks(required) {
                pulled = true;
                match required {
                    Member::Child(id) => {
                        self.start_child(id);
                    }
                    Member::Group(id) => {
                        self.start_group(id);
                    }
                }
            }
        }
        let goes = self.is_taken(id);
        let slot = self.slot_mut(id);
        let unchanged = !pulled
            && !goes
            && slot.wants_to_run()
            && matches!(
                slot.child.phase,
                Phase::Starting { .. } | Phase::Readying { .. } | Phase::Up { .. }
            );
        if unchanged {
            return Answer::Unchanged; // What a person said before included.
        }
        slot.child.hold = if slot.spec.life.autostart {
            Hold::None
        } else {
            Hold::Up
        };
        match slot.child.phase {
            Phase::Idle | Phase::Waiting { .. } | Phase::Clearing { .. } | Phase::Over(_) => {
                slot.child.forgive();
            }
            Phase::Stopping { .. } => {
                slot.child.forgive();
                slot.child.recycle = true; // Whatever it is being stopped for: then it runs.
            }
            Phase::Starting { .. } | Phase::Readying { .. } | Phase::Up { .. } => {
                slot.child.recycle |= goes; // The same, as it will be.
            }
        }
        Answer::Accepted
    }

    /// Whether its group is about to take it down with others.
    pub(super) fn is_taken(&self, id: ChildId) -> bool {
        let parent = self.slot(id).parent;
        parent.is_some_and(|(group, place)| self.groups[group.index()].takes(place))
    }

    /// Whether there is a process to signal. What is being cleared has lost its main one.
    fn signal_child(&mut self, id: ChildId, signal: Signal) -> bool {
        let (Phase::Readying { process, .. }
        | Phase::Up { process, .. }
        | Phase::Stopping { process, .. }) = self.slot(id).child.phase
        else {
            return false;
        };
        self.out.actions.push(Action::Signal {
            run: process.run,
            signal,
            to: Reach::Main,
        });
        true
    }

    fn reset_child(&mut self, id: ChildId) {
        let child = &mut self.slot_mut(id).child;
        let phase = child.phase;
        child.forgive();
        if let Phase::Over(Over::Finished { .. } | Over::TakenAlong)
        | Phase::Clearing {
            next: Next::Over(Over::Finished { .. } | Over::TakenAlong),
            ..
        } = phase
        {
            child.phase = phase; // It has done its work, and failed at nothing.
        }
    }

    // ---- a whole group ------------------------------------------------------

    fn order_group(&mut self, id: GroupId, order: Order, now: Uptime) -> Answer {
        match order {
            Order::Start | Order::Restart => {
                self.mark_groups(now);
                if let Some(above) = self.group_kept_down_by(id) {
                    return Answer::GroupDown(above);
                }
                let hurried = self.hurry_groups(self.groups[id.index()].parent);
                if order == Order::Restart && self.restart_group(id, now) {
                    return Answer::Accepted;
                }
                let answer = self.start_group(id);
                if hurried { Answer::Accepted } else { answer }
            }
            Order::Stop { term } => {
                let group = &mut self.groups[id.index()];
                let hold = term.map_or(Hold::Down, |term| Hold::DownUntil(now + term));
                let changed = core::mem::replace(&mut group.hold, hold) != hold;
                if changed || self.is_alive_below(id) {
                    Answer::Accepted
                } else {
                    Answer::Unchanged
                }
            }
            Order::Signal(signal) => {
                let mut signalled = false;
                for n in 0..self.order.len() {
                    let child = self.order[n];
                    if self.is_child_within(child, id) {
                        signalled |= self.signal_child(child, signal);
                    }
                }
                if signalled {
                    Answer::Unchanged
                } else {
                    Answer::NotRunning
                }
            }
            Order::Reset => {
                self.each_within(id, |this, member| match member {
                    Member::Child(id) => this.reset_child(id),
                    Member::Group(id) => this.groups[id.index()].reset(),
                });
                Answer::Accepted
            }
        }
    }

    /// Ends all of it, and starts it afresh, what is temporary too; those that a person
    /// keeps down stay so. Whether there was anything to end.
    fn restart_group(&mut self, id: GroupId, now: Uptime) -> bool {
        let group = &mut self.groups[id.index()];
        let runs = match group.phase {
            GroupPhase::Rising { .. }
            | GroupPhase::Up { .. }
            | GroupPhase::Falling {
                then: Then::Rise, ..
            } => true,
            GroupPhase::Idle
            | GroupPhase::Falling { .. }
            | GroupPhase::Waiting { .. }
            | GroupPhase::Over(_) => false,
        };
        if runs {
            group.cause = None;
            group.fall(0, Then::Idle, now);
            group.hold = group.hold_up();
            self.each_within(id, |this, member| {
                if let Member::Child(id) = member {
                    this.slot_mut(id).child.rest(); // A person need not wait.
                }
            });
        }
        runs
    }

    /// The group above that keeps this one down, as far up as there is one.
    #[must_use]
    pub fn group_kept_down_by(&self, id: GroupId) -> Option<GroupId> {
        let mut down = None;
        let mut of = self.groups[id.index()].parent;
        while let Some((above, _)) = of {
            let group = &self.groups[above.index()];
            if group.is_off {
                down = Some(above);
            }
            of = group.parent;
        }
        down
    }

    /// Start a group: a person who wants all of it wants each of it.
    fn start_group(&mut self, id: GroupId) -> Answer {
        let runs = |phase| matches!(phase, GroupPhase::Up { .. } | GroupPhase::Rising { .. });
        let mut changed = !runs(self.groups[id.index()].phase);
        self.each_within(id, |this, member| match member {
            Member::Child(id) => {
                let slot = this.slot(id);
                let wanted = slot.wants_to_run() || !slot.spec.life.autostart;
                let runs = matches!(
                    slot.child.phase,
                    Phase::Starting { .. } | Phase::Readying { .. } | Phase::Up { .. }
                ) && slot.blocked.is_none()
                    && !this.is_taken(id);
                if !(wanted && runs) && this.starts_with_group(id) {
                    changed |= this.start_child(id) == Answer::Accepted;
                }
            }
            Member::Group(id) => {
                let group = &mut this.groups[id.index()];
                changed |= group.hold != group.hold_up();
                group.hold = group.hold_up();
                if !runs(group.phase) {
                    changed |= group.phase != GroupPhase::Idle;
                    group.forgive();
                }
            }
        });
        if changed {
            Answer::Accepted
        } else {
            Answer::Unchanged
        }
    }

    /// What is not started by itself is not started by its group either, unless a person
    /// had wanted it before.
    fn starts_with_group(&self, id: ChildId) -> bool {
        let slot = self.slot(id);
        slot.spec.life.autostart || slot.child.hold == Hold::Up
    }

    /// Does something with a group and all below it, each behind its group.
    fn each_within(&mut self, id: GroupId, mut act: impl FnMut(&mut Self, Member)) {
        act(self, Member::Group(id));
        for n in 0..self.rows.len() {
            let (_, member) = self.rows[n];
            let inside = match member {
                Member::Child(child) => self.is_child_within(child, id),
                Member::Group(group) => group != id && self.is_within(group, id),
            };
            if inside {
                act(self, member);
            }
        }
    }

    /// Whether a child belongs to a group, however deep.
    #[must_use]
    pub fn is_child_within(&self, child: ChildId, id: GroupId) -> bool {
        self.slot(child)
            .parent
            .is_some_and(|(group, _)| self.is_within(group, id))
    }

    /// Whether any child of a group has a process, however deep.
    #[must_use]
    pub fn is_alive_below(&self, id: GroupId) -> bool {
        let mut inside = self
            .order
            .iter()
            .filter(|&&child| self.is_child_within(child, id));
        inside.any(|&child| self.slot(child).child.phase.is_alive())
    }
}
