//! The configuration as people write it: what comes out, and what they are told.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use sup::config::{self, Loaded, Mistake, keys};
use sup::model::Signal;
use sup::model::spec::{
    AlertSpec, Backoff, Budget, ChildSpec, EnvBase, ExitMatch, Launch, Life, Limit, LogFile,
    LogSpec, OnLimit, Ready, Resource, RestartPolicy, Settings, Spec, Stop,
};

const FULL: &str = include_str!("data/config/full.toml");
const MISTAKES: &str = include_str!("data/config/mistakes.toml");
const MISTAKES_TOLD: &str = include_str!("data/config/mistakes.txt");

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn words(words: &[&str]) -> Box<[CString]> {
    words
        .iter()
        .map(|word| CString::new(*word).unwrap())
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Box<[(Box<str>, Box<str>)]> {
    pairs
        .iter()
        .map(|&(key, value)| (key.into(), value.into()))
        .collect()
}

/// What `sup validate` would say of a text.
fn told(text: &str) -> String {
    match config::parse(text, "/etc/sup.toml") {
        Ok(Loaded { warnings, .. }) => {
            let lines = warnings.iter().map(ToString::to_string);
            format!(
                "fine{}",
                lines.map(|line| format!("\n{line}")).collect::<String>()
            )
        }
        Err(mistakes) => mistakes.to_string(),
    }
}

/// What is said of one line in a child that is well otherwise; it stands on line 3.
fn told_of(line: &str) -> String {
    told(&format!("[child.a]\ncommand = [\"a\"]\n{line}\n"))
        .replace("/etc/sup.toml:3: child.a.", "")
        .replace("\n1 mistake", "")
}

#[test]
fn a_minimal_configuration_is_one_command_and_the_defaults() {
    let loaded = config::parse("[child.a]\ncommand = [\"a\"]\n", "sup.toml").unwrap();
    let expected = Spec {
        settings: Settings {
            state: None,
            runtime: None,
            shutdown_timeout: secs(20),
            alerts: Box::default(),
        },
        children: Box::new([ChildSpec {
            name: "a".into(),
            launch: Launch {
                command: words(&["a"]),
                ..Launch::default()
            },
            log: LogSpec::Ring,
            life: Life::default(),
        }]),
    };
    assert_eq!(loaded.spec, expected);
    assert_eq!(loaded.files, [Path::new("sup.toml")]);
    assert_eq!(loaded.warnings, []);
}

#[test]
fn a_full_configuration_says_exactly_this() {
    let loaded = config::parse(FULL, "/etc/sup.toml").unwrap();
    let settings = Settings {
        state: Some("/etc/state".into()),
        runtime: Some("/run/sup".into()),
        shutdown_timeout: secs(90),
        alerts: Box::new([AlertSpec {
            exec: words(&["/share/notify.sh", "--all"]),
        }]),
    };
    assert_eq!(loaded.spec.settings, settings);
    let [database, collector] = &*loaded.spec.children else {
        panic!("two children: {:?}", loaded.spec.children);
    };
    assert_eq!(*database, database_expected());
    assert_eq!(collector.name, "collector.1".into());
    assert_eq!(collector.launch, collector_launch_expected());
    assert_eq!(collector.life, collector_life_expected());
    let log = LogFile {
        path: "/etc/logs/collector.log".into(),
        max_size: 1 << 20,
        keep: 2,
        timestamps: true,
    };
    assert_eq!(collector.log, LogSpec::File(log));
}

fn database_expected() -> ChildSpec {
    let limit = |number| Limit {
        soft: Some(number),
        hard: Some(number),
    };
    ChildSpec {
        name: "database".into(),
        launch: Launch {
            command: words(&["/usr/bin/db", "--dir", "/share/my data"]),
            user: Some("nobody".into()),
            env: pairs(&[("LANG", "C"), ("ZONE", "home")]),
            limits: Box::new([(Resource::Core, limit(0)), (Resource::Nofile, limit(1024))]),
            ..Launch::default()
        },
        log: LogSpec::Ring,
        life: Life {
            backoff: Backoff {
                longest: secs(120),
                ..Backoff::default()
            },
            budget: Budget {
                on_limit: OnLimit::Park(secs(7200)),
                ..Budget::default()
            },
            ..Life::default()
        },
    }
}

fn collector_launch_expected() -> Launch {
    let limit = |soft, hard| Limit { soft, hard };
    Launch {
        command: words(&["./collector", "--feed", ""]),
        dir: Some("/etc/apps/collector".into()),
        user: Some("1000".into()),
        group: Some("users".into()),
        env_base: EnvBase::Inherit,
        env_files: Box::new(["/etc/secrets.env".into(), "/etc/common.env".into()]),
        env: pairs(&[
            ("ZONE", "home"),
            ("TOKEN", "a=b"),
            ("RETRIES", "3"),
            ("DEBUG", "false"),
            ("LANG", "de_DE.UTF-8"),
        ]),
        umask: Some(0o027),
        nice: Some(-5),
        limits: Box::new([
            (Resource::Core, limit(Some(0), Some(0))),
            (Resource::As, limit(Some(64 << 20), Some(64 << 20))),
            (Resource::Nofile, limit(Some(100), None)),
            (Resource::Rtprio, limit(None, None)),
        ]),
        no_new_privs: true,
        ready: Ready::Descriptor(3),
    }
}

fn collector_life_expected() -> Life {
    Life {
        autostart: false,
        restart: RestartPolicy::Always,
        success_exit: Box::new([ExitMatch::Code(3), ExitMatch::Signal(Signal(10))]),
        prevent_exit: Box::new([ExitMatch::Code(78)]),
        force_exit: Box::new([ExitMatch::Signal(Signal::KILL)]),
        backoff: Backoff {
            first: secs(1),
            factor_milli: 1500,
            longest: secs(120),
            settle: secs(300),
            jitter_percent: 10,
        },
        budget: Budget {
            max_restarts: None,
            window: secs(3600),
            on_limit: OnLimit::Escalate,
        },
        stop: Stop {
            signal: Signal::INT,
            timeout: None,
        },
        start_timeout: None,
        after: Box::new(["database".into()]),
        requires: Box::new(["database".into()]),
    }
}

#[test]
fn a_dozen_mistakes_are_told_at_once() {
    assert_eq!(told(MISTAKES), MISTAKES_TOLD.trim_end());
}

#[test]
fn each_mistake_says_what_is_allowed() {
    let table = [
        (
            "colour = 1",
            "colour: unknown key; allowed: command, dir, user, group, env, env-file, env-base, umask, nice, limits, no-new-privs, ready, autostart, restart, success-exit, prevent-exit, force-exit, backoff, budget, stop-signal, stop-timeout, start-timeout, after, requires, log",
        ),
        (
            "stop_timeout = \"5s\"",
            "stop_timeout: unknown key; did you mean \"stop-timeout\"?",
        ),
        ("cwd = \"/\"", "cwd: unknown key; did you mean \"dir\"?"),
        (
            "window = \"5s\"",
            "window: unknown key; it belongs to child.NAME.budget",
        ),
        (
            "dir = 5",
            "dir: expected a path as a string, found an integer",
        ),
        (
            "dir = \"a\\u0000b\"",
            "dir: holds a NUL byte; expected a path as a string",
        ),
        (
            "user = -1",
            "user: -1 is out of range; allowed: 0 to 4294967294",
        ),
        (
            "user = \"root:root\"",
            "user: \"root:root\" is not a name; expected a user's name or number",
        ),
        (
            "env = [\"A=1\"]",
            "env: expected a table of strings, integers and booleans, found an array",
        ),
        (
            "env = { A = 1.50 }",
            "env.A: would not keep its spelling; put it in quotes",
        ),
        (
            "env = { A = [] }",
            "env.A: expected a string, an integer or a boolean; put it in quotes",
        ),
        (
            "env = { \"\" = 1 }",
            "env.\"\": the name of a variable is empty or holds \"=\" or NUL; rename it",
        ),
        (
            "env-file = [\"\"]",
            "env-file: is empty; expected a path as a string, or an array of paths",
        ),
        (
            "env-base = \"cleen\"",
            "env-base: \"cleen\" is not an environment to start from; did you mean \"clean\"? allowed: clean, inherit",
        ),
        (
            "umask = 22",
            "umask: an integer without 0o is not octal in TOML; write \"022\" if that is meant as octal digits",
        ),
        (
            "umask = \"8\"",
            "umask: is not a mask of permissions; allowed: octal digits up to \"777\", as in \"022\"",
        ),
        ("nice = 20", "nice: 20 is out of range; allowed: -20 to 19"),
        (
            "nice = 99999999999999999999999999999999999999999",
            "nice: is out of range; allowed: -20 to 19",
        ),
        (
            "limits = { nofile = -1 }",
            "limits.nofile: cannot be negative; write \"unlimited\" for no limit",
        ),
        (
            "limits = { nofile = \"1K\" }",
            "limits.nofile: is counted, not measured in bytes; write an integer, or \"unlimited\"",
        ),
        (
            "limits = { nofiles = 1 }",
            "limits.nofiles: unknown key; did you mean \"nofile\"?",
        ),
        (
            "limits = { as = { soft = 2, hard = 1 } }",
            "limits.as: soft is above hard; raise hard, or lower soft",
        ),
        (
            "limits = { as = { soft = \"unlimited\", hard = 1 } }",
            "limits.as: soft is above hard; raise hard, or lower soft",
        ),
        (
            "limits = { as = { soft = 2 } }",
            "limits.as.hard: is missing; expected an integer, a size or \"unlimited\"",
        ),
        (
            "no-new-privs = \"yes\"",
            "no-new-privs: expected true or false, found \"yes\"",
        ),
        (
            "ready = \"http\"",
            "ready: \"http\" is not a way to be ready; allowed: started, notify",
        ),
        (
            "ready = { descriptor = 2 }",
            "ready.descriptor: 2 is out of range; allowed: 3 to 255",
        ),
        (
            "ready = {}",
            "ready.descriptor: is missing; expected an integer from 3 to 255",
        ),
        (
            "restart = true",
            "restart: expected a restart policy such as \"always\" or \"on-failure\", found a boolean",
        ),
        (
            "restart = \"on-fail\"",
            "restart: \"on-fail\" is not a restart policy; allowed: no, always, on-success, on-failure, on-abnormal, on-abort, on-watchdog, permanent, transient, temporary, unless-stopped",
        ),
        (
            "prevent-exit = [256]",
            "prevent-exit: 256 is out of range; allowed: 0 to 255",
        ),
        (
            "prevent-exit = [\"75\"]",
            "prevent-exit: \"75\" is not the name of a signal; an exit code goes without quotes",
        ),
        (
            "prevent-exit = [\"SIGFOO\"]",
            "prevent-exit: \"SIGFOO\" is not the name of a signal; expected an array of exit codes and signal names such as [75, \"HUP\"]",
        ),
        (
            "backoff = \"5s\"",
            "backoff: expected a table such as { first = \"5s\", longest = \"60s\" }, found \"5s\"",
        ),
        (
            "backoff = { first = 5 }",
            "backoff.first: expected a duration such as \"5s\", \"10m\" or \"1h30m\", found an integer; write \"5s\" for seconds",
        ),
        (
            "backoff = { first = \"soon\" }",
            "backoff.first: \"soon\" is not a duration; write numbers with ms, s, m, h or d, as in \"250ms\", \"10m\", \"1h30m\"",
        ),
        (
            "backoff = { longest = \"200y\" }",
            "backoff.longest: \"200y\" is not a duration; write numbers with ms, s, m, h or d, as in \"250ms\", \"10m\", \"1h30m\"",
        ),
        (
            "backoff = { first = \"2m\" }",
            "backoff: first (2m) is longer than longest (1m); the first wait is the shortest: make longest longer, or first shorter",
        ),
        (
            "backoff = { factor = nan }",
            "backoff.factor: NaN is out of range; allowed: 1 to 100",
        ),
        (
            "backoff = { factor = 101 }",
            "backoff.factor: 101 is out of range; allowed: 1 to 100",
        ),
        (
            "backoff = { jitter = \"10\" }",
            "backoff.jitter: \"10\" is not a percentage; allowed: \"0%\" to \"100%\"",
        ),
        (
            "budget = { max-restarts = 1001 }",
            "budget.max-restarts: 1001 is out of range; allowed: 0 to 1000",
        ),
        (
            "budget = { max-restarts = \"no\" }",
            "budget.max-restarts: expected an integer from 0 to 1000, or \"unlimited\", found \"no\"",
        ),
        (
            "budget = { window = \"0s\" }",
            "budget.window: must be longer than nothing; write \"1s\" or more",
        ),
        (
            "budget = { on-limit = \"stop\" }",
            "budget.on-limit: \"stop\" is not what can happen at the limit; allowed: give-up, park, escalate",
        ),
        (
            "budget = { park = \"1h\" }",
            "budget.park: has no effect without on-limit = \"park\"; add on-limit = \"park\", or take park away",
        ),
        (
            "stop-signal = \"TERMINATE\"",
            "stop-signal: \"TERMINATE\" is not a signal; expected a signal's name such as \"TERM\", or its number",
        ),
        (
            "stop-signal = 0",
            "stop-signal: 0 is out of range; allowed: 1 to 64",
        ),
        (
            "stop-timeout = \"36501d\"",
            "stop-timeout: \"36501d\" is longer than a century; write numbers with ms, s, m, h or d, as in \"250ms\", \"10m\", \"1h30m\"",
        ),
        (
            "start-timeout = \"0s\"",
            "start-timeout: leaves no time to become ready; write \"never\" if it may take for ever",
        ),
        (
            "after = [1]",
            "after: expected an array of names of children, or one name, found an integer",
        ),
        (
            "after = \"b\"",
            "after: there is no child \"b\"; name one that is configured, or take it out",
        ),
        (
            "requires = [\"database\"]",
            "requires: there is no child \"database\"; name one that is configured, or take it out",
        ),
        ("after = \"a\"", "after: names itself; take it out"),
        (
            "log = \"file\"",
            "log: \"file\" is not a place for output; allowed: ring, inherit, none",
        ),
        (
            "log = {}",
            "log.file: is missing; expected a path as a string",
        ),
        (
            "log = { file = \"x\", max-size = 100 }",
            "log.max-size: is too small; allowed: \"1K\" and more",
        ),
        (
            "log = { file = \"x\", max-size = -1 }",
            "log.max-size: -1 is out of range; allowed: 0 to 9223372036854775807",
        ),
        (
            "log = { file = \"x\", keep = 1001 }",
            "log.keep: 1001 is out of range; allowed: 0 to 1000",
        ),
        (
            "log = 1979-05-27",
            "log: expected \"ring\", \"inherit\", \"none\" or { file = \"…\" }, found a date",
        ),
    ];
    for (line, expected) in table {
        assert_eq!(told_of(line), expected, "{line}");
    }
}

#[test]
fn names_and_tables_that_cannot_be() {
    let table = [
        (
            "",
            "/etc/sup.toml: there is nothing to supervise; add a [child.NAME] with a command",
        ),
        (
            "child = 3",
            "/etc/sup.toml:1: child: expected tables, written [child.NAME], found an integer\n/etc/sup.toml: there",
        ),
        (
            "[child]\ncommand = [\"a\"]",
            "/etc/sup.toml:2: child.command: a child is a table; write [child.NAME], and its keys below",
        ),
        (
            "[child.\"\"]",
            "/etc/sup.toml:1: child.\"\": a child needs a name; write [child.NAME]",
        ),
        (
            "[child.-x]",
            "/etc/sup.toml:1: child.-x: a name does not begin with \".\" or \"-\"; for example [child.x]",
        ),
        (
            "[child.\"a/b\"]",
            "/etc/sup.toml:1: child.\"a/b\": a name has only letters, digits, \".\", \"_\" and \"-\"; for example [child.a-b]",
        ),
        (
            "[child.sup]",
            "/etc/sup.toml:1: child.sup: the name is reserved; choose another one: it means something else on the command line",
        ),
        (
            "[alert]\nexec = [\"x\"]",
            "/etc/sup.toml:1: alert: is a list of tables; write [[alert]]",
        ),
        (
            "[[alert]]\nexec = \"x\"",
            "/etc/sup.toml:2: alert.exec: expected an array of strings: a program and its first arguments, found \"x\"",
        ),
        (
            "command = [\"a\"]",
            "/etc/sup.toml:1: command: unknown key; it belongs to [child.NAME]",
        ),
        (
            "[defaults]\nlog = { file = \"x\" }",
            "/etc/sup.toml:2: defaults.log.file: cannot be a default; each child has its own file",
        ),
        (
            "[defaults]\nafter = [\"x\"]",
            "/etc/sup.toml:2: defaults.after: cannot be a default; each child has its own",
        ),
        (
            "include = \"x\"",
            "/etc/sup.toml:1: include: only a file can include others; read it from a file",
        ),
    ];
    for (text, expected) in table {
        let told = told(text);
        let is_told = told
            .lines()
            .any(|line| expected.lines().any(|wanted| line == wanted));
        assert!(is_told, "{text}: {told}");
    }
    let long = "x".repeat(65);
    let expected = format!(
        "/etc/sup.toml:1: child.{long}: the name is too long; at most 64 bytes, this one has 65\n1 mistake"
    );
    assert_eq!(
        told(&format!("[child.{long}]\ncommand = [\"a\"]")),
        expected
    );
}

#[test]
fn a_command_has_a_program() {
    let of = |command: &str| told(&format!("[child.a]\ncommand = {command}"));
    let none = "/etc/sup.toml:2: child.a.command: has no program; expected an array of strings: a program and its arguments, or one string\n1 mistake";
    for command in ["[]", "[\"\"]", "\"\"", "\"  \"", "\"'' x\""] {
        assert_eq!(of(command), none, "{command}");
    }
    assert_eq!(
        of("\"echo it's\""),
        "/etc/sup.toml:2: child.a.command: has a single quote that is not closed; quote it with '…' if the program is to see it, or write command = [\"/bin/sh\", \"-c\", \"…\"]\n1 mistake"
    );
    assert_eq!(
        of("[\n\"a\",\n3,\n\"b\\u0000\"]"),
        "/etc/sup.toml:4: child.a.command: an argument must be a string; put it in quotes\n\
         /etc/sup.toml:5: child.a.command: holds a NUL byte; expected an array of strings: a program and its arguments, or one string\n2 mistakes"
    );
}

#[test]
fn children_in_one_log_file_or_in_a_cycle_are_refused() {
    let same_log = "[child.a]\ncommand = [\"a\"]\nlog = { file = \"x\" }\n[child.b]\ncommand = [\"b\"]\nlog = { file = \"./x\" }";
    assert_eq!(
        told(same_log),
        "/etc/sup.toml:4: child.b.log: \"/etc/x\" is the log of a already; give each child a file of its own\n1 mistake"
    );
    let mut ring = String::new();
    for child in 0..20 {
        let next = (child + 1) % 20;
        ring += &format!("[child.c{child}]\ncommand = [\"a\"]\nrequires = [\"c{next}\"]\n");
    }
    assert_eq!(
        told(&ring),
        "/etc/sup.toml:60: child.c19.requires: children wait for each other: c0 -> c1 -> c2 -> c3 -> c4 -> c5 -> (8 more) -> c14 -> c15 -> c16 -> c17 -> c18 -> c19 -> c0; take one of them out of after or requires\n1 mistake"
    );
}

#[test]
fn what_is_hardly_meant_is_a_warning() {
    assert_eq!(
        told(
            "[child.a]\ncommand = [\"a\"]\nstop-timeout = \"1m\"\nbackoff = { first = \"10m\", longest = \"10m\" }"
        ),
        "fine\n\
         /etc/sup.toml:1: child.a.stop-timeout: is longer than shutdown-timeout (20s); when sup ends, the child is killed after that time all the same\n\
         /etc/sup.toml:1: child.a.budget: is never used up: with this backoff 5 restarts and one more take 50m or longer; make window longer, or the waits shorter"
    );
}

#[test]
fn syntax_errors_and_other_mistakes_come_together() {
    let text = "[child.a]\ncommand = [\"a\"]\nrestart = sometimes\nnice = \nnice = 99\n[child.a]\n\
                [child.b]\nuser = \"x\ndir = 3\ndir = 4\numask = 022\nafter = [\"c\"]\nready: notify\n";
    let expected = r#"
/etc/sup.toml:3: a text must stand in quotes; write "sometimes" if it is a text
/etc/sup.toml:4: there is no value after the "="; write one, or take the line out
/etc/sup.toml:5: "nice" is there a second time; it stands on line 4 already; keep one of the two
/etc/sup.toml:6: "a" is there a second time; it stands on line 1 already; keep one of the two
/etc/sup.toml:8: not TOML: invalid basic string, expected `"`; the line is "user = \"x"
/etc/sup.toml:9: child.b.dir: expected a path as a string, found an integer
/etc/sup.toml:10: "dir" is there a second time; it stands on line 9 already; keep one of the two
/etc/sup.toml:11: an integer does not begin with 0; take the 0 away, or put the value in quotes
/etc/sup.toml:13: not TOML: key with no value, expected `=`; the line is "ready: notify"
9 mistakes"#;
    assert_eq!(told(text), expected.trim_start());
}

#[test]
fn a_file_of_syntax_errors_shows_ten() {
    let told = told(&"]\n".repeat(50));
    assert_eq!(told.lines().count(), 12);
    assert!(told.starts_with("/etc/sup.toml: 40 more syntax errors; mend the first ones and look again\n/etc/sup.toml:1: not TOML"));
}

#[test]
fn a_default_that_is_written_out_changes_nothing() {
    let plain = config::parse("[child.a]\ncommand = [\"a\"]\n", "/etc/sup.toml").unwrap();
    for table in keys::Table::ALL {
        for key in table
            .keys()
            .iter()
            .filter(|key| !key.default.starts_with('('))
        {
            let pair = format!("{} = {}", key.name, key.default);
            let text = match table {
                keys::Table::Top => format!("{pair}\n[child.a]\ncommand = [\"a\"]"),
                keys::Table::Child => format!("[child.a]\ncommand = [\"a\"]\n{pair}"),
                keys::Table::Backoff => {
                    format!("[child.a]\ncommand = [\"a\"]\nbackoff = {{ {pair} }}")
                }
                keys::Table::Budget => {
                    format!("[child.a]\ncommand = [\"a\"]\nbudget = {{ {pair} }}")
                }
                keys::Table::Log => continue,
                keys::Table::Alert
                | keys::Table::Ready
                | keys::Table::Limits
                | keys::Table::Limit => {
                    panic!("{pair}: nowhere to put it");
                }
            };
            let written = config::parse(&text, "/etc/sup.toml");
            assert_eq!(written.as_ref(), Ok(&plain), "{pair}");
        }
    }
}

#[test]
fn the_defaults_of_a_log_file_are_those_in_the_table() {
    let base = "[child.a]\ncommand = [\"a\"]\nlog = { file = \"x\"";
    let plain = config::parse(&format!("{base} }}"), "/etc/sup.toml").unwrap();
    for key in &keys::Table::Log.keys()[1..] {
        let text = format!("{base}, {} = {} }}", key.name, key.default);
        assert_eq!(
            config::parse(&text, "/etc/sup.toml").as_ref(),
            Ok(&plain),
            "{}",
            key.name
        );
    }
}

/// A date is nothing that any key takes: each must complain of it, so each is read.
#[test]
fn every_key_in_the_table_is_read() {
    for table in keys::Table::ALL {
        for key in table.keys() {
            let pair = format!("{} = 2026-05-01", key.name);
            let (text, path) = match table {
                keys::Table::Top => (pair, key.name.to_owned()),
                keys::Table::Alert => (format!("[[alert]]\n{pair}"), format!("alert.{}", key.name)),
                keys::Table::Child => (
                    format!("[child.a]\n{pair}"),
                    format!("child.a.{}", key.name),
                ),
                keys::Table::Ready
                | keys::Table::Backoff
                | keys::Table::Budget
                | keys::Table::Log
                | keys::Table::Limits => {
                    let inner = table.place().rsplit('.').next().unwrap();
                    (
                        format!("[child.a.{inner}]\n{pair}"),
                        format!("child.a.{inner}.{}", key.name),
                    )
                }
                keys::Table::Limit => (
                    format!("[child.a.limits.as]\n{pair}"),
                    format!("child.a.limits.as.{}", key.name),
                ),
            };
            let mistakes = config::parse(&text, "sup.toml").unwrap_err();
            let is_complaint =
                |told: &&Mistake| *told.key == *path && !told.problem.starts_with("has no effect");
            let told = mistakes.list().iter().filter(is_complaint).count();
            assert_eq!(told, 1, "{path}: {mistakes}");
        }
    }
}

/// Files in a folder of their own; what is told has no trace of where that is.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            folder.write(name, text.as_bytes());
        }
        folder
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }

    fn load(&self, name: &str) -> Result<Loaded, config::Mistakes> {
        config::load(&self.0.path().join(name))
    }

    fn told(&self, name: &str) -> String {
        let told = match self.load(name) {
            Ok(loaded) => format!("fine {:?}", loaded.warnings),
            Err(mistakes) => mistakes.to_string(),
        };
        told.replace(&format!("{}/", self.0.path().display()), "")
    }
}

