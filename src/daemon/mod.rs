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
use smol::future;
use smol::stream::StreamExt;
use smol::{LocalExecutor, Timer};

use self::core::{Core, Shared};
use crate::control::Replies;
use crate::model::{Exit, RunId, Uptime};
use crate::os::{clock, reap};
use crate::policy::Event;
use crate::store::Store;
use crate::wire::control::Request;

pub use setup::{RunFault, Start, run, single};

/// What reaches the loop.
enum Input {
    /// For policy.
    Event(Event),
    /// A main process has ended.
    Ended(RunId, Exit),
    /// A client asks.
    Asked(Request, Replies),
    /// Read the configuration again.
    Reload,
    /// A write of the memory has ended.
    Saved(Store, io::Result<()>),
}

/// Children stop being told of after this long when sup has ended.
const LAST_WORDS: Duration = Duration::from_secs(12);

/// Lives until everything has been stopped: whether with success.
async fn live(core: Shared, inbox: Receiver<Input>) -> bool {
    core.borrow_mut().turn(Event::Tick, clock::now());
    loop {
        let deadline = core.borrow().supervisor.next_deadline().map(|(at, _)| at);
        let input = next(&inbox, deadline).await;
        let now = clock::now();
        match input {
            None => core.borrow_mut().turn(Event::Tick, now),
            Some(Input::Event(event)) => core.borrow_mut().turn(event, now),
            Some(Input::Ended(run, exit)) => core.borrow_mut().ended(run, exit, now),
            Some(Input::Asked(request, replies)) => clients::answer(&core, request, replies, now),
            Some(Input::Reload) => reload_by_signal(&mut core.borrow_mut(), now),
            Some(Input::Saved(store, result)) => {
                let failed = core.borrow_mut().saving.ended(store, &result);
                if failed {
                    core.borrow_mut().turn(Event::SaveFailed, now);
                }
            }
        }
        let core = core.borrow();
        if let Some(success) = core.end
            && core.saving.is_done(core.saving.asked())
        {
            return success;
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

fn reload_by_signal(core: &mut Core, now: Uptime) {
    match reload::reload(core, false, now) {
        Ok(_) => log::info!(target: "sup", "[SUPERVISOR] the configuration has been read again"),
        Err(words) => {
            for line in words.lines() {
                log::error!(target: "sup", "[ERROR] {line}");
            }
            log::error!(target: "sup", "[ERROR] nothing has been changed");
        }
    }
}

/// TERM and INT end, HUP reloads, CHLD may bring an orphan.
async fn listen(mut signals: Signals, inbox: Sender<Input>, adopts: bool) {
    while let Some(signal) = signals.next().await {
        let input = match signal {
            Ok(Signal::Term | Signal::Int) => Input::Event(Event::Shutdown),
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
        executor.spawn(async_process::driver()).detach();
        future::yield_now().await;
        let made = make(Rc::clone(&executor), inbox.clone())?;
        let adopts = made.core.adopts;
        executor.spawn(listen(made.signals, inbox, adopts)).detach();
        let core = Rc::new(RefCell::new(made.core));
        let success = live(Rc::clone(&core), received).await;
        last_words(&core).await;
        Ok(success)
    }))
}

/// What is still to be told is told, within a bound.
async fn last_words(core: &Shared) {
    let work = core.borrow_mut().close_alerts();
    let timer = async {
        Timer::after(LAST_WORDS).await;
    };
    future::or(work, timer).await;
}
