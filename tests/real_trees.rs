//! Supervision trees of real processes.
//!
//! Each member writes `+name` when it runs and `-name` when it is told to end, one after
//! the other into one file: the order is what is tested.

mod common;

use common::{Sig, TestBox, exists, sh, until};

/// A member that says when it comes and goes, and that is ready when it has said so.
fn member(name: &str, more: &str) -> String {
    let script = format!(
        "trap \"echo -{name} >> $DIR/told; exit 0\" TERM; echo +{name} >> $DIR/told; echo >&3; sleep 1000 & wait"
    );
    format!(
        "[child.{name}]\n{}\nready = {{ descriptor = 3 }}\nrestart = \"always\"\nbackoff = {{ first = \"0s\" }}\n{more}\n",
        sh(&script)
    )
}

fn members(names: &str) -> String {
    names
        .split_whitespace()
        .map(|name| member(name, ""))
        .collect()
}

fn group(name: &str, strategy: &str, members: &str, more: &str) -> String {
    let members: Vec<String> = members
        .split_whitespace()
        .map(|name| format!("\"{name}\""))
        .collect();
    format!(
        "[group.{name}]\nstrategy = \"{strategy}\"\nmembers = [{}]\nbackoff = {{ first = \"0s\" }}\n{more}\n",
        members.join(", ")
    )
}

trait Told {
    /// Waits until so many words have been told since the last time, and joins them.
    fn next_told(&self, seen: &mut usize, count: usize) -> String;
}

impl Told for TestBox {
    fn next_told(&self, seen: &mut usize, count: usize) -> String {
        let lines = self.wait_lines("told", *seen + count);
        let new = lines[*seen..].join(" ");
        *seen = lines.len();
        new
    }
}

// ---- strategies ----------------------------------------------------------------

#[test]
fn each_strategy_takes_along_whom_it_says_in_order() {
    let table = [
        ("one-for-one", "+b"),
        ("one-for-all", "-c -a +a +b +c"),
        ("rest-for-one", "-c +b +c"),
    ];
    for (strategy, expected) in table {
        let config = members("a b c") + &group("g", strategy, "a b c", "");
        let sup = TestBox::up(&config);
        let mut seen = 0;
        assert_eq!(sup.next_told(&mut seen, 3), "+a +b +c");
        sup.wait_run("c", 1);
        sup.signal("b", Sig::SIGKILL);
        let words = expected.split(' ').count();
        assert_eq!(sup.next_told(&mut seen, words), expected, "{strategy}");
        for name in ["a", "b", "c"] {
            sup.wait_for(name, "up", |child| child["state"] == "up");
        }
        assert_eq!(sup.child("b")["restarts"], 1);
        assert_eq!(sup.child("c")["restarts"], 0, "{strategy}");
        assert_eq!(sup.lines("told").len(), seen, "and nobody else moved");
    }
}

#[test]
fn a_tree_of_three_levels_falls_and_rises_in_order() {
    let config = members("a b c d e")
        + &group("top", "rest-for-one", "a mid e", "")
        + &group("mid", "one-for-one", "b low", "")
        + &group("low", "one-for-all", "c d", "");
    let mut sup = TestBox::up(&config);
    let mut seen = 0;
    assert_eq!(sup.next_told(&mut seen, 5), "+a +b +c +d +e");
    sup.wait_run("e", 1);
    sup.signal("d", Sig::SIGKILL);
    assert_eq!(sup.next_told(&mut seen, 3), "-c +c +d");
    sup.wait_run("d", 2);
    sup.signal("a", Sig::SIGKILL);
    assert_eq!(sup.next_told(&mut seen, 9), "-e -d -c -b +a +b +c +d +e");
    sup.wait_run("e", 2);
    let why = sup.must(&["why", "d"]);
    for said in [
        "a failed ",
        " ago (SIGKILL), and top (rest-for-one) took it along.",
        ", taken along by a, after ",
    ] {
        assert!(why.contains(said), "{said}: {why}");
    }
    assert_eq!(sup.end(), 0);
    assert_eq!(sup.next_told(&mut seen, 5), "-e -d -c -b -a");
}

#[test]
fn a_temporary_member_does_not_come_back_with_its_group() {
    let config = member("a", "")
        + &member("t", "").replace("\"always\"", "\"temporary\"")
        + &group("g", "one-for-all", "a t", "");
    let sup = TestBox::up(&config);
    let mut seen = 0;
    assert_eq!(sup.next_told(&mut seen, 2), "+a +t");
    sup.wait_run("t", 1);
    sup.signal("a", Sig::SIGKILL);
    assert_eq!(sup.next_told(&mut seen, 2), "-t +a");
    sup.wait_run("a", 2);
    sup.wait_state("t", "stopped");
}

