//! Probes: one look at a child or at the box, and what was seen.
//!
//! Each is bounded in time, in bytes and in processes. It tells what it has found exactly
//! once, at its timeout at the latest; what then still hangs on it (a program that the
//! kernel cannot end yet, a thread that waits for a sleeping disk) it goes on waiting for,
//! and as long as it does, the next probe of the same check says so instead of making
//! one more of them. [`PROBES_MAX`] run at the same time.
//!
//! Looking wakes no disk that sleeps, where the kernel can answer from memory: `disk` is
//! `statvfs`, `file` is `stat`. A program on a sleeping disk is read from there.

mod exec;
mod file;
mod http;
mod log;
mod memory;
mod tcp;

use std::cell::RefCell;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use smol::future;

pub use http::{Answer, Fault, answer};
pub use log::Lines;

use crate::model::Gather as _;
use crate::model::check::{Bounds, Health, Kind};
use crate::model::limits::{FINDING_MAX, PROBES_MAX};
use crate::model::sorted::{Map, Set};
use crate::model::spec::Launch;
use crate::model::words::Brief;
use crate::os::procfs::{self, Mark};
use crate::os::{Gate, Timer, signals};

/// What a probe has found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// How well it is.
    pub health: Health,
    /// What was seen, in one line.
    pub words: String,
    /// The beginning of what the program said, or of the answer; at most [`FINDING_MAX`]
    /// bytes.
    pub output: Vec<u8>,
    /// What was measured: in percent of a disk, of the box's memory; in seconds of age.
    pub figure: Option<f64>,
}

impl Finding {
    fn new(health: Health, words: impl Into<String>) -> Self {
        Self {
            health,
            words: words.into(),
            output: Vec::new(),
            figure: None,
        }
    }

    fn measured(self, figure: f64) -> Self {
        Self {
            figure: Some(figure),
            ..self
        }
    }

    fn with(self, output: &[u8]) -> Self {
        let output = output[..output.len().min(FINDING_MAX)].to_vec();
        Self { output, ..self }
    }

    fn late(timeout: Duration) -> Self {
        let words = format!("nothing within its time ({})", Brief(timeout));
        Self::new(Health::Critical, words)
    }
}

/// Whom a probe is about.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// How a program is run for it: as the child itself, or as sup.
    pub launch: Launch,
    /// The child's main process.
    pub pid: Option<u32>,
    /// By what its processes are known.
    pub mark: Option<Mark>,
    /// By what those of the probe are known: for `SUP_CHECK` and `SUP_HOME`.
    pub own_mark: Option<(String, String)>,
    /// Lines counted in its output.
    pub lines: u32,
}

/// Makes probes, so many at a time.
pub struct Prober {
    gate: Rc<Gate>,
    /// Those of which something still hangs.
    stuck: RefCell<Set<String>>,
    /// Programs that run, and by what we know what they have made.
    programs: Programs,
}

type Programs = RefCell<Map<u32, Mark>>;

impl Default for Prober {
    fn default() -> Self {
        Self {
            gate: Gate::new(PROBES_MAX),
            stuck: RefCell::default(),
            programs: RefCell::default(),
        }
    }
}

impl Prober {
    /// Makes one probe and tells what it has found. `name` is the check's own. Ends when
    /// nothing of it is left.
    pub async fn probe(
        self: Rc<Self>,
        name: String,
        kind: Kind,
        timeout: Duration,
        subject: Subject,
        tell: impl FnOnce(Finding),
    ) {
        if self.stuck.borrow().contains(&name) {
            let words = "the probe before this one still hangs: neither time nor KILL ends it";
            tell(Finding::new(Health::Critical, words));
            return;
        }
        let place = self.gate.enter().await;
        self.stuck.borrow_mut().insert(name.clone());
        let told = |finding| {
            drop(place);
            tell(finding);
        };
        match kind {
            Kind::Exec { command, warn } => {
                let programs = &self.programs;
                exec::look(&command, &warn, timeout, subject, programs, told).await;
            }
            Kind::Tcp {
                to,
                send,
                expect,
                time,
            } => {
                let (send, expect) = (send.as_deref(), expect.as_deref());
                let work = pin!(tcp::look(&to, send, expect, time));
                let found = within(timeout, work).await;
                told(found.unwrap_or(Finding::late(timeout)));
            }
            Kind::Http {
                url,
                status,
                body,
                time,
            } => {
                let work = pin!(http::look(&url, status, body.as_deref(), time));
                let found = within(timeout, work).await;
                told(found.unwrap_or(Finding::late(timeout)));
            }
            Kind::File { path, bounds } => {
                let look = Box::new(move || file::look(&path, bounds));
                patiently(timeout, look, told).await;
            }
            Kind::Disk { path, used } => {
                let look = Box::new(move || file::disk(&path, used));
                patiently(timeout, look, told).await;
            }
            Kind::Memory { of, used } => {
                let look = Box::new(move || memory::look(of, used, &subject));
                patiently(timeout, look, told).await;
            }
            Kind::Process => told(process(subject.pid)),
            Kind::Log { within, lines, .. } => told(log::judge(subject.lines, within, lines)),
        }
        self.stuck.borrow_mut().remove(&name);
    }

    /// Kills all programs that still run: nobody waits for what they find.
    pub fn end(&self) {
        for (pid, mark) in self.programs.take() {
            signals::kill_family(pid, &mark);
        }
    }
}

/// What the work comes to; `None`: not in time, and it is given up.
async fn within(limit: Duration, work: Pin<&mut dyn Future<Output = Finding>>) -> Option<Finding> {
    let timer = async {
        Timer::after(limit).await;
        None
    };
    future::or(async { Some(work.await) }, timer).await
}

/// Looks on a thread that may wait for a disk. When the time is over that is told, and
/// the thread waited for.
async fn patiently(
    timeout: Duration,
    look: Box<dyn FnOnce() -> Finding + Send>,
    tell: impl FnOnce(Finding),
) {
    let mut work = pin!(crate::os::aside(look));
    match within(timeout, work.as_mut()).await {
        Some(finding) => tell(finding),
        None => {
            tell(Finding::late(timeout));
            work.await;
        }
    }
}

/// Whether the main process is there, and goes on.
fn process(pid: Option<u32>) -> Finding {
    let stat = pid.and_then(|pid| procfs::stat(pid.cast_signed()));
    match stat.map(|stat| stat.state) {
        None | Some('X') => Finding::new(Health::Critical, "its process is gone"),
        Some('Z') => Finding::new(Health::Critical, "its process is a zombie"),
        Some('T' | 't') => Finding::new(Health::Warning, "its process is stopped"),
        Some(_) => Finding::new(Health::Healthy, "its process is alive"),
    }
}

/// How well it is to have answered only after so long.
fn judge_time(time: Bounds<Duration>, took: Duration) -> Health {
    time.judge(|most| took > *most)
}

/// The first line of what somebody said, fit for a sentence.
fn first_line(said: &[u8]) -> String {
    const SHOWN: usize = 120;
    let line = said
        .split(|byte| *byte == b'\n')
        .find(|line| !line.trim_ascii().is_empty());
    let line = String::from_utf8_lossy(line.unwrap_or_default().trim_ascii());
    let plain = |char: char| if char.is_control() { '?' } else { char };
    let mut shown: String = line.chars().take(SHOWN).map(plain).gather();
    if line.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// `what: the beginning of what was said`.
fn joined(what: &str, said: &[u8]) -> String {
    let first = first_line(said);
    if first.is_empty() {
        what.to_owned()
    } else {
        format!("{what}: {first}")
    }
}

/// The kernel's words, without its number.
fn error_words(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
