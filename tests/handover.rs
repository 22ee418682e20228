//! Two supervisors with one life: one goes on, the other is handed over before every
//! event. Nobody can tell them apart.

use std::time::Duration;

use sup::config;
use sup::model::{BootId, Exit, Member, Order, RunId, Signal, Tree, Uptime};
use sup::policy::{Action, Due, Event, Phase, Rules, Supervisor};

const CONFIG: &str = r#"
[defaults]
restart = "always"
backoff = { first = "1s", longest = "8s", settle = "5s" }

[child.base]
command = ["x"]
ready = "notify"
start-timeout = "20s"
[child.one]
command = ["x"]
requires = ["base"]
[child.two]
command = ["x"]
budget = { max-restarts = 2, window = "30s", on-limit = "park", park = "10s" }
[child.three]
command = ["x"]
restart = "on-failure"
stop-timeout = "3s"
[child.four]
command = ["x"]
ready = "notify"
after = ["group"]
[child.five]
command = ["x"]
restart = "no"

[group.group]
strategy = "rest-for-one"
members = ["base", "one", "inner"]
budget = { max-restarts = 3, window = "20s" }
[group.inner]
strategy = "one-for-all"
members = ["two", "three", "five"]
budget = { max-restarts = 2, window = "20s", on-limit = "park", park = "15s" }
[group.pool]
strategy = "simple-one-for-one"
count = 2
budget = { max-restarts = "unlimited" }
[group.pool.template]
command = ["y"]
"#;

const BOOT: BootId = BootId([7; 16]);

fn rules() -> Rules {
    Rules {
        shutdown_timeout: Duration::from_secs(20),
        ends_when_over: false,
        seed: 1,
    }
}

/// The same again, in another program.
fn handed_over(from: &Supervisor, tree: &Tree, now: Uptime) -> Supervisor {
    let mut to = Supervisor::new(tree.clone(), rules());
    to.recall(&from.remember(BOOT, now), BOOT, now);
    to.take_over(&from.hand_over(now).unwrap(), now).unwrap();
    to
}

/// Dice, from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// What is done; not when it is written, for a hand-over is worth a write.
fn done(supervisor: &mut Supervisor, event: Event, now: Uptime) -> Vec<Action> {
    let actions = supervisor.handle(event, now);
    actions.filter(|action| *action != Action::Save).collect()
}

fn due(supervisor: &Supervisor) -> Option<(Uptime, Due)> {
    supervisor
        .next_deadline()
        .filter(|(_, due)| *due != Due::Save)
}

struct Life {
    stays: Supervisor,
    moves: Supervisor,
    tree: Tree,
    now: Uptime,
    dice: Dice,
}

impl Life {
    fn new(seed: u64) -> Self {
        let tree = config::parse(CONFIG, "sup.toml").unwrap().spec.tree;
        Self {
            stays: Supervisor::new(tree.clone(), rules()),
            moves: Supervisor::new(tree.clone(), rules()),
            tree,
            now: Uptime::from_millis(1_000),
            dice: Dice(seed),
        }
    }

    /// One event for both, and its answers.
    fn turn(&mut self, event: Event) {
        self.moves = handed_over(&self.moves, &self.tree, self.now);
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let stays = done(&mut self.stays, event, self.now);
            let moves = done(&mut self.moves, event, self.now);
            assert_eq!(stays, moves, "after {event:?}");
            for action in stays {
                match action {
                    Action::Spawn(run) => events.insert(0, self.spawned(run)),
                    Action::Look(run) => events.insert(0, Event::Cleared { run }),
                    Action::Signal { .. }
                    | Action::Probe { .. }
                    | Action::Pulse(_)
                    | Action::Tell(_)
                    | Action::Save
                    | Action::Answer(_)
                    | Action::End { .. }
                    | Action::Alarm(_) => {}
                }
            }
        }
        for (id, spec, child) in self.stays.children() {
            let other = self.moves.child(id);
            assert_eq!(child.phase(), other.phase(), "{}", spec.name);
            assert_eq!(child.up_total(self.now), other.up_total(self.now));
            assert_eq!(self.stays.blocked_by(id), self.moves.blocked_by(id));
        }
        assert_eq!(
            self.stays.remember(BOOT, self.now),
            self.moves.remember(BOOT, self.now)
        );
        if let (Some(stays), Some(moves)) = (due(&self.stays), due(&self.moves)) {
            assert_eq!(stays, moves);
        }
    }

    fn spawned(&mut self, run: RunId) -> Event {
        if self.dice.below(20) == 0 {
            let fault = sup::model::StartFault {
                stage: sup::model::Stage::Exec,
                errno: 2,
            };
            return Event::StartFailed { run, fault };
        }
        Event::Started {
            run,
            pid: 100 * (u32::from(run.child.0) + 1) + run.nth,
        }
    }

    /// Something happens to one of those that have a process, or a person says something.
    fn next(&mut self) -> Event {
        let runs: Vec<(RunId, Phase)> = self
            .stays
            .children()
            .filter_map(|(_, _, child)| Some((child.phase().process()?.run, *child.phase())))
            .collect();
        let exits = [
            Exit::Code(0),
            Exit::Code(1),
            Exit::Signal {
                signal: Signal::KILL,
                core: false,
            },
        ];
        match (self.dice.below(10), runs.len()) {
            (0..=4, count) if count > 0 => {
                let (run, phase) = runs[self.dice.below(count)];
                match (phase, self.dice.below(2)) {
                    (Phase::Readying { .. }, 0) => Event::Ready { run },
                    (Phase::Clearing { .. }, _) => Event::Cleared { run },
                    (_, left) => Event::Exited {
                        run,
                        exit: exits[self.dice.below(3)],
                        left: left == 1 && self.dice.below(4) == 0,
                    },
                }
            }
            (5, _) => {
                let rows = self.stays.rows();
                let (_, of) = rows[self.dice.below(rows.len())];
                let orders = [
                    Order::Start,
                    Order::Start,
                    Order::Stop { term: None },
                    Order::Stop {
                        term: Some(Duration::from_secs(5)),
                    },
                    Order::Restart,
                    Order::Reset,
                ];
                let order = orders[self.dice.below(orders.len())];
                Event::Order { of, order }
            }
            _ => Event::Tick,
        }
    }
}

#[test]
fn a_supervisor_that_is_handed_over_before_every_event_lives_the_same_life() {
    for seed in 0..100 {
        let mut life = Life::new(seed);
        life.turn(Event::Tick);
        for _ in 0..120 {
            let wait = [0, 10, 900, 4_000][life.dice.below(4)];
            life.now = life.now + Duration::from_millis(wait);
            let event = life.next();
            life.turn(event);
        }
    }
}

#[test]
fn what_ends_is_not_handed_over_and_strangers_are_refused() {
    let mut life = Life::new(1);
    life.turn(Event::Tick);
    let handover = life.stays.hand_over(life.now).unwrap();
    let other = config::parse("[child.other]\ncommand = [\"x\"]\n", "sup.toml").unwrap();
    let mut other = Supervisor::new(other.spec.tree, rules());
    assert!(other.take_over(&handover, life.now).is_err());
    let before = other.remember(BOOT, life.now);
    assert_eq!(before.children.len(), 1);
    let _actions = life.stays.handle(Event::Shutdown, life.now).count();
    assert!(life.stays.hand_over(life.now).is_err());
    let all: Vec<Member> = life
        .stays
        .rows()
        .iter()
        .map(|(_, member)| *member)
        .collect();
    assert!(!all.is_empty());
}
