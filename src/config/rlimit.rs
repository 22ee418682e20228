//! `limits`: a table to resource limits.

use crate::model::spec::{Limit, Resource};

use super::at::At;
use super::keys::Table;
use super::raw::Section;

/// The resources by the names of their keys, and whether they are counted in bytes.
const RESOURCES: [(&str, Resource, bool); 10] = [
    ("as", Resource::As, true),
    ("core", Resource::Core, true),
    ("cpu", Resource::Cpu, false),
    ("data", Resource::Data, true),
    ("fsize", Resource::Fsize, true),
    ("memlock", Resource::Memlock, true),
    ("nofile", Resource::Nofile, false),
    ("nproc", Resource::Nproc, false),
    ("rtprio", Resource::Rtprio, false),
    ("stack", Resource::Stack, true),
];

/// Adds the limits of a table to those that hold already.
pub(super) fn read(section: &Section, all: &mut Vec<(Resource, Limit)>) {
    for (name, resource, in_bytes) in RESOURCES {
        let limit = section.get(name).and_then(|at| limit(&at, in_bytes));
        if let Some(limit) = limit {
            all.retain(|(known, _)| *known != resource);
            all.push((resource, limit));
        }
    }
}

fn limit(value: &At, in_bytes: bool) -> Option<Limit> {
    if value.value.as_table().is_none() {
        let bound = bound(value, in_bytes)?;
        return Some(Limit {
            soft: bound,
            hard: bound,
        });
    }
    let section = value.section(Table::Limit)?;
    let soft = section.need("soft").and_then(|at| bound(&at, in_bytes));
    let hard = section.need("hard").and_then(|at| bound(&at, in_bytes));
    let limit = Limit {
        soft: soft?,
        hard: hard?,
    };
    let is_above = match (limit.soft, limit.hard) {
        (Some(soft), Some(hard)) => soft > hard,
        (soft, hard) => soft.is_none() && hard.is_some(),
    };
    if is_above {
        value.mistake("soft is above hard", "raise hard, or lower soft");
        return None;
    }
    Some(limit)
}

/// A number; `Some(None)` is "unlimited".
fn bound(value: &At, in_bytes: bool) -> Option<Option<u64>> {
    match value.value.as_str() {
        Some("unlimited") => Some(None),
        Some(_) if !in_bytes => {
            value.mistake(
                "is counted, not measured in bytes",
                "write an integer, or \"unlimited\"",
            );
            None
        }
        Some(_) => value.size().map(Some),
        None if value.integer().is_some_and(|number| number < 0) => {
            value.mistake("cannot be negative", "write \"unlimited\" for no limit");
            None
        }
        None => value.size().map(Some),
    }
}
