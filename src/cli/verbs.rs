//! Every verb and flag, once: the parser, `--help` and the README are views of this.

use std::fmt::Write;

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
        name: "status",
        operands: "[CHILD…]",
        count: (0, MANY),
        about: "how children stand",
        more: "Exit code 0: all of them are as they should be; 1: one is not; 3: no sup is running.",
        flags: &[JSON],
    },
    Verb {
        name: "why",
        operands: "CHILD",
        count: (1, 1),
        about: "why a child is in the state it is in",
        more: "Its last exits, the rule that decided, what is left of its budget, and what comes next.",
        flags: &[],
    },
    Verb {
        name: "start",
        operands: "CHILD…",
        count: (1, MANY),
        about: "start children, and what they require",
        more: "A child that was given up, parked or waiting starts at once with a whole budget.\n\
               Returns when it is ready. `sup start all` starts every child.",
        flags: &[NO_WAIT],
    },
    Verb {
        name: "stop",
        operands: "CHILD…",
        count: (1, MANY),
        about: "stop children, and keep them down over reboots",
        more: "Those that require them are stopped first. The order is on disk before this returns.\n\
               `sup stop all` stops every child; sup itself goes on (see shutdown).",
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
        operands: "CHILD…",
        count: (1, MANY),
        about: "stop and start children, whatever they are doing",
        more: "Not charged to their budget. Returns when they are ready again.",
        flags: &[NO_WAIT],
    },
    Verb {
        name: "signal",
        operands: "SIGNAL CHILD…",
        count: (2, MANY),
        about: "send a signal to children's main processes",
        more: "SIGNAL is a name or a number: HUP, SIGUSR1, 10.",
        flags: &[],
    },
    Verb {
        name: "reset",
        operands: "CHILD…",
        count: (1, MANY),
        about: "forget failures: backoff, budget, gave up",
        more: "A child that had been given up starts again, unless a person stopped it.",
        flags: &[],
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
        name: "shutdown",
        operands: "",
        count: (0, 0),
        about: "stop everything in reverse order, and end sup",
        more: "Returns when sup has ended.",
        flags: &[],
    },
    Verb {
        name: "demo",
        operands: "",
        count: (0, 0),
        about: "watch three programs live, crash and recover, in half a minute",
        more: "Runs a configuration that is built in, in a directory of its own, with times short\n\
               enough to watch: one program is healthy, one crashes and recovers, one is hopeless.",
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
            .collect();
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
