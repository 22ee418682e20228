//! How things stand, as JSON: flat names, times in seconds. Fields are only ever added.

use serde::Serialize;

use crate::model::report::{ChildReport, EndedReport, HoldReport, SupReport};
use crate::model::{Exit, Signal};

/// Everything that `status --json` prints.
#[derive(Serialize)]
pub(super) struct Status<'a> {
    sup: Sup<'a>,
    children: Vec<Child<'a>>,
}

#[derive(Serialize)]
struct Sup<'a> {
    version: &'a str,
    pid: u32,
    up_seconds: f64,
    config: &'a str,
    memory_fault: Option<&'a str>,
}

#[derive(Serialize)]
struct Child<'a> {
    name: &'a str,
    state: &'static str,
    good: bool,
    waits_for: Option<&'a str>,
    pid: Option<u32>,
    run: u32,
    up_seconds: Option<f64>,
    adopted: bool,
    stopped_by_hand: bool,
    stopped_for_seconds: Option<f64>,
    next_seconds: Option<f64>,
    restarts: u32,
    failures: u32,
    streak: u32,
    recent_restarts: u16,
    max_restarts: Option<u16>,
    window_seconds: f64,
    trial: bool,
    policy: &'a str,
    availability_percent: Option<f64>,
    exits: Vec<Ended>,
}

#[derive(Serialize)]
struct Ended {
    run: u32,
    exit: String,
    code: Option<u8>,
    signal: Option<u8>,
    core_dumped: bool,
    asked: bool,
    ago_seconds: f64,
    ran_seconds: f64,
}

impl<'a> Status<'a> {
    pub(super) fn new(sup: &'a SupReport, children: &'a [ChildReport]) -> Self {
        Self {
            sup: Sup {
                version: &sup.version,
                pid: sup.pid,
                up_seconds: sup.up.as_secs_f64(),
                config: &sup.config,
                memory_fault: sup.memory_fault.as_deref(),
            },
            children: children.iter().map(child).collect(),
        }
    }

    /// One object, on one line.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn child(report: &ChildReport) -> Child<'_> {
    let stopped_for = match report.hold {
        HoldReport::DownFor(term) => Some(term.as_secs_f64()),
        HoldReport::None | HoldReport::Up | HoldReport::Down => None,
    };
    Child {
        name: &report.name,
        state: report.state.name(),
        good: report.state.is_good(),
        waits_for: report.waits_for.as_deref(),
        pid: report.pid,
        run: report.run,
        up_seconds: report.up.map(|up| up.as_secs_f64()),
        adopted: report.adopted,
        stopped_by_hand: matches!(report.hold, HoldReport::Down | HoldReport::DownFor(_)),
        stopped_for_seconds: stopped_for,
        next_seconds: report.next.map(|next| next.as_secs_f64()),
        restarts: report.restarts,
        failures: report.failures,
        streak: report.streak,
        recent_restarts: report.recent,
        max_restarts: report.max_restarts,
        window_seconds: report.window.as_secs_f64(),
        trial: report.trial,
        policy: &report.policy,
        availability_percent: report.availability().map(|share| f64::from(share) / 100.0),
        exits: report.exits.iter().map(ended).collect(),
    }
}

fn ended(ended: &EndedReport) -> Ended {
    let (code, signal, core_dumped) = match ended.exit {
        Exit::Code(code) => (Some(code), None, false),
        Exit::Signal {
            signal: Signal(number),
            core,
        } => (None, Some(number), core),
        Exit::Vanished
        | Exit::StartFault(_)
        | Exit::Timeout(_)
        | Exit::Watchdog
        | Exit::Unhealthy
        | Exit::OutOfMemory => (None, None, false),
    };
    Ended {
        run: ended.nth,
        exit: ended.exit.to_string(),
        code,
        signal,
        core_dumped,
        asked: ended.asked,
        ago_seconds: ended.ago.as_secs_f64(),
        ran_seconds: ended.ran.as_secs_f64(),
    }
}
