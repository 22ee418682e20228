//! The one clock. Read once per event, by the daemon.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::poll::{PollTimeout, poll};
use nix::time::{ClockId, clock_gettime};

use crate::model::Uptime;

/// Now, on the clock that suspend and NTP do not disturb.
#[must_use]
pub fn now() -> Uptime {
    Uptime::from_millis(i64::try_from(precise().as_millis()).unwrap_or(i64::MAX))
}

/// The same, as precisely as the kernel says it: since boot.
pub(super) fn precise() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .or_else(|_| clock_gettime(ClockId::CLOCK_MONOTONIC))
        .map(Duration::from)
        .unwrap_or_default()
}

/// Milliseconds of a clock tick, in which the kernel says when a process was made: the same
/// on every Linux that we know (proc(5), `USER_HZ`).
const TICK: u64 = 10;

/// Now, in clock ticks. `None`: the kernel has no such clock.
pub(super) fn tick() -> Option<u64> {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).ok()?;
    Some(u64::try_from(Duration::from(time).as_millis()).ok()? / TICK)
}

/// The moment of a clock tick.
pub(super) fn at_tick(tick: u64) -> Option<Uptime> {
    let millis = i64::try_from(tick).ok()?.saturating_mul(TICK.cast_signed());
    Some(Uptime::from_millis(millis))
}

/// Lets a little time go by, where the end of something cannot be waited for: another
/// program's lock. Never in the loop.
pub fn pause(span: Duration) {
    let millis = u16::try_from(span.as_millis()).unwrap_or(u16::MAX);
    let _nothing = poll(&mut [], PollTimeout::from(millis));
}

/// The wall clock, in seconds since 1970, for people to read: it jumps, and may be
/// years wrong. Nothing is decided by it.
#[must_use]
pub fn wall() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// The minute of the day, in the box's local time. Nothing but quiet hours goes by it.
#[must_use]
pub fn minute_of_day() -> u16 {
    // As wide as localtime_r wants it: its name is deprecated where musl has changed it.
    let now = wall().try_into().unwrap_or_default();
    let mut local = std::mem::MaybeUninit::<nix::libc::tm>::zeroed();
    // SAFETY: both point to what is ours; all zero is a valid `tm`, should the call fail.
    let local = unsafe {
        nix::libc::localtime_r(&raw const now, local.as_mut_ptr());
        local.assume_init()
    };
    u16::try_from(local.tm_hour * 60 + local.tm_min).unwrap_or_default()
}

/// A wall-clock time in UTC, as RFC 3339 has it: `2026-05-01T12:34:56Z`.
#[must_use]
pub fn utc(wall_seconds: u64) -> String {
    String::from_utf8_lossy(&crate::model::time::utc(wall_seconds)).into_owned()
}
