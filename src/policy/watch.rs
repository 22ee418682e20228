//! Whether a child is well, and whether it has hung: what its checks and its watchdog
//! lead to.

use super::action::Action;
use super::child::{Around, Child, Out};
use super::due::{Due, earliest};
use super::health::{Checks, Moment};
use super::phase::{Phase, Process};
use crate::model::check::{CheckId, Health};
use crate::model::order::StopWhy;
use crate::model::spec::Life;
use crate::model::{RunId, Uptime};

/// When a child last showed that it lives.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pulse {
    /// `None`: not in this run, as far as we know.
    last: Option<Uptime>,
    /// Whether we have asked, and have not been answered.
    asked: bool,
}

impl Child {
    /// A run has a process: what is known of the one before it is over.
    pub(super) fn begin_watch(&mut self, life: &Life, is_ready: bool, at: Uptime) {
        self.pulse = Pulse::default();
        let moment = Moment {
            now: at,
            started: at,
            is_ready,
        };
        self.checks.begin(&life.checks, moment);
    }

    /// The next probe, or the next look whether it lives.
    pub(super) fn watch_deadline(&self, life: &Life) -> Option<(Uptime, Due)> {
        let (Phase::Readying { .. } | Phase::Up { .. }) = self.phase else {
            return None;
        };
        let probe = self.checks.deadline();
        let probe = probe.map(|at| (at, Due::Probe(Some(self.id))));
        let pulse = self.pulse_due(life).filter(|_| !self.pulse.asked);
        earliest(probe, pulse.map(|at| (at, Due::Pulse(self.id))))
    }

    /// When it must have shown that it lives: a watchdog begins when its child is ready.
    fn pulse_due(&self, life: &Life) -> Option<Uptime> {
        let within = life.watchdog.as_ref()?.within;
        let Phase::Up { since, .. } = self.phase else {
            return None;
        };
        Some(self.pulse.last.map_or(since, |last| last.max(since)) + within)
    }

    pub(super) fn probe(&mut self, around: &Around<'_>, out: &mut Out) {
        let of = Some(self.id);
        self.checks.probe(&around.life.checks, of, around.now, out);
    }

    pub(super) fn ask_pulse(&mut self, out: &mut Out) {
        if let Phase::Up { process, .. } = self.phase {
            self.pulse.asked = true;
            out.actions.push(Action::Pulse(process.run));
        }
    }

    /// A check has been answered.
    pub(super) fn probed(
        &mut self,
        check: CheckId,
        nth: u32,
        found: Health,
        around: &mut Around<'_>,
        out: &mut Out,
    ) {
        let (process, is_ready) = match self.phase {
            Phase::Readying { process, .. } => (process, false),
            Phase::Up { process, .. } => (process, true),
            Phase::Idle
            | Phase::Starting { .. }
            | Phase::Stopping { .. }
            | Phase::Clearing { .. }
            | Phase::Waiting { .. }
            | Phase::Over(_) => {
                self.checks.missed(check.place, nth);
                return;
            }
        };
        let Process { run, at, .. } = process;
        let moment = Moment {
            now: around.now,
            started: at,
            is_ready,
        };
        let specs = &around.life.checks;
        let verdict = self.checks.probed(specs, check, nth, found, moment, out);
        if verdict.readies {
            self.ready(run, around.now, out);
        }
        if verdict.restarts {
            self.stop(StopWhy::Unhealthy, around, out);
        }
    }

    /// When it last showed that it lives, as far as anybody knows.
    pub(super) fn pulse(
        &mut self,
        of: RunId,
        last: Option<Uptime>,
        around: &mut Around<'_>,
        out: &mut Out,
    ) {
        let Phase::Up { process, .. } = self.phase else {
            return;
        };
        if process.run != of || !core::mem::take(&mut self.pulse.asked) {
            return;
        }
        self.pulse.last = self.pulse.last.max(last);
        if self
            .pulse_due(around.life)
            .is_some_and(|due| due <= around.now)
        {
            self.stop(StopWhy::Watchdog, around, out);
        }
    }

    /// Its checks, and how they stand; empty where it does not run.
    #[must_use]
    pub fn checks(&self) -> Option<&Checks> {
        match self.phase {
            Phase::Readying { .. } | Phase::Up { .. } => Some(&self.checks),
            Phase::Idle
            | Phase::Starting { .. }
            | Phase::Stopping { .. }
            | Phase::Clearing { .. }
            | Phase::Waiting { .. }
            | Phase::Over(_) => None,
        }
    }
}
