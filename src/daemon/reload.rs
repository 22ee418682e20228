//! A new configuration, from the same file: all of it or nothing.

use std::rc::Rc;

use super::core::{Core, Shared};
use super::{Input, spawn};
use crate::config::{self, Loaded, Mistakes};
use crate::control::Replies;
use crate::model::Gather as _;
use crate::model::{ChildId, Uptime};
use crate::os::{self, adopt, say};
use crate::policy::{Change, Event, plan};
use crate::wire::control::Reply;

/// A configuration that has been read again.
pub(super) struct Read {
    result: Result<Loaded, Mistakes>,
    dry_run: bool,
}

/// Starts to read the configuration again, on a thread that may wait for a sleeping disk.
pub(super) fn read(core: &Shared, dry_run: bool, replies: Option<Replies>) {
    let core = core.borrow();
    let Some(path) = core.config.clone() else {
        return;
    };
    let inbox = core.inbox.clone();
    let work = async move {
        let result = os::aside(move || config::load(&path)).await;
        let read = Box::new(Read { result, dry_run });
        let _loop = inbox.put(Input::Reloaded(read, replies));
    };
    spawn(&core.executor, work).detach();
}

/// Carries a configuration out, or only says what would happen; tells whoever asked,
/// and the log where a signal did.
pub(super) fn take(core: &Shared, read: Read, replies: Option<Replies>, now: Uptime) {
    let all = match read.result {
        Ok(loaded) => {
            let replies = carry_out(&mut core.borrow_mut(), loaded, read.dry_run, now);
            super::http::follow(core);
            replies
        }
        Err(mistakes) => vec![Reply::Refused(mistakes.to_string())],
    };
    match replies {
        Some(replies) => {
            let executor = Rc::clone(&core.borrow().executor);
            spawn(&executor, super::clients::send_all(replies, all)).detach();
        }
        None => all.iter().for_each(log),
    }
}

fn carry_out(core: &mut Core, loaded: Loaded, dry_run: bool, now: Uptime) -> Vec<Reply> {
    let tree = loaded.spec.tree;
    let changes = plan(&core.supervisor, &tree);
    let mut replies: Vec<Reply> = changes
        .iter()
        .map(|(name, change)| planned(name, *change))
        .gather();
    replies.extend(
        loaded
            .warnings
            .iter()
            .map(|warning| Reply::Warning(warning.to_string())),
    );
    let settings = &loaded.spec.settings;
    if (&settings.state, &settings.runtime) != (&core.settings.state, &core.settings.runtime) {
        let words = "a new state or runtime directory takes effect when sup is started again";
        replies.push(Reply::Warning(words.to_owned()));
    }
    if !dry_run {
        if let Some(recording) = core.recording.as_mut().filter(|it| it.is_open()) {
            let scribe = &mut recording.scribe;
            let lines = scribe.reload(&tree, &settings.checks, settings.shutdown_timeout, now);
            recording.write(&lines);
        }
        core.supervisor.reload(tree, settings.shutdown_timeout, now);
        if settings.alerts != core.settings.alerts {
            core.use_alerts(&settings.alerts);
            core.settings.alerts.clone_from(&settings.alerts);
        }
        core.alerts.use_loop(settings.crash_loop);
        core.settings.crash_loop = settings.crash_loop;
        core.supervisor.watch_host(settings.checks.clone(), now);
        core.settings.http = settings.http;
        core.settings.shutdown_timeout = settings.shutdown_timeout;
        core.forget_alerts(now);
        core.adjust_outputs();
        core.adjust_checks();
        core.turn(Event::Tick, now);
    }
    replies
}

fn planned(name: &str, change: Change) -> Reply {
    let change = match change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Restarted => "restarted",
        Change::Adjusted => "adjusted",
        Change::Kept => "kept",
    };
    Reply::Planned {
        name: name.to_owned(),
        change: change.to_owned(),
    }
}

/// What a client would have been told, for the log.
fn log(reply: &Reply) {
    match reply {
        Reply::Planned { name, change } if change != "kept" => {
            say::news(format_args!("reload: {name}: {change}"));
        }
        Reply::Warning(words) => say::warning(format_args!("reload: {words}")),
        Reply::Refused(words) => {
            for line in words.lines() {
                say::error(format_args!("reload: {line}"));
            }
            say::error(format_args!("reload: nothing has been changed"));
        }
        Reply::Planned { .. }
        | Reply::Sup(_)
        | Reply::Child(_)
        | Reply::Check(_)
        | Reply::Group(_)
        | Reply::Ordered { .. }
        | Reply::Output { .. }
        | Reply::Event { .. }
        | Reply::Alert { .. }
        | Reply::Done => {}
    }
}

impl Core {
    /// The pipes and logs of all children, as they are configured now.
    pub(super) fn adjust_outputs(&mut self) {
        for place in 0..self.supervisor.places() {
            let id = ChildId(u16::try_from(place).unwrap_or(u16::MAX));
            let configured = self.supervisor.children().any(|(known, _, _)| known == id);
            if configured || !self.supervisor.child(id).phase().is_alive() {
                let spec = configured.then(|| self.supervisor.spec(id));
                self.outputs.adjust(id, spec);
                if let (Some(dir), false) = (&self.runtime, configured) {
                    adopt::erase(dir, &self.supervisor.spec(id).name);
                }
            }
        }
    }
}
