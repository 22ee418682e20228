//! Whose turn it is: what the slots hold, and where the next image goes. Pure, so that a
//! power cut can be tried at every step.
//!
//! The last good slot is never written to; the next image goes to the first of the
//! others. So `state.a` and `state.b` take turns. `state.c` steps in where one of them
//! cannot be written to (a name that old btrfs cannot open any more, a directory in its
//! place) or is kept for a newer sup; else it does not exist.

use core::fmt;

use super::saved::{self, PayloadFault};
use super::slot::{self, SlotFault};
use crate::model::Memory;

/// The slots' file names, in the order in which they are tried.
pub const SLOTS: [&str; 3] = ["state.a", "state.b", "state.c"];

/// What was found in the state directory.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The newest memory that can be read, as it was written; see
    /// [`rebase()`](super::rebase()). `None`: there is none, so begin anew.
    pub memory: Option<Memory>,
    /// What a person should know, a line each.
    pub remarks: Vec<Remark>,
}

/// One slot that was passed over; in words through `Display`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The file's name.
    pub name: &'static str,
    /// Why.
    pub fault: SlotFault,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, fault } = self;
        write!(f, "{name} was passed over: {fault}")
    }
}

/// What the slots hold, as far as the next write needs to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// The highest generation ever seen or tried.
    generation: u64,
    /// The slot with the newest memory that can be relied upon.
    good: Option<usize>,
    /// The slot with the newest memory of a newer sup. It stays as it is until that sup
    /// comes back: going back a version must not cost what the newer one knew.
    kept: Option<usize>,
}

impl Turn {
    /// The slot with the newest memory that can be relied upon.
    #[must_use]
    pub fn good(&self) -> Option<usize> {
        self.good
    }

    /// The slots that may be overwritten, best first. Go on to the next only after one
    /// has failed.
    pub fn targets(&self) -> impl Iterator<Item = usize> + use<> {
        let spared = [self.good, self.kept];
        (0..SLOTS.len()).filter(move |slot| !spared.contains(&Some(*slot)))
    }

    /// The next image. Each has a generation of its own, that of a failed write included:
    /// some of it may be on the disk. `None` where the payload is empty or too long.
    pub fn seal(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        if payload.is_empty() {
            return None;
        }
        self.generation = self.generation.saturating_add(1);
        slot::seal(self.generation, payload)
    }

    /// The last sealed image is on the disk, in that slot.
    pub fn durable(&mut self, slot: usize) {
        self.good = Some(slot);
    }
}

/// Reads all slots and picks the newest memory.
#[must_use]
pub fn survey(images: &[Result<Vec<u8>, SlotFault>; SLOTS.len()]) -> (Turn, Loaded) {
    let mut turn = Turn::default();
    let mut loaded = Loaded::default();
    let (mut good, mut kept) = (None, None);
    for (slot, image) in images.iter().enumerate() {
        match image
            .as_ref()
            .map_err(|fault| *fault)
            .and_then(|image| read(image))
        {
            Ok((generation, memory)) => {
                if good.is_none_or(|newest| newest < generation) {
                    good = Some(generation);
                    turn.good = Some(slot);
                    loaded.memory = Some(memory);
                }
            }
            Err(SlotFault::Missing) => {}
            Err(fault) => {
                let name = SLOTS[slot];
                loaded.remarks.push(Remark { name, fault });
                if let SlotFault::Newer { generation } = fault
                    && kept.is_none_or(|newest| newest < generation)
                {
                    kept = Some(generation);
                    turn.kept = Some(slot);
                }
            }
        }
    }
    turn.generation = good.max(kept).unwrap_or(0);
    (turn, loaded)
}

fn read(image: &[u8]) -> Result<(u64, Memory), SlotFault> {
    let (generation, payload) = slot::open(image)?;
    match saved::decode(payload) {
        Ok(memory) => Ok((generation, memory)),
        Err(PayloadFault::Newer) => Err(SlotFault::Newer { generation }),
        Err(PayloadFault::Garbled) => Err(SlotFault::Garbled),
    }
}
