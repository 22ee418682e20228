//! What others may know: of all, and of a group.

use core::time::Duration;

use super::{Cause, Child, Group, GroupPhase, Presence, Slot, Supervisor};
use crate::model::memory::Hold;
use crate::model::tree::Strategy;
use crate::model::words::Names;
use crate::model::{CheckId, ChildId, ChildSpec, GroupId, GroupSpec, Member, Uptime};

impl Supervisor {
    /// Every configured child, in start order.
    pub fn children(&self) -> impl Iterator<Item = (ChildId, &ChildSpec, &Child)> {
        self.order.iter().filter_map(|&id| {
            let slot = self.slot(id);
            (slot.presence == Presence::Configured).then_some((id, &slot.spec, &slot.child))
        })
    }

    /// The tree: every configured child and every group but the root, each behind its
    /// group, with its depth in it.
    #[must_use]
    pub fn rows(&self) -> &[(u16, Member)] {
        &self.rows
    }

    /// A configured child by its name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<ChildId> {
        self.children()
            .find(|(_, spec, _)| *spec.name == *name)
            .map(|(id, _, _)| id)
    }

    /// A configured child, or a group, by its name.
    #[must_use]
    pub fn find_member(&self, name: &str) -> Option<Member> {
        let group = self.find_group(name).map(Member::Group);
        self.find(name).map(Member::Child).or(group)
    }

    /// A group by its name.
    #[must_use]
    pub fn find_group(&self, name: &str) -> Option<GroupId> {
        let mut groups = self.groups.iter();
        groups
            .find(|group| *group.spec.name == *name)
            .map(|group| group.id)
    }

    /// A group.
    #[must_use]
    pub fn group(&self, id: GroupId) -> &Group {
        &self.groups[id.index()]
    }

    /// A child's group; the root for one that is leaving.
    #[must_use]
    pub fn group_of(&self, id: ChildId) -> GroupId {
        self.slot(id)
            .parent
            .map_or(GroupId::ROOT, |(group, _)| group)
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

    /// What it requires and for want of which it does not run.
    #[must_use]
    pub fn blocked_by(&self, id: ChildId) -> Option<Member> {
        self.slot(id).blocked
    }

    /// The first thing that a child is waiting for before it can start: what it names, or
    /// else the member of its group whose turn is before its own.
    #[must_use]
    pub fn waits_for(&self, id: ChildId) -> Option<Member> {
        let links = &self.slot(id).links;
        let mut before = links.requires.iter().chain(&*links.after);
        let named = before.find(|&&member| !self.is_ready(member)).copied();
        named.or_else(|| self.waits_its_turn(id))
    }

    pub(super) fn waits_its_turn(&self, id: ChildId) -> Option<Member> {
        let mut of = self.slot(id).parent;
        while let Some((group, place)) = of {
            let group = &self.groups[group.index()];
            match group.phase {
                GroupPhase::Rising { next, .. } if next < place => {
                    return group.members.get(usize::from(next)).copied();
                }
                GroupPhase::Falling { from, .. } if from <= place => {
                    return Some(Member::Group(group.id));
                }
                GroupPhase::Waiting { .. } => return Some(Member::Group(group.id)),
                GroupPhase::Idle
                | GroupPhase::Rising { .. }
                | GroupPhase::Up { .. }
                | GroupPhase::Falling { .. }
                | GroupPhase::Over(_) => {}
            }
            of = group.parent;
        }
        None
    }

    /// The group that keeps it down, as far up as that one is: held by a person, or over.
    #[must_use]
    pub fn kept_down_by(&self, id: ChildId) -> Option<GroupId> {
        let (mut group, _) = self.slot(id).parent?;
        if !self.groups[group.index()].is_off {
            return None;
        }
        while let Some((parent, _)) = self.groups[group.index()].parent
            && self.groups[parent.index()].is_off
        {
            group = parent;
        }
        Some(group)
    }

    /// Whether people and the configuration want it to run.
    #[must_use]
    pub fn is_wanted(&self, id: ChildId) -> bool {
        let slot = self.slot(id);
        slot.wants_to_run() && !self.is_group_held(slot) && self.ending.is_none()
    }

    pub(super) fn is_group_held(&self, slot: &Slot) -> bool {
        slot.parent
            .is_some_and(|(group, _)| self.groups[group.index()].is_held)
    }

    /// Whether nothing that it belongs to lets it come back by itself.
    pub(super) fn is_group_off(&self, slot: &Slot) -> bool {
        slot.parent
            .is_some_and(|(group, _)| self.groups[group.index()].is_off)
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
}

impl Group {
    /// What is configured.
    #[must_use]
    pub fn spec(&self) -> &GroupSpec {
        &self.spec
    }

    /// The group that it is a member of; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<GroupId> {
        self.parent.map(|(parent, _)| parent)
    }

    /// Its members, in start order.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// What it is doing.
    #[must_use]
    pub fn phase(&self) -> &GroupPhase {
        &self.phase
    }

    /// Since when it is up.
    #[must_use]
    pub fn up_since(&self) -> Option<Uptime> {
        if let GroupPhase::Up { since, .. } = self.phase {
            Some(since)
        } else {
            None
        }
    }

    /// The member that is being started, while it rises.
    #[must_use]
    pub fn coming(&self) -> Option<Member> {
        if let GroupPhase::Rising { next, .. } = self.phase {
            self.members.get(usize::from(next)).copied()
        } else {
            None
        }
    }

    /// What a person last said.
    #[must_use]
    pub fn hold(&self) -> Hold {
        self.hold
    }

    /// How often its parent has started it again since it last settled.
    #[must_use]
    pub fn streak(&self) -> u32 {
        self.streak
    }

    /// How often it has been started as a whole, since sup was started.
    #[must_use]
    pub fn opens(&self) -> u32 {
        self.opens
    }

    /// Whether one failure more is one too many.
    #[must_use]
    pub fn is_trial(&self) -> bool {
        self.trial
    }

    /// Restarts that were charged to it, ever.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// How often it failed as a whole, ever.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Whose failure last took others along, since sup was started.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// Whether a person or the configuration keeps it down, or a group above it.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// Time spent up, ever.
    #[must_use]
    pub fn up_total(&self, now: Uptime) -> Duration {
        match self.phase {
            GroupPhase::Up { since, .. } => self.tally.up + (now - since),
            GroupPhase::Idle
            | GroupPhase::Rising { .. }
            | GroupPhase::Falling { .. }
            | GroupPhase::Waiting { .. }
            | GroupPhase::Over(_) => self.tally.up,
        }
    }

    /// Time for which it was wanted up, ever.
    #[must_use]
    pub fn wanted_total(&self, now: Uptime) -> Duration {
        self.tally.wanted(now)
    }
}

impl Names for Supervisor {
    fn child(&self, id: ChildId) -> &str {
        &self.slot(id).spec.name
    }

    fn group(&self, id: GroupId) -> (&str, Strategy) {
        let spec = &self.groups[id.index()].spec;
        (&spec.name, spec.strategy)
    }

    fn check(&self, check: CheckId) -> &str {
        Self::check(self, check).map_or("", |spec| &spec.name)
    }
}
