//! One child's life.
//!
//! ```text
//!   Idle --spawn--> Starting --started--> Readying --ready--> Up
//!    ^ ^               |                     |                 |  \
//!    | |               | failed              | exited          |   \ stop
//!    | |               v                     v                 v    v
//!    | '-- due ---- Waiting <------- charged, admitted ---- exited  Stopping
//!    |              Over    <------- finished, given up, parked       |
//!    '------------------------------- exited, cleared <--- Clearing <-'
//! ```
//!
//! Edges only set phases. Whether an idle child starts and a live one stops is decided
//! by one pass at the end of `Supervisor::handle`, when all phases are known.

use alloc::vec::Vec;
use core::time::Duration;

use heapless::Deque;

use super::action::{Action, Reach};
use super::due::Due;
use super::intensity::Intensity;
use super::phase::{Next, Over, Phase, Process, Sweep};
use super::save::SaveClock;
use super::{backoff, restart};
use crate::model::limits::EXITS_KEPT;
use crate::model::memory::{Ended, Hold};
use crate::model::order::StopWhy;
use crate::model::spec::{Life, OnLimit, Ready};
use crate::model::{ChildId, Exit, Notice, RunId, Signal, StartFault, Timeout, Uptime};

/// First look after a session that its main process has left, and the longest pause
/// between two looks. Nobody tells us when somebody else's child ends.
const LOOK_FIRST: Duration = Duration::from_millis(20);
const LOOK_LONGEST: Duration = Duration::from_secs(1);

/// What a child's decisions need besides its own state.
pub(super) struct Around<'a> {
    pub(super) life: &'a Life,
    pub(super) now: Uptime,
    /// Whether it is to run, as far as people and the configuration are concerned.
    pub(super) wanted: bool,
    /// Any number; for jitter.
    pub(super) dice: u64,
}

/// Where decisions go.
#[derive(Debug)]
pub(super) struct Out {
    pub(super) actions: Vec<Action>,
    pub(super) save: SaveClock,
    /// A child's failure is its group's.
    pub(super) escalated: bool,
}

impl Out {
    pub(super) fn tell(&mut self, notice: Notice) {
        self.actions.push(Action::Tell(notice));
    }

    fn signal(&mut self, run: RunId, signal: Signal) {
        self.actions.push(Action::Signal {
            run,
            signal,
            to: Reach::All,
        });
    }
}

/// One child's state.
#[derive(Clone, Debug)]
pub struct Child {
    pub(super) id: ChildId,
    pub(super) phase: Phase,
    pub(super) hold: Hold,
    /// End it and start it again.
    pub(super) recycle: bool,
    pub(super) runs: u32,
    pub(super) streak: u32,
    /// The present run is the one try after *parked* or *gave up*.
    pub(super) trial: bool,
    pub(super) window: Intensity,
    pub(super) exits: Deque<Ended, EXITS_KEPT>,
    pub(super) restarts: u32,
    pub(super) failures: u32,
    pub(super) up_total: Duration,
    pub(super) wanted_total: Duration,
    pub(super) wanted_since: Option<Uptime>,
}

impl Child {
    pub(super) fn new(id: ChildId, life: &Life) -> Self {
        Self {
            id,
            phase: Phase::Idle,
            hold: Hold::None,
            recycle: false,
            runs: 0,
            streak: 0,
            trial: false,
            window: Intensity::new(&life.budget),
            exits: Deque::new(),
            restarts: 0,
            failures: 0,
            up_total: Duration::ZERO,
            wanted_total: Duration::ZERO,
            wanted_since: None,
        }
    }

    // ---- what happens to it -------------------------------------------------

    pub(super) fn spawn(&mut self, now: Uptime, out: &mut Out) {
        self.runs = self.runs.wrapping_add(1);
        self.recycle = false;
        let run = RunId {
            child: self.id,
            nth: self.runs,
        };
        self.phase = Phase::Starting { run, at: now };
        out.actions.push(Action::Spawn(run));
    }

    /// Whether it was expected.
    pub(super) fn started(
        &mut self,
        run: RunId,
        pid: u32,
        ready: Ready,
        around: &Around<'_>,
        out: &mut Out,
    ) -> bool {
        let expected = matches!(self.phase, Phase::Starting { run: asked, .. } if asked == run);
        if expected {
            let process = Process {
                run,
                pid,
                at: around.now,
            };
            out.tell(Notice::Started { run, pid });
            self.phase = match ready {
                Ready::Started => Phase::Up {
                    process,
                    since: around.now,
                },
                Ready::Notify | Ready::Descriptor(_) => Phase::Readying {
                    process,
                    fail_at: around.life.start_timeout.map(|limit| around.now + limit),
                },
            };
        }
        expected
            || self
                .phase
                .process()
                .is_some_and(|process| process.run == run)
    }

