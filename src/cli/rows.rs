//! What a row looks like on a terminal.

use super::health;
use super::style::Colour;
use crate::model::report::{ChildReport, GroupReport, GroupState, State};
use crate::model::standing::Row;

impl Row {
    pub(super) fn colour(&self) -> Colour {
        match self {
            Self::Child(child) => child_colour(child),
            Self::Group(group) => group_colour(group),
        }
    }
}

pub(super) fn child_colour(child: &ChildReport) -> Colour {
    health::worse(child, state_colour(child))
}

fn state_colour(child: &ChildReport) -> Colour {
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

pub(super) fn group_colour(group: &GroupReport) -> Colour {
    match group.state {
        GroupState::Up | GroupState::Finished if group.streak == 0 => Colour::Green,
        GroupState::Stopped => Colour::Grey,
        GroupState::Failed | GroupState::GaveUp | GroupState::Parked => Colour::Red,
        GroupState::Up
        | GroupState::Finished
        | GroupState::Queued
        | GroupState::Starting
        | GroupState::Restarting
        | GroupState::Stopping
        | GroupState::Backoff => Colour::Yellow,
    }
}
