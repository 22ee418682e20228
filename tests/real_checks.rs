//! Children that live and die by their checks.

mod common;

use std::fs;
use std::io::Write;
use std::os::fd::{FromRawFd, OwnedFd};

use common::{Sig, TestBox, ms, pause, sh, until};
use nix::libc;

/// A check each 50 ms, of which two failures count.
const QUICK: &str =
    "interval = \"50ms\"\nstart-interval = \"50ms\"\nretries = 2\ntimeout = \"5s\"\n";

fn sleeper(name: &str, more: &str) -> String {
    format!(
        "[child.{name}]\ncommand = [\"sleep\", \"100000\"]\nrestart = \"always\"\nbackoff = {{ first = \"0s\" }}\n{more}\n"
    )
}

fn check_of(name: &str, kind: &str, more: &str) -> String {
    format!("[[child.{name}.check]]\n{kind}\n{QUICK}{more}\n")
}

#[test]
fn a_critical_check_restarts_its_child_and_is_told_once() {
    let config = sleeper("a", "").replace("first = \"0s\"", "first = \"0s\", settle = \"200ms\"")
        + &check_of(
            "a",
            "exec = [\"test\", \"-e\", \"$DIR/well\"]",
            "on-critical = \"restart\"",
        )
        + "[[alert]]\nlevel = \"info\"\nexec = [\"/bin/sh\", \"-c\", 'echo \"$SUP_EVENT $SUP_CHECK $1\" >> $DIR/told', \"x\"]\n";
    let sup = TestBox::new(&config);
    sup.write("well", "");
    let mut sup = sup;
    sup.start();
    sup.wait_for("a", "healthy", |child| child["health"] == "healthy");
    assert_eq!(sup.ask(&["status"]).code, 0);
    fs::remove_file(sup.path("well")).unwrap();
    sup.line("a is critical (check exec): exit code 1");
    sup.line("Stopping a: a check is critical");
    sup.line("a is unhealthy. Restarting now (attempt 1/5)");
    sup.write("well", "");
    let child = sup.wait_for("a", "well in a later run", |child| {
        child["health"] == "healthy" && child["run"].as_u64() > Some(1)
    });
    assert_eq!(child["exits"][0]["exit"], "unhealthy", "{child}");
    sup.line("a is healthy again, after critical (check exec)");
    // The check and the restart are one incident.
    let told = sup.wait_lines("told", 2);
    let first =
        "check-critical exec WARNING: a is critical (check exec): exit code 1. It is restarted";
    assert_eq!(told[0], first);
    assert!(
        told[1].starts_with("recovered  INFO: a has settled"),
        "{told:?}"
    );
    assert_eq!(sup.end(), 0);
    assert!(sup.marked().is_empty());
}

#[test]
fn what_a_check_left_when_sup_was_killed_is_killed_by_the_next() {
    let hangs = "exec = [\"sh\", \"-c\", \"(setsid sleep 100001 & echo $! >> $DIR/pids); sleep 100002 & echo $! >> $DIR/pids; wait\"]";
    let config = sleeper("a", "") + &check_of("a", hangs, "").replace("\"5s\"", "\"1h\"");
    let mut sup = TestBox::up(&config);
    let pids = sup.wait_lines("pids", 2);
    let pids = pids.iter().map(|pid| pid.parse::<i32>().unwrap());
    let left: Vec<i32> = pids.collect();
    let child = sup.pid("a");
    sup.kill_sup_only();
    assert!(left.iter().all(|pid| common::is_running(*pid)));
    fs::remove_file(sup.path("pids")).unwrap();
    sup.start();
    sup.line("killed what checks of the sup before left running");
    until("what the check left to be gone", || {
        let gone = !left.iter().any(|pid| common::is_running(*pid));
        gone.then_some(())
    });
    assert_eq!(sup.pid("a"), child, "the child lives on");
    sup.wait_lines("pids", 2);
    assert_eq!(sup.end(), 0);
    assert!(sup.marked().is_empty());
}

