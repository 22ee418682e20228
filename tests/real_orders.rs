//! What people ask of a running sup, and what others do to it.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::time::Duration;

use common::{Program, Sig, TestBox, exists, is_running, ms, pause, proc_status, run, sh, until};
use sup::os::clock;

const SLEEPER: &str = "[child.a]\ncommand = [\"sleep\", \"1000\"]\n";

fn sleepers(names: &[&str]) -> String {
    let child = |name: &&str| format!("[child.{name}]\ncommand = [\"sleep\", \"1000\"]\n");
    names.iter().map(child).collect()
}

/// Dies and comes back at once, for as long as one likes.
const FLAPPER: &str = "[child.flapper]\ncommand = [\"sleep\", \"1000\"]\nbackoff = { first = \"0s\" }\nbudget = { max-restarts = \"unlimited\" }\n";

/// From a kill of `flapper` until its successor is there.
fn restart_latency(sup: &TestBox, pid: i32) -> (i32, Duration) {
    // Status may be ahead of the log.
    sup.sup().err.line(&format!("flapper started (pid {pid})"));
    let count = sup.sup().err.with("flapper started").len();
    let start = clock::now();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Sig::SIGKILL).unwrap();
    let line = sup.sup().err.nth(count, "flapper started");
    let (_, rest) = line.text.split_once("(pid ").unwrap();
    (rest.trim_end_matches(')').parse().unwrap(), line.at - start)
}

// ---- asking -------------------------------------------------------------------

#[test]
fn status_tells_all_or_those_that_are_named() {
    let sup = TestBox::up(&(sleepers(&["a", "b"]) + "autostart = false\n"));
    sup.wait_state("a", "up");
    let all = sup.ask(&["status"]);
    assert_eq!(
        all.code, 0,
        "a child that is down as configured is as it should be: {all:?}"
    );
    let lines: Vec<&str> = all.out.lines().collect();
    assert!(
        lines[0].starts_with("sup ") && lines[2].starts_with("CHILD"),
        "{}",
        all.out
    );
    assert!(
        lines[3].starts_with("a      up ") && lines[4].starts_with("b      stopped"),
        "{}",
        all.out
    );
    assert!(!all.out.contains('\x1b'), "no colours into a pipe");
    let one = sup.must(&["status", "b"]);
    assert!(one.contains("\nb ") && !one.contains("\na "), "{one}");
}

