//! What one channel has been told, and what it is told next.
//!
//! A desk keeps no list of messages. It compares what is wrong with what it has told:
//! what differs is due. So what comes and goes while nothing may be said leaves only a
//! count, and what is told late is how it stands then.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::time::Duration;

use super::incidents::{HOUR, Incident, Moment};
use crate::model::Gather as _;
use crate::model::Uptime;
use crate::model::alert::{AlertSpec, Severity};
use crate::model::sorted::{Map, Set};
use crate::model::words::{Level, Telling, alert};

/// What one channel has been told.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) spec: AlertSpec,
    /// By the incidents' numbers.
    pub(super) told: Map<u32, Told>,
    /// The messages of the last hour, oldest first.
    pub(super) sent: VecDeque<Uptime>,
    /// What waits, so that each is counted once.
    waiting: Set<(u32, Due)>,
    pub(super) held: u32,
    wake: Option<Uptime>,
}

/// What was last told of one incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) severity: Severity,
    pub(super) at: Uptime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    News(Severity),
    Reminder,
    Over,
}

/// Something to tell, and how it reads.
struct Item {
    id: u32,
    due: Due,
    telling: Rc<Telling>,
}

impl Desk {
    pub(super) fn new(spec: AlertSpec) -> Self {
        Self {
            spec,
            told: Map::new(),
            sent: VecDeque::new(),
            waiting: Set::new(),
            held: 0,
            wake: None,
        }
    }

    /// Whether it is about them: by their name, or by that of their template.
    pub(super) fn is_about(&self, subject: &str) -> bool {
        let only = &self.spec.only;
        let template = subject.split_once('/').map(|(template, _)| template);
        only.is_empty()
            || only
                .iter()
                .any(|name| **name == *subject || Some(&**name) == template)
    }

    /// Whether it tells of incidents, each once.
    pub(super) fn is_for_incidents(&self) -> bool {
        !self.spec.repeat && !self.spec.channel.beats()
    }

    /// When it wants to be asked again, as of the last time.
    pub(super) fn deadline(&self) -> Option<Uptime> {
        self.wake
    }

    /// What is to be told now; it counts as told.
    pub(super) fn pass(&mut self, incidents: &[Incident], at: Moment) -> Vec<Rc<Telling>> {
        while self.sent.front().is_some_and(|sent| at.now - *sent >= HOUR) {
            self.sent.pop_front();
        }
        let quiet = self.spec.quiet.and_then(|quiet| quiet.left(at.minute));
        let mut ready = self.due(incidents, at.now);
        if quiet.is_some() {
            let (passing, held) = ready
                .into_iter()
                .partition(|item| item.telling.level == Level::Critical && item.due != Due::Over);
            ready = passing;
            self.hold(&held);
        }
        let mut all = Vec::new();
        let worst = ready.iter().map(|item| item.telling.level).max();
        if self.held > 0 && quiet.is_none() && self.has_room(worst.unwrap_or(Level::Info)) {
            all.push(self.catch_up(&ready, at.now));
        } else {
            for item in ready {
                if self.has_room(item.telling.level) {
                    self.mark(&item, at.now);
                    self.sent.push_back(at.now);
                    all.push(item.telling);
                } else {
                    self.hold(&[item]);
                }
            }
        }
        self.wake = self.next(incidents, quiet, at.now);
        all
    }

    /// Something that is no incident. What may not be said now is only counted.
    pub(super) fn remark(&mut self, telling: &Rc<Telling>, at: Moment) -> Option<Rc<Telling>> {
        if telling.level < self.spec.level {
            return None;
        }
        let quiet = self.spec.quiet.and_then(|quiet| quiet.left(at.minute));
        if quiet.is_some() || self.held > 0 || !self.has_room(telling.level) {
            self.held += 1;
            return None;
        }
        self.sent.push_back(at.now);
        Some(Rc::clone(telling))
    }

    /// A person has taken it in hand: what gets worse from here on is news again.
    pub(super) fn begin_anew(&mut self, id: u32) {
        if let Some(told) = self.told.get_mut(&id) {
            told.severity = Severity::Crashed;
        }
    }

