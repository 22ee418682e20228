//! A tree in words: one line a child, a group or a template, every key on it, because
//! defaults change.

use std::fmt::Write;

use super::words;
use crate::model::Gather as _;
use crate::model::check::{CheckSpec, Rhythm};
use crate::model::spec::{Backoff, Budget, ExitMatch, Life, LogSpec, OnLimit, Ready, Watchdog};
use crate::model::tree::AutoShutdown;
use crate::model::{ChildSpec, GroupSpec};

/// What policy knows of a child. `launch`: how often its launch has changed.
pub(super) fn child(spec: &ChildSpec, launch: u32) -> String {
    let Life {
        autostart,
        restart,
        success_exit,
        prevent_exit,
        force_exit,
        backoff,
        budget,
        stop,
        start_timeout,
        after,
        requires,
        wait_path,
        significant,
        checks: _, // They have lines of their own.
        watchdog,
    } = &*spec.life;
    let ready = match spec.launch.ready {
        Ready::Started => "started".to_owned(),
        Ready::Notify => "notify".to_owned(),
        Ready::Descriptor(number) => number.to_string(),
        Ready::Check => "check".to_owned(),
    };
    let output = match spec.log {
        LogSpec::Ring | LogSpec::File(_) => "pipe",
        LogSpec::Inherit => "inherit",
        LogSpec::Null => "null",
    };
    let mut text = format!(
        "launch={launch} ready={ready} output={output} autostart={} restart={}",
        yes(*autostart),
        restart.name()
    );
    for (key, exits) in [
        ("success", success_exit),
        ("prevent", prevent_exit),
        ("force", force_exit),
    ] {
        let exits: Vec<String> = exits.iter().map(exit_match).gather();
        let _string = write!(text, " {key}={}", exits.join(","));
    }
    let _string = write!(
        text,
        " {} {} stop={} stop-timeout={} start-timeout={} after={} requires={} significant={}",
        waits(backoff),
        limit(Some(*budget)),
        words::signal(stop.signal),
        maybe(stop.timeout),
        maybe(*start_timeout),
        after.join(","),
        requires.join(","),
        yes(*significant)
    );
    if !wait_path.is_empty() {
        let paths: Vec<String> = wait_path.iter().map(|path| escaped(path)).gather();
        let _string = write!(text, " wait-path={}", paths.join(","));
    }
    if let Some(Watchdog { within, file }) = watchdog {
        let key = if file.is_some() {
            "heartbeat"
        } else {
            "watchdog"
        };
        let _string = write!(text, " {key}={}", words::span(*within));
    }
    text
}

/// A path as one word without commas.
fn escaped(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"%,".contains(&byte);
    let letter = |byte: u8| match is_plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02x}"),
    };
    path.bytes().map(letter).gather()
}

/// What policy knows of a check. `look`: how often what it looks at has changed.
pub(super) fn check(spec: &CheckSpec, look: u32) -> String {
    let Rhythm {
        interval,
        start_interval,
        start_period,
        timeout,
        retries,
    } = spec.rhythm;
    format!(
        "look={look} interval={} start-interval={} start-period={} timeout={} \
         retries={retries} on-critical={} readies={}",
        words::span(interval),
        words::span(start_interval),
        words::span(start_period),
        words::span(timeout),
        spec.on_critical.name(),
        yes(spec.readies)
    )
}

/// What policy knows of a group. Instances are not members that anybody has named.
pub(super) fn group(spec: &GroupSpec) -> String {
    let auto = AutoShutdown::NAMES
        .iter()
        .find(|(_, auto)| *auto == spec.auto_shutdown)
        .map_or("never", |(name, _)| name);
    let members = match spec.template {
        Some(_) => String::new(),
        None => spec.members.join(","),
    };
    format!(
        "strategy={} members={members} autostart={} {} {} restart={} significant={} auto-shutdown={auto}",
        spec.strategy.name(),
        yes(spec.autostart),
        waits(&spec.backoff),
        limit(spec.budget),
        spec.restart.name(),
        yes(spec.significant)
    )
}

fn yes(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

fn maybe(span: Option<core::time::Duration>) -> String {
    span.map_or_else(|| "never".to_owned(), words::span)
}

fn exit_match(exit: &ExitMatch) -> String {
    match *exit {
        ExitMatch::Code(code) => code.to_string(),
        ExitMatch::Signal(signal) => words::signal(signal),
    }
}

fn waits(backoff: &Backoff) -> String {
    let Backoff {
        first,
        factor_milli,
        longest,
        settle,
        jitter_percent,
    } = *backoff;
    format!(
        "first={} factor={factor_milli} longest={} settle={} jitter={jitter_percent}",
        words::span(first),
        words::span(longest),
        words::span(settle)
    )
}

fn limit(budget: Option<Budget>) -> String {
    let Some(budget) = budget else {
        return "restarts=uncounted".to_owned();
    };
    let restarts = budget.max_restarts;
    let restarts = restarts.map_or_else(|| "unlimited".to_owned(), |max| max.to_string());
    let then = match budget.on_limit {
        OnLimit::GiveUp => "give-up".to_owned(),
        OnLimit::Park(pause) => format!("park:{}", words::span(pause)),
        OnLimit::Escalate => "escalate".to_owned(),
    };
    format!(
        "restarts={restarts} window={} on-limit={then}",
        words::span(budget.window)
    )
}
