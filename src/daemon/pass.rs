//! What a core passes on to the program that takes its place, and takes up from the one
//! before it.

use std::io;
use std::rc::Weak;

use smol::future::FutureExt as _;

use super::baton::{Baton, Pipe, Run};
use super::core::{Core, Live};
use super::history::History;
use super::ready::Ear;
use crate::model::Gather as _;
use crate::model::RunId;
use crate::os::adopt::Record;
use crate::os::reap::Child;
use crate::os::{clock, say};
use crate::policy::Phase;

impl Core {
    pub(super) fn runs_passed(&self) -> Vec<Run> {
        let runs = self.live.iter().flatten();
        let pass = |live: &Live| Run {
            child: self.supervisor.spec(live.run.child).name.clone(),
            foreign: live.adopted.as_ref().map(|record| record.start),
            ears: live
                .hearing
                .iter()
                .flat_map(|hearing| &hearing.ears)
                .filter_map(Weak::upgrade)
                .map(|ear| ear.pass())
                .gather(),
            heard: live
                .hearing
                .as_ref()
                .and_then(|hearing| hearing.heard.get()),
        };
        runs.map(pass).gather()
    }

    /// Goes on with what the program before us was doing. What cannot be taken up is told,
    /// and costs that alone.
    pub(super) fn take_up(&mut self, baton: &Baton) {
        self.started = baton.started;
        self.history = History::inherit(&baton.history);
        for pipe in &baton.pipes {
            if let Err(error) = self.take_pipe(pipe) {
                say::warning(format_args!("{}: its output pipe: {error}", pipe.child));
            }
        }
        for run in &baton.runs {
            self.take_run(run);
        }
        let (version, before) = (env!("CARGO_PKG_VERSION"), &baton.from);
        let text = format!(
            "sup {version} has taken over from {before} with {} runs; nothing was restarted",
            baton.runs.len()
        );
        say::news(format_args!("{text}"));
        self.history.push(clock::wall(), &text);
    }

    fn take_pipe(&mut self, pipe: &Pipe) -> io::Result<()> {
        let Some(id) = self.supervisor.find(&pipe.child) else {
            return Ok(());
        };
        self.outputs.inherit(id, self.supervisor.spec(id), pipe)
    }

    fn take_run(&mut self, passed: &Run) {
        let Some(id) = self.supervisor.find(&passed.child) else {
            return;
        };
        let phase = *self.supervisor.child(id).phase();
        let Some(process) = phase.process() else {
            return;
        };
        let run = RunId {
            child: id,
            nth: process.run.nth,
        };
        let adopted = passed.foreign.map(|start| Record {
            boot: self.boot,
            pid: process.pid,
            start,
            nth: run.nth,
            at: process.at,
        });
        let spec = self.supervisor.spec(id);
        let ears = passed.ears.iter().filter_map(|ear| {
            let ear = Ear::inherit(ear, spec);
            let told = |error: &io::Error| {
                say::warning(format_args!(
                    "{}: its readiness channel: {error}",
                    passed.child
                ));
            };
            ear.inspect_err(told).ok()
        });
        let hearing = self.hear(run, ears.gather(), passed.heard);
        let watch = match (phase, adopted) {
            // Its end has been told.
            (Phase::Clearing { .. }, _) => super::spawn(&self.executor, async {}),
            (_, Some(record)) => self.watch(run, record.ended().boxed_local()),
            (_, None) => self.watch(run, Child::inherited(process.pid).ended()),
        };
        self.keep(Live {
            run,
            adopted: adopted.map(Box::new),
            hearing,
            _watch: watch,
        });
    }
}
