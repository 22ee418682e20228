//! How a run ended. Every fact the kernel gave us is kept.

use core::fmt;

use serde::{Deserialize, Serialize};

/// A signal, by its Linux number (the same on x86, ARM and RISC-V).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Signal(pub u8);

/// Linux's names, in the order of their numbers, from 1.
const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

impl Signal {
    /// Hang up.
    pub const HUP: Self = Self(1);
    /// Interrupt, as from the keyboard.
    pub const INT: Self = Self(2);
    /// Abort; what a missed watchdog sends.
    pub const ABRT: Self = Self(6);
    /// The one that cannot be refused.
    pub const KILL: Self = Self(9);
    /// For programs to give it a meaning; to us, to upgrade.
    pub const USR2: Self = Self(12);
    /// Broken pipe.
    pub const PIPE: Self = Self(13);
    /// Please end.
    pub const TERM: Self = Self(15);
    /// Go on, if stopped.
    pub const CONT: Self = Self(18);

    /// Reads `TERM`, `SIGTERM`, `sigterm` or `15`. `None` for anything that is no
    /// signal of this system (1 to 64).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse::<u8>() {
            return (1..=64).contains(&number).then_some(Self(number));
        }
        let bare = match text.get(..3) {
            Some(head) if head.eq_ignore_ascii_case("SIG") => &text[3..],
            _ => text,
        };
        let place = SIGNALS
            .iter()
            .position(|name| name.eq_ignore_ascii_case(bare))?;
        u8::try_from(place + 1).ok().map(Self)
    }

    /// Its name without `SIG`; `None` for the real-time signals, which have numbers only.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        SIGNALS.get(usize::from(self.0).checked_sub(1)?).copied()
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "SIG{name}"),
            None => write!(f, "signal {}", self.0),
        }
    }
}

/// The step of a start that failed. Numbers are part of saved files: retired
/// ones stay taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum Stage {
    /// Making the process (`fork`, and what has to be opened for it).
    Fork = 0,
    /// Reading the `env-file`.
    EnvFile = 1,
    /// Finding the user or its groups.
    User = 2,
    /// Opening the output pipe or log.
    Output = 3,
    /// Becoming the leader of a new session.
    Session = 4,
    /// Resetting signals and file mode mask.
    Signals = 5,
    /// Setting a resource limit.
    Limits = 6,
    /// Setting the nice value.
    Nice = 7,
    /// Becoming the user.
    Identity = 8,
    /// Changing to the directory.
    Directory = 9,
    /// Handing over the readiness descriptor.
    Descriptors = 10,
    /// Forbidding new privileges.
    Privileges = 11,
    /// Replacing the process by the command.
    Exec = 12,
}

impl Stage {
    /// All stages, in the order of their numbers.
    pub const ALL: [Self; 13] = [
        Self::Fork,
        Self::EnvFile,
        Self::User,
        Self::Output,
        Self::Session,
        Self::Signals,
        Self::Limits,
        Self::Nice,
        Self::Identity,
        Self::Directory,
        Self::Descriptors,
        Self::Privileges,
        Self::Exec,
    ];

    /// What was being done, as it reads in `media: changing to its directory: …`.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Fork => "making a process",
            Self::EnvFile => "reading its env-file",
            Self::User => "looking up its user or group",
            Self::Output => "opening its output",
            Self::Session => "making its session",
            Self::Signals => "resetting signals",
            Self::Limits => "setting resource limits",
            Self::Nice => "setting the nice value",
            Self::Identity => "becoming its user",
            Self::Directory => "changing to its directory",
            Self::Descriptors => "handing over descriptors",
            Self::Privileges => "giving up privileges",
            Self::Exec => "executing its command",
        }
    }
}

/// Why a run never got going: the step, and the kernel's error number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartFault {
    /// The step that failed.
    pub stage: Stage,
    /// The kernel's error number (`errno`); 0 where there was none.
    pub errno: i32,
}

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Timeout {
    /// It was not ready within `start-timeout`.
    Start,
    /// It did not end within `stop-timeout` and was killed.
    Stop,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// It ended by itself, with this code.
    Code(u8),
    /// A signal ended it.
    Signal {
        /// Which.
        signal: Signal,
        /// Whether the kernel wrote a core dump.
        core: bool,
    },
    /// It is gone, and nobody can say how: it was not our child when it ended.
    Vanished,
    /// It never started.
    StartFault(StartFault),
    /// We ended it because a time was up.
    Timeout(Timeout),
    /// We ended it because it missed its watchdog.
    Watchdog,
    /// We ended it because a health check said so.
    Unhealthy,
    /// The kernel ended it because memory ran out.
    OutOfMemory,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read_by_name_or_number() {
        for text in ["TERM", "SIGTERM", "sigterm", "15"] {
            assert_eq!(Signal::parse(text), Some(Signal::TERM), "{text}");
        }
        for text in ["", "SIG", "0", "65", "TERMINATE", "-9", "é"] {
            assert_eq!(Signal::parse(text), None, "{text}");
        }
        assert_eq!(Signal(11).name(), Some("SEGV"));
        assert_eq!(Signal(40).name(), None);
    }

    #[test]
    fn stages_keep_their_numbers() {
        for (number, stage) in Stage::ALL.iter().enumerate() {
            assert_eq!(*stage as usize, number);
        }
    }
}
