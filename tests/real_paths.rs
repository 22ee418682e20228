//! Children, and all of sup, wait for a volume that comes later.

mod common;

use std::fs;
use std::process::Command;

use common::faults::Dead;
use common::{Program, Sig, TestBox, exists, is_root, run, sh, until};

/// A volume: a file system in RAM where that is permitted, else a folder.
struct Volume {
    at: String,
    mounted: bool,
}

impl Volume {
    fn new(sup: &TestBox) -> Self {
        let at = sup.name("volume");
        fs::create_dir(&at).unwrap();
        Self { at, mounted: false }
    }

    fn come(&mut self) {
        let mount = || run(Command::new("mount").args(["-t", "tmpfs", "tmpfs", &self.at])).code;
        self.mounted = is_root() && mount() == 0;
        fs::create_dir(format!("{}/app", self.at)).unwrap();
    }

    fn go(&mut self) {
        if std::mem::take(&mut self.mounted) {
            run(Command::new("umount").args(["-l", &self.at]));
        } else {
            let _gone = fs::remove_dir_all(format!("{}/app", self.at));
        }
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        self.go();
    }
}

#[test]
fn a_child_waits_for_its_volume_and_waits_again_when_it_goes() {
    let script = "echo x >> $DIR/runs; exec sleep 1000";
    let config = format!(
        "[child.a]\n{}\nwait-path = [\"$DIR/volume/app\", \"/\"]\nrestart = \"always\"\n\
         backoff = {{ first = \"0s\" }}\nbudget = {{ max-restarts = 1 }}\n\
         [child.free]\ncommand = [\"sleep\", \"1000\"]\n\
         [child.user]\ncommand = [\"sleep\", \"1000\"]\nrequires = [\"a\"]\n",
        sh(script)
    );
    let mut sup = TestBox::new(&config);
    let mut volume = Volume::new(&sup);
    sup.start();
    sup.pid("free");
    let child = sup.wait_state("a", "queued");
    let path = sup.name("volume/app");
    assert_eq!(child["waits_for"], format!("{path}, /"));
    assert_eq!(sup.child("user")["state"], "queued");
    sup.line(&format!("a waits for {path}"));
    assert!(sup.must(&["why", "a"]).contains("to be there"));
    volume.come();
    sup.pid("a");
    sup.pid("user");
    // Three times more than the budget allows, had it been to blame.
    for lost in 1..=3 {
        sup.wait_lines("runs", lost);
        volume.go();
        sup.signal("a", Sig::SIGKILL);
        let child = sup.wait_state("a", "queued");
        assert_eq!(
            (&child["recent_restarts"], &child["streak"]),
            (&0.into(), &0.into())
        );
        assert_eq!(sup.lines("runs").len(), lost);
        volume.come();
        sup.pid("a");
    }
    // With its volume there it is charged as ever.
    sup.signal("a", Sig::SIGKILL);
    sup.wait_run("a", 5);
    assert_eq!(sup.child("a")["recent_restarts"], 1);
    // An order while it waits returns, and holds.
    volume.go();
    sup.must(&["stop", "a"]);
    assert!(sup.must(&["start", "a"]).contains("accepted"));
    sup.must(&["stop", "a"]);
    volume.come();
    assert_eq!(sup.child("a")["state"], "stopped");
    assert_eq!(sup.end(), 0);
    volume.go();
}

#[test]
fn a_server_that_is_gone_holds_up_nobody_but_those_who_wait_for_it() {
    let sleeper =
        "command = [\"sleep\", \"1000\"]\nrestart = \"always\"\nbackoff = { first = \"0s\" }\n";
    let config = format!(
        "[child.far]\n{sleeper}wait-path = \"$DIR/far/app\"\n\
         [child.near]\n{sleeper}wait-path = \"$DIR/volume/app\"\n\
         [child.both]\n{sleeper}wait-path = [\"$DIR/far/app\", \"$DIR/volume/app\"]\n"
    );
    let mut sup = TestBox::new(&config);
    let mut volume = Volume::new(&sup);
    let Some(dead) = Dead::mount(&sup.path("far")) else {
        return;
    };
    sup.start();
    for name in ["far", "near", "both"] {
        sup.line(&format!("{name} waits for"));
    }
    // Again and again, while somebody hangs.
    for run in 1..=3 {
        volume.come();
        sup.wait_run("near", run);
        volume.go();
        sup.signal("near", Sig::SIGKILL);
        sup.wait_state("near", "queued");
    }
    volume.come();
    sup.wait_run("near", 4);
    assert_eq!(sup.child("both")["state"], "queued");
    let threads = fs::read_dir(format!("/proc/{}/task", sup.sup().pid)).unwrap();
    let threads = threads.count();
    // The loop, the poller, who looks, and who hangs.
    assert!(threads <= 5, "{threads}");
    drop(dead);
    fs::create_dir(sup.path("far/app")).unwrap();
    sup.pid("far");
    sup.pid("both");
    assert_eq!(sup.end(), 0);
}

#[test]
fn all_of_sup_waits_for_its_volume_and_a_second_one_does_not_start() {
    let config = "wait-path = \"$DIR/volume/app\"\n[child.a]\ncommand = [\"sleep\", \"1000\"]\n";
    let mut sup = TestBox::new(config);
    let mut volume = Volume::new(&sup);
    let program = Program::start(&mut sup.command(&["run"]), None);
    program.err.line("waits for");
    let told = sup.ask(&["status"]);
    assert_eq!(told.code, 3);
    assert!(told.err.contains("sup waits for"), "{told:?}");
    assert_eq!(sup.ask(&["run"]).code, 1, "it is running");
    assert!(!exists(&sup.path("s")), "nothing is written before");
    // A reload that comes too early does no harm.
    program.signal(Sig::SIGHUP);
    volume.come();
    sup.adopt(program);
    sup.pid("a");
    assert!(!exists(&sup.path("r/waiting")));
    assert_eq!(sup.end(), 0);
    volume.go();
    let program = Program::start(&mut sup.command(&["run"]), None);
    program.err.line("waits for");
    program.signal(Sig::SIGTERM);
    assert_ne!(program.code(), 0, "it can be ended while it waits");
}

#[test]
fn under_detach_nobody_waits_with_it() {
    let config = "wait-path = \"$DIR/volume/app\"\n[child.a]\ncommand = [\"sleep\", \"1000\"]\n";
    let sup = TestBox::new(config);
    let mut volume = Volume::new(&sup);
    sup.must(&["run", "--detach"]);
    assert!(sup.must(&["run", "--detach"]).contains("running already"));
    volume.come();
    until("it to answer", || {
        (sup.ask(&["status"]).code != 3).then_some(())
    });
    sup.pid("a");
    sup.must(&["shutdown"]);
    sup.wait_clear();
}