#[test]
fn why_tells_the_story() {
    let sup = TestBox::up(&format!(
        "[child.a]\n{}\nbackoff = {{ first = \"0s\" }}\nbudget = {{ max-restarts = 1 }}\n",
        sh("exit 4")
    ));
    sup.wait_state("a", "gave-up");
    let told = sup.must(&["why", "a"]);
    for expected in [
        "a is given up.",
        "It failed too often",
        "sup start a",
        "Budget: 1 of 1 restarts used in the last 10 minutes.",
        "run 2",
        "exit code 4",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
}

#[test]
fn a_child_that_does_not_exist_is_a_mistake_with_a_suggestion() {
    let sup = TestBox::up(&sleepers(&["collector", "database"]));
    let orders: [&[&str]; 7] = [
        &["status", "colector"],
        &["why", "colector"],
        &["stop", "colector"],
        &["restart", "collector", "colector"],
        &["signal", "HUP", "colector"],
        &["reset", "colector"],
        &["logs", "colector"],
    ];
    for order in orders {
        let told = sup.ask(order);
        assert_ne!(told.code, 0, "{order:?}");
        assert!(
            told.err
                .contains("there is no child or group \"colector\"; did you mean \"collector\"?"),
            "{told:?}"
        );
    }
    let told = sup.ask(&["stop", "xyz"]);
    assert!(
        told.err.contains("there are: collector, database"),
        "{told:?}"
    );
    // All or nothing: the child that exists was not touched either.
    assert_eq!(sup.child("collector")["run"], 1);
}

#[test]
fn without_a_sup_that_is_said_and_how_to_start_one() {
    let sup = TestBox::new(SLEEPER);
    for order in ["status", "shutdown", "reload"] {
        let told = sup.ask(&[order]);
        assert_eq!(told.code, 3, "{told:?}");
        assert!(
            told.err.contains("no sup is running here") && told.err.contains("sup run --config"),
            "{told:?}"
        );
    }
}

#[test]
fn a_configuration_that_has_gone_bad_keeps_nobody_from_the_sup_that_runs() {
    let sup = TestBox::up(SLEEPER);
    sup.write(
        "sup.toml",
        &format!("runtime = \"{}\"\n[child.a]\ncomand = 3\n", sup.name("r")),
    );
    sup.must(&["status"]);
    sup.must(&["stop", "a"]);
}

// ---- orders -------------------------------------------------------------------

#[test]
fn orders_return_when_they_have_been_carried_out() {
    let ready = "sleep 0.3; until test -e $DIR/go; do sleep 0.02; done; echo >&3";
    let slow = sh(&format!(
        "trap 'sleep 0.3; exit 0' TERM; {ready}; while :; do sleep 0.02; done"
    ));
    let mut sup = TestBox::new(&format!(
        "[child.a]\n{slow}\nready = {{ descriptor = 3 }}\n"
    ));
    sup.write("go", "");
    sup.start();
    assert_eq!(
        sup.must(&["start", "a"]),
        "a: nothing to do, it is so already"
    );
    sup.wait_state("a", "up");
    let start = clock::now();
    assert_eq!(sup.must(&["restart", "a"]), "a: done");
    assert!(clock::now() - start >= ms(550));
    let child = sup.child("a");
    assert_eq!((&child["state"], &child["run"]), (&"up".into(), &2.into()));
    assert_eq!(sup.must(&["stop", "a"]), "a: done");
    assert_eq!(sup.child("a")["state"], "stopped");
    assert_eq!(
        sup.must(&["stop", "a"]),
        "a: nothing to do, it is so already"
    );
    fs::remove_file(sup.path("go")).unwrap();
    assert_eq!(sup.must(&["start", "--no-wait", "a"]), "a: accepted");
    assert_eq!(sup.child("a")["state"], "readying");
    sup.write("go", "");
    sup.wait_state("a", "up");
}

#[test]
fn a_start_that_fails_says_so() {
    let sup = TestBox::up(&format!(
        "[child.a]\n{}\nautostart = false\nready = {{ descriptor = 3 }}\n[child.b]\ncommand = [\"/nonexistent\"]\nautostart = false\n",
        sh("exit 1")
    ));
    for name in ["a", "b"] {
        let told = sup.ask(&["start", name]);
        assert_eq!(
            (told.code, &*told.out),
            (1, &*format!("{name}: failed; see: sup why {name}")),
            "{told:?}"
        );
    }
}

#[test]
fn all_is_every_child() {
    let sup = TestBox::up(
        &(sleepers(&["a"]) + "[child.b]\ncommand = [\"sleep\", \"1000\"]\nrequires = \"a\"\n"),
    );
    sup.wait_state("b", "up");
    sup.must(&["stop", "all"]);
    assert!(sup.marked().is_empty());
    assert!(sup.sup().is_alive());
    sup.must(&["start", "all"]);
    assert_eq!(sup.marked().len(), 2);
}

#[test]
fn a_stop_takes_along_those_that_require_it_and_a_start_what_it_requires() {
    let sup = TestBox::up(
        &(sleepers(&["db"]) + "[child.web]\ncommand = [\"sleep\", \"1000\"]\nrequires = \"db\"\n"),
    );
    sup.wait_state("web", "up");
    sup.must(&["stop", "db"]);
    sup.wait_state("web", "held");
    sup.must(&["start", "web"]);
    assert_eq!(sup.child("db")["state"], "up");
    assert_eq!(sup.child("web")["state"], "up");
}

#[test]
fn a_signal_goes_to_the_main_process_alone() {
    let script = "trap 'echo main >> $DIR/got' USR1; (trap 'echo other >> $DIR/got' USR1; while :; do sleep 0.02; done) & echo >> $DIR/up; while :; do sleep 0.02; done";
    let sup = TestBox::up(&format!("[child.a]\n{}\n", sh(script)));
    sup.wait_lines("up", 1);
    for name in ["USR1", "SIGUSR1", "10"] {
        sup.must(&["signal", name, "a"]);
        until("it to be heard", || {
            (!sup.read("got").is_empty()).then_some(())
        });
        assert_eq!(sup.read("got"), "main\n", "{name}");
        fs::remove_file(sup.path("got")).unwrap();
    }
    let told = sup.ask(&["signal", "NOPE", "a"]);
    assert_eq!(told.code, 2, "{told:?}");
    sup.must(&["stop", "a"]);
    let told = sup.ask(&["signal", "HUP", "a"]);
    assert_eq!((told.code, &*told.out), (1, "a: not running"));
}

// ---- reload -------------------------------------------------------------------

#[test]
fn reload_touches_only_what_changed() {
    let old = sleepers(&["kept", "adjusted", "restarted", "removed"]);
    let sup = TestBox::up(&old);
    let pids = |names: &[&str]| names.iter().map(|name| sup.pid(name)).collect::<Vec<_>>();
    let before = pids(&["kept", "adjusted", "restarted", "removed"]);
    let new = sleepers(&["kept", "added", "adjusted"])
        + "stop-timeout = \"3s\"\n[child.restarted]\ncommand = [\"sleep\", \"2000\"]\n";
    sup.configure(&new);
    let plan =
        "added: added\nadjusted: adjusted\nkept: kept\nremoved: removed\nrestarted: restarted";
    let sorted = |text: String| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines.join("\n")
    };
    assert_eq!(sorted(sup.must(&["reload", "--dry-run"])), plan);
    assert_eq!(pids(&["kept", "adjusted", "restarted", "removed"]), before);
    assert_eq!(sorted(sup.must(&["reload"])), plan);
    sup.wait_state("added", "up");
    sup.wait_run("restarted", 2);
    assert_eq!(pids(&["kept", "adjusted"]), before[..2]);
    until("the removed one to be gone", || {
        (!is_running(before[3])).then_some(())
    });
    assert_eq!(sup.ask(&["status", "removed"]).code, 1);
    assert_eq!(sup.child("restarted")["failures"], 0);
    // Once more, nothing has changed.
    let again = sup.must(&["reload"]);
    assert!(
        again.lines().all(|line| line.ends_with(": kept")),
        "{again}"
    );
}

