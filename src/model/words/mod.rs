//! How things read: in the log, on the command line, in alerts. The same words everywhere.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

use super::check::CheckId;
use super::exit::Exit;
use super::ids::{ChildId, GroupId, Member, RunId};
use super::order::{Notice, StopWhy};

pub mod alert;
pub mod check;
mod exit;
mod group;
mod size;
mod span;
mod telling;
mod why;

pub use exit::ErrorNumber;
pub use size::Bytes;
pub use span::{Brief, Seconds, Spelled};
pub use telling::{Telling, telling};
pub use why::{because, failure_words, group_because, group_phrase, phrase};

use exit::crash_words;
use telling::{exit_number, seconds};

use super::tree::Strategy;

/// How children and groups are called.
pub trait Names {
    /// A child's name.
    fn child(&self, id: ChildId) -> &str;

    /// A group's name and strategy.
    fn group(&self, id: GroupId) -> (&str, Strategy);

    /// A child's or a group's name.
    fn member(&self, member: Member) -> &str {
        match member {
            Member::Child(id) => self.child(id),
            Member::Group(id) => self.group(id).0,
        }
    }

    /// A check's name.
    fn check(&self, _: CheckId) -> &str {
        ""
    }

    /// What a check has last found, in words; empty where nobody knows.
    fn finding(&self, _: CheckId) -> &str {
        ""
    }
}

/// The first word of a line in sup's own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// What sup does.
    Supervisor,
    /// What a person is told.
    Notification,
    /// What a person should look at.
    Warning,
    /// What went wrong for good.
    Error,
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Supervisor => "[SUPERVISOR]",
            Self::Notification => "[NOTIFICATION]",
            Self::Warning => "[WARNING]",
            Self::Error => "[ERROR]",
        })
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Good to know.
    Info,
    /// Something is being dealt with.
    Warning,
    /// Somebody has to do something.
    Critical,
}

impl Level {
    /// As in a message and in `SUP_LEVEL`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
        }
    }
}

/// One line of sup's own log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How bad it is; the log's own level follows it.
    pub level: Level,
    /// Its first word.
    pub prefix: Prefix,
    /// The rest.
    pub text: String,
}

/// The line that a notice makes in the log.
#[must_use]
pub fn line(notice: &Notice, names: &impl Names) -> Line {
    let of = |run: &RunId| names.child(run.child);
    match notice {
        Notice::Started { run, pid } => info(format!("{} started (pid {pid})", of(run))),
        Notice::Ready { run } => info(format!("{} is ready", of(run))),
        Notice::Ended { run, exit, asked } => ended_line(of(run), *exit, *asked),
        Notice::Restarting {
            delay,
            attempt,
            max,
            counted_by,
            ..
        } => {
            let by = counted_by.map(|group| names.group(group));
            let attempt = attempt_words(*delay, *attempt, *max, by);
            info(format!("Restarting {attempt}"))
        }
        Notice::Finished { run, exit } => info(format!(
            "{} is finished ({exit}); its policy asks for no more",
            of(run)
        )),
        Notice::GaveUp { run, .. } => error(format!(
            "{} is given up: nothing more happens by itself",
            of(run)
        )),
        Notice::Escalated { run, group, .. } => error(format!(
            "{} has used up its restarts: {} with it",
            of(run),
            match *group {
                GroupId::ROOT => "everything ends".to_owned(),
                group => format!("its group {} fails", names.group(group).0),
            }
        )),
        Notice::Parked { run, pause, .. } => error(format!(
            "{} is parked: one try each {}",
            of(run),
            Spelled(*pause)
        )),
        Notice::Recovered { run, restarts } => {
            info(format!("{} {}", of(run), settled_words(*restarts)))
        }
        Notice::Stopping { run, why } => {
            info(format!("Stopping {}: {}", of(run), why_words(*why, names)))
        }
        Notice::Killed { run } => warning(format!(
            "{} did not end in time: sent SIGKILL to all of it",
            of(run)
        )),
        Notice::LeftBehind { run } => {
            warning(format!("{} left processes behind: ending them", of(run)))
        }
        Notice::Held { child, by } => warning(format!(
            "{} is held: it requires {}, which is down",
            names.child(*child),
            names.member(*by)
        )),
        Notice::TermOver { of } => info(format!(
            "{}: the time of its stop is over",
            names.member(*of)
        )),
        Notice::ShuttingDown => info("Shutting down".to_owned()),
        Notice::Checked { check, was, health } => check::line(*check, *was, *health, names),
        Notice::Group { group, what } => group::line(*group, what, names),
    }
}

