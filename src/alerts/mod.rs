//! Telling people what they should know: once, in time, and through what they have.
//!
//! ```text
//!   notices, checks --> incidents, desks --> letters --> a queue --> deliver --> exec
//!                       what is wrong, who               for each    time-out,   http, curl
//!                       knows of it; pure                channel     retries     mail, nas
//! ```
//!
//! What is decided is decided at once, and remembered with all else; what is sent is
//! sent by a task for each channel. A channel that hangs, fails or is missing delays
//! nothing but its own next message.

mod curl;
mod deliver;
mod desk;
mod exec;
mod fault;
mod http;
mod incidents;
mod insights;
mod mail;
mod nas;
mod news;
mod presets;
mod program;
mod secret;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;

use smol::future;

use self::deliver::Voice;
use crate::model::Gather as _;
use crate::model::alert::{AlertMemory, AlertSpec, Channel, Key, Secret, Severity};
use crate::model::limits::NOTIFY_QUEUE_MAX;
use crate::model::sorted::Map;
use crate::model::words::{Names, Telling, alert};
use crate::model::{Notice, Uptime};
use crate::os::{self, Receiver, Sender, Timer, clock, say};

pub use incidents::{Incidents, Letter, Moment};
pub use insights::{Figure, Metric};

/// Work that somebody has to run, until it ends.
pub type Work = Pin<Box<dyn Future<Output = ()>>>;

/// Where everything goes in that people should know.
pub struct Alerts(Rc<Office>);

struct Office {
    incidents: RefCell<Incidents>,
    /// What was last measured.
    figures: RefCell<Map<(Metric, String), f64>>,
    lines: RefCell<Vec<Line>>,
    /// Messages that are not told yet.
    left: Rc<Cell<usize>>,
    /// Wakes who keeps the time; `None`: no more is told.
    bell: RefCell<Option<Sender<()>>>,
    /// Called when something has changed by itself that is to be remembered.
    changed: Box<dyn Fn()>,
    /// Whether nobody is told anything.
    is_silent: bool,
    /// Whether figures are sent when all ends, and not only in each interval.
    is_brief: Cell<bool>,
}

/// The way to one channel.
struct Line {
    spec: AlertSpec,
    queue: Queue,
    /// Wakes who tells them.
    bell: Sender<()>,
    /// For those that are told that we live: whether something is critical.
    is_down: Cell<bool>,
    /// Messages that it has not been told yet, of all lines together.
    left: Rc<Cell<usize>>,
}

/// What a channel is still to be told, the oldest first.
type Queue = Rc<RefCell<VecDeque<Rc<Telling>>>>;

/// The channels that the environment names, for where nobody has configured any.
#[must_use]
pub fn of_the_environment() -> Box<[AlertSpec]> {
    let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let mail = variable("ALERT_EMAIL").map(|to| Channel::Mail(to.into()));
    let webhook = variable("ALERT_WEBHOOK_URL").map(|url| {
        let secret = Secret::Variable("ALERT_WEBHOOK_URL".into());
        match url {
            url if url.contains("://hooks.slack.com/") => Channel::Slack(secret),
            url if url.contains("://discord.com/") => Channel::Discord(secret),
            _ => Channel::Webhook(secret),
        }
    });
    mail.into_iter().chain(webhook).map(AlertSpec::new).gather()
}

/// Sends a test through one channel: what was answered, or why it did not arrive.
///
/// # Errors
/// The reason, in words.
pub async fn test(spec: AlertSpec) -> Result<String, String> {
    let result = deliver::tell(&spec, &alert::test()).await;
    result.map_err(|fault| fault.to_string())
}

impl Alerts {
    /// Channels, and the work that tells them. `changed` is called when something has
    /// changed by itself that is to be remembered.
    pub fn new(channels: &[AlertSpec], changed: impl Fn() + 'static) -> (Self, Vec<Work>) {
        let (bell, rung) = os::queue(1);
        let alerts = Self::make(bell, false, changed);
        let keeper: Work = Box::pin(keep_time(Rc::clone(&alerts.0), rung));
        let mut work = alerts.use_channels(channels);
        work.push(keeper);
        (alerts, work)
    }

    /// Channels that are told nothing: only what they know is kept, for a later sup.
    #[must_use]
    pub fn silent(channels: &[AlertSpec]) -> Self {
        let (bell, _) = os::queue(1);
        let alerts = Self::make(bell, true, || ());
        let _nobody_is_told = alerts.use_channels(channels);
        alerts
    }

    fn make(bell: Sender<()>, is_silent: bool, changed: impl Fn() + 'static) -> Self {
        Self(Rc::new(Office {
            incidents: RefCell::new(Incidents::new(&[])),
            figures: RefCell::default(),
            lines: RefCell::default(),
            left: Rc::default(),
            bell: RefCell::new(Some(bell)),
            changed: Box::new(changed),
            is_silent,
            is_brief: Cell::new(false),
        }))
    }

