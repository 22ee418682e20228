//! Who comes before whom: dependencies, and the order within groups, as one graph.
//!
//! A group has two moments: it *opens* before its first member starts, and it *closes*
//! when its last one is ready. Whoever is named in `after` or `requires` comes before the
//! child that names it; in an ordered group each member comes before the next.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::sorted::Map;
use super::spec::ChildSpec;
use super::tree::GroupSpec;

use crate::model::Gather as _;

/// Cycles that are told: with the first one out, most others are gone too.
const CYCLES_MAX: usize = 10;

/// One place of a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// This child.
    Child(usize),
    /// This group, before its first member.
    Opens(usize),
    /// This group, when all of it is ready.
    Closes(usize),
}

/// Things that wait for each other: each comes before the one that stands in front of it,
/// and the first before the last.
pub type Cycle = Vec<Step>;

/// The children, by their places in `children`, each behind all that comes before it;
/// where that leaves a choice, in the order given. Names that nobody has are passed over.
///
/// # Errors
///
/// What waits for itself; at most ten cycles.
pub fn order(children: &[&ChildSpec], groups: &[&GroupSpec]) -> Result<Box<[usize]>, Vec<Cycle>> {
    let graph = Graph::of(children, groups);
    let mut walk = Walk {
        graph: &graph,
        seen: alloc::vec![Seen::Not; graph.before.len()],
        order: Vec::with_capacity(children.len()),
        cycles: Vec::new(),
    };
    for child in 0..children.len() {
        walk.visit(child);
    }
    if walk.cycles.is_empty() {
        Ok(walk.order.into_boxed_slice())
    } else {
        Err(walk.cycles)
    }
}

/// For every node those that come before it: children first, then each group's two moments.
struct Graph {
    children: usize,
    before: Vec<Vec<usize>>,
}

impl Graph {
    fn of(children: &[&ChildSpec], groups: &[&GroupSpec]) -> Self {
        let count = children.len();
        let opens = |group: usize| count + 2 * group;
        let mut moments: Map<&str, (usize, usize)> = Map::new();
        for (place, group) in groups.iter().enumerate() {
            moments.insert(&group.name, (opens(place), opens(place) + 1));
        }
        for (place, child) in children.iter().enumerate() {
            moments.insert(&child.name, (place, place));
        }
        let mut before: Vec<Vec<usize>> = alloc::vec![Vec::new(); count + 2 * groups.len()];
        for (place, child) in children.iter().enumerate() {
            let named = child.life.after.iter().chain(&child.life.requires);
            before[place].extend(named.filter_map(|name| moments.get(&**name).map(|it| it.1)));
        }
        for (place, group) in groups.iter().enumerate() {
            let mut former = None;
            for member in &group.members {
                let Some(&(first, last)) = moments.get(&**member) else {
                    continue;
                };
                before[first].push(opens(place));
                before[opens(place) + 1].push(last);
                if let Some(former) = former.replace(last)
                    && group.is_ordered()
                {
                    before[first].push(former);
                }
            }
            if former.is_none() {
                // Who comes behind an empty group comes behind what is before it.
                before[opens(place) + 1].push(opens(place));
            }
        }
        Self {
            children: count,
            before,
        }
    }

