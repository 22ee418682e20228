//! Whether what runs is well: Docker's machine (semantics.md B3), one for each check.
//!
//! ```text
//!              good, or `retries` bad ones in a row          good
//!   starting ---------------------------------------> bad ---------> healthy
//!       ^  '--------------- good ------------------------------------^  |
//!       |                                             ^--- `retries` ---'
//!       '--- the child is started again
//! ```
//!
//! It takes `retries` probes in a row to get worse, and one to get better: a level holds
//! when so many in a row were at least as bad. A probe is asked for when the one before it
//! has been answered and its interval has gone by; all of them are answered, because
//! whoever makes them sets a bound to each.

use alloc::boxed::Box;
use core::time::Duration;

use super::action::Action;
use super::child::Out;
use crate::model::Gather as _;
use crate::model::check::{CheckId, CheckSpec, Health, OnCritical};
use crate::model::{ChildId, Notice, Uptime};

/// What is due within this part of its interval is probed with what is due now: checks
/// of the same interval then share a wake-up.
const SLACK_PART: u32 = 16;

/// The checks of one child, or of the box.
#[derive(Clone, Debug, Default)]
pub struct Checks {
    all: Box<[Check]>,
    /// Probes asked for, ever: a late answer is known by its number.
    probes: u32,
    /// Since when each has found something and none is critical.
    calm_since: Option<Uptime>,
}

/// One check.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// `None`: starting.
    health: Option<Health>,
    /// Answers in a row that were at least unknown, a warning, critical.
    streaks: [u8; 3],
    next: Uptime,
    asked: Option<Asked>,
    /// What people were last told.
    told: Health,
}

/// A probe that has not been answered.
#[derive(Clone, Copy, Debug)]
struct Asked {
    nth: u32,
    /// Whether it is about the present run.
    counts: bool,
}

/// What an answer is judged by besides the check's own state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: Uptime,
    /// When the child, or sup, was started.
    pub(super) started: Uptime,
    /// Whether failures count before the first success, once the start period is over.
    pub(super) is_ready: bool,
}

impl Moment {
    fn has_grace(self, spec: &CheckSpec) -> bool {
        !self.is_ready || self.now < self.started + spec.rhythm.start_period
    }
}

/// What follows from an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Its child is ready.
    pub(super) readies: bool,
    /// Its child is to be restarted.
    pub(super) restarts: bool,
}

const LEVELS: [Health; 3] = [Health::Unknown, Health::Warning, Health::Critical];

impl Check {
    /// One that is due at once.
    const NEW: Self = Self {
        health: None,
        streaks: [0; 3],
        next: Uptime::MIN,
        asked: None,
        told: Health::Healthy,
    };

    /// How it stands; `None`: it has not found anything yet that counts.
    #[must_use]
    pub fn health(&self) -> Option<Health> {
        self.health
    }

    /// Bad answers in a row.
    #[must_use]
    pub fn failing(&self) -> u8 {
        self.streaks[0]
    }

    /// When it is probed next; `None`: it is being probed.
    #[must_use]
    pub fn next(&self) -> Option<Uptime> {
        self.asked.is_none().then_some(self.next)
    }

    /// Starts anew. A probe of the former run goes on, and its answer is awaited.
    fn begin(&mut self, next: Uptime) {
        *self = Self {
            asked: self.asked.map(|asked| Asked {
                counts: false,
                ..asked
            }),
            told: self.told,
            next,
            ..Self::NEW
        };
    }

    fn found(&mut self, found: Health, retries: u8, has_grace: bool) {
        let is_bad = found != Health::Healthy;
        if is_bad && has_grace && self.health.is_none() {
            return;
        }
        for (level, streak) in LEVELS.into_iter().zip(&mut self.streaks) {
            *streak = if found >= level {
                streak.saturating_add(1)
            } else {
                0
            };
        }
        let counted = LEVELS.into_iter().zip(self.streaks).rev();
        let held = counted
            .filter(|(_, streak)| *streak >= retries)
            .map(|(level, _)| level)
            .next();
        self.health = match (held, self.health) {
            (Some(level), _) => Some(level),
            (None, _) if !is_bad => Some(Health::Healthy),
            // Not bad for long enough to get worse, and what was worse is over.
            (None, before) => before.map(|before| before.min(found)),
        };
    }
}

fn pause(spec: &CheckSpec, quickly: bool) -> Duration {
    let rhythm = &spec.rhythm;
    if quickly {
        rhythm.start_interval.min(rhythm.interval)
    } else {
        rhythm.interval
    }
}

impl Checks {
    pub(super) fn new(specs: &[CheckSpec]) -> Self {
        Self {
            all: specs.iter().map(|_| Check::NEW).gather(),
            ..Self::default()
        }
    }

