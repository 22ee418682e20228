//! Another program in sup's place: the same process, and nothing is restarted.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{
    Outcome, Program, SUP, Sig, TestBox, exists, is_running, ms, pause, pid_of, run, sh, sup_at,
    until,
};
use serde_json::Value;
use sup::os::procfs;

const SLEEPER: &str = "command = [\"sleep\", \"1000\"]\nrestart = \"always\"\nbackoff = { first = \"0s\" }\nbudget = { max-restarts = \"unlimited\" }\n";

fn sleepers(names: &str) -> String {
    let names = names.split_whitespace();
    names
        .map(|name| format!("[child.{name}]\n{SLEEPER}"))
        .collect()
}

/// A copy of sup in the box.
fn copy(sup: &TestBox, name: &str) -> PathBuf {
    let path = sup.path(name);
    common::copy_sup(&path);
    path
}

/// A copy of sup that says that it is version 9.8.7.
fn newer(sup: &TestBox, name: &str) -> PathBuf {
    let (old, new) = (env!("CARGO_PKG_VERSION").as_bytes(), b"9.8.7");
    assert_eq!(old.len(), new.len(), "write another number here");
    let mut bytes = fs::read(SUP).unwrap();
    let places: Vec<usize> = bytes
        .windows(old.len())
        .enumerate()
        .filter(|(_, window)| *window == old)
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + new.len()].copy_from_slice(new);
    }
    changed(sup, name, &bytes)
}

/// A program of these bytes in the box.
fn changed(sup: &TestBox, name: &str, bytes: &[u8]) -> PathBuf {
    let path = copy(sup, name);
    let written = sup.path("bytes");
    fs::write(&written, bytes).unwrap();
    common::copy_program(&written, &path);
    path
}

/// A box whose sup runs from a file of its own.
fn up_from(program: &Path, mut sup: TestBox) -> TestBox {
    let mut command = sup_at(program, &["run", "--config"]);
    command.arg(sup.path("sup.toml"));
    sup.adopt(Program::start(&mut command, None));
    sup
}

fn upgraded(sup: &TestBox) -> Outcome {
    let outcome = sup.ask(&["upgrade"]);
    assert_eq!(outcome.code, 0, "{outcome:?}\nlog:\n{}", sup.log());
    assert!(outcome.out.contains("nothing was restarted"), "{outcome:?}");
    outcome
}

/// What must be the same before and after.
fn standing(child: &Value) -> [Value; 8] {
    [
        "name",
        "state",
        "pid",
        "run",
        "restarts",
        "streak",
        "stopped_by_hand",
        "adopted",
    ]
    .map(|key| child[key].clone())
}

fn all_standing(sup: &TestBox) -> Vec<[Value; 8]> {
    let status = sup.status();
    let children = status["children"].as_array().unwrap();
    children.iter().map(standing).collect()
}

fn last_exit(child: &Value) -> Value {
    child["exits"].as_array().unwrap().last().unwrap()["exit"].clone()
}

// ---- what stays ------------------------------------------------------------------

#[test]
fn children_stay_ours_and_their_ends_are_told_exactly() {
    let mut sup = TestBox::up(&sleepers("a b c"));
    sup.pid("c");
    sup.must(&["stop", "b"]);
    let (pid, before) = (sup.sup().pid, all_standing(&sup));
    let said = upgraded(&sup).out;
    assert!(said.contains(&format!("pid {pid};")), "{said}");
    assert!(said.contains("children alive: 2"), "{said}");
    assert_eq!(all_standing(&sup), before);
    assert_eq!(sup.status()["sup"]["pid"], pid);
    assert_eq!(sup.marked().len(), 2);
    for signal in [Sig::SIGKILL, Sig::SIGSEGV] {
        let run = sup.child("a")["run"].as_u64().unwrap();
        sup.signal("a", signal);
        sup.wait_run("a", run + 1);
        let name = if signal == Sig::SIGKILL {
            "SIGKILL"
        } else {
            "SIGSEGV"
        };
        let exit = last_exit(&sup.child("a"));
        assert!(exit.as_str().unwrap().starts_with(name), "{exit}");
    }
    // A stop by hand holds, and what is stopped now is stopped.
    assert_eq!(sup.child("b")["stopped_by_hand"], true);
    sup.must(&["stop", "c"]);
    assert_eq!(last_exit(&sup.child("c")), "SIGTERM");
    upgraded(&sup);
    sup.must(&["start", "b"]);
    sup.wait_state("b", "up");
    let events = sup.must(&["events", "-n", "200"]);
    for told in ["a started", "has taken over", "a was killed by SIGKILL"] {
        assert!(events.contains(told), "{told}\n{events}");
    }
    assert_eq!(sup.end(), 0);
    sup.wait_clear();
}

