//! Whose notice it is, and of which kind.

use sup::model::order::GroupNotice;
use sup::model::{ChildId, Member, Notice};

pub(crate) fn child(notice: &Notice) -> Option<ChildId> {
    match *notice {
        Notice::Started { run, .. }
        | Notice::Ready { run }
        | Notice::Ended { run, .. }
        | Notice::Restarting { run, .. }
        | Notice::Finished { run, .. }
        | Notice::GaveUp { run, .. }
        | Notice::Parked { run, .. }
        | Notice::Escalated { run, .. }
        | Notice::Recovered { run, .. }
        | Notice::Stopping { run, .. }
        | Notice::Killed { run }
        | Notice::LeftBehind { run } => Some(run.child),
        Notice::Held { child, .. }
        | Notice::TermOver {
            of: Member::Child(child),
        } => Some(child),
        Notice::TermOver {
            of: Member::Group(_),
        }
        | Notice::Group { .. }
        | Notice::Checked { .. }
        | Notice::ShuttingDown => None,
    }
}

/// How many kinds there are.
pub(crate) const KINDS: u32 = 22;

/// Its kind, as one bit.
pub(crate) fn kind(notice: &Notice) -> u32 {
    let n = match notice {
        Notice::Started { .. } => 0,
        Notice::Ready { .. } => 1,
        Notice::Ended { .. } => 2,
        Notice::Restarting { .. } => 3,
        Notice::Finished { .. } => 4,
        Notice::GaveUp { .. } => 5,
        Notice::Parked { .. } => 6,
        Notice::Escalated { .. } => 7,
        Notice::Recovered { .. } => 8,
        Notice::Stopping { .. } => 9,
        Notice::Killed { .. } => 10,
        Notice::LeftBehind { .. } => 11,
        Notice::Held { .. } => 12,
        Notice::TermOver { .. } => 13,
        Notice::ShuttingDown => 14,
        Notice::Group { what, .. } => match what {
            GroupNotice::Restarting { .. } => 15,
            GroupNotice::Renewed { .. } => 16,
            GroupNotice::StartFailed { .. } => 17,
            GroupNotice::Failed { .. } => 18,
            GroupNotice::Finished { .. } => 19,
            GroupNotice::Recovered { .. } => 20,
        },
        Notice::Checked { .. } => 21,
    };
    1 << n
}
