//! What children and groups are doing, for the program that takes our place in the same
//! process. What is in memory is not repeated here; checks are not handed over, they begin
//! anew.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::group::{Cause, GroupPhase};
use super::phase::Phase;
use super::{Presence, Supervisor};
use crate::model::Gather as _;
use crate::model::order::StopWhy;
use crate::model::words::Names;
use crate::model::{ChildId, Exit, GroupId, Member, RunId, Uptime};

/// What children and groups are doing. Numbers may differ on the other side, names do not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// When it was written down.
    at: Uptime,
    children: Vec<ChildStands>,
    /// By their numbers.
    groups: Vec<GroupStands>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ChildStands {
    name: Box<str>,
    phase: Phase,
    recycle: bool,
    awaits: bool,
    trial: bool,
    taken_by: Option<NamedCause>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct GroupStands {
    name: Box<str>,
    phase: GroupPhase,
    trial: bool,
    opens: u32,
    has_runs: bool,
    has_come: bool,
    cause: Option<NamedCause>,
}

/// A [`Cause`] by names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct NamedCause {
    group: Box<str>,
    by: Box<str>,
    exit: Option<Exit>,
    at: Uptime,
}

/// Why nothing can be handed over now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotNow {
    /// Everything is being stopped.
    Ending,
    /// A process of this child is just being made.
    Starting(ChildId),
    /// This child is no longer configured, and still there.
    Leaving(ChildId),
}

/// What is handed over does not fit: this child has a process, and is not configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger(pub Box<str>);

impl Supervisor {
    /// What children and groups are doing, beyond what
    /// [`remember`](Supervisor::remember) says.
    ///
    /// # Errors
    /// A moment in which it could not be taken up again.
    pub fn hand_over(&self, now: Uptime) -> Result<Handover, NotNow> {
        if self.is_ending() {
            return Err(NotNow::Ending);
        }
        for (n, slot) in (0..).zip(self.slots.iter()) {
            if slot.presence == Presence::Leaving {
                return Err(NotNow::Leaving(ChildId(n)));
            }
            if let Phase::Starting { .. } = slot.child.phase {
                return Err(NotNow::Starting(ChildId(n)));
            }
        }
        let named = |cause: &Option<Cause>| cause.as_ref().map(|cause| self.named(cause));
        let children = self.children().map(|(id, spec, child)| ChildStands {
            name: spec.name.clone(),
            phase: child.phase,
            recycle: child.recycle,
            awaits: self.slot(id).awaits,
            trial: child.trial,
            taken_by: named(&child.taken_by),
        });
        let groups = self.groups.iter().map(|group| GroupStands {
            name: group.spec.name.clone(),
            phase: group.phase,
            trial: group.trial,
            opens: group.opens,
            has_runs: group.has_runs,
            has_come: group.has_come,
            cause: named(&group.cause),
        });
        Ok(Handover {
            at: now,
            children: children.gather(),
            groups: groups.gather(),
        })
    }

