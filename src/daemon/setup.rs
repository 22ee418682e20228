//! Making everything ready: directories, locks, memory, sockets, and then the loop.

use std::ffi::{CString, OsStr};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use smol::LocalExecutor;
use smol::future::yield_now;

use super::adoption::take_up;
use super::baton::Baton;
use super::core::{Core, Parts, Shared};
use super::door::Door;
use super::http::Http;
use super::outputs::Outputs;
use super::recording::Recording;
use super::saving::Saving;
use super::turn::{self, Look, Looked};
use super::upgrade::{self, Image};
use super::{Input, block_on, live_and_end};
use crate::config::{self, Mistakes};
use crate::model::Memory;
use crate::model::limits::{DESCRIPTORS_KEPT, DESCRIPTORS_OF_CHILD, DESCRIPTORS_OWN};
use crate::model::spec::{Settings, Spec};
use crate::os::file::{LockGuard, lock_dir_soon};
use crate::os::signals::{self, Signals};
use crate::os::watch::identity;
use crate::os::{self, Sender, boot, clock, image, paths, place, say, socket, spawn};
use crate::policy::{Rules, Supervisor};
use crate::replay;
use crate::store::{self, Duty, Store};
use crate::wire::control::SOCKET;

/// Why sup cannot run.
#[derive(Debug)]
pub enum RunFault {
    /// The configuration has mistakes.
    Config(Mistakes),
    /// Another sup holds this directory.
    Running(PathBuf),
    /// These paths are not there yet, and nothing may be started before.
    Waiting(String),
    /// The system says no, in words that name the step.
    System(io::Error),
}

impl fmt::Display for RunFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(mistakes) => mistakes.fmt(f),
            Self::Running(dir) => write!(f, "another sup is running (it holds {})", dir.display()),
            Self::Waiting(paths) => write!(f, "waits for {paths} (wait-path)"),
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
    /// Where to record what happens, where that is asked for.
    pub journal: Option<&'a Path>,
    /// Called once, when the locks are held, the sockets made and the children about to start.
    pub ready: Box<dyn FnOnce() + 'a>,
    /// What another program is started with that takes our place.
    pub words: Vec<CString>,
    /// Where the program whose place we take has written down what we need.
    pub baton: Option<PathBuf>,
}

/// What [`super::block_on`] needs.
pub(super) struct Made {
    pub(super) core: Core,
    /// `None`: they do to us what they do to any program.
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
    block_on(
        |executor, inbox| {
            let rules = rules(&spec.settings, true);
            let supervisor = Supervisor::new(spec.tree, rules);
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
                recording: None,
                image: None,
                http: Http::default(),
                look: None,
            };
            Ok(Made {
                core: Core::new(parts),
                signals: signals::listen(false)?,
            })
        },
        live_and_end,
    )
}

