//! Descriptors that can be waited for.

use std::fs::File;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrLike, SockaddrStorage, UnixAddr,
};
use nix::sys::socket::{connect, socket};
use nix::unistd::pipe2;
use smol::io::{AsyncRead, AsyncWrite};

use super::reactor::{Direction, Reactor};

/// A descriptor that does not block, and whose news a task can wait for. One task reads and
/// one writes at a time.
pub struct Async<T: AsFd> {
    io: T,
}

impl<T: AsFd> Async<T> {
    /// Makes it one that does not block.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn new(io: T) -> io::Result<Self> {
        let flags = OFlag::from_bits_retain(fcntl(&io, FcntlArg::F_GETFL)?);
        fcntl(&io, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        Ok(Self { io })
    }

    /// One that does not block already.
    pub fn of_nonblocking(io: T) -> Self {
        Self { io }
    }

    /// The descriptor.
    pub fn get_ref(&self) -> &T {
        &self.io
    }

    /// Waits until there is something to read, or it has ended.
    ///
    /// # Errors
    /// The kernel cannot tell.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Direction::Read).await
    }

    /// Tries this, and again whenever there is something to read, until it does not block.
    ///
    /// # Errors
    /// Those of the operation, and where the kernel cannot tell.
    pub fn read_with<R>(
        &self,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        poll_fn(move |context| self.poll_read_with(context, &mut op))
    }

    /// The same, for those who keep small what they wait with.
    ///
    /// # Errors
    /// Those of the operation, and where the kernel cannot tell.
    pub fn poll_read_with<R>(
        &self,
        context: &Context<'_>,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll(Direction::Read, context, op)
    }

    /// Tries this, and again whenever there is room, until it does not block.
    ///
    /// # Errors
    /// Those of the operation, and where the kernel cannot tell.
    pub fn write_with<R>(
        &self,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        poll_fn(move |context| self.poll(Direction::Write, context, &mut op))
    }

    /// Wakes this task when there is something to read.
    ///
    /// # Errors
    /// The kernel cannot tell.
    pub(super) fn wake_to_read(&self, context: &Context<'_>) -> io::Result<()> {
        self.wake(Direction::Read, context)
    }

    fn wake(&self, direction: Direction, context: &Context<'_>) -> io::Result<()> {
        Reactor::of_this_thread()?.wait(self.as_raw_fd(), direction, context.waker())
    }

    async fn ready(&self, direction: Direction) -> io::Result<()> {
        let reactor = Reactor::of_this_thread()?;
        let (fd, mut waits) = (self.as_raw_fd(), false);
        poll_fn(|context| {
            if waits && !reactor.is_waiting(fd, direction) {
                return Poll::Ready(Ok(()));
            }
            waits = true;
            match reactor.wait(fd, direction, context.waker()) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            }
        })
        .await
    }

    /// Tries this once, and has this task woken where it would block.
    fn poll<R>(
        &self,
        direction: Direction,
        context: &Context<'_>,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        loop {
            match op(&self.io) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => return Poll::Ready(result),
            }
            return match self.wake(direction, context) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            };
        }
    }
}

impl<T: AsFd> AsRawFd for Async<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.io.as_fd().as_raw_fd()
    }
}

impl<T: AsFd> Drop for Async<T> {
    fn drop(&mut self) {
        if let Ok(reactor) = Reactor::of_this_thread() {
            reactor.forget(self.as_raw_fd());
        }
    }
}

impl<T: AsFd + Unpin> AsyncRead for Async<T>
where
    for<'a> &'a T: Read,
{
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll(Direction::Read, context, |mut io| io.read(bytes))
    }
}

impl<T: AsFd + Unpin> AsyncWrite for Async<T>
where
    for<'a> &'a T: Write,
{
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll(Direction::Write, context, |mut io| io.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // Nothing is kept here.
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // It is closed when it is dropped.
    }
}

impl Async<UnixListener> {
    /// The next one who connects.
    ///
    /// # Errors
    /// Those of `accept(2)`.
    pub async fn accept(&self) -> io::Result<Async<UnixStream>> {
        Async::new(self.read_with(UnixListener::accept).await?.0)
    }
}

impl Async<TcpListener> {
    /// The next one who connects.
    ///
    /// # Errors
    /// Those of `accept(2)`.
    pub async fn accept(&self) -> io::Result<Async<TcpStream>> {
        Async::new(self.read_with(TcpListener::accept).await?.0)
    }
}

impl Async<UnixDatagram> {
    /// The next message; what is too long for its place is cut.
    ///
    /// # Errors
    /// Those of `recv(2)`.
    pub async fn recv(&self, message: &mut [u8]) -> io::Result<usize> {
        self.read_with(|socket| socket.recv(message)).await
    }
}

impl Async<TcpStream> {
    /// Connects.
    ///
    /// # Errors
    /// Those of `connect(2)`.
    pub async fn connect(to: SocketAddr) -> io::Result<Self> {
        let family = match to {
            SocketAddr::V4(_) => AddressFamily::Inet,
            SocketAddr::V6(_) => AddressFamily::Inet6,
        };
        let stream =
            Async::of_nonblocking(TcpStream::from(begin(family, &SockaddrStorage::from(to))?));
        stream.ready(Direction::Write).await?;
        match stream.get_ref().take_error()? {
            Some(error) => Err(error),
            None => Ok(stream),
        }
    }
}

impl Async<UnixStream> {
    /// Connects. A listener whose queue is full is not waited for.
    ///
    /// # Errors
    /// Those of `connect(2)`.
    pub fn connect(to: impl AsRef<Path>) -> io::Result<Self> {
        let stream = begin(AddressFamily::Unix, &UnixAddr::new(to.as_ref())?)?;
        Ok(Async::of_nonblocking(UnixStream::from(stream)))
    }
}

/// Begins to connect.
fn begin(family: AddressFamily, to: &dyn SockaddrLike) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let stream = socket(family, SockType::Stream, flags, None)?;
    match connect(stream.as_raw_fd(), to) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(stream),
        Err(errno) => Err(errno.into()),
    }
}

/// A pipe whose reading end is ours. The other one blocks, as programs expect of it.
///
/// # Errors
/// Out of descriptors.
pub fn pipe() -> io::Result<(Async<File>, OwnedFd)> {
    let (ours, theirs) = pipe2(OFlag::O_CLOEXEC)?;
    Ok((Async::new(File::from(ours))?, theirs))
}

/// A pipe whose writing end is ours. The other one blocks.
///
/// # Errors
/// Out of descriptors.
pub fn pipe_to() -> io::Result<(OwnedFd, Async<File>)> {
    let (theirs, ours) = pipe2(OFlag::O_CLOEXEC)?;
    Ok((theirs, Async::new(File::from(ours))?))
}
