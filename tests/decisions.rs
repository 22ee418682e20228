//! Decisions: tables of what follows from what, and stories of what follows upon what.
//!
//! A story gives events to a supervisor of children `a`, `b`, … and reads what it does as
//! words: `TERM a; CONT a; spawn b#2`.

#[path = "decisions/health.rs"]
mod health;
#[path = "decisions/health_in_groups.rs"]
mod health_in_groups;
#[path = "decisions/paths.rs"]
mod paths;
#[path = "decisions/story.rs"]
mod story;
#[path = "decisions/trees.rs"]
mod trees;

use core::time::Duration;

use story::{Story, child, code, needs, secs, signal, with};
use sup::model::Tree;
use sup::model::memory::{Credit, Hold};
use sup::model::spec::{Backoff, Budget, ExitMatch, Life, LogFile, LogSpec, OnLimit, Ready};
use sup::model::{
    ChildSpec, Exit, Order, RestartPolicy, Signal, Stage, StartFault, Timeout, Uptime,
};
use sup::policy::{
    Answer, Change, Due, Event, Intensity, Over, Phase, change, is_clean, plan, wait, wants_restart,
};

const SEGV: Signal = Signal(11);
const STOP: Order = Order::Stop { term: None };

// ---- whether it is restarted: policy and exit ----------------------------------

/// Every way in which a run can end without our asking, and whether each policy in
/// the order of the head restarts it (semantics.md B1).
fn causes() -> Vec<(Exit, &'static str)> {
    let fault = StartFault {
        stage: Stage::Exec,
        errno: 2,
    };
    let core = Exit::Signal {
        signal: SEGV,
        core: true,
    };
    vec![
        // no, always, on-success, on-failure, on-abnormal, on-abort, on-watchdog
        (code(0), ".xx...."),
        (signal(Signal::HUP), ".xx...."),
        (signal(Signal::INT), ".xx...."),
        (signal(Signal::TERM), ".xx...."),
        (signal(Signal::PIPE), ".xx...."),
        (code(1), ".x.x..."),
        (Exit::StartFault(fault), ".x.x..."),
        (signal(SEGV), ".x.xxx."),
        (core, ".x.xxx."),
        (signal(Signal::KILL), ".x.xxx."),
        (Exit::Vanished, ".x.xx.."),
        (Exit::Timeout(Timeout::Start), ".x.xx.."),
        (Exit::OutOfMemory, ".x.xx.."),
        (Exit::Watchdog, ".x.xx.x"),
        (Exit::Unhealthy, ".x.xx.x"),
    ]
}

#[test]
fn systemds_table_decides() {
    for (exit, row) in causes() {
        for (column, restarts) in row.chars().enumerate() {
            let (name, restart) = RestartPolicy::NAMES[column];
            let life = Life {
                restart,
                ..Life::default()
            };
            assert_eq!(
                wants_restart(&life, exit),
                restarts == 'x',
                "{name}, {exit:?}"
            );
        }
    }
}

#[test]
fn erlangs_and_dockers_names_are_aliases() {
    let named = |name| {
        RestartPolicy::NAMES
            .iter()
            .find(|(n, _)| *n == name)
            .unwrap()
            .1
    };
    assert_eq!(named("permanent"), named("always"));
    assert_eq!(named("transient"), named("on-failure"));
    assert_eq!(named("temporary"), named("no"));
    assert_eq!(named("unless-stopped"), named("always"));
    assert_eq!(RestartPolicy::Always.name(), "always");
}

#[test]
fn lists_come_before_the_policy_and_prevent_before_force() {
    let seven = || Box::new([ExitMatch::Code(7), ExitMatch::Signal(SEGV)]) as Box<[ExitMatch]>;
    let no = Life {
        restart: RestartPolicy::No,
        ..Life::default()
    };
    let always = Life {
        restart: RestartPolicy::Always,
        ..Life::default()
    };
    for exit in [
        code(7),
        signal(SEGV),
        Exit::Signal {
            signal: SEGV,
            core: true,
        },
    ] {
        let forced = Life {
            force_exit: seven(),
            ..no.clone()
        };
        let prevented = Life {
            prevent_exit: seven(),
            ..always.clone()
        };
        let both = Life {
            force_exit: seven(),
            ..prevented.clone()
        };
        assert!(wants_restart(&forced, exit), "forced {exit:?}");
        assert!(!wants_restart(&prevented, exit), "prevented {exit:?}");
        assert!(!wants_restart(&both, exit), "both {exit:?}");
        assert!(!wants_restart(&forced, code(8)) && wants_restart(&prevented, code(8)));
    }
}

#[test]
fn success_exit_makes_an_exit_clean_whatever_the_policy() {
    let mut life = Life {
        success_exit: Box::new([ExitMatch::Code(3)]),
        ..Life::default()
    };
    assert!(is_clean(&life, code(3)) && !is_clean(&life, code(4)));
    assert!(!wants_restart(&life, code(3)), "on-failure");
    life.restart = RestartPolicy::OnSuccess;
    assert!(wants_restart(&life, code(3)), "on-success");
}

