//! Lines of output that hold a text, counted as they come by on their way into the ring.

use std::time::Duration;

use super::Finding;
use super::tcp::holds;
use crate::model::Uptime;
use crate::model::check::{Bounds, Health};
use crate::model::words::Spelled;

/// Parts into which the time is divided: what is older than all of it is forgotten one
/// part at a time.
const PARTS: usize = 60;

/// Counts lines of one output.
#[derive(Clone, Debug)]
pub struct Lines {
    text: Box<[u8]>,
    /// The length of one part, in milliseconds.
    part: i64,
    counts: [u32; PARTS],
    /// The part that is being counted into.
    now: i64,
    /// The last bytes of a line that has not ended: one fewer than the text has.
    tail: Vec<u8>,
    /// Whether this line has been counted.
    is_counted: bool,
}

impl Lines {
    /// Counts lines with that text, of that long ago at most.
    #[must_use]
    pub fn new(text: &str, within: Duration) -> Self {
        let part = within.as_millis() / PARTS as u128;
        Self {
            text: text.as_bytes().into(),
            part: i64::try_from(part).unwrap_or(i64::MAX).max(1),
            counts: [0; PARTS],
            now: 0,
            tail: Vec::new(),
            is_counted: false,
        }
    }

    /// Takes what the child has just said.
    pub fn take(&mut self, bytes: &[u8], now: Uptime) {
        let mut found = 0_u32;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if !self.is_counted && self.is_in(piece) {
                self.is_counted = true;
                found = found.saturating_add(1);
            }
            if piece.ends_with(b"\n") {
                self.is_counted = false;
                self.tail.clear();
            }
        }
        if found > 0 {
            self.turn(now);
            let count = &mut self.counts[place(self.now)];
            *count = count.saturating_add(found);
        }
    }

    /// Whether the text is in this piece of a line, or where it meets the one before.
    fn is_in(&mut self, piece: &[u8]) -> bool {
        let keep = self.text.len().saturating_sub(1);
        let seam = piece.len().min(keep);
        self.tail.extend_from_slice(&piece[..seam]);
        let is_in = holds(&self.tail, &self.text) || holds(piece, &self.text);
        self.tail.extend_from_slice(last(&piece[seam..], keep));
        let surplus = self.tail.len().saturating_sub(keep);
        self.tail.drain(..surplus);
        is_in
    }

    /// How many there were.
    #[must_use]
    pub fn count(&mut self, now: Uptime) -> u32 {
        self.turn(now);
        self.counts
            .iter()
            .fold(0, |sum, part| sum.saturating_add(*part))
    }

    /// Forgets what is too old by now.
    fn turn(&mut self, now: Uptime) {
        let now = now.as_millis() / self.part;
        let gone = now.saturating_sub(self.now).clamp(0, PARTS as i64);
        for past in 0..gone {
            self.counts[place(now - past)] = 0;
        }
        self.now = self.now.max(now);
    }
}

fn last(bytes: &[u8], most: usize) -> &[u8] {
    &bytes[bytes.len().saturating_sub(most)..]
}

fn place(part: i64) -> usize {
    usize::try_from(part.rem_euclid(PARTS as i64)).unwrap_or(0)
}

pub(super) fn judge(count: u32, within: Duration, bounds: Bounds<u32>) -> Finding {
    let lines = if count == 1 { "line" } else { "lines" };
    let words = format!("{count} {lines} in {}", Spelled(within));
    let health: Health = bounds.judge(|most| count > *most);
    Finding::new(health, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(secs: i64) -> Uptime {
        Uptime::from_millis(secs * 1000)
    }

    #[test]
    fn lines_are_counted_however_they_are_cut() {
        let text = b"an ERROR\nnone\nERROR ERROR\nERRORERROR\nERR OR\n\nERROR";
        for size in 1..=text.len() {
            let mut lines = Lines::new("ERROR", MINUTE);
            for piece in text.chunks(size) {
                lines.take(piece, at(5));
            }
            assert_eq!(lines.count(at(5)), 4, "pieces of {size}");
        }
        let mut one = Lines::new("E", MINUTE);
        one.take(b"E\nE\nx\n", at(0));
        assert_eq!(one.count(at(0)), 2);
    }

    #[test]
    fn what_is_too_old_is_forgotten() {
        let mut lines = Lines::new("E", MINUTE);
        for second in 0..120 {
            lines.take(b"E\n", at(second));
        }
        assert_eq!(lines.count(at(119)), 60);
        assert_eq!(lines.count(at(149)), 30);
        assert_eq!(lines.count(at(100)), 30, "a clock does not go back");
        assert_eq!(lines.count(at(10_000)), 0);
        assert_eq!(Lines::new("E", Duration::ZERO).count(at(-5)), 0);
    }

    #[test]
    fn a_flood_takes_no_memory() {
        let mut lines = Lines::new("no such text", MINUTE);
        for _ in 0..1000 {
            lines.take(&[b'x'; 4096], at(1));
        }
        assert!(lines.tail.capacity() <= 64, "{}", lines.tail.capacity());
    }
}
