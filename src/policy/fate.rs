//! What a member's failure means to its group, and to the groups above: OTP's rules
//! (semantics.md B2).

use super::backoff;
use super::child::Fate;
use super::group::{Cause, GroupPhase, Then};
use super::phase::{Next, Over, Phase};
use super::{Supervisor, jittered};
use crate::model::order::{GroupEnd, GroupNotice};
use crate::model::spec::OnLimit;
use crate::model::tree::AutoShutdown;
use crate::model::{ChildId, Exit, GroupId, Member, RestartPolicy, Uptime};

impl Supervisor {
    /// A run of this child has ended by itself: who shares its fate?
    pub(super) fn share_fate(&mut self, id: ChildId, fate: Fate, exit: Exit, now: Uptime) {
        let Some((group, place)) = self.slot(id).parent else {
            return; // It is leaving.
        };
        let by = Member::Child(id);
        let cause = Cause {
            group,
            by,
            exit: Some(exit),
            at: now,
        };
        match fate {
            Fate::Restarts(delay) => self.restart_with(place, delay, cause),
            Fate::Waits => self.bring_along(place, cause),
            Fate::Ends => self.ended_for_good(group, by, now),
            Fate::StartFails => self.start_failed(cause, now),
            Fate::Escalates => self.fail(cause, None, false),
            Fate::Exceeds { trial } => {
                let made = self.made(group, now);
                self.fail(cause, made, trial);
            }
        }
    }

    fn made(&self, group: GroupId, now: Uptime) -> Option<(u16, core::time::Duration)> {
        let group = &self.groups[group.index()];
        let window = group.spec.budget.as_ref()?.window;
        group.counted(now).map(|(made, _)| (made, window))
    }

    /// The member at `place` is started again, which is told where others are as well.
    fn restart_with(&mut self, place: u16, delay: core::time::Duration, cause: Cause) {
        let group = &self.groups[cause.group.index()];
        let what = GroupNotice::Restarting {
            by: cause.by,
            delay,
            counted: group.counted(cause.at),
        };
        if group.brings_along(place).is_some() {
            self.out.tell_group(cause.group, what);
        }
        self.bring_along(place, cause);
    }

    /// The member at `place` is started again; its group's strategy says who else is.
    fn bring_along(&mut self, place: u16, cause: Cause) {
        if let Some(from) = self.groups[cause.group.index()].brings_along(place) {
            self.take_down(cause.group, from, Then::Rise, cause);
            self.renew_finished(cause.group, from);
        }
    }

    fn take_down(&mut self, group: GroupId, from: u16, then: Then, cause: Cause) {
        let group = &mut self.groups[group.index()];
        group.cause = Some(cause);
        group.fall(from, then, cause.at);
    }

    /// A group restart starts what had done its work, too, but for what is temporary.
    fn renew_finished(&mut self, group: GroupId, from: u16) {
        for at in usize::from(from)..self.groups[group.index()].members.len() {
            match self.groups[group.index()].members[at] {
                Member::Child(id) => {
                    let slot = self.slot_mut(id);
                    if slot.spec.life.restart != RestartPolicy::No {
                        slot.child.renew();
                    }
                }
                Member::Group(id) => {
                    let group = &mut self.groups[id.index()];
                    if !group.is_temporary() {
                        group.renew();
                    }
                }
            }
        }
    }

    /// Too much is too much: what a group does that fails as a whole. Its parent may fail
    /// with it, and so on up to the root, which ends everything.
    fn fail(
        &mut self,
        mut cause: Cause,
        mut made: Option<(u16, core::time::Duration)>,
        mut trial: bool,
    ) {
        loop {
            let id = cause.group;
            let now = cause.at;
            self.out.save.soon();
            let group = &mut self.groups[id.index()];
            group.failures = group.failures.saturating_add(1);
            let (end, then) = match (group.parent, group.on_limit()) {
                (None, _) => (GroupEnd::Ends, None),
                (Some(_), OnLimit::GiveUp) => (GroupEnd::GivesUp, Some(Over::GaveUp)),
                (Some(_), OnLimit::Park(pause)) => {
                    let until = now + pause;
                    (GroupEnd::Parks(pause), Some(Over::Parked { until }))
                }
                (Some((parent, _)), OnLimit::Escalate) => (GroupEnd::Escalates(parent), None),
            };
            let what = GroupNotice::Failed {
                by: cause.by,
                exit: cause.exit,
                then: end,
                trial,
                made,
            };
            self.out.tell_group(id, what);
            match (end, then) {
                (GroupEnd::Ends, _) => return self.end(false, now),
                (_, Some(over)) => return self.take_down(id, 0, Then::Over(over), cause),
                (_, None) => {}
            }
            self.refresh(id);
            let Some(above) = self.restart_whole(cause) else {
                return;
            };
            (cause, made, trial) = (above.cause, above.made, above.trial);
        }
    }

    /// Its parent starts a group that has failed afresh: nothing is counted any more that
    /// was to end in this.
    fn refresh(&mut self, id: GroupId) {
        self.groups[id.index()].window.clear();
        for n in 0..self.slots.len() {
            let slot = &self.slots[n];
            let escalates = slot.spec.life.budget.on_limit == OnLimit::Escalate;
            if escalates
                && slot
                    .parent
                    .is_some_and(|(group, _)| self.is_within(group, id))
            {
                let id = slot.child.id;
                self.slot_mut(id).child.window.clear();
            }
        }
    }