    /// Goes on where another program of this process has left off: after
    /// [`recall`](Supervisor::recall), before the first event.
    ///
    /// # Errors
    /// It is not of this configuration; then nothing has changed.
    pub fn take_over(&mut self, from: &Handover, now: Uptime) -> Result<(), Stranger> {
        let is_known = |child: &&ChildStands| self.find(&child.name).is_some();
        let mut strangers = from.children.iter().filter(|child| !is_known(child));
        if let Some(stranger) = strangers.find(|child| child.phase.is_alive()) {
            return Err(Stranger(stranger.name.clone()));
        }
        for stands in &from.groups {
            let Some(id) = self.find_group(&stands.name) else {
                continue;
            };
            let cause = self.cause(stands.cause.as_ref());
            let group = &mut self.groups[id.index()];
            (group.phase, group.trial) = (within(stands.phase, group.members.len()), stands.trial);
            (group.opens, group.cause) = (stands.opens, cause);
            (group.has_runs, group.has_come) = (stands.has_runs, stands.has_come);
            if let Some(since) = group.up_since() {
                group.tally.up = group.tally.up.saturating_sub(from.at - since);
            }
        }
        for stands in &from.children {
            let Some(id) = self.find(&stands.name) else {
                continue;
            };
            let taken_by = self.cause(stands.taken_by.as_ref());
            let phase = self.translate(stands.phase, id, &from.groups);
            let slot = self.slot_mut(id);
            slot.awaits = stands.awaits && !slot.spec.life.wait_path.is_empty();
            let child = &mut slot.child;
            (child.phase, child.recycle) = (phase, stands.recycle);
            (child.trial, child.taken_by) = (stands.trial, taken_by);
            if let Phase::Up { since, .. } = phase {
                child.tally.up = child.tally.up.saturating_sub(from.at - since);
            }
            // Checks begin anew: who is to be restarted must be found out again.
            let is_ready = matches!(phase, Phase::Up { .. });
            child.begin_watch(&slot.spec.life, is_ready, now);
        }
        self.mark_groups(now);
        for slot in self.slots.touch_all() {
            slot.was_blocked = slot.blocked.is_some(); // Has been told.
        }
        self.out.save.soon();
        Ok(())
    }

    fn named(&self, cause: &Cause) -> NamedCause {
        NamedCause {
            group: self.member(Member::Group(cause.group)).into(),
            by: self.member(cause.by).into(),
            exit: cause.exit,
            at: cause.at,
        }
    }

    fn cause(&self, named: Option<&NamedCause>) -> Option<Cause> {
        let named = named?;
        Some(Cause {
            group: self.find_group(&named.group)?,
            by: self.find_member(&named.by)?,
            exit: named.exit,
            at: named.at,
        })
    }

    /// A phase with our numbers instead of theirs.
    fn translate(&self, mut phase: Phase, id: ChildId, groups: &[GroupStands]) -> Phase {
        let group = |theirs: GroupId| {
            let name = groups.get(theirs.index()).map(|group| &*group.name);
            name.and_then(|name| self.find_group(name))
                .unwrap_or(GroupId::ROOT)
        };
        match &mut phase {
            Phase::Readying { process, .. }
            | Phase::Up { process, .. }
            | Phase::Stopping { process, .. }
            | Phase::Clearing { process, .. } => {
                let nth = process.run.nth;
                process.run = RunId { child: id, nth };
            }
            Phase::Idle | Phase::Starting { .. } | Phase::Waiting { .. } | Phase::Over(_) => {}
        }
        match &mut phase {
            // Who has been killed is not killed once more: a moment for it would be due for ever.
            Phase::Stopping {
                kill_at, killed, ..
            } if *killed => *kill_at = None,
            Phase::Clearing { sweep, .. } if sweep.killed => sweep.kill_at = None,
            Phase::Stopping { .. }
            | Phase::Clearing { .. }
            | Phase::Readying { .. }
            | Phase::Up { .. }
            | Phase::Idle
            | Phase::Starting { .. }
            | Phase::Waiting { .. }
            | Phase::Over(_) => {}
        }
        if let Phase::Stopping { why, .. } = &mut phase {
            *why = match *why {
                StopWhy::Taken(theirs) => StopWhy::Taken(group(theirs)),
                StopWhy::Group(theirs) => StopWhy::Group(group(theirs)),
                StopWhy::Asked
                | StopWhy::Recycle
                | StopWhy::Removed
                | StopWhy::Requirement
                | StopWhy::Shutdown
                | StopWhy::StartTimeout
                | StopWhy::Unhealthy
                | StopWhy::Watchdog => *why,
            };
        }
        phase
    }
}

/// A group's phase with the first of those that go down among so many members: the number
/// of another program is not believed.
fn within(mut phase: GroupPhase, members: usize) -> GroupPhase {
    if let GroupPhase::Falling { from, .. } = &mut phase {
        *from = u16::try_from(members).unwrap_or(u16::MAX).min(*from);
    }
    phase
}

