//! The HTTP server: who may stay for how long, and how they are answered.
//!
//! ```text
//!   client --request--> attend --what is asked--> answer --Source--> the daemon
//!          <----- one answer, then the end -----
//! ```
//!
//! Whoever connects may be slow, silent or mad: it costs one task and, while it is being
//! answered, the answer; both for some seconds. Nothing can be changed from here, and
//! nothing here can delay supervision.

mod answer;

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use smol::future::{FutureExt, yield_now};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{LocalExecutor, Task};

use self::answer::Answer;
use crate::model::limits::{HTTP_CLIENTS_MAX, HTTP_REQUEST_MAX};
use crate::model::standing::Standing;
use crate::os::{Async, Gate, Receiver, Sender, Timer, queue, say};
use crate::wire::http::{self, Heard, Refusal};
use crate::wire::json::Events;

/// A whole request has come within this, or never comes.
const PATIENCE_TO_HEAR: Duration = Duration::from_secs(5);

/// A client that has not taken its answer within this is dropped.
const PATIENCE_TO_TELL: Duration = Duration::from_secs(10);

/// What a client still says after its answer is read for so long and up to so many bytes:
/// to close before would make its kernel throw our answer away.
const PATIENCE_TO_PART: Duration = Duration::from_secs(1);
const PARTING_MAX: usize = 2 << 20;

/// Who knows what is asked for.
pub trait Source: 'static {
    /// How everything stands; the memory of children costs a look at all processes.
    fn standing(&self, with_memory: bool) -> impl Future<Output = Standing>;

    /// What has happened from that event on.
    fn events(&self, since: u64) -> Events;

    /// The last client has left.
    fn all_left(&self);
}

/// Takes clients for ever, [`HTTP_CLIENTS_MAX`] at a time, and drops them when dropped.
pub async fn serve<S: Source>(
    executor: Rc<LocalExecutor<'static>>,
    listener: Rc<Async<TcpListener>>,
    source: Rc<S>,
) {
    let mut clients = Clients {
        seated: VecDeque::new(),
        count: Rc::default(),
        gone: queue(1),
    };
    let making = Gate::new(1);
    loop {
        let stream = accept(&listener).await;
        clients.make_room().await;
        let seat = Seat {
            is_busy: Rc::default(),
            count: Rc::clone(&clients.count),
            gone: clients.gone.0.clone(),
            making: Rc::clone(&making),
            source: Rc::clone(&source),
        };
        let is_busy = Rc::clone(&seat.is_busy);
        clients.count.set(clients.count.get() + 1);
        let task = executor.spawn(attend(stream, seat).boxed_local());
        clients.seated.push_back((task, is_busy));
    }
}

// ---- who may stay --------------------------------------------------------------

/// Those who are connected, the first one first.
struct Clients {
    /// A task ends when it is dropped.
    seated: VecDeque<(Task<()>, Rc<Cell<bool>>)>,
    count: Rc<Cell<usize>>,
    /// Rings when one has left.
    gone: (Sender<()>, Receiver<()>),
}

/// What one of them holds for as long as it stays.
struct Seat<S: Source> {
    /// Whether it is being answered; before and after that it can go.
    is_busy: Rc<Cell<bool>>,
    count: Rc<Cell<usize>>,
    gone: Sender<()>,
    /// Held while an answer is made: one at a time, however many ask.
    making: Rc<Gate>,
    source: Rc<S>,
}

impl Clients {
    /// Makes sure that the one who has come can stay: of those that are not being answered,
    /// the first one goes. Where all are, it waits, and the others in the kernel's queue.
    async fn make_room(&mut self) {
        loop {
            self.seated.retain(|(task, _)| !task.is_finished());
            if self.seated.len() < HTTP_CLIENTS_MAX {
                return;
            }
            // Those that came last may have asked already, and have not had their turn.
            yield_now().await;
            let idle = self.seated.iter().position(|(_, is_busy)| !is_busy.get());
            match idle {
                Some(first) => drop(self.seated.remove(first)),
                None => drop(self.gone.1.next().await),
            }
        }
    }
}

impl<S: Source> Drop for Seat<S> {
    fn drop(&mut self) {
        self.count.set(self.count.get() - 1);
        let _rings_already = self.gone.put(());
        if self.count.get() == 0 {
            self.source.all_left();
        }
    }
}

// ---- one of them ---------------------------------------------------------------

/// The next client. Out of descriptors, we wait a moment instead of asking again and
/// again, and say so once.
async fn accept(listener: &Async<TcpListener>) -> Async<TcpStream> {
    let mut is_told = false;
    loop {
        match listener.accept().await {
            Ok(stream) => return stream,
            Err(error) => {
                if !is_told {
                    say::warning(format_args!("http: nobody is let in: {error}"));
                }
                is_told = true;
                Timer::after(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn attend<S: Source>(stream: Async<TcpStream>, seat: Seat<S>) {
    if let Err(error) = converse(stream, &seat).await {
        log::debug!(target: "sup", "[SUPERVISOR] http: a client was dropped: {error}");
    }
}

async fn converse<S: Source>(mut stream: Async<TcpStream>, seat: &Seat<S>) -> io::Result<()> {
    let hear = async { hear(&mut stream, seat).await.map(Some) };
    let answer = hear.or(silence(PATIENCE_TO_HEAR)).await?;
    seat.is_busy.set(true);
    let answer = answer.unwrap_or_else(|| Answer::refusal(Refusal::TooSlow));
    let tell = tell(&mut stream, answer).or(silence(PATIENCE_TO_TELL));
    tell.await?.ok_or(io::ErrorKind::TimedOut)?;
    seat.is_busy.set(false);
    stream.get_ref().shutdown(Shutdown::Write)?;
    part(&mut stream).or(silence(PATIENCE_TO_PART)).await?;
    Ok(())
}

/// Reads a request, and finds its answer.
async fn hear<S: Source>(stream: &mut Async<TcpStream>, seat: &Seat<S>) -> io::Result<Answer> {
    let mut bytes = [0; HTTP_REQUEST_MAX];
    let mut length = 0;
    loop {
        let new = stream.read(&mut bytes[length..]).await?;
        if new == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let is_first = length == 0;
        length += new;
        // A line that goes on says nothing new: or one byte at a time would cost as many
        // looks at all of it.
        let is_line = bytes[length - new..length].contains(&b'\n');
        if !is_first && !is_line && length < bytes.len() {
            continue;
        }
        match http::parse(&bytes[..length]) {
            Heard::Unfinished => {}
            Heard::Refused(refusal) => return Ok(Answer::refusal(refusal)),
            Heard::Request(request) => {
                seat.is_busy.set(true);
                let _others_wait = seat.making.enter().await;
                return Ok(answer::find(&request, &*seat.source).await);
            }
        }
    }
}

async fn tell(stream: &mut Async<TcpStream>, answer: Answer) -> io::Result<Option<()>> {
    stream.write_all(answer.head.as_bytes()).await?;
    stream.write_all(answer.body()).await.map(Some)
}

/// Reads what nobody wants, until the client has closed.
async fn part(stream: &mut Async<TcpStream>) -> io::Result<Option<()>> {
    let mut unread = [0; 4096];
    let mut left = PARTING_MAX;
    while left > 0 {
        match stream.read(&mut unread).await? {
            0 => break,
            read => left = left.saturating_sub(read),
        }
    }
    Ok(Some(()))
}

/// What comes where nothing has come within a time.
async fn silence<T>(patience: Duration) -> io::Result<Option<T>> {
    Timer::after(patience).await;
    Ok(None)
}
