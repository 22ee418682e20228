//! The table of `status`.

use std::fmt::Write;

use super::branches::{self, Pen};
use super::health;
use super::style::{Colour, paint};
use crate::model::report::{ChildReport, GroupReport, GroupState, HealthReport, HoldReport, State};
use crate::model::standing::{Row, Standing};
use crate::model::words::{Brief, failure_words};

/// The table, with what concerns sup itself around it.
pub(super) fn status(standing: &Standing, pen: Pen, colours: bool) -> String {
    let Standing { sup, rows, checks } = standing;
    let mut text = format!(
        "sup {}, pid {}, up {}, {}\n\n",
        sup.version,
        sup.pid,
        Brief(sup.up),
        sup.config
    );
    let names = branches::names(rows, pen);
    let lengths = names.iter().map(|name| name.chars().count());
    let width = lengths.max().unwrap_or(0).max("CHILD".len());
    let state_width = if standing.groups().next().is_some() {
        "restarting".len()
    } else {
        "clearing".len() + 1
    };
    let [state, pid, up, restarts, avail] = ["STATE", "PID", "UP", "RESTARTS", "AVAIL"];
    let _string = writeln!(
        text,
        "{:width$}  {state:state_width$} {pid:>8} {up:>8} {restarts:>9} {avail:>8}  LAST EXIT, NEXT",
        "CHILD"
    );
    for (row, name) in rows.iter().zip(names) {
        // The colour goes around the padded word, or the columns would not stand.
        let state = format!("{:state_width$}", row.state());
        let state = paint(&state, row.colour(), colours);
        let line = format!("{name:width$}  {state} {}", columns(row));
        let _string = writeln!(text, "{}", line.trim_end());
    }
    text.push_str(&health::of_box(checks, colours));
    if let Some(fault) = &sup.memory_fault {
        let warning = format!("\nmemory cannot be written: {fault}\n");
        text.push_str(&paint(&warning, Colour::Red, colours));
    }
    text
}

/// What stands behind the state.
fn columns(row: &Row) -> String {
    let (pid, up, restarts, share) = match row {
        Row::Child(child) => (child.pid, child.up, child.restarts, child.availability()),
        Row::Group(group) => (None, group.up, group.restarts, group.availability()),
    };
    let pid = pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    let up = up.map_or_else(|| "-".to_owned(), |up| Brief(up).to_string());
    let share = share.map_or_else(
        || "-".to_owned(),
        |share| format!("{}.{:02}%", share / 100, share % 100),
    );
    format!("{pid:>8} {up:>8} {restarts:>9} {share:>8}  {}", note(row))
}

/// What the columns do not say.
pub(super) fn note(row: &Row) -> String {
    let notes = match row {
        Row::Child(child) => child_notes(child),
        Row::Group(group) => group_notes(group),
    };
    notes.join("; ")
}

fn child_notes(child: &ChildReport) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(child.health.as_ref().and_then(HealthReport::note));
    if child.adopted {
        notes.push("adopted".to_owned());
    }
    if let Some(last) = child.exits.last() {
        let ago = Brief(last.ago);
        notes.push(match child.taken(last) {
            Some(by) => format!("taken along by {} {ago} ago", by.by),
            None => format!("{} {ago} ago", last.exit),
        });
    }
    match (child.state, &child.kept_down_by, &child.waits_for) {
        (State::Held | State::Stopped, Some(group), _) => notes.push(down_words(group)),
        (State::Held, None, Some(other)) => {
            notes.push(format!("{other}, which it requires, is down"));
        }
        (State::Queued, _, Some(other)) => notes.push(format!("waits for {other}")),
        _ => {}
    }
    let next = child.next.map(|next| (next_word(child.state), next));
    notes.extend(next_words(child.hold, next));
    notes
}

fn group_notes(group: &GroupReport) -> Vec<String> {
    let mut notes = vec![match group.instances {
        Some(1) => format!("{}, 1 instance", group.strategy),
        Some(instances) => format!("{}, {instances} instances", group.strategy),
        None => group.strategy.clone(),
    }];
    if let Some(cause) = &group.last {
        notes.push(if cause.group != group.name {
            format!("taken along by {} {} ago", cause.by, Brief(cause.ago))
        } else if group.state == GroupState::Finished {
            format!("{} has ended for good", cause.by)
        } else {
            failure_words(cause)
        });
    }
    if let Some(max) = group.max_restarts
        && group.recent > 0
    {
        notes.push(format!("restarts {}/{max}", group.recent));
    }
    if let Some(above) = &group.kept_down_by {
        notes.push(down_words(above));
    }
    if let Some(member) = &group.waits_for {
        notes.push(format!("waits for {member}"));
    }
    let word = if group.state == GroupState::Parked {
        next_word(State::Parked)
    } else {
        next_word(State::Backoff)
    };
    notes.extend(next_words(group.hold, group.next.map(|next| (word, next))));
    notes
}

fn down_words(group: &str) -> String {
    format!("its group {group} is down")
}

