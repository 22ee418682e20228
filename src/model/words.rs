//! How things read: in the log, on the command line, in alerts. The same words everywhere.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::exit::{Exit, StartFault, Timeout};
use super::ids::{ChildId, RunId};
use super::order::{Notice, StopWhy};

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

/// The line that a notice makes in the log. `name` gives a child's name.
#[must_use]
pub fn line<'a>(notice: &Notice, name: impl Fn(ChildId) -> &'a str) -> Line {
    let of = |run: &RunId| name(run.child);
    match notice {
        Notice::Started { run, pid } => info(format!("{} started (pid {pid})", of(run))),
        Notice::Ready { run } => info(format!("{} is ready", of(run))),
        Notice::Ended { run, exit, asked } => ended_line(of(run), *exit, *asked),
        Notice::Restarting {
            delay,
            attempt,
            max,
            ..
        } => info(format!(
            "Restarting {}",
            attempt_words(*delay, *attempt, *max)
        )),
        Notice::Finished { run, exit } => info(format!(
            "{} is finished ({exit}); its policy asks for no more",
            of(run)
        )),
        Notice::GaveUp { run, .. } | Notice::Escalated { run, .. } => error(format!(
            "{} is given up: nothing more happens by itself",
            of(run)
        )),
        Notice::Parked { run, pause, .. } => error(format!(
            "{} is parked: one try each {}",
            of(run),
            Spelled(*pause)
        )),
        Notice::Recovered { run, restarts } => info(format!(
            "{} has settled after {}",
            of(run),
            count(*restarts, "restart")
        )),
        Notice::Stopping { run, why } => info(format!("Stopping {}: {}", of(run), why_words(*why))),
        Notice::Killed { run } => warning(format!(
            "{} did not end in time: sent SIGKILL to all of it",
            of(run)
        )),
        Notice::LeftBehind { run } => {
            warning(format!("{} left processes behind: ending them", of(run)))
        }
        Notice::Held { child, by } => warning(format!(
            "{} is held: it requires {}, which is down",
            name(*child),
            name(*by)
        )),
        Notice::TermOver { child } => {
            info(format!("{}: the time of its stop is over", name(*child)))
        }
        Notice::ShuttingDown => info("Shutting down".to_owned()),
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

/// What a person is told of a notice, if it concerns one.
#[must_use]
pub fn telling<'a>(notice: &Notice, name: impl Fn(ChildId) -> &'a str) -> Option<Telling> {
    let Told {
        event,
        level,
        run,
        exit,
        sentence,
        numbers,
    } = told(notice)?;
    let child = name(run.child);
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

/// What there is to tell, before it is put into words.
struct Told {
    event: &'static str,
    level: Level,
    run: RunId,
    exit: Option<Exit>,
    /// What follows the child's name and how it ended.
    sentence: String,
    numbers: Vec<(&'static str, String)>,
}

fn told(notice: &Notice) -> Option<Told> {
    match *notice {
        Notice::Restarting {
            run,
            exit,
            delay,
            attempt,
            max,
        } => {
            let mut numbers = alloc::vec![seconds(delay), ("ATTEMPT", attempt.to_string())];
            numbers.extend(max.map(|max| ("MAX_RESTARTS", max.to_string())));
            let sentence = format!(". Restarting {}", attempt_words(delay, attempt, max));
            let (event, level) = ("restarting", Level::Warning);
            Some(Told {
                event,
                level,
                run,
                exit: Some(exit),
                sentence,
                numbers,
            })
        }
        Notice::Recovered { run, restarts } => Some(Told {
            event: "recovered",
            level: Level::Info,
            run,
            exit: None,
            sentence: format!("has settled after {}", count(restarts, "restart")),
            numbers: alloc::vec![("RESTARTS", restarts.to_string())],
        }),
        Notice::GaveUp { .. } | Notice::Parked { .. } | Notice::Escalated { .. } => {
            told_at_the_limit(notice)
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
        | Notice::ShuttingDown => None,
    }
}

/// What there is to tell when there were too many restarts.
fn told_at_the_limit(notice: &Notice) -> Option<Told> {
    match *notice {
        Notice::GaveUp {
            run,
            exit,
            restarts,
            window,
            trial,
        } => {
            let made = count(u32::from(restarts), "restart");
            let sentence = if trial {
                " in its one try after giving up. Given up again".to_owned()
            } else {
                format!(". Giving up after {made} in {}", Spelled(window))
            };
            let window = ("WINDOW_SECONDS", window.as_secs_f64().to_string());
            let numbers = alloc::vec![("RESTARTS", restarts.to_string()), window];
            Some(critical("gave-up", run, exit, sentence, numbers))
        }
        Notice::Parked { run, exit, pause } => {
            let sentence = format!(
                ". Too many restarts: parked, next try in {}",
                Spelled(pause)
            );
            Some(critical(
                "parked",
                run,
                exit,
                sentence,
                alloc::vec![seconds(pause)],
            ))
        }
        Notice::Escalated { run, exit } => {
            let sentence = ". Too many restarts: everything is stopped with it".to_owned();
            Some(critical("escalated", run, exit, sentence, Vec::new()))
        }
        Notice::Restarting { .. }
        | Notice::Recovered { .. }
        | Notice::Started { .. }
        | Notice::Ready { .. }
        | Notice::Ended { .. }
        | Notice::Finished { .. }
        | Notice::Stopping { .. }
        | Notice::Killed { .. }
        | Notice::LeftBehind { .. }
        | Notice::Held { .. }
        | Notice::TermOver { .. }
        | Notice::ShuttingDown => None,
    }
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

fn seconds(delay: Duration) -> (&'static str, String) {
    ("DELAY_SECONDS", delay.as_secs_f64().to_string())
}

fn exit_number(exit: Exit) -> Option<(&'static str, String)> {
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

/// How it ended, as a verb: `crashed with exit code 1`.
fn crash_words(exit: Exit) -> String {
    match exit {
        Exit::Code(0) => "ended with exit code 0".to_owned(),
        Exit::Code(code) => format!("crashed with exit code {code}"),
        Exit::Signal { .. } => format!("was killed by {exit}"),
        Exit::Vanished => "vanished".to_owned(),
        Exit::StartFault(fault) => format!("could not be started ({fault})"),
        Exit::Timeout(Timeout::Start) => "was not ready in time".to_owned(),
        Exit::Timeout(Timeout::Stop) => "did not stop in time".to_owned(),
        Exit::Watchdog => "missed its watchdog".to_owned(),
        Exit::Unhealthy => "is unhealthy".to_owned(),
        Exit::OutOfMemory => "ran out of memory".to_owned(),
    }
}

fn attempt_words(delay: Duration, attempt: u16, max: Option<u16>) -> String {
    let when = if delay.is_zero() {
        "now".to_owned()
    } else {
        format!("in {}", Spelled(delay))
    };
    match max {
        Some(max) => format!("{when} (attempt {attempt}/{max})"),
        None => format!("{when} (attempt {attempt})"),
    }
}

fn why_words(why: StopWhy) -> &'static str {
    match why {
        StopWhy::Asked => "as ordered",
        StopWhy::Recycle => "to start it anew",
        StopWhy::Removed => "it is no longer configured",
        StopWhy::Requirement => "a child that it requires is down",
        StopWhy::Shutdown => "sup ends",
        StopWhy::StartTimeout => "it was not ready in time",
    }
}

fn count(number: u32, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal {
                signal,
                core: false,
            } => write!(f, "{signal}"),
            Self::Signal { signal, core: true } => write!(f, "{signal}, core dumped"),
            Self::Vanished => f.write_str("vanished"),
            Self::StartFault(fault) => write!(f, "start failed: {fault}"),
            Self::Timeout(Timeout::Start) => f.write_str("not ready in time"),
            Self::Timeout(Timeout::Stop) => f.write_str("did not stop in time, killed"),
            Self::Watchdog => f.write_str("missed its watchdog"),
            Self::Unhealthy => f.write_str("unhealthy"),
            Self::OutOfMemory => f.write_str("out of memory"),
        }
    }
}

impl fmt::Display for StartFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.stage.words(), ErrorNumber(self.errno))
    }
}

