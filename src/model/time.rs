//! When. One kind of moment, and durations.

use core::ops::{Add, Sub};
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment, in milliseconds since boot (`CLOCK_BOOTTIME`). NTP does not move it;
/// it means nothing after a reboot, so a saved one travels with its boot id. What was
/// remembered from before this boot is negative.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Uptime(i64);

impl Uptime {
    /// Earlier than everything.
    pub const MIN: Self = Self(i64::MIN);

    /// A moment that many milliseconds after boot.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since boot.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The moment `span` before this one.
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
    #[inline(never)]
    fn sub(self, other: Self) -> Duration {
        let millis = self.0.saturating_sub(other.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }
}

// In 64 bits, and once: spans are added up in three hundred places.
#[inline(never)]
fn millis(span: Duration) -> i64 {
    let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    let millis = seconds.saturating_mul(1000);
    millis.saturating_add(span.subsec_millis().into())
}

/// Reads seconds with or without a fraction: `5`, `0.5`, `4161.903972`. What is finer than
/// a nanosecond is cut off. Not by way of a floating-point number, whose tables are 16 KB.
#[must_use]
pub fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if text.ends_with('.') || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let whole = if fraction.is_empty() || !whole.is_empty() {
        whole
    } else {
        "0"
    };
    let digits = fraction.bytes().chain(core::iter::repeat(b'0')).take(9);
    let nanos = digits.fold(0, |nanos, digit| nanos * 10 + u32::from(digit - b'0'));
    Some(Duration::new(whole.parse().ok()?, nanos))
}

/// The last second that has four digits for its year: 9999-12-31T23:59:59Z.
const LAST: u64 = 253_402_300_799;

/// A time in UTC, as RFC 3339 has it. `wall_seconds` count from 1970; what is after the
/// year 9999 is its last second.
#[must_use]
pub fn utc(wall_seconds: u64) -> [u8; 20] {
    let seconds = wall_seconds.min(LAST);
    let (year, month, day) = civil(seconds / 86_400);
    let of_day = seconds % 86_400;
    let mut text = *b"0000-00-00T00:00:00Z";
    let parts = [
        (0..4, year),
        (5..7, month),
        (8..10, day),
        (11..13, of_day / 3600),
        (14..16, of_day / 60 % 60),
        (17..19, of_day % 60),
    ];
    for (place, mut number) in parts {
        for digit in text[place].iter_mut().rev() {
            // Less than ten.
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }
    text
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
///
/// A year is taken to begin in March, so that the leap day is its last; then months have
/// 31, 30, 31, 30, 31 days over and over, which is 153 days for five.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since 0000-03-01
    let era = days / 146_097; // of 400 years
    let of_era = days % 146_097;
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153; // 0 is March
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + next_year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_fractions() {
        let nanos = |text| seconds(text).map(|span| span.as_nanos());
        assert_eq!(nanos("5"), Some(5_000_000_000));
        assert_eq!(nanos("0.5"), Some(500_000_000));
        assert_eq!(nanos(".5"), Some(500_000_000));
        assert_eq!(nanos("4161.903972"), Some(4_161_903_972_000));
        assert_eq!(nanos("1.0000000019"), Some(1_000_000_001));
        for wrong in [
            "",
            ".",
            "5.",
            "-1",
            "+1",
            "1e3",
            "nan",
            "inf",
            "1.2.3",
            "0x5",
            "18446744073709551616",
        ] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn moments_saturate_at_both_ends() {
        let second = Duration::from_secs(1);
        assert_eq!(
            Uptime::from_millis(5) - Uptime::from_millis(9),
            Duration::ZERO
        );
        assert_eq!(
            Uptime::from_millis(i64::MAX) + second,
            Uptime::from_millis(i64::MAX)
        );
        assert_eq!(Uptime::MIN.before(second), Uptime::MIN);
    }
}
