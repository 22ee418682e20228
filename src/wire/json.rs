//! How things stand, as JSON: flat names, times in seconds. Fields are only ever added.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Serialize;

use super::checks::{self, Check};
use crate::model::Gather as _;
use crate::model::alert::HOST;
use crate::model::check;
use crate::model::report::{
    CauseReport, ChildReport, EndedReport, GroupReport, HealthReport, HoldReport, SupReport,
};
use crate::model::standing::{Row, Standing};
use crate::model::words::{because, group_because};
use crate::model::{Exit, Signal};

/// Everything that `status --json` prints and `/metrics` answers.
#[derive(Serialize)]
pub struct Status<'a> {
    sup: Sup<'a>,
    health: Health<'a>,
    children: Vec<Child<'a>>,
    groups: Vec<Group<'a>>,
    /// Of the box itself.
    checks: Vec<Check<'a>>,
}

/// What `--once --json` prints where no sup is left to tell of.
#[derive(Serialize)]
pub struct Nothing<'a> {
    sup: (),
    health: Health<'a>,
    /// It has ended, as it should.
    ended: bool,
    /// Why there is none.
    error: Option<&'a str>,
}

/// What `/health` answers.
#[derive(Serialize)]
pub struct Health<'a> {
    status: &'static str,
    not_good: Vec<NotGood<'a>>,
}

#[derive(Serialize)]
struct NotGood<'a> {
    name: &'a str,
    state: &'static str,
    health: &'static str,
    /// The check that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<&'a str>,
}

/// What `/events` answers.
#[derive(Serialize)]
pub struct Events {
    /// The process that numbers them, from 0 on.
    pub pid: u32,
    /// Seconds since 1970, now.
    pub now: u64,
    /// The number that the next event will have.
    pub next: u64,
    /// What has happened, the oldest first.
    pub events: Vec<Event>,
    /// The length of a bin.
    pub bin_seconds: u64,
    /// How many bins are kept.
    pub bins: usize,
    /// Of the children that had any.
    pub restarts: Vec<Restarts>,
}

/// The restarts of one child.
#[derive(Serialize)]
pub struct Restarts {
    /// Its name.
    pub child: String,
    /// How many bins ago, and how many; the oldest first.
    pub counted: Vec<(u8, u8)>,
}

/// Something that happened.
#[derive(Serialize)]
pub struct Event {
    /// Its number since sup was started.
    pub number: u64,
    /// Seconds since 1970, when it happened.
    pub wall: u64,
    /// In words.
    pub text: String,
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
    /// Where it stands among children and groups, each behind its group.
    row: usize,
    group: Option<&'a str>,
    depth: u16,
    state: &'static str,
    /// How well it is.
    level: &'static str,
    good: bool,
    why: String,
    waits_for: Option<&'a str>,
    kept_down_by: Option<&'a str>,
    pid: Option<u32>,
    run: u32,
    up_seconds: Option<f64>,
    resident_bytes: Option<u64>,
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
    counted_by_group: bool,
    taken_by: Option<Cause<'a>>,
    trial: bool,
    policy: &'a str,
    availability_percent: Option<f64>,
    exits: Vec<Ended>,
    health: Option<&'static str>,
    checks: Vec<Check<'a>>,
}

#[derive(Serialize)]
struct Group<'a> {
    name: &'a str,
    /// Where it stands among children and groups, each behind its group.
    row: usize,
    group: Option<&'a str>,
    depth: u16,
    strategy: &'a str,
    state: &'static str,
    /// How well it is.
    level: &'static str,
    good: bool,
    why: String,
    waits_for: Option<&'a str>,
    kept_down_by: Option<&'a str>,
    up_seconds: Option<f64>,
    stopped_by_hand: bool,
    stopped_for_seconds: Option<f64>,
    next_seconds: Option<f64>,
    restarts: u32,
    failures: u32,
    streak: u32,
    recent_restarts: u16,
    max_restarts: Option<u16>,
    window_seconds: Option<f64>,
    trial: bool,
    instances: Option<u16>,
    availability_percent: Option<f64>,
    last_failure: Option<Cause<'a>>,
}

#[derive(Serialize)]
struct Cause<'a> {
    group: &'a str,
    strategy: &'a str,
    by: &'a str,
    exit: Option<String>,
    ago_seconds: f64,
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
    /// That of everything.
    #[must_use]
    pub fn new(standing: &'a Standing) -> Self {
        let (mut children, mut groups) = (Vec::new(), Vec::new());
        for (at, row) in standing.rows.iter().enumerate() {
            let level = row.health();
            match row {
                Row::Child(report) => {
                    let checks = checks::of(standing, Some(&report.name));
                    children.push(child(at, report, level, checks));
                }
                Row::Group(report) => groups.push(group(at, report, level)),
            }
        }
        Self {
            sup: head(&standing.sup),
            health: Health::new(standing),
            children,
            groups,
            checks: checks::of(standing, None),
        }
    }
}

