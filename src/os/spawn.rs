//! Making processes.

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use super::prepare::{DEFAULT_PATH, Identity, Steps, fault};
use super::reap::Child;
use super::{birth, seats};
use crate::model::Gather as _;
use crate::model::spec::{EnvBase, Launch};
use crate::model::{Stage, StartFault};

/// What a start needs besides its specification.
#[derive(Default)]
pub struct Extras {
    /// Variables from the env-files.
    pub env: Vec<(String, String)>,
    /// Variables of ours, winning over all others: `NOTIFY_SOCKET` and the like.
    pub own_env: Vec<(&'static str, String)>,
    /// Standard input.
    pub input: Stream,
    /// Standard output.
    pub output: Stream,
    /// Standard error, where it is not the same.
    pub error: Option<Stream>,
    /// The writing end of the readiness pipe, and the number that the child knows it by.
    pub ready: Option<(OwnedFd, RawFd)>,
}

/// Where a standard stream of a child leads.
#[derive(Default)]
pub enum Stream {
    /// Nowhere.
    #[default]
    Null,
    /// Where ours leads.
    Ours,
    /// Here.
    To(OwnedFd),
}

impl<T: Into<OwnedFd>> From<T> for Stream {
    fn from(to: T) -> Self {
        Self::To(to.into())
    }
}

/// Starts a process: the leader of a session of its own, with default signals, no
/// descriptor that is not meant for it, and as much of `launch` as concerns it.
///
/// # Errors
/// The step that failed, and why. Then there is no process.
pub fn spawn(launch: &Launch, extras: Extras) -> Result<Child, StartFault> {
    spawn_known(launch, extras).map(|(child, _)| child)
}

/// As [`spawn`], with when the process was made, in clock ticks since boot, where that is
/// known without asking the kernel (see [`Record::of`](super::adopt::Record::of)).
///
/// # Errors
/// As there.
pub fn spawn_known(launch: &Launch, extras: Extras) -> Result<(Child, Option<u64>), StartFault> {
    let Extras {
        env,
        own_env,
        input,
        output,
        error,
        ready,
    } = extras;
    let identity = Identity::find(launch)?;
    let env = environment(launch, identity.as_ref(), &env, &own_env);
    let steps = Steps::new(launch, identity, env);
    let null = seats::null().map_err(|errno| fault(Stage::Fork, errno))?;
    let leads = |stream: &Stream| match stream {
        Stream::Null => Some(null),
        Stream::Ours => None,
        Stream::To(fd) => Some(fd.as_raw_fd()),
    };
    let out = leads(&output);
    let streams = [leads(&input), out, error.as_ref().map_or(out, leads)];
    let mut gives = [(0, 0); seats::GIVES_MAX];
    let mut count = 0;
    let streams = (0..)
        .zip(streams)
        .filter_map(|(number, fd)| Some((fd?, number)));
    let ready = ready.as_ref().map(|(fd, number)| (fd.as_raw_fd(), *number));
    for give in streams.chain(ready) {
        gives[count] = give;
        count += 1;
    }
    let born = birth::bear(&steps, &gives[..count])?;
    Ok((Child::of(born.pid, born.pidfd), born.start))
}

/// What makes processes quick while there are many descriptors; early, while there are few.
pub fn reserve() {
    seats::reserve();
}

/// Has the kernel make its table of our descriptors as large as it will be. While a new
/// process shares it, or a thread, each doubling waits for all processors (`synchronize_rcu`),
/// some 15 ms. Where it cannot be so large, it grows when it must.
pub fn make_room(descriptors: usize) {
    seats::make_room(descriptors);
}

/// The number of the user that `launch` runs as, where it is not ours.
#[must_use]
pub fn user(launch: &Launch) -> Option<u32> {
    Identity::find(launch)
        .ok()
        .flatten()
        .map(|identity| identity.uid())
}

/// The variables, later ones winning: base, who one is, env-files, configuration, ours.
fn environment(
    launch: &Launch,
    identity: Option<&Identity>,
    files: &[(String, String)],
    own: &[(&'static str, String)],
) -> Vec<CString> {
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
    for (key, value) in files {
        env.set(key.as_bytes(), value.as_bytes());
    }
    for (key, value) in &launch.env {
        env.set(key.as_bytes(), value.as_bytes());
    }
    for (key, value) in own {
        env.set(key.as_bytes(), value.as_bytes());
    }
    let words = env
        .0
        .into_iter()
        .map(|(key, value)| [key, value].join(&b'='));
    words.filter_map(|word| CString::new(word).ok()).gather()
}

/// An environment in the making.
struct Env(Vec<(Vec<u8>, Vec<u8>)>);

impl Env {
    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.0.retain(|(known, _)| known != key);
        self.0.push((key.to_vec(), value.to_vec()));
    }
}
