//! How an upgrade is asked for. The client may be newer or older than the sup that runs,
//! so nothing here ever changes: a new word would be a new [`HELLO`].
//!
//! The client says a `Hello` with [`HELLO`] for its version, and one [`Ask`]; [`Told`]
//! follows until the end of the connection.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// Where others say the version that they speak.
pub const HELLO: u16 = u16::MAX;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// Who is there?
    Who,
    /// Let this program take your place.
    Upgrade {
        /// Its absolute path; `None`: the file that the running one was started from.
        binary: Option<Vec<u8>>,
    },
}

/// What sup answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Told {
    /// Who is there.
    Here {
        /// Its version.
        version: String,
        /// Its process.
        pid: u32,
        /// Programs that this process was before.
        upgrades: u32,
        /// Children that have a process.
        alive: u32,
    },
    /// The other program is good; it takes over now. The connection ends with that.
    Going {
        /// Its version.
        version: String,
    },
    /// Nothing has changed; in words.
    Refused(String),
    /// Something that a person should know besides.
    Warning(String),
}
