//! Every limit of sup, each with its reason.

use core::time::Duration;

/// Children in one configuration. A [`ChildId`](super::ChildId) has 16 bits; a
/// box that needs more wants a cluster manager.
pub const CHILDREN_MAX: usize = 10_000;

/// Groups in one configuration, the root among them. A [`GroupId`](super::GroupId) has
/// 16 bits, and no group is empty.
pub const GROUPS_MAX: usize = CHILDREN_MAX;

/// Instances of one template. Beyond that a pool inside the program serves better.
pub const INSTANCES_MAX: u16 = 1_000;

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

/// Descriptors that no child is started with: for a few clients, for the state file and for
/// looks at `/proc`. Without them nobody could even stop a child to make room.
pub const DESCRIPTORS_KEPT: u64 = 16;

/// Descriptors that sup has open for itself, and those that stay open for each child: its
/// pipe and its pidfd. Seen in real processes; for words only.
pub const DESCRIPTORS_OWN: u64 = 24;
/// See [`DESCRIPTORS_OWN`].
pub const DESCRIPTORS_OF_CHILD: u64 = 2;

/// Clients on the control socket at the same time; further ones wait in the
/// kernel's queue.
pub const CLIENTS_MAX: usize = 16;

/// Clients of the HTTP server at the same time. One more, and the one that has kept quiet
/// for longest goes.
pub const HTTP_CLIENTS_MAX: usize = 16;

/// A request over HTTP, in bytes; those of browsers are shorter than 2 KiB.
pub const HTTP_REQUEST_MAX: usize = 8 << 10;

/// Headers of such a request; browsers send some 20.
pub const HTTP_HEADERS_MAX: usize = 64;

/// Output kept in RAM for all children together, in bytes. nas.md, requirement 33.
pub const RINGS_MAX: usize = 1 << 20;

/// Output kept in RAM for one child, in bytes, where there are few of them.
pub const RING_MAX: usize = 16 << 10;

/// Output kept in RAM for one child, in bytes, however many there are: some ten lines.
pub const RING_MIN: usize = 1 << 10;

/// Events kept in RAM for `sup events`.
pub const HISTORY_MAX: usize = 256;

/// Restarts are drawn over time in steps of this: fine enough to see an evening's trouble.
pub const RESTART_BIN: Duration = Duration::from_secs(15 * 60);

/// So many steps are kept, one byte each for a child that has been restarted: a day.
pub const RESTART_BINS: usize = 96;
const _: () = assert!(RESTART_BIN.as_secs() * RESTART_BINS as u64 == 24 * 3600);

/// A journal that is recorded, in bytes: a month of a busy box, and no disk full because
/// somebody forgot to switch it off.
pub const JOURNAL_MAX: u64 = 64 << 20;

/// Least time between two saves that nobody waits for. nas.md, requirement 26.
pub const SAVE_INTERVAL: Duration = Duration::from_secs(60);

/// A state slot is written in multiples of this, in bytes: a file-system block.
pub const BLOCK: usize = 4096;

/// A notification script may run this long before its group is killed.
pub const NOTIFY_TIMEOUT: Duration = Duration::from_secs(10);

/// Messages that wait for one channel; the oldest goes first.
pub const NOTIFY_QUEUE_MAX: usize = 64;

/// Channels of alerts. More than a few are a mistake in a script that writes them.
pub const ALERTS_MAX: usize = 32;

/// Incidents that are known at the same time. What is more is counted, not told apart:
/// nobody reads a thousand messages.
pub const INCIDENTS_MAX: usize = 1_000;

/// Messages to one channel in an hour, at most.
pub const PER_HOUR_MAX: u16 = 1_000;

/// More restarts than this within an hour are a crash loop, unless told.
pub const LOOP_RESTARTS: u8 = 5;

/// No more can be asked for: each of them is remembered.
pub const LOOP_RESTARTS_MAX: u8 = 100;

/// Lines of a child's output that go with an alert, and their bytes.
pub const ALERT_LINES_MAX: usize = 10;
/// See [`ALERT_LINES_MAX`].
pub const ALERT_OUTPUT_MAX: usize = 2 << 10;
/// Checks of one child, and of the box: their places have 8 bits, and each is a row.
pub const CHECKS_MAX: usize = 32;

/// Probes that run at the same time: a thousand children do not fork a thousand programs
/// in one moment. Further ones wait for a place.
pub const PROBES_MAX: usize = 16;

/// Results of a check that are kept in RAM: Docker's number.
pub const RESULTS_KEPT: usize = 5;

/// What is kept of the words of a probe that failed, in bytes: Docker's number.
pub const FINDING_MAX: usize = 4096;

/// A probe may say this much, in bytes, before it is killed: many times a page, and read
/// in a moment.
pub const CHATTER_MAX: usize = 1 << 20;

/// Of an answer on the network, in bytes: no more is read.
pub const ANSWER_MAX: usize = 64 << 10;
