//! What follows when all phases are known: who starts, who stops, whether we end.

use super::{Action, Ending, LEAVE_AFTER, Over, Phase, Presence, Supervisor};
use crate::model::order::StopWhy;
use crate::model::{ChildId, Notice, Uptime};

impl Supervisor {
    /// In order: what is idle, wanted and lacks nothing starts.
    pub(super) fn start_pass(&mut self, now: Uptime) {
        for n in 0..self.order.len() {
            let id = self.order[n];
            let blocked = self.missing(id);
            let ending = self.ending.is_some();
            let slot = &mut self.slots[id.index()];
            let wanted = slot.is_wanted() && !ending;
            if let Some(by) = blocked
                && slot.blocked.is_none()
                && wanted
            {
                self.out.tell(Notice::Held { child: id, by });
            }
            slot.blocked = blocked;
            slot.child.count_wanted(wanted, now);
            if !wanted {
                slot.child.rest();
            }
            if wanted && blocked.is_none() && slot.child.phase == Phase::Idle && self.may_start(id)
            {
                self.slots[id.index()].child.spawn(now, &mut self.out);
            }
        }
    }

    /// In reverse order: what lives and should not is stopped, once nobody who uses it
    /// and should not live either is left.
    pub(super) fn stop_pass(&mut self, now: Uptime) {
        for n in (0..self.order.len()).rev() {
            let id = self.order[n];
            let Some(why) = self.must_stop(id) else {
                continue;
            };
            let users = &self.slot(id).links.users;
            let in_use = users.iter().any(|&user| {
                self.slot(user).child.phase.is_alive() && self.must_stop(user).is_some()
            });
            let no_patience = self.ending.is_some_and(|ending| ending.kill_at.is_none());
            if no_patience || !in_use {
                self.with(id, now, |slot, around, out| {
                    slot.child.stop(why, around, out);
                    if no_patience {
                        slot.child.kill(out);
                    }
                });
            }
        }
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

    /// The first required child that is down for good, if any.
    fn missing(&self, id: ChildId) -> Option<ChildId> {
        self.slot(id)
            .links
            .requires
            .iter()
            .copied()
            .find(|&id| self.slot(id).blocks())
    }

    /// Whether all that it waits for is ready, or will not come.
    fn may_start(&self, id: ChildId) -> bool {
        let links = &self.slot(id).links;
        links.requires.iter().all(|&id| self.is_ready(id))
            && links
                .after
                .iter()
                .all(|&id| self.is_ready(id) || self.slot(id).blocks())
    }

    pub(super) fn is_ready(&self, id: ChildId) -> bool {
        self.slot(id).is_ready()
    }

    fn must_stop(&self, id: ChildId) -> Option<StopWhy> {
        let slot = self.slot(id);
        if !slot.child.phase.is_alive() {
            None
        } else if self.ending.is_some() {
            Some(StopWhy::Shutdown)
        } else if slot.presence == Presence::Leaving {
            Some(StopWhy::Removed)
        } else if !slot.is_wanted() {
            Some(StopWhy::Asked)
        } else if slot.blocked.is_some() {
            Some(StopWhy::Requirement)
        } else {
            slot.child.recycle.then_some(StopWhy::Recycle)
        }
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
