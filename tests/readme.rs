//! The README says what is true: its tables are the program's own, its configurations are
//! accepted, its commands exist.

use std::ffi::OsString;

use sup::cli::{self, Code, Usage};
use sup::config::{self, keys};
use sup::model::check::Health;

const README: &str = include_str!("../README.md");

/// What stands between `<!-- NAME: … -->` and `<!-- NAME end -->`.
fn generated(name: &str) -> &'static str {
    let (_, rest) = README
        .split_once(&format!("<!-- {name}: "))
        .unwrap_or_else(|| panic!("no marker {name}"));
    let (_, rest) = rest.split_once("-->\n").unwrap();
    let (text, _) = rest.split_once(&format!("<!-- {name} end -->")).unwrap();
    text.trim_matches('\n')
}

/// The blocks of code, each with its language.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let mut blocks = Vec::new();
    let mut rest = README;
    while let Some((_, from)) = rest.split_once("\n```") {
        let (language, from) = from.split_once('\n').unwrap();
        let (text, after) = from.split_once("\n```").expect("a block that does not end");
        blocks.push((language, text));
        rest = after;
    }
    blocks
}

/// What is in backquotes outside of blocks and of generated tables.
fn spans() -> Vec<String> {
    let mut prose = String::new();
    let mut skipping = false;
    for line in README.lines() {
        if line.starts_with("```") || line.starts_with("<!-- ") {
            skipping = !skipping;
        } else if !skipping {
            prose += line;
            prose.push('\n');
        }
    }
    prose
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The words after `sup` in a line that calls it: of a path to it, too.
fn calls(line: &str) -> Vec<Vec<String>> {
    let code = line.split(" #").next().unwrap();
    let simple = code
        .split(['|', ';', '>'])
        .flat_map(|part| part.split("&&"));
    let mut calls = Vec::new();
    for command in simple {
        let words: Vec<&str> = command
            .split_whitespace()
            .map(|word| word.trim_matches(['(', ')', '$', '"', '\'']))
            .filter(|word| !word.is_empty())
            .collect();
        // /etc/init.d/sup is a script, not sup.
        let is_sup =
            |word: &&str| word.rsplit('/').next() == Some("sup") && !word.contains("init.d");
        if words.first().is_some_and(is_sup) {
            calls.push(words[1..].iter().map(|word| (*word).to_owned()).collect());
        }
    }
    calls
}

/// `SUP_README=write cargo test --test readme` writes the tables anew.
#[test]
fn the_tables_are_the_programs_own() {
    let mut text = README.to_owned();
    for (name, wanted) in [("keys", keys::markdown()), ("verbs", cli::markdown())] {
        let wanted = wanted.trim_matches('\n');
        if generated(name) != wanted {
            let (before, rest) = text.split_once(&format!("<!-- {name}: ")).unwrap();
            let (marker, _) = rest.split_once("-->\n").unwrap();
            let (_, after) = rest.split_once(&format!("<!-- {name} end -->")).unwrap();
            text = format!(
                "{before}<!-- {name}: {marker}-->\n\n{wanted}\n\n<!-- {name} end -->{after}"
            );
        }
    }
    if text != README && std::env::var("SUP_README").is_ok_and(|what| what == "write") {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
        return std::fs::write(path, text).unwrap();
    }
    assert!(
        text == README,
        "a table has changed: SUP_README=write cargo test --test readme"
    );
}

#[test]
fn every_configuration_is_accepted_without_a_warning() {
    let mut count = 0;
    for (language, text) in blocks() {
        if language != "toml" {
            continue;
        }
        count += 1;
        match config::parse(text, "/etc/sup.toml") {
            Ok(loaded) => {
                let warnings: Vec<String> =
                    loaded.warnings.iter().map(ToString::to_string).collect();
                assert!(warnings.is_empty(), "{warnings:?}\nin:\n{text}");
            }
            Err(mistakes) => panic!("{mistakes}\nin:\n{text}"),
        }
    }
    assert!(count >= 3, "only {count} configurations were found");
}

#[test]
fn every_command_is_understood() {
    let mut count = 0;
    let of_blocks = blocks()
        .into_iter()
        .filter(|(language, _)| matches!(*language, "sh" | "text" | "ini"))
        .flat_map(|(_, text)| text.lines())
        .map(|line| line.strip_prefix("$ ").unwrap_or(line))
        .map(|line| line.strip_prefix("ExecStart=").unwrap_or(line))
        // What sup prints begins with its name and version, and is no command.
        .filter(|line| !line.starts_with("sup 0.") && !line.starts_with("sup: "))
        .map(str::to_owned);
    for line in of_blocks.chain(spans()) {
        for words in calls(&line) {
            if words.is_empty() || words[0].starts_with('[') {
                continue;
            }
            count += 1;
            // "`sup start` tries at once": a verb by its name.
            if words.len() == 1 && cli::VERBS.iter().any(|verb| verb.name == words[0]) {
                continue;
            }
            let words = words.into_iter().map(OsString::from);
            if let Err(error) = cli::parse(words) {
                panic!("{line}\n{error}");
            }
        }
    }
    assert!(count >= 25, "only {count} commands were found");
}

#[test]
fn the_flags_of_one_command_are_all_there() {
    for flag in cli::FLAGS_OF_SINGLE {
        let row = format!("| `--{} {}` |", flag.long, flag.value.unwrap_or_default());
        assert!(README.contains(&row), "no row {row}");
    }
}

#[test]
fn exit_codes_are_all_there() {
    // A new code makes the compiler ask for its row.
    let row = |code: Code| match code {
        Code::Success => "| 0 | Done",
        Code::Failure => "| 1 | It failed",
        Code::Input => "| 2 | What was typed",
        Code::NotRunning => "| 3 | No sup",
        Code::Health(_) => {
            "has those of monitoring plugins: 0 HEALTHY, 1 WARNING, 2 CRITICAL, 3 UNKNOWN"
        }
    };
    for code in [Code::Success, Code::Failure, Code::Input, Code::NotRunning] {
        assert!(row(code).starts_with(&format!("| {} |", code.number())));
        assert!(README.contains(row(code)), "no row {}", row(code));
    }
    for health in Health::ALL {
        let code = Code::Health(health);
        let words = format!("{} {}", code.number(), health.level());
        assert!(row(code).contains(&words) && README.contains(row(code)));
    }
}

#[test]
fn links_inside_lead_somewhere() {
    let anchors: Vec<String> = README
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            title.replace(' ', "-")
        })
        .collect();
    for link in README.split("](").skip(1) {
        let (link, _) = link.split_once(')').unwrap();
        match link.strip_prefix('#') {
            Some(anchor) => assert!(anchors.iter().any(|a| a == anchor), "no chapter {anchor}"),
            None => assert!(
                std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join(link)
                    .exists(),
                "no file {link}"
            ),
        }
    }
}

#[test]
fn the_two_commands_of_newcomers_are_there() {
    let usage = cli::parse([OsString::from("demo")]);
    assert!(matches!(usage, Ok(Usage::Verb { verb, .. }) if verb.name == "demo"));
    for script in [
        "scripts/demo",
        "scripts/check",
        "scripts/init",
        "scripts/notify.sh",
    ] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
        let mode = std::os::unix::fs::MetadataExt::mode(&path.metadata().unwrap());
        assert_eq!(mode & 0o111, 0o111, "{script} cannot be executed");
        assert!(README.contains(script), "{script} is not in the README");
    }
}

#[test]
fn nothing_of_a_merge_is_left() {
    let marks = ["<", "=", ">"].map(|mark| mark.repeat(7));
    let left = README
        .lines()
        .find(|line| marks.iter().any(|mark| line.starts_with(mark)));
    assert_eq!(left, None);
}
