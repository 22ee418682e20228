//! The configuration as people write it: what comes out, and what they are told.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use sup::config::{self, Loaded, Mistake, keys};
use sup::model::alert::{AlertSpec, Channel, Quiet, Secret};
use sup::model::spec::{
    Backoff, Budget, ChildSpec, EnvBase, ExitMatch, Launch, Life, Limit, LogFile, LogSpec, OnLimit,
    Ready, Resource, RestartPolicy, Settings, Spec, Stop,
};
use sup::model::tree::{AutoShutdown, GroupSpec, Strategy, Template};
use sup::model::words::Level;
use sup::model::{Signal, Tree};

const GROUPS: &str = include_str!("data/config/groups.toml");
const GROUPS_TOLD: &str = include_str!("data/config/groups.txt");
const FULL: &str = include_str!("data/config/full.toml");
const MISTAKES: &str = include_str!("data/config/mistakes.toml");
const MISTAKES_TOLD: &str = include_str!("data/config/mistakes.txt");

/// The least group of instances.
const POOL: &str =
    "[group.g]\nstrategy = \"simple-one-for-one\"\n[group.g.template]\ncommand = [\"a\"]\n";

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
            checks: Box::default(),
            state: None,
            runtime: None,
            wait_path: Box::default(),
            crash_loop: 5,
            shutdown_timeout: secs(20),
            http: None,
            alerts: Box::default(),
        },
        tree: Tree::from(vec![ChildSpec {
            name: "a".into(),
            launch: Launch {
                command: words(&["a"]),
                ..Launch::default()
            },
            log: LogSpec::Ring,
            life: Life::default().into(),
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
        checks: Box::default(),
        state: Some("/etc/state".into()),
        runtime: Some("/run/sup".into()),
        wait_path: Box::new(["/share/data".into()]),
        crash_loop: 9,
        shutdown_timeout: secs(90),
        http: Some("[::1]:8080".parse().unwrap()),
        alerts: Box::new([AlertSpec::new(Channel::Exec(words(&[
            "/share/notify.sh",
            "--all",
        ])))]),
    };
    assert_eq!(loaded.spec.settings, settings);
    let [database, collector] = &*loaded.spec.tree.children else {
        panic!("two children: {:?}", loaded.spec.tree.children);
    };
    assert_eq!(*database, database_expected());
    assert_eq!(collector.name, "collector.1".into());
    assert_eq!(collector.launch, collector_launch_expected());
    assert_eq!(collector.life, collector_life_expected().into());
    let log = LogFile {
        path: "/etc/logs/collector.log".into(),
        max_size: 1 << 20,
        keep: 2,
        timestamps: true,
    };
    assert_eq!(collector.log, LogSpec::File(log));
    let tree = &loaded.spec.tree;
    assert_eq!(tree.root, root_expected());
    let [pipeline, workers] = &*tree.groups else {
        panic!("two groups: {:?}", tree.groups);
    };
    assert_eq!(*pipeline, pipeline_expected());
    assert_eq!(*workers, workers_expected());
}

fn root_expected() -> GroupSpec {
    GroupSpec {
        strategy: Strategy::OneForAll,
        budget: Some(Budget {
            max_restarts: Some(3),
            window: secs(3600),
            on_limit: OnLimit::Escalate,
        }),
        auto_shutdown: AutoShutdown::AllSignificant,
        ..GroupSpec::root(Box::new(["pipeline".into(), "collector.1".into()]))
    }
}

fn pipeline_expected() -> GroupSpec {
    GroupSpec {
        name: "pipeline".into(),
        strategy: Strategy::RestForOne,
        members: Box::new(["database".into(), "workers".into()]),
        template: None,
        autostart: false,
        budget: Some(Budget {
            max_restarts: Some(9),
            window: secs(60),
            on_limit: OnLimit::Park(secs(600)),
        }),
        backoff: Backoff {
            first: secs(1),
            longest: secs(30),
            ..Backoff::default()
        },
        restart: RestartPolicy::OnFailure,
        significant: true,
        auto_shutdown: AutoShutdown::AnySignificant,
    }
}

fn workers_expected() -> GroupSpec {
    let database = database_expected();
    let child = ChildSpec {
        name: "workers".into(),
        launch: Launch {
            command: words(&["./worker", "--id", "{instance}"]),
            dir: Some("/etc/work/{instance}".into()),
            env_files: Box::new(["/etc/{instance}.env".into()]),
            ..database.launch
        },
        log: LogSpec::File(LogFile {
            path: "/etc/logs/worker-{instance}.log".into(),
            max_size: 1 << 20,
            keep: 2,
            timestamps: false,
        }),
        life: Life {
            after: Box::new(["database".into()]),
            significant: false,
            ..(*database.life).clone()
        }
        .into(),
    };
    GroupSpec {
        strategy: Strategy::SimpleOneForOne,
        template: Some(Template { child, count: 4 }),
        budget: Some(Budget {
            on_limit: OnLimit::Escalate,
            ..Budget::default()
        }),
        ..GroupSpec::new("workers", Box::default())
    }
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
            significant: true,
            ..Life::default()
        }
        .into(),
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
        checks: Box::default(),
        watchdog: None,
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
        wait_path: Box::new(["/etc/apps".into(), "/share/data/app".into()]),
        significant: false,
    }
}

#[test]
fn a_dozen_mistakes_are_told_at_once() {
    assert_eq!(told(MISTAKES), MISTAKES_TOLD.trim_end());
}

#[test]
fn all_mistakes_about_groups_are_told_at_once() {
    assert_eq!(told(GROUPS), GROUPS_TOLD.trim_end());
}

