//! The nouns. What the other modules talk about, and nothing that does anything.
//!
//! `core`, `serde` and `heapless` only; `alloc` where a thing is as large as the
//! configuration makes it ([`alert`], [`check`], [`spec`], [`tree`], [`memory`],
//! [`report`], [`standing`], [`order`]), and postcard in [`packed`].

pub mod alert;
pub mod alike;
pub mod check;
pub mod exit;
pub mod gather;
pub mod ids;
pub mod limits;
pub mod memory;
pub mod order;
pub mod packed;
pub mod precedence;
pub mod report;
pub mod sorted;
pub mod spec;
pub mod standing;
pub mod time;
pub mod tree;
pub mod words;

pub use check::{CheckId, CheckSpec, Health};
pub use exit::{Exit, Signal, Stage, StartFault, Timeout};
pub use gather::Gather;
pub use ids::{BootId, ChildId, GroupId, Member, RunId};
pub use memory::{ChildMemory, Ended, GroupMemory, Memory};
pub use order::{Notice, Order};
pub use spec::{ChildSpec, RestartPolicy};
pub use time::Uptime;
pub use tree::{GroupSpec, Tree};
