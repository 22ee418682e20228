//! `sup -- COMMAND`: one command in the foreground, with real processes.

mod common;

use std::fs;
use std::os::unix::process::CommandExt;
use std::time::Duration;

use common::{
    Outcome, Program, Sig, TestBox, at_once, is_running, ms, proc_status, run, sup, waits_between,
};
use sup::os::{clock, procfs};

/// A box without a configuration: only a place for files.
fn place() -> TestBox {
    TestBox::new("")
}

/// `sup FLAGS -- /bin/sh -c SCRIPT`, started.
fn start(flags: &[&str], script: &str) -> Program {
    let args = [flags, &["--", "/bin/sh", "-c", script]].concat();
    Program::start(&mut sup(&args), None)
}

/// The same, until it has ended.
fn to_end(flags: &[&str], command: &[&str]) -> Outcome {
    run(&mut sup(&[flags, &["--"], command].concat()))
}

/// sup's own words, without the time.
fn words(log: &str) -> Vec<&str> {
    log.lines()
        .filter_map(|line| {
            line.strip_prefix('[')?
                .split_once(' ')
                .map(|(_, rest)| rest)
        })
        .collect()
}

const FAST: [&str; 2] = ["--initial-restart-delay", "0.02"];

#[test]
fn waits_five_seconds_unless_told_and_allows_five_restarts_in_ten_minutes() {
    let sup = start(&[], "exit 1");
    let line = sup.err.line("[NOTIFICATION]").text;
    let expected = "WARNING: sh crashed with exit code 1. Restarting in 5 seconds (attempt 1/5)";
    assert!(line.ends_with(expected), "{line}");
    sup.signal(Sig::SIGTERM);
    assert_eq!(sup.code(), 0);
    let told = to_end(&["--initial-restart-delay", "0"], &["/bin/false"]);
    assert_eq!(told.code, 1);
    let expected = "Giving up after 5 restarts in 10 minutes";
    assert!(told.err.contains(expected), "{}", told.err);
    assert_eq!(told.err.matches("false started").count(), 6);
}

#[test]
fn no_delay_is_longer_than_sixty_seconds_unless_told() {
    let sup = start(&["--initial-restart-delay", "60"], "exit 1");
    sup.err.line("Restarting in 1 minute (attempt 1/5)");
    let refused = to_end(
        &["--initial-restart-delay", "61", "--max-restart-delay", "60"],
        &["true"],
    );
    assert_eq!(refused.code, 2);
}

#[test]
fn delays_double_up_to_the_maximum_and_no_further() {
    let flags = [
        "--initial-restart-delay",
        "0.1",
        "--max-restart-delay",
        "0.3",
        "--max-restarts",
        "4",
    ];
    let dir = tempfile::tempdir().unwrap();
    let starts = dir.path().join("starts");
    let sup = start(
        &flags,
        &format!("date +%s%N >> {}; exit 1", starts.display()),
    );
    assert_eq!(sup.code(), 1);
    sup.err.all(); // Its end may be seen before its last words.
    let waits = waits_between(&starts);
    assert_eq!(waits.len(), 4);
    for (wait, least) in waits.iter().zip([100, 200, 300, 300]) {
        assert!(*wait >= ms(least - 2), "{waits:?}");
        assert!(*wait < ms(least + 5_000), "{waits:?}");
    }
    for (nth, words) in ["0.1", "0.2", "0.3", "0.3"].iter().enumerate() {
        let line = &sup.err.with("[SUPERVISOR] Restarting")[nth].text;
        let expected = format!("Restarting in {words} seconds (attempt {}/4)", nth + 1);
        assert!(line.ends_with(&expected), "{line}");
    }
}

