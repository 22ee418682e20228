//! What is decided when a run is over, on its way to the sup that comes after us, should we
//! be killed: memory on the disk may be a minute older, and does not know of waits.

use super::core::Core;
use crate::model::Gather as _;
use crate::model::{ChildId, Member, Order, RunId, Uptime};
use crate::os::adopt::{self, Then, Verdict};
use crate::policy::{Event, Next, Over, Phase};
use crate::replay;

impl Core {
    /// Whom an event may have given something new to wait for, or nothing more.
    pub(super) fn decided_on(&self, event: Event) -> Vec<ChildId> {
        match event {
            Event::Exited { run, .. } | Event::Cleared { run } | Event::StartFailed { run, .. } => {
                vec![run.child]
            }
            Event::Order {
                of,
                order: Order::Start | Order::Restart | Order::Reset,
            } => {
                let supervisor = &self.supervisor;
                let all = supervisor.children().map(|(id, _, _)| id);
                all.filter(|&id| match of {
                    Member::Child(child) => id == child,
                    Member::Group(group) => supervisor.is_child_within(id, group),
                })
                .gather()
            }
            Event::Order {
                order: Order::Stop { .. } | Order::Signal(_),
                ..
            }
            | Event::Tick
            | Event::Started { .. }
            | Event::Ready { .. }
            | Event::Paths { .. }
            | Event::Probed { .. }
            | Event::Pulse { .. }
            | Event::Shutdown
            | Event::Remember
            | Event::SaveFailed => Vec::new(),
        }
    }

    /// Writes down what has been decided about a child without a process.
    pub(super) fn write_verdict(&self, id: ChildId) {
        let Some(dir) = self.runtime.as_ref().filter(|_| self.acts()) else {
            return;
        };
        let child = self.supervisor.child(id);
        let name = &self.supervisor.spec(id).name;
        let then = match *child.phase() {
            Phase::Waiting { until } => Then::Waits(until),
            Phase::Over(Over::Finished { clean }) => Then::Finished(clean),
            Phase::Over(Over::GaveUp) => Then::GaveUp,
            Phase::Over(Over::Parked { until }) => Then::Parked(until),
            Phase::Over(Over::TakenAlong) => Then::TakenAlong,
            // It starts when it may; whatever was decided before is void.
            Phase::Idle => return adopt::erase(dir, name),
            // It has no process yet, and the record is of a run that is over.
            Phase::Starting { .. } if self.live(id).is_none() => return adopt::erase(dir, name),
            Phase::Starting { .. }
            | Phase::Readying { .. }
            | Phase::Up { .. }
            | Phase::Stopping { .. }
            | Phase::Clearing { .. } => return,
        };
        let (boot, nth) = (self.boot, child.runs());
        // What cannot be written here costs a wait, or a job that is done twice.
        let _written = Verdict { boot, nth, then }.write(dir, name);
    }

    /// Takes up what another sup had decided before it was killed.
    pub(super) fn adopt_verdict(&mut self, child: ChildId, verdict: Verdict, now: Uptime) {
        let next = match verdict.then {
            Then::Waits(until) => Next::Waiting { until },
            Then::Finished(clean) => Next::Over(Over::Finished { clean }),
            Then::GaveUp => Next::Over(Over::GaveUp),
            Then::Parked(until) => Next::Over(Over::Parked { until }),
            Then::TakenAlong => Next::Over(Over::TakenAlong),
        };
        let nth = verdict.nth;
        self.record(|supervisor| replay::decided(RunId { child, nth }, next, supervisor));
        self.supervisor.adopt_verdict(child, nth, next, now);
    }
}
