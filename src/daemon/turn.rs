//! One turn of the same machine, for cron: what `sup --once` does where no sup runs.
//!
//! Children are found again by what is written down, what is due is done, and they are
//! left alone: nobody stays who hears of their ends. The next turn, or a sup that stays,
//! finds them as it would after a `kill -9`.

use std::time::Duration;

use smol::future;

use super::core::{Core, Shared};
use super::http::View;
use super::outputs::Outputs;
use super::{Input, next, paths};
use crate::model::Gather as _;
use crate::model::alert::{Key, Kind, Severity};
use crate::model::check::{self, CheckId, Health, OnCritical};
use crate::model::limits::RESULTS_KEPT;
use crate::model::spec::Spec;
use crate::model::standing::Standing;
use crate::model::words::alert;
use crate::model::{CheckSpec, Member, Memory, Signal, Uptime};
use crate::os::{Receiver, Timer, clock};
use crate::policy::{Action, Child, Due, Event, GroupPhase, Phase, Reach};
use crate::store;
use crate::web::Source;

/// So long before its end, whoever has not ended although told to is killed.
const MERCY: Duration = Duration::from_secs(4);

/// So long after its end, people are still told.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A program that cannot work ends in its first steps; so long it is watched.
const FIRST_STEPS: Duration = Duration::from_secs(1);

/// A start that is due so soon is waited for: the next turn may be minutes away.
const SOON: Duration = Duration::from_secs(10);

/// How often we look whether all is at rest, while it is not.
const LOOK: Duration = Duration::from_millis(50);

/// What a turn may do.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Start, stop and remember; else only look.
    pub acts: bool,
    /// Tell people through their channels.
    pub alerts: bool,
    /// It takes no longer: cron may start the next one.
    pub end: Uptime,
}

impl Look {
    /// Whether it changes nothing but what people have been told.
    pub(super) fn only_tells(self) -> bool {
        self.alerts && !self.acts
    }
}

/// What a turn has found.
#[derive(Debug)]
pub struct Looked {
    /// How everything stands now.
    pub standing: Standing,
    /// Whether everything was done before the time was over.
    pub rested: bool,
    /// Whether all has been given up.
    pub failed: bool,
}

/// All tries of one check together take no longer, so that a turn can still act on it.
const PROBES: Duration = Duration::from_secs(12);

/// Between two tries of one check.
const RETRY: Duration = Duration::from_millis(500);

/// Checks within one turn: nobody is there at their next interval, so one that fails is
/// made again at once, as often as must be. A turn that only looks restarts nobody. Lines
/// of output are not counted: they go where no turn sees them, and none would read as well.
pub(super) fn hurry(spec: &mut Spec, look: Look) {
    let templates = spec.tree.groups.iter_mut();
    let templates = templates.filter_map(|group| group.template.as_mut());
    let children = spec.tree.children.iter_mut();
    let children = children.chain(templates.map(|template| &mut template.child));
    let of_children = children.flat_map(|child| {
        let checks = core::mem::take(&mut child.life.checks).into_iter();
        let counts = |check: &CheckSpec| matches!(check.kind, check::Kind::Log { .. });
        let kept = checks.filter(|check| check.readies || !counts(check));
        child.life.checks = kept.gather();
        child.life.checks.iter_mut()
    });
    for check in of_children.chain(&mut spec.settings.checks) {
        let rhythm = &mut check.rhythm;
        // As many as are kept count.
        let most = u8::try_from(RESULTS_KEPT).unwrap_or(u8::MAX);
        rhythm.retries = rhythm.retries.clamp(1, most);
        rhythm.interval = RETRY;
        rhythm.start_interval = RETRY;
        rhythm.timeout = rhythm.timeout.min(PROBES / u32::from(rhythm.retries));
        if !look.acts {
            check.on_critical = OnCritical::Alert;
        }
    }
}

/// Takes the turn.
pub(super) async fn take(core: Shared, inbox: Receiver<Input>, end: Uptime) -> Looked {
    core.borrow_mut().turn(Event::Tick, clock::now());
    let mut rested = rest(&core, &inbox, end.before(MERCY)).await;
    if !rested {
        core.borrow_mut().kill_who_stops(clock::now());
        rested = rest(&core, &inbox, end).await;
    }
    core.borrow_mut().leave(clock::now());
    core.borrow().checking.end();
    let saved = save(&core, &inbox, clock::now() + MERCY).await;
    let failed = core.borrow().end == Some(false);
    let standing = View::of(&core).standing(true).await;
    let too_late = async { Timer::after(end + LAST_WORDS - clock::now()).await };
    future::or(super::last_words(&core, false), too_late).await;
    if failed && core.borrow().acts() {
        core.borrow().clean_up();
    }
    Looked {
        standing,
        rested: rested && saved,
        failed,
    }
}

/// Lives until nothing more happens by itself soon. Whether that came before the end.
async fn rest(core: &Shared, inbox: &Receiver<Input>, end: Uptime) -> bool {
    loop {
        paths::look(core);
        let now = clock::now();
        if core.borrow().end.is_some() || (core.borrow().is_at_rest(now) && inbox.is_empty()) {
            return true;
        }
        if now >= end {
            return false;
        }
        step(core, inbox, (now + LOOK).min(end)).await;
    }
}

/// Waits for what is being written.
async fn save(core: &Shared, inbox: &Receiver<Input>, end: Uptime) -> bool {
    while !core.borrow().saving.is_idle() {
        if clock::now() >= end {
            return false;
        }
        step(core, inbox, end).await;
    }
    true
}

