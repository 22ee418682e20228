//! What sup remembers when it ends and is started again.

mod common;

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use sup::os::clock;
use sup::os::kernel::Version;

use common::{Program, Sig, TestBox, exists, is_root, is_running, ms, pause, run, sh, until};

/// Ends with code 1 unless there is a file that says otherwise.
fn flaky(keys: &str) -> String {
    let script = "test -e $DIR/mended || exit 1; exec sleep 1000";
    format!("[child.flaky]\n{}\n{keys}\n", sh(script))
}

const SLEEPER: &str = "[child.a]\ncommand = [\"sleep\", \"1000\"]\n";

// ---- what survives ------------------------------------------------------------

#[test]
fn a_stop_by_hand_survives_and_so_does_the_rest_of_its_term() {
    let config = format!(
        "{SLEEPER}[child.b]\ncommand = [\"sleep\", \"1000\"]\n[child.c]\ncommand = [\"sleep\", \"1000\"]\n"
    );
    let mut sup = TestBox::up(&config);
    sup.must(&["stop", "a"]);
    sup.must(&["stop", "--for", "1h", "b"]);
    sup.end();
    sup.start();
    sup.wait_state("c", "up");
    let (a, b) = (sup.child("a"), sup.child("b"));
    assert_eq!(
        (&a["state"], &a["stopped_by_hand"]),
        (&"stopped".into(), &true.into())
    );
    assert_eq!(b["state"], "stopped");
    let left = b["stopped_for_seconds"].as_f64().unwrap();
    assert!(left > 3_400.0 && left <= 3_600.0, "{b}");
    sup.must(&["start", "a"]);
    sup.end();
    sup.start();
    sup.wait_state("a", "up");
}

#[test]
fn a_stop_for_a_time_ends_with_the_time() {
    let sup = TestBox::up(SLEEPER);
    let before = clock::now();
    sup.must(&["stop", "--for", "300ms", "a"]);
    sup.sup().err.nth(1, "a started");
    assert!(clock::now() - before >= ms(299));
    sup.line("a: the time of its stop is over");
}

#[test]
fn a_term_that_ends_while_sup_is_away_is_over() {
    let mut sup = TestBox::up(SLEEPER);
    sup.must(&["stop", "--for", "200ms", "a"]);
    sup.end();
    pause(ms(200));
    sup.start();
    sup.wait_state("a", "up");
}

#[test]
fn given_up_stays_given_up_until_a_person_says_otherwise() {
    let mut sup = TestBox::up(&flaky(
        "backoff = { first = \"0s\" }\nbudget = { max-restarts = 2 }",
    ));
    let before = sup.wait_state("flaky", "gave-up");
    sup.end();
    sup.start();
    let after = sup.wait_state("flaky", "gave-up");
    for key in ["run", "restarts", "failures", "streak", "recent_restarts"] {
        assert_eq!(before[key], after[key], "{key}");
    }
    let exits = |child: &serde_json::Value| -> Vec<_> {
        let exits = child["exits"].as_array().unwrap();
        exits
            .iter()
            .map(|exit| (exit["run"].clone(), exit["exit"].clone()))
            .collect()
    };
    assert_eq!(exits(&before), exits(&after));
    sup.write("mended", "");
    sup.must(&["reset", "flaky"]);
    let child = sup.wait_state("flaky", "up");
    assert_eq!(
        (&child["streak"], &child["recent_restarts"]),
        (&0.into(), &0.into())
    );
}

