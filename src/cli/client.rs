//! The way to a running sup: one connection, one request, its replies.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Code, Failed};
use crate::os::file::lock_dir;
use crate::os::paths;
use crate::wire::control::{Hello, Reply, Request, SOCKET, VERSION};
use crate::wire::frame;
use crate::wire::upgrade::{self, Ask, Told};

/// How long we wait for what a sup that is well answers in milliseconds: its box may swap.
const PATIENCE: Duration = Duration::from_secs(10);

/// A conversation with a running sup.
pub(super) struct Client {
    stream: UnixStream,
    /// It has not answered in the time that it was given.
    is_late: bool,
}

impl Client {
    /// Connects and asks. What sup answers at once it has to answer soon.
    pub(super) fn ask(runtime: &Path, request: &Request) -> Result<Self, Failed> {
        let client = Self::say(runtime, VERSION, request)?;
        if is_answered_at_once(request) {
            let bound = client.stream.set_read_timeout(Some(PATIENCE));
            bound.map_err(|error| Failed::failure(error.to_string()))?;
        }
        Ok(client)
    }

    /// Connects and asks for what sups of all versions understand.
    pub(super) fn upgrade(runtime: &Path, ask: &Ask) -> Result<Self, Failed> {
        Self::say(runtime, upgrade::HELLO, ask)
    }

    fn say(runtime: &Path, version: u16, request: &impl Serialize) -> Result<Self, Failed> {
        let path = runtime.join(SOCKET);
        let stream = UnixStream::connect(&path).map_err(|error| no_client(&error, &path))?;
        let mut client = Self {
            stream,
            is_late: false,
        };
        let sent = client.send(version, request);
        // A sup that refuses us may close before we have said everything; it says why.
        if let Err(error) = sent
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            return Err(no_client(&error, &path));
        }
        Ok(client)
    }

    fn send(&mut self, version: u16, request: &impl Serialize) -> io::Result<()> {
        self.stream.write_all(&frame::pack(&Hello { version }))?;
        self.stream.write_all(&frame::pack(request))
    }

    /// The next reply; `None`: the connection has ended ([`Client::broken_off`]).
    pub(super) fn reply(&mut self) -> Option<Reply> {
        self.next()
    }

    /// What is told next of an upgrade.
    pub(super) fn told(&mut self) -> Option<Told> {
        self.next()
    }

    /// Why there is no reply where there should be one.
    pub(super) fn broken_off(&self) -> Failed {
        Failed::failure(match self.is_late {
            true => {
                "a sup runs here and does not answer; is it stopped (kill -CONT), or its box \
                 out of memory? Its children are not touched by that"
            }
            false => "the running sup ended the conversation; it may be ending",
        })
    }

    fn next<T: DeserializeOwned>(&mut self) -> Option<T> {
        let mut head = [0; frame::HEAD];
        self.read(&mut head)?;
        let mut body = vec![0; frame::length(head).ok()?];
        self.read(&mut body)?;
        frame::unpack(&body).ok()
    }

    fn read(&mut self, bytes: &mut [u8]) -> Option<()> {
        let result = self.stream.read_exact(bytes);
        self.is_late = result.as_ref().is_err_and(|error| {
            // The former is Linux's word for the latter.
            matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
            )
        });
        result.ok()
    }
}

/// Whether sup waits for nobody before it answers. Where somebody follows, nothing may happen
/// for hours.
fn is_answered_at_once(request: &Request) -> bool {
    match request {
        Request::Status { .. } | Request::Reload { dry_run: true } => true,
        Request::Logs { follow, .. } | Request::Events { follow, .. } => !follow,
        Request::Order { wait, .. } | Request::Scale { wait, .. } => !wait,
        Request::Reload { dry_run: false } | Request::TestAlerts | Request::Shutdown => false,
    }
}

fn no_client(error: &io::Error, path: &Path) -> Failed {
    use io::ErrorKind::{ConnectionRefused, NotFound, PermissionDenied};
    let place = path.display();
    if let Some(words) = waiting(path) {
        return Failed {
            code: Code::NotRunning,
            words,
        };
    }
    if [NotFound, ConnectionRefused].contains(&error.kind()) {
        let words = format!(
            "no sup is running here (nobody answers at {place}); \
             start it with: sup run --config FILE"
        );
        return Failed {
            code: Code::NotRunning,
            words,
        };
    }
    Failed::failure(if error.kind() == PermissionDenied {
        format!("{place}: only root and the user that runs sup may do that")
    } else {
        format!("{place}: {error}")
    })
}

/// Whether a sup is there that waits for its volume, and has nothing to say yet.
pub(super) fn waiting(socket: &Path) -> Option<String> {
    let dir = socket.parent()?;
    let paths = std::fs::read_to_string(dir.join(paths::WAITING)).ok()?;
    let lives = lock_dir(dir).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
    lives.then(|| format!("sup waits for {paths} (wait-path); nothing has been started yet"))
}
