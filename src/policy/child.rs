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
use super::group::{Cause, Group};
use super::health::Checks;
use super::intensity::Intensity;
use super::phase::{Next, Over, Phase, Process};
use super::save::SaveClock;
use super::tally::Tally;
use super::watch::Pulse;
use crate::model::limits::EXITS_KEPT;
use crate::model::memory::{Ended, Hold};
use crate::model::order::{GroupNotice, StopWhy};
use crate::model::spec::{Life, Ready};
use crate::model::{
    ChildId, Exit, GroupId, Notice, RestartPolicy, RunId, Signal, StartFault, Timeout, Uptime,
};

/// What a child's decisions need besides its own state.
pub(super) struct Around<'a> {
    pub(super) life: &'a Life,
    pub(super) now: Uptime,
    /// Whether it is to run: nobody has stopped it, its group, or what it requires.
    pub(super) wanted: bool,
    /// Whether its group is taking it down, to start it again with others.
    pub(super) taken: bool,
    /// Whether a path that it waits for is gone.
    pub(super) awaits: bool,
    /// Whether a failed start is its group's.
    pub(super) opening: bool,
    /// Its group.
    pub(super) group: &'a mut Group,
    /// Any number; for jitter.
    pub(super) dice: u64,
}

/// Where decisions go.
#[derive(Debug)]
pub(super) struct Out {
    pub(super) actions: Vec<Action>,
    pub(super) save: SaveClock,
    /// What the end of a run means to its group.
    pub(super) fate: Option<Fate>,
}

/// What the end of a run, unasked, means to its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It will be started again after this long, and perhaps others with it.
    Restarts(Duration),
    /// It will be started again when its path is there, and perhaps others with it.
    Waits,
    /// It is over, for good and by itself.
    Ends,
    /// It could not be started when the group was.
    StartFails,
    /// It has used up its own budget, and the group is to fail with it.
    Escalates,
    /// It has used up the group's budget.
    Exceeds {
        /// The group's one try after giving up has failed.
        trial: bool,
    },
}

impl Out {
    pub(super) fn tell(&mut self, notice: Notice) {
        self.actions.push(Action::Tell(notice));
    }

    pub(super) fn tell_group(&mut self, group: GroupId, what: GroupNotice) {
        self.tell(Notice::Group { group, what });
    }

    pub(super) fn signal(&mut self, run: RunId, signal: Signal) {
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
    pub(super) tally: Tally,
    /// Whose failure last took it along.
    pub(super) taken_by: Option<Cause>,
    pub(super) checks: Checks,
    pub(super) pulse: Pulse,
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
            tally: Tally::default(),
            taken_by: None,
            checks: Checks::new(&life.checks),
            pulse: Pulse::default(),
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
        around: &mut Around<'_>,
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
            self.begin_watch(around.life, ready == Ready::Started, around.now);
            self.phase = match ready {
                Ready::Started => Phase::Up {
                    process,
                    since: around.now,
                },
                Ready::Notify | Ready::Descriptor(_) | Ready::Check => Phase::Readying {
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
        around: &mut Around<'_>,
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

    /// What comes after an end that was asked for, or that nobody minds.
    pub(super) fn gone(&self, around: &Around<'_>) -> Next {
        let temporary = around.life.restart == RestartPolicy::No;
        if around.taken && temporary && !self.recycle {
            Next::Over(Over::TakenAlong)
        } else {
            Next::Idle
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
        around: &mut Around<'_>,
        out: &mut Out,
    ) {
        let Some(process) = self.phase.process().filter(|process| process.run == run) else {
            return; // News of a run that is long over.
        };
        let now = around.now;
        let next = match self.phase {
            Phase::Up { since, .. } => {
                self.tally.up += now - since;
                if self
                    .settles_at(since, around.life)
                    .is_some_and(|at| at <= now)
                {
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
        around: &mut Around<'_>,
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
        around: &mut Around<'_>,
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
            StopWhy::Unhealthy => (Exit::Unhealthy, false),
            StopWhy::Watchdog => (Exit::Watchdog, false),
            StopWhy::Asked
            | StopWhy::Recycle
            | StopWhy::Removed
            | StopWhy::Requirement
            | StopWhy::Shutdown
            | StopWhy::Taken(_)
            | StopWhy::Group(_) => (
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
            self.gone(around)
        } else {
            self.failed(process.run, exit, around, out)
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

    /// Whether its next start is a matter of time.
    pub(super) fn waits(&self) -> bool {
        matches!(
            self.phase,
            Phase::Waiting { .. }
                | Phase::Clearing {
                    next: Next::Waiting { .. },
                    ..
                }
        )
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

    /// Its group starts afresh: what was done, or taken along, starts with it.
    pub(super) fn renew(&mut self) {
        match &mut self.phase {
            Phase::Over(Over::Finished { .. } | Over::TakenAlong) => self.phase = Phase::Idle,
            Phase::Clearing {
                next: next @ Next::Over(Over::Finished { .. } | Over::TakenAlong),
                ..
            } => *next = Next::Idle,
            Phase::Idle
            | Phase::Starting { .. }
            | Phase::Readying { .. }
            | Phase::Up { .. }
            | Phase::Stopping { .. }
            | Phase::Clearing { .. }
            | Phase::Waiting { .. }
            | Phase::Over(_) => {}
        }
    }

    /// A new budget: what was counted stays counted.
    pub(super) fn adjust(&mut self, life: &Life) {
        let mut window = Intensity::new(&life.budget);
        window.restore(self.window.made());
        self.window = window;
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

    /// Whose failure last took it along, since sup was started.
    #[must_use]
    pub fn taken_by(&self) -> Option<&Cause> {
        self.taken_by.as_ref()
    }

    /// Its last ends, the newest last.
    pub fn exits(&self) -> impl DoubleEndedIterator<Item = &Ended> {
        self.exits.iter()
    }

    /// Time spent up, ever.
    #[must_use]
    pub fn up_total(&self, now: Uptime) -> Duration {
        match self.phase {
            Phase::Up { since, .. } => self.tally.up + (now - since),
            Phase::Idle
            | Phase::Starting { .. }
            | Phase::Readying { .. }
            | Phase::Stopping { .. }
            | Phase::Clearing { .. }
            | Phase::Waiting { .. }
            | Phase::Over(_) => self.tally.up,
        }
    }

    /// Time for which it was wanted up, ever.
    #[must_use]
    pub fn wanted_total(&self, now: Uptime) -> Duration {
        self.tally.wanted(now)
    }
}
