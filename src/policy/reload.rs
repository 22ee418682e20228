//! A new configuration for a running supervisor: only what changed is touched.

use alloc::vec::Vec;

use super::{Child, Phase, Presence, Slot, Supervisor};
use crate::model::memory::ChildMemory;
use crate::model::spec::LogSpec;
use crate::model::{ChildId, ChildSpec, Uptime};

/// What a reload does to one child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// It is stopped and forgotten.
    Removed,
    /// It is restarted, because what it runs, or how, has changed.
    Restarted,
    /// It goes on; its rules have changed.
    Adjusted,
    /// Nothing.
    Kept,
}

/// What a change from `old` to `new` means for this child.
#[must_use]
pub fn change(old: &ChildSpec, new: &ChildSpec) -> Change {
    if old == new {
        Change::Kept
    } else if old.launch != new.launch || is_piped(&old.log) != is_piped(&new.log) {
        Change::Restarted
    } else {
        Change::Adjusted
    }
}

/// Whether output comes through our pipe: what is behind that can change while the
/// child runs.
fn is_piped(log: &LogSpec) -> Option<bool> {
    match log {
        LogSpec::Ring | LogSpec::File(_) => Some(true),
        LogSpec::Inherit => Some(false),
        LogSpec::Null => None,
    }
}

/// What a reload would do, in the order of the new configuration, removals last.
#[must_use]
pub fn plan<'a>(supervisor: &'a Supervisor, new: &'a [ChildSpec]) -> Vec<(&'a str, Change)> {
    let coming = new.iter().map(|spec| {
        let known = supervisor.find(&spec.name);
        let what = known.map_or(Change::Added, |id| change(supervisor.spec(id), spec));
        (&*spec.name, what)
    });
    let going = supervisor
        .children()
        .filter(|(_, old, _)| new.iter().all(|spec| spec.name != old.name));
    coming
        .chain(going.map(|(_, old, _)| (&*old.name, Change::Removed)))
        .collect()
}

impl Supervisor {
    /// Takes a new configuration; the next event carries it out. Children keep their
    /// memory and their numbers; one that had been given up is tried again if what it
    /// runs has changed.
    pub fn reload(
        &mut self,
        new: Vec<ChildSpec>,
        shutdown_timeout: core::time::Duration,
        now: Uptime,
    ) {
        self.rules.shutdown_timeout = shutdown_timeout;
        for slot in &mut self.slots {
            let stays = new.iter().any(|spec| spec.name == slot.spec.name);
            if slot.presence == Presence::Configured && !stays {
                slot.presence = Presence::Leaving;
                slot.child.count_wanted(false, now);
            }
        }
        self.free_places();
        for spec in new {
            match self.find_present(&spec.name) {
                Some(id) => self.slots[id.index()].take(spec),
                None => self.add(spec),
            }
        }
        self.link();
        self.out.save.soon();
    }

    /// Configured or still leaving: a child that comes back while it is being stopped
    /// keeps its place.
    fn find_present(&self, name: &str) -> Option<ChildId> {
        let mut present = (0..)
            .zip(&self.slots)
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
        let place = free.unwrap_or(self.slots.len());
        let id = ChildId(u16::try_from(place).expect("the configuration has at most CHILDREN_MAX"));
        let mut slot = Slot::new(id, spec);
        if let Some(old) = self.slots.get_mut(place) {
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
}

impl Slot {
    fn take(&mut self, spec: ChildSpec) {
        let what = change(&self.spec, &spec);
        self.spec = spec;
        self.presence = Presence::Configured;
        if what == Change::Restarted {
            match self.child.phase {
                Phase::Readying { .. } | Phase::Up { .. } | Phase::Starting { .. } => {
                    self.child.recycle = true;
                }
                Phase::Idle
                | Phase::Waiting { .. }
                | Phase::Stopping { .. }
                | Phase::Clearing { .. }
                | Phase::Over(_) => self.child.forgive(),
            }
        }
        Child::adjust(&mut self.child, &self.spec.life);
    }
}
