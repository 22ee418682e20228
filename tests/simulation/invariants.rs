//! What holds in every life. The checker sees events and actions only; what it knows of
//! the supervisor it has worked out for itself.

use core::time::Duration;

use sup::model::order::StopWhy;
use sup::model::spec::{Backoff, Budget, Life, OnLimit, Ready, Stop};
use sup::model::{ChildSpec, Exit, Notice, Order, RunId, Signal};
use sup::policy::{Action, Answer, Event, Reach};

use crate::config::{NAMES, letter};

/// A late tick, in milliseconds: the simulated daemon is never later than this.
pub(crate) const SLACK: u64 = 50;

/// What is claimed of every life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invariant {
    /// Never two runs of one child are alive, leftovers included.
    OneRun,
    /// Nothing starts that a person stopped, that is not configured, or that lacks a
    /// requirement; and nothing at all while everything ends.
    NothingUnwantedStarts,
    /// In calm, every wanted child with a working program comes up, or is over for a
    /// reason that was told; and what is not wanted is down.
    NothingForgotten,
    /// No automatic restart that was not announced and charged, and never more of those
    /// in any window than the budget allows.
    BudgetHolds,
    /// What was given up rests until a person, a reload or a reboot; what is parked, until
    /// its time.
    GivenUpRests,
    /// Nothing is given up whose budget is not spent.
    SpentBeforeGivenUp,
    /// Whoever is asked to end and has a stop-timeout is killed when it is over.
    StopEnds,
    /// No signal goes to a run that is over.
    OnlyTheLivingAreSignalled,
    /// Each wait is first · factor^(n-1), at most `longest`, and is kept.
    DelaysFollow,
    /// Recovered is said of what was up for `settle`, and of nothing else.
    SettledIsSettled,
    /// An end that we asked for, or of what is not wanted any more, is never charged.
    AskedIsUncharged,
    /// Each order gets exactly one answer, and only orders do.
    OneAnswer,
    /// What an order changed is written in the same batch.
    AcceptedIsSaved,
    /// A save that nobody waits for comes a minute after the last.
    SavesAreRare,
    /// What a new supervisor remembers is what the old one wrote.
    MemoryReadBack,
    /// A tick before the deadline does nothing.
    DeadlineHonest,
    /// After a shutdown the end comes, once, in time, and leaves nothing unkilled behind.
    EndComes,
    /// While everything ends, whoever is used is asked after its users are gone.
    DependentsStopFirst,
    /// One event causes a bounded number of actions, and a calm life comes to rest.
    Bounded,
    /// Nothing impossible happens.
    NoAlarm,
}

/// What a person said last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Word {
    #[default]
    None,
    Down,
    /// Until then, in lived milliseconds.
    DownUntil(u64),
}

/// What memory keeps of a child; goes back with a lost write.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    word: Word,
    asked_up: bool,
    /// Whether another child's start may have changed the word.
    word_unsure: bool,
    streak: u32,
    streak_unsure: bool,
    /// When restarts were charged, newest last.
    charges: [u64; 8],
    charges_unsure: bool,
    given_up: bool,
    parked_until: Option<u64>,
    trial: bool,
}

pub(crate) type Remembered = [Known; NAMES];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Down,
    Starting,
    Live,
    Stopping,
    Clearing,
}

/// What is known of a child in this life of sup.
#[derive(Clone, Copy, Debug, Default)]
struct Track {
    state: State,
    run: u32,
    place: u16,
    up_since: Option<u64>,
    why: Option<StopWhy>,
    kill_due: Option<u64>,
    killed: bool,
    /// Its policy said that it is done; whether with success.
    finished: Option<bool>,
    /// It ended because we asked it to.
    ended_asked: bool,
    /// It ended by itself, and nobody has announced a restart.
    unlicensed: bool,
    not_before: u64,
    /// Its next start is somebody's wish, whatever happens before it.
    excused: bool,
    /// A person said: end, and run again.
    wished: bool,
}

/// What is configured, as far as the claims need it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) configured: bool,
    pub(crate) autostart: bool,
    pub(crate) ready: Ready,
    pub(crate) backoff: Backoff,
    pub(crate) budget: Budget,
    pub(crate) stop: Stop,
    /// One bit a letter.
    pub(crate) requires: u16,
    pub(crate) after: u16,
}

