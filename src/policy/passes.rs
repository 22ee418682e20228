//! What follows when all phases are known: who starts, who stops, whether we end.

use super::{Action, Ending, GroupPhase, LEAVE_AFTER, Over, Phase, Presence, Supervisor, Then};
use crate::model::order::StopWhy;
use crate::model::{ChildId, GroupId, Member, Notice, Uptime};

impl Supervisor {
    /// In order: what is idle, wanted and lacks nothing starts. Nobody is touched for whom
    /// nothing changes.
    pub(super) fn start_pass(&mut self, now: Uptime) {
        for n in 0..self.order.len() {
            let id = self.order[n];
            let ending = self.ending.is_some();
            let slot = self.slot(id);
            let off = self.is_group_off(slot) || ending;
            let wanted = slot.wants_to_run() && !self.is_group_held(slot) && !ending;
            let runs = wanted && !off;
            if slot.blocked.is_some() != slot.was_blocked {
                self.tell_blocked(id, runs);
            }
            if self.slot(id).child.tally.is_wanted() != wanted {
                self.slot_mut(id).child.tally.count_wanted(wanted, now);
            }
            let slot = self.slot(id);
            let missing = slot.blocked.is_some() || slot.awaits;
            if !runs && slot.child.waits() {
                self.slot_mut(id).child.rest();
            } else if runs && slot.child.phase == Phase::Idle && !missing && self.may_start(id) {
                self.slots.touch(id).child.spawn(now, &mut self.out);
            }
        }
    }

    /// Something that it requires is down for good, or no longer: said once, where it would
    /// run otherwise.
    fn tell_blocked(&mut self, id: ChildId, runs: bool) {
        let slot = self.slots.touch(id);
        slot.was_blocked = slot.blocked.is_some();
        if let Some(by) = slot.blocked
            && runs
        {
            self.out.tell(Notice::Held { child: id, by });
        }
    }

    /// In reverse order: what lives and should not is stopped, once nobody who uses it
    /// and should not live either is left, and no member behind it in its group.
    pub(super) fn stop_pass(&mut self, now: Uptime) {
        for group in &mut self.groups {
            group.busy = None;
        }
        for n in (0..self.order.len()).rev() {
            let id = self.order[n];
            let Some(why) = self.must_stop(id) else {
                continue;
            };
            let users = &self.slot(id).links.users;
            let in_use = users.iter().any(|&user| {
                self.slot(user).child.phase.is_alive() && self.must_stop(user).is_some()
            });
            let its_turn = self.take_turn(id);
            let no_patience = self.ending.is_some_and(|ending| ending.kill_at.is_none());
            if no_patience || (!in_use && its_turn) {
                self.with(id, now, |slot, around, out| {
                    slot.child.stop(why, around, out);
                    if no_patience {
                        slot.child.kill(out);
                    }
                });
            }
        }
    }

    /// Whether all that stand behind a child that must stop are down, in each of the
    /// groups that it is in; and from now on others wait for it.
    fn take_turn(&mut self, id: ChildId) -> bool {
        let mut of = self.slot(id).parent;
        let mut first = true;
        while let Some((group, place)) = of {
            let group = &mut self.groups[group.index()];
            let behind = group.busy.is_some_and(|busy| busy > place);
            first = first && !(behind && group.spec.is_ordered());
            group.busy = group.busy.max(Some(place));
            of = group.parent;
        }
        first
    }

    pub(super) fn finish(&mut self, now: Uptime) {
        self.free_places();
        let alive = self.slots.iter().any(|slot| slot.child.phase.is_alive());
        if self.rules.ends_when_over && self.ending.is_none() && !alive && self.is_all_over() {
            let success = self
                .slots
                .iter()
                .all(|slot| slot.child.phase == Phase::Over(Over::Finished { clean: true }));
            self.end(success, now);
        }
        let over = self
            .ending
            .is_some_and(|ending| !alive || ending.leave_at <= now);
        if over
            && let Some(ending) = &mut self.ending
            && !ending.said
        {
            ending.said = true;
            let success = ending.success;
            self.out.save.at_once();
            if self.out.save.take(now) {
                self.out.actions.push(Action::Save);
            }
            self.out.actions.push(Action::End { success });
        } else if self.out.save.take(now) {
            self.out.actions.push(Action::Save);
        }
    }

