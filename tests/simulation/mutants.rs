//! Deliberate bugs: the exchange between the world and the supervisor is corrupted as a
//! bug would corrupt it, and an invariant must notice. Nothing in sup knows of this.

use core::time::Duration;

use sup::model::memory::{Credit, Hold};
use sup::model::order::StopWhy;
use sup::model::{Memory, Notice, Order, RunId, Signal, Uptime};
use sup::policy::{Action, Event, Phase, Reach, Supervisor};

use crate::invariants::Invariant;

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    SpawnsTwice,
    LosesTheWordOnDisk,
    LosesAnExit,
    TakesNewsForAnotherRun,
    LosesTheWindowOnDisk,
    RestartsWithoutAWord,
    TriesWhatWasGivenUp,
    GivesUpEarly,
    WakesAnHourLate,
    NeverKills,
    SignalsTheDead,
    WaitsTwiceAsLong,
    RecoversAtOnce,
    ChargesWhatWasAsked,
    AnswersTwice,
    NeverAnswers,
    AnswersUnsaved,
    SavesAlways,
    ForgetsTheBackoff,
    LivesInTheFuture,
    NeverEnds,
    EndsTwice,
    StopsAllAtOnce,
    Chatters,
    StartsWhatNobodyAskedFor,
}

/// Every mutant, and the invariant that must be among those that catch it.
pub(crate) const MUTANTS: [(Mutant, Invariant); 25] = [
    (Mutant::SpawnsTwice, Invariant::OneRun),
    (Mutant::LosesTheWordOnDisk, Invariant::NothingUnwantedStarts),
    (Mutant::LosesAnExit, Invariant::NothingForgotten),
    (Mutant::TakesNewsForAnotherRun, Invariant::NothingForgotten),
    (Mutant::LosesTheWindowOnDisk, Invariant::BudgetHolds),
    (Mutant::RestartsWithoutAWord, Invariant::BudgetHolds),
    (Mutant::TriesWhatWasGivenUp, Invariant::GivenUpRests),
    (Mutant::GivesUpEarly, Invariant::SpentBeforeGivenUp),
    (Mutant::WakesAnHourLate, Invariant::StopEnds),
    (Mutant::NeverKills, Invariant::StopEnds),
    (Mutant::SignalsTheDead, Invariant::OnlyTheLivingAreSignalled),
    (Mutant::WaitsTwiceAsLong, Invariant::DelaysFollow),
    (Mutant::RecoversAtOnce, Invariant::SettledIsSettled),
    (Mutant::ChargesWhatWasAsked, Invariant::AskedIsUncharged),
    (Mutant::AnswersTwice, Invariant::OneAnswer),
    (Mutant::NeverAnswers, Invariant::OneAnswer),
    (Mutant::AnswersUnsaved, Invariant::AcceptedIsSaved),
    (Mutant::SavesAlways, Invariant::SavesAreRare),
    (Mutant::ForgetsTheBackoff, Invariant::MemoryReadBack),
    (Mutant::LivesInTheFuture, Invariant::DeadlineHonest),
    (Mutant::NeverEnds, Invariant::EndComes),
    (Mutant::EndsTwice, Invariant::EndComes),
    (Mutant::StopsAllAtOnce, Invariant::DependentsStopFirst),
    (Mutant::Chatters, Invariant::Bounded),
    (Mutant::StartsWhatNobodyAskedFor, Invariant::NoAlarm),
];

/// The place where the bug sits.
pub(crate) struct Mutation {
    mutant: Option<Mutant>,
    count: u32,
}

impl Mutation {
    pub(crate) fn new(mutant: Option<Mutant>) -> Self {
        Self { mutant, count: 0 }
    }

    /// An event on its way in.
    pub(crate) fn event(&mut self, event: Event) -> Option<Event> {
        let next = |run: RunId| RunId {
            nth: run.nth + 1,
            ..run
        };
        match (self.mutant, event) {
            (Some(Mutant::LosesAnExit), Event::Exited { .. }) => {
                self.count += 1;
                (!self.count.is_multiple_of(3)).then_some(event)
            }
            (Some(Mutant::TakesNewsForAnotherRun), Event::Exited { run, exit, left }) => {
                Some(Event::Exited {
                    run: next(run),
                    exit,
                    left,
                })
            }
            (Some(Mutant::StartsWhatNobodyAskedFor), Event::Started { run, pid }) => {
                Some(Event::Started {
                    run: next(run),
                    pid,
                })
            }
            _ => Some(event),
        }
    }

    /// The time on its way in.
    pub(crate) fn clock(&self, now: Uptime) -> Uptime {
        match self.mutant {
            Some(Mutant::LivesInTheFuture) => now + Duration::from_secs(10),
            _ => now,
        }
    }

    /// The deadline on its way out.
    pub(crate) fn deadline(&self, due: Option<u64>) -> Option<u64> {
        match self.mutant {
            Some(Mutant::WakesAnHourLate) => due.map(|at| at + 3_600_000),
            _ => due,
        }
    }

    /// Memory on its way to the disk.
    pub(crate) fn saved(&self, memory: &mut Memory) {
        for child in &mut memory.children {
            match self.mutant {
                Some(Mutant::LosesTheWordOnDisk) => child.hold = Hold::None,
                Some(Mutant::LosesTheWindowOnDisk) => {
                    child.window.clear();
                    child.credit = Credit::Whole;
                }
                _ => {}
            }
        }
    }

