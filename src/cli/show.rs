//! How things stand, for people.

use std::fmt::Write;
use std::time::Duration;

use super::style::{Colour, paint};
use crate::model::report::{ChildReport, HoldReport, State, SupReport};
use crate::model::words::{Brief, Spelled};

/// The table of `status`.
pub(super) fn status(sup: &SupReport, children: &[ChildReport], colours: bool) -> String {
    let width = children
        .iter()
        .map(|child| child.name.chars().count())
        .max()
        .unwrap_or(0)
        .max(5);
    let mut text = format!(
        "sup {}, pid {}, up {}, {}\n\n",
        sup.version,
        sup.pid,
        Brief(sup.up),
        sup.config
    );
    let [state, pid, up, restarts, avail] = ["STATE", "PID", "UP", "RESTARTS", "AVAIL"];
    let _string = writeln!(
        text,
        "{:width$}  {state:9} {pid:>8} {up:>8} {restarts:>9} {avail:>8}  LAST EXIT, NEXT",
        "CHILD"
    );
    for child in children {
        // The colour goes around the padded word, or the columns would not stand.
        let state = paint(&format!("{:9}", child.state.name()), colour(child), colours);
        let pid = child
            .pid
            .map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        let up = child
            .up
            .map_or_else(|| "-".to_owned(), |up| Brief(up).to_string());
        let _string = writeln!(
            text,
            "{:width$}  {state} {pid:>8} {up:>8} {:>9} {:>8}  {}",
            child.name,
            child.restarts,
            availability(child),
            note(child)
        );
    }
    if let Some(fault) = &sup.memory_fault {
        let warning = format!("\nmemory cannot be written: {fault}\n");
        text.push_str(&paint(&warning, Colour::Red, colours));
    }
    text
}

fn colour(child: &ChildReport) -> Colour {
    match child.state {
        State::Up | State::Finished if child.streak == 0 => Colour::Green,
        State::Stopped => Colour::Grey,
        State::Failed | State::GaveUp | State::Parked => Colour::Red,
        State::Up
        | State::Finished
        | State::Queued
        | State::Held
        | State::Starting
        | State::Readying
        | State::Stopping
        | State::Clearing
        | State::Backoff => Colour::Yellow,
    }
}

fn availability(child: &ChildReport) -> String {
    child.availability().map_or_else(
        || "-".to_owned(),
        |share| format!("{}.{:02}%", share / 100, share % 100),
    )
}

/// What the columns do not say.
fn note(child: &ChildReport) -> String {
    let mut notes = Vec::new();
    if child.adopted {
        notes.push("adopted".to_owned());
    }
    if let Some(last) = child.exits.last() {
        notes.push(format!("{} {} ago", last.exit, Brief(last.ago)));
    }
    match (child.state, &child.waits_for) {
        (State::Held, Some(other)) => notes.push(format!("{other}, which it requires, is down")),
        (State::Queued, Some(other)) => notes.push(format!("waits for {other}")),
        _ => {}
    }
    match child.hold {
        HoldReport::Down => notes.push("stopped by hand".to_owned()),
        HoldReport::DownFor(term) => {
            notes.push(format!("stopped by hand, comes back in {}", Brief(term)));
        }
        HoldReport::None | HoldReport::Up => {
            notes.extend(
                child
                    .next
                    .map(|next| format!("{} {}", next_word(child.state), Brief(next))),
            );
        }
    }
    notes.join("; ")
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

/// The story of `why`.
pub(super) fn why(child: &ChildReport, colours: bool) -> String {
    let name = &child.name;
    let state = paint(phrase(child.state), colour(child), colours);
    let mut text = format!("{name} is {state}");
    if let (Some(up), Some(pid)) = (child.up, child.pid) {
        let _string = write!(text, " for {} (run {}, pid {pid})", Brief(up), child.run);
    }
    text.push_str(".\n");
    text.push_str(&because(child));
    let _string = writeln!(text, "Restart policy: {}.", child.policy);
    let budget = match child.max_restarts {
        Some(0) => "Budget: no restarts at all.".to_owned(),
        Some(max) => format!(
            "Budget: {} of {max} restarts used in the last {}.",
            child.recent,
            Spelled(child.window)
        ),
        None => "Budget: no limit.".to_owned(),
    };
    let _string = writeln!(text, "{budget} Backoff level: {}.", child.streak);
    if child.exits.is_empty() {
        text.push_str("It has never ended.\n");
    } else {
        text.push_str("Last exits, the newest first:\n");
    }
    for ended in child.exits.iter().rev() {
        let asked = if ended.asked { ", as we asked" } else { "" };
        let _string = writeln!(
            text,
            "  run {:<5} {}{asked}, after {}, {} ago",
            ended.nth,
            ended.exit,
            Brief(ended.ran),
            Brief(ended.ago)
        );
    }
    text
}

/// Its state in a sentence.
fn phrase(state: State) -> &'static str {
    match state {
        State::Queued => "waiting to start",
        State::Readying => "getting ready",
        State::Backoff => "waiting for its restart",
        State::GaveUp => "given up",
        State::Clearing => "being cleared away",
        State::Failed => "down, it failed",
        State::Stopped
        | State::Held
        | State::Starting
        | State::Up
        | State::Stopping
        | State::Finished
        | State::Parked => state.name(),
    }
}

/// The rule that put it into its state, and what comes next.
fn because(child: &ChildReport) -> String {
    let name = &child.name;
    let other = child.waits_for.as_deref().unwrap_or("another child");
    let next = child.next.unwrap_or(Duration::ZERO);
    match child.state {
        State::Stopped => match child.hold {
            HoldReport::Down => {
                format!("A person stopped it; it stays down until: sup start {name}\n")
            }
            HoldReport::DownFor(term) => {
                format!("A person stopped it; it comes back in {}.\n", Brief(term))
            }
            HoldReport::None | HoldReport::Up => {
                format!("It does not start by itself (autostart = false); sup start {name}\n")
            }
        },
        State::Queued => format!("It waits for {other} to be ready.\n"),
        State::Held => {
            format!("It requires {other}, which is down and does not come back by itself.\n")
        }
        State::Backoff => format!(
            "It ended when it should not have; its next start is in {}.\n",
            Brief(next)
        ),
        State::GaveUp => {
            format!("It failed too often in too short a time. Try again with: sup start {name}\n")
        }
        State::Parked => format!(
            "It failed too often; one more try in {}, or now with: sup start {name}\n",
            Brief(next)
        ),
        State::Finished => {
            "It ended with success, and its policy asks for no restart.\n".to_owned()
        }
        State::Failed => format!(
            "It ended without success, and its policy asks for no restart. sup start {name}\n"
        ),
        State::Readying => "It has not yet said that it is ready.\n".to_owned(),
        State::Stopping => "It has been asked to end.\n".to_owned(),
        State::Clearing => {
            "It has ended; processes that it left behind are being ended.\n".to_owned()
        }
        State::Starting => "Its process is being made.\n".to_owned(),
        State::Up if child.trial => "This is the one try after it had been given up.\n".to_owned(),
        State::Up if child.streak > 0 => {
            "It has failed lately and has not settled yet.\n".to_owned()
        }
        State::Up => String::new(),
    }
}
