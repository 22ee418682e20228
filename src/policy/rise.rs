//! How groups rise and fall: the pass over all of them, before that over the children.

use super::Supervisor;
use super::group::{EVERYBODYS, GroupPhase, Then};
use super::phase::{Next, Over, Phase};
use crate::model::{ChildId, GroupId, Member, Uptime};

/// How far a member is, in the eyes of its group that is rising.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It has been started, or it is not to be: the next one may start.
    Settled,
    /// It is being started, or will be.
    Coming,
}

impl Supervisor {
    /// Groups open, rise and fall until nothing changes any more.
    pub(super) fn group_pass(&mut self, now: Uptime) {
        self.mark_groups(now);
        if self.ending.is_some() {
            return;
        }
        let mut changed = true;
        while changed {
            changed = false;
            for n in 0..self.group_order.len() {
                let id = self.group_order[n];
                changed |= self.step(id, now);
            }
            if changed {
                self.mark_groups(now);
            }
        }
    }

    /// Who is kept down: groups from the root downwards, then children behind all that they
    /// require, so that one round tells of each.
    pub(super) fn mark_groups(&mut self, now: Uptime) {
        let ending = self.ending.is_some();
        for n in 0..self.group_order.len() {
            let id = self.group_order[n];
            let (above_held, above_off) = match self.groups[id.index()].parent {
                Some((parent, _)) => {
                    let parent = &self.groups[parent.index()];
                    (parent.is_held, parent.is_off)
                }
                None => (false, false),
            };
            let group = &mut self.groups[id.index()];
            let over = matches!(
                group.phase,
                GroupPhase::Over(_)
                    | GroupPhase::Falling {
                        then: Then::Over(_),
                        ..
                    }
            );
            group.is_held = above_held || !group.is_wanted();
            group.is_off = above_off || group.is_held || over;
            group.has_come &= !group.is_held;
            group.tally.count_wanted(!group.is_held && !ending, now);
        }
        for n in 0..self.order.len() {
            let id = self.order[n];
            let missing = self.missing(id);
            if self.slot(id).blocked != missing {
                self.slot_mut(id).blocked = missing;
            }
        }
    }

    /// One group, one step: whether anything has changed.
    fn step(&mut self, id: GroupId, now: Uptime) -> bool {
        let group = &self.groups[id.index()];
        let (admits, keeps, takes) = match group.parent {
            Some((parent, place)) => {
                let parent = &self.groups[parent.index()];
                (
                    parent.admits(place),
                    parent.keeps(place),
                    parent.takes(place),
                )
            }
            None => (true, true, false),
        };
        let runs = keeps && !group.is_held;
        match group.phase {
            // What runs already, started by another sup or elsewhere, need not wait for its turn.
            GroupPhase::Idle if runs && (admits || group.has_runs) => self.open(id, now),
            GroupPhase::Idle | GroupPhase::Waiting { .. } | GroupPhase::Over(_)
                if group.has_runs =>
            {
                self.groups[id.index()].falls_as_it_is();
            }
            GroupPhase::Rising { .. } | GroupPhase::Up { .. } if !runs => {
                self.fall_with_parent(id, takes, now);
            }
            GroupPhase::Rising { next, .. } => return self.advance(id, next, now),
            GroupPhase::Falling { then, .. } if !runs && then == Then::Rise => {
                self.fall_with_parent(id, takes, now);
            }
            GroupPhase::Falling { from, next, then } => {
                if !self.is_down(id, from, then == Then::Rise) {
                    return false;
                }
                let group = &mut self.groups[id.index()];
                match then {
                    Then::Rise => group.rises(from.min(next), false, now),
                    Then::Idle | Then::Waiting { .. } | Then::Over(_) => group.phase = then.into(),
                }
            }
            // A failed member waits while its group falls, and no longer where that ends otherwise.
            GroupPhase::Waiting { .. } if group.is_held || !(keeps || takes) => {
                self.groups[id.index()].phase = GroupPhase::Idle;
            }
            GroupPhase::Idle
            | GroupPhase::Up { .. }
            | GroupPhase::Waiting { .. }
            | GroupPhase::Over(_) => return false,
        }
        true
    }

