//! A supervisor and its clock, told what happens, read in words.

use core::time::Duration;

use sup::model::spec::{Launch, Life, LogSpec};
use sup::model::{
    BootId, CheckId, ChildId, ChildSpec, Exit, Health, Member, Memory, Notice, Order, RunId,
    Signal, Stage, StartFault, Tree, Uptime,
};
use sup::policy::{Action, Answer, Child, Due, Event, Group, Phase, Reach, Rules, Supervisor};

pub(crate) const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) fn code(n: u8) -> Exit {
    Exit::Code(n)
}

pub(crate) fn signal(signal: Signal) -> Exit {
    Exit::Signal {
        signal,
        core: false,
    }
}

/// A child with the defaults of a configuration file.
pub(crate) fn child(name: &str) -> ChildSpec {
    ChildSpec {
        name: name.into(),
        launch: Launch::default(),
        log: LogSpec::Ring,
        life: Life::default().into(),
    }
}

/// A child with another life.
pub(crate) fn with(name: &str, change: impl FnOnce(&mut Life)) -> ChildSpec {
    let mut spec = child(name);
    change(&mut spec.life);
    spec
}

/// A child that requires others.
pub(crate) fn needs(name: &str, requires: &[&str]) -> ChildSpec {
    with(name, |life| {
        life.requires = requires.iter().map(|&name| name.into()).collect();
    })
}

pub(crate) struct Story {
    pub(crate) sup: Supervisor,
    /// Milliseconds since boot.
    pub(crate) now: i64,
    /// What the last event led to, in words: no notices, no saves, no answer.
    pub(crate) did: String,
    /// The notices of the last event.
    pub(crate) told: Vec<String>,
    /// Whether the last event led to a save.
    pub(crate) saved: bool,
    /// The answer to the last order, where that was the last event.
    pub(crate) answer: Option<Answer>,
    /// The probes that were asked for, the newest last.
    pub(crate) asked: Vec<(CheckId, u32)>,
    tree: Tree,
    /// It has begun, and is not `sup -- COMMAND`.
    stays: bool,
}

const RULES: Rules = Rules {
    shutdown_timeout: secs(20),
    ends_when_over: false,
    seed: 1,
};

impl Story {
    /// At the first event: what can start is being started.
    pub(crate) fn new(specs: impl IntoIterator<Item = ChildSpec>) -> Self {
        Self::begin(Tree::from(specs.into_iter().collect::<Vec<_>>()), false)
    }

    /// `sup -- COMMAND`: sup ends with its child.
    pub(crate) fn lone(spec: ChildSpec) -> Self {
        Self::begin(Tree::from(vec![spec]), true)
    }

    /// Everything is up, and memory is written.
    pub(crate) fn up(specs: impl IntoIterator<Item = ChildSpec>) -> Self {
        Self::new(specs).brought_up()
    }

    /// At the first event of a tree.
    pub(crate) fn planted(tree: Tree) -> Self {
        Self::begin(tree, false)
    }

    /// All that is started comes up, until nothing is started any more.
    pub(crate) fn brought_up(self) -> Self {
        let mut story = self;
        while let Some((id, nth)) = story.starting() {
            story.event(Event::Started {
                run: RunId { child: id, nth },
                pid: 1,
            });
        }
        story
    }

    fn begin(tree: Tree, ends_when_over: bool) -> Self {
        let rules = Rules {
            ends_when_over,
            ..RULES
        };
        let mut story = Self {
            sup: Supervisor::new(tree.clone(), rules),
            now: 0,
            did: String::new(),
            told: Vec::new(),
            saved: false,
            answer: None,
            asked: Vec::new(),
            tree,
            stays: false,
        };
        story.event(Event::Tick);
        story.stays = !ends_when_over;
        story
    }

    fn starting(&self) -> Option<(ChildId, u32)> {
        self.sup.children().find_map(|(id, _, child)| {
            matches!(child.phase(), Phase::Starting { .. }).then_some((id, child.runs()))
        })
    }

    // ---- what happens ----------------------------------------------------------

    pub(crate) fn event(&mut self, event: Event) -> String {
        let now = Uptime::from_millis(self.now);
        let other = self.upgraded();
        let actions: Vec<Action> = self.sup.handle(event, now).collect();
        if let Some(mut other) = other {
            let its: Vec<Action> = other.handle(event, now).collect();
            let deeds = |all: &[Action]| -> Vec<Action> {
                let deeds = all.iter().copied();
                deeds.filter(|it| *it != Action::Save).collect()
            };
            assert_eq!(deeds(&its), deeds(&actions), "after an upgrade, {event:?}");
        }
        self.told.clear();
        self.answer = None;
        self.saved = actions.contains(&Action::Save);
        let words: Vec<String> = actions
            .into_iter()
            .filter_map(|action| self.word(action))
            .collect();
        self.did = words.join("; ");
        self.did.clone()
    }

