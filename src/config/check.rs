//! What no file can see alone: names, dependencies, shared files.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::spec::{Backoff, LogSpec};

use super::mistake::{Mistake, Notes, quoted};
use super::raw::join;
use super::read::{Gathered, Known};
use super::{suggest, value};

/// Names of a cycle that are shown; a longer one is cut in the middle.
const CYCLE_SHOWN_MAX: usize = 12;

/// Cycles that are told: with the first one out, most others are gone too.
const CYCLES_MAX: usize = 10;

/// Checks everything that concerns more than one key.
pub(super) fn all(gathered: &Gathered, main: &str, notes: &Notes) {
    let children = &gathered.children;
    if children.is_empty() && !gathered.is_incomplete {
        notes.mistake(Mistake {
            file: main.into(),
            line: 0,
            key: "".into(),
            problem: "there is nothing to supervise".into(),
            hint: "add a [child.NAME] with a command".into(),
        });
    }
    let names = names(children, notes);
    let edges = edges(gathered, &names, notes);
    cycles(children, &edges, notes);
    log_files(children, notes);
    for known in children {
        warnings(known, gathered.shutdown_timeout(), notes);
    }
}

/// Every name with its first child; a second one is a mistake.
fn names<'a>(children: &'a [Known], notes: &Notes) -> BTreeMap<&'a str, usize> {
    let mut names = BTreeMap::new();
    for (place, known) in children.iter().enumerate() {
        let first = *names.entry(&*known.spec.name).or_insert(place);
        if first != place {
            let problem = format!("{} is there already", place_of(&children[first]));
            notes.mistake(known.note(known.line, "", &problem, "rename one of the two"));
        }
    }
    names
}

/// Who names whom.
struct Edge {
    to: usize,
    key: &'static str,
    line: u32,
}

fn edges(gathered: &Gathered, names: &BTreeMap<&str, usize>, notes: &Notes) -> Vec<Vec<Edge>> {
    let mut edges = Vec::with_capacity(gathered.children.len());
    for known in &gathered.children {
        let mut own = Vec::new();
        for link in &known.links {
            let (line, key) = (link.line, link.key);
            match names.get(&*link.name) {
                Some(_) if link.name == known.spec.name => {
                    notes.mistake(known.note(line, key, "names itself", "take it out"));
                }
                Some(&to) if own.iter().any(|edge: &Edge| edge.to == to) => {}
                Some(&to) => own.push(Edge { to, key, line }),
                None if gathered.is_incomplete => {}
                None => {
                    let problem = format!("there is no child {}", quoted(&link.name));
                    let nearest = || suggest::closest(&link.name, names.keys().copied());
                    let hint = match (!notes.is_full()).then(nearest).flatten() {
                        Some(name) => format!("did you mean \"{name}\"?"),
                        None => "name one that is configured, or take it out".to_owned(),
                    };
                    notes.mistake(known.note(line, key, &problem, &hint));
                }
            }
        }
        edges.push(own);
    }
    edges
}

/// Walks along the names, depth first and without recursion: a chain can be as long as
/// there are children.
fn cycles(children: &[Known], edges: &[Vec<Edge>], notes: &Notes) {
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Seen {
        Not,
        OnPath,
        Done,
    }
    let mut seen = vec![Seen::Not; children.len()];
    // Each child on the path, with the next of its edges to go along.
    let mut path: Vec<(usize, usize)> = Vec::new();
    let mut found = 0;
    for root in 0..children.len() {
        if seen[root] == Seen::Not {
            seen[root] = Seen::OnPath;
            path.push((root, 0));
        }
        while let Some((child, next)) = path.last_mut() {
            let (child, edge) = (*child, edges[*child].get(*next));
            *next += 1;
            let Some(edge) = edge else {
                seen[child] = Seen::Done;
                path.pop();
                continue;
            };
            match seen[edge.to] {
                Seen::Not => {
                    seen[edge.to] = Seen::OnPath;
                    path.push((edge.to, 0));
                }
                Seen::OnPath if found == CYCLES_MAX => return,
                Seen::OnPath => {
                    found += 1;
                    let on_path = path.iter().map(|(child, _)| *child);
                    let cycle = on_path.skip_while(|child| *child != edge.to);
                    let names: Vec<&str> = cycle.map(|child| &*children[child].spec.name).collect();
                    let problem = format!("children wait for each other: {}", chain(&names));
                    let hint = "take one of them out of after or requires";
                    notes.mistake(children[child].note(edge.line, edge.key, &problem, hint));
                }
                Seen::Done => {}
            }
        }
    }
}

