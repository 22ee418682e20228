//! What is told of a journal that is played: in words, or as JSON, an object a line.

use core::fmt;

use serde::{Serialize, Serializer};

use super::words::moment;
use crate::model::Uptime;

/// How it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Telling {
    /// Only what differs or is left out, and the summary.
    pub quiet: bool,
    /// As JSON.
    pub json: bool,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Sups that wrote the journal.
    pub lives: usize,
    /// Lines that were played.
    pub played: usize,
    /// Of them, those after which something else was decided than is recorded, or that
    /// make no sense after that.
    pub different: usize,
    /// Lives that end in the middle of a line.
    pub cut: usize,
}

/// One thing that is told. Fields are only ever added.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum Told<'a> {
    /// A sup begins.
    Life {
        line: usize,
        #[serde(rename = "at_seconds", serialize_with = "seconds")]
        at: Uptime,
        sup: &'a str,
    },
    /// Something happens, and something follows, in the words of the journal.
    Step {
        line: usize,
        #[serde(rename = "at_seconds", serialize_with = "seconds")]
        at: Uptime,
        what: &'a str,
        recorded: Option<&'a str>,
        decided: Option<&'a str>,
        differs: bool,
    },
    /// This cannot have happened: what was decided before has come to differ.
    LeftOut { line: usize, why: &'a str },
    /// A life ends in the middle of a line.
    Cut { line: usize },
    /// The last.
    Summary(Summary),
}

fn seconds<S: Serializer>(at: &Uptime, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(at.as_millis() as f64 / 1000.0)
}

impl Told<'_> {
    /// Whether it is told even where only what is odd is.
    pub(super) fn is_odd(&self) -> bool {
        match self {
            Self::Life { .. } => false,
            Self::Step { differs, .. } => *differs,
            Self::LeftOut { .. } | Self::Cut { .. } | Self::Summary(_) => true,
        }
    }
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Life { line, at, sup } => {
                write!(f, "# line {line}: sup {sup} begins at {}", moment(at))
            }
            Self::Step {
                line,
                at,
                what,
                recorded: Some(recorded),
                decided: Some(decided),
                differs: true,
            } => {
                let at = moment(at);
                write!(
                    f,
                    "line {line} differs: {at} {what}\n  recorded: {recorded}"
                )?;
                write!(f, "\n  decided:  {decided}")
            }
            Self::Step {
                at, what, decided, ..
            } => {
                write!(f, "{} {what}", moment(at))?;
                decided.map_or(Ok(()), |decided| write!(f, " -> {decided}"))
            }
            Self::LeftOut { line, why } => write!(
                f,
                "line {line} differs: {why}; the rest of this life is left out"
            ),
            Self::Cut { line } => write!(f, "# line {line}: cut here; played as far as it goes"),
            Self::Summary(summary) => summary.fmt(f),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = |count: usize| format!("{count} line{}", if count == 1 { "" } else { "s" });
        let lives = match self.lives {
            1 => String::new(),
            lives => format!(" of {lives} lives"),
        };
        write!(f, "{}{lives} played: ", lines(self.played))?;
        match self.different {
            0 => write!(f, "everything was decided as it is recorded"),
            1 => write!(f, "1 line differs from what is recorded"),
            count => write!(f, "{count} lines differ from what is recorded"),
        }
    }
}
