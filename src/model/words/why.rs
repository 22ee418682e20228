//! Why a child or a group is as it is, in sentences: for `why`, and for the web page.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::Brief;
use crate::model::Gather as _;
use crate::model::exit::Exit;
use crate::model::report::{
    CauseReport, ChildReport, GroupReport, GroupState, HealthReport, HoldReport, State,
};

/// `collector failed 12s ago (exit code 1)`.
#[must_use]
pub fn failure_words(cause: &CauseReport) -> String {
    let (by, ago) = (&cause.by, Brief(cause.ago));
    match cause.exit {
        None => format!("{by} ended {ago} ago"),
        Some(exit @ Exit::Code(0)) => format!("{by} ended {ago} ago ({exit})"),
        Some(exit) => format!("{by} failed {ago} ago ({exit})"),
    }
}

fn taken_words(cause: &CauseReport) -> String {
    let (who, group, strategy) = (failure_words(cause), &cause.group, &cause.strategy);
    format!("{who}, and {group} ({strategy}) took it along.")
}

/// Its state in a sentence.
#[must_use]
pub const fn phrase(state: State) -> &'static str {
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

/// Why a child is in its state, in sentences; none where there is nothing to say.
#[must_use]
pub fn because(child: &ChildReport) -> Vec<String> {
    let taken = child.taken_by.as_ref().map(taken_words);
    let rule = Some(rule(child)).filter(|rule| !rule.is_empty());
    let found = child.health.as_ref().and_then(HealthReport::note);
    let found = found.map(|found| format!("It is {found}."));
    found.into_iter().chain(rule).chain(taken).gather()
}

/// The rule that put it into its state, and what comes next.
fn rule(child: &ChildReport) -> String {
    let name = &child.name;
    let other = child.waits_for.as_deref().unwrap_or("another child");
    let next = Brief(child.next.unwrap_or(Duration::ZERO));
    match child.state {
        State::Stopped => {
            let last = child.exits.last();
            let was_taken = last.is_some_and(|last| child.taken(last).is_some());
            stopped(name, child.hold, child.kept_down_by.as_deref(), was_taken)
        }
        State::Queued if child.waits_for_own => {
            format!("It waits until {other} starts its members again.")
        }
        State::Queued if other.starts_with('/') => format!("It waits for {other} to be there."),
        State::Queued => format!("It waits for {other} to be ready."),
        State::Held => match &child.kept_down_by {
            Some(group) => group_down(group),
            None => {
                format!("It requires {other}, which is down and does not come back by itself.")
            }
        },
        State::Backoff => {
            format!("It ended when it should not have; its next start is in {next}.")
        }
        State::GaveUp => {
            format!("It failed too often in too short a time. Try again with: sup start {name}")
        }
        State::Parked => {
            format!("It failed too often; one more try in {next}, or now with: sup start {name}")
        }
        State::Finished => "It ended with success, and its policy asks for no restart.".to_owned(),
        State::Failed => format!(
            "It ended without success, and its policy asks for no restart. sup start {name}"
        ),
        State::Readying => "It has not yet said that it is ready.".to_owned(),
        State::Stopping => "It has been asked to end.".to_owned(),
        State::Clearing => {
            "It has ended; processes that it left behind are being ended.".to_owned()
        }
        State::Starting => "Its process is being made.".to_owned(),
        State::Up if child.trial => "This is the one try after it had been given up.".to_owned(),
        State::Up if child.streak > 0 => "It has failed lately and has not settled yet.".to_owned(),
        State::Up => String::new(),
    }
}

