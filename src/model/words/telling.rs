//! What a person is told, outside the log.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::{
    Level, Names, Seconds, Spelled, attempt_words, check, crash_words, gave_up_words, group,
    settled_words,
};
use crate::model::ids::RunId;
use crate::model::{Exit, Notice};

/// What a person is told, outside the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telling {
    /// How bad it is.
    pub level: Level,
    /// One sentence or two.
    pub message: String,
    /// The same for programs: names without the `SUP_`, and values.
    pub facts: Vec<(&'static str, String)>,
}

/// What a person is told of a notice, if it concerns one.
#[must_use]
pub fn telling(notice: &Notice, names: &impl Names) -> Option<Telling> {
    if let Notice::Group { group, what } = notice {
        return group::telling(*group, what, names);
    }
    if let Notice::Checked { check, was, health } = *notice {
        return Some(check::telling(check, was, health, names));
    }
    let Told {
        event,
        level,
        run,
        exit,
        sentence,
        numbers,
    } = told(notice, names)?;
    let child = names.child(run.child);
    let crashed = exit.map(crash_words).unwrap_or_default();
    let mut facts = alloc::vec![
        ("EVENT", event.to_owned()),
        ("LEVEL", level.name().to_owned()),
        ("CHILD", child.to_owned()),
        ("RUN", run.nth.to_string()),
    ];
    facts.extend(exit.map(|exit| ("EXIT", exit.to_string())));
    facts.extend(exit.and_then(exit_number));
    facts.extend(numbers);
    let message = format!("{}: {child} {crashed}{sentence}", level.name());
    Some(Telling {
        level,
        message,
        facts,
    })
}

/// What there is to tell of a child, before it is put into words.
struct Told {
    event: &'static str,
    level: Level,
    run: RunId,
    exit: Option<Exit>,
    /// What follows the child's name and how it ended.
    sentence: String,
    numbers: Vec<(&'static str, String)>,
}

fn told(notice: &Notice, names: &impl Names) -> Option<Told> {
    match *notice {
        Notice::Restarting {
            run,
            exit,
            delay,
            attempt,
            max,
            counted_by,
        } => {
            let by = counted_by.map(|group| names.group(group));
            let mut numbers = alloc::vec![seconds(delay), ("ATTEMPT", attempt.to_string())];
            numbers.extend(max.map(|max| ("MAX_RESTARTS", max.to_string())));
            if let Some((group, strategy)) = by {
                numbers.push(("GROUP", group.to_owned()));
                numbers.push(("STRATEGY", strategy.name().to_owned()));
            }
            Some(Told {
                event: "restarting",
                level: Level::Warning,
                run,
                exit: Some(exit),
                sentence: format!(". Restarting {}", attempt_words(delay, attempt, max, by)),
                numbers,
            })
        }
        Notice::Recovered { run, restarts } => Some(Told {
            event: "recovered",
            level: Level::Info,
            run,
            exit: None,
            sentence: settled_words(restarts),
            numbers: alloc::vec![("RESTARTS", restarts.to_string())],
        }),
        Notice::GaveUp {
            run,
            exit,
            restarts,
            window,
            trial,
        } => Some(gave_up(run, exit, restarts, window, trial)),
        Notice::Parked { run, exit, pause } => {
            let pause_words = Spelled(pause);
            let sentence = format!(". Too many restarts: parked, next try in {pause_words}");
            let numbers = alloc::vec![seconds(pause)];
            Some(critical("parked", run, exit, sentence, numbers))
        }
        Notice::Started { .. }
        | Notice::Ready { .. }
        | Notice::Ended { .. }
        | Notice::Finished { .. }
        | Notice::Stopping { .. }
        | Notice::Killed { .. }
        | Notice::LeftBehind { .. }
        | Notice::Held { .. }
        | Notice::TermOver { .. }
        | Notice::Escalated { .. } // Its group's failure is told.
        | Notice::Group { .. }
        | Notice::Checked { .. }
        | Notice::ShuttingDown => None,
    }
}

fn gave_up(run: RunId, exit: Exit, restarts: u16, window: Duration, trial: bool) -> Told {
    let sentence = gave_up_words(restarts, window, trial);
    let window = ("WINDOW_SECONDS", Seconds(window).to_string());
    let numbers = alloc::vec![("RESTARTS", restarts.to_string()), window];
    critical("gave-up", run, exit, sentence, numbers)
}

fn critical(
    event: &'static str,
    run: RunId,
    exit: Exit,
    sentence: String,
    numbers: Vec<(&'static str, String)>,
) -> Told {
    Told {
        event,
        level: Level::Critical,
        run,
        exit: Some(exit),
        sentence,
        numbers,
    }
}

pub(super) fn seconds(delay: Duration) -> (&'static str, String) {
    ("DELAY_SECONDS", Seconds(delay).to_string())
}

pub(super) fn exit_number(exit: Exit) -> Option<(&'static str, String)> {
    match exit {
        Exit::Code(code) => Some(("EXIT_CODE", code.to_string())),
        Exit::Signal { signal, .. } => Some(("EXIT_SIGNAL", signal.to_string())),
        Exit::Vanished
        | Exit::StartFault(_)
        | Exit::Timeout(_)
        | Exit::Watchdog
        | Exit::Unhealthy
        | Exit::OutOfMemory => None,
    }
}
