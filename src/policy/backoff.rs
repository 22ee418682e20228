//! How long to wait before a restart.

use core::time::Duration;

use crate::model::spec::Backoff;

/// The wait before restart number `nth`, counted from 1 since the child last
/// settled: it grows by the factor each time, up to the longest.
#[must_use]
pub fn wait(backoff: &Backoff, nth: u32) -> Duration {
    let longest = millis(backoff.longest);
    let mut wait = millis(backoff.first).min(longest);
    for _ in 1..nth {
        if wait >= longest || wait == 0 || backoff.factor_milli <= 1000 {
            break;
        }
        // At least one millisecond more, or a small wait would round down for ever.
        let grown = wait.saturating_mul(u64::from(backoff.factor_milli)) / 1000;
        wait = grown.max(wait + 1).min(longest);
    }
    Duration::from_millis(wait)
}

/// `wait`, shortened by a random part of up to `jitter_percent`: never longer than
/// what was configured. `dice` is any number.
#[must_use]
pub fn jittered(wait: Duration, jitter_percent: u8, dice: u64) -> Duration {
    let spread = millis(wait) / 100 * u64::from(jitter_percent.min(100));
    if spread == 0 {
        return wait;
    }
    wait - Duration::from_millis(dice % (spread + 1))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff(first_ms: u64, factor_milli: u32, longest_secs: u64) -> Backoff {
        Backoff {
            first: Duration::from_millis(first_ms),
            factor_milli,
            longest: Duration::from_secs(longest_secs),
            ..Backoff::default()
        }
    }

    #[test]
    fn doubles_up_to_the_longest_and_stays_there() {
        let backoff = backoff(1000, 2000, 60);
        let waits = [1, 2, 3, 6, 7, 255, u32::MAX].map(|nth| wait(&backoff, nth).as_secs());
        assert_eq!(waits, [1, 2, 4, 32, 60, 60, 60]);
    }

    #[test]
    fn odd_factors_zero_and_first_beyond_longest() {
        assert_eq!(
            wait(&backoff(1000, 1500, 60), 3),
            Duration::from_millis(2250)
        );
        assert_eq!(wait(&backoff(1000, 1000, 60), 9), Duration::from_secs(1));
        assert_eq!(wait(&backoff(0, 2000, 60), 9), Duration::ZERO);
        assert_eq!(wait(&backoff(90_000, 2000, 60), 1), Duration::from_secs(60));
        assert_eq!(wait(&backoff(1, 1100, 60), 4), Duration::from_millis(4));
    }

    #[test]
    fn jitter_only_shortens() {
        let second = Duration::from_secs(1);
        for dice in 0..5000 {
            let wait = jittered(second, 10, dice);
            assert!((900..=1000).contains(&wait.as_millis()), "{wait:?}");
        }
        assert_eq!(jittered(second, 0, 77), second);
    }
}
