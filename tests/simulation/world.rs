//! A box: a clock, processes, a memory on disk, and a supervisor that is told of them.
//!
//! A life has two parts. First faults: programs misbehave, news is late or comes twice,
//! the clock jumps, sup is killed, the box reboots, writes are lost, people interfere at
//! bad moments. Then calm: programs do what their nature is, and everything must come to
//! rest as configured. At the end, everything is shut down.

use core::fmt::Write as _;
use core::time::Duration;

use sup::model::limits::EXITS_KEPT;
use sup::model::memory::Credit;
use sup::model::spec::OnLimit;
use sup::model::{
    BootId, ChildId, ChildMemory, ChildSpec, Exit, Memory, Order, RunId, Signal, Stage, StartFault,
    Uptime,
};
use sup::policy::{Action, Event, Reach, Rules, Supervisor};
use sup::store::rebase;

use crate::config::{self, NAMES, letter};
use crate::dice::Dice;
use crate::invariants::{Checker, Invariant, Remembered};
use crate::mutants::{Mutant, Mutation};

/// From the request to end until the last child is killed, in milliseconds.
/// A moment on the virtual clock.
fn uptime(millis: u64) -> Uptime {
    Uptime::from_millis(millis.cast_signed())
}

pub(crate) const SHUTDOWN: u64 = 20_000;

/// Calm, in milliseconds: longer than every configured time that could still run.
const CALM: u64 = 1_800_000;

/// Lived milliseconds at the beginning: more than any clock will fall back.
const LIVED: u64 = 1_000_000_000;

/// Steps of one life. A life that needs more does not come to rest.
const STEPS_MAX: u32 = 20_000;

/// What a program does in calm.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nature {
    Works,
    Ends,
    Fails,
}

/// One virtual session: a main process and what it may leave behind.
struct Process {
    run: RunId,
    letter: usize,
    main: bool,
    /// Other processes of its session exist, or will once the main one is gone.
    leaves: bool,
    left_obeys: bool,
    /// How long after the first signal it ends; `None`: it takes no notice.
    obeys: Option<u64>,
    /// How long after KILL it is gone: it may wait for its disk.
    dies: u64,
    /// Its `Started` has been, or will be delivered then.
    started: u64,
    asked: bool,
    killed: bool,
}

/// What will happen.
#[derive(Clone, Copy)]
enum Item {
    News(Event),
    /// The main process ends.
    Death(RunId, Exit),
    /// What it left behind is gone.
    Gone(RunId),
    Fault,
}

/// What is on disk.
#[derive(Clone, Default)]
struct Saved {
    memory: Option<Memory>,
    known: Remembered,
    reloads: u32,
}

pub(crate) struct World {
    dice: Dice,
    /// Milliseconds since boot.
    now: u64,
    /// What to add for lived milliseconds.
    lived: u64,
    boot: u8,
    specs: Vec<ChildSpec>,
    natures: [Nature; NAMES],
    sup: Supervisor,
    processes: Vec<Process>,
    coming: Vec<(u64, u32, Item)>,
    seq: u32,
    calm: bool,
    ended: bool,
    disk: Saved,
    disk_before: Saved,
    checker: Checker,
    buffer: Vec<Action>,
    mutation: Mutation,
    log: Option<String>,
    steps: u32,
    reloads: u32,
    /// Until when this part of the life lasts.
    end: u64,
    /// Whether the next end is the last.
    closing: bool,
}

/// How a life went.
pub(crate) struct Life {
    pub(crate) broken: Option<Invariant>,
    /// The kinds of notices that came up, one bit each.
    pub(crate) seen: u16,
    /// Empty unless asked for.
    pub(crate) log: String,
}

/// A whole life.
pub(crate) fn live(seed: u64, mutant: Option<Mutant>, logged: bool) -> Life {
    let mut world = World::new(seed, mutant, logged);
    world.live();
    Life {
        broken: world.checker.broken,
        seen: world.checker.seen,
        log: world.log.unwrap_or_default(),
    }
}