    /// Other channels, and the work that tells them. One that stays as it was goes on.
    pub fn use_channels(&self, channels: &[AlertSpec]) -> Vec<Work> {
        self.0.incidents.borrow_mut().use_channels(channels);
        let mut former = self.0.lines.take();
        let mut work: Vec<Work> = Vec::new();
        let lines = channels.iter().map(|spec| {
            if let Some(place) = former.iter().position(|line| line.spec == *spec) {
                return former.swap_remove(place);
            }
            let queue = Queue::default();
            let (bell, rung) = os::queue(1);
            let (office, waiting) = (Rc::clone(&self.0), Rc::clone(&queue));
            work.push(Box::pin(serve(office, spec.clone(), (waiting, rung))));
            Line {
                spec: spec.clone(),
                queue,
                bell,
                is_down: Cell::new(false),
                left: Rc::clone(&self.0.left),
            }
        });
        let lines = lines.gather();
        *self.0.lines.borrow_mut() = lines;
        self.0.pass(clock::now());
        work
    }

    /// More restarts than this within an hour are a crash loop.
    pub fn use_loop(&self, restarts: u8) {
        self.0.incidents.borrow_mut().use_loop(restarts);
    }

    /// The channels.
    #[must_use]
    pub fn channels(&self) -> Vec<AlertSpec> {
        let lines = self.0.lines.borrow();
        lines.iter().map(|line| line.spec.clone()).gather()
    }

    /// This is for less than an interval: figures are sent when all ends.
    pub fn be_brief(&self) {
        self.0.is_brief.set(true);
    }

    /// Whether all has been told, or given up.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.0.left.get() == 0
    }

    /// No more is told; all work ends when it has told what is left.
    pub fn close(&self) {
        self.0.bell.take();
        self.0.lines.take();
    }

    // ---- what happens --------------------------------------------------------------

    /// A notice, with what people would be told of it. Never blocks.
    pub fn hear(&self, notice: &Notice, telling: Option<Telling>, names: &impl Names, now: Uptime) {
        let at = self.0.moment(now);
        let mut incidents = self.0.incidents.borrow_mut();
        incidents.hear(notice, telling, names, at);
        drop(incidents);
        self.0.pass(now);
    }

    /// What has become of incidents since last asked, as far as no notice has said it.
    #[must_use]
    pub fn take_news(&self) -> Vec<Rc<Telling>> {
        self.0.incidents.borrow_mut().take_news()
    }

    /// Something is wrong: the one way in for checks. The same again, or less bad, is no
    /// news; worse is.
    pub fn raise(&self, key: Key, severity: Severity, telling: Telling, now: Uptime) {
        let mut incidents = self.0.incidents.borrow_mut();
        incidents.raise(key, severity, telling, now);
        drop(incidents);
        self.0.pass(now);
        (self.0.changed)();
    }

    /// What was wrong is so no longer. Nothing happens where nothing was.
    pub fn clear(&self, key: &Key, now: Uptime) {
        let was_open = {
            let mut incidents = self.0.incidents.borrow_mut();
            let mut open = incidents.open_ones();
            let was_open = open.any(|(known, _, _)| known == key);
            drop(open);
            incidents.clear(key, now);
            was_open
        };
        if was_open {
            self.0.pass(now);
            (self.0.changed)();
        }
    }

    /// Whether that is known to be wrong, and at least so bad.
    #[must_use]
    pub fn knows(&self, key: &Key, severity: Severity) -> bool {
        let incidents = self.0.incidents.borrow();
        let mut open = incidents.open_ones();
        open.any(|(known, bad, _)| known == key && bad >= severity)
    }

    /// What was wrong has become a part of something that is told of.
    pub fn fold(&self, key: &Key) {
        self.0.incidents.borrow_mut().fold(key);
    }

    /// A figure for those that draw them; where nobody does, it is not kept.
    pub fn measure(&self, metric: Metric, of: &str, value: f64) {
        let draws = |line: &Line| line.spec.channel.measures();
        if self.0.lines.borrow().iter().any(draws) {
            let mut figures = self.0.figures.borrow_mut();
            figures.insert((metric, of.to_owned()), value);
        }
    }

    /// A person has started it anew.
    pub fn begins_anew(&self, subject: &str, now: Uptime) {
        self.0.incidents.borrow_mut().begins_anew(subject, now);
        self.0.pass(now);
    }

    /// A person has stopped it.
    pub fn stopped(&self, subject: &str, now: Uptime) {
        self.0.incidents.borrow_mut().stopped(subject);
        self.0.pass(now);
    }

    /// What nobody knows any more is nobody's trouble.
    pub fn keep(&self, is_known: impl Fn(&Key) -> bool, now: Uptime) {
        let mut figures = self.0.figures.borrow_mut();
        figures.clear(); // They are measured again.
        self.0.incidents.borrow_mut().keep(is_known);
        self.0.pass(now);
    }

    // ---- memory --------------------------------------------------------------------

    /// Everything that is to survive.
    #[must_use]
    pub fn remember(&self) -> AlertMemory {
        self.0.incidents.borrow().remember()
    }

    /// Takes up what was remembered, with moments on this boot's clock.
    pub fn recall(&self, memory: &AlertMemory, now: Uptime) {
        self.0.incidents.borrow_mut().recall(memory, now);
        self.0.pass(now);
    }
}