// ---- how long it waits: backoff ------------------------------------------------

#[test]
fn waits_double_from_5_to_60_seconds() {
    let waits = [1, 2, 3, 4, 5, 6].map(|nth| wait(&Backoff::default(), nth).as_secs());
    assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
}

#[test]
fn a_flapping_child_waits_longer_each_time() {
    let mut story = Story::up([with("a", |life| life.budget.max_restarts = None)]);
    let waits = [(); 6].map(|()| {
        story.ends("a", code(1));
        let before = story.now;
        story.sleep_past_saves();
        assert_eq!(story.starts("a"), "");
        (story.now - before) / 1000
    });
    assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
}

#[test]
fn a_failed_start_costs_what_a_crash_costs() {
    let mut story = Story::new([child("a")]);
    assert_eq!(story.fails_to_start("a"), "");
    assert_eq!(story.due(), Some((5_000, Due::Restart(story.member("a")))));
    assert_eq!(story.child("a").streak(), 1);
    assert_eq!(story.child("a").window().made().len(), 1);
}

#[test]
fn only_settling_begins_the_waits_anew() {
    for (up_for, next_wait) in [(59_999, 10), (60_000, 5)] {
        let mut story = Story::up([child("a")]);
        story.ends("a", code(1));
        story.sleep();
        story.starts("a");
        story.now += up_for;
        story.ends("a", code(1));
        let (at, _) = story.due().unwrap();
        assert_eq!(at - story.now, next_wait * 1000, "up for {up_for} ms");
    }
}

#[test]
fn settling_says_recovered_and_then_nothing_is_due() {
    let mut story = Story::up([child("a")]);
    story.ends("a", code(1));
    story.sleep();
    story.starts("a");
    let settles = (story.now + 60_000, Due::Settle(story.member("a")));
    assert_eq!(story.sleep_past_saves(), settles);
    assert_eq!(story.told, ["Recovered"]);
    story.sleep_past_saves_to_rest();
    assert_eq!(story.due(), None, "idle means idle");
}

#[test]
fn nothing_is_due_when_all_is_up_and_settled() {
    let story = Story::up([child("a"), needs("b", &["a"])]);
    assert_eq!(story.due(), None);
}

// ---- how often: budget ---------------------------------------------------------

/// Crashes of a fresh, always instantly restarted child until it is over.
fn crashes_until_over(max_restarts: Option<u16>) -> Option<u32> {
    let mut story = Story::up([with("a", |life| {
        life.budget.max_restarts = max_restarts;
        life.backoff.first = Duration::ZERO;
    })]);
    (1..=50).find(|_| {
        story.ends("a", code(1));
        let over = matches!(story.phase("a"), Phase::Over(Over::GaveUp));
        if !over {
            story.starts("a");
        }
        over
    })
}

#[test]
fn five_restarts_are_made_and_the_sixth_is_not() {
    assert_eq!(crashes_until_over(Some(5)), Some(6));
    assert_eq!(crashes_until_over(Some(1)), Some(2));
    assert_eq!(crashes_until_over(Some(0)), Some(1), "0: never restart");
    assert_eq!(crashes_until_over(None), None, "unlimited");
}

#[test]
fn an_entry_exactly_one_window_old_still_counts() {
    let budget = Budget {
        max_restarts: Some(2),
        window: secs(10),
        ..Budget::default()
    };
    let at = Uptime::from_millis;
    let mut window = Intensity::new(&budget);
    assert!(window.admit(&budget, at(0)) && window.admit(&budget, at(4_000)));
    assert!(!window.admit(&budget, at(10_000)), "0 is exactly 10 s ago");
    assert!(window.admit(&budget, at(10_001)), "0 slid out");
    assert!(!window.admit(&budget, at(14_000)), "4 is exactly 10 s ago");
    assert!(window.admit(&budget, at(14_001)));
    assert_eq!(window.recent(&budget, at(20_001)), 2);
    assert_eq!(window.recent(&budget, at(20_002)), 1);
}

/// A child `a` that may not be restarted once, and has just crashed.
fn spent(on_limit: OnLimit) -> Story {
    let mut story = Story::up([with("a", |life| {
        life.budget = Budget {
            max_restarts: Some(0),
            on_limit,
            ..Budget::default()
        };
    })]);
    story.did = story.ends("a", code(1));
    story
}

#[test]
fn giving_up_is_final_until_start_or_reset() {
    for order in [Order::Start, Order::Reset, Order::Restart] {
        let mut story = spent(OnLimit::GiveUp);
        assert_eq!(story.told, ["Ended", "GaveUp"]);
        story.sleep_past_saves_to_rest();
        assert_eq!(story.due(), None);
        assert_eq!(story.order("a", order), "spawn a#2", "{order:?}");
        assert!(story.child("a").window().made().is_empty() && !story.child("a").is_trial());
    }
}

