//! What a child remembers, and how it takes that up again.

use core::time::Duration;

use super::backoff;
use super::child::Child;
use super::phase::{Next, Over, Phase, Process};
use crate::model::memory::{ChildMemory, Credit};
use crate::model::spec::{Life, OnLimit};
use crate::model::{RunId, Uptime};

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
        let credit = match over {
            Some(Over::GaveUp) => Credit::GaveUp,
            Some(Over::Parked { until }) => Credit::Parked(until),
            Some(Over::Finished { .. }) | None if self.trial => Credit::Trial,
            Some(Over::Finished { .. }) | None => Credit::Whole,
        };
        ChildMemory {
            name: name.into(),
            hold: self.hold,
            streak: self.streak,
            window: self.window.made().to_vec(),
            credit,
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
        self.up_total = memory.up_total;
        self.wanted_total = memory.wanted_total;
        self.exits.clear();
        self.exits.extend(memory.exits.iter().copied());
        match memory.credit {
            Credit::Whole => self.recall_wait(life, rebooted, now),
            Credit::Trial => self.trial = true,
            // A reboot may have mended it, or whoever started sup again after it had
            // ended for this child's sake: exactly one try.
            Credit::GaveUp if rebooted || life.budget.on_limit == OnLimit::Escalate => {
                self.trial = true;
            }
            Credit::GaveUp => self.phase = Phase::Over(Over::GaveUp),
            Credit::Parked(until) => {
                let longest = match life.budget.on_limit {
                    OnLimit::Park(pause) => pause,
                    OnLimit::GiveUp | OnLimit::Escalate => Duration::ZERO,
                };
                self.phase = Phase::Over(Over::Parked {
                    until: until.min(now + longest),
                });
            }
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

    /// Takes up a run of another sup.
    pub(super) fn adopt(&mut self, run: RunId, pid: u32, at: Uptime) {
        self.runs = self.runs.max(run.nth);
        let process = Process { run, pid, at };
        self.phase = Phase::Up { process, since: at };
    }
}