#[test]
fn the_window_and_the_level_of_backoff_survive() {
    let keys = "backoff = { first = \"100ms\", longest = \"1h\", factor = 100 }\nbudget = { max-restarts = 3 }";
    let mut sup = TestBox::up(&flaky(keys));
    // The second wait is of ten seconds: time enough to look.
    let before = sup.wait_for("flaky", "in its second wait", |child| {
        child["state"] == "backoff" && child["streak"] == 2
    });
    sup.end();
    sup.start();
    let after = sup.wait_state("flaky", "backoff");
    assert_eq!(
        (&after["streak"], &after["recent_restarts"]),
        (&2.into(), &2.into())
    );
    assert_eq!(
        after["run"], before["run"],
        "it is not started before its time"
    );
    let (old, new) = (
        before["next_seconds"].as_f64().unwrap(),
        after["next_seconds"].as_f64().unwrap(),
    );
    assert!(new <= old && new > old - 5.0, "{old} {new}");
    sup.must(&["reset", "flaky"]);
    let reset = sup.wait_for("flaky", "failing anew", |child| child["state"] == "backoff");
    assert!(reset["streak"].as_u64() <= Some(2));
    assert!(reset["run"].as_u64() > after["run"].as_u64());
}

#[test]
fn a_new_sup_counts_on_where_the_old_one_stopped() {
    let mut sup = TestBox::up(&format!("{SLEEPER}backoff = {{ first = \"0s\" }}\n"));
    for run in 1..=3 {
        sup.wait_run("a", run);
        sup.signal("a", Sig::SIGKILL);
        sup.wait_run("a", run + 1);
    }
    sup.end();
    sup.start();
    let child = sup.wait_state("a", "up");
    assert_eq!(
        (&child["run"], &child["restarts"], &child["failures"]),
        (&5.into(), &3.into(), &3.into())
    );
    // The last end was ours, and is not charged.
    assert_eq!(
        child["exits"].as_array().unwrap().last().unwrap()["asked"],
        true
    );
}

// ---- kill -9 ------------------------------------------------------------------

#[test]
fn an_order_is_on_disk_before_it_is_answered() {
    let mut sup = TestBox::up(SLEEPER);
    sup.wait_state("a", "up");
    sup.must(&["stop", "--no-wait", "a"]);
    sup.kill_sup();
    sup.start();
    let child = sup.child("a");
    assert_eq!(child["stopped_by_hand"], true, "{child}");
    sup.wait_state("a", "stopped");
    sup.wait_clear();
}

#[test]
fn a_killed_sup_leaves_its_children_and_the_next_one_takes_them_up() {
    let mut sup = TestBox::up(&format!(
        "[child.a]\n{}\nbackoff = {{ first = \"0s\" }}\n",
        sh("echo hello; exec sleep 1000")
    ));
    let pid = sup.pid("a");
    sup.kill_sup_only();
    assert!(is_running(pid));
    sup.start();
    assert_eq!(sup.pid("a"), pid);
    assert_eq!(sup.marked().len(), 1, "never two of a child");
    // And looks after it: its end is seen, though it is no child of this sup.
    sup.signal("a", Sig::SIGKILL);
    let next = sup.wait_run("a", 2);
    assert_ne!(next, pid);
    // Whoever is its parent now must take the news first, and some init does not.
    let exit = sup.child("a")["exits"][0]["exit"].clone();
    let tells = Version::of_this_kernel() >= Version(6, 15) && !common::old_kernel::is_played();
    assert!(exit == "vanished" || (tells && exit == "SIGKILL"), "{exit}");
    assert_eq!(sup.end(), 0);
    sup.wait_clear();
}

/// A process with a session of its own that nobody here has started.
fn stranger() -> Program {
    let mut command = Command::new("sleep");
    command.arg("1000");
    // SAFETY: one system call.
    unsafe {
        command.pre_exec(|| {
            nix::unistd::setsid()
                .map(drop)
                .map_err(std::io::Error::from)
        });
    }
    Program::start(&mut command, None)
}

