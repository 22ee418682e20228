//! The story of `why`.

use std::fmt::Write;
use std::time::Duration;

use super::health;
use super::rows::{child_colour, group_colour};
use super::show::note;
use super::style::paint;
use crate::model::report::{ChildReport, EndedReport, GroupReport};
use crate::model::standing::{Row, Standing};
use crate::model::tree::{ROOT, Strategy};
use crate::model::words::{Brief, Spelled, because, group_because, group_phrase, phrase};

/// What is told of the first row; those behind it are what it consists of.
pub(super) fn why(standing: &Standing, colours: bool) -> String {
    match standing.rows.first() {
        Some(Row::Child(report)) => {
            let checks = health::why(&report.name, &standing.checks, colours);
            child(report, colours) + &checks
        }
        Some(Row::Group(report)) => group(report, &standing.rows, colours),
        None => String::new(),
    }
}

// ---- a child ------------------------------------------------------------------

fn child(child: &ChildReport, colours: bool) -> String {
    let name = &child.name;
    let state = paint(phrase(child.state), child_colour(child), colours);
    let mut text = format!("{name} is {state}");
    if let (Some(up), Some(pid)) = (child.up, child.pid) {
        let _string = write!(text, " for {} (run {}, pid {pid})", Brief(up), child.run);
    }
    text.push_str(".\n");
    for sentence in because(child) {
        text += &(sentence + "\n");
    }
    let _string = writeln!(text, "Restart policy: {}.", child.policy);
    let _string = writeln!(
        text,
        "{} Backoff level: {}.",
        child_budget(child),
        child.streak
    );
    text.push_str(&exits(child));
    text
}

fn child_budget(child: &ChildReport) -> String {
    if child.counted_by_group {
        let group = child.group.as_deref().unwrap_or(ROOT);
        let used = used(child.recent, child.max_restarts, child.window);
        format!("Budget: none of its own; its group {group} counts: {used}.")
    } else {
        let used = used(child.recent, child.max_restarts, child.window);
        format!("Budget: {used}.")
    }
}

fn used(recent: u16, max: Option<u16>, window: Duration) -> String {
    match max {
        Some(0) => "no restarts at all".to_owned(),
        Some(max) => {
            let window = Spelled(window).to_string();
            let window = window.strip_prefix("1 ").unwrap_or(&window);
            format!("{recent} of {max} restarts used in the last {window}")
        }
        None => "no limit".to_owned(),
    }
}

fn exits(child: &ChildReport) -> String {
    if child.exits.is_empty() {
        return "It has never ended.\n".to_owned();
    }
    let mut text = String::from("Last exits, the newest first:\n");
    for ended in child.exits.iter().rev() {
        let _string = writeln!(
            text,
            "  run {:<5} {}{}, after {}, {} ago",
            ended.nth,
            ended.exit,
            asked(child, ended),
            Brief(ended.ran),
            Brief(ended.ago)
        );
    }
    text
}

fn asked(child: &ChildReport, ended: &EndedReport) -> String {
    match child.taken(ended) {
        Some(cause) => format!(", taken along by {}", cause.by),
        None if ended.asked => ", as we asked".to_owned(),
        None => String::new(),
    }
}

// ---- a group ------------------------------------------------------------------

