//! The verbs that are asked of a running sup, and `validate`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::Flags;
use super::branches::Pen;
use super::client::Client;
use super::verbs::Verb;
use super::{Code, Failed, demo, doctor, recipe, scale, show, style, upgrade, why};
use crate::config;
use crate::model::Gather as _;
use crate::model::standing::{Row, Standing};
use crate::model::{Order, Signal};
use crate::os::{clock, place};
use crate::wire::control::{Outcome, Reply, Request};
use crate::wire::json::{self, Status};

/// Lines and events that are shown unless told.
const SHOWN: u32 = 20;

/// Does what a verb says; all verbs but `run`.
///
/// # Errors
/// What went wrong, in words, with the exit code.
pub fn ask(verb: &Verb, flags: &Flags, operands: Vec<String>) -> Result<Code, Failed> {
    match verb.name {
        "validate" => return validate(flags),
        "demo" => return demo::demo(flags),
        "init" => return Ok(recipe::init()),
        "recipe" => return recipe::recipe(flags, &operands),
        "doctor" => return doctor::doctor(flags),
        _ => {}
    }
    let runtime = runtime(flags);
    if let "scale" | "add" | "remove" = verb.name {
        return scale::scale(&runtime, verb.name, flags, &operands);
    }
    if verb.name == "upgrade" {
        return upgrade::upgrade(&runtime, operands.first().map(String::as_str));
    }
    let request = request(verb, flags, operands)?;
    let mut client = Client::ask(&runtime, &request)?;
    match (&request, verb.name) {
        (Request::Status { .. }, "why") => {
            say(&why::why(&gather(&mut client)?, style::is_wanted()));
            Ok(Code::Success)
        }
        (Request::Status { .. }, _) => status(&mut client, flags.has("json")),
        (Request::Shutdown, _) => {
            while client.reply().is_some() {}
            Ok(Code::Success)
        }
        _ => print_replies(&mut client).map(|(code, _)| code),
    }
}

fn request(verb: &Verb, flags: &Flags, operands: Vec<String>) -> Result<Request, Failed> {
    let follow = flags.has("follow");
    Ok(match verb.name {
        "status" | "why" => Request::Status { names: operands },
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
        "alert" => match operands.first().map(String::as_str) {
            Some("test") => Request::TestAlerts,
            Some(_) | None => return Err(Failed::input("sup alert knows one word: test")),
        },
        _ => Request::Shutdown,
    })
}

fn order(order: Order, operands: Vec<String>, flags: &Flags) -> Request {
    let names = if operands == ["all"] {
        Vec::new()
    } else {
        operands
    };
    Request::Order {
        names,
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
            .gather();
        Failed::input(format!(
            "no configuration: name one with --config FILE, or make one of {}",
            places.join(", ")
        ))
    })
}

/// Where the socket is. A configuration that has become wrong, or has gone, must not
/// keep a person from the sup that runs.
pub(super) fn runtime(flags: &Flags) -> PathBuf {
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
    let tree = &loaded.spec.tree;
    let children = match tree.children.len() {
        1 => "1 child".to_owned(),
        count => format!("{count} children"),
    };
    let groups = match tree.groups.len() {
        0 => String::new(),
        1 => ", 1 group".to_owned(),
        count => format!(", {count} groups"),
    };
    say(&format!("{}: good, {children}{groups}\n", path.display()));
    Ok(Code::Success)
}

// ---- replies ------------------------------------------------------------------

fn gather(client: &mut Client) -> Result<Standing, Failed> {
    let (mut sup, mut rows, mut checks) = (None, Vec::new(), Vec::new());
    loop {
        match client.reply() {
            Some(Reply::Sup(report)) => sup = Some(report),
            Some(Reply::Child(report)) => rows.push(Row::Child(report)),
            Some(Reply::Group(report)) => rows.push(Row::Group(report)),
            Some(Reply::Check(report)) => checks.push(report),
            Some(Reply::Refused(words)) => return Err(Failed::failure(words)),
            Some(Reply::Done) => break,
            Some(
                Reply::Ordered { .. }
                | Reply::Planned { .. }
                | Reply::Output { .. }
                | Reply::Event { .. }
                | Reply::Alert { .. }
                | Reply::Warning(_),
            ) => {}
            None => return Err(client.broken_off()),
        }
    }
    let standing = sup.map(|sup| Standing { sup, rows, checks });
    standing.ok_or_else(|| client.broken_off())
}