#[test]
fn a_parked_child_gets_one_try_each_hour() {
    let mut story = spent(OnLimit::Park(secs(3600)));
    assert_eq!(story.told, ["Ended", "Parked"]);
    for nth in 2..5 {
        let parked_at = story.now;
        story.sleep_past_saves();
        assert_eq!(story.now - parked_at, 3_600_000, "an hour, and no growing");
        assert_eq!(story.did, format!("spawn a#{nth}"));
        story.starts("a");
        story.ends("a", code(1));
        assert_eq!(
            story.told,
            ["Ended", "Parked"],
            "a failed try parks at once"
        );
    }
}

#[test]
fn a_try_that_settles_makes_the_budget_whole() {
    let mut story = Story::up([with("a", |life| {
        life.budget.max_restarts = Some(1);
        life.budget.window = secs(100_000);
        life.budget.on_limit = OnLimit::Park(secs(3600));
    })]);
    story.ends("a", code(1));
    story.sleep_past_saves();
    story.starts("a");
    story.ends("a", code(1));
    story.sleep_past_saves();
    story.starts("a");
    assert!(story.child("a").is_trial());
    story.now += 60_000;
    assert_eq!(story.ends("a", code(1)), "");
    assert_eq!(story.told, ["Recovered", "Ended", "Restarting"]);
}

#[test]
fn a_parked_child_that_is_stopped_by_hand_is_not_tried() {
    let mut story = spent(OnLimit::Park(secs(3600)));
    assert_eq!(story.order("a", STOP), "");
    story.sleep_past_saves_to_rest();
    assert_eq!(story.due(), None);
    assert_eq!(story.order("a", Order::Start), "spawn a#2");
}

#[test]
fn what_was_parked_is_tried_at_once_where_nobody_parks_any_more() {
    let mut story = spent(OnLimit::Park(secs(3600)));
    let memory = story.memory();
    story.reload(vec![with("a", |life| life.budget.max_restarts = Some(0))]);
    assert_eq!(story.with_memory(&memory, false).did, "spawn a#2");
}

#[test]
fn escalation_stops_everything_and_ends_without_success() {
    let mut story = Story::up([
        child("b"),
        with("a", |life| {
            life.budget = Budget {
                max_restarts: Some(0),
                on_limit: OnLimit::Escalate,
                ..Budget::default()
            };
        }),
    ]);
    assert_eq!(story.ends("a", code(1)), "TERM b; CONT b");
    assert_eq!(
        story.told,
        [
            "Ended",
            "Escalated",
            "GroupFailed",
            "ShuttingDown",
            "Stopping"
        ]
    );
    assert_eq!(story.ends("b", signal(Signal::TERM)), "end false");
}

#[test]
fn what_escalated_gets_one_try_from_the_next_sup() {
    let story = spent(OnLimit::Escalate);
    let mut next = story.restarted_sup();
    assert_eq!(next.did, "spawn a#2");
    next.starts("a");
    assert_eq!(next.ends("a", code(1)), "end false");
}

#[test]
fn a_lone_command_ends_sup_when_it_is_over_but_not_while_it_is_parked() {
    let lone = |change: fn(&mut Life)| {
        let mut story = Story::lone(with("a", change));
        story.starts("a");
        story
    };
    assert_eq!(lone(|_| {}).ends("a", code(0)), "end true");
    assert_eq!(
        lone(|life| life.budget.max_restarts = Some(0)).ends("a", code(1)),
        "end false"
    );
    let mut parked = lone(|life| {
        life.budget.max_restarts = Some(0);
        life.budget.on_limit = OnLimit::Park(secs(60));
    });
    assert_eq!(parked.ends("a", code(1)), "");
}

// ---- memory: a restart of sup, a reboot ----------------------------------------

#[test]
fn given_up_stays_given_up_when_sup_restarts() {
    let next = spent(OnLimit::GiveUp).restarted_sup();
    assert_eq!(next.did, "");
    assert_eq!(*next.phase("a"), Phase::Over(Over::GaveUp));
}

#[test]
fn a_reboot_gives_exactly_one_try() {
    let mut next = spent(OnLimit::GiveUp).rebooted();
    assert_eq!(next.did, "spawn a#2");
    assert_eq!(next.memory().children[0].credit, Credit::Trial);
    next.starts("a");
    assert_eq!(next.ends("a", code(1)), "");
    assert_eq!(next.told, ["Ended", "GaveUp"]);
}

