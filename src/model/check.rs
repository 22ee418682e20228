//! What is looked at to see whether a child, or the box, is well; and how well it is.

use alloc::boxed::Box;
use alloc::ffi::CString;
use core::cmp::Ordering;
use core::fmt;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::ChildId;
use super::tree::{fill, fill_word};

/// How well something is. Of several, the worst counts: the last one in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Health {
    /// As it should be.
    Healthy,
    /// It could not be found out.
    Unknown,
    /// Beyond what should be told of.
    Warning,
    /// Beyond what can be borne.
    Critical,
}

impl Health {
    /// Each, in the order of how bad it is.
    pub const ALL: [Self; 4] = [Self::Healthy, Self::Unknown, Self::Warning, Self::Critical];

    /// As in `status` and its JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// As `/health` says it, and monitoring plugins do.
    #[must_use]
    pub const fn level(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Unknown => "UNKNOWN",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
        }
    }

    /// Whether it does what it is there for.
    #[must_use]
    pub const fn passes(self) -> bool {
        matches!(self, Self::Healthy | Self::Warning)
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One check, by its place in the list that it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckId {
    /// Of this child; `None`: of the box.
    pub of: Option<ChildId>,
    /// Its place, from 0.
    pub place: u8,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckSpec {
    /// Its name, which no other check of the same child has.
    pub name: Box<str>,
    /// What is looked at.
    pub kind: Kind,
    /// When, and how often it must fail.
    pub rhythm: Rhythm,
    /// What follows when it is critical.
    pub on_critical: OnCritical,
    /// Whether its child is ready when it passes.
    pub readies: bool,
}

/// When a check looks, and how often it must fail: Docker's names (semantics.md B3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// From the end of one look to the beginning of the next.
    pub interval: Duration,
    /// The same while it is not yet known to be well and has grace.
    pub start_interval: Duration,
    /// From the start of the child: failures before its first success do not count.
    pub start_period: Duration,
    /// A look that takes longer has failed.
    pub timeout: Duration,
    /// So many failures in a row count; at least 1.
    pub retries: u8,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            start_interval: Duration::from_secs(5),
            start_period: Duration::ZERO,
            timeout: Duration::from_secs(10),
            retries: 3,
        }
    }
}

/// What follows when a check is critical.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnCritical {
    /// People are told.
    #[default]
    Alert,
    /// They are told, and the child is restarted as after a crash.
    Restart,
}

impl OnCritical {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Alert, Self::Restart];

    /// As in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Restart => "restart",
        }
    }
}

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A program: exit code 0 is good.
    Exec {
        /// The program and its arguments.
        command: Box<[CString]>,
        /// Exit codes that are only a warning.
        warn: Box<[u8]>,
    },
    /// A connection; and what comes over it, where something is expected.
    Tcp {
        /// Where to, see [`Address::parse`].
        to: Box<str>,
        /// What is said first.
        send: Option<Box<str>>,
        /// What the answer must hold.
        expect: Option<Box<str>>,
        /// How long the answer may take.
        time: Bounds<Duration>,
    },
    /// A page.
    Http {
        /// Which one, see [`Url::parse`].
        url: Box<str>,
        /// The first and the last status that is good.
        status: (u16, u16),
        /// A text that the page must hold.
        body: Option<Box<str>>,
        /// How long the answer may take.
        time: Bounds<Duration>,
    },
    /// A file that must be there.
    File {
        /// Its path.
        path: Box<str>,
        /// How old, or how large, it may be.
        bounds: FileBounds,
    },
    /// How full a file system is, in percent.
    Disk {
        /// A path on it.
        path: Box<str>,
        /// How full it may be.
        used: Bounds<u8>,
    },
    /// Memory in use.
    Memory {
        /// Whose.
        of: Whose,
        /// How much it may be.
        used: Bounds<Amount>,
    },
    /// Whether the main process is alive, and neither a zombie nor stopped.
    Process,
    /// Lines of output that hold a text.
    Log {
        /// The text.
        text: Box<str>,
        /// The time in which they are counted.
        within: Duration,
        /// How many there may be.
        lines: Bounds<u32>,
    },
}

/// How old or how large a file may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileBounds {
    /// Time since it was last written.
    Age(Bounds<Duration>),
    /// Bytes.
    Size(Bounds<u64>),
}

/// Whose memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// All processes of the child.
    Child,
    /// All that the box has.
    Host,
}

/// An amount of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Of all memory of the box.
    Percent(u8),
    /// So many.
    Bytes(u64),
}

/// A share and a number cannot be compared.
impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Percent(one), Self::Percent(other)) => one.partial_cmp(other),
            (Self::Bytes(one), Self::Bytes(other)) => one.partial_cmp(other),
            (Self::Percent(_), Self::Bytes(_)) | (Self::Bytes(_), Self::Percent(_)) => None,
        }
    }
}

/// Beyond the one it is a warning, beyond the other critical. What reaches a bound
/// exactly is still within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds<T> {
    /// More than this is a warning.
    pub warn: Option<T>,
    /// More than this is critical.
    pub critical: Option<T>,
}

impl<T> Default for Bounds<T> {
    fn default() -> Self {
        Self {
            warn: None,
            critical: None,
        }
    }
}

