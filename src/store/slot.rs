//! One slot, as bytes: a header with a check sum, then the payload, then zeros.
//!
//! ```text
//!   0      8 magic        0x89 "sup" CR LF 0x1a LF: no text, no other program's file
//!   8      4 format       of this frame; 1
//!   12     4 length       of the payload, in bytes
//!   16     8 generation   counts the images ever written; the highest is the newest
//!   24     4 check sum    CRC-32 over all of the above and the payload
//!   28     … payload
//!          … zeros up to a multiple of BLOCK; what follows does not count
//! ```
//!
//! Numbers are little endian. All versions keep this header, so that an older sup can
//! tell a newer file from a broken one.

use core::cmp::Ordering;
use core::fmt;
use std::io::ErrorKind;

use crate::model::limits::{
    ALERTS_MAX, BLOCK, CHILDREN_MAX, EXITS_KEPT, GROUPS_MAX, INCIDENTS_MAX, INSTANCES_MAX,
    LOOP_RESTARTS_MAX, NAME_MAX, PER_HOUR_MAX, RESTARTS_MAX,
};

/// Before the payload, in bytes.
pub const HEADER_SIZE: usize = 28;

/// The longest image, in bytes: no memory within the limits is longer, and a length
/// field gone wrong cannot ask for more.
pub const IMAGE_MAX: usize = 256 << 20;
// Ten bytes are the longest number in postcard, three the longest of 16 bits. A child has
// eight besides its lists (one more for an instance's in its name), a group eleven.
const CHILD_MAX: usize = NAME_MAX + 10 * (9 + RESTARTS_MAX as usize + 5 * EXITS_KEPT);
const GROUP_MAX: usize = NAME_MAX + 10 * (11 + RESTARTS_MAX as usize) + 3 * INSTANCES_MAX as usize;
// A check's name is no longer than a path.
const INCIDENT_MAX: usize = NAME_MAX + 4096 + 10 * (6 + LOOP_RESTARTS_MAX as usize + 1);
const CHANNEL_MAX: usize = NAME_MAX + 10 * (3 + PER_HOUR_MAX as usize) + 14 * INCIDENTS_MAX;
const _: () = assert!(
    BLOCK
        + CHILDREN_MAX * CHILD_MAX
        + GROUPS_MAX * GROUP_MAX
        + INCIDENTS_MAX * INCIDENT_MAX
        + ALERTS_MAX * CHANNEL_MAX
        <= IMAGE_MAX
);
const _: () = assert!(IMAGE_MAX <= u32::MAX as usize);

const MAGIC: [u8; 8] = *b"\x89sup\r\n\x1a\n";
const FORMAT: u32 = 1;

/// Why a slot cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotFault {
    /// There is no such file. No cause for a remark: so it is before the first save.
    Missing,
    /// It is a symlink, a directory or the like.
    Irregular,
    /// The file system does not let us read it.
    Unreadable(ErrorKind),
    /// It has no bytes.
    Empty,
    /// It is filled with zeros.
    Zeroed,
    /// It is no state file.
    Foreign,
    /// Bytes are missing at its end.
    Short,
    /// It says that it is longer than any state file.
    TooLong,
    /// Its check sum is wrong.
    Damaged,
    /// Its check sum is right, but the payload makes no sense.
    Garbled,
    /// A newer sup wrote it.
    Newer {
        /// Which image it is, in the count that all versions share.
        generation: u64,
    },
}

impl fmt::Display for SlotFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it does not exist"),
            Self::Irregular => f.write_str("it is not a regular file"),
            Self::Unreadable(kind) => write!(f, "it cannot be read: {kind}"),
            Self::Empty => f.write_str("it is empty"),
            Self::Zeroed => f.write_str("it is filled with zeros"),
            Self::Foreign => f.write_str("it was not written by sup"),
            Self::Short => f.write_str("its end is missing"),
            Self::TooLong => f.write_str("it claims an impossible length"),
            Self::Damaged => f.write_str("its check sum is wrong"),
            Self::Garbled => f.write_str("its contents make no sense"),
            Self::Newer { .. } => f.write_str("it was written by a newer sup"),
        }
    }
}