#[test]
fn backoff_and_window_survive() {
    let mut story = Story::up([child("a")]);
    for _ in 0..3 {
        story.ends("a", code(1));
        story.sleep();
        story.starts("a");
    }
    let window = story.child("a").window().made().to_vec();
    for mut next in [story.restarted_sup(), story.rebooted()] {
        assert_eq!(next.did, "spawn a#5", "numbers go on");
        assert_eq!(next.child("a").window().made(), window);
        next.starts("a");
        next.ends("a", code(1));
        assert_eq!(next.due().unwrap().0, next.now + 40_000, "the fourth wait");
    }
}

#[test]
fn a_wait_survives_a_restart_of_sup_but_grows_no_longer() {
    let mut story = Story::up([child("a")]);
    story.ends("a", code(1));
    story.now += 2_000;
    let next = story.restarted_sup();
    assert_eq!((&*next.did, next.due().unwrap().0), ("", 5_000));
    story.now += 60_000;
    assert_eq!(story.restarted_sup().did, "spawn a#2", "long over");
    assert_eq!(story.rebooted().did, "spawn a#2", "no wait over a reboot");
}

#[test]
fn a_clock_that_went_back_delays_no_start_beyond_its_wait() {
    let mut story = Story::up([child("a")]);
    story.now = 50_000_000;
    story.ends("a", code(1));
    let memory = story.memory();
    story.now = 1_000;
    let next = story.with_memory(&memory, false);
    assert_eq!(next.due().unwrap().0, 6_000);
}

#[test]
fn a_stop_by_hand_survives_everything() {
    let mut story = Story::up([child("a")]);
    story.order("a", STOP);
    story.ends("a", code(0));
    assert_eq!(story.restarted_sup().did, "");
    assert_eq!(story.rebooted().did, "");
    assert_eq!(story.rebooted().child("a").hold(), Hold::Down);
}

#[test]
fn what_is_read_back_is_what_was_written() {
    let mut story = Story::up([child("a"), child("b"), child("c")]);
    story.ends("a", code(1));
    story.order(
        "b",
        Order::Stop {
            term: Some(secs(60)),
        },
    );
    story.ends("b", code(0));
    story.now += 100;
    let memory = story.memory();
    assert_eq!(
        story.with_memory(&memory, false).memory().children[..2],
        memory.children[..2]
    );
}

// ---- orders in every phase -----------------------------------------------------

/// Brings child `a` into a phase.
fn in_phase(phase: &str) -> Story {
    let slow = |life: &mut Life| life.budget.max_restarts = Some(1);
    let mut spec = with("a", slow);
    match phase {
        "idle" => spec.life.autostart = false,
        "readying" | "late" => spec.launch.ready = Ready::Notify,
        "gave up" => spec.life.budget.max_restarts = Some(0),
        "parked" => {
            spec.life.budget.max_restarts = Some(0);
            spec.life.budget.on_limit = OnLimit::Park(secs(3600));
        }
        _ => {}
    }
    let mut story = Story::new([spec]);
    if !["idle", "starting"].contains(&phase) {
        story.starts("a");
    }
    match phase {
        "idle" | "starting" | "readying" | "up" => {}
        "late" => {
            story.now += 90_000;
            story.event(Event::Tick);
        }
        "stopping" => drop(story.order("a", STOP)),
        "clearing" => drop(story.ends_leaving("a", code(1))),
        "waiting" | "gave up" | "parked" => drop(story.ends("a", code(1))),
        "finished" => drop(story.ends("a", code(0))),
        other => unreachable!("{other}"),
    }
    story
}

const PHASES: [&str; 11] = [
    "idle", "starting", "readying", "up", "late", "stopping", "clearing", "waiting", "gave up",
    "parked", "finished",
];

/// What an order does in each of [`PHASES`]; `-` is an order that changes nothing.
fn expect(order: Order, rows: [&str; 11]) {
    for (phase, expected) in PHASES.into_iter().zip(rows) {
        let mut story = in_phase(phase);
        let did = story.order("a", order);
        let (answer, saved) = (story.answer.unwrap(), story.saved);
        let brief = match answer {
            Answer::Accepted => did,
            Answer::Unchanged if did.is_empty() => "-".into(),
            Answer::Unchanged
            | Answer::NotRunning
            | Answer::Ending
            | Answer::GroupDown(_)
            | Answer::RequirementDown(_) => format!("{answer:?} {did}"),
        };
        assert_eq!(brief, expected, "{order:?} while {phase}");
        assert_eq!(
            saved,
            answer == Answer::Accepted,
            "{order:?} while {phase}: on disk before the answer"
        );
    }
}

#[test]
fn start_in_every_phase() {
    let now = "spawn a#2";
    expect(
        Order::Start,
        ["spawn a#1", "-", "-", "-", "", "", "", now, now, now, now],
    );
}

#[test]
fn stop_in_every_phase() {
    let term = "TERM a; CONT a";
    expect(STOP, ["", "", term, term, "", "", "", "", "", "", ""]);
    expect(
        Order::Stop {
            term: Some(secs(9)),
        },
        ["", "", term, term, "", "", "", "", "", "", ""],
    );
}

