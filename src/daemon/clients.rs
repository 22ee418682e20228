//! What clients ask, answered. Questions are answered by tasks that only look; orders
//! went through the loop before their task waits for what becomes of them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::core::{Core, Shared};
use super::{reload, report, spawn};
use crate::config;
use crate::control::Replies;
use crate::model::report::{State, SupReport};
use crate::model::{ChildId, Order, Uptime};
use crate::os::clock;
use crate::policy::{Answer, Event, Over, Phase};
use crate::wire::control::{Outcome, Reply, Request};

/// Most bytes of output in one reply.
const PIECE: usize = 16 << 10;

/// Answers a request, or starts the task that does.
pub(super) fn answer(core: &Shared, request: Request, replies: Replies, now: Uptime) {
    match request {
        Request::Status { children } => match names_to_ids(&core.borrow(), &children) {
            Ok(ids) => detach(core, status(Rc::clone(core), ids, replies)),
            Err(words) => refuse(core, replies, words),
        },
        Request::Order {
            children,
            order,
            wait,
        } => {
            let ids = names_to_ids(&core.borrow(), &children);
            match ids {
                Ok(ids) => obey(core, &ids, order, wait, replies, now),
                Err(words) => refuse(core, replies, words),
            }
        }
        Request::Reload { dry_run } => reload::read(core, dry_run, Some(replies)),
        Request::Logs {
            child,
            lines,
            follow,
        } => {
            let id = core.borrow().supervisor.find(&child);
            match id {
                Some(id) => detach(core, logs(Rc::clone(core), id, lines, follow, replies)),
                None => {
                    let words = unknown(&core.borrow(), &child);
                    refuse(core, replies, words);
                }
            }
        }
        Request::Events { count, follow } => {
            detach(core, events(Rc::clone(core), count, follow, replies));
        }
        Request::Shutdown => {
            core.borrow_mut().turn(Event::Shutdown, now);
            detach(core, until_ended(replies));
        }
    }
}

fn detach(core: &Shared, work: impl Future<Output = ()> + 'static) {
    spawn(&core.borrow().executor, work).detach();
}

fn refuse(core: &Shared, replies: Replies, words: String) {
    detach(core, send_all(replies, vec![Reply::Refused(words)]));
}

/// Sends these, and that this is all.
pub(super) async fn send_all(replies: Replies, all: Vec<Reply>) {
    for reply in all {
        if replies.send(reply).await.is_err() {
            return;
        }
    }
    let _left = replies.send(Reply::Done).await;
}

/// The reply is the end of the connection, which is the end of sup.
async fn until_ended(replies: Replies) {
    let _alive = replies;
    std::future::pending::<()>().await;
}

// ---- names --------------------------------------------------------------------

/// The children of these names, or all; in start order where all.
fn names_to_ids(core: &Core, names: &[String]) -> Result<Vec<ChildId>, String> {
    if names.is_empty() {
        return Ok(core.supervisor.children().map(|(id, _, _)| id).collect());
    }
    names
        .iter()
        .map(|name| {
            core.supervisor
                .find(name)
                .ok_or_else(|| unknown(core, name))
        })
        .collect()
}

fn unknown(core: &Core, name: &str) -> String {
    let known: Vec<&str> = core
        .supervisor
        .children()
        .map(|(_, spec, _)| &*spec.name)
        .collect();
    let meant = config::nearest(name, known.iter().copied());
    match meant {
        Some(meant) => format!("there is no child \"{name}\"; did you mean \"{meant}\"?"),
        None if known.len() > 20 => format!("there is no child \"{name}\" among {}", known.len()),
        None => format!(
            "there is no child \"{name}\"; there are: {}",
            known.join(", ")
        ),
    }
}

// ---- questions ----------------------------------------------------------------

async fn status(core: Shared, ids: Vec<ChildId>, replies: Replies) {
    let head = {
        let core = core.borrow();
        SupReport {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            up: clock::now() - core.started,
            config: core
                .config
                .as_ref()
                .map(|path| path.display().to_string())
                .unwrap_or_default(),
            memory_fault: core.saving.fault.clone(),
        }
    };
    let mut going = replies.send(Reply::Sup(head)).await.is_ok();
    for id in ids {
        // One at a time: a thousand reports need not be in memory at once.
        let reply = {
            let core = core.borrow();
            let adopted = core.adopted(id).is_some();
            Reply::Child(report::child(&core.supervisor, id, adopted, clock::now()))
        };
        going = going && replies.send(reply).await.is_ok();
    }
    let _left = replies.send(Reply::Done).await;
}

async fn logs(core: Shared, id: ChildId, lines: u32, follow: bool, replies: Replies) {
    let Some(tap) = core.borrow().outputs.tap(id) else {
        let words =
            "nothing is kept of it: it has not been started, or its log is not \"ring\" or a file";
        return send_all(replies, vec![Reply::Refused(words.to_owned())]).await;
    };
    drop(core);
    let lines = usize::try_from(lines).unwrap_or(usize::MAX);
    let (mut bytes, mut at) = {
        let sink = tap.sink.borrow();
        let (older, newer) = sink.ring().tail(lines);
        ([older, newer].concat(), sink.ring().written())
    };
    let mut missed = 0;
    loop {
        for piece in bytes.chunks(PIECE) {
            let reply = Reply::Output {
                missed: std::mem::take(&mut missed),
                bytes: piece.to_vec(),
            };
            if replies.send(reply).await.is_err() {
                return;
            }
        }
        if !follow {
            break;
        }
        while tap.sink.borrow().ring().written() == at {
            tap.changed.listen().await;
        }
        let sink = tap.sink.borrow();
        let since = sink.ring().since(at);
        (bytes, missed, at) = (
            [since.bytes.0, since.bytes.1].concat(),
            since.missed,
            since.next,
        );
    }
    let _left = replies.send(Reply::Done).await;
}

