//! Every key: the one table that the reader, the README and `sup init` go by.

use super::suggest;

/// A table of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The top of the file.
    Top,
    /// One `[[alert]]`.
    Alert,
    /// `[child.NAME]`, and `[defaults]` with all but three of its keys.
    Child,
    /// A child's `ready`.
    Ready,
    /// A child's `backoff`.
    Backoff,
    /// A child's `budget`.
    Budget,
    /// A child's `log`.
    Log,
    /// A child's `limits`.
    Limits,
    /// One of a child's `limits`.
    Limit,
}

impl Table {
    /// All of them, in the order in which people need them.
    pub const ALL: [Self; 9] = [
        Self::Top,
        Self::Alert,
        Self::Child,
        Self::Ready,
        Self::Backoff,
        Self::Budget,
        Self::Log,
        Self::Limits,
        Self::Limit,
    ];

    /// Where it stands in a file.
    #[must_use]
    pub const fn place(self) -> &'static str {
        match self {
            Self::Top => "the top of the file",
            Self::Alert => "[[alert]]",
            Self::Child => "[child.NAME]",
            Self::Ready => "child.NAME.ready",
            Self::Backoff => "child.NAME.backoff",
            Self::Budget => "child.NAME.budget",
            Self::Log => "child.NAME.log",
            Self::Limits => "child.NAME.limits",
            Self::Limit => "child.NAME.limits.LIMIT",
        }
    }

    /// Its keys.
    #[must_use]
    pub const fn keys(self) -> &'static [Key] {
        match self {
            Self::Top => &TOP,
            Self::Alert => &ALERT,
            Self::Child => &CHILD,
            Self::Ready => &READY,
            Self::Backoff => &BACKOFF,
            Self::Budget => &BUDGET,
            Self::Log => &LOG,
            Self::Limits => &LIMITS,
            Self::Limit => &LIMIT,
        }
    }

    /// Its key of that name.
    pub(super) fn key(self, name: &str) -> Option<&'static Key> {
        self.keys().iter().find(|key| key.name == name)
    }
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What its value is, with its article, as in `expected a path as a string`.
    pub kind: &'static str,
    /// What holds without it: a value as it would be written, or words in parentheses.
    pub default: &'static str,
    /// What it means, in one line.
    pub meaning: &'static str,
}

const BOOLEAN: &str = "true or false";
const DURATION: &str = "a duration such as \"5s\", \"10m\" or \"1h30m\"";
const DURATION_OR_NEVER: &str = "a duration such as \"5s\", or \"never\"";
const EXITS: &str = "an array of exit codes and signal names such as [75, \"HUP\"]";
const COUNT: &str = "an integer, \"unlimited\" or { soft = 1, hard = 2 }";
const BYTES: &str = "a size such as \"64M\", \"unlimited\" or { soft = \"1M\", hard = \"2M\" }";
const NAMES: &str = "an array of names of children, or one name";
const PATH: &str = "a path as a string";
const PATHS: &str = "a path as a string, or an array of paths";
const UNLIMITED: &str = "(sup's own)";

#[rustfmt::skip]
const TOP: [Key; 7] = [
    key("state", PATH, "(chosen by `sup run`)", "Folder on a disk for what must survive a reboot"),
    key("runtime", PATH, "(chosen by `sup run`)", "Folder on a RAM file system for the socket and the output pipes"),
    key("shutdown-timeout", DURATION, "\"20s\"", "From the request to end until the last child is killed"),
    key("include", PATHS, "(none)", "Further files with `child`, `alert` and `include`; the last part may be `*.toml`; read after this one"),
    key("defaults", "a table of keys of a child", "(none)", "Keys for every child that does not say otherwise; all but `command`, `after`, `requires`"),
    key("alert", "tables, written [[alert]]", "(none)", "Who is told of what a person should know"),
    key("child", "tables, written [child.NAME]", "(required)", "The programs; a name has letters, digits, `.`, `_`, `-`"),
];

#[rustfmt::skip]
const ALERT: [Key; 1] = [
    key("exec", "an array of strings: a program and its first arguments", "(required)", "A program that is run with the message as its last argument"),
];

