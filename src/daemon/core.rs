//! What the loop works on: policy's decisions, and everything that carries them out.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;

use nix::libc;
use smol::channel::Sender;
use smol::{LocalExecutor, Task};

use super::changed::Changed;
use super::history::History;
use super::outputs::Outputs;
use super::saving::Saving;
use super::{Input, ready};
use crate::alerts::Alerts;
use crate::config::env_file;
use crate::model::spec::{AlertSpec, LogSpec, Settings};
use crate::model::words::{self, ErrorNumber, Level};
use crate::model::{
    BootId, ChildId, ChildSpec, Exit, Notice, Order, RunId, Signal, Stage, StartFault, Uptime,
};
use crate::os::adopt::{self, Record};
use crate::os::file::LockGuard;
use crate::os::procfs::{Census, Mark};
use crate::os::{clock, hint, reap, signals, spawn};
use crate::policy::{Action, Answer, Event, Phase, Reach, Supervisor};
use crate::store;
use crate::wire::control::SOCKET;

/// Everything, shared by the tasks of the one thread. Only the loop changes it; the
/// others look.
pub(super) type Shared = Rc<RefCell<Core>>;

/// See the module.
pub(super) struct Core {
    pub(super) executor: Rc<LocalExecutor<'static>>,
    pub(super) inbox: Sender<Input>,
    pub(super) supervisor: Supervisor,
    pub(super) outputs: Outputs,
    pub(super) saving: Saving,
    pub(super) history: History,
    pub(super) settings: Settings,
    /// The file that it came from; `None` for a single command.
    pub(super) config: Option<PathBuf>,
    pub(super) started: Uptime,
    pub(super) changed: Rc<Changed>,
    alerts: Option<Alerts>,
    /// Tells people; ends when `alerts` is dropped and all has been told.
    telling: Option<Task<()>>,
    pub(super) boot: BootId,
    /// What tells our processes from those of another sup.
    home: String,
    locks: Vec<LockGuard>,
    /// Where sockets are made.
    runtime: Option<PathBuf>,
    /// Whether orphans come to us.
    pub(super) adopts: bool,
    /// Set when everything is down: whether with success.
    pub(super) end: Option<bool>,
    live: Vec<Option<Live>>,
    events: VecDeque<Event>,
    actions: VecDeque<Action>,
    answer: Option<Answer>,
    /// Who was alive when last we looked.
    census: RefCell<Option<Rc<Census>>>,
}

/// A run that has a process, and the tasks that listen to it.
struct Live {
    run: RunId,
    /// Of a run that another sup has started.
    adopted: Option<Record>,
    _watch: Task<()>,
    _ready: Option<Task<()>>,
}

/// What [`Core`] is made of.
pub(super) struct Parts {
    pub(super) executor: Rc<LocalExecutor<'static>>,
    pub(super) inbox: Sender<Input>,
    pub(super) supervisor: Supervisor,
    pub(super) outputs: Outputs,
    pub(super) saving: Saving,
    pub(super) settings: Settings,
    pub(super) config: Option<PathBuf>,
    pub(super) boot: BootId,
    pub(super) runtime: Option<PathBuf>,
    pub(super) adopts: bool,
}

impl Core {
    pub(super) fn new(parts: Parts) -> Self {
        let channels = parts.settings.alerts.clone();
        let mut core = Self {
            executor: parts.executor,
            inbox: parts.inbox,
            supervisor: parts.supervisor,
            outputs: parts.outputs,
            saving: parts.saving,
            history: History::default(),
            settings: parts.settings,
            config: parts.config,
            started: clock::now(),
            changed: Rc::default(),
            home: parts.runtime.as_ref().map_or_else(
                || format!("pid:{}", std::process::id()),
                |dir| dir.display().to_string(),
            ),
            alerts: None,
            telling: None,
            runtime: parts.runtime,
            locks: Vec::new(),
            boot: parts.boot,
            adopts: parts.adopts,
            end: None,
            live: Vec::new(),
            events: VecDeque::new(),
            actions: VecDeque::new(),
            answer: None,
            census: RefCell::default(),
        };
        core.use_alerts(channels);
        core
    }

    /// Keeps these locks for as long as we live.
    pub(super) fn hold(&mut self, locks: impl IntoIterator<Item = LockGuard>) {
        self.locks.extend(locks);
    }

