//! What is wrong, how bad it is, and who has been told of it.
//!
//! ```text
//!            first notice          worse                better
//!   (none) --------------> open  --------> open, worse --------> over --> (none)
//!                           | ^                                    |  when all that were
//!                           '-'  the same again: swallowed         |  told of it know, and
//!                           ^                                      |  its restarts are an
//!                           '--------------------------------------'  hour old
//!                                       again
//! ```
//!
//! No clock, no file: the time is an argument. Each change and each deadline is followed
//! by one [`Incidents::pass`], which says what is to be sent.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::time::Duration;

use super::desk::{Desk, Told};
use crate::model::Gather as _;
use crate::model::Uptime;
use crate::model::alert::{
    AlertMemory, AlertSpec, ChannelMemory, IncidentMemory, Key, Kind, Severity, ToldMemory,
};
use crate::model::limits::{INCIDENTS_MAX, LOOP_RESTARTS};
use crate::model::words::{Level, Telling, alert};

pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// After a person has started it, a child that lives this long is well again.
const CALM_ANEW: Duration = Duration::from_secs(600);

/// When: on the clock that nothing disturbs, and for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// For all that is counted.
    pub now: Uptime,
    /// The minute of the day, local time, for quiet hours. Nothing else goes by it.
    pub minute: u16,
}

/// A message for one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The channel's place in the configuration.
    pub channel: usize,
    /// The message.
    pub telling: Rc<Telling>,
}

/// Everything that is wrong, and every channel.
#[derive(Debug)]
pub struct Incidents {
    all: Vec<Incident>,
    desks: Vec<Desk>,
    /// More restarts than this within an hour are a crash loop.
    loop_restarts: u8,
    next_id: u32,
    /// Of what is no incident, for [`Incidents::pass`].
    letters: Vec<Letter>,
    /// What no notice says, for the history.
    news: Vec<Rc<Telling>>,
}

/// One thing that is wrong.
#[derive(Debug)]
pub(super) struct Incident {
    pub(super) id: u32,
    pub(super) key: Key,
    pub(super) severity: Severity,
    pub(super) since: Uptime,
    pub(super) restarts: u32,
    /// The last restarts, oldest first; no more than make a crash loop.
    recent: VecDeque<Uptime>,
    /// Calm is counted from here: its last restart.
    calm_from: Uptime,
    /// Whether a person has started it anew, and nothing has happened since.
    is_anew: bool,
    /// How it stands; unknown after a restart of sup.
    last: Option<Rc<Telling>>,
    over: bool,
    /// How it ended, where that is known.
    pub(super) end: Option<Rc<Telling>>,
}

impl Incident {
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// How it stands, in words.
    pub(super) fn telling(&self) -> Rc<Telling> {
        let remembered = || Rc::new(alert::remembered(&self.key, self.severity));
        self.last.clone().unwrap_or_else(remembered)
    }

    fn restarts_within_the_hour(&self, now: Uptime) -> usize {
        let recent = self.recent.iter();
        recent.filter(|made| now - **made < HOUR).count()
    }

    fn is_looping(&self, most: u8, now: Uptime) -> bool {
        self.restarts_within_the_hour(now) > usize::from(most)
    }

    /// How long nothing must happen for it to be over.
    fn calm(&self) -> Duration {
        if self.is_anew { CALM_ANEW } else { HOUR }
    }

    /// When it is over because nothing more has happened.
    fn calm_at(&self) -> Option<Uptime> {
        let passes = self.key.kind == Kind::Down
            && matches!(self.severity, Severity::Crashed | Severity::Looping)
            && !self.over;
        passes.then(|| self.calm_from + self.calm())
    }

    fn is_forgotten(&self, now: Uptime) -> bool {
        self.over && self.restarts_within_the_hour(now) == 0
    }

    /// It is over; what follows is another one, but for its restarts.
    fn close(&mut self, end: Telling) {
        self.over = true;
        self.end = Some(Rc::new(end));
    }
}

impl Incidents {
    /// Nothing is wrong, and these are to be told.
    #[must_use]
    pub fn new(channels: &[AlertSpec]) -> Self {
        Self {
            all: Vec::new(),
            desks: channels.iter().cloned().map(Desk::new).gather(),
            loop_restarts: LOOP_RESTARTS,
            next_id: 0,
            letters: Vec::new(),
            news: Vec::new(),
        }
    }

    /// More restarts than this within an hour are a crash loop.
    pub fn use_loop(&mut self, restarts: u8) {
        self.loop_restarts = restarts;
    }

