//! Who is in which group, and what follows from that.

use crate::model::Gather as _;
use crate::model::sorted::Set;

use super::cycles::chain;
use super::group::Group;
use super::mistake::Notes;
use super::names::{Names, Node};
use super::read::Gathered;

/// Puts everything into its group, each into one only, so that what comes out is a tree
/// whatever the files say.
pub(super) fn settle(gathered: &mut Gathered, names: &Names, notes: &Notes) {
    let mut nest = Nest {
        child_parent: vec![None; gathered.children.len()],
        group_parent: vec![None; gathered.groups.len()],
    };
    nest.fill(gathered, names, notes);
    nest.cut_rings(gathered, notes);
    let mut members = vec![Vec::new(); gathered.groups.len()];
    let mut placed = Set::new();
    for (at, group) in gathered.groups.iter().enumerate() {
        for link in &group.members {
            let node = names.get(&link.name);
            let is_here = node.is_some_and(|node| nest.parent(node) == Some(at));
            if is_here && placed.insert(&*link.name) {
                members[at].push(link.name.clone());
            }
        }
    }
    for node in &gathered.order {
        let name = gathered.named(*node).0;
        if nest.parent(*node).is_none() && placed.insert(name) {
            members[0].push(name.into());
        }
    }
    for (group, members) in gathered.groups.iter_mut().zip(members) {
        group.spec.members = members.into();
    }
    budgets(gathered, &nest);
}

/// The group that each child and each group is in; `None`: the root.
struct Nest {
    child_parent: Vec<Option<usize>>,
    group_parent: Vec<Option<usize>>,
}

impl Nest {
    fn parent(&self, node: Node) -> Option<usize> {
        match node {
            Node::Child(place) => self.child_parent[place],
            Node::Group(place) => self.group_parent[place],
        }
    }

    fn fill(&mut self, gathered: &Gathered, names: &Names, notes: &Notes) {
        for (at, group) in gathered.groups.iter().enumerate() {
            for link in &group.members {
                let Some(node) = names.get(&link.name) else {
                    names.unknown(gathered, &group.place, link, notes);
                    continue;
                };
                let parent = match node {
                    Node::Child(place) => &mut self.child_parent[place],
                    Node::Group(place) => &mut self.group_parent[place],
                };
                let Some(former) = *parent else {
                    *parent = Some(at);
                    continue;
                };
                let name = &link.name;
                let problem = match former == at {
                    true => format!("{name} is there twice"),
                    false => {
                        let former = &gathered.groups[former];
                        let place = format!("{}:{}", former.place.file, former.place.line);
                        format!("{name} is in group {} ({place}) already", former.spec.name)
                    }
                };
                let hint = "a member has one place in one group: take the others out";
                notes.mistake(group.place.note(link.line, link.key, &problem, hint));
            }
        }
    }

    /// Groups that contain each other: each such ring is told once, and cut.
    fn cut_rings(&mut self, gathered: &Gathered, notes: &Notes) {
        // Who has been here: each walk upwards has its own number.
        let mut walked = vec![0; gathered.groups.len()];
        for from in 1..gathered.groups.len() {
            let mut at = Some(from);
            while let Some(group) = at.filter(|group| walked[*group] == 0) {
                walked[group] = from;
                at = self.group_parent[group];
            }
            if let Some(group) = at.filter(|group| walked[*group] == from) {
                self.cut(group, gathered, notes);
            }
        }
    }

    fn cut(&mut self, first: usize, gathered: &Gathered, notes: &Notes) {
        let mut ring = vec![first];
        let mut at = self.group_parent[first];
        while let Some(group) = at.filter(|group| *group != first) {
            ring.push(group);
            at = self.group_parent[group];
        }
        // Upwards it was found; it reads better downwards.
        ring[1..].reverse();
        let names: Vec<String> = ring
            .iter()
            .map(|group| gathered.groups[*group].spec.name.to_string())
            .gather();
        let group = &gathered.groups[first];
        let next = names.get(1).unwrap_or(&names[0]);
        let mut links = group.members.iter();
        let link = links.find(|link| *link.name == **next);
        let line = link.map_or(group.place.line, |link| link.line);
        let closing = names[0].clone();
        let problem = format!("contains itself: {}", chain(names, &closing));
        let hint = "take one of them out of members";
        notes.mistake(group.place.note(line, "members", &problem, hint));
        self.group_parent[first] = None;
    }
}

/// Where a group counts, its children need no budget of their own, and what is too much
/// for a group is for the one above to judge.
fn budgets(gathered: &mut Gathered, nest: &Nest) {
    let counts: Vec<bool> = gathered.groups.iter().map(Group::counts).gather();
    for (known, parent) in gathered.children.iter_mut().zip(&nest.child_parent) {
        known.settle(parent.unwrap_or(0), &counts);
    }
    let parents = nest.group_parent.iter();
    for (at, (group, parent)) in gathered.groups.iter_mut().zip(parents).enumerate().skip(1) {
        group.parent = parent.unwrap_or(0);
        group.settle_limit(counts[group.parent]);
        if let Some(known) = &mut group.template {
            known.settle(at, &counts);
        }
    }
}
