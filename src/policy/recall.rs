//! What a child remembers, and how it takes that up again; a group shares the rules.

use core::time::Duration;

use super::backoff;
use super::child::Child;
use super::phase::{Next, Over, Phase, Process};
use crate::model::memory::{ChildMemory, Credit};
use crate::model::spec::{Life, OnLimit};
use crate::model::{RunId, Uptime};

/// How a child or a group stands after its memory has been taken up.
pub(super) enum Standing {
    /// With a budget that counts on.
    Whole,
    /// With one try.
    Trial,
    /// With nothing more to happen by itself.
    Over(Over),
}

/// What is remembered of how it stands with its budget.
pub(super) fn credit(over: Option<Over>, trial: bool) -> Credit {
    match over {
        Some(Over::GaveUp) => Credit::GaveUp,
        Some(Over::Parked { until }) => Credit::Parked(until),
        Some(Over::Finished { .. } | Over::TakenAlong) | None if trial => Credit::Trial,
        Some(Over::Finished { .. } | Over::TakenAlong) | None => Credit::Whole,
    }
}

/// What that means to the next sup.
pub(super) fn standing(credit: Credit, on_limit: OnLimit, rebooted: bool, now: Uptime) -> Standing {
    match credit {
        Credit::Whole => Standing::Whole,
        Credit::Trial => Standing::Trial,
        // A reboot may have mended it, or whoever started sup again after it had ended
        // for its sake: exactly one try.
        Credit::GaveUp if rebooted || on_limit == OnLimit::Escalate => Standing::Trial,
        Credit::GaveUp => Standing::Over(Over::GaveUp),
        Credit::Parked(until) => {
            let longest = match on_limit {
                OnLimit::Park(pause) => pause,
                OnLimit::GiveUp | OnLimit::Escalate => Duration::ZERO,
            };
            Standing::Over(Over::Parked {
                until: until.min(now + longest),
            })
        }
    }
}

impl Child {
    /// What is remembered of it.
    #[must_use]
    pub fn remember(&self, name: &str, now: Uptime) -> ChildMemory {
        let over = match self.phase {
            Phase::Over(over)
            | Phase::Clearing {
                next: Next::Over(over),
                ..
            } => Some(over),
            Phase::Idle
            | Phase::Starting { .. }
            | Phase::Readying { .. }
            | Phase::Up { .. }
            | Phase::Stopping { .. }
            | Phase::Clearing { .. }
            | Phase::Waiting { .. } => None,
        };
        ChildMemory {
            name: name.into(),
            hold: self.hold,
            streak: self.streak,
            window: self.window.made().to_vec(),
            credit: credit(over, self.trial),
            runs: self.runs,
            restarts: self.restarts,
            failures: self.failures,
            up_total: self.up_total(now),
            wanted_total: self.wanted_total(now),
            exits: self.exits.iter().copied().collect(),
        }
    }

    /// Takes up its memory, before its first start. `rebooted`: the memory was written
    /// under another boot.
    pub(super) fn recall(
        &mut self,
        memory: &ChildMemory,
        life: &Life,
        rebooted: bool,
        now: Uptime,
    ) {
        self.hold = memory.hold;
        self.streak = memory.streak;
        self.window.restore(&memory.window);
        self.runs = memory.runs;
        self.restarts = memory.restarts;
        self.failures = memory.failures;
        self.tally.recall(memory.up_total, memory.wanted_total);
        self.exits.clear();
        self.exits.extend(memory.exits.iter().copied());
        let on_limit = life.budget.on_limit;
        match standing(memory.credit, on_limit, rebooted, now) {
            Standing::Whole => self.recall_wait(life, rebooted, now),
            Standing::Trial => self.trial = true,
            Standing::Over(over) => self.phase = Phase::Over(over),
        }
    }

    /// sup was away for a moment only: a backoff that had begun goes on, never longer
    /// than it was.
    fn recall_wait(&mut self, life: &Life, rebooted: bool, now: Uptime) {
        if let Some(last) = self.exits.back()
            && self.streak > 0
            && !last.asked
            && !rebooted
        {
            let wait = backoff::wait(&life.backoff, self.streak);
            let until = (last.at + wait).min(now + wait);
            if until > now {
                self.phase = Phase::Waiting { until };
            }
        }
    }

    /// Takes up what another sup had decided when the last run ended.
    pub(super) fn adopt_verdict(&mut self, nth: u32, next: Next, life: &Life, now: Uptime) {
        self.runs = self.runs.max(nth);
        let soonest = |until: Uptime, longest| until.min(now + longest);
        self.phase = match next {
            Next::Idle => return,
            Next::Waiting { until } => Phase::Waiting {
                until: soonest(until, life.backoff.longest),
            },
            Next::Over(Over::Parked { until }) => match life.budget.on_limit {
                OnLimit::Park(pause) => Phase::Over(Over::Parked {
                    until: soonest(until, pause),
                }),
                OnLimit::GiveUp | OnLimit::Escalate => return,
            },
            Next::Over(over) => Phase::Over(over),
        };
        self.trial = false;
    }

    /// Takes up a run of another sup. Where that had given the child up, or parked it, this
    /// is what was left of its last run, or a try that it had no time to write down.
    pub(super) fn adopt(&mut self, run: RunId, pid: u32, at: Uptime) {
        if let Phase::Over(Over::GaveUp | Over::Parked { .. }) = self.phase {
            self.trial = true;
        }
        self.runs = self.runs.max(run.nth);
        let process = Process { run, pid, at };
        self.phase = Phase::Up { process, since: at };
    }
}
