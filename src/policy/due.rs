//! Why we wake up.

use crate::model::ChildId;

/// The reason of a deadline, so that "why did it wake at three?" has an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// A backoff is over.
    Restart(ChildId),
    /// A parked child gets its try.
    Try(ChildId),
    /// A child should have been ready.
    StartTimeout(ChildId),
    /// A child that had failed has settled.
    Settle(ChildId),
    /// A child should have ended.
    Kill(ChildId),
    /// What a dead run left behind should be gone.
    Look(ChildId),
    /// The time of a stop is over.
    Term(ChildId),
    /// Memory that nobody waited for is written.
    Save,
    /// Everything should have ended.
    Shutdown,
}
