//! What an end that nobody asked for costs: a restart, and sooner or later the budget.

use super::backoff;
use super::child::{Around, Child, Fate, Out};
use super::phase::{Next, Over, Phase};
use super::restart;
use crate::model::memory::Ended;
use crate::model::order::StopWhy;
use crate::model::spec::{Life, OnLimit};
use crate::model::{Exit, GroupId, Notice, RunId, Uptime};

impl Child {
    /// What follows an end that nobody asked for.
    pub(super) fn failed(
        &mut self,
        run: RunId,
        exit: Exit,
        around: &mut Around<'_>,
        out: &mut Out,
    ) -> Next {
        let clean = restart::is_clean(around.life, exit);
        self.failures += u32::from(!clean);
        out.save.soon();
        if !around.wanted || self.recycle {
            return self.gone(around); // Stop beats restart; a restart by hand is not charged.
        }
        if around.awaits && restart::wants_restart(around.life, exit) {
            // Its volume has gone: it waits for that, and is not to blame.
            out.fate = self.has_started().then_some(Fate::Waits);
            return Next::Idle;
        }
        if around.opening && !self.has_started() {
            out.fate = Some(Fate::StartFails);
            return Next::Idle;
        }
        if !restart::wants_restart(around.life, exit) {
            self.trial = false;
            out.tell(Notice::Finished { run, exit });
            out.fate = Some(Fate::Ends);
            return Next::Over(Over::Finished { clean });
        }
        let trial = core::mem::take(&mut self.trial);
        if trial || !self.window.admit(&around.life.budget, around.now) {
            return self.limit_reached(run, exit, trial, around, out);
        }
        let trial = around.group.trial;
        if !around.group.charge(around.now) {
            self.window.take_back(); // It is not made.
            out.fate = Some(Fate::Exceeds { trial });
            return Next::Idle;
        }
        self.restart(run, exit, around, out)
    }

    /// Whether its present run has come so far as to be ready. What was found to be unwell
    /// had been well.
    fn has_started(&self) -> bool {
        match self.phase {
            Phase::Up { .. }
            | Phase::Stopping {
                why: StopWhy::Unhealthy | StopWhy::Watchdog,
                ..
            } => true,
            Phase::Idle
            | Phase::Starting { .. }
            | Phase::Readying { .. }
            | Phase::Stopping { .. }
            | Phase::Clearing { .. }
            | Phase::Waiting { .. }
            | Phase::Over(_) => false,
        }
    }

    /// It is admitted: how long does it wait?
    fn restart(&mut self, run: RunId, exit: Exit, around: &Around<'_>, out: &mut Out) -> Next {
        self.streak = self.streak.saturating_add(1);
        self.restarts = self.restarts.saturating_add(1);
        let backoff = &around.life.backoff;
        let wait = backoff::wait(backoff, self.streak);
        let delay = backoff::jittered(wait, backoff.jitter_percent, around.dice);
        let (attempt, max, counted_by) = self.attempt(around);
        out.tell(Notice::Restarting {
            run,
            exit,
            delay,
            attempt,
            max,
            counted_by,
        });
        out.fate = Some(Fate::Restarts(delay));
        if delay.is_zero() {
            Next::Idle
        } else {
            Next::Waiting {
                until: around.now + delay,
            }
        }
    }

    /// Which restart this is, of how many, and who counts: the child's own budget where it
    /// has one, else its group's.
    fn attempt(&self, around: &Around<'_>) -> (u16, Option<u16>, Option<GroupId>) {
        let budget = &around.life.budget;
        match (budget.max_restarts, around.group.counted(around.now)) {
            (Some(max), _) => (self.window.recent(budget, around.now), Some(max), None),
            (None, Some((made, max))) => (made, Some(max), Some(around.group.id)),
            (None, None) => (u16::try_from(self.streak).unwrap_or(u16::MAX), None, None),
        }
    }

    fn limit_reached(
        &mut self,
        run: RunId,
        exit: Exit,
        trial: bool,
        around: &Around<'_>,
        out: &mut Out,
    ) -> Next {
        let budget = &around.life.budget;
        let restarts = self.window.recent(budget, around.now);
        match budget.on_limit {
            OnLimit::Park(pause) => {
                out.tell(Notice::Parked { run, exit, pause });
                Next::Over(Over::Parked {
                    until: around.now + pause,
                })
            }
            OnLimit::GiveUp => {
                out.tell(Notice::GaveUp {
                    run,
                    exit,
                    restarts,
                    window: budget.window,
                    trial,
                });
                Next::Over(Over::GaveUp)
            }
            OnLimit::Escalate => {
                let group = around.group.id;
                out.tell(Notice::Escalated { run, exit, group });
                out.fate = Some(Fate::Escalates);
                if group == GroupId::ROOT {
                    Next::Over(Over::GaveUp) // For the next sup, which gives it one try.
                } else {
                    Next::Idle
                }
            }
        }
    }

    /// Up for long enough: the waits begin anew, and a try that came this far makes
    /// the budget whole.
    pub(super) fn settled(&mut self, run: RunId, out: &mut Out) {
        if !self.is_unsettled() {
            return;
        }
        out.tell(Notice::Recovered {
            run,
            restarts: self.streak,
        });
        out.save.soon();
        self.streak = 0;
        if core::mem::take(&mut self.trial) {
            self.window.clear();
        }
    }

    /// When a run that is up since `since` has been up, and well, for long enough.
    pub(super) fn settles_at(&self, since: Uptime, life: &Life) -> Option<Uptime> {
        let calm = self.checks.calm_since(since)?;
        Some(calm + life.backoff.settle)
    }

    pub(super) fn is_unsettled(&self) -> bool {
        self.streak > 0 || self.trial
    }

    pub(super) fn remember_exit(
        &mut self,
        run: RunId,
        exit: Exit,
        from: Uptime,
        asked: bool,
        now: Uptime,
    ) {
        if self.exits.is_full() {
            let _oldest = self.exits.pop_front();
        }
        let ended = Ended {
            nth: run.nth,
            exit,
            at: now,
            ran: now - from,
            asked,
        };
        let kept = self.exits.push_back(ended);
        debug_assert!(kept.is_ok(), "room was made above");
    }
}