#[test]
fn a_pid_that_is_somebody_elses_by_now_is_neither_trusted_nor_signalled() {
    let again = "restart = \"always\"\nbackoff = { first = \"0s\" }\n";
    // What the record says of a process that is there: another start, or another boot. It
    // is charged where the run ended under this boot.
    for (other_boot, restarts) in [(false, 1), (true, 0)] {
        let mut sup = TestBox::up(&format!("{SLEEPER}{again}"));
        let dead = sup.pid("a");
        sup.kill_sup();
        let stranger = stranger();
        let start = sup::os::procfs::stat(stranger.pid)
            .unwrap()
            .start
            .to_string();
        let record = sup.read("r/a.run");
        let mut words: Vec<&str> = record.split_ascii_whitespace().collect();
        let (pid, boot) = (stranger.pid.to_string(), "f".repeat(32));
        assert_eq!(words[2], dead.to_string());
        words[2] = &pid;
        if other_boot {
            (words[1], words[3]) = (&boot, &start);
        }
        sup.write("r/a.run", &format!("{}\n", words.join(" ")));
        sup.start();
        let child = sup.wait_state("a", "up");
        assert_ne!(child["pid"], stranger.pid);
        assert_eq!(child["restarts"], restarts, "{child}");
        if !other_boot {
            assert_eq!(child["exits"][0]["exit"], "vanished", "{child}");
        }
        sup.must(&["restart", "a"]);
        assert_eq!(sup.end(), 0);
        assert!(stranger.is_alive(), "{}", sup.log());
        stranger.signal(Sig::SIGKILL);
        stranger.code();
    }
}

#[test]
fn who_is_no_longer_configured_when_the_next_sup_comes_is_told_of() {
    let sleeper = |name: &str| format!("[child.{name}]\ncommand = [\"sleep\", \"1000\"]\n");
    let mut sup = TestBox::up(&(sleeper("a") + &sleeper("b")));
    let (a, b) = (sup.pid("a"), sup.pid("b"));
    sup.kill_sup_only();
    let config = sup.read("sup.toml");
    sup.write("sup.toml", &config.replace(&sleeper("b"), ""));
    sup.start();
    let words = format!("b runs on (pid {b}) and is not configured any more");
    sup.line(&words);
    assert_eq!(sup.pid("a"), a);
    // Who is configured again is taken up again.
    sup.kill_sup_only();
    sup.write("sup.toml", &config);
    sup.start();
    assert_eq!(sup.pid("b"), b);
    assert_eq!(sup.sup().err.with("runs on").len(), 0);
    // Who is dead is nobody's business.
    sup.kill_sup();
    sup.write("sup.toml", &config.replace(&sleeper("b"), ""));
    sup.start();
    sup.pid("a");
    assert_eq!(sup.sup().err.with("runs on").len(), 0);
    assert_eq!(sup.end(), 0);
}

#[test]
fn sup_killed_again_and_again_never_makes_two_of_a_child() {
    let config = format!(
        "{SLEEPER}backoff = {{ first = \"0s\" }}\nbudget = {{ max-restarts = \"unlimited\" }}\n"
    );
    let mut sup = TestBox::up(&config);
    for round in 0..10 {
        if round % 2 == 0 {
            sup.wait_state("a", "up");
            sup.signal("a", Sig::SIGKILL); // Its successor is perhaps just being made.
        }
        sup.kill_sup_only();
        assert!(sup.marked().len() <= 1, "{:?}", sup.marked());
        sup.start();
    }
    sup.wait_state("a", "up");
    assert_eq!(sup.marked().len(), 1, "{:?}", sup.marked());
    assert_eq!(sup.end(), 0);
    sup.wait_clear();
}

#[test]
fn a_job_that_is_done_is_not_done_again_when_sup_is_killed_and_is_when_it_is_started_anew() {
    let job = "[child.job]\ncommand = [\"/bin/sh\", \"-c\", \"echo done >> $DIR/job\"]\n";
    let mut sup = TestBox::up(&format!("{SLEEPER}{job}"));
    sup.wait_state("job", "finished");
    for _ in 0..2 {
        sup.kill_sup_only();
        sup.start();
        sup.wait_state("a", "up");
        assert_eq!(sup.child("job")["state"], "finished");
    }
    assert_eq!(sup.lines("job").len(), 1);
    sup.must(&["start", "job"]);
    sup.wait_lines("job", 2);
    sup.wait_state("job", "finished");
    sup.end();
    sup.start();
    sup.wait_lines("job", 3);
}

