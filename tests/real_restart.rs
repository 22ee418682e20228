//! What becomes of children that end, and of those that are told to.

mod common;

use common::faults::Recycled;
use common::{
    Program, Sig, TestBox, exists, is_running, ms, pid_of, proc_status, sh, until, waits_between,
};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use sup::os::clock;

/// Restarted at once, however often.
const AT_ONCE: &str =
    "restart = \"always\"\nbackoff = { first = \"0s\" }\nbudget = { max-restarts = \"unlimited\" }";

fn sleeper(name: &str, more: &str) -> String {
    format!("[child.{name}]\ncommand = [\"sleep\", \"1000\"]\n{more}\n")
}

// ---- ends that nobody asked for -----------------------------------------------

#[test]
fn a_killed_child_comes_back_and_its_end_is_named() {
    let sup = TestBox::up(&sleeper("a", AT_ONCE));
    let first = sup.pid("a");
    sup.signal("a", Sig::SIGKILL);
    let second = sup.wait_run("a", 2);
    assert_ne!(first, second);
    let child = sup.child("a");
    assert_eq!(child["exits"][0]["exit"], "SIGKILL");
    assert_eq!(child["exits"][0]["signal"], 9);
    assert_eq!(child["exits"][0]["asked"], false);
    assert_eq!(
        (&child["restarts"], &child["failures"]),
        (&1.into(), &1.into())
    );
    sup.line("[SUPERVISOR] a was killed by SIGKILL");
    sup.line("[NOTIFICATION] WARNING: a was killed by SIGKILL. Restarting now");
}

#[test]
fn fifty_kills_in_a_row_are_fifty_restarts_and_never_two_of_a_child() {
    let script = "echo $$ >> $DIR/pids; exec sleep 1000";
    let config = format!("[child.a]\n{}\n{AT_ONCE}\n", sh(script));
    let sup = TestBox::up(&config);
    for run in 1..=50 {
        let pids = sup.wait_lines("pids", run);
        assert_eq!(pids.len(), run, "one start each");
        let alive: Vec<&String> = pids
            .iter()
            .filter(|pid| is_running(pid.parse().unwrap()))
            .collect();
        assert_eq!(alive, [&pids[run - 1]], "the newest alone lives");
        kill(Pid::from_raw(pids[run - 1].parse().unwrap()), Sig::SIGKILL).unwrap();
    }
    sup.wait_run("a", 51);
    let child = sup.child("a");
    assert_eq!(
        (&child["restarts"], &child["failures"]),
        (&50.into(), &50.into())
    );
    assert_eq!(sup.marked().len(), 1);
}

/// What each policy makes of each cause: whether there is a restart.
#[test]
fn every_policy_decides_on_real_causes() {
    let policies = [
        "no",
        "always",
        "on-success",
        "on-failure",
        "on-abnormal",
        "on-abort",
        "on-watchdog",
        "transient",
    ];
    let causes = [
        (
            "zero",
            "exit 0",
            [false, true, true, false, false, false, false, false],
        ),
        (
            "one",
            "exit 1",
            [false, true, false, true, false, false, false, true],
        ),
        (
            "segv",
            "kill -SEGV $$",
            [false, true, false, true, true, true, false, true],
        ),
        (
            "term",
            "kill -TERM $$",
            [false, true, true, false, false, false, false, false],
        ),
        (
            "kill",
            "kill -KILL $$",
            [false, true, false, true, true, true, false, true],
        ),
    ];
    let mut config = String::new();
    for policy in policies {
        for (cause, script, _) in causes {
            config += &format!(
                "[child.{policy}_{cause}]\n{}\nrestart = \"{policy}\"\nbackoff = {{ first = \"0s\" }}\n",
                sh(&format!("test $SUP_RUN = 1 && {script}; exec sleep 1000"))
            );
        }
    }
    let sup = TestBox::up(&config);
    for (n, policy) in policies.iter().enumerate() {
        for (cause, _, restarts) in &causes {
            let name = format!("{policy}_{cause}");
            let child = sup.wait_for(&name, "decided", |child| {
                ["finished", "failed"]
                    .iter()
                    .any(|&state| child["state"] == state)
                    || child["run"] == 2
            });
            assert_eq!(child["run"] == 2, restarts[n], "{name}: {child}");
            let clean = ["zero", "term"].contains(cause);
            if !restarts[n] {
                let state = if clean { "finished" } else { "failed" };
                assert_eq!(child["state"], state, "{name}");
            }
        }
    }
}

