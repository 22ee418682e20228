//! From argv to what is meant, by the table of verbs.

use std::ffi::{CString, OsString};
use std::fmt::Write;
use std::os::unix::ffi::OsStringExt;

use lexopt::{Arg, Parser};

use super::verbs::{COMMON, FLAGS_OF_NONE, FLAGS_OF_SINGLE, Flag, ONCE, VERBS, Verb, usage};
use crate::config;
use crate::model::Gather as _;

/// What was typed, checked against the table.
#[derive(Debug)]
pub enum Usage {
    /// Print this and end with success.
    Say(String),
    /// `sup -- COMMAND`.
    Single {
        /// Its flags.
        flags: Flags,
        /// The command; at least one word.
        command: Vec<CString>,
    },
    /// A verb.
    Verb {
        /// Which.
        verb: &'static Verb,
        /// Its flags.
        flags: Flags,
        /// Its operands.
        operands: Vec<String>,
    },
}

/// Flags that were given, with their values.
#[derive(Debug, Default)]
pub struct Flags(Vec<(&'static str, OsString)>);

impl Flags {
    /// Whether it was given.
    #[must_use]
    pub fn has(&self, long: &str) -> bool {
        self.get(long).is_some()
    }

    /// The value it was last given with.
    #[must_use]
    pub fn get(&self, long: &str) -> Option<&OsString> {
        self.0
            .iter()
            .rev()
            .find(|(name, _)| *name == long)
            .map(|(_, value)| value)
    }
}

/// Reads the arguments behind the program's name.
///
/// # Errors
/// What is wrong with them, in words with what is allowed.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Usage, String> {
    let args: Vec<OsString> = args.into_iter().gather();
    // Everything behind the first `--` belongs to the command.
    let dashes = args.iter().position(|arg| arg == "--");
    let has_verb = args
        .first()
        .is_some_and(|arg| !arg.to_string_lossy().starts_with('-'));
    let once = args.iter().position(|arg| arg == ONCE);
    if let Some(place) = once.filter(|_| !has_verb && dashes.is_none()) {
        let mut words = args;
        let once = words.remove(place);
        words.insert(0, once);
        return by_verb(words);
    }
    match dashes {
        Some(place) if !has_verb => single(&args[..place], &args[place + 1..]),
        _ if has_verb => by_verb(args),
        _ => no_verb(&args),
    }
}

fn single(before: &[OsString], command: &[OsString]) -> Result<Usage, String> {
    let (flags, operands) = flags(
        Parser::from_args(before),
        &[FLAGS_OF_SINGLE, FLAGS_OF_NONE],
        "sup --",
    )?;
    if let Some(said) = said(&flags) {
        return Ok(said);
    }
    if let Some(operand) = operands.first() {
        return Err(format!(
            "\"{operand}\" stands before the --; the command goes behind it"
        ));
    }
    if command.first().is_none_or(|program| program.is_empty()) {
        return Err("no command behind the --; try: sup -- COMMAND [ARG…]".to_owned());
    }
    let words = command
        .iter()
        .map(|word| CString::new(word.clone().into_vec()));
    let command = words
        .gather::<Result<_, _>>()
        .map_err(|_| "a word of the command holds a NUL".to_owned())?;
    Ok(Usage::Single { flags, command })
}

fn no_verb(args: &[OsString]) -> Result<Usage, String> {
    let (flags, _) = flags(
        Parser::from_args(args),
        &[FLAGS_OF_NONE, FLAGS_OF_SINGLE],
        "sup",
    )?;
    match said(&flags) {
        Some(said) => Ok(said),
        None if args.is_empty() => Err(format!("what shall I do?\n\n{}", help())),
        None => Err(
            "no command; it goes behind a --, as in: sup --max-restarts 3 -- COMMAND [ARG…]"
                .to_owned(),
        ),
    }
}

fn said(flags: &Flags) -> Option<Usage> {
    if flags.has("help") {
        Some(Usage::Say(help()))
    } else if flags.has("version") {
        Some(Usage::Say(format!("sup {}\n", env!("CARGO_PKG_VERSION"))))
    } else {
        None
    }
}

fn by_verb(mut args: Vec<OsString>) -> Result<Usage, String> {
    let name = args.remove(0).to_string_lossy().into_owned();
    if name == "help" {
        return match args.first() {
            Some(verb) => Ok(Usage::Say(help_of(find(&verb.to_string_lossy())?))),
            None => Ok(Usage::Say(help())),
        };
    }
    let verb = find(&name)?;
    let (flags, operands) = flags(
        Parser::from_args(args),
        &[verb.flags, COMMON],
        &format!("sup {name}"),
    )?;
    if flags.has("help") {
        return Ok(Usage::Say(help_of(verb)));
    }
    let (least, most) = verb.count;
    if operands.len() < least {
        return Err(format!("sup {name} needs {}", verb.operands));
    }
    if operands.len() > most {
        let extra = &operands[most];
        return Err(format!(
            "\"{extra}\" is one word too many; usage: sup {name} {}",
            verb.operands
        ));
    }
    Ok(Usage::Verb {
        verb,
        flags,
        operands,
    })
}

fn find(name: &str) -> Result<&'static Verb, String> {
    VERBS.iter().find(|verb| verb.name == name).ok_or_else(|| {
        let meant = config::nearest(name, VERBS.iter().map(|verb| verb.name));
        let hint = meant.map(|meant| format!("; did you mean \"{meant}\"?")).unwrap_or_default();
        format!("there is no verb \"{name}\"{hint}\nto supervise a command: sup -- {name} …; all verbs: sup --help")
    })
}

