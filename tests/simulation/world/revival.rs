//! Sup begins and ends, with what it had remembered.

use core::fmt::Write as _;

use sup::model::limits::EXITS_KEPT;
use sup::model::memory::Credit;
use sup::model::spec::OnLimit;
use sup::model::words::Names;
use sup::model::{
    BootId, ChildId, ChildMemory, ChildSpec, Exit, GroupMemory, Member, Memory, RunId, Signal,
    Uptime,
};
use sup::policy::{Event, Supervisor};
use sup::store::rebase;

use super::{Item, Process, World, rules, signalled, uptime};
use crate::invariants::Invariant;

impl World {
    pub(super) fn begin(&mut self) {
        self.begin_with(false, &[]);
    }

    /// Sup, or the whole box, is gone and comes back, with the memory that it wrote last;
    /// sometimes with the one before, where the write was lost. What it ran lives on where
    /// only sup was killed.
    pub(super) fn revive(&mut self, reboot: bool) {
        self.note(|_, line| write!(line, "sup is gone; reboot: {reboot}"));
        let away = 1 + self.dice.below(10_000);
        if !self.calm && self.dice.once_in(4) {
            self.disk = self.disk_before.clone();
        }
        let survives = !reboot && !self.ended && self.dice.once_in(2);
        let runs = if survives {
            self.survivors()
        } else {
            Vec::new()
        };
        self.processes.retain(|process| runs.contains(&process.run));
        let now = self.now;
        self.coming.retain(|(_, _, item)| match item {
            Item::Fault => true,
            Item::Death(run, _) | Item::Gone(run) => runs.contains(run),
            Item::News(_) => false,
        });
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
        self.ends_unheard();
        self.begin_with(reboot, &runs);
    }

    /// Another program takes our place in the same process, and goes on as if nothing had
    /// happened. Where a reload or an order has given numbers out of the file's order, which
    /// only the daemon's names can follow, there is none.
    pub(super) fn upgrade(&mut self) {
        let (boot, now) = (BootId([self.boot; 16]), uptime(self.now));
        let Ok(standing) = self.sup.hand_over(now) else {
            return;
        };
        let memory = self.sup.remember(boot, now);
        let tree = self.mutation.tree(self.tree.clone());
        let mut next = Supervisor::new(tree, rules(self.dice.any()));
        next.recall(&memory, boot, now);
        if numbers(&next) != numbers(&self.sup) {
            return;
        }
        self.note(|_, line| write!(line, "upgrade"));
        if self.mutation.hands_over() {
            let taken = next.take_over(&standing, now);
            let same =
                next.remember(boot, now) == memory && next.hand_over(now).as_ref() == Ok(&standing);
            let same = same && taken.is_ok();
            self.checker.claim(same, Invariant::MemoryReadBack);
        }
        // Nobody brings the other one news of whom it has never known.
        let known: Vec<ChildId> = next.children().map(|(id, _, _)| id).collect();
        self.coming.retain(|(_, _, item)| match item {
            Item::News(
                Event::Started { run, .. }
                | Event::StartFailed { run, .. }
                | Event::Ready { run }
                | Event::Exited { run, .. }
                | Event::Cleared { run },
            )
            | Item::Death(run, _)
            | Item::Gone(run) => known.contains(&run.child),
            // Its checks begin anew.
            Item::News(Event::Probed { .. } | Event::Pulse { .. }) => false,
            Item::News(_) | Item::Fault => true,
        });
        self.sup = next;
        self.checker.upgraded();
        self.checker.learn(&self.sup);
        self.give(Event::Tick);
    }