/// The kernel's words for an error number.
#[derive(Clone, Copy, Debug)]
pub struct ErrorNumber(pub i32);

impl fmt::Display for ErrorNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = std::io::Error::from_raw_os_error(self.0).to_string();
        f.write_str(text.split(" (os error").next().unwrap_or(&text))
    }
}

/// A time in a sentence: `5 seconds`, `1.5 seconds`, `10 minutes`, `1 hour`.
#[derive(Clone, Copy, Debug)]
pub struct Spelled(pub Duration);

impl fmt::Display for Spelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let units = [
            (86_400_000, "day"),
            (3_600_000, "hour"),
            (60_000, "minute"),
            (1_000, "second"),
        ];
        let whole = units
            .iter()
            .find(|(unit, _)| millis >= *unit && millis.is_multiple_of(*unit));
        match whole {
            Some((unit, word)) if millis / unit == 1 => write!(f, "1 {word}"),
            Some((unit, word)) => write!(f, "{} {word}s", millis / unit),
            None if millis == 0 => f.write_str("0 seconds"),
            None => write!(f, "{} seconds", self.0.as_secs_f64()),
        }
    }
}

/// A time in a column: `850ms`, `3s`, `12m 5s`, `2h 5m`, `3d 4h`.
#[derive(Clone, Copy, Debug)]
pub struct Brief(pub Duration);

impl fmt::Display for Brief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
        let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
        let text = match (days, hours, minutes, rest) {
            (0, 0, 0, 0) => format!("{}ms", self.0.as_millis()),
            (0, 0, 0, s) => format!("{s}s"),
            (0, 0, m, s) => format!("{m}m {s}s"),
            (0, h, m, _) => format!("{h}h {m}m"),
            (d, h, _, _) => format!("{d}d {h}h"),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Signal, Stage};

    const RUN: RunId = RunId {
        child: ChildId(0),
        nth: 3,
    };

    fn name(_: ChildId) -> &'static str {
        "collector"
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
            name,
        );
        assert_eq!(ended.text, "collector failed with exit code: 1");
        let delay = Duration::from_secs(5);
        let notice = Notice::Restarting {
            run: RUN,
            exit,
            delay,
            attempt: 1,
            max: Some(5),
        };
        assert_eq!(
            line(&notice, name).text,
            "Restarting in 5 seconds (attempt 1/5)"
        );
        let told = telling(&notice, name).unwrap();
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
            name,
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
