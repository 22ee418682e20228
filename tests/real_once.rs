//! `sup --once`, as cron runs it: with a sup and without one, twice at once, and with
//! children that hang.

mod common;

use std::fs;
use std::time::Duration;

use common::{Outcome, Program, Sig, TestBox, at_once, exists, kill_all, pid_of, run, until};
use serde_json::Value;
use sup::os::clock;

const SLEEPER: &str = "[child.a]\ncommand = [\"sleep\", \"1000\"]\n";

/// A box that nobody stays in: its children are killed with it.
struct Cron(TestBox);

impl Drop for Cron {
    fn drop(&mut self) {
        // One that has started a sup has it shut down first, or it would bring them back.
        let _none_runs = run(&mut self.0.command(&["shutdown"]));
        kill_all(&self.0.marked());
    }
}

impl Cron {
    fn new(config: &str) -> Self {
        Self(TestBox::new(config))
    }

    fn once(&self, flags: &[&str]) -> Outcome {
        let words: Vec<&str> = ["--once"]
            .into_iter()
            .chain(flags.iter().copied())
            .collect();
        self.0.ask(&words)
    }

    /// A look that finds everything well: it says nothing.
    fn silent(&self) {
        let outcome = self.once(&[]);
        assert_eq!(
            (outcome.code, &*outcome.out, &*outcome.err),
            (0, "", ""),
            "{outcome:?}"
        );
    }

    fn json(&self) -> Value {
        let outcome = self.once(&["--json"]);
        serde_json::from_str(&outcome.out).unwrap_or_else(|_| panic!("{outcome:?}"))
    }

    fn child(&self) -> Value {
        self.json()["children"][0].clone()
    }

    /// Kills the main process of the one child that there is.
    fn kill_child(&self) {
        let all = self.0.marked();
        assert_eq!(all.len(), 1, "{all:?}");
        kill_all(&all);
        self.0.wait_clear();
    }

    /// What the state directory holds, and when it was written.
    fn disk(&self) -> Vec<(String, std::time::SystemTime, Vec<u8>)> {
        let entries = fs::read_dir(self.0.path("s"))
            .into_iter()
            .flatten()
            .flatten();
        let mut all: Vec<_> = entries
            .map(|entry| {
                let written = entry.metadata().unwrap().modified().unwrap();
                let bytes = fs::read(entry.path()).unwrap();
                (entry.file_name().into_string().unwrap(), written, bytes)
            })
            .collect();
        all.sort();
        all
    }
}

// ---- without a sup ----------------------------------------------------------------

#[test]
fn a_turn_starts_what_is_wanted_and_the_next_one_finds_it_and_writes_nothing() {
    let cron = Cron::new(&format!("{SLEEPER}backoff = {{ first = \"0s\" }}\n"));
    cron.silent();
    cron.kill_child();
    assert_eq!(cron.once(&[]).code, 0);
    let pid = pid_of(&cron.child());
    let (disk, began) = (cron.disk(), clock::now());
    assert!(!disk.is_empty());
    cron.silent();
    assert!(clock::now() - began < Duration::from_secs(10));
    assert_eq!(cron.disk(), disk);
    let child = cron.child();
    assert_eq!((pid_of(&child), &child["restarts"]), (pid, &Value::from(1)));
    // Cron's session is not the child's, and neither are cron's pipes: our reading them to
    // their ends has shown that.
    let session = nix::unistd::getsid(Some(nix::unistd::Pid::from_raw(pid))).unwrap();
    assert_eq!(session.as_raw(), pid);
    assert!(!exists(&cron.0.path("r/control")));
}

#[test]
fn who_died_is_started_again_until_the_budget_is_used_up() {
    let keys = "backoff = { first = \"0s\" }\nbudget = { max-restarts = 1 }\n";
    let cron = Cron::new(&format!("{SLEEPER}{keys}"));
    cron.silent();
    let first = pid_of(&cron.child());
    cron.kill_child();
    let outcome = cron.once(&[]);
    assert_eq!((outcome.code, &*outcome.out), (0, ""), "{outcome:?}");
    assert!(outcome.err.contains("a vanished"), "{outcome:?}");
    let child = cron.child();
    assert_ne!(pid_of(&child), first);
    assert_eq!(child["restarts"], 1);
    assert_eq!(child["exits"][0]["exit"], "vanished");

    cron.kill_child();
    for _ in 0..2 {
        let outcome = cron.once(&[]);
        assert_eq!(outcome.code, 2, "{outcome:?}");
        assert!(
            outcome.out.starts_with("CRITICAL: a is gave-up."),
            "{outcome:?}"
        );
        assert!(cron.0.marked().is_empty());
    }
}

