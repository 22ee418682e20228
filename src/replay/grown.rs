//! A tree that grows out of its words.

use std::ffi::CString;

use super::read::{Pairs, Read, number, signal, span};
use crate::model::Gather as _;
use crate::model::check::{Bounds, CheckSpec, Kind, OnCritical, Rhythm};
use crate::model::limits::{CHECKS_MAX, CHILDREN_MAX, INSTANCES_MAX, RESTARTS_MAX};
use crate::model::precedence;
use crate::model::sorted::Map;
use crate::model::spec::{
    Backoff, Budget, ExitMatch, Launch, Life, LogSpec, OnLimit, Ready, RestartPolicy, Stop,
    Watchdog,
};
use crate::model::tree::{AutoShutdown, ROOT, Strategy, Template};
use crate::model::{ChildSpec, GroupSpec, Tree};

/// A tree, and the checks of the box that it grows on.
#[derive(Clone, Debug)]
pub(super) struct Grown {
    pub(super) tree: Tree,
    pub(super) host: Box<[CheckSpec]>,
}

/// Whose line stood last.
#[derive(Clone, Copy, Default)]
enum Last {
    /// None yet: checks are of the box.
    #[default]
    Host,
    Child,
    Template,
    Group,
}

/// Lines of a tree, collected.
#[derive(Default)]
pub(super) struct Gathered {
    children: Vec<ChildSpec>,
    groups: Vec<GroupSpec>,
    host: Vec<CheckSpec>,
    /// Whose checks come next.
    last: Last,
    /// How many there were.
    pub(super) lines: usize,
}

impl Gathered {
    /// Takes a line; `None`: it is none of a tree.
    pub(super) fn take(&mut self, line: &str) -> Option<Read<()>> {
        let (kind, rest) = line.split_once(' ')?;
        let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let taken = match kind {
            "child" => read_child(name, rest).map(|spec| {
                self.children.push(spec);
                self.last = Last::Child;
            }),
            "group" => read_group(name, rest).map(|spec| {
                self.groups.push(spec);
                self.last = Last::Group;
            }),
            "template" => self.template(name, rest),
            "check" => self.check(name, rest),
            _ => return None,
        };
        self.lines += 1;
        Some(taken)
    }

