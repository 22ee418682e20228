//! What the checker knows: of memory, and of this life of sup.

use core::time::Duration;

use sup::model::order::StopWhy;
use sup::model::spec::{Budget, OnLimit};

use crate::checker::millis;
use crate::facts::MEMBERS;

/// What a person said last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Word {
    #[default]
    None,
    Down,
    /// Until then, in lived milliseconds.
    DownUntil(u64),
}

/// What memory keeps of a child or a group; goes back with a lost write.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    pub(crate) word: Word,
    pub(crate) asked_up: bool,
    /// Whether another child's start may have changed the word.
    pub(crate) word_unsure: bool,
    pub(crate) streak: u32,
    pub(crate) streak_unsure: bool,
    /// When restarts were charged, newest last.
    pub(crate) charges: [u64; 8],
    pub(crate) charges_unsure: bool,
    pub(crate) given_up: bool,
    pub(crate) parked_until: Option<u64>,
    pub(crate) trial: bool,
    /// It may still be given up, or parked.
    pub(crate) maybe_over: bool,
}

impl Known {
    /// With the next sup.
    pub(crate) fn begins(&mut self, configured: bool, on_limit: OnLimit, rebooted: bool) {
        if !configured {
            *self = Self::default();
        }
        if self.given_up && (rebooted || on_limit == OnLimit::Escalate) {
            (self.given_up, self.trial) = (false, true);
        }
    }

    /// A person began anew.
    pub(crate) fn forgive(&mut self) {
        *self = Self {
            word: self.word,
            asked_up: self.asked_up,
            word_unsure: self.word_unsure,
            ..Self::default()
        };
    }

    /// Failures are forgotten. What was done, or taken along, stays so.
    pub(crate) fn reset(&mut self) {
        let maybe_over = self.maybe_over;
        self.forgive();
        self.maybe_over = maybe_over;
    }

    /// Somebody else may have begun anew for it.
    pub(crate) fn doubt(&mut self) {
        self.charges = [0; 8];
        (self.streak_unsure, self.charges_unsure) = (true, true);
        self.maybe_over |= self.parked_until.is_some();
        (self.parked_until, self.trial) = (None, false);
    }

    fn charged(&self, since: u64) -> usize {
        self.charges
            .iter()
            .filter(|&&at| at > 0 && at >= since)
            .count()
    }

    pub(crate) fn charge(&mut self, now: u64) {
        self.charges.rotate_left(1);
        self.charges[7] = now;
    }

    pub(crate) fn is_spent(&self, budget: &Budget, now: u64) -> bool {
        let since = now.saturating_sub(millis(budget.window));
        let made = self.charged(since);
        budget
            .max_restarts
            .is_some_and(|max| made >= usize::from(max))
    }
}

/// What memory keeps.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Remembered {
    pub(crate) members: [Known; MEMBERS],
    /// What a person made of which count of the template: one bit an instance.
    pub(crate) scale: Option<(u16, u16)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    #[default]
    Down,
    Starting,
    Live,
    Stopping,
    Clearing,
}

/// What is known of a child in this life of sup.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Track {
    pub(crate) state: State,
    pub(crate) run: u32,
    pub(crate) place: u16,
    /// When it had a process.
    pub(crate) run_since: u64,
    pub(crate) up_since: Option<u64>,
    /// When it last showed that it lives, and whether sup has asked.
    pub(crate) pulse: Option<u64>,
    pub(crate) pulse_asked: bool,
    pub(crate) why: Option<StopWhy>,
    pub(crate) kill_due: Option<u64>,
    pub(crate) killed: bool,
    /// Its policy said that it is done; whether with success.
    pub(crate) finished: Option<bool>,
    /// When its group starts, it does, too, though it had finished.
    pub(crate) renews: bool,
    /// It ended because we asked it to.
    pub(crate) ended_asked: bool,
    /// It ended by itself, and nobody has announced a restart.
    pub(crate) unlicensed: bool,
    /// Its restart has been announced.
    pub(crate) announced: bool,
    pub(crate) not_before: u64,
    /// Its next start is somebody's wish, whatever happens before it.
    pub(crate) excused: bool,
    /// A person said: end, and run again.
    pub(crate) wished: bool,
    /// Alive while its group goes down, so that it must be down before others start.
    pub(crate) doomed: bool,
    /// The groups that start, and it has not been up since: one bit each.
    pub(crate) in_rise: u8,
    /// It is temporary, and its group took it along.
    pub(crate) resting: bool,
}

/// What is known of a group in this life of sup.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GroupTrack {
    /// Members from that place on go down or are down, and none has been started since.
    pub(crate) falls_from: Option<u8>,
    /// The same of the last fall, whether or not that is over.
    pub(crate) fell_from: u8,
    /// Whether that was because the group failed or ended as a whole.
    pub(crate) fell_whole: bool,
    /// None of them is started before that.
    pub(crate) not_before: u64,
    /// It has ended by itself, for good.
    pub(crate) done: bool,
    /// It is temporary, and its parent took it along.
    pub(crate) resting: bool,
    /// A person wants it to run, whatever happens before it does.
    pub(crate) wished: bool,
    /// When a restart was last charged to it, or it was started anew.
    pub(crate) calm: u64,
}

/// What one event has led to so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Batch {
    /// A member will be started again: its group must say whom that takes along.
    pub(crate) along: Option<(usize, usize, Duration)>,
    /// A group has failed, or ended though it is to run always: its parent must do something.
    pub(crate) pending: Option<usize>,
    /// A group must end, now that a member has.
    pub(crate) finishes: Option<usize>,
    /// Members that escalated, one bit each.
    pub(crate) escalated: u32,
    /// Members that ended by themselves, for good.
    pub(crate) finished: u32,
    /// Children that a check, or their watchdog, must end: one bit each.
    pub(crate) must_stop: u16,
    /// The root has failed, or ended.
    pub(crate) root_ends: bool,
}