impl World {
    fn new(seed: u64, mutant: Option<Mutant>, logged: bool) -> Self {
        let mut dice = Dice::new(seed);
        let specs = config::children(&mut dice);
        let natures = [(); NAMES].map(|()| match dice.below(20) {
            0 => Nature::Fails,
            1 => Nature::Ends,
            _ => Nature::Works,
        });
        let mut world = Self {
            now: dice.below(60_000),
            lived: LIVED,
            boot: 1,
            sup: Supervisor::new(Vec::new(), rules(0)),
            specs,
            natures,
            dice,
            processes: Vec::new(),
            coming: Vec::new(),
            seq: 0,
            calm: false,
            ended: false,
            disk: Saved::default(),
            disk_before: Saved::default(),
            checker: Checker::new(),
            buffer: Vec::new(),
            mutation: Mutation::new(mutant),
            log: logged.then(String::new),
            steps: 0,
            reloads: 0,
            end: 0,
            closing: false,
        };
        world.note(|world, line| write!(line, "{:#?}", world.specs));
        world
    }

    fn live(&mut self) {
        let mut at = self.now;
        for _ in 0..self.dice.below(12) {
            at += self.dice.pick(&[0, 10, 500, 3000, 15_000, 70_000]);
            self.later(at - self.now, Item::Fault);
        }
        self.begin();
        self.until(at + 5000 - self.now);
        self.calm_down();
        self.until(CALM);
        if self.goes_on() {
            let (works, wanted) = self.natures_and_wishes();
            let forgotten = self.checker.rests(works, wanted);
            self.note(|_, line| write!(line, "forgotten: {forgotten:?}"));
            self.closing = true;
            self.give(Event::Shutdown);
            self.until(SHUTDOWN + 5000);
            if self.goes_on() {
                self.checker.claim(false, Invariant::EndComes);
            }
        }
    }

    fn goes_on(&self) -> bool {
        self.checker.broken.is_none() && !self.ended
    }

    // ---- time ---------------------------------------------------------------------

    /// Lives on for that many milliseconds. A sup that ends on the way is started again.
    fn until(&mut self, span: u64) {
        self.end = self.now + span;
        while self.checker.broken.is_none() {
            if self.ended && self.closing {
                return;
            }
            if self.ended {
                if self.calm {
                    self.natures = [Nature::Works; NAMES]; // What ended sup has been mended.
                }
                self.revive(false);
            }
            self.steps += 1;
            self.checker
                .claim(self.steps < STEPS_MAX, Invariant::Bounded);
            if !self.step() {
                return;
            }
        }
    }

    /// To the next event; false: there is none in this part of the life.
    fn step(&mut self) -> bool {
        let next = self.next_item();
        let item_at = next.map_or(u64::MAX, |n| self.coming[n].0);
        let due = self
            .sup
            .next_deadline()
            .map(|(at, _)| at.as_millis().max(0).cast_unsigned());
        let due = self.mutation.deadline(due).unwrap_or(u64::MAX);
        let late = self.dice.pick(&[0, 0, 0, 7]);
        let tick_at = due.max(self.now).saturating_add(late);
        let at = item_at.min(tick_at).max(self.now);
        if at > self.end {
            self.pass(self.end.saturating_sub(self.now));
            return false;
        }
        if self.dice.once_in(8) {
            self.tick_early(at.min(due));
        }
        self.pass(at - self.now);
        match next {
            Some(n) if item_at < tick_at => {
                let (_, _, item) = self.coming.swap_remove(n);
                self.happens(item);
            }
            Some(_) | None => self.give(Event::Tick),
        }
        true
    }

    fn next_item(&self) -> Option<usize> {
        (0..self.coming.len()).min_by_key(|&n| (self.coming[n].0, self.coming[n].1))
    }

    fn pass(&mut self, span: u64) {
        self.now += span;
        self.checker.at(self.now + self.lived);
    }

    /// Somewhere before the next event and the deadline: nothing may come of it.
    fn tick_early(&mut self, before: u64) {
        if before > self.now + 1 && before < u64::MAX {
            let span = self.dice.below(before - self.now);
            self.pass(span);
            self.give(Event::Tick);
            let nothing = self.buffer.is_empty();
            self.checker.claim(nothing, Invariant::DeadlineHonest);
        }
    }

