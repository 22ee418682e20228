//! Another program in our place: the same process, so that children stay ours, and nothing
//! is restarted.
//!
//! ```text
//!   asked --> prepare: is the configuration as we know it? can the other one take over?
//!                      memory on disk, everybody told        (a task; supervision goes on)
//!         --> change:  signals held, inbox empty, baton written, exec       (in the loop)
//!         --> the other program: setup, with the baton
//! ```
//!
//! Whatever fails on the way is told, and nothing has changed.

use std::cell::Cell;
use std::convert::Infallible;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use smol::future;
use smol::io::AsyncReadExt;

use super::baton::{self, Baton};
use super::core::{Core, Shared};
use super::{Input, clients};
use crate::config;
use crate::control::Outbox;
use crate::model::Gather as _;
use crate::model::spec::{EnvBase, Launch};
use crate::model::words::Names;
use crate::model::{Exit, Member, Signal, Uptime};
use crate::os::procfs::Census;
use crate::os::spawn::Extras;
use crate::os::{self, Async, Receiver, Timer, clock, hint, image, say, signals, spawn};
use crate::policy::{self, Change, Handover, NotNow, Supervisor};
use crate::store;
use crate::wire::upgrade::{Ask, Told};

/// Behind this word a binary is asked whether it could take over; the path of the baton
/// follows.
pub const CHECK: &str = "upgrade-check";

/// The answer of one that could, before its version.
const ANSWER: &str = "can take over: sup ";

/// Where the baton is, in the environment of the program that takes over.
pub const VARIABLE: &str = "SUP_BATON";

/// A binary on a disk that sleeps takes its time.
const PATIENCE_TO_CHECK: Duration = Duration::from_secs(15);

/// For memory to be on disk, and for the last notice to be told; then we go without.
const PATIENCE_TO_SETTLE: Duration = Duration::from_secs(15);

/// Most bytes that a binary's answer may have.
const ANSWER_MAX: u64 = 4096;

/// How often the loop tries to find a quiet moment, and how long it waits between.
const TRIES: u32 = 200;
const BETWEEN: Duration = Duration::from_millis(20);

/// What the tasks have taken from the kernel reaches the loop within so many turns of the
/// executor.
const TURNS: usize = 16;

/// What concerns the program that we are.
pub(super) struct Image {
    /// Where its file was when it was started.
    pub(super) exe: PathBuf,
    /// What it was started with, paths made absolute.
    pub(super) words: Vec<CString>,
    pub(super) state: PathBuf,
    /// Programs that this process was before.
    pub(super) upgrades: u32,
    /// Another one is on its way.
    pub(super) changing: bool,
}

/// Who asked, and wants to know. Nobody where it was a signal: then the log is told.
pub(super) struct Teller(pub(super) Option<Outbox<Told>>);

impl Teller {
    fn tell(&self, told: &Told) {
        if let Some(client) = &self.0 {
            let _left = client.try_send(told);
        }
    }

    fn refuse(&self, words: &str) {
        say::error(format_args!(
            "upgrade: {words}; sup {} goes on",
            env!("CARGO_PKG_VERSION")
        ));
        self.tell(&Told::Refused(words.to_owned()));
    }
}

/// A binary that can take over.
pub(super) struct Ready {
    binary: PathBuf,
    version: String,
    teller: Teller,
    tries: u32,
}

/// Answers a client.
pub(super) fn answer(core: &Shared, ask: Ask, told: Outbox<Told>) {
    match ask {
        Ask::Who => {
            let core = core.borrow();
            let children = core.supervisor.children();
            let alive = children.filter(|(_, _, child)| child.phase().is_alive());
            let here = Told::Here {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                pid: std::process::id(),
                upgrades: core.image.as_ref().map_or(0, |image| image.upgrades),
                alive: u32::try_from(alive.count()).unwrap_or(u32::MAX),
            };
            let _left = told.try_send(&here);
        }
        Ask::Upgrade { binary } => {
            let binary = binary.map(|bytes| PathBuf::from(OsStr::from_bytes(&bytes)));
            begin(core, binary, Teller(Some(told)));
        }
    }
}

