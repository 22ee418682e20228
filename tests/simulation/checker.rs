//! Whether what holds in every life holds in this one. The checker sees events and actions
//! only; what it knows of the supervisor it has worked out for itself.

use core::time::Duration;

use sup::model::spec::{Backoff, OnLimit};
use sup::model::tree::Tree;
use sup::model::{ChildSpec, Order, RunId};

use crate::config::{CHECKS, GROUPS, NAMES, letter};
use crate::facts::{self, Facts, GroupFacts, letters, of_group};
use crate::health::Probe;
use crate::invariants::Invariant;
use crate::known::{Batch, GroupTrack, Known, Remembered, State, Track, Word};

/// A late tick, in milliseconds: the simulated daemon is never later than this.
pub(crate) const SLACK: u64 = 50;

pub(crate) struct Checker {
    /// Lived milliseconds: over all boots, and never backwards.
    pub(crate) now: u64,
    pub(crate) broken: Option<Invariant>,
    /// The kinds of notices that came up, one bit each.
    pub(crate) seen: u32,
    pub(crate) known: Remembered,
    pub(crate) tracks: [Track; NAMES],
    pub(crate) probes: [[Probe; CHECKS]; NAMES],
    pub(crate) group_tracks: [GroupTrack; GROUPS],
    pub(crate) facts: [Facts; NAMES],
    pub(crate) groups: [GroupFacts; GROUPS],
    /// Which places ids mean.
    pub(crate) letters: Vec<usize>,
    pub(crate) group_places: Vec<usize>,
    pub(crate) rebooted: bool,
    pub(crate) root_failed: bool,
    pub(crate) end_by: Option<u64>,
    /// While everything ends: until when that goes in order.
    pub(crate) patient_until: u64,
    pub(crate) last_save: Option<u64>,
    /// The next event carries out a change of scale.
    pub(crate) scaled_next: bool,
    // This batch.
    pub(crate) batch: Batch,
    pub(crate) order: Option<(usize, Order)>,
    pub(crate) answers: u32,
    pub(crate) accepted: bool,
    pub(crate) saved: bool,
    pub(crate) ended: bool,
    pub(crate) actions: usize,
}

pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl Checker {
    pub(crate) fn new() -> Self {
        Self {
            now: 1,
            broken: None,
            seen: 0,
            known: Remembered::default(),
            tracks: [Track::default(); NAMES],
            probes: [[Probe::default(); CHECKS]; NAMES],
            group_tracks: [GroupTrack::default(); GROUPS],
            facts: [Facts::NONE; NAMES],
            groups: [GroupFacts::NONE; GROUPS],
            letters: Vec::new(),
            group_places: Vec::new(),
            rebooted: false,
            root_failed: false,
            end_by: None,
            patient_until: 0,
            last_save: None,
            scaled_next: false,
            batch: Batch::default(),
            order: None,
            answers: 0,
            accepted: false,
            saved: false,
            ended: false,
            actions: 0,
        }
    }

    pub(crate) fn claim(&mut self, holds: bool, which: Invariant) {
        if !holds && self.broken.is_none() {
            self.broken = Some(which);
        }
    }

    // ---- a new sup, a new configuration, a clock -----------------------------

    /// A new supervisor with that memory. `children`: all that it has; `renewed`: the
    /// configuration is another than when memory was written.
    pub(crate) fn begins<'a>(
        &mut self,
        tree: &Tree,
        children: impl Iterator<Item = &'a ChildSpec>,
        known: Remembered,
        rebooted: bool,
        renewed: bool,
    ) {
        self.known = known;
        if renewed {
            self.known.members.iter_mut().for_each(Known::doubt);
        }
        self.rebooted |= rebooted;
        self.root_failed = false;
        self.tracks = [Track::default(); NAMES];
        self.probes = [[Probe::default(); CHECKS]; NAMES];
        self.group_tracks = [GroupTrack::default(); GROUPS];
        self.configure(tree, children);
        for n in 0..NAMES {
            let facts = &self.facts[n];
            self.tracks[n].in_rise = u8::MAX;
            self.known.members[n].begins(facts.configured, facts.budget.on_limit, rebooted);
            if self.known.members[n].parked_until.is_some() {
                self.tracks[n].in_rise = 0; // Nobody waits for its try.
            }
        }
        for (group, facts) in self.groups.iter().enumerate() {
            let on_limit = facts
                .budget
                .map_or(OnLimit::Escalate, |budget| budget.on_limit);
            self.known.members[of_group(group)].begins(facts.configured, on_limit, rebooted);
        }
        for group in (0..GROUPS)
            .filter(|&group| self.is_group_off(group))
            .collect::<Vec<_>>()
        {
            self.turns_are_over(group);
        }
        (self.end_by, self.last_save) = (None, None);
    }

    fn configure<'a>(&mut self, tree: &Tree, children: impl Iterator<Item = &'a ChildSpec>) {
        (self.facts, self.groups) = facts::of(tree, children);
        let there = (0..NAMES).filter(|&n| self.facts[n].configured);
        let there: u16 = there.map(|n| 1 << n).sum();
        let templates = tree
            .groups
            .iter()
            .filter_map(|group| group.template.as_ref());
        let count = templates.clone().map(|template| template.count).next();
        // What people made of another count is forgotten with it.
        self.known.scale = self.known.scale.filter(|&(of, _)| Some(of) == count);
        let instances = templates.fold(0, |mask, it| mask | self.instances(it.count));
        let named = tree.children.iter();
        let named = named.fold(0, |mask, spec| mask | 1 << letter(&spec.name));
        self.claim(there == instances | named, Invariant::ScaleStands);
    }

    /// A run that another sup has started.
    pub(crate) fn adopts(&mut self, run: RunId, letter: usize, at: u64) {
        let track = &mut self.tracks[letter];
        *track = Track {
            state: State::Live,
            run: run.nth,
            place: run.child.0,
            run_since: at,
            up_since: Some(at),
            ..Track::default()
        };
        // What was left of it when it was given up, or parked.
        let known = &mut self.known.members[letter];
        known.trial |= known.given_up || known.parked_until.is_some();
        (known.given_up, known.parked_until) = (false, None);
        for (group, _) in self.facts[letter].line.steps() {
            let known = &mut self.known.members[of_group(group)];
            if known.parked_until.is_some_and(|until| until <= self.now) {
                (known.trial, known.parked_until) = (true, None); // This is the try.
            }
        }
    }

    /// Another configuration, or another number of instances. `old`: all children before;
    /// `elsewhere`: whether groups may be others, or have others in them.
    pub(crate) fn reloads(
        &mut self,
        old: &[ChildSpec],
        tree: &Tree,
        new: &[&ChildSpec],
        elsewhere: bool,
    ) {
        let groups_before = self.groups;
        let facts_before = self.facts;
        self.configure(tree, new.iter().copied());
        for (n, facts) in facts_before.into_iter().enumerate() {
            let before = old.iter().find(|spec| letter(&spec.name) == n);
            let after = new.iter().find(|spec| letter(&spec.name) == n);
            match (before, after) {
                (_, None) => {
                    self.facts[n] = Facts {
                        configured: false,
                        ..facts
                    }
                }
                (None, Some(_)) => {
                    self.known.members[n].doubt();
                    self.tracks[n].excused = true;
                    if self.tracks[n].state == State::Down {
                        self.known.members[n] = Known::default();
                        self.tracks[n] = Track::default();
                    }
                    // While its remains are cleared away it is the same one, and whether it
                    // runs something else now is not known.
                    let known = &mut self.known.members[n];
                    known.maybe_over |= core::mem::take(&mut known.given_up);
                }
                (Some(old), Some(new)) => {
                    if old.life.checks != new.life.checks {
                        self.probes[n].iter_mut().for_each(Probe::is_unsure);
                    }
                    if new.life.autostart && !old.life.autostart {
                        self.tracks[n].in_rise = 0; // Its group may have come up without it.
                    }
                    if old != *new {
                        self.known.members[n].doubt();
                        self.tracks[n].excused = true;
                        self.hurries(n); // If it is not wanted now, nobody waits for it.
                        // Whether it is temporary is asked when it is down.
                        let track = &mut self.tracks[n];
                        self.known.members[n].maybe_over |=
                            track.resting || self.facts[n].temporary;
                        track.resting = false;
                    }
                    // It is told of its watchdog when it is started.
                    if old.launch != new.launch || old.life.watchdog != new.life.watchdog {
                        self.launches_otherwise(n);
                    }
                }
            }
            if !self.facts[n].configured {
                self.facts[n].line = facts::Line::default();
            }
        }
        if !elsewhere {
            return;
        }
        self.groups_change();
        for (group, before) in groups_before.iter().enumerate() {
            let known = &mut self.known.members[of_group(group)];
            known.doubt();
            if !(before.configured && self.groups[group].configured) {
                *known = Known::default();
            }
        }
    }

    /// What it runs has changed: it is to run that, even if it was over.
    fn launches_otherwise(&mut self, letter: usize) {
        self.known.members[letter].given_up = false;
        let track = &mut self.tracks[letter];
        track.finished = None;
        track.resting &= track.state == State::Stopping;
        track.wished |= matches!(track.state, State::Starting | State::Live);
    }

    /// The clock jumped: nobody could keep a deadline in between.
    pub(crate) fn jumps(&mut self, by: u64) {
        for track in &mut self.tracks {
            track.kill_due = track.kill_due.map(|at| at + by);
        }
        self.end_by = self.end_by.map(|at| at + by);
    }

    /// Time has come this far, and no tick came earlier.
    pub(crate) fn at(&mut self, now: u64) {
        self.now = now;
        let late = |due: Option<u64>| due.is_some_and(|at| at + SLACK < now);
        let kills = self
            .tracks
            .iter()
            .all(|track| track.killed || !late(track.kill_due));
        self.claim(kills, Invariant::StopEnds);
        self.claim(!late(self.end_by), Invariant::EndComes);
    }

    // ---- the whole batch -----------------------------------------------------

    /// Another program goes on: it saves at once, and by itself each minute.
    pub(crate) fn upgraded(&mut self) {
        self.last_save = None;
        // Checks are not handed over.
        self.probes = [[Probe::default(); CHECKS]; NAMES];
        for track in &mut self.tracks {
            (track.pulse, track.pulse_asked) = (None, false);
        }
    }

    /// All actions of one event have been seen. Returns what a save has kept.
    pub(crate) fn batch_ends(&mut self, members: usize) -> Option<Remembered> {
        self.health_batch_ends();
        self.groups_batch_ends();
        let expected = u32::from(self.order.is_some());
        self.claim(self.answers == expected, Invariant::OneAnswer);
        self.claim(!self.accepted || self.saved, Invariant::AcceptedIsSaved);
        self.claim(self.actions <= 8 * members + 16, Invariant::Bounded);
        if !self.saved {
            return None;
        }
        let rare = self.last_save.is_none_or(|at| self.now >= at + 60_000);
        self.claim(rare || self.accepted || self.ended, Invariant::SavesAreRare);
        self.last_save = Some(self.now);
        let mut kept = self.known;
        for n in (0..NAMES).filter(|&n| !self.facts[n].configured) {
            kept.members[n] = Known::default();
        }
        Some(kept)
    }

    // ---- at rest -------------------------------------------------------------

    /// Calm has lasted long enough. `works`: whose program does; `wanted`: what the
    /// supervisor itself thinks, where a pulled-in start leaves us in doubt.
    /// Returns the letters for which it does not hold.
    pub(crate) fn rests(&mut self, works: u16, wanted: u16) -> String {
        let mut forgotten = String::new();
        for n in (0..NAMES).filter(|&n| self.facts[n].configured) {
            let (known, track) = (&self.known.members[n], &self.tracks[n]);
            let unsure = known.word_unsure || self.is_unsure_above(n);
            let by_word = match known.word {
                _ if unsure => wanted & 1 << n != 0,
                Word::None => (self.facts[n].autostart || known.asked_up) && !self.is_off(n),
                Word::Down | Word::DownUntil(_) => false,
            };
            let up = track.state == State::Live && track.up_since.is_some();
            let over = known.given_up || known.maybe_over || track.resting;
            let over =
                over || track.finished.is_some() && !track.renews || unsure && self.is_off(n);
            let excused =
                works & 1 << n == 0 || over || self.lacks(n) || self.is_hindered(n, works);
            let fine = if by_word {
                up || excused
            } else {
                // Where somebody always fails, others go down with it at any time.
                let ends = track.doomed || matches!(track.state, State::Stopping | State::Clearing);
                track.state == State::Down || ends && self.is_hindered(n, works)
            };
            if !fine {
                forgotten.push(char::from(b"abcdefghij123456"[n]));
            }
        }
        self.claim(forgotten.is_empty(), Invariant::NothingForgotten);
        forgotten
    }

    /// Whether something that it waits for is not ready, so that it may be down, too. Each of
    /// those is held to account itself.
    fn lacks(&self, letter: usize) -> bool {
        let needs = self.facts[letter].requires | self.facts[letter].after;
        // What had done its work has not any more where its group has started anew.
        let is_there = |n: usize| {
            let track = &self.tracks[n];
            self.is_ready(n) && !(track.state == State::Down && track.renews)
        };
        (0..NAMES).any(|n| needs & 1 << n != 0 && self.facts[n].configured && !is_there(n))
            || (0..GROUPS).any(|group| {
                let mut below = letters(self.groups[group].below);
                // A group without members has nobody who would tell that it, or those around
                // it, are off, or may be.
                let may_be_off = |group: usize| {
                    self.is_group_off(group) || self.known.members[of_group(group)].maybe_over
                };
                let mut around = self.groups[group].line.steps();
                let off = may_be_off(group) || around.any(|(above, _)| may_be_off(above));
                let off = off || below.any(|n| !is_there(n));
                needs & 1 << of_group(group) != 0 && off
            })
    }

    /// Whether another member of one of its groups keeps that from coming to rest.
    fn is_hindered(&self, letter: usize, works: u16) -> bool {
        let mut groups = self.facts[letter].line.steps();
        groups.any(|(group, _)| {
            let facts = &self.groups[group];
            let shares = facts.ordered || facts.budget.is_some();
            let stuck = |n: usize| works & 1 << n == 0 || self.lacks(n);
            shares && letters(facts.below).any(stuck)
                || self.known.members[of_group(group)].maybe_over
        })
    }
}

/// first · factor^(n-1), at most the longest, shortened by no more than the jitter; within
/// a hundredth and a millisecond a step, for rounding.
pub(crate) fn is_wait(backoff: &Backoff, nth: u32, delay: Duration) -> bool {
    let factor = f64::from(backoff.factor_milli) / 1000.0;
    let steps = i32::try_from(nth - 1).unwrap_or(i32::MAX);
    let wait =
        (backoff.first.as_secs_f64() * factor.powi(steps)).min(backoff.longest.as_secs_f64());
    let slack = wait / 100.0 + 0.001 * f64::from(nth.min(100));
    let shortest = wait * (1.0 - f64::from(backoff.jitter_percent) / 100.0) - slack;
    (shortest..=wait + slack).contains(&delay.as_secs_f64())
}
