//! Who waits for whom: `after` and `requires`, as numbers.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::group::{Group, GroupPhase, Then};
use super::phase::{Next, Over, Phase};
use super::{Presence, Slot, Supervisor};
use crate::model::Gather as _;
use crate::model::sorted::Map;
use crate::model::{ChildId, Member, RestartPolicy};

/// The neighbours of one child.
#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    /// Those that it waits for, where they start at all.
    pub(super) after: Box<[Member]>,
    /// Those without which it does not run.
    pub(super) requires: Box<[Member]>,
    /// The children that wait for it or need it, or a group that it is in.
    pub(super) users: Box<[ChildId]>,
}

impl Links {
    pub(super) fn is_empty(&self) -> bool {
        self.after.is_empty() && self.requires.is_empty() && self.users.is_empty()
    }
}

/// The links of all slots. Names that nobody has are passed over: the configuration's
/// checker has refused them.
pub(super) fn link(slots: &[Slot], groups: &[Group]) -> Vec<Links> {
    let mut names: Map<&str, Member> = Map::new();
    for group in groups {
        names.insert(&group.spec.name, Member::Group(group.id));
    }
    let present = (0..)
        .zip(slots)
        .filter(|(_, slot)| slot.presence != Presence::Free);
    for (n, slot) in present.clone() {
        names.insert(&slot.spec.name, Member::Child(ChildId(n)));
    }
    let find = |wanted: &[Box<str>]| -> Box<[Member]> {
        wanted
            .iter()
            .filter_map(|name| names.get(&**name).copied())
            .gather()
    };
    let mut links: Vec<Links> = slots.iter().map(|_| Links::default()).gather();
    let mut users: Vec<Vec<ChildId>> = alloc::vec![Vec::new(); slots.len()];
    for (n, slot) in present {
        let (after, requires) = (find(&slot.spec.life.after), find(&slot.spec.life.requires));
        for &before in after.iter().chain(&*requires) {
            each_child(before, groups, &mut |id| {
                users[id.index()].push(ChildId(n));
            });
        }
        links[usize::from(n)].after = after;
        links[usize::from(n)].requires = requires;
    }
    for (link, users) in links.iter_mut().zip(users) {
        link.users = users.into_boxed_slice();
    }
    links
}

/// Every child of a member, however deep.
fn each_child(member: Member, groups: &[Group], act: &mut impl FnMut(ChildId)) {
    let mut left = alloc::vec![member];
    while let Some(member) = left.pop() {
        match member {
            Member::Child(id) => act(id),
            Member::Group(id) => left.extend_from_slice(&groups[id.index()].members),
        }
    }
}

impl Supervisor {
    /// Whether what waits for it may start.
    pub(super) fn is_ready(&self, member: Member) -> bool {
        match member {
            Member::Child(id) => self.slot(id).is_ready(),
            Member::Group(id) => matches!(
                self.groups[id.index()].phase,
                GroupPhase::Up { .. } | GroupPhase::Over(Over::Finished { clean: true })
            ),
        }
    }

    /// Whether those that require it cannot run: it is down, and will not come back by
    /// itself. What is only being restarted blocks nobody.
    pub(super) fn blocks(&self, member: Member) -> bool {
        match member {
            Member::Child(id) => self.child_blocks(id),
            Member::Group(id) => {
                let group = &self.groups[id.index()];
                let done = matches!(
                    group.phase,
                    GroupPhase::Over(Over::Finished { clean: true })
                        | GroupPhase::Falling {
                            then: Then::Over(Over::Finished { clean: true }),
                            ..
                        }
                );
                group.is_off && !done
            }
        }
    }

    fn child_blocks(&self, id: ChildId) -> bool {
        let slot = self.slot(id);
        match slot.child.phase {
            Phase::Over(Over::Finished { clean: true })
            | Phase::Clearing {
                next: Next::Over(Over::Finished { clean: true }),
                ..
            } => false,
            Phase::Over(_)
            | Phase::Clearing {
                next: Next::Over(_),
                ..
            } => true,
            Phase::Idle
            | Phase::Starting { .. }
            | Phase::Readying { .. }
            | Phase::Up { .. }
            | Phase::Stopping { .. }
            | Phase::Clearing { .. }
            | Phase::Waiting { .. } => {
                !slot.wants_to_run()
                    || slot.blocked.is_some()
                    || self.is_group_off(slot)
                    || self.is_taken_for_good(id)
            }
        }
    }

    /// Whether its group takes it down with others, and its policy asks for no more.
    fn is_taken_for_good(&self, id: ChildId) -> bool {
        let child = &self.slot(id).child;
        let goes = child.phase.is_alive() && !matches!(child.phase, Phase::Clearing { .. });
        let temporary = self.slot(id).spec.life.restart == RestartPolicy::No;
        goes && temporary && !child.recycle && self.is_taken(id)
    }
}
