//! Whose notice it is.

use sup::model::{ChildId, Notice};

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
        Notice::Held { child, .. } | Notice::TermOver { child } => Some(child),
        Notice::ShuttingDown => None,
    }
}