impl<T> Bounds<T> {
    /// How well that is of which `exceeds` says whether it is more than a bound.
    pub fn judge(&self, exceeds: impl Fn(&T) -> bool) -> Health {
        if self.critical.as_ref().is_some_and(&exceeds) {
            Health::Critical
        } else if self.warn.as_ref().is_some_and(&exceeds) {
            Health::Warning
        } else {
            Health::Healthy
        }
    }
}

impl Kind {
    /// Its key in a configuration.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Exec { .. } => "exec",
            Self::Tcp { .. } => "tcp",
            Self::Http { .. } => "http",
            Self::File { .. } => "file",
            Self::Disk { .. } => "disk",
            Self::Memory { .. } => "memory",
            Self::Process => "process",
            Self::Log { .. } => "log",
        }
    }
}

impl CheckSpec {
    /// The same for an instance of a template: its number for every `{instance}`.
    pub(super) fn fill(&mut self, number: &str) {
        match &mut self.kind {
            Kind::Exec { command, .. } => {
                for word in command {
                    *word = fill_word(word, number);
                }
            }
            Kind::Tcp {
                to, send, expect, ..
            } => {
                for text in [Some(to), send.as_mut(), expect.as_mut()]
                    .into_iter()
                    .flatten()
                {
                    *text = fill(text, number);
                }
            }
            Kind::Http { url, body, .. } => {
                for text in [Some(url), body.as_mut()].into_iter().flatten() {
                    *text = fill(text, number);
                }
            }
            Kind::File { path, .. } | Kind::Disk { path, .. } => *path = fill(path, number),
            Kind::Log { text, .. } => *text = fill(text, number),
            Kind::Memory { .. } | Kind::Process => {}
        }
    }
}

/// Where a connection goes. No names but `localhost`: looking one up can hang, and would
/// make a check of a program one of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address<'a> {
    /// Over IP.
    Ip(SocketAddr),
    /// To a Unix socket.
    Unix(&'a str),
}

impl<'a> Address<'a> {
    /// Reads `127.0.0.1:6379`, `[::1]:6379`, `localhost:6379` or `/run/redis.sock`.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        if text.starts_with('/') {
            return Some(Self::Unix(text));
        }
        ip(text).map(Self::Ip)
    }
}

fn ip(text: &str) -> Option<SocketAddr> {
    let address = match text.strip_prefix("localhost:") {
        Some(port) => SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().ok()?)),
        None => text.parse().ok()?,
    };
    (address.port() != 0).then_some(address)
}

/// A page by its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Url<'a> {
    /// Who serves it.
    pub to: SocketAddr,
    /// The same as it is written, for the `Host` line.
    pub host: &'a str,
    /// From its `/` on.
    pub path: &'a str,
}

impl<'a> Url<'a> {
    /// Reads `http://127.0.0.1:8080/health`; port 80 and `/` where there is none.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix("http://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        let has_port = host
            .rsplit_once(':')
            .is_some_and(|(_, port)| !port.contains(']'));
        let to = if has_port {
            ip(host)?
        } else {
            ip(&alloc::format!("{host}:80"))?
        };
        let path = if path.is_empty() { "/" } else { path };
        // What would end the request's first line, or begin another one.
        let is_plain = |byte: u8| byte.is_ascii_graphic();
        (path.starts_with('/') && !path.contains('#') && path.bytes().all(is_plain))
            .then_some(Self { to, host, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_is_the_last() {
        let worst = [Health::Warning, Health::Critical, Health::Unknown].into_iter();
        assert_eq!(worst.max(), Some(Health::Critical));
        assert!(Health::Unknown > Health::Healthy && Health::Unknown < Health::Warning);
    }

    #[test]
    fn addresses() {
        let ip = |text: &str| Some(Address::Ip(text.parse().unwrap()));
        let table = [
            ("127.0.0.1:80", ip("127.0.0.1:80")),
            ("localhost:80", ip("127.0.0.1:80")),
            ("[::1]:80", ip("[::1]:80")),
            ("/run/x.sock", Some(Address::Unix("/run/x.sock"))),
            ("example.org:80", None),
            ("127.0.0.1", None),
            ("127.0.0.1:0", None),
            ("127.0.0.1:65536", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(Address::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn urls() {
        let table = [
            ("http://127.0.0.1", Some(("127.0.0.1:80", "127.0.0.1", "/"))),
            (
                "http://localhost:81/a?b",
                Some(("127.0.0.1:81", "localhost:81", "/a?b")),
            ),
            ("http://[::1]/", Some(("[::1]:80", "[::1]", "/"))),
            ("http://[::1]:8/x", Some(("[::1]:8", "[::1]:8", "/x"))),
            ("https://127.0.0.1/", None),
            ("127.0.0.1/", None),
            ("http://127.0.0.1/a b", None),
            ("http://127.0.0.1/\r\nx: y", None),
            ("http://127.0.0.1/#x", None),
            ("http://127.0.0.1?x", None),
            ("http:///x", None),
        ];
        for (text, expected) in table {
            let expected = expected.map(|(to, host, path)| Url {
                to: to.parse().unwrap(),
                host,
                path,
            });
            assert_eq!(Url::parse(text), expected, "{text}");
        }
    }
}
