//! The one door to the kernel. Which call since when, what instead, and which test
//! plays the older kernel:
//!
//! | what | Linux | without it |
//! |---|---|---|
//! | inotify (a deleted control socket) | 2.6.13 | it stays deleted until sup is started again |
//! | `signalfd4`, `eventfd2`, `epoll_create1` | 2.6.27 | older than any box of ours |
//! | `CLOCK_BOOTTIME` | 2.6.39 | `CLOCK_MONOTONIC` |
//! | `O_PATH` (a path without links of others) | 2.6.39 | older than any box of ours |
//! | `PR_SET_CHILD_SUBREAPER` | 3.4 | orphans go to init; sessions are still swept |
//! | `MADV_DONTDUMP` (memory given back in small pieces) | 3.4 | in larger pieces |
//! | `PR_SET_NO_NEW_PRIVS` | 3.5 | a child that asks for it does not start, and says why |
//! | `getrandom` (in std) | 3.17 | `/dev/urandom`, by std |
//! | `statx` (in std) | 4.11 | `fstatat`, by std |
//! | `oom_kill` in `/proc/vmstat` | 4.13 | the kernel's log is read after each SIGKILL |
//! | `rseq` (in glibc) | 4.18 | nothing, by glibc |
//! | `pidfd_open`, `CLONE_PIDFD` (of children and programs) | 5.3 | SIGCHLD, chosen once at start |
//! | `close_range` (a child leaves our table of descriptors) | 5.9 | it gets a copy of it |
//! | `pidfd_open` (of adopted processes) | 5.3 | a look at `/proc` each second |
//! | `PIDFD_GET_INFO` with the exit (of adopted processes) | 6.15 | they have *vanished* |
//! | `pidfd_open` (of children from before an upgrade) | 5.3 | SIGCHLD |
//! | POLLPRI of `/proc/self/mountinfo` (paths that come later) | 2.6.30 | a look each three seconds, which there is anyway |
//! | `clock_gettime64` (32-bit ARM) | 5.1 | never asked for (`old_time`): vendors have calls of their own there |
//! | `clone3` (in glibc) | 5.3 | `clone`, by glibc |
//!
//! `openat2` (5.6) would walk a path in one call; nothing here may need it. `tests/real_kernel.rs`
//! forbids whatever else is newer than Linux 3.2. `scripts/check` runs the real-process tests
//! a second time under a filter that plays Linux 3.2 (`tests/common/old_kernel.rs`): none of
//! the calls after it are there then.

pub mod adopt;
mod aside;
mod birth;
pub mod boot;
mod changed;
pub mod clock;
pub mod disk;
pub mod fifo;
pub mod file;
mod gate;
pub mod hint;
pub mod image;
pub mod kernel;
pub mod mounts;
#[cfg(any(test, all(target_arch = "arm", target_env = "musl")))]
mod old_time;
mod oom;
pub mod paths;
pub mod place;
mod prepare;
pub mod procfs;
mod queue;
mod reactor;
pub mod reap;
pub mod say;
mod seats;
pub mod secret;
pub mod signals;
pub mod socket;
mod source;
pub mod spawn;
#[cfg(target_env = "musl")]
mod thread_name;
pub mod trace;
pub mod trap;
pub mod trim;
pub mod walk;
pub mod watch;

pub use aside::aside;
pub use changed::Changed;
pub use gate::Gate;
pub use queue::{Receiver, Refused, Sender, queue};
pub use reactor::{Timer, block_on};
pub use source::{Async, pipe, pipe_to};
