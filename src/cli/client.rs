//! The way to a running sup: one connection, one request, its replies.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::{Code, Failed};
use crate::wire::control::{Hello, Reply, Request, SOCKET, VERSION};
use crate::wire::frame;

/// A conversation with a running sup.
pub(super) struct Client {
    stream: UnixStream,
}

impl Client {
    /// Connects and asks.
    pub(super) fn ask(runtime: &Path, request: &Request) -> Result<Self, Failed> {
        let path = runtime.join(SOCKET);
        let stream = UnixStream::connect(&path).map_err(|error| no_client(&error, &path))?;
        let mut client = Self { stream };
        let sent = client.send(request);
        // A sup that refuses us may close before we have said everything; it says why.
        if let Err(error) = sent
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            return Err(no_client(&error, &path));
        }
        Ok(client)
    }

    fn send(&mut self, request: &Request) -> io::Result<()> {
        self.stream
            .write_all(&frame::pack(&Hello { version: VERSION }))?;
        self.stream.write_all(&frame::pack(request))
    }

    /// The next reply; `None`: the connection has ended.
    pub(super) fn reply(&mut self) -> Option<Reply> {
        let mut head = [0; frame::HEAD];
        self.stream.read_exact(&mut head).ok()?;
        let mut body = vec![0; frame::length(head).ok()?];
        self.stream.read_exact(&mut body).ok()?;
        frame::unpack(&body).ok()
    }
}

fn no_client(error: &io::Error, path: &Path) -> Failed {
    use io::ErrorKind::{ConnectionRefused, NotFound, PermissionDenied};
    let place = path.display();
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