#[test]
fn lists_of_exits_come_before_the_policy() {
    let config = format!(
        "[child.prevented]\n{}\nrestart = \"always\"\nprevent-exit = [78]\n\
         [child.forced]\n{}\nrestart = \"no\"\nforce-exit = [\"USR1\"]\nbackoff = {{ first = \"0s\" }}\n\
         [child.success]\n{}\nrestart = \"on-failure\"\nsuccess-exit = [3]\n",
        sh("exit 78"),
        sh("test $SUP_RUN = 1 && kill -USR1 $$; exec sleep 1000"),
        sh("exit 3"),
    );
    let sup = TestBox::up(&config);
    assert_eq!(sup.wait_state("prevented", "failed")["run"], 1);
    sup.wait_run("forced", 2);
    assert_eq!(sup.wait_state("success", "finished")["run"], 1);
}

#[test]
fn waits_double_and_then_it_is_given_up() {
    let life = "backoff = { first = \"50ms\", longest = \"150ms\" }\nbudget = { max-restarts = 3 }";
    let stamps = sh("date +%s%N >> $DIR/starts; exit 4");
    let sup = TestBox::up(&format!("[child.a]\n{stamps}\n{life}\n"));
    let child = sup.wait_state("a", "gave-up");
    assert_eq!((&child["run"], &child["restarts"]), (&4.into(), &3.into()));
    let waits = waits_between(&sup.path("starts"));
    assert_eq!(waits.len(), 3);
    for (wait, least) in waits.iter().zip([50, 100, 150]) {
        assert!(
            *wait >= ms(least - 2) && *wait < ms(least + 5_000),
            "{waits:?}"
        );
    }
    sup.line("[NOTIFICATION] CRITICAL: a crashed with exit code 4. Giving up after 3 restarts in 10 minutes");
    let status = sup.ask(&["status"]);
    assert_eq!(status.code, 1, "not all is well: {}", status.out);
}

#[test]
fn a_parked_child_is_tried_now_and_then() {
    let life = "backoff = { first = \"0s\", settle = \"10s\" }\n\
                budget = { max-restarts = 1, on-limit = \"park\", park = \"1s\" }";
    let sup = TestBox::up(&format!(
        "[child.a]\n{}\n{life}\n",
        sh("test $SUP_RUN = 4 || exit 1; exec sleep 1000")
    ));
    let parked = sup.sup().err.nth(1, "a is parked: one try each 1 second");
    sup.wait_run("a", 4);
    let tried = sup.sup().err.nth(3, "a started");
    // We may have read of the one later than of the other.
    assert!(tried.at - parked.at >= ms(500));
    assert_eq!(sup.child("a")["trial"], true);
}

#[test]
fn a_child_that_settles_begins_anew() {
    let life = "backoff = { first = \"0s\", settle = \"3s\" }";
    let script = "test $SUP_RUN -ge 3 || exit 1; exec sleep 1000";
    let sup = TestBox::up(&format!("[child.a]\n{}\n{life}\n", sh(script)));
    sup.line("a has settled after 2 restarts");
    let child = sup.child("a");
    assert_eq!(
        (&child["streak"], &child["restarts"]),
        (&0.into(), &2.into())
    );
}

#[test]
fn without_a_limit_nothing_is_given_up() {
    let config = format!(
        "[child.a]\n{}\n{AT_ONCE}\n",
        sh("test $SUP_RUN = 30 || exit 1; exec sleep 1000")
    );
    let sup = TestBox::up(&config);
    sup.wait_run("a", 30);
    assert_eq!(sup.child("a")["max_restarts"], serde_json::Value::Null);
}

#[test]
fn a_command_that_is_missing_does_not_disturb_the_others() {
    let config = format!(
        "[child.missing]\ncommand = [\"/nonexistent\"]\nbackoff = {{ first = \"0s\" }}\n{}",
        sleeper("fine", "")
    );
    let sup = TestBox::up(&config);
    let child = sup.wait_state("missing", "gave-up");
    let exit = "start failed: executing its command: No such file or directory";
    assert_eq!(child["exits"][0]["exit"], exit);
    sup.wait_state("fine", "up");
}

// ---- ends that we asked for ---------------------------------------------------

#[test]
fn a_stop_beats_the_restart_that_was_to_come() {
    let life = "backoff = { first = \"100ms\" }";
    let sup = TestBox::up(&format!("[child.a]\n{}\n{life}\n", sh("exit 1")));
    sup.wait_state("a", "backoff");
    sup.must(&["stop", "a"]);
    let child = sup.wait_state("a", "stopped");
    // Longer than the wait would have been; nothing happens, so nothing can be awaited.
    common::pause(ms(300));
    assert_eq!(sup.child("a")["run"], child["run"]);
}

#[test]
fn orders_are_not_charged() {
    let sup = TestBox::up(&sleeper("a", "budget = { max-restarts = 1 }"));
    for run in 1..=4 {
        sup.wait_run("a", run);
        sup.must(&["restart", "a"]);
    }
    sup.must(&["stop", "a"]);
    sup.must(&["start", "a"]);
    let child = sup.wait_state("a", "up");
    let zeros = ["restarts", "failures", "streak", "recent_restarts"];
    assert!(zeros.iter().all(|&key| child[key] == 0), "{child}");
    assert_eq!(child["run"], 6);
    assert_eq!(child["exits"][3]["asked"], true);
    assert_eq!(child["exits"][3]["exit"], "SIGTERM");
}

