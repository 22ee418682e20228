//! Whether an exit is followed by a restart: systemd's table (semantics.md B1).

use crate::model::spec::{ExitMatch, Life};
use crate::model::{Exit, RestartPolicy, Signal};

/// The rows of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Clean,
    /// Another exit code, or a start that failed.
    Code,
    /// Another signal, with or without a core dump.
    Signal,
    /// A time was up, memory ran out, or nobody knows.
    Trouble,
    /// A missed watchdog or a failed health check.
    Watchdog,
}

/// Whether `exit` counts as success: code 0, HUP, INT, TERM, PIPE, and `success-exit`.
#[must_use]
pub fn is_clean(life: &Life, exit: Exit) -> bool {
    let by_nature = match exit {
        Exit::Code(code) => code == 0,
        Exit::Signal { signal, .. } => {
            [Signal::HUP, Signal::INT, Signal::TERM, Signal::PIPE].contains(&signal)
        }
        Exit::Vanished
        | Exit::StartFault(_)
        | Exit::Timeout(_)
        | Exit::Watchdog
        | Exit::Unhealthy
        | Exit::OutOfMemory => false,
    };
    by_nature || is_listed(&life.success_exit, exit)
}

/// Whether a run that ended like this, unasked, is followed by another: first
/// `prevent-exit`, then `force-exit`, then the policy.
#[must_use]
pub fn wants_restart(life: &Life, exit: Exit) -> bool {
    if is_listed(&life.prevent_exit, exit) {
        return false;
    }
    is_listed(&life.force_exit, exit) || by_policy(life.restart, cause(life, exit))
}

fn by_policy(policy: RestartPolicy, cause: Cause) -> bool {
    match policy {
        RestartPolicy::No => false,
        RestartPolicy::Always => true,
        RestartPolicy::OnSuccess => cause == Cause::Clean,
        RestartPolicy::OnFailure => cause != Cause::Clean,
        RestartPolicy::OnAbnormal => {
            matches!(cause, Cause::Signal | Cause::Trouble | Cause::Watchdog)
        }
        RestartPolicy::OnAbort => cause == Cause::Signal,
        RestartPolicy::OnWatchdog => cause == Cause::Watchdog,
    }
}

fn cause(life: &Life, exit: Exit) -> Cause {
    if is_clean(life, exit) {
        return Cause::Clean;
    }
    match exit {
        Exit::Code(_) | Exit::StartFault(_) => Cause::Code,
        Exit::Signal { .. } => Cause::Signal,
        Exit::Vanished | Exit::Timeout(_) | Exit::OutOfMemory => Cause::Trouble,
        Exit::Watchdog | Exit::Unhealthy => Cause::Watchdog,
    }
}

fn is_listed(list: &[ExitMatch], exit: Exit) -> bool {
    list.iter().any(|entry| match (entry, exit) {
        (ExitMatch::Code(wanted), Exit::Code(code)) => *wanted == code,
        (ExitMatch::Signal(wanted), Exit::Signal { signal, .. }) => *wanted == signal,
        (ExitMatch::Code(_) | ExitMatch::Signal(_), _) => false,
    })
}