    fn is_all_over(&self) -> bool {
        self.slots.iter().all(|slot| {
            matches!(
                slot.child.phase,
                Phase::Over(Over::Finished { .. } | Over::GaveUp)
            )
        })
    }

    /// The first thing that it requires and that is down for good, if any.
    pub(super) fn missing(&self, id: ChildId) -> Option<Member> {
        let requires = &self.slot(id).links.requires;
        requires.iter().copied().find(|&id| self.blocks(id))
    }

    /// Whether its turn has come in its group, and all that it waits for is ready, or
    /// will not come.
    pub(super) fn may_start(&self, id: ChildId) -> bool {
        let links = &self.slot(id).links;
        self.is_admitted(self.slot(id).parent)
            && links.requires.iter().all(|&id| self.is_ready(id))
            && links
                .after
                .iter()
                .all(|&id| self.is_ready(id) || self.blocks(id))
    }

    /// Whether it is the turn of that place, and of all groups around it.
    fn is_admitted(&self, of: Option<(GroupId, u16)>) -> bool {
        let mut around = core::iter::successors(of, |(group, _)| self.groups[group.index()].parent);
        of.is_some() && around.all(|(group, place)| self.groups[group.index()].admits(place))
    }

    fn must_stop(&self, id: ChildId) -> Option<StopWhy> {
        let slot = self.slot(id);
        if !slot.child.phase.is_alive() {
            None
        } else if self.ending.is_some() {
            Some(StopWhy::Shutdown)
        } else if slot.presence == Presence::Leaving {
            Some(StopWhy::Removed)
        } else if !slot.wants_to_run() {
            Some(StopWhy::Asked)
        } else if let Some(why) = self.group_stops(slot.parent) {
            Some(why)
        } else if slot.blocked.is_some() {
            Some(StopWhy::Requirement)
        } else {
            slot.child.recycle.then_some(StopWhy::Recycle)
        }
    }

    /// Whether the group stops its member at that place, of itself or with one above it.
    fn group_stops(&self, of: Option<(GroupId, u16)>) -> Option<StopWhy> {
        let (id, place) = of?;
        let group = &self.groups[id.index()];
        if group.keeps(place) {
            return None;
        }
        let first = group.cause.map_or(id, |cause| cause.group);
        let over = matches!(
            self.groups[first.index()].phase,
            GroupPhase::Falling {
                then: Then::Over(_),
                ..
            }
        );
        Some(match group.cause {
            Some(_) if !over => StopWhy::Taken(first),
            Some(_) | None => StopWhy::Group(first),
        })
    }

    pub(super) fn end(&mut self, success: bool, now: Uptime) {
        if self.ending.is_some() {
            self.kill_all(now);
            return;
        }
        let kill_at = now + self.rules.shutdown_timeout;
        let leave_at = kill_at + LEAVE_AFTER;
        self.ending = Some(Ending {
            kill_at: Some(kill_at),
            leave_at,
            success,
            said: false,
        });
        self.out.tell(Notice::ShuttingDown);
    }

    /// No more patience, and no more order.
    pub(super) fn kill_all(&mut self, now: Uptime) {
        if let Some(ending) = &mut self.ending
            && ending.kill_at.take().is_some()
        {
            ending.leave_at = now + LEAVE_AFTER;
        }
        for n in 0..self.order.len() {
            let id = self.order[n];
            self.with(id, now, |slot, around, out| {
                slot.child.stop(StopWhy::Shutdown, around, out);
                slot.child.kill(out);
            });
        }
    }
}