#[test]
fn a_crash_and_the_end_of_hope_read_as_documented() {
    let told = to_end(
        &[&FAST[..], &["--max-restarts", "1"]].concat(),
        &["/bin/sh", "-c", "exit 7"],
    );
    assert_eq!(told.code, 1);
    let lines = words(&told.err);
    let expected = [
        "WARN  sup] [SUPERVISOR] sh failed with exit code: 7",
        "INFO  sup] [NOTIFICATION] WARNING: sh crashed with exit code 7. Restarting in 0.02 seconds (attempt 1/1)",
        "INFO  sup] [SUPERVISOR] Restarting in 0.02 seconds (attempt 1/1)",
    ];
    assert_eq!(lines[1..4], expected);
    assert!(lines[0].starts_with("INFO  sup] [SUPERVISOR] sh started (pid "));
    let last = "INFO  sup] [NOTIFICATION] CRITICAL: sh crashed with exit code 7. Giving up after 1 restart in 10 minutes";
    assert_eq!(lines[6], last);
    assert!(lines[7].starts_with("ERROR sup] [ERROR] sh is given up"));
    let stamp = told.err.split(' ').next().unwrap();
    assert_eq!(stamp.len(), "[2026-05-01T12:34:56Z".len(), "{stamp}");
    assert!(stamp.starts_with("[20") && stamp.ends_with('Z'), "{stamp}");
}

#[test]
fn a_crash_by_a_signal_is_told_by_its_name() {
    let told = to_end(
        &["--max-restarts", "0"],
        &["/bin/sh", "-c", "kill -SEGV $$"],
    );
    assert!(
        told.err.contains("sh was killed by SIGSEGV"),
        "{}",
        told.err
    );
}

#[test]
fn success_is_restarted_too() {
    let told = to_end(
        &[&FAST[..], &["--max-restarts", "2"]].concat(),
        &["/bin/true"],
    );
    assert_eq!(told.code, 1);
    assert_eq!(told.err.matches("true ended with exit code: 0").count(), 3);
}

#[test]
fn with_no_restarts_allowed_it_is_given_up_at_once() {
    let told = to_end(&["--max-restarts", "0"], &["/bin/sh", "-c", "exit 1"]);
    assert_eq!(told.code, 1);
    assert!(!told.err.contains("Restarting"), "{}", told.err);
    assert!(
        told.err.contains("Giving up after 0 restarts"),
        "{}",
        told.err
    );
}

// ---- the notification script --------------------------------------------------

#[test]
fn the_script_gets_the_message_and_the_facts() {
    let place = place();
    place.program(
        "notify.sh",
        "#!/bin/sh\n{ echo \"$#:$1\"; env | grep ^SUP_ | sort; echo; } >> $DIR/told\n",
    );
    let script = place.name("notify.sh");
    let flags = [
        &FAST[..],
        &["--max-restarts", "1", "--notification-script", &script],
    ]
    .concat();
    let told = to_end(&flags, &["/bin/sh", "-c", "exit 7"]);
    assert_eq!(told.code, 1);
    // Whoever has to be told is told before sup ends.
    let text = place.read("told");
    let tellings: Vec<&str> = text.trim_end().split("\n\n").collect();
    let first = [
        "1:WARNING: sh crashed with exit code 7. Restarting in 0.02 seconds (attempt 1/1)",
        "SUP_ATTEMPT=1",
        "SUP_CHILD=sh",
        "SUP_DELAY_SECONDS=0.02",
        "SUP_EVENT=restarting",
        "SUP_EXIT=exit code 7",
        "SUP_EXIT_CODE=7",
        "SUP_LEVEL=WARNING",
        "SUP_MAX_RESTARTS=1",
        "SUP_MESSAGE=WARNING: sh crashed with exit code 7. Restarting in 0.02 seconds (attempt 1/1)",
        "SUP_RUN=1",
    ];
    assert_eq!(tellings[0].lines().collect::<Vec<_>>(), first);
    let second = [
        "1:CRITICAL: sh crashed with exit code 7. Giving up after 1 restart in 10 minutes",
        "SUP_CHILD=sh",
        "SUP_EVENT=gave-up",
        "SUP_EXIT=exit code 7",
        "SUP_EXIT_CODE=7",
        "SUP_LEVEL=CRITICAL",
        "SUP_MESSAGE=CRITICAL: sh crashed with exit code 7. Giving up after 1 restart in 10 minutes",
        "SUP_RESTARTS=1",
        "SUP_RUN=2",
        "SUP_WINDOW_SECONDS=600",
    ];
    assert_eq!(tellings[1].lines().collect::<Vec<_>>(), second);
    assert_eq!(tellings.len(), 2);
}

