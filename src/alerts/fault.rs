//! Why a message did not arrive.

use std::fmt;
use std::io;

/// In words, and whether trying again may help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    words: String,
    /// Whether it may arrive later: a server that is away, a network that is not up yet.
    pub(super) passes: bool,
}

impl Fault {
    /// It may arrive later.
    pub(super) fn passing(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            passes: true,
        }
    }

    /// It will not, until somebody changes something.
    pub(super) fn lasting(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            passes: false,
        }
    }

    /// A step that the system refuses.
    pub(super) fn system(step: &str, error: &io::Error) -> Self {
        let text = error.to_string();
        let reason = text.split(" (os error").next().unwrap_or(&text);
        Self::passing(format!("{step}: {reason}"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}
