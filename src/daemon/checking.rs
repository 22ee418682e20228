//! Checks on their way out and their findings on their way in; the last of these are
//! kept in RAM, and nowhere else.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use super::core::Core;
use super::{Input, spawn};
use crate::checks::{Finding, Prober, Subject};
use crate::model::Gather as _;
use crate::model::check::{CheckId, Health, Kind};
use crate::model::limits::RESULTS_KEPT;
use crate::model::report::{CheckReport, HealthReport, ResultReport};
use crate::model::sorted::{Map, Set};
use crate::model::spec::{Launch, Watchdog};
use crate::model::tree::Strategy;
use crate::model::words::Names;
use crate::model::{ChildId, GroupId, RunId, Uptime};
use crate::os::{self, Timer, clock};
use crate::policy::{Check, Checks, Event, Supervisor};

/// What a check is known by over a reload: its child's name, empty for the box, and its
/// own.
type Key = (Box<str>, Box<str>);

/// One result.
struct Found {
    at: Uptime,
    took: Duration,
    finding: Finding,
}

/// Who makes probes, and what they have found.
#[derive(Default)]
pub(super) struct Checking {
    prober: Rc<Prober>,
    results: Map<Key, VecDeque<Found>>,
    /// When the file of a watchdog had been written when last we looked.
    beats: Map<ChildId, SystemTime>,
}

/// What a probe has come to.
pub(super) struct Probed {
    check: CheckId,
    nth: u32,
    took: Duration,
    finding: Finding,
}

impl Checking {
    /// Everything ends: nobody waits for findings any more.
    pub(super) fn end(&self) {
        self.prober.end();
    }
}

impl Core {
    /// Makes a check.
    pub(super) fn probe(&mut self, check: CheckId, nth: u32, now: Uptime) {
        let Some(spec) = self.supervisor.check(check) else {
            return; // Policy has just asked for it.
        };
        let (kind, timeout) = (spec.kind.clone(), spec.rhythm.timeout);
        let (child, name) = self.key(check);
        let subject = self.subject(check, &kind, &child, &name, now);
        let label = format!("{child}/{name}");
        let inbox = self.inbox.clone();
        let tell = move |finding| {
            let took = clock::now() - now;
            let probed = Probed {
                check,
                nth,
                took,
                finding,
            };
            let _loop = inbox.put(Input::Probed(Box::new(probed)));
        };
        let prober = Rc::clone(&self.checking.prober);
        let work = prober.probe(label, kind, timeout, subject, tell);
        spawn(&self.executor, work).detach();
    }

    fn key(&self, check: CheckId) -> Key {
        let child = check.of.map_or("", |id| Names::child(&self.supervisor, id));
        let name = Names::check(&self.supervisor, check);
        (child.into(), name.into())
    }

    fn subject(
        &self,
        check: CheckId,
        kind: &Kind,
        child: &str,
        name: &str,
        now: Uptime,
    ) -> Subject {
        let own_mark = Some((format!("{child}/{name}"), self.home().to_owned()));
        let Some(id) = check.of else {
            return Subject {
                own_mark,
                ..Subject::default()
            };
        };
        let process = self.supervisor.child(id).phase().process();
        let launch = match kind {
            Kind::Exec { .. } => self.supervisor.spec(id).launch.clone(),
            Kind::Tcp { .. }
            | Kind::Http { .. }
            | Kind::File { .. }
            | Kind::Disk { .. }
            | Kind::Memory { .. }
            | Kind::Process
            | Kind::Log { .. } => Launch::default(),
        };
        Subject {
            launch,
            pid: process.map(|process| process.pid),
            mark: process.map(|process| self.mark(process.run)),
            own_mark,
            lines: self.outputs.count(id, name, now),
        }
    }

    /// A check has been made. What it found is kept where it is about what runs now.
    pub(super) fn probed(&mut self, probed: Probed, now: Uptime) {
        let Probed {
            check,
            nth,
            took,
            mut finding,
        } = probed;
        let health = finding.health;
        let counts = self.supervisor.awaits(check, nth);
        if counts {
            self.note_figure(check, finding.figure);
            let (child, name) = self.key(check);
            log::debug!(target: "sup", "{child} {name} {health}: {}", finding.words);
            if health == Health::Healthy {
                finding.output = Vec::new();
            }
            let key = self.key(check);
            let results = self.checking.results.get_or_insert(key, VecDeque::new());
            if results.len() == RESULTS_KEPT {
                results.pop_front();
            }
            results.push_back(Found {
                at: now,
                took,
                finding,
            });
        }
        self.turn(Event::Probed { check, nth, health }, now);
        if counts {
            self.worry(check, now);
        }
    }

    /// How often a check has been made, up to [`RESULTS_KEPT`] times.
    pub(super) fn tries(&self, check: CheckId) -> usize {
        let results = self.checking.results.get(&self.key(check));
        results.map_or(0, VecDeque::len)
    }

    /// Other checks are configured: what is known of those that are gone is forgotten.
    pub(super) fn adjust_checks(&mut self) {
        let (host, _) = self.supervisor.host();
        let of_host = host.iter().map(|spec| (Box::default(), spec.name.clone()));
        let of_children = self.supervisor.children().flat_map(|(_, spec, _)| {
            let checks = spec.life.checks.iter();
            checks.map(|check| (spec.name.clone(), check.name.clone()))
        });
        let known: Set<Key> = of_host.chain(of_children).gather();
        self.checking.results.retain(|key| known.contains(key));
    }

    // ---- watchdog -----------------------------------------------------------

