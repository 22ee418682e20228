//! A file's tables to what they say: settings, alerts, children, includes.

use std::rc::Rc;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use crate::model::limits::CHILDREN_MAX;
use crate::model::spec::{AlertSpec, ChildSpec, Settings, Spec};

use super::at::At;
use super::child::{self, Draft, Link};
use super::keys::Table;
use super::launch;
use super::raw::{Page, Section};

/// From the request to end until the last child is killed, unless told.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(20);

/// Keys of the main file only: two files could contradict each other.
const SETTINGS: [&str; 4] = ["state", "runtime", "shutdown-timeout", "defaults"];

/// What the files have said so far.
#[derive(Default)]
pub(super) struct Gathered {
    state: Option<Box<str>>,
    runtime: Option<Box<str>>,
    shutdown_timeout: Option<Duration>,
    alerts: Vec<AlertSpec>,
    defaults: Draft,
    pub(super) children: Vec<Known>,
    /// A file could not be read in full: what is missing may be there.
    pub(super) is_incomplete: bool,
}

/// A child, with where it stands and whom it names.
pub(super) struct Known {
    pub(super) spec: ChildSpec,
    pub(super) links: Vec<Link>,
    pub(super) file: Rc<str>,
    pub(super) line: u32,
}

/// A path in `include`, as written.
pub(super) struct Include {
    pub(super) path: String,
    pub(super) line: u32,
}

impl Gathered {
    /// Reads one file; `main` is the name of the main file where this is another one.
    pub(super) fn read(
        &mut self,
        page: &Page,
        table: &DeTable,
        main: Option<&str>,
    ) -> Vec<Include> {
        self.is_incomplete |= page.is_broken();
        let top = Section::open(page, Table::Top, String::new(), 0, table);
        match main {
            None => self.settings(&top),
            Some(main) => {
                for value in SETTINGS.iter().filter_map(|key| top.get(key)) {
                    let hint = format!("move it to {main}");
                    value.mistake("belongs to the main file", &hint);
                }
            }
        }
        if let Some(alerts) = top.get("alert") {
            self.alerts(&alerts);
        }
        if let Some(children) = top.get("child") {
            self.children(&children);
        }
        top.get("include")
            .map(|at| includes(&at))
            .unwrap_or_default()
    }

    /// What sup itself goes by.
    pub(super) fn shutdown_timeout(&self) -> Duration {
        self.shutdown_timeout.unwrap_or(SHUTDOWN_TIMEOUT)
    }

    pub(super) fn finish(self) -> Spec {
        Spec {
            settings: Settings {
                shutdown_timeout: self.shutdown_timeout(),
                state: self.state,
                runtime: self.runtime,
                alerts: self.alerts.into(),
            },
            children: self.children.into_iter().map(|known| known.spec).collect(),
        }
    }

    fn settings(&mut self, top: &Section) {
        self.state = top.get("state").and_then(|at| at.path());
        self.runtime = top.get("runtime").and_then(|at| at.path());
        self.shutdown_timeout = top.get("shutdown-timeout").and_then(|at| at.duration());
        if let Some(defaults) = top.get("defaults").and_then(|at| at.section(Table::Child)) {
            self.defaults = Draft::defaults(&defaults);
        }
    }

    fn alerts(&mut self, value: &At) {
        if value.value.as_array().is_none() {
            value.mistake("is a list of tables", "write [[alert]]");
            return;
        }
        for item in value.items() {
            let Some(section) = item.section(Table::Alert) else {
                continue;
            };
            if let Some(exec) = section.need("exec").and_then(|at| launch::strings(&at)) {
                self.alerts.push(AlertSpec { exec });
            }
        }
    }

    fn children(&mut self, value: &At) {
        let file: Rc<str> = value.page.name.into();
        for (name, value) in value.entries().unwrap_or_default() {
            if self.children.len() == CHILDREN_MAX {
                let problem = format!("more than {CHILDREN_MAX} children");
                value.mistake(&problem, "use several supervisors");
                break;
            }
            if !matches!(value.value, DeValue::Table(_)) {
                value.mistake(
                    "a child is a table",
                    "write [child.NAME], and its keys below",
                );
                continue;
            }
            if let Some((problem, hint)) = child::name_fault(name) {
                value.mistake(problem, &hint);
            }
            let Some(section) = value.section(Table::Child) else {
                continue;
            };
            let mut draft = Draft::child(&section, &self.defaults);
            self.children.push(Known {
                links: std::mem::take(&mut draft.links),
                spec: draft.finish(name),
                file: file.clone(),
                line: value.line,
            });
        }
    }
}

fn includes(value: &At) -> Vec<Include> {
    let items = value.items();
    let paths = items.iter().filter_map(|item| {
        item.text().map(|path| Include {
            path: path.to_owned(),
            line: item.line,
        })
    });
    paths.collect()
}
