//! How runs say that they are ready, and how we hear it.

use std::fs::File;
use std::io::Read;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use nix::fcntl::OFlag;
use smol::Async;

use crate::model::spec::Ready;
use crate::model::{ChildSpec, Stage, StartFault};
use crate::os::{socket, spawn};

/// Our end of what a run says.
pub(super) enum Ear {
    /// `READY=1` on a socket of its own: whoever of the run says it, it is meant for us.
    Socket(Async<UnixDatagram>),
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

/// Both ends, for a run that says when it is ready; neither for one that is when started.
pub(super) fn connect(
    spec: &ChildSpec,
    dir: Option<&Path>,
) -> Result<(Option<Ear>, Mouth), StartFault> {
    let result = match (spec.launch.ready, dir) {
        (Ready::Started, _) | (Ready::Notify, None) => Ok((None, Mouth::default())),
        (Ready::Notify, Some(dir)) => by_socket(spec, dir),
        (Ready::Descriptor(number), _) => by_pipe(RawFd::from(number)),
    };
    result.map_err(|error| {
        log::warn!(target: "sup", "[WARNING] {}: its readiness channel: {error}", spec.name);
        let errno = error.raw_os_error().unwrap_or(nix::libc::EIO);
        StartFault {
            stage: Stage::Descriptors,
            errno,
        }
    })
}

fn by_socket(spec: &ChildSpec, dir: &Path) -> std::io::Result<(Option<Ear>, Mouth)> {
    let path = dir.join(format!("{}.notify", spec.name));
    let socket = Async::new_nonblocking(socket::notify(&path, spawn::user(&spec.launch))?)?;
    let mouth = Mouth {
        socket: Some(path.to_string_lossy().into_owned()),
        pipe: None,
    };
    Ok((Some(Ear::Socket(socket)), mouth))
}

fn by_pipe(number: RawFd) -> std::io::Result<(Option<Ear>, Mouth)> {
    let (ours, theirs) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    // Theirs blocks, as programs expect of a pipe.
    nix::fcntl::fcntl(&theirs, nix::fcntl::FcntlArg::F_SETFL(OFlag::empty()))?;
    let ear = Ear::Pipe(Async::new_nonblocking(File::from(ours))?);
    Ok((
        Some(ear),
        Mouth {
            socket: None,
            pipe: Some((theirs, number)),
        },
    ))
}

impl Ear {
    /// Ends when the run has said that it is ready. Never, where it cannot any more: the
    /// start timeout then speaks.
    pub(super) async fn ready(self) {
        let heard = match self {
            Self::Socket(socket) => by_message(&socket).await,
            Self::Pipe(pipe) => by_newline(&pipe).await,
        };
        if heard.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// `sd_notify(3)`: lines of `KEY=VALUE`; others than `READY=1` are for others.
async fn by_message(socket: &Async<UnixDatagram>) -> std::io::Result<()> {
    let mut message = [0; 4096];
    loop {
        let length = socket.recv(&mut message).await?;
        if message[..length]
            .split(|&b| b == b'\n')
            .any(|line| line == b"READY=1")
        {
            return Ok(());
        }
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