/// Why a child or a group is stopped: a person, a group above it, its policy, or the
/// configuration.
fn stopped(name: &str, hold: HoldReport, kept_down_by: Option<&str>, was_taken: bool) -> String {
    match (hold, kept_down_by) {
        (HoldReport::Down, _) => {
            format!("A person stopped it; it stays down until: sup start {name}")
        }
        (HoldReport::DownFor(term), _) => {
            format!("A person stopped it; it comes back in {}.", Brief(term))
        }
        (HoldReport::None | HoldReport::Up, Some(group)) => group_down(group),
        (HoldReport::None | HoldReport::Up, None) if was_taken => {
            format!("Its policy does not bring back what was taken along. sup start {name}")
        }
        (HoldReport::None | HoldReport::Up, None) => {
            format!("It does not start by itself (autostart = false); sup start {name}")
        }
    }
}

fn group_down(group: &str) -> String {
    format!("Its group {group} is down, and it starts with that; see: sup why {group}")
}

/// What a member's failure meant to its group.
fn consequence(group: &GroupReport, cause: &CauseReport) -> String {
    if cause.group != group.name {
        return format!(", and {} ({}) took it along", cause.group, cause.strategy);
    }
    let words = match group.state {
        GroupState::Finished => ", for good",
        GroupState::GaveUp | GroupState::Parked => ", which was one too many",
        GroupState::Stopped
        | GroupState::Queued
        | GroupState::Starting
        | GroupState::Up
        | GroupState::Restarting
        | GroupState::Stopping
        | GroupState::Backoff
        | GroupState::Failed => ", and took others along",
    };
    words.to_owned()
}
/// Its state in a sentence.
#[must_use]
pub const fn group_phrase(state: GroupState) -> &'static str {
    match state {
        GroupState::Queued => "waiting to start",
        GroupState::Backoff => "waiting for its restart",
        GroupState::GaveUp => "given up",
        GroupState::Failed => "down, it failed",
        GroupState::Stopped
        | GroupState::Starting
        | GroupState::Up
        | GroupState::Restarting
        | GroupState::Stopping
        | GroupState::Finished
        | GroupState::Parked => state.name(),
    }
}

/// Why a group is in its state, in sentences; none where there is nothing to say.
#[must_use]
pub fn group_because(group: &GroupReport) -> Vec<String> {
    let last = group.last.as_ref();
    let last = last.map(|cause| format!("{}{}.", failure_words(cause), consequence(group, cause)));
    let rule = Some(group_rule(group)).filter(|rule| !rule.is_empty());
    rule.into_iter().chain(last).gather()
}

/// The rule that put it into its state, and what comes next.
fn group_rule(group: &GroupReport) -> String {
    let name = &group.name;
    let next = Brief(group.next.unwrap_or(Duration::ZERO));
    match group.state {
        GroupState::Stopped => {
            let was_taken = group.last.as_ref().is_some_and(|by| by.group != *name);
            stopped(name, group.hold, group.kept_down_by.as_deref(), was_taken)
        }
        GroupState::Queued => match &group.kept_down_by {
            Some(above) => group_down(above),
            None => "It waits for its turn.".to_owned(),
        },
        GroupState::Starting => match &group.waits_for {
            Some(member) => format!("It starts its members in order; now: {member}."),
            None => "It starts its members in order.".to_owned(),
        },
        GroupState::Restarting => {
            "Members are taken down, the last one first, to be started in order.".to_owned()
        }
        GroupState::Stopping => "Its members are being stopped, the last one first.".to_owned(),
        GroupState::Backoff => {
            format!("It failed as a whole; its parent starts it again in {next}.")
        }
        GroupState::GaveUp => format!(
            "Its members failed too often in too short a time. Try again with: sup start {name}"
        ),
        GroupState::Parked => format!(
            "Its members failed too often; one more try in {next}, or now with: sup start {name}"
        ),
        GroupState::Finished => "Members that matter have done their work.".to_owned(),
        GroupState::Failed => {
            format!("It failed as a whole, and its policy asks for no restart. sup start {name}")
        }
        GroupState::Up if group.trial => {
            "This is the one try after it had been given up.".to_owned()
        }
        GroupState::Up if group.streak > 0 => {
            "It has failed as a whole lately and has not settled yet.".to_owned()
        }
        GroupState::Up => String::new(),
    }
}
