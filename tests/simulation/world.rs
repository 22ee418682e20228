//! A box: a clock, processes, a memory on disk, and a supervisor that is told of them.
//!
//! A life has two parts. First faults: programs misbehave, news is late or comes twice,
//! the clock jumps, sup is killed, the box reboots, writes are lost, people interfere at
//! bad moments. Then calm: programs do what their nature is, and everything must come to
//! rest as configured. At the end, everything is shut down.

mod faults;
mod processes;
mod revival;

use core::fmt::Write as _;
use core::time::Duration;

use sup::model::{BootId, ChildId, Exit, GroupId, Memory, RunId, Signal, Tree, Uptime};
use sup::policy::{Action, Due, Event, GroupPhase, Rules, Supervisor};

use crate::checker::Checker;
use crate::config::{self, NAMES, letter};
use crate::dice::Dice;
use crate::invariants::Invariant;
use crate::known::Remembered;
use crate::mutants::{Mutant, Mutation};

/// A moment on the virtual clock.
fn uptime(millis: u64) -> Uptime {
    Uptime::from_millis(millis.cast_signed())
}

/// From the request to end until the last child is killed, in milliseconds.
pub(crate) const SHUTDOWN: u64 = 20_000;

/// Calm, in milliseconds: longer than every configured time that could still run.
const CALM: u64 = 1_800_000;

/// Lived milliseconds at the beginning: more than any clock will fall back.
const LIVED: u64 = 1_000_000_000;

/// Ticks in one instant. More are a storm: they lead nowhere, or for ever.
const TICKS_MAX: u32 = 40;

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
    tree: Tree,
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
    /// Ticks in this instant.
    ticks: u32,
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
    pub(crate) seen: u32,
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
        let tree = config::tree(&mut dice);
        let natures = [(); NAMES].map(|()| match dice.below(40) {
            0 => Nature::Fails,
            1 | 2 => Nature::Ends,
            _ => Nature::Works,
        });
        let mut world = Self {
            now: dice.below(60_000),
            lived: LIVED,
            boot: 1,
            sup: Supervisor::new(Tree::from(Vec::new()), rules(0)),
            tree,
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
            ticks: 0,
            reloads: 0,
            end: 0,
            closing: false,
        };
        world.note(|world, line| write!(line, "{}", config::words(&world.tree)));
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
            self.looks_around();
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

    /// At rest: no process that nobody knows, no group on its way, nothing due.
    fn looks_around(&mut self) {
        let fine = (0..NAMES)
            .all(|n| self.natures[n] == Nature::Works || !self.checker.facts[n].configured);
        let ids = (0..=self.tree.groups.len()).map(|n| GroupId(u16::try_from(n).unwrap_or(0)));
        let rest = ids
            .map(|id| self.sup.group(id))
            .all(|group| match group.phase() {
                GroupPhase::Up { .. } | GroupPhase::Over(_) => true,
                GroupPhase::Idle => {
                    let parent = group.parent().map(|id| self.sup.group(id).phase());
                    group.is_held() || parent.is_some_and(|it| !matches!(it, GroupPhase::Up { .. }))
                }
                _ => false,
            });
        let stray = self.processes.iter().any(|process| {
            let known = self.sup.child(process.run.child).phase().process();
            known.is_none_or(|known| known.run != process.run)
        });
        let doomed = self.checker.tracks.iter().any(|track| track.doomed);
        if fine {
            self.checker.claim(!stray, Invariant::AdoptedAreKept);
            self.checker.claim(!doomed, Invariant::SharesFate);
            self.checker.claim(rest, Invariant::NothingForgotten);
        }
        let due = self.sup.next_deadline();
        let due = due.filter(|(_, due)| !matches!(due, Due::Probe(_) | Due::Pulse(_)));
        let due = due.map(|(at, _)| at.as_millis().cast_unsigned());
        let due = self.mutation.deadline(due);
        self.checker.claim(!fine || due.is_none(), Invariant::Quiet);
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
            Some(_) | None => {
                self.ticks += 1;
                self.checker
                    .claim(self.ticks < TICKS_MAX, Invariant::NoStorm);
                self.give(Event::Tick);
            }
        }
        true
    }

    fn next_item(&self) -> Option<usize> {
        (0..self.coming.len()).min_by_key(|&n| (self.coming[n].0, self.coming[n].1))
    }

    fn pass(&mut self, span: u64) {
        if span > 0 {
            self.ticks = 0;
        }
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
            Event::Exited { .. }
                | Event::Cleared { .. }
                | Event::Ready { .. }
                | Event::Probed { .. }
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
        self.checker.event(&event, of, self.lived);
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
        let members = self.sup.places() + 2 * (1 + self.tree.groups.len());
        if let Some(kept) = self.checker.batch_ends(members) {
            self.disk_before = core::mem::take(&mut self.disk);
            let mut memory = self.sup.remember(BootId([self.boot; 16]), now);
            self.mutation.saved(&mut memory);
            self.mutation.saved_groups(&mut memory);
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
            | Event::Pulse { run, .. }
            | Event::Cleared { run } => self.letter(run.child),
            Event::Paths { child, .. } => self.letter(child),
            Event::Order { of, .. } => self.checker.member(of),
            Event::Probed { check, .. } => check.of.map_or(0, |child| self.letter(child)),
            Event::Tick | Event::Shutdown | Event::Remember | Event::SaveFailed => 0,
        }
    }

    fn letter(&self, id: ChildId) -> usize {
        letter(&self.sup.spec(id).name)
    }

    fn perform(&mut self, action: &Action) {
        let of = match *action {
            Action::Spawn(run)
            | Action::Look(run)
            | Action::Pulse(run)
            | Action::Signal { run, .. } => self.letter(run.child),
            Action::Tell(notice) => crate::words::child(&notice).map_or(0, |id| self.letter(id)),
            Action::Probe { check, .. } => check.of.map_or(0, |child| self.letter(child)),
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
            Action::Probe { check, nth } => self.probe(check, nth),
            Action::Pulse(run) => self.pulse(run),
            Action::Tell(_) | Action::Save | Action::Answer(_) | Action::Alarm(_) => {}
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
