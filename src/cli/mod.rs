//! Words for people: what is typed, what is shown, and the way to a running sup.

mod args;
mod ask;
mod client;
mod demo;
mod detach;
mod json;
mod show;
mod single;
mod style;
mod verbs;

pub use args::{Flags, Usage, help, parse};
pub use ask::{ask, config_path};
pub use detach::{Detached, detach, is_detached};
pub use single::spec as single;
pub use verbs::{FLAGS_OF_SINGLE, Flag, VERBS, Verb, markdown};

/// How sup ends, for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// It did what it was asked to do.
    Success = 0,
    /// It did not: a child was given up, an order failed, the system refused.
    Failure = 1,
    /// What was typed, or the configuration, has mistakes. Nothing was done.
    Input = 2,
    /// No sup is running that could be asked.
    NotRunning = 3,
}

/// An end without success, with its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// How sup ends.
    pub code: Code,
    /// What to print; may be empty, where all has been said.
    pub words: String,
}

impl Failed {
    /// What was typed, or configured, has mistakes.
    #[must_use]
    pub fn input(words: impl Into<String>) -> Self {
        Self {
            code: Code::Input,
            words: words.into(),
        }
    }

    /// It did not work.
    #[must_use]
    pub fn failure(words: impl Into<String>) -> Self {
        Self {
            code: Code::Failure,
            words: words.into(),
        }
    }
}