#[test]
fn what_is_under_way_goes_on() {
    let ready = sh("until test -e $DIR/go; do sleep 0.02; done; echo >&3; exec sleep 1000");
    let deaf =
        sh("trap \"\" TERM; echo > $DIR/deaf; until test -e $DIR/end; do sleep 0.02; done; exit 7");
    let config = format!(
        "[child.late]\n{ready}\nready = {{ descriptor = 3 }}\n\
         [child.deaf]\n{deaf}\nstop-timeout = \"never\"\n\
         [child.flaky]\ncommand = [\"false\"]\nbackoff = {{ first = \"1h\", longest = \"1h\" }}\n\
         [child.job]\ncommand = [\"true\"]\n[child.next]\nrequires = [\"late\"]\n{SLEEPER}"
    );
    let sup = TestBox::up(&config);
    sup.wait_lines("deaf", 1);
    sup.must(&["stop", "--no-wait", "deaf"]);
    for (name, state) in [
        ("late", "readying"),
        ("deaf", "stopping"),
        ("flaky", "backoff"),
        ("job", "finished"),
        ("next", "queued"),
    ] {
        sup.wait_state(name, state);
    }
    let before = all_standing(&sup);
    upgraded(&sup);
    assert_eq!(all_standing(&sup), before);
    assert_eq!(sup.child("job")["run"], 1);
    let next = sup.child("flaky")["next_seconds"].as_f64().unwrap();
    assert!(next > 3500.0, "{next}");
    sup.write("go", "");
    sup.wait_state("late", "up");
    sup.wait_state("next", "up");
    sup.write("end", "");
    sup.wait_state("deaf", "stopped");
    assert_eq!(last_exit(&sup.child("deaf")), "exit code 7");
    assert_eq!(sup.child("deaf")["run"], 1);
}

#[test]
fn groups_know_their_phase_and_their_order() {
    let member = |name: &str| {
        let script = format!(
            "trap \"until test -e $DIR/let-{name}; do sleep 0.02; done; echo -{name} >> $DIR/told; exit 0\" TERM; echo +{name} >> $DIR/told; sleep 1000 & wait"
        );
        format!(
            "[child.{name}]\n{}\nrestart = \"always\"\nbackoff = {{ first = \"0s\" }}\n",
            sh(&script)
        )
    };
    let config = format!(
        "{}{}{}[group.g]\nstrategy = \"one-for-all\"\nmembers = [\"a\", \"b\", \"c\"]\n\
         [group.w]\nstrategy = \"simple-one-for-one\"\ncount = 3\n[group.w.template]\n{SLEEPER}",
        member("a"),
        member("b"),
        member("c")
    );
    let mut sup = TestBox::new(&config);
    for name in ["let-a", "let-b", "let-c"] {
        sup.write(name, "");
    }
    sup.start();
    sup.wait_lines("told", 3);
    sup.wait_run("c", 1);
    let before = all_standing(&sup);
    upgraded(&sup);
    assert_eq!(all_standing(&sup), before);
    sup.signal("b", Sig::SIGKILL);
    sup.wait_lines("told", 8);
    sup.wait_run("c", 2);
    // In the middle of the fall: c is told to end, and takes its time.
    fs::remove_file(sup.path("let-c")).unwrap();
    sup.signal("a", Sig::SIGKILL);
    sup.wait_state("c", "stopping");
    upgraded(&sup);
    assert_eq!(sup.child("c")["state"], "stopping");
    assert_eq!(sup.lines("told").len(), 8, "b waits for c");
    sup.write("let-c", "");
    sup.wait_run("c", 3);
    assert_eq!(sup.child("w/3")["run"], 1);
    assert_eq!(sup.end(), 0);
    let told = sup.lines("told");
    assert_eq!(told[told.len() - 3..], ["-c", "-b", "-a"]);
    sup.wait_clear();
}

