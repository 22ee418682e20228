//! Making processes.

use std::ffi::{CString, OsStr};
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use async_process::{Child, Command};
use nix::errno::Errno;

use super::prepare::{self, DEFAULT_PATH, Identity, Steps};
use super::procfs::Census;
use super::{procfs, reap, signals};
use crate::model::spec::{EnvBase, Launch};
use crate::model::{Signal, Stage, StartFault};

/// What a start needs besides its specification.
#[derive(Default)]
pub struct Extras {
    /// Variables from the env-files.
    pub env: Vec<(String, String)>,
    /// Variables of ours, winning over all others: `NOTIFY_SOCKET` and the like.
    pub own_env: Vec<(&'static str, String)>,
    /// Standard output and error; nowhere, unless given.
    pub output: Option<(Stdio, Stdio)>,
    /// Whether standard input is ours; else it is empty.
    pub stdin: bool,
    /// The writing end of the readiness pipe, and the number that the child knows it by.
    pub ready: Option<(OwnedFd, RawFd)>,
}

/// Descriptors that std and async-process open for one start: an exec pipe and a pidfd.
/// Should the last one fail, they would leave us a child that nobody owns.
const DESCRIPTORS_NEEDED: usize = 4;

/// Starts a process: the leader of a session of its own, with default signals, no
/// descriptor that is not meant for it, and as much of `launch` as concerns it.
///
/// # Errors
/// The step that failed, and why. Then there is no process.
pub fn spawn(launch: &Launch, extras: Extras) -> Result<Child, StartFault> {
    let identity = Identity::find(launch)?;
    let env = environment(launch, identity.as_ref(), &extras);
    let steps = Steps::new(launch, identity, env, extras.ready);
    reserve_descriptors()?;
    let mut inner = std::process::Command::new(OsStr::from_bytes(launch.command[0].to_bytes()));
    // SAFETY: `run` makes system calls only: it neither allocates nor locks.
    unsafe { inner.pre_exec(move || Err(steps.run())) };
    let mut command = Command::from(inner);
    let (stdout, stderr) = extras.output.unwrap_or((Stdio::null(), Stdio::null()));
    command.stdin(if extras.stdin {
        Stdio::inherit()
    } else {
        Stdio::null()
    });
    command.stdout(stdout).stderr(stderr);
    match command.spawn() {
        Ok(child) => {
            reap::own(child.id());
            Ok(child)
        }
        Err(error) => {
            let fault = prepare::unpack(&error);
            if fault.stage == Stage::Fork {
                end_strays();
            }
            Err(fault)
        }
    }
}

/// The number of the user that `launch` runs as, where it is not ours.
#[must_use]
pub fn user(launch: &Launch) -> Option<u32> {
    Identity::find(launch)
        .ok()
        .flatten()
        .map(|identity| identity.uid())
}

fn reserve_descriptors() -> Result<(), StartFault> {
    let null = std::fs::File::open("/dev/null");
    let spare = null.and_then(|file| {
        (1..DESCRIPTORS_NEEDED)
            .map(|_| file.try_clone())
            .collect::<Result<Vec<_>, _>>()
    });
    spare.map(drop).map_err(|error| {
        let errno = error.raw_os_error().unwrap_or(Errno::EMFILE as i32);
        StartFault {
            stage: Stage::Fork,
            errno,
        }
    })
}

/// Ends a child that was made although its start failed: it would have no owner, and
/// the next try would make a second one.
fn end_strays() {
    let me = std::process::id().cast_signed();
    let strays = procfs::processes(|stat| stat.parent == me && stat.session == stat.pid);
    for pid in strays.iter().map(|stat| stat.pid.cast_unsigned()) {
        if !reap::is_ours(pid) {
            signals::send_family(pid, None, Signal::KILL, &Census::take());
        }
    }
}

/// The variables, later ones winning: base, who one is, env-files, configuration, ours.
fn environment(launch: &Launch, identity: Option<&Identity>, extras: &Extras) -> Vec<CString> {
    let mut env = Env(Vec::new());
    match launch.env_base {
        EnvBase::Inherit => {
            std::env::vars_os().for_each(|(key, value)| env.set(key.as_bytes(), value.as_bytes()));
        }
        EnvBase::Clean => {
            env.set(b"PATH", DEFAULT_PATH.as_bytes());
            for key in ["PATH", "LANG", "TZ"] {
                if let Some(value) = std::env::var_os(key) {
                    env.set(key.as_bytes(), value.as_bytes());
                }
            }
        }
    }
    for (key, value) in identity.map(Identity::variables).into_iter().flatten() {
        env.set(key.as_bytes(), &value);
    }
    for (key, value) in &extras.env {
        env.set(key.as_bytes(), value.as_bytes());
    }
    for (key, value) in &launch.env {
        env.set(key.as_bytes(), value.as_bytes());
    }
    for (key, value) in &extras.own_env {
        env.set(key.as_bytes(), value.as_bytes());
    }
    let words = env
        .0
        .into_iter()
        .map(|(key, value)| [key, value].join(&b'='));
    words.filter_map(|word| CString::new(word).ok()).collect()
}

/// An environment in the making.
struct Env(Vec<(Vec<u8>, Vec<u8>)>);

impl Env {
    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.0.retain(|(known, _)| known != key);
        self.0.push((key.to_vec(), value.to_vec()));
    }
}
