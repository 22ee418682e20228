//! How an end reads.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use crate::model::exit::{Exit, StartFault, Timeout};

/// How it ended, as a verb: `crashed with exit code 1`.
pub(super) fn crash_words(exit: Exit) -> String {
    match exit {
        Exit::Code(0) => "ended with exit code 0".to_owned(),
        Exit::Code(code) => format!("crashed with exit code {code}"),
        Exit::Signal { .. } => format!("was killed by {exit}"),
        Exit::Vanished => "vanished".to_owned(),
        Exit::StartFault(fault) => format!("could not be started ({fault})"),
        Exit::Timeout(Timeout::Start) => "was not ready in time".to_owned(),
        Exit::Timeout(Timeout::Stop) => "did not stop in time".to_owned(),
        Exit::Watchdog => "missed its watchdog".to_owned(),
        Exit::Unhealthy => "is unhealthy".to_owned(),
        Exit::OutOfMemory => "ran out of memory".to_owned(),
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal {
                signal,
                core: false,
            } => write!(f, "{signal}"),
            Self::Signal { signal, core: true } => write!(f, "{signal}, core dumped"),
            Self::Vanished => f.write_str("vanished"),
            Self::StartFault(fault) => write!(f, "start failed: {fault}"),
            Self::Timeout(Timeout::Start) => f.write_str("not ready in time"),
            Self::Timeout(Timeout::Stop) => f.write_str("did not stop in time, killed"),
            Self::Watchdog => f.write_str("missed its watchdog"),
            Self::Unhealthy => f.write_str("unhealthy"),
            Self::OutOfMemory => f.write_str("out of memory"),
        }
    }
}

impl fmt::Display for StartFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.stage.words(), ErrorNumber(self.errno))
    }
}

/// The kernel's words for an error number.
#[derive(Clone, Copy, Debug)]
pub struct ErrorNumber(pub i32);

impl fmt::Display for ErrorNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = std::io::Error::from_raw_os_error(self.0).to_string();
        f.write_str(text.split(" (os error").next().unwrap_or(&text))
    }
}