#[test]
fn a_reload_with_mistakes_changes_nothing_and_shows_them() {
    let sup = TestBox::up(&sleepers(&["a", "b"]));
    let pid = sup.pid("a");
    sup.configure("[child.a]\ncommand = [\"sleep\", \"2000\"]\nnice = 99\n");
    let told = sup.ask(&["reload"]);
    assert_ne!(told.code, 0);
    assert!(
        told.err.contains("nice") && told.err.contains("sup.toml:"),
        "{told:?}"
    );
    sup.sup().signal(Sig::SIGHUP);
    sup.line("[ERROR]");
    assert_eq!(sup.pid("a"), pid);
    sup.wait_state("b", "up");
}

#[test]
fn hup_reloads() {
    let sup = TestBox::up(SLEEPER);
    let pid = sup.pid("a");
    sup.configure(&sleepers(&["a", "b"]));
    sup.sup().signal(Sig::SIGHUP);
    sup.line("b started");
    assert_eq!(sup.pid("a"), pid);
}

// ---- output -------------------------------------------------------------------

#[test]
fn logs_shows_the_last_lines_of_both_streams() {
    let sup = TestBox::up(&format!(
        "[child.a]\n{}\n",
        sh(
            "for n in 1 2 3 4; do echo line $n; done; echo err >&2; echo >> $DIR/said; exec sleep 1000"
        )
    ));
    sup.wait_lines("said", 1);
    until("all of it", || {
        sup.must(&["logs", "a"]).contains("err").then_some(())
    });
    assert_eq!(sup.must(&["logs", "-n", "2", "a"]), "line 4\nerr");
    assert_eq!(sup.must(&["logs", "-n", "0", "a"]), "");
}

#[test]
fn logs_follows_over_a_restart() {
    let sup = TestBox::up(&format!(
        "[child.a]\n{}\n",
        sh("echo run $SUP_RUN; exec sleep 1000")
    ));
    let follower = Program::start(&mut sup.command(&["logs", "-f", "a"]), None);
    follower.out.line("run 1");
    sup.must(&["restart", "a"]);
    follower.out.line("run 2");
    // Not INT, which whoever runs the tests in the background ignores for all of them.
    follower.signal(Sig::SIGTERM);
    assert_eq!(follower.code(), -15);
    sup.must(&["status"]);
}

