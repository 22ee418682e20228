//! `[child.NAME]` and `[defaults]`: a table to a child's specification.

use std::time::Duration;

use crate::model::limits::{NAME_MAX, RESTARTS_MAX};
use crate::model::spec::{Budget, ChildSpec, Launch, Life, LogFile, LogSpec, OnLimit};

use super::at::At;
use super::keys::Table;
use super::raw::Section;
use super::{launch, life};

/// The time between tries of a parked child, unless told.
const PARK: Duration = Duration::from_secs(3600);

/// The least size at which a log is rotated, in bytes: below it, files would change
/// places with every few lines.
const LOG_SIZE_MIN: u64 = 1 << 10;

/// Names that mean something else on the command line.
const RESERVED: [&str; 2] = ["all", "sup"];

/// A child as far as it has been read.
#[derive(Clone)]
pub(super) struct Draft {
    launch: Launch,
    life: Life,
    log: LogSpec,
    /// What a log file is like where the child has one.
    log_file: LogFile,
    /// The time between tries where the child parks.
    park: Duration,
    /// The names in `after` and `requires`, with their lines.
    pub(super) links: Vec<Link>,
}

/// One name in `after` or `requires`.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) key: &'static str,
    pub(super) name: Box<str>,
    pub(super) line: u32,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            launch: Launch::default(),
            life: Life::default(),
            log: LogSpec::default(),
            log_file: LogFile {
                path: "".into(),
                max_size: 5 << 20,
                keep: 4,
                timestamps: false,
            },
            park: PARK,
            links: Vec::new(),
        }
    }
}

impl Draft {
    /// The keys that `[defaults]` may hold, over the built-in ones.
    pub(super) fn defaults(section: &Section) -> Self {
        let mut draft = Self::default();
        for name in ["command", "after", "requires"] {
            if let Some(value) = section.get(name) {
                value.mistake("cannot be a default", "each child has its own");
            }
        }
        draft.read(section, true);
        draft
    }

    /// A child's keys, over the defaults.
    pub(super) fn child(section: &Section, defaults: &Self) -> Self {
        let mut draft = defaults.clone();
        if let Some(command) = section.need("command").and_then(|at| launch::command(&at)) {
            draft.launch.command = command;
        }
        draft.life.after = draft.link(section, "after");
        draft.life.requires = draft.link(section, "requires");
        draft.read(section, false);
        draft
    }

    pub(super) fn finish(self, name: &str) -> ChildSpec {
        ChildSpec {
            name: name.into(),
            launch: self.launch,
            log: self.log,
            life: self.life,
        }
    }

    fn read(&mut self, section: &Section, is_default: bool) {
        launch::read(section, &mut self.launch);
        life::read(section, &mut self.life);
        if let Some(budget) = section
            .get("budget")
            .and_then(|at| at.section(Table::Budget))
        {
            self.read_budget(&budget);
        }
        if let Some(log) = section.get("log") {
            self.read_log(&log, is_default);
        }
    }

    /// The names in `after` or `requires`; whether they exist is seen when all are known.
    fn link(&mut self, section: &Section, key: &'static str) -> Box<[Box<str>]> {
        let Some(value) = section.get(key) else {
            return Box::default();
        };
        let mut names = Vec::new();
        for item in value.items() {
            let Some(name) = item.text() else { continue };
            names.push(Box::from(name));
            self.links.push(Link {
                key,
                name: name.into(),
                line: item.line,
            });
        }
        names.into()
    }

    fn read_budget(&mut self, section: &Section) {
        let budget: &mut Budget = &mut self.life.budget;
        if let Some(value) = section.get("max-restarts") {
            match value.value.as_str() {
                Some("unlimited") => budget.max_restarts = None,
                Some(_) => value.wrong_type(),
                None => {
                    let most = i128::from(RESTARTS_MAX);
                    let count = value.whole(0, most).and_then(|n| u16::try_from(n).ok());
                    budget.max_restarts = count.or(budget.max_restarts);
                }
            }
        }
        if let Some(window) = section.get("window").and_then(|at| at.positive_duration()) {
            budget.window = window;
        }
        let park = section.get("park");
        if let Some(span) = park.as_ref().and_then(At::positive_duration) {
            self.park = span;
        }
        if let Some(at) = section.get("on-limit") {
            let names = ["give-up", "park", "escalate"];
            budget.on_limit = match at.choice("what can happen at the limit", &names) {
                Some(0) => OnLimit::GiveUp,
                Some(1) => OnLimit::Park(self.park),
                Some(_) => OnLimit::Escalate,
                None => return,
            };
        }
        if let OnLimit::Park(span) = &mut budget.on_limit {
            *span = self.park;
        } else if let Some(park) = park {
            park.mistake(
                "has no effect without on-limit = \"park\"",
                "add on-limit = \"park\", or take park away",
            );
        }
    }

    fn read_log(&mut self, value: &At, is_default: bool) {
        if value.value.as_table().is_none() {
            match value.choice("a place for output", &["ring", "inherit", "none"]) {
                Some(0) => self.log = LogSpec::Ring,
                Some(1) => self.log = LogSpec::Inherit,
                Some(_) => self.log = LogSpec::Null,
                None => {}
            }
            return;
        }
        let Some(section) = value.section(Table::Log) else {
            return;
        };
        let file = &mut self.log_file;
        if let Some(at) = section.get("max-size") {
            match at.size() {
                Some(size) if size < LOG_SIZE_MIN => {
                    at.mistake("is too small", "allowed: \"1K\" and more");
                }
                Some(size) => file.max_size = size,
                None => {}
            }
        }
        if let Some(keep) = section.get("keep").and_then(|at| at.whole(0, 1000)) {
            file.keep = u16::try_from(keep).unwrap_or(file.keep);
        }
        if let Some(timestamps) = section.get("timestamps").and_then(|at| at.flag()) {
            file.timestamps = timestamps;
        }
        if is_default {
            if let Some(path) = section.get("file") {
                path.mistake("cannot be a default", "each child has its own file");
            }
        } else if let Some(path) = section.need("file").and_then(|at| at.path()) {
            file.path = path;
            self.log = LogSpec::File(file.clone());
        }
    }
}

/// What is wrong with a name, and what to do.
pub(super) fn name_fault(name: &str) -> Option<(&'static str, String)> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() {
        Some(("a child needs a name", "write [child.NAME]".to_owned()))
    } else if !name.bytes().all(is_allowed) {
        Some((
            "a name has only letters, digits, \".\", \"_\" and \"-\"",
            plain_name(name),
        ))
    } else if name.starts_with(['.', '-']) {
        Some((
            "a name does not begin with \".\" or \"-\"",
            plain_name(name),
        ))
    } else if name.len() > NAME_MAX {
        let hint = format!("at most {NAME_MAX} bytes, this one has {}", name.len());
        Some(("the name is too long", hint))
    } else if RESERVED.contains(&name) {
        let hint = "choose another one: it means something else on the command line";
        Some(("the name is reserved", hint.to_owned()))
    } else {
        None
    }
}

/// A hint with a name that would do, made of the one that does not.
fn plain_name(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|char| {
            if char.is_ascii_alphanumeric() || "._-".contains(char) {
                char
            } else {
                '-'
            }
        })
        .take(NAME_MAX)
        .collect();
    match plain.trim_matches(['.', '-']) {
        "" => "write [child.NAME]".to_owned(),
        plain => format!("for example [child.{plain}]"),
    }
}