async fn step(core: &Shared, inbox: &Receiver<Input>, until: Uptime) {
    let due = core.borrow().supervisor.next_deadline().map(|(at, _)| at);
    let until = due.map_or(until, |due| due.min(until));
    match next(inbox, Some(until)).await {
        None => core.borrow_mut().turn(Event::Tick, clock::now()),
        Some(input) => super::take(core, input),
    }
}

impl Core {
    /// This is but one turn, which finds this memory.
    pub(super) fn begin_look(&mut self, look: Look, memory: Option<Memory>, now: Uptime) {
        self.outputs.write_directly();
        self.alerts.be_brief();
        let nothing = || Memory {
            boot: self.boot,
            at: now,
            ..Memory::default()
        };
        let found = look.only_tells().then(|| memory.unwrap_or_else(nothing));
        self.found = found.map(|memory| (memory, now));
    }

    /// Whether policy's actions are carried out.
    pub(super) fn acts(&self) -> bool {
        self.look.is_none_or(|look| look.acts)
    }

    fn is_at_rest(&self, now: Uptime) -> bool {
        let due = self.supervisor.next_deadline();
        let settled = |(id, _, child): (_, _, &Child)| match *child.phase() {
            Phase::Starting { .. }
            | Phase::Readying { .. }
            | Phase::Stopping { .. }
            | Phase::Clearing { .. } => !self.acts(),
            Phase::Up { process, .. } => match self.adopted(id) {
                // Of one that is gone we are about to hear.
                Some(record) => record.is_alive(),
                None => process.at + FIRST_STEPS <= now,
            },
            Phase::Waiting { until } => !self.is_soon(until),
            Phase::Idle | Phase::Over(_) => true,
        };
        due.is_none_or(|(at, due)| at > now || matches!(due, Due::Probe(_)))
            && self.saving.is_idle()
            && self.paths.has_looked()
            && !self.paths.hold_news()
            && self.supervisor.children().all(settled)
            && !self.rises_soon()
            && self.is_checked()
    }

    /// Whether a start that is due then is waited for.
    fn is_soon(&self, due: Uptime) -> bool {
        self.acts() && due <= self.started + SOON
    }

    /// Whether a group that has failed is to be started again in this turn.
    fn rises_soon(&self) -> bool {
        let mut rows = self.supervisor.rows().iter();
        rows.any(|&(_, member)| match member {
            Member::Group(id) => match *self.supervisor.group(id).phase() {
                GroupPhase::Waiting { until } => self.is_soon(until),
                GroupPhase::Idle
                | GroupPhase::Rising { .. }
                | GroupPhase::Up { .. }
                | GroupPhase::Falling { .. }
                | GroupPhase::Over(_) => false,
            },
            Member::Child(_) => false,
        })
    }

    /// Whether each check of what runs has been answered for good: well, or bad as often
    /// as counts.
    fn is_checked(&self) -> bool {
        let of_children = self
            .supervisor
            .children()
            .filter_map(|(id, spec, child)| Some((Some(id), &*spec.life.checks, child.checks()?)));
        let (specs, checks) = self.supervisor.host();
        let mut all = of_children.chain([(None, specs, checks)]);
        all.all(|(of, specs, checks)| {
            let mut each = specs.iter().zip(checks.all()).zip(0..);
            each.all(|((spec, check), place)| {
                let tries = self.tries(CheckId { of, place });
                let good = check.health() == Some(Health::Healthy) && check.failing() == 0;
                (good && tries > 0) || tries >= usize::from(spec.rhythm.retries)
            })
        })
    }

    /// Time is nearly over.
    fn kill_who_stops(&mut self, now: Uptime) {
        let stopping = self.supervisor.children().filter_map(|(_, _, child)| {
            let phase = child.phase();
            let run = phase.process()?.run;
            matches!(phase, Phase::Stopping { .. } | Phase::Clearing { .. }).then_some(run)
        });
        let runs: Vec<_> = stopping.gather();
        for run in runs {
            let (signal, to) = (Signal::KILL, Reach::All);
            self.perform(Action::Signal { run, signal, to }, now);
        }
    }

    /// Nobody stays: what is to be remembered goes to the disk, and logs back to their sizes.
    fn leave(&mut self, now: Uptime) {
        if !self.acts() {
            return self.keep_what_was_told(now);
        }
        self.supervisor.remember_at_once();
        self.turn(Event::Tick, now);
        for (_, spec, _) in self.supervisor.children() {
            Outputs::cut_back(spec);
        }
    }

    /// Of a look that starts nobody, people are told who does not run; nothing else of it
    /// is remembered.
    fn keep_what_was_told(&mut self, now: Uptime) {
        let Some((found, then)) = self.found.take() else {
            return;
        };
        for (_, spec, child) in self.supervisor.children() {
            let key = Key {
                subject: spec.name.clone(),
                kind: Kind::Down,
            };
            match *child.phase() {
                Phase::Starting { .. } | Phase::Waiting { .. } => {
                    let telling = alert::down(&spec.name);
                    self.alerts.raise(key, Severity::Warning, telling, now);
                }
                Phase::Up { .. } if child.streak() == 0 => self.alerts.clear(&key, now),
                Phase::Idle
                | Phase::Readying { .. }
                | Phase::Up { .. }
                | Phase::Stopping { .. }
                | Phase::Clearing { .. }
                | Phase::Over(_) => {}
            }
        }
        let memory = store::with_alerts(&found, self.alerts.remember(), then, self.boot);
        if memory != found {
            self.saving.write(store::encode(&memory));
        }
    }
}
