//! How long something was up, and for how long it should have been.

use core::time::Duration;

use crate::model::Uptime;

/// Time spent up and time wanted up, ever. What is still going on is added when asked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) up: Duration,
    pub(super) wanted: Duration,
    pub(super) wanted_since: Option<Uptime>,
}

impl Tally {
    pub(super) fn recall(&mut self, up: Duration, wanted: Duration) {
        (self.up, self.wanted) = (up, wanted);
    }

    /// Counts the time for which it is wanted.
    pub(super) fn count_wanted(&mut self, wanted: bool, now: Uptime) {
        match (wanted, self.wanted_since) {
            (true, None) => self.wanted_since = Some(now),
            (false, Some(since)) => {
                self.wanted += now - since;
                self.wanted_since = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// Whether it was wanted when that was last counted.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted_since.is_some()
    }

    /// Time wanted up, ever.
    pub(super) fn wanted(&self, now: Uptime) -> Duration {
        let current = self.wanted_since.map(|since| now - since);
        self.wanted + current.unwrap_or_default()
    }
}
