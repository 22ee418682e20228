//! What a person asks, and what a person is told.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::{CheckId, Health};
use super::exit::{Exit, Signal};
use super::ids::{ChildId, GroupId, Member, RunId};

/// What a person asked of a child, or of a whole group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Run. Gave up, parked and waiting children start at once, with a whole budget.
    Start,
    /// Stay down; with a time, come back when it is over.
    Stop {
        /// How long to stay down; `None`: until told to start.
        term: Option<Duration>,
    },
    /// End and run again, or start where it was down.
    Restart,
    /// Send a signal to the running process.
    Signal(Signal),
    /// Forget failures: backoff, window, gave up. A child that had been given up starts.
    Reset,
}

/// What a person makes of a template's instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScaleTo {
    /// So many: the lowest free numbers come, the highest go.
    Count(u16),
    /// So many more, with the lowest free numbers.
    More(u16),
    /// Without this one.
    Without(u16),
}

/// Something worth telling. The words are in [`words`](super::words).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A run has a process.
    Started {
        /// The run.
        run: RunId,
        /// Its process.
        pid: u32,
    },
    /// A run said that it is ready.
    Ready {
        /// The run.
        run: RunId,
    },
    /// A run ended, asked for or not.
    Ended {
        /// The run.
        run: RunId,
        /// How.
        exit: Exit,
        /// Whether we had asked it to.
        asked: bool,
    },
    /// It will be started again.
    Restarting {
        /// The run that failed.
        run: RunId,
        /// How it ended.
        exit: Exit,
        /// From now to the start.
        delay: Duration,
        /// Which restart of the window this is, counted from 1.
        attempt: u16,
        /// How many the window allows; `None`: no limit.
        max: Option<u16>,
        /// The group whose window that is; `None`: the child's own.
        counted_by: Option<GroupId>,
    },
    /// Its policy says that it has done its work.
    Finished {
        /// The last run.
        run: RunId,
        /// How it ended.
        exit: Exit,
    },
    /// Too many restarts: nothing more is tried.
    GaveUp {
        /// The last run.
        run: RunId,
        /// How it ended.
        exit: Exit,
        /// Restarts that were made in the window.
        restarts: u16,
        /// The window.
        window: Duration,
        /// Whether a single try after giving up failed, which makes a new count pointless.
        trial: bool,
    },
    /// Too many restarts: one try now and then.
    Parked {
        /// The last run.
        run: RunId,
        /// How it ended.
        exit: Exit,
        /// From now to the next try.
        pause: Duration,
    },
    /// Too many restarts: the group fails with it.
    Escalated {
        /// The last run.
        run: RunId,
        /// How it ended.
        exit: Exit,
        /// Its group.
        group: GroupId,
    },
    /// It settled after failures.
    Recovered {
        /// The run that settled.
        run: RunId,
        /// Restarts it had taken.
        restarts: u32,
    },
    /// It is being asked to end.
    Stopping {
        /// The run.
        run: RunId,
        /// Why.
        why: StopWhy,
    },
    /// It did not end in time, or something of it is left: KILL was sent.
    Killed {
        /// The run.
        run: RunId,
    },
    /// Its main process is gone and others of its session are not.
    LeftBehind {
        /// The run.
        run: RunId,
    },
    /// It cannot start, because this child that it requires is down for good.
    Held {
        /// The one that does not start.
        child: ChildId,
        /// What is missing.
        by: Member,
    },
    /// The time of a stop is over: it may run again.
    TermOver {
        /// The child or the group.
        of: Member,
    },
    /// A check has found something else than before.
    Checked {
        /// The check.
        check: CheckId,
        /// What people were last told of it.
        was: Health,
        /// What it has found.
        health: Health,
    },
    /// Something that concerns a group.
    Group {
        /// The group.
        group: GroupId,
        /// What.
        what: GroupNotice,
    },
    /// Everything is being stopped.
    ShuttingDown,
}

/// Something worth telling of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupNotice {
    /// A member has failed, and others are restarted with it.
    Restarting {
        /// The member that failed.
        by: Member,
        /// From now to the first start.
        delay: Duration,
        /// Restarts in the group's window, this one included, and how many it allows;
        /// `None`: it does not count.
        counted: Option<(u16, u16)>,
    },
    /// It has failed as a whole, and its parent starts it again.
    Renewed {
        /// Its parent, that starts it.
        parent: GroupId,
        /// From now to the start.
        delay: Duration,
        /// Restarts in the window that this was charged to, and how many it allows.
        counted: Option<(u16, u16)>,
    },
    /// A member could not be started, and so the group could not.
    StartFailed {
        /// The member.
        by: Member,
    },
    /// It fails as a whole.
    Failed {
        /// The member that was one too many.
        by: Member,
        /// How the child at the bottom of it ended.
        exit: Option<Exit>,
        /// What follows.
        then: GroupEnd,
        /// Whether this was the single try after giving up.
        trial: bool,
        /// Restarts that were made in its window, and the window; `None`: they do not
        /// matter, because the member has escalated.
        made: Option<(u16, Duration)>,
    },
    /// Members that matter have done their work: it ends.
    Finished {
        /// The last of them.
        by: Member,
    },
    /// It settled after it had failed as a whole.
    Recovered {
        /// How often it had been started again.
        restarts: u32,
    },
}

/// What follows when a group fails as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupEnd {
    /// Nothing, until somebody says so.
    GivesUp,
    /// One try after this long.
    Parks(Duration),
    /// It is a failed member of its parent.
    Escalates(GroupId),
    /// It is the root: sup ends.
    Ends,
}

/// Why a run is being asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopWhy {
    /// A person said so.
    Asked,
    /// To start it again, with a new configuration or because a person said so.
    Recycle,
    /// It is no longer configured.
    Removed,
    /// A child that it requires is down for good.
    Requirement,
    /// sup ends.
    Shutdown,
    /// It was not ready in time.
    StartTimeout,
    /// A member of this group has failed, and its strategy takes this one along.
    Taken(GroupId),
    /// This group is stopped.
    Group(GroupId),
    /// A check is critical.
    Unhealthy,
    /// It has not shown in time that it lives.
    Watchdog,
}
