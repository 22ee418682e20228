//! The nouns. What the other modules talk about, and nothing that does anything.
//!
//! `core`, `serde` and `heapless` only; `alloc` where a thing is as large as the
//! configuration makes it ([`spec`], [`memory`], [`report`], [`order`]).

pub mod exit;
pub mod ids;
pub mod limits;
pub mod memory;
pub mod order;
pub mod report;
pub mod spec;
pub mod time;
pub mod words;

pub use exit::{Exit, Signal, Stage, StartFault, Timeout};
pub use ids::{BootId, ChildId, RunId};
pub use memory::{ChildMemory, Ended, Memory};
pub use order::{Notice, Order};
pub use spec::{ChildSpec, RestartPolicy};
pub use time::Uptime;
