//! sup as the parent of orphans: as PID 1, and as subreaper.

mod common;

use std::fs;
use std::io::Write;
use std::process::Command;

use common::{Program, SUP, Sig, TestBox, sh, until};
use sup::os::procfs;

/// Orphans by the dozen, some of which end before their parent and some after.
const ORPHANS: &str = "for n in 1 2 3 4 5 6 7 8 9 10; do (setsid sh -c 'sleep 0.0$0; exit 5' $n &); (sh -c 'exit 6' &); done; echo >> $DIR/made; exec sleep 1000";

fn zombies(parent: i32) -> Vec<procfs::Stat> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let stats = pids.filter_map(procfs::stat);
    stats
        .filter(|stat| stat.parent == parent && stat.state == 'Z')
        .collect()
}

/// Orphans come and go, while children die and come back: nobody stays a zombie, and no
/// child's end is lost.
fn reaps_and_loses_nothing(sup: &TestBox, pid: i32) {
    sup.wait_lines("made", 1);
    for run in 2..=20 {
        sup.ask(&["signal", "KILL", "steady"]);
        let child = sup.wait_for("steady", "back again", |child| {
            child["run"].as_u64() >= Some(run) && child["state"] == "up"
        });
        assert_eq!(
            child["exits"].as_array().unwrap().last().unwrap()["exit"],
            "SIGKILL"
        );
    }
    assert_eq!(sup.child("steady")["failures"], 19);
    sup.must(&["restart", "parent"]);
    sup.wait_lines("made", 2);
    until("the last orphan to be reaped", || {
        zombies(pid).is_empty().then_some(())
    });
}

fn config() -> String {
    format!(
        "[child.parent]\n{}\n[child.steady]\ncommand = [\"sleep\", \"1000\"]\nrestart = \"always\"\nbackoff = {{ first = \"0s\" }}\nbudget = {{ max-restarts = \"unlimited\" }}\n",
        sh(ORPHANS)
    )
}

#[test]
fn as_subreaper_orphans_are_reaped_and_no_news_is_lost() {
    let mut sup = TestBox::up(&config());
    let pid = sup.sup().pid;
    reaps_and_loses_nothing(&sup, pid);
    assert_eq!(sup.end(), 0);
    assert!(sup.marked().is_empty(), "{:?}", sup.marked());
}

#[test]
fn as_pid_1_orphans_are_reaped_and_no_news_is_lost() {
    let args = ["--pid", "--fork", "--mount-proc", "--kill-child"];
    let permitted = Command::new("unshare").args(args).arg("true").output();
    if !permitted.is_ok_and(|output| output.status.success()) {
        let words = "not shown here: unshare(1) is missing or not permitted";
        let _shown = writeln!(std::io::stderr(), "{words}");
        return;
    }
    let mut sup = TestBox::new(&config());
    let mut command = Command::new("unshare");
    command
        .args(args)
        .args([SUP, "run", "--config"])
        .arg(sup.path("sup.toml"));
    let program = Program::start(&mut command, None);
    sup.adopt(program);
    assert_eq!(sup.status()["sup"]["pid"], 1);
    let below = procfs::processes(|stat| stat.parent == sup.sup().pid);
    let pid = below.first().unwrap().pid;
    reaps_and_loses_nothing(&sup, pid);
    // TERM reaches it although PID 1 is spared what it does not handle.
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Sig::SIGTERM).unwrap();
    assert_eq!(sup.sup().code(), 0);
    assert!(sup.marked().is_empty());
}

#[test]
fn a_single_command_reaps_orphans_as_well() {
    let sup = TestBox::new("");
    let script = ORPHANS.replace("$DIR", sup.name("").trim_end_matches('/'));
    let program = Program::start(&mut common::sup(&["--", "/bin/sh", "-c", &script]), None);
    sup.wait_lines("made", 1);
    until("the last orphan to be reaped", || {
        let alone = procfs::processes(|stat| stat.parent == program.pid).len() == 1;
        (alone && zombies(program.pid).is_empty()).then_some(())
    });
    program.signal(Sig::SIGTERM);
    assert_eq!(program.code(), 0);
}
