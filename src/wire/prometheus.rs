//! How things stand, as Prometheus reads it (text format 0.0.4). Names are only ever added.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{Display, Write};
use core::time::Duration;

use crate::model::check::Health;
use crate::model::report::{CheckReport, STARTING};
use crate::model::report::{ChildReport, GroupReport, GroupState, State};
use crate::model::standing::Standing;
use crate::model::tree::ROOT;
use crate::model::words::Seconds;

/// The type of what [`text`] makes.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything. Nothing stands where there is nothing to say: a child that is down has no
/// uptime, one without a budget no limit.
#[must_use]
pub fn text(standing: &Standing) -> String {
    let mut page = Page {
        text: String::new(),
    };
    sup(&mut page, standing);
    children(&mut page, standing);
    groups(&mut page, standing);
    checks(&mut page, standing);
    page.text
}

fn sup(page: &mut Page, standing: &Standing) {
    let sup = &standing.sup;
    page.head("sup_info", GAUGE, "The version of sup; always 1.");
    page.sample("sup_info", &format!("version=\"{}\"", sup.version), 1);
    page.head(
        "sup_uptime_seconds",
        "gauge",
        "How long sup has been running.",
    );
    page.sample("sup_uptime_seconds", "", seconds(sup.up));
    page.head(
        "sup_healthy",
        "gauge",
        "Whether everything is as it should be.",
    );
    let healthy = standing.health() == Health::Healthy;
    page.sample("sup_healthy", "", u8::from(healthy));
    let help = "Whether what must survive a reboot could not be written.";
    page.head("sup_memory_fault", GAUGE, help);
    page.sample("sup_memory_fault", "", u8::from(sup.memory_fault.is_some()));
}

fn children(page: &mut Page, standing: &Standing) {
    for Metric {
        name,
        kind,
        help,
        of,
    } in &CHILD
    {
        page.head(name, kind, help);
        for child in standing.children() {
            if let Some(figure) = of(child) {
                page.sample(name, &labels(child), figure);
            }
        }
    }
    let name = "sup_child_state";
    page.head(name, GAUGE, "What it is doing: 1 for that state.");
    for child in standing.children() {
        let states = State::ALL.iter();
        let states = states.map(|state| (state.name(), child.state == *state));
        page.states(name, &labels(child), states);
    }
}

fn groups(page: &mut Page, standing: &Standing) {
    for Metric {
        name,
        kind,
        help,
        of,
    } in &GROUP
    {
        page.head(name, kind, help);
        for group in standing.groups() {
            if let Some(figure) = of(group) {
                page.sample(name, &group_labels(group), figure);
            }
        }
    }
    let name = "sup_group_state";
    page.head(name, GAUGE, "What it is doing: 1 for that state.");
    for group in standing.groups() {
        let states = GroupState::ALL.iter();
        let states = states.map(|state| (state.name(), group.state == *state));
        page.states(name, &group_labels(group), states);
    }
}

fn checks(page: &mut Page, standing: &Standing) {
    let is_host = |check: &&CheckReport| check.child.is_none();
    let (host, others): (Vec<_>, Vec<_>) = standing.checks.iter().partition(is_host);
    for (name, failing, of) in [
        ("sup_check_state", "sup_check_failing", host),
        ("sup_child_check_state", "sup_child_check_failing", others),
    ] {
        page.head(name, GAUGE, "What a check has found: 1 for that level.");
        for check in &of {
            let levels = Health::ALL.map(Health::name).into_iter();
            let levels = levels.chain([STARTING]);
            let found = levels.map(|level| (level, check.standing() == level));
            page.states(name, &check_labels(check), found);
        }
        page.head(failing, GAUGE, "Bad results of a check in a row.");
        for check in &of {
            page.sample(failing, &check_labels(check), check.failing);
        }
    }
}

// ---- what there is of each -----------------------------------------------------

const COUNTER: &str = "counter";
const GAUGE: &str = "gauge";

/// One figure of each child, or of each group.
struct Metric<Report> {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    /// Of some nothing can be said.
    of: fn(&Report) -> Option<Figure>,
}

const fn metric<Report>(
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    of: fn(&Report) -> Option<Figure>,
) -> Metric<Report> {
    Metric {
        name,
        kind,
        help,
        of,
    }
}

#[rustfmt::skip]
const CHILD: [Metric<ChildReport>; 12] = [
    metric("sup_child_up", GAUGE, "Whether it runs and is ready.", |child| Some(flag(child.state == State::Up))),
    metric("sup_child_good", GAUGE, "Whether it is as it should be.", |child| Some(flag(child.level() == Health::Healthy))),
    metric("sup_child_restarts_total", COUNTER, "Restarts that sup made by itself, ever.", |child| Some(count(child.restarts))),
    metric("sup_child_failures_total", COUNTER, "Ends that nobody asked for and that were not clean, ever.", |child| Some(count(child.failures))),
    metric("sup_child_backoff_level", GAUGE, "Restarts since it last settled.", |child| Some(count(child.streak))),
    metric("sup_child_window_restarts", GAUGE, "Restarts in the window of its budget, or of its group's where it has none of its own.", |child| Some(count(child.recent))),
    metric("sup_child_window_restarts_max", GAUGE, "Restarts that this window allows.", |child| child.max_restarts.map(count)),
    metric("sup_child_run", GAUGE, "The number of its present or last run.", |child| Some(count(child.run))),
    metric("sup_child_uptime_seconds", GAUGE, "How long its present run has been running.", |child| child.up.map(seconds)),
    metric("sup_child_resident_memory_bytes", GAUGE, "Resident memory of its session; pages that two processes share count twice.", |child| child.resident.map(count)),
    metric("sup_child_up_seconds_total", COUNTER, "Time spent up, ever.", |child| Some(seconds(child.up_total))),
    metric("sup_child_wanted_seconds_total", COUNTER, "Time for which it was wanted up, ever.", |child| Some(seconds(child.wanted_total))),
];