    fn step(&self, node: usize) -> Step {
        match node.checked_sub(self.children) {
            None => Step::Child(node),
            Some(moment) if moment.is_multiple_of(2) => Step::Opens(moment / 2),
            Some(moment) => Step::Closes(moment / 2),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Not,
    OnPath,
    Done,
}

/// Depth first, each node behind all that comes before it. Without recursion: a chain of
/// a thousand children must not need a thousand stack frames.
struct Walk<'a> {
    graph: &'a Graph,
    seen: Vec<Seen>,
    order: Vec<usize>,
    cycles: Vec<Cycle>,
}

impl Walk<'_> {
    fn visit(&mut self, from: usize) {
        let mut path: Vec<(usize, usize)> = Vec::new();
        if self.seen[from] == Seen::Not {
            self.seen[from] = Seen::OnPath;
            path.push((from, 0));
        }
        while let Some((node, visited)) = path.last_mut() {
            let (node, place) = (*node, *visited);
            let next = self.graph.before[node].get(place).copied();
            *visited += 1;
            let Some(next) = next else {
                self.seen[node] = Seen::Done;
                if node < self.graph.children {
                    self.order.push(node);
                }
                path.pop();
                continue;
            };
            match self.seen[next] {
                Seen::Not => {
                    self.seen[next] = Seen::OnPath;
                    path.push((next, 0));
                }
                // The same thing can come before it for two reasons.
                Seen::OnPath
                    if self.cycles.len() < CYCLES_MAX
                        && !self.graph.before[node][..place].contains(&next) =>
                {
                    let nodes = path.iter().map(|(node, _)| *node);
                    let cycle = nodes.skip_while(|node| *node != next);
                    self.cycles
                        .push(cycle.map(|node| self.graph.step(node)).gather());
                }
                Seen::OnPath | Seen::Done => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::spec::{Launch, Life, LogSpec};
    use crate::model::tree::Strategy;

    fn names(list: &str) -> Box<[Box<str>]> {
        list.split_whitespace().map(Into::into).collect()
    }

    fn child(name: &str, after: &str) -> ChildSpec {
        let life = Life {
            after: names(after),
            ..Life::default()
        };
        ChildSpec {
            name: name.into(),
            launch: Launch::default(),
            log: LogSpec::Ring,
            life: life.into(),
        }
    }

    fn sorted(children: &[ChildSpec], groups: &[GroupSpec]) -> Result<Vec<usize>, Vec<Cycle>> {
        let children: Vec<_> = children.iter().collect();
        let groups: Vec<_> = groups.iter().collect();
        order(&children, &groups).map(Vec::from)
    }

    #[test]
    fn what_is_named_comes_first_and_else_the_file_decides() {
        let children = [child("a", "c"), child("b", ""), child("c", "")];
        let root = GroupSpec::root(names("a b c"));
        assert_eq!(sorted(&children, &[root]), Ok(vec![2, 0, 1]));
    }

    #[test]
    fn members_of_a_group_come_one_after_the_other_and_a_group_as_a_whole() {
        let children = [child("late", "pair"), child("y", ""), child("x", "")];
        let groups = [
            GroupSpec::root(names("late pair")),
            GroupSpec::new("pair", names("x y")),
        ];
        assert_eq!(sorted(&children, &groups), Ok(vec![2, 1, 0]));
    }

    #[test]
    fn a_member_that_waits_for_a_later_one_waits_for_ever() {
        let children = [child("x", "y"), child("y", "")];
        let pair = GroupSpec {
            strategy: Strategy::RestForOne,
            ..GroupSpec::new("pair", names("x y"))
        };
        let cycle = vec![Step::Child(0), Step::Child(1)];
        let groups = [GroupSpec::root(names("pair")), pair];
        assert_eq!(sorted(&children, &groups), Err(vec![cycle]));
    }

    #[test]
    fn an_empty_group_parts_nobody() {
        let children = [child("z", ""), child("a", "")];
        let all = GroupSpec::new("all", names("a none z"));
        let none = GroupSpec::new("none", names(""));
        let groups = [GroupSpec::root(names("all")), all, none];
        assert_eq!(sorted(&children, &groups), Ok(vec![1, 0]));
    }

    #[test]
    fn a_cycle_is_told_once_though_there_are_two_reasons_for_it() {
        let children = [child("x", "y"), child("y", "x x")];
        let pair = GroupSpec::new("pair", names("x y"));
        let groups = [GroupSpec::root(names("pair")), pair];
        let cycle = vec![Step::Child(0), Step::Child(1)];
        assert_eq!(sorted(&children, &groups), Err(vec![cycle]));
    }

    #[test]
    fn a_member_that_waits_for_its_own_group_waits_for_ever() {
        let children = [child("x", "pair"), child("y", "")];
        let groups = [
            GroupSpec::root(names("pair")),
            GroupSpec::new("pair", names("x y")),
        ];
        let cycle = vec![Step::Child(0), Step::Closes(1)];
        let found = sorted(&children, &groups).unwrap_err();
        assert_eq!(found[0], cycle);
    }
}
