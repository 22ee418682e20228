//! `[[alert]]`: one way to people.

use std::rc::Rc;

use crate::model::Gather as _;
use crate::model::alert::{AlertSpec, Channel, HOST, Quiet, Secret};
use crate::model::limits::{NAME_MAX, PER_HOUR_MAX};
use crate::model::words::Level;

use super::at::At;
use super::keys::Table;
use super::launch;
use super::mistake::{Notes, quoted};
use super::names::Names;
use super::place::{Link, Place};
use super::raw::Section;
use super::read::Gathered;
use super::tree::Value;

/// The keys that say which way it is; each table has one of them.
const WAYS: [&str; 13] = [
    "exec",
    "webhook",
    "slack",
    "discord",
    "ntfy",
    "gotify",
    "home-assistant",
    "uptime-kuma",
    "healthchecks",
    "mail",
    "qnap",
    "synology",
    "app-insights",
];

const LEVELS: [(&str, Level); 3] = [
    ("info", Level::Info),
    ("warning", Level::Warning),
    ("critical", Level::Critical),
];

/// One channel, and where it names whom.
pub(super) struct Alert {
    pub(super) spec: AlertSpec,
    /// Whether somebody has given it its name.
    is_named: bool,
    place: Place,
    links: Vec<Link>,
}

/// Reads one table; `None`: it names no way that could be understood.
pub(super) fn read(file: &Rc<str>, section: &Section) -> Option<Alert> {
    // All of it is looked at, whatever else is wrong.
    let channel = way(section);
    let token = section.get("token").and_then(|at| secret(&at));
    let name = section.get("name").and_then(|at| name(&at));
    let common = |spec: &mut AlertSpec| common(section, spec);
    let mut links = Vec::new();
    if let Some(only) = section.get("only") {
        links = only.links("only");
    }
    let Some(mut channel) = channel else {
        common(&mut AlertSpec::new(Channel::Qnap));
        return None;
    };
    match (&mut channel, token) {
        (Channel::Ntfy { token, .. }, given) => *token = given,
        (Channel::Gotify { token, .. }, Some(given)) => *token = given,
        (Channel::Gotify { .. }, None) => {
            section.need("token");
        }
        (_, Some(_)) => {
            if let Some(value) = section.get("token") {
                value.mistake("has no place here", "only ntfy and gotify take a token");
            }
        }
        (_, None) => {}
    }
    let mut spec = AlertSpec::new(channel);
    common(&mut spec);
    spec.only = links.iter().map(|link| link.name.clone()).gather();
    let is_named = name.is_some();
    if let Some(name) = name {
        spec.name = name;
    }
    Some(Alert {
        spec,
        is_named,
        place: Place::of(file, section),
        links,
    })
}

/// The one way that it names.
fn way(section: &Section) -> Option<Channel> {
    let given: Vec<(&str, At)> = WAYS
        .iter()
        .filter_map(|way| Some((*way, section.get(way)?)))
        .gather();
    let ways: Vec<Option<Channel>> = given.iter().map(|(way, at)| channel(way, at)).gather();
    match given.as_slice() {
        [] => {
            let hint = format!("write one of {}", WAYS.join(", "));
            section
                .page
                .mistake(section.line, &section.path, "says no way", &hint);
        }
        [(first, _), (_, second), ..] => {
            let hint = "write an [[alert]] of its own for each";
            second.mistake(&format!("has {first} already"), hint);
        }
        [_] => {}
    }
    ways.into_iter().next().flatten()
}

fn channel(way: &str, at: &At) -> Option<Channel> {
    Some(match way {
        "exec" => Channel::Exec(launch::strings(at)?),
        "webhook" => Channel::Webhook(address(at)?),
        "slack" => Channel::Slack(address(at)?),
        "discord" => Channel::Discord(address(at)?),
        "ntfy" => Channel::Ntfy {
            url: address(at)?,
            token: None,
        },
        "gotify" => Channel::Gotify {
            url: address(at)?,
            token: Secret::Plain("".into()),
        },
        "home-assistant" => Channel::HomeAssistant(address(at)?),
        "uptime-kuma" => Channel::UptimeKuma(address(at)?),
        "healthchecks" => Channel::Healthchecks(address(at)?),
        "mail" => Channel::Mail(mail(at)?),
        "qnap" => switched_on(at).then_some(Channel::Qnap)?,
        "synology" => switched_on(at).then_some(Channel::Synology)?,
        _ => Channel::AppInsights(secret(at)?),
    })
}

fn switched_on(at: &At) -> bool {
    let flag = at.flag();
    if flag == Some(false) {
        at.mistake("false says no way", "write true, or take the table out");
    }
    flag == Some(true)
}

/// Addresses of people, separated by commas.
fn mail(at: &At) -> Option<Box<str>> {
    let addresses: Vec<&str> = at.items().iter().filter_map(At::text).gather();
    let is_one = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_graphic() && !b",;<>\"".contains(&byte);
        text.contains('@') && text.bytes().all(plain)
    };
    for text in &addresses {
        if !is_one(text) {
            at.wrong(&format!("{} is no address of a person", quoted(text)));
            return None;
        }
    }
    (!addresses.is_empty()).then(|| addresses.join(", ").into())
}