    /// Whether a group is another one, or below it.
    pub(super) fn is_within(&self, mut group: GroupId, outer: GroupId) -> bool {
        while group != outer {
            let Some((parent, _)) = self.groups[group.index()].parent else {
                return false;
            };
            group = parent;
        }
        true
    }

    /// A group has failed: its parent starts it again, or fails with it.
    fn restart_whole(&mut self, cause: Cause) -> Option<Failure> {
        let (id, now) = (cause.group, cause.at);
        let (parent, place) = self.groups[id.index()].parent?;
        let above = Cause {
            group: parent,
            by: Member::Group(id),
            ..cause
        };
        if self.groups[id.index()].is_temporary() {
            let over = Over::Finished { clean: false };
            self.take_down(id, 0, Then::Over(over), cause);
            self.ended_for_good(parent, above.by, now);
            return None;
        }
        let made = self.made(parent, now);
        let upper = &mut self.groups[parent.index()];
        let trial = upper.trial;
        if upper.spec.budget.is_none() || !upper.charge(now) {
            self.take_down(id, 0, Then::Idle, cause);
            return Some(Failure {
                cause: above,
                made,
                trial,
            });
        }
        let counted = upper.counted(now);
        let delay = self.renew(cause, parent, counted);
        self.restart_with(place, delay, above);
        None
    }

    /// Down with all of it, and up again after its backoff.
    fn renew(
        &mut self,
        cause: Cause,
        parent: GroupId,
        counted: Option<(u16, u16)>,
    ) -> core::time::Duration {
        let dice = self.roll();
        let group = &mut self.groups[cause.group.index()];
        group.streak = group.streak.saturating_add(1);
        let backoff = &group.spec.backoff;
        let wait = backoff::wait(backoff, group.streak);
        let delay = jittered(wait, backoff.jitter_percent, dice);
        let what = GroupNotice::Renewed {
            parent,
            delay,
            counted,
        };
        self.out.tell_group(cause.group, what);
        let until = cause.at + delay;
        self.take_down(cause.group, 0, Then::Waiting { until }, cause);
        delay
    }

    /// A member could not be started when its group was: the group could not be. That is
    /// a failed start in the eyes of its parent; where the parent does not count, the
    /// group itself does.
    fn start_failed(&mut self, cause: Cause, now: Uptime) {
        let id = cause.group;
        self.out.save.soon();
        self.out
            .tell_group(id, GroupNotice::StartFailed { by: cause.by });
        let Some((parent, _)) = self.groups[id.index()].parent else {
            return;
        };
        let counts = self.groups[parent.index()].spec.budget.is_some();
        if counts || self.groups[id.index()].is_temporary() {
            if let Some(above) = self.restart_whole(cause) {
                self.fail(above.cause, above.made, above.trial);
            }
            return;
        }
        let made = self.made(id, now);
        let group = &mut self.groups[id.index()];
        let trial = group.trial;
        if group.charge(now) {
            let counted = group.counted(now);
            self.renew(cause, parent, counted);
        } else {
            self.fail(cause, made, trial);
        }
    }

    /// A member has ended by itself, and its policy asks for no more: does its group end
    /// with it (OTP's `auto_shutdown`)?
    fn ended_for_good(&mut self, mut group: GroupId, mut by: Member, now: Uptime) {
        while self.is_significant(by) && self.ends_with(group, by) {
            self.out.save.soon();
            self.out.tell_group(group, GroupNotice::Finished { by });
            let cause = Cause {
                group,
                by,
                exit: None,
                at: now,
            };
            let Some((parent, _)) = self.groups[group.index()].parent else {
                return self.end(true, now);
            };
            if self.groups[group.index()].spec.restart == RestartPolicy::Always {
                if let Some(above) = self.restart_whole(cause) {
                    self.fail(above.cause, above.made, above.trial);
                }
                return;
            }
            let over = Over::Finished { clean: true };
            self.take_down(group, 0, Then::Over(over), cause);
            (by, group) = (Member::Group(group), parent);
        }
    }

    fn is_significant(&self, member: Member) -> bool {
        match member {
            Member::Child(id) => self.slot(id).spec.life.significant,
            Member::Group(id) => self.groups[id.index()].spec.significant,
        }
    }

    /// Whether a group ends by itself, now that this member has.
    fn ends_with(&self, group: GroupId, by: Member) -> bool {
        let group = &self.groups[group.index()];
        match group.spec.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => true,
            AutoShutdown::AllSignificant => group.members.iter().all(|&member| {
                member == by || !self.is_significant(member) || self.is_done(member)
            }),
        }
    }

    /// Whether a member has ended by itself, for good.
    fn is_done(&self, member: Member) -> bool {
        match member {
            Member::Child(id) => matches!(
                self.slot(id).child.phase,
                Phase::Over(Over::Finished { .. })
                    | Phase::Clearing {
                        next: Next::Over(Over::Finished { .. }),
                        ..
                    }
            ),
            Member::Group(id) => matches!(
                self.groups[id.index()].phase,
                GroupPhase::Over(Over::Finished { .. })
                    | GroupPhase::Falling {
                        then: Then::Over(Over::Finished { .. }),
                        ..
                    }
            ),
        }
    }
}

/// A group that fails.
struct Failure {
    cause: Cause,
    made: Option<(u16, core::time::Duration)>,
    trial: bool,
}