    fn later(&mut self, span: u64, item: Item) {
        self.seq += 1;
        self.coming.push((self.now + span, self.seq, item));
    }

    // ---- what happens ---------------------------------------------------------------

    fn happens(&mut self, item: Item) {
        match item {
            Item::News(event) => self.news(event),
            Item::Death(run, exit) => self.death(run, exit),
            Item::Gone(run) => {
                if let Some(process) = self.process(run) {
                    process.leaves = false;
                }
                self.bury();
            }
            Item::Fault => self.fault(),
        }
    }

    fn news(&mut self, event: Event) {
        let event = match event {
            Event::Exited { run, exit, .. } => {
                let left = self.process(run).is_some_and(|process| process.leaves);
                Event::Exited { run, exit, left }
            }
            other => other,
        };
        let repeats = matches!(
            event,
            Event::Exited { .. } | Event::Cleared { .. } | Event::Ready { .. }
        );
        if repeats && self.dice.once_in(8) {
            let span = self.dice.pick(&[0, 1, 100, 20_000]);
            self.later(span, Item::News(event));
        }
        self.give(event);
        if !self.calm && self.dice.once_in(24) && self.goes_on() {
            self.order(); // The worst moment: between an event and what it leads to.
        }
    }

    fn death(&mut self, run: RunId, exit: Exit) {
        let now = self.now;
        let delay = if self.calm {
            1
        } else {
            self.dice.pick(&[0, 0, 1, 10, 3000])
        };
        let Some(process) = self.process(run) else {
            return;
        };
        if core::mem::take(&mut process.main) {
            let at = process.started.max(now) + delay;
            self.later(
                at - now,
                Item::News(Event::Exited {
                    run,
                    exit,
                    left: false,
                }),
            );
            self.bury();
        }
    }

    fn bury(&mut self) {
        self.processes
            .retain(|process| process.main || process.leaves);
    }

    fn process(&mut self, run: RunId) -> Option<&mut Process> {
        self.processes.iter_mut().find(|process| process.run == run)
    }

    fn fault(&mut self) {
        match self.dice.below(20) {
            0..9 => self.order(),
            9..11 => self.jump(),
            11..13 => self.revive(false),
            13 => self.revive(true),
            14..17 => self.reload(),
            17 => self.give(Event::SaveFailed),
            _ => {
                self.give(Event::Shutdown);
                if self.dice.once_in(3) && self.goes_on() {
                    let span = self.dice.below(3000);
                    self.later(span, Item::News(Event::Shutdown));
                }
            }
        }
    }

    fn order(&mut self) {
        let name = self.specs[self.dice.index(self.specs.len())].name.clone();
        let Some(child) = self.sup.find(&name) else {
            return;
        };
        let term = self
            .dice
            .pick(&[None, None, Some(1), Some(5000), Some(300_000)]);
        let order = match self.dice.below(9) {
            0..2 => Order::Start,
            2..5 => Order::Stop {
                term: term.map(Duration::from_millis),
            },
            5..7 => Order::Restart,
            7 => Order::Signal(Signal::HUP),
            _ => Order::Reset,
        };
        self.give(Event::Order { child, order });
    }

    fn jump(&mut self) {
        let by = self.dice.pick(&[100, 5000, 60_000, 7_200_000]);
        self.note(|_, line| write!(line, "the clock jumps by {by}"));
        self.checker.jumps(by);
        self.shift(self.now + by);
        self.now += by;
        self.give(Event::Tick);
    }

    /// The clock is about to stand elsewhere: faults keep their distance.
    fn shift(&mut self, to: u64) {
        for (at, _, item) in &mut self.coming {
            if matches!(item, Item::Fault) {
                *at = (*at + to).saturating_sub(self.now);
            }
        }
        self.end = self.end + to - self.now;
    }

