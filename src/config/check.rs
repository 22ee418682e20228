//! What no file can see alone: how many there are, whom they name, who is significant,
//! shared files.

use crate::model::limits::CHILDREN_MAX;
use crate::model::sorted::Map;
use crate::model::spec::{LogSpec, RestartPolicy};
use crate::model::tree::{AutoShutdown, INSTANCE};

use super::child::Known;
use super::group::Group;
use super::mistake::{Mistake, Notes, quoted};
use super::names::Names;
use super::place::Place;
use super::read::Gathered;

/// Checks everything that concerns more than one key.
pub(super) fn all(gathered: &Gathered, names: &Names, main: &str, notes: &Notes) {
    if gathered.all_children().next().is_none() && !gathered.is_incomplete {
        notes.mistake(Mistake {
            file: main.into(),
            line: 0,
            key: "".into(),
            problem: "there is nothing to supervise".into(),
            hint: "add a [child.NAME] with a command".into(),
        });
    }
    instances(gathered, notes);
    for known in gathered.all_children() {
        links(known, gathered, names, notes);
    }
    significance(gathered, notes);
    log_files(gathered, notes);
    heartbeats(gathered, notes);
}

/// Children and instances are as many as there may be children.
fn instances(gathered: &Gathered, notes: &Notes) {
    let mut count = gathered.children.len();
    for group in gathered
        .groups
        .iter()
        .filter(|group| group.template.is_some())
    {
        count += usize::from(group.count);
        if count > CHILDREN_MAX {
            let problem = format!(
                "with its {} instances there are more than {CHILDREN_MAX} children",
                group.count
            );
            let hint = "lower it, or use several supervisors";
            notes.mistake(group.place.note(group.place.line, "count", &problem, hint));
            return;
        }
    }
}

/// Whom it names in `after` and `requires`.
fn links(known: &Known, gathered: &Gathered, names: &Names, notes: &Notes) {
    for link in &known.links {
        if link.name == known.spec.name {
            let note = known
                .place
                .note(link.line, link.key, "names itself", "take it out");
            notes.mistake(note);
        } else if names.get(&link.name).is_none() {
            names.unknown(gathered, &known.place, link, notes);
        }
    }
}

/// Who is significant must be able to end, in a group that asks for it.
fn significance(gathered: &Gathered, notes: &Notes) {
    let mut counted = vec![false; gathered.groups.len()];
    let mut check = |place: &Place, line: u32, restart: RestartPolicy, parent: usize| {
        counted[parent] = true;
        let group = &gathered.groups[parent];
        if restart == RestartPolicy::Always {
            let problem = "has no place beside restart = \"always\"";
            let hint = "what is always restarted never ends by itself: choose another restart, or take significant out";
            notes.mistake(place.note(line, "significant", problem, hint));
        }
        if group.spec.auto_shutdown == AutoShutdown::Never {
            let path = &group.place.path;
            let problem = format!("has no effect: [{path}] does not end by itself");
            let hint = format!(
                "write auto-shutdown = \"any-significant\" in [{path}], or take significant out"
            );
            notes.mistake(place.note(line, "significant", &problem, &hint));
        }
    };
    for known in gathered.all_children() {
        let life = &known.spec.life;
        if life.significant {
            check(&known.place, known.significant, life.restart, known.parent);
        }
    }
    for group in &gathered.groups {
        let spec = &group.spec;
        if spec.significant {
            check(&group.place, group.significant, spec.restart, group.parent);
        }
    }
    for (group, is_counted) in gathered.groups.iter().zip(counted) {
        nobody_significant(group, is_counted || gathered.is_incomplete, notes);
    }
}

fn nobody_significant(group: &Group, is_counted: bool, notes: &Notes) {
    let is_asked = group.spec.auto_shutdown != AutoShutdown::Never && group.auto_shutdown > 0;
    if is_asked && !is_counted {
        let problem = "has no effect: no member is significant";
        let hint = "write significant = true for the members that matter, or take it out";
        let line = group.auto_shutdown;
        notes.mistake(group.place.note(line, "auto-shutdown", problem, hint));
    }
}

/// Two children in one file would rotate it away under each other.
fn log_files(gathered: &Gathered, notes: &Notes) {
    let mut files: Map<Box<str>, &Known> = Map::new();
    for known in &gathered.children {
        let Some(path) = log_file(known) else {
            continue;
        };
        let first = *files.get_or_insert(path.into(), known);
        if first.spec.name != known.spec.name {
            shared(known, path, first, notes);
        }
    }
    let templates = gathered.groups.iter().filter_map(|group| {
        let known = group.template.as_ref()?;
        Some((known, log_file(known)?, group.count.max(1)))
    });
    for (known, path, count) in templates.clone() {
        own_file(known, "log", path, "logs/worker-{instance}.log", notes);
        for number in 1..=count {
            let path = path.replace(INSTANCE, &number.to_string());
            files.get_or_insert(path.into(), known);
        }
    }
    for (known, path, _) in templates {
        let head = path.split(INSTANCE).next().unwrap_or_default();
        let from = files.from(head);
        let mut near = from.take_while(|(other, _)| other.starts_with(head));
        let taken = near
            .find(|(other, first)| first.spec.name != known.spec.name && is_instance(path, other));
        if let Some((other, first)) = taken {
            shared(known, other, first, notes);
        }
    }
}

/// One that lives must not answer for all.
fn heartbeats(gathered: &Gathered, notes: &Notes) {
    let templates = gathered.groups.iter();
    for known in templates.filter_map(|group| group.template.as_ref()) {
        let watchdog = known.spec.life.watchdog.as_ref();
        if let Some(path) = watchdog.and_then(|watchdog| watchdog.file.as_deref()) {
            own_file(
                known,
                "watchdog",
                path,
                "/tmp/worker-{instance}.beat",
                notes,
            );
        }
    }
}

/// Each instance needs a file of its own.
fn own_file(known: &Known, key: &'static str, path: &str, example: &str, notes: &Notes) {
    if !path.contains(INSTANCE) {
        let problem = "every instance would write to this file";
        let hint = format!("put {INSTANCE} into its name, as in {}", quoted(example));
        notes.mistake(known.place.note(known.place.line, key, problem, &hint));
    }
}

fn log_file(known: &Known) -> Option<&str> {
    match &known.spec.log {
        LogSpec::File(file) => Some(&file.path),
        LogSpec::Ring | LogSpec::Inherit | LogSpec::Null => None,
    }
}

/// Whether some instance of a template has this path.
fn is_instance(pattern: &str, path: &str) -> bool {
    let Some((head, tail)) = pattern.split_once(INSTANCE) else {
        return pattern == path;
    };
    let Some(rest) = path
        .strip_prefix(head)
        .filter(|rest| !rest.starts_with('0'))
    else {
        return false;
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    // A number has at most five digits.
    (1..=digits.min(5)).any(|digits| {
        let (number, rest) = rest.split_at(digits);
        rest == tail.replace(INSTANCE, number)
    })
}

fn shared(known: &Known, path: &str, first: &Known, notes: &Notes) {
    let other = &first.spec.name;
    let problem = format!("{} is the log of {other} already", quoted(path));
    let hint = "give each child a file of its own";
    notes.mistake(known.place.note(known.place.line, "log", &problem, hint));
}