#[test]
fn the_script_beside_us_needs_no_slash() {
    let place = place();
    place.program("notify.sh", "#!/bin/sh\necho told > $DIR/told\n");
    let mut command = sup(&[
        "--max-restarts",
        "0",
        "--notification-script",
        "notify.sh",
        "--",
        "false",
    ]);
    assert_eq!(run(command.current_dir(place.path(""))).code, 1);
    assert_eq!(place.read("told"), "told\n");
}

/// A script of this text, or none at all, and how long sup then took for a start, two
/// restarts and whatever else until the last start.
fn span_with_script(place: &TestBox, name: &str) -> Duration {
    let script = place.name(name);
    let flags = [
        "--initial-restart-delay",
        "0",
        "--max-restarts",
        "2",
        "--notification-script",
        &script,
    ];
    let counter = place.name(&format!("{name}.runs"));
    let program = start(
        &flags,
        &format!("echo >> {counter}; test $(wc -l < {counter}) -lt 3 && exit 1; exec sleep 1000"),
    );
    let span = program.err.nth(2, "sh started").at - program.err.line("sh started").at;
    program.signal(Sig::SIGTERM);
    span
}

#[test]
fn a_script_that_is_missing_fails_or_is_no_program_delays_nothing() {
    let place = place();
    place.program("fails.sh", "#!/bin/sh\nexit 1\n");
    place.write("plain.txt", "no program\n");
    for name in ["missing.sh", "fails.sh", "plain.txt", ""] {
        let span = span_with_script(&place, name);
        assert!(span < ms(1_500), "{name}: {span:?}");
    }
}

#[test]
fn a_script_that_hangs_delays_nothing_and_dies_with_us() {
    let place = place();
    // It does not even listen to TERM.
    place.program(
        "hangs.sh",
        "#!/bin/sh\ntrap '' TERM\necho $$ >> $DIR/pids\nsleep 1000\n",
    );
    let span = span_with_script(&place, "hangs.sh");
    assert!(span < ms(1_500), "{span:?}");
}

#[test]
fn a_script_that_cannot_be_run_is_named_in_the_log() {
    let told = to_end(
        &[
            "--max-restarts",
            "0",
            "--notification-script",
            "/nonexistent/notify.sh",
        ],
        &["false"],
    );
    assert!(told.err.contains("[WARNING]"), "{}", told.err);
    assert!(told.err.contains("/nonexistent/notify.sh"), "{}", told.err);
}

// ---- what cannot be started ---------------------------------------------------

#[test]
fn what_cannot_be_started_is_named_with_the_step_and_the_reason() {
    let place = place();
    place.write("text", "echo hi\n");
    place.program("noshebang", "echo hi\n");
    place.program("badshebang", "#!/nonexistent/interpreter\n");
    let (text, noshebang) = (place.name("text"), place.name("noshebang"));
    let (badshebang, dir) = (place.name("badshebang"), place.name(""));
    let table = [
        ("/nonexistent/program", "No such file or directory"),
        ("no-such-program-in-path", "No such file or directory"),
        (&*text, "Permission denied"),
        (&*dir, "Permission denied"),
        (&*badshebang, "No such file or directory"),
        (&*noshebang, "Exec format error"),
        ("/etc/passwd/x", "Not a directory"),
    ];
    for (command, reason) in table {
        let told = to_end(&["--max-restarts", "0"], &[command]);
        assert_eq!(told.code, 1, "{command}: {told:?}");
        let expected = format!("executing its command {command}: {reason}");
        assert!(told.err.contains(&expected), "{command}: {}", told.err);
        assert!(told.err.contains("[NOTIFICATION] CRITICAL"), "{command}");
    }
}

#[test]
fn what_cannot_be_started_is_tried_again() {
    let place = place();
    let program = place.name("late");
    let args = [
        "--initial-restart-delay",
        "0.05",
        "--max-restarts",
        "100",
        "--",
        &program,
    ];
    let sup = Program::start(&mut sup(&args), None);
    sup.err.line("could not be started");
    place.program("new", "#!/bin/sh\nexec sleep 1000\n");
    fs::rename(place.path("new"), place.path("late")).unwrap();
    sup.err.line("late started");
}

