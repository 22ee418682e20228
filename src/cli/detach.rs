//! `sup run --detach`: another sup in a session of its own, and the wait until it is up.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::args::Flags;
use super::{Code, Failed};
use crate::config;
use crate::os::place;

/// Set for the sup that is detached.
const MARK: &str = "SUP_DETACHED";

/// What the detached sup says on its standard output, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detached {
    /// It is up.
    Up,
    /// Another one was running.
    Running,
}

impl Detached {
    /// As a line.
    #[must_use]
    pub const fn line(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Running => "running",
        }
    }
}

/// Whether we are the detached one.
#[must_use]
pub fn is_detached() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Starts a sup that outlives the terminal, and returns when it is up, or cannot be.
///
/// # Errors
/// The configuration's mistakes, or why it did not come up.
pub fn detach(config: &Path, flags: &Flags) -> Result<Code, Failed> {
    let config = std::path::absolute(config).map_err(|error| Failed::failure(error.to_string()))?;
    let loaded = config::load(&config).map_err(|mistakes| Failed::input(mistakes.to_string()))?;
    let runtime = loaded
        .spec
        .settings
        .runtime
        .as_deref()
        .map_or_else(place::default_runtime, PathBuf::from);
    place::private_dir(&runtime).map_err(|error| Failed::failure(error.to_string()))?;
    let log = flags
        .get("log-file")
        .map_or_else(|| runtime.join("sup.log"), PathBuf::from);
    let log = std::path::absolute(log).map_err(|error| Failed::failure(error.to_string()))?;
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("sup")
        .arg("run")
        .arg("--config")
        .arg(&config)
        .arg("--log-file")
        .arg(&log);
    command.env(MARK, "1").current_dir("/");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    // SAFETY: one system call, which neither allocates nor locks.
    unsafe { command.pre_exec(|| Ok(nix::unistd::setsid().map(drop)?)) };
    let mut child = command
        .spawn()
        .map_err(|error| Failed::failure(format!("starting sup: {error}")))?;
    let Some(mut said) = child.stdout.take().map(BufReader::new) else {
        return Err(Failed::failure("starting sup: it has no output"));
    };
    let mut line = String::new();
    let _end = said.read_line(&mut line);
    match line.trim_end() {
        "up" => Ok(Code::Success),
        "running" => {
            super::ask::say("sup is running already\n");
            Ok(Code::Success)
        }
        _ => {
            let _end = said.read_to_string(&mut line);
            let words = if line.is_empty() {
                format!("sup did not come up; see {}", log.display())
            } else {
                line
            };
            Err(Failed::failure(words.trim_end()))
        }
    }
}
