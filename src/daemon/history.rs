//! What has happened, in words, for `sup events`: the last of it, in RAM.

use std::collections::VecDeque;
use std::rc::Rc;

use super::changed::Changed;
use crate::model::limits::HISTORY_MAX;

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
}