#[test]
fn restart_in_every_phase() {
    let (term, now) = ("TERM a; CONT a", "spawn a#2");
    expect(
        Order::Restart,
        ["spawn a#1", "", term, term, "", "", "", now, now, now, now],
    );
}

#[test]
fn reset_in_every_phase() {
    let now = "spawn a#2";
    expect(
        Order::Reset,
        ["", "", "", "", "", "", "", now, now, now, ""],
    );
}

#[test]
fn signal_in_every_phase() {
    let (hup, none) = ("Unchanged HUP a (main)", "NotRunning ");
    expect(
        Order::Signal(Signal::HUP),
        [none, none, hup, hup, hup, hup, none, none, none, none, none],
    );
}

#[test]
fn a_start_while_its_old_run_ends_is_carried_out_when_that_is_gone() {
    for order in [Order::Start, Order::Restart] {
        for phase in ["late", "stopping"] {
            let mut story = in_phase(phase);
            story.order("a", order);
            assert_eq!(
                story.ends("a", code(1)),
                "spawn a#2",
                "{order:?} while {phase}"
            );
            assert_eq!(story.child("a").streak(), 0, "not charged");
        }
        let mut story = in_phase("clearing");
        story.order("a", order);
        assert_eq!(story.cleared("a"), "spawn a#2", "{order:?} while clearing");
    }
}

#[test]
fn a_start_by_hand_begins_with_a_whole_budget() {
    let mut story = in_phase("waiting");
    story.order("a", Order::Start);
    assert!(story.child("a").window().made().is_empty());
    let mut story = in_phase("waiting");
    story.order("a", STOP);
    story.order("a", Order::Start);
    assert!(story.child("a").window().made().is_empty());
}

#[test]
fn stop_beats_a_restart_in_flight() {
    let mut story = in_phase("up");
    story.order("a", Order::Restart);
    story.order("a", STOP);
    assert_eq!(story.ends("a", code(0)), "");
    let mut waiting = in_phase("waiting");
    waiting.order("a", STOP);
    waiting.sleep_past_saves_to_rest();
    assert_eq!((waiting.due(), waiting.child("a").runs()), (None, 1));
}

#[test]
fn stop_while_starting_stops_what_then_starts() {
    let mut story = in_phase("starting");
    story.order("a", STOP);
    assert_eq!(story.starts("a"), "TERM a; CONT a");
    let mut story = in_phase("starting");
    story.order("a", STOP);
    assert_eq!(story.fails_to_start("a"), "");
    assert_eq!(story.child("a").streak(), 0);
}

#[test]
fn a_stop_that_we_asked_for_is_never_charged() {
    for order in [STOP, Order::Restart] {
        let mut story = in_phase("up");
        story.order("a", order);
        story.ends("a", signal(SEGV));
        let child = story.child("a");
        assert_eq!(
            (
                child.streak(),
                child.failures(),
                child.window().made().len()
            ),
            (0, 0, 0)
        );
    }
}

#[test]
fn when_the_term_is_over_it_comes_back() {
    let mut story = in_phase("up");
    story.order(
        "a",
        Order::Stop {
            term: Some(secs(7200)),
        },
    );
    story.ends("a", code(0));
    assert_eq!(story.due(), Some((7_200_000, Due::Term(story.member("a")))));
    story.sleep();
    assert_eq!(story.did, "spawn a#2");
    assert_eq!(story.told, ["TermOver"]);
}

#[test]
fn orders_are_refused_for_the_unknown_and_at_the_end() {
    let mut story = in_phase("up");
    story.event(Event::Shutdown);
    story.order("a", Order::Start);
    assert_eq!(story.answer, Some(Answer::Ending));
}

// ---- how a stop goes -----------------------------------------------------------

#[test]
fn stop_is_signal_cont_and_later_kill() {
    let mut story = Story::up([with("a", |life| life.stop.signal = Signal::INT)]);
    assert_eq!(story.order("a", STOP), "INT a; CONT a");
    assert_eq!(story.due(), Some((10_000, Due::Kill(story.id("a")))));
    story.sleep();
    assert_eq!(story.did, "KILL a");
    assert_eq!(story.due(), None, "said once");
    story.ends("a", signal(Signal::KILL));
    let last = *story.child("a").exits().next_back().unwrap();
    assert_eq!(
        (last.exit, last.asked),
        (Exit::Timeout(Timeout::Stop), true)
    );
}

#[test]
fn without_a_stop_timeout_there_is_no_kill() {
    let mut story = Story::up([with("a", |life| life.stop.timeout = None)]);
    story.order("a", STOP);
    assert_eq!(story.due(), None);
}

