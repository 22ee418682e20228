//! How children stand, in the words of the model.

use crate::model::memory::Hold;
use crate::model::report::{ChildReport, EndedReport, HoldReport, State};
use crate::model::{ChildId, Uptime};
use crate::policy::{Due, Over, Phase, Supervisor};

/// How one child stands.
pub(super) fn child(
    supervisor: &Supervisor,
    id: ChildId,
    adopted: bool,
    now: Uptime,
) -> ChildReport {
    let (spec, child) = (supervisor.spec(id), supervisor.child(id));
    let budget = &spec.life.budget;
    let process = child.phase().process();
    let name_of = |id| supervisor.spec(id).name.to_string();
    ChildReport {
        name: spec.name.to_string(),
        state: state(supervisor, id),
        waits_for: supervisor
            .blocked_by(id)
            .or_else(|| supervisor.waits_for(id))
            .map(name_of),
        pid: process.map(|process| process.pid),
        run: child.runs(),
        up: process.map(|process| now - process.at),
        adopted,
        hold: match child.hold() {
            Hold::None => HoldReport::None,
            Hold::Up => HoldReport::Up,
            Hold::Down => HoldReport::Down,
            Hold::DownUntil(until) => HoldReport::DownFor(until - now),
        },
        next: child
            .deadline(&spec.life)
            .filter(|(_, due)| is_told(*due))
            .map(|(at, _)| at - now),
        restarts: child.restarts(),
        failures: child.failures(),
        streak: child.streak(),
        recent: child.window().recent(budget, now),
        max_restarts: budget.max_restarts,
        window: budget.window,
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
            .collect(),
        up_total: child.up_total(now),
        wanted_total: child.wanted_total(now),
    }
}

/// Whether a person wants to know when it will happen.
fn is_told(due: Due) -> bool {
    match due {
        Due::Restart(_) | Due::Try(_) | Due::StartTimeout(_) | Due::Kill(_) | Due::Term(_) => true,
        Due::Settle(_) | Due::Look(_) | Due::Save | Due::Shutdown => false,
    }
}

/// What a child is doing, in one word.
pub(super) fn state(supervisor: &Supervisor, id: ChildId) -> State {
    match *supervisor.child(id).phase() {
        Phase::Idle if !supervisor.is_wanted(id) => State::Stopped,
        Phase::Idle if supervisor.blocked_by(id).is_some() => State::Held,
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
    }
}
