//! Every verb and flag, once: the parser, `--help` and the README are views of this.

use std::fmt::Write;

use crate::model::Gather as _;

/// A flag.
#[derive(Debug)]
pub struct Flag {
    /// Its name, without the dashes.
    pub long: &'static str,
    /// Its letter.
    pub short: Option<char>,
    /// What its value is called; `None`: it has none.
    pub value: Option<&'static str>,
    /// One line.
    pub about: &'static str,
}

/// A verb.
#[derive(Debug)]
pub struct Verb {
    /// Its name.
    pub name: &'static str,
    /// Its operands, as help shows them.
    pub operands: &'static str,
    /// How many operands it takes at least and at most.
    pub count: (usize, usize),
    /// One line.
    pub about: &'static str,
    /// What one wants to know before using it.
    pub more: &'static str,
    /// Its flags, besides `--config` and `--help`.
    pub flags: &'static [Flag],
}

const MANY: usize = usize::MAX;

const JSON: Flag = Flag {
    long: "json",
    short: None,
    value: None,
    about: "print JSON, one object",
};
const NO_WAIT: Flag = Flag {
    long: "no-wait",
    short: None,
    value: None,
    about: "return when the order is on disk, not when it has been carried out",
};
const LINES: Flag = Flag {
    long: "lines",
    short: Some('n'),
    value: Some("N"),
    about: "how many to show (default 20)",
};
const FOLLOW: Flag = Flag {
    long: "follow",
    short: Some('f'),
    value: None,
    about: "go on with what comes",
};

const ROOT: Flag = Flag {
    long: "root",
    short: None,
    value: Some("DIR"),
    about: "look at a box whose files lie under DIR",
};

/// Flags of every verb.
pub(super) const COMMON: &[Flag] = &[
    Flag {
        long: "config",
        short: Some('c'),
        value: Some("FILE"),
        about: "the configuration (default: $SUP_CONFIG, /etc/sup.toml, sup.toml beside the binary)",
    },
    Flag {
        long: "help",
        short: Some('h'),
        value: None,
        about: "what this verb does",
    },
];

/// Flags of `sup -- COMMAND`.
pub const FLAGS_OF_SINGLE: &[Flag] = &[
    Flag {
        long: "max-restarts",
        short: None,
        value: Some("N"),
        about: "restarts allowed within the monitoring period; 0 never restarts (default 5)",
    },
    Flag {
        long: "monitoring-period-minutes",
        short: None,
        value: Some("MINUTES"),
        about: "the sliding window in which restarts are counted (default 10)",
    },
    Flag {
        long: "initial-restart-delay",
        short: None,
        value: Some("SECONDS"),
        about: "wait before the first restart; doubles each time (default 5)",
    },
    Flag {
        long: "max-restart-delay",
        short: None,
        value: Some("SECONDS"),
        about: "no wait is longer than this (default 60)",
    },
    Flag {
        long: "notification-script",
        short: None,
        value: Some("PATH"),
        about: "run this with the message as its first argument and the facts in SUP_* variables",
    },
];

/// Flags without a verb.
pub(super) const FLAGS_OF_NONE: &[Flag] = &[
    Flag {
        long: "help",
        short: Some('h'),
        value: None,
        about: "this text",
    },
    Flag {
        long: "version",
        short: Some('V'),
        value: None,
        about: "the version",
    },
];

/// The one verb that looks like a flag, because cron lines in the field do.
pub const ONCE: &str = "--once";

