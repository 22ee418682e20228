//! `[[child.NAME.check]]` and `[[check]]`: what is looked at, and how often.

use std::time::Duration;

use crate::model::Gather as _;
use crate::model::check::{
    Address, Amount, Bounds, CheckSpec, FileBounds, Kind, OnCritical, Rhythm, Url, Whose,
};
use crate::model::limits::CHECKS_MAX;
use crate::model::spec::Watchdog;
use crate::model::tree::INSTANCE;

use super::at::At;
use super::keys::Table;
use super::mistake::quoted;
use super::raw::Section;
use super::{launch, value};

/// The keys of which each check has one.
const KINDS: [&str; 8] = [
    "exec", "tcp", "http", "file", "disk", "memory", "process", "log",
];

/// Keys that only some kinds have, and which.
const OF_KINDS: [(&str, &[&str]); 6] = [
    ("send", &["tcp"]),
    ("expect", &["tcp"]),
    ("status", &["http"]),
    ("body", &["http"]),
    ("within", &["log"]),
    (
        "critical",
        &["tcp", "http", "file", "disk", "memory", "log"],
    ),
];

/// An age at which a heartbeat is old, unless told.
const HEARTBEAT: Duration = Duration::from_secs(300);

/// How full a disk may be, unless told, in percent.
const DISK: Bounds<u8> = Bounds {
    warn: Some(80),
    critical: Some(90),
};

/// How much memory of the box may be in use, unless told.
const MEMORY: Bounds<Amount> = Bounds {
    warn: Some(Amount::Percent(90)),
    critical: None,
};

/// The checks of a child, or of the box.
pub(super) fn read(value: &At, is_host: bool) -> Box<[CheckSpec]> {
    if value.value.as_array().is_none() {
        let hint = if is_host {
            "write [[check]]"
        } else {
            "write [[child.NAME.check]]"
        };
        value.mistake("is a list of tables", hint);
        return Box::default();
    }
    let mut checks: Vec<CheckSpec> = Vec::new();
    for item in value.items() {
        if checks.len() == CHECKS_MAX {
            item.mistake(&format!("more than {CHECKS_MAX} checks"), "take some out");
            break;
        }
        let Some(section) = item.section(Table::Check) else {
            continue;
        };
        let Some(kind) = kind(&section, is_host) else {
            continue;
        };
        let name = name(&section, &kind, &checks);
        checks.push(CheckSpec {
            name,
            kind,
            rhythm: rhythm(&section),
            on_critical: on_critical(&section, is_host),
            readies: false,
        });
    }
    checks.into()
}

/// The one that says what is looked at.
fn kind(section: &Section, is_host: bool) -> Option<Kind> {
    let written: Vec<(&str, At)> = KINDS
        .iter()
        .filter_map(|name| Some((*name, section.get(name)?)))
        .gather();
    let [(name, at)] = &written[..] else {
        let problem = match written.len() {
            0 => "does not say what is looked at".to_owned(),
            _ => {
                let names: Vec<_> = written.iter().map(|(name, _)| *name).gather();
                format!("looks at several things: {}", names.join(", "))
            }
        };
        let hint = format!("one of {} in each check", KINDS.join(", "));
        let (line, path) = (section.line, &section.path);
        section.page.mistake(line, path, &problem, &hint);
        return None;
    };
    if is_host && matches!(*name, "process" | "log") {
        at.mistake("is of a child", "move it to [[child.NAME.check]]");
        return None;
    }
    for (key, kinds) in OF_KINDS {
        if let Some(at) = section.get(key).filter(|_| !kinds.contains(name)) {
            let problem = format!("has no place in a check of {name}");
            at.mistake(&problem, &format!("it belongs to {}", kinds.join(", ")));
        }
    }
    match *name {
        "exec" => exec(section, at),
        "tcp" => tcp(section, at),
        "http" => http(section, at),
        "file" => Some(Kind::File {
            path: at.path()?,
            bounds: file_bounds(section),
        }),
        "disk" => Some(Kind::Disk {
            path: at.path()?,
            used: bounds(section, percent).unwrap_or(DISK),
        }),
        "memory" => memory(section, at, is_host),
        "process" => process(section, at),
        _ => log(section, at),
    }
}

fn exec(section: &Section, at: &At) -> Option<Kind> {
    let codes = section.get("warn").map(|warn| {
        let codes = warn.items();
        let codes = codes.iter().filter_map(|code| code.whole(1, 255));
        codes.filter_map(|code| u8::try_from(code).ok()).gather()
    });
    Some(Kind::Exec {
        command: launch::command(at)?,
        warn: codes.unwrap_or_default(),
    })
}

/// A text in which a number of an instance will stand.
fn example(text: &str) -> String {
    text.replace(INSTANCE, "1")
}