    pub(crate) fn order(&mut self, name: &str, order: Order) -> String {
        self.event(Event::Order {
            of: self.member(name),
            order,
        })
    }

    pub(crate) fn reload(&mut self, specs: Vec<ChildSpec>) -> String {
        self.replant(Tree::from(specs))
    }

    pub(crate) fn replant(&mut self, tree: Tree) -> String {
        self.tree.clone_from(&tree);
        self.sup
            .reload(tree, secs(20), Uptime::from_millis(self.now));
        self.event(Event::Tick)
    }

    pub(crate) fn starts(&mut self, name: &str) -> String {
        self.event(Event::Started {
            run: self.run(name),
            pid: 1,
        })
    }

    pub(crate) fn fails_to_start(&mut self, name: &str) -> String {
        let fault = StartFault {
            stage: Stage::Exec,
            errno: 2,
        };
        self.event(Event::StartFailed {
            run: self.run(name),
            fault,
        })
    }

    pub(crate) fn ready(&mut self, name: &str) -> String {
        self.event(Event::Ready {
            run: self.run(name),
        })
    }

    pub(crate) fn ends(&mut self, name: &str, exit: Exit) -> String {
        self.event(Event::Exited {
            run: self.run(name),
            exit,
            left: false,
        })
    }

    pub(crate) fn ends_leaving(&mut self, name: &str, exit: Exit) -> String {
        self.event(Event::Exited {
            run: self.run(name),
            exit,
            left: true,
        })
    }

    pub(crate) fn cleared(&mut self, name: &str) -> String {
        self.event(Event::Cleared {
            run: self.run(name),
        })
    }

    /// The last probe of a check is answered.
    pub(crate) fn probed(&mut self, name: &str, health: Health) -> String {
        let is_it = |check: &CheckId| {
            let spec = self.sup.check(*check);
            spec.is_some_and(|spec| *spec.name == *name)
        };
        let mut last = self.asked.iter().rev();
        let &(check, nth) = last.find(|(check, _)| is_it(check)).expect("a probe");
        self.event(Event::Probed { check, nth, health })
    }

    /// Until the next deadline.
    pub(crate) fn sleep(&mut self) -> (i64, Due) {
        let due = self.due().expect("something is due");
        self.now = due.0.max(self.now);
        self.event(Event::Tick);
        due
    }

    /// Until the next deadline that is not only a save.
    pub(crate) fn sleep_past_saves(&mut self) -> (i64, Due) {
        loop {
            let due = self.sleep();
            if due.1 != Due::Save {
                return due;
            }
        }
    }

    /// Until saves are all that was due.
    pub(crate) fn sleep_past_saves_to_rest(&mut self) {
        while matches!(self.due(), Some((_, Due::Save))) {
            self.sleep();
        }
    }

    /// Another program in our place, which must do the same as we: every story is one of
    /// upgrades, too. Not before the first event; not where it would give other numbers than
    /// a reload has; not where there are checks, which begin anew, or chance.
    fn upgraded(&self) -> Option<Supervisor> {
        let now = Uptime::from_millis(self.now);
        let differs = |(_, spec, _): (_, &ChildSpec, _)| {
            let life = &spec.life;
            !life.checks.is_empty() || life.watchdog.is_some() || life.backoff.jitter_percent > 0
        };
        let has_checks = !self.sup.host().0.is_empty();
        if !self.stays || has_checks || self.sup.children().any(differs) {
            return None;
        }
        let standing = self.sup.hand_over(now).ok()?;
        let mut next = Supervisor::new(self.tree.clone(), RULES);
        next.recall(&self.memory(), BootId([1; 16]), now);
        next.take_over(&standing, now).unwrap();
        assert_eq!(next.remember(BootId([1; 16]), now), self.memory());
        (numbers(&next) == numbers(&self.sup)).then_some(next)
    }

    // ---- another sup takes over ------------------------------------------------

    pub(crate) fn memory(&self) -> Memory {
        self.sup
            .remember(BootId([1; 16]), Uptime::from_millis(self.now))
    }

    /// The next sup, with the memory of this one, after its first event.
    pub(crate) fn restarted_sup(&self) -> Self {
        self.with_memory(&self.memory(), false)
    }

    /// The same under another boot, whose clock happens to stand where this one's does.
    pub(crate) fn rebooted(&self) -> Self {
        self.with_memory(&self.memory(), true)
    }

