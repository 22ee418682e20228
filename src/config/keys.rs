//! Every key: the one table that the reader, the README and `sup init` go by.

use super::suggest;

use crate::model::Gather as _;

/// A table of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The top of the file.
    Top,
    /// `[http]`.
    Http,
    /// One `[[alert]]`.
    Alert,
    /// An address or a token of an alert.
    Secret,
    /// `[child.NAME]`, and `[defaults]` with all but four of its keys.
    Child,
    /// `[root]`.
    Root,
    /// `[group.NAME]`.
    Group,
    /// A group's `template`.
    Template,
    /// A child's `ready`.
    Ready,
    /// A child's or a group's `backoff`.
    Backoff,
    /// A child's, a group's or the root's `budget`.
    Budget,
    /// A child's `log`.
    Log,
    /// A child's `limits`.
    Limits,
    /// One of a child's `limits`.
    Limit,
    /// One `[[child.NAME.check]]`, or one `[[check]]` of the box.
    Check,
    /// A child's `watchdog`.
    Watchdog,
}

impl Table {
    /// All of them, in the order in which people need them.
    pub const ALL: [Self; 16] = [
        Self::Top,
        Self::Http,
        Self::Alert,
        Self::Secret,
        Self::Child,
        Self::Group,
        Self::Template,
        Self::Root,
        Self::Check,
        Self::Watchdog,
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
            Self::Http => "[http]",
            Self::Alert => "[[alert]]",
            Self::Secret => "alert.ADDRESS",
            Self::Child => "[child.NAME]",
            Self::Group => "[group.NAME]",
            Self::Template => "[group.NAME.template]",
            Self::Root => "[root]",
            Self::Ready => "child.NAME.ready",
            Self::Backoff => "child.NAME.backoff",
            Self::Budget => "child.NAME.budget",
            Self::Log => "child.NAME.log",
            Self::Limits => "child.NAME.limits",
            Self::Limit => "child.NAME.limits.LIMIT",
            Self::Check => "[[child.NAME.check]]",
            Self::Watchdog => "child.NAME.watchdog",
        }
    }

    /// Its keys.
    #[must_use]
    pub const fn keys(self) -> &'static [Key] {
        match self {
            Self::Top => &TOP,
            Self::Http => &HTTP,
            Self::Alert => &ALERT,
            Self::Secret => &SECRET,
            Self::Child => &CHILD,
            Self::Group => &GROUP,
            // All but its last one, `autostart`: that belongs to the group.
            Self::Template => CHILD.split_at(CHILD.len() - 1).0,
            Self::Root => &ROOT,
            Self::Ready => &READY,
            Self::Backoff => &BACKOFF,
            Self::Budget => &BUDGET,
            Self::Log => &LOG,
            Self::Limits => &LIMITS,
            Self::Limit => &LIMIT,
            Self::Check => &CHECK,
            Self::Watchdog => &WATCHDOG,
        }
    }

    /// Where a table in it stands that others have, too, as in `group.NAME.budget`.
    fn place_of(self, inner: Self) -> String {
        let (outer, place) = (self.place().trim_matches(['[', ']']), inner.place());
        let key = place.rsplit('.').next().unwrap_or_default();
        match self.key(key) {
            Some(_) if !place.starts_with('[') => format!("{outer}.{key}"),
            Some(_) | None => place.to_owned(),
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

const ADDRESS: &str = "an address, \"$VARIABLE\" or { file = \"…\" }";
const BOOLEAN: &str = "true or false";
const DURATION: &str = "a duration such as \"5s\", \"10m\" or \"1h30m\"";
const DURATION_OR_NEVER: &str = "a duration such as \"5s\", or \"never\"";
const EXITS: &str = "an array of exit codes and signal names such as [75, \"HUP\"]";
const COUNT: &str = "an integer, \"unlimited\" or { soft = 1, hard = 2 }";
const BYTES: &str = "a size such as \"64M\", \"unlimited\" or { soft = \"1M\", hard = \"2M\" }";
const INTEGER: &str = "an integer from 0 to 1000";
const NAMES: &str = "an array of names of children and groups, or one name";
const PATH: &str = "a path as a string";
const PATHS: &str = "a path as a string, or an array of paths";
const SHUTDOWN: &str = "\"never\", \"any-significant\" or \"all-significant\"";
const SHUTDOWN_MEANING: &str = "Whether it ends by itself: when one, or when all, of its `significant` members have ended for good";
const UNLIMITED: &str = "(sup's own)";

#[rustfmt::skip]
const TOP: [Key; 13] = [
    key("state", PATH, "(chosen by `sup run`)", "Folder on a disk for what must survive a reboot"),
    key("runtime", PATH, "(chosen by `sup run`)", "Folder on a RAM file system for the socket and the output pipes"),
    key("wait-path", PATHS, "(none)", "Until all of these are there, sup starts nothing and opens nothing but its runtime folder"),
    key("shutdown-timeout", DURATION, "\"20s\"", "From the request to end until the last child is killed"),
    key("crash-loop", "an integer from 1 to 100", "5", "More restarts of a child than this within an hour are a crash loop, of which people are told, however often it settles in between"),
    key("include", PATHS, "(none)", "Further files with `child`, `group`, `alert` and `include`; the last part may be `*.toml`; read after this one"),
    key("defaults", "a table of keys of a child", "(none)", "Keys for every child that does not say otherwise; all but `command`, `after`, `requires`, `significant`, `check`"),
    key("http", "a table, written [http]", "(none)", "Where a page and figures can be read"),
    key("alert", "tables, written [[alert]]", "(none)", "Who is told of what a person should know"),
    key("check", "tables, written [[check]]", "(none)", "What is looked at of the box itself; people are told of it"),
    key("child", "tables, written [child.NAME]", "(required)", "The programs; a name has letters, digits, `.`, `_`, `-`"),
    key("group", "tables, written [group.NAME]", "(none)", "Children and groups that share a fate; no child has the same name"),
    key("root", "a table, written [root]", "(see below)", "The group of everything that is in no other group"),
];

#[rustfmt::skip]
const HTTP: [Key; 1] = [
    key("listen", "an address and a port such as \"127.0.0.1:8080\" or \"[::1]:8080\", or a port, which means 127.0.0.1", "(required)", "Where sup can be read, and nothing be changed, over HTTP; whoever reaches this address can read it"),
];

#[rustfmt::skip]
const ALERT: [Key; 24] = [
    key("exec", "an array of strings: a program and its first arguments", "(none)", "A program that is run with the message as its last argument and the facts in SUP_* variables"),
    key("webhook", ADDRESS, "(none)", "JSON to this address"),
    key("slack", ADDRESS, "(none)", "Slack, Mattermost, Rocket.Chat: the address of an incoming webhook"),
    key("discord", ADDRESS, "(none)", "Discord: the address of a channel's webhook"),
    key("ntfy", ADDRESS, "(none)", "ntfy: the address with the topic"),
    key("gotify", ADDRESS, "(none)", "Gotify: the address of the server; needs `token`"),
    key("home-assistant", ADDRESS, "(none)", "Home Assistant: the address of a webhook trigger"),
    key("uptime-kuma", ADDRESS, "(none)", "Uptime Kuma: the address of a push monitor; a sign of life in each `interval`, `down` while something is critical"),
    key("healthchecks", ADDRESS, "(none)", "Healthchecks: the address of a check; a sign of life in each `interval`, `/fail` while something is critical"),
    key("mail", "an address, or an array of them", "(none)", "Mail, through sendmail, ssmtp or msmtp of the box"),
    key("qnap", BOOLEAN, "(none)", "QNAP: the log that Notification Center watches"),
    key("synology", BOOLEAN, "(none)", "Synology: Log Center, and the desktop of administrators on DSM 6"),
    key("app-insights", "a connection string, \"$VARIABLE\" or { file = \"…\" }", "(none)", "Azure Application Insights: incidents, and figures in each `interval`"),
    key("token", "a text, \"$VARIABLE\" or { file = \"…\" }", "(none)", "For `ntfy` where it asks for one, and for `gotify`"),
    key("name", "a short text", "(the name of its way)", "What it is called in the log and in `sup alert test`"),
    key("level", "\"info\", \"warning\" or \"critical\"", "(warning; info with `repeat`; critical for `uptime-kuma` and `healthchecks`)", "What is less bad is not told; that an incident is over is told to whom it was told"),
    key("only", NAMES, "(all, and the box itself)", "Whom it is about; `host` is the box itself"),
    key("restarts", "an integer from 1 up", "2", "The restart at which a crash is told, counted since the child last settled; 1 is the first"),
    key("repeat", BOOLEAN, "false", "Whether every restart and every recovery is told as it comes, and not every incident once"),
    key("quiet", "a part of the day such as \"22:00-07:00\"", "(none)", "Local time in which only what is critical is told; the rest is told after it, in one message"),
    key("reminder", DURATION, "(none)", "How often what is critical is told again while it lasts"),
    key("per-hour", "an integer from 1 to 1000", "20", "Most messages in an hour; more are counted and told later, in one"),
    key("output", BOOLEAN, "true", "Whether the last lines of a child's output go along"),
    key("interval", DURATION, "(5m; 1m for `uptime-kuma`)", "The time between two signs of life, or between two batches of figures"),
];

#[rustfmt::skip]
const SECRET: [Key; 1] = [
    key("file", PATH, "(required)", "A file whose first line it is, read each time; not one that everybody can open"),
];

#[rustfmt::skip]
const CHILD: [Key; 29] = [
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
    key("ready", "\"started\", \"notify\", { descriptor = 3 } or { check = \"http\" }", "\"started\"", "How it says that it is ready: at once, by sd_notify, by a newline on a descriptor, or by passing a check of its own"),
    key("restart", "a restart policy such as \"always\" or \"on-failure\"", "\"on-failure\"", "When to restart: `no`, `always`, `on-success`, `on-failure`, `on-abnormal`, `on-abort`, `on-watchdog`; also `permanent`, `transient`, `temporary`, `unless-stopped`"),
    key("success-exit", EXITS, "[]", "Exits that count as clean besides code 0, HUP, INT, TERM and PIPE"),
    key("prevent-exit", EXITS, "[]", "Exits after which there is no restart, whatever the policy"),
    key("force-exit", EXITS, "[]", "Exits after which there is a restart, whatever the policy"),
    key("backoff", "a table such as { first = \"5s\", longest = \"60s\" }", "(see below)", "How long to wait before a restart"),
    key("budget", "a table such as { max-restarts = 5, window = \"10m\" }", "(see below)", "How many restarts are too many"),
    key("stop-signal", "a signal's name such as \"TERM\", or its number", "\"TERM\"", "The signal that asks it to end; CONT follows"),
    key("stop-timeout", DURATION_OR_NEVER, "\"10s\"", "From that signal to KILL"),
    key("start-timeout", DURATION_OR_NEVER, "\"90s\"", "How long it may take to become ready"),
    key("after", NAMES, "[]", "Children and groups that start before it, where they start at all"),
    key("requires", NAMES, "[]", "Children and groups without which it does not run"),
    key("wait-path", PATHS, "(none)", "Until all of these are there it is not started, and nothing is charged"),
    key("check", "tables, written [[child.NAME.check]]", "(none)", "What is looked at while it runs"),
    key("watchdog", "a duration such as \"5m\", or { file = \"…\", within = \"5m\" }", "(none)", "It shows that it has not hung at least so often, by `WATCHDOG=1` (sd_notify) or by writing to a file; else it gets ABRT, then KILL"),
    key("log", "\"ring\", \"inherit\", \"none\" or { file = \"…\" }", "\"ring\"", "Where its output goes: the last of it in RAM, sup's own output, nowhere, or RAM and a rotated file"),
    key("significant", BOOLEAN, "false", "Whether its group counts it for `auto-shutdown`"),
    key("autostart", BOOLEAN, "true", "Whether it is started before anybody has said anything"),
];

#[rustfmt::skip]
const GROUP: [Key; 10] = [
    key("strategy", "\"one-for-one\", \"one-for-all\", \"rest-for-one\" or \"simple-one-for-one\"", "\"one-for-one\"", "Who is restarted with a member that fails: nobody, all, or those behind it; in a simple-one-for-one group nobody, and its members are made from a template"),
    key("members", NAMES, "(required without a template)", "Its children and groups, in start order; each is in one group only"),
    key("template", "a table of keys of a child", "(required in a simple-one-for-one group)", "What its members are made from; they are called NAME/1, NAME/2 and so on"),
    key("count", INTEGER, "1", "How many are made from the template, until somebody says otherwise"),
    key("autostart", BOOLEAN, "true", "Whether it is started with the group that it is in"),
    key("budget", "a table such as { max-restarts = 5, window = \"60s\" }", "(see below)", "How many restarts of its members, all together, are too many; without `on-limit` the group that it is in fails with it, where that has a budget"),
    key("backoff", "a table such as { first = \"5s\", longest = \"60s\" }", "(see below)", "How long to wait before it is started again after it has failed"),
    key("restart", "\"always\", \"on-failure\" or \"no\"", "\"on-failure\"", "When it is started again by the group that it is in; also `permanent`, `transient`, `temporary`"),
    key("significant", BOOLEAN, "false", "Whether the group that it is in counts it for `auto-shutdown`"),
    key("auto-shutdown", SHUTDOWN, "\"never\"", SHUTDOWN_MEANING),
];

#[rustfmt::skip]
const ROOT: [Key; 3] = [
    key("strategy", "\"one-for-one\", \"one-for-all\" or \"rest-for-one\"", "\"one-for-one\"", "Who is restarted with a member that fails: nobody, all, or those behind it"),
    key("budget", "a table such as { max-restarts = 3, window = \"1h\" }", "(none)", "How many restarts, all together, are too many: sup ends then with exit code 1; without it they are not counted here"),
    key("auto-shutdown", SHUTDOWN, "\"never\"", SHUTDOWN_MEANING),
];

#[rustfmt::skip]
const READY: [Key; 2] = [
    key("descriptor", "an integer from 3 to 255", "(required without `check`)", "The descriptor on which it writes a newline when it is ready"),
    key("check", "the name of one of its checks", "(none)", "It is ready when this one passes"),
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
    key("on-limit", "\"give-up\", \"park\" or \"escalate\"", "\"give-up\"", "Then: stay down, try again now and then, or let the group fail that it is in; where that is the root, sup ends with exit code 1"),
    key("park", DURATION, "(1h)", "The time between tries with `on-limit = \"park\"`"),
];

#[rustfmt::skip]
const LOG: [Key; 4] = [
    key("file", PATH, "(required)", "The file; older ones are FILE.1 (the newest) to FILE.N"),
    key("max-size", "a size such as \"5M\"", "\"5M\"", "It is rotated before it grows beyond this"),
    key("keep", INTEGER, "4", "Older files that are kept"),
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

#[rustfmt::skip]
const CHECK: [Key; 22] = [
    key("name", "a name as a string", "(its kind)", "What it is called; no other check of the same child is"),
    key("exec", "an array of strings: a program and its arguments, or one string", "(one of these eight)", "A program, run as the child is: exit code 0 is good; of the box, run as sup is"),
    key("tcp", "a port, an address such as \"127.0.0.1:6379\", or the path of a Unix socket", "(one of these eight)", "A connection can be made"),
    key("http", "an address such as \"http://127.0.0.1:8080/health\"", "(one of these eight)", "A page is served"),
    key("file", PATH, "(one of these eight)", "A file is there, and not too old, or not too large"),
    key("disk", PATH, "(one of these eight)", "How full the file system is on which the path lies"),
    key("memory", "\"host\" or \"child\"", "(one of these eight)", "How much memory is in use, of the box or of all processes of the child"),
    key("process", "true", "(one of these eight)", "The main process is alive, and neither a zombie nor stopped"),
    key("log", "a text as a string", "(one of these eight)", "How many lines of the child's output hold the text"),
    key("warn", "a bound of the kind's own, see below", "(see below)", "More than this is a warning"),
    key("critical", "a bound of the kind's own, see below", "(see below)", "More than this is critical"),
    key("send", "a text as a string", "(nothing)", "`tcp`: what is said first, as in \"PING\\r\\n\""),
    key("expect", "a text as a string", "(nothing)", "`tcp`: what the answer must hold, as in \"+PONG\""),
    key("status", "a status such as 200, or a range such as \"200-399\"", "\"200-399\"", "`http`: the status that is good"),
    key("body", "a text as a string", "(any)", "`http`: what the page must hold, in its first 64 KiB"),
    key("within", DURATION, "(required with `log`)", "`log`: the time in which lines are counted"),
    key("interval", DURATION, "\"30s\"", "From the end of one probe to the beginning of the next"),
    key("timeout", DURATION, "\"10s\"", "A probe that takes longer is ended, and has failed"),
    key("retries", "an integer from 1 to 100", "3", "So many failures in a row count; one success is enough"),
    key("start-period", DURATION, "\"0s\"", "From the start of the child: failures before the first success do not count"),
    key("start-interval", DURATION, "\"5s\"", "`interval` as long as it is not ready, or in its start period without a success"),
    key("on-critical", "\"alert\" or \"restart\"", "\"alert\"", "Then: tell people, or tell them and restart the child as after a crash"),
];

#[rustfmt::skip]
const WATCHDOG: [Key; 2] = [
    key("file", PATH, "(required)", "A file that the child writes to or touches"),
    key("within", DURATION, "(required)", "At least so often"),
];

/// What other supervisors call our keys, in plain letters.
const ALIASES: [(&str, &str); 36] = [
    ("autorestart", "restart"),
    ("args", "command"),
    ("chdir", "dir"),
    ("cmd", "command"),
    ("command", "exec"),
    ("email", "mail"),
    ("hook", "webhook"),
    ("program", "exec"),
    ("quiethours", "quiet"),
    ("script", "exec"),
    ("url", "webhook"),
    ("children", "members"),
    ("cwd", "dir"),
    ("dependson", "requires"),
    ("directory", "dir"),
    ("environment", "env"),
    ("environmentfile", "env-file"),
    ("exec", "command"),
    ("execstart", "command"),
    ("exitcodes", "success-exit"),
    ("killsignal", "stop-signal"),
    ("healthcheck", "check"),
    ("intensity", "budget"),
    ("numprocs", "count"),
    ("program", "command"),
    ("programs", "members"),
    ("restartpolicy", "restart"),
    ("startlimitburst", "budget"),
    ("stdoutlogfile", "log"),
    ("stopgraceperiod", "stop-timeout"),
    ("startinterval", "start-interval"),
    ("stopwaitsecs", "stop-timeout"),
    ("timeoutstartsec", "start-timeout"),
    ("timeoutstopsec", "stop-timeout"),
    ("watchdogsec", "watchdog"),
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
    // What a template lacks, its group may have.
    let near = (table == Table::Template).then_some(Table::Group);
    let mut homes = near.into_iter().chain(Table::ALL);
    if let Some(home) = homes.find(|home| home.key(written).is_some()) {
        return format!("it belongs to {}", table.place_of(home));
    }
    format!("allowed: {}", names.gather::<Vec<_>>().join(", "))
}

fn alias(table: Table, written: &str) -> Option<&'static str> {
    let letters: String = written
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .gather();
    let meant = ALIASES.iter().filter(|(alias, _)| *alias == letters);
    let mut keys = meant.filter_map(|(_, name)| table.key(name));
    keys.next().map(|key| key.name)
}

/// A template's keys, told by what makes them different from a child's.
const TEMPLATE_WORDS: &str = "The keys of `[child.NAME]` but `autostart`, which belongs to the \
    group. `{instance}` becomes the number of the instance in `command`, `dir`, `env`, `env-file`, `wait-path`, \
    `check` and the files of `log` and `watchdog`, which must have it.\n\n";

/// The tables of keys in Markdown, for the README.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::new();
    for table in Table::ALL {
        let heading = match table {
            Table::Top => "The top of the file".to_owned(),
            Table::Check => "`[[child.NAME.check]]`, and `[[check]]` for the box".to_owned(),
            Table::Http
            | Table::Alert
            | Table::Secret
            | Table::Child
            | Table::Root
            | Table::Group
            | Table::Template
            | Table::Ready
            | Table::Backoff
            | Table::Budget
            | Table::Log
            | Table::Limits
            | Table::Limit
            | Table::Watchdog => format!("`{}`", table.place()),
        };
        text += &format!("**{heading}**\n\n");
        if table == Table::Template {
            text += TEMPLATE_WORDS;
            continue;
        }
        text += "| Key | Value | Default | Meaning |\n|---|---|---|---|\n";
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
            (
                Table::Group,
                "max-restarts",
                "it belongs to group.NAME.budget",
            ),
            (Table::Root, "window", "it belongs to root.budget"),
            (Table::Root, "members", "it belongs to [group.NAME]"),
            (Table::Template, "autostart", "it belongs to [group.NAME]"),
            (
                Table::Template,
                "first",
                "it belongs to group.NAME.template.backoff",
            ),
            (Table::Group, "programs", "did you mean \"members\"?"),
            (Table::Ready, "colour", "allowed: descriptor, check"),
        ];
        for (place, written, expected) in table {
            assert_eq!(advice(place, written), expected, "{written}");
        }
    }

    #[test]
    fn aliases_lead_to_keys() {
        for (alias, name) in ALIASES {
            let mut keys = CHILD.iter().chain(&GROUP).chain(&ALERT).chain(&CHECK);
            assert!(keys.any(|key| key.name == name), "{alias}");
        }
    }

    #[test]
    fn a_template_has_all_keys_of_a_child_but_autostart() {
        let of = |table: Table| table.keys().iter().map(|key| key.name);
        let expected: Vec<_> = of(Table::Child).filter(|key| *key != "autostart").collect();
        assert_eq!(of(Table::Template).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn markdown_has_a_row_for_every_key_and_no_broken_cell() {
        let text = markdown();
        let rows: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("| `"))
            .collect();
        let tables = Table::ALL.iter().filter(|table| **table != Table::Template);
        let keys: usize = tables.map(|table| table.keys().len()).sum();
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
