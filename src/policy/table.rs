//! The table of children and groups: how a configuration becomes one, and how it changes.

use alloc::boxed::Box;

use alloc::vec::Vec;

use super::deps::Links;
use super::group::{Cause, Group};
use super::{ACTIONS_PER_CHILD, Phase, Presence, Slot, Supervisor, deps};
use crate::model::Gather as _;
use crate::model::alike::Alike;
use crate::model::memory::{ChildMemory, GroupMemory, Scale};
use crate::model::order::StopWhy;
use crate::model::sorted::Map;
use crate::model::{ChildId, ChildSpec, GroupId, GroupSpec, Member, Tree, Uptime, precedence};

impl Supervisor {
    /// Takes over a tree: those that have the same name go on, as what they were.
    pub(super) fn plant(&mut self, tree: Tree) {
        let Tree {
            children,
            root,
            groups,
        } = tree;
        let mut former = core::mem::take(&mut self.groups);
        let names: Vec<Box<str>> = former.iter().map(|it| it.spec.name.clone()).gather();
        for spec in core::iter::once(root).chain(groups) {
            let id = GroupId(place(self.groups.len()));
            let known = former.iter().position(|group| group.spec.name == spec.name);
            let mut group = match known {
                Some(at) => former.swap_remove(at),
                None => Group::new(id, spec.clone()),
            };
            (group.id, group.cause) = (id, None);
            group.adjust(spec);
            let configured = group.spec.template.as_ref().map(|template| template.count);
            group.scale = group
                .scale
                .take()
                .filter(|scale| Some(scale.configured) == configured);
            self.groups.push(group);
        }
        self.renumber_causes(&names);
        let instances = self.instances();
        let mut lives = Vec::new();
        for mut spec in children.into_iter().chain(instances) {
            spec.life.share(&mut lives);
            match self.find_present(&spec.name) {
                Some(id) => self.slot_mut(id).take(spec),
                None => self.add(spec),
            }
        }
        self.link();
    }

    /// Groups have other numbers than those by which children know who took them along.
    fn renumber_causes(&mut self, names: &[Box<str>]) {
        let (groups, slots) = (&self.groups, &mut self.slots);
        let find = |old: GroupId| {
            let name = names.get(old.index())?;
            let mut known = groups.iter().filter(|group| group.spec.name == *name);
            known.next().map(|group| group.id)
        };
        for slot in slots.touch_all() {
            let child = &mut slot.child;
            child.taken_by = child.taken_by.take().and_then(|cause| {
                let by = match cause.by {
                    Member::Group(group) => Member::Group(find(group)?),
                    Member::Child(child) => Member::Child(child),
                };
                let group = find(cause.group)?;
                Some(Cause { group, by, ..cause })
            });
            if let Phase::Stopping { why, .. } = &mut child.phase
                && let StopWhy::Taken(group) | StopWhy::Group(group) = why
            {
                *group = find(*group).unwrap_or(GroupId::ROOT);
            }
        }
    }

    /// Every instance of every template, as its group's scale says.
    fn instances(&self) -> Vec<ChildSpec> {
        let mut all = Vec::new();
        for group in &self.groups {
            all.extend(group.instances());
        }
        all
    }

    /// Scales are taken up before children: an instance has a memory, too.
    pub(super) fn recall_groups(&mut self, memory: &[GroupMemory], rebooted: bool, now: Uptime) {
        let mut scaled = false;
        for group in &mut self.groups {
            let Some(known) = memory.iter().find(|known| known.name == group.spec.name) else {
                continue;
            };
            group.recall(known, rebooted, now);
            let configured = group.spec.template.as_ref().map(|template| template.count);
            let scale = known.scale.as_ref();
            if let Some(scale) = scale.filter(|scale| Some(scale.configured) == configured) {
                group.scale = Some(scale.clone());
                scaled = true;
            }
        }
        if scaled {
            self.replant();
        }
    }

