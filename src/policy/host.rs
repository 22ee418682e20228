//! The checks of the box itself: people are told what they find, and that is all.

use alloc::boxed::Box;

use super::Supervisor;
use super::due::Due;
use super::health::{Checks, Moment};
use crate::model::Uptime;
use crate::model::alert::HOST;
use crate::model::check::{CheckId, CheckSpec, Health};

/// What is looked at of the box, and how it stands.
#[derive(Debug, Default)]
pub(super) struct Host {
    pub(super) specs: Box<[CheckSpec]>,
    checks: Checks,
    since: Uptime,
}

impl Supervisor {
    /// From now on these checks are made of the box; those that are made already go on.
    pub fn watch_host(&mut self, specs: Box<[CheckSpec]>, now: Uptime) {
        let host = &mut self.host;
        if host.specs.is_empty() {
            host.since = now;
        }
        host.checks.adjust(&host.specs, &specs);
        host.specs = specs;
        self.make_room();
    }

    pub(super) fn host_deadline(&self) -> Option<(Uptime, Due)> {
        let at = self
            .host
            .checks
            .deadline()
            .filter(|_| self.ending.is_none());
        at.map(|at| (at, Due::Probe(None)))
    }

    pub(super) fn expire_host(&mut self, now: Uptime) {
        if self.host_deadline().is_some_and(|(at, _)| at <= now) {
            let Host { specs, checks, .. } = &mut self.host;
            checks.probe(specs, None, now, &mut self.out);
        }
    }

    pub(super) fn host_probed(&mut self, check: CheckId, nth: u32, found: Health, now: Uptime) {
        let Host {
            specs,
            checks,
            since,
        } = &mut self.host;
        let moment = Moment {
            now,
            started: *since,
            is_ready: true,
        };
        // A box is neither made ready nor restarted.
        let _none = checks.probed(specs, check, nth, found, moment, &mut self.out);
    }

    /// The checks of the box.
    #[must_use]
    pub fn host(&self) -> (&[CheckSpec], &Checks) {
        (&self.host.specs, &self.host.checks)
    }

    /// Whether the answer to this probe is being waited for, about what runs now.
    #[must_use]
    pub fn awaits(&self, check: CheckId, nth: u32) -> bool {
        let checks = match check.of {
            None => Some(&self.host.checks),
            Some(id) => self
                .slots
                .get(id.index())
                .and_then(|slot| slot.child.checks()),
        };
        checks.is_some_and(|checks| checks.awaits(check.place, nth))
    }

    /// Whether a child, or `host`, has a check of that name.
    #[must_use]
    pub fn has_check(&self, of: &str, name: &str) -> bool {
        let specs = match self.find(of) {
            Some(id) => &self.spec(id).life.checks,
            None if of == HOST => &self.host.specs,
            None => return false,
        };
        specs.iter().any(|spec| *spec.name == *name)
    }

    /// The specification of a check.
    #[must_use]
    pub fn check(&self, check: CheckId) -> Option<&CheckSpec> {
        let specs = match check.of {
            None => &self.host.specs,
            Some(id) => &self.slots.get(id.index())?.spec.life.checks,
        };
        specs.get(usize::from(check.place))
    }
}
