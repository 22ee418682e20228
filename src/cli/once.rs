//! `sup --once`: a look at everything, for cron. Where a sup runs, it is asked; where one
//! should run, it is started; else this is the supervisor, for one turn.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::Flags;
use super::ask::{complain, config_path, runtime, say, whole_status};
use super::detach::detach;
use super::{Code, Failed, client};
use crate::config;
use crate::model::Gather as _;
use crate::model::Uptime;
use crate::model::check::Health;
use crate::model::report::{ChildReport, State};
use crate::model::spec::Spec;
use crate::model::standing::{Row, Standing};
use crate::model::words::{because, group_because};
use crate::os::{boot, clock, place};
use crate::store::Duty;
use crate::wire::control::SOCKET;
use crate::wire::json::{self, Nothing, Status};

/// Everything together takes no longer: what hangs for good (a volume that does not answer)
/// ends us, and cron starts the next.
const BOUND: Duration = Duration::from_secs(30);

/// A turn is over by then: after it we still save, and tell.
const TURN: Duration = Duration::from_secs(24);

/// Who has waited longer for another one starts and stops nobody: that one has just done
/// so, and there would be no time to do it well.
const LATE: Duration = Duration::from_secs(8);

/// How long another one may take that is about the same, and how often we ask.
const OTHERS: Duration = Duration::from_secs(22);
const AGAIN: Duration = Duration::from_millis(200);

/// What is to be done next.
pub enum Next {
    /// Nothing: all has been said.
    Done(Code),
    /// To take a turn.
    Turn {
        /// The configuration.
        config: PathBuf,
        /// What it says.
        spec: Box<Spec>,
    },
}

/// One look, over more than one attempt.
pub struct Once<'a> {
    flags: &'a Flags,
    began: Uptime,
}

impl<'a> Once<'a> {
    /// Begins it.
    #[must_use]
    pub fn begin(flags: &'a Flags) -> Self {
        let late =
            "sup: UNKNOWN: the time was over before everything was done; the next look goes on\n";
        boot::end_in(BOUND, late, Code::Health(Health::Unknown).number());
        let began = clock::now();
        Self { flags, began }
    }

    /// Whether children may be started and stopped now.
    #[must_use]
    pub fn acts(&self) -> bool {
        self.may_act() && clock::now() - self.began < LATE
    }

    fn may_act(&self) -> bool {
        !self.flags.has("no-restart")
    }

    /// By when a turn is over.
    #[must_use]
    pub fn end(&self) -> Uptime {
        self.began + TURN
    }

    /// Whether people are told through their channels.
    #[must_use]
    pub fn alerts(&self) -> bool {
        self.flags.has("alert")
    }

    /// Whether another sup that is at work may still end soon; waits a little for it.
    #[must_use]
    pub fn waits(&self) -> bool {
        let waits = clock::now() - self.began < OTHERS;
        if waits {
            clock::pause(AGAIN);
        }
        waits
    }

    /// Asks the sup that runs, or starts the one that should, or says that it is our turn.
    ///
    /// # Errors
    /// In all of them nothing is known.
    pub fn look(&self) -> Result<Next, Failed> {
        let config = config_path(self.flags).map_err(unknown)?;
        let config = std::path::absolute(&config)
            .map_err(|error| unknown(Failed::failure(error.to_string())))?;
        let runtime = runtime(self.flags);
        if let Some(words) = client::waiting(&runtime.join(SOCKET)) {
            return Err(Self::unknown(&words));
        }
        match whole_status(&runtime) {
            Ok(standing) => return Ok(Next::Done(self.tell(&standing, Health::Healthy))),
            Err(failed) if failed.code == Code::NotRunning => {}
            Err(failed) => return Err(unknown(failed)),
        }
        let loaded = config::load(&config)
            .map_err(|mistakes| unknown(Failed::input(mistakes.to_string())))?;
        let state = place::state(&loaded.spec.settings, &config);
        let this_boot = boot::id();
        match Duty::read(&state) {
            Duty::Ended(boot) if boot == this_boot => {
                self.say_none(Health::Healthy, None);
                Ok(Next::Done(Code::Health(Health::Healthy)))
            }
            Duty::Failed(boot) if boot == this_boot => Err(critical(format!(
                "sup has given up as a whole; see: sup run --config {}",
                config.display()
            ))),
            Duty::LookFailed(boot) if boot == this_boot => Err(critical(format!(
                "an earlier look has given up everything; to begin anew: rm {}",
                Duty::path(&state).display()
            ))),
            Duty::Runs | Duty::Ended(_) | Duty::Failed(_) => self.revive(&config, &runtime),
            Duty::None | Duty::LookFailed(_) => Ok(Next::Turn {
                config,
                spec: Box::new(loaded.spec),
            }),
        }
    }

