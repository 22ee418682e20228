//! Journals of real runs, played once more: a field bug begins as its journal, in
//! `tests/journals/`. What a change of policy makes of them is seen here.

use std::fs;
use std::path::PathBuf;

use sup::replay::{Journal, Summary, Telling, play};

fn journals() -> Vec<(PathBuf, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/journals");
    let files = fs::read_dir(folder).unwrap();
    let mut all: Vec<(PathBuf, String)> = files
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect();
    all.sort();
    all
}

/// The one whose name holds this.
fn journal(name: &str) -> String {
    let found = journals().into_iter().find(|(path, _)| {
        let file = path.file_name().unwrap().to_string_lossy();
        file.contains(name)
    });
    found.unwrap_or_else(|| panic!("no journal {name}")).1
}

/// What is said of it, or all its mistakes.
fn played(text: &str) -> Result<(Summary, String), String> {
    let journal = Journal::parse(text).map_err(|mistakes| {
        let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        lines.join("\n")
    })?;
    let how = Telling {
        quiet: true,
        json: false,
    };
    let mut out = Vec::new();
    let summary = play(&journal, how, &mut out).unwrap();
    Ok((summary, String::from_utf8(out).unwrap()))
}

/// A small one, with everything that a line can be but an event of each kind.
const SMALL: &str = "\
journal version=1 sup=0.1.0 boot=000102030405060708090a0b0c0d0e0f at=100.000 seed=7 shutdown-timeout=20.000 tree=2
child a launch=1 ready=started output=pipe autostart=yes restart=on-failure success= prevent= force=3,SIGHUP first=5.000 factor=2000 longest=60.000 settle=60.000 jitter=0 restarts=5 window=600.000 on-limit=park:3600.000 stop=SIGTERM stop-timeout=10.000 start-timeout=never after= requires= significant=no
group root strategy=one-for-one members=a autostart=yes first=5.000 factor=2000 longest=60.000 settle=60.000 jitter=0 restarts=uncounted restart=on-failure significant=no auto-shutdown=never
# a remark
100.000 tick -> spawn a#1
100.000 started a#1 pid 7 -> tell started a#1 pid 7
101.000 exited a#1 code 3 -> tell ended a#1 code 3; tell restarting a#1 code 3 in 5.000 attempt 1/5; save; due 106.000 restart a
";

#[test]
fn recorded_journals_are_decided_as_they_were() {
    let all = journals();
    assert!(all.len() >= 2);
    for (path, text) in all {
        let (summary, told) = played(&text).unwrap_or_else(|told| panic!("{path:?}:\n{told}"));
        assert_eq!(summary.different, 0, "{path:?}:\n{told}");
        assert!(summary.played >= 20, "{path:?}: {summary}");
    }
}

#[test]
fn every_action_that_is_recorded_otherwise_is_noticed() {
    let text = journal("orders");
    let edits = [
        ("signal workers/1#", "signal workers/3#"),
        ("; due ", "; due 1"),
        ("spawn database#2", "spawn database#3"),
        ("tell gave-up ", "tell parked "),
        ("answer accepted", "answer unchanged"),
        ("-> come 3,4;", "-> come 3;"),
        ("; save", ""),
    ];
    for (from, to) in edits {
        assert!(text.contains(from), "{from}");
        let at = text.lines().position(|line| line.contains(from)).unwrap() + 1;
        let (summary, told) = played(&text.replacen(from, to, 1)).unwrap();
        assert_eq!(summary.different, 1, "{from}: {told}");
        assert!(told.contains(&format!("line {at} differs")), "{told}");
    }
}

#[test]
fn other_rules_decide_otherwise() {
    let other = SMALL.replacen("first=5.000", "first=2.000", 1);
    let (summary, told) = played(&other).unwrap();
    assert_eq!(summary.different, 1, "{told}");
    assert!(
        told.contains("restart a") && told.contains("in 2.000 "),
        "{told}"
    );
}

/// A power cut leaves any beginning.
#[test]
fn what_was_cut_is_played_as_far_as_it_goes() {
    for text in [SMALL.to_owned(), journal("adopted")] {
        let begin = text.find("journal version").unwrap();
        let head = begin + text[begin..].find('\n').unwrap();
        let ends = text.char_indices().map(|(at, _)| at);
        let step = text.len() / 2000 + 1;
        for end in ends.step_by(step) {
            match played(&text[..end]) {
                Ok((summary, told)) => {
                    assert!(end > head, "{end}: {told}");
                    assert_eq!(summary.different, 0, "{end}: {told}");
                }
                Err(told) => assert!(end <= head, "{end}: {told}\n{}", &text[..end]),
            }
            // The next sup has gone on behind it.
            let both = format!("{} [cut]\n{SMALL}", &text[..end]);
            let last = text[..end].rsplit('\n').next().unwrap();
            if end > head && !last.is_empty() && !last.starts_with('#') {
                let (summary, told) = played(&both).unwrap_or_else(|told| panic!("{end}: {told}"));
                assert_eq!(summary.different, 0, "{end}: {told}");
                assert!(summary.lives >= 2 && summary.cut >= 1, "{end}: {told}");
            }
        }
    }
}