    /// Memory on its way from the disk.
    pub(crate) fn recalled(&self, memory: &mut Memory) {
        if self.mutant == Some(Mutant::ForgetsTheBackoff) {
            memory
                .children
                .iter_mut()
                .for_each(|child| child.streak = 0);
        }
    }

    /// Actions on their way out.
    pub(crate) fn actions(
        &mut self,
        event: &Event,
        actions: &mut Vec<Action>,
        sup: &mut Supervisor,
        now: Uptime,
    ) {
        match self.mutant {
            None => {}
            Some(Mutant::SpawnsTwice) => {
                double(actions, |action| matches!(action, Action::Spawn(_)));
            }
            Some(Mutant::AnswersTwice) => {
                double(actions, |action| matches!(action, Action::Answer(_)));
            }
            Some(Mutant::EndsTwice) => {
                double(actions, |action| matches!(action, Action::End { .. }));
            }
            Some(Mutant::NeverAnswers) => {
                actions.retain(|action| !matches!(action, Action::Answer(_)));
            }
            Some(Mutant::NeverEnds) => {
                actions.retain(|action| !matches!(action, Action::End { .. }));
            }
            Some(Mutant::AnswersUnsaved) => actions.retain(|action| *action != Action::Save),
            Some(Mutant::SavesAlways) => actions.push(Action::Save),
            Some(Mutant::NeverKills) => actions.retain(|action| {
                !matches!(
                    action,
                    Action::Signal {
                        signal: Signal::KILL,
                        ..
                    }
                )
            }),
            Some(Mutant::RestartsWithoutAWord) => {
                actions.retain(|action| !matches!(action, Action::Tell(Notice::Restarting { .. })));
            }
            Some(Mutant::Chatters) => {
                let run = RunId {
                    child: sup::model::ChildId(0),
                    nth: 0,
                };
                actions.extend([Action::Tell(Notice::Killed { run }); 200]);
            }
            Some(mutant) => self.lies(mutant, event, actions, sup, now),
        }
    }

    /// Those that say or do what is not so.
    fn lies(
        &self,
        mutant: Mutant,
        event: &Event,
        actions: &mut Vec<Action>,
        sup: &mut Supervisor,
        now: Uptime,
    ) {
        match (mutant, *event) {
            (Mutant::TriesWhatWasGivenUp, _) => try_again(actions, sup, now),
            (Mutant::StopsAllAtOnce, Event::Shutdown) => stop_all(actions, sup),
            (
                Mutant::SignalsTheDead,
                Event::Exited {
                    run, left: false, ..
                },
            ) => {
                actions.push(term(run));
            }
            (Mutant::RecoversAtOnce, Event::Started { run, .. }) => {
                actions.push(Action::Tell(Notice::Recovered { run, restarts: 1 }));
            }
            (Mutant::GivesUpEarly | Mutant::WaitsTwiceAsLong | Mutant::ChargesWhatWasAsked, _) => {
                for action in actions {
                    if let Action::Tell(notice) = action {
                        lie(mutant, notice);
                    }
                }
            }
            _ => {}
        }
    }
}

fn lie(mutant: Mutant, notice: &mut Notice) {
    match (mutant, *notice) {
        (Mutant::GivesUpEarly, Notice::Restarting { run, exit, .. }) => {
            *notice = Notice::GaveUp {
                run,
                exit,
                restarts: 0,
                window: Duration::ZERO,
                trial: false,
            };
        }
        (
            Mutant::WaitsTwiceAsLong,
            Notice::Restarting {
                run,
                exit,
                delay,
                attempt,
                max,
            },
        ) => {
            let delay = delay * 2;
            *notice = Notice::Restarting {
                run,
                exit,
                delay,
                attempt,
                max,
            };
        }
        (
            Mutant::ChargesWhatWasAsked,
            Notice::Ended {
                run,
                exit,
                asked: true,
            },
        ) => {
            *notice = Notice::Restarting {
                run,
                exit,
                delay: Duration::ZERO,
                attempt: 1,
                max: None,
            };
        }
        _ => {}
    }
}

fn double(actions: &mut Vec<Action>, which: impl Fn(&Action) -> bool) {
    if let Some(at) = actions.iter().position(which) {
        actions.insert(at, actions[at]);
    }
}

fn term(run: RunId) -> Action {
    Action::Signal {
        run,
        signal: Signal::TERM,
        to: Reach::All,
    }
}

fn try_again(actions: &mut Vec<Action>, sup: &mut Supervisor, now: Uptime) {
    let gave_up = actions.iter().find_map(|action| match action {
        Action::Tell(Notice::GaveUp { run, .. }) => Some(run.child),
        _ => None,
    });
    if let Some(child) = gave_up {
        let order = Order::Reset;
        let more = sup.handle(Event::Order { child, order }, now);
        actions.extend(more.filter(|action| !matches!(action, Action::Answer(_) | Action::Save)));
    }
}

fn stop_all(actions: &mut Vec<Action>, sup: &Supervisor) {
    for (_, _, child) in sup.children() {
        if let Phase::Up { process, .. } = child.phase() {
            let (run, why) = (process.run, StopWhy::Shutdown);
            actions.push(Action::Tell(Notice::Stopping { run, why }));
            actions.push(term(run));
        }
    }
}