#[test]
fn wrong_flags_are_explained_and_nothing_is_started() {
    let table: [(&[&str], &str); 12] = [
        (&["--", ""], "no command behind the --"),
        (
            &["--max-restarts", "many", "--", "true"],
            "is not a whole number from 0 to 1000",
        ),
        (&["--max-restarts", "-1", "--", "true"], "--max-restarts"),
        (
            &["--max-restarts", "1001", "--", "true"],
            "is not a whole number from 0 to 1000",
        ),
        (&["--max-restarts", "--", "true"], "--max-restarts"),
        (
            &["--initial-restart-delay", "soon", "--", "true"],
            "is not a number of seconds, such as 5 or 0.5",
        ),
        (
            &["--initial-restart-delay", "nan", "--", "true"],
            "is not a number of seconds",
        ),
        (
            &["--max-restart-delay", "1e99", "--", "true"],
            "is not a number of seconds",
        ),
        (
            &["--monitoring-period-minutes", "1.5", "--", "true"],
            "is not a whole number",
        ),
        (
            &["--max-restart", "3", "--", "true"],
            "did you mean --max-restarts?",
        ),
        (&["--"], "no command behind the --"),
        (&["true", "--", "x"], "there is no verb \"true\""),
    ];
    for (args, expected) in table {
        let told = run(&mut sup(args));
        assert_eq!(told.code, 2, "{args:?}: {told:?}");
        assert!(told.err.contains(expected), "{args:?}: {}", told.err);
        assert!(!told.err.contains("started"), "{args:?}: {}", told.err);
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    for flag in ["-h", "--help"] {
        let told = run(&mut sup(&[flag]));
        assert_eq!((told.code, &*told.err), (0, ""));
        assert!(told.out.contains("--max-restarts"), "{}", told.out);
    }
    for flag in ["-V", "--version"] {
        let told = run(&mut sup(&[flag]));
        assert_eq!(told.out, concat!("sup ", env!("CARGO_PKG_VERSION")));
    }
    // What stands behind the -- belongs to the command.
    let told = to_end(
        &["--max-restarts", "0"],
        &["/bin/echo", "--help", "--", "-V"],
    );
    assert_eq!(told.out, "--help -- -V");
}

// ---- the child's surroundings -------------------------------------------------

#[test]
fn output_and_input_pass_through() {
    let mut command = sup(&[
        "--max-restarts",
        "0",
        "--",
        "/bin/sh",
        "-c",
        "cat; echo err >&2",
    ]);
    let sup = Program::start(&mut command, Some(b"one\ntwo\n"));
    assert_eq!(sup.code(), 1);
    assert_eq!(sup.out.all(), "one\ntwo");
    sup.err.line("err");
}

#[test]
fn environment_and_directory_pass_through() {
    let place = place();
    let mut command = sup(&[
        "--max-restarts",
        "0",
        "--",
        "/bin/sh",
        "-c",
        "echo $PET; pwd",
    ]);
    let told = run(command.env("PET", "cat").current_dir(place.path("")));
    let here = place.path("").canonicalize().unwrap();
    assert_eq!(told.out, format!("cat\n{}", here.display()));
}

// ---- the end ------------------------------------------------------------------

/// The pid of the child that has said that it is there.
fn child_of(sup: &Program) -> i32 {
    let line = sup.err.line("started (pid ").text;
    let (_, rest) = line.split_once("(pid ").unwrap();
    rest.trim_end_matches(')').parse().unwrap()
}

#[test]
fn term_and_int_stop_the_child_and_that_is_success() {
    for signal in [Sig::SIGTERM, Sig::SIGINT] {
        let sup = start(
            &[],
            "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done",
        );
        sup.out.line("up");
        let child = child_of(&sup);
        sup.signal(signal);
        assert_eq!(sup.code(), 0, "{signal}");
        assert_eq!(sup.out.all(), "up\nbye", "{signal}");
        assert!(!is_running(child), "{signal}");
    }
}

#[test]
fn what_was_ignored_stays_ignored_as_nohup_and_the_shell_mean_it() {
    use nix::sys::signal::{SigHandler, signal};
    let mut command = sup(&["--", "/bin/sh", "-c", "echo up; exec sleep 1000"]);
    // SAFETY: two system calls, which neither allocate nor lock.
    unsafe {
        command.pre_exec(|| {
            signal(Sig::SIGHUP, SigHandler::SigIgn)?;
            signal(Sig::SIGINT, SigHandler::SigIgn)?;
            Ok(())
        });
    }
    let sup = Program::start(&mut command, None);
    sup.out.line("up");
    let ignored = proc_status(sup.pid, "SigIgn");
    let ignored = u64::from_str_radix(&ignored, 16).unwrap();
    assert_eq!(ignored & 0b11, 0b11, "HUP and INT are 1 and 2");
    sup.signal(Sig::SIGHUP);
    sup.signal(Sig::SIGINT);
    sup.signal(Sig::SIGTERM);
    assert_eq!(sup.code(), 0);
    assert_eq!(sup.err.all().matches("Shutting down").count(), 1);
    assert!(!sup.err.all().contains("SIGKILL"), "TERM was the first");
}

#[test]
fn a_hang_up_ends_a_command_in_the_foreground() {
    let sup = start(&[], "echo up; exec sleep 1000");
    sup.out.line("up");
    sup.signal(Sig::SIGHUP);
    assert_eq!(sup.code(), 0);
}

#[test]
fn a_second_signal_kills_at_once_a_child_that_does_not_listen() {
    let sup = start(
        &[],
        "trap '' TERM INT; echo up; while :; do sleep 0.05; done",
    );
    sup.out.line("up");
    let child = child_of(&sup);
    sup.signal(Sig::SIGTERM);
    sup.err.line("Stopping sh");
    assert!(is_running(child) && sup.is_alive());
    let asked = clock::now();
    sup.signal(Sig::SIGTERM);
    let (code, at) = sup.end();
    assert_eq!(code, 0);
    assert!(at - asked < ms(3_000), "{:?}", at - asked);
    assert!(!is_running(child));
}

#[test]
fn term_during_a_wait_ends_it_at_once() {
    let sup = start(&["--initial-restart-delay", "50"], "exit 1");
    let line = sup.err.line("Restarting in");
    sup.signal(Sig::SIGTERM);
    let (code, at) = sup.end();
    assert_eq!(code, 0);
    assert!(at - line.at < ms(3_000));
}

#[test]
fn a_child_that_leaves_others_behind_takes_them_along() {
    let place = place();
    let pids = place.name("pids");
    let script = format!(
        "(trap '' HUP; echo $$; exec sleep 1000) & echo $! >> {pids}; \
         setsid sh -c 'sleep 1000 & echo $! >> {pids}; wait' & echo $! >> {pids}; wait"
    );
    let sup = start(&[], &script);
    let lines = place.wait_lines("pids", 3);
    sup.signal(Sig::SIGTERM);
    assert_eq!(sup.code(), 0);
    for pid in lines.iter().map(|line| line.parse().unwrap()) {
        assert!(!is_running(pid), "{pid} is left: {:?}", procfs::stat(pid));
    }
}

#[test]
fn one_hundred_deaths_are_one_hundred_restarts() {
    // Four at a time, so that they come in each other's way.
    at_once(
        (0..4)
            .map(|_| {
                let work = || {
                    let flags = ["--initial-restart-delay", "0", "--max-restarts", "25"];
                    let told = to_end(&flags, &["/bin/sh", "-c", "kill -KILL $$"]);
                    assert_eq!(told.code, 1);
                    assert_eq!(told.err.matches("sh started").count(), 26);
                    assert_eq!(
                        told.err
                            .matches("was killed by SIGKILL. Restarting now")
                            .count(),
                        25
                    );
                };
                Box::new(work) as Box<dyn FnOnce() + Send>
            })
            .collect(),
    );
}