fn group(group: &GroupReport, rows: &[Row], colours: bool) -> String {
    let name = &group.name;
    let state = paint(group_phrase(group.state), group_colour(group), colours);
    let mut text = format!("{name} is {state}");
    if let Some(up) = group.up {
        let _string = write!(text, " for {}", Brief(up));
    }
    text.push_str(".\n");
    for sentence in group_because(group) {
        text += &(sentence + "\n");
    }
    let _string = writeln!(text, "Strategy: {}: {}.", group.strategy, rule(group));
    let _string = writeln!(text, "{} Backoff level: {}.", budget(group), group.streak);
    let members = || rows.iter().filter(|row| row.parent() == Some(name));
    let width = members().map(|row| row.name().chars().count()).max();
    let Some(width) = width else {
        return text + "It has no members.\n";
    };
    text.push_str("Members, in start order:\n");
    for row in members() {
        let state = paint(&format!("{:10}", row.state()), row.colour(), colours);
        let line = format!("  {:width$}  {state} {}", row.name(), note(row));
        let _string = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn budget(group: &GroupReport) -> String {
    match group.window {
        None => "Budget: none; a member that escalates is one too many.".to_owned(),
        Some(window) => {
            let used = used(group.recent, group.max_restarts, window);
            format!("Budget: {used}.")
        }
    }
}

/// What its strategy does.
fn rule(group: &GroupReport) -> String {
    let strategies = Strategy::NAMES.iter();
    let known = strategies
        .copied()
        .find(|(name, _)| *name == group.strategy);
    match known.map(|(_, strategy)| strategy) {
        Some(Strategy::OneForOne) => "a member that fails is restarted alone".to_owned(),
        Some(Strategy::OneForAll) => "when one member fails, all are restarted".to_owned(),
        Some(Strategy::RestForOne) => {
            "a member that fails is restarted with those behind it".to_owned()
        }
        Some(Strategy::SimpleOneForOne) => {
            let instances = group.instances.unwrap_or(0);
            format!(
                "{instances} of a kind, each restarted alone; sup scale {} N",
                group.name
            )
        }
        None => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::report::{GroupState, State};
    use crate::model::standing::samples::{child, secs, standing, tree};

    fn told(rows: Vec<Row>) -> String {
        why(&standing(rows), false)
    }

    #[test]
    fn a_child_that_was_taken_along_says_by_whom() {
        let wanted = "\
workers/2 is up for 1m 0s (run 1, pid 4711).
collector failed 12s ago (exit code 1), and pipeline (rest-for-one) took it along.
Restart policy: on-failure.
Budget: none of its own; its group workers counts: 0 of 5 restarts used in the last 10 minutes. Backoff level: 0.
Last exits, the newest first:
  run 1     SIGTERM, taken along by collector, after 30s, 11s ago
";
        assert_eq!(told(tree().drain(6..7).collect()), wanted);
    }

    #[test]
    fn a_child_without_a_group_tells_what_it_always_did() {
        let wanted = "\
stranger is up for 1m 0s (run 1, pid 4711).
Restart policy: on-failure.
Budget: 0 of 5 restarts used in the last 10 minutes. Backoff level: 0.
It has never ended.
";
        assert_eq!(told(tree().drain(..1).collect()), wanted);
    }

    #[test]
    fn a_group_tells_whose_failure_it_was_and_how_its_members_stand() {
        let wanted = "\
pipeline is up for 1m 0s.
collector failed 12s ago (exit code 1), and took others along.
Strategy: rest-for-one: a member that fails is restarted with those behind it.
Budget: 2 of 5 restarts used in the last 10 minutes. Backoff level: 0.
Members, in start order:
  database   up
  collector  up         exit code 1 12s ago
  workers    up         simple-one-for-one, 2 instances
  dashboard  up
";
        assert_eq!(told(tree().drain(1..8).collect()), wanted);
    }

    #[test]
    fn a_group_that_was_given_up_says_what_can_be_done() {
        let mut rows: Vec<Row> = tree().drain(1..2).collect();
        if let Row::Group(pipeline) = &mut rows[0] {
            (pipeline.state, pipeline.up) = (GroupState::GaveUp, None);
            pipeline.window = Some(secs(60));
        }
        let wanted = "\
pipeline is given up.
Its members failed too often in too short a time. Try again with: sup start pipeline
collector failed 12s ago (exit code 1), which was one too many.
Strategy: rest-for-one: a member that fails is restarted with those behind it.
Budget: 2 of 5 restarts used in the last minute. Backoff level: 0.
It has no members.
";
        assert_eq!(told(rows), wanted);
    }

    #[test]
    fn who_is_down_says_because_of_whom() {
        let of = |change: &dyn Fn(&mut ChildReport)| {
            let mut report = child("a", Some("pipeline"));
            (report.state, report.pid, report.up) = (State::Held, None, None);
            change(&mut report);
            because(&report)[0].clone()
        };
        let group = "Its group outer is down, and it starts with that; see: sup why outer";
        let with_group = |state| {
            of(&|child| {
                child.state = state;
                child.kept_down_by = Some("outer".to_owned());
                child.waits_for = Some("outer".to_owned());
            })
        };
        assert_eq!(with_group(State::Held), group);
        assert_eq!(with_group(State::Stopped), group);
        let requirement = of(&|child| child.waits_for = Some("database".to_owned()));
        let wanted = "It requires database, which is down and does not come back by itself.";
        assert_eq!(requirement, wanted);
        let turn = of(&|child| {
            child.state = State::Queued;
            child.waits_for = Some("outer".to_owned());
            child.waits_for_own = true;
        });
        let wanted = "It waits until outer starts its members again.";
        assert_eq!(turn, wanted);
        let temporary = of(&|child| {
            let Row::Child(taken) = tree().remove(6) else {
                return;
            };
            *child = taken;
            child.state = State::Stopped;
        });
        let wanted = "Its policy does not bring back what was taken along. sup start workers/2";
        assert_eq!(temporary, wanted);
    }
}
