//! Idle means idle: nothing changes, so nothing is done.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use common::{Program, TestBox, ms, pause, proc_status, until};
use sup::model::limits::SAVE_INTERVAL;

/// Everything that a process does leaves a trace in one of these.
fn traces(pid: i32) -> BTreeMap<String, u64> {
    let mut traces = BTreeMap::new();
    let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
    for line in io.lines() {
        let (key, value) = line.split_once(": ").unwrap();
        traces.insert(key.to_owned(), value.parse().unwrap());
    }
    for task in fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten() {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        for line in status
            .lines()
            .filter(|line| line.contains("_ctxt_switches"))
        {
            let (key, value) = line.split_once(':').unwrap();
            let key = format!("{} {key}", task.file_name().display());
            traces.insert(key, value.trim().parse().unwrap());
        }
    }
    traces
}

/// How long nothing may happen: SUP_IDLE_SECS=60 makes the whole claim.
fn span() -> Duration {
    let secs = std::env::var("SUP_IDLE_SECS")
        .ok()
        .and_then(|text| text.parse().ok());
    Duration::from_secs(secs.unwrap_or(5))
}

/// Waits until nothing has happened for a while, and then looks whether it stays so.
fn is_idle(pid: i32) {
    let mut before = traces(pid);
    until("three quiet seconds", || {
        // Two seconds after the last event sup gives memory back, and does nothing more.
        pause(ms(3_000));
        let now = traces(pid);
        (std::mem::replace(&mut before, now.clone()) == now).then_some(())
    });
    let threads: u32 = proc_status(pid, "Threads").parse().unwrap();
    assert!(threads == 1, "{threads} threads");
    let before = traces(pid);
    pause(span());
    assert_eq!(before, traces(pid));
}

#[test]
fn ten_children_that_run_cost_no_wake_up_and_no_write() {
    let config: String = (0..10)
        .map(|n| format!("[child.c{n}]\ncommand = [\"sleep\", \"100000\"]\nrestart = \"always\"\n"))
        .collect();
    let sup = TestBox::up(&config);
    (0..10).for_each(|n| drop(sup.wait_state(&format!("c{n}"), "up")));
    is_idle(sup.sup().pid);
}

#[test]
fn after_orders_and_crashes_it_is_idle_again() {
    let config = "[child.a]\ncommand = [\"sleep\", \"100000\"]\nbackoff = { first = \"0s\", settle = \"100ms\" }\n\
                  [child.b]\ncommand = [\"sleep\", \"100000\"]\n\
                  [child.c]\ncommand = [\"false\"]\nbackoff = { first = \"0s\" }\nbudget = { max-restarts = 1 }\n";
    let sup = TestBox::up(config);
    sup.must(&["stop", "b"]);
    sup.wait_state("c", "gave-up");
    sup.signal("a", common::Sig::SIGKILL);
    sup.line("a has settled");
    sup.must(&["restart", "a"]);
    // What nobody waits for is written within a minute: the whole claim begins after it.
    if span() >= SAVE_INTERVAL {
        pause(SAVE_INTERVAL);
    }
    is_idle(sup.sup().pid);
}

#[test]
fn a_single_command_costs_no_wake_up_either() {
    let program = Program::start(&mut common::sup(&["--", "sleep", "100000"]), None);
    program.err.line("sleep started");
    is_idle(program.pid);
}

#[test]
fn http_costs_no_wake_up_while_nobody_asks() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let config =
        format!("[http]\nlisten = \"{address}\"\n[child.a]\ncommand = [\"sleep\", \"100000\"]\n");
    let sup = TestBox::up(&config);
    sup.wait_state("a", "up");
    is_idle(sup.sup().pid);
    let mut client = std::net::TcpStream::connect(address).unwrap();
    client.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"));
    drop(client);
    is_idle(sup.sup().pid);
}