#[test]
fn no_line_of_output_is_lost() {
    let count = "n=0; while :; do n=$((n+1)); echo $n; test $((n % 50)) = 0 && sleep 0.01; done";
    let config = format!(
        "[child.a]\n{}\nlog = {{ file = \"$DIR/a.log\", max-size = \"1G\" }}\n[child.b]\n{}\n",
        sh(count),
        sh("echo first; exec sleep 1000")
    );
    let sup = TestBox::up(&config);
    for round in 1..=5 {
        sup.wait_lines("a.log", round * 2000);
        upgraded(&sup);
    }
    let lines = sup.wait_lines("a.log", 12_000);
    for (n, line) in lines.iter().take(12_000).enumerate() {
        assert_eq!(*line, (n + 1).to_string());
    }
    assert_eq!(sup.must(&["logs", "b"]), "first", "from before");
}

// ---- how it is asked for -----------------------------------------------------------

#[test]
fn a_binary_that_was_replaced_by_mv_is_found_and_is_the_one_that_runs_then() {
    let made = TestBox::new(&sleepers("a"));
    let program = copy(&made, "bin");
    let sup = up_from(&program, made);
    let pid = sup.pid("a");
    let new = newer(&sup, "new");
    fs::rename(new, &program).unwrap();
    // The new file asks the old sup, as it will be.
    let outcome = run(sup_at(&program, &["upgrade", "--config"]).arg(sup.path("sup.toml")));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let old = env!("CARGO_PKG_VERSION");
    assert!(
        outcome
            .out
            .contains(&format!("now running sup 9.8.7 (before: {old})")),
        "{outcome:?}"
    );
    assert_eq!(sup.status()["sup"]["version"], "9.8.7");
    assert_eq!(sup.pid("a"), pid);
    // And back, by name.
    let said = sup.must(&["upgrade", SUP]);
    assert!(said.contains("(before: 9.8.7)"), "{said}");
    assert_eq!(sup.pid("a"), pid);
}

#[test]
fn by_signal_and_under_detach() {
    let sup = TestBox::new(&sleepers("a"));
    sup.must(&["run", "--detach"]);
    let pid = sup.pid("a");
    let process = i32::try_from(sup.status()["sup"]["pid"].as_i64().unwrap()).unwrap();
    let words = fs::read(format!("/proc/{process}/cmdline")).unwrap();
    for round in 1..=2 {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), Sig::SIGUSR2).unwrap();
        until("it to have taken over", || {
            let told = sup.read("r/sup.log").matches("has taken over").count();
            (told == round).then_some(())
        });
    }
    assert_eq!(sup.pid("a"), pid);
    assert_eq!(sup.status()["sup"]["pid"], process);
    assert_eq!(fs::read(format!("/proc/{process}/cmdline")).unwrap(), words);
    let environ = fs::read(format!("/proc/{process}/environ")).unwrap();
    sup.must(&["restart", "a"]);
    let of_child = fs::read(format!("/proc/{}/environ", sup.pid("a"))).unwrap();
    assert!(!String::from_utf8_lossy(&of_child).contains("SUP_BATON"));
    assert!(!environ.is_empty());
    sup.must(&["shutdown"]);
    sup.wait_clear();
}

#[test]
fn as_pid_1() {
    let args = ["--pid", "--fork", "--mount-proc", "--kill-child"];
    let permitted = Command::new("unshare").args(args).arg("true").output();
    if !permitted.is_ok_and(|output| output.status.success()) {
        return;
    }
    let mut sup = TestBox::new(&sleepers("a"));
    let mut command = Command::new("unshare");
    command
        .args(args)
        .args([SUP, "run", "--config"])
        .arg(sup.path("sup.toml"));
    sup.adopt(Program::start(&mut command, None));
    let pid = sup.pid("a");
    let said = upgraded(&sup).out;
    assert!(said.contains("pid 1;"), "{said}");
    assert_eq!(sup.pid("a"), pid);
    sup.ask(&["signal", "KILL", "a"]);
    sup.wait_run("a", 2);
    assert_eq!(last_exit(&sup.child("a")), "SIGKILL");
    let below = procfs::processes(|stat| stat.parent == sup.sup().pid);
    let process = below.first().unwrap().pid;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), Sig::SIGTERM).unwrap();
    assert_eq!(sup.sup().code(), 0);
}

