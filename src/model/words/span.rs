//! How times read.

use alloc::format;
use core::fmt;
use core::time::Duration;

/// A time in a sentence: `5 seconds`, `1.5 seconds`, `10 minutes`, `1 hour`.
#[derive(Clone, Copy, Debug)]
pub struct Spelled(pub Duration);

impl fmt::Display for Spelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let units = [
            (86_400_000, "day"),
            (3_600_000, "hour"),
            (60_000, "minute"),
            (1_000, "second"),
        ];
        let whole = units
            .iter()
            .find(|(unit, _)| millis >= *unit && millis.is_multiple_of(*unit));
        match whole {
            Some((unit, word)) if millis / unit == 1 => write!(f, "1 {word}"),
            Some((unit, word)) => write!(f, "{} {word}s", millis / unit),
            None if millis == 0 => f.write_str("0 seconds"),
            None => write!(f, "{} seconds", Seconds(self.0)),
        }
    }
}

/// Seconds with what is needed of their fraction: `90`, `1.5`. Not by way of a
/// floating-point number: nothing else here writes those in words, and it takes 9 KB.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.0.as_secs(), self.0.subsec_nanos());
        if nanos == 0 {
            return write!(f, "{seconds}");
        }
        let text = format!("{seconds}.{nanos:09}");
        f.write_str(text.trim_end_matches('0'))
    }
}

/// A time in a column: `850ms`, `3s`, `12m 5s`, `2h 5m`, `3d 4h`.
#[derive(Clone, Copy, Debug)]
pub struct Brief(pub Duration);

impl fmt::Display for Brief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
        let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
        let text = match (days, hours, minutes, rest) {
            (0, 0, 0, 0) => format!("{}ms", self.0.as_millis()),
            (0, 0, 0, s) => format!("{s}s"),
            (0, 0, m, s) => format!("{m}m {s}s"),
            (0, h, m, _) => format!("{h}h {m}m"),
            (d, h, _, _) => format!("{d}d {h}h"),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use core::time::Duration;

    use super::Seconds;

    #[test]
    fn seconds_read_as_a_floating_point_number_does() {
        for millis in [0, 1, 10, 500, 999, 1_000, 1_500, 90_000, 90_250, 86_400_001] {
            let span = Duration::from_millis(millis);
            assert_eq!(Seconds(span).to_string(), span.as_secs_f64().to_string());
        }
        assert_eq!(Seconds(Duration::from_nanos(1)).to_string(), "0.000000001");
    }
}