    /// Instances as the scales say now: others leave.
    pub(super) fn replant(&mut self) {
        let wanted = self.instances();
        for slot in self.slots.touch_all() {
            let is_instance = slot.spec.name.contains('/');
            let stays = || wanted.iter().any(|spec| spec.name == slot.spec.name);
            if slot.presence == Presence::Configured && is_instance && !stays() {
                slot.presence = Presence::Leaving;
            }
        }
        self.free_places();
        for spec in wanted {
            match self.find_present(&spec.name) {
                Some(id) => self.slot_mut(id).presence = Presence::Configured,
                None => self.add(spec),
            }
        }
        self.link();
    }

    /// Configured or still leaving: a child that comes back while it is being stopped
    /// keeps its place.
    pub(super) fn find_present(&self, name: &str) -> Option<ChildId> {
        let mut present = (0..)
            .zip(self.slots.iter())
            .filter(|(_, slot)| slot.presence != Presence::Free);
        present
            .find(|(_, slot)| *slot.spec.name == *name)
            .map(|(n, _)| ChildId(n))
    }

    fn add(&mut self, spec: ChildSpec) {
        let free = self
            .slots
            .iter()
            .position(|slot| slot.presence == Presence::Free);
        let at = free.unwrap_or(self.slots.len());
        let id = ChildId(place(at));
        let mut slot = Slot::new(id, spec);
        if let Some(old) = self.slots.get_mut(id) {
            // Numbers go on, so that late news of the former tenant finds nobody.
            let memory = ChildMemory {
                runs: old.child.runs(),
                ..ChildMemory::default()
            };
            slot.child
                .recall(&memory, &slot.spec.life, false, Uptime::default());
            *old = slot;
        } else {
            self.slots.push(slot);
        }
    }

    /// Children that have left and are down make room, and whoever comes there next is not
    /// said to have taken others along.
    pub(super) fn free_places(&mut self) {
        for n in 0..self.slots.len() {
            let slot = &self.slots[n];
            if slot.presence == Presence::Leaving && !slot.child.phase.is_alive() {
                let id = slot.child.id;
                self.slot_mut(id).presence = Presence::Free;
                self.forget_causes_by(Member::Child(id));
            }
        }
    }

    fn forget_causes_by(&mut self, by: Member) {
        let of_children = self.slots.touch_all().map(|slot| &mut slot.child.taken_by);
        let of_groups = self.groups.iter_mut().map(|group| &mut group.cause);
        for cause in of_children.chain(of_groups) {
            *cause = cause.take().filter(|cause| cause.by != by);
        }
    }

    /// Makes members, links, order and room after the table has changed.
    pub(super) fn link(&mut self) {
        self.link_members();
        let links = deps::link(&self.slots, &self.groups);
        let none = Alike::<Links>::default();
        for (slot, links) in self.slots.touch_all().zip(links) {
            slot.links = match links.is_empty() {
                true => none.clone(),
                false => links.into(),
            };
        }
        self.order = self.start_order();
        for n in 0..self.order.len() {
            let id = self.order[n];
            if self.slot(id).child.phase.is_alive() {
                self.mark_runs(id);
            }
        }
        self.make_room();
    }

    /// Room for all that one event can lead to.
    pub(super) fn make_room(&mut self) {
        let of_children = self.slots.iter().map(|slot| slot.spec.life.checks.len());
        let checks = of_children.sum::<usize>() + self.host.specs.len();
        let room = ACTIONS_PER_CHILD * self.slots.len()
            + ACTIONS_PER_GROUP * self.groups.len()
            + ACTIONS_PER_CHECK * checks;
        self.out.actions.reserve(room);
    }

    /// Gives back what the list of actions has taken up: room that is made anew is not
    /// memory before something is written there.
    pub fn rest(&mut self) {
        let mut fresh = Vec::new();
        if fresh.try_reserve_exact(self.out.actions.capacity()).is_ok() {
            self.out.actions = fresh;
        }
    }

    /// All groups around a child that runs have something to start with, or to end.
    pub(super) fn mark_runs(&mut self, id: ChildId) {
        let mut of = self.slot(id).parent;
        while let Some((group, _)) = of {
            let group = &mut self.groups[group.index()];
            group.has_runs = true;
            of = group.parent;
        }
    }

