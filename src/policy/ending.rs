//! How a run is ended, and what happens by itself when time goes by.

use core::time::Duration;

use super::action::Action;
use super::child::{Around, Child, Out};
use super::due::{Due, earliest};
use super::phase::{Next, Over, Phase, Process, Sweep};
use crate::model::memory::Hold;
use crate::model::order::StopWhy;
use crate::model::spec::Life;
use crate::model::{Member, Notice, RunId, Signal, Uptime};

/// First look after a session that its main process has left, and the longest pause
/// between two looks. Nobody tells us when somebody else's child ends.
const LOOK_FIRST: Duration = Duration::from_millis(20);
const LOOK_LONGEST: Duration = Duration::from_secs(1);

impl Child {
    /// Asks it to end: its signal, then CONT, because a stopped process cannot act on
    /// TERM (signal(7)). Nothing happens where it is being ended, or made, already.
    pub(super) fn stop(&mut self, why: StopWhy, around: &mut Around<'_>, out: &mut Out) {
        let (Phase::Readying { process, .. } | Phase::Up { process, .. }) = self.phase else {
            return;
        };
        if let Phase::Up { since, .. } = self.phase {
            self.tally.up += around.now - since;
        }
        if let StopWhy::Taken(_) | StopWhy::Group(_) = why {
            self.taken_by = around.group.cause;
        }
        out.tell(Notice::Stopping {
            run: process.run,
            why,
        });
        let signal = match why {
            StopWhy::Watchdog => Signal::ABRT, // It may leave a core dump that says where it hung.
            StopWhy::Asked
            | StopWhy::Recycle
            | StopWhy::Removed
            | StopWhy::Requirement
            | StopWhy::Shutdown
            | StopWhy::StartTimeout
            | StopWhy::Taken(_)
            | StopWhy::Group(_)
            | StopWhy::Unhealthy => around.life.stop.signal,
        };
        out.signal(process.run, signal);
        out.signal(process.run, Signal::CONT);
        let kill_at = around.life.stop.timeout.map(|limit| around.now + limit);
        self.phase = Phase::Stopping {
            process,
            why,
            kill_at,
            killed: false,
        };
    }

    /// Its time is up, and that of whatever else is left of its session. Said once.
    pub(super) fn kill(&mut self, out: &mut Out) {
        let Some(process) = self.phase.process() else {
            return;
        };
        match &mut self.phase {
            Phase::Stopping {
                kill_at, killed, ..
            } if !*killed => (*kill_at, *killed) = (None, true),
            Phase::Clearing { sweep, .. } if !sweep.killed => {
                (sweep.kill_at, sweep.killed) = (None, true);
            }
            Phase::Stopping { .. }
            | Phase::Clearing { .. }
            | Phase::Readying { .. }
            | Phase::Up { .. }
            | Phase::Idle
            | Phase::Starting { .. }
            | Phase::Waiting { .. }
            | Phase::Over(_) => return,
        }
        out.tell(Notice::Killed { run: process.run });
        out.signal(process.run, Signal::KILL);
    }

    /// The next moment at which something happens by itself, and what.
    pub(super) fn deadline(&self, life: &Life) -> Option<(Uptime, Due)> {
        earliest(self.next(life), self.watch_deadline(life))
    }