    pub(crate) fn with_memory(&self, memory: &Memory, rebooted: bool) -> Self {
        let mut next = self.successor();
        let boot = BootId([1 + u8::from(rebooted); 16]);
        next.sup.recall(memory, boot, Uptime::from_millis(self.now));
        next.event(Event::Tick);
        next
    }

    /// The next sup, which knows nothing yet.
    fn successor(&self) -> Self {
        let mut next = Self::begin(Tree::from(Vec::new()), false);
        next.tree.clone_from(&self.tree);
        next.sup = Supervisor::new(self.tree.clone(), RULES);
        (next.now, next.stays) = (self.now, false);
        next
    }

    /// The next sup after a kill, with the runs of this one, before its first event.
    pub(crate) fn killed(&self) -> Self {
        let mut next = self.successor();
        let (boot, now) = (BootId([1; 16]), Uptime::from_millis(self.now));
        next.sup.recall(&self.memory(), boot, now);
        for (_, _, child) in self.sup.children() {
            if let Some(process) = child.phase().process() {
                next.sup.adopt(process.run, process.pid, process.at);
            }
        }
        next
    }

    // ---- how it stands ---------------------------------------------------------

    pub(crate) fn member(&self, name: &str) -> Member {
        self.sup.find_member(name).expect("a child or a group")
    }

    pub(crate) fn group(&self, name: &str) -> &Group {
        self.sup.group(self.sup.find_group(name).expect("a group"))
    }

    pub(crate) fn id(&self, name: &str) -> ChildId {
        self.sup.find(name).expect("a configured child")
    }

    pub(crate) fn child(&self, name: &str) -> &Child {
        self.sup.child(self.id(name))
    }

    pub(crate) fn phase(&self, name: &str) -> &Phase {
        self.child(name).phase()
    }

    /// Its present run. A child that is leaving has no name any more, but a place.
    pub(crate) fn run(&self, name: &str) -> RunId {
        let mut places = (0..).map(ChildId).take(self.sup.places());
        let child = self
            .sup
            .find(name)
            .or_else(|| places.find(|&id| *self.sup.spec(id).name == *name))
            .expect("a known child");
        RunId {
            child,
            nth: self.sup.child(child).runs(),
        }
    }

    pub(crate) fn due(&self) -> Option<(i64, Due)> {
        self.sup
            .next_deadline()
            .map(|(at, due)| (at.as_millis(), due))
    }

    fn word(&mut self, action: Action) -> Option<String> {
        let name = |run: RunId| &*self.sup.spec(run.child).name;
        match action {
            Action::Spawn(run) => Some(format!("spawn {}#{}", name(run), run.nth)),
            Action::Signal { run, signal, to } => {
                let main = if to == Reach::Main { " (main)" } else { "" };
                Some(format!(
                    "{} {}{main}",
                    signal.name().unwrap_or("?"),
                    name(run)
                ))
            }
            Action::Look(run) => Some(format!("look {}", name(run))),
            Action::Probe { check, nth } => {
                self.asked.push((check, nth));
                Some(format!("probe {}", self.sup.check(check)?.name))
            }
            Action::Pulse(run) => Some(format!("pulse {}", name(run))),
            Action::Answer(answer) => {
                self.answer = Some(answer);
                None
            }
            Action::End { success } => Some(format!("end {success}")),
            Action::Alarm(alarm) => Some(format!("alarm {alarm:?}")),
            Action::Save => None,
            Action::Tell(notice) => {
                let word = if let Notice::Group { what, .. } = notice {
                    format!("Group{what:?}")
                } else if let Notice::Checked { check, health, .. } = notice {
                    let name = self.sup.check(check).map_or("?", |spec| &spec.name);
                    self.told.push(format!("{name} {health}"));
                    return None;
                } else {
                    format!("{notice:?}")
                };
                let end = word
                    .find(|c: char| !c.is_alphanumeric())
                    .unwrap_or(word.len());
                if !word.starts_with("Started") && !word.starts_with("Ready") {
                    self.told.push(word[..end].into());
                }
                None
            }
        }
    }
}

/// By which numbers children and groups are known.
fn numbers(sup: &Supervisor) -> Vec<(String, String)> {
    let children = sup
        .children()
        .map(|(id, spec, _)| (spec.name.to_string(), format!("{id:?}")));
    let groups = sup.rows().iter().filter_map(|(_, member)| match *member {
        Member::Child(_) => None,
        Member::Group(id) => {
            let spec = sup.group(id).spec();
            Some((spec.name.to_string(), format!("{id:?}")))
        }
    });
    let mut all: Vec<_> = children.chain(groups).collect();
    all.sort();
    all
}
