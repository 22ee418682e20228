//! What the loop works on: policy's decisions, and everything that carries them out.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fs;
use std::future::{self, poll_fn};
use std::path::PathBuf;
use std::rc::{Rc, Weak};

use smol::future::FutureExt as _;
use smol::{LocalExecutor, Task};

use super::checking::Checking;
use super::door::Door;
use super::history::History;
use super::http::Http;
use super::outputs::Outputs;
use super::paths::Paths;
use super::ready::Ear;
use super::recording::Recording;
use super::saving::Saving;
use super::secrets::Secrets;
use super::turn::Look;
use super::upgrade::Image;
use super::{Input, baton, ready, telling};
use crate::alerts::Alerts;
use crate::model::spec::{LogSpec, Settings};
use crate::model::words::ErrorNumber;
use crate::model::{
    BootId, ChildId, Exit, Member, Memory, Order, RunId, Signal, Stage, StartFault, Uptime,
};
use crate::os::adopt::{self, Record};
use crate::os::file::LockGuard;
use crate::os::procfs::{self, Census, Mark};
use crate::os::reap;
use crate::os::spawn::Stream;
use crate::os::{Changed, Sender, boot, clock, hint, say, signals, spawn};
use crate::policy::{Action, Alarm, Answer, Event, Phase, Process, Reach, Supervisor};
use crate::wire::control::SOCKET;
use crate::{replay, store};

/// Events and actions for which room is kept from turn to turn.
const ROOM: usize = 32;

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
    pub(super) http: Http,
    /// Off unless asked for.
    pub(super) recording: Option<Recording>,
    pub(super) checking: Checking,
    pub(super) settings: Settings,
    secrets: Secrets,
    /// The file that it came from; `None` for a single command.
    pub(super) config: Option<PathBuf>,
    pub(super) started: Uptime,
    pub(super) changed: Rc<Changed>,
    pub(super) alerts: Alerts,
    /// Tells people; ends when `alerts` is closed and all has been told.
    pub(super) tellers: Vec<Task<()>>,
    pub(super) boot: BootId,
    /// What concerns our program; `None` where no other can take its place.
    pub(super) image: Option<Image>,
    /// For a sup that takes one turn and goes.
    pub(super) look: Option<Look>,
    /// What was remembered when a look began that only tells, and when that was.
    pub(super) found: Option<(Memory, Uptime)>,
    /// The paths that children wait for.
    pub(super) paths: Paths,
    /// What tells our processes from those of another sup.
    home: String,
    /// Of the state directory.
    pub(super) lock: Option<LockGuard>,
    /// Of the runtime directory, where no door holds that.
    _runtime_lock: Option<LockGuard>,
    /// In the runtime directory.
    pub(super) door: Option<Door>,
    /// Where sockets are made.
    pub(super) runtime: Option<PathBuf>,
    /// Whether orphans come to us.
    pub(super) adopts: bool,
    /// Set when everything is down: whether with success.
    pub(super) end: Option<bool>,
    pub(super) live: Vec<Option<Live>>,
    events: VecDeque<Event>,
    actions: VecDeque<Action>,
    answer: Option<Answer>,
    /// Who was alive when last we looked.
    census: RefCell<Option<Rc<Census>>>,
}

/// How we hear what a run says.
#[derive(Default)]
pub(super) struct Hearing {
    /// Until they have heard all.
    pub(super) ears: Vec<Weak<Ear>>,
    /// When it last said that it lives.
    pub(super) heard: Rc<Cell<Option<Uptime>>>,
    _tasks: Vec<Task<()>>,
}

/// A run that has a process, and the tasks that listen to it.
pub(super) struct Live {
    pub(super) run: RunId,
    /// Of a run that another sup has started. Away from the rest, as what follows: most
    /// children have none.
    pub(super) adopted: Option<Box<Record>>,
    /// Of one that may say something.
    pub(super) hearing: Option<Box<Hearing>>,
    pub(super) _watch: Task<()>,
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
    pub(super) recording: Option<Recording>,
    pub(super) image: Option<Image>,
    pub(super) http: Http,
    pub(super) look: Option<Look>,
}