/// Supervises a configuration until it is told to end: whether with success.
///
/// # Errors
/// Mistakes in the configuration, another sup, or what the system refuses.
pub fn run(start: Start<'_>) -> Result<bool, RunFault> {
    let path = std::path::absolute(start.config)?;
    // Whatever is left open for us and that we cannot name would lock us out.
    let inherited = start.baton.and_then(|path| {
        let home = Baton::take(&path).and_then(|baton| {
            let home = Home::inherit(baton);
            home.map_err(|error| error.to_string())
        });
        let told = |words: &String| {
            image::close_inherited();
            say::error(format_args!(
                "upgrade: {words}; children are adopted instead"
            ));
        };
        home.inspect_err(told).ok()
    });
    let mut ready = Some(start.ready);
    let loaded = config::load(&path).map_err(RunFault::Config)?;
    for warning in &loaded.warnings {
        say::warning(format_args!("{warning}"));
    }
    let spec = loaded.spec;
    let home = match inherited {
        Some(home) => home,
        None => {
            let mut home = Home::open(&spec.settings, &path, &mut ready)?;
            home.listener = Some(socket::listen(&home.runtime.join(SOCKET))?);
            home
        }
    };
    let state = home.state.clone();
    let duty = Duty::Runs.note(&state);
    let origin = Origin {
        config: path,
        words: start.words,
        recording: start.journal.map(Recording::open),
        look: None,
    };
    boot::close_on_exec();
    boot::take_descriptors();
    // sup itself keeps no volume busy; children without a directory of their own start here.
    std::env::set_current_dir("/")?;
    let adopts = boot::adopt_orphans();
    // Other threads inherit this, so that a signal reaches the one that listens, and waits
    // until it does.
    signals::hold();
    let make = |executor, inbox| {
        let made = home.make(spec, origin, adopts, executor, inbox)?;
        if let Some(ready) = ready {
            ready();
        }
        Ok(made)
    };
    let dir = state.clone();
    let live = |core: Shared, inbox| {
        let settles = async move {
            yield_now().await; // Children first.
            let settled = os::aside(move || duty.and_then(|()| Duty::settle(&dir)));
            left_word(settled.await);
        };
        super::spawn(&core.borrow().executor, settles).detach();
        live_and_end(core, inbox)
    };
    let success = block_on(make, live)?;
    let duty = if success { Duty::Ended } else { Duty::Failed };
    left_word(duty(boot::id()).write(&state));
    Ok(success)
}

/// What became of the word for `sup --once`. That it cannot be written is no reason to stop.
fn left_word(written: io::Result<()>) {
    if let Err(error) = written {
        say::warning(format_args!(
            "sup --once will not know that sup should run: {error}"
        ));
    }
}

/// Takes one turn where no sup runs: children are found again, what is due is done, and
/// they are left alone. No socket is made; signals do to us what they do to any program,
/// and children live on.
///
/// # Errors
/// Another sup, paths that are not there yet, or what the system refuses.
pub fn once(config: &Path, mut spec: Spec, look: Look) -> Result<Looked, RunFault> {
    if !paths::are_there(&spec.settings.wait_path) {
        return Err(RunFault::Waiting(spec.settings.wait_path.join(", ")));
    }
    spec.settings.http = None;
    turn::hurry(&mut spec, look);
    let home = Home::open(&spec.settings, config, &mut None)?;
    let origin = Origin {
        config: config.to_owned(),
        words: Vec::new(),
        recording: None,
        look: Some(look),
    };
    boot::close_on_exec();
    boot::take_descriptors();
    std::env::set_current_dir("/")?;
    let state = home.state.clone();
    let make = |executor, inbox| home.make(spec, origin, false, executor, inbox);
    let looked = block_on(make, move |core, inbox| turn::take(core, inbox, look.end))?;
    if looked.failed && look.acts {
        // Or the next one would start all anew.
        left_word(Duty::LookFailed(boot::id()).write(&state));
    }
    Ok(looked)
}

pub(super) fn rules(settings: &Settings, ends_when_over: bool) -> Rules {
    let seed = clock::wall() ^ u64::from(std::process::id()) << 32;
    Rules {
        shutdown_timeout: settings.shutdown_timeout,
        ends_when_over,
        seed,
    }
}

/// What we were started with.
struct Origin {
    config: PathBuf,
    /// For another program that takes our place.
    words: Vec<CString>,
    recording: Option<Recording>,
    look: Option<Look>,
}

/// The directories, locked, and what was found there.
struct Home {
    runtime: PathBuf,
    state: PathBuf,
    store: Store,
    memory: Option<Memory>,
    listener: Option<UnixListener>,
    runtime_lock: LockGuard,
    state_lock: LockGuard,
    /// From the program whose place we take.
    baton: Option<Baton>,
}