/// Begins an upgrade to that binary, or to the one that is now where ours was.
pub(super) fn begin(core: &Shared, binary: Option<PathBuf>, teller: Teller) {
    let (binary, inbox) = {
        let mut core = core.borrow_mut();
        let inbox = core.inbox.clone();
        let Some(image) = &mut core.image else { return };
        if std::mem::replace(&mut image.changing, true) {
            return teller.refuse("another upgrade is under way");
        }
        (binary.unwrap_or_else(|| image.exe.clone()), inbox)
    };
    let shared = Rc::clone(core);
    clients::detach(core, async move {
        match prepare(&shared, &binary, &teller).await {
            Ok(version) => {
                let ready = Box::new(Ready {
                    binary,
                    version,
                    teller,
                    tries: TRIES,
                });
                let _loop = inbox.put(Input::Upgrade(ready));
            }
            Err(words) => stay(&shared, &teller, &words),
        }
    });
}

fn stay(core: &Shared, teller: &Teller, words: &str) {
    let mut core = core.borrow_mut();
    if let Some(dir) = &core.runtime {
        let _gone = std::fs::remove_file(dir.join(baton::NAME));
    }
    if let Some(image) = &mut core.image {
        image.changing = false;
    }
    teller.refuse(words);
}

// ---- before ---------------------------------------------------------------------

/// All that can be done while supervision goes on: the version of the other program.
async fn prepare(core: &Shared, binary: &Path, teller: &Teller) -> Result<String, String> {
    same_configuration(core).await?;
    let path = first_baton(core).await?;
    let version = check(binary, &path).await?;
    let settled = future::or(
        async {
            settle(core).await;
            true
        },
        async {
            Timer::after(PATIENCE_TO_SETTLE).await;
            false
        },
    );
    if !settled.await {
        let words = "a notice was still being told, or memory being written".to_owned();
        teller.tell(&Told::Warning(words));
    }
    let fault = core.borrow().saving.fault.clone();
    if let Some(fault) = fault {
        teller.tell(&Told::Warning(format!("memory cannot be written: {fault}")));
    }
    Ok(version)
}

/// One for the other program to read, as soon as there is a moment for it.
async fn first_baton(core: &Shared) -> Result<PathBuf, String> {
    for left in (0..TRIES).rev() {
        let written = write_baton(&core.borrow(), clock::now());
        match written {
            Ok((path, _)) => return Ok(path),
            Err(Stay::Now(_)) if left > 0 => {}
            Err(Stay::Now(words) | Stay::For(words)) => return Err(words),
        }
        Timer::after(BETWEEN).await;
    }
    Err("there was no moment for it".to_owned())
}

/// The other program reads the file anew. Were it another one than ours, children would
/// change, and nobody had asked for that.
async fn same_configuration(core: &Shared) -> Result<(), String> {
    let path = core.borrow().config.clone().unwrap_or_default();
    let loaded = os::aside(move || config::load(&path)).await;
    let loaded = loaded.map_err(|mistakes| mistakes.to_string())?;
    let core = core.borrow();
    let plan = policy::plan(&core.supervisor, &loaded.spec.tree);
    let changes = plan.iter().filter(|(_, change)| *change != Change::Kept);
    let changes = changes.map(|(name, _)| name.as_str());
    let settings = core.settings.changed(&loaded.spec.settings);
    changes.chain(settings).next().map_or(Ok(()), |what| {
        Err(format!(
            "the configuration has changed since it was read ({what}): first sup reload"
        ))
    })
}

