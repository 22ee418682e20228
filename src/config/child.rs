//! `[child.NAME]` and `[defaults]`: a table to a child's specification.

use std::ffi::CString;
use std::time::Duration;

use toml::de::DeValue;

use crate::model::Signal;
use crate::model::limits::{NAME_MAX, RESTARTS_MAX};
use crate::model::spec::{
    Backoff, Budget, ChildSpec, EnvBase, ExitMatch, Launch, Life, LogFile, LogSpec, OnLimit, Ready,
    RestartPolicy,
};

use super::at::At;
use super::keys::Table;
use super::mistake::quoted;
use super::raw::Section;
use super::{rlimit, value};

/// The time between tries of a parked child, unless told.
const PARK: Duration = Duration::from_secs(3600);

/// The least size at which a log is rotated, in bytes: below it, files would change
/// places with every few lines.
const LOG_SIZE_MIN: u64 = 1 << 10;

/// Names that mean something else on the command line.
const RESERVED: [&str; 2] = ["all", "sup"];

/// A child as far as it has been read.
#[derive(Clone)]
pub(super) struct Draft {
    launch: Launch,
    life: Life,
    log: LogSpec,
    /// What a log file is like where the child has one.
    log_file: LogFile,
    /// The time between tries where the child parks.
    park: Duration,
    /// The names in `after` and `requires`, with their lines.
    pub(super) links: Vec<Link>,
}

/// One name in `after` or `requires`.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) key: &'static str,
    pub(super) name: Box<str>,
    pub(super) line: u32,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            launch: Launch::default(),
            life: Life::default(),
            log: LogSpec::default(),
            log_file: LogFile {
                path: "".into(),
                max_size: 5 << 20,
                keep: 4,
                timestamps: false,
            },
            park: PARK,
            links: Vec::new(),
        }
    }
}

impl Draft {
    /// The keys that `[defaults]` may hold, over the built-in ones.
    pub(super) fn defaults(section: &Section) -> Self {
        let mut draft = Self::default();
        for name in ["command", "after", "requires"] {
            if let Some(value) = section.get(name) {
                value.mistake("cannot be a default", "each child has its own");
            }
        }
        draft.read(section, true);
        draft
    }

    /// A child's keys, over the defaults.
    pub(super) fn child(section: &Section, defaults: &Self) -> Self {
        let mut draft = defaults.clone();
        if let Some(command) = section.need("command").and_then(|value| command(&value)) {
            draft.launch.command = command;
        }
        draft.life.after = draft.link(section, "after");
        draft.life.requires = draft.link(section, "requires");
        draft.read(section, false);
        draft
    }

    pub(super) fn finish(self, name: &str) -> ChildSpec {
        ChildSpec {
            name: name.into(),
            launch: self.launch,
            log: self.log,
            life: self.life,
        }
    }

    fn read(&mut self, section: &Section, is_default: bool) {
        identity(section, &mut self.launch);
        environment(section, &mut self.launch);
        kernel(section, &mut self.launch);
        exits(section, &mut self.life);
        times(section, &mut self.life);
        if let Some(backoff) = section
            .get("backoff")
            .and_then(|at| at.section(Table::Backoff))
        {
            read_backoff(&backoff, &mut self.life.backoff);
        }
        if let Some(budget) = section
            .get("budget")
            .and_then(|at| at.section(Table::Budget))
        {
            self.read_budget(&budget);
        }
        if let Some(log) = section.get("log") {
            self.read_log(&log, is_default);
        }
    }

    /// The names in `after` or `requires`; whether they exist is seen when all are known.
    fn link(&mut self, section: &Section, key: &'static str) -> Box<[Box<str>]> {
        let Some(value) = section.get(key) else {
            return Box::default();
        };
        let mut names = Vec::new();
        for item in value.items() {
            let Some(name) = item.text() else { continue };
            names.push(Box::from(name));
            self.links.push(Link {
                key,
                name: name.into(),
                line: item.line,
            });
        }
        names.into()
    }

    fn read_budget(&mut self, section: &Section) {
        let budget: &mut Budget = &mut self.life.budget;
        if let Some(value) = section.get("max-restarts") {
            match value.value.as_str() {
                Some("unlimited") => budget.max_restarts = None,
                Some(_) => value.wrong_type(),
                None => {
                    let most = i128::from(RESTARTS_MAX);
                    let count = value.whole(0, most).and_then(|n| u16::try_from(n).ok());
                    budget.max_restarts = count.or(budget.max_restarts);
                }
            }
        }
        if let Some(window) = section.get("window").and_then(|at| at.positive_duration()) {
            budget.window = window;
        }
        let park = section.get("park");
        if let Some(span) = park.as_ref().and_then(At::positive_duration) {
            self.park = span;
        }
        let on_limit = section.get("on-limit");
        let choice = on_limit.as_ref().map(|at| {
            at.choice(
                "what can happen at the limit",
                &["give-up", "park", "escalate"],
            )
        });
        budget.on_limit = match (choice, budget.on_limit) {
            (Some(Some(0)), _) => OnLimit::GiveUp,
            (Some(Some(1)), _) | (None, OnLimit::Park(_)) => OnLimit::Park(self.park),
            (Some(Some(_)), _) => OnLimit::Escalate,
            (Some(None), before) => return budget.on_limit = before,
            (None, before @ (OnLimit::GiveUp | OnLimit::Escalate)) => before,
        };
        if let (Some(park), OnLimit::GiveUp | OnLimit::Escalate) = (park, budget.on_limit) {
            park.mistake(
                "has no effect without on-limit = \"park\"",
                "add on-limit = \"park\", or take park away",
            );
        }
    }