pub(crate) struct Checker {
    /// Lived milliseconds: over all boots, and never backwards.
    pub(crate) now: u64,
    pub(crate) broken: Option<Invariant>,
    /// The kinds of notices that came up, one bit each.
    pub(crate) seen: u16,
    pub(crate) known: Remembered,
    tracks: [Track; NAMES],
    facts: [Facts; NAMES],
    rebooted: bool,
    end_by: Option<u64>,
    /// While everything ends: until when that goes in order.
    patient_until: u64,
    last_save: Option<u64>,
    // This batch.
    order: Option<(usize, Order)>,
    answers: u32,
    accepted: bool,
    saved: bool,
    ended: bool,
    actions: usize,
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

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

fn letters(mask: u16) -> impl Iterator<Item = usize> {
    (0..NAMES).filter(move |n| mask & 1 << n != 0)
}

impl Facts {
    const NONE: Self = Self {
        configured: false,
        autostart: false,
        ready: Ready::Started,
        backoff: Backoff {
            first: Duration::ZERO,
            factor_milli: 1000,
            longest: Duration::ZERO,
            settle: Duration::ZERO,
            jitter_percent: 0,
        },
        budget: Budget {
            max_restarts: None,
            window: Duration::ZERO,
            on_limit: OnLimit::GiveUp,
        },
        stop: Stop {
            signal: Signal::TERM,
            timeout: None,
        },
        requires: 0,
        after: 0,
    };

    fn of(spec: &ChildSpec) -> Self {
        let mask = |names: &[Box<str>]| names.iter().fold(0, |mask, name| mask | 1 << letter(name));
        let Life {
            autostart,
            backoff,
            budget,
            stop,
            ..
        } = spec.life;
        Self {
            configured: true,
            autostart,
            ready: spec.launch.ready,
            backoff,
            budget,
            stop,
            requires: mask(&spec.life.requires),
            after: mask(&spec.life.after),
        }
    }
}

impl Known {
    /// A person began anew.
    fn forgive(&mut self) {
        *self = Self {
            word: self.word,
            asked_up: self.asked_up,
            word_unsure: self.word_unsure,
            ..Self::default()
        };
    }

    /// Somebody else may have begun anew for it.
    fn doubt(&mut self) {
        self.charges = [0; 8];
        (self.streak_unsure, self.charges_unsure) = (true, true);
        (self.parked_until, self.trial) = (None, false);
    }

