//! What is configured. Immutable once read; everything in it has been checked.

use alloc::boxed::Box;
use alloc::ffi::CString;
use core::net::SocketAddr;
use core::time::Duration;

use super::alert::AlertSpec;
use super::alike::Alike;
use super::check::CheckSpec;
use super::exit::Signal;
use super::tree::Tree;

/// A whole configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// What concerns sup itself.
    pub settings: Settings,
    /// What is supervised.
    pub tree: Tree,
}

/// What concerns sup itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where memory is kept over reboots. `None`: nothing is kept (`sup -- COMMAND`).
    pub state: Option<Box<str>>,
    /// Where the socket and the output pipes live, on a RAM file system. `None`: none are made.
    pub runtime: Option<Box<str>>,
    /// Paths that are there before anything of sup's own is made or started.
    pub wait_path: Box<[Box<str>]>,
    /// From the request to end until the last child is killed.
    pub shutdown_timeout: Duration,
    /// Where a page and figures can be read over HTTP. `None`: nowhere.
    pub http: Option<SocketAddr>,
    /// The ways to people.
    pub alerts: Box<[AlertSpec]>,
    /// More restarts of a child than this within an hour are a crash loop.
    pub crash_loop: u8,
    /// What is looked at of the box itself.
    pub checks: Box<[CheckSpec]>,
}

impl Settings {
    /// The key of something that a reload would change.
    #[must_use]
    pub fn changed(&self, new: &Self) -> Option<&'static str> {
        let changes = [
            ("http", self.http != new.http),
            ("alert", self.alerts != new.alerts),
            ("crash-loop", self.crash_loop != new.crash_loop),
            (
                "shutdown-timeout",
                self.shutdown_timeout != new.shutdown_timeout,
            ),
        ];
        let mut changed = changes.into_iter().filter(|(_, changed)| *changed);
        changed.next().map(|(key, _)| key)
    }
}

/// One child.
#[derive(Clone, Debug, PartialEq)]
pub struct ChildSpec {
    /// Its name: letters, digits, `.`, `_`, `-`; at most [`NAME_MAX`](super::limits::NAME_MAX) bytes.
    pub name: Box<str>,
    /// How its process is made.
    pub launch: Launch,
    /// Where its output goes.
    pub log: LogSpec,
    /// What happens over its life: of most children the same.
    pub life: Alike<Life>,
}

/// How a process is made. A change of any of this needs a restart to take effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launch {
    /// Program and arguments; at least one word. A program without `/` is sought in PATH.
    pub command: Box<[CString]>,
    /// Working directory; `/` unless told, or sup's own in `sup -- COMMAND`.
    pub dir: Option<Box<str>>,
    /// Name or number of the user.
    pub user: Option<Box<str>>,
    /// Name or number of the group; the user's own unless told.
    pub group: Option<Box<str>>,
    /// What the environment starts from.
    pub env_base: EnvBase,
    /// Files of `KEY=VALUE` lines, read at each start, later ones winning.
    pub env_files: Box<[Box<str>]>,
    /// Variables, winning over the files.
    pub env: Box<[(Box<str>, Box<str>)]>,
    /// File mode mask; sup's own unless told.
    pub umask: Option<u16>,
    /// Nice value, -20 to 19.
    pub nice: Option<i8>,
    /// Resource limits.
    pub limits: Box<[(Resource, Limit)]>,
    /// Whether the child may gain no privileges through set-user-id programs.
    pub no_new_privs: bool,
    /// How the child says that it is ready.
    pub ready: Ready,
}

/// What a child's environment starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EnvBase {
    /// The same everywhere, whoever started sup: `PATH`, `LANG` and `TZ`, and `HOME`,
    /// `USER`, `LOGNAME` and `SHELL` where a user is set.
    #[default]
    Clean,
    /// All of sup's own variables.
    Inherit,
}

/// A resource that the kernel limits (`setrlimit`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Address space, bytes.
    As,
    /// Core dump size, bytes.
    Core,
    /// Processor time, seconds.
    Cpu,
    /// Data segment, bytes.
    Data,
    /// Largest file written, bytes.
    Fsize,
    /// Locked memory, bytes.
    Memlock,
    /// Open descriptors.
    Nofile,
    /// Processes of the user.
    Nproc,
    /// Real-time priority.
    Rtprio,
    /// Stack, bytes.
    Stack,
}

/// A resource limit; `None` is "unlimited".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What holds; the child may raise it up to `hard`.
    pub soft: Option<u64>,
    /// What `soft` can be raised to.
    pub hard: Option<u64>,
}

/// How a child says that it is ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ready {
    /// It is, once its command is being executed.
    #[default]
    Started,
    /// By `READY=1` to the socket in `NOTIFY_SOCKET` (`sd_notify(3)`).
    Notify,
    /// By a newline on this descriptor (s6).
    Descriptor(u8),
    /// By passing a check: the one that [`readies`](CheckSpec::readies).
    Check,
}