    fn link_members(&mut self) {
        let mut names: Map<Box<str>, Member> = Map::new();
        for (n, slot) in (0..).zip(self.slots.touch_all()) {
            slot.parent = None;
            if slot.presence == Presence::Configured {
                names.insert(slot.spec.name.clone(), Member::Child(ChildId(n)));
            }
        }
        for group in &mut self.groups {
            group.parent = None;
            names.insert(group.spec.name.clone(), Member::Group(group.id));
        }
        for n in 0..self.groups.len() {
            let group = &mut self.groups[n];
            if group.spec.template.is_some() {
                group.spec.members = group.instance_names();
            }
            let members = group.spec.members.iter();
            group.members = members.filter_map(|name| names.get(name).copied()).gather();
            for at in 0..self.groups[n].members.len() {
                let parent = Some((self.groups[n].id, place(at)));
                match self.groups[n].members[at] {
                    Member::Child(id) => self.slot_mut(id).parent = parent,
                    Member::Group(id) => self.groups[id.index()].parent = parent,
                }
            }
        }
        self.rows = self.tree_rows();
        let groups = self.rows.iter().filter_map(|(_, member)| match member {
            Member::Group(id) => Some(*id),
            Member::Child(_) => None,
        });
        self.group_order = core::iter::once(GroupId::ROOT).chain(groups).gather();
    }

    /// Depth first, without recursion.
    fn tree_rows(&self) -> Box<[(u16, Member)]> {
        let mut rows = Vec::with_capacity(self.slots.len() + self.groups.len());
        let mut left = alloc::vec![(0, Member::Group(GroupId::ROOT))];
        while let Some((depth, member)) = left.pop() {
            if depth > 0 {
                rows.push((depth - 1, member));
            }
            if let Member::Group(id) = member {
                let members = self.groups[id.index()].members.iter().rev();
                left.extend(members.map(|&member| (depth + 1, member)));
            }
        }
        rows.into_boxed_slice()
    }

    /// Every configured or leaving child behind all that comes before it.
    fn start_order(&self) -> Box<[ChildId]> {
        let present: Vec<ChildId> = (0..)
            .zip(self.slots.iter())
            .filter(|(_, slot)| slot.presence != Presence::Free)
            .map(|(n, _)| ChildId(n))
            .gather();
        let children: Vec<&ChildSpec> = present.iter().map(|&id| self.spec(id)).gather();
        let groups: Vec<&GroupSpec> = self.groups.iter().map(|group| &group.spec).gather();
        match precedence::order(&children, &groups) {
            Ok(order) => order.iter().map(|&at| present[at]).gather(),
            // The configuration's checker has refused this. Children go on in any order.
            Err(_) => present.into_boxed_slice(),
        }
    }
}

/// Most actions that one event can cause for one group: that it restarts, fails, finishes
/// and is started anew, a term that is over, and an order answered.
const ACTIONS_PER_GROUP: usize = 16;

/// Most actions that one event can cause for one check: it is told of, and made again.
const ACTIONS_PER_CHECK: usize = 2;

impl Group {
    /// The instances of its template, as its scale says.
    pub(super) fn instances(&self) -> Vec<ChildSpec> {
        let Some(template) = &self.spec.template else {
            return Vec::new();
        };
        let numbers = self.instance_numbers().into_iter();
        numbers.map(|number| template.instance(number)).gather()
    }

    /// The numbers of its instances, ascending.
    #[must_use]
    pub fn instance_numbers(&self) -> Vec<u16> {
        match (&self.scale, &self.spec.template) {
            (_, None) => Vec::new(),
            (Some(Scale { instances, .. }), Some(_)) => instances.clone(),
            (None, Some(template)) => (1..=template.count).gather(),
        }
    }

    fn instance_names(&self) -> Box<[Box<str>]> {
        let numbers = self.instance_numbers().into_iter();
        numbers
            .map(|number| alloc::format!("{}/{number}", self.spec.name).into())
            .gather()
    }
}

fn place(at: usize) -> u16 {
    u16::try_from(at).expect("the configuration has at most CHILDREN_MAX")
}