#[test]
fn status_and_why_say_what_was_found() {
    let config = sleeper("a", "")
        + &check_of(
            "a",
            "exec = [\"sh\", \"-c\", \"echo first; echo second; exit 3\"]",
            "name = \"x\"",
        )
        + &check_of("a", "process = true", "")
        + "[[check]]\ndisk = \"/\"\nwarn = \"0%\"\n"
        + QUICK;
    let sup = TestBox::up(&config);
    sup.wait_for("a", "critical", |child| child["health"] == "critical");
    let status = sup.ask(&["status"]);
    assert_eq!(status.code, 1, "critical is not good");
    assert!(
        status
            .out
            .contains("critical (check x): exit code 3: first"),
        "{}",
        status.out
    );
    until("the box to be checked", || {
        let out = sup.ask(&["status"]).out;
        let line = out.lines().find(|line| line.starts_with("box: disk"))?;
        line.contains("warning").then_some(())
    });
    let why = sup.must(&["why", "a"]);
    assert!(
        why.contains("Check x (exec) is critical, failing "),
        "{why}"
    );
    assert!(why.contains("    | second"), "{why}");
    assert!(why.contains("Check process (process) is healthy"), "{why}");
    let all = sup.status();
    assert_eq!(all["checks"][0]["health"], "warning", "{all}");
    let child = &all["children"][0];
    assert_eq!(child["good"], false, "{child}");
    assert!(child["checks"][0]["results"].as_array().unwrap().len() <= 5);
    // Checks follow the file, and the child goes on.
    let pid = sup.pid("a");
    let config = sleeper("a", "") + &check_of("a", "exec = [\"true\"]", "name = \"x\"");
    sup.configure(&config);
    assert!(sup.must(&["reload"]).contains("a: adjusted"));
    let child = sup.wait_for("a", "healthy", |child| child["health"] == "healthy");
    assert_eq!(child["pid"], pid);
    assert_eq!(child["checks"].as_array().unwrap().len(), 1);
}