    /// A sup should run, and none does.
    fn revive(&self, config: &Path, runtime: &Path) -> Result<Next, Failed> {
        if !self.may_act() {
            return Err(critical("sup should be running, and is not"));
        }
        detach(config, self.flags).map_err(|Failed { words, .. }| {
            critical(format!(
                "sup should be running, and does not come up: {words}"
            ))
        })?;
        let standing = whole_status(runtime).map_err(unknown)?;
        if !self.flags.has("json") {
            say("WARNING: sup was not running although it should; it has been started\n");
        }
        Ok(Next::Done(self.tell(&standing, Health::Warning)))
    }

    /// Says what a turn of ours has found: whether everything was done in time, and whether
    /// all has been given up.
    #[must_use]
    pub fn tell_turn(&self, standing: &Standing, rested: bool, failed: bool) -> Code {
        let least = match (failed, rested) {
            (true, _) => {
                complain("sup: CRITICAL: the root has failed, everything was stopped\n");
                Health::Critical
            }
            (false, false) => {
                complain(
                    "sup: the time was over before everything was done; the next look goes on\n",
                );
                Health::Unknown
            }
            (false, true) => Health::Healthy,
        };
        self.tell(standing, least)
    }

    /// Nothing is known, for this reason.
    #[must_use]
    pub fn unknown(words: &str) -> Failed {
        unknown(Failed::failure(words))
    }

    /// A look has failed: who reads JSON is told so in JSON, too.
    #[must_use]
    pub fn failed(&self, failed: Failed) -> Failed {
        if let Code::Health(health) = failed.code {
            self.say_none(health, Some(&failed.words));
        }
        failed
    }

    /// That there is no sup to tell of: because it has ended, or for a reason.
    fn say_none(&self, health: Health, error: Option<&str>) {
        if self.flags.has("json") {
            say(&json::line(&Nothing::new(health, error)));
        }
    }

    /// Says what is not well, and nothing else. `least` is what is known besides.
    fn tell(&self, standing: &Standing, least: Health) -> Code {
        if self.flags.has("json") {
            say(&json::line(&Status::new(standing)));
        } else {
            say(&words(standing));
        }
        Code::Health(standing.health().max(least))
    }
}

fn unknown(failed: Failed) -> Failed {
    let Failed { words, .. } = failed;
    at_level(Health::Unknown, &words)
}

fn critical(words: impl AsRef<str>) -> Failed {
    at_level(Health::Critical, words.as_ref())
}

fn at_level(health: Health, words: &str) -> Failed {
    Failed {
        code: Code::Health(health),
        words: format!("{}: {words}", health.level()),
    }
}

/// A line for each that is not well, the worst first.
fn words(standing: &Standing) -> String {
    let rows = standing
        .rows
        .iter()
        .map(|row| (row.health(), row_words(row)));
    let of_box = standing.checks_of(None).filter_map(|check| {
        let words = format!("{}: {}", check.name, check.words());
        Some((check.health?, words))
    });
    let bad = rows
        .chain(of_box)
        .filter(|(health, _)| *health != Health::Healthy);
    let mut bad: Vec<_> = bad.gather();
    bad.sort_by_key(|(health, _)| core::cmp::Reverse(*health));
    let lines = bad
        .iter()
        .map(|(health, words)| format!("{}: {words}\n", health.level()));
    lines.gather()
}

fn row_words(row: &Row) -> String {
    match row {
        Row::Child(child) => child_words(child),
        Row::Group(group) => {
            let why = group_because(group).into_iter().next();
            sentence(&group.name, group.state.name(), why)
        }
    }
}

fn child_words(child: &ChildReport) -> String {
    let found = child
        .health
        .as_ref()
        .and_then(|health| health.worst.as_ref());
    let found = found.map(|(check, words)| format!("{check}: {words}"));
    if child.state == State::Starting && child.pid.is_none() {
        return format!("{}: not running, and due to be started", child.name);
    }
    let why = found.or_else(|| because(child).into_iter().next());
    sentence(&child.name, child.state.name(), why)
}

fn sentence(name: &str, state: &str, why: Option<String>) -> String {
    match why {
        Some(why) => format!("{name} is {state}. {why}"),
        None => format!("{name} is {state}."),
    }
}