/// What a person has said, or else what comes next.
fn next_words(hold: HoldReport, next: Option<(&str, std::time::Duration)>) -> Option<String> {
    match hold {
        HoldReport::Down => Some("stopped by hand".to_owned()),
        HoldReport::DownFor(term) => {
            let term = Brief(term);
            Some(format!("stopped by hand, comes back in {term}"))
        }
        HoldReport::None | HoldReport::Up => {
            next.map(|(word, next)| format!("{word} {}", Brief(next)))
        }
    }
}

fn next_word(state: State) -> &'static str {
    match state {
        State::Backoff => "restart in",
        State::Parked => "next try in",
        State::Readying => "must be ready in",
        State::Stopping | State::Clearing => "killed in",
        State::Stopped
        | State::Queued
        | State::Held
        | State::Starting
        | State::Up
        | State::Finished
        | State::Failed
        | State::GaveUp => "next in",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::report::CauseReport;
    use crate::model::standing::samples::{cause, child, group, secs, standing, tree};

    fn table(rows: Vec<Row>) -> String {
        let text = status(&standing(rows), Pen::Lines, false);
        let (head, table) = text.split_once("\n\n").unwrap();
        assert_eq!(head, "sup 0.1.0, pid 42, up 1m 30s, /etc/sup.toml");
        table.to_owned()
    }

    #[test]
    fn a_tree_has_its_branches_and_its_columns_stand() {
        let wanted = "\
CHILD            STATE           PID       UP  RESTARTS    AVAIL  LAST EXIT, NEXT
stranger         up             4711    1m 0s         0  100.00%
pipeline         up                -    1m 0s         2  100.00%  rest-for-one; collector failed 12s ago (exit code 1); restarts 2/5
├─ database      up             4711    1m 0s         0  100.00%
├─ collector     up             4711    1m 0s         2  100.00%  exit code 1 12s ago
├─ workers       up                -    1m 0s         0  100.00%  simple-one-for-one, 2 instances
│  ├─ workers/1  up             4711    1m 0s         0  100.00%
│  └─ workers/2  up             4711    1m 0s         0  100.00%  taken along by collector 11s ago
└─ dashboard     up             4711    1m 0s         0  100.00%
last             up             4711    1m 0s         0  100.00%
";
        assert_eq!(table(tree()), wanted);
    }

    #[test]
    fn without_groups_there_is_a_plain_table() {
        let mut flaky = child("b", None);
        (flaky.state, flaky.pid, flaky.up) = (State::Backoff, None, None);
        (flaky.restarts, flaky.next) = (1, Some(secs(5)));
        let wanted = "\
CHILD  STATE          PID       UP  RESTARTS    AVAIL  LAST EXIT, NEXT
a      up            4711    1m 0s         0  100.00%
b      backoff          -        -         1  100.00%  restart in 5s
";
        let rows = vec![Row::Child(child("a", None)), Row::Child(flaky)];
        assert_eq!(table(rows), wanted);
    }

    #[test]
    fn a_group_says_what_its_columns_do_not() {
        let of = |change: &dyn Fn(&mut GroupReport)| {
            let mut report = group("pipeline", Some("outer"), "one-for-all");
            change(&mut report);
            note(&Row::Group(report))
        };
        assert_eq!(of(&|_| {}), "one-for-all");
        let parked = of(&|group| {
            (group.state, group.next) = (GroupState::Parked, Some(secs(60)));
            group.last = Some(cause(3));
        });
        let wanted = "one-for-all; collector failed 3s ago (exit code 1); next try in 1m 0s";
        assert_eq!(parked, wanted);
        let taken = of(&|group| {
            let by = CauseReport {
                group: "outer".to_owned(),
                ..cause(3)
            };
            (group.state, group.last) = (GroupState::Stopping, Some(by));
        });
        assert_eq!(taken, "one-for-all; taken along by collector 3s ago");
        let finished = of(&|group| {
            let by = CauseReport {
                exit: None,
                ..cause(3)
            };
            (group.state, group.last) = (GroupState::Finished, Some(by));
        });
        assert_eq!(finished, "one-for-all; collector has ended for good");
        let starting = of(&|group| {
            group.state = GroupState::Starting;
            group.waits_for = Some("database".to_owned());
        });
        assert_eq!(starting, "one-for-all; waits for database");
        let stopped = of(&|group| {
            (group.state, group.hold) = (GroupState::Stopped, HoldReport::DownFor(secs(60)));
        });
        let wanted = "one-for-all; stopped by hand, comes back in 1m 0s";
        assert_eq!(stopped, wanted);
        let below = of(&|group| group.kept_down_by = Some("outer".to_owned()));
        assert_eq!(below, "one-for-all; its group outer is down");
    }

    #[test]
    fn one_group_that_is_not_as_it_should_be_is_enough() {
        assert!(standing(tree()).is_good());
        let mut rows = tree();
        if let Row::Group(pipeline) = &mut rows[1] {
            pipeline.state = GroupState::GaveUp;
        }
        assert!(!standing(rows).is_good());
    }
}
