//! The notification centres of NAS boxes, through their own tools.

use std::ffi::CString;

use super::fault::Fault;
use super::presets::{Around, title};
use super::program;
use crate::model::Exit;
use crate::model::Gather as _;
use crate::model::words::{Level, Telling};

/// QNAP: the log that its Notification Center watches. Its two tools number levels
/// differently.
pub(super) async fn qnap(telling: &Telling) -> Result<String, Fault> {
    if let Some(tool) = program::find(&["log_tool"]) {
        let level = match telling.level {
            Level::Info => "0",
            Level::Warning => "1",
            Level::Critical => "2",
        };
        let words = [
            "-t",
            level,
            "-u",
            "System",
            "-p",
            "127.0.0.1",
            "-m",
            "localhost",
            "-a",
            &telling.message,
        ];
        return call(tool, &words).await;
    }
    let Some(tool) = program::find(&["write_log"]) else {
        let words = "this box has neither log_tool nor write_log: is it a QNAP?";
        return Err(Fault::lasting(words));
    };
    let level = match telling.level {
        Level::Info => "4",
        Level::Warning => "2",
        Level::Critical => "1",
    };
    call(tool, &[&telling.message, level]).await
}

/// Synology: the log centre, and the desktop of the administrators where its tool still
/// takes a plain text, which DSM 6 does.
pub(super) async fn synology(telling: &Telling, around: &Around<'_>) -> Result<String, Fault> {
    let level = match telling.level {
        Level::Info => "info",
        Level::Warning => "warn",
        Level::Critical => "err",
    };
    let title = title(telling, around);
    let log: [&str; 4] = ["sys", level, "0x11100000", &telling.message];
    let desktop: [&str; 3] = ["@administrators", &title, &telling.message];
    let ways: [(&str, &[&str]); 2] = [("synologset1", &log), ("synodsmnotify", &desktop)];
    let mut answers = Vec::new();
    let mut fault = None;
    for (name, words) in ways {
        let Some(tool) = program::find(&[name]) else {
            continue;
        };
        match call(tool, words).await {
            Ok(answer) => answers.push(format!("{name}: {answer}")),
            Err(error) => fault = Some(error),
        }
    }
    match (answers.is_empty(), fault) {
        (false, _) => Ok(answers.join(", ")),
        (true, Some(fault)) => Err(fault),
        (true, None) => Err(Fault::lasting(
            "this box has neither synologset1 nor synodsmnotify: is it a Synology?",
        )),
    }
}

async fn call(tool: CString, words: &[&str]) -> Result<String, Fault> {
    let name = tool.to_string_lossy().into_owned();
    let words = words
        .iter()
        .map(|word| CString::new(word.replace('\0', "")).unwrap_or_default());
    let command = std::iter::once(tool).chain(words).gather();
    let ran = program::run(command, Box::default(), &[]).await?;
    if ran.exit == Exit::Code(0) {
        Ok(ran.words())
    } else {
        Err(Fault::passing(format!("{name}: {}", ran.words())))
    }
}
