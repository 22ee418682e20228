//! `sup run --journal FILE`, and `sup replay FILE` of what real runs have left there.

mod common;

use std::os::unix::fs::PermissionsExt;

use common::{Outcome, Program, Sig, TestBox, run, sh};

/// What must never be in a journal.
const SECRET: &str = "hunter2-and-more";

fn tree(extra: &str) -> String {
    let dies = sh("exec sleep 1000");
    format!(
        r#"
[defaults]
backoff = {{ first = "50ms", longest = "100ms" }}
budget = {{ max-restarts = 2, window = "10m" }}
stop-timeout = "5s"

[group.pipeline]
strategy = "rest-for-one"
members = ["database", "workers", "dashboard"]

[group.workers]
strategy = "simple-one-for-one"
count = 2
template = {{ command = ["sleep", "100{{instance}}"], env = {{ TOKEN = "{SECRET}" }} }}

[child.database]
{dies}
env = {{ PASSWORD = "{SECRET}" }}

[child.dashboard]
command = ["sleep", "1000"]

[child.hopeless]
command = ["false", "--password={SECRET}"]

[child.missing]
command = ["./there-is-no-such-program"]
restart = "no"
{extra}
"#
    )
}

/// A sup that records.
fn recording(sup: &mut TestBox) {
    let journal = sup.name("journal");
    let program = Program::start(&mut sup.command(&["run", "--journal", &journal]), None);
    sup.adopt(program);
}

fn replayed(sup: &TestBox) -> Outcome {
    run(&mut common::sup(&["replay", &sup.name("journal")]))
}

/// Everything was decided as it is recorded.
fn agrees(sup: &TestBox) -> String {
    let played = replayed(sup);
    assert_eq!(played.code, 0, "{played:?}\n{}", sup.read("journal"));
    assert!(!played.out.contains("differs"), "{}", played.out);
    // `SUP_JOURNALS=DIR` keeps what was recorded, for tests/journals.
    if let Ok(dir) = std::env::var("SUP_JOURNALS") {
        let name = std::thread::current().name().unwrap_or("life").to_owned();
        std::fs::write(format!("{dir}/{name}.journal"), sup.read("journal")).unwrap();
    }
    played.out
}