async fn events(core: Shared, count: u32, follow: bool, replies: Replies) {
    let changed = Rc::clone(&core.borrow().history.changed);
    let mut at = core.borrow().history.end().saturating_sub(u64::from(count));
    loop {
        let next = core.borrow().history.from(at);
        match next {
            Some((number, entry)) => {
                at = number + 1;
                let reply = Reply::Event {
                    wall: entry.wall,
                    text: entry.text.to_string(),
                };
                if replies.send(reply).await.is_err() {
                    return;
                }
            }
            None if follow => changed.listen().await,
            None => break,
        }
    }
    let _left = replies.send(Reply::Done).await;
}

// ---- orders -------------------------------------------------------------------

/// An order to one child, and what we wait for.
struct Ordered {
    child: ChildId,
    name: String,
    answer: Answer,
    goal: Goal,
}

#[derive(Clone, Copy)]
enum Goal {
    /// A run with a higher number than this is up.
    Up {
        after: u32,
    },
    Down,
    Nothing,
}

fn obey(core: &Shared, ids: &[ChildId], order: Order, wait: bool, replies: Replies, now: Uptime) {
    let ordered: Vec<Ordered> = {
        let mut core = core.borrow_mut();
        ids.iter()
            .map(|&child| give(&mut core, child, order, now))
            .collect()
    };
    let save = core.borrow().saving.asked();
    detach(
        core,
        await_outcomes(Rc::clone(core), ordered, save, wait, replies),
    );
}

fn give(core: &mut Core, child: ChildId, order: Order, now: Uptime) -> Ordered {
    let phase = *core.supervisor.child(child).phase();
    let runs = core.supervisor.child(child).runs();
    let name = core.supervisor.spec(child).name.to_string();
    let is_running = matches!(
        phase,
        Phase::Starting { .. } | Phase::Readying { .. } | Phase::Up { .. }
    );
    let goal = match order {
        Order::Start if is_running => Goal::Up {
            after: runs.saturating_sub(1),
        },
        Order::Start | Order::Restart => Goal::Up { after: runs },
        Order::Stop { .. } => Goal::Down,
        Order::Signal(_) | Order::Reset => Goal::Nothing,
    };
    let answer = core.order(child, order, now);
    Ordered {
        child,
        name,
        answer,
        goal,
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
        let _left = replies.send(Reply::Warning(words)).await;
    }
    let changed = Rc::clone(&core.borrow().changed);
    let mut left: VecDeque<Ordered> = ordered.into();
    while let Some(first) = left.front() {
        let Some(outcome) = outcome(&core, first, wait) else {
            changed.listen().await;
            continue;
        };
        let reply = Reply::Ordered {
            child: first.name.clone(),
            outcome,
        };
        left.pop_front();
        if replies.send(reply).await.is_err() {
            return;
        }
    }
    let _left = replies.send(Reply::Done).await;
}

/// What has become of an order; `None`: nothing yet.
fn outcome(core: &RefCell<Core>, ordered: &Ordered, wait: bool) -> Option<Outcome> {
    match (ordered.answer, ordered.goal) {
        (Answer::Ending, _) => Some(Outcome::Ending),
        (Answer::NotRunning, _) => Some(Outcome::NotRunning),
        (Answer::Unchanged, Goal::Up { .. } | Goal::Down) => Some(Outcome::Unchanged),
        (Answer::Accepted | Answer::Unchanged, Goal::Nothing) => Some(Outcome::Done),
        (Answer::Accepted, Goal::Up { .. } | Goal::Down) if !wait => Some(Outcome::Accepted),
        (Answer::Accepted, Goal::Down) => {
            let is_down = !core
                .borrow()
                .supervisor
                .child(ordered.child)
                .phase()
                .is_alive();
            is_down.then_some(Outcome::Done)
        }
        (Answer::Accepted, Goal::Up { after }) => up_outcome(&core.borrow(), ordered.child, after),
    }
}

fn up_outcome(core: &Core, id: ChildId, after: u32) -> Option<Outcome> {
    let child = core.supervisor.child(id);
    let ran = child.runs() > after;
    match *child.phase() {
        Phase::Up { process, .. } => (process.run.nth > after).then_some(Outcome::Done),
        Phase::Over(Over::Finished { clean: true }) if ran => Some(Outcome::Done),
        Phase::Over(_) | Phase::Waiting { .. } if ran => Some(Outcome::Failed),
        Phase::Idle => match report::state(&core.supervisor, id) {
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
        },
        Phase::Over(_)
        | Phase::Waiting { .. }
        | Phase::Starting { .. }
        | Phase::Readying { .. }
        | Phase::Stopping { .. }
        | Phase::Clearing { .. } => None,
    }
}