#[test]
fn not_ready_in_time_is_stopped_and_charged() {
    let mut story = in_phase("readying");
    assert_eq!(
        story.due(),
        Some((90_000, Due::StartTimeout(story.id("a"))))
    );
    story.sleep();
    assert_eq!(story.did, "TERM a; CONT a");
    story.ends("a", code(0));
    assert_eq!(
        story.child("a").exits().next().unwrap().exit,
        Exit::Timeout(Timeout::Start)
    );
    assert!(matches!(story.phase("a"), Phase::Waiting { .. }));
}

#[test]
fn leftovers_get_the_same_signals_and_looks_that_grow_rare() {
    let mut story = in_phase("up");
    assert_eq!(story.ends_leaving("a", code(1)), "TERM a; CONT a");
    let mut seen = Vec::new();
    while story.now < 13_000 {
        story.sleep_past_saves();
        seen.push((story.now, story.did.clone()));
    }
    let when: Vec<i64> = seen.iter().take(7).map(|(at, _)| *at).collect();
    assert_eq!(when, [20, 60, 140, 300, 620, 1_260, 2_260]);
    assert!(seen.contains(&(10_000, "KILL a".into())));
    assert_eq!(
        seen.last().unwrap().1,
        "KILL a; look a",
        "after the KILL, each look kills"
    );
    assert_eq!(story.cleared("a"), "spawn a#2", "its wait is long over");
}

// ---- the end of everything -----------------------------------------------------

#[test]
fn shutdown_goes_in_reverse_and_in_parallel_where_it_may() {
    let mut story = Story::up([
        child("a"),
        needs("b", &["a"]),
        needs("c", &["a"]),
        child("d"),
    ]);
    assert_eq!(
        story.event(Event::Shutdown),
        "TERM d; CONT d; TERM c; CONT c; TERM b; CONT b"
    );
    assert_eq!(story.ends("b", code(0)), "");
    assert_eq!(story.ends("c", code(0)), "TERM a; CONT a");
    assert_eq!(story.ends("d", code(0)), "");
    assert_eq!(story.ends("a", code(0)), "end true");
    assert!(story.saved);
}

#[test]
fn shutdown_kills_at_its_deadline_and_leaves_two_seconds_later() {
    let mut story = Story::up([
        with("a", |life| life.stop.timeout = None),
        needs("b", &["a"]),
    ]);
    assert_eq!(story.event(Event::Shutdown), "TERM b; CONT b");
    story.sleep();
    assert_eq!(
        (story.now, &*story.did),
        (10_000, "KILL b"),
        "its own stop-timeout"
    );
    story.sleep();
    assert_eq!((story.now, &*story.did), (20_000, "TERM a; CONT a; KILL a"));
    story.sleep();
    assert_eq!((story.now, &*story.did), (22_000, "end true"));
}

#[test]
fn a_second_shutdown_kills_at_once_and_a_third_gains_no_time() {
    let mut story = Story::up([child("a"), needs("b", &["a"])]);
    story.event(Event::Shutdown);
    story.now = 500;
    assert_eq!(
        story.event(Event::Shutdown),
        "TERM a; CONT a; KILL a; KILL b"
    );
    for now in [1_000, 2_000] {
        story.now = now;
        assert_eq!(story.event(Event::Shutdown), "");
    }
    story.sleep();
    assert_eq!((story.now, &*story.did), (2_500, "end true"));
}

#[test]
fn what_starts_after_the_last_kill_is_killed_too() {
    let mut story = in_phase("starting");
    assert_eq!(story.event(Event::Shutdown), "");
    assert_eq!(story.event(Event::Shutdown), "");
    assert_eq!(story.starts("a"), "TERM a; CONT a; KILL a");
}

#[test]
fn nothing_starts_while_everything_ends() {
    let mut story = Story::up([child("a"), child("b")]);
    story.event(Event::Shutdown);
    assert_eq!(story.ends("a", code(1)), "");
    assert_eq!(story.child("a").streak(), 0, "and nothing is charged");
    assert_eq!(story.ends("b", code(1)), "end true");
}

// ---- dependencies --------------------------------------------------------------

#[test]
fn who_waits_starts_when_the_other_is_ready() {
    for link in ["after", "requires"] {
        let mut a = child("a");
        a.launch.ready = Ready::Notify;
        let b = with("b", |life| match link {
            "after" => life.after = Box::new(["a".into()]),
            _ => life.requires = Box::new(["a".into()]),
        });
        let mut story = Story::new([b, a]);
        assert_eq!(story.did, "spawn a#1", "{link}");
        assert_eq!(
            story.event(Event::Started {
                run: story.run("a"),
                pid: 7
            }),
            ""
        );
        assert_eq!(story.ready("a"), "spawn b#1", "{link}");
    }
}

#[test]
fn work_that_is_done_counts_as_ready() {
    let mut story = Story::new([child("a"), needs("b", &["a"]), child("c")]);
    story.starts("a");
    story.starts("b");
    story.ends("a", code(0));
    assert_eq!(story.ends("b", code(1)), "");
    story.sleep();
    assert_eq!(story.did, "spawn b#2");
}

