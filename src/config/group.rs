//! `[group.NAME]` and `[root]`: a table to a group's specification.

use std::rc::Rc;

use crate::model::Gather as _;
use crate::model::limits::INSTANCES_MAX;
use crate::model::spec::{OnLimit, RestartPolicy};
use crate::model::tree::{AutoShutdown, GroupSpec, ROOT, Strategy, Template};

use super::at::At;
use super::child::{Draft, Known};
use super::keys::Table;
use super::mistake::quoted;
use super::place::{Link, Place};
use super::raw::Section;
use super::{budget, life};

/// When a group can be started again: it fails, or it ends, but it has no exit of its own.
const RESTARTS: [&str; 6] = [
    "always",
    "on-failure",
    "no",
    "permanent",
    "transient",
    "temporary",
];

/// A group, with where it stands and whom it names.
pub(super) struct Group {
    /// Its members are known only when all files have been read.
    pub(super) spec: GroupSpec,
    pub(super) place: Place,
    pub(super) members: Vec<Link>,
    pub(super) template: Option<Known>,
    pub(super) count: u16,
    is_limit_told: bool,
    /// The line of `significant`.
    pub(super) significant: u32,
    /// The line of `auto-shutdown`; 0 where nothing can be made of it.
    pub(super) auto_shutdown: u32,
    /// The group that it is in; the root is in itself.
    pub(super) parent: usize,
}

impl Group {
    fn new(spec: GroupSpec, place: Place) -> Self {
        Self {
            spec,
            place,
            members: Vec::new(),
            template: None,
            count: 1,
            is_limit_told: false,
            significant: 0,
            auto_shutdown: 0,
            parent: 0,
        }
    }

    /// The root where the file says nothing of it.
    pub(super) fn unnamed_root() -> Self {
        let place = Place {
            file: "".into(),
            line: 0,
            path: ROOT.into(),
        };
        Self::new(GroupSpec::root(Box::default()), place)
    }

    /// The root's keys.
    pub(super) fn root(section: &Section) -> Self {
        let place = Place::of(&section.page.name.into(), section);
        let mut group = Self::new(GroupSpec::root(Box::default()), place);
        if let Some(at) = section.get("strategy") {
            // The simple one is the last.
            let names = &Strategy::NAMES[..Strategy::NAMES.len() - 1];
            group.spec.strategy = strategy(&at, names).unwrap_or_default();
        }
        group.spec.budget = budget::Draft::root(section);
        group.read_auto_shutdown(section);
        group
    }

    /// A group's keys.
    pub(super) fn read(name: &str, file: &Rc<str>, section: &Section, defaults: &Draft) -> Self {
        let spec = GroupSpec::new(name, Box::default());
        let mut group = Self::new(spec, Place::of(file, section));
        group.read_members(section, defaults);
        let spec = &mut group.spec;
        if let Some(flag) = section.get("autostart").and_then(|at| at.flag()) {
            spec.autostart = flag;
        }
        if let Some(policy) = section.get("restart").and_then(|at| restart(&at)) {
            spec.restart = policy;
        }
        life::backoff(section, &mut spec.backoff);
        let mut budget = budget::Draft::default();
        budget.read(section);
        spec.budget = Some(budget.budget);
        group.is_limit_told = budget.is_limit_told;
        if let Some(at) = section.get("significant") {
            group.significant = at.line;
            group.spec.significant = at.flag().unwrap_or_default();
        }
        group.read_auto_shutdown(section);
        group
    }

    /// Whether restarts of its members are counted, all together.
    pub(super) fn counts(&self) -> bool {
        let budget = self.spec.budget;
        budget.is_some_and(|budget| budget.max_restarts.is_some())
    }

    /// What happens at its limit where it does not say: that is for its parent to judge,
    /// where the parent counts what happens in it.
    pub(super) fn settle_limit(&mut self, parent_counts: bool) {
        if let (Some(budget), false) = (&mut self.spec.budget, self.is_limit_told) {
            budget.on_limit = match parent_counts {
                true => OnLimit::Escalate,
                false => OnLimit::GiveUp,
            };
        }
    }

    pub(super) fn finish(mut self) -> GroupSpec {
        self.spec.template = self.template.map(|known| Template {
            child: known.spec,
            count: self.count,
        });
        self.spec
    }

    fn read_auto_shutdown(&mut self, section: &Section) {
        let Some(at) = section.get("auto-shutdown") else {
            return;
        };
        let names = AutoShutdown::NAMES.map(|(name, _)| name);
        let place = at.choice("a time to end by itself", &names);
        self.auto_shutdown = place.map_or(0, |_| at.line);
        // Whatever was meant by another word, it was not never.
        self.spec.auto_shutdown = place.map_or(AutoShutdown::AnySignificant, |place| {
            AutoShutdown::NAMES[place].1
        });
    }

    /// Members by name, or what they are made from.
    fn read_members(&mut self, section: &Section, defaults: &Draft) {
        let written = section.get("strategy");
        let strategy = match &written {
            Some(at) => strategy(at, &Strategy::NAMES),
            None => Some(Strategy::default()),
        };
        self.spec.strategy = strategy.unwrap_or_default();
        self.read_template(section, defaults);
        match strategy {
            // Whatever was meant by it, the rest cannot be judged.
            None => {}
            Some(Strategy::SimpleOneForOne) => {
                section.need("template");
                if let Some(at) = section.get("members") {
                    let hint = "its members are made from its template: take members out, or choose another strategy";
                    at.mistake("has no effect in a simple-one-for-one group", hint);
                }
            }
            Some(Strategy::OneForOne | Strategy::OneForAll | Strategy::RestForOne) => {
                for at in ["template", "count"]
                    .iter()
                    .filter_map(|key| section.get(key))
                {
                    let hint = "write strategy = \"simple-one-for-one\", or name members";
                    let problem = "has no effect without strategy = \"simple-one-for-one\"";
                    at.mistake(problem, hint);
                }
                if section.get("template").is_none() {
                    section.need("members");
                }
            }
        }
        if let Some(at) = section.get("members") {
            self.members = at.links("members");
            if at.value.as_array().is_some_and(<[_]>::is_empty) {
                at.mistake("is empty", "name its children and groups, in start order");
            }
        }
    }

    fn read_template(&mut self, section: &Section, defaults: &Draft) {
        if let Some(count) = section.get("count") {
            let count = count.whole(0, INSTANCES_MAX.into());
            let count = count.and_then(|count| u16::try_from(count).ok());
            self.count = count.unwrap_or(self.count);
        }
        let template = section.get("template");
        if let Some(section) = template.and_then(|at| at.section(Table::Template)) {
            let place = Place::of(&self.place.file, &section);
            let draft = Draft::template(&section, defaults);
            self.template = Some(draft.finish(&self.spec.name, place));
        }
    }
}

fn strategy(value: &At, known: &[(&'static str, Strategy)]) -> Option<Strategy> {
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).gather();
    let place = value.choice("a strategy", &names)?;
    Some(known[place].1)
}

fn restart(value: &At) -> Option<RestartPolicy> {
    let of = |name: &str| {
        RestartPolicy::NAMES
            .iter()
            .find(|(known, _)| *known == name)
    };
    if let Some(word) = value.value.as_str()
        && of(word).is_some()
        && !RESTARTS.contains(&word)
    {
        let problem = format!("{} is for children: a group has no exit", quoted(word));
        value.mistake(&problem, &format!("allowed: {}", RESTARTS.join(", ")));
        return None;
    }
    let place = value.choice("a restart policy of a group", &RESTARTS)?;
    of(RESTARTS[place]).map(|(_, policy)| *policy)
}
