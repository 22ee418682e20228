//! Who waits for whom: `after` and `requires`, as numbers.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::model::{ChildId, ChildSpec};

/// The neighbours of one child.
#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    /// Those that it waits for, where they start at all.
    pub(super) after: Box<[ChildId]>,
    /// Those without which it does not run.
    pub(super) requires: Box<[ChildId]>,
    /// Those that wait for it or need it.
    pub(super) users: Box<[ChildId]>,
}

/// The links of all children, and an order in which each comes after all it waits
/// for; where that leaves a choice, the order of the configuration. Names that are
/// not configured are passed over: the configuration's checker has refused them.
pub(super) fn link(specs: &[(ChildId, &ChildSpec)], slots: usize) -> (Vec<Links>, Box<[ChildId]>) {
    let find = |names: &[Box<str>]| -> Box<[ChildId]> {
        let ids = names.iter().filter_map(|name| {
            specs
                .iter()
                .find(|(_, spec)| spec.name == *name)
                .map(|(id, _)| *id)
        });
        ids.collect()
    };
    let mut links: Vec<Links> = (0..slots).map(|_| Links::default()).collect();
    let mut users: Vec<Vec<ChildId>> = alloc::vec![Vec::new(); slots];
    for (id, spec) in specs {
        let (after, requires) = (find(&spec.life.after), find(&spec.life.requires));
        for before in after.iter().chain(&*requires) {
            users[before.index()].push(*id);
        }
        links[id.index()] = Links {
            after,
            requires,
            users: Box::default(),
        };
    }
    for (link, users) in links.iter_mut().zip(users) {
        link.users = users.into_boxed_slice();
    }
    let order = in_order(specs, &links);
    (links, order)
}

/// Depth first, each child behind all that it waits for. Without recursion: a chain
/// of a thousand children must not need a thousand stack frames.
fn in_order(specs: &[(ChildId, &ChildSpec)], links: &[Links]) -> Box<[ChildId]> {
    let mut seen = alloc::vec![false; links.len()];
    let mut order = Vec::with_capacity(specs.len());
    let mut path: Vec<(ChildId, usize)> = Vec::new();
    for (id, _) in specs {
        if !core::mem::replace(&mut seen[id.index()], true) {
            path.push((*id, 0));
        }
        while let Some((id, visited)) = path.last_mut() {
            let link = &links[id.index()];
            if let Some(before) = link.after.iter().chain(&*link.requires).nth(*visited) {
                *visited += 1;
                if !core::mem::replace(&mut seen[before.index()], true) {
                    path.push((*before, 0));
                }
            } else {
                order.push(*id);
                path.pop();
            }
        }
    }
    order.into_boxed_slice()
}
