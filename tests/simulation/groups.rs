//! What groups say of themselves, and what follows from it.

use core::time::Duration;

use sup::model::memory::Scale;
use sup::model::order::{GroupEnd, GroupNotice};
use sup::model::spec::OnLimit;
use sup::model::tree::{AutoShutdown, Strategy};
use sup::model::{Member, RestartPolicy};
use sup::policy::Supervisor;

use crate::checker::{Checker, is_wait, millis};
use crate::config::{GROUPS, NAMES, group_place, instance, letter};
use crate::facts::{groups, letters, of_group};
use crate::invariants::Invariant;
use crate::known::State;

impl Checker {
    /// Which places ids mean.
    pub(crate) fn learn(&mut self, sup: &Supervisor) {
        self.letters.clear();
        let ids = (0..sup.places()).map(|n| sup::model::ChildId(u16::try_from(n).unwrap_or(0)));
        self.letters
            .extend(ids.map(|id| letter(&sup.spec(id).name)));
        let ids = self.groups.iter().filter(|group| group.configured).count();
        let ids = (0..ids).map(|n| sup::model::GroupId(u16::try_from(n).unwrap_or(0)));
        self.group_places.clear();
        let places = ids.map(|id| group_place(&sup.group(id).spec().name));
        self.group_places.extend(places);
    }

    pub(crate) fn member(&self, member: Member) -> usize {
        match member {
            Member::Child(id) => self.letters.get(id.index()).copied().unwrap_or(0),
            Member::Group(id) => of_group(self.group(id)),
        }
    }

    pub(crate) fn group(&self, id: sup::model::GroupId) -> usize {
        self.group_places.get(id.index()).copied().unwrap_or(0)
    }

    /// The place of a child or group in a group that it is in.
    fn place_in(&self, group: usize, member: usize) -> Option<u8> {
        let line = match member.checked_sub(NAMES) {
            None => self.facts[member].line,
            Some(group) => self.groups[group].line,
        };
        line.place_in(group)
    }

    // ---- scale -------------------------------------------------------------------

    /// The instances that there should be, one bit each.
    pub(crate) fn instances(&self, count: u16) -> u16 {
        match self.known.scale {
            Some((configured, instances)) if configured == count => instances,
            Some(_) | None => (1..=count).fold(0, |mask, number| mask | 1 << instance(number)),
        }
    }

    /// A person has changed how many instances there are.
    pub(crate) fn scales(&mut self, to: &Scale) {
        let bits = to.instances.iter().map(|&number| 1 << instance(number));
        self.known.scale = Some((to.configured, bits.sum()));
        self.scaled_next = true;
    }

    // ---- notices -----------------------------------------------------------------

    pub(crate) fn told_group(&mut self, group: usize, what: &GroupNotice) {
        match *what {
            GroupNotice::Restarting { by, delay, .. } => {
                self.takes_along(group, self.member(by), delay);
            }
            GroupNotice::Renewed { parent, delay, .. } => {
                self.renews(group, self.group(parent), delay);
            }
            GroupNotice::StartFailed { .. } => {
                self.claim(self.batch.pending.is_none(), Invariant::EscalatesOnce);
                self.batch.pending = Some(group);
                self.falls_whole(group);
            }
            GroupNotice::Failed { by, then, .. } => self.fails(group, self.member(by), then),
            GroupNotice::Finished { by } => self.finishes(group, self.member(by)),
            GroupNotice::Recovered { .. } => self.group_settles(group),
        }
    }

    fn takes_along(&mut self, group: usize, by: usize, delay: Duration) {
        let expected = self.batch.along.take() == Some((group, by, delay));
        self.claim(expected, Invariant::GroupWaits);
        let takes = self.groups[group].takes_along();
        self.claim(takes, Invariant::OthersAreSpared);
        let place = self.place_in(group, by).unwrap_or(0);
        let all = self.groups[group].strategy == Strategy::OneForAll;
        let from = if all { 0 } else { place };
        self.falls(group, from);
        let track = &mut self.group_tracks[group];
        track.fell_whole = false;
        track.not_before = track.not_before.max(self.now + millis(delay));
        self.rests_or_returns(group, from);
    }

    /// Members from that place on go down. Whoever is alive must be down before one of
    /// them starts again.
    fn falls(&mut self, group: usize, from: u8) {
        let track = &mut self.group_tracks[group];
        let from = track.falls_from.map_or(from, |first| first.min(from));
        (track.falls_from, track.fell_from) = (Some(from), from);
        for n in letters(self.groups[group].below) {
            if self.facts[n].line.place_in(group) >= Some(from) {
                let track = &mut self.tracks[n];
                track.doomed |= track.state != State::Down;
                for (inner, _) in self.facts[n].line.steps() {
                    track.in_rise |= 1 << inner;
                    if inner == group {
                        break;
                    }
                }
            }
        }
    }