#[rustfmt::skip]
const CHILD: [Key; 25] = [
    key("command", "an array of strings: a program and its arguments, or one string", "(required)", "What to run; one string is split at spaces and quotes as by a shell, but nothing is expanded"),
    key("dir", PATH, "(/)", "Working directory"),
    key("user", "a user's name or number", "(sup's own)", "User to run as"),
    key("group", "a group's name or number", "(the user's own)", "Group to run as"),
    key("env", "a table of strings, integers and booleans", "(none)", "Variables of the environment; added to those in `defaults`"),
    key("env-file", PATHS, "(none)", "Files of KEY=VALUE lines, read at each start; `env` wins over them"),
    key("env-base", "\"clean\" or \"inherit\"", "\"clean\"", "What the environment starts from: the same few variables everywhere, or all of sup's own"),
    key("umask", "an octal mask such as \"022\"", "(sup's own)", "Permissions that new files do not get"),
    key("nice", "an integer from -20 to 19", "(sup's own)", "Priority; a higher one yields to others"),
    key("limits", "a table of resource limits such as { nofile = 1024 }", "(none)", "Resource limits; added to those in `defaults`"),
    key("no-new-privs", BOOLEAN, "false", "Whether set-user-id programs give it no privileges"),
    key("ready", "\"started\", \"notify\" or { descriptor = 3 }", "\"started\"", "How it says that it is ready: at once, by sd_notify, or by a newline on a descriptor"),
    key("autostart", BOOLEAN, "true", "Whether it is started before anybody has said anything"),
    key("restart", "a restart policy such as \"always\" or \"on-failure\"", "\"on-failure\"", "When to restart: `no`, `always`, `on-success`, `on-failure`, `on-abnormal`, `on-abort`, `on-watchdog`; also `permanent`, `transient`, `temporary`, `unless-stopped`"),
    key("success-exit", EXITS, "[]", "Exits that count as clean besides code 0, HUP, INT, TERM and PIPE"),
    key("prevent-exit", EXITS, "[]", "Exits after which there is no restart, whatever the policy"),
    key("force-exit", EXITS, "[]", "Exits after which there is a restart, whatever the policy"),
    key("backoff", "a table such as { first = \"5s\", longest = \"60s\" }", "(see below)", "How long to wait before a restart"),
    key("budget", "a table such as { max-restarts = 5, window = \"10m\" }", "(see below)", "How many restarts are too many"),
    key("stop-signal", "a signal's name such as \"TERM\", or its number", "\"TERM\"", "The signal that asks it to end; CONT follows"),
    key("stop-timeout", DURATION_OR_NEVER, "\"10s\"", "From that signal to KILL"),
    key("start-timeout", DURATION_OR_NEVER, "\"90s\"", "How long it may take to become ready"),
    key("after", NAMES, "[]", "Children that start before it, where they start at all"),
    key("requires", NAMES, "[]", "Children without which it does not run"),
    key("log", "\"ring\", \"inherit\", \"none\" or { file = \"…\" }", "\"ring\"", "Where its output goes: the last of it in RAM, sup's own output, nowhere, or RAM and a rotated file"),
];

#[rustfmt::skip]
const READY: [Key; 1] = [
    key("descriptor", "an integer from 3 to 255", "(required)", "The descriptor on which it writes a newline when it is ready"),
];

#[rustfmt::skip]
const BACKOFF: [Key; 5] = [
    key("first", DURATION, "\"5s\"", "The wait before the first restart"),
    key("factor", "a number from 1 to 100", "2", "Each further wait is so many times the one before"),
    key("longest", DURATION, "\"60s\"", "No wait is longer"),
    key("settle", DURATION, "\"60s\"", "Up this long without a break, and the waits begin anew"),
    key("jitter", "a percentage such as \"10%\"", "0", "Each wait is shortened by a random part of up to this"),
];

#[rustfmt::skip]
const BUDGET: [Key; 4] = [
    key("max-restarts", "an integer from 0 to 1000, or \"unlimited\"", "5", "Restarts that are made within the window; the next one is not"),
    key("window", DURATION, "\"10m\"", "The sliding window in which they are counted"),
    key("on-limit", "\"give-up\", \"park\" or \"escalate\"", "\"give-up\"", "Then: stay down, try again now and then, or end sup with exit code 1"),
    key("park", DURATION, "(1h)", "The time between tries with `on-limit = \"park\"`"),
];

#[rustfmt::skip]
const LOG: [Key; 4] = [
    key("file", PATH, "(required)", "The file; older ones are FILE.1 (the newest) to FILE.N"),
    key("max-size", "a size such as \"5M\"", "\"5M\"", "It is rotated before it grows beyond this"),
    key("keep", "an integer from 0 to 1000", "4", "Older files that are kept"),
    key("timestamps", BOOLEAN, "false", "Whether each line begins with the time"),
];

#[rustfmt::skip]
const LIMITS: [Key; 10] = [
    key("as", BYTES, UNLIMITED, "Address space"),
    key("core", BYTES, UNLIMITED, "Core dump"),
    key("cpu", COUNT, UNLIMITED, "Processor time, seconds"),
    key("data", BYTES, UNLIMITED, "Data segment"),
    key("fsize", BYTES, UNLIMITED, "Largest file written"),
    key("memlock", BYTES, UNLIMITED, "Locked memory"),
    key("nofile", COUNT, UNLIMITED, "Open descriptors"),
    key("nproc", COUNT, UNLIMITED, "Processes of the user"),
    key("rtprio", COUNT, UNLIMITED, "Real-time priority"),
    key("stack", BYTES, UNLIMITED, "Stack"),
];