#[test]
fn events_follows_what_happens() {
    let sup = TestBox::up(SLEEPER);
    let follower = Program::start(&mut sup.command(&["events", "-f"]), None);
    follower.out.line("a started");
    sup.must(&["stop", "a"]);
    follower.out.line("Stopping a: as ordered");
    follower.out.line("a stopped (SIGTERM)");
    let last = sup.must(&["events", "-n", "1"]);
    assert!(
        last.ends_with("a stopped (SIGTERM)") && last.lines().count() == 1,
        "{last}"
    );
}

#[test]
fn output_is_kept_byte_for_byte() {
    let sup = TestBox::up(&format!(
        "[child.a]\n{}\nlog = {{ file = \"$DIR/a.log\" }}\n",
        sh("printf 'a\\000\\377\\033[31m\\n'; exec sleep 1000")
    ));
    let expected = b"a\0\xff\x1b[31m\n";
    until("the file", || {
        fs::read(sup.path("a.log"))
            .ok()
            .filter(|bytes| bytes == expected)
    });
    let output = sup.command(&["logs", "a"]).output().unwrap();
    assert_eq!(output.stdout, expected);
}

#[test]
fn log_files_are_rotated_and_capped() {
    let script = "n=0; while test $n -lt 3000; do n=$((n+1)); echo this is line number $n of them all; done; echo >> $DIR/done; exec sleep 1000";
    let sup = TestBox::up(&format!(
        "[child.a]\n{}\nlog = {{ file = \"$DIR/a.log\", max-size = \"16K\", keep = 2 }}\n",
        sh(script)
    ));
    sup.wait_lines("done", 1);
    until("the last line", || {
        sup.read("a.log").contains("number 3000 ").then_some(())
    });
    for name in ["a.log", "a.log.1", "a.log.2"] {
        let size = fs::metadata(sup.path(name)).unwrap().len();
        assert!(size <= 16 << 10, "{name}: {size}");
    }
    assert!(!exists(&sup.path("a.log.3")));
}

#[test]
fn a_flood_of_output_harms_nobody() {
    let flood = "head -c 50000000 /dev/zero | tr '\\0' '\\n'; echo >> $DIR/done; exec sleep 1000";
    let sup = TestBox::up(&format!(
        "{FLAPPER}[child.a]\n{}\n",
        sh(&format!(
            "while ! test -e $DIR/go; do sleep 0.01; done; {flood}"
        ))
    ));
    let mut pid = sup.pid("flapper");
    let pid_of_sup = sup.sup().pid;
    let start = clock::now();
    sup.write("go", "");
    let mut latencies = Vec::new();
    while !exists(&sup.path("done")) {
        let (next, latency) = restart_latency(&sup, pid);
        (pid, _) = (next, latencies.push(latency));
        assert!(clock::now() - start < common::BOUND, "too slow");
    }
    let worst = latencies.iter().max().unwrap();
    assert!(*worst < ms(1_000), "{latencies:?}");
    let peak: u64 = proc_status(pid_of_sup, "VmHWM")
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    assert!(peak < 24 << 10, "{peak} KiB");
}

// ---- the socket ---------------------------------------------------------------

