//! The house as `src/lib.rs` draws it, held against the code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What may lie at the top of the repository.
const TOP: [&str; 11] = [
    ".cargo",
    ".ci",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "cross",
    "scripts",
    "src",
    "tests",
];

/// Lines that a function may have between its braces, as in `.cargo/clippy.toml`.
const FUNCTION_LINES_MAX: usize = 70;

/// One file of `src`.
struct Source {
    path: PathBuf,
    /// The part of the house that it belongs to: `policy` for `src/policy/child.rs`.
    part: String,
    text: String,
}

impl Source {
    /// Its lines that are code, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines
            .map(|(at, line)| (at + 1, line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// The same up to its unit tests, which STYLE puts last.
    fn code_without_tests(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code()
            .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
    }

    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path.display())
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                sources.push(source(&path));
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn source(path: &Path) -> Source {
    let short = path.strip_prefix(root()).unwrap();
    let part = short.iter().nth(1).unwrap().to_string_lossy();
    Source {
        path: short.to_owned(),
        part: part.trim_end_matches(".rs").to_owned(),
        text: fs::read_to_string(path).unwrap(),
    }
}

/// The names in backquotes.
fn quoted(cell: &str) -> Vec<String> {
    let pieces = cell.split('`').skip(1).step_by(2);
    pieces.map(str::to_owned).collect()
}

/// Who may import whom, as the table in `src/lib.rs` says it.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let rows = text
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `"))
        .map(|row| format!("`{row}"));
    let mut table = BTreeMap::<String, BTreeSet<String>>::new();
    for row in rows {
        let (names, may) = row.trim_end_matches(" |").split_once(" | ").unwrap();
        // "`model`, `wire`; never each other": what stands before the semicolon is allowed.
        let allowed = may.split(';').next().unwrap();
        let allowed: BTreeSet<String> = if allowed.starts_with("all of the above") {
            table.keys().cloned().collect()
        } else {
            quoted(allowed).into_iter().collect()
        };
        for name in quoted(names) {
            table.insert(name, allowed.clone());
        }
    }
    table
}

/// The parts of the house that a line of code names: `crate::os::clock` names `os`.
fn named(line: &str, prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    let starts = line.match_indices(prefix).map(|(at, _)| at);
    for at in starts.filter(|at| !line[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
    {
        let rest = &line[at + prefix.len()..];
        // `use crate::{os::clock, model}` on one line, as rustfmt leaves it.
        let list = rest.strip_prefix('{').map_or(rest, |list| list);
        let pieces: Vec<&str> = if rest.starts_with('{') {
            list.trim_end_matches(['}', ';']).split(',').collect()
        } else {
            vec![list]
        };
        for piece in pieces {
            let name: String = piece
                .trim()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            if !name.is_empty() {
                names.push(name);
            }
        }
    }
    names
}

#[test]
fn imports_go_down_as_the_table_says() {
    let table = table();
    assert!(table.len() >= 12, "the table in src/lib.rs was not found");
    let parts: BTreeSet<String> = sources().into_iter().map(|source| source.part).collect();
    for part in parts.iter().filter(|part| *part != "lib") {
        assert!(table.contains_key(part), "src/{part} is not in the table");
    }
    let mut told = Vec::new();
    for source in sources() {
        let prefix = if source.part == "main" {
            "sup::"
        } else {
            "crate::"
        };
        for (line, code) in source.code() {
            for name in named(code, prefix) {
                let known = parts.contains(&name) && name != source.part;
                let allowed = table
                    .get(&source.part)
                    .is_some_and(|allowed| allowed.contains(&name));
                if known && !allowed {
                    told.push(format!("{}: imports {name}", source.at(line)));
                }
            }
        }
    }
    assert!(told.is_empty(), "not in the table:\n{}", told.join("\n"));
}

/// `super` from a file at the top would be another way to the neighbours.
#[test]
fn nobody_goes_round_the_table() {
    let mut told = Vec::new();
    for source in sources() {
        let at_the_top = source.path.iter().count() == 2;
        for (line, code) in source.code() {
            let leaves = at_the_top && code.starts_with("use super::")
                || code.contains("super::super::super::")
                || code.starts_with("use super::super::") && source.path.iter().count() == 3;
            if leaves {
                told.push(source.at(line));
            }
        }
    }
    assert!(told.is_empty(), "write crate::…:\n{}", told.join("\n"));
}

#[test]
fn policy_knows_no_clock_no_file_and_no_chance() {
    let foreign = [
        "std::",
        "smol",
        "nix::",
        "async_",
        "libc::",
        "log::",
        "Instant",
        "SystemTime",
        "rustix",
    ];
    let mut told = Vec::new();
    // Who is told what is decided beside policy, which knows nothing of people.
    let others =
        ["desk.rs", "incidents.rs", "news.rs"].map(|name| Path::new("src/alerts").join(name));
    let is_pure = |source: &&Source| source.part == "policy" || others.contains(&source.path);
    for source in sources().iter().filter(is_pure) {
        for (line, code) in source.code_without_tests() {
            let found = foreign.iter().filter(|word| code.contains(**word));
            told.extend(found.map(|word| format!("{}: {word}", source.at(line))));
        }
    }
    assert!(told.is_empty(), "policy is pure:\n{}", told.join("\n"));
}

#[test]
fn functions_fit_a_screen() {
    let mut told = Vec::new();
    for source in sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let begins = [
                "fn ",
                "pub fn ",
                "pub(super) fn ",
                "pub(crate) fn ",
                "async fn ",
            ]
            .iter()
            .any(|word| line[indent..].starts_with(word))
                || line[indent..].starts_with("pub") && line.contains(" fn ");
            if !begins || line.trim_end().ends_with(';') {
                continue;
            }
            // rustfmt puts the closing brace under the first letter of the signature.
            let close = format!("{}}}", " ".repeat(indent));
            let body = lines[at..]
                .iter()
                .position(|line| line.trim_end().ends_with('{'));
            let end = lines[at..].iter().position(|line| *line == close);
            if let (Some(body), Some(end)) = (body, end)
                && end.saturating_sub(body + 1) > FUNCTION_LINES_MAX
            {
                told.push(format!("{}: {} lines", source.at(at + 1), end - body - 1));
            }
        }
    }
    assert!(told.is_empty(), "too long:\n{}", told.join("\n"));
}

#[test]
fn every_file_opens_with_what_it_is() {
    let silent: Vec<String> = sources()
        .iter()
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| source.path.display().to_string())
        .collect();
    assert!(silent.is_empty(), "no //! line: {}", silent.join(", "));
}