impl Home {
    /// Makes the directories where they are missing, and takes the locks.
    fn open(
        settings: &Settings,
        config: &Path,
        ready: &mut Option<Box<dyn FnOnce() + '_>>,
    ) -> Result<Self, RunFault> {
        let (state, runtime) = (place::state(settings, config), place::runtime(settings));
        place::private_dir(&runtime)?;
        let mut runtime_lock = lock(&runtime)?;
        wait(&settings.wait_path, &runtime, ready)?;
        if identity(&runtime) != runtime_lock.identity() {
            // Meanwhile somebody has cleaned up.
            place::private_dir(&runtime)?;
            runtime_lock = lock(&runtime)?;
        }
        store::make_dir(&state)?;
        warn_if_open(&state);
        let state_lock = lock(&state)?;
        let (store, memory) = open(&state)?;
        Ok(Self {
            runtime,
            state,
            store,
            memory,
            listener: None,
            runtime_lock,
            state_lock,
            baton: None,
        })
    }

    /// Goes on in the directories, with the locks and the socket, of the program before us.
    fn inherit(baton: Baton) -> io::Result<Self> {
        let path = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
        let lock = |fd| LockGuard::inherit(image::inherited(fd)?);
        let state = path(&baton.state);
        // It has been asked, and could read it.
        let memory =
            store::decode(&baton.memory).map_err(|fault| io::Error::other(fault.to_string()))?;
        Ok(Self {
            runtime: path(&baton.runtime),
            memory: Some(memory),
            listener: baton.listener.map(upgrade::inherit).transpose()?,
            runtime_lock: lock(baton.runtime_lock)?,
            state_lock: lock(baton.state_lock)?,
            store: open(&state)?.0,
            state,
            baton: Some(baton),
        })
    }

    fn make(
        self,
        spec: Spec,
        origin: Origin,
        adopts: bool,
        executor: Rc<LocalExecutor<'static>>,
        inbox: Sender<Input>,
    ) -> io::Result<Made> {
        let Origin {
            config,
            words,
            mut recording,
            look,
        } = origin;
        let (now, boot) = (clock::now(), boot::id());
        let rules = rules(&spec.settings, false);
        let memory = store::rebase(self.memory.clone().unwrap_or_default(), now, boot);
        let standing = self.baton.as_ref().map(|baton| &baton.standing);
        if let Some(recording) = &mut recording {
            let (tree, host, memory) = (&spec.tree, &spec.settings.checks, self.memory.as_ref());
            let head = recording.scribe.head(tree, host, rules, memory, boot, now);
            let handed_over = standing.map(replay::handed_over).unwrap_or_default();
            recording.write(&format!("{head}{handed_over}"));
        }
        let mut supervisor = Supervisor::new(spec.tree, rules);
        supervisor.watch_host(spec.settings.checks.clone(), now);
        supervisor.recall(&memory, boot, now);
        // It has been asked, and said yes.
        standing.map_or(Ok(()), |standing| {
            upgrade::take_over(&mut supervisor, standing, now).map_err(io::Error::other)
        })?;
        let count = supervisor.children().count();
        // Nobody is asked in while we take but one turn.
        let asks_in = (look.is_none(), Rc::clone(&executor), inbox.clone());
        let (door, lock) = way_in(asks_in, &self.runtime, self.runtime_lock, self.listener)?;
        let image = Image {
            exe: image::own_path()?,
            words,
            state: self.state,
            upgrades: self.baton.as_ref().map_or(0, |baton| baton.upgrades),
            changing: false,
        };
        let http = http(spec.settings.http, self.baton.as_ref())?;
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
            recording,
            image: Some(image),
            http,
            look,
        };
        if look.is_none() {
            say_whom(count, parts.config.as_deref());
            see_to_descriptors(count);
        }
        let mut core = Core::new(parts);
        core.hold(self.state_lock, door, lock);
        if let Some(look) = look {
            core.begin_look(look, self.memory, now);
        }
        core.alerts.recall(&memory.alerts, now);
        core.forget_alerts(now);
        take_up(&mut core, self.baton.as_ref(), &self.runtime, now);
        Ok(Made {
            core,
            signals: listen(look)?,
        })
    }
}