fn tcp(section: &Section, at: &At) -> Option<Kind> {
    let to = match at.integer() {
        Some(_) => format!("127.0.0.1:{}", at.whole(1, 65_535)?),
        None => at.text()?.to_owned(),
    };
    if Address::parse(&example(&to)).is_none() {
        let hint = "write a port, \"127.0.0.1:6379\", \"[::1]:6379\", \"localhost:6379\" or \"/run/redis.sock\"; no names are looked up";
        at.mistake(&format!("{} is not an address", quoted(&to)), hint);
        return None;
    }
    let text = |key: &str| section.get(key).and_then(|at| at.text().map(Into::into));
    let (send, expect) = (text("send"), text("expect"));
    if let (Some(at), Some(_), None) = (section.get("send"), &send, section.get("expect")) {
        at.mistake("asks, and no answer is awaited", "add expect = \"…\"");
    }
    Some(Kind::Tcp {
        to: to.into(),
        send,
        expect,
        time: bounds(section, duration).unwrap_or_default(),
    })
}

fn http(section: &Section, at: &At) -> Option<Kind> {
    let url = at.text()?;
    if Url::parse(&example(url)).is_none() {
        let hint = if url.starts_with("https:") {
            "sup speaks no TLS: write exec = [\"curl\", \"-fsS\", \"https://…\"]"
        } else {
            "write \"http://127.0.0.1:8080/health\": an address or localhost, no names are looked up"
        };
        at.mistake(&format!("{} cannot be read", quoted(url)), hint);
        return None;
    }
    let body = section.get("body").and_then(|at| at.text().map(Into::into));
    let status = section.get("status").and_then(|at| status(&at));
    Some(Kind::Http {
        url: url.into(),
        status: status.unwrap_or((200, 399)),
        body,
        time: bounds(section, duration).unwrap_or_default(),
    })
}

/// One status, or the first and the last of a range.
fn status(at: &At) -> Option<(u16, u16)> {
    let code = |number: &str| {
        number
            .trim()
            .parse()
            .ok()
            .filter(|code| (100..600).contains(code))
    };
    if at.integer().is_some() {
        let status = u16::try_from(at.whole(100, 599)?).ok()?;
        return Some((status, status));
    }
    let text = at.text()?;
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (code(first), code(last)) {
        (Some(first), Some(last)) if first <= last => Some((first, last)),
        _ => {
            let hint = "write 200, or \"200-399\"";
            at.mistake(&format!("{} is no range of a status", quoted(text)), hint);
            None
        }
    }
}

/// By the first of them that is a duration or a size.
fn file_bounds(section: &Section) -> FileBounds {
    let written = ["warn", "critical"]
        .into_iter()
        .filter_map(|key| section.get(key));
    let text = |at: &At| at.value.as_str().map(value::duration);
    let mut kinds = written.map(|at| matches!(text(&at), Some(Err(_))) || at.integer().is_some());
    if kinds.any(|is_size| is_size) {
        FileBounds::Size(bounds(section, size).unwrap_or_default())
    } else {
        let heartbeat = Bounds {
            warn: Some(HEARTBEAT),
            critical: None,
        };
        FileBounds::Age(bounds(section, duration).unwrap_or(heartbeat))
    }
}

fn memory(section: &Section, at: &At, is_host: bool) -> Option<Kind> {
    let of = match at.choice("whose memory", &["host", "child"])? {
        0 => Whose::Host,
        _ if is_host => {
            at.mistake("is of a child", "move it to [[child.NAME.check]]");
            return None;
        }
        _ => Whose::Child,
    };
    let used = bounds(section, amount);
    if of == Whose::Child && used.is_none() {
        at.mistake(
            "has no bound",
            "add warn = \"200M\", critical = \"50%\" or both",
        );
        return None;
    }
    Some(Kind::Memory {
        of,
        used: used.unwrap_or(MEMORY),
    })
}

fn process(section: &Section, at: &At) -> Option<Kind> {
    if let Some(warn) = section.get("warn") {
        let hint = "it is a warning when the process is stopped";
        warn.mistake("has no place in a check of process", hint);
    }
    if !at.flag()? {
        at.mistake("looks at nothing", "write true, or take the check out");
        return None;
    }
    Some(Kind::Process)
}

fn log(section: &Section, at: &At) -> Option<Kind> {
    const TEXT_MAX: usize = 256;
    let text = at.text()?;
    if text.len() > TEXT_MAX || text.contains('\n') {
        at.mistake(
            "is no part of a line",
            &format!("at most {TEXT_MAX} bytes of one line"),
        );
        return None;
    }
    let lines = |at: &At| u32::try_from(at.whole(0, 1_000_000)?).ok();
    let within = section.need("within").and_then(|at| at.positive_duration());
    let bounds = bounds(section, lines);
    if bounds.is_none() {
        at.mistake(
            "has no bound",
            "add warn = 5, critical = 50 or both: more lines than that",
        );
    }
    Some(Kind::Log {
        text: text.into(),
        within: within?,
        lines: bounds?,
    })
}

