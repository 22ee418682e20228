//! Deliberate bugs: the exchange between the world and the supervisor is corrupted as a
//! bug would corrupt it, and an invariant must notice. Nothing in sup knows of this.

use core::time::Duration;

use sup::model::memory::{Credit, Hold};
use sup::model::order::{GroupEnd, GroupNotice, StopWhy};
use sup::model::tree::{AutoShutdown, Strategy};
use sup::model::{GroupId, Health, Member, Memory, Notice, Order, RunId, Signal, Tree, Uptime};
use sup::policy::{Action, Event, Over, Phase, Reach, Supervisor};

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
    ForgetsTheAdopted,
    LosesSightOfTheHeld,
    NeverSleeps,
    Spins,
    LosesTheScaleOnDisk,
    StopsGroupsAtOnce,
    StartsTwoAtOnce,
    SparesSiblings,
    TakesTheFirstAlong,
    RevivesTemporaries,
    HurriesGroups,
    AllowsOneMore,
    AllowsOneLess,
    TriesGroupsThatGaveUp,
    LosesTheGroupsWordOnDisk,
    RenewsTwice,
    EndsWell,
    OverlooksTheSignificant,
    StartsWhatIsDone,
    RecoversGroupsAtOnce,
    ForgetsTheGroupsBackoff,
    UpgradesToAStranger,
    ProbesTwice,
    EndsTheHealthy,
    EndsTheLively,
    OverlooksTheSick,
}

/// Every mutant, and the invariant that must be among those that catch it.
pub(crate) const MUTANTS: [(Mutant, Invariant); 51] = [
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
    (Mutant::ForgetsTheAdopted, Invariant::OneRun),
    (Mutant::LosesSightOfTheHeld, Invariant::AdoptedAreKept),
    (Mutant::NeverSleeps, Invariant::Quiet),
    (Mutant::Spins, Invariant::NoStorm),
    (Mutant::LosesTheScaleOnDisk, Invariant::ScaleStands),
    (Mutant::StopsGroupsAtOnce, Invariant::GroupsStopBackwards),
    (Mutant::StartsTwoAtOnce, Invariant::GroupsStartInOrder),
    (Mutant::SparesSiblings, Invariant::SharesFate),
    (Mutant::TakesTheFirstAlong, Invariant::OthersAreSpared),
    (Mutant::RevivesTemporaries, Invariant::TemporariesStayDown),
    (Mutant::HurriesGroups, Invariant::GroupWaits),
    (Mutant::AllowsOneMore, Invariant::GroupBudgetHolds),
    (Mutant::AllowsOneLess, Invariant::GroupSpentBeforeFailed),
    (Mutant::TriesGroupsThatGaveUp, Invariant::GroupGivenUpRests),
    (Mutant::LosesTheGroupsWordOnDisk, Invariant::GroupWordStands),
    (Mutant::RenewsTwice, Invariant::EscalatesOnce),
    (Mutant::EndsWell, Invariant::RootFailureEnds),
    (Mutant::OverlooksTheSignificant, Invariant::SignificantEnds),
    (Mutant::StartsWhatIsDone, Invariant::DoneRests),
    (
        Mutant::RecoversGroupsAtOnce,
        Invariant::SettledGroupsAreCalm,
    ),
    (Mutant::ForgetsTheGroupsBackoff, Invariant::MemoryReadBack),
    (Mutant::UpgradesToAStranger, Invariant::OneRun),
    (Mutant::ProbesTwice, Invariant::ProbesTakeTurns),
    (Mutant::EndsTheHealthy, Invariant::EndedForAReason),
    (Mutant::EndsTheLively, Invariant::EndedForAReason),
    (Mutant::OverlooksTheSick, Invariant::SickAreEnded),
];

/// The place where the bug sits.
pub(crate) struct Mutation {
    mutant: Option<Mutant>,
    count: u32,
    spared: Vec<RunId>,
}

impl Mutation {
    pub(crate) fn new(mutant: Option<Mutant>) -> Self {
        Self {
            mutant,
            count: 0,
            spared: Vec::new(),
        }
    }

