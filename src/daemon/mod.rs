//! The one place where the two worlds meet: one thread, one loop.
//!
//! ```text
//!   watch tasks   a run ended      --+
//!   ready tasks   a run is ready   --+
//!   signal task   TERM, HUP        --+--> inbox --> loop: turn(event, now) --> actions
//!   control       a client asks    --+                ^                          |
//!   saving        a write ended    --+                '---- next deadline -------'
//! ```
//!
//! Each task waits for one thing and puts it into the inbox. Only the loop changes
//! `core::Core`. A panic in a detached task would leave a process that runs and
//! supervises nothing, so the release profile aborts.

mod adoption;
mod baton;
mod checking;
mod clients;
mod core;
mod door;
mod history;
mod http;
mod orders;
mod outputs;
mod pass;
mod paths;
mod ready;
mod recording;
mod reload;
mod report;
mod saving;
mod secrets;
mod setup;
mod telling;
mod turn;
mod upgrade;
mod verdicts;
mod worry;

use std::cell::{Cell, RefCell};
use std::io;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use smol::future::{self, FutureExt};
use smol::{LocalExecutor, Task};

use self::core::Shared;
use crate::control::{Heard, Replies};
use crate::model::{Exit, RunId, Signal, Uptime};
use crate::os::signals::Signals;
use crate::os::{self, Receiver, Sender, Timer, clock, reap, say, trim};
use crate::policy::Event;
use crate::store::Store;

pub use setup::{RunFault, Start, once, run, single};
pub use turn::{Look, Looked};
pub use upgrade::{CHECK, VARIABLE, can_take_over};

/// How long the news of orphans that have ended is left to lie.
const ORPHANS_WAIT: Duration = Duration::from_millis(10);

/// What reaches the loop.
enum Input {
    /// For policy.
    Event(Event),
    /// A main process has ended.
    Ended(RunId, Exit),
    /// A check has been made.
    Probed(Box<checking::Probed>),
    /// The file of a run's watchdog was written then, which shows life at that moment.
    Beat(RunId, Option<SystemTime>, Option<Uptime>),
    /// A client asks, or has left.
    Client(Heard),
    /// Read the configuration again.
    Reload,
    /// It has been read, for somebody or for nobody.
    Reloaded(Box<reload::Read>, Option<Replies>),
    /// The control socket has been deleted, or could not be made again.
    ShutOut,
    /// Another program is to take our place, as a signal says.
    Replace,
    /// It can.
    Upgrade(Box<upgrade::Ready>),
    /// Somebody has looked for the paths that children wait for.
    Found(paths::Found),
    /// A write of the memory has ended.
    Saved(Store, io::Result<()>),
    /// Something that policy does not know of is to be remembered.
    Remember,
}

/// How long we stay for what is still to be told: a little longer than one program may
/// take, and where a person asked us to end, not long.
const LAST_WORDS: Duration = Duration::from_secs(12);
const LAST_WORDS_ASKED: Duration = Duration::from_secs(2);

/// After so long without an event, memory is given back that the next one will want again.
const REST: Duration = Duration::from_secs(2);

/// A whole life, with its last words: whether it ended with success.
async fn live_and_end(core: Shared, inbox: Receiver<Input>) -> bool {
    http::follow(&core);
    let success = live(Rc::clone(&core), inbox).await;
    core.borrow().checking.end();
    last_words(&core, success).await;
    core.borrow_mut().clean_up();
    success
}

/// Lives until everything has been stopped: whether with success.
async fn live(core: Shared, inbox: Receiver<Input>) -> bool {
    core.borrow_mut().turn(Event::Tick, clock::now());
    let mut trimmed = false;
    loop {
        // Before the first wait, too: a child that cannot be started may have ended it all.
        if let Some(success) = core.borrow().is_over() {
            return success;
        }
        paths::look(&core);
        let deadline = core.borrow().supervisor.next_deadline().map(|(at, _)| at);
        // This may be a long wait. Not at once, because what we let go of costs the next
        // event some 100 us.
        let rest = (!trimmed).then(|| clock::now() + REST);
        let rests = rest.is_some_and(|rest| deadline.is_none_or(|deadline| rest < deadline));
        match next(&inbox, if rests { rest } else { deadline }).await {
            None if rests => {
                core.borrow_mut().rest();
                inbox.rest();
                trim::give_back();
                trimmed = true;
            }
            None => {
                core.borrow_mut().turn(Event::Tick, clock::now());
                trimmed = false;
            }
            Some(Input::Upgrade(ready)) => {
                trimmed = false;
                upgrade::change(&core, &inbox, ready, |input| take(&core, input)).await;
            }
            Some(input) => {
                take(&core, input);
                trimmed = false;
            }
        }
    }
}