    /// Everything is down: our files in the runtime directory go.
    pub(super) fn clean_up(&self) {
        let Some(dir) = &self.runtime else { return };
        let own = |name: &str| {
            name == SOCKET
                || name.ends_with(".out")
                || name.ends_with(".notify")
                || name.ends_with(adopt::ENDING)
        };
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_str().is_some_and(own)) {
            let _gone = fs::remove_file(entry.path());
        }
    }

    /// From now on people are told through these channels.
    pub(super) fn use_alerts(&mut self, channels: Box<[AlertSpec]>) {
        let (alerts, work) = Alerts::new(channels);
        self.alerts = Some(alerts);
        if let Some(former) = self.telling.replace(super::spawn(&self.executor, work)) {
            former.detach(); // It ends when it has told what is left.
        }
    }

    /// No more is told; the work that is left.
    pub(super) fn close_alerts(&mut self) -> impl Future<Output = ()> + use<> {
        self.alerts = None;
        let telling = self.telling.take();
        async move {
            if let Some(telling) = telling {
                telling.await;
            }
        }
    }

    /// Whether with success, once everything is down and on disk.
    pub(super) fn is_over(&self) -> Option<bool> {
        self.end
            .filter(|_| self.saving.is_done(self.saving.asked()))
    }

    /// One event, and all that follows from it at once.
    pub(super) fn turn(&mut self, event: Event, now: Uptime) {
        if !matches!(event, Event::Exited { .. }) {
            self.census.take(); // For that of an end, see `is_left`.
        }
        self.events.push_back(event);
        while let Some(event) = self.events.pop_front() {
            log::debug!(target: "sup", "{}.{:03} {event:?}", now.as_millis() / 1000, now.as_millis() % 1000);
            self.actions.extend(self.supervisor.handle(event, now));
            while let Some(action) = self.actions.pop_front() {
                self.perform(action, now);
            }
        }
        self.changed.ring();
    }

    /// A person's order, and what policy answers.
    pub(super) fn order(&mut self, child: ChildId, order: Order, now: Uptime) -> Answer {
        self.answer = None;
        self.turn(Event::Order { child, order }, now);
        self.answer.take().unwrap_or(Answer::Ending)
    }

    /// A main process has ended. What it left in its own group is one system call to
    /// find; all of its family is looked for where nobody waits for the successor.
    pub(super) fn ended(&mut self, run: RunId, exit: Exit, now: Uptime) {
        let left = self.is_left(run, exit);
        if !left {
            self.forget(run);
        }
        self.turn(Event::Exited { run, exit, left }, now);
        if self.adopts {
            reap::orphans();
        }
    }

    /// Whether a run that has ended left anything behind. Of an adopted one, the pid may
    /// be somebody else's by now, so its family is looked for by more than that.
    fn is_left(&self, run: RunId, exit: Exit) -> bool {
        let phase = self.supervisor.child(run.child).phase();
        let Some(process) = phase.process().filter(|process| process.run == run) else {
            return false;
        };
        // Many end together: the last census will do where it was taken after this end.
        let last = self.census.take();
        let is_after = |census: &Rc<Census>| census.is_after(process.pid, process.at);
        self.census.replace(last.filter(is_after));
        let adopted = self.adopted(run.child).is_some();
        let unhurried = matches!(phase, Phase::Stopping { .. }) || exit == Exit::Code(0);
        (!adopted && signals::group_lives(process.pid))
            || ((adopted || unhurried) && self.has_family(run, process.pid))
    }

    /// Nothing of a run is left to be known again. Until then we keep what tells whether
    /// its pid has become somebody else's.
    fn forget(&mut self, run: RunId) {
        if let Some(place) = self.live.get_mut(run.child.index())
            && place.as_ref().is_some_and(|live| live.run == run)
        {
            *place = None;
        }
        if let Some(dir) = &self.runtime {
            adopt::erase(dir, &self.supervisor.spec(run.child).name);
        }
    }

    fn perform(&mut self, action: Action, now: Uptime) {
        match action {
            Action::Spawn(run) => {
                let event = match self.start(run, now) {
                    Ok(pid) => Event::Started { run, pid },
                    Err(fault) => {
                        self.explain(run, fault);
                        Event::StartFailed { run, fault }
                    }
                };
                self.events.push_back(event);
            }
            Action::Signal { run, signal, to } => self.signal(run, signal, to),
            Action::Look(run) => {
                let process = self.supervisor.child(run.child).phase().process();
                if process.is_none_or(|process| !self.has_family(run, process.pid)) {
                    self.forget(run);
                    self.events.push_back(Event::Cleared { run });
                }
            }
            Action::Tell(notice) => self.tell(&notice),
            Action::Save if self.saving.keeps() => {
                let memory = self.supervisor.remember(self.boot, now);
                self.saving.write(store::encode(&memory));
            }
            Action::Save => {}
            Action::Answer(answer) => self.answer = Some(answer),
            Action::End { success } => self.end = Some(success),
            Action::Alarm(alarm) => {
                log::error!(target: "sup", "[ERROR] this should be impossible, please report it: {alarm:?}");
            }
        }
    }

    fn signal(&self, run: RunId, signal: Signal, to: Reach) {
        let process = self.supervisor.child(run.child).phase().process();
        let Some(process) = process.filter(|process| process.run == run) else {
            return;
        };
        match to {
            Reach::Main if reap::is_ours(process.pid) || self.is_adopted_alive(run) => {
                signals::send(process.pid, signal);
            }
            Reach::Main => {}
            Reach::All => {
                let leader = self.leader(run, process.pid);
                signals::send_family(leader, Some(&self.mark(run)), signal, &self.census());
            }
        }
    }

    /// Whether anything alive belongs to a run, as far as this turn's census says.
    fn has_family(&self, run: RunId, pid: u32) -> bool {
        let (leader, mark) = (self.leader(run, pid), self.mark(run));
        !self.census().family(leader, Some(&mark)).is_empty()
    }

    /// Who is alive, looked up once a turn.
    fn census(&self) -> Rc<Census> {
        let mut census = self.census.borrow_mut();
        Rc::clone(census.get_or_insert_with(|| Rc::new(Census::take())))
    }

    /// The pid of a session's leader; 0 where it has been given to somebody else since.
    fn leader(&self, run: RunId, pid: u32) -> u32 {
        let recycled = self
            .adopted(run.child)
            .is_some_and(|record| record.is_recycled());
        if recycled { 0 } else { pid }
    }

    fn is_adopted_alive(&self, run: RunId) -> bool {
        self.adopted(run.child)
            .is_some_and(|record| record.nth == run.nth && record.is_alive())
    }

    /// The record of a child's run that another sup has started.
    pub(super) fn adopted(&self, child: ChildId) -> Option<Record> {
        self.live.get(child.index())?.as_ref()?.adopted
    }

    fn mark(&self, run: RunId) -> Mark {
        let child = format!("SUP_CHILD={}", self.supervisor.spec(run.child).name);
        Mark {
            child,
            home: format!("SUP_HOME={}", self.home),
        }
    }

    // ---- starting -----------------------------------------------------------

    /// Makes a process for a run, and the tasks that listen to it.
    fn start(&mut self, run: RunId, now: Uptime) -> Result<u32, StartFault> {
        let spec = self.supervisor.spec(run.child);
        let (ear, mouth) = ready::connect(spec, self.runtime.as_deref())?;
        let mut own_env = vec![
            ("SUP_CHILD", spec.name.to_string()),
            ("SUP_RUN", run.nth.to_string()),
            ("SUP_HOME", self.home.clone()),
        ];
        own_env.extend(mouth.socket.map(|path| ("NOTIFY_SOCKET", path)));
        let extras = spawn::Extras {
            env: read_env_files(spec)?,
            own_env,
            output: Some(self.outputs.open(run.child, spec)?),
            stdin: spec.log == LogSpec::Inherit && self.runtime.is_none(),
            ready: mouth.pipe,
        };
        let child = spawn::spawn(&spec.launch, extras)?;
        let pid = child.id();
        self.write_down(run, pid, now);
        let inbox = self.inbox.clone();
        let watch = super::spawn(&self.executor, async move {
            let exit = reap::ended(child).await;
            let _loop = inbox.send(Input::Ended(run, exit)).await;
        });
        let ready = ear.map(|ear| {
            let inbox = self.inbox.clone();
            super::spawn(&self.executor, async move {
                ear.ready().await;
                let _loop = inbox.send(Input::Event(Event::Ready { run })).await;
            })
        });
        self.keep(Live {
            run,
            adopted: None,
            _watch: watch,
            _ready: ready,
        });
        Ok(pid)
    }

    /// For the sup that comes after us, should we be killed.
    fn write_down(&self, run: RunId, pid: u32, now: Uptime) {
        let Some(dir) = &self.runtime else { return };
        let name = &self.supervisor.spec(run.child).name;
        let written =
            Record::of(pid, run.nth, now, self.boot).map(|record| record.write(dir, name));
        if let Some(Err(error)) = written {
            log::warn!(target: "sup", "[WARNING] {name}: a sup after this one will not know its process: {error}");
        }
    }

    /// Takes up a run that another sup has started: from now on we hear of its end. What
    /// has ended while nobody listened ends now.
    pub(super) fn adopt(&mut self, child: ChildId, record: Record) {
        let run = RunId {
            child,
            nth: record.nth,
        };
        self.supervisor.adopt(run, record.pid, record.at);
        let name = &self.supervisor.spec(child).name;
        if record.is_alive() {
            let text = format!("{name} adopted (pid {})", record.pid);
            log::info!(target: "sup", "[SUPERVISOR] {text}");
            self.history.push(clock::wall(), &text);
        }
        self.outputs.attach(child, self.supervisor.spec(child));
        let inbox = self.inbox.clone();
        let watch = super::spawn(&self.executor, async move {
            record.ended().await;
            let _loop = inbox.send(Input::Ended(run, Exit::Vanished)).await;
        });
        self.keep(Live {
            run,
            adopted: Some(record),
            _watch: watch,
            _ready: None,
        });
    }

    fn keep(&mut self, live: Live) {
        let index = live.run.child.index();
        if self.live.len() <= index {
            self.live.resize_with(index + 1, || None);
        }
        self.live[index] = Some(live);
    }

    /// Names the thing that the failed step was about.
    fn explain(&self, run: RunId, fault: StartFault) {
        let spec = self.supervisor.spec(run.child);
        let launch = &spec.launch;
        let thing = match fault.stage {
            Stage::Exec => launch.command[0].to_string_lossy().into_owned(),
            Stage::Directory => launch.dir.as_deref().unwrap_or("/").to_owned(),
            Stage::User | Stage::Identity => {
                let (user, group) = (launch.user.as_deref(), launch.group.as_deref());
                format!("{}:{}", user.unwrap_or_default(), group.unwrap_or_default())
            }
            Stage::Fork
            | Stage::EnvFile
            | Stage::Output
            | Stage::Session
            | Stage::Signals
            | Stage::Limits
            | Stage::Nice
            | Stage::Descriptors
            | Stage::Privileges => return,
        };
        let (step, reason) = (fault.stage.words(), ErrorNumber(fault.errno));
        let hint = (fault.stage == Stage::Exec)
            .then(|| hint::hint(&launch.command[0], launch.dir.as_deref(), fault.errno))
            .flatten()
            .map_or_else(String::new, |hint| format!(" ({hint})"));
        log::warn!(target: "sup", "[WARNING] {}: {step} {thing}: {reason}{hint}", spec.name);
    }

    // ---- telling ------------------------------------------------------------

    /// Into the log, into history, and to people where it concerns them.
    fn tell(&mut self, notice: &Notice) {
        let name = |id| &*self.supervisor.spec(id).name;
        let (line, telling) = (words::line(notice, name), words::telling(notice, name));
        if let Some(telling) = &telling {
            log::info!(target: "sup", "[NOTIFICATION] {}", telling.message);
        }
        let level = match line.level {
            Level::Info => log::Level::Info,
            Level::Warning => log::Level::Warn,
            Level::Critical => log::Level::Error,
        };
        log::log!(target: "sup", level, "{} {}", line.prefix, line.text);
        let told = telling
            .as_ref()
            .map_or(&line.text, |telling| &telling.message);
        self.history.push(clock::wall(), told);
        if let (Some(telling), Some(alerts)) = (telling, &self.alerts) {
            alerts.tell(telling);
        }
    }
}

/// The variables of a child's env-files. They are read at each start, so that a new
/// secret needs no reload.
fn read_env_files(spec: &ChildSpec) -> Result<Vec<(String, String)>, StartFault> {
    let mut all = Vec::new();
    for path in &spec.launch.env_files {
        let fault = |errno| StartFault {
            stage: Stage::EnvFile,
            errno,
        };
        let text = fs::read_to_string(&**path).map_err(|error| {
            log::warn!(target: "sup", "[WARNING] {}: {path}: {error}", spec.name);
            fault(error.raw_os_error().unwrap_or(libc::EINVAL))
        })?;
        let variables = env_file::parse(&text).map_err(|(line, problem)| {
            log::warn!(target: "sup", "[WARNING] {}: {path}:{line}: {problem}", spec.name);
            fault(libc::EINVAL)
        })?;
        all.extend(variables);
    }
    Ok(all)
}