// ---- too much --------------------------------------------------------------------

#[test]
fn what_is_too_much_for_a_group_goes_up_and_ends_sup_at_the_root() {
    let config = "[root]\nbudget = { max-restarts = 1, window = \"10m\" }\n".to_owned()
        + &members("x a y")
        + &group(
            "outer",
            "one-for-all",
            "x inner y",
            "budget = { max-restarts = 1, window = \"10m\" }",
        )
        + &group(
            "inner",
            "one-for-one",
            "a",
            "budget = { max-restarts = 0, window = \"10m\" }",
        );
    let sup = TestBox::up(&config);
    let mut seen = 0;
    assert_eq!(sup.next_told(&mut seen, 3), "+x +a +y");
    for run in 1..=4 {
        sup.wait_run("y", run);
        sup.signal("a", Sig::SIGKILL);
        // Outer restarts inner; the root restarts outer, which then counts anew; outer
        // restarts inner; and then all have had enough.
        let expected = if run == 4 { "-y -x" } else { "-y -x +x +a +y" };
        let words = expected.split(' ').count();
        assert_eq!(sup.next_told(&mut seen, words), expected);
    }
    assert_eq!(sup.sup().code(), 1);
    let log = sup.log();
    for said in [
        "outer (one-for-all) starts inner (one-for-one) anew now (restart 1/1)",
        "root (one-for-one) starts outer (one-for-all) anew now (restart 1/1)",
        "sup ends",
    ] {
        assert!(log.contains(said), "{said}\n{log}");
    }
}

#[test]
fn a_group_that_gives_up_stays_down_until_somebody_says_so() {
    let config = members("a b alone")
        + &member("web", "requires = [\"a\"]")
        + &group(
            "g",
            "one-for-all",
            "a b",
            "budget = { max-restarts = 0, window = \"10m\" }",
        );
    let mut sup = TestBox::up(&config);
    sup.wait_run("b", 1);
    sup.wait_run("web", 1);
    sup.signal("a", Sig::SIGKILL);
    sup.wait_for("b", "down", |child| child["state"] == "held");
    sup.wait_state("web", "held");
    sup.wait_run("alone", 1);
    sup.line("g (one-for-all): a was killed by SIGKILL. Giving up at the first failure");
    let refused = sup.ask(&["start", "a"]);
    assert!(refused.out.contains("sup start g"), "{refused:?}");
    let refused = sup.ask(&["start", "web"]);
    let words = "web: what it requires is down with group g, and starts with that: sup start g";
    assert_eq!((refused.code, refused.out.trim_end()), (1, words));
    // It is remembered.
    assert_eq!(sup.end(), 0);
    sup.start();
    sup.wait_run("alone", 2);
    assert_eq!(sup.child("a")["state"], "held");
    assert!(sup.must(&["start", "g"]).contains("g: done"));
    sup.wait_run("a", 2);
    sup.wait_run("b", 2);
    sup.wait_run("web", 2);
}

// ---- starts that fail ----------------------------------------------------------------

#[test]
fn a_group_whose_member_cannot_start_stops_what_it_had_started_and_tries_again() {
    let broken = "[child.late]\ncommand = [\"$DIR/late\"]\nrestart = \"always\"\n";
    let config = member("a", "")
        + broken
        + &group(
            "g",
            "one-for-one",
            "a late",
            "budget = { max-restarts = \"unlimited\" }",
        );
    let sup =
        TestBox::up(&config.replace("first = \"0s\" }\nbudget", "first = \"200ms\" }\nbudget"));
    let mut seen = 0;
    assert_eq!(sup.next_told(&mut seen, 2), "+a -a");
    sup.line("g (one-for-one) could not be started: its member late failed on the way");
    sup.program("late", "#!/bin/sh\nexec sleep 1000\n");
    sup.wait_for("late", "up", |child| child["state"] == "up");
    sup.wait_for("a", "up", |child| child["state"] == "up");
}

// ---- significant members ---------------------------------------------------------------

#[test]
fn sup_ends_with_success_when_its_significant_child_has_done_its_work() {
    let job = format!(
        "[child.job]\n{}\nrestart = \"on-failure\"\nsignificant = true\n",
        sh("until test -e $DIR/go; do sleep 0.02; done")
    );
    let config =
        "[root]\nauto-shutdown = \"any-significant\"\n".to_owned() + &job + &member("a", "");
    let sup = TestBox::up(&config);
    sup.wait_run("a", 1);
    sup.write("go", "");
    assert_eq!(sup.sup().code(), 0);
    assert_eq!(sup.lines("told"), ["+a", "-a"]);
}