/// Every verb.
pub const VERBS: &[Verb] = &[
    Verb {
        name: "run",
        operands: "",
        count: (0, 0),
        about: "supervise everything in the configuration",
        more: "Runs in the foreground until TERM or INT; then stops all children in reverse order.\n\
               A second TERM or INT kills at once. HUP reads the configuration again.",
        flags: &[
            Flag {
                long: "detach",
                short: Some('d'),
                value: None,
                about: "for init scripts: return when sup is up; success too where it already was",
            },
            Flag {
                long: "log-file",
                short: None,
                value: Some("FILE"),
                about: "with --detach: sup's own log (default: sup.log in the runtime directory, in RAM)",
            },
            Flag {
                long: "journal",
                short: None,
                value: Some("FILE"),
                about: "record what happens and what is decided, for sup replay; goes on where FILE is there",
            },
        ],
    },
    Verb {
        name: "validate",
        operands: "",
        count: (0, 0),
        about: "check the configuration, and do nothing else",
        more: "Prints every mistake with its line. Exit code 0: it can be used; 2: it cannot.",
        flags: &[],
    },
    Verb {
        name: ONCE,
        operands: "",
        count: (0, 0),
        about: "one look at everything, for cron; says nothing when all is well",
        more: "Where a sup runs, it is asked. Where one should run (it was killed, or the box was started\n\
               again without it), it is started. Where there has never been one, this is the\n\
               supervisor: children are found again, checked, and those whose wait is over are started\n\
               again, with the same budget and the same memory; then they are left alone. Their output\n\
               goes to the file of their log, or nowhere. Takes at most 30 seconds, and writes nothing\n\
               to the disk when nothing has changed. After sup shutdown it does nothing until the next\n\
               boot.\n\
               Exit codes: 0 HEALTHY, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.",
        flags: &[
            JSON,
            Flag {
                long: "no-restart",
                short: None,
                value: None,
                about: "only look: start, stop and remember nothing",
            },
            Flag {
                long: "alert",
                short: None,
                value: None,
                about: "tell people through the channels of the configuration, too",
            },
        ],
    },
    Verb {
        name: "status",
        operands: "[NAME…]",
        count: (0, MANY),
        about: "how children and groups stand; of a group, with all below it",
        more: "Draws the tree: below each group its members, in start order. Into a pipe each level is\n\
               two spaces, so that the first word of a line is a name.\n\
               Exit code 0: all of them are as they should be; 1: one is not; 3: no sup is running.",
        flags: &[JSON],
    },
    Verb {
        name: "why",
        operands: "NAME",
        count: (1, 1),
        about: "why a child or a group is in the state it is in",
        more: "Of a child: its last exits, the rule that decided, what is left of its budget, what comes\n\
               next, and whose failure took it along. Of a group: the same, and how its members stand.\n\
               The group of everything is called root.",
        flags: &[],
    },
    Verb {
        name: "start",
        operands: "NAME…",
        count: (1, MANY),
        about: "start children, what they require, and whole groups",
        more: "What was given up, parked or waiting starts at once with a whole budget. Returns when it\n\
               is ready. A group starts in order; members that a person had stopped start, too.\n\
               A child of a group that is down starts with that group only.\n\
               `sup start all` starts everything.",
        flags: &[NO_WAIT],
    },
    Verb {
        name: "stop",
        operands: "NAME…",
        count: (1, MANY),
        about: "stop children and whole groups, and keep them down over reboots",
        more: "Those that require them are stopped first. The order is on disk before this returns.\n\
               A group stops in reverse order; what a person had said of its members still holds\n\
               when it is over.\n\
               `sup stop all` stops everything; sup itself goes on (see shutdown).",
        flags: &[
            Flag {
                long: "for",
                short: None,
                value: Some("TIME"),
                about: "only for so long, as 30s, 10m, 2h, 1d; then it comes back",
            },
            NO_WAIT,
        ],
    },
    Verb {
        name: "restart",
        operands: "NAME…",
        count: (1, MANY),
        about: "stop and start children and whole groups, whatever they are doing",
        more: "Not charged to any budget. Returns when they are ready again. A group goes down as a\n\
               whole, the last member first, and then comes up in order; members that a person has\n\
               stopped stay down. One child alone is restarted alone, whatever its group's strategy.",
        flags: &[NO_WAIT],
    },
    Verb {
        name: "signal",
        operands: "SIGNAL NAME…",
        count: (2, MANY),
        about: "send a signal to children's main processes; of a group, to all of them",
        more: "SIGNAL is a name or a number: HUP, SIGUSR1, 10.",
        flags: &[],
    },
    Verb {
        name: "reset",
        operands: "NAME…",
        count: (1, MANY),
        about: "forget failures: backoff, budget, gave up; of a group, all below it too",
        more: "What had been given up starts again, unless a person stopped it.",
        flags: &[],
    },
    Verb {
        name: "scale",
        operands: "GROUP N",
        count: (2, 2),
        about: "make so many instances of a group's template",
        more: "For groups with strategy = \"simple-one-for-one\". The lowest free numbers come, the\n\
               highest go. The number is remembered over reboots, until the count in the file is\n\
               changed. Returns when those that come are ready and those that go are down.",
        flags: &[NO_WAIT],
    },
    Verb {
        name: "add",
        operands: "GROUP [N]",
        count: (1, 2),
        about: "make one instance more, or so many more",
        more: "They get the lowest free numbers. Remembered as with scale.",
        flags: &[NO_WAIT],
    },
    Verb {
        name: "remove",
        operands: "GROUP/NUMBER…",
        count: (1, MANY),
        about: "stop these instances, and have so many fewer",
        more: "The others keep their numbers. Remembered as with scale. To keep one down and have it\n\
               back later: sup stop GROUP/NUMBER.",
        flags: &[NO_WAIT],
    },
    Verb {
        name: "reload",
        operands: "",
        count: (0, 0),
        about: "read the configuration again; touch only what changed",
        more: "With mistakes in it nothing changes, and they are shown.",
        flags: &[Flag {
            long: "dry-run",
            short: None,
            value: None,
            about: "only say what would happen",
        }],
    },
    Verb {
        name: "logs",
        operands: "CHILD",
        count: (1, 1),
        about: "the last output of a child",
        more: "From RAM: no disk is touched.",
        flags: &[FOLLOW, LINES],
    },
    Verb {
        name: "events",
        operands: "",
        count: (0, 0),
        about: "what has happened",
        more: "The last of it since sup was started, from RAM.",
        flags: &[FOLLOW, LINES],
    },
    Verb {
        name: "alert",
        operands: "test",
        count: (1, 1),
        about: "send a test through every channel of alerts, and say what each answered",
        more: "Goes past quiet hours and limits. Exit code 0: all have taken it; 1: one has not.",
        flags: &[],
    },
    Verb {
        name: "shutdown",
        operands: "",
        count: (0, 0),
        about: "stop everything in reverse order, and end sup",
        more: "Returns when sup has ended.",
        flags: &[],
    },
    Verb {
        name: "init",
        operands: "",
        count: (0, 0),
        about: "print a first configuration, commented",
        more: "sup init > sup.toml, then say in it what to run.",
        flags: &[],
    },
    Verb {
        name: "recipe",
        operands: "[PLATFORM]",
        count: (0, 1),
        about: "print the hook that starts sup at boot, and how to remove it",
        more: "PLATFORM is qnap, synology, asustor, unraid, truenas, entware, openwrt, openrc, systemd,\n\
               sysv, wd or cron; without it, what this box looks like. Nothing is changed: read it,\n\
               then paste it, or: sup recipe PLATFORM | sh",
        flags: &[ROOT],
    },
    Verb {
        name: "doctor",
        operands: "",
        count: (0, 0),
        about: "what is odd about this box, and what to do about it",
        more: "One line each: `fix` needs doing, `note` is good to know. Exit code 0: nothing needs\n\
               doing; 1: something does.",
        flags: &[JSON, ROOT],
    },
    Verb {
        name: "replay",
        operands: "FILE",
        count: (1, 1),
        about: "play what sup run --journal has recorded, and say where this sup decides otherwise",
        more: "Nothing is started and nobody is asked: each event is told to the same rules, at its\n\
               time. Prints each with what follows. Exit code 0: everything was decided as it is\n\
               recorded; 1: something was not; 2: the file has mistakes, shown with their lines.",
        flags: &[
            Flag {
                long: "quiet",
                short: Some('q'),
                value: None,
                about: "print only what differs, and a summary",
            },
            Flag {
                about: "print JSON, one object a line; the last is the summary",
                ..JSON
            },
        ],
    },
    Verb {
        name: "upgrade",
        operands: "[BINARY]",
        count: (0, 1),
        about: "let another sup take the place of the running one; no child is restarted",
        more: "BINARY is asked first whether it can take over. Without it: the file that the running\n\
               one was started from, which you have replaced with mv. The same as the signal USR2.\n\
               Whatever goes wrong is told, and the running one goes on.",
        flags: &[],
    },
    Verb {
        name: "demo",
        operands: "",
        count: (0, 0),
        about: "watch a small tree of programs live, crash and recover, in some seconds",
        more: "Runs a configuration that is built in, in a directory of its own, with times short\n\
               enough to watch: one program is healthy, one is hopeless, and a group of three recovers\n\
               from the crashes of one.",
        flags: &[],
    },
];

/// The table of verbs for the README.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from("| Command | Does |\n|---|---|\n");
    for verb in VERBS {
        let flags: String = verb
            .flags
            .iter()
            .map(|flag| format!(" [{}]", usage(flag)))
            .gather();
        let operands = if verb.operands.is_empty() {
            String::new()
        } else {
            format!(" {}", verb.operands)
        };
        let _string = writeln!(
            text,
            "| `sup {}{flags}{operands}` | {} |",
            verb.name, verb.about
        );
    }
    text
}

/// A flag as help shows it.
#[must_use]
pub(super) fn usage(flag: &Flag) -> String {
    let short = flag
        .short
        .map(|short| format!("-{short}, "))
        .unwrap_or_default();
    let value = flag
        .value
        .map(|value| format!(" {value}"))
        .unwrap_or_default();
    format!("{short}--{}{value}", flag.long)
}