/// A secret that is an address of a server.
fn address(at: &At) -> Option<Secret> {
    let secret = secret(at)?;
    if let Secret::Plain(url) = &secret {
        let rest = url
            .strip_prefix("http://")
            .or_else(|| url.strip_prefix("https://"));
        let fits = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic());
        if !rest.is_some_and(fits) {
            at.wrong(
                "does not begin with http:// or https://, or has a letter that no address has",
            );
            return None;
        }
    }
    Some(secret)
}

/// A text, `$VARIABLE` or `{ file = … }`.
fn secret(at: &At) -> Option<Secret> {
    if let Value::Table(_) = at.value {
        let path = at.section(Table::Secret)?.need("file")?.path()?;
        return Some(Secret::File(path));
    }
    let text = at.text()?;
    match text.strip_prefix('$') {
        None => Some(Secret::Plain(text.into())),
        Some(name) if !name.is_empty() && !name.contains('=') => {
            Some(Secret::Variable(name.into()))
        }
        Some(_) => {
            at.wrong("names no variable");
            None
        }
    }
}

fn name(at: &At) -> Option<Box<str>> {
    let name = at.text()?;
    if name.len() > NAME_MAX || name.chars().any(char::is_control) {
        let problem = format!("is longer than {NAME_MAX} bytes, or more than one line");
        at.mistake(&problem, "choose a short one");
        return None;
    }
    Some(name.into())
}

/// The keys that every way has.
fn common(section: &Section, spec: &mut AlertSpec) {
    if section.get("repeat").and_then(|at| at.flag()) == Some(true) {
        *spec = spec.clone().repeating();
    }
    let names = LEVELS.map(|(name, _)| name);
    let level = section.get("level");
    if let Some(place) = level.and_then(|at| at.choice("a level", &names)) {
        spec.level = LEVELS[place].1;
    }
    if let Some(number) = section
        .get("restarts")
        .and_then(|at| at.whole(1, i128::from(u32::MAX)))
    {
        spec.restarts = u32::try_from(number).unwrap_or(u32::MAX);
    }
    spec.quiet = section.get("quiet").and_then(|at| quiet(&at));
    spec.reminder = section
        .get("reminder")
        .and_then(|at| at.positive_duration());
    if let Some(number) = section
        .get("per-hour")
        .and_then(|at| at.whole(1, i128::from(PER_HOUR_MAX)))
    {
        spec.per_hour = u16::try_from(number).unwrap_or(PER_HOUR_MAX);
    }
    if let Some(span) = section
        .get("interval")
        .and_then(|at| at.positive_duration())
    {
        spec.interval = span;
    }
    if let Some(flag) = section.get("output").and_then(|at| at.flag()) {
        spec.output = flag;
    }
    for key in ["quiet", "reminder"] {
        if let (true, Some(value)) = (spec.repeat, section.get(key)) {
            let hint = "what is repeated is told as it comes: take one of the two out";
            value.mistake("has no place beside repeat = true", hint);
        }
    }
}

/// `22:00-07:00`.
fn quiet(at: &At) -> Option<Quiet> {
    let text = at.text()?;
    let minute = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let is_two = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        let (hour, minute) = (
            is_two(hour).then_some(hour)?,
            is_two(minute).then_some(minute)?,
        );
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour < 24 && minute < 60).then_some(60 * hour + minute)
    };
    let parts = text.split_once('-');
    let parts = parts.and_then(|(from, to)| Some((minute(from)?, minute(to)?)));
    match parts {
        Some((from, to)) if from != to => Some(Quiet { from, to }),
        Some(_) | None => {
            at.wrong(&format!("{} is no part of a day", quoted(text)));
            None
        }
    }
}

/// What no table can see alone: whom it is about, and names of its own for all.
pub(super) fn check(gathered: &mut Gathered, names: &Names, notes: &Notes) {
    for alert in &gathered.alerts {
        for link in &alert.links {
            if names.get(&link.name).is_none() && *link.name != *HOST {
                names.unknown(gathered, &alert.place, link, notes);
            }
        }
    }
    let mut taken: Vec<Box<str>> = Vec::new();
    for alert in gathered.alerts.iter().filter(|alert| alert.is_named) {
        if taken.contains(&alert.spec.name) {
            let problem = format!("{} is there already", quoted(&alert.spec.name));
            let place = &alert.place;
            notes.mistake(place.note(place.line, "name", &problem, "rename one of the two"));
        }
        taken.push(alert.spec.name.clone());
    }
    for alert in gathered.alerts.iter_mut().filter(|alert| !alert.is_named) {
        let way = alert.spec.channel.name();
        let mut name: Box<str> = way.into();
        let mut number = 2;
        while taken.contains(&name) {
            name = format!("{way}-{number}").into();
            number += 1;
        }
        taken.push(name.clone());
        alert.spec.name = name;
    }
}
