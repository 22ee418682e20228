//! What clients order: given to policy at once, then a task waits for what becomes of it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::clients::{detach, refuse};
use super::core::{Core, Shared};
use super::report;
use crate::control::Replies;
use crate::model::Gather as _;
use crate::model::limits::{CHILDREN_MAX, INSTANCES_MAX};
use crate::model::order::ScaleTo;
use crate::model::report::State;
use crate::model::words::Names;
use crate::model::{ChildId, GroupId, Member, Order, Uptime};
use crate::policy::{Answer, Event, GroupPhase, Over, Phase, ScaleFault, Then};
use crate::replay;
use crate::wire::control::{Outcome, Reply};

/// An order to one child or group, and what we wait for.
struct Ordered {
    of: Member,
    name: String,
    answer: Answer,
    goal: Goal,
    /// The group that is down, where that is the answer.
    kept_down_by: String,
}

#[derive(Clone, Copy)]
enum Goal {
    /// A run, or a start of the group, with a higher number than this is up.
    Up {
        after: u32,
    },
    /// That run, or that start of the group, is down. It may be up again by now: the time
    /// of a stop can be over before we look.
    Down {
        last: u32,
    },
    Nothing,
}

/// Gives an order to these members; replies follow.
pub(super) fn obey(
    core: &Shared,
    members: &[Member],
    order: Order,
    wait: bool,
    replies: Replies,
    now: Uptime,
) {
    let ordered: Vec<Ordered> = {
        let mut core = core.borrow_mut();
        members
            .iter()
            .map(|&of| give(&mut core, of, order, now))
            .gather()
    };
    follow(core, ordered, wait, replies);
}

/// Changes the number of a template's instances; replies follow for each that comes or goes.
pub(super) fn scale(
    core: &Shared,
    id: GroupId,
    to: ScaleTo,
    wait: bool,
    replies: Replies,
    now: Uptime,
) {
    let result = {
        let mut core = core.borrow_mut();
        core.scale(id, to, now)
    };
    match result {
        Ok(ordered) => follow(core, ordered, wait, replies),
        Err(fault) => {
            let words = fault_words(
                core.borrow().supervisor.member(Member::Group(id)),
                to,
                fault,
            );
            refuse(core, replies, words);
        }
    }
}

fn follow(core: &Shared, ordered: Vec<Ordered>, wait: bool, replies: Replies) {
    let save = core.borrow().saving.asked();
    detach(
        core,
        await_outcomes(Rc::clone(core), ordered, save, wait, replies),
    );
}

impl Core {
    fn scale(&mut self, id: GroupId, to: ScaleTo, now: Uptime) -> Result<Vec<Ordered>, ScaleFault> {
        let group = self.supervisor.member(Member::Group(id)).to_owned();
        let find = |core: &Self, number: u16| core.supervisor.find(&format!("{group}/{number}"));
        let before: Vec<(u16, ChildId)> = self
            .supervisor
            .group(id)
            .instance_numbers()
            .into_iter()
            .filter_map(|number| Some((number, find(self, number)?)))
            .gather();
        let result = self.supervisor.scale(id, to);
        self.record(|supervisor| replay::scale(id, to, &result, now, supervisor));
        let (come, go) = result?;
        self.adjust_outputs();
        self.turn(Event::Tick, now);
        let coming = come
            .iter()
            .filter_map(|&number| Some((number, find(self, number)?)))
            .map(|(number, child)| (number, child, Goal::Up { after: 0 }));
        let going = before
            .into_iter()
            .filter(|(number, _)| go.contains(number))
            .map(|(number, child)| (number, child, Goal::Down { last: u32::MAX }));
        let ordered = coming.chain(going).map(|(number, child, goal)| Ordered {
            of: Member::Child(child),
            name: format!("{group}/{number}"),
            answer: Answer::Accepted,
            goal,
            kept_down_by: String::new(),
        });
        Ok(ordered.gather())
    }
}

