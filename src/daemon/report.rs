//! How children and groups stand, in the words of the model.

use super::core::Core;
use crate::model::Gather as _;
use crate::model::memory::Hold;
use crate::model::report::{
    CauseReport, ChildReport, EndedReport, GroupReport, GroupState, HoldReport, State, SupReport,
};
use crate::model::standing::Row;
use crate::model::words::Names;
use crate::model::{ChildId, GroupId, Member, Uptime};
use crate::os::clock;
use crate::os::procfs::Resident;
use crate::policy::{Cause, Due, Group, GroupPhase, Over, Phase, Supervisor, Then};

/// How sup itself stands.
pub(super) fn sup(core: &Core) -> SupReport {
    let config = core.config.as_ref();
    SupReport {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        up: clock::now() - core.started,
        config: config.map_or_else(String::new, |path| path.display().to_string()),
        memory_fault: core.saving.fault.clone(),
    }
}

/// How one child or group stands. `None`: a reload has taken it away since the rows were
/// looked up; the numbers of groups are then given anew, and there may be fewer.
pub(super) fn row(core: &Core, member: Member, resident: &Resident, now: Uptime) -> Option<Row> {
    let supervisor = &core.supervisor;
    match member {
        Member::Child(id) => {
            let adopted = core.adopted(id).is_some();
            let report = child(supervisor, id, adopted, resident, now);
            let health = core.checking.health(supervisor, Some(id));
            Some(Row::Child(ChildReport { health, ..report }))
        }
        Member::Group(id) => {
            let is_there = |(_, row): &(u16, Member)| *row == member;
            let known = id == GroupId::ROOT || supervisor.rows().iter().any(is_there);
            known.then(|| Row::Group(group(supervisor, id, now)))
        }
    }
}

fn child(
    supervisor: &Supervisor,
    id: ChildId,
    adopted: bool,
    resident: &Resident,
    now: Uptime,
) -> ChildReport {
    let (spec, child) = (supervisor.spec(id), supervisor.child(id));
    let budget = &spec.life.budget;
    let process = child.phase().process();
    let group = supervisor.group(supervisor.group_of(id));
    let counted = group.counted(now).filter(|_| budget.max_restarts.is_none());
    let waits_for = supervisor
        .blocked_by(id)
        .or_else(|| supervisor.kept_down_by(id).map(Member::Group))
        .or_else(|| supervisor.waits_for(id));
    let is_own =
        |member| matches!(member, Member::Group(group) if supervisor.is_child_within(id, group));
    ChildReport {
        name: spec.name.to_string(),
        state: state(supervisor, id),
        waits_for_own: waits_for.is_some_and(is_own),
        waits_for: waits_for
            .map(|member| supervisor.member(member).to_owned())
            .or_else(|| path(supervisor, id)),
        kept_down_by: supervisor
            .kept_down_by(id)
            .map(|group| supervisor.member(Member::Group(group)).to_owned()),
        group: parent_name(supervisor, group),
        depth: depth(supervisor, Member::Child(id)),
        pid: process.map(|process| process.pid),
        run: child.runs(),
        up: process.map(|process| now - process.at),
        resident: process.and_then(|process| resident.session(process.pid)),
        adopted,
        hold: hold(child.hold(), now),
        next: child
            .next(&spec.life)
            .filter(|(_, due)| is_told(*due))
            .map(|(at, _)| at - now),
        restarts: child.restarts(),
        failures: child.failures(),
        streak: child.streak(),
        recent: counted.map_or_else(|| child.window().recent(budget, now), |(made, _)| made),
        max_restarts: counted.map_or(budget.max_restarts, |(_, max)| Some(max)),
        window: match (counted, group.spec().budget) {
            (Some(_), Some(budget)) => budget.window,
            _ => budget.window,
        },
        counted_by_group: counted.is_some(),
        taken_by: child.taken_by().map(|by| cause(supervisor, by, now)),
        trial: child.is_trial(),
        policy: spec.life.restart.name().to_owned(),
        exits: child
            .exits()
            .map(|ended| EndedReport {
                nth: ended.nth,
                exit: ended.exit,
                ago: now - ended.at,
                ran: ended.ran,
                asked: ended.asked,
            })
            .gather(),
        health: None,
        up_total: child.up_total(now),
        wanted_total: child.wanted_total(now),
    }
}

/// The paths that it waits for.
fn path(supervisor: &Supervisor, id: ChildId) -> Option<String> {
    let waits = supervisor.waits_for_path(id);
    waits.then(|| supervisor.spec(id).life.wait_path.join(", "))
}

