//! Words for people: what is typed, what is shown, and the way to a running sup.

mod args;
mod ask;
mod branches;
mod client;
mod demo;
mod detach;
mod doctor;
mod health;
mod once;
mod patient;
mod platform;
mod recipe;
mod rows;
mod scale;
mod show;
mod single;
mod style;
mod upgrade;
mod verbs;
mod why;

pub use args::{Flags, Usage, help, parse};
pub use ask::{ask, config_path};
pub use detach::{Detached, detach, is_detached, words};
pub use once::{Next, Once};
pub use single::spec as single;
pub use verbs::{FLAGS_OF_SINGLE, Flag, ONCE, VERBS, Verb, markdown};

use crate::model::check::Health;

/// How sup ends, for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// It did what it was asked to do.
    Success,
    /// It did not: a child was given up, an order failed, the system refused.
    Failure,
    /// What was typed, or the configuration, has mistakes. Nothing was done.
    Input,
    /// No sup is running that could be asked.
    NotRunning,
    /// How well everything is, as monitoring plugins say it: of `sup --once`.
    Health(Health),
}

impl Code {
    /// As the shell sees it.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Success | Self::Health(Health::Healthy) => 0,
            Self::Failure | Self::Health(Health::Warning) => 1,
            Self::Input | Self::Health(Health::Critical) => 2,
            Self::NotRunning | Self::Health(Health::Unknown) => 3,
        }
    }
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
