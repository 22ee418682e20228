//! The one clock. Read once per event, by the daemon.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use crate::model::Uptime;

/// Now, on the clock that suspend and NTP do not disturb.
#[must_use]
pub fn now() -> Uptime {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME)
        .or_else(|_| clock_gettime(ClockId::CLOCK_MONOTONIC))
        .map(Duration::from)
        .unwrap_or_default();
    Uptime::from_millis(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

/// The wall clock, in seconds since 1970, for people to read: it jumps, and may be
/// years wrong. Nothing is decided by it.
#[must_use]
pub fn wall() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// A wall-clock time in UTC, as RFC 3339 has it: `2026-05-01T12:34:56Z`.
#[must_use]
pub fn utc(wall_seconds: u64) -> String {
    String::from_utf8_lossy(&crate::model::time::utc(wall_seconds)).into_owned()
}