/// Asks a binary whether it could take over: its version.
async fn check(binary: &Path, baton: &Path) -> Result<String, String> {
    let name = binary.display();
    let words = [binary.as_os_str(), CHECK.as_ref(), baton.as_os_str()];
    let command: Result<_, _> = words
        .iter()
        .map(|word| CString::new(word.as_bytes()))
        .gather();
    let launch = Launch {
        command: command.map_err(|_| format!("{name}: a path cannot hold a NUL"))?,
        env_base: EnvBase::Inherit,
        ..Launch::default()
    };
    let pipe = || os::pipe().map_err(|error| format!("no pipe to hear {name}: {error}"));
    let ((out, their_out), (err, their_err)) = (pipe()?, pipe()?);
    let extras = Extras {
        output: their_out.into(),
        error: Some(their_err.into()),
        ..Extras::default()
    };
    let child = spawn::spawn(&launch, extras).map_err(|fault| {
        let hint = hint::hint(&launch.command[0], None, fault.errno);
        let hint = hint.map_or_else(String::new, |hint| format!(" ({hint})"));
        format!("{name}: {fault}{hint}")
    })?;
    let pid = child.id();
    let is_late = Cell::new(false);
    let work = async {
        let (out, err) = future::zip(said(out), said(err)).await;
        (out, err, child.ended().await)
    };
    let late = async {
        Timer::after(PATIENCE_TO_CHECK).await;
        is_late.set(true);
        signals::send_family(pid, None, Signal::KILL, &Census::take());
        future::pending().await
    };
    let (out, err, exit) = future::or(work, late).await;
    if is_late.get() {
        return Err(format!(
            "{name} did not answer within {} s, and was ended",
            PATIENCE_TO_CHECK.as_secs()
        ));
    }
    match (out.trim().strip_prefix(ANSWER), exit) {
        (Some(version), Exit::Code(0)) => Ok(version.to_owned()),
        _ if err.trim().is_empty() => Err(format!(
            "{name} does not answer as a sup does that can take over ({exit})"
        )),
        _ => Err(format!(
            "{name} says: {}",
            err.trim().trim_start_matches("sup: ")
        )),
    }
}

