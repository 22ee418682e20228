//! A file's tables to what they say: settings, alerts, children, groups, includes.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use crate::model::Gather as _;
use crate::model::limits::{
    ALERTS_MAX, CHILDREN_MAX, GROUPS_MAX, LOOP_RESTARTS, LOOP_RESTARTS_MAX,
};
use crate::model::spec::{Settings, Spec};
use crate::model::{CheckSpec, Tree};

use super::alert::{self, Alert};
use super::at::At;
use super::child::{Draft, Known};
use super::group::Group;
use super::keys::Table;
use super::names::Node;
use super::place::Place;
use super::raw::{Page, Section};
use super::{health, names, tree};

/// From the request to end until the last child is killed, unless told.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(20);

/// Keys of the main file only: two files could contradict each other.
const SETTINGS: [&str; 8] = [
    "state",
    "runtime",
    "wait-path",
    "shutdown-timeout",
    "crash-loop",
    "http",
    "defaults",
    "root",
];

/// What the files have said so far.
pub(super) struct Gathered {
    state: Option<Box<str>>,
    runtime: Option<Box<str>>,
    wait_path: Box<[Box<str>]>,
    shutdown_timeout: Option<Duration>,
    crash_loop: Option<u8>,
    http: Option<SocketAddr>,
    pub(super) alerts: Vec<Alert>,
    checks: Vec<CheckSpec>,
    defaults: Draft,
    pub(super) children: Vec<Known>,
    /// The root first.
    pub(super) groups: Vec<Group>,
    /// Children and groups in the order of the files.
    pub(super) order: Vec<Node>,
    /// A file could not be read in full: what is missing may be there.
    pub(super) is_incomplete: bool,
}

