//! Where a child or a group stands in the files, and whom it names there.

use std::rc::Rc;

use super::mistake::Mistake;
use super::raw::{Section, join};

/// Where a child or a group stands.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) file: Rc<str>,
    /// The line of its table.
    pub(super) line: u32,
    /// Its table, as in `child.media`.
    pub(super) path: Box<str>,
}

/// One name in `after`, `requires` or `members`.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) key: &'static str,
    pub(super) name: Box<str>,
    pub(super) line: u32,
}

impl Place {
    pub(super) fn of(file: &Rc<str>, section: &Section) -> Self {
        Self {
            file: file.clone(),
            line: section.line,
            path: section.path.as_str().into(),
        }
    }

    /// A mistake or a warning about one of its keys, or about itself.
    pub(super) fn note(&self, line: u32, key: &str, problem: &str, hint: &str) -> Mistake {
        let key = match key {
            "" => self.path.clone(),
            _ => join(&self.path, key).into(),
        };
        Mistake {
            file: (*self.file).into(),
            line,
            key,
            problem: problem.into(),
            hint: hint.into(),
        }
    }
}