#[rustfmt::skip]
const LIMIT: [Key; 2] = [
    key("soft", "an integer, a size or \"unlimited\"", "(required)", "What holds; it may be raised up to `hard`"),
    key("hard", "an integer, a size or \"unlimited\"", "(required)", "What `soft` may be raised to"),
];

/// What other supervisors call our keys, in plain letters.
const ALIASES: [(&str, &str); 22] = [
    ("autorestart", "restart"),
    ("args", "command"),
    ("chdir", "dir"),
    ("cmd", "command"),
    ("cwd", "dir"),
    ("dependson", "requires"),
    ("directory", "dir"),
    ("environment", "env"),
    ("environmentfile", "env-file"),
    ("exec", "command"),
    ("execstart", "command"),
    ("exitcodes", "success-exit"),
    ("killsignal", "stop-signal"),
    ("program", "command"),
    ("restartpolicy", "restart"),
    ("startlimitburst", "budget"),
    ("stdoutlogfile", "log"),
    ("stopgraceperiod", "stop-timeout"),
    ("stopwaitsecs", "stop-timeout"),
    ("timeoutstartsec", "start-timeout"),
    ("timeoutstopsec", "stop-timeout"),
    ("workingdirectory", "dir"),
];

const fn key(
    name: &'static str,
    kind: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Key {
    Key {
        name,
        kind,
        default,
        meaning,
    }
}

/// What to do about a key that does not exist there.
pub(super) fn advice(table: Table, written: &str) -> String {
    let names = table.keys().iter().map(|key| key.name);
    if let Some(name) = alias(table, written).or_else(|| suggest::closest(written, names.clone())) {
        return format!("did you mean \"{name}\"?");
    }
    let home = Table::ALL
        .into_iter()
        .find(|home| home.key(written).is_some());
    if let Some(home) = home {
        return format!("it belongs to {}", home.place());
    }
    format!("allowed: {}", names.collect::<Vec<_>>().join(", "))
}

fn alias(table: Table, written: &str) -> Option<&'static str> {
    let letters: String = written
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    let (_, name) = ALIASES.iter().find(|(alias, _)| *alias == letters)?;
    table.key(name).map(|key| key.name)
}

/// The tables of keys in Markdown, for the README.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::new();
    for table in Table::ALL {
        let heading = match table {
            Table::Top => "The top of the file".to_owned(),
            Table::Alert
            | Table::Child
            | Table::Ready
            | Table::Backoff
            | Table::Budget
            | Table::Log
            | Table::Limits
            | Table::Limit => format!("`{}`", table.place()),
        };
        text +=
            &format!("**{heading}**\n\n| Key | Value | Default | Meaning |\n|---|---|---|---|\n");
        for key in table.keys() {
            text += &format!(
                "| `{}` | {} | {} | {} |\n",
                key.name,
                key.kind,
                default_cell(key.default),
                key.meaning
            );
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len() + 1);
    text
}

fn default_cell(default: &str) -> String {
    match default
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
    {
        Some(words) => words.to_owned(),
        None => format!("`{default}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_what_was_meant() {
        let table = [
            (
                Table::Child,
                "stop_timeout",
                "did you mean \"stop-timeout\"?",
            ),
            (Table::Child, "comand", "did you mean \"command\"?"),
            (Table::Child, "autorestart", "did you mean \"restart\"?"),
            (Table::Child, "WorkingDirectory", "did you mean \"dir\"?"),
            (
                Table::Child,
                "max-restarts",
                "it belongs to child.NAME.budget",
            ),
            (Table::Top, "command", "it belongs to [child.NAME]"),
            (Table::Ready, "colour", "allowed: descriptor"),
        ];
        for (place, written, expected) in table {
            assert_eq!(advice(place, written), expected, "{written}");
        }
    }

    #[test]
    fn aliases_lead_to_keys() {
        for (alias, name) in ALIASES {
            assert!(CHILD.iter().any(|key| key.name == name), "{alias}");
        }
    }

    #[test]
    fn markdown_has_a_row_for_every_key_and_no_broken_cell() {
        let text = markdown();
        let rows: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("| `"))
            .collect();
        let keys: usize = Table::ALL.iter().map(|table| table.keys().len()).sum();
        assert_eq!(rows.len(), keys);
        for row in rows {
            assert_eq!(row.matches('|').count(), 5, "{row}");
        }
        assert!(
            text.contains(
                "| `stop-timeout` | a duration such as \"5s\", or \"never\" | `\"10s\"` |"
            )
        );
    }
}
