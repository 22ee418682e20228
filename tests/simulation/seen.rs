//! What the checker sees of children: events, and the actions that follow.

use core::time::Duration;

use sup::model::order::StopWhy;
use sup::model::spec::Ready;
use sup::model::{Exit, Notice, RunId, Signal};
use sup::policy::{Action, Event, Reach};

use crate::checker::{Checker, is_wait, millis};
use crate::config::{GROUPS, NAMES};
use crate::facts::of_group;
use crate::health::Probe;
use crate::invariants::Invariant;
use crate::known::{State, Track, Word};

fn is_clean(exit: Exit) -> bool {
    match exit {
        Exit::Code(code) => code == 0,
        Exit::Signal { signal, .. } => {
            [Signal::HUP, Signal::INT, Signal::TERM, Signal::PIPE].contains(&signal)
        }
        Exit::Vanished
        | Exit::StartFault(_)
        | Exit::Timeout(_)
        | Exit::Watchdog
        | Exit::Unhealthy
        | Exit::OutOfMemory => false,
    }
}

impl Checker {
    // ---- events --------------------------------------------------------------

    /// One event. `lived`: what the checker's time is ahead of sup's.
    pub(crate) fn event(&mut self, event: &Event, letter: usize, lived: u64) {
        (self.order, self.answers, self.accepted, self.saved) = (None, 0, false, false);
        (self.ended, self.actions) = (false, 0);
        let scaled = core::mem::take(&mut self.scaled_next);
        self.accepted = scaled; // As if it were an order.
        match *event {
            Event::Started { run, .. } => self.started(run, letter),
            Event::StartFailed { run, .. } => {
                if self.is_now(run, letter, &[State::Starting]) {
                    self.ends(letter, false);
                }
            }
            Event::Ready { run } => {
                if self.is_now(run, letter, &[State::Live]) {
                    let track = &mut self.tracks[letter];
                    track.up_since = track.up_since.or(Some(self.now));
                    track.in_rise = 0;
                }
            }
            Event::Exited { run, left, .. } => {
                if self.is_now(run, letter, &[State::Live, State::Stopping]) {
                    self.ends(letter, left);
                }
            }
            Event::Cleared { run } => {
                if self.is_now(run, letter, &[State::Clearing]) {
                    let track = &mut self.tracks[letter];
                    (track.state, track.kill_due, track.doomed) = (State::Down, None, false);
                }
            }
            Event::Order { order, .. } => self.order = Some((letter, order)),
            Event::Shutdown if self.end_by.is_some() => {
                self.patient_until = self.now;
                self.end_by = self.end_by.map(|at| at.min(self.now + 2000));
            }
            Event::Probed { check, nth, health } => self.probed(check, nth, health, letter),
            Event::Pulse { run, last } => {
                let last = last.map(|at| at.as_millis().cast_unsigned() + lived);
                self.pulse(run, last, letter);
            }
            // Nobody here waits for a path.
            Event::Shutdown
            | Event::Tick
            | Event::Remember
            | Event::SaveFailed
            | Event::Paths { .. } => {}
        }
    }

    pub(crate) fn is_now(&self, run: RunId, letter: usize, states: &[State]) -> bool {
        let track = &self.tracks[letter];
        (track.run, track.place) == (run.nth, run.child.0) && states.contains(&track.state)
    }

    fn started(&mut self, run: RunId, letter: usize) {
        if self.is_now(run, letter, &[State::Starting]) {
            let at_once = self.facts[letter].ready == Ready::Started;
            let track = &mut self.tracks[letter];
            track.state = State::Live;
            track.run_since = self.now;
            track.up_since = at_once.then_some(self.now);
            if at_once {
                track.in_rise = 0;
            }
        }
    }

    /// A run has ended. Whether that was asked for is settled by whether it was signalled.
    fn ends(&mut self, letter: usize, left: bool) {
        let mut above = self.facts[letter].line.steps();
        let maybe_off = above.any(|(group, _)| self.known.members[of_group(group)].maybe_over);
        let stays_down = self.is_off(letter) || maybe_off || !self.facts[letter].configured;
        let track = &mut self.tracks[letter];
        let ends_itself = matches!(
            track.why,
            Some(StopWhy::StartTimeout | StopWhy::Unhealthy | StopWhy::Watchdog)
        );
        let asked = track.state == State::Stopping && !ends_itself || track.doomed;
        track.doomed &= left;
        track.ended_asked = asked;
        track.unlicensed = !asked && !track.excused && !stays_down;
        track.state = if left { State::Clearing } else { State::Down };
        track.kill_due = track.kill_due.filter(|_| left);
    }

    // ---- actions -------------------------------------------------------------