/// `a -> b -> a`.
fn chain(cycle: &[&str]) -> String {
    let mut names: Vec<String> = cycle.iter().map(|name| (*name).to_owned()).collect();
    if cycle.len() > CYCLE_SHOWN_MAX {
        let half = CYCLE_SHOWN_MAX / 2;
        let hidden = format!("({} more)", cycle.len() - 2 * half);
        names.splice(half..cycle.len() - half, [hidden]);
    }
    names.extend(cycle.first().map(|name| (*name).to_owned()));
    names.join(" -> ")
}

/// Two children in one file would rotate it away under each other.
fn log_files(children: &[Known], notes: &Notes) {
    let mut files: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, known) in children.iter().enumerate() {
        let LogSpec::File(file) = &known.spec.log else {
            continue;
        };
        let first = *files.entry(&file.path).or_insert(place);
        if first != place && children[first].spec.name != known.spec.name {
            let other = &children[first].spec.name;
            let problem = format!("{} is the log of {other} already", quoted(&file.path));
            let hint = "give each child a file of its own";
            notes.mistake(known.note(known.line, "log", &problem, hint));
        }
    }
}

/// What is allowed and yet hardly meant.
fn warnings(known: &Known, shutdown: Duration, notes: &Notes) {
    let life = &known.spec.life;
    if life.stop.timeout.is_none_or(|timeout| timeout > shutdown) {
        let problem = format!(
            "is longer than shutdown-timeout ({})",
            value::span(shutdown)
        );
        let hint = "when sup ends, the child is killed after that time all the same";
        notes.warning(known.note(known.line, "stop-timeout", &problem, hint));
    }
    let budget = life.budget;
    if let Some(most) = budget.max_restarts.filter(|most| *most > 0) {
        let least = least_time(life.backoff, most);
        if least >= budget.window {
            let problem = format!(
                "is never used up: with this backoff {most} restarts and one more take {} or longer",
                value::span(least)
            );
            let hint = "make window longer, or the waits shorter";
            notes.warning(known.note(known.line, "budget", &problem, hint));
        }
    }
}

/// The least time from the first of `restarts` restarts to the one that is too many.
fn least_time(backoff: Backoff, restarts: u16) -> Duration {
    let least_percent = u32::from(100 - backoff.jitter_percent.min(100));
    let longest = backoff.longest;
    let (mut wait, mut sum) = (backoff.first, Duration::ZERO);
    for _ in 0..restarts {
        let millis = wait.as_millis().saturating_mul(backoff.factor_milli.into()) / 1000;
        wait = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)).min(longest);
        sum = sum.saturating_add(wait.saturating_mul(least_percent) / 100);
    }
    sum
}

fn place_of(known: &Known) -> String {
    format!("the child at {}:{}", known.file, known.line)
}

impl Known {
    fn note(&self, line: u32, key: &str, problem: &str, hint: &str) -> Mistake {
        let child = join("child", &self.spec.name);
        let key = match key {
            "" => child,
            _ => join(&child, key),
        };
        Mistake {
            file: (*self.file).into(),
            line,
            key: key.into(),
            problem: problem.into(),
            hint: hint.into(),
        }
    }
}
