//! Children that wait for a path: a volume that is mounted later.

use super::{Phase, Supervisor};
use crate::model::{ChildId, GroupId, Member};

impl Supervisor {
    /// Whether it would start, were it not for a path that is not there.
    #[must_use]
    pub fn waits_for_path(&self, id: ChildId) -> bool {
        let slot = self.slot(id);
        slot.awaits
            && slot.child.phase == Phase::Idle
            && self.is_wanted(id)
            && !self.is_group_off(slot)
            && slot.blocked.is_none()
            && self.may_start(id)
    }

    /// Whether it is the turn of somebody below a group who waits for a path.
    #[must_use]
    pub fn waits_for_path_below(&self, group: GroupId) -> bool {
        match self.group(group).coming() {
            Some(Member::Child(id)) => self.waits_for_path(id),
            Some(Member::Group(id)) => self.waits_for_path_below(id),
            None => false,
        }
    }

    /// Somebody has looked.
    pub(super) fn know_paths(&mut self, child: ChildId, there: bool) {
        if let Some(slot) = self.slots.get_mut(child) {
            slot.awaits = !there && !slot.spec.life.wait_path.is_empty();
        }
    }
}
