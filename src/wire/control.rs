//! What is said on the control socket.
//!
//! The client says [`Hello`] and one [`Request`]; replies follow, the last of which is
//! [`Reply::Done`], [`Reply::Refused`], or the end of the connection.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::model::Order;
use crate::model::order::ScaleTo;
use crate::model::report::{CheckReport, ChildReport, GroupReport, SupReport};

/// The version of what follows. It changes with every change here: a client of another
/// version is told so in words, which never change.
pub const VERSION: u16 = 5;

/// The socket's name in the runtime directory.
pub const SOCKET: &str = "control";

/// The first frame of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Its [`VERSION`].
    pub version: u16,
}

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// How these children and groups stand; all, where none is named.
    Status {
        /// Their names. A group brings all below it.
        names: Vec<String>,
    },
    /// Something of these children and groups.
    Order {
        /// Their names; none: everything.
        names: Vec<String>,
        /// What.
        order: Order,
        /// Whether to answer only when it has been carried out.
        wait: bool,
    },
    /// Another number of instances of a template.
    Scale {
        /// The group.
        group: String,
        /// How many.
        to: ScaleTo,
        /// Whether to answer only when it has been carried out.
        wait: bool,
    },
    /// Read the configuration again.
    Reload {
        /// Only say what would happen.
        dry_run: bool,
    },
    /// The last output of a child.
    Logs {
        /// Its name.
        child: String,
        /// How many lines.
        lines: u32,
        /// Whether to go on with what comes.
        follow: bool,
    },
    /// What has happened.
    Events {
        /// How many at most.
        count: u32,
        /// Whether to go on with what comes.
        follow: bool,
    },
    /// Send a test through every channel of alerts.
    TestAlerts,
    /// Stop everything and end.
    Shutdown,
}

/// What sup answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// How sup stands.
    Sup(SupReport),
    /// How a child stands.
    Child(ChildReport),
    /// How a check stands: one of the box behind [`Reply::Sup`], others behind their child.
    Check(CheckReport),
    /// How a group stands; what is below it follows.
    Group(GroupReport),
    /// What became of an order.
    Ordered {
        /// The child or the group.
        name: String,
        /// What became of it.
        outcome: Outcome,
    },
    /// What a reload does, or would do, to a child or a group.
    Planned {
        /// The child or the group.
        name: String,
        /// `added`, `removed`, `restarted`, `adjusted`, `kept`.
        change: String,
    },
    /// A piece of output.
    Output {
        /// Bytes that were lost before this piece.
        missed: u64,
        /// The piece.
        bytes: Vec<u8>,
    },
    /// Something that happened.
    Event {
        /// When, in seconds since 1970.
        wall: u64,
        /// In words.
        text: String,
    },
    /// What became of a test through one channel.
    Alert {
        /// Its name.
        channel: String,
        /// Whether it was taken.
        taken: bool,
        /// What was answered, or why it did not arrive.
        words: String,
    },
    /// Something that a person should know besides.
    Warning(String),
    /// That was all.
    Done,
    /// It cannot be done; in words.
    Refused(String),
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It has been carried out.
    Done,
    /// It is being carried out.
    Accepted,
    /// There was nothing to do.
    Unchanged,
    /// There is no process to signal.
    NotRunning,
    /// Everything ends.
    Ending,
    /// The child failed on the way: it is given up, failed, or back in backoff.
    Failed,
    /// It cannot start: what it requires is down.
    Held,
    /// It cannot start: this group is down, and all that belongs to it.
    GroupDown(String),
    /// It cannot start: what it requires belongs to this group, which is down.
    RequirementDown(String),
}
