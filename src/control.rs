//! The control socket: who may speak, what they said, and our replies on their way.
//!
//! ```text
//!   client --Hello, Request--> serve --Asked(Request, Replies)--> the daemon
//!          <----- frames ------ each client's own task <---- Reply
//! ```
//!
//! A client can be slow, silent or mad: it costs one task and one small queue, and is
//! dropped when it keeps us waiting. Nothing here can delay supervision.

use std::io;
use std::marker::PhantomData;
use std::os::unix::net::{UnixListener, UnixStream};
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use smol::LocalExecutor;
use smol::future::{self, FutureExt};
use smol::io::{AsyncReadExt, AsyncWriteExt};

use crate::model::limits::CLIENTS_MAX;
use crate::os::{Async, Gate, Receiver, Refused, Sender, Timer, queue, say, socket};
use crate::wire::control::{Hello, Reply, Request, VERSION};
use crate::wire::frame::{self, FrameFault};
use crate::wire::upgrade::{self, Ask, Told};

/// A client that does not say what it wants within this long is dropped, and makes room.
const PATIENCE_TO_HEAR: Duration = Duration::from_secs(2);

/// A client that takes nothing for this long is dropped.
const PATIENCE_TO_TELL: Duration = Duration::from_secs(10);

/// Replies that may wait for one client.
const QUEUE: usize = 8;

/// What we hear of clients.
pub enum Heard {
    /// One asks.
    Asked(Request, Replies),
    /// One asks for an upgrade, or who is there.
    Upgrade(Ask, Outbox<Told>),
    /// One has left.
    Left,
}

/// Where the replies to one request go.
pub type Replies = Outbox<Reply>;

/// Where messages of one kind go. The client is done when it is dropped. What waits there is
/// bytes already, so that all kinds are one queue and one way out.
pub struct Outbox<T> {
    frames: Sender<Vec<u8>>,
    kind: PhantomData<T>,
}

impl<T: Serialize> Outbox<T> {
    fn new(frames: Sender<Vec<u8>>) -> Self {
        let kind = PhantomData;
        Self { frames, kind }
    }

    /// Sends it when there is room.
    ///
    /// # Errors
    /// The client has left.
    pub async fn send(&self, message: &T) -> Result<(), Refused> {
        self.frames.send(frame::pack(message)).await
    }

    /// Sends it if there is room.
    ///
    /// # Errors
    /// There is none, or the client has left.
    pub fn try_send(&self, message: &T) -> Result<(), Refused> {
        self.frames.put(frame::pack(message))
    }
}

impl<T: Serialize> Clone for Outbox<T> {
    fn clone(&self) -> Self {
        Self::new(self.frames.clone())
    }
}

/// Takes clients for ever, [`CLIENTS_MAX`] at a time. `heard` is called for each
/// request of a trusted client, and when one has left; it must not block.
pub async fn serve(
    executor: Rc<LocalExecutor<'static>>,
    listener: Rc<Async<UnixListener>>,
    heard: impl Fn(Heard) + 'static,
) {
    let heard = Rc::new(heard);
    let gate = Gate::new(CLIENTS_MAX);
    loop {
        let inside = gate.enter().await;
        let stream = accept(&listener).await;
        let heard = Rc::clone(&heard);
        let client = async move {
            if let Err(error) = attend(stream, &*heard).await {
                log::debug!(target: "sup", "[SUPERVISOR] a client was dropped: {error}");
            }
            drop(inside);
            heard(Heard::Left);
        };
        executor.spawn(client.boxed_local()).detach();
    }
}

/// The next client. Out of descriptors, we say so once, and wait a moment instead of
/// asking again and again.
async fn accept(listener: &Async<UnixListener>) -> Async<UnixStream> {
    let mut told = false;
    loop {
        match listener.accept().await {
            Ok(stream) => {
                if told {
                    say::news(format_args!("the control socket takes clients again"));
                }
                return stream;
            }
            Err(error) => {
                if !told {
                    say::warning(format_args!("the control socket takes nobody: {error}"));
                }
                told = true;
                Timer::after(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn attend(mut stream: Async<UnixStream>, heard: &impl Fn(Heard)) -> io::Result<()> {
    if !socket::is_trusted(stream.get_ref()) {
        let words = "only root and the user that runs sup may do that".to_owned();
        return write(&mut stream, &frame::pack(&Reply::Refused(words))).await;
    }
    let hello: Hello = read(&mut stream).await?;
    if hello.version == upgrade::HELLO {
        let ask = read(&mut stream).await?;
        let (told, queue) = queue(QUEUE);
        heard(Heard::Upgrade(ask, Outbox::new(told)));
        return answer(stream, queue).await;
    }
    if hello.version != VERSION {
        let words = format!(
            "this sup ({}) speaks version {VERSION}, and was asked in version {}: use the binary that is running",
            env!("CARGO_PKG_VERSION"),
            hello.version
        );
        return write(&mut stream, &frame::pack(&Reply::Refused(words))).await;
    }
    let request = read(&mut stream).await?;
    let (replies, queue) = queue(QUEUE);
    heard(Heard::Asked(request, Outbox::new(replies)));
    answer(stream, queue).await
}

/// Passes replies on until there are no more, or the client has left.
async fn answer(mut stream: Async<UnixStream>, queue: Receiver<Vec<u8>>) -> io::Result<()> {
    loop {
        let next = future::or(queue.next(), async {
            has_left(&stream).await;
            None
        });
        match next.await {
            Some(reply) => write(&mut stream, &reply).await?,
            None => return Ok(()),
        }
    }
}

/// Ends when the client closes. One that says more than it may is closed on as well.
async fn has_left(stream: &Async<UnixStream>) {
    let _readable = stream.readable().await;
}

async fn read<T: serde::de::DeserializeOwned>(stream: &mut Async<UnixStream>) -> io::Result<T> {
    let work = async {
        let mut head = [0; frame::HEAD];
        stream.read_exact(&mut head).await?;
        let mut body = vec![0; frame::length(head).map_err(unfit)?];
        stream.read_exact(&mut body).await?;
        frame::unpack(&body).map_err(unfit)
    };
    work.or(too_slow(PATIENCE_TO_HEAR)).await
}

async fn write(stream: &mut Async<UnixStream>, frame: &[u8]) -> io::Result<()> {
    stream.write_all(frame).or(too_slow(PATIENCE_TO_TELL)).await
}

async fn too_slow<T>(patience: Duration) -> io::Result<T> {
    Timer::after(patience).await;
    Err(io::ErrorKind::TimedOut.into())
}

fn unfit(fault: FrameFault) -> io::Error {
    let words = match fault {
        FrameFault::TooLong => "a frame that is too long",
        FrameFault::Unknown => "a frame that means nothing",
    };
    io::Error::new(io::ErrorKind::InvalidData, words)
}