/// While we take but one turn, TERM and INT end us as they end any program.
fn listen(look: Option<Look>) -> io::Result<Signals> {
    match look {
        None => signals::listen(true),
        Some(_) => signals::listen_to_children(),
    }
}

/// The control socket, where people are asked in, or just the lock on its directory.
fn way_in(
    (asks_in, executor, inbox): (bool, Rc<LocalExecutor<'static>>, Sender<Input>),
    dir: &Path,
    lock: LockGuard,
    listener: Option<UnixListener>,
) -> io::Result<(Option<Door>, Option<LockGuard>)> {
    if !asks_in {
        return Ok((None, Some(lock)));
    }
    let door = Door::open(executor, inbox, dir.to_owned(), lock, listener)?;
    Ok((Some(door), None))
}

/// The web's way in: that of the sup before us, where there is one.
fn http(address: Option<SocketAddr>, baton: Option<&Baton>) -> io::Result<Http> {
    Ok(match baton.and_then(|baton| baton.http) {
        Some(fd) => Http::inherit(address, upgrade::inherit(fd)?),
        None => Http::open(address),
    })
}

/// What is kept, and what is remembered; what cannot be read is told.
fn open(state: &Path) -> io::Result<(Store, Option<Memory>)> {
    let (store, loaded) = Store::open(state)?;
    for remark in &loaded.remarks {
        say::warning(format_args!("memory: {remark}"));
    }
    Ok((store, loaded.memory))
}

/// Whoever can write to it can change what sup remembers.
fn warn_if_open(state: &Path) {
    let is_open = |facts: std::fs::Metadata| facts.mode() & 0o002 != 0;
    if std::fs::metadata(state).is_ok_and(is_open) {
        let state = state.display();
        say::warning(format_args!(
            "everybody can write to {state}, and so change what sup remembers; chmod 700 helps"
        ));
    }
}

/// Whom this sup looks after, by which configuration.
fn say_whom(count: usize, config: Option<&Path>) {
    let (version, config) = (env!("CARGO_PKG_VERSION"), config.unwrap_or(Path::new("")));
    say::news(format_args!(
        "sup {version} looks after {count} of {}",
        config.display()
    ));
}

/// Has room made for the descriptors of so many children, and says where there are not enough:
/// those who start last have none.
fn see_to_descriptors(count: usize) {
    let (most, count) = (boot::descriptors_max(), count as u64);
    let needed = DESCRIPTORS_OWN + DESCRIPTORS_KEPT + count * DESCRIPTORS_OF_CHILD;
    spawn::make_room(usize::try_from(needed).unwrap_or_default());
    if needed > most {
        let room =
            most.saturating_sub(needed - count * DESCRIPTORS_OF_CHILD) / DESCRIPTORS_OF_CHILD;
        say::warning(format_args!(
            "sup may open no more than {most} files, which is enough for some {room} children of {count}; ulimit -Hn {needed}, before sup is started, helps"
        ));
    }
}

/// Waits for the paths without which nothing of sup begins. Whoever detached us need not
/// wait too: it can take half an hour.
fn wait(
    paths: &[Box<str>],
    runtime: &Path,
    ready: &mut Option<Box<dyn FnOnce() + '_>>,
) -> io::Result<()> {
    if paths::are_there(paths) {
        return Ok(());
    }
    let words = paths.join(", ");
    let told = runtime.join(paths::WAITING);
    std::fs::write(&told, &words)?;
    say::news(format_args!("waits for {words} (wait-path)"));
    if let Some(ready) = ready.take() {
        ready();
    }
    signals::hold_all_but_end();
    while !paths::next_there(&[paths.into()]).contains(&true) {}
    let _gone = std::fs::remove_file(&told);
    Ok(())
}

fn lock(dir: &Path) -> Result<LockGuard, RunFault> {
    lock_dir_soon(dir).map_err(|error| {
        if error.kind() == io::ErrorKind::WouldBlock {
            RunFault::Running(dir.to_owned())
        } else {
            RunFault::System(error)
        }
    })
}