fn info(text: String) -> Line {
    Line {
        level: Level::Info,
        prefix: Prefix::Supervisor,
        text,
    }
}

fn warning(text: String) -> Line {
    Line {
        level: Level::Warning,
        prefix: Prefix::Warning,
        text,
    }
}

fn error(text: String) -> Line {
    Line {
        level: Level::Critical,
        prefix: Prefix::Error,
        text,
    }
}

fn gave_up_words(restarts: u16, window: Duration, trial: bool) -> String {
    if trial {
        " in its one try after giving up. Given up again".to_owned()
    } else {
        let made = count(u32::from(restarts), "restart");
        format!(". Giving up after {made} in {}", Spelled(window))
    }
}

fn ended_line(child: &str, exit: Exit, asked: bool) -> Line {
    let (level, prefix) = if asked || exit == Exit::Code(0) {
        (Level::Info, Prefix::Supervisor)
    } else {
        (Level::Warning, Prefix::Supervisor)
    };
    let text = match exit {
        _ if asked => format!("{child} stopped ({exit})"),
        Exit::Code(0) => format!("{child} ended with exit code: 0"),
        Exit::Code(code) => format!("{child} failed with exit code: {code}"),
        Exit::StartFault(fault) => format!("{child} could not be started: {fault}"),
        Exit::Signal { .. }
        | Exit::Vanished
        | Exit::Timeout(_)
        | Exit::Watchdog
        | Exit::Unhealthy
        | Exit::OutOfMemory => format!("{child} {}", crash_words(exit)),
    };
    Line {
        level,
        prefix,
        text,
    }
}

fn attempt_words(
    delay: Duration,
    attempt: u16,
    max: Option<u16>,
    by: Option<(&str, Strategy)>,
) -> String {
    let when = when_words(delay);
    match (max, by) {
        (Some(max), Some((group, strategy))) => {
            let strategy = strategy.name();
            format!("{when} (attempt {attempt}/{max}, counted by {group}, {strategy})")
        }
        (Some(max), None) => format!("{when} (attempt {attempt}/{max})"),
        (None, _) => format!("{when} (attempt {attempt})"),
    }
}

/// One try that came this far may have been all that was needed.
fn settled_words(restarts: u32) -> String {
    if restarts == 0 {
        "has settled".to_owned()
    } else {
        format!("has settled after {}", count(restarts, "restart"))
    }
}

fn when_words(delay: Duration) -> String {
    if delay.is_zero() {
        "now".to_owned()
    } else {
        format!("in {}", Spelled(delay))
    }
}

fn why_words(why: StopWhy, names: &impl Names) -> String {
    let words = match why {
        StopWhy::Asked => "as ordered",
        StopWhy::Recycle => "to start it anew",
        StopWhy::Removed => "it has been removed",
        StopWhy::Requirement => "what it requires is down",
        StopWhy::Shutdown => "sup ends",
        StopWhy::StartTimeout => "it was not ready in time",
        StopWhy::Unhealthy => "a check is critical",
        StopWhy::Watchdog => "it has missed its watchdog",
        StopWhy::Taken(group) => {
            let (name, strategy) = names.group(group);
            return format!("taken along by {name} ({})", strategy.name());
        }
        StopWhy::Group(group) => return format!("its group {} is stopped", names.group(group).0),
    };
    words.to_owned()
}