    fn charged(&self, since: u64) -> usize {
        self.charges
            .iter()
            .filter(|&&at| at > 0 && at >= since)
            .count()
    }
}

impl Checker {
    pub(crate) fn new() -> Self {
        Self {
            now: 1,
            broken: None,
            seen: 0,
            known: Remembered::default(),
            tracks: [Track::default(); NAMES],
            facts: [Facts::NONE; NAMES],
            rebooted: false,
            end_by: None,
            patient_until: 0,
            last_save: None,
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

    // ---- a new sup, a new configuration, a clock ---------------------------------

    /// A new supervisor with that memory; the processes of the old one died with it.
    /// `renewed`: the configuration is another than when that was written.
    pub(crate) fn begins(
        &mut self,
        specs: &[ChildSpec],
        known: Remembered,
        rebooted: bool,
        renewed: bool,
    ) {
        self.known = known;
        if renewed {
            self.known.iter_mut().for_each(Known::doubt);
        }
        self.rebooted |= rebooted;
        self.tracks = [Track::default(); NAMES];
        self.facts = [Facts::NONE; NAMES];
        for spec in specs {
            self.facts[letter(&spec.name)] = Facts::of(spec);
        }
        for (known, facts) in self.known.iter_mut().zip(&self.facts) {
            if !facts.configured {
                *known = Known::default();
            }
            let again = rebooted || facts.budget.on_limit == OnLimit::Escalate;
            if known.given_up && again {
                (known.given_up, known.trial) = (false, true);
            }
        }
        (self.end_by, self.last_save) = (None, None);
    }

    pub(crate) fn reloads(&mut self, old: &[ChildSpec], new: &[ChildSpec]) {
        for n in 0..NAMES {
            let before = old.iter().find(|spec| letter(&spec.name) == n);
            let after = new.iter().find(|spec| letter(&spec.name) == n);
            match (before, after) {
                (_, None) => self.facts[n].configured = false,
                (None, Some(spec)) => {
                    self.facts[n] = Facts::of(spec);
                    self.known[n].doubt();
                    self.tracks[n].excused = true;
                    if self.tracks[n].state == State::Down {
                        (self.known[n], self.tracks[n]) = (Known::default(), Track::default());
                    }
                }
                (Some(old), Some(new)) => {
                    self.facts[n] = Facts::of(new);
                    if old != new {
                        self.known[n].doubt();
                        self.tracks[n].excused = true;
                    }
                    if old.launch != new.launch {
                        self.tracks[n].finished = None;
                        self.known[n].given_up = false;
                    }
                }
            }
        }
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

    // ---- events ------------------------------------------------------------------

    pub(crate) fn event(&mut self, event: &Event, letter: usize) {
        (self.order, self.answers, self.accepted, self.saved) = (None, 0, false, false);
        (self.ended, self.actions) = (false, 0);
        match *event {
            Event::Started { run, .. } => self.started(run, letter),
            Event::StartFailed { run, .. } => {
                if self.is_now(run, letter, &[State::Starting]) {
                    self.ends(letter, false);
                }
            }
            Event::Ready { run } => {
                if self.is_now(run, letter, &[State::Live]) {
                    let since = &mut self.tracks[letter].up_since;
                    *since = since.or(Some(self.now));
                }
            }
            Event::Exited { run, left, .. } => {
                if self.is_now(run, letter, &[State::Live, State::Stopping]) {
                    self.ends(letter, left);
                }
            }
            Event::Cleared { run } => {
                if self.is_now(run, letter, &[State::Clearing]) {
                    self.tracks[letter].state = State::Down;
                    self.tracks[letter].kill_due = None;
                }
            }
            Event::Order { order, .. } => self.order = Some((letter, order)),
            Event::Shutdown if self.end_by.is_some() => {
                self.patient_until = self.now;
                self.end_by = self.end_by.map(|at| at.min(self.now + 2000));
            }
            Event::Shutdown | Event::Tick | Event::SaveFailed => {}
        }
    }

    fn is_now(&self, run: RunId, letter: usize, states: &[State]) -> bool {
        let track = &self.tracks[letter];
        (track.run, track.place) == (run.nth, run.child.0) && states.contains(&track.state)
    }

    fn started(&mut self, run: RunId, letter: usize) {
        if self.is_now(run, letter, &[State::Starting]) {
            let at_once = self.facts[letter].ready == Ready::Started;
            let track = &mut self.tracks[letter];
            track.state = State::Live;
            track.up_since = at_once.then_some(self.now);
        }
    }

    /// A run has ended. Whether that was asked for is settled by whether it was signalled.
    fn ends(&mut self, letter: usize, left: bool) {
        let stays_down = self.is_held(letter) || !self.facts[letter].configured;
        let track = &mut self.tracks[letter];
        let asked = track.state == State::Stopping && track.why != Some(StopWhy::StartTimeout);
        track.ended_asked = asked;
        track.unlicensed = !asked && !track.excused && !stays_down;
        track.state = if left { State::Clearing } else { State::Down };
        track.kill_due = track.kill_due.filter(|_| left);
    }

    fn is_held(&self, letter: usize) -> bool {
        self.known[letter].word != Word::None
    }

    // ---- actions -----------------------------------------------------------------

    /// One action. `alive`: whether a process of that child exists.
    pub(crate) fn action(&mut self, action: &Action, letter: usize, alive: bool) {
        self.actions += 1;
        match *action {
            Action::Spawn(run) => self.spawns(run, letter, alive),
            Action::Signal { run, signal, to } => self.signals(run, letter, signal, to),
            Action::Look(_) => {}
            Action::Tell(notice) => self.told(&notice, letter),
            Action::Save => self.saved = true,
            Action::Answer(answer) => self.answered(answer),
            Action::End { .. } => {
                self.claim(self.end_by.is_some() && !self.ended, Invariant::EndComes);
                self.ended = true;
            }
            Action::Alarm(_) => self.claim(false, Invariant::NoAlarm),
        }
    }

    fn spawns(&mut self, run: RunId, letter: usize, alive: bool) {
        self.claim(!alive, Invariant::OneRun);
        let (facts, known, track) = (self.facts[letter], self.known[letter], self.tracks[letter]);
        let lacks = letters(facts.requires).any(|n| !self.is_ready(n));
        let wanted = facts.configured && (known.word == Word::None || known.word_unsure);
        self.claim(
            wanted && !lacks && self.end_by.is_none(),
            Invariant::NothingUnwantedStarts,
        );
        self.claim(!known.given_up, Invariant::GivenUpRests);
        if let Some(until) = known.parked_until {
            self.claim(self.now >= until, Invariant::GivenUpRests);
            self.known[letter].trial = true;
        } else {
            self.claim(!track.unlicensed || track.excused, Invariant::BudgetHolds);
            self.claim(
                track.excused || self.now >= track.not_before,
                Invariant::DelaysFollow,
            );
        }
        self.known[letter].parked_until = None;
        self.tracks[letter] = Track {
            state: State::Starting,
            run: run.nth,
            place: run.child.0,
            ..Track::default()
        };
    }

    fn is_ready(&self, letter: usize) -> bool {
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
        if self.end_by.is_some()
            && self.now < self.patient_until
            && track.why == Some(StopWhy::Shutdown)
        {
            let used = (0..NAMES).any(|n| {
                let needs = self.facts[n].requires | self.facts[n].after;
                needs & 1 << letter != 0 && self.tracks[n].state != State::Down
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
                self.tracks[letter].finished = Some(is_clean(exit));
                self.known[letter].trial = false;
            }
            Notice::GaveUp { .. } | Notice::Escalated { .. } => {
                self.is_spent(letter);
                self.known[letter].given_up = true;
            }
            Notice::Parked { pause, .. } => {
                self.is_spent(letter);
                self.known[letter].parked_until = Some(self.now + millis(pause));
            }
            Notice::Recovered { .. } => self.settles(letter),
            Notice::Stopping { why, .. } => self.tracks[letter].why = Some(why),
            Notice::Held { .. } => self.tracks[letter].excused = true,
            Notice::TermOver { .. } => {
                let over = match self.known[letter].word {
                    Word::DownUntil(until) => self.now >= until,
                    Word::None | Word::Down => self.known[letter].word_unsure,
                };
                self.claim(over, Invariant::NothingUnwantedStarts);
                self.known[letter].word = Word::None;
                self.known[letter].asked_up = !self.facts[letter].autostart;
            }
            Notice::ShuttingDown => {
                self.patient_until = self.now + crate::world::SHUTDOWN;
                self.end_by = Some(self.patient_until + 2000);
            }
            Notice::Started { .. }
            | Notice::Ready { .. }
            | Notice::Ended { .. }
            | Notice::Killed { .. }
            | Notice::LeftBehind { .. } => {}
        }
    }

    fn restarts(&mut self, letter: usize, delay: Duration) {
        let (facts, now) = (self.facts[letter], self.now);
        self.is_chargeable(letter);
        let known = &mut self.known[letter];
        let spent = facts.budget.max_restarts.is_some_and(|max| {
            known.charged(now.saturating_sub(millis(facts.budget.window))) >= usize::from(max)
        });
        let fair = !known.trial && !spent;
        if facts.budget.max_restarts.is_some() {
            known.charges.rotate_left(1);
            known.charges[7] = now;
        }
        known.streak += 1;
        let follows = known.streak_unsure || is_wait(&facts.backoff, known.streak, delay);
        let track = &mut self.tracks[letter];
        (track.unlicensed, track.not_before) = (false, now + millis(delay));
        self.claim(fair, Invariant::BudgetHolds);
        self.claim(
            follows && delay <= facts.backoff.longest,
            Invariant::DelaysFollow,
        );
    }

    /// It ended by itself, and was to run.
    fn is_chargeable(&mut self, letter: usize) {
        let known = &self.known[letter];
        let held = known.word != Word::None && !known.word_unsure;
        let wanted = !held && self.facts[letter].configured && self.end_by.is_none();
        let asked = self.tracks[letter].ended_asked || self.tracks[letter].wished;
        self.claim(wanted && !asked, Invariant::AskedIsUncharged);
    }

    fn is_spent(&mut self, letter: usize) {
        self.is_chargeable(letter);
        let known = &mut self.known[letter];
        let trial = core::mem::take(&mut known.trial);
        let budget = self.facts[letter].budget;
        let since = self.now.saturating_sub(millis(budget.window));
        let spent = budget
            .max_restarts
            .is_some_and(|max| known.charged(since) >= usize::from(max));
        let holds = trial || spent || known.charges_unsure || self.rebooted;
        self.claim(holds, Invariant::SpentBeforeGivenUp);
    }

    fn settles(&mut self, letter: usize) {
        let settle = millis(self.facts[letter].backoff.settle);
        let up = self.tracks[letter]
            .up_since
            .is_some_and(|at| self.now >= at + settle);
        self.claim(up, Invariant::SettledIsSettled);
        let known = &mut self.known[letter];
        (known.streak, known.streak_unsure) = (0, false);
        if core::mem::take(&mut known.trial) || known.charges_unsure {
            known.charges = [0; 8];
        }
    }

    fn answered(&mut self, answer: Answer) {
        self.answers += 1;
        let Some((letter, order)) = self.order else {
            return;
        };
        self.accepted = answer == Answer::Accepted;
        if !self.accepted {
            return;
        }
        let begins_anew = matches!(
            self.tracks[letter].state,
            State::Down | State::Stopping | State::Clearing
        );
        match order {
            Order::Start | Order::Restart => {
                self.pull_in(self.facts[letter].requires);
                let known = &mut self.known[letter];
                (known.word, known.word_unsure) = (Word::None, false);
                known.asked_up = !self.facts[letter].autostart;
                let track = &mut self.tracks[letter];
                track.excused |= order == Order::Restart || begins_anew;
                track.wished |= match track.state {
                    State::Live => order == Order::Restart,
                    State::Stopping => true,
                    State::Down | State::Starting | State::Clearing => false,
                };
                if begins_anew {
                    known.forgive();
                    track.finished = None;
                }
            }
            Order::Stop { term } => {
                let known = &mut self.known[letter];
                known.word =
                    term.map_or(Word::Down, |term| Word::DownUntil(self.now + millis(term)));
                known.word_unsure = false;
                self.tracks[letter].excused = true;
                self.tracks[letter].wished = false;
            }
            Order::Reset => {
                self.known[letter].forgive();
                self.tracks[letter].excused |= begins_anew;
            }
            Order::Signal(_) => {}
        }
    }

    /// Who wants the one wants what it requires.
    fn pull_in(&mut self, requires: u16) {
        for n in letters(requires) {
            if self.tracks[n].finished == Some(true) {
                continue; // Done with success is all that its users require.
            }
            self.known[n].word_unsure = true;
            self.known[n].doubt();
            self.known[n].given_up = false;
            self.tracks[n].excused = true;
            self.tracks[n].finished = None;
            self.pull_in(self.facts[n].requires);
        }
    }

    // ---- the whole batch -----------------------------------------------------------

    /// All actions of one event have been seen. Returns what a save has kept.
    pub(crate) fn batch_ends(&mut self, children: usize) -> Option<Remembered> {
        let expected = u32::from(self.order.is_some());
        self.claim(self.answers == expected, Invariant::OneAnswer);
        self.claim(!self.accepted || self.saved, Invariant::AcceptedIsSaved);
        self.claim(self.actions <= 8 * children + 16, Invariant::Bounded);
        if !self.saved {
            return None;
        }
        let rare = self.last_save.is_none_or(|at| self.now >= at + 60_000);
        self.claim(rare || self.accepted || self.ended, Invariant::SavesAreRare);
        self.last_save = Some(self.now);
        let mut kept = self.known;
        for (known, facts) in kept.iter_mut().zip(&self.facts) {
            if !facts.configured {
                *known = Known::default();
            }
        }
        Some(kept)
    }

    // ---- at rest -------------------------------------------------------------------

    /// Calm has lasted long enough. `works`: whose program does; `wanted`: what the
    /// supervisor itself thinks, where a pulled-in start leaves us in doubt.
    /// Returns the letters for which it does not hold.
    pub(crate) fn rests(&mut self, works: u16, wanted: u16) -> String {
        let mut forgotten = String::new();
        for n in (0..NAMES).filter(|&n| self.facts[n].configured) {
            let known = &self.known[n];
            let by_word = match known.word {
                _ if known.word_unsure => wanted & 1 << n != 0,
                Word::None => self.facts[n].autostart || known.asked_up,
                Word::Down | Word::DownUntil(_) => false,
            };
            let track = &self.tracks[n];
            let up = track.state == State::Live && track.up_since.is_some();
            let over = known.given_up || track.finished.is_some();
            let excused = works & 1 << n == 0 || over || self.lacks(n);
            let fine = if by_word {
                up || excused
            } else {
                track.state == State::Down
            };
            if !fine {
                forgotten.push(char::from(b"abcdefghij"[n]));
            }
        }
        self.claim(forgotten.is_empty(), Invariant::NothingForgotten);
        forgotten
    }

    /// Whether a child that it waits for is not ready, so that it may be down, too. Each of
    /// those is held to account itself.
    fn lacks(&self, letter: usize) -> bool {
        let facts = &self.facts[letter];
        letters(facts.requires | facts.after).any(|n| self.facts[n].configured && !self.is_ready(n))
    }
}

/// first · factor^(n-1), at most the longest, shortened by no more than the jitter; within
/// a hundredth and a millisecond a step, for rounding.
fn is_wait(backoff: &Backoff, nth: u32, delay: Duration) -> bool {
    let factor = f64::from(backoff.factor_milli) / 1000.0;
    let steps = i32::try_from(nth - 1).unwrap_or(i32::MAX);
    let wait =
        (backoff.first.as_secs_f64() * factor.powi(steps)).min(backoff.longest.as_secs_f64());
    let slack = wait / 100.0 + 0.001 * f64::from(nth.min(100));
    let shortest = wait * (1.0 - f64::from(backoff.jitter_percent) / 100.0) - slack;
    (shortest..=wait + slack).contains(&delay.as_secs_f64())
}