    /// It starts as a whole, with all members fresh. Where some of them run already,
    /// started by another sup, a failed start is not the whole group's.
    fn open(&mut self, id: GroupId, now: Uptime) {
        let mut fresh = id != GroupId::ROOT;
        let again = !core::mem::take(&mut self.groups[id.index()].has_come);
        for at in 0..self.groups[id.index()].members.len() {
            match self.groups[id.index()].members[at] {
                Member::Child(id) => {
                    let child = &mut self.slot_mut(id).child;
                    fresh = fresh && !child.phase.is_alive();
                    if again {
                        child.renew();
                    }
                }
                Member::Group(id) if again => self.groups[id.index()].renew(),
                Member::Group(_) => {}
            }
        }
        let group = &mut self.groups[id.index()];
        group.has_runs = false;
        group.opens = group.opens.wrapping_add(1);
        group.rises(0, fresh, now);
    }

    /// It goes with its parent, or because nobody wants it any more.
    fn fall_with_parent(&mut self, id: GroupId, taken: bool, now: Uptime) {
        let cause = self.groups[id.index()].parent.and_then(|(parent, place)| {
            let parent = &self.groups[parent.index()];
            parent.cause.filter(|_| parent.drops(place))
        });
        let group = &mut self.groups[id.index()];
        group.cause = cause;
        let then = if taken && group.is_temporary() {
            Then::Over(Over::TakenAlong)
        } else {
            Then::Idle
        };
        group.fall(0, then, now);
    }

    /// Whose turn is it? Where that is everybody's, it is up when all of them have come.
    fn advance(&mut self, id: GroupId, next: u16, now: Uptime) -> bool {
        let everybodys = next == EVERYBODYS;
        let mut turn = if everybodys { 0 } else { next };
        while let Some(&member) = self.groups[id.index()].members.get(usize::from(turn)) {
            if self.standing(member) == Standing::Coming {
                break;
            }
            turn += 1;
        }
        let group = &mut self.groups[id.index()];
        if usize::from(turn) == group.members.len() {
            group.phase = GroupPhase::Up {
                since: now,
                calm: now,
            };
            return true;
        }
        if everybodys {
            return false;
        }
        if let GroupPhase::Rising { next, .. } = &mut group.phase {
            *next = turn;
        }
        turn != next
    }

    fn standing(&self, member: Member) -> Standing {
        let settled = match member {
            Member::Child(id) => {
                let slot = self.slot(id);
                let comes = slot.wants_to_run() && self.missing(id).is_none();
                match slot.child.phase {
                    Phase::Up { .. }
                    | Phase::Over(_)
                    | Phase::Clearing {
                        next: Next::Over(_),
                        ..
                    } => true,
                    Phase::Idle | Phase::Waiting { .. } => !comes,
                    Phase::Starting { .. }
                    | Phase::Readying { .. }
                    | Phase::Stopping { .. }
                    | Phase::Clearing { .. } => false,
                }
            }
            Member::Group(id) => {
                let group = &self.groups[id.index()];
                match group.phase {
                    GroupPhase::Up { .. } | GroupPhase::Over(_) => true,
                    GroupPhase::Idle | GroupPhase::Waiting { .. } => !group.is_wanted(),
                    GroupPhase::Rising { .. } | GroupPhase::Falling { .. } => false,
                }
            }
        };
        if settled {
            Standing::Settled
        } else {
            Standing::Coming
        }
    }

    /// Whether all members from that one on are down, and, where they are to rise again,
    /// none of them waits for that any more.
    fn is_down(&self, id: GroupId, from: u16, patient: bool) -> bool {
        let members = &self.groups[id.index()].members[usize::from(from)..];
        members.iter().all(|&member| match member {
            Member::Child(id) => self.is_child_down(id, patient),
            Member::Group(id) => {
                let group = &self.groups[id.index()];
                match group.phase {
                    _ if group.has_runs => false,
                    GroupPhase::Idle | GroupPhase::Over(_) => true,
                    GroupPhase::Waiting { .. } => !patient,
                    GroupPhase::Rising { .. }
                    | GroupPhase::Up { .. }
                    | GroupPhase::Falling { .. } => false,
                }
            }
        })
    }

    fn is_child_down(&self, id: ChildId, patient: bool) -> bool {
        let slot = self.slot(id);
        let waits = matches!(slot.child.phase, Phase::Waiting { .. }) && slot.wants_to_run();
        !(slot.child.phase.is_alive() || patient && waits)
    }
}
