//! A decision allocates nothing, so that it cannot fail: a long life of fifty children,
//! with every allocation counted.

use core::cell::Cell;
use core::time::Duration;
use std::alloc::{GlobalAlloc, Layout, System};

use sup::model::spec::{Launch, Life, LogSpec, OnLimit, Ready};
use sup::model::{
    ChildId, ChildSpec, Exit, Order, RestartPolicy, RunId, Signal, Stage, StartFault, Uptime,
};
use sup::policy::{Action, Event, Phase, Rules, Supervisor};

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
const EVENTS: u32 = 200_000;

/// Children of all kinds; each fifth requires the one before it.
fn children() -> Vec<ChildSpec> {
    let spec = |n: u16| {
        let mut life = Life {
            restart: RestartPolicy::NAMES[usize::from(n) % 7].1,
            ..Life::default()
        };
        life.budget.max_restarts = [Some(0), Some(5), Some(1000), None][usize::from(n) % 4];
        if n.is_multiple_of(3) {
            life.budget.on_limit = OnLimit::Park(Duration::from_secs(60));
        }
        if n % 5 == 4 {
            life.requires = Box::new([format!("child-{}", n - 1).into()]);
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
            life,
        }
    };
    (0..CHILDREN).map(spec).collect()
}

/// xorshift64: the same life each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
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
        return Event::Order { child, order };
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
    let mut supervisor = Supervisor::new(children(), rules);
    let mut dice = Dice(0x1234_5678_9abc_def1);
    let (mut now, mut actions, mut ended) = (0_i64, 0_u64, false);
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
            _ => happening(&supervisor, &mut dice),
        };
        for action in supervisor.handle(event, Uptime::from_millis(now)) {
            actions += 1;
            ended |= action == Action::End { success: true };
        }
        let _due = supervisor.next_deadline();
    }
    let made = ALLOCATIONS.get() - before;
    assert!(
        ended && actions > u64::from(EVENTS) / 2,
        "it was a life: {actions} actions"
    );
    assert_eq!(made, 0, "allocations after construction");
}