#[test]
fn includes_bring_their_children_and_alerts_in_order() {
    let folder = Folder::new(&[
        (
            "sup.toml",
            "include = [\"sup.d/*.toml\", \"more/z.toml\"]\n[defaults]\nnice = 5\n\
             [child.main]\ncommand = [\"m\"]\nrequires = \"b\"\ndir = \"work\"",
        ),
        (
            "sup.d/b.toml",
            "[child.b]\ncommand = [\"b\"]\ndir = \"work\"\n[[alert]]\nexec = [\"x\"]",
        ),
        (
            "sup.d/a.toml",
            "include = \"../more/y.toml\"\n[child.a]\ncommand = [\"a\"]\nafter = \"b\"",
        ),
        ("sup.d/.hidden.toml", "nonsense"),
        ("sup.d/old.toml.bak", "nonsense"),
        ("more/y.toml", "[child.y]\ncommand = [\"y\"]"),
        ("more/z.toml", "[child.z]\ncommand = [\"z\"]"),
    ]);
    let loaded = folder.load("sup.toml").unwrap();
    let names: Vec<&str> = loaded
        .spec
        .children
        .iter()
        .map(|child| &*child.name)
        .collect();
    assert_eq!(names, ["main", "a", "y", "b", "z"]);
    assert!(
        loaded
            .spec
            .children
            .iter()
            .all(|child| child.launch.nice == Some(5))
    );
    assert_eq!(loaded.spec.settings.alerts.len(), 1);
    let dir = |place: usize| loaded.spec.children[place].launch.dir.clone().unwrap();
    assert_eq!(*dir(0), *folder.0.path().join("work").to_str().unwrap());
    assert_eq!(
        *dir(3),
        *folder.0.path().join("sup.d/work").to_str().unwrap()
    );
    assert_eq!(loaded.files.len(), 5);
    assert_eq!(loaded.warnings, []);
}