    /// One action. `alive`: whether a process of that child exists.
    pub(crate) fn action(&mut self, action: &Action, letter: usize, alive: bool) {
        self.actions += 1;
        match *action {
            Action::Spawn(run) => self.spawns(run, letter, alive),
            Action::Signal { run, signal, to } => self.signals(run, letter, signal, to),
            Action::Look(_) => {}
            Action::Probe { check, nth } => self.probes(check, nth, letter),
            Action::Pulse(run) => self.asks_pulse(run, letter),
            Action::Tell(notice) => self.told(&notice, letter),
            Action::Save => self.saved = true,
            Action::Answer(answer) => self.answered(answer),
            Action::End { success } => {
                self.claim(self.end_by.is_some() && !self.ended, Invariant::EndComes);
                self.claim(success != self.root_failed, Invariant::RootFailureEnds);
                self.ended = true;
            }
            Action::Alarm(_) => self.claim(false, Invariant::NoAlarm),
        }
    }

    fn spawns(&mut self, run: RunId, letter: usize, alive: bool) {
        self.claim(!alive, Invariant::OneRun);
        let (facts, known, track) = (
            self.facts[letter],
            self.known.members[letter],
            self.tracks[letter],
        );
        let lacks = (0..NAMES).any(|n| facts.requires & 1 << n != 0 && !self.is_ready(n))
            || (0..GROUPS).any(|group| {
                facts.requires & 1 << of_group(group) != 0
                    && !self.known.members[of_group(group)].word_unsure
                    && self.is_group_off(group)
                    && !self.group_tracks[group].done
                    && !self.known.members[of_group(group)].maybe_over
            });
        let wanted = facts.configured && (known.word == Word::None || known.word_unsure);
        self.claim(
            wanted && !lacks && self.end_by.is_none(),
            Invariant::NothingUnwantedStarts,
        );
        self.claim(!known.given_up, Invariant::GivenUpRests);
        if let Some(until) = known.parked_until {
            self.claim(self.now >= until, Invariant::GivenUpRests);
            self.known.members[letter].trial = true;
            self.tracks[letter].in_rise = 0; // Nobody waits for its try.
        } else {
            self.claim(!track.unlicensed || track.excused, Invariant::BudgetHolds);
            self.claim(
                track.excused || self.now >= track.not_before,
                Invariant::DelaysFollow,
            );
        }
        self.spawns_in_groups(letter);
        let known = &mut self.known.members[letter];
        (known.parked_until, known.maybe_over) = (None, false);
        self.probes[letter].iter_mut().for_each(Probe::begins_anew);
        self.tracks[letter] = Track {
            in_rise: self.tracks[letter].in_rise,
            state: State::Starting,
            run: run.nth,
            place: run.child.0,
            ..Track::default()
        };
    }

    pub(crate) fn is_ready(&self, letter: usize) -> bool {
        let track = &self.tracks[letter];
        match track.state {
            State::Live => track.up_since.is_some(),
            State::Down => track.finished == Some(true),
            State::Starting | State::Stopping | State::Clearing => false,
        }
    }

    fn signals(&mut self, run: RunId, letter: usize, signal: Signal, to: Reach) {
        let states: &[State] = match to {
            Reach::Main => &[State::Live, State::Stopping],
            Reach::All => &[State::Live, State::Stopping, State::Clearing],
        };
        let living = self.is_now(run, letter, states);
        self.claim(living, Invariant::OnlyTheLivingAreSignalled);
        let track = &mut self.tracks[letter];
        if to == Reach::All && signal == Signal::KILL {
            track.killed = true;
        }
        if to == Reach::Main || signal == Signal::CONT || signal == Signal::KILL || !living {
            return;
        }
        let due = self.facts[letter]
            .stop
            .timeout
            .map(|limit| self.now + millis(limit));
        track.kill_due = track.kill_due.or(due);
        if track.state == State::Live {
            track.state = State::Stopping;
        }
        if let Some(why) = track.why {
            self.stops_in_groups(letter, why);
        }
        let track = &self.tracks[letter];
        if self.end_by.is_some()
            && self.now < self.patient_until
            && track.why == Some(StopWhy::Shutdown)
        {
            let groups = self.facts[letter].line.steps();
            let mine = groups.fold(1 << letter, |mask, (group, _)| mask | 1 << of_group(group));
            let used = (0..NAMES).any(|n| {
                let needs = self.facts[n].requires | self.facts[n].after;
                needs & mine != 0 && self.tracks[n].state != State::Down
            });
            self.claim(!used, Invariant::DependentsStopFirst);
        }
    }