    /// Finds out when a run last showed that it lives.
    pub(super) fn pulse(&mut self, run: RunId, now: Uptime) -> Option<Event> {
        let watchdog = self.supervisor.spec(run.child).life.watchdog.as_ref();
        let Some(Watchdog {
            within,
            file: Some(path),
        }) = watchdog
        else {
            let last = self.last_message(run);
            return Some(Event::Pulse { run, last });
        };
        let (path, within) = (path.to_string(), *within);
        let before = self.checking.beats.get(&run.child).copied();
        let inbox = self.inbox.clone();
        let work = async move {
            let look = os::aside(move || std::fs::metadata(&path)?.modified());
            let late = async {
                Timer::after(within).await;
                None
            };
            let written = smol::future::or(async { Some(look.await) }, late).await;
            let last = match &written {
                // The disk does not answer: that is not the child's fault.
                None => Some(clock::now()),
                Some(Err(_)) => None,
                Some(Ok(written)) => Some(life_sign(*written, before, within, now)),
            };
            let written = written.and_then(Result::ok);
            let _loop = inbox.put(Input::Beat(run, written, last));
        };
        spawn(&self.executor, work).detach();
        None
    }

    /// The file of a watchdog has been looked at.
    pub(super) fn beat(
        &mut self,
        run: RunId,
        written: Option<SystemTime>,
        last: Option<Uptime>,
        now: Uptime,
    ) {
        let beats = &mut self.checking.beats;
        match written {
            Some(written) => drop(beats.insert(run.child, written)),
            None => drop(beats.remove(&run.child)),
        }
        self.turn(Event::Pulse { run, last }, now);
    }
}

/// When a file that was last written at `written` shows that somebody lives. The wall clock
/// may have jumped: what has been written since we last looked is young, whatever it says.
fn life_sign(
    written: SystemTime,
    before: Option<SystemTime>,
    within: Duration,
    now: Uptime,
) -> Uptime {
    let age = SystemTime::now()
        .duration_since(written)
        .unwrap_or_default();
    let is_new = before != Some(written);
    if age > within && is_new {
        now
    } else {
        now.before(age)
    }
}

// ---- words --------------------------------------------------------------------

/// The supervisor's names, with what checks have found.
pub(super) struct Told<'a> {
    pub(super) supervisor: &'a Supervisor,
    pub(super) checking: &'a Checking,
}

impl Names for Told<'_> {
    fn child(&self, id: ChildId) -> &str {
        Names::child(self.supervisor, id)
    }

    fn group(&self, id: GroupId) -> (&str, Strategy) {
        Names::group(self.supervisor, id)
    }

    fn check(&self, check: CheckId) -> &str {
        Names::check(self.supervisor, check)
    }

    fn finding(&self, check: CheckId) -> &str {
        let child = check.of.map_or("", |id| Names::child(self.supervisor, id));
        self.checking.words(child, self.check(check))
    }
}

impl Checking {
    fn words(&self, child: &str, check: &str) -> &str {
        let results = self.results.get(&(child.into(), check.into()));
        let last = results.and_then(VecDeque::back);
        last.map_or("", |found| &found.finding.words)
    }

    /// How well a child or the box is; `None`: it has no checks, or does not run.
    pub(super) fn health(
        &self,
        supervisor: &Supervisor,
        of: Option<ChildId>,
    ) -> Option<HealthReport> {
        let checks = checks(supervisor, of).filter(|checks| !checks.all().is_empty())?;
        let health = checks.health();
        let bad = health.filter(|health| *health != Health::Healthy);
        let worst = bad.and_then(|bad| {
            let mut places = (0..).zip(checks.all());
            let (place, _) = places.find(|(_, check)| check.health() == Some(bad))?;
            let told = Told {
                supervisor,
                checking: self,
            };
            let id = CheckId { of, place };
            Some((told.check(id).to_owned(), told.finding(id).to_owned()))
        });
        Some(HealthReport { health, worst })
    }

    /// How the checks of a child, or of the box, stand.
    pub(super) fn reports(
        &self,
        supervisor: &Supervisor,
        of: Option<ChildId>,
        now: Uptime,
    ) -> Vec<CheckReport> {
        let child = of.map(|id| Names::child(supervisor, id).to_owned());
        let specs = match of {
            Some(id) => &supervisor.spec(id).life.checks,
            None => supervisor.host().0,
        };
        let standing = checks(supervisor, of);
        let reports = specs.iter().enumerate().map(|(place, spec)| {
            let check = standing.and_then(|checks| checks.all().get(place));
            let key = (
                child.as_deref().unwrap_or_default().into(),
                spec.name.clone(),
            );
            let results = self.results.get(&key);
            CheckReport {
                child: child.clone(),
                name: spec.name.to_string(),
                kind: spec.kind.name().to_owned(),
                health: check.and_then(Check::health),
                failing: check.map_or(0, Check::failing),
                retries: spec.rhythm.retries,
                next: check.and_then(Check::next).map(|at| at - now),
                results: results
                    .into_iter()
                    .flatten()
                    .map(|found| result(found, now))
                    .gather(),
            }
        });
        reports.gather()
    }
}

fn checks(supervisor: &Supervisor, of: Option<ChildId>) -> Option<&Checks> {
    match of {
        Some(id) => supervisor.child(id).checks(),
        None => Some(supervisor.host().1),
    }
}

fn result(found: &Found, now: Uptime) -> ResultReport {
    let Found { at, took, finding } = found;
    ResultReport {
        health: finding.health,
        ago: now - *at,
        took: *took,
        words: finding.words.clone(),
        output: String::from_utf8_lossy(&finding.output).into_owned(),
    }
}