impl<'a> Nothing<'a> {
    /// That there is none: because of an error, or because it has ended.
    #[must_use]
    pub fn new(health: check::Health, error: Option<&'a str>) -> Self {
        Self {
            sup: (),
            health: Health {
                status: health.level(),
                not_good: Vec::new(),
            },
            ended: error.is_none(),
            error,
        }
    }
}

impl<'a> Health<'a> {
    /// That of everything.
    #[must_use]
    pub fn new(standing: &'a Standing) -> Self {
        let is_bad = |row: &&Row| row.health() != check::Health::Healthy;
        let rows = standing.rows.iter().filter(is_bad).map(|row| NotGood {
            name: row.name(),
            state: row.state(),
            health: row.health().name(),
            check: match row {
                Row::Child(child) => child.health.as_ref().and_then(HealthReport::worst_check),
                Row::Group(_) => None,
            },
        });
        let of_box = standing.checks_of(None).filter_map(|report| {
            let health = report.health.filter(|it| *it != check::Health::Healthy)?;
            Some(NotGood {
                name: HOST,
                state: "up",
                health: health.name(),
                check: Some(&report.name),
            })
        });
        Self {
            status: standing.health().level(),
            not_good: rows.chain(of_box).gather(),
        }
    }
}

/// One object, on one line.
#[must_use]
pub fn line(object: &impl Serialize) -> String {
    serde_json::to_string(object).unwrap_or_default() + "\n"
}

fn head(sup: &SupReport) -> Sup<'_> {
    Sup {
        version: &sup.version,
        pid: sup.pid,
        up_seconds: sup.up.as_secs_f64(),
        config: &sup.config,
        memory_fault: sup.memory_fault.as_deref(),
    }
}

fn child<'a>(
    row: usize,
    report: &'a ChildReport,
    level: check::Health,
    checks: Vec<Check<'a>>,
) -> Child<'a> {
    let (stopped_by_hand, stopped_for_seconds) = stopped(report.hold);
    Child {
        name: &report.name,
        row,
        group: report.group.as_deref(),
        depth: report.depth,
        state: report.state.name(),
        level: level.name(),
        good: level == check::Health::Healthy,
        why: because(report).join(" "),
        waits_for: report.waits_for.as_deref(),
        kept_down_by: report.kept_down_by.as_deref(),
        pid: report.pid,
        run: report.run,
        up_seconds: report.up.map(|up| up.as_secs_f64()),
        resident_bytes: report.resident,
        adopted: report.adopted,
        stopped_by_hand,
        stopped_for_seconds,
        next_seconds: report.next.map(|next| next.as_secs_f64()),
        restarts: report.restarts,
        failures: report.failures,
        streak: report.streak,
        recent_restarts: report.recent,
        max_restarts: report.max_restarts,
        window_seconds: report.window.as_secs_f64(),
        counted_by_group: report.counted_by_group,
        taken_by: report.taken_by.as_ref().map(cause),
        trial: report.trial,
        policy: &report.policy,
        availability_percent: percent(report.availability()),
        exits: report.exits.iter().map(ended).gather(),
        health: report.health.as_ref().map(HealthReport::name),
        checks,
    }
}

fn group(row: usize, report: &GroupReport, level: check::Health) -> Group<'_> {
    let (stopped_by_hand, stopped_for_seconds) = stopped(report.hold);
    Group {
        name: &report.name,
        row,
        group: report.group.as_deref(),
        depth: report.depth,
        strategy: &report.strategy,
        state: report.state.name(),
        level: level.name(),
        good: level == check::Health::Healthy,
        why: group_because(report).join(" "),
        waits_for: report.waits_for.as_deref(),
        kept_down_by: report.kept_down_by.as_deref(),
        up_seconds: report.up.map(|up| up.as_secs_f64()),
        stopped_by_hand,
        stopped_for_seconds,
        next_seconds: report.next.map(|next| next.as_secs_f64()),
        restarts: report.restarts,
        failures: report.failures,
        streak: report.streak,
        recent_restarts: report.recent,
        max_restarts: report.max_restarts,
        window_seconds: report.window.map(|window| window.as_secs_f64()),
        trial: report.trial,
        instances: report.instances,
        availability_percent: percent(report.availability()),
        last_failure: report.last.as_ref().map(cause),
    }
}