    pub(super) fn start_failed(
        &mut self,
        run: RunId,
        fault: StartFault,
        around: &Around<'_>,
        out: &mut Out,
    ) {
        if let Phase::Starting { run: asked, at } = self.phase
            && asked == run
        {
            let exit = Exit::StartFault(fault);
            self.remember_exit(run, exit, at, false, around.now);
            out.tell(Notice::Ended {
                run,
                exit,
                asked: false,
            });
            self.phase = self.failed(run, exit, around, out).into();
        }
    }

    pub(super) fn ready(&mut self, run: RunId, now: Uptime, out: &mut Out) {
        if let Phase::Readying { process, .. } = self.phase
            && process.run == run
        {
            out.tell(Notice::Ready { run });
            self.phase = Phase::Up {
                process,
                since: now,
            };
        }
    }

    pub(super) fn exited(
        &mut self,
        run: RunId,
        exit: Exit,
        left: bool,
        around: &Around<'_>,
        out: &mut Out,
    ) {
        let Some(process) = self.phase.process().filter(|process| process.run == run) else {
            return; // News of a run that is long over.
        };
        let now = around.now;
        let next = match self.phase {
            Phase::Up { since, .. } => {
                self.up_total += now - since;
                if now - since >= around.life.backoff.settle {
                    self.settled(run, out);
                }
                self.ended_by_itself(process, exit, around, out)
            }
            Phase::Readying { .. } => self.ended_by_itself(process, exit, around, out),
            Phase::Stopping { why, killed, .. } => {
                self.ended_as_asked(process, exit, why, killed, around, out)
            }
            // Said before; a dead run does not die again.
            Phase::Clearing { .. }
            | Phase::Idle
            | Phase::Starting { .. }
            | Phase::Waiting { .. }
            | Phase::Over(_) => return,
        };
        self.phase = if left {
            self.clear(process, next, around, out)
        } else {
            next.into()
        };
    }

    fn ended_by_itself(
        &mut self,
        process: Process,
        exit: Exit,
        around: &Around<'_>,
        out: &mut Out,
    ) -> Next {
        self.remember_exit(process.run, exit, process.at, false, around.now);
        out.tell(Notice::Ended {
            run: process.run,
            exit,
            asked: false,
        });
        self.failed(process.run, exit, around, out)
    }

    fn ended_as_asked(
        &mut self,
        process: Process,
        exit: Exit,
        why: StopWhy,
        killed: bool,
        around: &Around<'_>,
        out: &mut Out,
    ) -> Next {
        let late = matches!(
            exit,
            Exit::Signal {
                signal: Signal::KILL,
                ..
            }
        ) && killed;
        let (exit, asked) = match why {
            StopWhy::StartTimeout => (Exit::Timeout(Timeout::Start), false),
            StopWhy::Asked
            | StopWhy::Recycle
            | StopWhy::Removed
            | StopWhy::Requirement
            | StopWhy::Shutdown => (
                if late {
                    Exit::Timeout(Timeout::Stop)
                } else {
                    exit
                },
                true,
            ),
        };
        self.remember_exit(process.run, exit, process.at, asked, around.now);
        out.tell(Notice::Ended {
            run: process.run,
            exit,
            asked,
        });
        if asked {
            Next::Idle
        } else {
            self.failed(process.run, exit, around, out)
        }
    }

