//! What the checker sees of checks and watchdogs: who is probed, what is found, and whom
//! that ends.

use sup::model::check::{CheckSpec, OnCritical};
use sup::model::{CheckId, Health, RunId};

use crate::checker::{Checker, millis};
use crate::config::CHECKS;
use crate::facts::letters;
use crate::invariants::Invariant;
use crate::known::{State, Track};

/// What is configured of a check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckFacts {
    retries: u32,
    start_period: u64,
    restarts: bool,
}

impl CheckFacts {
    pub(crate) fn of(specs: &[CheckSpec]) -> [Option<Self>; CHECKS] {
        core::array::from_fn(|place| {
            let spec = specs.get(place)?;
            Some(Self {
                retries: u32::from(spec.rhythm.retries),
                start_period: millis(spec.rhythm.start_period),
                restarts: spec.on_critical == OnCritical::Restart,
            })
        })
    }
}

/// What is known of a check in this life of sup.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Probe {
    /// The probe that has not been answered, and the run that it is about.
    asked: Option<(u32, u32)>,
    /// Critical answers in a row in this run: those that may count, and those that must.
    may: u32,
    must: u32,
    /// When it was last critical.
    sick_at: Option<u64>,
}

impl Probe {
    /// Its child has been started again.
    pub(crate) fn begins_anew(&mut self) {
        (self.may, self.must, self.sick_at) = (0, 0, None);
    }

    /// What counts, or since when, is another now.
    pub(crate) fn is_unsure(&mut self) {
        (self.may, self.must, self.sick_at) = (u32::MAX / 2, 0, None);
    }
}

impl Checker {
    fn probe_of(&mut self, check: CheckId, letter: usize) -> Option<&mut Probe> {
        let _of_a_child = check.of?;
        self.probes[letter].get_mut(usize::from(check.place))
    }

    /// A probe is asked for.
    pub(crate) fn probes(&mut self, check: CheckId, nth: u32, letter: usize) {
        let Track { state, run, .. } = self.tracks[letter];
        let Some(probe) = self.probe_of(check, letter) else {
            return;
        };
        let free = probe.asked.replace((nth, run)).is_none();
        self.claim(free && state == State::Live, Invariant::ProbesTakeTurns);
    }

    /// One is answered.
    pub(crate) fn probed(&mut self, check: CheckId, nth: u32, found: Health, letter: usize) {
        let Track {
            state,
            run,
            run_since,
            up_since,
            ..
        } = self.tracks[letter];
        let (now, place) = (self.now, usize::from(check.place));
        let facts = self.facts[letter].checks.get(place).copied().flatten();
        let Some(probe) = self.probe_of(check, letter) else {
            return;
        };
        let Some((_, about)) = probe.asked.take_if(|asked| asked.0 == nth) else {
            return;
        };
        let Some(facts) = facts.filter(|_| about == run && state == State::Live) else {
            return;
        };
        if found != Health::Critical {
            (probe.may, probe.must) = (0, 0);
            return;
        }
        let has_grace = up_since.is_none() || now < run_since + facts.start_period;
        probe.may += 1;
        probe.must += u32::from(!has_grace);
        if probe.must >= facts.retries {
            probe.sick_at = Some(now);
            if facts.restarts {
                self.batch.must_stop |= 1 << letter;
            }
        }
    }

    /// It is being ended because a check is critical.
    pub(crate) fn is_unhealthy(&mut self, letter: usize) {
        let checks = self.facts[letter].checks.iter().zip(&self.probes[letter]);
        let proven = checks
            .filter_map(|(facts, probe)| Some((facts.as_ref()?, probe)))
            .any(|(facts, probe)| facts.restarts && probe.may >= facts.retries);
        let lives = self.tracks[letter].state == State::Live;
        self.claim(proven && lives, Invariant::EndedForAReason);
    }

    /// Whether one of its checks was critical within that time.
    pub(crate) fn was_sick(&self, letter: usize, within: u64) -> bool {
        let sick = self.probes[letter].iter().filter_map(|it| it.sick_at);
        sick.into_iter().any(|at| self.now < at + within)
    }

    // ---- watchdogs -----------------------------------------------------------

    /// Sup asks when it has last shown that it lives, and is told.
    pub(crate) fn pulse(&mut self, run: RunId, last: Option<u64>, letter: usize) {
        if !self.is_now(run, letter, &[State::Live]) {
            return;
        }
        let track = &mut self.tracks[letter];
        if core::mem::take(&mut track.pulse_asked) {
            track.pulse = track.pulse.max(last);
            if self.is_silent(letter) {
                self.batch.must_stop |= 1 << letter;
            }
        }
    }

    pub(crate) fn asks_pulse(&mut self, run: RunId, letter: usize) {
        let free = !core::mem::replace(&mut self.tracks[letter].pulse_asked, true);
        let living = self.is_now(run, letter, &[State::Live]);
        self.claim(free && living, Invariant::ProbesTakeTurns);
    }

    /// It is being ended because it has not shown that it lives.
    pub(crate) fn has_hung(&mut self, letter: usize) {
        let lives = self.tracks[letter].state == State::Live;
        self.claim(lives && self.is_silent(letter), Invariant::EndedForAReason);
    }

    fn is_silent(&self, letter: usize) -> bool {
        let track = &self.tracks[letter];
        let since = track.up_since.max(track.pulse);
        let within = self.facts[letter].watchdog;
        since
            .zip(within)
            .is_some_and(|(since, within)| self.now >= since + within)
    }

    // ---- the whole batch -----------------------------------------------------

    /// Who had to be ended is being ended.
    pub(crate) fn health_batch_ends(&mut self) {
        let must = core::mem::take(&mut self.batch.must_stop);
        let ends = letters(must).all(|n| self.tracks[n].state != State::Live);
        self.claim(ends, Invariant::SickAreEnded);
    }
}