#[test]
fn a_child_that_ignores_term_is_killed_in_time() {
    let script = "trap '' TERM; echo > $DIR/up; while :; do sleep 0.05; done";
    let sup = TestBox::up(&format!(
        "[child.a]\n{}\nstop-timeout = \"300ms\"\n",
        sh(script)
    ));
    sup.wait_lines("up", 1);
    let start = clock::now();
    sup.must(&["stop", "a"]);
    let span = clock::now() - start;
    assert!(span >= ms(290) && span < ms(3_000), "{span:?}");
    sup.line("a did not end in time: sent SIGKILL to all of it");
    assert_eq!(
        sup.child("a")["exits"][0]["exit"],
        "did not stop in time, killed"
    );
    sup.wait_clear();
}

#[test]
fn the_stop_signal_is_the_configured_one() {
    let script = "trap 'echo int > $DIR/said; exit 0' INT; trap '' TERM; echo > $DIR/up; while :; do sleep 0.02; done";
    let sup = TestBox::up(&format!(
        "[child.a]\n{}\nstop-signal = \"INT\"\n",
        sh(script)
    ));
    sup.wait_lines("up", 1);
    sup.must(&["stop", "a"]);
    assert_eq!(sup.read("said"), "int\n");
}

#[test]
fn a_stopped_process_can_be_stopped() {
    let sup = TestBox::up(&sleeper("a", ""));
    let pid = sup.pid("a");
    sup.signal("a", Sig::SIGSTOP);
    until("it to be stopped", || {
        proc_status(pid, "State").starts_with('T').then_some(())
    });
    let start = clock::now();
    sup.must(&["stop", "a"]);
    assert!(clock::now() - start < ms(3_000));
    assert_eq!(sup.child("a")["exits"][0]["exit"], "SIGTERM");
}

// ---- families -----------------------------------------------------------------

#[test]
fn stop_leaves_nothing_of_a_double_fork_in_the_same_session() {
    let script = "(sh -c 'sleep 1000 & echo $! >> $DIR/pids; wait' &) ; exec sleep 1000";
    let sup = TestBox::up(&format!("[child.a]\n{}\n", sh(script)));
    sup.wait_lines("pids", 1);
    assert!(sup.marked().len() >= 3);
    sup.must(&["stop", "a"]);
    assert!(sup.marked().is_empty(), "{:?}", sup.marked());
}

#[test]
fn stop_leaves_nothing_of_a_daemon_in_a_session_of_its_own() {
    // The middle one ends, so that the daemon is an orphan; it has its own group and session.
    let script = "(setsid sh -c 'echo $$ >> $DIR/pids; exec sleep 1000' &) ; exec sleep 1000";
    let sup = TestBox::up(&format!("[child.a]\n{}\n", sh(script)));
    let daemon: i32 = sup.wait_lines("pids", 1)[0].parse().unwrap();
    until(
        "it to be an orphan that came to sup, or to init on old kernels",
        || {
            let heirs = [sup.sup().pid.to_string(), "1".to_owned()];
            heirs.contains(&proc_status(daemon, "PPid")).then_some(())
        },
    );
    sup.must(&["stop", "a"]);
    assert!(!is_running(daemon));
    assert!(sup.marked().is_empty(), "{:?}", sup.marked());
}

#[test]
fn stop_kills_a_grandchild_that_ignores_term() {
    let script = "sh -c 'trap \"\" TERM; echo $$ >> $DIR/pids; while :; do sleep 0.05; done' & exec sleep 1000";
    let sup = TestBox::up(&format!(
        "[child.a]\n{}\nstop-timeout = \"300ms\"\n",
        sh(script)
    ));
    let grandchild = sup.wait_lines("pids", 1)[0].parse().unwrap();
    sup.must(&["stop", "a"]);
    assert!(!is_running(grandchild));
    assert!(sup.marked().is_empty(), "{:?}", sup.marked());
    // The main process did as it was told.
    assert_eq!(sup.child("a")["exits"][0]["exit"], "SIGTERM");
}

