//! One program: its words, what it reads, what it says, and a bound on all of it.

use std::env;
use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};
use smol::future;

use super::fault::Fault;
use crate::model::Gather as _;
use crate::model::limits::NOTIFY_TIMEOUT;
use crate::model::spec::{EnvBase, Launch};
use crate::model::words::Brief;
use crate::model::{Exit, Signal};
use crate::os::procfs::Census;
use crate::os::spawn::Extras;
use crate::os::{self, Async, Timer, signals, spawn};

/// What is kept of what it says, in bytes.
const SAID_MAX: usize = 1 << 10;

/// Where boxes keep their own tools, besides PATH, which is short at boot.
const FOLDERS: [&str; 7] = [
    "/usr/bin",
    "/bin",
    "/sbin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/syno/bin",
    "/opt/bin",
];

/// The first of these that the box has, in PATH or where boxes keep their tools.
pub(super) fn find(names: &[&str]) -> Option<CString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .chain(FOLDERS.iter().map(PathBuf::from))
        .gather();
    let is_program = |path: &Path| path.is_file() && access(path, AccessFlags::X_OK).is_ok();
    let mut candidates = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let found = candidates.find(|path| is_program(path))?;
    CString::new(found.as_os_str().as_bytes()).ok()
}

/// What became of a program.
pub(super) struct Ran {
    pub(super) exit: Exit,
    /// The beginning of what it said on both of its outputs.
    pub(super) said: String,
}

impl Ran {
    /// Its last line, or how it ended.
    pub(super) fn words(&self) -> String {
        let last = self.said.lines().rev().find(|line| !line.trim().is_empty());
        match (last, self.exit) {
            (Some(last), Exit::Code(0)) => last.trim().to_owned(),
            (None, Exit::Code(0)) => "done".to_owned(),
            (Some(last), exit) => format!("{exit}: {}", last.trim()),
            (None, exit) => exit.to_string(),
        }
    }
}

/// Runs a program with all of sup's own variables and these, and waits for it, at most
/// [`NOTIFY_TIMEOUT`]; then its whole session is killed. What it has left running keeps
/// nobody waiting.
pub(super) async fn run(
    command: Box<[CString]>,
    env: Box<[(Box<str>, Box<str>)]>,
    input: &[u8],
) -> Result<Ran, Fault> {
    let launch = Launch {
        command,
        env_base: EnvBase::Inherit,
        env,
        ..Launch::default()
    };
    let system = |error| Fault::system("a pipe", &error);
    let (their_input, our_input) = os::pipe_to().map_err(system)?;
    let (our_output, their_output) = os::pipe().map_err(system)?;
    let extras = Extras {
        input: their_input.into(),
        output: their_output.into(),
        ..Extras::default()
    };
    let child = spawn::spawn(&launch, extras).map_err(|fault| Fault::lasting(fault.to_string()))?;
    let pid = child.id();
    let mut said = Vec::new();
    let exit = {
        let talk = async {
            future::zip(feed(our_input, input), listen(&our_output, &mut said)).await;
            future::pending().await
        };
        let late = async {
            Timer::after(NOTIFY_TIMEOUT).await;
            signals::send_family(pid, None, Signal::KILL, &Census::take());
            None
        };
        let ended = async { Some(child.ended().await) };
        future::or(ended, future::or(late, talk)).await
    };
    let Some(exit) = exit else {
        let words = format!("still running after {}, killed", Brief(NOTIFY_TIMEOUT));
        return Err(Fault::lasting(words));
    };
    // What it said last may not have been read yet.
    take(our_output.get_ref(), &mut said);
    Ok(Ran {
        exit,
        said: String::from_utf8_lossy(&said).into_owned(),
    })
}

/// Gives it its input, and the end of it.
async fn feed(pipe: Async<File>, input: &[u8]) {
    let mut rest = input;
    while !rest.is_empty() {
        // That it does not want to read is no fault.
        match pipe.write_with(|mut pipe| pipe.write(rest)).await {
            Ok(length) => rest = &rest[length..],
            Err(_) => return,
        }
    }
}

/// Listens for as long as somebody may speak.
async fn listen(pipe: &Async<File>, said: &mut Vec<u8>) {
    let mut piece = [0; 512];
    while let Ok(length @ 1..) = pipe.read_with(|mut pipe| pipe.read(&mut piece)).await {
        keep(said, &piece[..length]);
    }
}

fn take(mut pipe: &File, said: &mut Vec<u8>) {
    let mut piece = [0; 512];
    // Not more than once around a full pipe: somebody may go on speaking.
    for _ in 0..256 {
        match pipe.read(&mut piece) {
            Ok(length @ 1..) => keep(said, &piece[..length]),
            Ok(0) | Err(_) => return,
        }
    }
}

fn keep(said: &mut Vec<u8>, piece: &[u8]) {
    let room = SAID_MAX - said.len();
    said.extend(&piece[..piece.len().min(room)]);
}
