//! A decision allocates nothing, so that it cannot fail: a long life of fifty children
//! in groups, with every allocation counted.

#[path = "common/dice.rs"]
mod dice;

use core::cell::Cell;
use core::time::Duration;
use std::alloc::{GlobalAlloc, Layout, System};

use sup::model::check::{CheckSpec, Health, Kind, OnCritical, Rhythm};
use sup::model::spec::{Budget, Launch, Life, LogSpec, OnLimit, Ready};
use sup::model::tree::{AutoShutdown, Strategy, Template};
use sup::model::{
    ChildId, ChildSpec, Exit, GroupId, GroupSpec, Member, Notice, Order, RestartPolicy, RunId,
    Signal, Stage, StartFault, Tree, Uptime,
};
use sup::policy::{Action, Event, Phase, Rules, Supervisor};

use dice::Dice;

/// The system's allocator, counting.
struct Counting;

thread_local! {
    // Of this thread only: the test harness has a thread of its own, which allocates.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.with(|made| made.set(made.get() + 1));
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CHILDREN: u16 = 50;
/// So many of them are a template's.
const INSTANCES: u16 = 10;
/// So many of them are in groups, besides those.
const GROUPED: u16 = 30;
const GROUPS: u16 = 6;
const EVENTS: u32 = 200_000;

/// A check that restarts its child at its first failure.
fn check(name: &str) -> CheckSpec {
    CheckSpec {
        name: name.into(),
        kind: Kind::Process,
        rhythm: Rhythm {
            interval: Duration::from_secs(1),
            retries: 1,
            ..Rhythm::default()
        },
        on_critical: OnCritical::Restart,
        readies: false,
    }
}

/// Every fifth child requires the one before it.
fn child(n: u16) -> ChildSpec {
    let mut life = Life {
        restart: RestartPolicy::NAMES[usize::from(n) % 7].1,
        ..Life::default()
    };
    life.budget.max_restarts = [Some(0), Some(5), Some(1000), None][usize::from(n) % 4];
    life.budget.on_limit = match n % 3 {
        0 => OnLimit::Park(Duration::from_secs(60)),
        1 => OnLimit::GiveUp,
        _ if n < GROUPED => OnLimit::Escalate,
        _ => OnLimit::GiveUp, // At the root, that were the end.
    };
    if n % 5 == 4 {
        life.requires = Box::new([format!("child-{}", n - 1).into()]);
    }
    life.significant = n % 10 == 5 && n < GROUPED;
    if n.is_multiple_of(3) {
        life.checks = ["x", "y"].map(check).into();
    }
    let ready = if n.is_multiple_of(2) {
        Ready::Started
    } else {
        Ready::Notify
    };
    ChildSpec {
        name: format!("child-{n}").into(),
        launch: Launch {
            ready,
            ..Launch::default()
        },
        log: LogSpec::Ring,
        life: life.into(),
    }
}

/// Groups of all kinds: `outer` has a template, a group one for all and one of the rest
/// for one; beside it stand a group one for one and children of the root.
fn tree() -> Tree {
    let all: Vec<ChildSpec> = (0..CHILDREN - INSTANCES).map(child).collect();
    let of = |from: usize, to: usize| -> Box<[Box<str>]> {
        all[from..to].iter().map(|spec| spec.name.clone()).collect()
    };
    let group = |name: &str, strategy, members, on_limit| GroupSpec {
        strategy,
        budget: Some(Budget {
            max_restarts: Some(20),
            window: Duration::from_secs(60),
            on_limit,
        }),
        ..GroupSpec::new(name, members)
    };
    let park = OnLimit::Park(Duration::from_secs(60));
    let members: [Box<str>; 3] = ["workers".into(), "all".into(), "rest".into()];
    let mut groups = [
        group("outer", Strategy::RestForOne, members.into(), park),
        group("all", Strategy::OneForAll, of(0, 10), OnLimit::Escalate),
        group("rest", Strategy::RestForOne, of(10, 20), OnLimit::Escalate),
        group("one", Strategy::OneForOne, of(20, 30), park),
        group(
            "workers",
            Strategy::SimpleOneForOne,
            of(0, 0),
            OnLimit::Escalate,
        ),
    ];
    groups[3].auto_shutdown = AutoShutdown::AnySignificant;
    groups[4].template = Some(Template {
        child: child(CHILDREN),
        count: INSTANCES,
    });
    let mut names: Vec<Box<str>> = vec!["outer".into(), "one".into()];
    names.extend(of(30, all.len()));
    Tree {
        root: GroupSpec::root(names.into()),
        groups: groups.into(),
        children: all.into(),
    }
}

/// Something that can happen to the child now; mostly what it waits for.
fn happening(supervisor: &Supervisor, dice: &mut Dice) -> Event {
    let child = ChildId(u16::try_from(dice.below(u64::from(CHILDREN))).unwrap());
    let run = RunId {
        child,
        nth: supervisor.child(child).runs(),
    };
    let fault = StartFault {
        stage: Stage::Exec,
        errno: 2,
    };
    if dice.below(10) == 0 {
        let term = (dice.below(2) == 0).then_some(Duration::from_secs(5));
        let orders = [
            Order::Start,
            Order::Stop { term },
            Order::Restart,
            Order::Signal(Signal::HUP),
            Order::Reset,
        ];
        let order = orders[usize::try_from(dice.below(5)).unwrap()];
        let group = GroupId(u16::try_from(dice.below(u64::from(GROUPS))).unwrap());
        let of = if dice.below(4) == 0 {
            Member::Group(group)
        } else {
            Member::Child(child)
        };
        return Event::Order { of, order };
    }
    let exit =
        [Exit::Code(0), Exit::Code(1), Exit::Vanished][usize::try_from(dice.below(3)).unwrap()];
    match *supervisor.child(child).phase() {
        Phase::Starting { .. } if dice.below(4) == 0 => Event::StartFailed { run, fault },
        Phase::Starting { .. } => Event::Started { run, pid: 1 },
        Phase::Readying { .. } if dice.below(2) == 0 => Event::Ready { run },
        Phase::Readying { .. } | Phase::Up { .. } | Phase::Stopping { .. } => {
            let left = dice.below(4) == 0;
            Event::Exited { run, exit, left }
        }
        Phase::Clearing { .. } => Event::Cleared { run },
        Phase::Idle | Phase::Waiting { .. } | Phase::Over(_) if dice.below(50) == 0 => {
            Event::SaveFailed
        }
        Phase::Idle | Phase::Waiting { .. } | Phase::Over(_) => Event::Tick,
    }
}

#[test]
fn a_long_life_allocates_nothing() {
    let rules = Rules {
        shutdown_timeout: Duration::from_secs(20),
        ends_when_over: false,
        seed: 7,
    };
    let mut supervisor = Supervisor::new(tree(), rules);
    let mut dice = Dice::new(1);
    let (mut now, mut actions, mut ended, mut of_groups) = (0_i64, 0_u64, false, 0_u64);
    let (mut asked, mut probes) = (None, 0_u64);
    let before = ALLOCATIONS.get();
    for nth in 0..EVENTS {
        // Storms: long stretches in which everything happens in the same moment.
        now += if nth / 1000 % 2 == 0 {
            0
        } else {
            dice.below(20_000).cast_signed()
        };
        let event = match nth {
            199_000 | 199_100 => Event::Shutdown,
            _ => match asked.take() {
                Some((check, nth)) => Event::Probed {
                    check,
                    nth,
                    health: [Health::Healthy, Health::Critical][usize::from(nth.is_multiple_of(9))],
                },
                None => happening(&supervisor, &mut dice),
            },
        };
        for action in supervisor.handle(event, Uptime::from_millis(now)) {
            actions += 1;
            if let Action::Probe { check, nth } = action {
                (asked, probes) = (Some((check, nth)), probes + 1);
            }
            of_groups += u64::from(matches!(action, Action::Tell(Notice::Group { .. })));
            ended |= action == Action::End { success: true };
        }
        let _due = supervisor.next_deadline();
    }
    let made = ALLOCATIONS.get() - before;
    assert!(
        ended && actions > u64::from(EVENTS) / 2 && of_groups > 1000 && probes > 1000,
        "it was a life: {actions} actions, {of_groups} of groups, {probes} probes"
    );
    assert_eq!(made, 0, "allocations after construction");
}