#[test]
fn mistakes_with_includes_name_the_right_file() {
    let folder = Folder::new(&[
        (
            "sup.toml",
            "include = [\n\"b.toml\",\n\"gone.toml\",\n\"sup.d\",\n\"no.d/*.toml\",\n\"*/x.toml\",\n\"b.toml\"]\n\
             [child.a]\ncommand = [\"a\"]",
        ),
        (
            "b.toml",
            "state = \"x\"\n[defaults]\n[child.a]\ncommand = [\"a\"]\nafter = \"elsewhere\"",
        ),
        ("sup.d/x.toml", ""),
    ]);
    let expected = r#"
b.toml:1: state: belongs to the main file; move it to sup.toml
b.toml:2: defaults: belongs to the main file; move it to sup.toml
b.toml:3: child.a: the child at sup.toml:8 is there already; rename one of the two
sup.toml:3: include: gone.toml: cannot be read: No such file or directory
sup.toml:4: include: sup.d: is a folder, not a file; to take all files in it write include = "sup.d/*.toml"
sup.toml:6: include: one * in the last part of a path is all that is understood; write "folder/*.toml"
sup.toml:7: include: b.toml: b.toml is included a second time; include it once
7 mistakes"#;
    assert_eq!(folder.told("sup.toml"), expected.trim_start());
}