/// The image of a payload, a whole number of blocks. `None` where it would be longer
/// than [`IMAGE_MAX`].
#[must_use]
pub fn seal(generation: u64, payload: &[u8]) -> Option<Vec<u8>> {
    let size = (HEADER_SIZE + payload.len()).next_multiple_of(BLOCK);
    if size > IMAGE_MAX {
        return None;
    }
    let mut image = Vec::with_capacity(size);
    image.extend(MAGIC);
    image.extend(FORMAT.to_le_bytes());
    image.extend(u32::try_from(payload.len()).ok()?.to_le_bytes());
    image.extend(generation.to_le_bytes());
    image.extend(check_sum(&image, payload).to_le_bytes());
    image.extend(payload);
    image.resize(size, 0);
    Some(image)
}

/// The generation and the payload in an image.
///
/// # Errors
///
/// Why it cannot be used. Any bytes at all are allowed.
pub fn open(image: &[u8]) -> Result<(u64, &[u8]), SlotFault> {
    let size = extent(image)?;
    let payload = image.get(HEADER_SIZE..size).ok_or(SlotFault::Short)?;
    let header = Header::read(image)?;
    if check_sum(&image[..CHECK_SUM_AT], payload) != header.check_sum {
        return Err(SlotFault::Damaged);
    }
    let generation = header.generation;
    match header.format.cmp(&FORMAT) {
        Ordering::Less => Err(SlotFault::Garbled),
        Ordering::Equal => Ok((generation, payload)),
        Ordering::Greater => Err(SlotFault::Newer { generation }),
    }
}

/// How many bytes of an image count, read from its first [`HEADER_SIZE`].
///
/// # Errors
///
/// There are fewer, or they are no header.
pub fn extent(head: &[u8]) -> Result<usize, SlotFault> {
    let length = Header::read(head)?.length;
    match usize::try_from(length)
        .ok()
        .and_then(|l| l.checked_add(HEADER_SIZE))
    {
        Some(size) if size <= IMAGE_MAX => Ok(size),
        Some(_) | None => Err(SlotFault::TooLong),
    }
}

const CHECK_SUM_AT: usize = 24;

struct Header {
    format: u32,
    length: u32,
    generation: u64,
    check_sum: u32,
}

impl Header {
    fn read(image: &[u8]) -> Result<Self, SlotFault> {
        if image.is_empty() {
            return Err(SlotFault::Empty);
        }
        if image.iter().take(HEADER_SIZE).all(|&byte| byte == 0) {
            return Err(SlotFault::Zeroed);
        }
        let known = image.len().min(MAGIC.len());
        if image[..known] != MAGIC[..known] {
            return Err(SlotFault::Foreign);
        }
        Self::fields(image).ok_or(SlotFault::Short)
    }

    fn fields(image: &[u8]) -> Option<Self> {
        let (format, rest) = image.get(MAGIC.len()..)?.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (generation, rest) = rest.split_first_chunk()?;
        let (check_sum, _) = rest.split_first_chunk()?;
        Some(Self {
            format: u32::from_le_bytes(*format),
            length: u32::from_le_bytes(*length),
            generation: u64::from_le_bytes(*generation),
            check_sum: u32::from_le_bytes(*check_sum),
        })
    }
}

fn check_sum(header: &[u8], payload: &[u8]) -> u32 {
    // Without a table: a few kilobytes a minute need no kilobyte of it.
    const CRC: crc::Crc<u32, crc::NoTable> =
        crc::Crc::<u32, crc::NoTable>::new(&crc::CRC_32_ISO_HDLC);
    let mut digest = CRC.digest();
    digest.update(header);
    digest.update(payload);
    digest.finalize()
}
