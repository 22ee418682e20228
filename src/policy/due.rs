//! Why we wake up.

use crate::model::{ChildId, Member, Uptime};

/// The reason of a deadline, so that "why did it wake at three?" has an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// A backoff is over.
    Restart(Member),
    /// What is parked gets its try.
    Try(Member),
    /// A child should have been ready.
    StartTimeout(ChildId),
    /// What had failed has settled.
    Settle(Member),
    /// A child should have ended.
    Kill(ChildId),
    /// What a dead run left behind should be gone.
    Look(ChildId),
    /// The time of a stop is over.
    Term(Member),
    /// A check is made; `None`: one of the box.
    Probe(Option<ChildId>),
    /// A child should have shown that it lives.
    Pulse(ChildId),
    /// Memory that nobody waited for is written.
    Save,
    /// Everything should have ended.
    Shutdown,
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