fn count(number: u32, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::exit::StartFault;
    use crate::model::{Signal, Stage};

    const RUN: RunId = RunId {
        child: ChildId(0),
        nth: 3,
    };

    struct Collector;

    impl Names for Collector {
        fn child(&self, _: ChildId) -> &str {
            "collector"
        }

        fn group(&self, _: GroupId) -> (&str, Strategy) {
            ("pipeline", Strategy::RestForOne)
        }
    }

    #[test]
    fn a_crash_reads_as_people_know_it() {
        let exit = Exit::Code(1);
        let ended = line(
            &Notice::Ended {
                run: RUN,
                exit,
                asked: false,
            },
            &Collector,
        );
        assert_eq!(ended.text, "collector failed with exit code: 1");
        let delay = Duration::from_secs(5);
        let notice = Notice::Restarting {
            run: RUN,
            exit,
            delay,
            attempt: 1,
            max: Some(5),
            counted_by: None,
        };
        assert_eq!(
            line(&notice, &Collector).text,
            "Restarting in 5 seconds (attempt 1/5)"
        );
        let told = telling(&notice, &Collector).unwrap();
        let expected =
            "WARNING: collector crashed with exit code 1. Restarting in 5 seconds (attempt 1/5)";
        assert_eq!(told.message, expected);
        let facts: Vec<_> = told
            .facts
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        assert_eq!(
            facts.join(" "),
            "EVENT=restarting LEVEL=WARNING CHILD=collector RUN=3 EXIT=exit code 1 EXIT_CODE=1 \
             DELAY_SECONDS=5 ATTEMPT=1 MAX_RESTARTS=5"
        );
    }

    #[test]
    fn a_restart_that_its_group_counts_names_that_and_its_strategy() {
        let notice = Notice::Restarting {
            run: RUN,
            exit: Exit::Code(1),
            delay: Duration::from_secs(5),
            attempt: 2,
            max: Some(5),
            counted_by: Some(GroupId(1)),
        };
        assert_eq!(
            line(&notice, &Collector).text,
            "Restarting in 5 seconds (attempt 2/5, counted by pipeline, rest-for-one)"
        );
        let facts = telling(&notice, &Collector).unwrap().facts;
        let fact = |wanted: &str| {
            let mut facts = facts.iter();
            facts.find_map(|(key, value)| (*key == wanted).then_some(value.as_str()))
        };
        assert_eq!(
            (fact("GROUP"), fact("STRATEGY"), fact("ATTEMPT")),
            (Some("pipeline"), Some("rest-for-one"), Some("2"))
        );
    }

    #[test]
    fn a_failed_start_names_the_step_and_the_reason() {
        let exit = Exit::StartFault(StartFault {
            stage: Stage::Directory,
            errno: 2,
        });
        let ended = line(
            &Notice::Ended {
                run: RUN,
                exit,
                asked: false,
            },
            &Collector,
        );
        let expected =
            "collector could not be started: changing to its directory: No such file or directory";
        assert_eq!(ended.text, expected);
    }

    #[test]
    fn times_read_well() {
        let spelled = [
            0,
            1,
            5_000,
            1_500,
            60_000,
            90_000,
            600_000,
            3_600_000,
            172_800_000,
        ];
        let words = spelled.map(|ms| Spelled(Duration::from_millis(ms)).to_string());
        assert_eq!(
            words.join("|"),
            "0 seconds|0.001 seconds|5 seconds|1.5 seconds|1 minute|90 seconds|10 minutes|1 hour|2 days"
        );
        let brief = [20, 3_000, 725_000, 7_500_000, 273_600_000];
        let words = brief.map(|ms| Brief(Duration::from_millis(ms)).to_string());
        assert_eq!(words.join("|"), "20ms|3s|12m 5s|2h 5m|3d 4h");
    }

    #[test]
    fn signals_keep_their_names() {
        let exit = Exit::Signal {
            signal: Signal(11),
            core: true,
        };
        assert_eq!(exit.to_string(), "SIGSEGV, core dumped");
    }
}
