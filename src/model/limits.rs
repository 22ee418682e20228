//! Every limit of sup, each with its reason.

use core::time::Duration;

/// Children in one configuration. A [`ChildId`](super::ChildId) has 16 bits; a
/// box that needs more wants a cluster manager.
pub const CHILDREN_MAX: usize = 10_000;

/// A child's name, in bytes: it becomes a file name beside a suffix, and a column.
pub const NAME_MAX: usize = 64;

/// Restarts that one budget can count. The window is kept as one time stamp a
/// restart, in memory and on disk.
pub const RESTARTS_MAX: u16 = 1_000;

/// Ends of runs that a child remembers: enough to see a pattern in `sup why`.
pub const EXITS_KEPT: usize = 4;

/// Any configured time. A century says "never" and still adds up without overflow.
pub const DURATION_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The configuration with everything that it includes, in bytes.
pub const CONFIG_SIZE_MAX: u64 = 4 << 20;

/// Files that one configuration includes, in all.
pub const INCLUDES_MAX: usize = 256;

/// One frame on the control socket, in bytes. The longest is a chunk of log.
pub const FRAME_MAX: usize = 64 << 10;

/// Clients on the control socket at the same time; further ones wait in the
/// kernel's queue.
pub const CLIENTS_MAX: usize = 16;

/// Output kept in RAM for all children together, in bytes. nas.md, requirement 33.
pub const RINGS_MAX: usize = 1 << 20;

/// Output kept in RAM for one child, in bytes, where there are few of them.
pub const RING_MAX: usize = 16 << 10;

/// Output kept in RAM for one child, in bytes, however many there are: some ten lines.
pub const RING_MIN: usize = 1 << 10;

/// Events kept in RAM for `sup events`.
pub const HISTORY_MAX: usize = 256;

/// Least time between two saves that nobody waits for. nas.md, requirement 26.
pub const SAVE_INTERVAL: Duration = Duration::from_secs(60);

/// A state slot is written in multiples of this, in bytes: a file-system block.
pub const BLOCK: usize = 4096;

/// A notification script may run this long before its group is killed.
pub const NOTIFY_TIMEOUT: Duration = Duration::from_secs(10);

/// Notices that wait for a notification script; the oldest goes first.
pub const NOTIFY_QUEUE_MAX: usize = 64;
