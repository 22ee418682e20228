//! What people are told: into the log, into history, and through their channels.

use std::rc::Rc;

use smol::Task;

use super::checking::Told;
use super::clients::send_all;
use super::core::{Core, Parts, Shared};
use super::{Input, spawn};
use crate::alerts::{self, Alerts, Metric};
use crate::control::Replies;
use crate::model::Gather as _;
use crate::model::alert::{AlertSpec, Kind};
use crate::model::words::{self, Level, Names, Telling};
use crate::model::{ChildId, Member, Notice, Order, RunId, Uptime};
use crate::os::{clock, say};
use crate::policy::{Over, Phase};
use crate::wire::control::Reply;

/// The channels of a configuration, or of the environment, and the tasks that tell them.
pub(super) fn start(parts: &Parts) -> (Alerts, Vec<Task<()>>) {
    let inbox = parts.inbox.clone();
    let changed = move || drop(inbox.put(Input::Remember));
    let channels = channels(&parts.settings.alerts);
    let (alerts, work) = match parts.look {
        Some(look) if !look.alerts => (Alerts::silent(&channels), Vec::new()),
        _ => Alerts::new(&channels, changed),
    };
    alerts.use_loop(parts.settings.crash_loop);
    let tellers = work.into_iter().map(|work| spawn(&parts.executor, work));
    (alerts, tellers.gather())
}

/// What the environment names is for where nobody has configured anything.
fn channels(configured: &[AlertSpec]) -> Box<[AlertSpec]> {
    match configured {
        [] => alerts::of_the_environment(),
        all => all.into(),
    }
}

impl Core {
    /// From now on people are told through these channels.
    pub(super) fn use_alerts(&mut self, configured: &[AlertSpec]) {
        let work = self.alerts.use_channels(&channels(configured));
        self.tellers.retain(|task| !task.is_finished());
        let tellers = work.into_iter().map(|work| spawn(&self.executor, work));
        self.tellers.extend(tellers);
    }

    /// Nobody is told of what is no longer configured.
    pub(super) fn forget_alerts(&mut self, now: Uptime) {
        let supervisor = &self.supervisor;
        self.alerts.keep(
            |key| match &key.kind {
                Kind::Down => supervisor.find_member(&key.subject).is_some(),
                Kind::Check(name) => supervisor.has_check(&key.subject, name),
            },
            now,
        );
        for (id, _, _) in supervisor.children() {
            self.measure_child(id);
        }
    }

    /// No more is told; the work that is left.
    pub(super) fn close_alerts(&mut self) -> impl Future<Output = ()> + use<> {
        self.alerts.close();
        let tellers = std::mem::take(&mut self.tellers);
        async move {
            for teller in tellers {
                teller.await;
            }
        }
    }

    /// Into the log, into history, and to people where it concerns them.
    pub(super) fn tell(&mut self, notice: &Notice, now: Uptime) {
        let names = &Told {
            supervisor: &self.supervisor,
            checking: &self.checking,
        };
        if let Notice::Restarting { run, .. } = notice {
            let child = names.child(run.child);
            self.history.restarted(child, now);
        }
        let line = words::line(notice, names);
        let mut telling = words::telling(notice, names).or_else(|| self.not_running(notice));
        // Where both say the same, once is enough.
        if let Some(telling) = telling.as_ref().filter(|told| told.sentence() != line.text) {
            say::notification(format_args!("{}", telling.message));
        }
        let level = match line.level {
            Level::Info => log::Level::Info,
            Level::Warning => log::Level::Warn,
            Level::Critical => log::Level::Error,
        };
        // Each turn finds it out anew, and says at its end how everything stands.
        let level = match (notice, self.look) {
            (Notice::Checked { .. }, Some(_)) => log::Level::Debug,
            _ => level,
        };
        log::log!(target: "sup", level, "{} {}", line.prefix, line.text);
        let told = telling.as_ref().map(|telling| &telling.message);
        self.history.push(clock::wall(), told.unwrap_or(&line.text));
        if let Some(run) = failed(notice) {
            // What a successor has said by now is not its last word.
            if self.live(run.child).is_none_or(|live| live.run == run) {
                self.outputs.catch_up(run.child);
            }
            telling = telling.map(|telling| self.with_output(telling, Some(run.child)));
        }
        self.measure(notice);
        // In a look that starts nobody it says at the end who does not run.
        if self.acts() || !matches!(notice, Notice::Restarting { .. }) {
            self.alerts.hear(notice, telling, &self.supervisor, now);
            self.tell_news();
        }
    }