fn cause(report: &CauseReport) -> Cause<'_> {
    Cause {
        group: &report.group,
        strategy: &report.strategy,
        by: &report.by,
        exit: report.exit.map(|exit| exit.to_string()),
        ago_seconds: report.ago.as_secs_f64(),
    }
}

/// Whether by hand, and for how long from now.
fn stopped(hold: HoldReport) -> (bool, Option<f64>) {
    match hold {
        HoldReport::None | HoldReport::Up => (false, None),
        HoldReport::Down => (true, None),
        HoldReport::DownFor(term) => (true, Some(term.as_secs_f64())),
    }
}

fn percent(share: Option<u16>) -> Option<f64> {
    share.map(|share| f64::from(share) / 100.0)
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use alloc::borrow::ToOwned;

    use super::*;
    use crate::model::report::State;
    use crate::model::standing::samples::{check as checked, standing, tree};

    #[test]
    fn groups_stand_beside_children_and_each_knows_its_own() {
        let standing = standing(tree());
        let all: Value = serde_json::from_str(&line(&Status::new(&standing))).unwrap();
        let pipeline = &all["groups"][0];
        assert_eq!(pipeline["name"], "pipeline");
        assert_eq!(pipeline["group"], Value::Null);
        assert_eq!(
            (&pipeline["row"], &all["children"][1]["row"]),
            (&json!(1), &json!(2))
        );
        assert_eq!(pipeline["strategy"], "rest-for-one");
        assert_eq!(pipeline["good"], true);
        assert_eq!(pipeline["level"], "healthy");
        let why = "collector failed 12s ago (exit code 1), and took others along.";
        assert_eq!(pipeline["why"], why);
        assert_eq!(pipeline["recent_restarts"], 2);
        let cause = json!({
            "group": "pipeline", "strategy": "rest-for-one", "by": "collector",
            "exit": "exit code 1", "ago_seconds": 12.0,
        });
        assert_eq!(pipeline["last_failure"], cause);
        assert_eq!(all["groups"][1]["instances"], 2);
        assert_eq!(all["health"], json!({"status": "HEALTHY", "not_good": []}));
        let second = &all["children"][4];
        assert_eq!(second["name"], "workers/2");
        assert_eq!(second["group"], "workers");
        assert_eq!(second["counted_by_group"], true);
        assert_eq!(second["taken_by"], cause);
        assert_eq!(all["children"][0]["taken_by"], Value::Null);
    }

    #[test]
    fn health_names_what_is_not_good_and_the_worst_says_how_bad_it_is() {
        let mut rows = tree();
        let mut told = |place: usize, state: State| {
            if let Row::Child(child) = &mut rows[place] {
                child.state = state;
            }
            let standing = standing(rows.clone());
            line(&Health::new(&standing))
        };
        let wanted = "{\"status\":\"WARNING\",\"not_good\":[{\"name\":\"collector\",\"state\":\"backoff\",\"health\":\"warning\"}]}\n";
        assert_eq!(told(3, State::Backoff), wanted);
        assert!(told(0, State::GaveUp).starts_with("{\"status\":\"CRITICAL\""));
        assert!(told(0, State::Stopped).starts_with("{\"status\":\"WARNING\""));
        assert!(told(3, State::Up).starts_with("{\"status\":\"HEALTHY\""));
    }

    #[test]
    fn what_checks_have_found_stands_with_whom_they_are_of() {
        let mut all = standing(tree());
        let found = Some(check::Health::Critical);
        if let Row::Child(child) = &mut all.rows[3] {
            let worst = Some(("http".to_owned(), "status 503".to_owned()));
            child.health = Some(HealthReport {
                health: found,
                worst,
            });
        }
        let disk = Some(check::Health::Warning);
        all.checks = alloc::vec![
            checked(Some("collector"), "http", found),
            checked(None, "disk", disk),
        ];
        let told: Value = serde_json::from_str(&line(&Status::new(&all))).unwrap();
        let collector = &told["children"][2];
        assert_eq!(collector["name"], "collector");
        assert_eq!(
            (&collector["level"], &collector["good"]),
            (&json!("critical"), &json!(false))
        );
        let why = collector["why"].as_str().unwrap();
        assert!(
            why.starts_with("It is critical (check http): status 503. "),
            "{why}"
        );
        assert_eq!(collector["checks"][0]["results"][0]["words"], "status 503");
        assert_eq!(told["checks"][0]["health"], "warning");
        let health = json!({"status": "CRITICAL", "not_good": [
            {"name": "collector", "state": "up", "health": "critical", "check": "http"},
            {"name": "host", "state": "up", "health": "warning", "check": "disk"},
        ]});
        assert_eq!(told["health"], health);
    }
}