/// What happens over a child's life.
#[derive(Clone, Debug, PartialEq)]
pub struct Life {
    /// Whether sup starts it by itself, before anybody has said anything.
    pub autostart: bool,
    /// When to restart.
    pub restart: RestartPolicy,
    /// Exits that count as clean besides code 0, HUP, INT, TERM and PIPE.
    pub success_exit: Box<[ExitMatch]>,
    /// Exits after which there is no restart, whatever the policy says.
    pub prevent_exit: Box<[ExitMatch]>,
    /// Exits after which there is a restart, whatever the policy says.
    pub force_exit: Box<[ExitMatch]>,
    /// How long to wait before a restart.
    pub backoff: Backoff,
    /// How many restarts are too many.
    pub budget: Budget,
    /// How it is asked to end.
    pub stop: Stop,
    /// How long it may take to become ready; `None` for ever.
    pub start_timeout: Option<Duration>,
    /// Children and groups that start before this one, where they start at all.
    pub after: Box<[Box<str>]>,
    /// Children and groups without which this one does not run.
    pub requires: Box<[Box<str>]>,
    /// Paths without which it is not started.
    pub wait_path: Box<[Box<str>]>,
    /// Whether its group counts it for its [`AutoShutdown`](super::tree::AutoShutdown).
    pub significant: bool,
    /// What is looked at while it runs.
    pub checks: Box<[CheckSpec]>,
    /// How it shows that it has not hung.
    pub watchdog: Option<Watchdog>,
}

/// How a child shows that it has not hung. If it does not, it gets ABRT, then KILL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watchdog {
    /// From one sign of life to the next, at most.
    pub within: Duration,
    /// A file that it writes to, or touches. `None`: it says `WATCHDOG=1` to the socket
    /// in `NOTIFY_SOCKET` (`sd_notify(3)`), and knows the time from `WATCHDOG_USEC`.
    pub file: Option<Box<str>>,
}

/// When to restart: systemd's seven settings (semantics.md B1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Never. Erlang's `temporary`.
    No,
    /// After every exit. Erlang's `permanent`; also `unless-stopped`.
    Always,
    /// After a clean exit.
    OnSuccess,
    /// After anything but a clean exit. Erlang's `transient`.
    OnFailure,
    /// After a signal, a time-out, a watchdog; not after an exit code.
    OnAbnormal,
    /// After a signal that nobody asked for.
    OnAbort,
    /// After a missed watchdog.
    OnWatchdog,
}

impl RestartPolicy {
    /// The names in a configuration, aliases included.
    pub const NAMES: [(&'static str, Self); 11] = [
        ("no", Self::No),
        ("always", Self::Always),
        ("on-success", Self::OnSuccess),
        ("on-failure", Self::OnFailure),
        ("on-abnormal", Self::OnAbnormal),
        ("on-abort", Self::OnAbort),
        ("on-watchdog", Self::OnWatchdog),
        ("permanent", Self::Always),
        ("transient", Self::OnFailure),
        ("temporary", Self::No),
        ("unless-stopped", Self::Always),
    ];

    /// Its first name in [`Self::NAMES`].
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(_, policy)| *policy == self)
            .map_or("", |(name, _)| name)
    }
}

/// One exit in a list: a code or a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitMatch {
    /// This exit code.
    Code(u8),
    /// This signal, with or without a core dump.
    Signal(Signal),
}

/// How long to wait before a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Before the first restart since the child last settled.
    pub first: Duration,
    /// Each further wait is this many thousandths of the one before; at least 1000.
    pub factor_milli: u32,
    /// No wait is longer.
    pub longest: Duration,
    /// Up (and healthy) this long without a break is *settled*: the waits begin anew.
    pub settle: Duration,
    /// Each wait is shortened by a random part of up to so many percent; 0 to 100.
    pub jitter_percent: u8,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(5),
            factor_milli: 2000,
            longest: Duration::from_secs(60),
            settle: Duration::from_secs(60),
            jitter_percent: 0,
        }
    }
}

/// How many restarts are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Restarts that are made within the window; the next one is not. 0: never
    /// restart. `None`: no limit.
    pub max_restarts: Option<u16>,
    /// The sliding window.
    pub window: Duration,
    /// What happens instead of the restart that is one too many.
    pub on_limit: OnLimit,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            max_restarts: Some(5),
            window: Duration::from_secs(600),
            on_limit: OnLimit::GiveUp,
        }
    }
}

/// What happens instead of the restart that is one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLimit {
    /// It stays down until somebody says `sup start` or `sup reset`.
    GiveUp,
    /// One try each time this long has gone by; a try that settles makes the budget whole.
    Park(Duration),
    /// The whole group fails with it.
    Escalate,
}

/// How a child is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The first signal; CONT follows at once.
    pub signal: Signal,
    /// From the first signal to KILL; `None`: never KILL.
    pub timeout: Option<Duration>,
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            signal: Signal::TERM,
            timeout: Some(Duration::from_secs(10)),
        }
    }
}

impl Default for Life {
    /// The defaults of a configuration file.
    fn default() -> Self {
        Self {
            autostart: true,
            restart: RestartPolicy::OnFailure,
            success_exit: Box::default(),
            prevent_exit: Box::default(),
            force_exit: Box::default(),
            backoff: Backoff::default(),
            budget: Budget::default(),
            stop: Stop::default(),
            start_timeout: Some(Duration::from_secs(90)),
            after: Box::default(),
            requires: Box::default(),
            wait_path: Box::default(),
            significant: false,
            checks: Box::default(),
            watchdog: None,
        }
    }
}

/// Where a child's output goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LogSpec {
    /// The last of it is kept in RAM, for `sup logs`.
    #[default]
    Ring,
    /// That, and a rotated file.
    File(LogFile),
    /// To sup's own output, unchanged; nothing is kept.
    Inherit,
    /// Nowhere.
    Null,
}

/// A rotated file of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Its path; older ones are `path.1` (the newest) to `path.N`.
    pub path: Box<str>,
    /// It is rotated before it grows beyond this many bytes.
    pub max_size: u64,
    /// Older files that are kept.
    pub keep: u16,
    /// Whether each line begins with the time, as `2026-05-01T12:34:56Z `.
    pub timestamps: bool,
}