#[test]
fn a_life_with_crashes_orders_reload_and_scale_plays_as_it_was() {
    let mut sup = TestBox::new(&tree(""));
    recording(&mut sup);
    sup.wait_state("dashboard", "up");
    sup.wait_state("hopeless", "gave-up");
    sup.signal("database", Sig::SIGSEGV);
    sup.wait_run("dashboard", 2);
    sup.must(&["stop", "dashboard", "--for", "1h"]);
    sup.must(&["restart", "database"]);
    sup.must(&["scale", "workers", "4"]);
    sup.must(&["remove", "workers/2"]);
    sup.must(&["signal", "USR1", "workers/1"]);
    sup.wait_run("workers/1", 3);
    sup.must(&["reset", "hopeless"]);
    sup.wait_state("hopeless", "gave-up");
    let changed = tree("[child.late]\ncommand = [\"sleep\", \"1000\"]\n")
        .replace("\"100{instance}\"", "\"200{instance}\"");
    sup.configure(&changed);
    sup.must(&["reload"]);
    sup.wait_state("late", "up");
    sup.wait_run("workers/1", 4);
    sup.must(&["start", "dashboard"]);
    assert_eq!(sup.end(), 0);
    let told = agrees(&sup);
    for expected in [
        "exited database#1 SIGSEGV",
        " -> tell ended database#1 SIGSEGV",
        "order dashboard stop for 3600.000 -> ",
        "scale workers count 4 -> come 3,4; go",
        "scale workers without 2 -> come; go 2",
        " reload\n",
        "tell gave-up hopeless#",
        "failed missing#1 start-fault exec 2",
        "everything was decided as it is recorded",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
}

#[test]
fn what_checks_have_found_plays_as_it_was() {
    const QUICK: &str = "interval = \"50ms\"\nretries = 2\n";
    let config = |more: &str| {
        format!(
            "[child.a]\ncommand = [\"sleep\", \"1000\"]\nrestart = \"always\"\n\
             backoff = {{ first = \"0s\" }}\nready = {{ check = \"x\" }}\n\
             watchdog = {{ file = \"$DIR/beat\", within = \"200ms\" }}\n\
             [[child.a.check]]\nname = \"x\"\nexec = [\"test\", \"-e\", \"$DIR/{SECRET}\"]\n\
             on-critical = \"restart\"\n{QUICK}{more}\
             [[check]]\ndisk = \"/\"\nwarn = \"0%\"\n{QUICK}"
        )
    };
    let mut sup = TestBox::new(&config(""));
    sup.write(SECRET, "");
    sup.write("beat", "");
    recording(&mut sup);
    sup.wait_state("a", "up");
    sup.line("a missed its watchdog");
    sup.wait_run("a", 2);
    std::fs::remove_file(sup.path(SECRET)).unwrap();
    sup.line("a is unhealthy");
    sup.write(SECRET, "");
    sup.line("this box is warning (check disk)");
    sup.configure(&config("timeout = \"5s\"\n"));
    sup.must(&["reload"]);
    sup.must(&["stop", "a"]);
    assert_eq!(sup.end(), 0);
    assert!(!sup.read("journal").contains(SECRET));
    let told = agrees(&sup);
    for expected in [
        "probed a 0 probe ",
        "probed @host 0 probe ",
        "stopping a#1 watchdog",
        " unhealthy",
        "tell checked @host 0 warning after healthy",
        "everything was decided as it is recorded",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
}

#[test]
fn no_secret_is_in_it_and_nobody_else_may_read_it() {
    let mut sup = TestBox::new(&tree(""));
    recording(&mut sup);
    sup.wait_state("dashboard", "up");
    sup.configure(&tree("").replace("PASSWORD", "PASSWORT"));
    sup.must(&["reload"]);
    sup.wait_run("database", 2);
    assert_eq!(sup.end(), 0);
    let text = sup.read("journal");
    for secret in [SECRET, "PASSWORD", "TOKEN", "sleep", "TEST_MARK"] {
        assert!(!text.contains(secret), "{secret} in:\n{text}");
    }
    assert!(text.contains("child database launch=2 "), "{text}");
    let mode = std::fs::metadata(sup.path("journal"))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    agrees(&sup);
}

#[test]
fn the_next_sup_goes_on_with_the_journal_and_tells_whom_it_has_adopted() {
    let mut sup = TestBox::new(&tree(""));
    recording(&mut sup);
    sup.wait_state("dashboard", "up");
    sup.wait_state("hopeless", "gave-up");
    sup.kill_sup_only();
    // As if it had been killed in the middle of a line.
    let mut torn = sup.read("journal");
    torn.truncate(torn.len() - 3);
    sup.write("journal", &torn);
    recording(&mut sup);
    sup.line("database adopted");
    sup.signal("database", Sig::SIGKILL);
    sup.wait_run("dashboard", 2);
    assert_eq!(sup.end(), 0);
    let text = sup.read("journal");
    for expected in ["\nadopted database#1 pid ", " [cut]\njournal version="] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let told = agrees(&sup);
    // How it ended is known where the kernel tells, once its new parent has listened.
    let ends = ["vanished", "SIGKILL"].map(|end| format!("exited database#1 {end}"));
    assert!(ends.iter().any(|end| told.contains(end)), "{told}");
    assert!(told.contains(": cut here; "), "{told}");
}

#[test]
fn a_detached_sup_records_too_from_a_relative_path() {
    let sup = TestBox::new("[child.a]\ncommand = [\"sleep\", \"1000\"]\n");
    let mut command = sup.command(&["run", "--detach", "--journal", "journal"]);
    let up = run(command.current_dir(sup.path(".")));
    assert_eq!(up.code, 0, "{up:?}");
    sup.must(&["stop", "a"]);
    sup.must(&["shutdown"]);
    let told = agrees(&sup);
    assert!(told.contains("order a stop -> "), "{told}");
}

#[test]
fn what_was_decided_otherwise_is_told_with_its_line() {
    let mut sup = TestBox::new("[child.a]\ncommand = [\"sleep\", \"1000\"]\n");
    recording(&mut sup);
    sup.wait_state("a", "up");
    sup.must(&["stop", "a"]);
    assert_eq!(sup.end(), 0);
    let text = sup.read("journal");
    sup.write(
        "journal",
        &text.replace("signal a#1 SIGTERM", "signal a#1 SIGINT"),
    );
    let at = text.lines().position(|line| line.contains("order a stop"));
    let line = at.unwrap() + 1;
    let path = sup.name("journal");
    let played = run(&mut common::sup(&["replay", "--quiet", &path]));
    assert_eq!(played.code, 1, "{played:?}");
    assert!(
        played.out.starts_with(&format!("line {line} differs: ")),
        "{played:?}"
    );
    for expected in [
        "  recorded: ",
        "SIGINT",
        "  decided:  ",
        "SIGTERM",
        "1 line differs from",
    ] {
        assert!(played.out.contains(expected), "{expected}: {played:?}");
    }
    sup.write("garbage", "once upon a time\n");
    let played = run(&mut common::sup(&["replay", &sup.name("garbage")]));
    assert_eq!(played.code, 2);
    assert!(
        played.err.contains("garbage: line 1: a journal begins"),
        "{played:?}"
    );
}

#[test]
fn a_journal_that_cannot_be_written_stops_nobody() {
    let mut sup = TestBox::new("[child.a]\ncommand = [\"sleep\", \"1000\"]\n");
    let path = sup.name("no-such-folder/journal");
    let program = Program::start(&mut sup.command(&["run", "--journal", &path]), None);
    sup.adopt(program);
    sup.wait_state("a", "up");
    sup.line("[WARNING] nothing more is recorded to ");
}

#[test]
fn a_full_disk_ends_the_recording_with_one_warning() {
    // Its writes fail with ENOSPC; it is no regular file, which a journal must be.
    let mut sup = TestBox::new("[child.a]\ncommand = [\"sleep\", \"1000\"]\n");
    let program = Program::start(&mut sup.command(&["run", "--journal", "/dev/full"]), None);
    sup.adopt(program);
    sup.wait_state("a", "up");
    sup.must(&["stop", "a"]);
    assert_eq!(sup.sup().err.with("nothing more is recorded").len(), 1);
}

#[test]
fn it_stops_at_its_bound_with_one_warning_and_is_played_up_to_there() {
    let mut sup = TestBox::new("[child.a]\ncommand = [\"sleep\", \"1000\"]\n");
    recording(&mut sup);
    sup.wait_state("a", "up");
    assert_eq!(sup.end(), 0);
    // Remarks count as well.
    let mut text = sup.read("journal");
    while text.len() < (64 << 20) - 1000 {
        text.push_str("# ");
        text.push_str(&"x".repeat(999));
        text.push('\n');
    }
    sup.write("journal", &text);
    recording(&mut sup);
    for _ in 0..20 {
        sup.must(&["restart", "a"]);
    }
    assert_eq!(sup.sup().err.with("nothing more is recorded").len(), 1);
    assert_eq!(sup.end(), 0);
    let size = std::fs::metadata(sup.path("journal")).unwrap().len();
    assert!(size < (64 << 20) + 4096, "{size}");
    let told = replayed(&sup);
    assert_eq!(told.code, 0, "{told:?}");
}