/// `warn` and `critical`; `None` where neither is written.
fn bounds<T: PartialOrd>(section: &Section, read: impl Fn(&At) -> Option<T>) -> Option<Bounds<T>> {
    let of = |key: &str| section.get(key).map(|at| (read(&at), at));
    let (warn, critical) = (of("warn"), of("critical"));
    if warn.is_none() && critical.is_none() {
        return None;
    }
    if let (Some((Some(warn), _)), Some((Some(critical), at))) = (&warn, &critical)
        && critical < warn
    {
        at.mistake("is less than warn", "a warning comes before it is critical");
    }
    Some(Bounds {
        warn: warn.and_then(|(warn, _)| warn),
        critical: critical.and_then(|(critical, _)| critical),
    })
}

fn duration(at: &At) -> Option<Duration> {
    at.positive_duration()
}

fn size(at: &At) -> Option<u64> {
    at.size()
}

fn percent(at: &At) -> Option<u8> {
    let percent = at.value.as_str().and_then(value::percent);
    if percent.is_none() {
        at.mistake("is not a percentage", "allowed: \"0%\" to \"100%\"");
    }
    percent
}

/// A percentage or a size.
fn amount(at: &At) -> Option<Amount> {
    match at.value.as_str() {
        Some(text) if text.ends_with('%') => percent(at).map(Amount::Percent),
        Some(_) | None => at.size().map(Amount::Bytes),
    }
}

fn name(section: &Section, kind: &Kind, others: &[CheckSpec]) -> Box<str> {
    let is_taken = |name: &str| others.iter().any(|other| *other.name == *name);
    if let Some(at) = section.get("name")
        && let Some(name) = at.text()
    {
        let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
        if !name.chars().all(is_plain) || name.len() > 64 {
            at.mistake(
                &format!("{} is not a name", quoted(name)),
                "letters, digits, ., _ and -",
            );
        } else if is_taken(name) {
            at.mistake(
                &format!("{} is there a second time", quoted(name)),
                "rename one",
            );
        }
        return name.into();
    }
    let numbered = (2..).map(|number| format!("{}-{number}", kind.name()));
    let mut names = std::iter::once(kind.name().to_owned()).chain(numbered);
    names
        .find(|name| !is_taken(name))
        .unwrap_or_default()
        .into()
}

fn rhythm(section: &Section) -> Rhythm {
    let mut rhythm = Rhythm::default();
    let times = [
        ("interval", &mut rhythm.interval),
        ("start-interval", &mut rhythm.start_interval),
        ("timeout", &mut rhythm.timeout),
    ];
    for (key, time) in times {
        if let Some(at) = section.get(key) {
            *time = at.positive_duration().unwrap_or(*time);
        }
    }
    if let Some(period) = section.get("start-period").and_then(|at| at.duration()) {
        rhythm.start_period = period;
    }
    if let Some(retries) = section.get("retries").and_then(|at| at.whole(1, 100)) {
        rhythm.retries = u8::try_from(retries).unwrap_or(rhythm.retries);
    }
    rhythm
}

fn on_critical(section: &Section, is_host: bool) -> OnCritical {
    let Some(at) = section.get("on-critical") else {
        return OnCritical::Alert;
    };
    match at.choice("what can follow", &["alert", "restart"]) {
        Some(1) if is_host => {
            let hint = "a box is not restarted; a check of a child restarts that";
            at.mistake("has no place in a check of the box", hint);
            OnCritical::Alert
        }
        Some(1) => OnCritical::Restart,
        _ => OnCritical::Alert,
    }
}

/// `watchdog`: a time, or a file with a time.
pub(super) fn watchdog(at: &At) -> Option<Watchdog> {
    if at.value.as_table().is_none() {
        let within = at.positive_duration()?;
        return Some(Watchdog { within, file: None });
    }
    let section = at.section(Table::Watchdog)?;
    let file = section.need("file").and_then(|at| at.path());
    let within = section.need("within").and_then(|at| at.positive_duration());
    Some(Watchdog {
        within: within?,
        file: Some(file?),
    })
}

/// The check by which a child is ready is one of its own.
pub(super) fn readies(section: &Section, checks: &mut [CheckSpec]) {
    let Some(at) = section.get("ready") else {
        return;
    };
    let table = at.value.as_table();
    let wanted = table.and_then(|table| table.entries.get("check")?.value.as_str());
    let Some(wanted) = wanted else {
        return;
    };
    if let Some(check) = checks.iter_mut().find(|check| *check.name == *wanted) {
        check.readies = true;
        return;
    }
    let names: Vec<&str> = checks.iter().map(|check| &*check.name).gather();
    let hint = match &names[..] {
        [] => "it has no checks: add one".to_owned(),
        names => format!("there are: {}", names.join(", ")),
    };
    at.mistake(&format!("there is no check {}", quoted(wanted)), &hint);
}
