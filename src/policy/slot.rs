//! One place in the table of children.

use super::child::Child;
use super::deps::Links;
use super::due::Due;
use super::phase::{Over, Phase};
use crate::model::alike::Alike;
use crate::model::memory::Hold;
use crate::model::{ChildId, ChildSpec, GroupId, Member, Uptime};

/// One place in the table. A child keeps its place over reloads.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) spec: ChildSpec,
    pub(super) child: Child,
    /// Of most children none.
    pub(super) links: Alike<Links>,
    /// Its group, and its place there; `None` while it is leaving.
    pub(super) parent: Option<(GroupId, u16)>,
    /// Something that it requires and that is down for good.
    pub(super) blocked: Option<Member>,
    /// Whether that was so when children were last started.
    pub(super) was_blocked: bool,
    /// Within an order: the group that keeps down something that it requires.
    pub(super) lacks: Option<GroupId>,
    /// A path that it waits for is not there, as far as we know.
    pub(super) awaits: bool,
    pub(super) presence: Presence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Configured,
    /// No longer configured; its place is free when it is down.
    Leaving,
    /// A place for a new child.
    Free,
}

/// A slot's specification and state, apart from each other.
pub(super) struct SlotParts<'a> {
    pub(super) spec: &'a ChildSpec,
    pub(super) child: &'a mut Child,
}

impl Slot {
    pub(super) fn new(id: ChildId, spec: ChildSpec) -> Self {
        let child = Child::new(id, &spec.life);
        let awaits = !spec.life.wait_path.is_empty();
        Self {
            awaits,
            spec,
            child,
            links: Alike::default(),
            parent: None,
            blocked: None,
            was_blocked: false,
            lacks: None,
            presence: Presence::Configured,
        }
    }

    /// Whether a person, or the configuration, wants it to run, whatever its group does.
    pub(super) fn wants_to_run(&self) -> bool {
        let by_people = match self.child.hold {
            Hold::None => self.spec.life.autostart,
            Hold::Up => true,
            Hold::Down | Hold::DownUntil(_) => false,
        };
        by_people && self.presence == Presence::Configured
    }

    /// The next moment at which something happens by itself, and what.
    pub(super) fn deadline(&self) -> Option<(Uptime, Due)> {
        self.child.deadline(&self.spec.life)
    }

    /// Whether it is ready, or has done its work with success.
    pub(super) fn is_ready(&self) -> bool {
        matches!(
            self.child.phase,
            Phase::Up { .. } | Phase::Over(Over::Finished { clean: true })
        )
    }
}