#[test]
fn lines_of_output_are_counted_where_they_come_by() {
    let script = "while read word; do echo \"$word\"; done < $DIR/lines; exec sleep 1000";
    let config = format!("[child.a]\n{}\n", sh(script))
        + &check_of(
            "a",
            "log = \"ERROR\"\nwithin = \"10m\"\nwarn = 1\ncritical = 3",
            "",
        );
    let sup = TestBox::new(&config);
    nix::unistd::mkfifo(&sup.path("lines"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut sup = sup;
    sup.start();
    let mut lines = fs::File::options()
        .write(true)
        .open(sup.path("lines"))
        .unwrap();
    lines.write_all(b"an ERROR\nwell\n").unwrap();
    sup.wait_for("a", "healthy", |child| child["health"] == "healthy");
    lines.write_all(b"another ERROR\n").unwrap();
    sup.wait_for("a", "a warning", |child| child["health"] == "warning");
    lines.write_all(b"ERROR\nERROR\n").unwrap();
    sup.line("a is critical (check log): 4 lines in 10 minutes");
}

#[test]
fn passing_a_check_is_being_ready() {
    let config = sleeper("a", "ready = { check = \"up\" }")
        + &check_of("a", "file = \"$DIR/up\"", "name = \"up\"")
        + &sleeper("b", "requires = [\"a\"]");
    let sup = TestBox::up(&config);
    sup.wait_state("a", "readying");
    assert_eq!(sup.child("b")["state"], "queued");
    sup.write("up", "");
    sup.wait_run("b", 1);
    sup.line("a is ready");
}

#[test]
fn a_check_that_hangs_is_killed_with_all_it_made_and_delays_nobody() {
    let mut hanging = check_of(
        "a",
        "exec = [\"sh\", \"-c\", \"sleep 1000 & sleep 1000\"]",
        "",
    );
    hanging = hanging.replace("timeout = \"5s\"", "timeout = \"100ms\"");
    let config = sleeper("a", "") + &hanging + &sleeper("b", "");
    let mut sup = TestBox::up(&config);
    sup.line("a is critical (check exec): killed, it did not end within 100ms");
    sup.signal("b", Sig::SIGKILL);
    sup.wait_run("b", 2);
    assert_eq!(sup.end(), 0);
    sup.wait_clear();
}

#[test]
fn what_does_not_show_that_it_lives_gets_abrt() {
    let file = sleeper(
        "a",
        "watchdog = { file = \"$DIR/beat\", within = \"300ms\" }",
    );
    let sup = TestBox::up(&file);
    sup.line("Stopping a: it has missed its watchdog");
    sup.line("a missed its watchdog. Restarting");
    sup.wait_run("a", 2);
}

#[test]
fn who_says_so_to_the_socket_lives() {
    // Each line of the pipe is a sign of life; it says by what time it must come.
    let script = "echo $WATCHDOG_USEC > $DIR/usec; while read word; do $DIR/say; echo said >> $DIR/said; done < $DIR/beats";
    let config = format!(
        "[child.a]\n{}\nwatchdog = \"4s\"\nrestart = \"always\"\nbackoff = {{ first = \"0s\" }}\n",
        sh(script)
    );
    let sup = TestBox::new(&config);
    sup.program("say", "#!/usr/bin/perl\nuse Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0) or die; send(S, \"WATCHDOG=1\", 0, sockaddr_un($ENV{NOTIFY_SOCKET})) or die;\n");
    nix::unistd::mkfifo(&sup.path("beats"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut sup = sup;
    sup.start();
    let mut beats = fs::File::options()
        .write(true)
        .open(sup.path("beats"))
        .unwrap();
    assert_eq!(sup.wait_lines("usec", 1), ["4000000"]);
    for beat in 1..=8 {
        beats.write_all(b"x\n").unwrap();
        sup.wait_lines("said", beat);
        pause(ms(600));
    }
    assert_eq!(
        sup.child("a")["run"],
        1,
        "it has shown that it lives for longer than that"
    );
    sup.line("Stopping a: it has missed its watchdog");
    sup.wait_run("a", 2);
}

#[test]
fn an_upgrade_restarts_nobody_and_looks_anew() {
    const SAY: &str = "#!/usr/bin/perl\nuse Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0) or die; \
        while (1) { send(S, \"WATCHDOG=1\", 0, sockaddr_un($ENV{NOTIFY_SOCKET})); select(undef, undef, undef, 0.1) }\n";
    let hangs =
        "exec = [\"sh\", \"-c\", \"echo $$ >> $DIR/pids; exec sleep 100003\"]\nname = \"hangs\"";
    let config = "[child.b]\ncommand = [\"$DIR/say\"]\nwatchdog = \"2s\"\nrestart = \"always\"\n"
        .to_owned()
        + &sleeper("a", "")
        + &check_of("a", hangs, "").replace("\"5s\"", "\"1h\"")
        + &check_of("a", "process = true", "on-critical = \"restart\"");
    let mut sup = TestBox::new(&config);
    sup.program("say", SAY);
    sup.start();
    let left: i32 = sup.wait_lines("pids", 1)[0].parse().unwrap();
    let (a, b) = (sup.pid("a"), sup.pid("b"));
    pause(ms(2_200)); // Its watchdog would have spoken, had nobody heard it.
    let upgraded = sup.ask(&["upgrade"]);
    assert_eq!(upgraded.code, 0, "{upgraded:?}");
    let again = sup.wait_lines("pids", 2);
    assert_ne!(again[1].parse::<i32>().unwrap(), left);
    until("what hung to be gone", || {
        (!common::is_running(left)).then_some(())
    });
    pause(ms(2_200));
    assert_eq!((sup.pid("a"), sup.pid("b")), (a, b));
    sup.signal("b", Sig::SIGSTOP);
    sup.line("Stopping b: it has missed its watchdog");
    assert_eq!(sup.end(), 0);
    assert!(sup.marked().is_empty());
}

/// What a command writes to a terminal.
fn on_a_terminal(mut command: std::process::Command) -> String {
    let (mut ours, mut theirs) = (-1, -1);
    // SAFETY: it writes the two numbers, and needs none of the rest.
    let opened = unsafe {
        libc::openpty(
            &raw mut ours,
            &raw mut theirs,
            std::ptr::null_mut(),
            std::ptr::null(),
            std::ptr::null(),
        )
    };
    assert_eq!(opened, 0);
    // SAFETY: both are new, and nobody else's.
    let (ours, theirs) = unsafe { (fs::File::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) };
    let mut child = command.stdout(theirs).env("TERM", "xterm").spawn().unwrap();
    drop(command);
    let mut said = Vec::new();
    // It ends with EIO when nobody has the other side any more.
    let _end = std::io::Read::read_to_end(&mut &ours, &mut said);
    child.wait().unwrap();
    String::from_utf8(said).unwrap()
}

#[test]
fn levels_have_their_colours_where_a_person_looks() {
    let config = sleeper("good", "")
        + &check_of("good", "process = true", "")
        + &sleeper("worse", "")
        + &check_of("worse", "memory = \"child\"\nwarn = \"1K\"", "")
        + &sleeper("worst", "")
        + &check_of("worst", "memory = \"child\"\ncritical = \"1K\"", "")
        + "[[check]]\nname = \"all\"\nmemory = \"host\"\nwarn = \"1K\"\ninterval = \"50ms\"\nretries = 1\n";
    let sup = TestBox::up(&config);
    sup.line("worse is warning");
    sup.line("worst is critical");
    sup.wait_for("good", "healthy", |child| child["health"] == "healthy");
    let shown = on_a_terminal(sup.command(&["status"]));
    for (name, colour) in [("good", 32), ("worse", 33), ("worst", 31), ("box: all", 33)] {
        let line = shown.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.contains(&format!("\u{1b}[{colour}m")), "{line:?}");
    }
    let mut plain = sup.command(&["status"]);
    plain.env("NO_COLOR", "1");
    assert!(!on_a_terminal(plain).contains('\u{1b}'));
    assert!(!sup.ask(&["status"]).out.contains('\u{1b}'));
}
