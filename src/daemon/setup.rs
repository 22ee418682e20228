//! Making everything ready: directories, locks, memory, sockets, and then the loop.

use std::fmt;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use async_signal::Signals;
use smol::channel::Sender;
use smol::{Async, LocalExecutor};

use super::core::{Core, Parts};
use super::outputs::Outputs;
use super::saving::Saving;
use super::{Input, block_on, spawn};
use crate::config::{self, Mistakes};
use crate::control;
use crate::model::BootId;
use crate::model::spec::{Settings, Spec};
use crate::os::adopt::{self, Record};
use crate::os::file::{LockGuard, lock_dir};
use crate::os::{boot, clock, place, signals, socket};
use crate::policy::{Rules, Supervisor};
use crate::store::{self, Store};
use crate::wire::control::SOCKET;

/// Why sup cannot run.
#[derive(Debug)]
pub enum RunFault {
    /// The configuration has mistakes.
    Config(Mistakes),
    /// Another sup holds this directory.
    Running(PathBuf),
    /// The system says no, in words that name the step.
    System(io::Error),
}

impl fmt::Display for RunFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(mistakes) => mistakes.fmt(f),
            Self::Running(dir) => write!(f, "another sup is running (it holds {})", dir.display()),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for RunFault {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// How to start.
pub struct Start<'a> {
    /// The configuration.
    pub config: &'a Path,
    /// Called once, when the locks are held, the sockets made and the children about to start.
    pub ready: Box<dyn FnOnce() + 'a>,
}

/// What [`super::block_on`] needs.
pub(super) struct Made {
    pub(super) core: Core,
    pub(super) signals: Signals,
}

/// Supervises one command in the foreground until it is over: whether with success.
/// Nothing is kept and no socket is made.
///
/// # Errors
/// What the system refuses.
pub fn single(spec: Spec) -> io::Result<bool> {
    boot::close_on_exec();
    let adopts = boot::adopt_orphans();
    block_on(|executor, inbox| {
        let rules = rules(&spec.settings, true);
        let supervisor = Supervisor::new(spec.children.into_vec(), rules);
        let saving = Saving::new(Rc::clone(&executor), inbox.clone(), None);
        let outputs = Outputs::new(Rc::clone(&executor), None, 1);
        let parts = Parts {
            executor,
            inbox,
            supervisor,
            outputs,
            saving,
            settings: spec.settings,
            config: None,
            boot: boot::id(),
            runtime: None,
            adopts,
        };
        Ok(Made {
            core: Core::new(parts),
            signals: signals::listen(false)?,
        })
    })
}

/// Supervises a configuration until it is told to end: whether with success.
///
/// # Errors
/// Mistakes in the configuration, another sup, or what the system refuses.
pub fn run(start: Start<'_>) -> Result<bool, RunFault> {
    let path = std::path::absolute(start.config)?;
    let loaded = config::load(&path).map_err(RunFault::Config)?;
    for warning in &loaded.warnings {
        log::warn!(target: "sup", "[WARNING] {warning}");
    }
    let mut spec = loaded.spec;
    let home = Home::open(&mut spec.settings, &path)?;
    boot::close_on_exec();
    boot::take_descriptors();
    // sup itself keeps no volume busy; children without a directory of their own start here.
    std::env::set_current_dir("/")?;
    let adopts = boot::adopt_orphans();
    let success = block_on(|executor, inbox| {
        let made = home.make(spec, path, adopts, executor, inbox)?;
        (start.ready)();
        Ok(made)
    })?;
    Ok(success)
}

fn rules(settings: &Settings, ends_when_over: bool) -> Rules {
    let seed = clock::wall() ^ u64::from(std::process::id()) << 32;
    Rules {
        shutdown_timeout: settings.shutdown_timeout,
        ends_when_over,
        seed,
    }
}

/// The directories, locked, and what was found there.
struct Home {
    runtime: PathBuf,
    store: Store,
    loaded: store::Loaded,
    listener: UnixListener,
    _locks: [LockGuard; 2],
}

