//! What people see of trees, and ask of them: whole groups, and the number of instances.

mod common;

use common::{Sig, TestBox};
use serde_json::Value;

/// A rest-for-one pipeline with two workers in it, and a child beside it.
const TREE: &str = r#"
[defaults]
backoff = { first = "100ms" }

[group.pipeline]
strategy = "rest-for-one"
members = ["database", "workers", "dashboard"]

[group.workers]
strategy = "simple-one-for-one"
count = 2
template = { command = ["sleep", "100{instance}"] }

[child.database]
command = ["sleep", "1000"]

[child.dashboard]
command = ["sleep", "1000"]

[child.web]
command = ["sleep", "1000"]
"#;

/// A box whose tree is up.
fn up() -> TestBox {
    let sup = TestBox::up(TREE);
    for child in ["database", "workers/1", "workers/2", "dashboard", "web"] {
        sup.wait_state(child, "up");
    }
    sup
}

fn group(sup: &TestBox, name: &str) -> Value {
    let status = sup.status();
    let groups = status["groups"].as_array().unwrap();
    let found = groups.iter().find(|group| group["name"] == name);
    found.unwrap_or_else(|| panic!("{status}")).clone()
}

/// The names of the instances that there are.
fn workers(sup: &TestBox) -> String {
    let status = sup.status();
    let children = status["children"].as_array().unwrap();
    let names: Vec<&str> = children
        .iter()
        .filter(|child| child["group"] == "workers")
        .map(|child| child["name"].as_str().unwrap())
        .collect();
    names.join(" ")
}

// ---- what is shown ------------------------------------------------------------------

#[test]
fn status_draws_the_tree_and_of_a_group_what_is_below_it() {
    let sup = up();
    let all = sup.must(&["status"]);
    let names: Vec<&str> = all
        .lines()
        .skip(3)
        .map(|line| line.split(" up ").next().unwrap().trim_end())
        .collect();
    let wanted = [
        "pipeline",
        "  database",
        "  workers",
        "    workers/1",
        "    workers/2",
        "  dashboard",
        "web",
    ];
    assert_eq!(names, wanted, "{all}");
    let below = sup.must(&["status", "workers"]);
    assert_eq!(below.lines().count(), 3 + 3, "{below}");
    assert!(below.contains("\n  workers/2  up"), "{below}");
    let workers = group(&sup, "workers");
    assert_eq!(
        (&workers["group"], &workers["depth"], &workers["instances"]),
        (&"pipeline".into(), &1.into(), &2.into())
    );
}

