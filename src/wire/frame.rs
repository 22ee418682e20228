//! Frames on the control socket: a length of four bytes, little end first, and that
//! many bytes of postcard.

use alloc::vec::Vec;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::limits::FRAME_MAX;
use crate::model::packed;

/// Bytes before the message.
pub const HEAD: usize = 4;

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameFault {
    /// Longer than [`FRAME_MAX`].
    TooLong,
    /// Not one of the messages that we know.
    Unknown,
}

/// A message as a frame.
///
/// # Panics
/// Never: our messages can all be written.
#[must_use]
pub fn pack<T: Serialize>(message: &T) -> Vec<u8> {
    let body = postcard::to_allocvec(message).unwrap_or_default();
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes()[..], &body].concat()
}

/// How many bytes follow this head.
///
/// # Errors
/// [`FrameFault::TooLong`].
pub fn length(head: [u8; HEAD]) -> Result<usize, FrameFault> {
    let length = usize::try_from(u32::from_le_bytes(head)).unwrap_or(usize::MAX);
    if length > FRAME_MAX {
        Err(FrameFault::TooLong)
    } else {
        Ok(length)
    }
}

/// The message in these bytes, all of which it must use up.
///
/// # Errors
/// [`FrameFault::Unknown`].
pub fn unpack<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameFault> {
    match packed::take(body) {
        Some((message, [])) => Ok(message),
        Some(_) | None => Err(FrameFault::Unknown),
    }
}