    /// Runs that the next sup will find written down: those that have a process, or had
    /// one whose end nobody has heard of yet.
    fn survivors(&self) -> Vec<RunId> {
        let made = |process: &Process| process.started <= self.now;
        let coming = |wanted: RunId| {
            let mut items = self.coming.iter();
            items.any(
                |(_, _, it)| matches!(it, Item::News(Event::Started { run, .. }) if *run == wanted),
            )
        };
        let mut runs: Vec<RunId> = self
            .processes
            .iter()
            .filter(|process| made(process) && !coming(process.run))
            .map(|process| process.run)
            .collect();
        for (_, _, item) in &self.coming {
            if let Item::News(Event::Exited { run, .. }) = *item
                && !coming(run)
                && self
                    .sup
                    .child(run.child)
                    .phase()
                    .process()
                    .is_some_and(|it| it.run == run)
            {
                runs.push(run);
            }
        }
        runs.sort_unstable_by_key(|run| (run.child, run.nth));
        runs.dedup();
        let names = self.sup.children().map(|(id, _, _)| id).collect::<Vec<_>>();
        runs.retain(|run| names.contains(&run.child)); // Others are ended by who took them out.
        runs
    }

    /// What has ended while there was no sup.
    fn ends_unheard(&mut self) {
        let (now, mut over) = (self.now, Vec::new());
        self.coming.retain(|(at, _, item)| {
            let past = *at <= now && !matches!(item, Item::Fault);
            over.extend(past.then_some(*item));
            !past
        });
        for item in over {
            match item {
                Item::Death(run, _) => {
                    if let Some(process) = self.process(run) {
                        process.main = false;
                    }
                }
                Item::Gone(run) => {
                    if let Some(process) = self.process(run) {
                        process.leaves = false;
                    }
                }
                Item::News(_) | Item::Fault => {}
            }
        }
        self.bury();
    }

    fn begin_with(&mut self, reboot: bool, runs: &[RunId]) {
        let seed = self.dice.any();
        self.ended = false;
        let names: Vec<Box<str>> = runs
            .iter()
            .map(|run| self.sup.spec(run.child).name.clone())
            .collect();
        self.sup = Supervisor::new(self.mutation.tree(self.tree.clone()), rules(seed));
        let (boot, now) = (BootId([self.boot; 16]), uptime(self.now));
        let mut other_boot = reboot;
        if let Some(memory) = &self.disk.memory {
            other_boot = memory.boot != boot;
            let mut memory = rebase(memory.clone(), now, boot);
            let written = memory.clone();
            self.mutation.recalled(&mut memory);
            self.sup.recall(&memory, boot, now);
            let read = self.sup.remember(boot, now);
            let same = is_read_back(&self.sup, &written, &read, other_boot, now);
            self.checker.claim(same, Invariant::MemoryReadBack);
        }
        let (known, renewed) = (self.disk.known, self.disk.reloads != self.reloads);
        self.checker.now = self.now + self.lived;
        let children = self.sup.children().map(|(_, spec, _)| spec);
        self.checker
            .begins(&self.tree, children, known, other_boot, renewed);
        let known: Vec<(RunId, RunId)> = names
            .iter()
            .zip(runs)
            .filter_map(|(name, &old)| {
                let child = self.sup.find(name)?;
                Some((old, RunId { child, ..old }))
            })
            .collect();
        self.renumber(&known);
        for (_, run) in known {
            self.adopt(run);
        }
        self.checker.learn(&self.sup);
        self.give(Event::Tick);
    }

    /// Children may have other numbers under the next sup.
    fn renumber(&mut self, known: &[(RunId, RunId)]) {
        let find = |run: RunId| {
            known
                .iter()
                .find(|(old, _)| *old == run)
                .map(|(_, new)| *new)
        };
        self.processes
            .retain_mut(|process| match find(process.run) {
                Some(run) => {
                    process.run = run;
                    true
                }
                None => false,
            });
        for (_, _, item) in &mut self.coming {
            if let Item::Death(run, _) | Item::Gone(run) = item {
                *run = find(*run).unwrap_or(*run);
            }
        }
    }