    /// A configuration on its way in.
    pub(crate) fn tree(&self, mut tree: Tree) -> Tree {
        for group in core::iter::once(&mut tree.root).chain(&mut tree.groups) {
            let max = group
                .budget
                .as_mut()
                .and_then(|it| it.max_restarts.as_mut());
            match (self.mutant, max) {
                (Some(Mutant::AllowsOneMore), Some(max)) => *max += 1,
                (Some(Mutant::AllowsOneLess), Some(max)) => *max = max.saturating_sub(1),
                (Some(Mutant::OverlooksTheSignificant), _) => {
                    group.auto_shutdown = AutoShutdown::Never;
                }
                _ => {}
            }
        }
        tree
    }

    /// Whether a run of another sup is taken up.
    pub(crate) fn adopts(&self, sup: &Supervisor, run: RunId) -> bool {
        match self.mutant {
            Some(Mutant::ForgetsTheAdopted) => false,
            Some(Mutant::LosesSightOfTheHeld) => sup.child(run.child).hold() == Hold::None,
            _ => true,
        }
    }

    /// Whether another program goes on with what this one was doing.
    pub(crate) fn hands_over(&self) -> bool {
        self.mutant != Some(Mutant::UpgradesToAStranger)
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
            (Some(Mutant::EndsTheHealthy), Event::Probed { check, nth, .. }) => {
                let health = Health::Critical;
                Some(Event::Probed { check, nth, health })
            }
            (Some(Mutant::OverlooksTheSick), Event::Probed { check, nth, .. }) => {
                let health = Health::Healthy;
                Some(Event::Probed { check, nth, health })
            }
            (Some(Mutant::EndsTheLively), Event::Pulse { run, .. }) => {
                Some(Event::Pulse { run, last: None })
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
            Some(Mutant::NeverSleeps) => due.or(Some(u64::MAX)),
            Some(Mutant::Spins) => due.map(|_| 0),
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

    /// The same of groups.
    pub(crate) fn saved_groups(&self, memory: &mut Memory) {
        for group in &mut memory.groups {
            match self.mutant {
                Some(Mutant::LosesTheGroupsWordOnDisk) => group.hold = Hold::None,
                Some(Mutant::LosesTheScaleOnDisk) => group.scale = None,
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
        if self.mutant == Some(Mutant::ForgetsTheGroupsBackoff) {
            let groups = memory.groups.iter_mut();
            groups.for_each(|group| group.streak = 0);
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
            Some(Mutant::ProbesTwice) => {
                double(actions, |action| matches!(action, Action::Probe { .. }));
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
            Some(Mutant::SparesSiblings) => self.spares(actions),
            Some(mutant) => {
                self.lies(mutant, event, actions, sup, now);
                wrongs_groups(mutant, event, actions, sup, now);
            }
        }
    }

    /// Who is taken along is told so, and no more.
    fn spares(&mut self, actions: &mut Vec<Action>) {
        for action in &*actions {
            if let Action::Tell(Notice::Stopping {
                run,
                why: StopWhy::Taken(_),
            }) = action
            {
                self.spared.push(*run);
            }
        }
        let spared = &self.spared;
        actions
            .retain(|action| !matches!(action, Action::Signal { run, .. } if spared.contains(run)));
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

/// Those that do groups wrong.
fn wrongs_groups(
    mutant: Mutant,
    event: &Event,
    actions: &mut Vec<Action>,
    sup: &mut Supervisor,
    now: Uptime,
) {
    match (mutant, *event) {
        (
            Mutant::StopsGroupsAtOnce,
            Event::Order {
                of: Member::Group(group),
                order: Order::Stop { .. },
            },
        ) => stop_group(actions, sup, group, StopWhy::Group(group)),
        (Mutant::RecoversGroupsAtOnce, _) => {
            if let Some(group) = told(actions, |what| matches!(what, GroupNotice::Renewed { .. })) {
                let what = GroupNotice::Recovered { restarts: 1 };
                actions.push(Action::Tell(Notice::Group { group, what }));
            }
        }
        (Mutant::TakesTheFirstAlong, _) => {
            let group = told(actions, |what| {
                matches!(what, GroupNotice::Restarting { .. })
            });
            if let Some(group) = group
                && sup.group(group).spec().strategy == Strategy::RestForOne
            {
                stop_group(actions, sup, group, StopWhy::Taken(group));
            }
        }
        (Mutant::TriesGroupsThatGaveUp, _) => {
            let gives_up = |what: &GroupNotice| {
                let then = GroupEnd::GivesUp;
                matches!(what, GroupNotice::Failed { then: end, .. } if *end == then)
            };
            order_group(actions, sup, now, gives_up, Order::Reset);
        }
        (Mutant::StartsWhatIsDone, _) => {
            let ends = |what: &GroupNotice| matches!(what, GroupNotice::Finished { .. });
            order_group(actions, sup, now, ends, Order::Start);
        }
        (Mutant::StartsTwoAtOnce | Mutant::RevivesTemporaries, _) => one_more(mutant, actions, sup),
        (Mutant::RenewsTwice, _) => double(actions, |action| {
            matches!(
                action,
                Action::Tell(Notice::Group {
                    what: GroupNotice::Renewed { .. },
                    ..
                })
            )
        }),
        (Mutant::EndsWell, _) => {
            for action in actions {
                if let Action::End { success } = action {
                    *success = true;
                }
            }
        }
        (Mutant::HurriesGroups, _) => {
            for action in actions {
                if let Action::Tell(Notice::Group {
                    what: GroupNotice::Restarting { delay, .. },
                    ..
                }) = action
                {
                    *delay /= 2;
                }
            }
        }
        _ => {}
    }
}

/// The group of which something has been told.
fn told(actions: &[Action], which: impl Fn(&GroupNotice) -> bool) -> Option<GroupId> {
    actions.iter().find_map(|action| match action {
        Action::Tell(Notice::Group { group, what }) if which(what) => Some(*group),
        _ => None,
    })
}

/// All children of a group that are up are asked to end, the first one first.
fn stop_group(actions: &mut Vec<Action>, sup: &Supervisor, group: GroupId, why: StopWhy) {
    for &member in sup.group(group).members() {
        if let Member::Child(id) = member
            && let Phase::Up { process, .. } = sup.child(id).phase()
        {
            let run = process.run;
            actions.push(Action::Tell(Notice::Stopping { run, why }));
            actions.push(term(run));
        }
    }
}

/// Nobody has given that order.
fn order_group(
    actions: &mut Vec<Action>,
    sup: &mut Supervisor,
    now: Uptime,
    when: impl Fn(&GroupNotice) -> bool,
    order: Order,
) {
    if let Some(group) = told(actions, when) {
        let of = Member::Group(group);
        let more = sup.handle(Event::Order { of, order }, now);
        actions.extend(more.filter(|action| !matches!(action, Action::Answer(_) | Action::Save)));
    }
}

/// With one member of a group starts another.
fn one_more(mutant: Mutant, actions: &mut Vec<Action>, sup: &Supervisor) {
    let spawned = actions.iter().find_map(|action| match action {
        Action::Spawn(run) => Some(run.child),
        _ => None,
    });
    let Some(child) = spawned else {
        return;
    };
    let members = sup.group(sup.group_of(child)).members();
    let other = members.iter().rev().find_map(|&member| match member {
        Member::Child(id) if id != child => match sup.child(id).phase() {
            Phase::Over(Over::TakenAlong) => Some(id),
            Phase::Idle if mutant == Mutant::StartsTwoAtOnce => Some(id),
            _ => None,
        },
        _ => None,
    });
    if let Some(child) = other {
        let nth = sup.child(child).runs() + 1;
        actions.push(Action::Spawn(RunId { child, nth }));
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
                counted_by,
            },
        ) => {
            let delay = delay * 2;
            *notice = Notice::Restarting {
                run,
                exit,
                delay,
                attempt,
                max,
                counted_by,
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
                counted_by: None,
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
        let (of, order) = (Member::Child(child), Order::Reset);
        let more = sup.handle(Event::Order { of, order }, now);
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
