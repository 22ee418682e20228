//! The HTTP server as the configuration wants it, and what it is told.

use std::cell::RefCell;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, RawFd};
use std::rc::{Rc, Weak};
use std::time::Duration;

use smol::Task;
use smol::future::yield_now;

use super::core::Shared;
use super::{Input, report, spawn};
use crate::control::Heard;
use crate::model::Gather as _;
use crate::model::limits::{RESTART_BIN, RESTART_BINS};
use crate::model::report::CheckReport;
use crate::model::standing::Standing;
use crate::model::{ChildId, Member};
use crate::os::procfs::Resident;
use crate::os::{self, Async, Timer, clock, say};
use crate::web::{self, Source};
use crate::wire::json::{Event, Events};

/// An address that is taken is tried again after so long, then after twice that, and so on.
const RETRY_FIRST: Duration = Duration::from_secs(5);
const RETRY_LONGEST: Duration = Duration::from_secs(60);

/// So many reports are made before others have their turn.
const AT_ONCE: usize = 64;

/// Where we listen, if we do.
#[derive(Default)]
pub(super) struct Http {
    address: Option<SocketAddr>,
    first: First,
    /// Where clients come in, while we listen.
    listener: Rc<RefCell<Weak<Async<TcpListener>>>>,
    /// Ends it with all its clients when dropped.
    task: Option<Task<()>>,
}

/// What became of the first try to listen.
#[derive(Default)]
enum First {
    /// It is still to come.
    #[default]
    Untried,
    /// It cannot be had, which has been told.
    Refused,
    /// We do.
    Bound(TcpListener),
}

impl Http {
    /// Listens before whoever started us is told that we are up; nobody is answered yet.
    pub(super) fn open(address: Option<SocketAddr>) -> Self {
        let first = address.map(|address| listen(address).map_or(First::Refused, First::Bound));
        Self {
            address,
            first: first.unwrap_or_default(),
            ..Self::default()
        }
    }

    /// For the program that takes our place.
    pub(super) fn pass(&self) -> Option<RawFd> {
        let listener = self.listener.borrow().upgrade();
        listener.map(|listener| listener.as_raw_fd())
    }

    /// From the program before us: nobody who comes meanwhile is turned away.
    pub(super) fn inherit(address: Option<SocketAddr>, listener: TcpListener) -> Self {
        Self {
            address,
            first: First::Bound(listener),
            ..Self::default()
        }
    }
}

/// An address that cannot be had is told of once.
fn listen(address: SocketAddr) -> Option<TcpListener> {
    let result = TcpListener::bind(address);
    match &result {
        Ok(_) => tell(address),
        Err(error) => {
            say::warning(format_args!(
                "http: {address}: {error}; it is tried again, and nothing else waits for it"
            ));
        }
    }
    result.ok()
}

fn tell(address: SocketAddr) {
    say::news(format_args!("http: to be seen at http://{address}/"));
}

/// Answers as the settings want it: at the start, and when they may have changed.
pub(super) fn follow(core: &Shared) {
    let wanted = core.borrow().settings.http;
    let mut http = std::mem::take(&mut core.borrow_mut().http);
    if http.address != wanted {
        if http.task.is_some() && wanted.is_none() {
            say::news(format_args!("http: closed"));
        }
        http = Http {
            address: wanted,
            ..Http::default()
        };
    }
    if let (Some(address), None) = (wanted, &http.task) {
        let first = std::mem::take(&mut http.first);
        let work = work(Rc::clone(core), address, first, Rc::clone(&http.listener));
        http.task = Some(spawn(&core.borrow().executor, work));
    }
    core.borrow_mut().http = http;
}

async fn work(
    core: Shared,
    address: SocketAddr,
    first: First,
    known: Rc<RefCell<Weak<Async<TcpListener>>>>,
) {
    let listener = match first {
        First::Bound(listener) => listener,
        First::Refused => late(address).await,
        First::Untried => {
            // The one before us, perhaps on the same port, has its turn to go.
            yield_now().await;
            match listen(address) {
                Some(listener) => listener,
                None => late(address).await,
            }
        }
    };
    let executor = Rc::clone(&core.borrow().executor);
    match Async::new(listener) {
        Ok(listener) => {
            let listener = Rc::new(listener);
            *known.borrow_mut() = Rc::downgrade(&listener);
            web::serve(executor, listener, Rc::new(View(core))).await;
        }
        Err(error) => say::error(format_args!("http: {address}: {error}")),
    }
}

/// Listens as soon as it can.
async fn late(address: SocketAddr) -> TcpListener {
    let mut pause = RETRY_FIRST;
    loop {
        Timer::after(pause).await;
        if let Ok(listener) = TcpListener::bind(address) {
            tell(address);
            return listener;
        }
        pause = (pause * 2).min(RETRY_LONGEST);
    }
}

/// What the web server sees of us.
pub(super) struct View(Shared);

impl View {
    pub(super) fn of(core: &Shared) -> Self {
        Self(Rc::clone(core))
    }
}

impl View {
    fn checks(&self, of: Option<ChildId>) -> Vec<CheckReport> {
        let core = self.0.borrow();
        core.checking.reports(&core.supervisor, of, clock::now())
    }
}

impl Source for View {
    async fn standing(&self, with_memory: bool) -> Standing {
        let resident = match with_memory {
            true => os::aside(Resident::take).await,
            false => Resident::default(),
        };
        let (sup, members) = {
            let core = self.0.borrow();
            let members = core.supervisor.rows().iter().map(|(_, member)| *member);
            (report::sup(&core), members.gather::<Vec<_>>())
        };
        let (mut rows, mut checks) = (Vec::with_capacity(members.len()), self.checks(None));
        for some in members.chunks(AT_ONCE) {
            {
                let (core, now) = (self.0.borrow(), clock::now());
                rows.extend(
                    some.iter()
                        .filter_map(|member| report::row(&core, *member, &resident, now)),
                );
            }
            for member in some {
                if let Member::Child(id) = member {
                    checks.extend(self.checks(Some(*id)));
                }
            }
            yield_now().await;
        }
        Standing { sup, rows, checks }
    }

    fn events(&self, since: u64) -> Events {
        let core = self.0.borrow();
        let history = &core.history;
        let mut events = Vec::new();
        let mut next = since;
        while let Some((number, entry)) = history.from(next) {
            events.push(Event {
                number,
                wall: entry.wall,
                text: entry.text.to_string(),
            });
            next = number + 1;
        }
        Events {
            pid: std::process::id(),
            now: clock::wall(),
            next: history.end(),
            events,
            bin_seconds: RESTART_BIN.as_secs(),
            bins: RESTART_BINS,
            restarts: history.restarts(clock::now()),
        }
    }

    fn all_left(&self) {
        // The loop gives back the memory that showing how things stand has touched.
        let _loop = self.0.borrow().inbox.put(Input::Client(Heard::Left));
    }
}