fn status(client: &mut Client, json: bool) -> Result<Code, Failed> {
    let standing = gather(client)?;
    if json {
        say(&json::line(&Status::new(&standing)));
    } else {
        say(&show::status(&standing, Pen::fitting(), style::is_wanted()));
    }
    Ok(if standing.is_good() {
        Code::Success
    } else {
        Code::Failure
    })
}

/// Prints replies as they come; also, whether anything came of it.
pub(super) fn print_replies(client: &mut Client) -> Result<(Code, bool), Failed> {
    let (mut code, mut any) = (Code::Success, false);
    loop {
        let going = match client.reply() {
            Some(Reply::Ordered { name, outcome }) => {
                any = true;
                let (words, good) = outcome_words(&name, &outcome);
                if !good {
                    code = Code::Failure;
                }
                say(&format!("{name}: {words}\n"))
            }
            Some(Reply::Alert {
                channel,
                taken,
                words,
            }) => {
                if !taken {
                    code = Code::Failure;
                }
                let how = if taken { "taken" } else { "NOT taken" };
                say(&format!("{channel}: {how}: {words}\n"))
            }
            Some(Reply::Planned { name, change }) => say(&format!("{name}: {change}\n")),
            Some(Reply::Output { missed, bytes }) => output(missed, &bytes),
            Some(Reply::Event { wall, text }) => say(&format!("{} {text}\n", clock::utc(wall))),
            Some(Reply::Warning(words)) => {
                complain(&format!("sup: warning: {words}\n"));
                true
            }
            Some(Reply::Refused(words)) => return Err(Failed::failure(words)),
            Some(Reply::Sup(_) | Reply::Child(_) | Reply::Check(_) | Reply::Group(_)) => true,
            Some(Reply::Done) => return Ok((code, any)),
            None => return Err(client.broken_off()),
        };
        if !going {
            return Ok((code, any)); // Nobody reads us any more: `sup logs | head`.
        }
    }
}

/// What became of an order, and whether that is what was asked.
fn outcome_words(name: &str, outcome: &Outcome) -> (String, bool) {
    let (words, good) = match outcome {
        Outcome::Done => ("done", true),
        Outcome::Accepted => ("accepted", true),
        Outcome::Unchanged => ("nothing to do, it is so already", true),
        Outcome::NotRunning => ("not running", false),
        Outcome::Ending => ("sup is ending, or it is being removed", false),
        Outcome::Failed => return (format!("failed; see: sup why {name}"), false),
        Outcome::Held => {
            let words = format!("held: what it requires is down; see: sup why {name}");
            return (words, false);
        }
        Outcome::GroupDown(group) => {
            let words =
                format!("its group {group} is down, and it starts with that: sup start {group}");
            return (words, false);
        }
        Outcome::RequirementDown(group) => {
            let words = format!(
                "what it requires is down with group {group}, and starts with that: sup start {group}"
            );
            return (words, false);
        }
    };
    (words.to_owned(), good)
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
pub(super) fn whole_status(runtime: &Path) -> Result<Standing, Failed> {
    standing(runtime, Vec::new())
}

/// Asks for the story of `why`, for those who show it themselves.
pub(super) fn story(runtime: &Path, name: &str) -> Result<String, Failed> {
    let standing = standing(runtime, vec![name.to_owned()])?;
    Ok(why::why(&standing, style::is_wanted()))
}

fn standing(runtime: &Path, names: Vec<String>) -> Result<Standing, Failed> {
    gather(&mut Client::ask(runtime, &Request::Status { names })?)
}
