//! `sup -- COMMAND`: flags to a specification of one child.

use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use super::args::Flags;
use crate::model::Gather as _;
use crate::model::alert::{AlertSpec, Channel};
use crate::model::limits::{DURATION_MAX, LOOP_RESTARTS, RESTARTS_MAX};
use crate::model::spec::{
    Backoff, Budget, ChildSpec, EnvBase, Launch, Life, LogSpec, RestartPolicy, Settings, Spec,
};
use crate::model::{Tree, time};

/// Everything to end must happen within this, once we are told to.
const SHUTDOWN: Duration = Duration::from_secs(20);

/// What the flags and the command mean.
pub fn spec(flags: &Flags, command: Vec<CString>) -> Result<Spec, String> {
    let (backoff, budget) = (Backoff::default(), Budget::default());
    let max_restarts = number(flags, "max-restarts", u64::from(RESTARTS_MAX))?;
    let window = number(
        flags,
        "monitoring-period-minutes",
        DURATION_MAX.as_secs() / 60,
    )?;
    let first = seconds(flags, "initial-restart-delay")?.unwrap_or(backoff.first);
    let longest = seconds(flags, "max-restart-delay")?;
    if longest.is_some_and(|longest| longest < first) && flags.has("initial-restart-delay") {
        return Err("--initial-restart-delay is longer than --max-restart-delay".to_owned());
    }
    let longest = longest.unwrap_or_else(|| backoff.longest.max(first));
    let life = Life {
        restart: RestartPolicy::Always,
        backoff: Backoff {
            first: first.min(longest),
            longest,
            ..backoff
        },
        budget: Budget {
            max_restarts: max_restarts.map_or(budget.max_restarts, |max| u16::try_from(max).ok()),
            window: window.map_or(budget.window, |minutes| Duration::from_secs(60 * minutes)),
            ..budget
        },
        ..Life::default()
    };
    let child = ChildSpec {
        name: name(&command[0]).into(),
        launch: Launch {
            command: command.into(),
            env_base: EnvBase::Inherit,
            ..Launch::default()
        },
        log: LogSpec::Inherit,
        life: life.into(),
    };
    let alerts = flags.get("notification-script").map(script).transpose()?;
    let settings = Settings {
        checks: Box::default(),
        crash_loop: LOOP_RESTARTS,
        state: None,
        runtime: None,
        wait_path: Box::default(),
        shutdown_timeout: SHUTDOWN,
        http: None,
        alerts: alerts.into_iter().gather(),
    };
    Ok(Spec {
        settings,
        tree: Tree::from(vec![child]),
    })
}

/// What it is called: the last part of the command's path.
fn name(command: &CString) -> String {
    let text = command.to_string_lossy();
    let last = Path::new(&*text)
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    last.unwrap_or_else(|| text.into_owned())
}

fn script(path: &OsString) -> Result<AlertSpec, String> {
    // Relative to here, whatever PATH says: `notify.sh` is the one beside us.
    let path =
        std::path::absolute(path).map_err(|error| format!("--notification-script: {error}"))?;
    let word = CString::new(path.as_os_str().as_bytes());
    let word = word.map_err(|_| "--notification-script: a path holds no NUL".to_owned())?;
    Ok(AlertSpec::new(Channel::Exec(Box::new([word]))).repeating())
}

fn number(flags: &Flags, long: &str, most: u64) -> Result<Option<u64>, String> {
    let Some(value) = flags.get(long) else {
        return Ok(None);
    };
    let number = value
        .to_str()
        .and_then(|text| text.parse().ok())
        .filter(|number| *number <= most);
    let error = || {
        format!(
            "--{long}: \"{}\" is not a whole number from 0 to {most}",
            value.display()
        )
    };
    number.ok_or_else(error).map(Some)
}

/// Seconds, with or without a fraction.
fn seconds(flags: &Flags, long: &str) -> Result<Option<Duration>, String> {
    let Some(value) = flags.get(long) else {
        return Ok(None);
    };
    let span = value.to_str().and_then(time::seconds);
    let error = || {
        format!(
            "--{long}: \"{}\" is not a number of seconds, such as 5 or 0.5",
            value.display()
        )
    };
    span.filter(|span| *span <= DURATION_MAX)
        .ok_or_else(error)
        .map(Some)
}