    /// The same but for its checks.
    #[must_use]
    pub fn next(&self, life: &Life) -> Option<(Uptime, Due)> {
        let (id, of) = (self.id, Member::Child(self.id));
        let by_phase = match self.phase {
            Phase::Idle | Phase::Starting { .. } => None,
            Phase::Readying { fail_at, .. } => fail_at.map(|at| (at, Due::StartTimeout(id))),
            Phase::Up { since, .. } => self
                .settles_at(since, life)
                .filter(|_| self.is_unsettled())
                .map(|at| (at, Due::Settle(of))),
            Phase::Stopping { kill_at, .. } => kill_at.map(|at| (at, Due::Kill(id))),
            Phase::Clearing { sweep, .. } => Some(match sweep.kill_at {
                Some(at) if at <= sweep.look_at => (at, Due::Kill(id)),
                Some(_) | None => (sweep.look_at, Due::Look(id)),
            }),
            Phase::Waiting { until } => Some((until, Due::Restart(of))),
            Phase::Over(Over::Parked { until }) => {
                self.wants_try().then_some((until, Due::Try(of)))
            }
            Phase::Over(Over::Finished { .. } | Over::GaveUp | Over::TakenAlong) => None,
        };
        let by_hold = match self.hold {
            Hold::DownUntil(at) => Some((at, Due::Term(of))),
            Hold::None | Hold::Up | Hold::Down => None,
        };
        earliest(by_phase, by_hold)
    }

    /// A parked child that a person stopped is not tried.
    fn wants_try(&self) -> bool {
        matches!(self.hold, Hold::None | Hold::Up)
    }

    /// Does what is due.
    pub(super) fn expire(&mut self, around: &mut Around<'_>, out: &mut Out) {
        while let Some((at, due)) = self.deadline(around.life)
            && at <= around.now
        {
            match due {
                Due::Restart(_) => self.phase = Phase::Idle,
                Due::Try(_) => {
                    self.trial = true;
                    self.phase = Phase::Idle;
                }
                Due::StartTimeout(_) => self.stop(StopWhy::StartTimeout, around, out),
                Due::Settle(_) => {
                    if let Phase::Up { process, .. } = self.phase {
                        self.settled(process.run, out);
                    }
                }
                Due::Kill(_) => self.kill(out),
                Due::Look(_) => self.look(around.now, out),
                Due::Term(of) => {
                    self.hold = if around.life.autostart {
                        Hold::None
                    } else {
                        Hold::Up
                    };
                    out.save.soon();
                    out.tell(Notice::TermOver { of });
                }
                Due::Probe(_) => self.probe(around, out),
                Due::Pulse(_) => self.ask_pulse(out),
                Due::Save | Due::Shutdown => return, // Not a child's.
            }
        }
    }

    fn look(&mut self, now: Uptime, out: &mut Out) {
        if let Phase::Clearing { process, sweep, .. } = &mut self.phase {
            // What another program has handed over may be any span.
            let pause = sweep.pause.saturating_mul(2);
            sweep.pause = pause.clamp(LOOK_FIRST, LOOK_LONGEST);
            sweep.look_at = now + sweep.pause;
            if sweep.killed {
                // It may have made a process after the last KILL.
                out.signal(process.run, Signal::KILL);
            }
            out.actions.push(Action::Look(process.run));
        }
    }

    /// Its main process is gone and others of its session are not: they get the same
    /// signals and the same time.
    pub(super) fn clear(
        &self,
        process: Process,
        next: Next,
        around: &mut Around<'_>,
        out: &mut Out,
    ) -> Phase {
        let (kill_at, killed) = match self.phase {
            Phase::Stopping {
                kill_at, killed, ..
            } => (kill_at, killed),
            Phase::Idle
            | Phase::Starting { .. }
            | Phase::Readying { .. }
            | Phase::Up { .. }
            | Phase::Clearing { .. }
            | Phase::Waiting { .. }
            | Phase::Over(_) => {
                out.tell(Notice::LeftBehind { run: process.run });
                out.signal(process.run, around.life.stop.signal);
                out.signal(process.run, Signal::CONT);
                (
                    around.life.stop.timeout.map(|limit| around.now + limit),
                    false,
                )
            }
        };
        let sweep = Sweep {
            kill_at,
            killed,
            look_at: around.now + LOOK_FIRST,
            pause: LOOK_FIRST,
        };
        Phase::Clearing {
            process,
            sweep,
            next,
        }
    }

    pub(super) fn cleared(&mut self, run: RunId) {
        if let Phase::Clearing { process, next, .. } = self.phase
            && process.run == run
        {
            self.phase = next.into();
        }
    }
}
