//! When memory is written: a person's order at once, all else at most once a minute.

use crate::model::Uptime;
use crate::model::limits::SAVE_INTERVAL;

/// What has changed since memory was last written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Changed {
    #[default]
    Nothing,
    /// Something that may wait for the minute.
    Something,
    /// Something that somebody waits for.
    Ordered,
}

/// Decides when memory is written.
#[derive(Clone, Debug, Default)]
pub struct SaveClock {
    changed: Changed,
    last: Option<Uptime>,
}

impl SaveClock {
    /// Something is worth remembering.
    pub fn soon(&mut self) {
        if self.changed == Changed::Nothing {
            self.changed = Changed::Something;
        }
    }

    /// Something must be on disk before we answer.
    pub fn at_once(&mut self) {
        self.changed = Changed::Ordered;
    }

    /// What may wait for the minute no longer may: nobody will be there then.
    pub fn hurry(&mut self) {
        if self.changed == Changed::Something {
            self.changed = Changed::Ordered;
        }
    }

    /// When the next write is due; `None`: nothing has changed.
    #[must_use]
    pub fn deadline(&self) -> Option<Uptime> {
        match self.changed {
            Changed::Nothing => None,
            Changed::Ordered => Some(Uptime::MIN),
            Changed::Something => Some(self.last.map_or(Uptime::MIN, |at| at + SAVE_INTERVAL)),
        }
    }

    /// Whether memory is to be written now; then it counts as written.
    #[must_use]
    pub fn take(&mut self, now: Uptime) -> bool {
        let due = self.deadline().is_some_and(|at| at <= now);
        if due {
            self.changed = Changed::Nothing;
            self.last = Some(now);
        }
        due
    }
}