#[test]
fn a_wait_that_was_drawn_and_a_give_up_outlive_a_kill_at_once() {
    let keys = "backoff = { first = \"1h\", longest = \"1h\", jitter = \"100%\" }";
    let hopeless = "[child.hopeless]\ncommand = [\"false\"]\nbudget = { max-restarts = 0 }\n";
    let mut sup = TestBox::up(&format!("{}{hopeless}", flaky(keys)));
    let before = sup.wait_state("flaky", "backoff");
    sup.wait_state("hopeless", "gave-up");
    sup.kill_sup_only();
    sup.start();
    let after = sup.wait_state("flaky", "backoff");
    let seconds = |child: &serde_json::Value| child["next_seconds"].as_f64().unwrap();
    let gone = seconds(&before) - seconds(&after);
    assert!((0.0..30.0).contains(&gone), "{before}\n{after}");
    assert_eq!((&after["run"], &before["run"]), (&1.into(), &1.into()));
    assert_eq!(sup.child("hopeless")["state"], "gave-up");
}

// ---- damage -------------------------------------------------------------------

/// A sup that was ended with children `a` stopped by hand.
fn with_memory() -> TestBox {
    let mut sup = TestBox::up(&format!(
        "{SLEEPER}[child.b]\ncommand = [\"sleep\", \"1000\"]\n"
    ));
    sup.must(&["stop", "b"]);
    sup.must(&["start", "b"]);
    sup.must(&["stop", "a"]);
    sup.end();
    assert!(exists(&sup.path("s/state.a")) && exists(&sup.path("s/state.b")));
    sup
}

/// What a file becomes.
type Damage = fn(&[u8]) -> Vec<u8>;

#[test]
fn whatever_became_of_the_state_files_children_run_and_one_is_told() {
    let damages: [(&str, Damage); 4] = [
        ("empty", |_| Vec::new()),
        ("zeroed", |old| vec![0; old.len()]),
        ("garbage", |old| {
            (0..old.len()).map(|n| (n * 89 + 7) as u8).collect()
        }),
        ("cut off", |old| old[..40].to_vec()),
    ];
    for (what, damage) in damages {
        let mut sup = with_memory();
        for name in ["s/state.a", "s/state.b"] {
            let old = fs::read(sup.path(name)).unwrap();
            fs::write(sup.path(name), damage(&old)).unwrap();
        }
        sup.start();
        sup.wait_state("b", "up");
        sup.wait_state("a", "up"); // Nothing is remembered, so the configuration decides.
        sup.line("[WARNING] memory: state.a was passed over");
        // And it is written anew.
        sup.must(&["stop", "a"]);
        sup.end();
        sup.start();
        assert_eq!(sup.child("a")["state"], "stopped", "{what}");
    }
}

#[test]
fn one_damaged_file_costs_at_most_the_last_change() {
    for name in ["s/state.a", "s/state.b"] {
        let mut sup = with_memory();
        fs::write(sup.path(name), b"").unwrap();
        sup.start();
        // The last two writes are the order and the end; both know of it.
        sup.wait_state("b", "up");
        assert_eq!(sup.child("a")["state"], "stopped", "without {name}");
    }
}

#[test]
fn memory_that_is_gone_is_no_reason_not_to_start() {
    let mut sup = with_memory();
    fs::remove_dir_all(sup.path("s")).unwrap();
    sup.start();
    sup.wait_state("a", "up");
    assert!(!sup.log().contains("[WARNING] memory"), "{}", sup.log());
}