// ---- templates ---------------------------------------------------------------------------

fn pool(count: u16) -> String {
    let script = "echo here; echo {instance} $SUP_CHILD $NUMBER >> $DIR/told; exec sleep 1000";
    format!(
        "[group.w]\nstrategy = \"simple-one-for-one\"\ncount = {count}\n[group.w.template]\n{}\nenv = {{ NUMBER = \"n{{instance}}\" }}\nlog = {{ file = \"$DIR/w{{instance}}.log\" }}\nbackoff = {{ first = \"0s\" }}\n",
        sh(script)
    )
}

#[test]
fn instances_are_scaled_and_the_number_outlives_sup() {
    let mut sup = TestBox::up(&pool(2));
    let mut lines = sup.wait_lines("told", 2);
    lines.sort();
    assert_eq!(lines, ["1 w/1 n1", "2 w/2 n2"]);
    let said = sup.must(&["scale", "w", "4"]);
    assert!(
        said.contains("w/3: done") && said.contains("w/4: done"),
        "{said}"
    );
    let log = sup.path("w4.log"); // It is made with the first output.
    until("its log", || exists(&log).then_some(()));
    sup.must(&["remove", "w/2"]);
    assert!(sup.must(&["add", "w"]).contains("w/2: done"));
    sup.must(&["scale", "w", "3"]);
    assert!(exists(&log), "its log stays");
    // Killed, with its children alive: they are taken up again, and no other comes.
    let before = sup.pid("w/3");
    sup.kill_sup_only();
    sup.start();
    assert_eq!(sup.wait_run("w/3", 1), before);
    let status = sup.status();
    let names: Vec<&str> = status["children"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|child| child["name"].as_str())
        .collect();
    assert_eq!(names, ["w/1", "w/2", "w/3"]);
    for (wrong, words) in [
        (["scale", "w", "many"], "many"),
        (["remove", "w", "w/9"], "w"),
        (["scale", "w/1", "2"], "w/1"),
    ] {
        let outcome = sup.ask(&wrong);
        assert_ne!(outcome.code, 0, "{wrong:?}");
        assert!(outcome.err.contains(words), "{wrong:?}: {outcome:?}");
    }
}

#[test]
fn an_instance_that_dies_is_replaced_alone() {
    let sup = TestBox::up(&pool(3));
    sup.wait_lines("told", 3);
    sup.signal("w/2", Sig::SIGKILL);
    sup.wait_run("w/2", 2);
    assert_eq!(sup.wait_lines("told", 4).last().unwrap(), "2 w/2 n2");
    assert_eq!(sup.child("w/1")["run"], 1);
}

// ---- dependencies ------------------------------------------------------------------------

#[test]
fn a_child_outside_waits_for_a_group_and_goes_with_it() {
    let config = members("a b")
        + &member("web", "requires = [\"db\"]")
        + &group("db", "one-for-all", "a b", "");
    let sup = TestBox::up(&config);
    let mut seen = 0;
    assert_eq!(sup.next_told(&mut seen, 3), "+a +b +web");
    sup.wait_run("web", 1);
    sup.signal("a", Sig::SIGKILL);
    assert_eq!(sup.next_told(&mut seen, 3), "-b +a +b");
    sup.wait_run("b", 2);
    assert_eq!(
        sup.child("web")["run"],
        1,
        "a restart takes nobody else along"
    );
    sup.must(&["stop", "db"]);
    assert_eq!(sup.next_told(&mut seen, 3), "-web -b -a");
    sup.must(&["start", "web"]);
    assert_eq!(sup.next_told(&mut seen, 3), "+a +b +web");
}

// ---- sup dies ------------------------------------------------------------------------------

#[test]
fn a_group_that_was_falling_when_sup_was_killed_rises_whole() {
    // b takes its time to end, so that sup is killed in the middle of the fall.
    let slow = member("b", "").replace("TERM;", "TERM; trap \"\" INT;");
    let config =
        member("a", "") + &slow + &member("c", "") + &group("g", "one-for-all", "a b c", "");
    let mut sup = TestBox::up(&config);
    let mut seen = 0;
    assert_eq!(sup.next_told(&mut seen, 3), "+a +b +c");
    sup.wait_run("c", 1);
    sup.signal("b", Sig::SIGSTOP);
    sup.signal("a", Sig::SIGKILL);
    sup.next_told(&mut seen, 1);
    sup.kill_sup_only();
    sup.start();
    for name in ["a", "b", "c"] {
        until(&format!("{name} to be up"), || {
            (sup.child(name)["state"] == "up").then_some(())
        });
    }
    assert_eq!(
        sup.marked().len(),
        6,
        "three shells and their sleeps, no more"
    );
}
