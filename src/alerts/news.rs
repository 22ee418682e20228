//! What a notice means for incidents.

use alloc::rc::Rc;
use core::time::Duration;

use super::incidents::{Incidents, Moment};
use crate::model::alert::{HOST, Key, Kind, Severity};
use crate::model::order::{GroupEnd, GroupNotice, StopWhy};
use crate::model::words::{Names, Telling, alert};
use crate::model::{Notice, Uptime};

impl Incidents {
    /// Takes in a notice, with what people would be told of it.
    pub fn hear(
        &mut self,
        notice: &Notice,
        telling: Option<Telling>,
        names: &impl Names,
        at: Moment,
    ) {
        let Some(telling) = telling else {
            return self.hear_silence(notice, names);
        };
        let Some((subject, news)) = news(notice, names) else {
            return;
        };
        self.repeat(subject, &Rc::new(telling.clone()));
        match news {
            News::Restarting(delay) => self.restarted(subject, telling, at.now + delay, at.now),
            News::Settled => self.settled(subject, telling, at.now),
            News::Fell(severity) => self.fell(subject, severity, telling, at.now),
            News::Group(what) => self.hear_group(subject, what, telling, at),
            News::Checked => {}
        }
    }

    /// A notice of which people are told nothing may still end what they know of.
    fn hear_silence(&mut self, notice: &Notice, names: &impl Names) {
        if let Notice::Finished { run, .. } = notice {
            let child = names.child(run.child);
            self.excused(child, Some(alert::finished(child)));
        }
        // Its group's failure is told; of what is no longer configured nobody asks.
        if let Notice::Escalated { run, .. }
        | Notice::Stopping {
            run,
            why: StopWhy::Removed,
        } = notice
        {
            self.excused(names.child(run.child), None);
        }
        if let Notice::Finished { run, .. }
        | Notice::Stopping {
            run,
            why: StopWhy::Removed | StopWhy::Requirement | StopWhy::Group(_),
        } = notice
        {
            self.unwatched(names.child(run.child));
        }
    }

    fn hear_group(&mut self, group: &str, what: &GroupNotice, telling: Telling, at: Moment) {
        let severity = match what {
            GroupNotice::Restarting { .. } => return,
            GroupNotice::Recovered { .. } => return self.settled(group, telling, at.now),
            GroupNotice::Finished { .. } => {
                self.excused(group, None);
                return self.remark(group, telling, at);
            }
            GroupNotice::Renewed { .. } | GroupNotice::StartFailed { .. } => Severity::Warning,
            GroupNotice::Failed { then, .. } => match then {
                GroupEnd::Escalates(_) => Severity::Warning,
                GroupEnd::Parks(_) => Severity::Parked,
                GroupEnd::GivesUp | GroupEnd::Ends => Severity::Critical,
            },
        };
        self.fell(group, severity, telling, at.now);
    }

    /// A child or a group does not run as it should.
    fn fell(&mut self, subject: &str, severity: Severity, telling: Telling, now: Uptime) {
        let key = Key {
            subject: subject.into(),
            kind: Kind::Down,
        };
        self.raise(key, severity, telling, now);
    }
}

/// What a notice says that people are told of.
enum News<'a> {
    Restarting(Duration),
    Settled,
    Fell(Severity),
    Group(&'a GroupNotice),
    /// Whoever looks at checks says what is wrong.
    Checked,
}

/// Whom a notice is about that people are told of, and what it says.
fn news<'a>(notice: &'a Notice, names: &'a impl Names) -> Option<(&'a str, News<'a>)> {
    Some(match notice {
        Notice::Restarting { run, delay, .. } => (names.child(run.child), News::Restarting(*delay)),
        Notice::Recovered { run, .. } => (names.child(run.child), News::Settled),
        Notice::Parked { run, .. } => (names.child(run.child), News::Fell(Severity::Parked)),
        Notice::GaveUp { run, .. } | Notice::Finished { run, .. } => {
            (names.child(run.child), News::Fell(Severity::Critical))
        }
        Notice::Group { group, what } => (names.group(*group).0, News::Group(what)),
        Notice::Checked { check, .. } => {
            let subject = check.of.map_or(HOST, |child| names.child(child));
            (subject, News::Checked)
        }
        Notice::Started { .. }
        | Notice::Ready { .. }
        | Notice::Ended { .. }
        | Notice::Stopping { .. }
        | Notice::Killed { .. }
        | Notice::LeftBehind { .. }
        | Notice::Held { .. }
        | Notice::TermOver { .. }
        | Notice::Escalated { .. }
        | Notice::ShuttingDown => return None,
    })
}
