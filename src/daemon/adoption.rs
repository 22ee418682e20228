//! Adoption: going on with the children that a sup before us has left, after a kill or an
//! upgrade. What it wrote down, and the marks in their environment, tell whose they are.

use std::path::Path;

use smol::future::FutureExt as _;

use super::baton::Baton;
use super::core::{Core, Live};
use super::outputs::pipe_of;
use super::ready;
use crate::model::Gather as _;
use crate::model::sorted::Set;
use crate::model::{BootId, ChildId, RunId, Uptime, tree};
use crate::os::adopt::{self, ENDING, Record, Verdict};
use crate::os::reap::{self, Child};
use crate::os::{clock, fifo, procfs, say, spawn};
use crate::replay;

/// Goes on with what the sup before us has left.
pub(super) fn take_up(core: &mut Core, baton: Option<&Baton>, runtime: &Path, now: Uptime) {
    end_checks(runtime);
    match baton {
        Some(baton) => core.take_up(baton),
        None => adopt_all(core, runtime, now),
    }
    // The program before us may have heard of an orphan's end and not taken the news.
    reap::hear(core.adopts);
    // Each look of cron's would be a mail about it.
    if core.look.is_none() {
        tell_of_strangers(core, runtime);
    }
}

/// What the checks of the sup before us have left running is of no use to anybody.
fn end_checks(home: &Path) {
    let killed = adopt::kill_checks(&home.display().to_string());
    if killed > 0 {
        say::news(format_args!(
            "killed what checks of the sup before left running: {killed} processes"
        ));
    }
}

/// Takes up what another sup has started under this boot: by what it wrote down, and by
/// the marks in the environment where it was killed before it could.
fn adopt_all(core: &mut Core, dir: &Path, now: Uptime) {
    let (boot, home) = (core.boot, dir.display().to_string());
    if boot == BootId::default() {
        return; // Nobody can be known again without one.
    }
    let strays = adopt::strays(&home, boot);
    let children: Vec<_> = core
        .supervisor
        .children()
        .map(|(id, spec, _)| (id, spec.name.clone()))
        .gather();
    let strays: Vec<_> = strays
        .into_iter()
        .filter(|(child, record)| is_kin(core, dir, child, record.pid))
        .gather();
    for (id, name) in children {
        let written = Record::read(dir, &name).filter(|record| record.boot == boot);
        let stray = strays
            .iter()
            .find(|(child, _)| **child == *name)
            .map(|(_, record)| *record);
        let record = match (written, stray) {
            // A stray of the same run is what its dead main process left behind.
            (Some(written), Some(stray)) if stray.nth > written.nth => Some(stray),
            (written, stray) => written.or(stray),
        };
        let verdict = Verdict::read(dir, &name).filter(|verdict| verdict.boot == boot);
        match (record, verdict) {
            (Some(record), verdict) if verdict.is_none_or(|verdict| verdict.nth < record.nth) => {
                core.adopt(id, record);
            }
            (_, Some(verdict)) => core.adopt_verdict(id, verdict, now),
            (_, None) => {}
        }
    }
}

/// Whether a process that carries the marks of a child of ours is one. Anybody can write
/// marks: who runs it must be root, we, or the child's user. One that has given up root by
/// itself shows by where it writes to.
fn is_kin(core: &Core, dir: &Path, child: &str, pid: u32) -> bool {
    let user = procfs::user(pid.cast_signed());
    if user.is_some_and(|user| user == 0 || user == nix::unistd::getuid().as_raw()) {
        return true;
    }
    let Some(id) = core.supervisor.find(child) else {
        return false;
    };
    let spec = core.supervisor.spec(id);
    let by_user = user.is_some() && user == spawn::user(&spec.launch);
    let is_kin = by_user || fifo::is_output(pid, &pipe_of(dir, &spec.name));
    if !is_kin {
        say::warning(format_args!(
            "process {pid} of another user pretends to be {child}; left alone"
        ));
    }
    is_kin
}

/// Tells of what an earlier sup has started and this configuration does not know: nobody
/// looks after it any more.
fn tell_of_strangers(core: &Core, dir: &Path) {
    let children = core.supervisor.children();
    let known: Set<_> = children
        .map(|(_, spec, _)| tree::file_name(&spec.name))
        .gather();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let file = entry.file_name();
        let name = file.to_str().and_then(|name| name.strip_suffix(ENDING));
        let Some(name) = name.filter(|name| !known.contains(*name)) else {
            continue;
        };
        match Record::read(dir, name).filter(|record| record.boot == core.boot) {
            Some(record) if record.is_alive() => {
                let pid = record.pid;
                say::warning(format_args!(
                    "{name} runs on (pid {pid}) and is not configured any more: nobody looks after it; kill {pid} ends it"
                ));
            }
            Some(_) | None => adopt::erase(dir, name),
        }
    }
}

impl Core {
    /// Takes up a run that another sup has started: from now on we hear of its end. What
    /// has ended while nobody listened ends now.
    pub(super) fn adopt(&mut self, child: ChildId, record: Record) {
        let run = RunId {
            child,
            nth: record.nth,
        };
        self.record(|supervisor| replay::adopted(run, record.pid, record.at, supervisor));
        self.supervisor.adopt(run, record.pid, record.at);
        let name = &self.supervisor.spec(child).name;
        if record.is_alive() && self.look.is_none() {
            let text = format!("{name} adopted (pid {})", record.pid);
            say::news(format_args!("{text}"));
            self.history.push(clock::wall(), &text);
        }
        let spec = self.supervisor.spec(child);
        self.outputs.attach(child, spec, record.pid);
        self.look_after(run, record);
        self.measure_child(child);
    }

    /// Hears of the end of a run that we have not started; of how it was in every case where
    /// it is our child: one of the program that this process was before.
    fn look_after(&mut self, run: RunId, record: Record) {
        let (ours, watch) = if record.is_our_child() {
            (true, self.watch(run, Child::inherited(record.pid).ended()))
        } else {
            (false, self.watch(run, record.ended().boxed_local()))
        };
        // It says that it lives to the same path, and we have not listened until now.
        let spec = self.supervisor.spec(run.child);
        let ears = match ready::watchdog_usec(spec) {
            Some(_) => ready::connect(spec, self.runtime.as_deref()).map(|(ears, _)| ears),
            None => Ok(Vec::new()),
        };
        let hearing = self.hear(run, ears.unwrap_or_default(), Some(clock::now()));
        self.keep(Live {
            run,
            adopted: (!ours).then(|| Box::new(record)),
            hearing,
            _watch: watch,
        });
    }
}
