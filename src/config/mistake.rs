//! A mistake in a configuration: where, what, and what to do.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;

/// Mistakes that are kept; a person mends the first ones and looks again.
pub const MISTAKES_MAX: usize = 200;

/// Characters of a value that are shown in a message.
const SHOWN_MAX: usize = 60;

/// One mistake. It reads `sup.toml:12: child.media.restart: "often" is …; allowed: …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file, as it was named.
    pub file: Box<str>,
    /// The line, counted from 1; 0 where the whole file is meant.
    pub line: u32,
    /// The key with its tables, as in `child.media.restart`; empty where none is meant.
    pub key: Box<str>,
    /// What is wrong.
    pub problem: Box<str>,
    /// What is allowed, or what to do now; empty where the problem says it all.
    pub hint: Box<str>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.problem)?;
        if !self.hint.is_empty() {
            write!(f, "; {}", self.hint)?;
        }
        Ok(())
    }
}

/// Every mistake of a configuration, by file and line; at least one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mistakes {
    list: Vec<Mistake>,
    more: usize,
}

impl Mistakes {
    /// The mistakes, at most [`MISTAKES_MAX`].
    #[must_use]
    pub fn list(&self) -> &[Mistake] {
        &self.list
    }

    /// How many there are in all.
    #[must_use]
    pub fn count(&self) -> usize {
        self.list.len() + self.more
    }

    fn add(&mut self, mistake: Mistake) {
        if self.list.len() < MISTAKES_MAX {
            self.list.push(mistake);
        } else {
            self.more += 1;
        }
    }
}

impl fmt::Display for Mistakes {
    /// One a line, then the count.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mistake in &self.list {
            writeln!(f, "{mistake}")?;
        }
        match (self.count(), self.more) {
            (1, _) => write!(f, "1 mistake"),
            (count, 0) => write!(f, "{count} mistakes"),
            (count, more) => write!(f, "{count} mistakes, {more} of them not shown"),
        }
    }
}

impl Error for Mistakes {}

/// What the reader writes down on its way through the files.
#[derive(Default)]
pub(super) struct Notes {
    mistakes: RefCell<Mistakes>,
    warnings: RefCell<Vec<Mistake>>,
}

impl Notes {
    pub(super) fn mistake(&self, mistake: Mistake) {
        self.mistakes.borrow_mut().add(mistake);
    }

    pub(super) fn warning(&self, warning: Mistake) {
        let mut warnings = self.warnings.borrow_mut();
        if warnings.len() < MISTAKES_MAX {
            warnings.push(warning);
        }
    }

    /// Whether there is no mistake so far.
    pub(super) fn is_clean(&self) -> bool {
        self.mistakes.borrow().list.is_empty()
    }

    /// Whether further mistakes are only counted, so that advice would not be seen.
    pub(super) fn is_full(&self) -> bool {
        self.mistakes.borrow().list.len() == MISTAKES_MAX
    }

    /// The warnings where there is no mistake, else the mistakes; by file and line.
    pub(super) fn close(self) -> Result<Vec<Mistake>, Mistakes> {
        let (mut mistakes, mut warnings) = (self.mistakes.into_inner(), self.warnings.into_inner());
        mistakes.list.sort_by(by_place);
        warnings.sort_by(by_place);
        if mistakes.list.is_empty() {
            Ok(warnings)
        } else {
            Err(mistakes)
        }
    }
}

fn by_place(one: &Mistake, other: &Mistake) -> std::cmp::Ordering {
    (&one.file, one.line).cmp(&(&other.file, other.line))
}

/// A value as it may be shown on a terminal: quoted, escaped, cut to a sane length.
pub(super) fn quoted(text: &str) -> String {
    let mut shown = String::from("\"");
    for (place, char) in text.chars().enumerate() {
        if place == SHOWN_MAX {
            shown.push('…');
            break;
        }
        match char {
            '\'' => shown.push(char),
            _ => shown.extend(char.escape_debug()),
        }
    }
    shown.push('"');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(file: &str, line: u32) -> Mistake {
        Mistake {
            file: file.into(),
            line,
            key: "key".into(),
            problem: "wrong".into(),
            hint: "".into(),
        }
    }

    #[test]
    fn they_come_by_file_and_line_with_a_count() {
        let notes = Notes::default();
        for (file, line) in [("b", 1), ("a", 10), ("a", 9)] {
            notes.mistake(mistake(file, line));
        }
        let text = notes.close().unwrap_err().to_string();
        assert_eq!(
            text,
            "a:9: key: wrong\na:10: key: wrong\nb:1: key: wrong\n3 mistakes"
        );
    }

    #[test]
    fn a_flood_is_cut_and_counted() {
        let notes = Notes::default();
        for line in 0..1000 {
            notes.mistake(mistake("a", line));
        }
        let mistakes = notes.close().unwrap_err();
        assert_eq!((mistakes.list().len(), mistakes.count()), (200, 1000));
        assert!(
            mistakes
                .to_string()
                .ends_with("\n1000 mistakes, 800 of them not shown")
        );
    }

    #[test]
    fn what_is_shown_cannot_play_with_the_terminal() {
        assert_eq!(quoted("it's\u{1b}[2J\n"), "\"it's\\u{1b}[2J\\n\"");
        assert_eq!(quoted(&"x".repeat(100)).chars().count(), 63);
    }
}
