//! Who is told, through which channel, and what is wrong with whom.

use alloc::boxed::Box;
use alloc::ffi::CString;
use alloc::vec::Vec;
use core::time::Duration;

use super::time::Uptime;
use super::words::Level;

/// One `[[alert]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertSpec {
    /// What it is called in the log, in `sup alert test` and in memory. No two are the same.
    pub name: Box<str>,
    /// The way to people.
    pub channel: Channel,
    /// What is less bad than this is not told.
    pub level: Level,
    /// Children and groups that it is about; none: all, and the host.
    pub only: Box<[Box<str>]>,
    /// The restart at which a crash is told, counted from 1 since the child last settled.
    pub restarts: u32,
    /// Whether every notice is told as it comes, and not every incident once.
    pub repeat: bool,
    /// When only what is critical is told.
    pub quiet: Option<Quiet>,
    /// How often a critical incident is told again while it lasts.
    pub reminder: Option<Duration>,
    /// Most messages in an hour; what is more is counted and told later, in one.
    pub per_hour: u16,
    /// From one sign of life, or batch of figures, to the next.
    pub interval: Duration,
    /// Whether the last lines of a child's output go along.
    pub output: bool,
}

impl AlertSpec {
    /// Messages in an hour, unless told.
    pub const PER_HOUR: u16 = 20;

    /// A channel with all that is not said at its default.
    #[must_use]
    pub fn new(channel: Channel) -> Self {
        Self {
            name: channel.name().into(),
            level: channel.level(),
            only: Box::default(),
            restarts: 2,
            repeat: false,
            quiet: None,
            reminder: None,
            per_hour: Self::PER_HOUR,
            interval: channel.interval(),
            output: true,
            channel,
        }
    }

    /// The same for every notice as it comes.
    #[must_use]
    pub fn repeating(self) -> Self {
        Self {
            repeat: true,
            level: Level::Info,
            ..self
        }
    }
}

/// The way to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A program: its words, to which the message is appended.
    Exec(Box<[CString]>),
    /// JSON to this address.
    Webhook(Secret),
    /// Slack, Mattermost and all that take `{"text": …}`.
    Slack(Secret),
    /// Discord.
    Discord(Secret),
    /// An ntfy topic.
    Ntfy {
        /// Its address.
        url: Secret,
        /// The access token, where one is needed.
        token: Option<Secret>,
    },
    /// A Gotify server.
    Gotify {
        /// Its address.
        url: Secret,
        /// The application's token.
        token: Secret,
    },
    /// A Home Assistant webhook.
    HomeAssistant(Secret),
    /// An Uptime Kuma push monitor: a sign of life in each interval.
    UptimeKuma(Secret),
    /// A Healthchecks check: a sign of life in each interval.
    Healthchecks(Secret),
    /// Mail to these, separated by commas, through the box's sendmail.
    Mail(Box<str>),
    /// QNAP's notification centre.
    Qnap,
    /// Synology's notifications and its log centre.
    Synology,
    /// Azure Application Insights; the secret is the connection string.
    AppInsights(Secret),
}

impl Channel {
    /// Its key in the configuration.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Exec(_) => "exec",
            Self::Webhook(_) => "webhook",
            Self::Slack(_) => "slack",
            Self::Discord(_) => "discord",
            Self::Ntfy { .. } => "ntfy",
            Self::Gotify { .. } => "gotify",
            Self::HomeAssistant(_) => "home-assistant",
            Self::UptimeKuma(_) => "uptime-kuma",
            Self::Healthchecks(_) => "healthchecks",
            Self::Mail(_) => "mail",
            Self::Qnap => "qnap",
            Self::Synology => "synology",
            Self::AppInsights(_) => "app-insights",
        }
    }

    /// Whether it is told that we live, and not what has happened.
    #[must_use]
    pub const fn beats(&self) -> bool {
        matches!(self, Self::UptimeKuma(_) | Self::Healthchecks(_))
    }

    /// Whether it is told figures.
    #[must_use]
    pub const fn measures(&self) -> bool {
        matches!(self, Self::AppInsights(_))
    }

    /// What is less bad is not told unless asked for: a page that says "down" means it.
    const fn level(&self) -> Level {
        if self.beats() {
            Level::Critical
        } else {
            Level::Warning
        }
    }

    /// Uptime Kuma expects a push monitor each minute unless told.
    const fn interval(&self) -> Duration {
        if matches!(self, Self::UptimeKuma(_)) {
            Duration::from_secs(60)
        } else {
            Duration::from_secs(300)
        }
    }
}