#[test]
fn a_wait_goes_on_over_turns() {
    let keys = "backoff = { first = \"1h\", longest = \"1h\" }\n";
    let cron = Cron::new(&format!("{SLEEPER}{keys}"));
    cron.silent();
    cron.kill_child();
    for _ in 0..2 {
        let outcome = cron.once(&[]);
        assert_eq!(outcome.code, 1, "{outcome:?}");
        assert!(
            outcome.out.starts_with("WARNING: a is backoff."),
            "{outcome:?}"
        );
    }
    let child = cron.child();
    assert_eq!(
        (&child["failures"], &child["pid"]),
        (&Value::from(1), &Value::Null)
    );
    let next = child["next_seconds"].as_f64().unwrap();
    assert!(next > 3000.0 && next < 3600.0, "{child}");
}

#[test]
fn a_short_wait_is_waited_for() {
    let cron = Cron::new(&format!("{SLEEPER}backoff = {{ first = \"1s\" }}\n"));
    cron.silent();
    cron.kill_child();
    let outcome = cron.once(&[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(cron.0.marked().len(), 1);
}

#[test]
fn a_short_wait_of_a_group_is_waited_for() {
    let cron = Cron::new(&format!(
        "{SLEEPER}backoff = {{ first = \"1s\" }}\nbudget = {{ max-restarts = 0, on-limit = \"escalate\" }}\n\
         [group.outer]\nmembers = \"inner\"\nbudget = {{ max-restarts = 5 }}\n\
         [group.inner]\nmembers = \"a\"\nbudget = {{ max-restarts = 0, on-limit = \"escalate\" }}\n"
    ));
    cron.silent();
    cron.kill_child();
    let outcome = cron.once(&[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(cron.0.marked().len(), 1);
}

#[test]
fn output_goes_to_the_file_which_is_cut_back() {
    let cron = Cron::new(
        "[child.a]\ncommand = [\"sh\", \"-c\", \"while :; do cat $DIR/go; echo $$; done\"]\n\
         log = { file = \"$DIR/a.log\", max-size = \"1K\", keep = 1 }\n",
    );
    nix::unistd::mkfifo(&cron.0.path("go"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    cron.silent();
    let words = format!("{}\n", "x".repeat(1100));
    fs::write(cron.0.path("go"), &words).unwrap();
    cron.0.wait_lines("a.log", 2);
    cron.silent();
    assert!(
        cron.0.read("a.log").len() < 1024,
        "{}",
        cron.0.read("a.log")
    );
    assert!(cron.0.read("a.log.1").starts_with(&words));
    // It goes on writing where it was emptied, without a hole.
    fs::write(cron.0.path("go"), "again\n").unwrap();
    let lines = cron.0.wait_lines("a.log", 2);
    assert_eq!(lines[0], "again");
}

#[test]
fn a_sick_child_is_restarted_and_charged_for_it() {
    let cron = Cron::new(&format!(
        "{SLEEPER}backoff = {{ first = \"0s\" }}\n\
         [[child.a.check]]\nexec = [\"test\", \"-e\", \"$DIR/well\"]\non-critical = \"restart\"\n"
    ));
    cron.0.write("well", "");
    cron.silent();
    let pid = pid_of(&cron.child());
    fs::remove_file(cron.0.path("well")).unwrap();
    let outcome = cron.once(&[]);
    assert!(outcome.err.contains("a is unhealthy"), "{outcome:?}");
    cron.0.write("well", "");
    let child = cron.child();
    assert_ne!(pid_of(&child), pid);
    assert!(child["failures"].as_u64().unwrap() >= 1, "{child}");
}

#[test]
fn a_check_that_hangs_holds_up_nothing_for_long() {
    let cron = Cron::new(&format!(
        "{SLEEPER}[[child.a.check]]\nname = \"hangs\"\nexec = [\"sleep\", \"1000\"]\n\
         timeout = \"10m\"\nretries = 100\n"
    ));
    let began = clock::now();
    let outcome = cron.once(&[]);
    assert!(
        clock::now() - began < Duration::from_secs(29),
        "{outcome:?}"
    );
    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert!(
        outcome.out.contains("CRITICAL: a is up. hangs:"),
        "{outcome:?}"
    );
    until("only the child to be left", || {
        (cron.0.marked().len() == 1).then_some(())
    });
}

#[test]
fn the_checks_of_instances_are_made_at_once_too() {
    let cron = Cron::new(
        "[group.w]\nstrategy = \"simple-one-for-one\"\ncount = 2\n[group.w.template]\n\
         command = [\"sleep\", \"1000\"]\n[[group.w.template.check]]\nexec = [\"true\"]\n",
    );
    let began = clock::now();
    cron.silent();
    assert!(clock::now() - began < Duration::from_secs(15));
    assert_eq!(cron.0.marked().len(), 2);
}

/// No look sees a child's output: no lines counted would read as none written.
#[test]
fn lines_are_not_counted_and_nothing_is_said_of_them() {
    let cron = Cron::new(&format!(
        "{SLEEPER}[[child.a.check]]\nlog = \"E\"\nwithin = \"1h\"\nwarn = 1\n\
         [[child.a.check]]\nname = \"alive\"\nprocess = true\n"
    ));
    cron.silent();
    let child = cron.child();
    let checks = child["checks"].as_array().unwrap();
    let names: Vec<&Value> = checks.iter().map(|check| &check["name"]).collect();
    assert_eq!(names, ["alive"]);
}

#[test]
fn a_root_that_fails_is_critical_and_stays_so() {
    let cron = Cron::new(
        "[child.a]\ncommand = [\"sh\", \"-c\", \"echo >> $DIR/runs; exit 1\"]\nbackoff = { first = \"0s\" }\n\
         budget = { max-restarts = 0, on-limit = \"escalate\" }\n",
    );
    let outcome = cron.once(&[]);
    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert!(
        outcome.err.contains("CRITICAL: the root has failed"),
        "{outcome:?}"
    );

    // Nobody begins anew what was given up, until a person or another boot does.
    let outcome = cron.once(&[]);
    assert_eq!(outcome.code, 2, "{outcome:?}");
    let (_, path) = outcome.err.split_once("to begin anew: rm ").unwrap();
    assert_eq!(cron.0.lines("runs").len(), 1);
    let duty = cron.0.read("s/duty");
    assert!(duty.starts_with("look-failed "), "{duty}");
    cron.0
        .write("s/duty", &format!("look-failed {}\n", "0".repeat(31) + "1"));
    assert_eq!(cron.once(&[]).code, 2);
    assert_eq!(cron.0.lines("runs").len(), 2);
    fs::remove_file(path).unwrap();
    assert_eq!(cron.once(&[]).code, 2);
    assert_eq!(cron.0.lines("runs").len(), 3);
}

#[test]
fn two_at_once_are_one_after_the_other() {
    let keys = "backoff = { first = \"0s\" }\n";
    let cron = Cron::new(&format!("{SLEEPER}{keys}"));
    cron.silent();
    cron.kill_child();
    let many = (0..4).map(|_| cron.0.command(&["--once"]));
    let works = many.map(|mut command| -> Box<dyn FnOnce() + Send> {
        Box::new(move || assert_eq!(run(&mut command).code, 0))
    });
    at_once(works.collect());
    assert_eq!(cron.0.marked().len(), 1);
    assert_eq!(cron.child()["restarts"], 1);
}

/// It takes all the time that the first one may take to end it; the other one waits, and
/// has too little left to do the same again.
#[test]
fn two_at_once_with_a_hung_child_are_bounded_too() {
    let cron = Cron::new(
        "[child.a]\ncommand = [\"sh\", \"-c\", \"trap '' TERM; echo $$ >> $DIR/runs; while :; do sleep 1; done\"]\n\
         backoff = { first = \"0s\" }\nstop-timeout = \"1h\"\n\
         [[child.a.check]]\nexec = [\"test\", \"-e\", \"$DIR/well\"]\nretries = 1\non-critical = \"restart\"\n",
    );
    cron.0.write("well", "");
    cron.silent();
    fs::remove_file(cron.0.path("well")).unwrap();
    let works = (0..2).map(|_| {
        let mut command = cron.0.command(&["--once"]);
        let look: Box<dyn FnOnce() + Send> = Box::new(move || {
            let began = clock::now();
            let outcome = run(&mut command);
            assert!((0..=3).contains(&outcome.code), "{outcome:?}");
            assert!(
                clock::now() - began < Duration::from_secs(29),
                "{outcome:?}"
            );
        });
        look
    });
    at_once(works.collect());
    // One of them has killed it; nobody has in haste what was started then.
    let runs = cron.0.lines("runs").len();
    assert!((1..=2).contains(&runs), "{runs}");
    cron.0.write("well", "");
    cron.silent();
    assert_eq!(cron.0.lines("runs").len(), 2);
}

#[test]
fn the_end_of_its_time_is_unknown_and_costs_no_child() {
    let cron = Cron::new(&format!(
        "{SLEEPER}[[child.a.check]]\nexec = [\"sh\", \"-c\", \"echo > $DIR/asked; exec sleep 1000\"]\n"
    ));
    let look = Program::start(&mut cron.0.command(&["--once"]), None);
    until("the check to hang", || {
        exists(&cron.0.path("asked")).then_some(())
    });
    // As its alarm does after half a minute.
    look.signal(Sig::SIGALRM);
    let said = look.err.line("sup: UNKNOWN: the time was over").text;
    assert!(said.ends_with("the next look goes on"), "{said}");
    assert_eq!(look.code(), 3);
    assert!(!cron.0.marked().is_empty());
}

#[test]
fn a_look_changes_nothing() {
    let cron = Cron::new(&format!("{SLEEPER}backoff = {{ first = \"0s\" }}\n"));
    cron.silent();
    cron.kill_child();
    let disk = cron.disk();
    let run = cron.0.read("r/a.run");
    let outcome = cron.once(&["--no-restart"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert_eq!(
        outcome.out,
        "WARNING: a: not running, and due to be started"
    );
    assert!(cron.0.marked().is_empty());
    assert_eq!((cron.disk(), cron.0.read("r/a.run")), (disk, run));
}

#[test]
fn people_are_told_only_where_that_is_asked_for_and_once() {
    let cron = Cron::new(&format!(
        "{SLEEPER}budget = {{ max-restarts = 0 }}\n[child.b]\ncommand = [\"sleep\", \"1000\"]\n\
         [[alert]]\nexec = [\"$DIR/tell\"]\n"
    ));
    cron.0
        .program("tell", "#!/bin/sh\necho \"$1\" >> $DIR/told\n");
    cron.silent();
    let pid = pid_of(&cron.child());
    let of_a = cron.0.marked().into_iter().filter(|stat| stat.pid == pid);
    kill_all(&of_a.collect::<Vec<_>>());
    until("a to be gone", || {
        (cron.0.marked().len() == 1).then_some(())
    });
    let outcome = cron.once(&["--alert"]);
    assert_eq!(outcome.code, 2, "{outcome:?}");
    let told = cron.0.lines("told");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(cron.once(&["--alert"]).code, 2);
    // One that tells nobody has something else to remember.
    let disk = cron.disk();
    kill_all(&cron.0.marked());
    cron.0.wait_clear();
    assert_eq!(cron.once(&[]).code, 2);
    assert_ne!(cron.disk(), disk);
    assert_eq!(cron.once(&["--alert"]).code, 2);
    assert_eq!(cron.0.lines("told"), told);
}

#[test]
fn a_look_that_only_tells_does_so_once_and_when_it_is_over() {
    let cron = Cron::new(&format!(
        "{SLEEPER}backoff = {{ first = \"0s\" }}\n[[alert]]\nexec = [\"$DIR/tell\"]\n\
         [[check]]\nname = \"well\"\nexec = [\"test\", \"-e\", \"$DIR/well\"]\n"
    ));
    cron.0
        .program("tell", "#!/bin/sh\necho \"$1\" >> $DIR/told\n");
    cron.0.write("well", "");
    cron.silent();
    let look = || cron.once(&["--no-restart", "--alert"]);
    assert_eq!(look().code, 0);
    assert!(!exists(&cron.0.path("told")));

    cron.kill_child();
    fs::remove_file(cron.0.path("well")).unwrap();
    assert_eq!(look().code, 2);
    let told = cron.0.lines("told");
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told.contains(&"WARNING: a is not running".to_owned()),
        "{told:?}"
    );
    let disk = cron.disk();
    for _ in 0..6 {
        assert_eq!(look().code, 2);
    }
    assert_eq!((cron.0.lines("told"), cron.disk()), (told, disk));
    assert!(cron.0.marked().is_empty());

    cron.0.write("well", "");
    assert_eq!(look().code, 1);
    assert_eq!(cron.0.lines("told").len(), 3);
    // What it has remembered is nothing of the child: this is still its first restart.
    assert_eq!(cron.once(&[]).code, 0);
    assert_eq!(cron.child()["restarts"], 1);
}

// ---- with a sup ---------------------------------------------------------------------

#[test]
fn a_sup_that_runs_is_asked() {
    let mut sup = TestBox::up(&format!("{SLEEPER}budget = {{ max-restarts = 0 }}\n"));
    let outcome = sup.ask(&["--once"]);
    assert_eq!((outcome.code, &*outcome.out, &*outcome.err), (0, "", ""));
    sup.signal("a", Sig::SIGKILL);
    sup.wait_state("a", "gave-up");
    let outcome = sup.ask(&["--once"]);
    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert!(
        outcome.out.starts_with("CRITICAL: a is gave-up."),
        "{outcome:?}"
    );
    // It does not answer: nothing is known, and nothing is done.
    sup.sup().signal(Sig::SIGSTOP);
    let outcome = sup.ask(&["--once"]);
    sup.sup().signal(Sig::SIGCONT);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    let words = "sup: UNKNOWN: a sup runs here and does not answer; is it stopped";
    assert!(outcome.err.starts_with(words), "{outcome:?}");
    assert_eq!(sup.end(), 0);
}

#[test]
fn a_sup_that_was_killed_is_started_again_and_one_that_was_shut_down_is_not() {
    let mut sup = TestBox::up(SLEEPER);
    let pid = sup.pid("a");
    sup.kill_sup_only();
    let cron = Cron(sup);
    let outcome = cron.once(&["--no-restart"]);
    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert_eq!(
        outcome.err,
        "sup: CRITICAL: sup should be running, and is not"
    );
    let outcome = cron.once(&[]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(
        outcome.out.starts_with("WARNING: sup was not running"),
        "{outcome:?}"
    );
    cron.silent();
    assert_eq!(cron.0.pid("a"), pid);

    cron.0.must(&["shutdown"]);
    cron.0.wait_clear();
    cron.silent();
    assert!(cron.0.marked().is_empty());
    assert_eq!(cron.json()["ended"], true);

    // In another boot its hook may be gone: what ended then should run now.
    let duty = cron.0.read("s/duty");
    assert!(duty.starts_with("ended "), "{duty}");
    cron.0
        .write("s/duty", &format!("ended {}\n", "0".repeat(31) + "1"));
    assert_eq!(cron.once(&[]).code, 1);
    cron.0.wait_state("a", "up");
}

#[test]
fn a_sup_takes_over_what_a_turn_has_started() {
    let cron = Cron::new(SLEEPER);
    cron.silent();
    let pid = pid_of(&cron.child());
    cron.0.must(&["run", "--detach"]);
    assert_eq!(cron.0.pid("a"), pid);
    assert_eq!(cron.0.child("a")["adopted"], true);
    cron.0.must(&["restart", "a"]);
    assert_ne!(cron.0.pid("a"), pid);
}

// ---- when nothing can be known ------------------------------------------------------

#[test]
fn what_cannot_be_known_is_unknown() {
    let cron = Cron::new("[child.a]\ncommand = [\"sleep\"\n");
    let outcome = cron.once(&[]);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    assert!(outcome.err.starts_with("sup: UNKNOWN: "), "{outcome:?}");

    cron.0
        .configure(&format!("wait-path = [\"$DIR/volume\"]\n{SLEEPER}"));
    let outcome = cron.once(&[]);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    assert!(outcome.err.contains("/volume (wait-path)"), "{outcome:?}");
    assert!(!exists(&cron.0.path("s")));

    let outcome = cron.once(&["--json"]);
    let said: Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!(
        (outcome.code, &said["health"]["status"]),
        (3, &Value::from("UNKNOWN"))
    );
    let why = said["error"].as_str().unwrap();
    assert!(why.starts_with("UNKNOWN: waits for "), "{why}");

    let outcome = cron.once(&["--restart"]);
    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert!(
        outcome.err.contains("did you mean --no-restart?"),
        "{outcome:?}"
    );
}