#[test]
fn files_that_include_each_other_are_refused() {
    let folder = Folder::new(&[
        (
            "a.toml",
            "include = \"b.toml\"\n[child.a]\ncommand = [\"a\"]",
        ),
        ("b.toml", "\ninclude = \"./a.toml\""),
        (
            "self.toml",
            "include = [\"self.toml\"]\n[child.a]\ncommand = [\"a\"]",
        ),
        (
            "many.toml",
            "include = \"many/*.toml\"\n[child.a]\ncommand = [\"a\"]",
        ),
    ]);
    assert_eq!(
        folder.told("a.toml"),
        "b.toml:2: include: ./a.toml: files include each other: a.toml -> b.toml -> ./a.toml; take one of these includes out\n1 mistake"
    );
    assert_eq!(
        folder.told("self.toml"),
        "self.toml:1: include: self.toml: files include each other: self.toml -> self.toml; take one of these includes out\n1 mistake"
    );
    for file in 0..300 {
        folder.write(&format!("many/{file:03}.toml"), b"");
    }
    assert_eq!(
        folder.told("many.toml"),
        "many.toml:1: include: many/256.toml: more than 256 files are included; join some of them\n1 mistake"
    );
}

#[test]
fn a_glob_that_finds_nothing_is_a_warning() {
    let folder = Folder::new(&[(
        "sup.toml",
        "include = \"sup.d/*.toml\"\n[child.a]\ncommand = [\"a\"]",
    )]);
    let warnings = folder.load("sup.toml").unwrap().warnings;
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].to_string().ends_with("sup.d/*.toml"),
        "{}",
        warnings[0]
    );
}

