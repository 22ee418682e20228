//! A file as parsed: tables and values that know their line and their key.

use std::path::Path;

use toml_parser::ParseError;

use super::at::At;
use super::keys::{self, Table};
use super::mistake::{Mistake, Notes, quoted};
use super::scan::{self, RECOVERED_MAX, Shown};
use super::tree;

use crate::model::Gather as _;

/// Syntax errors that are shown of one file: what follows the first ones is often
/// only their echo.
const SYNTAX_ERRORS_MAX: usize = 10;

/// One file.
pub(super) struct Page<'a> {
    pub(super) name: &'a str,
    /// The folder that relative paths start from.
    pub(super) folder: &'a Path,
    notes: &'a Notes,
    /// Where each line begins, in bytes.
    lines: Vec<usize>,
    /// Lines with syntax errors: what is read from them is a guess.
    broken: Vec<u32>,
}

impl<'a> Page<'a> {
    /// Parses a text. What can be read comes back even where there are errors.
    pub(super) fn parse(
        name: &'a str,
        folder: &'a Path,
        text: &'a str,
        notes: &'a Notes,
    ) -> (Self, tree::Table<'a>) {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let mut page = Self {
            name,
            folder,
            notes,
            lines: std::iter::once(0)
                .chain(breaks.map(|(at, _)| at + 1))
                .gather(),
            broken: Vec::new(),
        };
        let table = page.table(text);
        (page, table)
    }

    fn table(&mut self, text: &'a str) -> tree::Table<'a> {
        if let Some((start, problem, hint)) = scan::no_config(text) {
            let line = self.line(start);
            self.mistake(line, "", &problem, hint);
            self.broken.push(line);
            return tree::Table::default();
        }
        let mut errors = Vec::new();
        if let Some(error) = scan::garbage(text) {
            self.syntax(text, &[error]);
            return tree::Table::default();
        }
        let is_large = text.len() > RECOVERED_MAX;
        let table = tree::parse(text, &mut |error| {
            if errors.is_empty() || !is_large {
                errors.push(error);
            }
        });
        self.syntax(text, &errors);
        match is_large && !errors.is_empty() {
            true => tree::Table::default(),
            false => table,
        }
    }

    /// Whether there are syntax errors, so that what seems to be missing may be there.
    pub(super) fn is_broken(&self) -> bool {
        !self.broken.is_empty()
    }

    /// The line of a place, counted from 1.
    pub(super) fn line(&self, start: usize) -> u32 {
        let line = self.lines.partition_point(|begin| *begin <= start);
        u32::try_from(line).unwrap_or(u32::MAX)
    }

    pub(super) fn mistake(&self, line: u32, key: &str, problem: &str, hint: &str) {
        if !self.broken.contains(&line) {
            self.notes.mistake(self.note(line, key, problem, hint));
        }
    }

    pub(super) fn warning(&self, line: u32, key: &str, problem: &str, hint: &str) {
        self.notes.warning(self.note(line, key, problem, hint));
    }

    fn note(&self, line: u32, key: &str, problem: &str, hint: &str) -> Mistake {
        Mistake {
            file: self.name.into(),
            line,
            key: key.into(),
            problem: problem.into(),
            hint: hint.into(),
        }
    }

    /// Writes down syntax errors, one a line of the file.
    fn syntax(&mut self, text: &str, errors: &[ParseError]) {
        let mut left = 0;
        for error in errors {
            let span = error.unexpected();
            let span = span.map_or(text.len()..text.len(), |span| span.start()..span.end());
            let line = self.line(span.start.min(text.len()));
            if self.broken.contains(&line) {
                continue;
            }
            if self.broken.len() == SYNTAX_ERRORS_MAX {
                left += 1;
                continue;
            }
            let (problem, hint) = self.syntax_words(text, line, span, &tree::words(error));
            self.mistake(line, "", &problem, &hint);
            self.broken.push(line);
        }
        if left > 0 {
            let problem = format!("{left} more syntax errors");
            self.mistake(0, "", &problem, "mend the first ones and look again");
        }
    }

    fn syntax_words(
        &self,
        text: &str,
        line: u32,
        span: std::ops::Range<usize>,
        message: &str,
    ) -> (String, String) {
        let here = text.get(span).unwrap_or_default();
        match message {
            "duplicate key" => {
                let hint = match self.earlier(text, line) {
                    Some(first) => {
                        format!("it stands on line {first} already; keep one of the two")
                    }
                    None => "keep one of the two".to_owned(),
                };
                (format!("{} is there a second time", quoted(here)), hint)
            }
            "string values must be quoted, expected literal string" if here.is_empty() => (
                "there is no value after the \"=\"".to_owned(),
                "write one, or take the line out".to_owned(),
            ),
            "string values must be quoted, expected literal string" => {
                let hint = match scan::shown(text, line) {
                    Shown::All => format!("write {} if it is a text", quoted(here)),
                    Shown::Key | Shown::Nothing => "put it in quotes if it is a text".to_owned(),
                };
                ("a text must stand in quotes".to_owned(), hint)
            }
            "unexpected leading zero, expected nothing" => (
                "an integer does not begin with 0".to_owned(),
                "take the 0 away, or put the value in quotes".to_owned(),
            ),
            _ => {
                let row = self.row(text, line).trim();
                let hint = match (scan::shown(text, line), row.split_once('=')) {
                    (Shown::All, _) | (Shown::Key, None) => format!("the line is {}", quoted(row)),
                    (Shown::Key, Some((key, _))) => {
                        format!("the line begins with {}", quoted(&format!("{key}=")))
                    }
                    (Shown::Nothing, _) => "the line is not shown: it may hold a secret".to_owned(),
                };
                (format!("not TOML: {message}"), hint)
            }
        }
    }

    /// The line before this one that says the same thing: the same header, or the same
    /// key in the same table.
    fn earlier(&self, text: &str, line: u32) -> Option<u32> {
        let wanted = subject(self.row(text, line));
        for above in (1..line).rev() {
            let found = subject(self.row(text, above));
            if found == wanted && !wanted.is_empty() {
                return Some(above);
            }
            if found.starts_with('[') && !wanted.starts_with('[') {
                return None;
            }
        }
        None
    }

    fn row<'t>(&self, text: &'t str, line: u32) -> &'t str {
        let place = usize::try_from(line)
            .unwrap_or(usize::MAX)
            .saturating_sub(1);
        let begin = self.lines.get(place).copied().unwrap_or(text.len());
        let end = self.lines.get(place + 1).copied().unwrap_or(text.len());
        text.get(begin..end).unwrap_or_default()
    }
}

