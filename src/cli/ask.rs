//! The verbs that are asked of a running sup, and `validate`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::Flags;
use super::client::Client;
use super::json::Status;
use super::verbs::Verb;
use super::{Code, Failed, demo, show, style};
use crate::config;
use crate::model::report::{ChildReport, SupReport};
use crate::model::{Order, Signal};
use crate::os::{clock, place};
use crate::wire::control::{Outcome, Reply, Request};

/// Lines and events that are shown unless told.
const SHOWN: u32 = 20;

/// Does what a verb says; all verbs but `run`.
///
/// # Errors
/// What went wrong, in words, with the exit code.
pub fn ask(verb: &Verb, flags: &Flags, operands: Vec<String>) -> Result<Code, Failed> {
    match verb.name {
        "validate" => return validate(flags),
        "demo" => return demo::demo(),
        _ => {}
    }
    let runtime = runtime(flags);
    let request = request(verb, flags, operands)?;
    let mut client = Client::ask(&runtime, &request)?;
    match (&request, verb.name) {
        (Request::Status { .. }, "why") => why(&mut client),
        (Request::Status { .. }, _) => status(&mut client, flags.has("json")),
        (Request::Shutdown, _) => {
            while client.reply().is_some() {}
            Ok(Code::Success)
        }
        _ => print_replies(&mut client),
    }
}

fn request(verb: &Verb, flags: &Flags, operands: Vec<String>) -> Result<Request, Failed> {
    let follow = flags.has("follow");
    Ok(match verb.name {
        "status" | "why" => Request::Status { children: operands },
        "start" => order(Order::Start, operands, flags),
        "stop" => order(Order::Stop { term: term(flags)? }, operands, flags),
        "restart" => order(Order::Restart, operands, flags),
        "reset" => order(Order::Reset, operands, flags),
        "signal" => {
            let mut operands = operands;
            let name = operands.remove(0);
            let signal = Signal::parse(&name);
            let error = || {
                Failed::input(format!(
                    "\"{name}\" is no signal; try HUP, TERM, USR1 or a number from 1 to 64"
                ))
            };
            order(Order::Signal(signal.ok_or_else(error)?), operands, flags)
        }
        "reload" => Request::Reload {
            dry_run: flags.has("dry-run"),
        },
        "logs" => {
            let child = operands.into_iter().next().unwrap_or_default();
            Request::Logs {
                child,
                lines: lines(flags)?,
                follow,
            }
        }
        "events" => Request::Events {
            count: lines(flags)?,
            follow,
        },
        _ => Request::Shutdown,
    })
}

fn order(order: Order, operands: Vec<String>, flags: &Flags) -> Request {
    let children = if operands == ["all"] {
        Vec::new()
    } else {
        operands
    };
    Request::Order {
        children,
        order,
        wait: !flags.has("no-wait"),
    }
}

fn term(flags: &Flags) -> Result<Option<Duration>, Failed> {
    let Some(value) = flags.get("for") else {
        return Ok(None);
    };
    let text = value.to_string_lossy();
    let term = config::duration(&text);
    term.map(Some)
        .map_err(|problem| Failed::input(format!("--for: \"{text}\" {problem}")))
}

fn lines(flags: &Flags) -> Result<u32, Failed> {
    let Some(value) = flags.get("lines") else {
        return Ok(SHOWN);
    };
    let number = value.to_str().and_then(|text| text.parse().ok());
    number.ok_or_else(|| {
        Failed::input(format!(
            "--lines: \"{}\" is not a whole number",
            value.display()
        ))
    })
}

// ---- where things are ---------------------------------------------------------

/// The configuration that is meant: the one named, or the first that exists of those
/// that are looked for.
///
/// # Errors
/// None is named and none exists.
pub fn config_path(flags: &Flags) -> Result<PathBuf, Failed> {
    if let Some(named) = flags.get("config") {
        return Ok(PathBuf::from(named));
    }
    let candidates = place::config_candidates();
    // What $SUP_CONFIG names is meant even where it is missing.
    let named = std::env::var_os("SUP_CONFIG").and(candidates.first());
    let found = named.or_else(|| candidates.iter().find(|path| path.exists()));
    found.cloned().ok_or_else(|| {
        let places: Vec<String> = candidates
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        Failed::input(format!(
            "no configuration: name one with --config FILE, or make one of {}",
            places.join(", ")
        ))
    })
}

/// Where the socket is. A configuration that has become wrong, or has gone, must not
/// keep a person from the sup that runs.
fn runtime(flags: &Flags) -> PathBuf {
    let config = config_path(flags)
        .ok()
        .and_then(|path| std::path::absolute(path).ok());
    let settings = config.and_then(|path| config::runtime_of(&path));
    settings.unwrap_or_else(place::default_runtime)
}