impl Core {
    pub(super) fn new(parts: Parts) -> Self {
        let (alerts, tellers) = telling::start(&parts);
        Self {
            executor: parts.executor,
            inbox: parts.inbox,
            supervisor: parts.supervisor,
            outputs: parts.outputs,
            saving: parts.saving,
            history: History::default(),
            http: parts.http,
            recording: parts.recording,
            checking: Checking::default(),
            settings: parts.settings,
            secrets: Secrets::default(),
            config: parts.config,
            started: clock::now(),
            changed: Rc::default(),
            home: parts.runtime.as_ref().map_or_else(
                || format!("pid:{}", std::process::id()),
                |dir| dir.display().to_string(),
            ),
            alerts,
            tellers,
            runtime: parts.runtime,
            lock: None,
            _runtime_lock: None,
            door: None,
            boot: parts.boot,
            image: parts.image,
            look: parts.look,
            found: None,
            paths: Paths::default(),
            adopts: parts.adopts,
            end: None,
            live: Vec::new(),
            events: VecDeque::new(),
            actions: VecDeque::new(),
            answer: None,
            census: RefCell::default(),
        }
    }

    /// Keeps both directories for as long as we live.
    pub(super) fn hold(
        &mut self,
        state: LockGuard,
        door: Option<Door>,
        runtime: Option<LockGuard>,
    ) {
        (self.lock, self.door, self._runtime_lock) = (Some(state), door, runtime);
    }

    /// Somebody has deleted the runtime directory: all that belongs there is made again.
    pub(super) fn come_back(&mut self) {
        if !self.door.as_mut().is_some_and(Door::reopen) {
            return;
        }
        for Live { run, adopted, .. } in self.live.iter().flatten() {
            let process = self.supervisor.child(run.child).phase().process();
            match (adopted, process.filter(|process| process.run == *run)) {
                (Some(record), _) => self.write(*run, Some(**record)),
                (None, Some(Process { pid, at, .. })) => {
                    self.write(*run, Record::of(pid, None, run.nth, at, self.boot));
                }
                (None, None) => {}
            }
        }
    }