#[test]
fn only_its_owner_reaches_it() {
    let sup = TestBox::up(SLEEPER);
    let mode = |name: &str| fs::metadata(sup.path(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(
        (mode("r"), mode("r/control"), mode("s")),
        (0o711, 0o600, 0o700)
    );
    sup.wait_state("a", "up");
    assert_eq!(mode("r/a.out"), 0o600);
    if !common::is_root() {
        return;
    }
    // Somebody else, even with the path open to all, is refused in words.
    fs::set_permissions(sup.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(sup.path("r/control"), fs::Permissions::from_mode(0o666)).unwrap();
    let binary = sup.path("sup");
    common::copy_sup(&binary);
    let mut command = std::process::Command::new(&binary);
    command
        .args(["stop", "a", "--config"])
        .arg(sup.path("sup.toml"))
        .uid(65534)
        .gid(65534);
    let told = run(&mut command);
    assert_eq!(told.code, 1, "{told:?}");
    assert!(
        told.err
            .contains("only root and the user that runs sup may do that"),
        "{told:?}"
    );
    assert_eq!(sup.child("a")["state"], "up");
}

#[test]
fn two_sups_do_not_share_a_directory() {
    let sup = TestBox::up(SLEEPER);
    let pid = sup.pid("a");
    let told = sup.ask(&["run"]);
    assert_eq!(told.code, 1, "{told:?}");
    assert!(told.err.contains("another sup is running"), "{told:?}");
    // Another runtime directory, the same memory: refused all the same.
    let config = format!("runtime = \"$DIR/r2\"\nstate = \"$DIR/s\"\n{SLEEPER}");
    sup.write("other.toml", &config);
    let told = run(&mut common::sup(&[
        "run",
        "--config",
        &sup.name("other.toml"),
    ]));
    assert_eq!(told.code, 1, "{told:?}");
    assert!(told.err.contains("another sup is running"), "{told:?}");
    assert_eq!(sup.pid("a"), pid);
}

#[test]
fn a_socket_that_a_killed_sup_left_is_replaced() {
    let mut sup = TestBox::up(SLEEPER);
    sup.kill_sup();
    assert!(exists(&sup.path("r/control")));
    let told = sup.ask(&["status"]);
    assert_eq!(told.code, 3, "{told:?}");
    sup.start();
    sup.wait_state("a", "up");
}

#[test]
fn garbage_and_silence_on_the_socket_disturb_nobody() {
    let sup = TestBox::up(FLAPPER);
    let connect = || UnixStream::connect(sup.path("r/control")).unwrap();
    let mut pid = sup.pid("flapper");
    let nonsense: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xff; 4],
        &[0; 4096],
        b"\x01",
        b"\x02\0\0\0\x01\0\xff\xff\xff\xff",
    ];
    for bytes in nonsense {
        let mut stream = connect();
        let _closed = stream.write_all(bytes);
        let (next, latency) = restart_latency(&sup, pid);
        pid = next;
        assert!(latency < ms(1_000), "{latency:?}");
    }
    // More than there are seats, and none of them says a word.
    let silent: Vec<UnixStream> = (0..100).map(|_| connect()).collect();
    for _ in 0..20 {
        let (next, latency) = restart_latency(&sup, pid);
        pid = next;
        assert!(latency < ms(1_000), "{latency:?}");
    }
    drop(silent);
    sup.must(&["status"]);
    // A client that asks and does not read its answer.
    let mut deaf: Vec<Program> = Vec::new();
    for _ in 0..8 {
        let follower = Program::start(&mut sup.command(&["events", "-f"]), None);
        follower.out.line("flapper started");
        follower.signal(Sig::SIGSTOP);
        deaf.push(follower);
    }
    for _ in 0..20 {
        pid = restart_latency(&sup, pid).0;
    }
    sup.must(&["status"]);
    deaf.iter()
        .for_each(|follower| follower.signal(Sig::SIGKILL));
}

#[test]
fn what_is_too_long_is_closed_on_at_once() {
    let sup = TestBox::up(SLEEPER);
    let mut stream = UnixStream::connect(sup.path("r/control")).unwrap();
    stream.set_read_timeout(Some(ms(5_000))).unwrap();
    stream.write_all(&[0xff; 64]).unwrap();
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer);
    assert!(
        ended.is_ok()
            || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
    );
    assert!(answer.is_empty());
}

// ---- many ---------------------------------------------------------------------

