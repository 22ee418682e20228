//! What is to be done.

use crate::model::{CheckId, GroupId, Notice, RunId, Signal};

/// What is to be done, in the order given; starts may come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make a process. `Started` or `StartFailed` answers.
    Spawn(RunId),
    /// Send a signal.
    Signal {
        /// To this run.
        run: RunId,
        /// Which.
        signal: Signal,
        /// To whom of it.
        to: Reach,
    },
    /// See whether anything of the run's session is left. `Cleared` answers, where nothing is.
    Look(RunId),
    /// Make a check, within its time. `Probed` answers, always.
    Probe {
        /// Which.
        check: CheckId,
        /// The number of this probe.
        nth: u32,
    },
    /// Find out when the run last showed that it lives. `Pulse` answers, always.
    Pulse(RunId),
    /// Tell people.
    Tell(Notice),
    /// Write the memory; before an order is answered.
    Save,
    /// Answer the order that came with this event.
    Answer(Answer),
    /// Everything is down: end, with success or without.
    End {
        /// Whether sup did what it was asked to do.
        success: bool,
    },
    /// Something happened that should be impossible. The children stay as they are.
    Alarm(Alarm),
}

/// Whom a signal reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The main process only.
    Main,
    /// Every process of its session.
    All,
}

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is being carried out.
    Accepted,
    /// There was nothing to do.
    Unchanged,
    /// The child has no process to signal.
    NotRunning,
    /// It is being removed, or everything ends.
    Ending,
    /// The group is down, and with it all its members.
    GroupDown(GroupId),
    /// Something that it requires belongs to this group, which is down.
    RequirementDown(GroupId),
}

/// What should be impossible, and why it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// A run started that was not being started: each `Spawn` is answered once.
    UnexpectedStart(RunId),
}
