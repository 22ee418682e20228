//! A new configuration for a running supervisor: only what changed is touched.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Child, Group, Phase, Presence, Slot, Supervisor};
use crate::model::Gather as _;
use crate::model::spec::LogSpec;
use crate::model::tree::ROOT;
use crate::model::{ChildSpec, GroupId, Tree, Uptime};

/// What a reload does to one child or group.
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
    } else if old.launch != new.launch
        || is_piped(&old.log) != is_piped(&new.log)
        || told_watchdog(old) != told_watchdog(new)
    {
        Change::Restarted
    } else {
        Change::Adjusted
    }
}

/// What a child has been told of its watchdog when it was started.
fn told_watchdog(spec: &ChildSpec) -> Option<core::time::Duration> {
    let watchdog = spec.life.watchdog.as_ref()?;
    watchdog.file.is_none().then_some(watchdog.within)
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

/// What a reload would do: to children in the order of the new configuration, those that
/// go last, then to groups.
#[must_use]
pub fn plan(supervisor: &Supervisor, new: &Tree) -> Vec<(String, Change)> {
    let children = supervisor.children_of(new);
    let coming = children.iter().map(|spec| {
        let known = supervisor.find(&spec.name);
        let what = known.map_or(Change::Added, |id| change(supervisor.spec(id), spec));
        (spec.name.to_string(), what)
    });
    let going = supervisor
        .children()
        .filter(|(_, old, _)| children.iter().all(|spec| spec.name != old.name));
    let mut all: Vec<_> = coming.gather();
    all.extend(going.map(|(_, old, _)| (old.name.to_string(), Change::Removed)));
    all.extend(plan_groups(supervisor, new));
    all
}

fn plan_groups<'a>(
    supervisor: &'a Supervisor,
    new: &'a Tree,
) -> impl Iterator<Item = (String, Change)> + 'a {
    let coming = new.all_groups().map(|spec| {
        let known = supervisor.find_group(&spec.name);
        let what = match known.map(|id| supervisor.group(id).spec()) {
            None => Change::Added,
            Some(old) if old.is_same(spec) => Change::Kept,
            Some(_) => Change::Adjusted,
        };
        (spec.name.to_string(), what)
    });
    let going = supervisor
        .groups
        .iter()
        .filter(|old| new.all_groups().all(|spec| spec.name != old.spec.name))
        .map(|old| (old.spec.name.to_string(), Change::Removed));
    let root_kept = |(name, what): &(String, Change)| name != ROOT || *what != Change::Kept;
    coming.filter(root_kept).chain(going)
}

impl Supervisor {
    /// Takes a new configuration; the next event carries it out. Children and groups keep
    /// their memory, children their numbers; one that had been given up is tried again if
    /// what it runs has changed.
    pub fn reload(&mut self, new: Tree, shutdown_timeout: core::time::Duration, now: Uptime) {
        self.rules.shutdown_timeout = shutdown_timeout;
        let children = self.children_of(&new);
        for slot in self.slots.touch_all() {
            let stays = children.iter().any(|spec| spec.name == slot.spec.name);
            if slot.presence == Presence::Configured && !stays {
                slot.presence = Presence::Leaving;
                slot.child.tally.count_wanted(false, now);
            }
        }
        self.free_places();
        self.plant(new);
        self.out.save.soon();
    }

    /// The children of a tree with all its instances: as many as people have made of a
    /// template that goes on with the same count, else as many as it says.
    fn children_of(&self, new: &Tree) -> Vec<ChildSpec> {
        let mut all = new.children.to_vec();
        for spec in new.all_groups() {
            let mut group = Group::new(GroupId::ROOT, spec.clone());
            group.scale = self.scale_for(spec);
            all.extend(group.instances());
        }
        all
    }
}

impl Slot {
    pub(super) fn take(&mut self, spec: ChildSpec) {
        let what = change(&self.spec, &spec);
        if self.spec.life.wait_path != spec.life.wait_path {
            self.awaits = !spec.life.wait_path.is_empty();
        }
        let (old, new) = (&self.spec.life.checks, &spec.life.checks);
        self.child.checks.adjust(old, new);
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