    /// Its child has a process.
    pub(super) fn begin(&mut self, specs: &[CheckSpec], at: Moment) {
        self.calm_since = None;
        for (check, spec) in self.all.iter_mut().zip(specs) {
            check.begin(at.now + pause(spec, at.has_grace(spec)));
        }
    }

    /// Other checks. One of the same name that looks at the same thing goes on; the others
    /// are due at once.
    pub(super) fn adjust(&mut self, old: &[CheckSpec], new: &[CheckSpec]) {
        let same = |spec: &CheckSpec| {
            let mut known = old.iter().zip(&self.all);
            known
                .find(|(old, _)| old.name == spec.name && old.kind == spec.kind)
                .map(|(_, check)| *check)
        };
        let all: Box<[Check]> = new
            .iter()
            .map(|spec| same(spec).unwrap_or(Check::NEW))
            .gather();
        if all.iter().any(|check| check.health.is_none()) {
            self.calm_since = None;
        }
        self.all = all;
    }

    /// When the next probe is due.
    pub(super) fn deadline(&self) -> Option<Uptime> {
        self.all.iter().filter_map(Check::next).min()
    }

    /// Asks for what is due, and for what soon will be.
    pub(super) fn probe(
        &mut self,
        specs: &[CheckSpec],
        of: Option<ChildId>,
        now: Uptime,
        out: &mut Out,
    ) {
        for (place, (check, spec)) in (0..).zip(self.all.iter_mut().zip(specs)) {
            let slack = spec.rhythm.interval.min(spec.rhythm.start_interval) / SLACK_PART;
            if check.asked.is_some() || check.next > now + slack {
                continue;
            }
            self.probes = self.probes.wrapping_add(1);
            let nth = self.probes;
            check.asked = Some(Asked { nth, counts: true });
            out.actions.push(Action::Probe {
                check: CheckId { of, place },
                nth,
            });
        }
    }

    /// Whether this answer is being waited for, about the present run.
    #[must_use]
    pub fn awaits(&self, place: u8, nth: u32) -> bool {
        let asked = self
            .all
            .get(usize::from(place))
            .and_then(|check| check.asked);
        asked.is_some_and(|asked| asked.nth == nth && asked.counts)
    }

    /// An answer that nobody needs any more.
    pub(super) fn missed(&mut self, place: u8, nth: u32) {
        if let Some(check) = self.all.get_mut(usize::from(place)) {
            let _gone = check.asked.take_if(|asked| asked.nth == nth);
        }
    }

    /// Takes an answer. One that comes late, or twice, changes nothing; one of a former
    /// run only makes room for the next probe.
    pub(super) fn probed(
        &mut self,
        specs: &[CheckSpec],
        id: CheckId,
        nth: u32,
        found: Health,
        at: Moment,
        out: &mut Out,
    ) -> Verdict {
        let place = usize::from(id.place);
        let (Some(check), Some(spec)) = (self.all.get_mut(place), specs.get(place)) else {
            return Verdict::default();
        };
        let Some(asked) = check.asked.take_if(|asked| asked.nth == nth) else {
            return Verdict::default();
        };
        if !asked.counts {
            return Verdict::default();
        }
        check.found(found, spec.rhythm.retries, at.has_grace(spec));
        let starts = check.health.is_none() && at.has_grace(spec);
        check.next = at.now + pause(spec, starts);
        let (health, was) = (check.health, check.told);
        if let Some(health) = health
            && health != was
        {
            check.told = health;
            out.tell(Notice::Checked {
                check: id,
                was,
                health,
            });
        }
        self.count_calm(at.now);
        Verdict {
            readies: spec.readies && found.passes(),
            restarts: health == Some(Health::Critical) && spec.on_critical == OnCritical::Restart,
        }
    }

    fn count_calm(&mut self, now: Uptime) {
        let is_calm = |check: &Check| check.health.is_some_and(|found| found != Health::Critical);
        if !self.all.iter().all(is_calm) {
            self.calm_since = None;
        } else if self.calm_since.is_none() {
            self.calm_since = Some(now);
        }
    }

    /// Since when nothing is wrong with what has been up since `up`; `None`: something is,
    /// or nobody knows yet.
    pub(super) fn calm_since(&self, up: Uptime) -> Option<Uptime> {
        if self.all.is_empty() {
            Some(up)
        } else {
            self.calm_since.map(|calm| calm.max(up))
        }
    }

    /// The worst of all; `None`: not all have found something, and what they have is good.
    #[must_use]
    pub fn health(&self) -> Option<Health> {
        let worst = self.all.iter().filter_map(Check::health).max();
        let starting = self.all.iter().any(|check| check.health.is_none());
        worst.filter(|worst| !starting || *worst != Health::Healthy)
    }

    /// Each check, in its place.
    #[must_use]
    pub fn all(&self) -> &[Check] {
        &self.all
    }
}