/// All flags and operands, in any order.
fn flags(
    mut parser: Parser,
    tables: &[&'static [Flag]],
    of: &str,
) -> Result<(Flags, Vec<String>), String> {
    let all = || tables.iter().flat_map(|table| table.iter());
    let (mut flags, mut operands) = (Flags::default(), Vec::new());
    while let Some(arg) = parser.next().map_err(|error| format!("{of}: {error}"))? {
        let found = match &arg {
            Arg::Long(long) => all().find(|flag| flag.long == *long),
            Arg::Short(short) => all().find(|flag| flag.short == Some(*short)),
            Arg::Value(value) => {
                let value = value.clone().into_string();
                operands
                    .push(value.map_err(|bad| format!("{of}: {} is not UTF-8", bad.display()))?);
                continue;
            }
        };
        let Some(flag) = found else {
            return Err(unknown_flag(of, &arg, all()));
        };
        let value = match flag.value {
            Some(name) => parser
                .value()
                .map_err(|_| format!("{of}: --{} needs {name}: {}", flag.long, flag.about))?,
            None => OsString::new(),
        };
        flags.0.push((flag.long, value));
    }
    Ok((flags, operands))
}

fn unknown_flag(
    of: &str,
    arg: &Arg<'_>,
    all: impl Iterator<Item = &'static Flag> + Clone,
) -> String {
    let written = match arg {
        Arg::Long(long) => format!("--{long}"),
        Arg::Short(short) => format!("-{short}"),
        Arg::Value(value) => value.display().to_string(),
    };
    let meant = config::nearest(
        written.trim_start_matches('-'),
        all.clone().map(|flag| flag.long),
    );
    let hint = match meant {
        Some(meant) => format!("did you mean --{meant}?"),
        None => format!("allowed: {}", all.map(usage).gather::<Vec<_>>().join(", ")),
    };
    format!("{of}: there is no flag {written}; {hint}")
}

/// The whole help.
#[must_use]
pub fn help() -> String {
    let mut text = String::from(
        "sup keeps programs running: it starts them, restarts what dies, waits longer each\n\
         time, gives up when it is hopeless, and remembers all that over reboots.\n\n\
         One command, in the foreground:\n  sup [FLAG…] -- COMMAND [ARG…]\n",
    );
    table(
        &mut text,
        FLAGS_OF_SINGLE.iter().map(|flag| (usage(flag), flag.about)),
    );
    text.push_str("\nA configuration of many:\n");
    table(
        &mut text,
        VERBS
            .iter()
            .map(|verb| (format!("{} {}", verb.name, verb.operands), verb.about)),
    );
    text.push_str("\n  sup VERB --help tells more.\n\nEverywhere:\n");
    table(
        &mut text,
        FLAGS_OF_NONE.iter().map(|flag| (usage(flag), flag.about)),
    );
    text.push_str(
        "\nExamples:\n  sup -- /share/apps/collector --feed deribit\n  \
         sup run --config sup.toml\n  sup status\n  sup stop media --for 2h\n\n\
         Exit codes: 0 done, 1 failed or gave up, 2 mistakes in what was typed or configured,\n\
         3 no sup is running.\n",
    );
    text
}

fn help_of(verb: &Verb) -> String {
    let mut text = format!(
        "sup {} [FLAG…] {}\n\n{}.\n{}\n\nFlags:\n",
        verb.name, verb.operands, verb.about, verb.more
    );
    table(
        &mut text,
        verb.flags
            .iter()
            .chain(COMMON)
            .map(|flag| (usage(flag), flag.about)),
    );
    text
}

/// Two columns.
fn table(text: &mut String, rows: impl Iterator<Item = (String, &'static str)>) {
    for (left, right) in rows {
        let left = left.trim_end();
        let _string = if left.chars().count() > 30 {
            writeln!(text, "  {left}\n{:34}{right}", "")
        } else {
            writeln!(text, "  {left:30}  {right}")
        };
    }
}