#[test]
fn nothing_is_left_unfinished() {
    let marks = ["todo!", "unimplemented!", "dbg!", "FIXME", "XXX"];
    let mut told = Vec::new();
    for source in sources() {
        for (at, line) in source.text.lines().enumerate() {
            let found = marks.iter().filter(|mark| line.contains(**mark));
            told.extend(found.map(|mark| format!("{}: {mark}", source.at(at + 1))));
        }
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[test]
fn the_top_of_the_repository_holds_what_it_should() {
    let ours = |name: &str| {
        // What git and cargo put there, and what .gitignore names, is not in the repository.
        name == ".git" || name == "target" || name.starts_with("target-") || TOP.contains(&name)
    };
    let strange: Vec<String> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| !ours(name))
        .collect();
    assert!(strange.is_empty(), "at the top: {}", strange.join(", "));
}

/// The lines that git leaves where it could not merge, by their numbers.
fn conflicts(text: &str) -> Vec<usize> {
    let marks = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];
    let is_mark = |line: &str| {
        let end = |rest: &str| rest.is_empty() || rest.starts_with(' ');
        marks
            .iter()
            .any(|mark| line.strip_prefix(mark).is_some_and(end))
    };
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| is_mark(line))
        .map(|(at, _)| at + 1)
        .collect()
}

#[test]
fn no_merge_is_left_half_done() {
    let half_done = "a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> 1234567 (d)\n======== e\n";
    assert_eq!(conflicts(half_done), [2, 4, 6]);
    let mut told = Vec::new();
    let mut left: Vec<PathBuf> = TOP.iter().map(|name| root().join(name)).collect();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if let Ok(text) = fs::read_to_string(&path) {
            let lines = conflicts(&text).into_iter();
            told.extend(lines.map(|line| format!("{}:{line}", path.display())));
        }
    }
    assert!(told.is_empty(), "conflicts:\n{}", told.join("\n"));
}