#[test]
fn a_number_that_is_somebody_elses_by_now_is_not_signalled_with_what_a_child_left() {
    // What it leaves is in a session of its own, and does not end when it is told.
    let script = "setsid sh -c 'trap : TERM; echo $$ > $DIR/left; while :; do sleep 0.05; done' & exec sleep 1000";
    let sup = TestBox::up(&format!(
        "[child.a]\n{}\nstop-timeout = \"1s\"\n",
        sh(script)
    ));
    let left: i32 = sup.wait_lines("left", 1)[0].parse().unwrap();
    let pid = sup.pid("a");
    let stop = Program::start(&mut sup.command(&["stop", "a"]), None);
    until("its main process to be gone", || {
        sup::os::procfs::stat(pid).is_none().then_some(())
    });
    assert!(is_running(left));
    let Some(other) = Recycled::of(pid) else {
        return;
    };
    until("it to lead a session", || other.leads().then_some(()));
    assert_eq!(stop.code(), 0);
    sup.line("sent SIGKILL to all of it");
    assert!(!is_running(left));
    assert!(other.is_alive(), "{}", sup.log());
}

#[test]
fn what_a_dead_main_process_left_is_ended_before_its_successor_starts() {
    let script = "test $SUP_RUN = 2 && { kill -0 $(cat $DIR/pids) && ! grep -q ') Z' /proc/$(cat $DIR/pids)/stat && echo alive > $DIR/verdict || echo gone > $DIR/verdict; exec sleep 1000; }\n\
                  sh -c 'trap \"sleep 0.2; exit\" TERM; echo $$ > $DIR/pids; while :; do sleep 0.05; done' &\n\
                  while ! test -s $DIR/pids; do sleep 0.01; done; exit 1";
    let sup = TestBox::up(&format!(
        "[child.a]\n{}\nbackoff = {{ first = \"0s\" }}\n",
        sh(script)
    ));
    assert_eq!(sup.wait_lines("verdict", 1), ["gone"]);
    sup.line("a left processes behind: ending them");
    assert_eq!(sup.child("a")["restarts"], 1);
}

#[test]
fn a_program_that_becomes_a_daemon_is_not_started_twice() {
    // It looks as if it had done its work. Its daemon must not live on beside the next run.
    let script = "setsid sh -c 'echo $$ >> $DIR/pids; exec sleep 1000' & while test $(cat $DIR/pids | wc -l) -lt $SUP_RUN; do sleep 0.01; done; exit 0";
    let config = format!(
        "[child.a]\n{}\nrestart = \"always\"\nbackoff = {{ first = \"50ms\" }}\nbudget = {{ max-restarts = 2 }}\n",
        sh(script)
    );
    let sup = TestBox::up(&config);
    sup.wait_state("a", "gave-up");
    sup.wait_clear();
    assert_eq!(sup.lines("pids").len(), 3);
}

#[test]
fn shutdown_leaves_nothing() {
    let config = format!(
        "shutdown-timeout = \"1s\"\n[child.stubborn]\n{}\nstop-timeout = \"never\"\n[child.daemon]\n{}\n{}",
        sh("trap '' TERM; echo >> $DIR/up; while :; do sleep 0.05; done"),
        sh("(setsid sh -c 'echo >> $DIR/up; exec sleep 1000' &) ; exec sleep 1000"),
        sleeper("plain", "")
    );
    let mut sup = TestBox::up(&config);
    sup.wait_lines("up", 2);
    let start = clock::now();
    assert_eq!(sup.end(), 0);
    let span = clock::now() - start;
    assert!(span >= ms(900) && span < ms(6_000), "{span:?}");
    assert!(sup.marked().is_empty(), "{:?}", sup.marked());
}

#[test]
fn a_child_that_ends_while_it_is_being_stopped_has_just_stopped() {
    let script = "trap 'exit 9' TERM; echo >> $DIR/up; while :; do sleep 0.02; done";
    let sup = TestBox::up(&format!("[child.a]\n{}\n{AT_ONCE}\n", sh(script)));
    sup.wait_lines("up", 1);
    sup.must(&["stop", "a"]);
    let child = sup.wait_state("a", "stopped");
    assert_eq!(child["exits"][0]["exit"], "exit code 9");
    assert_eq!((&child["failures"], &child["run"]), (&0.into(), &1.into()));
    assert!(exists(&sup.path("s/state.a")));
}

#[test]
fn kills_and_orders_in_a_heap_end_in_what_was_ordered_last() {
    let script = "echo $$ >> $DIR/pids; exec sleep 1000";
    let sup = TestBox::up(&format!("[child.a]\n{}\n{AT_ONCE}\n", sh(script)));
    for round in 0..10 {
        let order = ["restart", "stop", "start"][round % 3];
        let child = sup.child("a");
        if !child["pid"].is_null() {
            let _gone = kill(Pid::from_raw(pid_of(&child)), Sig::SIGKILL);
        }
        sup.must(&[order, "--no-wait", "a"]);
        assert!(
            sup.marked().len() <= 1 + 1,
            "one, and perhaps one on its way: {:?}",
            sup.marked()
        );
    }
    sup.must(&["stop", "a"]);
    sup.wait_clear();
    sup.must(&["start", "a"]);
    assert_eq!(sup.marked().len(), 1);
}
