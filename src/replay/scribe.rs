//! The lines of a journal, as they are written.

use std::fmt::Write;

use super::words::{HOST, Speaker, moment, scale_to, scaled, span};
use super::{VERSION, tree};
use crate::model::Gather as _;
use crate::model::check::{CheckSpec, Kind};
use crate::model::order::ScaleTo;
use crate::model::sorted::Map;
use crate::model::spec::Launch;
use crate::model::{BootId, ChildSpec, GroupId, Memory, RunId, Tree, Uptime};
use crate::policy::{Action, Event, Handover, Next, Over, Rules, ScaleFault, Supervisor};
use crate::store;

/// Writes trees: it knows which launches it has seen.
#[derive(Default)]
pub struct Scribe {
    /// By name, the last launch of each child and template, and how often it has changed.
    launches: Vec<(Box<str>, Launch, u32)>,
    /// The same for what checks look at: by whose they are, and by name.
    looks: Map<(Box<str>, Box<str>), (Kind, u32)>,
}

impl Scribe {
    /// What a life begins with. `memory` is what was found, on the clock that it has.
    pub fn head(
        &mut self,
        tree: &Tree,
        host: &[CheckSpec],
        rules: Rules,
        memory: Option<&Memory>,
        boot: BootId,
        now: Uptime,
    ) -> String {
        let boot = u128::from_be_bytes(boot.0);
        let mut text = format!(
            "journal version={VERSION} sup={} boot={boot:032x} at={} seed={} {}",
            env!("CARGO_PKG_VERSION"),
            moment(now),
            rules.seed,
            self.tree(tree, host, rules.shutdown_timeout)
        );
        if let Some(memory) = memory {
            text += &hexadecimal("memory", &store::encode(memory));
        }
        text
    }

    /// A new configuration.
    pub fn reload(
        &mut self,
        tree: &Tree,
        host: &[CheckSpec],
        shutdown_timeout: core::time::Duration,
        now: Uptime,
    ) -> String {
        let tree = self.tree(tree, host, shutdown_timeout);
        format!("{} reload {tree}", moment(now))
    }

    fn tree(
        &mut self,
        tree: &Tree,
        host: &[CheckSpec],
        shutdown_timeout: core::time::Duration,
    ) -> String {
        let mut lines = Vec::new();
        self.checks(HOST, host, &mut lines);
        for spec in &tree.children {
            let launch = self.launch(spec);
            lines.push(format!("child {} {}", spec.name, tree::child(spec, launch)));
            self.checks(&spec.name, &spec.life.checks, &mut lines);
        }
        for spec in tree.all_groups() {
            lines.push(format!("group {} {}", spec.name, tree::group(spec)));
            if let Some(template) = &spec.template {
                let launch = self.launch(&template.child);
                let child = tree::child(&template.child, launch);
                lines.push(format!(
                    "template {} count={} {child}",
                    spec.name, template.count
                ));
                let checks = &template.child.life.checks;
                self.checks(&spec.name, checks, &mut lines);
            }
        }
        format!(
            "shutdown-timeout={} tree={}\n{}\n",
            span(shutdown_timeout),
            lines.len(),
            lines.join("\n")
        )
    }

    fn checks(&mut self, of: &str, checks: &[CheckSpec], lines: &mut Vec<String>) {
        for spec in checks {
            let key = (of.into(), spec.name.clone());
            let known = &mut self.looks;
            let (last, number) = known.get_or_insert(key, (spec.kind.clone(), 1));
            if *last != spec.kind {
                *last = spec.kind.clone();
                *number += 1;
            }
            let words = tree::check(spec, *number);
            lines.push(format!("check {} {words}", spec.name));
        }
    }

    fn launch(&mut self, spec: &ChildSpec) -> u32 {
        let known = &mut self.launches;
        match known.binary_search_by(|(name, ..)| (**name).cmp(&spec.name)) {
            Err(place) => {
                known.insert(place, (spec.name.clone(), spec.launch.clone(), 1));
                1
            }
            Ok(place) => {
                let (_, last, number) = &mut known[place];
                if *last != spec.launch {
                    *last = spec.launch.clone();
                    *number += 1;
                }
                *number
            }
        }
    }
}

/// What the program before this one, in the same process, has handed over.
#[must_use]
pub fn handed_over(standing: &Handover) -> String {
    let bytes = postcard::to_allocvec(standing);
    debug_assert!(bytes.is_ok(), "postcard can write all that it has");
    hexadecimal("handover", &bytes.unwrap_or_default())
}

/// `memory 0141…`
fn hexadecimal(what: &str, bytes: &[u8]) -> String {
    let mut text = format!("{what} ");
    for byte in bytes {
        let _string = write!(text, "{byte:02x}");
    }
    text.push('\n');
    text
}

/// A run that another sup has started.
#[must_use]
pub fn adopted(run: RunId, pid: u32, at: Uptime, supervisor: &Supervisor) -> String {
    let run = Speaker(supervisor).run(run);
    format!("adopted {run} pid {pid} at {}\n", moment(at))
}

/// What another sup had decided when a run was over.
#[must_use]
pub fn decided(run: RunId, next: Next, supervisor: &Supervisor) -> String {
    let run = Speaker(supervisor).run(run);
    let next = match next {
        Next::Idle => "starts".to_owned(),
        Next::Waiting { until } => format!("waits until {}", moment(until)),
        Next::Over(Over::Finished { clean: true }) => "finished clean".to_owned(),
        Next::Over(Over::Finished { clean: false }) => "finished".to_owned(),
        Next::Over(Over::GaveUp) => "gave-up".to_owned(),
        Next::Over(Over::Parked { until }) => format!("parked until {}", moment(until)),
        Next::Over(Over::TakenAlong) => "taken-along".to_owned(),
    };
    format!("decided {run} {next}\n")
}

/// An event, before it is handled: should that go wrong, this is what one wants to know.
#[must_use]
pub fn happening(event: Event, now: Uptime, supervisor: &Supervisor) -> String {
    let event = Speaker(supervisor).event(event);
    format!("{} {event} ->", moment(now))
}

/// What followed, and what is due next.
#[must_use]
pub fn following<'a>(
    actions: impl IntoIterator<Item = &'a Action>,
    supervisor: &Supervisor,
) -> String {
    let speaker = Speaker(supervisor);
    let actions = actions.into_iter().map(|action| speaker.action(*action));
    let due = supervisor.next_deadline().map(|due| speaker.due(due));
    let all: Vec<String> = actions.chain(due).gather();
    if all.is_empty() {
        "nothing".to_owned()
    } else {
        all.join("; ")
    }
}

/// A change of a number of instances, with what became of it.
#[must_use]
pub fn scale(
    group: GroupId,
    to: ScaleTo,
    result: &Result<(Vec<u16>, Vec<u16>), ScaleFault>,
    now: Uptime,
    supervisor: &Supervisor,
) -> String {
    let speaker = Speaker(supervisor);
    let group = speaker.group(group);
    let (now, to, result) = (moment(now), scale_to(to), scaled(result));
    format!("{now} scale {group} {to} -> {result}\n")
}
