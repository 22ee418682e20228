//! How everything stands: rows of children and groups, each behind its group.

use alloc::vec::Vec;

use super::check::Health;
use super::report::{CheckReport, ChildReport, GroupReport, GroupState, State, SupReport};
use super::tree::ROOT;

/// What `status`, `why` and the web page are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// sup itself.
    pub sup: SupReport,
    /// All others.
    pub rows: Vec<Row>,
    /// Checks, of the box and of children.
    pub checks: Vec<CheckReport>,
}

/// A child or a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A child.
    Child(ChildReport),
    /// A group.
    Group(GroupReport),
}

impl Standing {
    /// The children among the rows.
    pub fn children(&self) -> impl Iterator<Item = &ChildReport> {
        self.rows.iter().filter_map(|row| match row {
            Row::Child(child) => Some(child),
            Row::Group(_) => None,
        })
    }

    /// The groups among the rows.
    pub fn groups(&self) -> impl Iterator<Item = &GroupReport> {
        self.rows.iter().filter_map(|row| match row {
            Row::Child(_) => None,
            Row::Group(group) => Some(group),
        })
    }

    /// Whether all is as it should be.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.health() == Health::Healthy
    }

    /// How well all of it is: the worst row says it, or a check of the box.
    #[must_use]
    pub fn health(&self) -> Health {
        let rows = self.rows.iter().map(Row::health);
        let of_box = self.checks_of(None).filter_map(|check| check.health);
        rows.chain(of_box).max().unwrap_or(Health::Healthy)
    }

    /// The checks of a child, or of the box.
    pub fn checks_of<'a>(
        &'a self,
        child: Option<&'a str>,
    ) -> impl Iterator<Item = &'a CheckReport> {
        let checks = self.checks.iter();
        checks.filter(move |check| check.child.as_deref() == child)
    }
}

impl Row {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Child(child) => &child.name,
            Self::Group(group) => &group.name,
        }
    }

    /// The name of its group; `None`: it is the root.
    #[must_use]
    pub fn parent(&self) -> Option<&str> {
        let parent = match self {
            Self::Child(child) => &child.group,
            Self::Group(group) => &group.group,
        };
        let is_root = self.name() == ROOT;
        parent.as_deref().or((!is_root).then_some(ROOT))
    }

    /// How well it is. The one place that says so for `status`, `/health` and the page.
    #[must_use]
    pub fn health(&self) -> Health {
        match self {
            Self::Child(child) => child.level(),
            Self::Group(group) => match group.state {
                GroupState::Up | GroupState::Stopped | GroupState::Finished => Health::Healthy,
                GroupState::Queued
                | GroupState::Starting
                | GroupState::Restarting
                | GroupState::Stopping
                | GroupState::Backoff => Health::Warning,
                GroupState::Failed | GroupState::GaveUp | GroupState::Parked => Health::Critical,
            },
        }
    }

    /// What it is doing, in one word.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self {
            Self::Child(child) => child.state.name(),
            Self::Group(group) => group.state.name(),
        }
    }
}

impl ChildReport {
    /// How well it is, by what it does and by what its checks have found: the worse of
    /// the two. Checks that have not found anything yet say nothing.
    #[must_use]
    pub fn level(&self) -> Health {
        let by_state = match self.state {
            State::Up | State::Stopped | State::Finished => Health::Healthy,
            State::Queued
            | State::Starting
            | State::Readying
            | State::Stopping
            | State::Clearing
            | State::Backoff => Health::Warning,
            State::Held | State::Failed | State::GaveUp | State::Parked => Health::Critical,
        };
        let checked = self.health.as_ref().and_then(|report| report.health);
        checked.map_or(by_state, |checked| checked.max(by_state))
    }
}

#[cfg(test)]
pub(crate) mod samples {
    //! Reports to show: of a pipeline in which `collector` has failed.

    use alloc::borrow::ToOwned;
    use alloc::vec::Vec;
    use core::time::Duration;

    use super::{Row, Standing};
    use crate::model::Exit;
    use crate::model::check::Health;
    use crate::model::report::{
        CauseReport, CheckReport, ChildReport, EndedReport, GroupReport, GroupState, HoldReport,
        ResultReport, State, SupReport,
    };

    pub(crate) const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// A child that is up for a minute.
    pub(crate) fn child(name: &str, group: Option<&str>) -> ChildReport {
        ChildReport {
            name: name.to_owned(),
            state: State::Up,
            group: group.map(str::to_owned),
            depth: 0,
            waits_for: None,
            waits_for_own: false,
            kept_down_by: None,
            pid: Some(4711),
            run: 1,
            up: Some(secs(60)),
            resident: Some(3 << 20),
            adopted: false,
            hold: HoldReport::None,
            next: None,
            restarts: 0,
            failures: 0,
            streak: 0,
            recent: 0,
            max_restarts: Some(5),
            window: secs(600),
            counted_by_group: group.is_some(),
            taken_by: None,
            trial: false,
            policy: "on-failure".to_owned(),
            exits: Vec::new(),
            health: None,
            up_total: secs(60),
            wanted_total: secs(60),
        }
    }