    fn template(&mut self, name: &str, rest: &str) -> Read<()> {
        let (count, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let mut pairs = Pairs::of(count)?;
        let count: u16 = pairs.read("count", number)?;
        pairs.end()?;
        if count > INSTANCES_MAX {
            return Err(format!("count={count} is more than {INSTANCES_MAX}"));
        }
        let child = read_child(name, rest)?;
        let group = self.groups.last_mut().filter(|group| *group.name == *name);
        let group = group.ok_or_else(|| format!("group {name} does not stand before it"))?;
        group.template = Some(Template { child, count });
        self.last = Last::Template;
        Ok(())
    }

    fn check(&mut self, name: &str, rest: &str) -> Read<()> {
        let of = match self.last {
            Last::Host => None,
            Last::Child => self.children.last_mut(),
            Last::Template => {
                let template = self.groups.last_mut().and_then(|it| it.template.as_mut());
                template.map(|template| &mut template.child)
            }
            Last::Group => return Err("a group has no checks".to_owned()),
        };
        let spec = read_check(name, rest)?;
        let Some(child) = of else {
            return add(&mut self.host, spec);
        };
        let mut checks = core::mem::take(&mut child.life.checks).into_vec();
        let added = add(&mut checks, spec);
        child.life.checks = checks.into();
        added
    }

    /// The tree, if it is one: policy takes for granted what the configuration's checker
    /// has seen to.
    pub(super) fn finish(self) -> Read<Grown> {
        let mut groups = self.groups.into_iter();
        let root = groups.next().filter(|group| *group.name == *ROOT);
        let tree = Tree {
            children: self.children.into(),
            root: root.ok_or("the first group is not root")?,
            groups: groups.gather(),
        };
        sound(&tree)?;
        Ok(Grown {
            tree,
            host: self.host.into(),
        })
    }
}

fn add(checks: &mut Vec<CheckSpec>, spec: CheckSpec) -> Read<()> {
    if checks.len() == CHECKS_MAX {
        return Err(format!("there are more than {CHECKS_MAX} checks"));
    }
    checks.push(spec);
    Ok(())
}

/// Everybody is in one group, everything hangs on the root, nobody waits for itself.
fn sound(tree: &Tree) -> Read<()> {
    // Places: the groups', root first, then the children's.
    let groups = tree.all_groups().map(|spec| &*spec.name);
    let names: Vec<&str> = groups
        .chain(tree.children.iter().map(|spec| &*spec.name))
        .gather();
    let mut places: Map<&str, (usize, usize)> = Map::new();
    for (at, name) in names.iter().enumerate() {
        if places.insert(name, (at, 0)).is_some() {
            return Err(format!("there are two of the name {name}"));
        }
    }
    let mut parents: Vec<Option<usize>> = vec![None; names.len()];
    for (parent, group) in tree.all_groups().enumerate() {
        for member in &group.members {
            let Some(&(at, _)) = places.get(&**member) else {
                return Err(format!("{}: there is no {member}", group.name));
            };
            if at == 0 || parents[at].replace(parent).is_some() {
                return Err(format!("{member} cannot be a member of {}", group.name));
            }
        }
    }
    for (at, name) in names.iter().enumerate() {
        let mut above = at;
        for _ in 0..=tree.groups.len() {
            let Some(parent) = parents[above] else { break };
            above = parent;
        }
        if above != 0 {
            return Err(format!("{name} is not below root"));
        }
    }
    let templates = || {
        let groups = tree.all_groups();
        groups.filter_map(|group| group.template.as_ref())
    };
    let instances: usize = templates().map(|made| usize::from(made.count)).sum();
    if tree.children.len() + instances > CHILDREN_MAX || tree.groups.len() > CHILDREN_MAX {
        return Err(format!("there are more than {CHILDREN_MAX} children"));
    }
    let specs = tree
        .children
        .iter()
        .chain(templates().map(|made| &made.child));
    for spec in specs {
        let mut named = spec.life.after.iter().chain(&spec.life.requires);
        if let Some(nobody) = named.find(|name| !places.contains_key(&***name)) {
            return Err(format!("{}: there is no {nobody}", spec.name));
        }
    }
    let children: Vec<&ChildSpec> = tree.children.iter().gather();
    let groups: Vec<&GroupSpec> = tree.all_groups().gather();
    match precedence::order(&children, &groups) {
        Ok(_) => Ok(()),
        Err(_) => Err("some of it waits for itself".to_owned()),
    }
}

fn read_child(name: &str, rest: &str) -> Read<ChildSpec> {
    let mut pairs = Pairs::of(rest)?;
    let launch: u32 = pairs.read("launch", number)?;
    let ready = pairs.read("ready", |text| match text {
        "started" => Some(Ready::Started),
        "notify" => Some(Ready::Notify),
        "check" => Some(Ready::Check),
        _ => number(text).map(Ready::Descriptor),
    })?;
    let log = pairs.read("output", |text| match text {
        "pipe" => Some(LogSpec::Ring),
        "inherit" => Some(LogSpec::Inherit),
        "null" => Some(LogSpec::Null),
        _ => None,
    })?;
    let life = Life {
        autostart: pairs.read("autostart", is_yes)?,
        restart: pairs.read("restart", policy)?,
        success_exit: pairs.list("success", read_exit)?,
        prevent_exit: pairs.list("prevent", read_exit)?,
        force_exit: pairs.list("force", read_exit)?,
        backoff: read_waits(&mut pairs)?,
        budget: read_limit(&mut pairs)?.ok_or("a child's restarts are counted")?,
        stop: Stop {
            signal: pairs.read("stop", signal)?,
            timeout: pairs.maybe("stop-timeout", "never", span)?,
        },
        start_timeout: pairs.maybe("start-timeout", "never", span)?,
        after: pairs.list("after", read_name)?,
        requires: pairs.list("requires", read_name)?,
        wait_path: match pairs.has("wait-path") {
            true => pairs.list("wait-path", read_path)?,
            false => Box::default(),
        },
        significant: pairs.read("significant", is_yes)?,
        checks: Box::default(),
        watchdog: read_watchdog(&mut pairs)?,
    };
    pairs.end()?;
    // It stands for all that is not said here.
    let command = CString::new(launch.to_string()).map_err(|error| error.to_string())?;
    Ok(ChildSpec {
        name: name.into(),
        launch: Launch {
            command: Box::new([command]),
            ready,
            ..Launch::default()
        },
        log,
        life: life.into(),
    })
}

fn read_path(text: &str) -> Option<Box<str>> {
    let (first, rest) = text
        .split_once('%')
        .map_or((text, None), |(first, rest)| (first, Some(rest)));
    let mut bytes = first.as_bytes().to_vec();
    for piece in rest.into_iter().flat_map(|rest| rest.split('%')) {
        bytes.push(u8::from_str_radix(piece.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(piece.as_bytes().get(2..)?);
    }
    let path = String::from_utf8(bytes).ok()?;
    path.starts_with('/').then(|| path.into())
}

/// Of its file policy knows only whether there is one.
fn read_watchdog(pairs: &mut Pairs<'_>) -> Read<Option<Watchdog>> {
    let (key, file) = match (pairs.has("watchdog"), pairs.has("heartbeat")) {
        (false, false) => return Ok(None),
        (true, _) => ("watchdog", None),
        (false, true) => ("heartbeat", Some(Box::default())),
    };
    let within = pairs.read(key, span)?;
    Ok(Some(Watchdog { within, file }))
}

fn read_check(name: &str, rest: &str) -> Read<CheckSpec> {
    let mut pairs = Pairs::of(rest)?;
    let look: u32 = pairs.read("look", number)?;
    let rhythm = Rhythm {
        interval: pairs.read("interval", span)?,
        start_interval: pairs.read("start-interval", span)?,
        start_period: pairs.read("start-period", span)?,
        timeout: pairs.read("timeout", span)?,
        retries: pairs.read("retries", |text| number(text).filter(|it| *it > 0))?,
    };
    let on_critical = pairs.read("on-critical", |text| {
        let mut all = OnCritical::ALL.into_iter();
        all.find(|on_critical| on_critical.name() == text)
    })?;
    let readies = pairs.read("readies", is_yes)?;
    pairs.end()?;
    // It stands for all that is not said here.
    let path = look.to_string().into();
    Ok(CheckSpec {
        name: name.into(),
        kind: Kind::Disk {
            path,
            used: Bounds::default(),
        },
        rhythm,
        on_critical,
        readies,
    })
}

fn read_group(name: &str, rest: &str) -> Read<GroupSpec> {
    let mut pairs = Pairs::of(rest)?;
    let find = |text: &str| {
        let mut names = Strategy::NAMES.iter();
        names.find(|(name, _)| *name == text).map(|(_, is)| *is)
    };
    let find_auto = |text: &str| {
        let mut names = AutoShutdown::NAMES.iter();
        names.find(|(name, _)| *name == text).map(|(_, is)| *is)
    };
    let spec = GroupSpec {
        name: name.into(),
        strategy: pairs.read("strategy", find)?,
        members: pairs.list("members", read_name)?,
        template: None,
        autostart: pairs.read("autostart", is_yes)?,
        backoff: read_waits(&mut pairs)?,
        budget: read_limit(&mut pairs)?,
        restart: pairs.read("restart", policy)?,
        significant: pairs.read("significant", is_yes)?,
        auto_shutdown: pairs.read("auto-shutdown", find_auto)?,
    };
    pairs.end()?;
    if spec.budget.is_none() && name != ROOT {
        return Err("only root's restarts are uncounted".to_owned());
    }
    Ok(spec)
}

fn is_yes(text: &str) -> Option<bool> {
    match text {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn policy(text: &str) -> Option<RestartPolicy> {
    let mut names = RestartPolicy::NAMES.iter();
    names.find(|(name, _)| *name == text).map(|(_, is)| *is)
}

fn read_name(text: &str) -> Option<Box<str>> {
    (!text.is_empty()).then(|| text.into())
}

fn read_exit(text: &str) -> Option<ExitMatch> {
    let code = || number(text).map(ExitMatch::Code);
    signal(text).map(ExitMatch::Signal).or_else(code)
}

fn read_waits(pairs: &mut Pairs<'_>) -> Read<Backoff> {
    Ok(Backoff {
        first: pairs.read("first", span)?,
        factor_milli: pairs.read("factor", |text| number(text).filter(|it| *it >= 1000))?,
        longest: pairs.read("longest", span)?,
        settle: pairs.read("settle", span)?,
        jitter_percent: pairs.read("jitter", |text| number(text).filter(|it| *it <= 100))?,
    })
}

fn read_limit(pairs: &mut Pairs<'_>) -> Read<Option<Budget>> {
    let restarts = pairs.text("restarts")?;
    if restarts == "uncounted" {
        return Ok(None);
    }
    let max_restarts = match restarts {
        "unlimited" => None,
        _ => {
            let max = number(restarts).filter(|max| *max <= RESTARTS_MAX);
            Some(max.ok_or_else(|| format!("restarts={restarts} cannot be"))?)
        }
    };
    Ok(Some(Budget {
        max_restarts,
        window: pairs.read("window", span)?,
        on_limit: pairs.read("on-limit", |text| match text {
            "give-up" => Some(OnLimit::GiveUp),
            "escalate" => Some(OnLimit::Escalate),
            _ => text.strip_prefix("park:").and_then(span).map(OnLimit::Park),
        })?,
    }))
}