/// One input.
fn take(core: &Shared, input: Input) {
    let now = clock::now();
    match input {
        Input::Event(event) => core.borrow_mut().turn(event, now),
        Input::Ended(run, exit) => core.borrow_mut().ended(run, exit, now),
        Input::Probed(probed) => core.borrow_mut().probed(*probed, now),
        Input::Beat(run, written, last) => core.borrow_mut().beat(run, written, last, now),
        Input::Client(Heard::Asked(request, replies)) => {
            clients::answer(core, request, replies, now);
        }
        Input::Client(Heard::Upgrade(ask, told)) => upgrade::answer(core, ask, told),
        Input::Client(Heard::Left) => {} // Showing how things stand has touched much of our code.
        Input::Reload => reload::read(core, false, None),
        Input::Reloaded(read, replies) => reload::take(core, *read, replies, now),
        Input::Found(found) => core.borrow_mut().found(found),
        Input::Replace => upgrade::begin(core, None, upgrade::Teller(None)),
        Input::ShutOut => core.borrow_mut().come_back(),
        Input::Remember => core.borrow_mut().turn(Event::Remember, now),
        Input::Upgrade(_) => {} // One at a time, and that is in hand.
        Input::Saved(store, result) => {
            let failed = core.borrow_mut().saving.ended(store, &result);
            if failed {
                core.borrow_mut().turn(Event::SaveFailed, now);
            }
        }
    }
}

/// The next input, or nothing when the deadline comes first.
async fn next(inbox: &Receiver<Input>, deadline: Option<Uptime>) -> Option<Input> {
    let input = inbox.next();
    match deadline {
        None => input.await,
        Some(at) => {
            let timer = async {
                Timer::after(at - clock::now()).await;
                None
            };
            future::or(input, timer).await
        }
    }
}

/// TERM and INT end, HUP reloads, CHLD may bring an orphan.
async fn listen(mut signals: Signals, inbox: Sender<Input>, adopts: bool, reloads: bool) {
    loop {
        let input = match signals.next().await {
            Ok(Signal::TERM | Signal::INT) => Input::Event(Event::Shutdown),
            // Without a configuration, the terminal has gone.
            Ok(Signal::HUP) if !reloads => Input::Event(Event::Shutdown),
            Ok(Signal::HUP) => Input::Reload,
            Ok(Signal::USR2) => Input::Replace,
            Ok(_) => {
                // A successor comes first. Orphans have time: where many end together, one
                // look will do, which costs the kernel a walk past all that live.
                if reap::is_awaited() {
                    future::yield_now().await;
                } else if adopts {
                    Timer::after(ORPHANS_WAIT).await;
                }
                reap::hear(adopts);
                continue;
            }
            Err(error) => {
                say::error(format_args!("signals are not heard any more: {error}"));
                return;
            }
        };
        if inbox.put(input).is_err() {
            return;
        }
    }
}

/// Runs the loop on this thread, with the tasks around it.
fn block_on<F>(
    make: impl FnOnce(Rc<LocalExecutor<'static>>, Sender<Input>) -> io::Result<setup::Made>,
    live: impl FnOnce(Shared, Receiver<Input>) -> F,
) -> io::Result<F::Output>
where
    F: Future<Output: 'static> + 'static,
{
    let executor = Rc::new(LocalExecutor::new());
    let (inbox, received) = os::queue(usize::MAX);
    // Nobody takes it down: whoever waits for our end by a connection waits until the kernel
    // closes it, when all is over.
    let runner = ManuallyDrop::new(Rc::clone(&executor));
    os::spawn::reserve();
    let end = Rc::new(Cell::new(None));
    let told = Rc::clone(&end);
    let work = async move {
        let made = make(Rc::clone(&executor), inbox.clone())?;
        let (adopts, reloads) = (made.core.adopts, made.core.config.is_some());
        spawn(&executor, listen(made.signals, inbox, adopts, reloads)).detach();
        let core = ManuallyDrop::new(Rc::new(RefCell::new(made.core)));
        let life = live(Rc::clone(&core), received);
        // A task among the others: who ends a run has been heard before the others' turn.
        spawn(&executor, async move { told.set(Some(life.await)) }).await;
        Ok(())
    };
    // Boxed, so that the executor is one piece of code for all kinds of ends.
    let work: Pin<Box<dyn Future<Output = io::Result<()>> + '_>> = work.boxed_local();
    os::block_on(runner.run(work))??;
    end.take().ok_or_else(|| io::ErrorKind::Interrupted.into())
}

/// A task. Boxed, so that all of them are one piece of code: 30 KiB less of it.
fn spawn(executor: &LocalExecutor<'static>, work: impl Future<Output = ()> + 'static) -> Task<()> {
    executor.spawn(work.boxed_local())
}

/// What is still to be told is told, within a bound: long enough for a program that says
/// why we failed, and hardly noticed by a person who asked us to end.
async fn last_words(core: &Shared, success: bool) {
    let work = core.borrow_mut().close_alerts();
    let patience = if success {
        LAST_WORDS_ASKED
    } else {
        LAST_WORDS
    };
    let timer = async {
        Timer::after(patience).await;
    };
    future::or(work, timer).await;
}
