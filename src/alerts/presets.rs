//! What each service wants to be asked: a message becomes a request.

use serde::{Serialize, Serializer};

use super::http::Request;
use crate::model::Gather as _;
use crate::model::sorted::Map;
use crate::model::words::{Level, Telling};

/// What a message is turned into, besides its own words.
pub(super) struct Around<'a> {
    /// The name of this box.
    pub(super) host: &'a str,
    /// When, as RFC 3339 has it.
    pub(super) time: &'a str,
}

/// Discord refuses more, in characters.
const DISCORD_MAX: usize = 2000;

/// What a person needs to see first.
pub(super) fn title(telling: &Telling, around: &Around<'_>) -> String {
    format!("sup on {}: {}", around.host, telling.level.name())
}

/// The message, and the last lines of output where there are some.
pub(super) fn text(telling: &Telling) -> String {
    match output(telling) {
        Some(output) => format!("{}\n\n{output}", telling.message),
        None => telling.message.clone(),
    }
}

pub(super) fn output(telling: &Telling) -> Option<&str> {
    telling.fact("OUTPUT")
}

/// Facts by their names in small letters, in the order of the alphabet.
pub(super) struct Facts<'a>(Map<String, &'a str>);

impl<'a> Facts<'a> {
    /// Those of a message, without some that stand elsewhere.
    pub(super) fn of(telling: &'a Telling, without: &[&str]) -> Self {
        let facts = telling.facts.iter();
        let facts = facts.filter(|(name, _)| !without.contains(name));
        Self(
            facts
                .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()))
                .gather(),
        )
    }
}

impl Serialize for Facts<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter())
    }
}

// Fields of what is sent stand in the order of the alphabet.

#[derive(Serialize)]
struct Webhook<'a> {
    event: Option<&'a str>,
    facts: Facts<'a>,
    host: &'a str,
    level: &'static str,
    message: &'a str,
    output: Option<&'a str>,
    subject: Option<&'a str>,
    time: &'a str,
}

#[derive(Serialize)]
struct Slack {
    text: String,
}

#[derive(Serialize)]
struct Discord {
    allowed_mentions: Mentions,
    content: String,
}

#[derive(Serialize)]
struct Mentions {
    parse: [&'static str; 0],
}

#[derive(Serialize)]
struct Gotify {
    message: String,
    priority: u8,
    title: String,
}

/// All there is to know, for programs.
pub(super) fn webhook(url: String, telling: &Telling, around: &Around<'_>) -> Request {
    let fact = |name| telling.fact(name);
    let subject = ["CHILD", "GROUP", "SUBJECT"].into_iter().find_map(fact);
    post(
        url,
        &Webhook {
            event: fact("EVENT"),
            facts: Facts::of(telling, &["EVENT", "LEVEL", "OUTPUT"]),
            host: around.host,
            level: telling.level.name(),
            message: &telling.message,
            output: output(telling),
            subject,
            time: around.time,
        },
    )
}

/// In the name of the box, with the output as it is.
fn chat(telling: &Telling, around: &Around<'_>) -> String {
    let head = format!("[{}] {}", around.host, telling.message);
    match output(telling) {
        Some(output) => format!("{head}\n```\n{}\n```", output.replace("```", "'''")),
        None => head,
    }
}

pub(super) fn slack(url: String, telling: &Telling, around: &Around<'_>) -> Request {
    // Slack takes these three for its own marks.
    let text = chat(telling, around)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    post(url, &Slack { text })
}

pub(super) fn discord(url: String, telling: &Telling, around: &Around<'_>) -> Request {
    let mut text = chat(telling, around);
    if text.chars().count() > DISCORD_MAX {
        text = format!("[{}] {}", around.host, telling.message);
        text = text.chars().take(DISCORD_MAX).gather();
    }
    // What a child has printed calls nobody to the screen.
    let allowed_mentions = Mentions { parse: [] };
    post(
        url,
        &Discord {
            allowed_mentions,
            content: text,
        },
    )
}

pub(super) fn ntfy(
    url: String,
    token: Option<&str>,
    telling: &Telling,
    around: &Around<'_>,
) -> Request {
    let (priority, tag) = match telling.level {
        Level::Info => ("3", "white_check_mark"),
        Level::Warning => ("4", "warning"),
        Level::Critical => ("5", "rotating_light"),
    };
    let mut headers = vec![
        ("Title", title(telling, around)),
        ("Priority", priority.to_owned()),
        ("Tags", tag.to_owned()),
    ];
    headers.extend(token.map(|token| ("Authorization", format!("Bearer {token}"))));
    Request {
        url,
        headers,
        body: Some(text(telling).into_bytes()),
    }
}

pub(super) fn gotify(url: &str, token: &str, telling: &Telling, around: &Around<'_>) -> Request {
    let priority = match telling.level {
        Level::Info => 2,
        Level::Warning => 5,
        Level::Critical => 8,
    };
    let body = Gotify {
        message: text(telling),
        priority,
        title: title(telling, around),
    };
    let mut request = post(below(url, "/message"), &body);
    request.headers.push(("X-Gotify-Key", token.to_owned()));
    request
}

pub(super) fn home_assistant(url: String, telling: &Telling, around: &Around<'_>) -> Request {
    // What it is made of is the same; automations read `trigger.json.message` and others.
    webhook(url, telling, around)
}

/// A sign of life; `worst` is what is critical.
pub(super) fn uptime_kuma(url: &str, worst: Option<&Telling>) -> Request {
    let (status, words) = match worst {
        None => ("up", "OK"),
        Some(telling) => ("down", telling.message.as_str()),
    };
    let address = url.split('?').next().unwrap_or_default();
    Request {
        url: format!("{address}?status={status}&msg={}&ping=", encoded(words)),
        headers: Vec::new(),
        body: None,
    }
}

/// A sign of life; `worst` is what is critical.
pub(super) fn healthchecks(url: &str, worst: Option<&Telling>) -> Request {
    let (url, words) = match worst {
        None => (url.to_owned(), "OK".to_owned()),
        Some(telling) => (below(url, "/fail"), text(telling)),
    };
    Request {
        url,
        headers: Vec::new(),
        body: Some(words.into_bytes()),
    }
}

pub(super) fn post(url: String, body: &impl Serialize) -> Request {
    Request {
        url,
        headers: vec![("Content-Type", "application/json".to_owned())],
        body: Some(serde_json::to_vec(body).unwrap_or_default()),
    }
}

/// `http://host/` and `/message` make one address, as do `http://host` and it.
fn below(url: &str, path: &str) -> String {
    let url = url.trim_end_matches('/');
    match url.ends_with(path) {
        true => url.to_owned(),
        false => format!("{url}{path}"),
    }
}

/// As a value in an address.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded += &format!("%{byte:02X}");
        }
    }
    encoded
}
