//! What has happened, the last of it, in RAM: in words for `sup events`, and the restarts
//! of a day for a picture of them.

use std::collections::VecDeque;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::model::Gather as _;
use crate::model::Uptime;
use crate::model::limits::{HISTORY_MAX, RESTART_BIN, RESTART_BINS};
use crate::os::Changed;
use crate::wire::json::Restarts;

/// One thing that happened.
#[derive(Clone)]
pub(super) struct Entry {
    /// When, in seconds since 1970.
    pub(super) wall: u64,
    /// What, in words.
    pub(super) text: Rc<str>,
}

/// The last [`HISTORY_MAX`] entries, numbered from the start of sup.
#[derive(Default)]
pub(super) struct History {
    entries: VecDeque<Entry>,
    /// The number of the oldest entry kept.
    first: u64,
    pub(super) changed: Rc<Changed>,
    /// Of the children that were restarted within the day, by name: hardly ever many.
    restarts: Vec<(Box<str>, Bins)>,
}

/// Restarts of one child, counted in bins of [`RESTART_BIN`]; a later bin takes the place
/// of the one that is [`RESTART_BINS`] older.
struct Bins {
    /// The number of the bin that was last counted in.
    last: i64,
    counts: [u8; RESTART_BINS],
}

/// A history, for another program.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Past {
    first: u64,
    /// When, in seconds since 1970, and what.
    entries: Vec<(u64, String)>,
    /// Of whom, the number of the last bin, and all bins.
    restarts: Vec<(Box<str>, i64, Vec<u8>)>,
}

impl History {
    pub(super) fn push(&mut self, wall: u64, text: &str) {
        if self.entries.len() == HISTORY_MAX {
            self.entries.pop_front();
            self.first += 1;
        }
        self.entries.push_back(Entry {
            wall,
            text: text.into(),
        });
        self.changed.ring();
    }

    /// For the program that takes our place.
    pub(super) fn pass(&self) -> Past {
        let entries = self.entries.iter();
        let restarts = self.restarts.iter();
        Past {
            first: self.first,
            entries: entries
                .map(|entry| (entry.wall, entry.text.to_string()))
                .gather(),
            restarts: restarts
                .map(|(child, bins)| (child.clone(), bins.last, bins.counts.to_vec()))
                .gather(),
        }
    }

    /// From the program before us. Numbers go on.
    pub(super) fn inherit(past: &Past) -> Self {
        let entries = past.entries.iter().map(|(wall, text)| Entry {
            wall: *wall,
            text: text.as_str().into(),
        });
        let restarts = past.restarts.iter().map(|(child, last, counts)| {
            let mut bins = Bins::new(*last);
            let places = bins.counts.iter_mut().zip(counts);
            places.for_each(|(place, count)| *place = *count);
            (child.clone(), bins)
        });
        Self {
            entries: entries.gather(),
            first: past.first,
            changed: Rc::default(),
            restarts: restarts.gather(),
        }
    }

    /// The number that the next entry will have.
    pub(super) fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// The entry of that number, or the oldest one kept, with its number.
    pub(super) fn from(&self, number: u64) -> Option<(u64, Entry)> {
        let number = number.max(self.first);
        let place = usize::try_from(number - self.first).ok()?;
        Some((number, self.entries.get(place)?.clone()))
    }

    /// A child is restarted.
    pub(super) fn restarted(&mut self, child: &str, now: Uptime) {
        let bin = bin(now);
        let known = self.restarts.iter_mut().find(|(name, _)| **name == *child);
        if let Some((_, bins)) = known {
            bins.count(bin);
            return;
        }
        // Only then it grows: those that have been quiet for a day make room.
        self.restarts
            .retain(|(_, bins)| bin - bins.last < Bins::LENGTH);
        let mut bins = Bins::new(bin);
        bins.count(bin);
        self.restarts.push((child.into(), bins));
    }

    /// The restarts of each child that had any within the day: how many bins ago, and how
    /// many, the oldest first.
    pub(super) fn restarts(&self, now: Uptime) -> Vec<Restarts> {
        let now = bin(now);
        let all = self.restarts.iter().map(|(name, bins)| Restarts {
            child: name.to_string(),
            counted: bins.counted(now),
        });
        all.filter(|of| !of.counted.is_empty()).gather()
    }
}

/// The number of the bin that a moment is in.
fn bin(at: Uptime) -> i64 {
    at.as_millis()
        .div_euclid(i64::try_from(RESTART_BIN.as_millis()).unwrap_or(i64::MAX))
}

impl Bins {
    const LENGTH: i64 = RESTART_BINS as i64;

    fn new(last: i64) -> Self {
        Self {
            last,
            counts: [0; RESTART_BINS],
        }
    }

    fn count(&mut self, bin: i64) {
        // What lies between is empty.
        let first = (self.last + 1).max(bin - Self::LENGTH + 1);
        for between in first..=bin {
            *self.place(between) = 0;
        }
        self.last = self.last.max(bin);
        let count = self.place(bin);
        *count = count.saturating_add(1);
    }

    fn place(&mut self, bin: i64) -> &mut u8 {
        // Less than the number of bins.
        &mut self.counts[bin.rem_euclid(Self::LENGTH) as usize]
    }

    fn counted(&self, now: i64) -> Vec<(u8, u8)> {
        let oldest = (now - Self::LENGTH + 1).max(self.last - Self::LENGTH + 1);
        let bins = oldest..=self.last;
        let counts = bins.map(|bin| {
            (
                now - bin,
                self.counts[bin.rem_euclid(Self::LENGTH) as usize],
            )
        });
        counts
            .filter(|(_, count)| *count > 0)
            .filter_map(|(ago, count)| Some((u8::try_from(ago).ok()?, count)))
            .gather()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(bin: i64) -> Uptime {
        Uptime::from_millis(bin * 900_000 + 1)
    }

    fn of(history: &History, child: &str, now: i64) -> Vec<(u8, u8)> {
        let all = history.restarts(at(now));
        let found = all.into_iter().find(|of| of.child == child);
        found.map(|of| of.counted).unwrap_or_default()
    }

    #[test]
    fn restarts_are_counted_by_the_quarter_of_an_hour_for_a_day() {
        let mut history = History::default();
        for bin in [-3, 10, 10, 12] {
            history.restarted("a", at(bin));
        }
        assert_eq!(of(&history, "a", 12), [(15, 1), (2, 2), (0, 1)]);
        assert_eq!(of(&history, "a", 92), [(95, 1), (82, 2), (80, 1)]);
        assert_eq!(of(&history, "a", 93), [(83, 2), (81, 1)]);
        assert_eq!(of(&history, "a", 108), []);
        assert_eq!(of(&history, "b", 12), []);
        history.restarted("a", at(106));
        assert_eq!(of(&history, "a", 106), [(94, 1), (0, 1)]);
        history.restarted("a", at(1_000_000));
        assert_eq!(of(&history, "a", 1_000_000), [(0, 1)]);
    }

    #[test]
    fn a_storm_fills_its_bin_and_who_is_quiet_for_a_day_is_forgotten() {
        let mut history = History::default();
        for _ in 0..1000 {
            history.restarted("a", at(5));
        }
        assert_eq!(of(&history, "a", 5), [(0, 255)]);
        history.restarted("b", at(101));
        assert_eq!(history.restarts.len(), 1);
    }
}
