//! `sup run --detach`: another sup in a session of its own, and the wait until it is up.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::args::Flags;
use super::{Code, Failed};
use crate::config;
use crate::model::Gather as _;
use crate::model::spec::{EnvBase, Launch};
use crate::model::words::ErrorNumber;
use crate::os::spawn::{Extras, Stream, spawn};
use crate::os::{image, place};

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

/// What a sup is started with that goes on where this one is: the same from everywhere.
///
/// # Errors
/// A path that cannot be made absolute, or that holds a NUL.
pub fn words(config: &Path, flags: &Flags) -> Result<Vec<CString>, Failed> {
    let own_name = std::env::args_os().next().unwrap_or_else(|| "sup".into());
    let log = flags.get("log-file").map(Path::new);
    let words = [own_name].into_iter().chain(run_words(config, log, flags)?);
    let words = words.map(|word| CString::new(word.into_vec()));
    words
        .gather::<Result<_, _>>()
        .map_err(|error| Failed::input(error.to_string()))
}

/// The words of `sup run`, with absolute paths.
fn run_words(config: &Path, log: Option<&Path>, flags: &Flags) -> Result<Vec<OsString>, Failed> {
    let journal = flags.get("journal").map(Path::new);
    let named = [
        ("--config", Some(config)),
        ("--log-file", log),
        ("--journal", journal),
    ];
    let mut words: Vec<OsString> = vec!["run".into()];
    for (name, path) in named {
        if let Some(path) = path {
            let path = std::path::absolute(path);
            let path = path.map_err(|error| Failed::failure(error.to_string()))?;
            words.extend([name.into(), path.into()]);
        }
    }
    Ok(words)
}

/// Makes another sup with these arguments, and gives what it says.
fn start(arguments: Vec<OsString>) -> Result<File, String> {
    let program = image::own_path().map_err(|error| error.to_string())?;
    let words = [program.into()].into_iter().chain(arguments);
    let words = words.map(|word| CString::new(OsString::into_vec(word)));
    let command: Result<Box<[CString]>, _> = words.gather();
    let launch = Launch {
        command: command.map_err(|error| error.to_string())?,
        dir: Some("/".into()),
        env_base: EnvBase::Inherit,
        ..Launch::default()
    };
    let pipe = nix::unistd::pipe2(OFlag::O_CLOEXEC);
    let (said, says) = pipe.map_err(|errno| ErrorNumber(errno as i32).to_string())?;
    let extras = Extras {
        own_env: vec![(MARK, "1".to_owned())],
        output: says.into(),
        error: Some(Stream::Null),
        ..Extras::default()
    };
    spawn(&launch, extras).map_err(|fault| fault.to_string())?;
    Ok(said.into())
}

/// Starts a sup that outlives the terminal, and returns when it is up, or cannot be.
///
/// # Errors
/// The configuration's mistakes, or why it did not come up.
pub fn detach(config: &Path, flags: &Flags) -> Result<Code, Failed> {
    let config = std::path::absolute(config).map_err(|error| Failed::failure(error.to_string()))?;
    let loaded = config::load(&config).map_err(|mistakes| Failed::input(mistakes.to_string()))?;
    let runtime = place::runtime(&loaded.spec.settings);
    place::private_dir(&runtime).map_err(|error| Failed::failure(error.to_string()))?;
    let log = flags
        .get("log-file")
        .map_or_else(|| runtime.join("sup.log"), PathBuf::from);
    let failed = |words: String| Failed::failure(format!("starting sup: {words}"));
    let said = start(run_words(&config, Some(&log), flags)?).map_err(failed)?;
    let mut said = BufReader::new(said);
    let mut line = String::new();
    let _end = said.read_line(&mut line);
    match line.trim_end() {
        "up" => Ok(Code::Success),
        "running" => {
            super::ask::say("sup is running already\n");
            Ok(Code::Success)
        }
        _ => {
            while said.read_line(&mut line).is_ok_and(|read| read > 0) {}
            let words = if line.is_empty() {
                format!("sup did not come up; see {}", log.display())
            } else {
                line
            };
            Err(Failed::failure(words.trim_end()))
        }
    }
}