#[test]
fn each_mistake_says_what_is_allowed() {
    let table = [
        (
            "colour = 1",
            "colour: unknown key; allowed: command, dir, user, group, env, env-file, env-base, umask, nice, limits, no-new-privs, ready, restart, success-exit, prevent-exit, force-exit, backoff, budget, stop-signal, stop-timeout, start-timeout, after, requires, wait-path, check, watchdog, log, significant, autostart",
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
            "backoff.factor: nan is out of range; allowed: 1 to 100",
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
            "after: expected an array of names of children and groups, or one name, found an integer",
        ),
        (
            "after = \"b\"",
            "after: there is no child or group \"b\"; name one that is configured, or take it out",
        ),
        (
            "requires = [\"database\"]",
            "requires: there is no child or group \"database\"; name one that is configured, or take it out",
        ),
        (
            "after = \"root\"",
            "after: there is no child or group \"root\"; take it out: everything is in the root",
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
            "[child.root]",
            "/etc/sup.toml:1: child.root: the name is reserved; choose another one: [root] is the group of everything that is in no other",
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
        "/etc/sup.toml:3: child.c0.requires: children wait for each other: c0 -> c1 -> c2 -> c3 -> c4 -> c5 -> (8 more) -> c14 -> c15 -> c16 -> c17 -> c18 -> c19 -> c0; take one of them out of after or requires\n1 mistake"
    );
}

// ---- groups ----

/// Children of these names, which do nothing, and then this.
fn children_and(names: &str, rest: &str) -> String {
    let child = |name: &str| format!("[child.{name}]\ncommand = [\"x\"]\n");
    names.split_whitespace().map(child).collect::<String>() + rest
}

/// A group's table.
fn group(name: &str, members: &str, rest: &str) -> String {
    let members: Vec<_> = members.split_whitespace().collect();
    format!("[group.{name}]\nmembers = {members:?}\n{rest}\n")
}

fn tree(text: &str) -> Tree {
    let loaded = config::parse(text, "/etc/sup.toml");
    loaded
        .unwrap_or_else(|told| panic!("{told}\nin:\n{text}"))
        .spec
        .tree
}

#[test]
fn the_root_has_what_is_in_no_group_in_the_order_of_the_files() {
    let folder = Folder::new(&[
        (
            "sup.toml",
            "include = \"more.toml\"\n[group.one]\nmembers = [\"b\", \"c\"]\n\
             [child.a]\ncommand = \"a\"\n[group.two]\nmembers = [\"one\", \"z\"]\n\
             [child.b]\ncommand = \"b\"\n[child.d]\ncommand = \"d\"",
        ),
        (
            "more.toml",
            "[group.more]\nmembers = \"y\"\n[child.z]\ncommand = \"z\"\n\
             [child.y]\ncommand = \"y\"\n[child.c]\ncommand = \"c\"\n[child.e]\ncommand = \"e\"",
        ),
    ]);
    let tree = folder.load("sup.toml").unwrap().spec.tree;
    let members = |group: &GroupSpec| group.members.join(" ");
    assert_eq!(members(&tree.root), "a two d more e");
    let groups: Vec<_> = tree
        .groups
        .iter()
        .map(|group| format!("{}: {}", group.name, members(group)))
        .collect();
    assert_eq!(groups, ["one: b c", "two: one z", "more: y"]);
    folder.write("more.toml", b"[root]\nbudget = { max-restarts = 1 }");
    let told = folder.told("sup.toml");
    let expected = "more.toml:1: root: belongs to the main file; move it to sup.toml\n";
    assert!(told.starts_with(expected), "{told}");
}

#[test]
fn whoever_is_in_a_group_that_counts_needs_no_budget() {
    const UNTOLD: &str = "";
    const TOLD: &str = "budget = { window = \"5m\" }\n";
    const UNLIMITED: &str = "budget = { max-restarts = \"unlimited\" }\n";
    // What is written in [defaults], in the child, in its group: the restarts that the
    // child may make by itself.
    let table = [
        (UNTOLD, UNTOLD, None, Some(5)),
        (UNTOLD, UNTOLD, Some(UNTOLD), None),
        (UNTOLD, UNTOLD, Some(TOLD), None),
        (UNTOLD, UNTOLD, Some(UNLIMITED), Some(5)),
        (UNTOLD, TOLD, Some(UNTOLD), Some(5)),
        (TOLD, UNTOLD, Some(UNTOLD), Some(5)),
        (UNTOLD, "budget = {}\n", Some(UNTOLD), None),
        (
            UNTOLD,
            "budget = { on-limit = \"give-up\" }\n",
            Some(UNTOLD),
            Some(5),
        ),
        (
            UNTOLD,
            "budget = { max-restarts = 2 }\n",
            Some(UNTOLD),
            Some(2),
        ),
    ];
    for (defaults, own, group_budget, expected) in table {
        let place = group_budget.map_or(String::new(), |budget| group("g", "a", budget));
        let text = format!(
            "[defaults]\n{defaults}{}{own}{place}",
            children_and("a", "")
        );
        let life = &tree(&text).children[0].life;
        assert_eq!(life.budget.max_restarts, expected, "{text}");
        // In a template the same.
        let Some(budget) = group_budget else { continue };
        let pool = POOL.replace("[group.g.template]", &format!("{budget}[group.g.template]"));
        let groups = tree(&format!("[defaults]\n{defaults}{pool}{own}")).groups;
        let life = &groups[0].template.as_ref().unwrap().child.life;
        assert_eq!(life.budget.max_restarts, expected, "{text}");
    }
    let root = |budget: &str| tree(&children_and("a", &format!("[root]\n{budget}")));
    for (budget, expected) in [(UNTOLD, Some(5)), (TOLD, None), (UNLIMITED, Some(5))] {
        let tree = root(budget);
        let own = tree.children[0].life.budget.max_restarts;
        assert_eq!(own, expected, "{budget}");
        assert_eq!(tree.root.budget.is_some(), budget != UNTOLD);
    }
}

#[test]
fn what_is_too_much_for_a_group_is_for_the_one_above_to_judge_where_that_counts() {
    let limit = |root: &str, outer: &str, inner: &str| {
        let groups = group("outer", "inner", outer) + &group("inner", "a", inner);
        let tree = tree(&children_and("a", &format!("{groups}[root]\n{root}")));
        [0, 1].map(|place| tree.groups[place].budget.unwrap().on_limit)
    };
    let (give_up, escalate, park) = (
        OnLimit::GiveUp,
        OnLimit::Escalate,
        OnLimit::Park(secs(3600)),
    );
    let three = "budget = { max-restarts = 3 }";
    let unlimited = "budget = { max-restarts = \"unlimited\" }";
    let parks = "budget = { on-limit = \"park\" }";
    let gives_up = "budget = { on-limit = \"give-up\" }";
    let table = [
        (["", "", ""], [give_up, escalate]),
        (["", three, three], [give_up, escalate]),
        ([three, "", ""], [escalate, escalate]),
        ([unlimited, "", ""], [give_up, escalate]),
        (["", unlimited, ""], [give_up, give_up]),
        ([three, parks, gives_up], [park, give_up]),
    ];
    for ([root, outer, inner], expected) in table {
        assert_eq!(
            limit(root, outer, inner),
            expected,
            "{root} {outer} {inner}"
        );
    }
}

#[test]
fn who_waits_for_whom_in_a_ring_is_told_with_the_reasons() {
    let child = |name: &str, rest: &str| children_and(name, rest);
    let rest_for_one = "strategy = \"rest-for-one\"";
    let table = [
        (
            child("collector", "after = \"dashboard\"\n")
                + &child("dashboard", "")
                + &group("pipeline", "collector dashboard", rest_for_one),
            "3: child.collector.after: children and groups wait for each other: collector (after dashboard) -> dashboard (behind collector in pipeline) -> collector; take one of them out of after or requires, or change the order of members",
        ),
        // Though it is written, it is not the reason.
        (
            child("a", "after = \"c\"\n")
                + &child("b", "after = \"a\"\n")
                + &child("c", "")
                + &group("g", "a b c", ""),
            "3: child.a.after: children and groups wait for each other: a (after c) -> c (behind b in g) -> b (behind a in g) -> a; take one of them out of after or requires, or change the order of members",
        ),
        (
            child("a", "requires = \"g\"\n") + &group("g", "a", ""),
            "3: child.a.requires: children and groups wait for each other: a (requires g) -> g (holds a) -> a; take one of them out of after or requires",
        ),
        // One ring, though there is one by each member.
        (
            children_and("x", "")
                + &child("a", "requires = \"g\"\n")
                + &children_and("y z", "")
                + &group("g", "x a y z", ""),
            "5: child.a.requires: children and groups wait for each other: a (requires g) -> g (holds a) -> a; take one of them out of after or requires",
        ),
        (
            child("late", "after = \"g\"\n")
                + &child("a", "")
                + &group("all-of-it", "late g", "")
                + &group("g", "a", ""),
            "3: child.late.after: children and groups wait for each other: late (after g) -> g (behind late in all-of-it) -> late; take one of them out of after or requires, or change the order of members",
        ),
        (
            child("a", "after = \"late\"\n")
                + &child("late", "")
                + &group("outer", "inner late", "")
                + &group("inner", "a", ""),
            "3: child.a.after: children and groups wait for each other: a (after late) -> late (behind inner in outer) -> inner (holds a) -> a; take one of them out of after or requires, or change the order of members",
        ),
        (
            child("early", "after = \"a\"\n")
                + &child("a", "")
                + &group("outer", "early inner", "")
                + &group("inner", "a", ""),
            "3: child.early.after: children and groups wait for each other: early (after a) -> a (in inner) -> inner (behind early in outer) -> early; take one of them out of after or requires, or change the order of members",
        ),
        // Strangers in the root start when they like; the root's order counts where it has one.
        (
            child("a", "after = \"b\"\n")
                + &child("b", "")
                + "[root]\nstrategy = \"one-for-all\"\n",
            "3: child.a.after: children and groups wait for each other: a (after b) -> b (behind a in root) -> a; take one of them out of after or requires, or change the order of members",
        ),
        (
            child("a", "after = \"g\"\n") + POOL + "after = \"a\"\n",
            "3: child.a.after: children wait for each other: a -> g -> a; take one of them out of after or requires",
        ),
        (
            POOL.to_owned() + "after = \"g\"\n",
            "5: group.g.template.after: names itself; take it out",
        ),
        (
            child("a", "") + POOL + "after = \"a\"\n" + &group("h", "g a", ""),
            "7: group.g.template.after: children and groups wait for each other: g (after a) -> a (behind g in h) -> g; take one of them out of after or requires, or change the order of members",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(
            told(&text),
            format!("/etc/sup.toml:{expected}\n1 mistake"),
            "{text}"
        );
    }
    let names: Vec<_> = (0..20).map(|nth| format!("c{nth}")).collect();
    let ring = child("c0", "after = \"c19\"\n")
        + &children_and(&names[1..].join(" "), "")
        + &group("g", &names.join(" "), "");
    let told = told(&ring);
    assert!(told.contains("c0 (after c19) -> c19 (behind c18 in g) -> c18 (behind c17 in g) -> c17 (behind c16 in g) -> c16 (behind c15 in g) -> c15 (behind c14 in g) -> (8 more) -> c6 (behind"), "{told}");
}

#[test]
fn instances_share_no_file() {
    let pool = |name: &str, file: &str| {
        POOL.replace(".g", &format!(".{name}")) + &format!("log = {{ file = \"{file}\" }}\n")
    };
    let child = |file: &str| children_and("a", &format!("log = {{ file = \"{file}\" }}\n"));
    let taken = |path: &str, by: &str| {
        format!(
            "group.{path}\" is the log of {by} already; give each child a file of its own\n1 mistake"
        )
    };
    let table = [
        (child("w-x") + &pool("g", "w-{instance}"), "fine".to_owned()),
        (child("w-0") + &pool("g", "w-{instance}"), "fine".to_owned()),
        (
            child("w-17") + &pool("g", "w-{instance}"),
            format!("/etc/sup.toml:6: {}", taken("g.template.log: \"/etc/w-17", "a")),
        ),
        (
            child("7/w-7") + &pool("g", "{instance}/w-{instance}"),
            format!("/etc/sup.toml:6: {}", taken("g.template.log: \"/etc/7/w-7", "a")),
        ),
        (
            child("7/w-8") + &pool("g", "{instance}/w-{instance}"),
            "fine".to_owned(),
        ),
        (
            pool("g", "w{instance}") + &pool("h", "w{instance}"),
            format!("/etc/sup.toml:8: {}", taken("h.template.log: \"/etc/w1", "g")),
        ),
        (
            pool("g", "w1{instance}") + &pool("h", "w{instance}"),
            format!("/etc/sup.toml:8: {}", taken("h.template.log: \"/etc/w11", "g")),
        ),
        (
            pool("g", "w{instance}") + &pool("h", "v{instance}"),
            "fine".to_owned(),
        ),
        (
            pool("g", "w"),
            "/etc/sup.toml:3: group.g.template.log: every instance would write to this file; put {instance} into its name, as in \"logs/worker-{instance}.log\"\n1 mistake".to_owned(),
        ),
        (
            pool("g", "{instance}") + "watchdog = { file = \"/tmp/beat\", within = \"5m\" }\n",
            "/etc/sup.toml:3: group.g.template.watchdog: every instance would write to this file; put {instance} into its name, as in \"/tmp/worker-{instance}.beat\"\n1 mistake".to_owned(),
        ),
        (
            pool("g", "{instance}") + "watchdog = { file = \"/tmp/{instance}\", within = \"5m\" }\n",
            "fine".to_owned(),
        ),
    ];
    for (text, expected) in table {
        assert_eq!(told(&text), expected, "{text}");
    }
}

#[test]
fn groups_and_instances_are_counted() {
    let pool = |name: &str, count: u32| {
        let head = format!("count = {count}\n[group.{name}.template]");
        POOL.replace("[group.g.template]", &head)
            .replace("[group.g]", &format!("[group.{name}]"))
    };
    let ten: String = (0..10).map(|nth| pool(&format!("g{nth}"), 1000)).collect();
    assert_eq!(tree(&ten).groups.len(), 10);
    let eleven = ten.clone() + &pool("h", 1) + &pool("i", 1);
    assert_eq!(
        told(&eleven),
        "/etc/sup.toml:51: group.h.count: with its 1 instances there are more than 10000 children; lower it, or use several supervisors\n1 mistake"
    );
    assert_eq!(
        tree(&(ten + &pool("h", 0))).groups[10]
            .template
            .as_ref()
            .unwrap()
            .count,
        0
    );
    let mut text = children_and("a", "[group.g0]\nmembers = \"a\"\n");
    for nth in 1..9_999 {
        text += &format!("[group.g{nth}]\nmembers = \"g{}\"\n", nth - 1);
    }
    assert_eq!(tree(&text).groups.len(), 9_999);
    assert_eq!(
        told(&(text + "[group.last]\nmembers = \"g9998\"\n")),
        "/etc/sup.toml:20001: group.last: more than 10000 groups, the root among them; use several supervisors\n1 mistake"
    );
}

const FIVE_IN_A_MINUTE: &str = "budget = { max-restarts = 5, window = \"60s\" }";

#[test]
fn what_is_hardly_meant_of_groups_is_a_warning() {
    let table = [
        (group("g", "a b", ""), "fine"),
        (
            group("g", "a", FIVE_IN_A_MINUTE),
            "fine\n/etc/sup.toml:7: group.g.budget: is never used up: with this backoff 5 restarts and one more take 3m10s or longer; make window longer, or the waits shorter",
        ),
        (group("g", "a b", FIVE_IN_A_MINUTE), "fine"),
        (
            group(
                "g",
                "a b",
                "budget = { max-restarts = 6, window = \"60s\" }",
            ),
            "fine\n/etc/sup.toml:7: group.g.budget: is never used up: with their backoffs the members make 6 restarts in 1m at most; make window longer, or the waits shorter",
        ),
    ];
    for (groups, expected) in table {
        assert_eq!(told(&children_and("a b c", &groups)), expected, "{groups}");
    }
}

#[test]
fn members_that_end_one_after_the_other_may_need_longer_than_there_is() {
    let warning = |line: u32, group: &str| {
        format!(
            "fine\n/etc/sup.toml:{line}: group.{group}: its members end one after the other, which may take 31s: longer than shutdown-timeout (20s); write shutdown-timeout = \"31s\", or shorter stop-timeouts"
        )
    };
    let table = [
        (group("g", "a b c", ""), warning(8, "g")),
        // Once, where it begins.
        (
            group("outer", "g", "") + &group("g", "a b c", ""),
            warning(11, "g"),
        ),
        (
            group("outer", "g c", "") + &group("g", "a b", ""),
            warning(8, "outer"),
        ),
    ];
    for (groups, expected) in table {
        let usual = children_and("a b c", &groups);
        assert_eq!(told(&usual), "fine", "nobody has written a time: {groups}");
        let slow = usual.replace("[child.c]\n", "[child.c]\nstop-timeout = \"11s\"\n");
        assert_eq!(told(&slow), expected, "{groups}");
    }
    // Instances end together, and there may be any number of them.
    let head = format!("count = 9\n{FIVE_IN_A_MINUTE}\n[group.g.template]");
    assert_eq!(told(&POOL.replace("[group.g.template]", &head)), "fine");
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
fn no_mistake_in_an_environment_or_an_alert_shows_a_secret() {
    let texts = [
        "[child.a.env]\nTOKEN = \"hunter2\n",
        "[child.a.env]\nTOKEN = hunter2\n",
        "[child.a.env]\nTOKEN = \"a\" hunter2\n",
        "[child.a.env]\nTOKEN : \"hunter2\"\n",
        "[child.a.env]\nTOKEN = [\"hunter2\"]\n",
        "[child.a.env]\nTOKEN = \"hunter2\\u0000\"\n",
        "[child.a.env]\n\"\" = \"hunter2\"\n",
        "[child.a.env]\nTOKEN = \"hunter2\"\nTOKEN = \"hunter2\"\n",
        "[child.a.env]\nTOKEN = \"\"\"\nhunter2\n\"\"\" hunter2\n",
        "[child.a]\ncommand = [\"a\"]\nenv = \"TOKEN=hunter2\"\n",
        "[child.a]\ncommand = [\"a\"]\nenv = [\"TOKEN=hunter2\"]\n",
        "[child.a]\ncommand = [\"a\"]\nenv = { TOKEN = \"hunter2 }\n",
        "[child.a]\ncommand = [\"a\"]\nenv = {\n TOKEN = \"hunter2 }\n}\n",
        "[child.a]\ncommand = [\"a\"]\nenv.TOKEN = hunter2\n",
        "[defaults.env]\nTOKEN = hunter2\n",
        "[child.a.enviroment]\nTOKEN = hunter2\n",
        "[child.a.env]\nTOKEN = \"\"\"\n[x]\nhunter2",
        "[[alert]]\nslack = \"https://a/hunter2\n",
        "[[alert]]\nslack = https://a/hunter2\n",
        "[[alert]]\nslack = \"ftp://a/hunter2\"\n",
        "[[alert]]\nwebhook =\n\"https://a/hunter2?b=c\"\n",
        "[[alert]]\ngotify = \"http://a\"\ntoken = \"hunter2\\q\"\n",
        "[[alert]]\napp-insights = { file = \"x\", hunter2 }\n",
    ];
    for text in texts {
        let told = told(text);
        assert!(told.contains("mistake"), "{text}: {told}");
        assert!(!told.contains("hunter2"), "{text}: {told}");
    }
}

#[test]
fn a_file_of_syntax_errors_shows_ten() {
    let told = told(&"]\n".repeat(50));
    assert_eq!(told.lines().count(), 12);
    assert!(told.starts_with("/etc/sup.toml: 40 more syntax errors; mend the first ones and look again\n/etc/sup.toml:1: not TOML"));
}

#[test]
fn a_default_that_is_written_out_changes_nothing() {
    for table in keys::Table::ALL {
        for key in table
            .keys()
            .iter()
            .filter(|key| !key.default.starts_with('('))
        {
            let pair = format!("{} = {}", key.name, key.default);
            let child = "[child.a]\ncommand = [\"a\"]\n";
            let group = format!("{child}[group.g]\nmembers = \"a\"\n");
            let alert = format!("{child}[[alert]]\nqnap = true\n");
            let bare;
            let (text, plain) = match table {
                keys::Table::Top => (format!("{pair}\n{child}"), child),
                keys::Table::Child => (format!("{child}{pair}"), child),
                keys::Table::Backoff => (format!("{child}backoff = {{ {pair} }}"), child),
                keys::Table::Budget => (format!("{child}budget = {{ {pair} }}"), child),
                keys::Table::Root => (format!("{child}[root]\n{pair}"), child),
                keys::Table::Group if key.name == "count" => {
                    let simple =
                        POOL.replace("[group.g.template]", "count = 1\n[group.g.template]");
                    (simple, POOL)
                }
                keys::Table::Group => (format!("{group}{pair}"), &*group),
                keys::Table::Template => (format!("{POOL}{pair}"), POOL),
                keys::Table::Log => continue,
                keys::Table::Check => {
                    let kind = kind_with(key.name);
                    bare = format!("{child}[[child.a.check]]\n{kind}\n");
                    (format!("{bare}{pair}"), &*bare)
                }
                keys::Table::Alert => (format!("{alert}{pair}"), &*alert),
                keys::Table::Http
                | keys::Table::Secret
                | keys::Table::Ready
                | keys::Table::Watchdog
                | keys::Table::Limits
                | keys::Table::Limit => {
                    panic!("{pair}: nowhere to put it");
                }
            };
            let plain = config::parse(plain, "/etc/sup.toml").unwrap();
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

/// A kind of check that has this key; nothing where the key is one itself.
fn kind_with(key: &str) -> &'static str {
    match key {
        "exec" | "tcp" | "http" | "file" | "disk" | "memory" | "process" | "log" => "",
        "send" | "expect" => "tcp = 80",
        "status" | "body" => "http = \"http://127.0.0.1/\"",
        "within" => "log = \"x\"\nwarn = 1",
        "warn" | "critical" => "disk = \"/\"",
        _ => "process = true",
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
                keys::Table::Http => (format!("[http]\n{pair}"), format!("http.{}", key.name)),
                keys::Table::Secret => (
                    format!("[[alert]]\nslack = {{ {pair} }}"),
                    format!("alert.slack.{}", key.name),
                ),
                keys::Table::Child => (
                    format!("[child.a]\n{pair}"),
                    format!("child.a.{}", key.name),
                ),
                keys::Table::Root => (format!("[root]\n{pair}"), format!("root.{}", key.name)),
                keys::Table::Group => (
                    format!("[group.g]\n{pair}"),
                    format!("group.g.{}", key.name),
                ),
                keys::Table::Template => (
                    format!("[group.g.template]\n{pair}"),
                    format!("group.g.template.{}", key.name),
                ),
                keys::Table::Check => {
                    let kind = kind_with(key.name);
                    (
                        format!("[[child.a.check]]\n{kind}\n{pair}"),
                        format!("child.a.check.{}", key.name),
                    )
                }
                keys::Table::Ready
                | keys::Table::Watchdog
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

#[test]
fn http_is_off_and_where_it_is_on_others_see_nothing_unless_told() {
    let read = |http: &str| {
        let text = format!("[child.a]\ncommand = [\"a\"]\n{http}\n");
        config::parse(&text, "/etc/sup.toml")
    };
    assert_eq!(read("").unwrap().spec.settings.http, None);
    let table = [
        ("\"127.0.0.1:8080\"", "127.0.0.1:8080"),
        ("\"[::1]:80\"", "[::1]:80"),
        ("8080", "127.0.0.1:8080"),
        ("\"65535\"", "127.0.0.1:65535"),
    ];
    for (written, address) in table {
        let loaded = read(&format!("[http]\nlisten = {written}")).unwrap();
        assert_eq!(loaded.spec.settings.http, Some(address.parse().unwrap()));
        assert_eq!(loaded.warnings, [], "{written}");
    }
    for open in ["0.0.0.0:80", "[::]:80", "192.168.1.5:8080"] {
        let loaded = read(&format!("[http]\nlisten = \"{open}\"")).unwrap();
        assert_eq!(loaded.spec.settings.http, Some(open.parse().unwrap()));
        let expected = format!(
            "/etc/sup.toml:4: http.listen: {open} can be reached by other machines; they can read there what runs and what happens, without a password; write 127.0.0.1 for this machine only"
        );
        assert_eq!(loaded.warnings[0].to_string(), expected);
    }
    for bad in [
        "0",
        "65536",
        "\"127.0.0.1:0\"",
        "\"127.0.0.1\"",
        "\":80\"",
        "\"localhost:80\"",
        "\"\"",
        "true",
    ] {
        let mistakes = read(&format!("[http]\nlisten = {bad}")).unwrap_err();
        assert_eq!(mistakes.list().len(), 1, "{bad}: {mistakes}");
    }
    let mistakes = read("[http]\nlisten = \"localhost:80\"").unwrap_err();
    let expected = "/etc/sup.toml:4: http.listen: \"localhost:80\" is no address with a port; expected an address and a port such as \"127.0.0.1:8080\" or \"[::1]:8080\", or a port, which means 127.0.0.1\n1 mistake";
    assert_eq!(mistakes.to_string().trim(), expected);
    assert!(
        read("[http]")
            .unwrap_err()
            .to_string()
            .contains("http.listen: is missing")
    );
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
        .tree
        .children
        .iter()
        .map(|child| &*child.name)
        .collect();
    assert_eq!(names, ["main", "a", "y", "b", "z"]);
    assert!(
        loaded
            .spec
            .tree
            .children
            .iter()
            .all(|child| child.launch.nice == Some(5))
    );
    assert_eq!(loaded.spec.settings.alerts.len(), 1);
    let dir = |place: usize| loaded.spec.tree.children[place].launch.dir.clone().unwrap();
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
            "equals:1: not TOML: extra `=`, expected nothing; the line begins with \"=\"\n1 mistake",
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
    assert_eq!(spec.tree.children[0].launch.command.len(), 500);
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
        "[group.",
        "[root]\n",
        "members = [\"database\", \"pipeline\"]\n",
        "after = \"pipeline\"\n",
        "strategy = \"simple-one-for-one\"\n",
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
    let children = config::parse(&text, "sup.toml").unwrap().spec.tree.children;
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

/// What is sought in the whole is sought with a plan: however long, it is soon done.
#[test]
fn long_groups_and_long_rings_are_soon_read() {
    let names: Vec<_> = (0..10_000).map(|nth| format!("c{nth}")).collect();
    let text = children_and(&names.join(" "), &group("g", &names.join(" "), ""));
    let ring = text.replacen("[child.c1]", "after = \"c9999\"\n[child.c1]", 1);
    assert_eq!(tree(&text).groups[0].members.len(), 10_000);
    let told = told(&ring);
    assert!(
        told.starts_with("/etc/sup.toml:3: child.c0.after: "),
        "{told}"
    );
    assert!(told.contains("(9988 more)"), "{told}");
}

// ---- alerts ----

fn alerts_of(text: &str) -> Vec<AlertSpec> {
    let text = format!("[child.a]\ncommand = [\"a\"]\n{text}");
    let loaded = config::parse(&text, "/etc/sup.toml").unwrap_or_else(|m| panic!("{m}\n{text}"));
    loaded.spec.settings.alerts.into()
}

#[test]
fn every_way_to_people_is_read() {
    let url = || Secret::Plain("http://nas/x".into());
    let table = [
        ("exec = [\"x\"]", Channel::Exec(words(&["x"]))),
        ("webhook = \"http://nas/x\"", Channel::Webhook(url())),
        (
            "slack = \"$SLACK\"",
            Channel::Slack(Secret::Variable("SLACK".into())),
        ),
        (
            "discord = { file = \"hook\" }",
            Channel::Discord(Secret::File("/etc/hook".into())),
        ),
        (
            "ntfy = \"http://nas/x\"",
            Channel::Ntfy {
                url: url(),
                token: None,
            },
        ),
        (
            "gotify = \"http://nas/x\"\ntoken = \"$TOKEN\"",
            Channel::Gotify {
                url: url(),
                token: Secret::Variable("TOKEN".into()),
            },
        ),
        (
            "home-assistant = \"http://nas/x\"",
            Channel::HomeAssistant(url()),
        ),
        ("uptime-kuma = \"http://nas/x\"", Channel::UptimeKuma(url())),
        (
            "healthchecks = \"http://nas/x\"",
            Channel::Healthchecks(url()),
        ),
        ("mail = \"a@b\"", Channel::Mail("a@b".into())),
        (
            "mail = [\"a@b\", \"c@d\"]",
            Channel::Mail("a@b, c@d".into()),
        ),
        ("qnap = true", Channel::Qnap),
        ("synology = true", Channel::Synology),
        (
            "app-insights = \"$X\"",
            Channel::AppInsights(Secret::Variable("X".into())),
        ),
    ];
    for (text, channel) in table {
        let found = alerts_of(&format!("[[alert]]\n{text}"));
        assert_eq!(found, [AlertSpec::new(channel)], "{text}");
    }
}

#[test]
fn what_every_way_has_is_read() {
    let found = alerts_of(
        "[[alert]]\nntfy = \"https://x/y\"\ntoken = { file = \"t\" }\nname = \"phone\"\n\
         level = \"critical\"\nonly = [\"a\", \"host\"]\nrestarts = 1\nquiet = \"22:00-07:30\"\n\
         reminder = \"6h\"\nper-hour = 3\ninterval = \"1m\"\noutput = false\n",
    );
    let expected = AlertSpec {
        name: "phone".into(),
        level: Level::Critical,
        only: Box::new(["a".into(), "host".into()]),
        restarts: 1,
        quiet: Some(Quiet {
            from: 22 * 60,
            to: 7 * 60 + 30,
        }),
        reminder: Some(secs(6 * 3600)),
        per_hour: 3,
        interval: secs(60),
        output: false,
        ..AlertSpec::new(Channel::Ntfy {
            url: Secret::Plain("https://x/y".into()),
            token: Some(Secret::File("/etc/t".into())),
        })
    };
    assert_eq!(found, [expected]);
}

#[test]
fn ways_without_a_name_are_numbered_around_those_that_have_one() {
    let found = alerts_of(
        "[[alert]]\nqnap = true\n[[alert]]\nqnap = true\n[[alert]]\nmail = \"a@b\"\nname = \"qnap-2\"\n",
    );
    let names: Vec<&str> = found.iter().map(|alert| &*alert.name).collect();
    assert_eq!(names, ["qnap", "qnap-3", "qnap-2"]);
}

#[test]
fn mistakes_in_alerts_are_told() {
    let table = [
        (
            "qnap = true\nsynology = true",
            "4: alert.synology: has qnap already; write an [[alert]] of its own for each",
        ),
        (
            "qnap = false",
            "3: alert.qnap: false says no way; write true, or take the table out",
        ),
        (
            "gotify = \"http://x\"",
            "2: alert.token: is missing; expected a text, \"$VARIABLE\" or { file = \"…\" }",
        ),
        (
            "qnap = true\ntoken = \"x\"",
            "4: alert.token: has no place here; only ntfy and gotify take a token",
        ),
        (
            "webhook = \"nas/x\"",
            "3: alert.webhook: does not begin with http:// or https://, or has a letter that no address has; expected an address, \"$VARIABLE\" or { file = \"…\" }",
        ),
        (
            "webhook = \"http://a b\"",
            "3: alert.webhook: does not begin with http:// or https://, or has a letter that no address has; expected an address, \"$VARIABLE\" or { file = \"…\" }",
        ),
        (
            "slack = \"$\"",
            "3: alert.slack: names no variable; expected an address, \"$VARIABLE\" or { file = \"…\" }",
        ),
        (
            "mail = \"me\"",
            "3: alert.mail: \"me\" is no address of a person; expected an address, or an array of them",
        ),
        (
            "qnap = true\nlevel = \"bad\"",
            "4: alert.level: \"bad\" is not a level; allowed: info, warning, critical",
        ),
        (
            "qnap = true\nonly = \"b\"",
            "4: alert.only: there is no child or group \"b\"; name one that is configured, or take it out",
        ),
        (
            "qnap = true\nquiet = \"22-7\"",
            "4: alert.quiet: \"22-7\" is no part of a day; expected a part of the day such as \"22:00-07:00\"",
        ),
        (
            "qnap = true\nquiet = \"07:00-07:00\"",
            "4: alert.quiet: \"07:00-07:00\" is no part of a day; expected a part of the day such as \"22:00-07:00\"",
        ),
        (
            "qnap = true\nquiet = \"24:00-07:00\"",
            "4: alert.quiet: \"24:00-07:00\" is no part of a day; expected a part of the day such as \"22:00-07:00\"",
        ),
        (
            "qnap = true\nrepeat = true\nquiet = \"22:00-07:00\"",
            "5: alert.quiet: has no place beside repeat = true; what is repeated is told as it comes: take one of the two out",
        ),
        (
            "qnap = true\nper-hour = 0",
            "4: alert.per-hour: 0 is out of range; allowed: 1 to 1000",
        ),
        (
            "qnap = true\nname = \"x\"\n[[alert]]\nqnap = true\nname = \"x\"",
            "5: alert.name: \"x\" is there already; rename one of the two",
        ),
    ];
    for (text, expected) in table {
        let text = format!("child.a.command = [\"a\"]\n[[alert]]\n{text}\n");
        let told = told(&text);
        let told = told.strip_suffix("\n1 mistake").unwrap_or(&told);
        assert_eq!(told, format!("/etc/sup.toml:{expected}"), "{text}");
    }
    for restarts in ["0", "101"] {
        let text = format!("crash-loop = {restarts}\nchild.a.command = [\"a\"]\n");
        let expected = format!("1: crash-loop: {restarts} is out of range; allowed: 1 to 100");
        assert!(told(&text).contains(&expected), "{}", told(&text));
    }
    let many = "[[alert]]\nqnap = true\n".repeat(40);
    assert!(told(&many).contains("alert: more than 32 alerts; take some out"));
}

// ---- checks -----------------------------------------------------------------------

/// What is said of a check of `[child.a]`, whose lines begin on line 4.
fn told_of_check(lines: &str) -> String {
    told(&format!(
        "[child.a]\ncommand = [\"a\"]\n[[child.a.check]]\n{lines}\n"
    ))
    .replace("/etc/sup.toml:", "")
    .replace("child.a.", "")
}

#[test]
fn checks_that_say_what_they_look_at_are_fine() {
    let table = [
        "exec = [\"x\", \"-q\"]\nwarn = [1, 3]",
        "exec = \"pg_isready -q\"\nwarn = 1",
        "tcp = 6379",
        "tcp = \"[::1]:80\"\nwarn = \"1s\"\ncritical = \"5s\"",
        "tcp = \"/run/x.sock\"\nsend = \"PING\\r\\n\"\nexpect = \"+PONG\"",
        "tcp = \"127.0.0.1:80{instance}\"",
        "http = \"http://localhost:80{instance}/a?b\"\nstatus = 204",
        "http = \"http://127.0.0.1/\"\nbody = \"ok\"\nstatus = \"200-299\"",
        "file = \"beat\"",
        "file = \"beat\"\nwarn = \"5m\"\ncritical = \"1h\"",
        "file = \"db\"\ncritical = \"5G\"",
        "file = \"db\"\nwarn = 4096",
        "disk = \"/share\"",
        "memory = \"child\"\nwarn = \"50%\"\ncritical = \"200M\"",
        "memory = \"host\"",
        "process = true\non-critical = \"restart\"\nname = \"main.process\"",
        "log = \"ERROR\"\nwithin = \"10m\"\nwarn = 5",
        "process = true\n[[child.a.check]]\nprocess = true",
    ];
    for lines in table {
        assert_eq!(told_of_check(lines), "fine", "{lines}");
    }
    assert_eq!(
        told("[[check]]\ndisk = \"/\"\n[child.a]\ncommand = [\"a\"]\n"),
        "fine"
    );
}

#[test]
fn a_wrong_check_is_told_with_its_line_and_what_to_do() {
    let kinds = "exec, tcp, http, file, disk, memory, process, log";
    let table = [
        ("interval = \"1s\"", format!("3: check: does not say what is looked at; one of {kinds} in each check")),
        ("tcp = 1\nprocess = true", format!("3: check: looks at several things: tcp, process; one of {kinds} in each check")),
        ("tcp = \"example.org:80\"", "4: check.tcp: \"example.org:80\" is not an address; write a port, \"127.0.0.1:6379\", \"[::1]:6379\", \"localhost:6379\" or \"/run/redis.sock\"; no names are looked up".into()),
        ("tcp = 70000", "4: check.tcp: 70000 is out of range; allowed: 1 to 65535".into()),
        ("tcp = 80\nsend = \"x\"", "5: check.send: asks, and no answer is awaited; add expect = \"…\"".into()),
        ("http = \"https://127.0.0.1/\"", "4: check.http: \"https://127.0.0.1/\" cannot be read; sup speaks no TLS: write exec = [\"curl\", \"-fsS\", \"https://…\"]".into()),
        ("http = \"http://127.0.0.1\"\nstatus = \"299-200\"", "5: check.status: \"299-200\" is no range of a status; write 200, or \"200-399\"".into()),
        ("disk = \"/\"\nbody = \"x\"", "5: check.body: has no place in a check of disk; it belongs to http".into()),
        ("disk = \"/\"\nwarn = \"80\"", "5: check.warn: is not a percentage; allowed: \"0%\" to \"100%\"".into()),
        ("disk = \"/\"\nwarn = \"90%\"\ncritical = \"80%\"", "6: check.critical: is less than warn; a warning comes before it is critical".into()),
        ("memory = \"child\"", "4: check.memory: has no bound; add warn = \"200M\", critical = \"50%\" or both".into()),
        ("memory = \"mine\"", "4: check.memory: \"mine\" is not whose memory; allowed: host, child".into()),
        ("process = false", "4: check.process: looks at nothing; write true, or take the check out".into()),
        ("log = \"x\"\nwarn = 1", "3: check.within: is missing; expected a duration such as \"5s\", \"10m\" or \"1h30m\"".into()),
        ("log = \"x\"\nwithin = \"1m\"", "4: check.log: has no bound; add warn = 5, critical = 50 or both: more lines than that".into()),
        ("process = true\nname = \"a b\"", "5: check.name: \"a b\" is not a name; letters, digits, ., _ and -".into()),
        ("process = true\nretries = 0", "5: check.retries: 0 is out of range; allowed: 1 to 100".into()),
        ("process = true\nintervall = \"1s\"", "5: check.intervall: unknown key; did you mean \"interval\"?".into()),
        ("process = true\non-critical = \"reboot\"", "5: check.on-critical: \"reboot\" is not what can follow; allowed: alert, restart".into()),
    ];
    for (lines, expected) in table {
        assert_eq!(
            told_of_check(lines),
            format!("{expected}\n1 mistake"),
            "{lines}"
        );
    }
    let host = |lines: &str| {
        told(&format!(
            "[child.a]\ncommand = [\"a\"]\n[[check]]\n{lines}\n"
        ))
    };
    for (lines, words) in [
        ("process = true", "check.process: is of a child"),
        ("log = \"x\"", "check.log: is of a child"),
        ("memory = \"child\"", "check.memory: is of a child"),
        (
            "disk = \"/\"\non-critical = \"restart\"",
            "has no place in a check of the box",
        ),
    ] {
        assert!(host(lines).contains(words), "{lines}: {}", host(lines));
    }
}

#[test]
fn ready_names_a_check_of_its_own() {
    let of = |ready: &str, check: &str| {
        told(&format!(
            "[child.a]\ncommand = [\"a\"]\nready = {ready}\n{check}"
        ))
    };
    let check = "[[child.a.check]]\ntcp = 80\n";
    assert_eq!(of("{ check = \"tcp\" }", check), "fine");
    assert!(
        of("{ check = \"http\" }", check).contains("there is no check \"http\"; there are: tcp")
    );
    assert!(of("{ check = \"http\" }", "").contains("it has no checks: add one"));
    assert!(of("{ check = \"tcp\", descriptor = 3 }", check).contains("stands beside descriptor"));
    let default = "[defaults]\nready = { check = \"tcp\" }\n[child.a]\ncommand = [\"a\"]\n";
    assert!(told(default).contains("cannot be a default; each child has its own checks"));
    let quiet = "[child.a]\ncommand = [\"a\"]\nlog = \"none\"\n[[child.a.check]]\nlog = \"x\"\nwithin = \"1m\"\nwarn = 1\n";
    assert!(
        told(quiet).contains("counts lines of output that sup does not see"),
        "{}",
        told(quiet)
    );
}

#[test]
fn an_instance_has_its_number_in_its_checks() {
    let text = format!(
        "{POOL}watchdog = {{ file = \"/beat{{instance}}\", within = \"1m\" }}\n[[group.g.template.check]]\ntcp = \"127.0.0.1:80{{instance}}\"\n"
    );
    let loaded = config::parse(&text, "/etc/sup.toml").unwrap();
    let template = loaded.spec.tree.groups[0].template.as_ref().unwrap();
    let life = template.instance(7).life;
    let sup::model::check::Kind::Tcp { to, .. } = &life.checks[0].kind else {
        panic!()
    };
    assert_eq!(&**to, "127.0.0.1:807");
    assert_eq!(
        life.watchdog.clone().unwrap().file.as_deref(),
        Some("/beat7")
    );
}