impl Default for Gathered {
    fn default() -> Self {
        Self {
            state: None,
            runtime: None,
            wait_path: Box::default(),
            shutdown_timeout: None,
            crash_loop: None,
            http: None,
            alerts: Vec::new(),
            checks: Vec::new(),
            defaults: Draft::default(),
            children: Vec::new(),
            groups: vec![Group::unnamed_root()],
            order: Vec::new(),
            is_incomplete: false,
        }
    }
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
        table: &tree::Table,
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
        if let Some(checks) = top.get("check") {
            // Two files would have to agree on names.
            if let Some(main) = main {
                checks.mistake("belongs to the main file", &format!("move it to {main}"));
            } else {
                self.checks = health::read(&checks, true).into_vec();
            }
        }
        let mut found = Vec::new();
        if let Some(children) = top.get("child") {
            self.children(&children, &mut found);
        }
        if let Some(groups) = top.get("group") {
            self.groups(&groups, &mut found);
        }
        found.sort_by_key(|(start, _)| *start);
        self.order.extend(found.into_iter().map(|(_, node)| node));
        top.get("include")
            .map(|at| includes(&at))
            .unwrap_or_default()
    }

    /// What sup itself goes by.
    pub(super) fn shutdown_timeout(&self) -> Duration {
        self.shutdown_timeout.unwrap_or(SHUTDOWN_TIMEOUT)
    }

    /// The name of a child or a group, and where it stands.
    pub(super) fn named(&self, node: Node) -> (&str, &Place) {
        match node {
            Node::Child(place) => {
                let known = &self.children[place];
                (&known.spec.name, &known.place)
            }
            Node::Group(place) => {
                let group = &self.groups[place];
                (&group.spec.name, &group.place)
            }
        }
    }

    /// The children and the templates.
    pub(super) fn all_children(&self) -> impl Iterator<Item = &Known> {
        let templates = self
            .groups
            .iter()
            .filter_map(|group| group.template.as_ref());
        self.children.iter().chain(templates)
    }

    pub(super) fn finish(self) -> Spec {
        let settings = Settings {
            shutdown_timeout: self.shutdown_timeout(),
            state: self.state,
            runtime: self.runtime,
            wait_path: self.wait_path,
            http: self.http,
            crash_loop: self.crash_loop.unwrap_or(LOOP_RESTARTS),
            alerts: self.alerts.into_iter().map(|alert| alert.spec).gather(),
            checks: self.checks.into(),
        };
        let children = self.children.into_iter().map(|known| known.spec).gather();
        let mut groups = self.groups.into_iter().map(Group::finish);
        let root = groups
            .next()
            .unwrap_or_else(|| Group::unnamed_root().finish());
        let tree = Tree {
            children,
            root,
            groups: groups.gather(),
        };
        Spec { settings, tree }
    }

    fn settings(&mut self, top: &Section) {
        self.state = top.get("state").and_then(|at| at.path());
        self.runtime = top.get("runtime").and_then(|at| at.path());
        if let Some(paths) = top.get("wait-path") {
            self.wait_path = paths.items().iter().filter_map(At::path).gather();
        }
        self.shutdown_timeout = top.get("shutdown-timeout").and_then(|at| at.duration());
        self.crash_loop = top
            .get("crash-loop")
            .and_then(|at| at.whole(1, i128::from(LOOP_RESTARTS_MAX)))
            .and_then(|restarts| u8::try_from(restarts).ok());
        let http = top.get("http").and_then(|at| at.section(Table::Http));
        self.http = http.and_then(|http| listen(&http.need("listen")?));
        if let Some(defaults) = top.get("defaults").and_then(|at| at.section(Table::Child)) {
            self.defaults = Draft::defaults(&defaults);
        }
        if let Some(root) = top.get("root").and_then(|at| at.section(Table::Root)) {
            self.groups[0] = Group::root(&root);
        }
    }

    fn alerts(&mut self, value: &At) {
        if value.value.as_array().is_none() {
            value.mistake("is a list of tables", "write [[alert]]");
            return;
        }
        let file: Rc<str> = value.page.name.into();
        for item in value.items() {
            let Some(section) = item.section(Table::Alert) else {
                continue;
            };
            if self.alerts.len() == ALERTS_MAX {
                let problem = format!("more than {ALERTS_MAX} alerts");
                item.mistake(&problem, "take some out");
                return;
            }
            self.alerts.extend(alert::read(&file, &section));
        }
    }

    fn children(&mut self, value: &At, found: &mut Vec<(usize, Node)>) {
        let file: Rc<str> = value.page.name.into();
        for (name, value) in value.entries().unwrap_or_default() {
            if self.children.len() == CHILDREN_MAX {
                let problem = format!("more than {CHILDREN_MAX} children");
                value.mistake(&problem, "use several supervisors");
                break;
            }
            let Some(section) = named("child", name, &value, Table::Child) else {
                continue;
            };
            found.push((value.start, Node::Child(self.children.len())));
            let draft = Draft::child(&section, &self.defaults);
            self.children
                .push(draft.finish(name, Place::of(&file, &section)));
        }
    }

    fn groups(&mut self, value: &At, found: &mut Vec<(usize, Node)>) {
        let file: Rc<str> = value.page.name.into();
        for (name, value) in value.entries().unwrap_or_default() {
            if self.groups.len() == GROUPS_MAX {
                let problem = format!("more than {GROUPS_MAX} groups, the root among them");
                value.mistake(&problem, "use several supervisors");
                break;
            }
            let Some(section) = named("group", name, &value, Table::Group) else {
                continue;
            };
            found.push((value.start, Node::Group(self.groups.len())));
            let group = Group::read(name, &file, &section, &self.defaults);
            self.groups.push(group);
        }
    }
}

/// An address that others than this machine can reach is taken with a warning: nobody is
/// asked for a password.
fn listen(value: &At) -> Option<SocketAddr> {
    let address = value.address()?;
    if !address.ip().is_loopback() {
        let problem = format!("{address} can be reached by other machines");
        let hint = "they can read there what runs and what happens, without a password; \
            write 127.0.0.1 for this machine only";
        value.page.warning(value.line, &value.path, &problem, hint);
    }
    Some(address)
}

/// The table of one child or group, with what is wrong with its name written down.
fn named<'a>(what: &str, name: &str, value: &At<'a>, kind: Table) -> Option<Section<'a>> {
    if !matches!(value.value, tree::Value::Table(_)) {
        let hint = format!("write [{what}.NAME], and its keys below");
        value.mistake(&format!("a {what} is a table"), &hint);
        return None;
    }
    if let Some((problem, hint)) = names::fault(what, name) {
        value.mistake(&problem, &hint);
    }
    value.section(kind)
}

fn includes(value: &At) -> Vec<Include> {
    let items = value.items();
    let paths = items.iter().filter_map(|item| {
        item.text().map(|path| Include {
            path: path.to_owned(),
            line: item.line,
        })
    });
    paths.gather()
}