#[test]
fn a_file_in_place_of_the_directory_is_a_clear_error() {
    for place in ["s", "r"] {
        let sup = TestBox::new(SLEEPER);
        sup.write(place, "");
        let told = sup.ask(&["run"]);
        assert_eq!(told.code, 1, "{told:?}");
        assert!(told.err.contains(&sup.name(place)), "{}", told.err);
        assert!(sup.marked().is_empty());
    }
}

// ---- a disk that does not take it ---------------------------------------------

/// A small file system in RAM at a directory, until it is dropped.
struct Small(String);

impl Small {
    fn mount(sup: &TestBox, options: &str) -> Option<Self> {
        let at = sup.name("s");
        fs::create_dir_all(&at).unwrap();
        let told = run(Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs", &at]));
        (told.code == 0).then_some(Self(at))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _mounted = Command::new("umount").args(["-l", &self.0]).status();
    }
}

fn skipped(why: &str) {
    use std::io::Write;
    let _shown = writeln!(std::io::stderr(), "not shown here: {why}");
}

#[test]
fn on_a_full_disk_children_run_and_orders_are_answered_with_a_warning() {
    let mut sup = TestBox::new(&format!("{SLEEPER}backoff = {{ first = \"0s\" }}\n"));
    let Some(_disk) = is_root().then(|| Small::mount(&sup, "size=16k")).flatten() else {
        return skipped("mounting needs root and its capabilities");
    };
    let full = || {
        let mut file = fs::File::create(sup.path("s/ballast")).unwrap();
        while std::io::Write::write_all(&mut file, &[1; 1024]).is_ok() {}
    };
    full();
    sup.start();
    let told = sup.ask(&["stop", "a"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert!(
        told.err
            .contains("warning: this will not be remembered over a restart"),
        "{told:?}"
    );
    assert_eq!(sup.child("a")["state"], "stopped");
    assert!(sup.status()["sup"]["memory_fault"].is_string());
    sup.must(&["start", "a"]);
    sup.signal("a", Sig::SIGKILL);
    sup.wait_run("a", 3);
    assert_eq!(
        sup.sup()
            .err
            .with("memory cannot be written, children go on")
            .len(),
        1
    );
    // Room again: the next order is remembered, and that is told as well.
    fs::remove_file(sup.path("s/ballast")).unwrap();
    assert_eq!(sup.ask(&["stop", "a"]).err, "");
    sup.line("memory can be written again");
    assert_eq!(sup.end(), 0);
    sup.start();
    assert_eq!(sup.child("a")["state"], "stopped");
    sup.end();
}

#[test]
fn on_a_read_only_disk_sup_starts_and_ends() {
    let mut sup = TestBox::new(SLEEPER);
    let Some(_disk) = is_root()
        .then(|| Small::mount(&sup, "size=64k,ro"))
        .flatten()
    else {
        return skipped("mounting needs root and its capabilities");
    };
    sup.start();
    sup.wait_state("a", "up");
    let told = sup.ask(&["stop", "a"]);
    assert!(told.err.contains("this will not be remembered"), "{told:?}");
    assert_eq!(sup.end(), 0);
}

#[test]
fn a_flapping_child_costs_one_write_a_minute() {
    let keys = "backoff = { first = \"10ms\", longest = \"10ms\" }\nbudget = { max-restarts = \"unlimited\" }";
    let sup = TestBox::up(&flaky(keys));
    let generation = || -> Vec<Option<Vec<u8>>> {
        ["s/state.a", "s/state.b"]
            .map(|name| fs::read(sup.path(name)).ok())
            .into()
    };
    sup.wait_for("flaky", "restarted twice", |child| {
        child["restarts"].as_u64() >= Some(2)
    });
    // The first change may be written at once.
    until("the first write", || {
        generation().iter().any(Option::is_some).then_some(())
    });
    let before = generation();
    let restarts = sup.child("flaky")["restarts"].as_u64().unwrap();
    sup.wait_for("flaky", "restarted 20 times more", |child| {
        child["restarts"].as_u64() >= Some(restarts + 20)
    });
    assert_eq!(before, generation());
}