// ---- what goes wrong ---------------------------------------------------------------

#[test]
fn a_binary_that_cannot_take_over_changes_nothing_and_is_told() {
    let sup = TestBox::up(&sleepers("a b"));
    sup.pid("b");
    let before = all_standing(&sup);
    sup.program("text", "this is no program\n");
    sup.write("not-executable", "#!/bin/sh\n");
    sup.program("fails", "#!/bin/sh\necho 'wrong box' >&2\nexit 1\n");
    sup.program("silent", "#!/bin/sh\nexit 0\n");
    sup.program("hangs", "#!/bin/sh\nsleep 1000 & wait\n");
    sup.program("dies", "#!/bin/sh\nkill -SEGV $$\n");
    // Of a machine that none of ours is: it is what the header says.
    let mut other = fs::read(SUP).unwrap();
    other[18..20].copy_from_slice(&[2, 0]);
    changed(&sup, "other", &other);
    let table = [
        ("other", "it is a program for another kind of machine"),
        ("missing", "No such file"),
        ("text", "Exec format error"),
        ("not-executable", "Permission denied"),
        ("fails", "wrong box"),
        ("silent", "does not answer as a sup does"),
        ("dies", "SIGSEGV"),
        ("hangs", "did not answer within 15 s"),
    ];
    for (name, words) in table {
        let outcome = sup.ask(&["upgrade", &sup.name(name)]);
        assert_eq!(outcome.code, 1, "{name}: {outcome:?}");
        assert!(outcome.err.contains(words), "{name}: {outcome:?}");
        assert!(outcome.err.contains("goes on"), "{name}: {outcome:?}");
        assert_eq!(all_standing(&sup), before, "{name}");
    }
    assert!(!exists(&sup.path("r/baton")));
    assert_eq!(sup.marked().len(), 2);
    assert!(
        procfs::processes(|stat| stat.parent == sup.sup().pid).len() == 2,
        "no candidate is left"
    );
    // And the right one can still come.
    upgraded(&sup);
    assert_eq!(all_standing(&sup), before);
}

#[test]
fn a_configuration_that_has_changed_is_reloaded_first() {
    let sup = TestBox::up(&sleepers("a"));
    let pid = sup.pid("a");
    sup.configure(&sleepers("a b"));
    let outcome = sup.ask(&["upgrade"]);
    assert!(outcome.err.contains("first sup reload"), "{outcome:?}");
    sup.configure("[child.a]\nnonsense = 1\n");
    let outcome = sup.ask(&["upgrade"]);
    assert!(outcome.err.contains("nonsense"), "{outcome:?}");
    sup.configure(&sleepers("a b"));
    sup.must(&["reload"]);
    sup.wait_state("b", "up");
    upgraded(&sup);
    assert_eq!(sup.pid("a"), pid);
}

#[test]
fn an_exec_that_fails_leaves_all_as_it_was() {
    let sup = TestBox::up(&sleepers("a"));
    let pid = sup.pid("a");
    // Says yes, and is gone when it is to take over.
    let said = format!("#!/bin/sh\nrm \"$0\"\nexec {SUP} \"$@\"\n");
    sup.program("vanishes", &said);
    let outcome = sup.ask(&["upgrade", &sup.name("vanishes")]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.err.contains("No such file"), "{outcome:?}");
    sup.signal("a", Sig::SIGKILL);
    sup.wait_run("a", 2);
    assert_ne!(sup.pid("a"), pid);
    assert_eq!(last_exit(&sup.child("a")), "SIGKILL");
    upgraded(&sup);
}