    /// A group's own restart: what is temporary stays down, all others come back.
    fn rests_or_returns(&mut self, group: usize, from: u8) {
        for n in letters(self.groups[group].below) {
            let line = self.facts[n].line;
            if line.place_in(group) < Some(from) {
                continue;
            }
            let direct = line.parent().is_some_and(|(parent, _)| parent == group);
            let track = &mut self.tracks[n];
            if direct && self.facts[n].temporary {
                let runs = matches!(track.state, State::Starting | State::Live | State::Stopping);
                track.resting |= runs && !track.wished;
            } else {
                (track.excused, track.renews, track.resting) = (true, true, false);
                track.finished = track.finished.filter(|_| !direct);
            }
        }
        for below in groups(self.groups[group].groups & !(1 << group)) {
            let facts = &self.groups[below];
            if facts.line.place_in(group) < Some(from) {
                continue;
            }
            let direct = facts
                .line
                .parent()
                .is_some_and(|(parent, _)| parent == group);
            let runs = letters(facts.below).any(|n| self.tracks[n].state != State::Down);
            let temporary = direct && facts.is_temporary();
            // What is down, or goes down, for another reason is not taken along.
            let parked = self.known.members[of_group(below)].parked_until.is_some();
            let held = self.is_group_off(below) || parked;
            let track = &mut self.group_tracks[below];
            track.not_before = 0;
            if temporary {
                track.resting |= runs && !track.done && !track.wished && !held;
                // It may be up though nothing of it runs.
                self.known.members[of_group(below)].maybe_over |= !track.resting;
            } else {
                (track.done, track.resting) = (false, false);
            }
        }
    }

    pub(crate) fn falls_whole(&mut self, group: usize) {
        self.falls(group, 0);
        self.group_tracks[group].fell_whole = true;
        self.comes_fresh(group);
    }

    /// The groups around that one may go on without it.
    pub(crate) fn turns_are_over(&mut self, group: usize) {
        let inside = self.groups[group].groups;
        for n in letters(self.groups[group].below) {
            self.tracks[n].in_rise &= inside;
        }
    }

    /// When it starts again, it starts as a whole, and all of it with it.
    pub(crate) fn comes_fresh(&mut self, group: usize) {
        for n in letters(self.groups[group].below) {
            let track = &mut self.tracks[n];
            (track.excused, track.renews) = (true, true);
            (track.resting, track.announced) = (false, false);
        }
        for below in groups(self.groups[group].groups & !(1 << group)) {
            let track = &mut self.group_tracks[below];
            // Until it does start, it stays as it is.
            self.known.members[of_group(below)].maybe_over |= track.done || track.resting;
            (track.done, track.resting, track.not_before) = (false, false, 0);
        }
    }

    /// A restart of a member is charged to its group.
    fn charges(&mut self, group: usize) {
        self.group_tracks[group].calm = self.now;
        let Some(budget) = self.groups[group].budget else {
            return;
        };
        let (now, known) = (self.now, &mut self.known.members[of_group(group)]);
        let spent = known.is_spent(&budget, now);
        let fair = !known.trial && !spent;
        if budget.max_restarts.is_some() {
            known.charge(now);
        }
        self.claim(fair, Invariant::GroupBudgetHolds);
    }

    /// A member of a group will be started again.
    pub(crate) fn member_restarts(&mut self, member: usize, group: usize, delay: Duration) {
        self.charges(group);
        if self.groups[group].takes_along() {
            self.batch.along = Some((group, member, delay));
        }
    }

    fn renews(&mut self, group: usize, parent: usize, delay: Duration) {
        let facts = self.groups[group];
        let above = facts.line.parent().map(|(above, _)| above);
        let due = self.batch.pending.take() == Some(group);
        let may = above == Some(parent) && !facts.is_temporary();
        self.claim(due && may, Invariant::EscalatesOnce);
        if self.groups[parent].budget.is_some() {
            self.member_restarts(of_group(group), parent, delay);
        } else {
            self.charges(group);
        }
        let known = &mut self.known.members[of_group(group)];
        known.streak += 1;
        let follows = known.streak_unsure || is_wait(&facts.backoff, known.streak, delay);
        self.claim(follows, Invariant::DelaysFollow);
        self.falls_whole(group);
        let track = &mut self.group_tracks[group];
        (track.not_before, track.calm) = (self.now + millis(delay), self.now);
    }

    fn fails(&mut self, group: usize, by: usize, then: GroupEnd) {
        let facts = self.groups[group];
        let pending = self.batch.pending.take();
        let expected = match by.checked_sub(NAMES) {
            Some(below) => pending == Some(below) || pending == Some(group),
            None => pending.is_none() || pending == Some(group),
        };
        self.claim(expected, Invariant::EscalatesOnce);
        let escalated = self.batch.escalated & 1 << by != 0;
        let (now, rebooted) = (self.now, self.rebooted);
        let known = &mut self.known.members[of_group(group)];
        let spent = facts
            .budget
            .is_none_or(|budget| known.is_spent(&budget, now));
        let trial = core::mem::take(&mut known.trial);
        let holds = spent || trial || escalated || known.charges_unsure || rebooted;
        match then {
            GroupEnd::GivesUp => known.given_up = true,
            GroupEnd::Parks(pause) => known.parked_until = Some(now + millis(pause)),
            GroupEnd::Escalates(_) => {
                self.batch.pending = Some(group);
                self.forgets_charges(group);
            }
            GroupEnd::Ends => self.batch.root_ends = true,
        }
        self.claim(holds, Invariant::GroupSpentBeforeFailed);
        if then == GroupEnd::Ends {
            self.root_failed = true;
        } else {
            self.falls_whole(group);
            self.turns_are_over(group);
        }
    }

