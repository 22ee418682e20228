//! One value: what it is, or what is wrong with it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Component, PathBuf};
use std::time::Duration;

use super::keys::{Key, Table};
use super::mistake::quoted;
use super::place::Link;
use super::raw::{Page, Section, join};
use super::tree::{Node, Value};
use super::{suggest, value};

use crate::model::Gather as _;

/// A value, with where it stands and what it should be.
pub(super) struct At<'a> {
    pub(super) page: &'a Page<'a>,
    pub(super) path: String,
    pub(super) line: u32,
    /// Where it begins, in bytes: for the order of the file.
    pub(super) start: usize,
    pub(super) value: &'a Value<'a>,
    key: &'static Key,
}

impl<'a> At<'a> {
    pub(super) fn new(
        page: &'a Page<'a>,
        path: String,
        key: &'static Key,
        value: &'a Node<'a>,
    ) -> Self {
        Self {
            page,
            path,
            line: page.line(value.span.start()),
            start: value.span.start(),
            value: &value.value,
            key,
        }
    }

    /// Writes down a mistake; the hint is what the key takes.
    pub(super) fn wrong(&self, problem: &str) {
        self.mistake(problem, &format!("expected {}", self.key.kind));
    }

    pub(super) fn mistake(&self, problem: &str, hint: &str) {
        self.page.mistake(self.line, &self.path, problem, hint);
    }

    /// Writes down that the type is not the one that was expected.
    pub(super) fn wrong_type(&self) {
        let found = match self.value {
            // An environment that is no table.
            Value::String(_) if self.key.name == "env" => "a string",
            Value::String(text) => &quoted(text),
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Boolean(_) => "a boolean",
            Value::Date => "a date",
            Value::Array(_) => "an array",
            Value::Table(_) => "a table",
        };
        self.mistake(&format!("expected {}, found {found}", self.key.kind), "");
    }