#[test]
fn killed_anywhere_on_the_way_the_next_sup_adopts_all() {
    let mut sup = TestBox::up(&sleepers("a b"));
    sup.must(&["stop", "b"]);
    let pid = sup.pid("a");
    for round in 0..12 {
        let asks = Program::start(&mut sup.command(&["upgrade"]), None);
        pause(ms(round * 12));
        sup.kill_sup_only();
        asks.code();
        assert!(is_running(pid));
        sup.start();
        assert_eq!(sup.pid("a"), pid, "round {round}");
        assert_eq!(sup.child("b")["stopped_by_hand"], true);
        assert_eq!(sup.marked().len(), 1);
    }
    // An adopted one stays what it is: of its end nobody will tell us.
    upgraded(&sup);
    let child = sup.child("a");
    assert_eq!((&child["adopted"], pid_of(&child)), (&true.into(), pid));
    sup.signal("a", Sig::SIGKILL);
    sup.wait_run("a", 2);
}

/// A baton that cannot be read: children are adopted, and are still ours.
#[test]
fn a_program_that_cannot_read_what_it_is_given_adopts() {
    let sup = TestBox::up(&sleepers("a"));
    let pid = sup.pid("a");
    let lies = format!(
        "#!/bin/sh\nif [ \"$1\" = upgrade-check ]; then exec {SUP} \"$@\"; fi\n\
         echo garbage > \"$SUP_BATON\"\nexec {SUP} \"$@\"\n"
    );
    sup.program("lies", &lies);
    sup.ask(&["upgrade", &sup.name("lies")]);
    until("an answer", || {
        (sup.ask(&["status"]).code != 3).then_some(())
    });
    assert_eq!(sup.pid("a"), pid);
    sup.signal("a", Sig::SIGKILL);
    sup.wait_run("a", 2);
    assert_eq!(last_exit(&sup.child("a")), "SIGKILL");
    assert_eq!(sup.marked().len(), 1);
}

// ---- again and again ------------------------------------------------------------------

/// The dead children of a process whose news it has not taken.
fn zombies(of: i32) -> usize {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let all = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let all = all.filter_map(procfs::stat);
    all.filter(|stat| stat.parent == of && stat.state == 'Z')
        .count()
}

#[test]
fn an_orphan_that_dies_as_another_program_takes_over_is_no_zombie() {
    if common::old_kernel::is_played() {
        return; // No orphan comes to us there.
    }
    let mut sup = TestBox::up(&sleepers("a"));
    let me = sup.sup().pid;
    // It makes an orphan and ends together with it while sup sleeps: there is one signal,
    // and the news of the one lies behind that of the other.
    let script = format!(
        "#!/bin/sh\ntest \"$1\" = upgrade-check || exec {SUP} \"$@\"\n\
         (sleep 1000 >/dev/null 2>&1 & echo $! > $DIR/orphan)\n\
         {SUP} \"$@\"\nkill -STOP $PPID\nkill -9 $(cat $DIR/orphan)\n"
    );
    sup.program("next", &script);
    let asks = Program::start(&mut sup.command(&["upgrade", &sup.name("next")]), None);
    until("both to be dead", || (zombies(me) == 2).then_some(()));
    sup.sup().signal(Sig::SIGCONT);
    assert_eq!(asks.code(), 0, "{}", asks.err.text());
    until("their news to be taken", || {
        (zombies(me) == 0).then_some(())
    });
    assert_eq!(sup.end(), 0);
}

#[test]
fn twenty_times_in_a_row_nothing_grows() {
    let config =
        sleepers("a b c") + &format!("[child.d]\n{}\n", sh("while echo x; do sleep 0.01; done"));
    let sup = TestBox::up(&config);
    for name in ["a", "b", "c", "d"] {
        sup.pid(name);
    }
    upgraded(&sup);
    let before = all_standing(&sup);
    // A client that has just left may still hold one: the least of some looks.
    let descriptors = || {
        let path = format!("/proc/{}/fd", sup.sup().pid);
        let looks = (0..20).map(|_| {
            pause(ms(5));
            fs::read_dir(&path).unwrap().count()
        });
        looks.min().unwrap()
    };
    let memory = || -> u64 {
        let size = common::proc_status(sup.sup().pid, "VmRSS");
        size.split(' ').next().unwrap().parse().unwrap()
    };
    let (open, size) = (descriptors(), memory());
    for _ in 0..20 {
        upgraded(&sup);
    }
    assert_eq!(all_standing(&sup), before);
    assert_eq!(descriptors(), open);
    assert!(memory() < size + size / 4, "{size} KiB became {}", memory());
    assert!((4..=5).contains(&sup.marked().len()), "four, and a sleep");
}