#[test]
fn work_that_is_done_stops_nobody_while_its_leftovers_are_cleared() {
    let mut story = Story::up([child("a"), needs("b", &["a"])]);
    assert_eq!(story.ends_leaving("a", code(0)), "TERM a; CONT a");
    assert_eq!(story.cleared("a"), "");
}

#[test]
fn after_waits_for_nothing_that_will_not_come_and_requires_does() {
    let down = with("a", |life| life.autostart = false);
    let after = with("b", |life| life.after = Box::new(["a".into()]));
    let story = Story::new([down, after, needs("c", &["a"])]);
    assert_eq!(story.did, "spawn b#1");
    assert_eq!(story.sup.blocked_by(story.id("c")), Some(story.member("a")));
}

#[test]
fn a_requirement_stopped_by_hand_takes_its_dependents_along_and_brings_them_back() {
    let mut story = Story::up([child("a"), needs("b", &["a"]), needs("c", &["b"])]);
    assert_eq!(story.order("a", STOP), "TERM c; CONT c");
    assert_eq!(story.ends("c", code(0)), "TERM b; CONT b");
    assert_eq!(story.ends("b", code(0)), "TERM a; CONT a");
    assert_eq!(story.ends("a", code(0)), "");
    assert_eq!(story.order("a", Order::Start), "spawn a#2");
    assert_eq!(story.starts("a"), "spawn b#2");
    assert_eq!(story.starts("b"), "spawn c#2");
}

#[test]
fn a_start_that_undoes_a_stop_of_a_requirement_is_accepted_and_saved() {
    let mut story = Story::up([child("a"), needs("b", &["a"]), needs("c", &["b"])]);
    story.order("a", STOP);
    story.order("b", Order::Start);
    assert_eq!((story.answer, story.saved), (Some(Answer::Accepted), true));
    assert_eq!(story.child("a").hold(), Hold::None);
}

#[test]
fn a_requirement_that_crashes_and_comes_back_leaves_its_dependents_alone() {
    let mut story = Story::up([child("a"), needs("b", &["a"])]);
    assert_eq!(story.ends("a", code(1)), "");
    story.sleep();
    assert_eq!(story.starts("a"), "");
    assert_eq!(story.child("b").runs(), 1);
}

#[test]
fn a_requirement_that_gave_up_holds_its_dependents_and_says_so_once() {
    let hopeless = with("a", |life| life.budget.max_restarts = Some(0));
    let mut story = Story::up([hopeless, needs("b", &["a"])]);
    assert_eq!(story.ends("a", code(1)), "TERM b; CONT b");
    assert_eq!(story.told, ["Ended", "GaveUp", "Held", "Stopping"]);
    story.ends("b", code(0));
    story.event(Event::Tick);
    assert!(story.told.is_empty());
    assert_eq!(story.order("b", Order::Start), "spawn a#2", "pulls it in");
    assert_eq!(story.starts("a"), "spawn b#2");
}

#[test]
fn starting_a_child_starts_each_missing_requirement_once() {
    // Thirty layers of two, each requiring both below: two to the thirty paths.
    let name = |layer: usize, side| format!("{side}{layer}");
    let mut children = vec![child("l0"), child("r0")];
    for layer in 1..30 {
        for side in ["l", "r"] {
            let below = [name(layer - 1, "l"), name(layer - 1, "r")];
            children.push(needs(&name(layer, side), &[&below[0], &below[1]]));
        }
    }
    let mut story = Story::new(children);
    story.order("l0", STOP);
    story.order("r0", STOP);
    story.starts("l0");
    story.starts("r0");
    story.ends("l0", code(0));
    story.ends("r0", code(0));
    assert_eq!(story.order("l29", Order::Start), "spawn l0#2; spawn r0#2");
}

// ---- a new configuration -------------------------------------------------------

#[test]
fn reload_touches_only_what_changed() {
    let old = ["kept", "adjusted", "restarted", "removed"].map(child);
    let mut story = Story::up(old);
    let ids = ["kept", "adjusted", "restarted"].map(|name| story.id(name));
    let mut restarted = child("restarted");
    restarted.launch.umask = Some(0o22);
    let adjusted = with("adjusted", |life| life.backoff.first = secs(1));
    let new = vec![child("added"), restarted, adjusted, child("kept")];
    let changes: Vec<Change> = plan(&story.sup, &Tree::from(new.clone()))
        .into_iter()
        .map(|(_, what)| what)
        .collect();
    let expected = [
        Change::Added,
        Change::Restarted,
        Change::Adjusted,
        Change::Kept,
        Change::Removed,
    ];
    assert_eq!(changes, expected);
    let did = story.reload(new);
    assert!(did.starts_with("spawn added#1"), "{did}");
    assert!(did.contains("TERM restarted; CONT restarted"), "{did}");
    assert!(did.contains("TERM removed; CONT removed"), "{did}");
    assert_eq!(did.matches("TERM").count(), 2, "{did}");
    assert_eq!(
        ["kept", "adjusted", "restarted"].map(|name| story.id(name)),
        ids
    );
    assert_eq!(story.ends("restarted", code(0)), "spawn restarted#2");
    assert_eq!(story.child("restarted").streak(), 0, "not charged");
}