    /// Its main process is gone and others of its session are not: they get the same
    /// signals and the same time.
    fn clear(&self, process: Process, next: Next, around: &Around<'_>, out: &mut Out) -> Phase {
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

    // ---- what it costs ------------------------------------------------------

    /// What follows an end that nobody asked for.
    fn failed(&mut self, run: RunId, exit: Exit, around: &Around<'_>, out: &mut Out) -> Next {
        let clean = restart::is_clean(around.life, exit);
        self.failures += u32::from(!clean);
        out.save.soon();
        if !around.wanted || self.recycle {
            return Next::Idle; // Stop beats restart; a restart by hand is not charged.
        }
        if !restart::wants_restart(around.life, exit) {
            self.trial = false;
            out.tell(Notice::Finished { run, exit });
            return Next::Over(Over::Finished { clean });
        }
        let trial = core::mem::take(&mut self.trial);
        if trial || !self.window.admit(&around.life.budget, around.now) {
            return self.limit_reached(run, exit, trial, around, out);
        }
        self.streak = self.streak.saturating_add(1);
        self.restarts = self.restarts.saturating_add(1);
        let backoff = &around.life.backoff;
        let wait = backoff::wait(backoff, self.streak);
        let delay = backoff::jittered(wait, backoff.jitter_percent, around.dice);
        let (attempt, max) = self.attempt(around);
        out.tell(Notice::Restarting {
            run,
            exit,
            delay,
            attempt,
            max,
        });
        if delay.is_zero() {
            Next::Idle
        } else {
            Next::Waiting {
                until: around.now + delay,
            }
        }
    }

    fn attempt(&self, around: &Around<'_>) -> (u16, Option<u16>) {
        let budget = &around.life.budget;
        let attempt = match budget.max_restarts {
            Some(_) => self.window.recent(budget, around.now),
            None => u16::try_from(self.streak).unwrap_or(u16::MAX),
        };
        (attempt, budget.max_restarts)
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
        let over = match budget.on_limit {
            OnLimit::Park(pause) => {
                out.tell(Notice::Parked { run, exit, pause });
                Over::Parked {
                    until: around.now + pause,
                }
            }
            OnLimit::GiveUp => {
                out.tell(Notice::GaveUp {
                    run,
                    exit,
                    restarts,
                    window: budget.window,
                    trial,
                });
                Over::GaveUp
            }
            OnLimit::Escalate => {
                out.tell(Notice::Escalated { run, exit });
                out.escalated = true;
                Over::GaveUp
            }
        };
        Next::Over(over)
    }

    /// Up for long enough: the waits begin anew, and a try that came this far makes
    /// the budget whole.
    fn settled(&mut self, run: RunId, out: &mut Out) {
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

    fn is_unsettled(&self) -> bool {
        self.streak > 0 || self.trial
    }

    fn remember_exit(&mut self, run: RunId, exit: Exit, from: Uptime, asked: bool, now: Uptime) {
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

    // ---- what we do to it ---------------------------------------------------

    /// Asks it to end: its signal, then CONT, because a stopped process cannot act on
    /// TERM (signal(7)). Nothing happens where it is being ended, or made, already.
    pub(super) fn stop(&mut self, why: StopWhy, around: &Around<'_>, out: &mut Out) {
        let (Phase::Readying { process, .. } | Phase::Up { process, .. }) = self.phase else {
            return;
        };
        if let Phase::Up { since, .. } = self.phase {
            self.up_total += around.now - since;
        }
        out.tell(Notice::Stopping {
            run: process.run,
            why,
        });
        out.signal(process.run, around.life.stop.signal);
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
    #[must_use]
    pub fn deadline(&self, life: &Life) -> Option<(Uptime, Due)> {
        let id = self.id;
        let by_phase = match self.phase {
            Phase::Idle | Phase::Starting { .. } => None,
            Phase::Readying { fail_at, .. } => fail_at.map(|at| (at, Due::StartTimeout(id))),
            Phase::Up { since, .. } => self
                .is_unsettled()
                .then(|| (since + life.backoff.settle, Due::Settle(id))),
            Phase::Stopping { kill_at, .. } => kill_at.map(|at| (at, Due::Kill(id))),
            Phase::Clearing { sweep, .. } => Some(match sweep.kill_at {
                Some(at) if at <= sweep.look_at => (at, Due::Kill(id)),
                Some(_) | None => (sweep.look_at, Due::Look(id)),
            }),
            Phase::Waiting { until } => Some((until, Due::Restart(id))),
            Phase::Over(Over::Parked { until }) => {
                self.wants_try().then_some((until, Due::Try(id)))
            }
            Phase::Over(Over::Finished { .. } | Over::GaveUp) => None,
        };
        let by_hold = match self.hold {
            Hold::DownUntil(at) => Some((at, Due::Term(id))),
            Hold::None | Hold::Up | Hold::Down => None,
        };
        earliest(by_phase, by_hold)
    }

    /// A parked child that a person stopped is not tried.
    fn wants_try(&self) -> bool {
        matches!(self.hold, Hold::None | Hold::Up)
    }

    /// Does what is due.
    pub(super) fn expire(&mut self, around: &Around<'_>, out: &mut Out) {
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
                Due::Term(child) => {
                    self.hold = if around.life.autostart {
                        Hold::None
                    } else {
                        Hold::Up
                    };
                    out.save.soon();
                    out.tell(Notice::TermOver { child });
                }
                Due::Save | Due::Shutdown => return, // Not a child's.
            }
        }
    }

    fn look(&mut self, now: Uptime, out: &mut Out) {
        if let Phase::Clearing { process, sweep, .. } = &mut self.phase {
            sweep.pause = (sweep.pause * 2).min(LOOK_LONGEST);
            sweep.look_at = now + sweep.pause;
            if sweep.killed {
                // It may have made a process after the last KILL.
                out.signal(process.run, Signal::KILL);
            }
            out.actions.push(Action::Look(process.run));
        }
    }

    // ---- what people want of it ---------------------------------------------

    /// Forgets failures. What had been given up is as if it had never failed.
    pub(super) fn forgive(&mut self) {
        self.streak = 0;
        self.trial = false;
        self.window.clear();
        self.proceed();
    }

    /// Whatever it waits for, it waits no longer.
    pub(super) fn proceed(&mut self) {
        match &mut self.phase {
            Phase::Waiting { .. } | Phase::Over(_) => self.phase = Phase::Idle,
            Phase::Clearing { next, .. } => *next = Next::Idle,
            Phase::Idle
            | Phase::Starting { .. }
            | Phase::Readying { .. }
            | Phase::Up { .. }
            | Phase::Stopping { .. } => {}
        }
    }

    /// It is not wanted: it waits for nothing. What is over stays over.
    pub(super) fn rest(&mut self) {
        match &mut self.phase {
            Phase::Waiting { .. } => self.phase = Phase::Idle,
            Phase::Clearing {
                next: next @ Next::Waiting { .. },
                ..
            } => *next = Next::Idle,
            Phase::Clearing { .. }
            | Phase::Idle
            | Phase::Starting { .. }
            | Phase::Readying { .. }
            | Phase::Up { .. }
            | Phase::Stopping { .. }
            | Phase::Over(_) => {}
        }
    }

    /// A new budget: what was counted stays counted.
    pub(super) fn adjust(&mut self, life: &Life) {
        let mut window = Intensity::new(&life.budget);
        window.restore(self.window.made());
        self.window = window;
    }

    /// Counts the time for which it is wanted.
    pub(super) fn count_wanted(&mut self, wanted: bool, now: Uptime) {
        match (wanted, self.wanted_since) {
            (true, None) => self.wanted_since = Some(now),
            (false, Some(since)) => {
                self.wanted_total += now - since;
                self.wanted_since = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    // ---- what others may know -----------------------------------------------

    /// What it is doing.
    #[must_use]
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// What a person last said.
    #[must_use]
    pub fn hold(&self) -> Hold {
        self.hold
    }

    /// Restarts since it last settled.
    #[must_use]
    pub fn streak(&self) -> u32 {
        self.streak
    }

    /// The number of its last run.
    #[must_use]
    pub fn runs(&self) -> u32 {
        self.runs
    }

    /// Restarts that sup made by itself, ever.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Unclean ends that nobody asked for, ever.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether the present run is the one try after *parked* or *gave up*.
    #[must_use]
    pub fn is_trial(&self) -> bool {
        self.trial
    }

    /// The restarts counted in its window.
    #[must_use]
    pub fn window(&self) -> &Intensity {
        &self.window
    }

    /// Its last ends, the newest last.
    pub fn exits(&self) -> impl DoubleEndedIterator<Item = &Ended> {
        self.exits.iter()
    }

    /// Time spent up, ever.
    #[must_use]
    pub fn up_total(&self, now: Uptime) -> Duration {
        match self.phase {
            Phase::Up { since, .. } => self.up_total + (now - since),
            Phase::Idle
            | Phase::Starting { .. }
            | Phase::Readying { .. }
            | Phase::Stopping { .. }
            | Phase::Clearing { .. }
            | Phase::Waiting { .. }
            | Phase::Over(_) => self.up_total,
        }
    }

    /// Time for which it was wanted up, ever.
    #[must_use]
    pub fn wanted_total(&self, now: Uptime) -> Duration {
        self.wanted_total
            + self
                .wanted_since
                .map_or(Duration::ZERO, |since| now - since)
    }
}

/// The earlier of two deadlines.
pub(super) fn earliest(
    one: Option<(Uptime, Due)>,
    other: Option<(Uptime, Due)>,
) -> Option<(Uptime, Due)> {
    match (one, other) {
        (Some(a), Some(b)) => Some(if b.0 < a.0 { b } else { a }),
        (a, b) => a.or(b),
    }
}
