//! What clients ask, answered. Questions are answered by tasks that only look; for orders
//! see [`orders`].

use std::rc::Rc;

use super::core::{Core, Shared};
use super::{orders, reload, report, spawn, telling};
use crate::config;
use crate::control::Replies;
use crate::model::Gather as _;
use crate::model::standing::Row;
use crate::model::words::Names;
use crate::model::{ChildId, GroupId, Member, Uptime};
use crate::os::clock;
use crate::os::procfs::Resident;
use crate::policy::Event;
use crate::wire::control::{Reply, Request};

/// Most bytes of output in one reply.
const PIECE: usize = 16 << 10;

/// Answers a request, or starts the task that does.
pub(super) fn answer(core: &Shared, request: Request, replies: Replies, now: Uptime) {
    match request {
        Request::Status { names } => match rows(&core.borrow(), &names) {
            Ok(rows) => detach(core, status(Rc::clone(core), rows, replies)),
            Err(words) => refuse(core, replies, words),
        },
        Request::Order { names, order, wait } => {
            let members = members(&core.borrow(), &names);
            match members {
                Ok(members) => orders::obey(core, &members, order, wait, replies, now),
                Err(words) => refuse(core, replies, words),
            }
        }
        Request::Scale { group, to, wait } => {
            let id = core.borrow().supervisor.find_group(&group);
            match id {
                Some(id) => orders::scale(core, id, to, wait, replies, now),
                None => {
                    let words = no_group(&core.borrow(), &group);
                    refuse(core, replies, words);
                }
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
                    let words = no_child(&core.borrow(), &child);
                    refuse(core, replies, words);
                }
            }
        }
        Request::Events { count, follow } => {
            detach(core, events(Rc::clone(core), count, follow, replies));
        }
        Request::TestAlerts => detach(core, telling::test(Rc::clone(core), replies)),
        Request::Shutdown => {
            core.borrow_mut().turn(Event::Shutdown, now);
            detach(core, until_ended(replies));
        }
    }
}

pub(super) fn detach(core: &Shared, work: impl Future<Output = ()> + 'static) {
    spawn(&core.borrow().executor, work).detach();
}

pub(super) fn refuse(core: &Shared, replies: Replies, words: String) {
    detach(core, send_all(replies, vec![Reply::Refused(words)]));
}

/// Sends these, and that this is all.
pub(super) async fn send_all(replies: Replies, all: Vec<Reply>) {
    for reply in all {
        if replies.send(&reply).await.is_err() {
            return;
        }
    }
    let _left = replies.send(&Reply::Done).await;
}

/// The reply is the end of the connection, which is the end of sup.
async fn until_ended(replies: Replies) {
    let _alive = replies;
    std::future::pending::<()>().await;
}

// ---- names --------------------------------------------------------------------

/// The members of these names; all that the root has where none is named.
fn members(core: &Core, names: &[String]) -> Result<Vec<Member>, String> {
    let supervisor = &core.supervisor;
    if names.is_empty() {
        return Ok(supervisor.group(GroupId::ROOT).members().to_vec());
    }
    let find = |name: &String| {
        supervisor
            .find_member(name)
            .ok_or_else(|| unknown(core, name))
    };
    names.iter().map(find).gather()
}

/// The rows of the tree that these names stand for: a group brings all below it.
fn rows(core: &Core, names: &[String]) -> Result<Vec<Member>, String> {
    let all = core.supervisor.rows();
    if names.is_empty() {
        return Ok(all.iter().map(|(_, member)| *member).gather());
    }
    let mut wanted = Vec::new();
    for member in members(core, names)? {
        wanted.push(member);
        let Member::Group(id) = member else { continue };
        // What is deeper and follows is below; below the root is everything.
        let at = all.iter().position(|(_, row)| *row == member);
        let below = match at {
            Some(at) => {
                let depth = all[at].0;
                let rest = all[at + 1..].iter();
                rest.take_while(|(deeper, _)| *deeper > depth).gather()
            }
            None if id == GroupId::ROOT => all.iter().gather::<Vec<_>>(),
            None => Vec::new(),
        };
        wanted.extend(below.into_iter().map(|(_, member)| *member));
    }
    Ok(wanted)
}

fn no_group(core: &Core, name: &str) -> String {
    match core.supervisor.find(name) {
        Some(_) => format!(
            "{name} is a child; only a group with strategy = \"simple-one-for-one\" has instances"
        ),
        None => unknown(core, name),
    }
}

fn no_child(core: &Core, name: &str) -> String {
    match core.supervisor.find_group(name) {
        Some(_) => {
            format!("{name} is a group, and only children have output; see: sup status {name}")
        }
        None => unknown(core, name),
    }
}

fn unknown(core: &Core, name: &str) -> String {
    let supervisor = &core.supervisor;
    let rows = supervisor.rows().iter();
    let known: Vec<&str> = rows.map(|(_, member)| supervisor.member(*member)).gather();
    let meant = config::nearest(name, known.iter().copied());
    match meant {
        Some(meant) => {
            format!("there is no child or group \"{name}\"; did you mean \"{meant}\"?")
        }
        None if known.len() > 20 => {
            format!(
                "there is no child or group \"{name}\" among {}",
                known.len()
            )
        }
        None => format!(
            "there is no child or group \"{name}\"; there are: {}",
            known.join(", ")
        ),
    }
}

// ---- questions ----------------------------------------------------------------

async fn status(core: Shared, rows: Vec<Member>, replies: Replies) {
    let head = report::sup(&core.borrow());
    let mut going = replies.send(&Reply::Sup(head)).await.is_ok();
    going = going && send_checks(&core, None, &replies).await;
    let resident = Resident::take();
    for member in rows {
        // One at a time: a thousand reports need not be in memory at once.
        let reply = match report::row(&core.borrow(), member, &resident, clock::now()) {
            Some(Row::Child(report)) => Reply::Child(report),
            Some(Row::Group(report)) => Reply::Group(report),
            None => continue,
        };
        going = going && replies.send(&reply).await.is_ok();
        if let Member::Child(id) = member {
            going = going && send_checks(&core, Some(id), &replies).await;
        }
    }
    let _left = replies.send(&Reply::Done).await;
}

/// How the checks of a child, or of the box, stand. Whether anybody listens.
async fn send_checks(core: &Shared, of: Option<ChildId>, replies: &Replies) -> bool {
    let reports = {
        let core = core.borrow();
        core.checking.reports(&core.supervisor, of, clock::now())
    };
    for report in reports {
        if replies.send(&Reply::Check(report)).await.is_err() {
            return false;
        }
    }
    true
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
            if replies.send(&reply).await.is_err() {
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
    let _left = replies.send(&Reply::Done).await;
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
                if replies.send(&reply).await.is_err() {
                    return;
                }
            }
            None if follow => changed.listen().await,
            None => break,
        }
    }
    let _left = replies.send(&Reply::Done).await;
}
