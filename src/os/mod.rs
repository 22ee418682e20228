//! The one door to the kernel. Which call since when, what instead, and which test
//! plays the older kernel:
//!
//! | what | Linux | without it |
//! |---|---|---|
//! | `pidfd_open` (in async-process) | 5.3 | SIGCHLD, chosen once at start |
//! | `pidfd_open` (of adopted processes) | 5.3 | a look at `/proc` each second |
//! | `CLOCK_BOOTTIME` | 2.6.39 | `CLOCK_MONOTONIC` |
//! | `PR_SET_CHILD_SUBREAPER` | 3.4 | orphans go to init; sessions are still swept |
//! | `PR_SET_NO_NEW_PRIVS` | 3.5 | a child that asks for it does not start, and says why |
//!
//! `scripts/check` runs the real-process tests a second time under a filter that plays
//! Linux 3.2 (`tests/common/old_kernel.rs`): none of these are there then.

pub mod adopt;
mod aside;
pub mod boot;
pub mod clock;
pub mod fifo;
pub mod file;
pub mod hint;
pub mod kernel;
pub mod place;
mod prepare;
pub mod procfs;
pub mod reap;
pub mod signals;
pub mod socket;
pub mod spawn;
pub mod trim;

pub use aside::aside;
