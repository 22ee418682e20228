//! When. One kind of moment, and durations.

use core::ops::{Add, Sub};
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment, in milliseconds since boot (`CLOCK_BOOTTIME`). NTP does not move it;
/// it means nothing after a reboot, so a saved one travels with its boot id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Uptime(u64);

impl Uptime {
    /// A moment that many milliseconds after boot.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since boot.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The moment `span` before this one, or boot itself where that would be earlier.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }
}

impl Add<Duration> for Uptime {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }
}

/// How long after; zero where `other` is the later one.
impl Sub for Uptime {
    type Output = Duration;
    fn sub(self, other: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(other.0))
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_saturate_at_both_ends() {
        let second = Duration::from_secs(1);
        assert_eq!(
            Uptime::from_millis(5) - Uptime::from_millis(9),
            Duration::ZERO
        );
        assert_eq!(
            Uptime::from_millis(u64::MAX) + second,
            Uptime::from_millis(u64::MAX)
        );
        assert_eq!(
            Uptime::from_millis(7).before(second),
            Uptime::from_millis(0)
        );
    }
}