#[test]
fn what_is_no_configuration_gets_one_clear_error() {
    let folder = Folder::new(&[("child.toml", "[child.a]\ncommand = [\"a\"]")]);
    let mut random = Random(2994);
    folder.write("garbage", &random.bytes(10 << 20));
    folder.write("binary", &random.bytes(100_000));
    folder.write("ascii", b"\x7fELF\x02\x01\x01\0\0\0");
    folder.write("latin1.toml", b"# ok\n[child.a]\ncommand = [\"caf\xe9\"]\n");
    folder.write("utf16.toml", b"\xff\xfe[\0c\0h\0");
    folder.write("text", &b"lorem ipsum dolor sit amet\n".repeat(150_000));
    folder.write("equals", &vec![b'='; 4 << 20]);
    nix::unistd::mkfifo(&folder.0.path().join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let table = [
        (
            "gone",
            "gone: cannot be read: No such file or directory\n1 mistake",
        ),
        (
            "child.toml/x",
            "child.toml/x: cannot be read: Not a directory\n1 mistake",
        ),
        (
            "garbage",
            "garbage: the configuration is larger than 4 MiB; is this the right file?\n1 mistake",
        ),
        (
            "ascii",
            "ascii:1: holds a control character (0x7f); is this a text file?\n1 mistake",
        ),
        (
            "latin1.toml",
            "latin1.toml: is not UTF-8: byte 0xe9 on line 3 (byte 31 of the file); save it as UTF-8; is this the right file?\n1 mistake",
        ),
        (
            "utf16.toml",
            "utf16.toml: is UTF-16, not UTF-8; save it as UTF-8 in the editor\n1 mistake",
        ),
        (
            "text",
            "text:1: not TOML: key with no value, expected `=`; the line is \"lorem ipsum dolor sit amet\"\n1 mistake",
        ),
        (
            "equals",
            "equals:1: not TOML: extra `=`, expected nothing; the line is \"============================================================…\"\n1 mistake",
        ),
        (
            "fifo",
            "fifo: is not a regular file; a configuration is read from regular files only\n1 mistake",
        ),
    ];
    for (name, expected) in table {
        assert_eq!(folder.told(name), expected, "{name}");
    }
    assert!(
        folder
            .told("binary")
            .starts_with("binary: is not UTF-8: byte 0x")
    );
    assert!(
        config::load(Path::new("/dev/zero"))
            .unwrap_err()
            .to_string()
            .contains("is not a regular file")
    );
    assert!(folder.told(".").contains("is a folder, not a file"));
}

#[test]
fn a_long_file_is_read_to_its_end() {
    let word = format!("\"{}\",\n", "x".repeat(1000));
    let mut text = format!("[child.a]\ncommand = [\n{}]\n", word.repeat(500));
    let spec = config::parse(&text, "sup.toml").unwrap().spec;
    assert_eq!(spec.children[0].launch.command.len(), 500);
    text += "nice = 1 2\n";
    let told = config::parse(&text, "sup.toml").unwrap_err().to_string();
    assert_eq!(
        told,
        "sup.toml:504: a text must stand in quotes; write \"1 2\" if it is a text\n1 mistake"
    );
}

#[test]
fn the_size_counts_over_all_files() {
    let folder = Folder::new(&[(
        "sup.toml",
        "include = [\"a\", \"b\"]\n[child.a]\ncommand = [\"a\"]",
    )]);
    folder.write("a", &b"#comment\n".repeat(300_000));
    folder.write("b", &b"#comment\n".repeat(300_000));
    assert_eq!(
        folder.told("sup.toml"),
        "sup.toml:1: include: b: the configuration is larger than 4 MiB; is this the right file?\n1 mistake"
    );
}

#[test]
fn root_trusts_only_what_root_alone_can_write() {
    let folder = Folder::new(&[("sup.toml", "[child.a]\ncommand = [\"a\"]")]);
    let path = folder.0.path().join("sup.toml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let told = folder.told("sup.toml");
    if !nix::unistd::geteuid().is_root() {
        assert!(
            told.contains("everybody can write it, and sup runs what it says"),
            "{told}"
        );
        return;
    }
    let path_shown = path.display();
    let expected = "sup.toml: everybody can write it, and sup runs what it says as root; type: chmod o-w sup.toml\n1 mistake";
    assert_eq!(told, expected, "{path_shown}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    std::os::unix::fs::chown(&path, Some(12345), None).unwrap();
    assert_eq!(
        folder.told("sup.toml"),
        "sup.toml: it belongs to user 12345, and sup runs what it says as root; type: chown root sup.toml\n1 mistake"
    );
}

#[test]
fn deep_nests_do_not_reach_the_end_of_the_stack() {
    let path = vec!["a"; 79].join(".");
    let product = format!(
        "{path} = {}1{}",
        format!("{{ {path} = ").repeat(79),
        "}".repeat(79)
    );
    let texts = [
        "[".repeat(100_000),
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}", "{a=".repeat(100_000)),
        format!("a = {}1{}", "[".repeat(79), "]".repeat(79)),
        vec!["a"; 100_000].join("."),
        format!("[{}]", vec!["a"; 100_000].join(".")),
        product.clone(),
        format!("x = 1\n{product}\n{product}"),
        format!("[child.{path}]\n{product}"),
        format!(
            "[child.{path}]\nx = 1\n{key} = {}1{}\n{key} = 1",
            format!("{{ {path} = ").repeat(16),
            "}".repeat(16),
            key = "x"
        ),
        format!(
            "[child.{path}]\n{path} = {}1{}",
            format!("{{ {path} = ").repeat(16),
            "}".repeat(16)
        ),
    ];
    for text in texts {
        assert!(config::parse(&text, "sup.toml").is_err());
    }
}

/// A xorshift generator: the same bytes on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[3]).collect()
    }
}

/// `SUP_SEED=n cargo test --test config nonsense` brings one text back.
#[test]
fn nonsense_never_panics_and_every_mistake_has_a_place() {
    let seeds = match std::env::var("SUP_SEED") {
        Ok(seed) => vec![seed.parse().expect("SUP_SEED is a number")],
        Err(_) => (1..3000).collect(),
    };
    let pieces = [
        "[",
        "]",
        "{",
        "}",
        "=",
        "\"",
        "'",
        "\"\"\"",
        ",",
        ".",
        "\n",
        "#",
        "-1",
        "99999999999999999999",
        "nan",
        "2026-05-01",
        "true",
        "\\u0000",
        "\0",
        "é",
        "[child.",
        "[[alert]]",
        "defaults",
        "child",
        "a.b.c = 1\n",
        "log = {}",
        "after = [\"x\"]",
        "\r",
        "\u{feff}",
        "0o22",
        "1e400",
    ];
    for seed in seeds {
        let mut random = Random(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15));
        let mut text: Vec<char> = FULL.chars().collect();
        for _ in 0..=random.below(6) {
            let place = random.below(text.len());
            let end = (place + random.below(30)).min(text.len());
            match random.below(4) {
                0 => drop(text.drain(place..end)),
                1 => drop(text.splice(place..place, pieces[random.below(pieces.len())].chars())),
                2 => drop(text.splice(place..end, pieces[random.below(pieces.len())].chars())),
                _ => {
                    let copy = text[place..end].to_vec();
                    let place = random.below(text.len());
                    drop(text.splice(place..place, copy));
                }
            }
        }
        let text: String = text.into_iter().collect();
        let lines = text.matches('\n').count() + 1;
        let Err(mistakes) = config::parse(&text, "sup.toml") else {
            continue;
        };
        assert!(mistakes.count() > 0, "SUP_SEED={seed}");
        for mistake in mistakes.list() {
            assert!(mistake.line as usize <= lines, "SUP_SEED={seed}: {mistake}");
            assert!(
                !mistake.to_string().contains(char::is_control),
                "SUP_SEED={seed}: {mistake}"
            );
        }
    }
}

