//! Telling a policy what another one was told.

use std::io::{self, Write};

use super::following;
use super::parse::{Journal, Life, Step, TakenUp, What, adopted, verdict};
use super::read::{self, Read};
use super::told::{Summary, Telling, Told};
use super::words::scaled;
use crate::model::Gather as _;
use crate::policy::{Action, Event, Stranger, Supervisor};
use crate::store;

/// Plays a journal, and tells what follows each event: in the words of the journal, where
/// both agree, so that what is told of an agreeing one is most of it. The last line is the
/// summary.
///
/// # Errors
/// Of the writing.
pub fn play(journal: &Journal<'_>, how: Telling, out: &mut dyn Write) -> io::Result<Summary> {
    let mut player = Player {
        how,
        out,
        summary: Summary::default(),
    };
    for life in &journal.lives {
        player.life(life)?;
    }
    player.tell(&Told::Summary(player.summary))?;
    Ok(player.summary)
}

struct Player<'a> {
    how: Telling,
    out: &'a mut dyn Write,
    summary: Summary,
}

impl Player<'_> {
    fn life(&mut self, life: &Life<'_>) -> io::Result<()> {
        self.summary.lives += 1;
        self.tell(&Told::Life {
            line: life.line,
            at: life.at,
            sup: life.sup,
        })?;
        if let Some(tree) = &life.tree {
            let mut supervisor = Supervisor::new(tree.tree.clone(), life.rules);
            supervisor.watch_host(tree.host.clone(), life.at);
            if let Some(memory) = life.memory.clone() {
                let memory = store::rebase(memory, life.at, life.boot);
                supervisor.recall(&memory, life.boot, life.at);
            }
            if self.take_over(life, &mut supervisor)? && self.adopt(life, &mut supervisor)? {
                self.steps(life, &mut supervisor)?;
            }
        }
        if let Some(line) = life.cut {
            self.summary.cut += 1;
            self.tell(&Told::Cut { line })?;
        }
        Ok(())
    }

    /// Whether what was handed over is of this tree.
    fn take_over(&mut self, life: &Life<'_>, supervisor: &mut Supervisor) -> io::Result<bool> {
        let Some((line, standing)) = &life.handover else {
            return Ok(true);
        };
        let taken = supervisor.take_over(standing, life.at);
        if let Err(Stranger(name)) = &taken {
            self.stop(*line, &format!("{name} is not configured"))?;
        }
        Ok(taken.is_ok())
    }

    /// Whether all of them are known.
    fn adopt(&mut self, life: &Life<'_>, supervisor: &mut Supervisor) -> io::Result<bool> {
        for (line, left) in &life.taken_up {
            let taken = match left {
                TakenUp::Adopted(run) => {
                    adopted(run, supervisor).map(|(run, pid, at)| supervisor.adopt(run, pid, at))
                }
                TakenUp::Decided(run) => verdict(run, supervisor).map(|(run, next)| {
                    supervisor.adopt_verdict(run.child, run.nth, next, life.at);
                }),
            };
            if let Err(words) = taken {
                self.stop(*line, &words)?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn steps(&mut self, life: &Life<'_>, supervisor: &mut Supervisor) -> io::Result<()> {
        for step in &life.steps {
            match decide(step, supervisor) {
                Ok(decided) => self.step(step, decided.as_deref())?,
                Err(words) => return self.stop(step.line, &words),
            }
        }
        Ok(())
    }

    fn step(&mut self, step: &Step<'_>, decided: Option<&str>) -> io::Result<()> {
        let what = match &step.what {
            What::Event(words) => (*words).to_owned(),
            What::Scale(words) => format!("scale {words}"),
            What::Reload(..) => "reload".to_owned(),
        };
        let recorded = step.followed;
        let differs = recorded.is_some() && decided.is_some() && recorded != decided;
        self.summary.played += 1;
        self.summary.different += usize::from(differs);
        self.tell(&Told::Step {
            line: step.line,
            at: step.at,
            what: &what,
            recorded,
            decided,
            differs,
        })
    }

    /// What is recorded cannot have happened to this supervisor: it has come to differ.
    fn stop(&mut self, line: usize, why: &str) -> io::Result<()> {
        self.summary.different += 1;
        self.tell(&Told::LeftOut { line, why })
    }

    fn tell(&mut self, told: &Told<'_>) -> io::Result<()> {
        if self.how.quiet && !told.is_odd() {
            return Ok(());
        }
        if self.how.json {
            let object = serde_json::to_string(told).unwrap_or_default();
            return writeln!(self.out, "{object}");
        }
        writeln!(self.out, "{told}")
    }
}

/// What follows from a line; `None`: nothing until the next one.
fn decide(step: &Step<'_>, supervisor: &mut Supervisor) -> Read<Option<String>> {
    match &step.what {
        What::Event(words) => {
            let event: Event = read::event(words, supervisor)?;
            let actions: Vec<Action> = supervisor.handle(event, step.at).gather();
            Ok(Some(following(&actions, supervisor)))
        }
        What::Scale(words) => {
            let (group, to) = read::scale(words, supervisor)?;
            Ok(Some(scaled(&supervisor.scale(group, to))))
        }
        What::Reload(tree, shutdown_timeout) => {
            supervisor.reload(tree.tree.clone(), *shutdown_timeout, step.at);
            supervisor.watch_host(tree.host.clone(), step.at);
            Ok(None)
        }
    }
}
