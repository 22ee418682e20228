//! How runs say that they are ready, and that they live, and how we hear it.

use std::cell::Cell;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use super::baton;
use super::upgrade::inherit;
use crate::model::spec::Ready;
use crate::model::{ChildSpec, Stage, StartFault, Uptime, tree};
use crate::os::{self, Async, clock, say, socket, spawn};

/// Our end of what a run says.
pub(super) enum Ear {
    /// A socket of its own: whoever of the run says something there, it is meant for us.
    /// Whether `READY=1` is awaited.
    Socket(Async<UnixDatagram>, bool),
    /// A newline on a pipe.
    Pipe(Async<File>),
}

/// What the run needs in order to speak.
#[derive(Default)]
pub(super) struct Mouth {
    /// For `NOTIFY_SOCKET`.
    pub(super) socket: Option<String>,
    /// The pipe's end and the number that the child knows it by.
    pub(super) pipe: Option<(OwnedFd, RawFd)>,
}

/// Both ends, for a run that says when it is ready, or that it lives; neither for one that
/// says nothing.
pub(super) fn connect(
    spec: &ChildSpec,
    dir: Option<&Path>,
) -> Result<(Vec<Ear>, Mouth), StartFault> {
    let is_notified = spec.launch.ready == Ready::Notify;
    let (mut ears, mut mouth) = (Vec::new(), Mouth::default());
    let result = (|| {
        if let Some(dir) = dir
            && (is_notified || watchdog_usec(spec).is_some())
        {
            let (socket, path) = by_socket(spec, dir)?;
            ears.push(Ear::Socket(socket, is_notified));
            mouth.socket = Some(path);
        }
        if let Ready::Descriptor(number) = spec.launch.ready {
            let (ours, theirs) = os::pipe()?;
            ears.push(Ear::Pipe(ours));
            mouth.pipe = Some((theirs, RawFd::from(number)));
        }
        Ok(())
    })();
    match result {
        Ok(()) => Ok((ears, mouth)),
        Err(error) => Err(fault(spec, &error)),
    }
}

fn fault(spec: &ChildSpec, error: &std::io::Error) -> StartFault {
    say::warning(format_args!(
        "{}: its readiness channel: {error}",
        spec.name
    ));
    let errno = error.raw_os_error().unwrap_or(nix::libc::EIO);
    StartFault {
        stage: Stage::Descriptors,
        errno,
    }
}

/// For `WATCHDOG_USEC`, of a child that says to a socket that it lives.
pub(super) fn watchdog_usec(spec: &ChildSpec) -> Option<String> {
    let watchdog = spec.life.watchdog.as_ref()?;
    let by_socket = watchdog.file.is_none();
    by_socket.then(|| watchdog.within.as_micros().to_string())
}

fn by_socket(spec: &ChildSpec, dir: &Path) -> std::io::Result<(Async<UnixDatagram>, String)> {
    let path = dir.join(format!("{}.notify", tree::file_name(&spec.name)));
    let socket = Async::of_nonblocking(socket::notify(&path, spawn::user(&spec.launch))?);
    Ok((socket, path.to_string_lossy().into_owned()))
}

impl Ear {
    /// For the program that takes our place.
    pub(super) fn pass(&self) -> baton::Ear {
        match self {
            Self::Socket(socket, _) => baton::Ear::Socket(socket.as_raw_fd()),
            Self::Pipe(pipe) => baton::Ear::Pipe(pipe.as_raw_fd()),
        }
    }

    /// From the program before us.
    pub(super) fn inherit(ear: &baton::Ear, spec: &ChildSpec) -> std::io::Result<Self> {
        Ok(match *ear {
            baton::Ear::Socket(fd) => {
                let is_notified = spec.launch.ready == Ready::Notify;
                Self::Socket(Async::of_nonblocking(inherit(fd)?), is_notified)
            }
            baton::Ear::Pipe(fd) => Self::Pipe(Async::of_nonblocking(inherit(fd)?)),
        })
    }

    /// Calls `ready` when the run says that it is; notes when it says that it lives. What
    /// cannot say anything any more is heard no more: time-outs then speak.
    pub(super) async fn listen(&self, ready: impl Fn(), heard: &Cell<Option<Uptime>>) {
        let _broken = match self {
            Self::Socket(socket, is_notified) => {
                let ready = || {
                    if *is_notified {
                        ready();
                    }
                };
                by_message(socket, ready, heard).await
            }
            Self::Pipe(pipe) => by_newline(pipe).await.map(|()| ready()),
        };
    }
}

/// `sd_notify(3)`: lines of `KEY=VALUE`; others than these two are for others.
async fn by_message(
    socket: &Async<UnixDatagram>,
    ready: impl Fn(),
    heard: &Cell<Option<Uptime>>,
) -> std::io::Result<()> {
    let mut message = [0; 4096];
    loop {
        let length = socket.recv(&mut message).await?;
        for line in message[..length].split(|&b| b == b'\n') {
            match line {
                b"READY=1" => ready(),
                b"WATCHDOG=1" => heard.set(Some(clock::now())),
                _ => {}
            }
        }
        // One that says so all the time leaves others their turn.
        smol::future::yield_now().await;
    }
}

async fn by_newline(pipe: &Async<File>) -> std::io::Result<()> {
    let mut said = [0; 64];
    loop {
        match pipe.read_with(|mut pipe| pipe.read(&mut said)).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            length if said[..length].contains(&b'\n') => return Ok(()),
            _ => {}
        }
    }
}