    /// Everything is down: our files in the runtime directory go.
    pub(super) fn clean_up(&self) {
        let Some(dir) = &self.runtime else { return };
        let own = |name: &str| {
            name == SOCKET
                || name.ends_with(".out")
                || name.ends_with(".notify")
                || name == baton::NAME
                || name.ends_with(adopt::ENDING)
        };
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_str().is_some_and(own)) {
            let _gone = fs::remove_file(entry.path());
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
            if let Event::StartFailed { run, fault } = event {
                self.explain(run, fault);
            }
            let over = self.decided_on(event);
            log::debug!(target: "sup", "{}", replay::happening(event, now, &self.supervisor));
            self.record(|supervisor| replay::happening(event, now, supervisor));
            self.actions.extend(self.supervisor.handle(event, now));
            if let Some(recording) = self.recording.as_mut().filter(|it| it.is_open()) {
                let following = replay::following(&self.actions, &self.supervisor);
                recording.write(&format!(" {following}\n"));
            }
            self.start_first(now);
            // Before memory may know of that end: a record would have it end once more.
            over.into_iter().for_each(|child| self.write_verdict(child));
            while let Some(action) = self.actions.pop_front() {
                self.perform(action, now);
            }
        }
        // At the start there is one of each for every child, and never again.
        self.actions.shrink_to(ROOM);
        self.events.shrink_to(ROOM);
        self.tell_news();
        self.changed.ring();
    }

    /// A successor does not wait for what is said of the one before it, unless it speaks
    /// where we do, and would be heard first.
    fn start_first(&mut self, now: Uptime) {
        for _ in 0..self.actions.len() {
            match self.actions.pop_front() {
                Some(Action::Spawn(run)) if !self.speaks_with_us(run.child) => {
                    self.outputs.catch_up(run.child); // What that one has said is its own.
                    self.perform(Action::Spawn(run), now);
                }
                other => self.actions.extend(other),
            }
        }
    }

    fn speaks_with_us(&self, child: ChildId) -> bool {
        self.runtime.is_none() || self.supervisor.spec(child).log == LogSpec::Inherit
    }

    /// The run of that child that has a process.
    pub(super) fn live(&self, child: ChildId) -> Option<&Live> {
        self.live.get(child.index())?.as_ref()
    }

    /// Nothing has happened for a while: lets go of what only events need.
    pub(super) fn rest(&mut self) {
        self.outputs.rest();
        self.supervisor.rest();
    }

    /// Writes into the journal, where there is one.
    pub(super) fn record(&mut self, line: impl FnOnce(&Supervisor) -> String) {
        if let Some(recording) = self.recording.as_mut().filter(|it| it.is_open()) {
            recording.write(&line(&self.supervisor));
        }
    }

    /// A person's order, and what policy answers.
    pub(super) fn order(&mut self, of: Member, order: Order, now: Uptime) -> Answer {
        self.answer = None;
        self.turn(Event::Order { of, order }, now);
        self.tell_order(of, order, now);
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
    /// its pid has become somebody else's. Its record goes once it is decided what follows:
    /// a successor's, or a verdict, takes its place.
    fn forget(&mut self, run: RunId) {
        if let Some(place) = self.live.get_mut(run.child.index())
            && place.as_ref().is_some_and(|live| live.run == run)
        {
            *place = None;
        }
    }

    pub(super) fn perform(&mut self, action: Action, now: Uptime) {
        match action {
            Action::Spawn(_) | Action::Signal { .. } | Action::Save if !self.acts() => {}
            Action::Spawn(run) => {
                let event = match self.start(run, now) {
                    Ok(pid) => Event::Started { run, pid },
                    Err(fault) => Event::StartFailed { run, fault },
                };
                let failed = matches!(event, Event::StartFailed { .. });
                if failed && self.has_paths(run.child) {
                    let news = future::ready(Input::Event(event));
                    self.tell_after_look(run.child, news.boxed_local()).detach();
                } else {
                    self.events.push_back(event);
                }
            }
            Action::Signal { run, signal, to } => self.signal(run, signal, to),
            Action::Look(run) => {
                let process = self.supervisor.child(run.child).phase().process();
                if process.is_none_or(|process| !self.has_family(run, process.pid)) {
                    self.forget(run);
                    self.events.push_back(Event::Cleared { run });
                }
            }
            Action::Probe { check, nth } => self.probe(check, nth, now),
            Action::Pulse(run) => {
                let known = self.pulse(run, now);
                self.events.extend(known);
            }
            Action::Tell(notice) => self.tell(&notice, now),
            Action::Save if self.saving.keeps() => {
                self.saving.write(store::encode(&self.remember(now)));
            }
            Action::Save => {}
            Action::Answer(answer) => self.answer = Some(answer),
            Action::End { success } => self.end = Some(success),
            Action::Alarm(Alarm::UnexpectedStart(run)) => {
                let (child, nth) = (&self.supervisor.spec(run.child).name, run.nth);
                say::error(format_args!(
                    "this should be impossible, please report it: {child} was started as run {nth}, which was not asked for"
                ));
            }
        }
    }

    /// Everything that is to survive.
    pub(super) fn remember(&self, now: Uptime) -> Memory {
        Memory {
            alerts: self.alerts.remember(),
            ..self.supervisor.remember(self.boot, now)
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
        let census = self.census();
        // Where we could not look, we look again.
        !census.is_whole() || !census.family(leader, Some(&mark)).is_empty()
    }

    /// Who is alive, looked up once a turn.
    fn census(&self) -> Rc<Census> {
        let mut census = self.census.borrow_mut();
        Rc::clone(census.get_or_insert_with(|| Rc::new(Census::take())))
    }

    /// The pid of a session's leader; 0 where it has been given to somebody else since.
    fn leader(&self, run: RunId, pid: u32) -> u32 {
        let recycled = match self.adopted(run.child) {
            Some(record) => record.is_recycled(),
            // Its news has been taken, and the number is there again.
            None => !reap::is_ours(pid) && procfs::stat(pid.cast_signed()).is_some(),
        };
        if recycled { 0 } else { pid }
    }

    fn is_adopted_alive(&self, run: RunId) -> bool {
        self.adopted(run.child)
            .is_some_and(|record| record.nth == run.nth && record.is_alive())
    }

    /// The record of a child's run that another sup has started.
    pub(super) fn adopted(&self, child: ChildId) -> Option<Record> {
        self.live(child)?.adopted.as_deref().copied()
    }

    pub(super) fn mark(&self, run: RunId) -> Mark {
        let child = format!("SUP_CHILD={}", self.supervisor.spec(run.child).name);
        Mark {
            child,
            home: format!("SUP_HOME={}", self.home),
        }
    }

    // ---- starting -----------------------------------------------------------

    /// Makes a process for a run, and the tasks that listen to it.
    fn start(&mut self, run: RunId, now: Uptime) -> Result<u32, StartFault> {
        if self.door.is_some() && boot::is_short_of_descriptors() {
            return Err(StartFault {
                stage: Stage::Output,
                errno: nix::libc::EMFILE,
            });
        }
        self.door.iter().for_each(Door::restore_dir);
        let spec = self.supervisor.spec(run.child);
        let (ears, mouth) = ready::connect(spec, self.runtime.as_deref())?;
        let mut own_env = vec![
            ("SUP_CHILD", spec.name.to_string()),
            ("SUP_RUN", run.nth.to_string()),
            ("SUP_HOME", self.home.clone()),
        ];
        own_env.extend(mouth.socket.map(|path| ("NOTIFY_SOCKET", path)));
        own_env.extend(ready::watchdog_usec(spec).map(|usec| ("WATCHDOG_USEC", usec)));
        let is_ours = spec.log == LogSpec::Inherit && self.runtime.is_none();
        let input = if is_ours { Stream::Ours } else { Stream::Null };
        let extras = spawn::Extras {
            env: self.secrets.read(spec)?,
            own_env,
            output: self.outputs.open(run.child, spec)?,
            input,
            ready: mouth.pipe,
            ..spawn::Extras::default()
        };
        let (child, start) = spawn::spawn_known(&spec.launch, extras)?;
        let pid = child.id();
        let record = Record::of(pid, start, run.nth, now, self.boot);
        self.write(run, record);
        let watch = self.watch(run, child.ended());
        let hearing = self.hear(run, ears, None);
        self.keep(Live {
            run,
            adopted: None,
            hearing,
            _watch: watch,
        });
        Ok(pid)
    }

    /// Tells the loop how a run ends.
    pub(super) fn watch(
        &self,
        run: RunId,
        mut end: impl Future<Output = Exit> + Unpin + 'static,
    ) -> Task<()> {
        if self.has_paths(run.child) {
            let end = async move { Input::Ended(run, end.await) };
            return self.tell_after_look(run.child, end.boxed_local());
        }
        let inbox = self.inbox.clone();
        let tell = move |exit| {
            let _loop = inbox.put(Input::Ended(run, exit)); // It has room for everything.
        };
        // There is one for each child, and a block would keep what it waits for three times.
        let watch = poll_fn(move |context| end.poll(context).map(&tell));
        super::spawn(&self.executor, watch)
    }

    /// Hears what a run says, and has last said that it lives at `heard`.
    pub(super) fn hear(
        &self,
        run: RunId,
        ears: Vec<Ear>,
        heard: Option<Uptime>,
    ) -> Option<Box<Hearing>> {
        if ears.is_empty() && self.supervisor.spec(run.child).life.watchdog.is_none() {
            return None;
        }
        let heard = Rc::new(Cell::new(heard));
        let mut hearing = Hearing {
            ears: Vec::new(),
            heard: Rc::clone(&heard),
            _tasks: Vec::new(),
        };
        for ear in ears.into_iter().map(Rc::new) {
            hearing.ears.push(Rc::downgrade(&ear));
            let (inbox, heard) = (self.inbox.clone(), Rc::clone(&heard));
            let ready = move || drop(inbox.put(Input::Event(Event::Ready { run })));
            let work = async move { ear.listen(ready, &heard).await };
            hearing._tasks.push(super::spawn(&self.executor, work));
        }
        Some(Box::new(hearing))
    }

    /// When a run last said that it lives.
    pub(super) fn last_message(&self, run: RunId) -> Option<Uptime> {
        let live = self.live(run.child).filter(|live| live.run == run)?;
        live.hearing.as_ref()?.heard.get()
    }

    /// What tells our processes from those of another sup.
    pub(super) fn home(&self) -> &str {
        &self.home
    }

    /// For the sup that comes after us, should we be killed.
    fn write(&self, run: RunId, record: Option<Record>) {
        let Some(dir) = &self.runtime else { return };
        let name = &self.supervisor.spec(run.child).name;
        if let Some(Err(error)) = record.map(|record| record.write(dir, name)) {
            say::warning(format_args!(
                "{name}: a sup after this one will not know its process: {error}"
            ));
        }
    }

    pub(super) fn keep(&mut self, live: Live) {
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
        say::warning(format_args!(
            "{}: {step} {thing}: {reason}{hint}",
            spec.name
        ));
    }
}