/// The header or key that a line begins with.
fn subject(row: &str) -> &str {
    row.split(['=', '#']).next().unwrap_or_default().trim()
}

/// One table, with the keys that it may have.
pub(super) struct Section<'a> {
    pub(super) page: &'a Page<'a>,
    pub(super) path: String,
    pub(super) line: u32,
    kind: Table,
    table: &'a tree::Table<'a>,
}

impl<'a> Section<'a> {
    /// A table whose unknown keys have been written down.
    pub(super) fn open(
        page: &'a Page<'a>,
        kind: Table,
        path: String,
        line: u32,
        table: &'a tree::Table<'a>,
    ) -> Self {
        let section = Self {
            page,
            path,
            line,
            kind,
            table,
        };
        for key in table.entries.keys() {
            let name = &key.text;
            if kind.key(name).is_none() {
                let advice = match page.notes.is_full() {
                    true => String::new(),
                    false => keys::advice(kind, name),
                };
                let line = page.line(key.span.start());
                page.mistake(line, &section.path_of(name), "unknown key", &advice);
            }
        }
        section
    }

    /// The value of a key, where it has one.
    pub(super) fn get(&self, name: &str) -> Option<At<'a>> {
        let key = self.kind.key(name);
        debug_assert!(key.is_some(), "{name} is not in the table of keys");
        let value = self.table.entries.get(name)?;
        Some(At::new(self.page, self.path_of(name), key?, value))
    }

    /// The value of a key that must be there.
    pub(super) fn need(&self, name: &str) -> Option<At<'a>> {
        let value = self.get(name);
        if let (None, false, Some(key)) = (&value, self.page.is_broken(), self.kind.key(name)) {
            let hint = format!("expected {}", key.kind);
            self.page
                .mistake(self.line, &self.path_of(name), "is missing", &hint);
        }
        value
    }

    fn path_of(&self, name: &str) -> String {
        join(&self.path, name)
    }
}

/// `child.media` and `env` make `child.media.env`; a key that is no plain word is quoted.
pub(super) fn join(path: &str, name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let name = match !name.is_empty() && name.bytes().all(is_plain) {
        true => name.to_owned(),
        false => quoted(name),
    };
    match path {
        "" => name,
        _ => format!("{path}.{name}"),
    }
}