impl Home {
    /// Fills in the directories that nobody has named, makes them, and takes the locks.
    fn open(settings: &mut Settings, config: &Path) -> Result<Self, RunFault> {
        let state = settings
            .state
            .as_deref()
            .map_or_else(|| place::default_state(config), PathBuf::from);
        let runtime = settings
            .runtime
            .as_deref()
            .map_or_else(place::default_runtime, PathBuf::from);
        place::private_dir(&runtime)?;
        let runtime_lock = lock(&runtime)?;
        store::make_dir(&state)?;
        let state_lock = lock(&state)?;
        let (store, loaded) = Store::open(&state)?;
        for remark in &loaded.remarks {
            log::warn!(target: "sup", "[WARNING] memory: {remark}");
        }
        let listener = socket::listen(&runtime.join(SOCKET))?;
        Ok(Self {
            runtime,
            store,
            loaded,
            listener,
            _locks: [runtime_lock, state_lock],
        })
    }

    fn make(
        self,
        spec: Spec,
        config: PathBuf,
        adopts: bool,
        executor: Rc<LocalExecutor<'static>>,
        inbox: Sender<Input>,
    ) -> io::Result<Made> {
        let (now, boot) = (clock::now(), boot::id());
        let rules = rules(&spec.settings, false);
        let count = spec.children.len();
        let mut supervisor = Supervisor::new(spec.children.into_vec(), rules);
        if let Some(memory) = self.loaded.memory {
            supervisor.recall(&store::rebase(memory, now, boot), boot, now);
        }
        let listener = Async::new_nonblocking(self.listener)?;
        let to_loop = inbox.clone();
        let heard = move |heard| drop(to_loop.try_send(Input::Client(heard)));
        spawn(
            &executor,
            control::serve(Rc::clone(&executor), listener, heard),
        )
        .detach();
        let parts = Parts {
            saving: Saving::new(Rc::clone(&executor), inbox.clone(), Some(self.store)),
            outputs: Outputs::new(Rc::clone(&executor), Some(self.runtime.clone()), count),
            executor,
            inbox,
            supervisor,
            settings: spec.settings,
            config: Some(config),
            boot,
            runtime: Some(self.runtime.clone()),
            adopts,
        };
        log::info!(target: "sup", "[SUPERVISOR] sup {} looks after {count} of {}", env!("CARGO_PKG_VERSION"), parts.config.as_deref().unwrap_or(Path::new("")).display());
        let dir = self.runtime;
        let mut core = Core::new(parts);
        core.hold(self._locks);
        adopt_all(&mut core, &dir);
        Ok(Made {
            core,
            signals: signals::listen(true)?,
        })
    }
}

/// Takes up what another sup has started under this boot: by what it wrote down, and by
/// the marks in the environment where it was killed before it could.
fn adopt_all(core: &mut Core, dir: &Path) {
    let boot = core.boot;
    if boot == BootId::default() {
        return; // Nobody can be known again without one.
    }
    let strays = adopt::strays(&dir.display().to_string(), boot);
    let children: Vec<_> = core
        .supervisor
        .children()
        .map(|(id, spec, _)| (id, spec.name.clone()))
        .collect();
    for (id, name) in children {
        let written = Record::read(dir, &name).filter(|record| record.boot == boot);
        let stray = strays
            .iter()
            .find(|(child, _)| **child == *name)
            .map(|(_, record)| *record);
        let record = match (written, stray) {
            // A stray of the same run is what its dead main process left behind.
            (Some(written), Some(stray)) if stray.nth > written.nth => Some(stray),
            (written, stray) => written.or(stray),
        };
        if let Some(record) = record {
            core.adopt(id, record);
        }
    }
}

fn lock(dir: &Path) -> Result<LockGuard, RunFault> {
    lock_dir(dir).map_err(|error| {
        if error.kind() == io::ErrorKind::WouldBlock {
            RunFault::Running(dir.to_owned())
        } else {
            RunFault::System(error)
        }
    })
}