    fn reload(&mut self) {
        let new = config::changed(&self.specs, &mut self.dice);
        self.note(|_, line| write!(line, "reload {new:#?}"));
        self.reloads += 1;
        self.checker.reloads(&self.specs, &new);
        self.specs.clone_from(&new);
        let now = uptime(self.now);
        self.sup.reload(new, Duration::from_millis(SHUTDOWN), now);
        self.give(Event::Tick);
    }

    // ---- sup begins and ends -----------------------------------------------------------

    fn begin(&mut self) {
        self.begin_with(false);
    }

    /// Sup, or the whole box, is gone and comes back, with the memory that it wrote last;
    /// sometimes with the one before, where the write was lost.
    fn revive(&mut self, reboot: bool) {
        self.note(|_, line| write!(line, "sup is gone; reboot: {reboot}"));
        let away = 1 + self.dice.below(10_000);
        if !self.calm && self.dice.once_in(4) {
            self.disk = self.disk_before.clone();
        }
        self.processes.clear();
        let now = self.now;
        self.coming
            .retain(|(_, _, item)| matches!(item, Item::Fault));
        if reboot {
            let fresh = 1 + self.dice.below(90_000);
            self.lived = self.lived + now + away - fresh;
            self.boot += 1;
            self.shift(fresh);
            self.now = fresh;
        } else {
            self.shift(now + away);
            self.now += away;
        }
        self.begin_with(reboot);
    }

    fn begin_with(&mut self, reboot: bool) {
        let seed = self.dice.any();
        self.ended = false;
        self.sup = Supervisor::new(self.specs.clone(), rules(seed));
        let (boot, now) = (BootId([self.boot; 16]), uptime(self.now));
        let mut other_boot = reboot;
        if let Some(memory) = &self.disk.memory {
            other_boot = memory.boot != boot;
            let mut memory = rebase(memory.clone(), now, boot);
            let written = memory.clone();
            self.mutation.recalled(&mut memory);
            self.sup.recall(&memory, boot, now);
            let read = self.sup.remember(boot, now);
            let same = is_read_back(&self.specs, &written, &read, other_boot, now);
            self.checker.claim(same, Invariant::MemoryReadBack);
        }
        let (known, renewed) = (self.disk.known, self.disk.reloads != self.reloads);
        self.checker.now = self.now + self.lived;
        self.checker.begins(&self.specs, known, other_boot, renewed);
        self.give(Event::Tick);
    }

    fn calm_down(&mut self) {
        self.note(|_, line| write!(line, "calm"));
        self.calm = true;
        self.coming
            .retain(|(_, _, item)| !matches!(item, Item::Fault));
        let mut items = Vec::new();
        for process in &mut self.processes {
            process.left_obeys = true;
            process.dies = 0;
            process.obeys = Some(100);
            items.push(Item::News(Event::Ready { run: process.run }));
            items.push(Item::Gone(process.run));
            if process.asked {
                items.push(Item::Death(process.run, signalled(Signal::TERM)));
            }
        }
        for item in items {
            self.later(5000, item);
        }
    }

    fn natures_and_wishes(&self) -> (u16, u16) {
        let (mut works, mut wanted) = (0, 0);
        for (id, spec, _) in self.sup.children() {
            let n = letter(&spec.name);
            works |= u16::from(self.natures[n] == Nature::Works) << n;
            wanted |= u16::from(self.sup.is_wanted(id)) << n;
        }
        (works, wanted)
    }

    // ---- one event and its actions -------------------------------------------------------

    fn give(&mut self, event: Event) {
        if self.ended {
            return;
        }
        self.checker.now = self.now + self.lived;
        let of = self.whose(&event);
        self.checker.event(&event, of);
        let mut actions = core::mem::take(&mut self.buffer);
        actions.clear();
        let now = uptime(self.now);
        if let Some(event) = self.mutation.event(event) {
            let seen = self.mutation.clock(now);
            actions.extend(self.sup.handle(event, seen));
        }
        self.mutation
            .actions(&event, &mut actions, &mut self.sup, now);
        self.note(|world, line| {
            let due = world.sup.next_deadline();
            write!(line, "{event:?} ->")?;
            actions
                .iter()
                .try_for_each(|action| write!(line, "\n      {action:?}"))?;
            write!(line, "\n      due {due:?}")
        });
        for action in &actions {
            self.perform(action);
        }
        let children = self.sup.places();
        if let Some(kept) = self.checker.batch_ends(children) {
            self.disk_before = core::mem::take(&mut self.disk);
            let mut memory = self.sup.remember(BootId([self.boot; 16]), now);
            self.mutation.saved(&mut memory);
            self.disk = Saved {
                memory: Some(memory),
                known: kept,
                reloads: self.reloads,
            };
        }
        self.buffer = actions;
    }