    /// Other channels. Those that have kept their names know what they have been told.
    pub fn use_channels(&mut self, channels: &[AlertSpec]) {
        let mut former = core::mem::take(&mut self.desks);
        let desk = |spec: &AlertSpec| {
            let mut desk = Desk::new(spec.clone());
            if let Some(known) = former.iter_mut().find(|desk| desk.spec.name == spec.name) {
                desk.told = core::mem::take(&mut known.told);
                desk.sent = core::mem::take(&mut known.sent);
                desk.held = known.held;
            }
            desk
        };
        self.desks = channels.iter().map(desk).gather();
    }

    // ---- what happens --------------------------------------------------------------

    /// A child is being restarted, then.
    pub fn restarted(&mut self, child: &str, telling: Telling, then: Uptime, now: Uptime) {
        let most = self.loop_restarts;
        let Some(incident) = self.open(down(child), Severity::Crashed, now) else {
            return;
        };
        incident.restarts = incident.restarts.saturating_add(1);
        incident.recent.push_back(now);
        while incident.recent.len() > usize::from(most) + 1 {
            incident.recent.pop_front();
        }
        (incident.calm_from, incident.is_anew) = (then, false);
        if incident.severity > Severity::Looping {
            return; // Somebody has to do something; that it tries again is no news.
        }
        let begins = incident.severity < Severity::Looping && incident.is_looping(most, now);
        let telling = if begins || incident.severity == Severity::Looping {
            incident.severity = Severity::Looping;
            let restarts = incident.restarts_within_the_hour(now);
            alert::keeps_crashing(child, restarts, &telling)
        } else {
            telling
        };
        let telling = Rc::new(telling);
        incident.last = Some(Rc::clone(&telling));
        self.news.extend(begins.then_some(telling));
    }

    /// Something is wrong. The same again, or less bad, is no news.
    pub fn raise(&mut self, key: Key, severity: Severity, telling: Telling, now: Uptime) {
        if let Some(incident) = self.open(key, severity, now) {
            (incident.calm_from, incident.is_anew) = (now, false);
            if severity >= incident.severity {
                incident.severity = severity;
                incident.last = Some(Rc::new(telling));
            }
        }
    }

    /// What was wrong is so no longer.
    pub fn clear(&mut self, key: &Key, now: Uptime) {
        if let Some(incident) = self.find(key) {
            let end = alert::cleared(key, now - incident.since);
            let is_of_another_sup = incident.last.is_none();
            incident.close(end);
            let news = incident.end.clone().filter(|_| is_of_another_sup);
            self.news.extend(news);
        }
    }

    /// A child or a group is down no longer, in these words. A crash loop is over when
    /// nothing has happened for an hour, not before.
    pub fn settled(&mut self, subject: &str, telling: Telling, now: Uptime) {
        let most = self.loop_restarts;
        if let Some(incident) = self.find(&down(subject)) {
            if incident.is_looping(most, now) {
                incident.severity = Severity::Looping;
            } else {
                incident.close(telling);
            }
        }
    }

    /// It is not wanted up any more, in these words; or its fate is another's, without any.
    pub fn excused(&mut self, subject: &str, words: Option<Telling>) {
        let key = down(subject);
        match (self.find(&key), words) {
            (Some(incident), Some(words)) => {
                incident.recent.clear();
                incident.close(words);
            }
            (Some(_), None) => self.fold(&key),
            (None, _) => {}
        }
    }

    /// A person has stopped it: it is not to be well any more, either.
    pub fn stopped(&mut self, subject: &str) {
        let is_down = self.find(&down(subject)).is_some();
        self.excused(subject, Some(alert::stopped(subject)));
        if is_down {
            return self.unwatched(subject);
        }
        let mut first = Some(alert::stopped(subject));
        for incident in &mut self.all {
            if is_check_of(&incident.key, subject)
                && !incident.over
                && let Some(words) = first.take()
            {
                incident.close(words);
            }
        }
        self.unwatched(subject);
    }

    /// Nobody checks it any more: what its checks have found is nobody's trouble.
    pub fn unwatched(&mut self, subject: &str) {
        let open = self.all.iter().filter(|incident| !incident.over);
        let checks = open.filter(|incident| is_check_of(&incident.key, subject));
        let keys: Vec<Key> = checks.map(|incident| incident.key.clone()).gather();
        keys.iter().for_each(|key| self.fold(key));
    }

