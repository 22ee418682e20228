//! What people ask for, and whom that pulls in.

use sup::model::Order;
use sup::policy::Answer;

use crate::checker::{Checker, millis};
use crate::config::{GROUPS, NAMES};
use crate::facts::{groups, letters, of_group};
use crate::known::{State, Word};

impl Checker {
    // ---- children ------------------------------------------------------------

    pub(crate) fn answered(&mut self, answer: Answer) {
        self.answers += 1;
        let Some((letter, order)) = self.order else {
            return;
        };
        self.accepted = answer == Answer::Accepted;
        if !self.accepted {
            return;
        }
        if let Some(group) = letter.checked_sub(NAMES) {
            return self.group_obeys(group, order);
        }
        self.hurries(letter);
        let begins_anew = matches!(
            self.tracks[letter].state,
            State::Down | State::Stopping | State::Clearing
        );
        match order {
            Order::Start | Order::Restart => {
                self.pull_in(self.facts[letter].requires, true);
                let taken = self.is_taken(letter);
                let known = &mut self.known.members[letter];
                (known.word, known.word_unsure) = (Word::None, false);
                known.asked_up = !self.facts[letter].autostart;
                let track = &mut self.tracks[letter];
                (track.in_rise, track.resting) = (0, false);
                track.excused |= order == Order::Restart || begins_anew;
                track.wished |= match track.state {
                    State::Live => order == Order::Restart || taken,
                    State::Starting => taken,
                    State::Stopping => true,
                    State::Down | State::Clearing => false,
                };
                if begins_anew {
                    known.forgive();
                    track.finished = None;
                }
            }
            Order::Stop { term } => {
                let known = &mut self.known.members[letter];
                known.word =
                    term.map_or(Word::Down, |term| Word::DownUntil(self.now + millis(term)));
                known.word_unsure = false;
                self.tracks[letter].excused = true;
                self.tracks[letter].wished = false;
            }
            Order::Reset => {
                self.known.members[letter].reset();
                self.tracks[letter].excused |= begins_anew;
                self.tracks[letter].in_rise = 0;
            }
            Order::Signal(_) => {}
        }
    }

    /// Who wants the one wants what it requires, where that is down. `surely`: whether
    /// whoever requires it is known to have been asked for.
    fn pull_in(&mut self, requires: u32, surely: bool) {
        for n in (0..NAMES).filter(|n| requires & 1 << n != 0) {
            let track = &mut self.tracks[n];
            let done = track.finished == Some(true);
            if done && !track.renews {
                continue; // Done with success is all that its users require.
            }
            // It is to do its work anew. Whether its group has come so far is not known.
            let surely = surely && !done;
            let known = &mut self.known.members[n];
            known.word_unsure = true;
            known.doubt();
            let over = known.given_up || track.finished.is_some() || track.resting;
            known.maybe_over |= over && !surely;
            known.given_up = false;
            track.finished = track.finished.filter(|_| done);
            (track.excused, track.in_rise, track.resting) = (true, 0, false);
            self.pull_in(self.facts[n].requires, surely);
        }
        for group in (0..GROUPS).filter(|&group| requires & 1 << of_group(group) != 0) {
            self.group_pulled_in(group);
        }
    }

    // ---- groups --------------------------------------------------------------

    /// A person's order to a group is being carried out.
    fn group_obeys(&mut self, group: usize, order: Order) {
        let at = of_group(group);
        let line = self.groups[group].line.steps().map(|(above, _)| above);
        for waits in groups(self.groups[group].groups).chain(line) {
            self.group_tracks[waits].not_before = 0;
        }
        self.turns_are_over(group);
        match order {
            Order::Start => self.group_starts(group),
            Order::Restart => self.group_restarts(group),
            Order::Stop { term } => {
                let now = self.now;
                let known = &mut self.known.members[at];
                known.word = term.map_or(Word::Down, |term| Word::DownUntil(now + millis(term)));
                known.word_unsure = false;
                self.falls_whole(group);
                for n in letters(self.groups[group].below) {
                    self.tracks[n].wished = false;
                }
            }
            Order::Reset => {
                for below in groups(self.groups[group].groups) {
                    let known = &mut self.known.members[of_group(below)];
                    // It is to come back, even where it has not gone down yet.
                    self.group_tracks[below].wished |=
                        known.given_up || known.parked_until.is_some();
                    known.reset();
                }
                for n in letters(self.groups[group].below) {
                    self.known.members[n].reset();
                    self.tracks[n].excused = true;
                    self.tracks[n].in_rise = 0;
                }
            }
            Order::Signal(_) => {}
        }
    }