async fn said(from: Async<File>) -> String {
    let mut bytes = Vec::new();
    let _end = from.take(ANSWER_MAX).read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Memory is on disk, and everybody has been told.
async fn settle(core: &Shared) {
    let (save, saved) = {
        let mut core = core.borrow_mut();
        let memory = core.remember(clock::now());
        core.saving.write(store::encode(&memory));
        (core.saving.asked(), Rc::clone(&core.saving.changed))
    };
    while !core.borrow().saving.is_done(save) {
        saved.listen().await;
    }
    while !core.borrow().alerts.is_idle() {
        Timer::after(BETWEEN).await; // Only now, and for as long as a program tells somebody.
    }
}

// ---- the change -----------------------------------------------------------------

/// Becomes the other program. Comes back where this is not the moment, or where it fails;
/// that has been told then. `take` is what the loop does with an input.
pub(super) async fn change(
    core: &Shared,
    inbox: &Receiver<Input>,
    mut ready: Box<Ready>,
    mut take: impl FnMut(Input),
) {
    if ready.tries == TRIES {
        let version = ready.version.clone();
        ready.teller.tell(&Told::Going { version });
    }
    signals::hold();
    // What the kernel has told us already is in our hands, and must not be lost.
    for _ in 0..TURNS {
        future::yield_now().await;
        while let Some(input) = inbox.take() {
            take(input);
        }
    }
    let stay_because = match go(&core.borrow(), &ready) {
        Ok(never) => match never {},
        Err(why) => why,
    };
    signals::hear_again();
    ready.tries = ready.tries.saturating_sub(1);
    match stay_because {
        Stay::Now(_) if ready.tries > 0 => {
            let inbox = core.borrow().inbox.clone();
            clients::detach(core, async move {
                Timer::after(BETWEEN).await;
                let _loop = inbox.put(Input::Upgrade(ready));
            });
        }
        Stay::Now(words) | Stay::For(words) => stay(core, &ready.teller, &words),
    }
}

/// Why we stay what we are.
enum Stay {
    /// The next moment may be better.
    Now(String),
    /// It will not work.
    For(String),
}

fn go(core: &Core, ready: &Ready) -> Result<Infallible, Stay> {
    if !core.saving.is_idle() {
        return Err(Stay::Now("memory is still being written".to_owned()));
    }
    if core.paths.hold_news() {
        return Err(Stay::Now("a child has just ended".to_owned()));
    }
    let Some(image) = &core.image else {
        return Err(Stay::For("this sup has no configuration".to_owned()));
    };
    let (path, baton) = write_baton(core, clock::now())?;
    let Ready {
        binary, version, ..
    } = ready;
    let name = binary.display();
    say::news(format_args!("upgrade: {name} (sup {version}) takes over"));
    let error = image::replace(
        binary,
        &image.words,
        (VARIABLE, &path),
        &baton.descriptors(),
    );
    Err(Stay::For(format!("{name}: {error}")))
}

/// Writes down what the other program has to know.
fn write_baton(core: &Core, now: Uptime) -> Result<(PathBuf, Baton), Stay> {
    let name = |child| core.supervisor.member(Member::Child(child));
    let standing = core.supervisor.hand_over(now);
    let standing = standing.map_err(|fault| match fault {
        NotNow::Ending => Stay::For("everything is being stopped".to_owned()),
        NotNow::Starting(child) => Stay::Now(format!("{} is just being started", name(child))),
        NotNow::Leaving(child) => Stay::For(format!(
            "{} is being removed; try again when it has ended",
            name(child)
        )),
    })?;
    let (Some(image), Some(runtime), Some(door), Some(lock)) =
        (&core.image, &core.runtime, &core.door, &core.lock)
    else {
        return Err(Stay::For("this sup has no configuration".to_owned()));
    };
    let config = core.config.clone().unwrap_or_default();
    let (runtime_lock, listener) = door.pass();
    let baton = Baton {
        from: env!("CARGO_PKG_VERSION").to_owned(),
        upgrades: image.upgrades.saturating_add(1),
        config: config.as_os_str().as_bytes().to_vec(),
        runtime: runtime.as_os_str().as_bytes().to_vec(),
        state: image.state.as_os_str().as_bytes().to_vec(),
        boot: core.boot,
        started: core.started,
        memory: store::encode(&core.remember(now)),
        standing,
        runs: core.runs_passed(),
        pipes: core.outputs.pass(),
        history: core.history.pass(),
        runtime_lock,
        state_lock: lock.descriptor(),
        listener,
        http: core.http.pass(),
    };
    let path = runtime.join(baton::NAME);
    let written = baton.write(&path);
    written.map_err(|error| Stay::For(format!("writing {}: {error}", path.display())))?;
    Ok((path, baton))
}

// ---- the other side ---------------------------------------------------------------

/// Whether this program could take over what a baton holds: its answer, or why not.
///
/// # Errors
/// In words.
pub fn can_take_over(path: &Path) -> Result<String, String> {
    let baton = Baton::read(path)?;
    let config = PathBuf::from(OsStr::from_bytes(&baton.config));
    let loaded = config::load(&config).map_err(|mistakes| mistakes.to_string())?;
    let rules = super::setup::rules(&loaded.spec.settings, false);
    let mut supervisor = Supervisor::new(loaded.spec.tree, rules);
    let (boot, now) = (baton.boot, clock::now());
    let memory = store::decode(&baton.memory).map_err(|fault| fault.to_string())?;
    supervisor.recall(&store::rebase(memory, now, boot), boot, now);
    take_over(&mut supervisor, &baton.standing, now)?;
    Ok(format!("{ANSWER}{}\n", env!("CARGO_PKG_VERSION")))
}

/// Puts what children and groups are doing into a new supervisor, after its memory.
pub(super) fn take_over(
    supervisor: &mut Supervisor,
    standing: &Handover,
    now: Uptime,
) -> Result<(), String> {
    supervisor
        .take_over(standing, now)
        .map_err(|stranger| format!("{} runs, and is not configured", stranger.0))
}

/// A descriptor that was passed on, as the thing that it is.
pub(super) fn inherit<T: From<std::os::fd::OwnedFd>>(fd: RawFd) -> io::Result<T> {
    image::inherited(fd).map(T::from)
}