/// A text that nobody else should see, or the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// As it stands in the configuration.
    Plain(Box<str>),
    /// This variable of sup's environment.
    Variable(Box<str>),
    /// The first line of this file, read each time.
    File(Box<str>),
}

/// A part of the day, in minutes from midnight of the box's local time; it may go over
/// midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// Its first minute.
    pub from: u16,
    /// The first minute after it.
    pub to: u16,
}

impl Quiet {
    /// Minutes in a day.
    pub const DAY: u16 = 24 * 60;

    /// How long it still lasts at this minute of the day; `None`: it is not quiet.
    #[must_use]
    pub fn left(self, minute: u16) -> Option<Duration> {
        let since = (minute + Self::DAY - self.from) % Self::DAY;
        let length = (self.to + Self::DAY - self.from) % Self::DAY;
        (since < length).then(|| Duration::from_secs(60 * u64::from(length - since)))
    }
}

/// Who is meant where the box itself is.
pub const HOST: &str = "host";

/// What an incident is about: one incident a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The child, the group, or `host`.
    pub subject: Box<str>,
    /// What of it.
    pub kind: Kind,
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It does not run as it should.
    Down,
    /// A check of this name says so.
    Check(Box<str>),
}

/// How bad an incident is. It only rises; what is told is each new height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A run has failed, and the next one is on its way.
    Crashed,
    /// Something is being dealt with.
    Warning,
    /// It is restarted over and over.
    Looping,
    /// One try now and then.
    Parked,
    /// Nothing more happens by itself.
    Critical,
}

impl Severity {
    /// All of them, in the order of how bad they are.
    pub const ALL: [Self; 5] = [
        Self::Crashed,
        Self::Warning,
        Self::Looping,
        Self::Parked,
        Self::Critical,
    ];

    /// How bad that is for people.
    #[must_use]
    pub const fn level(self) -> Level {
        match self {
            Self::Crashed | Self::Warning | Self::Looping => Level::Warning,
            Self::Parked | Self::Critical => Level::Critical,
        }
    }
}

/// What is remembered of alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertMemory {
    /// What is wrong, or was a short time ago.
    pub incidents: Vec<IncidentMemory>,
    /// One entry a channel.
    pub channels: Vec<ChannelMemory>,
}

/// What is remembered of one incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentMemory {
    /// What it is about.
    pub key: Key,
    /// How bad it has been.
    pub severity: Severity,
    /// Since when.
    pub since: Uptime,
    /// Restarts since then.
    pub restarts: u32,
    /// The last restarts, oldest first.
    pub recent: Vec<Uptime>,
    /// Whether it is over. It is kept for those who have not been told, and for its restarts.
    pub over: bool,
}

/// What is remembered of one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelMemory {
    /// Its name.
    pub name: Box<str>,
    /// The messages of the last hour, oldest first.
    pub sent: Vec<Uptime>,
    /// What it has been told.
    pub told: Vec<ToldMemory>,
}

/// What one channel has been told of one incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldMemory {
    /// Its place in [`AlertMemory::incidents`].
    pub incident: u16,
    /// How bad it was then.
    pub severity: Severity,
    /// When.
    pub at: Uptime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_go_over_midnight() {
        let (night, noon) = (
            Quiet {
                from: 22 * 60,
                to: 7 * 60,
            },
            Quiet {
                from: 12 * 60,
                to: 13 * 60,
            },
        );
        let table = [
            (night, 21 * 60 + 59, None),
            (night, 22 * 60, Some(9 * 60)),
            (night, 0, Some(7 * 60)),
            (night, 6 * 60 + 59, Some(1)),
            (night, 7 * 60, None),
            (noon, 11 * 60 + 59, None),
            (noon, 12 * 60, Some(60)),
            (noon, 13 * 60, None),
            (noon, 0, None),
        ];
        for (quiet, minute, expected) in table {
            let left = quiet.left(minute).map(|left| left.as_secs() / 60);
            assert_eq!(left, expected, "{quiet:?} at {minute}");
        }
    }

    #[test]
    fn a_worse_stage_is_never_less_bad_for_people() {
        assert!(Severity::ALL.is_sorted());
        assert!(Severity::ALL.is_sorted_by_key(|severity| severity.level()));
    }
}
