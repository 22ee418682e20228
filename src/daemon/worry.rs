//! What checks have found, as incidents and figures. Each finding is compared with what
//! is known to be wrong, not only each change: so a sup that comes after a reboot clears
//! what it remembers.

use super::checking::Told;
use super::core::Core;
use crate::alerts::Metric;
use crate::model::alert::{HOST, Key, Kind, Severity};
use crate::model::check::{self, CheckId, Health, Whose};
use crate::model::limits::{ALERT_LINES_MAX, ALERT_OUTPUT_MAX};
use crate::model::order::StopWhy;
use crate::model::words::{self, Names, Telling};
use crate::model::{ChildId, Uptime};
use crate::policy::{Check, Phase};

impl Core {
    /// A probe that counts has been answered, and policy knows.
    pub(super) fn worry(&self, check: CheckId, now: Uptime) {
        let subject = match check.of {
            Some(id) => Names::child(&self.supervisor, id),
            None => HOST,
        };
        let key = |kind| Key {
            subject: subject.into(),
            kind,
        };
        let name = Names::check(&self.supervisor, check);
        let own = key(Kind::Check(name.into()));
        let told = Told {
            supervisor: &self.supervisor,
            checking: &self.checking,
        };
        if check.of.is_some_and(|id| self.is_ended_as_unhealthy(id)) {
            // It and the restart that follows are one: what the child suffers from.
            self.alerts.fold(&own);
            let down = key(Kind::Down);
            if !self.alerts.knows(&down, Severity::Warning) {
                let telling = words::check::restarting(check, &told);
                let telling = self.with_last_words(telling, check.of);
                self.alerts.raise(down, Severity::Warning, telling, now);
            }
            return;
        }
        let severity = match self.standing_of(check) {
            None => return,
            Some(Health::Healthy) => return self.alerts.clear(&own, now),
            Some(Health::Unknown | Health::Warning) => Severity::Warning,
            Some(Health::Critical) => Severity::Critical,
        };
        if !self.alerts.knows(&own, severity) {
            let health = self.standing_of(check).unwrap_or(Health::Unknown);
            let telling = words::check::telling(check, Health::Healthy, health, &told);
            let telling = self.with_last_words(telling, check.of);
            self.alerts.raise(own, severity, telling, now);
        }
    }

    fn is_ended_as_unhealthy(&self, id: ChildId) -> bool {
        let why = StopWhy::Unhealthy;
        matches!(self.supervisor.child(id).phase(), Phase::Stopping { why: known, .. } if *known == why)
    }

    /// How a check stands; `None`: it has not found anything that counts, or nothing runs.
    fn standing_of(&self, check: CheckId) -> Option<Health> {
        let checks = match check.of {
            Some(id) => self.supervisor.child(id).checks()?,
            None => self.supervisor.host().1,
        };
        let standing = checks.all().get(usize::from(check.place));
        standing.and_then(Check::health)
    }

    /// With the last lines of a child, which may tell why.
    fn with_last_words(&self, telling: Telling, of: Option<ChildId>) -> Telling {
        if let Some(id) = of {
            self.outputs.catch_up(id);
        }
        self.with_output(telling, of)
    }

    /// With the last lines of a child that have been read, which may tell why.
    pub(super) fn with_output(&self, mut telling: Telling, of: Option<ChildId>) -> Telling {
        let lines = of.and_then(|id| {
            let outputs = &self.outputs;
            outputs.last_lines(id, ALERT_LINES_MAX, ALERT_OUTPUT_MAX)
        });
        telling.facts.extend(lines.map(|lines| ("OUTPUT", lines)));
        telling
    }

    /// What a check has measured, for those that draw it.
    pub(super) fn note_figure(&self, check: CheckId, figure: Option<f64>) {
        let (Some(figure), Some(spec)) = (figure, self.supervisor.check(check)) else {
            return;
        };
        let whose = check.of.map(|id| Names::child(&self.supervisor, id));
        let (metric, of) = match &spec.kind {
            check::Kind::Disk { path, .. } => (Metric::DiskUsage, &**path),
            check::Kind::Memory {
                of: Whose::Host, ..
            } => (Metric::MemoryUsage, HOST),
            check::Kind::Memory { .. } => (Metric::MemoryUsage, whose.unwrap_or(HOST)),
            check::Kind::File { path, .. } => (Metric::HeartbeatAge, whose.unwrap_or(path)),
            check::Kind::Exec { .. }
            | check::Kind::Tcp { .. }
            | check::Kind::Http { .. }
            | check::Kind::Process
            | check::Kind::Log { .. } => return,
        };
        self.alerts.measure(metric, of, figure);
    }
}
