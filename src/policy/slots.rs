//! The table of children, and until when each can be left alone: an event touches one of
//! a thousand, and the others are not asked again when something is due.

use alloc::vec::Vec;
use core::ops::Deref;

use super::due::{Due, earliest};
use super::slot::{Presence, Slot};
use crate::model::{ChildId, Uptime};

/// The moment of what has none.
const NEVER: Uptime = Uptime::from_millis(i64::MAX);

/// Read like a slice. A slot is changed through `touch`, after which it is asked anew.
#[derive(Debug, Default)]
pub(super) struct Slots {
    all: Vec<Slot>,
    /// Of each slot a moment before which nothing is due: its deadline when it was last
    /// asked, [`Uptime::MIN`] since it was touched.
    quiet_until: Vec<Uptime>,
}

impl Slots {
    pub(super) fn push(&mut self, slot: Slot) {
        self.all.push(slot);
        self.quiet_until.push(Uptime::MIN);
    }

    /// A slot that is about to be changed.
    pub(super) fn touch(&mut self, id: ChildId) -> &mut Slot {
        self.quiet_until[id.index()] = Uptime::MIN;
        &mut self.all[id.index()]
    }

    /// The same where there may be none.
    pub(super) fn get_mut(&mut self, id: ChildId) -> Option<&mut Slot> {
        (id.index() < self.all.len()).then(|| self.touch(id))
    }

    /// All of them, about to be changed.
    pub(super) fn touch_all(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.quiet_until.fill(Uptime::MIN);
        self.all.iter_mut()
    }

    /// Whether something is due of this child by now.
    pub(super) fn is_due(&mut self, id: ChildId, now: Uptime) -> bool {
        let quiet_until = &mut self.quiet_until[id.index()];
        if *quiet_until > now {
            return false;
        }
        let due = self.all[id.index()].deadline();
        *quiet_until = at_or_never(due);
        due.is_some_and(|(at, _)| at <= now)
    }

    /// The earliest of a deadline and those of all children; of two at once the first.
    pub(super) fn soonest(&self, ours: Option<(Uptime, Due)>) -> Option<(Uptime, Due)> {
        let mut soonest = ours;
        let mut limit = at_or_never(ours);
        for (n, &quiet_until) in self.quiet_until.iter().enumerate() {
            let slot = &self.all[n];
            if quiet_until < limit && slot.presence != Presence::Free {
                soonest = earliest(soonest, slot.deadline());
                limit = at_or_never(soonest);
            }
        }
        soonest
    }

    /// Whether nothing is due of anybody before we would ask.
    pub(super) fn is_honest(&self) -> bool {
        let mut each = self.all.iter().zip(&self.quiet_until);
        each.all(|(slot, &quiet_until)| {
            quiet_until == at_or_never(slot.deadline()) || quiet_until == Uptime::MIN
        })
    }
}

fn at_or_never(due: Option<(Uptime, Due)>) -> Uptime {
    due.map_or(NEVER, |(at, _)| at)
}

impl Deref for Slots {
    type Target = [Slot];

    fn deref(&self) -> &[Slot] {
        &self.all
    }
}

#[cfg(test)]
mod tests {
    use super::super::phase::Phase;
    use super::*;
    use crate::model::spec::{Launch, Life, LogSpec};
    use crate::model::{ChildSpec, Member};

    const ONE: ChildId = ChildId(1);

    fn at(millis: i64) -> Uptime {
        Uptime::from_millis(millis)
    }

    fn spec() -> ChildSpec {
        ChildSpec {
            name: "a".into(),
            launch: Launch::default(),
            log: LogSpec::Ring,
            life: Life::default().into(),
        }
    }

    /// Children that wait until then.
    fn waiting(moments: [i64; 3]) -> Slots {
        let mut slots = Slots::default();
        for (n, until) in (0..).zip(moments.map(at)) {
            slots.push(Slot::new(ChildId(n), spec()));
            slots.touch(ChildId(n)).child.phase = Phase::Waiting { until };
        }
        slots
    }

    #[test]
    fn the_earliest_is_the_soonest_and_of_two_at_once_the_first() {
        let restart = |n, millis| Some((at(millis), Due::Restart(Member::Child(ChildId(n)))));
        let ours = Some((at(2), Due::Save));
        let table = [
            ([3, 2, 2], None, restart(1, 2)),
            ([3, 2, 1], ours, restart(2, 1)),
            ([3, 2, 2], ours, ours),
        ];
        for (moments, ours, soonest) in table {
            let mut slots = waiting(moments);
            assert_eq!(slots.soonest(ours), soonest, "{moments:?}, untold");
            for n in 0..3 {
                assert!(!slots.is_due(ChildId(n), at(0)));
            }
            assert_eq!(slots.soonest(ours), soonest, "{moments:?}");
        }
    }

    #[test]
    fn who_is_touched_is_asked_anew() {
        let mut slots = waiting([9, 5, 9]);
        assert!(!slots.is_due(ONE, at(4)) && slots.is_due(ONE, at(5)));
        slots.touch(ONE).child.phase = Phase::Idle;
        assert!(!slots.is_due(ONE, at(5)));
        let until = at(2);
        slots.touch(ONE).child.phase = Phase::Waiting { until };
        assert!(slots.is_honest() && slots.is_due(ONE, until));
    }

    #[test]
    fn a_free_place_has_no_deadline() {
        let mut slots = waiting([9, 5, 9]);
        slots.touch(ONE).presence = Presence::Free;
        assert_eq!(slots.soonest(None).map(|(at, _)| at), Some(at(9)));
    }
}