    /// What was wrong has become a part of something else that is wrong, or of nothing.
    pub fn fold(&mut self, key: &Key) {
        let Some(id) = self.find(key).map(|incident| incident.id) else {
            return;
        };
        self.all.retain(|incident| incident.id != id);
        for desk in &mut self.desks {
            desk.told.remove(&id);
        }
    }

    /// A person has started it anew: what gets worse from here on is news again.
    pub fn begins_anew(&mut self, subject: &str, now: Uptime) {
        let Some(incident) = self.find(&down(subject)) else {
            return;
        };
        incident.severity = Severity::Crashed;
        incident.recent.clear();
        (incident.calm_from, incident.is_anew) = (now, true);
        let id = incident.id;
        for desk in &mut self.desks {
            desk.begin_anew(id);
        }
    }

    /// Something that is worth telling and is no incident.
    pub fn remark(&mut self, subject: &str, telling: Telling, at: Moment) {
        let telling = Rc::new(telling);
        for (channel, desk) in self.desks.iter_mut().enumerate() {
            if desk.is_for_incidents()
                && desk.is_about(subject)
                && let Some(telling) = desk.remark(&telling, at)
            {
                self.letters.push(Letter { channel, telling });
            }
        }
    }

    /// Every notice, for those that want each as it comes.
    pub fn repeat(&mut self, subject: &str, telling: &Rc<Telling>) {
        for (channel, desk) in self.desks.iter().enumerate() {
            if desk.spec.repeat && telling.level >= desk.spec.level && desk.is_about(subject) {
                self.letters.push(Letter {
                    channel,
                    telling: Rc::clone(telling),
                });
            }
        }
    }

    /// What nobody knows any more, after another configuration, is nobody's trouble.
    pub fn keep(&mut self, is_known: impl Fn(&Key) -> bool) {
        self.all.retain(|incident| is_known(&incident.key));
        self.sweep(Uptime::MIN);
    }

    // ---- what follows --------------------------------------------------------------

    /// What is to be sent now; it counts as told.
    pub fn pass(&mut self, at: Moment) -> Vec<Letter> {
        self.calm_down(at.now);
        let mut letters = core::mem::take(&mut self.letters);
        for (channel, desk) in self.desks.iter_mut().enumerate() {
            if desk.is_for_incidents() {
                let tellings = desk.pass(&self.all, at).into_iter();
                letters.extend(tellings.map(|telling| Letter { channel, telling }));
            }
        }
        self.sweep(at.now);
        letters
    }

    /// The same where nobody is told anything now: what there is to tell stays so.
    pub fn pass_in_silence(&mut self, now: Uptime) {
        self.calm_down(now);
        self.letters.clear();
        self.sweep(now);
    }

    fn calm_down(&mut self, now: Uptime) {
        for incident in &mut self.all {
            if incident.calm_at().is_some_and(|calm| calm <= now) {
                let words = alert::calm(&incident.key.subject, incident.restarts, incident.calm());
                incident.close(words);
                self.news.extend(incident.end.clone());
            }
        }
    }

    /// What has become of incidents and no notice has said: that a child keeps crashing,
    /// that it has calmed down, that what another sup knew of is over.
    pub fn take_news(&mut self) -> Vec<Rc<Telling>> {
        core::mem::take(&mut self.news)
    }