#[rustfmt::skip]
const GROUP: [Metric<GroupReport>; 9] = [
    metric("sup_group_up", GAUGE, "Whether all of it has been started.", |group| Some(flag(group.state == GroupState::Up))),
    metric("sup_group_good", GAUGE, "Whether it is as it should be.", |group| Some(flag(group.state.is_good()))),
    metric("sup_group_restarts_total", COUNTER, "Restarts that were charged to it, ever.", |group| Some(count(group.restarts))),
    metric("sup_group_failures_total", COUNTER, "How often it failed as a whole, ever.", |group| Some(count(group.failures))),
    metric("sup_group_backoff_level", GAUGE, "How often its parent has started it again since it last settled.", |group| Some(count(group.streak))),
    metric("sup_group_window_restarts", GAUGE, "Restarts in the window of its budget.", |group| group.window.map(|_| count(group.recent))),
    metric("sup_group_window_restarts_max", GAUGE, "Restarts that this window allows.", |group| group.max_restarts.map(count)),
    metric("sup_group_uptime_seconds", GAUGE, "How long it has been up.", |group| group.up.map(seconds)),
    metric("sup_group_instances", GAUGE, "How many are made from its template.", |group| group.instances.map(count)),
];

/// What a sample says: whole, or with a fraction of a second.
type Figure = Seconds;

fn flag(is_so: bool) -> Figure {
    count(u8::from(is_so))
}

fn count(number: impl Into<u64>) -> Figure {
    seconds(Duration::from_secs(number.into()))
}

fn seconds(span: Duration) -> Figure {
    Seconds(span)
}

// ---- the format ------------------------------------------------------------------

struct Page {
    text: String,
}

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _string = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &str, figure: impl Display) {
        let _string = if labels.is_empty() {
            writeln!(self.text, "{name} {figure}")
        } else {
            writeln!(self.text, "{name}{{{labels}}} {figure}")
        };
    }

    fn states(
        &mut self,
        name: &str,
        labels: &str,
        states: impl Iterator<Item = (&'static str, bool)>,
    ) {
        for (state, is_so) in states {
            let labels = format!("{labels},state=\"{state}\"");
            self.sample(name, &labels, u8::from(is_so));
        }
    }
}

/// Names have no letter that would have to be escaped.
fn labels(child: &ChildReport) -> String {
    let group = child.group.as_deref().unwrap_or(ROOT);
    format!("child=\"{}\",group=\"{group}\"", child.name)
}

fn check_labels(check: &CheckReport) -> String {
    let of = check.child.as_ref();
    let of = of.map_or_else(String::new, |child| format!("child=\"{child}\","));
    format!("{of}check=\"{}\",kind=\"{}\"", check.name, check.kind)
}

/// The group's own name, and that of the one that it is in.
fn group_labels(group: &GroupReport) -> String {
    let parent = group.group.as_deref().unwrap_or(ROOT);
    format!("group=\"{}\",parent=\"{parent}\"", group.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::standing::samples::{standing, tree};

    #[test]
    fn every_line_is_a_sample_of_a_metric_that_is_told_of_before() {
        let text = text(&standing(tree()));
        let mut known = "";
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                known = rest.split(' ').next().unwrap();
            } else if !line.starts_with('#') {
                let name = line.split(['{', ' ']).next().unwrap();
                assert_eq!(name, known, "{line}");
                let figure = line.rsplit(' ').next().unwrap();
                assert!(figure.parse::<f64>().is_ok(), "{line}");
            }
        }
        for line in [
            "sup_healthy 1",
            "sup_child_up{child=\"collector\",group=\"pipeline\"} 1",
            "sup_child_restarts_total{child=\"collector\",group=\"pipeline\"} 2",
            "sup_child_state{child=\"stranger\",group=\"root\",state=\"up\"} 1",
            "sup_child_state{child=\"stranger\",group=\"root\",state=\"gave-up\"} 0",
            "sup_group_up{group=\"workers\",parent=\"pipeline\"} 1",
            "sup_group_instances{group=\"workers\",parent=\"pipeline\"} 2",
            "sup_child_resident_memory_bytes{child=\"last\",group=\"root\"} 3145728",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line}\n{text}");
        }
        let up = "sup_child_state{child=\"last\",group=\"root\"";
        let states = text.lines().filter(|line| line.starts_with(up)).count();
        assert_eq!(states, State::ALL.len());
    }

    #[test]
    fn what_is_down_has_no_uptime_and_no_memory() {
        let mut rows = tree();
        if let crate::model::standing::Row::Child(stranger) = &mut rows[0] {
            (stranger.state, stranger.up) = (State::GaveUp, None);
            (stranger.resident, stranger.max_restarts) = (None, None);
        }
        let text = text(&standing(rows));
        let of = |name: &str| text.contains(&format!("{name}{{child=\"stranger\""));
        assert!(of("sup_child_failures_total"));
        assert!(!of("sup_child_uptime_seconds"));
        assert!(!of("sup_child_resident_memory_bytes"));
        assert!(!of("sup_child_window_restarts_max"));
        assert!(text.contains("sup_healthy 0\n"));
    }
}
