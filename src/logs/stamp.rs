//! The time at the beginning of each line, `2026-05-01T12:34:56Z `.

use crate::model::time::utc;

/// Puts the time before each line. Its state is where the last bytes left off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamper {
    within_line: bool,
}

impl Stamper {
    /// One that begins so.
    pub(super) fn within_line(within_line: bool) -> Self {
        Self { within_line }
    }

    /// Appends `bytes` to `out`, with the time before each byte that begins a line.
    /// `wall_seconds` count from 1970.
    pub fn stamp(&mut self, bytes: &[u8], wall_seconds: u64, out: &mut Vec<u8>) {
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            if !self.within_line {
                out.extend(utc(wall_seconds));
                out.push(b' ');
            }
            out.extend(line);
            self.within_line = line.last() != Some(&b'\n');
        }
    }
}