#[test]
fn ten_thousand_children_are_read_and_one_more_is_refused() {
    let mut text = String::new();
    for child in 0..10_000 {
        let before = match child {
            0 => String::new(),
            _ => format!("after = \"c{}\"\n", child - 1),
        };
        text += &format!("[child.c{child}]\ncommand = [\"a\"]\n{before}");
    }
    let children = config::parse(&text, "sup.toml").unwrap().spec.children;
    assert_eq!((children.len(), &*children[9_999].name), (10_000, "c9999"));
    text += "[child.last]\ncommand = [\"a\"]\n";
    let told = config::parse(&text, "sup.toml").unwrap_err().to_string();
    assert_eq!(
        told,
        "sup.toml:30000: child.last: more than 10000 children; use several supervisors\n1 mistake"
    );
}

/// Advice costs a look at every name: it is sought only for mistakes that are shown.
#[test]
fn a_flood_of_mistakes_ends_soon() {
    let many = |line: &dyn Fn(usize) -> String| (0..50_000).map(line).collect::<String>();
    let texts = [
        many(&|n| format!("comand{n} = 1\n")),
        format!(
            "[child.a]\ncommand = [\"a\"]\nafter = [{}]",
            many(&|n| format!("\"b{n}\",\n"))
        ),
        format!(
            "[child.a]\ncommand = [\"a\"]\n[child.a.env]\n{}",
            many(&|n| format!("K{n} = 1.5\n"))
        ),
    ];
    for text in texts {
        let mistakes = config::parse(&text, "sup.toml").unwrap_err();
        assert_eq!(mistakes.list().len(), config::MISTAKES_MAX);
        assert!(mistakes.count() >= 50_000);
    }
}
