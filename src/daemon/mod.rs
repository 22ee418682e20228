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

mod changed;
mod clients;
mod core;
mod history;
mod outputs;
mod ready;
mod reload;
mod report;
mod saving;
mod setup;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use async_signal::{Signal, Signals};
use smol::channel::{Receiver, Sender, unbounded};
use smol::future::{self, FutureExt};
use smol::stream::StreamExt;
use smol::{LocalExecutor, Task, Timer};

use self::core::Shared;
use crate::control::{Heard, Replies};
use crate::model::{Exit, RunId, Uptime};
use crate::os::{clock, reap, trim};
use crate::policy::Event;
use crate::store::Store;

pub use setup::{RunFault, Start, run, single};

/// What reaches the loop.
enum Input {
    /// For policy.
    Event(Event),
    /// A main process has ended.
    Ended(RunId, Exit),
    /// A client asks, or has left.
    Client(Heard),
    /// Read the configuration again.
    Reload,
    /// It has been read, for somebody or for nobody.
    Reloaded(reload::Read, Option<Replies>),
    /// A write of the memory has ended.
    Saved(Store, io::Result<()>),
}

/// How long we stay for what is still to be told: a little longer than one program may
/// take, and where a person asked us to end, not long.
const LAST_WORDS: Duration = Duration::from_secs(12);
const LAST_WORDS_ASKED: Duration = Duration::from_secs(2);

/// Lives until everything has been stopped: whether with success.
async fn live(core: Shared, inbox: Receiver<Input>) -> bool {
    core.borrow_mut().turn(Event::Tick, clock::now());
    let mut trimmed = false;
    loop {
        // Before the first wait, too: a child that cannot be started may have ended it all.
        if let Some(success) = core.borrow().is_over() {
            return success;
        }
        let deadline = core.borrow().supervisor.next_deadline().map(|(at, _)| at);
        // Nothing is due: this may be a long wait. Only then, because what we let go of
        // costs the next event some 100 us.
        if deadline.is_none() && !trimmed {
            trim::give_code_back();
        }
        trimmed = deadline.is_none();
        let input = next(&inbox, deadline).await;
        let now = clock::now();
        match input {
            None => core.borrow_mut().turn(Event::Tick, now),
            Some(Input::Event(event)) => core.borrow_mut().turn(event, now),
            Some(Input::Ended(run, exit)) => core.borrow_mut().ended(run, exit, now),
            Some(Input::Client(Heard::Asked(request, replies))) => {
                clients::answer(&core, request, replies, now);
            }
            // Showing how things stand has touched much of our code, too.
            Some(Input::Client(Heard::Left)) => trimmed = false,
            Some(Input::Reload) => reload::read(&core, false, None),
            Some(Input::Reloaded(read, replies)) => {
                reload::take(&core, read, replies, now);
            }
            Some(Input::Saved(store, result)) => {
                trimmed = false;
                let failed = core.borrow_mut().saving.ended(store, &result);
                if failed {
                    core.borrow_mut().turn(Event::SaveFailed, now);
                }
            }
        }
    }
}

/// The next input, or nothing when the deadline comes first.
async fn next(inbox: &Receiver<Input>, deadline: Option<Uptime>) -> Option<Input> {
    let input = async { inbox.recv().await.ok() };
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
    while let Some(signal) = signals.next().await {
        let input = match signal {
            Ok(Signal::Term | Signal::Int) => Input::Event(Event::Shutdown),
            // Without a configuration, the terminal has gone.
            Ok(Signal::Hup) if !reloads => Input::Event(Event::Shutdown),
            Ok(Signal::Hup) => Input::Reload,
            Ok(_) => {
                if adopts {
                    reap::orphans();
                }
                continue;
            }
            Err(error) => {
                log::warn!(target: "sup", "[WARNING] signals: {error}");
                continue;
            }
        };
        if inbox.send(input).await.is_err() {
            return;
        }
    }
}

/// Runs the loop on this thread, with the tasks around it.
fn block_on(
    make: impl FnOnce(Rc<LocalExecutor<'static>>, Sender<Input>) -> io::Result<setup::Made>,
) -> io::Result<bool> {
    let executor = Rc::new(LocalExecutor::new());
    let (inbox, received) = unbounded();
    let runner = Rc::clone(&executor);
    smol::block_on(runner.run(async move {
        // Polled once before the first child is made, it saves async-process a thread.
        spawn(&executor, async {
            async_process::driver().await;
        })
        .detach();
        future::yield_now().await;
        let made = make(Rc::clone(&executor), inbox.clone())?;
        let (adopts, reloads) = (made.core.adopts, made.core.config.is_some());
        spawn(&executor, listen(made.signals, inbox, adopts, reloads)).detach();
        let core = Rc::new(RefCell::new(made.core));
        let success = live(Rc::clone(&core), received).await;
        last_words(&core, success).await;
        core.borrow_mut().clean_up();
        Ok(success)
    }))
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