#[cfg(test)]
mod tests {
    use super::super::group::Then;
    use super::super::phase::{Next, Over, Process, Sweep};
    use super::*;
    use core::time::Duration;

    fn child(name: &str, phase: Phase) -> ChildStands {
        ChildStands {
            name: name.into(),
            phase,
            recycle: false,
            awaits: true,
            trial: false,
            taken_by: None,
        }
    }

    const AT: Uptime = Uptime::from_millis(1_000);
    const RUN: RunId = RunId {
        child: ChildId(7),
        nth: 3,
    };
    const PROCESS: Process = Process {
        run: RUN,
        pid: 42,
        at: AT,
    };

    /// One of each.
    fn phases() -> Vec<Phase> {
        let (process, at) = (PROCESS, AT);
        let sweep = Sweep {
            kill_at: None,
            killed: true,
            look_at: at,
            pause: Duration::from_millis(20),
        };
        let fail_at = Some(at);
        let mut all = alloc::vec![
            Phase::Idle,
            Phase::Starting { run: RUN, at },
            Phase::Readying { process, fail_at },
            Phase::Up { process, since: at },
            Phase::Waiting { until: at },
            Phase::Over(Over::Finished { clean: true }),
            Phase::Over(Over::GaveUp),
            Phase::Over(Over::Parked { until: at }),
            Phase::Over(Over::TakenAlong),
        ];
        let whys = [
            StopWhy::Asked,
            StopWhy::Recycle,
            StopWhy::Removed,
            StopWhy::Requirement,
            StopWhy::Shutdown,
            StopWhy::StartTimeout,
            StopWhy::Taken(GroupId(1)),
            StopWhy::Group(GroupId::ROOT),
        ];
        all.extend(whys.map(|why| Phase::Stopping {
            process,
            why,
            kill_at: Some(at),
            killed: false,
        }));
        let nexts = [
            Next::Idle,
            Next::Waiting { until: at },
            Next::Over(Over::GaveUp),
        ];
        all.extend(nexts.map(|next| Phase::Clearing {
            process,
            sweep,
            next,
        }));
        all
    }

    /// One of each.
    fn group_phases() -> Vec<GroupPhase> {
        let (next, from) = (1, 1);
        let mut all = alloc::vec![
            GroupPhase::Idle,
            GroupPhase::Rising { next, fresh: true },
            GroupPhase::Up {
                since: AT,
                calm: AT
            },
            GroupPhase::Waiting { until: AT },
            GroupPhase::Over(Over::TakenAlong),
        ];
        let thens = [
            Then::Rise,
            Then::Idle,
            Then::Waiting { until: AT },
            Then::Over(Over::GaveUp),
        ];
        all.extend(thens.map(|then| GroupPhase::Falling { from, next, then }));
        all
    }

    fn example() -> Handover {
        let cause = NamedCause {
            group: "g".into(),
            by: "a".into(),
            exit: Some(Exit::Vanished),
            at: AT,
        };
        let group = |phase| GroupStands {
            name: "g".into(),
            phase,
            trial: true,
            opens: 2,
            has_runs: true,
            has_come: false,
            cause: Some(cause.clone()),
        };
        Handover {
            at: AT,
            children: phases()
                .into_iter()
                .map(|phase| child("a", phase))
                .collect(),
            groups: group_phases().into_iter().map(group).collect(),
        }
    }

    /// Where this fails, a phase has changed: then `daemon::baton::VERSION` changes too, and
    /// the file gets a new name, unless no release has had it (`SUP_GOLDEN=write`).
    #[test]
    fn the_bytes_are_those_of_version_1() {
        let bytes = postcard::to_allocvec(&example()).unwrap();
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/handover-v1.bin");
        if std::env::var_os("SUP_GOLDEN").is_some() {
            std::fs::write(golden, &bytes).unwrap();
        }
        assert_eq!(std::fs::read(golden).unwrap_or_default(), bytes);
        let (read, rest) = postcard::take_from_bytes::<Handover>(&bytes).unwrap();
        assert_eq!((read, rest.len()), (example(), 0));
    }
}