    /// Into the log and into history: what became of incidents by itself.
    pub(super) fn tell_news(&mut self) {
        for news in self.alerts.take_news() {
            say::notification(format_args!("{}", news.message));
            self.history.push(clock::wall(), &news.message);
        }
    }

    /// What is over with a failure, and will not be tried again.
    fn not_running(&self, notice: &Notice) -> Option<Telling> {
        let Notice::Finished { run, exit } = *notice else {
            return None;
        };
        let is_unclean = matches!(
            self.supervisor.child(run.child).phase(),
            Phase::Over(Over::Finished { clean: false })
        );
        let child = Names::child(&self.supervisor, run.child);
        is_unclean.then(|| words::alert::not_running(child, run, exit))
    }

    fn measure(&self, notice: &Notice) {
        if let Notice::Started { run, .. } | Notice::Ended { run, .. } = notice {
            let is_active = matches!(notice, Notice::Started { .. });
            self.measure_as(run.child, is_active);
        }
    }

    /// Of a child that has not just been started, and has not just ended.
    pub(super) fn measure_child(&self, id: ChildId) {
        let phase = self.supervisor.child(id).phase();
        self.measure_as(id, phase.process().is_some());
    }

    fn measure_as(&self, id: ChildId, is_active: bool) {
        let name = Names::child(&self.supervisor, id);
        let restarts = self.supervisor.child(id).restarts();
        let active = f64::from(u8::from(is_active));
        self.alerts.measure(Metric::ServiceActive, name, active);
        self.alerts
            .measure(Metric::CrashCount, name, f64::from(restarts));
    }

    /// A person's word, for what is not well.
    pub(super) fn tell_order(&self, of: Member, order: Order, now: Uptime) {
        let supervisor = &self.supervisor;
        let below = supervisor.children().filter(|(id, _, _)| match of {
            Member::Child(child) => child == *id,
            Member::Group(group) => supervisor.is_child_within(*id, group),
        });
        let mut subjects: Vec<String> = below.map(|(_, spec, _)| spec.name.to_string()).gather();
        if let Member::Group(_) = of {
            subjects.push(supervisor.member(of).to_owned());
        }
        for subject in subjects {
            match order {
                Order::Start | Order::Restart | Order::Reset => {
                    self.alerts.begins_anew(&subject, now);
                }
                Order::Stop { .. } => self.alerts.stopped(&subject, now),
                Order::Signal(_) => {}
            }
        }
    }
}

/// The run that has failed, whose last lines may tell why.
fn failed(notice: &Notice) -> Option<RunId> {
    let (Notice::Restarting { run, .. }
    | Notice::GaveUp { run, .. }
    | Notice::Parked { run, .. }
    | Notice::Finished { run, .. }) = notice
    else {
        return None;
    };
    Some(*run)
}

/// Sends a test through every channel at the same time, and says what each answered.
pub(super) async fn test(core: Shared, replies: Replies) {
    let channels = core.borrow().alerts.channels();
    if channels.is_empty() {
        let words = "there is no [[alert]] in the configuration, and neither ALERT_EMAIL nor \
                     ALERT_WEBHOOK_URL is in sup's environment";
        return send_all(replies, vec![Reply::Refused(words.to_owned())]).await;
    }
    let executor = Rc::clone(&core.borrow().executor);
    let mut tasks = Vec::new();
    for spec in channels {
        let replies = replies.clone();
        let work = async move {
            let channel = spec.name.to_string();
            let result = alerts::test(spec).await;
            let taken = result.is_ok();
            let words = result.unwrap_or_else(|words| words);
            let reply = Reply::Alert {
                channel,
                taken,
                words,
            };
            let _asker_has_left = replies.send(&reply).await;
        };
        tasks.push(spawn(&executor, work));
    }
    for task in tasks {
        task.await;
    }
    send_all(replies, Vec::new()).await;
}
