//! What is to be done.

use crate::model::{Notice, RunId, Signal};

/// What is to be done, in the order given.
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
    /// The child is being removed, or everything ends.
    Ending,
}

/// What should be impossible, and why it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// A run started that was not being started: each `Spawn` is answered once.
    UnexpectedStart(RunId),
}