fn validate(flags: &Flags) -> Result<Code, Failed> {
    let path = config_path(flags)?;
    let loaded = config::load(&path).map_err(|mistakes| Failed::input(mistakes.to_string()))?;
    for warning in &loaded.warnings {
        say(&format!("warning: {warning}\n"));
    }
    let count = loaded.spec.children.len();
    let children = if count == 1 { "child" } else { "children" };
    say(&format!("{}: good, {count} {children}\n", path.display()));
    Ok(Code::Success)
}

// ---- replies ------------------------------------------------------------------

fn gather(client: &mut Client) -> Result<(SupReport, Vec<ChildReport>), Failed> {
    let (mut sup, mut children) = (None, Vec::new());
    loop {
        match client.reply() {
            Some(Reply::Sup(report)) => sup = Some(report),
            Some(Reply::Child(report)) => children.push(report),
            Some(Reply::Refused(words)) => return Err(Failed::failure(words)),
            Some(Reply::Done) => break,
            Some(
                Reply::Ordered { .. }
                | Reply::Planned { .. }
                | Reply::Output { .. }
                | Reply::Event { .. }
                | Reply::Warning(_),
            ) => {}
            None => return Err(broken_off()),
        }
    }
    sup.map(|sup| (sup, children)).ok_or_else(broken_off)
}

fn broken_off() -> Failed {
    Failed::failure("the running sup ended the conversation; it may be ending")
}

fn status(client: &mut Client, json: bool) -> Result<Code, Failed> {
    let (sup, children) = gather(client)?;
    if json {
        say(&(Status::new(&sup, &children).text() + "\n"));
    } else {
        say(&show::status(&sup, &children, style::is_wanted()));
    }
    let good = children.iter().all(|child| child.state.is_good());
    Ok(if good { Code::Success } else { Code::Failure })
}

fn why(client: &mut Client) -> Result<Code, Failed> {
    let (_, children) = gather(client)?;
    for child in &children {
        say(&show::why(child, style::is_wanted()));
    }
    Ok(Code::Success)
}

/// Prints replies as they come.
fn print_replies(client: &mut Client) -> Result<Code, Failed> {
    let mut code = Code::Success;
    loop {
        let going = match client.reply() {
            Some(Reply::Ordered { child, outcome }) => {
                let (words, good) = outcome_words(outcome);
                if !good {
                    code = Code::Failure;
                }
                say(&format!("{child}: {words}\n"))
            }
            Some(Reply::Planned { child, change }) => say(&format!("{child}: {change}\n")),
            Some(Reply::Output { missed, bytes }) => output(missed, &bytes),
            Some(Reply::Event { wall, text }) => say(&format!("{} {text}\n", clock::utc(wall))),
            Some(Reply::Warning(words)) => {
                complain(&format!("sup: warning: {words}\n"));
                true
            }
            Some(Reply::Refused(words)) => return Err(Failed::failure(words)),
            Some(Reply::Sup(_) | Reply::Child(_)) => true,
            Some(Reply::Done) => return Ok(code),
            None => return Err(broken_off()),
        };
        if !going {
            return Ok(code); // Nobody reads us any more: `sup logs | head`.
        }
    }
}

fn outcome_words(outcome: Outcome) -> (&'static str, bool) {
    match outcome {
        Outcome::Done => ("done", true),
        Outcome::Accepted => ("accepted", true),
        Outcome::Unchanged => ("nothing to do, it is so already", true),
        Outcome::NotRunning => ("not running", false),
        Outcome::Ending => ("sup is ending, or the child is being removed", false),
        Outcome::Failed => ("failed; see: sup why", false),
        Outcome::Held => (
            "held: a child that it requires is down; see: sup why",
            false,
        ),
    }
}

fn output(missed: u64, bytes: &[u8]) -> bool {
    if missed > 0 {
        complain(&format!("sup: {missed} bytes came too fast and are lost\n"));
    }
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).is_ok()
}

/// Prints; whether anybody reads.
pub(super) fn say(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_ok()
}

/// Prints to standard error.
pub(super) fn complain(text: &str) {
    let _nobody_reads = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Asks for the whole status, for those who show it themselves.
pub(super) fn whole_status(runtime: &Path) -> Result<(SupReport, Vec<ChildReport>), Failed> {
    gather(&mut Client::ask(
        runtime,
        &Request::Status {
            children: Vec::new(),
        },
    )?)
}
