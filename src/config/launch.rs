//! How a process is made: the keys of a child that a start goes by.

use std::ffi::CString;

use crate::model::Gather as _;
use crate::model::spec::{EnvBase, Launch, Ready};

use super::at::At;
use super::keys::Table;
use super::mistake::quoted;
use super::raw::Section;
use super::tree::Value;
use super::{rlimit, value};

/// Reads everything but the command, over what holds already.
pub(super) fn read(section: &Section, launch: &mut Launch) {
    identity(section, launch);
    environment(section, launch);
    kernel(section, launch);
}

/// `command`, as words or as one string.
pub(super) fn command(value: &At) -> Option<Box<[CString]>> {
    let Some(line) = value.value.as_str() else {
        return strings(value);
    };
    let line = value.without_nul(line)?;
    match value::words(line) {
        Err(problem) => {
            let hint = "quote it with '…' if the program is to see it, or write command = [\"/bin/sh\", \"-c\", \"…\"]";
            value.mistake(&problem, hint);
            None
        }
        Ok(words) if words.first().is_none_or(String::is_empty) => {
            value.wrong("has no program");
            None
        }
        Ok(words) => words
            .into_iter()
            .map(|word| CString::new(word).ok())
            .gather(),
    }
}

/// A program and its arguments as an array of strings.
pub(super) fn strings(value: &At) -> Option<Box<[CString]>> {
    let Some(array) = value.value.as_array() else {
        value.wrong_type();
        return None;
    };
    let items = value.items();
    if array
        .first()
        .is_none_or(|first| first.value.as_str() == Some(""))
    {
        value.wrong("has no program");
        return None;
    }
    let mut words = Some(Vec::new());
    for item in items {
        let Some(word) = item.value.as_str() else {
            item.mistake("an argument must be a string", "put it in quotes");
            words = None;
            continue;
        };
        let word = item
            .without_nul(word)
            .and_then(|word| CString::new(word).ok());
        match (&mut words, word) {
            (Some(words), Some(word)) => words.push(word),
            (_, None) => words = None,
            (None, Some(_)) => {}
        }
    }
    words.map(Vec::into_boxed_slice)
}

fn identity(section: &Section, launch: &mut Launch) {
    if let Some(dir) = section.get("dir").and_then(|at| at.path()) {
        launch.dir = Some(dir);
    }
    if let Some(user) = section.get("user").and_then(|at| account(&at)) {
        launch.user = Some(user);
    }
    if let Some(group) = section.get("group").and_then(|at| account(&at)) {
        launch.group = Some(group);
    }
}

/// A name, or a number that is not the one that means "unchanged" to the kernel.
fn account(value: &At) -> Option<Box<str>> {
    if value.integer().is_some() {
        let number = value.whole(0, i128::from(u32::MAX) - 1)?;
        return Some(number.to_string().into());
    }
    let name = value.text()?;
    if name.contains([':', '/', ' ', '\t', '\n']) {
        value.wrong(&format!("{} is not a name", quoted(name)));
        return None;
    }
    Some(name.into())
}

fn environment(section: &Section, launch: &mut Launch) {
    if let Some(table) = section.get("env") {
        let mut env = std::mem::take(&mut launch.env).into_vec();
        env.retain(|(known, _)| !table.has(known));
        for (key, value) in table.entries().unwrap_or_default() {
            env.extend(variable(key, &value).map(|text| (key.into(), text)));
        }
        launch.env = env.into();
    }
    if let Some(files) = section.get("env-file") {
        launch.env_files = files.items().iter().filter_map(At::path).gather();
    }
    let base = section.get("env-base");
    match base.and_then(|at| at.choice("an environment to start from", &["clean", "inherit"])) {
        Some(0) => launch.env_base = EnvBase::Clean,
        Some(_) => launch.env_base = EnvBase::Inherit,
        None => {}
    }
}

fn variable(key: &str, value: &At) -> Option<Box<str>> {
    if key.is_empty() || key.contains(['=', '\0']) {
        value.mistake(
            "the name of a variable is empty or holds \"=\" or NUL",
            "rename it",
        );
        return None;
    }
    match value.value {
        Value::String(text) => value.without_nul(text).map(Into::into),
        Value::Integer(_) => value.integer().map(|number| number.to_string().into()),
        Value::Boolean(flag) => Some(flag.to_string().into()),
        Value::Float(_) | Value::Date => {
            value.mistake("would not keep its spelling", "put it in quotes");
            None
        }
        Value::Array(_) | Value::Table(_) => {
            value.mistake(
                "expected a string, an integer or a boolean",
                "put it in quotes",
            );
            None
        }
    }
}

fn kernel(section: &Section, launch: &mut Launch) {
    if let Some(mask) = section.get("umask").and_then(|at| umask(&at)) {
        launch.umask = Some(mask);
    }
    if let Some(nice) = section.get("nice").and_then(|at| at.whole(-20, 19)) {
        launch.nice = i8::try_from(nice).ok();
    }
    if let Some(limits) = section
        .get("limits")
        .and_then(|at| at.section(Table::Limits))
    {
        let mut all = std::mem::take(&mut launch.limits).into_vec();
        rlimit::read(&limits, &mut all);
        launch.limits = all.into();
    }
    if let Some(flag) = section.get("no-new-privs").and_then(|at| at.flag()) {
        launch.no_new_privs = flag;
    }
    if let Some(ready) = section.get("ready").and_then(|at| ready(&at)) {
        launch.ready = ready;
    }
}

fn umask(value: &At) -> Option<u16> {
    let mask = match value.value {
        Value::String(text) => value::mask(text),
        Value::Integer(number) if number.radix == 8 => value::mask(&number.digits),
        Value::Integer(number) => {
            let hint = format!("write \"0{number}\" if that is meant as octal digits");
            value.mistake("an integer without 0o is not octal in TOML", &hint);
            return None;
        }
        Value::Float(_) | Value::Boolean(_) | Value::Date | Value::Array(_) | Value::Table(_) => {
            value.wrong_type();
            return None;
        }
    };
    if mask.is_none() {
        value.mistake(
            "is not a mask of permissions",
            "allowed: octal digits up to \"777\", as in \"022\"",
        );
    }
    mask
}

fn ready(value: &At) -> Option<Ready> {
    if value.value.as_table().is_none() {
        let place = value.choice("a way to be ready", &["started", "notify"])?;
        return Some(if place == 0 {
            Ready::Started
        } else {
            Ready::Notify
        });
    }
    let section = value.section(Table::Ready)?;
    if let Some(check) = section.get("check") {
        if section.get("descriptor").is_some() {
            check.mistake("stands beside descriptor", "take one of the two out");
        }
        return check.text().map(|_| Ready::Check);
    }
    let number = section.need("descriptor")?.whole(3, 255)?;
    u8::try_from(number).ok().map(Ready::Descriptor)
}