impl Office {
    fn moment(&self, now: Uptime) -> Moment {
        let is_asked = |line: &Line| line.spec.quiet.is_some();
        let minute = match self.lines.borrow().iter().any(is_asked) {
            true => clock::minute_of_day(),
            false => 0,
        };
        Moment { now, minute }
    }

    /// Decides what is to be sent, and puts it into the queues.
    fn pass(&self, now: Uptime) {
        if self.is_silent {
            return self.incidents.borrow_mut().pass_in_silence(now);
        }
        let letters = self.incidents.borrow_mut().pass(self.moment(now));
        let lines = self.lines.borrow();
        for letter in letters {
            if let Some(line) = lines.get(letter.channel) {
                line.post(letter.telling);
            }
        }
        let incidents = self.incidents.borrow();
        for (place, line) in lines.iter().enumerate() {
            let beats = line.spec.channel.beats();
            let worst = beats.then(|| incidents.worst(place)).flatten();
            // It hears at once of what becomes critical, and that it is over.
            if line.is_down.replace(worst.is_some()) != worst.is_some() {
                line.post(worst.unwrap_or_else(|| Rc::new(alert::test())));
            }
        }
        if let Some(bell) = &*self.bell.borrow() {
            let _rings_already = bell.put(());
        }
    }

    fn worst(&self, name: &str) -> Option<Rc<Telling>> {
        let lines = self.lines.borrow();
        let place = lines.iter().position(|line| *line.spec.name == *name)?;
        self.incidents.borrow().worst(place)
    }

    fn figures(&self) -> Vec<Figure> {
        let figures = self.figures.borrow();
        let figures = figures.iter().map(|((metric, of), value)| Figure {
            metric: *metric,
            of: of.clone(),
            value: *value,
        });
        figures.gather()
    }
}

impl Line {
    /// Soon. Never blocks; too many at once lose the oldest.
    fn post(&self, telling: Rc<Telling>) {
        self.left.set(self.left.get() + 1);
        let mut queue = self.queue.borrow_mut();
        if queue.len() == NOTIFY_QUEUE_MAX
            && let Some(lost) = queue.pop_front()
        {
            say::warning(format_args!(
                "alert {}: too many messages at once: lost \"{}\"",
                self.spec.name, lost.message
            ));
            self.left.set(self.left.get().saturating_sub(1));
        }
        queue.push_back(telling);
        let _rings_already = self.bell.put(());
    }
}

/// Calls for a pass whenever one is due.
async fn keep_time(office: Rc<Office>, rung: Receiver<()>) {
    loop {
        let deadline = office.incidents.borrow().deadline();
        let bell = async { rung.next().await.map(|()| false) };
        let is_due = match deadline {
            None => bell.await,
            Some(at) => {
                let timer = async {
                    Timer::after(at - clock::now()).await;
                    Some(true)
                };
                future::or(bell, timer).await
            }
        };
        match is_due {
            Some(true) => {
                office.pass(clock::now());
                (office.changed)();
            }
            Some(false) => {}
            None => return,
        }
    }
}

/// What wakes a channel.
enum Woken {
    By(Rc<Telling>),
    ByTime,
}

/// The next message; `None`: there are no more, and the line is closed.
async fn next((queue, rung): &(Queue, Receiver<()>)) -> Option<Rc<Telling>> {
    loop {
        if let Some(telling) = queue.borrow_mut().pop_front() {
            return Some(telling);
        }
        rung.next().await?;
    }
}

/// Tells one channel, one message at a time, until its line is closed.
async fn serve(office: Rc<Office>, spec: AlertSpec, waiting: (Queue, Receiver<()>)) {
    let (name, interval) = (spec.name.clone(), spec.interval);
    let beats = spec.channel.beats();
    let measures = spec.channel.measures();
    let mut voice = Voice::new(spec);
    loop {
        if beats {
            voice.beat(office.worst(&name)).await;
        }
        let next = async { next(&waiting).await.map(Woken::By) };
        let woken = if beats || measures {
            let timer = async {
                Timer::after(interval).await;
                Some(Woken::ByTime)
            };
            future::or(next, timer).await
        } else {
            next.await
        };
        let is_told = matches!(woken, Some(Woken::By(_)));
        match woken {
            Some(Woken::By(telling)) if !beats => voice.tell(&telling).await,
            Some(Woken::ByTime) if measures => voice.measured(&office.figures()).await,
            Some(Woken::By(_) | Woken::ByTime) => {}
            None => {
                if measures && office.is_brief.get() {
                    voice.measured(&office.figures()).await;
                }
                return;
            }
        }
        if is_told {
            let left = &office.left;
            left.set(left.get().saturating_sub(1));
        }
    }
}