#[test]
fn output_that_goes_elsewhere_restarts_a_child_unless_our_pipe_stays() {
    let file = || {
        LogSpec::File(LogFile {
            path: "/log".into(),
            max_size: 1,
            keep: 1,
            timestamps: false,
        })
    };
    let table = [
        (LogSpec::Ring, file(), Change::Adjusted),
        (file(), LogSpec::Null, Change::Restarted),
        (LogSpec::Null, LogSpec::Inherit, Change::Restarted),
        (LogSpec::Inherit, LogSpec::Ring, Change::Restarted),
    ];
    for (old, new, expected) in table {
        let of = |log: &LogSpec| ChildSpec {
            log: log.clone(),
            ..child("a")
        };
        assert_eq!(change(&of(&old), &of(&new)), expected, "{old:?} {new:?}");
    }
}

#[test]
fn a_child_that_comes_back_while_it_leaves_keeps_its_place() {
    let mut story = Story::up([child("a"), child("b")]);
    let id = story.id("a");
    assert_eq!(story.reload(vec![child("b")]), "TERM a; CONT a");
    assert_eq!(story.reload(vec![child("a"), child("b")]), "");
    assert_eq!(story.id("a"), id);
    assert_eq!(story.ends("a", code(0)), "spawn a#2");
}

#[test]
fn late_news_of_a_removed_child_finds_nobody() {
    let mut story = Story::up([child("a")]);
    let (id, run) = (story.id("a"), story.run("a"));
    story.reload(vec![]);
    story.ends("a", code(0));
    assert_eq!(
        story.reload(vec![child("b")]),
        "spawn b#2",
        "its place, and its numbers go on"
    );
    assert_eq!(story.id("b"), id);
    story.starts("b");
    assert_eq!(
        story.event(Event::Exited {
            run,
            exit: code(1),
            left: false
        }),
        ""
    );
    assert!(matches!(story.phase("b"), Phase::Up { .. }));
}

#[test]
fn given_up_is_tried_again_with_a_new_command_and_not_with_new_rules() {
    let mut story = spent(OnLimit::GiveUp);
    assert_eq!(
        story.reload(vec![with("a", |life| life.start_timeout = None)]),
        ""
    );
    let mut mended = child("a");
    mended.launch.umask = Some(0o77);
    assert_eq!(story.reload(vec![mended]), "spawn a#2");
}

#[test]
fn a_removed_requirement_stops_last() {
    let mut story = Story::up([child("a"), needs("b", &["a"])]);
    assert_eq!(story.reload(vec![]), "TERM b; CONT b");
    assert_eq!(story.ends("b", code(0)), "TERM a; CONT a");
}

#[test]
fn late_and_double_news_changes_nothing() {
    let mut story = in_phase("up");
    let run = story.run("a");
    story.ends("a", code(1));
    let streak = story.child("a").streak();
    for event in [
        Event::Exited {
            run,
            exit: code(1),
            left: false,
        },
        Event::Ready { run },
        Event::Cleared { run },
    ] {
        assert_eq!(story.event(event), "", "{event:?}");
        assert!(story.told.is_empty());
    }
    assert_eq!(story.child("a").streak(), streak);
}

// ---- adoption -----------------------------------------------------------------

#[test]
fn what_runs_is_adopted_and_not_started_again() {
    let mut next = in_phase("up").killed();
    assert_eq!(next.event(Event::Tick), "");
    assert!(matches!(next.phase("a"), Phase::Up { process, .. } if process.run.nth == 1));
    // The next run has the next number.
    next.order("a", Order::Restart);
    assert_eq!(next.ends("a", Exit::Vanished), "spawn a#2");
}

#[test]
fn what_vanished_while_nobody_listened_is_charged_once() {
    let mut next = in_phase("up").killed();
    let run = next.run("a");
    let gone = Event::Exited {
        run,
        exit: Exit::Vanished,
        left: false,
    };
    next.event(gone);
    assert_eq!(next.child("a").streak(), 1);
    assert!(matches!(next.phase("a"), Phase::Waiting { .. }));
    next.event(gone);
    assert_eq!(next.child("a").streak(), 1, "said twice");
}

#[test]
fn what_a_person_stopped_is_stopped_by_the_next_sup_too() {
    let mut story = in_phase("up");
    story.order("a", STOP);
    let mut next = story.killed();
    next.event(Event::Tick);
    assert!(matches!(next.phase("a"), Phase::Stopping { .. }));
}