    /// What was to end in a failure of the group is not counted any more.
    fn forgets_charges(&mut self, group: usize) {
        self.known.members[of_group(group)].charges = [0; 8];
        for n in letters(self.groups[group].below) {
            if self.facts[n].budget.on_limit == OnLimit::Escalate {
                self.known.members[n].charges = [0; 8];
            }
        }
    }

    fn finishes(&mut self, group: usize, by: usize) {
        let facts = self.groups[group];
        self.batch.finishes = None;
        let mut ended = self.batch.finished & 1 << by != 0;
        if let Some(below) = by.checked_sub(NAMES)
            && self.batch.pending == Some(below)
            && self.groups[below].is_temporary()
        {
            self.batch.pending = None; // What it does is known: nothing.
            self.group_tracks[below].done = true;
            ended = true;
        }
        let asked = facts.auto != AutoShutdown::Never && self.is_significant(by);
        self.claim(ended && asked, Invariant::SignificantEnds);
        if group == 0 {
            self.batch.root_ends = true;
            return;
        }
        self.falls_whole(group);
        if facts.restart == RestartPolicy::Always {
            self.batch.pending = Some(group);
        } else {
            self.group_tracks[group].done = true;
            self.turns_are_over(group);
            self.member_finishes(of_group(group));
        }
    }

    fn is_significant(&self, member: usize) -> bool {
        match member.checked_sub(NAMES) {
            None => self.facts[member].significant,
            Some(group) => self.groups[group].significant,
        }
    }

    /// A member has ended by itself, for good: does its group have to?
    pub(crate) fn member_finishes(&mut self, member: usize) {
        self.batch.finished |= 1 << member;
        let line = match member.checked_sub(NAMES) {
            None => self.facts[member].line,
            Some(group) => self.groups[group].line,
        };
        let Some((group, _)) = line.parent().filter(|_| self.is_significant(member)) else {
            return;
        };
        let facts = &self.groups[group];
        let ends = match facts.auto {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => true,
            AutoShutdown::AllSignificant => {
                let others = (0..NAMES + GROUPS).filter(|n| facts.members & 1 << n != 0);
                others
                    .filter(|&n| self.is_significant(n))
                    .all(|n| match n.checked_sub(NAMES) {
                        None => self.tracks[n].finished.is_some() && !self.tracks[n].renews,
                        Some(group) => self.group_tracks[group].done,
                    })
            }
        };
        if ends {
            self.batch.finishes = Some(group);
        }
    }

    pub(crate) fn member_escalates(&mut self, member: usize) {
        self.batch.escalated |= 1 << member;
    }

    fn group_settles(&mut self, group: usize) {
        let settle = millis(self.groups[group].backoff.settle);
        let long = self.now >= self.group_tracks[group].calm + settle;
        self.claim(long, Invariant::SettledGroupsAreCalm);
        let known = &mut self.known.members[of_group(group)];
        (known.streak, known.streak_unsure) = (0, false);
        // A try at which all members are held starts nobody.
        let tried = known.parked_until.take().is_some();
        if core::mem::take(&mut known.trial) || tried || known.charges_unsure {
            known.charges = [0; 8];
        }
    }

    /// All that one event has led to has been seen.
    pub(crate) fn groups_batch_ends(&mut self) {
        let batch = core::mem::take(&mut self.batch);
        self.claim(batch.along.is_none(), Invariant::SharesFate);
        self.claim(batch.finishes.is_none(), Invariant::SignificantEnds);
        if let Some(group) = batch.pending {
            let temporary = self.groups[group].is_temporary();
            self.claim(temporary, Invariant::EscalatesOnce);
            self.group_tracks[group].done = true;
        }
        let ends = !batch.root_ends || self.end_by.is_some();
        self.claim(ends, Invariant::RootFailureEnds);
    }

    /// Groups are others than before: what they were doing is not known any more.
    pub(crate) fn groups_change(&mut self) {
        for (group, track) in self.group_tracks.iter_mut().enumerate() {
            let known = &mut self.known.members[of_group(group)];
            // What is temporary may have come into a group that is going down.
            let temporary = self.groups[group].is_temporary();
            known.maybe_over |= track.done || track.resting || temporary;
            (track.falls_from, track.fell_from, track.not_before) = (None, 0, 0);
            (track.done, track.resting) = (false, false);
        }
        for (n, track) in self.tracks.iter_mut().enumerate() {
            // What was to do its work anew may have done so, or be elsewhere when its group does.
            let renews = track.renews && track.finished.is_some();
            let maybe_over = track.resting || self.facts[n].temporary || renews;
            self.known.members[n].maybe_over |= maybe_over;
            (track.doomed, track.in_rise, track.resting) = (false, 0, false);
            (track.excused, track.renews) = (true, renews);
        }
    }
}