    fn whose(&self, event: &Event) -> usize {
        match *event {
            Event::Started { run, .. }
            | Event::StartFailed { run, .. }
            | Event::Ready { run }
            | Event::Exited { run, .. }
            | Event::Cleared { run } => self.letter(run.child),
            Event::Order { child, .. } => self.letter(child),
            Event::Tick | Event::Shutdown | Event::SaveFailed => 0,
        }
    }

    fn letter(&self, id: ChildId) -> usize {
        letter(&self.sup.spec(id).name)
    }

    fn perform(&mut self, action: &Action) {
        let of = match *action {
            Action::Spawn(run) | Action::Look(run) | Action::Signal { run, .. } => {
                self.letter(run.child)
            }
            Action::Tell(notice) => crate::words::child(&notice).map_or(0, |id| self.letter(id)),
            Action::Save | Action::Answer(_) | Action::End { .. } | Action::Alarm(_) => 0,
        };
        let alive = self.processes.iter().any(|process| process.letter == of);
        self.checker.action(action, of, alive);
        match *action {
            Action::Spawn(run) => self.spawn(run, of),
            Action::Signal { run, signal, to } => self.signal(run, signal, to),
            Action::Look(run) => {
                if self.process(run).is_none() {
                    let span = self.dice.pick(&[0, 0, 5]);
                    self.later(span, Item::News(Event::Cleared { run }));
                }
            }
            Action::End { .. } => {
                // What is still being made is beyond reach.
                let made = |run| {
                    self.coming.iter().all(|(_, _, item)| {
                        !matches!(item, Item::News(Event::Started { run: coming, .. }) if *coming == run)
                    })
                };
                let all = self
                    .processes
                    .iter()
                    .all(|process| process.killed || !made(process.run));
                self.checker.claim(all, Invariant::EndComes);
                self.ended = true;
                self.processes.clear();
                self.coming
                    .retain(|(_, _, item)| matches!(item, Item::Fault));
            }
            Action::Tell(_) | Action::Save | Action::Answer(_) | Action::Alarm(_) => {}
        }
    }

    // ---- virtual processes ------------------------------------------------------------------

    fn spawn(&mut self, run: RunId, letter: usize) {
        let wild = !self.calm;
        let delay = if wild {
            self.dice.pick(&[0, 0, 1, 20, 2000])
        } else {
            1
        };
        if wild && self.dice.once_in(8) {
            let fault = StartFault {
                stage: Stage::Exec,
                errno: 2,
            };
            self.later(delay, Item::News(Event::StartFailed { run, fault }));
            return;
        }
        self.later(delay, Item::News(Event::Started { run, pid: 1 }));
        let ready = match self.dice.below(5) {
            _ if self.calm => Some(10),
            0 => None,
            1 => Some(self.dice.below(8000)),
            _ => Some(self.dice.below(200)),
        };
        if let Some(ready) = ready {
            self.later(delay + ready, Item::News(Event::Ready { run }));
        }
        if let Some((after, exit)) = self.fate(letter) {
            self.later(after, Item::Death(run, exit));
        }
        let dice = &mut self.dice;
        self.processes.push(Process {
            run,
            letter,
            main: true,
            leaves: wild && dice.once_in(6),
            left_obeys: dice.once_in(2),
            obeys: if wild {
                dice.pick(&[Some(0), Some(50), Some(500), Some(12_000), None])
            } else {
                Some(100)
            },
            dies: if wild { dice.pick(&[0, 0, 0, 1500]) } else { 0 },
            started: self.now + delay,
            asked: false,
            killed: false,
        });
    }

