//! What happens over a child's life: the keys about ends, waits and times.

use std::time::Duration;

use crate::model::Gather as _;
use crate::model::spec::{Backoff, ExitMatch, Life, RestartPolicy};
use crate::model::{Signal, time};

use super::at::At;
use super::keys::Table;
use super::mistake::quoted;
use super::raw::Section;
use super::tree::Value;
use super::value;

/// Reads everything but `autostart`, the budget and the names of others, over what holds already.
pub(super) fn read(section: &Section, life: &mut Life) {
    if let Some(paths) = section.get("wait-path") {
        life.wait_path = paths.items().iter().filter_map(At::path).gather();
    }
    exits(section, life);
    times(section, life);
    backoff(section, &mut life.backoff);
}

/// A child's or a group's `backoff`.
pub(super) fn backoff(section: &Section, backoff: &mut Backoff) {
    if let Some(table) = section
        .get("backoff")
        .and_then(|at| at.section(Table::Backoff))
    {
        waits(&table, backoff);
    }
}

fn exits(section: &Section, life: &mut Life) {
    if let Some(restart) = section.get("restart") {
        let names = RestartPolicy::NAMES.map(|(name, _)| name);
        if let Some(place) = restart.choice("a restart policy", &names) {
            life.restart = RestartPolicy::NAMES[place].1;
        }
    }
    let lists = [
        ("success-exit", &mut life.success_exit),
        ("prevent-exit", &mut life.prevent_exit),
        ("force-exit", &mut life.force_exit),
    ];
    for (key, list) in lists {
        if let Some(value) = section.get(key) {
            *list = value.items().iter().filter_map(exit_match).gather();
        }
    }
}

fn exit_match(value: &At) -> Option<ExitMatch> {
    if value.integer().is_some() {
        let code = value.whole(0, 255)?;
        return u8::try_from(code).ok().map(ExitMatch::Code);
    }
    let name = value.text()?;
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        value.mistake(
            &format!("{} is not the name of a signal", quoted(name)),
            "an exit code goes without quotes",
        );
        return None;
    }
    let signal = Signal::parse(name);
    if signal.is_none() {
        value.wrong(&format!("{} is not the name of a signal", quoted(name)));
    }
    signal.map(ExitMatch::Signal)
}

fn times(section: &Section, life: &mut Life) {
    if let Some(signal) = section.get("stop-signal").and_then(|at| stop_signal(&at)) {
        life.stop.signal = signal;
    }
    if let Some(timeout) = section
        .get("stop-timeout")
        .and_then(|at| at.duration_or_never())
    {
        life.stop.timeout = timeout;
    }
    if let Some(at) = section.get("start-timeout") {
        match at.duration_or_never() {
            Some(Some(Duration::ZERO)) => at.mistake(
                "leaves no time to become ready",
                "write \"never\" if it may take for ever",
            ),
            Some(timeout) => life.start_timeout = timeout,
            None => {}
        }
    }
}

fn stop_signal(value: &At) -> Option<Signal> {
    if value.integer().is_some() {
        let number = value.whole(1, 64)?;
        return u8::try_from(number).ok().map(Signal);
    }
    let name = value.text()?;
    let signal = Signal::parse(name);
    if signal.is_none() {
        value.wrong(&format!("{} is not a signal", quoted(name)));
    }
    signal
}

fn waits(section: &Section, backoff: &mut Backoff) {
    let times = [
        ("first", &mut backoff.first),
        ("longest", &mut backoff.longest),
        ("settle", &mut backoff.settle),
    ];
    for (key, time) in times {
        if let Some(span) = section.get(key).and_then(|at| at.duration()) {
            *time = span;
        }
    }
    if let Some(factor) = section.get("factor").and_then(|at| factor(&at)) {
        backoff.factor_milli = factor;
    }
    if let Some(jitter) = section.get("jitter").and_then(|at| jitter(&at)) {
        backoff.jitter_percent = jitter;
    }
    if backoff.first > backoff.longest {
        let problem = format!(
            "first ({}) is longer than longest ({})",
            value::span(backoff.first),
            value::span(backoff.longest)
        );
        let hint = "the first wait is the shortest: make longest longer, or first shorter";
        section
            .page
            .mistake(section.line, &section.path, &problem, hint);
    }
}

/// A factor in thousandths.
fn factor(value: &At) -> Option<u32> {
    let text = match value.value {
        Value::Float(number) => number.as_ref(),
        Value::Integer(_) => {
            return value
                .whole(1, 100)
                .and_then(|n| u32::try_from(n * 1000).ok());
        }
        Value::String(_) | Value::Boolean(_) | Value::Date | Value::Array(_) | Value::Table(_) => {
            value.wrong_type();
            return None;
        }
    };
    // It has as many thousandths as so many seconds have milliseconds.
    let thousandths = time::seconds(text).and_then(|span| u32::try_from(span.as_millis()).ok());
    let factor = thousandths.filter(|factor| (1000..=100_000).contains(factor));
    if factor.is_none() {
        value.mistake(&format!("{text} is out of range"), "allowed: 1 to 100");
    }
    factor
}

fn jitter(value: &At) -> Option<u8> {
    let Some(text) = value.value.as_str() else {
        return value
            .whole(0, 100)
            .and_then(|number| u8::try_from(number).ok());
    };
    let percent = value::percent(text);
    if percent.is_none() {
        value.mistake(
            &format!("{} is not a percentage", quoted(text)),
            "allowed: \"0%\" to \"100%\"",
        );
    }
    percent
}
