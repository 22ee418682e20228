//! Whose turn it is to start or to stop, and which group keeps whom down.

use sup::model::order::StopWhy;

use crate::checker::Checker;
use crate::facts::{letters, of_group};
use crate::invariants::Invariant;
use crate::known::{State, Word};

impl Checker {
    pub(crate) fn spawns_in_groups(&mut self, letter: usize) {
        let line = self.facts[letter].line;
        let rests = self.tracks[letter].resting;
        self.claim(!rests, Invariant::TemporariesStayDown);
        for (group, place) in line.steps() {
            let known = &mut self.known.members[of_group(group)];
            let track = self.group_tracks[group];
            self.group_tracks[group].wished = false;
            let held = known.word != Word::None && !known.word_unsure;
            let gave_up = known.given_up || known.parked_until.is_some_and(|at| self.now < at);
            let parked = known.parked_until.take().is_some();
            known.trial |= parked;
            let tried = parked || known.maybe_over;
            known.maybe_over = false;
            self.claim(!held, Invariant::GroupWordStands);
            self.claim(!gave_up, Invariant::GroupGivenUpRests);
            self.claim(!track.resting, Invariant::TemporariesStayDown);
            self.claim(!track.done, Invariant::DoneRests);
            if tried {
                self.turns_are_over(group); // Nobody waits for its try.
            }
            if let Some(from) = track.falls_from.filter(|&from| from <= place) {
                self.claim(self.now >= track.not_before, Invariant::GroupWaits);
                let doomed = letters(self.groups[group].below).any(|n| {
                    self.tracks[n].doomed && self.facts[n].line.place_in(group) >= Some(from)
                });
                self.claim(!doomed, Invariant::SharesFate);
                let track = &mut self.group_tracks[group];
                (track.falls_from, track.not_before) = (None, 0);
            }
            self.starts_in_turn(group, place);
        }
    }

    /// Nobody before it that was started, or is to be started, with it may be on its way.
    fn starts_in_turn(&mut self, group: usize, place: u8) {
        if !self.groups[group].ordered {
            return;
        }
        let line = self.groups[group].line.steps();
        let waiting = line.fold(1 << group, |mask: u8, (above, _)| mask | 1 << above);
        for n in letters(self.groups[group].below) {
            if self.facts[n].line.place_in(group) < Some(place) {
                let coming = self.tracks[n].in_rise & 1 << group != 0 && self.is_coming(n);
                self.claim(!coming, Invariant::GroupsStartInOrder);
                self.tracks[n].in_rise &= !waiting; // Its turn is over, there and above.
            }
        }
    }

    fn is_coming(&self, letter: usize) -> bool {
        let track = &self.tracks[letter];
        let known = &self.known.members[letter];
        let mut groups = self.facts[letter].line.steps();
        let maybe_over = groups.any(|(group, _)| self.known.members[of_group(group)].maybe_over);
        if self.facts[letter].requires != 0 || maybe_over {
            return false; // Its group may have gone on without it.
        }
        match track.state {
            State::Starting => true,
            State::Live => track.up_since.is_none(),
            State::Stopping => track.why == Some(StopWhy::StartTimeout),
            State::Clearing => false,
            State::Down => {
                let wanted = self.facts[letter].autostart || known.asked_up;
                wanted && track.announced && !known.word_unsure && !self.is_off(letter)
            }
        }
    }

    /// A child is asked to end by its group, or with everything.
    pub(crate) fn stops_in_groups(&mut self, letter: usize, why: StopWhy) {
        let reach = match why {
            StopWhy::Taken(group) => {
                let group = self.group(group);
                let place = self.facts[letter].line.place_in(group);
                let taken = place.is_some_and(|it| self.group_tracks[group].fell_from <= it);
                let takes = self.groups[group].takes_along();
                let takes = takes || self.group_tracks[group].fell_whole;
                self.claim(taken && takes, Invariant::OthersAreSpared);
                group
            }
            StopWhy::Group(group) => self.group(group),
            StopWhy::Shutdown if self.now < self.patient_until => 0,
            StopWhy::Shutdown
            | StopWhy::Asked
            | StopWhy::Recycle
            | StopWhy::Removed
            | StopWhy::Requirement
            | StopWhy::StartTimeout
            | StopWhy::Unhealthy
            | StopWhy::Watchdog => return,
        };
        let mut inside = true;
        for (group, place) in self.facts[letter].line.steps() {
            let falls = self.group_tracks[group].falls_from;
            if !inside && falls.is_none_or(|from| from > place) {
                return;
            }
            inside &= group != reach;
            let facts = &self.groups[group];
            let behind = letters(facts.below).any(|n| {
                self.tracks[n].state != State::Down
                    && self.facts[n].line.place_in(group) > Some(place)
            });
            let fine = !(facts.ordered && behind);
            self.claim(fine, Invariant::GroupsStopBackwards);
        }
    }

    // ---- how it stands -------------------------------------------------------

    /// Whether one of its groups keeps it down: held, over, or not started by itself.
    pub(crate) fn is_off(&self, letter: usize) -> bool {
        let mut groups = self.facts[letter].line.steps();
        self.known.members[letter].word != Word::None
            || groups.any(|(group, _)| self.is_group_off(group))
    }

    pub(crate) fn is_group_off(&self, group: usize) -> bool {
        let known = &self.known.members[of_group(group)];
        let track = &self.group_tracks[group];
        known.word != Word::None
            || !(self.groups[group].autostart || known.asked_up)
            || known.given_up
            || known.parked_until.is_some_and(|until| self.now < until)
            || track.done
            || track.resting
    }

    /// Whether what people have said of one of its groups is not known for certain.
    pub(crate) fn is_unsure_above(&self, letter: usize) -> bool {
        let mut groups = self.facts[letter].line.steps();
        groups.any(|(group, _)| self.known.members[of_group(group)].word_unsure)
    }
}