    fn told(&mut self, notice: &Notice, letter: usize) {
        self.seen |= crate::words::kind(notice);
        match *notice {
            Notice::Restarting { delay, .. } => self.restarts(letter, delay),
            Notice::Finished { exit, .. } => {
                self.is_chargeable(letter);
                let track = &mut self.tracks[letter];
                (track.finished, track.renews) = (Some(is_clean(exit)), false);
                self.known.members[letter].trial = false;
                self.member_finishes(letter);
            }
            Notice::GaveUp { .. } => {
                self.is_spent(letter);
                self.known.members[letter].given_up = true;
            }
            Notice::Escalated { .. } => {
                self.is_spent(letter);
                self.member_escalates(letter);
                let by_root = self.facts[letter]
                    .line
                    .parent()
                    .is_some_and(|(at, _)| at == 0);
                self.known.members[letter].given_up |= by_root;
            }
            Notice::Parked { pause, .. } => {
                self.is_spent(letter);
                self.known.members[letter].parked_until = Some(self.now + millis(pause));
                self.tracks[letter].in_rise = 0; // Nobody waits for its try.
            }
            Notice::Recovered { .. } => self.settles(letter),
            Notice::Stopping { why, .. } => {
                match why {
                    StopWhy::Unhealthy => self.is_unhealthy(letter),
                    StopWhy::Watchdog => self.has_hung(letter),
                    _ => {}
                }
                self.tracks[letter].why = Some(why);
            }
            Notice::Held { .. } => {
                self.tracks[letter].excused = true;
                self.tracks[letter].in_rise = 0;
            }
            Notice::TermOver { of } => match self.member(of).checked_sub(NAMES) {
                None => {
                    self.term_is_over(letter, self.facts[letter].autostart);
                    self.tracks[letter].in_rise = 0;
                }
                Some(group) => self.group_term_is_over(group),
            },
            Notice::Group { group, ref what } => {
                let of = self.member(sup::model::Member::Group(group));
                self.told_group(of - NAMES, what);
            }
            Notice::ShuttingDown => {
                self.patient_until = self.now + crate::world::SHUTDOWN;
                self.end_by = Some(self.patient_until + 2000);
            }
            Notice::Started { .. }
            | Notice::Ready { .. }
            | Notice::Ended { .. }
            | Notice::Killed { .. }
            | Notice::LeftBehind { .. }
            | Notice::Checked { .. } => {}
        }
    }

    pub(crate) fn term_is_over(&mut self, member: usize, autostart: bool) {
        let known = &mut self.known.members[member];
        let over = match known.word {
            Word::DownUntil(until) => self.now >= until,
            Word::None | Word::Down => known.word_unsure,
        };
        (known.word, known.asked_up) = (Word::None, !autostart);
        self.claim(over, Invariant::NothingUnwantedStarts);
    }

    fn restarts(&mut self, letter: usize, delay: Duration) {
        let (facts, now) = (self.facts[letter], self.now);
        self.is_chargeable(letter);
        let known = &mut self.known.members[letter];
        let fair = !known.trial && !known.is_spent(&facts.budget, now);
        if facts.budget.max_restarts.is_some() {
            known.charge(now);
        }
        known.streak += 1;
        let follows = known.streak_unsure || is_wait(&facts.backoff, known.streak, delay);
        let track = &mut self.tracks[letter];
        (track.unlicensed, track.announced) = (false, true);
        track.not_before = now + millis(delay);
        self.claim(fair, Invariant::BudgetHolds);
        self.claim(
            follows && delay <= facts.backoff.longest,
            Invariant::DelaysFollow,
        );
        if let Some((group, _)) = facts.line.parent() {
            self.member_restarts(letter, group, delay);
        }
    }

    /// It ended by itself, and was to run.
    fn is_chargeable(&mut self, letter: usize) {
        let known = &self.known.members[letter];
        let unsure = known.word_unsure || self.is_unsure_above(letter);
        let held = self.is_off(letter) && !unsure;
        let wanted = !held && self.facts[letter].configured && self.end_by.is_none();
        let asked = self.tracks[letter].ended_asked || self.tracks[letter].wished;
        self.claim(wanted && !asked, Invariant::AskedIsUncharged);
    }

    fn is_spent(&mut self, letter: usize) {
        self.is_chargeable(letter);
        let known = &mut self.known.members[letter];
        let trial = core::mem::take(&mut known.trial);
        let budget = self.facts[letter].budget;
        let spent = known.is_spent(&budget, self.now);
        let holds = trial || spent || known.charges_unsure || self.rebooted;
        self.claim(holds, Invariant::SpentBeforeGivenUp);
    }

    fn settles(&mut self, letter: usize) {
        let settle = millis(self.facts[letter].backoff.settle);
        let up = self.tracks[letter]
            .up_since
            .is_some_and(|at| self.now >= at + settle);
        let well = !self.was_sick(letter, settle);
        self.claim(up && well, Invariant::SettledIsSettled);
        let known = &mut self.known.members[letter];
        (known.streak, known.streak_unsure) = (0, false);
        if core::mem::take(&mut known.trial) || known.charges_unsure {
            known.charges = [0; 8];
        }
    }
}
