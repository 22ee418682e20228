//! Telling through a program: the message is its last argument, the facts are `SUP_*`.

use std::ffi::CString;

use smol::Timer;
use smol::future;

use crate::model::limits::NOTIFY_TIMEOUT;
use crate::model::spec::{EnvBase, Launch};
use crate::model::words::Telling;
use crate::model::{Exit, Signal};
use crate::os::procfs::Census;
use crate::os::reap;
use crate::os::signals;
use crate::os::spawn::{Extras, spawn};

/// Runs the program and waits for it, at most [`NOTIFY_TIMEOUT`]; then its whole
/// session is killed. What goes wrong is logged.
pub(super) async fn tell(exec: &[CString], telling: &Telling) {
    let program = exec
        .first()
        .map(|word| word.to_string_lossy())
        .unwrap_or_default();
    let child = match spawn(&launch(exec, telling), Extras::default()) {
        Ok(child) => child,
        Err(fault) => {
            log::warn!(target: "sup", "[WARNING] notification by {program}: {fault}");
            return;
        }
    };
    let pid = child.id();
    let late = async {
        Timer::after(NOTIFY_TIMEOUT).await;
        log::warn!(target: "sup", "[WARNING] notification by {program}: still running after {NOTIFY_TIMEOUT:?}, killed");
        signals::send_family(pid, None, Signal::KILL, &Census::take());
        future::pending().await
    };
    let exit = future::or(reap::ended(child), late).await;
    let told = matches!(
        exit,
        Exit::Signal {
            signal: Signal::KILL,
            ..
        }
    );
    if exit != Exit::Code(0) && !told {
        log::warn!(target: "sup", "[WARNING] notification by {program}: {exit}");
    }
}

fn launch(exec: &[CString], telling: &Telling) -> Launch {
    let message = CString::new(telling.message.replace('\0', "")).unwrap_or_default();
    let facts = telling
        .facts
        .iter()
        .map(|(name, value)| (*name, value.as_str()));
    let facts = facts.chain([("MESSAGE", telling.message.as_str())]);
    Launch {
        command: exec.iter().cloned().chain([message]).collect(),
        env_base: EnvBase::Inherit,
        env: facts
            .map(|(name, value)| (format!("SUP_{name}").into(), value.into()))
            .collect(),
        ..Launch::default()
    }
}