    /// A string that is neither empty nor holds a NUL byte, which no path, argument
    /// or variable can.
    pub(super) fn text(&self) -> Option<&'a str> {
        let Some(text) = self.value.as_str() else {
            self.wrong_type();
            return None;
        };
        if text.is_empty() {
            self.wrong("is empty");
            return None;
        }
        self.without_nul(text)
    }

    pub(super) fn without_nul(&self, text: &'a str) -> Option<&'a str> {
        if text.contains('\0') {
            self.wrong("holds a NUL byte");
            return None;
        }
        Some(text)
    }

    /// An integer of any size; nothing is written down where it is something else.
    pub(super) fn integer(&self) -> Option<i128> {
        let integer = self.value.as_integer()?;
        // An integer of more than 38 digits is beyond every range; so is this.
        Some(i128::from_str_radix(&integer.digits, integer.radix).unwrap_or(i128::MAX))
    }

    /// An integer within a range.
    pub(super) fn whole(&self, least: i128, most: i128) -> Option<i128> {
        let Some(number) = self.integer() else {
            self.wrong_type();
            return None;
        };
        if !(least..=most).contains(&number) {
            let problem = match number {
                i128::MAX => "is out of range".to_owned(),
                _ => format!("{number} is out of range"),
            };
            self.mistake(&problem, &format!("allowed: {least} to {most}"));
            return None;
        }
        Some(number)
    }

    /// `true` or `false`.
    pub(super) fn flag(&self) -> Option<bool> {
        let flag = self.value.as_bool();
        if flag.is_none() {
            self.wrong_type();
        }
        flag
    }

    /// The values of an array, or the one value that stands in its place.
    pub(super) fn items(&self) -> Vec<At<'a>> {
        match self.value.as_array() {
            Some(array) => array
                .iter()
                .map(|item| At::new(self.page, self.path.clone(), self.key, item))
                .gather(),
            None => vec![Self {
                page: self.page,
                path: self.path.clone(),
                line: self.line,
                start: self.start,
                value: self.value,
                key: self.key,
            }],
        }
    }

    /// The names in a list of children and groups, or the one that stands in its place.
    pub(super) fn links(&self, key: &'static str) -> Vec<Link> {
        let items = self.items();
        let links = items.iter().filter_map(|item| {
            item.text().map(|name| Link {
                key,
                name: name.into(),
                line: item.line,
            })
        });
        links.gather()
    }

    /// Whether it is a table with that key.
    pub(super) fn has(&self, key: &str) -> bool {
        let table = self.value.as_table();
        table.is_some_and(|table| table.entries.contains_key(key))
    }

    /// The entries of a table, in the order of the file.
    pub(super) fn entries(&self) -> Option<Vec<(&'a str, At<'a>)>> {
        let Some(table) = self.value.as_table() else {
            self.wrong_type();
            return None;
        };
        let mut entries: Vec<_> = table.entries.iter().gather();
        entries.sort_by_key(|(key, _)| key.span.start());
        let entries = entries.into_iter().map(|(key, value)| {
            let path = join(&self.path, &key.text);
            (key.text.as_ref(), At::new(self.page, path, self.key, value))
        });
        Some(entries.gather())
    }

    /// The table, as a section.
    pub(super) fn section(&self, kind: Table) -> Option<Section<'a>> {
        let Some(table) = self.value.as_table() else {
            self.wrong_type();
            return None;
        };
        Some(Section::open(
            self.page,
            kind,
            self.path.clone(),
            self.line,
            table,
        ))
    }

    /// A path; a relative one starts from the folder of the file.
    pub(super) fn path(&self) -> Option<Box<str>> {
        let text = self.text()?;
        let path: PathBuf = self
            .page
            .folder
            .join(text)
            .components()
            .filter(|part| *part != Component::CurDir)
            .collect();
        let path = path.to_str().map(Into::into);
        if path.is_none() {
            self.mistake(
                "the folder of this file has a name that is not UTF-8",
                "write the whole path, from / on",
            );
        }
        path
    }

    /// An address with a port, or a port of this machine alone.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        if self.integer().is_some() {
            let port = u16::try_from(self.whole(1, i128::from(u16::MAX))?).ok()?;
            return Some((Ipv4Addr::LOCALHOST, port).into());
        }
        let text = self.text()?;
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let port = text.parse().map(local);
        let address = text.parse().or(port).ok();
        let address = address.filter(|address| address.port() > 0);
        if address.is_none() {
            self.wrong(&format!("{} is no address with a port", quoted(text)));
        }
        address
    }

    /// A duration.
    pub(super) fn duration(&self) -> Option<Duration> {
        let Some(text) = self.value.as_str() else {
            match self.integer() {
                Some(number) => self.mistake(
                    &format!("expected {}, found an integer", self.key.kind),
                    &format!("write \"{number}s\" for seconds"),
                ),
                None => self.wrong_type(),
            }
            return None;
        };
        match value::duration(text) {
            Ok(span) => Some(span),
            Err(problem) => {
                let problem = format!("{} {problem}", quoted(text));
                self.mistake(
                    &problem,
                    "write numbers with ms, s, m, h or d, as in \"250ms\", \"10m\", \"1h30m\"",
                );
                None
            }
        }
    }

    /// A duration that is not zero.
    pub(super) fn positive_duration(&self) -> Option<Duration> {
        let span = self.duration()?;
        if span.is_zero() {
            self.mistake("must be longer than nothing", "write \"1s\" or more");
            return None;
        }
        Some(span)
    }

    /// A duration, or `None` for "never".
    pub(super) fn duration_or_never(&self) -> Option<Option<Duration>> {
        match self.value.as_str() {
            Some("never") => Some(None),
            Some(_) | None => self.duration().map(Some),
        }
    }

    /// A number of bytes.
    pub(super) fn size(&self) -> Option<u64> {
        if self.integer().is_some() {
            let bytes = self.whole(0, i128::from(i64::MAX))?;
            return u64::try_from(bytes).ok();
        }
        let Some(text) = self.value.as_str() else {
            self.wrong_type();
            return None;
        };
        match value::size(text) {
            Ok(bytes) => Some(bytes),
            Err(problem) => {
                let problem = format!("{} {problem}", quoted(text));
                self.mistake(
                    &problem,
                    "write a whole number with B, K, M, G or T, as in \"64K\" or \"5M\"",
                );
                None
            }
        }
    }

    /// The place of a word among the ones that are allowed.
    pub(super) fn choice(&self, what: &str, names: &[&str]) -> Option<usize> {
        let Some(word) = self.value.as_str() else {
            self.wrong_type();
            return None;
        };
        let place = names.iter().position(|name| *name == word);
        if place.is_none() {
            let mut hint = format!("allowed: {}", names.join(", "));
            if let Some(name) = suggest::closest(word, names.iter().copied()) {
                hint = format!("did you mean \"{name}\"? {hint}");
            }
            self.mistake(&format!("{} is not {what}", quoted(word)), &hint);
        }
        place
    }
}