    /// Whether a message of this level may be sent within the hour. A quarter of them is
    /// left to what is critical, so that a flood of warnings does not hide it.
    fn has_room(&self, level: Level) -> bool {
        self.sent.len() < self.limit(level)
    }

    fn limit(&self, level: Level) -> usize {
        let all = usize::from(self.spec.per_hour);
        match level {
            Level::Critical => all,
            Level::Warning | Level::Info => (all - all / 4).max(1),
        }
    }

    fn due(&self, incidents: &[Incident], now: Uptime) -> Vec<Item> {
        let items = incidents.iter().filter_map(|incident| {
            let told = self.told.get(&incident.id);
            let due = self.due_of(incident, told, now)?;
            let telling = match due {
                Due::News(_) => incident.telling(),
                Due::Reminder => {
                    Rc::new(alert::reminder(&incident.telling(), now - incident.since))
                }
                Due::Over => incident.end.clone().unwrap_or_else(|| incident.telling()),
            };
            Some(Item {
                id: incident.id,
                due,
                telling,
            })
        });
        items.gather()
    }

    fn due_of(&self, incident: &Incident, told: Option<&Told>, now: Uptime) -> Option<Due> {
        if incident.is_over() {
            return told.map(|_| Due::Over);
        }
        if self.wants(incident) && told.is_none_or(|told| incident.severity > told.severity) {
            return Some(Due::News(incident.severity));
        }
        self.reminds_at(incident)
            .is_some_and(|at| at <= now)
            .then_some(Due::Reminder)
    }

    fn reminds_at(&self, incident: &Incident) -> Option<Uptime> {
        let lasts = !incident.is_over() && incident.severity.level() == Level::Critical;
        let told = self.told.get(&incident.id).filter(|_| lasts)?;
        Some(told.at + self.spec.reminder?)
    }

    fn wants(&self, incident: &Incident) -> bool {
        let enough =
            incident.severity > Severity::Crashed || incident.restarts >= self.spec.restarts;
        enough
            && incident.severity.level() >= self.spec.level
            && self.is_about(&incident.key.subject)
    }

    fn hold(&mut self, items: &[Item]) {
        for item in items {
            if self.waiting.insert((item.id, item.due)) {
                self.held = self.held.saturating_add(1);
            }
        }
    }

    /// One message for all that was held back, and for what is due with it.
    fn catch_up(&mut self, ready: &[Item], now: Uptime) -> Rc<Telling> {
        let message = match ready {
            [item] => {
                let itself = u32::from(self.waiting.contains(&(item.id, item.due)));
                match self.held - itself.min(self.held) {
                    0 => Rc::clone(&item.telling),
                    held => Rc::new(alert::with_held(&item.telling, held)),
                }
            }
            all => {
                let all: Vec<&Telling> = all.iter().map(|item| &*item.telling).gather();
                Rc::new(alert::digest(self.held, &all))
            }
        };
        for item in ready {
            self.mark(item, now);
        }
        self.held = 0;
        self.waiting.clear();
        self.sent.push_back(now);
        message
    }

    fn mark(&mut self, item: &Item, now: Uptime) {
        match item.due {
            Due::News(severity) => {
                self.told.insert(item.id, Told { severity, at: now });
            }
            Due::Reminder => {
                if let Some(told) = self.told.get_mut(&item.id) {
                    told.at = now;
                }
            }
            Due::Over => {
                self.told.remove(&item.id);
            }
        }
    }

    /// When something may be said that may not be said now, or is to be said again.
    fn next(&self, incidents: &[Incident], quiet: Option<Duration>, now: Uptime) -> Option<Uptime> {
        let held = (self.held > 0).then(|| match quiet {
            Some(left) => now + left,
            None => self.room_at(),
        });
        let reminders = incidents
            .iter()
            .filter_map(|incident| self.reminds_at(incident));
        // One that is due and could not be told waits with what is held.
        let reminders = reminders.filter(|at| *at > now);
        held.into_iter().chain(reminders).min()
    }

    /// When a warning may be sent again.
    fn room_at(&self) -> Uptime {
        let surplus = self.sent.len().saturating_sub(self.limit(Level::Warning));
        let oldest = self.sent.get(surplus).or(self.sent.front());
        oldest.map_or(Uptime::MIN, |sent| *sent + HOUR)
    }
}
