//! The last bytes of an output, in bounded memory. Any bytes: text, binary, no line at all.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::model::Gather as _;

/// The first allocation, in bytes: most children say little.
const FIRST: usize = 1 << 10;

/// A ring of bytes. It takes memory when it is first used, and doubles up to its capacity.
#[derive(Debug)]
pub struct Ring {
    bytes: VecDeque<u8>,
    capacity: usize,
    written: u64,
    /// Whether the oldest byte begins a line.
    on_line: bool,
}

/// What a ring holds, for another one in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    bytes: Vec<u8>,
    written: u64,
    on_line: bool,
}

/// What was written since some offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since<'a> {
    /// Bytes after the offset that are no longer there.
    pub missed: u64,
    /// The bytes, in two parts that follow each other.
    pub bytes: (&'a [u8], &'a [u8]),
    /// The offset from which to ask next.
    pub next: u64,
}

impl Kept {
    /// Whether its last line has no end yet.
    pub(super) fn is_within_line(&self) -> bool {
        self.bytes.last().is_some_and(|&last| last != b'\n')
    }
}

impl Ring {
    /// A ring that keeps the last `capacity` bytes.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            bytes: VecDeque::new(),
            capacity,
            written: 0,
            on_line: true,
        }
    }

    /// What it holds.
    #[must_use]
    pub fn kept(&self) -> Kept {
        Kept {
            bytes: self.bytes.iter().copied().gather(),
            written: self.written,
            on_line: self.on_line,
        }
    }

    /// A ring that goes on where another one has left off.
    #[must_use]
    pub fn resume(capacity: usize, kept: &Kept) -> Self {
        let mut ring = Self::new(capacity);
        ring.on_line = kept.on_line;
        ring.push(&kept.bytes);
        ring.written = kept.written;
        ring
    }

    /// Takes some output; the oldest bytes make room for it.
    pub fn push(&mut self, bytes: &[u8]) {
        self.written = self.written.saturating_add(bytes.len() as u64);
        let (lost, kept) = bytes.split_at(bytes.len().saturating_sub(self.capacity));
        let surplus = (self.bytes.len() + kept.len()).saturating_sub(self.capacity);
        let last_gone = match (lost.last(), surplus.checked_sub(1)) {
            (Some(last), _) => Some(*last),
            (None, Some(last)) => self.bytes.get(last).copied(),
            (None, None) => None,
        };
        if let Some(last) = last_gone {
            self.on_line = last == b'\n';
        }
        self.bytes.drain(..surplus);
        self.grow(self.bytes.len() + kept.len());
        self.bytes.extend(kept);
    }

    fn grow(&mut self, length: usize) {
        if length > self.bytes.capacity() {
            let room = length.next_power_of_two().max(FIRST).min(self.capacity);
            self.bytes.reserve_exact(room - self.bytes.len());
        }
    }

    /// Bytes ever written: the offset at which the next one will be.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The last `lines` lines, oldest first, in two parts that follow each other; a last
    /// line without its end counts as one. They begin with the beginning of a line, but
    /// where a single line is longer than the ring: of that, what there is.
    #[must_use]
    pub fn tail(&self, lines: usize) -> (&[u8], &[u8]) {
        self.from(self.line_start(lines))
    }

    /// Where the last `lines` lines begin, in bytes after the oldest one.
    fn line_start(&self, lines: usize) -> usize {
        let length = self.bytes.len();
        if lines == 0 {
            return length;
        }
        // The end of the last line ends no line before it.
        let ends = |upto: usize| {
            let ends = self.bytes.range(..upto).enumerate();
            ends.filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at)
        };
        let body = length.saturating_sub(1);
        if let Some(end) = ends(body).nth_back(lines - 1) {
            return end + 1;
        }
        match ends(body).next() {
            Some(end) if !self.on_line => end + 1,
            Some(_) | None => 0,
        }
    }

    /// What was written from `offset` on. An offset beyond [`Ring::written`] comes from
    /// before a restart of sup: all that there is follows it.
    #[must_use]
    pub fn since(&self, offset: u64) -> Since<'_> {
        let oldest = self.written - self.bytes.len() as u64;
        let offset = if offset > self.written { 0 } else { offset };
        let missed = oldest.saturating_sub(offset);
        let skipped = usize::try_from(offset.saturating_sub(oldest)).unwrap_or(usize::MAX);
        Since {
            missed,
            bytes: self.from(skipped.min(self.bytes.len())),
            next: self.written,
        }
    }

    /// All but the oldest `skipped` bytes.
    fn from(&self, skipped: usize) -> (&[u8], &[u8]) {
        let (first, second) = self.bytes.as_slices();
        match skipped.checked_sub(first.len()) {
            None => (&first[skipped..], second),
            Some(skipped) => (&[], &second[skipped..]),
        }
    }

    /// Memory taken, in bytes.
    #[must_use]
    pub fn footprint(&self) -> usize {
        self.bytes.capacity()
    }
}
