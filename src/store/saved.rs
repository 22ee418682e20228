//! The payload: one of all the versions that a sup has ever written.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::{v1, v2};
use crate::model::{Memory, packed};

/// Versions are only ever added, at the end: their places are on people's disks.
#[derive(Serialize, Deserialize)]
enum Saved {
    V1(v1::Memory),
    V2(v2::Memory),
}

/// Versions that we can read. A number from here on is a newer sup's.
const VERSIONS: u32 = 2;

/// Why a payload gives no memory, though its check sum is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadFault {
    /// Its version came after ours.
    Newer,
    /// It is no memory.
    Garbled,
}

impl fmt::Display for PayloadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Newer => "the memory is a newer sup's",
            Self::Garbled => "the memory is garbled",
        })
    }
}

/// The bytes of a memory, in the newest version. Times are rounded down to milliseconds.
#[must_use]
pub fn encode(memory: &Memory) -> Vec<u8> {
    let bytes = postcard::to_allocvec(&Saved::V2(v2::Memory::from(memory)));
    debug_assert!(bytes.is_ok(), "postcard can write all that v2 has");
    // Nothing is not a payload: `save` refuses it.
    bytes.unwrap_or_default()
}

/// The memory in a payload.
///
/// # Errors
///
/// It is a newer sup's, or none: bytes that are left over make it none.
pub fn decode(payload: &[u8]) -> Result<Memory, PayloadFault> {
    let (version, _) = packed::take::<u32>(payload).ok_or(PayloadFault::Garbled)?;
    if version >= VERSIONS {
        return Err(PayloadFault::Newer);
    }
    let Some((saved, [])) = packed::take(payload) else {
        return Err(PayloadFault::Garbled);
    };
    Ok(match saved {
        Saved::V1(memory) => memory.into(),
        Saved::V2(memory) => memory.into(),
    })
}