    /// When and how it ends by itself.
    fn fate(&mut self, letter: usize) -> Option<(u64, Exit)> {
        if self.calm {
            return match self.natures[letter] {
                Nature::Works => None,
                Nature::Ends => Some((500, Exit::Code(0))),
                Nature::Fails => Some((200, Exit::Code(1))),
            };
        }
        let exits = [
            Exit::Code(0),
            Exit::Code(1),
            Exit::Code(1),
            Exit::Code(7),
            signalled(Signal(11)),
            signalled(Signal::TERM),
            Exit::OutOfMemory,
            Exit::Vanished,
        ];
        let longest = self.dice.pick(&[10, 2000, 2000, 15_000, 100_000]);
        let ends = self.dice.once_in(2);
        ends.then(|| (self.dice.below(longest), self.dice.pick(&exits)))
    }

    fn signal(&mut self, run: RunId, signal: Signal, to: Reach) {
        let noticed = self.dice.once_in(3);
        let Some(process) = self.process(run) else {
            return;
        };
        let (obeys, dies, left_obeys) = (process.obeys, process.dies, process.left_obeys);
        if signal == Signal::KILL {
            process.killed = true;
            self.later(dies, Item::Gone(run));
            self.later(dies, Item::Death(run, signalled(Signal::KILL)));
        } else if to == Reach::All && signal != Signal::CONT {
            process.asked = true;
            if left_obeys {
                self.later(200, Item::Gone(run));
            }
            if let Some(obeys) = obeys {
                self.later(obeys, Item::Death(run, signalled(signal)));
            }
        } else if to == Reach::Main && noticed {
            self.later(3, Item::Death(run, signalled(signal)));
        }
    }

    // ---- the log ----------------------------------------------------------------------------

    fn note(&mut self, words: impl FnOnce(&Self, &mut String) -> core::fmt::Result) {
        if let Some(mut log) = self.log.take() {
            let _ = write!(log, "{:>9}.{:03} ", self.now / 1000, self.now % 1000);
            let _ = words(self, &mut log);
            log.push('\n');
            self.log = Some(log);
        }
    }
}

fn rules(seed: u64) -> Rules {
    Rules {
        shutdown_timeout: Duration::from_millis(SHUTDOWN),
        ends_when_over: false,
        seed,
    }
}

fn signalled(signal: Signal) -> Exit {
    Exit::Signal {
        signal,
        core: false,
    }
}

// ---- memory over a reboot ---------------------------------------------------------------

/// Whether a supervisor that took up `written` remembers the same, as far as its
/// configuration still has the child.
fn is_read_back(
    specs: &[ChildSpec],
    written: &Memory,
    read: &Memory,
    rebooted: bool,
    now: Uptime,
) -> bool {
    specs.iter().all(|spec| {
        let find = |memory: &Memory| {
            memory
                .children
                .iter()
                .position(|child| child.name == spec.name)
        };
        let (Some(was), Some(is)) = (find(written), find(read)) else {
            return find(written).is_none();
        };
        let was = expected(&written.children[was], spec, rebooted, now);
        was == read.children[is] && was.exits.len() <= EXITS_KEPT
    })
}

/// What becomes of a child's memory by being taken up.
fn expected(written: &ChildMemory, spec: &ChildSpec, rebooted: bool, now: Uptime) -> ChildMemory {
    let budget = &spec.life.budget;
    let mut memory = written.clone();
    let room = usize::from(budget.max_restarts.unwrap_or(0));
    let surplus = memory.window.len().saturating_sub(room);
    drop(memory.window.drain(..surplus));
    memory.credit = match (written.credit, budget.on_limit) {
        (Credit::GaveUp, _) if rebooted => Credit::Trial,
        (Credit::GaveUp, OnLimit::Escalate) => Credit::Trial,
        (Credit::Parked(until), OnLimit::Park(pause)) => Credit::Parked(until.min(now + pause)),
        (Credit::Parked(until), OnLimit::GiveUp | OnLimit::Escalate) => {
            Credit::Parked(until.min(now))
        }
        (credit, _) => credit,
    };
    memory
}