#[test]
fn mistakes_are_told_with_their_lines_and_all_at_once() {
    let table = [
        ("", "", "line 1: there is no whole life in it"),
        (
            "journal version=1",
            "once upon",
            "line 1: a journal begins with",
        ),
        (
            "version=1",
            "version=9",
            "line 1: version=9: this sup plays version 1",
        ),
        ("seed=7 ", "", "line 1: seed= is missing"),
        ("seed=7", "seed=seven", "line 1: seed=seven cannot be"),
        (
            "tree=2",
            "tree=3",
            "line 1: tree=3, and 2 lines of a tree follow",
        ),
        (
            "launch=1",
            "launch=1 launch=2",
            "line 2: launch is said twice",
        ),
        ("launch=1", "lunch=1", "line 2: launch= is missing"),
        ("launch=1", "launch=1 lunch=1", "line 2: there is no lunch="),
        ("requires=", "requires=b", "line 1: a: there is no b"),
        (
            "requires=",
            "requires=a",
            "line 1: some of it waits for itself",
        ),
        (
            "members=a",
            "members=a,a",
            "line 1: a cannot be a member of root",
        ),
        (
            "members=a",
            "members=root",
            "line 1: root cannot be a member of root",
        ),
        ("members=a", "members=", "line 1: a is not below root"),
        (
            "restarts=5",
            "restarts=5000",
            "line 2: restarts=5000 cannot be",
        ),
        ("100.000 tick", "tick", "line 5: \"tick\" is no time"),
        ("tick", "tock", "line 5: \"tock\" is no event"),
        (" -> spawn", " spawn", "line 5: there is no \"->\" in it"),
        ("started a#1", "started a", "line 6: \"a\" is not a run"),
        ("a#1 pid 7 ->", "a#1 pid ->", "line 6: a pid is missing"),
        (
            "pid 7 ->",
            "pid 7 8 ->",
            "line 6: \"8\" is one word too many",
        ),
        (
            "101.000 exited",
            "99.000 exited",
            "line 7: its time is before",
        ),
        (
            "a#1 code 3 ->",
            "a#1 code 300 ->",
            "line 7: \"300\" is not an exit code",
        ),
        (
            "a#1 code 3 ->",
            "a#1 gone ->",
            "line 7: \"gone\" is no way to end",
        ),
    ];
    for (from, to, told) in table {
        let text = match from {
            "" => String::new(),
            _ => SMALL.replacen(from, to, 1),
        };
        let found = played(&text).expect_err(told);
        assert!(found.contains(told), "{told}: {found}");
    }
    let many = SMALL
        .replace("tick", "tock")
        .replace("started a#1", "started a");
    let told = played(&many).unwrap_err();
    assert_eq!(told.lines().count(), 2, "{told}");
}

#[test]
fn what_cannot_have_happened_ends_a_life_and_is_told() {
    let text = SMALL.replacen("exited a#1", "exited b#1", 1);
    let (summary, told) = played(&text).unwrap();
    assert_eq!(summary.different, 1);
    assert!(
        told.contains("line 7 differs: there is no \"b\" here"),
        "{told}"
    );
}

/// Lines that are missing, doubled or exchanged: mistakes or differences, never a panic.
#[test]
fn no_journal_is_too_much_for_it() {
    let text = journal("orders");
    let lines: Vec<&str> = text.lines().collect();
    for at in 0..lines.len() {
        let mut without = lines.clone();
        without.remove(at);
        let mut twice = lines.clone();
        twice.insert(at, lines[at]);
        let mut swapped = lines.clone();
        swapped.swap(at, (at + 1) % lines.len());
        for changed in [without, twice, swapped] {
            let _whatever = played(&(changed.join("\n") + "\n"));
        }
        // A word less.
        for (word, _) in lines[at].match_indices(' ') {
            let mut changed = lines.clone();
            changed[at] = &lines[at][..word];
            let _whatever = played(&(changed.join("\n") + "\n"));
        }
    }
}

#[test]
fn as_json_each_line_is_an_object_with_its_kind() {
    let text = SMALL.replacen("restarting a#1", "parked a#1", 1) + "101.0";
    let journal = Journal::parse(&text).unwrap();
    let how = Telling {
        quiet: false,
        json: true,
    };
    let mut out = Vec::new();
    let summary = play(&journal, how, &mut out).unwrap();
    let lines = String::from_utf8(out).unwrap();
    let objects: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<&str> = objects
        .iter()
        .map(|object| object["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["life", "step", "step", "step", "cut", "summary"]);
    assert_eq!(objects[0]["at_seconds"], 100.0);
    let step = &objects[3];
    assert_eq!((&step["line"], &step["differs"]), (&7.into(), &true.into()));
    assert_eq!(step["what"], "exited a#1 code 3");
    assert!(step["recorded"].as_str().unwrap().contains("tell parked"));
    assert!(
        step["decided"]
            .as_str()
            .unwrap()
            .contains("tell restarting")
    );
    assert_eq!(objects[5]["different"], summary.different);
}