fn fault_words(group: &str, to: ScaleTo, fault: ScaleFault) -> String {
    match (fault, to) {
        (ScaleFault::NoTemplate, _) => format!(
            "{group} has no template: only a group with strategy = \"simple-one-for-one\" has instances"
        ),
        (ScaleFault::NoInstance, ScaleTo::Without(number)) => {
            format!("there is no {group}/{number}; `sup status {group}` shows which there are")
        }
        (ScaleFault::NoInstance | ScaleFault::TooMany, _) => format!(
            "too many: at most {INSTANCES_MAX} instances of one template, and {CHILDREN_MAX} children in all"
        ),
        (ScaleFault::Ending, _) => "everything is being stopped".to_owned(),
    }
}

fn give(core: &mut Core, of: Member, order: Order, now: Uptime) -> Ordered {
    let supervisor = &core.supervisor;
    let name = supervisor.member(of).to_owned();
    let (starts, is_running) = match of {
        Member::Child(id) => {
            let child = supervisor.child(id);
            let running = matches!(
                child.phase(),
                Phase::Starting { .. } | Phase::Readying { .. } | Phase::Up { .. }
            );
            (child.runs(), running)
        }
        Member::Group(id) => {
            let group = supervisor.group(id);
            let running = matches!(
                group.phase(),
                GroupPhase::Rising { .. }
                    | GroupPhase::Up { .. }
                    | GroupPhase::Falling {
                        then: Then::Rise,
                        ..
                    }
            );
            (group.opens(), running)
        }
    };
    let goal = match order {
        Order::Start if is_running => Goal::Up {
            after: starts.saturating_sub(1),
        },
        Order::Start | Order::Restart => Goal::Up { after: starts },
        Order::Stop { .. } => Goal::Down { last: starts },
        Order::Signal(_) | Order::Reset => Goal::Nothing,
    };
    let answer = core.order(of, order, now);
    let kept_down_by = match answer {
        Answer::GroupDown(group) | Answer::RequirementDown(group) => {
            core.supervisor.member(Member::Group(group)).to_owned()
        }
        Answer::Accepted | Answer::Unchanged | Answer::NotRunning | Answer::Ending => String::new(),
    };
    Ordered {
        of,
        name,
        answer,
        goal,
        kept_down_by,
    }
}

/// First memory is on disk, then the order has been carried out, then we say so.
async fn await_outcomes(
    core: Shared,
    ordered: Vec<Ordered>,
    save: u64,
    wait: bool,
    replies: Replies,
) {
    let saved = Rc::clone(&core.borrow().saving.changed);
    while !core.borrow().saving.is_done(save) {
        saved.listen().await;
    }
    let fault = core.borrow().saving.fault.clone();
    if let Some(fault) = fault {
        let words = format!("this will not be remembered over a restart: {fault}");
        let _left = replies.send(&Reply::Warning(words)).await;
    }
    let changed = Rc::clone(&core.borrow().changed);
    let mut left: VecDeque<Ordered> = ordered.into();
    while let Some(first) = left.front() {
        let Some(outcome) = outcome(&core, first, wait) else {
            changed.listen().await;
            continue;
        };
        let reply = Reply::Ordered {
            name: first.name.clone(),
            outcome,
        };
        left.pop_front();
        if replies.send(&reply).await.is_err() {
            return;
        }
    }
    let _left = replies.send(&Reply::Done).await;
}