    fn read_log(&mut self, value: &At, is_default: bool) {
        if value.value.as_table().is_none() {
            match value.choice("a place for output", &["ring", "inherit", "none"]) {
                Some(0) => self.log = LogSpec::Ring,
                Some(1) => self.log = LogSpec::Inherit,
                Some(_) => self.log = LogSpec::Null,
                None => {}
            }
            return;
        }
        let Some(section) = value.section(Table::Log) else {
            return;
        };
        let file = &mut self.log_file;
        if let Some(at) = section.get("max-size") {
            match at.size() {
                Some(size) if size < LOG_SIZE_MIN => {
                    at.mistake("is too small", "allowed: \"1K\" and more");
                }
                Some(size) => file.max_size = size,
                None => {}
            }
        }
        if let Some(keep) = section.get("keep").and_then(|at| at.whole(0, 1000)) {
            file.keep = u16::try_from(keep).unwrap_or(file.keep);
        }
        if let Some(timestamps) = section.get("timestamps").and_then(|at| at.flag()) {
            file.timestamps = timestamps;
        }
        if is_default {
            if let Some(path) = section.get("file") {
                path.mistake("cannot be a default", "each child has its own file");
            }
        } else if let Some(path) = section.need("file").and_then(|at| at.path()) {
            file.path = path;
            self.log = LogSpec::File(file.clone());
        }
    }
}

/// What is wrong with a name, and what to do.
pub(super) fn name_fault(name: &str) -> Option<(&'static str, String)> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() {
        Some(("a child needs a name", "write [child.NAME]".to_owned()))
    } else if !name.bytes().all(is_allowed) {
        Some((
            "a name has only letters, digits, \".\", \"_\" and \"-\"",
            plain_name(name),
        ))
    } else if name.starts_with(['.', '-']) {
        Some((
            "a name does not begin with \".\" or \"-\"",
            plain_name(name),
        ))
    } else if name.len() > NAME_MAX {
        let hint = format!("at most {NAME_MAX} bytes, this one has {}", name.len());
        Some(("the name is too long", hint))
    } else if RESERVED.contains(&name) {
        let hint = "choose another one: it means something else on the command line";
        Some(("the name is taken", hint.to_owned()))
    } else {
        None
    }
}

/// A hint with a name that would do, made of the one that does not.
fn plain_name(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|char| {
            if char.is_ascii_alphanumeric() || "._-".contains(char) {
                char
            } else {
                '-'
            }
        })
        .take(NAME_MAX)
        .collect();
    match plain.trim_matches(['.', '-']) {
        "" => "write [child.NAME]".to_owned(),
        plain => format!("for example [child.{plain}]"),
    }
}

/// `command`, as words or as one string.
fn command(value: &At) -> Option<Box<[CString]>> {
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
            .collect(),
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
        .is_none_or(|first| first.get_ref().as_str() == Some(""))
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
    if let Some(entries) = section.get("env").and_then(|at| at.entries()) {
        let mut env = std::mem::take(&mut launch.env).into_vec();
        for (key, value) in entries {
            let Some(text) = variable(key, &value) else {
                continue;
            };
            env.retain(|(known, _)| **known != *key);
            env.push((key.into(), text));
        }
        launch.env = env.into();
    }
    if let Some(files) = section.get("env-file") {
        launch.env_files = files.items().iter().filter_map(At::path).collect();
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
        DeValue::String(text) => value.without_nul(text).map(Into::into),
        DeValue::Integer(_) => value.integer().map(|number| number.to_string().into()),
        DeValue::Boolean(flag) => Some(flag.to_string().into()),
        DeValue::Float(_) | DeValue::Datetime(_) => {
            value.mistake("would not keep its spelling", "put it in quotes");
            None
        }
        DeValue::Array(_) | DeValue::Table(_) => {
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
        DeValue::String(text) => value::mask(text),
        DeValue::Integer(number) if number.radix() == 8 => value::mask(number.as_str()),
        DeValue::Integer(number) => {
            let hint = format!("write \"0{number}\" if that is meant as octal digits");
            value.mistake("an integer without 0o is not octal in TOML", &hint);
            return None;
        }
        DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => {
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
    let number = section.need("descriptor")?.whole(3, 255)?;
    u8::try_from(number).ok().map(Ready::Descriptor)
}

fn exits(section: &Section, life: &mut Life) {
    if let Some(flag) = section.get("autostart").and_then(|at| at.flag()) {
        life.autostart = flag;
    }
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
            *list = value.items().iter().filter_map(exit_match).collect();
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

fn read_backoff(section: &Section, backoff: &mut Backoff) {
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
            "first ({:?}) is longer than longest ({:?})",
            backoff.first, backoff.longest
        );
        let hint = "the first wait is the shortest: make longest longer, or first shorter";
        section
            .page
            .mistake(section.line, &section.path, &problem, hint);
    }
}

/// A factor in thousandths.
fn factor(value: &At) -> Option<u32> {
    let number: f64 = match value.value {
        DeValue::Float(number) => number.as_str().parse().ok()?,
        DeValue::Integer(_) => {
            return value
                .whole(1, 100)
                .and_then(|n| u32::try_from(n * 1000).ok());
        }
        DeValue::String(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => {
            value.wrong_type();
            return None;
        }
    };
    if !(1.0..=100.0).contains(&number) {
        value.mistake(&format!("{number} is out of range"), "allowed: 1 to 100");
        return None;
    }
    // In range, so that nothing is cut off but what is finer than a thousandth.
    Some((number * 1000.0).round() as u32)
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