#[test]
fn a_thousand_children_start_and_stop() {
    let mut config = String::from("[defaults]\nlog = \"ring\"\n");
    for n in 0..1_000 {
        config += &format!("[child.c{n}]\ncommand = [\"sleep\", \"1000\"]\n");
    }
    let mut sup = TestBox::new(&config);
    let mut command = sup.command(&["run"]);
    // What a box gives to a service: 1024 descriptors unless it asks for more.
    let usual = || {
        use nix::sys::resource::{Resource, getrlimit, setrlimit};
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        setrlimit(Resource::RLIMIT_NOFILE, 1024, hard)?;
        Ok(())
    };
    // SAFETY: system calls only.
    unsafe { command.pre_exec(usual) };
    let start = clock::now();
    let program = Program::start(&mut command, None);
    sup.adopt(program);
    let count = |state: &str| {
        let status = sup.status();
        let children = status["children"].as_array().unwrap();
        children
            .iter()
            .filter(|child| child["state"] == state)
            .count()
    };
    until("a thousand children", || {
        (count("up") == 1_000).then_some(())
    });
    let up = clock::now() - start;
    let asked = clock::now();
    assert_eq!(sup.ask(&["status"]).out.lines().count(), 1_003);
    let status = clock::now() - asked;
    let asked = clock::now();
    sup.must(&["stop", "c500"]);
    let stop = clock::now() - asked;
    let asked = clock::now();
    assert_eq!(sup.end(), 0);
    let end = clock::now() - asked;
    assert!(sup.marked().is_empty());
    let spans = format!("up {up:?}, status {status:?}, one stop {stop:?}, end {end:?}");
    let _shown = writeln!(std::io::stderr(), "a thousand children: {spans}");
    assert!(
        up < ms(20_000) && status < ms(2_000) && stop < ms(2_000) && end < ms(25_000),
        "{spans}"
    );
}

// ---- detached -----------------------------------------------------------------

/// `sup run --detach`, so that what it leaves is found by its mark.
fn detach(sup: &TestBox) -> (common::Outcome, Duration) {
    let mark = sup.name("");
    let start = clock::now();
    let told = run(sup
        .command(&["run", "--detach"])
        .env("TEST_MARK", mark.trim_end_matches('/')));
    (told, clock::now() - start)
}

#[test]
fn detached_it_is_up_when_it_returns_and_a_second_one_is_no_error() {
    let sup = TestBox::new(SLEEPER);
    let (told, span) = detach(&sup);
    assert_eq!((told.code, &*told.out, &*told.err), (0, "", ""), "{told:?}");
    assert!(span < ms(2_000), "{span:?}");
    sup.wait_state("a", "up");
    let pid = sup.status()["sup"]["pid"].as_i64().unwrap();
    let stat = sup::os::procfs::stat(i32::try_from(pid).unwrap()).unwrap();
    assert_eq!(stat.session, stat.pid, "it has left our terminal");
    let (told, span) = detach(&sup);
    assert_eq!(
        (told.code, &*told.out),
        (0, "sup is running already"),
        "{told:?}"
    );
    assert!(span < ms(2_000), "{span:?}");
    assert_eq!(sup.status()["sup"]["pid"], pid);
    sup.must(&["shutdown"]);
    assert!(sup.marked().is_empty(), "shutdown returns when all is over");
    assert_eq!(sup.ask(&["status"]).code, 3);
}

#[test]
fn detached_mistakes_are_shown_to_whoever_started_it() {
    let sup = TestBox::new("[child.a]\ncomand = [\"x\"]\n");
    let (told, _) = detach(&sup);
    assert_eq!(told.code, 2, "{told:?}");
    assert!(told.err.contains("did you mean \"command\"?"), "{told:?}");
    let sup = TestBox::new(SLEEPER);
    sup.write("s", "");
    let (told, span) = detach(&sup);
    assert_eq!(told.code, 1, "{told:?}");
    assert!(told.err.contains(&sup.name("s")), "{told:?}");
    assert!(span < ms(2_000) && sup.marked().is_empty());
}

#[test]
fn shutdown_ends_a_sup_in_the_foreground_with_success() {
    let sup = TestBox::up(SLEEPER);
    let pid = sup.pid("a");
    sup.must(&["shutdown"]);
    assert_eq!(sup.sup().code(), 0);
    assert!(!is_running(pid));
    assert!(!exists(&sup.path("r/control")));
}

#[test]
fn whoever_waits_for_an_order_when_sup_ends_is_told() {
    let slow = sh("trap '' TERM; echo >> $DIR/up; while :; do sleep 0.05; done");
    let sup = TestBox::up(&format!("[child.a]\n{slow}\nstop-timeout = \"600ms\"\n"));
    sup.wait_lines("up", 1);
    let waiting = Program::start(&mut sup.command(&["restart", "a"]), None);
    sup.line("Stopping a");
    sup.sup().signal(Sig::SIGTERM);
    assert_eq!(waiting.code(), 1);
    assert_eq!(sup.sup().code(), 0);
    pause(ms(0));
    assert!(!waiting.err.all().is_empty() || !waiting.out.all().is_empty());
}