    /// A run of the former sup. Of its end we may only know that it has happened.
    fn adopt(&mut self, run: RunId) {
        let letter = self.letter(run.child);
        let now = self.now;
        let (at, main) = self
            .process(run)
            .map_or((now, false), |process| (process.started, process.main));
        self.note(|_, line| write!(line, "adopt {run:?}, alive: {main}"));
        if !main {
            let exit = Exit::Vanished;
            let left = false;
            self.later(1, Item::News(Event::Exited { run, exit, left }));
        }
        if self.mutation.adopts(&self.sup, run) {
            self.sup.adopt(run, 1, uptime(at));
        }
        self.checker.adopts(run, letter, at + self.lived);
    }

    pub(super) fn calm_down(&mut self) {
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
}

/// By which numbers children and groups are known.
fn numbers(sup: &Supervisor) -> Vec<(Member, Box<str>)> {
    let children = sup.children().map(|(id, _, _)| Member::Child(id));
    let groups = sup.rows().iter().map(|(_, member)| *member);
    let mut all: Vec<_> = children
        .chain(groups)
        .map(|member| (member, sup.member(member).into()))
        .collect();
    all.sort_by_key(|(member, _)| match *member {
        Member::Child(id) => (0, id.index()),
        Member::Group(id) => (1, id.index()),
    });
    all
}

// ---- memory, read back ------------------------------------------------------------------

/// Whether a supervisor that took up `written` remembers the same, as far as its
/// configuration still has the child or the group.
fn is_read_back(
    sup: &Supervisor,
    written: &Memory,
    read: &Memory,
    rebooted: bool,
    now: Uptime,
) -> bool {
    let children = sup.children().all(|(_, spec, _)| {
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
    });
    children
        && read.groups.iter().all(|is| {
            let was = written.groups.iter().find(|was| was.name == is.name);
            was.is_none_or(|was| expected_group(was, sup, rebooted, now) == *is)
        })
}

/// What becomes of a group's memory by being taken up.
fn expected_group(
    written: &GroupMemory,
    sup: &Supervisor,
    rebooted: bool,
    now: Uptime,
) -> GroupMemory {
    let mut memory = written.clone();
    let Some(spec) = sup.find_group(&memory.name).map(|id| sup.group(id).spec()) else {
        return memory;
    };
    let budget = spec.budget;
    let room = budget.and_then(|budget| budget.max_restarts).unwrap_or(0);
    let surplus = memory.window.len().saturating_sub(usize::from(room));
    drop(memory.window.drain(..surplus));
    let on_limit = budget.map_or(OnLimit::Escalate, |budget| budget.on_limit);
    memory.credit = credit(memory.credit, on_limit, rebooted, now);
    let count = spec.template.as_ref().map(|template| template.count);
    memory.scale = memory.scale.filter(|scale| Some(scale.configured) == count);
    memory
}

fn credit(written: Credit, on_limit: OnLimit, rebooted: bool, now: Uptime) -> Credit {
    match (written, on_limit) {
        (Credit::GaveUp, _) if rebooted => Credit::Trial,
        (Credit::GaveUp, OnLimit::Escalate) => Credit::Trial,
        (Credit::Parked(until), OnLimit::Park(pause)) => Credit::Parked(until.min(now + pause)),
        (Credit::Parked(until), OnLimit::GiveUp | OnLimit::Escalate) => {
            Credit::Parked(until.min(now))
        }
        (credit, _) => credit,
    }
}

/// What becomes of a child's memory by being taken up.
fn expected(written: &ChildMemory, spec: &ChildSpec, rebooted: bool, now: Uptime) -> ChildMemory {
    let budget = &spec.life.budget;
    let mut memory = written.clone();
    let room = usize::from(budget.max_restarts.unwrap_or(0));
    let surplus = memory.window.len().saturating_sub(room);
    drop(memory.window.drain(..surplus));
    memory.credit = credit(written.credit, budget.on_limit, rebooted, now);
    memory
}