    /// When the next [`Incidents::pass`] is due; `None`: not before something happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Uptime> {
        let calm = self.all.iter().filter_map(Incident::calm_at);
        let desks = self.desks.iter().filter_map(Desk::deadline);
        calm.chain(desks).min()
    }

    /// The worst that a channel would have to tell, and what it would say.
    #[must_use]
    pub fn worst(&self, channel: usize) -> Option<Rc<Telling>> {
        let desk = self.desks.get(channel)?;
        let open = self.all.iter().filter(|incident| !incident.over);
        let about = open.filter(|incident| {
            incident.severity.level() >= desk.spec.level && desk.is_about(&incident.key.subject)
        });
        let worst = about.max_by_key(|incident| incident.severity)?;
        (worst.severity > Severity::Crashed).then(|| worst.telling())
    }

    /// What is wrong now, and since when.
    pub fn open_ones(&self) -> impl Iterator<Item = (&Key, Severity, Uptime)> {
        let open = self.all.iter().filter(|incident| !incident.over);
        open.map(|incident| (&incident.key, incident.severity, incident.since))
    }

    /// The level of what is worst.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        self.open_ones()
            .map(|(_, severity, _)| severity.level())
            .max()
    }

    // ---- memory --------------------------------------------------------------------

    /// Everything that is to survive.
    #[must_use]
    pub fn remember(&self) -> AlertMemory {
        let incidents = self.all.iter().map(|incident| IncidentMemory {
            key: incident.key.clone(),
            severity: incident.severity,
            since: incident.since,
            restarts: incident.restarts,
            recent: incident.recent.iter().copied().gather(),
            over: incident.over,
        });
        let place = |id: u32| self.all.iter().position(|incident| incident.id == id);
        let channels = self.desks.iter().map(|desk| ChannelMemory {
            name: desk.spec.name.clone(),
            sent: desk.sent.iter().copied().gather(),
            told: desk
                .told
                .iter()
                .filter_map(|(id, told)| {
                    Some(ToldMemory {
                        incident: u16::try_from(place(*id)?).ok()?,
                        severity: told.severity,
                        at: told.at,
                    })
                })
                .gather(),
        });
        AlertMemory {
            incidents: incidents.gather(),
            channels: channels
                .filter(|channel| *channel != idle(channel))
                .gather(),
        }
    }

    /// Takes up what was remembered, with moments on this boot's clock.
    pub fn recall(&mut self, memory: &AlertMemory, now: Uptime) {
        for (id, known) in (0..).zip(memory.incidents.iter().take(INCIDENTS_MAX)) {
            self.all.push(Incident {
                id,
                key: known.key.clone(),
                severity: known.severity,
                since: known.since,
                restarts: known.restarts,
                recent: known.recent.iter().copied().gather(),
                calm_from: now,
                is_anew: false,
                last: None,
                over: known.over,
                end: None,
            });
        }
        self.next_id = self.all.last().map_or(0, |incident| incident.id + 1);
        for known in &memory.channels {
            let Some(desk) = self.desks.iter_mut().find(|d| d.spec.name == known.name) else {
                continue;
            };
            desk.sent = known.sent.iter().copied().gather();
            let told = known.told.iter();
            desk.told = told
                .filter(|told| usize::from(told.incident) < self.all.len())
                .map(|told| {
                    let (severity, at) = (told.severity, told.at);
                    (u32::from(told.incident), Told { severity, at })
                })
                .gather();
        }
    }

    // ---- the table -----------------------------------------------------------------

    fn find(&mut self, key: &Key) -> Option<&mut Incident> {
        let mut all = self.all.iter_mut();
        all.find(|incident| incident.key == *key && !incident.over)
    }

    /// The incident of that key, made where there is none; `None`: there are too many.
    fn open(&mut self, key: Key, severity: Severity, now: Uptime) -> Option<&mut Incident> {
        let place = match self.all.iter().position(|incident| incident.key == key) {
            Some(place) => place,
            None if self.all.len() == INCIDENTS_MAX => {
                for desk in self.desks.iter_mut().filter(|desk| desk.is_for_incidents()) {
                    desk.held = desk.held.saturating_add(1);
                }
                return None;
            }
            None => {
                self.all.push(Incident {
                    id: self.next_id,
                    key,
                    severity,
                    since: now,
                    restarts: 0,
                    recent: VecDeque::new(),
                    calm_from: now,
                    is_anew: false,
                    last: None,
                    over: false,
                    end: None,
                });
                self.next_id += 1;
                self.all.len() - 1
            }
        };
        let incident = &mut self.all[place];
        if core::mem::take(&mut incident.over) {
            (incident.severity, incident.since) = (severity, now);
            (incident.restarts, incident.last, incident.end) = (0, None, None);
        }
        Some(incident)
    }

    /// What is over, known to all and an hour old is gone.
    fn sweep(&mut self, now: Uptime) {
        let desks = &self.desks;
        let is_told = |id| desks.iter().any(|desk| desk.told.contains_key(&id));
        self.all
            .retain(|incident| !incident.is_forgotten(now) || is_told(incident.id));
        let known: Vec<u32> = self.all.iter().map(|incident| incident.id).gather();
        for desk in &mut self.desks {
            desk.told.retain(|id| known.contains(id));
        }
    }
}

/// The incident of a child or a group that does not run as it should.
fn down(subject: &str) -> Key {
    Key {
        subject: subject.into(),
        kind: Kind::Down,
    }
}

fn is_check_of(key: &Key, subject: &str) -> bool {
    *key.subject == *subject && matches!(key.kind, Kind::Check(_))
}

/// What a channel is remembered as that has nothing to remember.
fn idle(channel: &ChannelMemory) -> ChannelMemory {
    ChannelMemory {
        name: channel.name.clone(),
        ..ChannelMemory::default()
    }
}