    /// A check of a child, or of the box, that has found something once.
    pub(crate) fn check(of: Option<&str>, name: &str, health: Option<Health>) -> CheckReport {
        CheckReport {
            child: of.map(str::to_owned),
            name: name.to_owned(),
            kind: name.to_owned(),
            health,
            failing: 2,
            retries: 3,
            next: Some(secs(12)),
            results: alloc::vec![ResultReport {
                health: Health::Critical,
                ago: secs(18),
                took: Duration::from_millis(4),
                words: "status 503".to_owned(),
                output: "one\n\u{1b}[2Jtwo\n".to_owned(),
            }],
        }
    }

    /// A group that is up for a minute.
    pub(crate) fn group(name: &str, group: Option<&str>, strategy: &str) -> GroupReport {
        GroupReport {
            name: name.to_owned(),
            group: group.map(str::to_owned),
            depth: 0,
            strategy: strategy.to_owned(),
            state: GroupState::Up,
            waits_for: None,
            kept_down_by: None,
            up: Some(secs(60)),
            hold: HoldReport::None,
            next: None,
            restarts: 0,
            failures: 0,
            streak: 0,
            recent: 0,
            max_restarts: Some(5),
            window: Some(secs(600)),
            trial: false,
            last: None,
            instances: None,
            up_total: secs(60),
            wanted_total: secs(60),
        }
    }

    /// `collector` has failed, and pipeline has acted on it.
    pub(crate) fn cause(ago: u64) -> CauseReport {
        CauseReport {
            group: "pipeline".to_owned(),
            strategy: "rest-for-one".to_owned(),
            by: "collector".to_owned(),
            exit: Some(Exit::Code(1)),
            ago: secs(ago),
        }
    }

    pub(crate) fn ended(nth: u32, exit: Exit, ago: u64, asked: bool) -> EndedReport {
        EndedReport {
            nth,
            exit,
            ago: secs(ago),
            ran: secs(30),
            asked,
        }
    }

    pub(crate) fn standing(rows: Vec<Row>) -> Standing {
        let sup = SupReport {
            version: "0.1.0".to_owned(),
            pid: 42,
            up: secs(90),
            config: "/etc/sup.toml".to_owned(),
            memory_fault: None,
        };
        Standing {
            sup,
            rows,
            checks: Vec::new(),
        }
    }

    /// Three levels: a stranger, a pipeline, and in it two workers.
    pub(crate) fn tree() -> Vec<Row> {
        let mut pipeline = group("pipeline", None, "rest-for-one");
        (pipeline.restarts, pipeline.recent) = (2, 2);
        pipeline.last = Some(cause(12));
        let mut collector = child("collector", Some("pipeline"));
        (collector.restarts, collector.streak) = (2, 2);
        collector.exits = alloc::vec![ended(2, Exit::Code(1), 12, false)];
        let mut workers = group("workers", Some("pipeline"), "simple-one-for-one");
        workers.instances = Some(2);
        let mut second = child("workers/2", Some("workers"));
        second.taken_by = Some(cause(12));
        let signal = crate::model::Signal(15);
        let term = Exit::Signal {
            signal,
            core: false,
        };
        second.exits = alloc::vec![ended(1, term, 11, true)];
        alloc::vec![
            Row::Child(child("stranger", None)),
            Row::Group(pipeline),
            Row::Child(child("database", Some("pipeline"))),
            Row::Child(collector),
            Row::Group(workers),
            Row::Child(child("workers/1", Some("workers"))),
            Row::Child(second),
            Row::Child(child("dashboard", Some("pipeline"))),
            Row::Child(child("last", None)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{check, child, group, standing};
    use super::*;
    use crate::model::report::HealthReport;

    #[test]
    fn what_is_good_is_healthy_and_nothing_else_is() {
        for state in State::ALL {
            let mut report = child("a", None);
            report.state = state;
            let standing = standing(alloc::vec![Row::Child(report)]);
            assert_eq!(standing.is_good(), state.is_good(), "{}", state.name());
        }
        for state in GroupState::ALL {
            let mut report = group("g", None, "one-for-one");
            report.state = state;
            let standing = standing(alloc::vec![Row::Group(report)]);
            assert_eq!(standing.is_good(), state.is_good(), "{}", state.name());
        }
        assert!(standing(Vec::new()).is_good());
    }

    #[test]
    fn the_worse_of_what_it_does_and_what_its_checks_have_found_counts() {
        let table = [
            (State::Up, None, Health::Healthy),
            (State::Up, Some(Health::Healthy), Health::Healthy),
            (State::Up, Some(Health::Unknown), Health::Unknown),
            (State::Up, Some(Health::Warning), Health::Warning),
            (State::Up, Some(Health::Critical), Health::Critical),
            (State::Backoff, Some(Health::Healthy), Health::Warning),
            (State::Stopping, Some(Health::Critical), Health::Critical),
        ];
        for (state, health, expected) in table {
            let mut report = child("a", None);
            (report.state, report.health) = (
                state,
                Some(HealthReport {
                    health,
                    worst: None,
                }),
            );
            let standing = standing(alloc::vec![Row::Child(report)]);
            assert_eq!(standing.health(), expected, "{state:?} {health:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_the_box_is_wrong_with_all() {
        let mut all = standing(alloc::vec![Row::Child(child("a", None))]);
        all.checks = alloc::vec![check(Some("a"), "http", None), check(None, "disk", None)];
        assert!(all.is_good());
        all.checks[1].health = Some(Health::Warning);
        assert_eq!(all.health(), Health::Warning);
    }
}
