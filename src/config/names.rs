//! Names: which there are, which there can be, and which was meant.

use crate::model::Gather as _;
use crate::model::limits::NAME_MAX;
use crate::model::sorted::Map;
use crate::model::tree::ROOT;

use super::mistake::{Notes, quoted};
use super::place::{Link, Place};
use super::read::Gathered;
use super::suggest;

/// Names that mean something else on the command line, and in `only` of an alert.
const RESERVED: [&str; 3] = ["all", "host", "sup"];

/// A child or a group, by its place in [`Gathered`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Child(usize),
    Group(usize),
}

/// All names of children and groups; the root has none.
pub(super) struct Names {
    nodes: Map<Box<str>, Node>,
}

impl Names {
    /// Every name with the first that has it; a second one is a mistake.
    pub(super) fn of(gathered: &Gathered, notes: &Notes) -> Self {
        let mut nodes = Map::new();
        for node in &gathered.order {
            let (name, place) = gathered.named(*node);
            let first = *nodes.get_or_insert(name.into(), *node);
            if first != *node {
                let (_, first_place) = gathered.named(first);
                let problem = format!("{} is there already", told(first, first_place));
                notes.mistake(place.note(place.line, "", &problem, "rename one of the two"));
            }
        }
        Self { nodes }
    }

    pub(super) fn get(&self, name: &str) -> Option<Node> {
        self.nodes.get(name).copied()
    }

    /// Writes down that nobody is called so, with what to write instead.
    pub(super) fn unknown(&self, gathered: &Gathered, place: &Place, link: &Link, notes: &Notes) {
        // It may stand in what could not be read.
        if gathered.is_incomplete {
            return;
        }
        let problem = format!("there is no child or group {}", quoted(&link.name));
        let hint = match notes.is_full() {
            true => String::new(),
            false => self.advice(gathered, &link.name),
        };
        notes.mistake(place.note(link.line, link.key, &problem, &hint));
    }

    fn advice(&self, gathered: &Gathered, name: &str) -> String {
        if name == ROOT {
            return "take it out: everything is in the root".to_owned();
        }
        let group = name.split_once('/').map_or(name, |(group, _)| group);
        if let (true, Some(Node::Group(place))) = (group != name, self.get(group))
            && gathered.groups[place].template.is_some()
        {
            return format!("instances come and go: write \"{group}\" for all of them");
        }
        match suggest::closest(name, self.nodes.keys().map(|name| &**name)) {
            Some(name) => format!("did you mean \"{name}\"?"),
            None => "name one that is configured, or take it out".to_owned(),
        }
    }
}

fn told(node: Node, place: &Place) -> String {
    let what = match node {
        Node::Child(_) => "child",
        Node::Group(_) => "group",
    };
    format!("the {what} at {}:{}", place.file, place.line)
}

/// What is wrong with the name of a child or a group, and what to do.
pub(super) fn fault(what: &str, name: &str) -> Option<(String, String)> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() {
        let problem = format!("a {what} needs a name");
        return Some((problem, format!("write [{what}.NAME]")));
    }
    let (problem, hint) = if !name.bytes().all(is_allowed) {
        (
            "a name has only letters, digits, \".\", \"_\" and \"-\"",
            plain_name(what, name),
        )
    } else if name.starts_with(['.', '-']) {
        (
            "a name does not begin with \".\" or \"-\"",
            plain_name(what, name),
        )
    } else if name.len() > NAME_MAX {
        let hint = format!("at most {NAME_MAX} bytes, this one has {}", name.len());
        ("the name is too long", hint)
    } else if RESERVED.contains(&name) {
        let hint = "choose another one: it means something else on the command line";
        ("the name is reserved", hint.to_owned())
    } else if name == ROOT {
        let hint = "choose another one: [root] is the group of everything that is in no other";
        ("the name is reserved", hint.to_owned())
    } else {
        return None;
    };
    Some((problem.to_owned(), hint))
}

/// A hint with a name that would do, made of the one that does not.
fn plain_name(what: &str, name: &str) -> String {
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
        .gather();
    match plain.trim_matches(['.', '-']) {
        "" => format!("write [{what}.NAME]"),
        plain => format!("for example [{what}.{plain}]"),
    }
}