    /// All that runs ends and runs again; or, where it was down, all of it is to run.
    fn group_restarts(&mut self, group: usize) {
        self.falls_whole(group);
        for below in groups(self.groups[group].groups & !(1 << group)) {
            // Where it was down, it is asked up, too.
            self.known.members[of_group(below)].word_unsure |= !self.groups[below].autostart;
        }
        let below = groups(self.groups[group].groups & !(1 << group)).map(of_group);
        for at in below.chain(letters(self.groups[group].below)) {
            let known = &mut self.known.members[at];
            known.word_unsure |= known.word != Word::None;
            known.maybe_over |= known.given_up || known.parked_until.is_some();
            known.given_up = false;
            known.doubt();
        }
        for n in letters(self.groups[group].below) {
            if self.facts[n].requires != 0 {
                // Only where it was down, this starts what it requires.
                self.pull_in(self.facts[n].requires, false);
            }
        }
        let autostart = self.groups[group].autostart;
        let known = &mut self.known.members[of_group(group)];
        (known.word, known.word_unsure) = (Word::None, false);
        known.asked_up = !autostart;
        known.given_up = false;
        known.doubt();
        let track = &mut self.group_tracks[group];
        (track.wished, track.done, track.resting) = (true, false, false);
    }

    /// All of it is to run: each group in it, and each child that starts by itself.
    fn group_starts(&mut self, group: usize) {
        for below in groups(self.groups[group].groups) {
            let autostart = self.groups[below].autostart;
            let known = &mut self.known.members[of_group(below)];
            (known.word, known.word_unsure) = (Word::None, false);
            known.asked_up = !autostart;
            known.doubt();
            known.given_up = false;
            let track = &mut self.group_tracks[below];
            (track.not_before, track.wished) = (0, true);
            (track.done, track.resting) = (false, false);
        }
        self.comes_fresh(group);
        for n in letters(self.groups[group].below) {
            let autostart = self.facts[n].autostart;
            self.tracks[n].in_rise = 0;
            let known = &mut self.known.members[n];
            known.doubt();
            if autostart {
                (known.word, known.word_unsure) = (Word::None, false);
            }
            // What does not start by itself does so with its group only where it was asked up.
            let asked_up = known.word == Word::None && (known.asked_up || known.word_unsure);
            if autostart || asked_up {
                // Whatever it is being stopped for: then it runs.
                let taken = self.is_taken(n);
                let (known, track) = (&mut self.known.members[n], &mut self.tracks[n]);
                track.wished |= match track.state {
                    State::Stopping => true,
                    State::Live | State::Starting => taken,
                    State::Down | State::Clearing => false,
                };
                let surely = autostart || !known.word_unsure;
                known.maybe_over |= known.given_up && !surely;
                known.given_up = false;
                self.pull_in(self.facts[n].requires, surely);
            }
        }
    }

    /// It is required by somebody who is to run.
    fn group_pulled_in(&mut self, group: usize) {
        for below in groups(self.groups[group].groups) {
            let known = &mut self.known.members[of_group(below)];
            known.word_unsure = true;
            let track = &mut self.group_tracks[below];
            // Only where it was down for good: done is all that is required, and where it is up,
            // what is in it may rest.
            let rests = track.done || below != group && track.resting;
            known.maybe_over |= known.given_up || known.parked_until.is_some() || rests;
            known.doubt();
            known.given_up = false;
            (track.not_before, track.done, track.resting) = (0, false, false);
        }
        // Whom it takes along and whose policy asks for no more comes back only where the
        // whole group was down.
        for n in letters(self.groups[group].below) {
            let track = &self.tracks[n];
            let taken = track.resting || track.state == State::Stopping || track.doomed;
            self.known.members[n].maybe_over |= self.facts[n].temporary && taken;
        }
        self.comes_fresh(group);
        for n in letters(self.groups[group].below) {
            let known = &mut self.known.members[n];
            known.word_unsure = true;
            // Only where it was down for good.
            known.maybe_over |= known.given_up || known.parked_until.is_some();
            known.doubt();
            known.given_up = false;
            known.maybe_over |= self.tracks[n].finished.is_some();
            self.tracks[n].in_rise = 0;
            self.pull_in(self.facts[n].requires, false);
        }
    }

    /// Whether its group is about to stop it, and to start it again with others.
    fn is_taken(&self, letter: usize) -> bool {
        let parent = self.facts[letter].line.parent();
        parent.is_some_and(|(group, place)| {
            let track = &self.group_tracks[group];
            let falls = track.falls_from.is_some_and(|from| from <= place);
            falls && !track.fell_whole && self.tracks[letter].doomed
        })
    }

    /// A person wants something of a child: no group above it waits any more.
    pub(crate) fn hurries(&mut self, letter: usize) {
        for (group, _) in self.facts[letter].line.steps() {
            self.group_tracks[group].not_before = 0;
        }
    }

    /// The time of a stop is over.
    pub(crate) fn group_term_is_over(&mut self, group: usize) {
        self.term_is_over(of_group(group), self.groups[group].autostart);
        self.group_tracks[group].wished = true;
        self.comes_fresh(group);
        self.turns_are_over(group); // Those around it have gone on without it.
    }
}
