//! `[child.NAME]`, `[group.NAME.template]` and `[defaults]`: a table to a child's
//! specification.

use crate::model::Gather as _;
use crate::model::check::Kind;
use crate::model::spec::{ChildSpec, Launch, Life, LogFile, LogSpec, Ready};

use super::at::At;
use super::keys::Table;
use super::place::{Link, Place};
use super::raw::Section;
use super::{budget, health, launch, life};

/// The least size at which a log is rotated, in bytes: below it, files would change
/// places with every few lines.
const LOG_SIZE_MIN: u64 = 1 << 10;

/// A child, with where it stands and whom it names.
pub(super) struct Known {
    pub(super) spec: ChildSpec,
    pub(super) place: Place,
    /// The names in `after` and `requires`.
    pub(super) links: Vec<Link>,
    /// Whether it has a budget of its own, beside its group's.
    pub(super) has_budget: bool,
    /// The line of `significant`.
    pub(super) significant: u32,
    /// The group that it is in.
    pub(super) parent: usize,
}

impl Known {
    /// Puts it into its group: where that counts restarts, there is no budget but the
    /// one that was asked for.
    pub(super) fn settle(&mut self, parent: usize, counts: &[bool]) {
        self.parent = parent;
        if counts[parent] && !self.has_budget {
            self.spec.life.budget.max_restarts = None;
        }
    }
}

/// A child as far as it has been read.
#[derive(Clone)]
pub(super) struct Draft {
    launch: Launch,
    life: Life,
    log: LogSpec,
    /// What a log file is like where the child has one.
    log_file: LogFile,
    budget: budget::Draft,
    links: Vec<Link>,
    significant: u32,
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
            budget: budget::Draft::default(),
            links: Vec::new(),
            significant: 0,
        }
    }
}

impl Draft {
    /// The keys that `[defaults]` may hold, over the built-in ones.
    pub(super) fn defaults(section: &Section) -> Self {
        let mut draft = Self::default();
        for name in ["command", "after", "requires", "significant", "check"] {
            if let Some(value) = section.get(name) {
                value.mistake("cannot be a default", "each child has its own");
            }
        }
        draft.read_autostart(section);
        draft.read(section, true);
        if let (Ready::Check, Some(at)) = (draft.launch.ready, section.get("ready")) {
            at.mistake("cannot be a default", "each child has its own checks");
        }
        draft
    }

    /// A child's keys, over the defaults.
    pub(super) fn child(section: &Section, defaults: &Self) -> Self {
        let mut draft = defaults.clone();
        draft.read_autostart(section);
        draft.read_own(section);
        draft
    }

    /// A template's keys, over the defaults. Its instances start with their group.
    pub(super) fn template(section: &Section, defaults: &Self) -> Self {
        let mut draft = defaults.clone();
        draft.life.autostart = true;
        draft.read_own(section);
        draft
    }

    pub(super) fn finish(mut self, name: &str, place: Place) -> Known {
        self.life.budget = self.budget.budget;
        Known {
            spec: ChildSpec {
                name: name.into(),
                launch: self.launch,
                log: self.log,
                life: self.life.into(),
            },
            place,
            links: self.links,
            has_budget: self.budget.is_told,
            significant: self.significant,
            parent: 0,
        }
    }

    fn read_autostart(&mut self, section: &Section) {
        if let Some(flag) = section.get("autostart").and_then(|at| at.flag()) {
            self.life.autostart = flag;
        }
    }

    fn read_own(&mut self, section: &Section) {
        if let Some(command) = section.need("command").and_then(|at| launch::command(&at)) {
            self.launch.command = command;
        }
        self.life.after = self.link(section, "after");
        self.life.requires = self.link(section, "requires");
        if let Some(at) = section.get("significant") {
            self.significant = at.line;
            self.life.significant = at.flag().unwrap_or_default();
        }
        self.read(section, false);
        self.read_checks(section);
    }

    fn read_checks(&mut self, section: &Section) {
        if let Some(at) = section.get("check") {
            self.life.checks = health::read(&at, false);
        }
        health::readies(section, &mut self.life.checks);
        let is_read = matches!(self.log, LogSpec::Ring | LogSpec::File(_));
        let kinds = self.life.checks.iter().map(|check| &check.kind);
        if let Some(at) = section.get("check").filter(|_| !is_read)
            && kinds
                .into_iter()
                .any(|kind| matches!(kind, Kind::Log { .. }))
        {
            let problem = "counts lines of output that sup does not see";
            at.mistake(problem, "write log = \"ring\", or { file = \"…\" }");
        }
    }

    fn read(&mut self, section: &Section, is_default: bool) {
        launch::read(section, &mut self.launch);
        life::read(section, &mut self.life);
        self.budget.read(section);
        if let Some(watchdog) = section.get("watchdog").and_then(|at| health::watchdog(&at)) {
            self.life.watchdog = Some(watchdog);
        }
        if let Some(log) = section.get("log") {
            self.read_log(&log, is_default);
        }
    }

    /// The names in `after` or `requires`; whether they exist is seen when all are known.
    fn link(&mut self, section: &Section, key: &'static str) -> Box<[Box<str>]> {
        let links = section.get(key).map(|at| at.links(key)).unwrap_or_default();
        let names = links.iter().map(|link| link.name.clone()).gather();
        self.links.extend(links);
        names
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