fn group(supervisor: &Supervisor, id: GroupId, now: Uptime) -> GroupReport {
    let group = supervisor.group(id);
    let spec = group.spec();
    let parent = group.parent().map(|id| supervisor.group(id));
    let recent = group.counted(now);
    GroupReport {
        name: spec.name.to_string(),
        group: parent.and_then(|parent| parent_name(supervisor, parent)),
        depth: depth(supervisor, Member::Group(id)),
        strategy: spec.strategy.name().to_owned(),
        state: group_state(group),
        waits_for: group
            .coming()
            .map(|member| supervisor.member(member).to_owned()),
        kept_down_by: supervisor
            .group_kept_down_by(id)
            .map(|above| supervisor.member(Member::Group(above)).to_owned()),
        up: group.up_since().map(|since| now - since),
        hold: hold(group.hold(), now),
        next: group
            .deadline()
            .filter(|(_, due)| is_told(*due))
            .map(|(at, _)| at - now),
        restarts: group.restarts(),
        failures: group.failures(),
        streak: group.streak(),
        recent: recent.map_or(0, |(made, _)| made),
        max_restarts: recent.map(|(_, max)| max),
        window: spec.budget.map(|budget| budget.window),
        trial: group.is_trial(),
        last: group.cause().map(|by| cause(supervisor, by, now)),
        instances: spec
            .template
            .as_ref()
            .map(|_| u16::try_from(group.members().len()).unwrap_or(u16::MAX)),
        up_total: group.up_total(now),
        wanted_total: group.wanted_total(now),
    }
}

fn group_state(group: &Group) -> GroupState {
    match *group.phase() {
        GroupPhase::Idle if group.is_held() => GroupState::Stopped,
        GroupPhase::Idle => GroupState::Queued,
        GroupPhase::Rising { .. } => GroupState::Starting,
        GroupPhase::Up { .. } => GroupState::Up,
        GroupPhase::Falling {
            then: Then::Rise | Then::Waiting { .. },
            ..
        } => GroupState::Restarting,
        GroupPhase::Falling { .. } => GroupState::Stopping,
        GroupPhase::Waiting { .. } => GroupState::Backoff,
        GroupPhase::Over(Over::Finished { clean: true }) => GroupState::Finished,
        GroupPhase::Over(Over::Finished { clean: false }) => GroupState::Failed,
        GroupPhase::Over(_) if group.is_held() => GroupState::Stopped,
        GroupPhase::Over(Over::GaveUp) => GroupState::GaveUp,
        GroupPhase::Over(Over::Parked { .. }) => GroupState::Parked,
        GroupPhase::Over(Over::TakenAlong) => GroupState::Stopped,
    }
}

/// A group's name; `None` for the root, which is everywhere.
fn parent_name(supervisor: &Supervisor, group: &Group) -> Option<String> {
    let is_root = *group.spec().name == *supervisor.group(GroupId::ROOT).spec().name;
    (!is_root).then(|| group.spec().name.to_string())
}

/// How many groups it is in, the root not counted.
fn depth(supervisor: &Supervisor, member: Member) -> u16 {
    let mut group = match member {
        Member::Child(id) => Some(supervisor.group_of(id)),
        Member::Group(id) => supervisor.group(id).parent(),
    };
    let mut depth = 0;
    while let Some(id) = group.filter(|id| *id != GroupId::ROOT) {
        depth += 1;
        group = supervisor.group(id).parent();
    }
    depth
}

fn cause(supervisor: &Supervisor, cause: &Cause, now: Uptime) -> CauseReport {
    let spec = supervisor.group(cause.group).spec();
    CauseReport {
        group: spec.name.to_string(),
        strategy: spec.strategy.name().to_owned(),
        by: supervisor.member(cause.by).to_owned(),
        exit: cause.exit,
        ago: now - cause.at,
    }
}

fn hold(hold: Hold, now: Uptime) -> HoldReport {
    match hold {
        Hold::None => HoldReport::None,
        Hold::Up => HoldReport::Up,
        Hold::Down => HoldReport::Down,
        Hold::DownUntil(until) => HoldReport::DownFor(until - now),
    }
}

/// Whether a person wants to know when it will happen.
fn is_told(due: Due) -> bool {
    match due {
        Due::Restart(_) | Due::Try(_) | Due::StartTimeout(_) | Due::Kill(_) | Due::Term(_) => true,
        Due::Settle(_)
        | Due::Look(_)
        | Due::Probe(_)
        | Due::Pulse(_)
        | Due::Save
        | Due::Shutdown => false,
    }
}

/// What a child is doing, in one word.
pub(super) fn state(supervisor: &Supervisor, id: ChildId) -> State {
    match *supervisor.child(id).phase() {
        Phase::Idle if !supervisor.is_wanted(id) => State::Stopped,
        Phase::Idle if supervisor.blocked_by(id).is_some() => State::Held,
        Phase::Idle if supervisor.kept_down_by(id).is_some() => State::Held,
        Phase::Idle => State::Queued,
        Phase::Starting { .. } => State::Starting,
        Phase::Readying { .. } => State::Readying,
        Phase::Up { .. } => State::Up,
        Phase::Stopping { .. } => State::Stopping,
        Phase::Clearing { .. } => State::Clearing,
        Phase::Waiting { .. } => State::Backoff,
        Phase::Over(Over::Finished { clean: true }) => State::Finished,
        Phase::Over(Over::Finished { clean: false }) => State::Failed,
        Phase::Over(_) if !supervisor.is_wanted(id) => State::Stopped,
        Phase::Over(Over::GaveUp) => State::GaveUp,
        Phase::Over(Over::Parked { .. }) => State::Parked,
        Phase::Over(Over::TakenAlong) => State::Stopped,
    }
}