/// What has become of an order; `None`: nothing yet.
fn outcome(core: &RefCell<Core>, ordered: &Ordered, wait: bool) -> Option<Outcome> {
    let core = core.borrow();
    match (ordered.answer, ordered.goal) {
        (Answer::Ending, _) => Some(Outcome::Ending),
        (Answer::NotRunning, _) => Some(Outcome::NotRunning),
        (Answer::GroupDown(_), _) => Some(Outcome::GroupDown(ordered.kept_down_by.clone())),
        (Answer::RequirementDown(_), _) => {
            Some(Outcome::RequirementDown(ordered.kept_down_by.clone()))
        }
        (Answer::Unchanged, Goal::Up { .. } | Goal::Down { .. }) => Some(Outcome::Unchanged),
        (Answer::Accepted | Answer::Unchanged, Goal::Nothing) => Some(Outcome::Done),
        (Answer::Accepted, Goal::Up { .. } | Goal::Down { .. }) if !wait => Some(Outcome::Accepted),
        (Answer::Accepted, Goal::Down { last }) => {
            is_down(&core, ordered, last).then_some(Outcome::Done)
        }
        (Answer::Accepted, Goal::Up { after }) => match ordered.of {
            Member::Child(id) => child_outcome(&core, id, after),
            Member::Group(_) => match still_there(&core, ordered) {
                Some(id) => group_outcome(&core, id, after),
                None => Some(Outcome::Failed),
            },
        },
    }
}

/// A place may have been given to another child since; then ours is down.
fn is_down(core: &Core, ordered: &Ordered, last: u32) -> bool {
    match ordered.of {
        Member::Child(id) => {
            *core.supervisor.spec(id).name != *ordered.name
                || !core.supervisor.child(id).phase().is_alive()
                || core.supervisor.child(id).runs() > last
        }
        Member::Group(_) => still_there(core, ordered).is_none_or(|id| {
            !core.supervisor.is_alive_below(id) || core.supervisor.group(id).opens() > last
        }),
    }
}

/// A group's number is good until the next reload; its name tells whether it is there.
fn still_there(core: &Core, ordered: &Ordered) -> Option<GroupId> {
    core.supervisor.find_group(&ordered.name)
}

fn child_outcome(core: &Core, id: ChildId, after: u32) -> Option<Outcome> {
    let child = core.supervisor.child(id);
    let ran = child.runs() > after;
    match *child.phase() {
        Phase::Up { process, .. } => (process.run.nth > after).then_some(Outcome::Done),
        Phase::Over(Over::Finished { clean: true }) if ran => Some(Outcome::Done),
        Phase::Over(_) | Phase::Waiting { .. } if ran => Some(Outcome::Failed),
        Phase::Idle if core.supervisor.waits_for_path(id) => Some(Outcome::Accepted),
        Phase::Idle => idle_outcome(core, id),
        Phase::Over(_)
        | Phase::Waiting { .. }
        | Phase::Starting { .. }
        | Phase::Readying { .. }
        | Phase::Stopping { .. }
        | Phase::Clearing { .. } => None,
    }
}

/// What has become of a start, where nothing runs and nothing waits.
fn idle_outcome(core: &Core, id: ChildId) -> Option<Outcome> {
    if let Some(group) = core.supervisor.kept_down_by(id) {
        let group = core.supervisor.member(Member::Group(group));
        return Some(Outcome::GroupDown(group.to_owned()));
    }
    match report::state(&core.supervisor, id) {
        State::Held => Some(Outcome::Held),
        State::Stopped => Some(Outcome::Failed),
        State::Queued
        | State::Starting
        | State::Readying
        | State::Up
        | State::Stopping
        | State::Clearing
        | State::Backoff
        | State::Finished
        | State::Failed
        | State::GaveUp
        | State::Parked => None,
    }
}

fn group_outcome(core: &Core, id: GroupId, after: u32) -> Option<Outcome> {
    let group = core.supervisor.group(id);
    let opened = group.opens() > after;
    match *group.phase() {
        GroupPhase::Up { .. } => opened.then_some(Outcome::Done),
        GroupPhase::Over(Over::Finished { clean: true }) if opened => Some(Outcome::Done),
        GroupPhase::Over(_) | GroupPhase::Waiting { .. } if opened => Some(Outcome::Failed),
        GroupPhase::Idle if group.is_held() => Some(Outcome::Failed),
        GroupPhase::Rising { .. } if core.supervisor.waits_for_path_below(id) => {
            Some(Outcome::Accepted)
        }
        GroupPhase::Idle
        | GroupPhase::Rising { .. }
        | GroupPhase::Falling { .. }
        | GroupPhase::Waiting { .. }
        | GroupPhase::Over(_) => None,
    }
}