#[test]
fn why_tells_whose_failure_took_a_child_along() {
    let sup = up();
    sup.signal("database", Sig::SIGKILL);
    sup.wait_run("dashboard", 2);
    sup.line("database has failed: pipeline (rest-for-one) restarts it and those behind it in 0.1 seconds (restart 1/5)");
    let told = sup.must(&["why", "workers/1"]);
    for expected in [
        "database failed ",
        " ago (SIGKILL), and pipeline (rest-for-one) took it along.",
        "its group workers counts: 0 of 5 restarts",
        "SIGTERM, taken along by database, after ",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let told = sup.must(&["why", "pipeline"]);
    for expected in [
        "pipeline is up for ",
        "ago (SIGKILL), and took others along.",
        "Strategy: rest-for-one: a member that fails is restarted with those behind it.",
        "Budget: 1 of 5 restarts used in the last 10 minutes.",
        "\n  workers    up         simple-one-for-one, 2 instances; taken along by database",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let root = sup.must(&["why", "root"]);
    assert!(root.contains("\n  web       up"), "{root}");
    assert_eq!(sup.child("workers/1")["taken_by"]["by"], "database");
    assert_eq!(sup.child("web")["taken_by"], Value::Null);
}

// ---- whole groups -------------------------------------------------------------------

#[test]
fn a_group_stops_and_starts_as_a_whole() {
    let sup = up();
    sup.must(&["stop", "dashboard"]);
    assert_eq!(sup.must(&["stop", "pipeline"]), "pipeline: done");
    let stopped = sup.ask(&["status"]);
    assert_eq!(stopped.code, 0, "what a person stopped is as it should be");
    assert!(stopped.out.contains("rest-for-one; stopped by hand"));
    assert_eq!(sup.child("workers/1")["kept_down_by"], "pipeline");
    assert_eq!(sup.child("web")["state"], "up");
    for name in ["workers/1", "workers"] {
        let told = sup.ask(&["start", name]);
        let words = "its group pipeline is down, and it starts with that: sup start pipeline";
        assert_eq!((told.code, told.out), (1, format!("{name}: {words}")));
    }
    let why = sup.must(&["why", "workers/1"]);
    assert!(
        why.contains("Its group pipeline is down, and it starts with that; see: sup why pipeline"),
        "{why}"
    );
    // All of it starts: the child that a person had stopped, too.
    assert_eq!(sup.must(&["start", "pipeline"]), "pipeline: done");
    assert_eq!(sup.child("dashboard")["state"], "up");
    // In order: each behind those that stand before it.
    let started: Vec<String> = sup
        .must(&["events", "-n", "4"])
        .lines()
        .map(|line| line.split(' ').nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(started, ["database", "workers/1", "workers/2", "dashboard"]);
}

#[test]
fn a_restart_of_a_group_leaves_down_what_a_person_stopped() {
    let sup = up();
    sup.must(&["stop", "workers/2"]);
    assert_eq!(sup.must(&["restart", "pipeline"]), "pipeline: done");
    assert_eq!(sup.child("workers/1")["run"], 2);
    assert_eq!(sup.child("dashboard")["run"], 2);
    assert_eq!(sup.child("workers/2")["state"], "stopped");
    assert_eq!(sup.child("web")["run"], 1);
    assert_eq!(group(&sup, "pipeline")["recent_restarts"], 0);
}

#[test]
fn a_group_that_is_given_up_is_told_by_the_exit_code_and_comes_back() {
    let config = TREE.replace(
        "members = [\"database\"",
        "budget = { max-restarts = 0, on-limit = \"give-up\" }\nmembers = [\"database\"",
    );
    let sup = TestBox::up(&config);
    sup.wait_state("dashboard", "up");
    sup.signal("database", Sig::SIGKILL);
    sup.line(
        "pipeline (rest-for-one): database was killed by SIGKILL. Giving up at the first failure",
    );
    sup.wait_state("workers/1", "held");
    sup.wait_state("database", "held");
    assert_eq!(sup.ask(&["status"]).code, 1);
    assert_eq!(group(&sup, "pipeline")["state"], "gave-up");
    let why = sup.must(&["why", "pipeline"]);
    assert!(
        why.contains("pipeline is given up.") && why.contains("which was one too many."),
        "{why}"
    );
    assert_eq!(sup.must(&["start", "pipeline"]), "pipeline: done");
    assert_eq!(sup.ask(&["status"]).code, 0);
}

// ---- the number of instances --------------------------------------------------------

#[test]
fn instances_come_and_go_as_a_person_says() {
    let sup = up();
    let scaled = sup.must(&["scale", "workers", "4"]);
    assert_eq!(scaled, "workers/3: done\nworkers/4: done");
    assert_eq!(sup.child("workers/4")["state"], "up");
    assert_eq!(
        sup.child("workers/1")["run"],
        1,
        "the others are left alone"
    );
    let gone = sup.must(&["remove", "workers/1", "workers/3"]);
    assert_eq!(gone, "workers/1: done\nworkers/3: done");
    assert_eq!(workers(&sup), "workers/2 workers/4");
    assert_eq!(sup.must(&["add", "workers"]), "workers/1: done");
    sup.must(&["add", "--no-wait", "workers", "2"]);
    assert_eq!(
        workers(&sup),
        "workers/1 workers/2 workers/3 workers/4 workers/5"
    );
    let nothing = sup.must(&["scale", "workers", "5"]);
    assert_eq!(nothing, "workers: nothing to do, it is so already");
    sup.must(&["scale", "workers", "0"]);
    assert_eq!(workers(&sup), "");
    assert_eq!(sup.ask(&["status"]).code, 0);
}

#[test]
fn the_number_outlives_sup_until_the_file_says_another_one() {
    let mut sup = up();
    sup.must(&["scale", "workers", "3"]);
    sup.must(&["remove", "workers/1"]);
    assert_eq!(sup.end(), 0);
    sup.start();
    sup.wait_state("workers/3", "up");
    assert_eq!(workers(&sup), "workers/2 workers/3");
    sup.must(&["reload"]);
    assert_eq!(workers(&sup), "workers/2 workers/3", "the file is the same");
    sup.configure(&TREE.replace("count = 2", "count = 1"));
    sup.must(&["reload"]);
    assert_eq!(workers(&sup), "workers/1");
}

#[test]
fn what_has_no_number_of_instances_says_so() {
    let sup = up();
    let table: [(&[&str], &str); 6] = [
        (&["scale", "web", "2"], "web is a child; only a group with"),
        (&["scale", "pipeline", "2"], "pipeline has no template"),
        (&["add", "worker"], "did you mean \"workers\"?"),
        (&["remove", "workers/7"], "there is no workers/7"),
        (&["remove", "workers"], "sup remove workers/3"),
        (
            &["logs", "pipeline"],
            "pipeline is a group, and only children have output",
        ),
    ];
    for (args, words) in table {
        let told = sup.ask(args);
        assert_ne!(told.code, 0, "{told:?}");
        assert!(told.err.contains(words), "{words}: {told:?}");
    }
    assert_eq!(workers(&sup), "workers/1 workers/2");
    // A group that is down has its number all the same.
    sup.must(&["stop", "workers"]);
    let told = sup.ask(&["add", "workers"]);
    assert!(told.out.contains("its group workers is down"), "{told:?}");
    sup.must(&["start", "workers"]);
    sup.wait_state("workers/3", "up");
}
