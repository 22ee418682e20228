//! Checks and watchdogs: Docker's machine as a table, then what follows from it.

use sup::model::check::{CheckSpec, Health, Kind, OnCritical, Rhythm};
use sup::model::spec::{Life, Ready, Watchdog};
use sup::model::{ChildSpec, Exit, Notice, RestartPolicy, Uptime};
use sup::policy::{Change, Check, Due, Event, Over, Phase, plan};

use crate::story::{Story, child, code, secs, with};
use crate::{STOP, Tree};

/// A check with the defaults, but for a part of its rhythm.
fn check(name: &str, rhythm: Rhythm) -> CheckSpec {
    CheckSpec {
        name: name.into(),
        kind: Kind::Process,
        rhythm,
        on_critical: OnCritical::Alert,
        readies: false,
    }
}

fn plain(name: &str) -> CheckSpec {
    check(name, Rhythm::default())
}

/// One that restarts its child.
fn strict(name: &str) -> CheckSpec {
    CheckSpec {
        on_critical: OnCritical::Restart,
        ..plain(name)
    }
}

fn checked(name: &str, checks: Vec<CheckSpec>) -> ChildSpec {
    with(name, |life| life.checks = checks.into())
}

fn health(letter: char) -> Health {
    match letter {
        'g' => Health::Healthy,
        'u' => Health::Unknown,
        'w' => Health::Warning,
        'c' => Health::Critical,
        _ => panic!("{letter}"),
    }
}

fn stands(story: &Story, name: &str) -> char {
    let checks = story.child(name).checks();
    match checks.and_then(|checks| checks.all()[0].health()) {
        None => '.',
        Some(Health::Healthy) => 'g',
        Some(Health::Unknown) => 'u',
        Some(Health::Warning) => 'w',
        Some(Health::Critical) => 'c',
    }
}

/// Answers to one probe after the other, each as soon as it is asked for.
fn answers(story: &mut Story, check: &str, letters: &str) {
    for letter in letters.chars() {
        while !story.did.contains("probe") {
            story.sleep();
        }
        story.probed(check, health(letter));
    }
}

// ---- the machine ----------------------------------------------------------------

#[test]
fn as_many_in_a_row_make_it_worse_and_one_makes_it_better() {
    // What each probe finds, and how the check stands after it; retries = 3.
    let table = [
        ("g", "g"),
        ("gcccg", "gggcg"),
        ("ccc", "..c"),
        ("ccg", "..g"),
        ("ccgcc", "..ggg"),
        ("gcgcgc", "gggggg"),
        ("gwww", "gggw"),
        // The level that three in a row were at least as bad as.
        ("gwcccc", "gggwcc"),
        ("gcwc", "gggw"),
        ("guuu", "gggu"),
        ("gucw", "gggu"),
        // One that is less bad is enough to get better.
        ("gcccw", "gggcw"),
        ("gcccu", "gggcu"),
        ("gcccwc", "gggcww"),
        ("gcccwccc", "gggcwwwc"),
    ];
    for (found, expected) in table {
        let mut story = Story::up([checked("a", vec![plain("x")])]);
        for (at, (letter, expected)) in found.chars().zip(expected.chars()).enumerate() {
            answers(&mut story, "x", &letter.to_string());
            assert_eq!(stands(&story, "a"), expected, "{found}, probe {at}");
        }
    }
}

#[test]
fn failures_in_the_start_period_count_only_after_a_first_success() {
    let rhythm = Rhythm {
        start_period: secs(60),
        ..Rhythm::default()
    };
    // Each 5 seconds while it has grace: eleven probes fall into the minute, the twelfth
    // comes when it is over.
    let table = [
        ("ccccccccccc", '.'),
        ("cccccccccccccc", 'c'),
        ("ccccccccccccc", '.'),
        ("cg", 'g'),
        ("cgccc", 'c'),
        ("wwwwww", '.'),
    ];
    for (found, expected) in table {
        let mut story = Story::up([checked("a", vec![check("x", rhythm)])]);
        answers(&mut story, "x", found);
        assert_eq!(stands(&story, "a"), expected, "{found}");
    }
}

#[test]
fn one_probe_follows_the_end_of_the_other() {
    let rhythm = Rhythm {
        start_period: secs(12),
        ..Rhythm::default()
    };
    let mut story = Story::up([checked("a", vec![check("x", rhythm)])]);
    let a = story.id("a");
    assert_eq!(story.sleep(), (5_000, Due::Probe(Some(a))));
    assert_eq!(story.did, "probe x");
    assert_eq!(story.due(), None, "nothing is due while it is being made");
    story.now = 9_000;
    story.probed("x", Health::Critical);
    assert_eq!(story.sleep(), (14_000, Due::Probe(Some(a))));
    story.probed("x", Health::Critical);
    assert_eq!(
        story.sleep(),
        (44_000, Due::Probe(Some(a))),
        "the grace is over"
    );
    story.probed("x", Health::Healthy);
    assert_eq!(story.sleep(), (74_000, Due::Probe(Some(a))));
}

#[test]
fn late_and_double_answers_change_nothing() {
    let mut story = Story::up([checked("a", vec![strict("x")])]);
    story.sleep();
    let (check, nth) = story.asked[0];
    let late = |nth| Event::Probed {
        check,
        nth,
        health: Health::Critical,
    };
    story.probed("x", Health::Healthy);
    for _ in 0..5 {
        assert_eq!(story.event(late(nth)), "");
        assert_eq!(story.event(late(nth + 1)), "");
    }
    assert_eq!(stands(&story, "a"), 'g');
    // Of a check that there is not.
    let none = sup::model::CheckId { place: 9, ..check };
    let event = Event::Probed {
        check: none,
        nth,
        health: Health::Critical,
    };
    assert_eq!(story.event(event), "");
}

#[test]
fn checks_whose_times_are_close_share_a_wake_up() {
    let close = Rhythm {
        interval: secs(31),
        ..Rhythm::default()
    };
    let far = Rhythm {
        interval: secs(40),
        ..Rhythm::default()
    };
    let checks = vec![plain("x"), check("y", close), check("z", far)];
    let mut story = Story::up([checked("a", checks)]);
    story.now = 30_700;
    story.event(Event::Tick);
    assert_eq!(story.did, "probe x; probe y");
    assert_eq!(story.sleep().0, 40_000);
    assert_eq!(story.did, "probe z");
}

// ---- what follows ------------------------------------------------------------------

#[test]
fn people_are_told_of_changes_and_of_nothing_else() {
    let mut story = Story::up([checked("a", vec![plain("x")])]);
    let mut told = Vec::new();
    for letter in "gggcccccwwwgggcgccc".chars() {
        answers(&mut story, "x", &letter.to_string());
        told.append(&mut story.told);
        assert!(!story.saved, "and nothing is written");
    }
    assert_eq!(told, ["x critical", "x warning", "x healthy", "x critical"]);
}

#[test]
fn a_critical_check_restarts_its_child_as_after_a_crash() {
    let mut story = Story::up([checked("a", vec![strict("x")])]);
    answers(&mut story, "x", "gcc");
    assert_eq!(story.did, "");
    answers(&mut story, "x", "c");
    assert_eq!(story.did, "TERM a; CONT a");
    assert_eq!(story.told, ["x critical", "Stopping"]);
    story.ends("a", code(0));
    assert_eq!(story.told, ["Ended", "Restarting"]);
    let last = story.child("a").exits().next_back().unwrap();
    assert_eq!((last.exit, last.asked), (Exit::Unhealthy, false));
    assert_eq!(story.child("a").failures(), 1);
    let at = story.now;
    assert_eq!(story.sleep_past_saves().0, at + 5_000, "its backoff");
    assert_eq!(story.did, "spawn a#2");
    story.starts("a");
    assert_eq!(stands(&story, "a"), '.', "its grace is whole again");
    answers(&mut story, "x", "cc");
    assert_eq!(stands(&story, "a"), '.');
    answers(&mut story, "x", "g");
    assert_eq!(story.told, ["x healthy"], "what was told is taken back");
}

#[test]
fn too_many_of_them_use_up_the_budget() {
    let mut story = Story::up([with("a", |life| {
        life.checks = vec![strict("x")].into();
        life.budget.max_restarts = Some(1);
        life.budget.window = secs(3_600);
    })]);
    for _ in 0..2 {
        answers(&mut story, "x", "ccc");
        story.ends("a", code(0));
        if story.told.contains(&"GaveUp".into()) {
            break;
        }
        story.sleep_past_saves();
        story.starts("a");
    }
    assert_eq!(*story.phase("a"), Phase::Over(Over::GaveUp));
}

#[test]
fn a_policy_that_asks_for_no_restart_holds_for_the_unhealthy_too() {
    let table = [
        (RestartPolicy::No, false),
        (RestartPolicy::OnSuccess, false),
        (RestartPolicy::OnWatchdog, true),
        (RestartPolicy::OnFailure, true),
    ];
    for (restart, comes_back) in table {
        let mut story = Story::up([with("a", |life: &mut Life| {
            life.restart = restart;
            life.checks = vec![strict("x")].into();
        })]);
        answers(&mut story, "x", "ccc");
        story.ends("a", code(0));
        let waits = matches!(story.phase("a"), Phase::Waiting { .. });
        assert_eq!(waits, comes_back, "{restart:?}");
    }
}

#[test]
fn a_check_never_overlaps_a_stop() {
    // Asked to end by a person while the probe is out: its answer makes no difference.
    let mut story = Story::up([checked("a", vec![strict("x")])]);
    answers(&mut story, "x", "cc");
    story.sleep();
    assert_eq!(story.did, "probe x");
    assert_eq!(story.order("a", STOP), "TERM a; CONT a");
    assert_eq!(story.probed("x", Health::Critical), "");
    assert!(story.told.is_empty());
    story.ends("a", code(0));
    assert_eq!(*story.phase("a"), Phase::Idle);
    assert_eq!(story.child("a").failures(), 0);
    // The other way round: a person's word outweighs the check's.
    let mut story = Story::up([checked("a", vec![strict("x")])]);
    answers(&mut story, "x", "ccc");
    assert_eq!(story.did, "TERM a; CONT a");
    assert_eq!(story.order("a", STOP), "");
    story.ends("a", code(0));
    story.sleep_past_saves_to_rest();
    assert_eq!(*story.phase("a"), Phase::Idle, "and it stays down");
}

#[test]
fn a_probe_of_the_former_run_says_nothing_of_the_next_and_is_not_doubled() {
    let mut story = Story::up([with("a", |life| {
        life.checks = vec![strict("x")].into();
        life.backoff.first = secs(0);
    })]);
    story.sleep();
    let old = story.asked[0];
    assert_eq!(story.ends("a", code(1)), "spawn a#2");
    story.starts("a");
    story.now += 100_000;
    assert_eq!(story.event(Event::Tick), "", "the old one is still out");
    let late = Event::Probed {
        check: old.0,
        nth: old.1,
        health: Health::Critical,
    };
    assert_eq!(story.event(late), "probe x");
    assert_eq!(story.child("a").checks().unwrap().all()[0].failing(), 0);
}

#[test]
fn settled_is_up_and_well() {
    let mut story = Story::up([with("a", |life| {
        life.checks = vec![plain("x")].into();
        life.backoff.settle = secs(100);
    })]);
    story.ends("a", code(1));
    story.sleep_past_saves();
    story.starts("a");
    let up = story.now;
    // A hundred seconds from the first answer, not from the start.
    let a = story.id("a");
    assert_eq!(story.sleep_past_saves(), (up + 30_000, Due::Probe(Some(a))));
    story.probed("x", Health::Healthy);
    assert_eq!(story.child("a").streak(), 1);
    while story.child("a").streak() > 0 {
        if story.sleep_past_saves().1 == Due::Probe(Some(a)) {
            story.probed("x", Health::Warning);
        }
    }
    assert_eq!(story.now, up + 130_000, "a warning breaks nothing");
    story.probed("x", Health::Warning);
    // Critical breaks it, and it begins anew when that is over.
    story.ends("a", code(1));
    story.sleep_past_saves();
    story.starts("a");
    let up = story.now;
    answers(&mut story, "x", "gcccg");
    assert_eq!(story.now, up + 150_000);
    assert_eq!(story.child("a").streak(), 1);
    while story.child("a").streak() > 0 {
        if story.sleep_past_saves().1 == Due::Probe(Some(a)) {
            story.probed("x", Health::Healthy);
        }
    }
    assert_eq!(story.now, up + 250_000);
}

#[test]
fn a_check_may_say_that_its_child_is_ready() {
    let x = CheckSpec {
        readies: true,
        on_critical: OnCritical::Restart,
        ..plain("x")
    };
    let mut a = checked("a", vec![x]);
    a.launch.ready = Ready::Check;
    let b = with("b", |life| life.requires = Box::new(["a".into()]));
    let mut story = Story::new([a, b]);
    assert_eq!(story.did, "spawn a#1");
    story.starts("a");
    assert!(matches!(story.phase("a"), Phase::Readying { .. }));
    // Failures do not count before: how long it may take is for start-timeout to say.
    answers(&mut story, "x", "cccccc");
    assert_eq!((story.now, stands(&story, "a")), (30_000, '.'));
    story.sleep();
    assert_eq!(story.probed("x", Health::Warning), "spawn b#1");
    assert!(matches!(story.phase("a"), Phase::Up { .. }));
    // One that never passes fails to start.
    let mut x = plain("x");
    x.readies = true;
    let mut a = checked("a", vec![x]);
    a.launch.ready = Ready::Check;
    let mut story = Story::new([a]);
    story.starts("a");
    while !story.did.contains("TERM") {
        if story.did.contains("probe") {
            story.probed("x", Health::Critical);
        }
        story.sleep();
    }
    assert_eq!(story.now, 90_000);
}

#[test]
fn a_sup_that_takes_over_looks_at_once() {
    let mut story = Story::up([checked("a", vec![plain("x")])]);
    story.now = 1_000_000;
    let mut next = story.killed();
    next.event(Event::Tick);
    assert_eq!(next.did, "probe x");
    next.probed("x", Health::Healthy);
    assert_eq!(stands(&next, "a"), 'g');
}

// ---- reload ---------------------------------------------------------------------------

#[test]
fn new_checks_take_effect_without_a_restart() {
    let old = vec![checked("a", vec![plain("x"), plain("y")])];
    let mut story = Story::up(old);
    answers(&mut story, "x", "g");
    story.probed("y", Health::Healthy);
    let mut other = plain("y");
    other.kind = Kind::Disk {
        path: "/".into(),
        used: sup::model::check::Bounds::default(),
    };
    let new = vec![checked("a", vec![other, plain("x"), plain("z")])];
    let changes = plan(&story.sup, &Tree::from(new.clone()));
    assert_eq!(changes, [("a".into(), Change::Adjusted)]);
    assert_eq!(story.reload(new), "probe y; probe z");
    let checks = story.child("a").checks().unwrap();
    let stands: Vec<_> = checks.all().iter().map(Check::health).collect();
    assert_eq!(stands, [None, Some(Health::Healthy), None]);
    // None at all: nothing is due any more.
    assert_eq!(story.reload(vec![child("a")]), "");
    story.sleep_past_saves_to_rest();
    assert_eq!(story.due(), None);
}

// ---- the box ----------------------------------------------------------------------------

#[test]
fn the_box_is_looked_at_as_long_as_sup_does_not_end() {
    let mut story = Story::up([child("a")]);
    let now = Uptime::from_millis(story.now);
    story.sup.watch_host(vec![strict("disk")].into(), now);
    assert_eq!(story.event(Event::Tick), "probe disk");
    let mut told = Vec::new();
    for letter in "gcccg".chars() {
        answers(&mut story, "disk", &letter.to_string());
        told.append(&mut story.told);
    }
    assert_eq!(
        told,
        ["disk critical", "disk healthy"],
        "nothing is restarted"
    );
    assert!(matches!(story.phase("a"), Phase::Up { .. }));
    story.event(Event::Shutdown);
    assert!(!matches!(story.due(), Some((_, Due::Probe(_)))));
}

#[test]
fn a_child_without_checks_is_never_due() {
    let mut story = Story::up([child("a"), child("b")]);
    story.sleep_past_saves_to_rest();
    assert_eq!(story.due(), None);
}

// ---- watchdog -----------------------------------------------------------------------------

fn watched(ready: Ready) -> ChildSpec {
    let mut a = with("a", |life| {
        life.watchdog = Some(Watchdog {
            within: secs(60),
            file: None,
        });
    });
    a.launch.ready = ready;
    a
}

fn pulse(story: &mut Story, last: Option<i64>) -> String {
    let run = story.run("a");
    let last = last.map(Uptime::from_millis);
    story.event(Event::Pulse { run, last })
}

#[test]
fn what_shows_no_life_gets_abrt_and_then_kill() {
    let mut story = Story::up([watched(Ready::Started)]);
    let a = story.id("a");
    assert_eq!(story.sleep(), (60_000, Due::Pulse(a)));
    assert_eq!(story.did, "pulse a");
    assert_eq!(story.due(), None, "asked once");
    assert_eq!(pulse(&mut story, Some(59_000)), "");
    assert_eq!(story.sleep(), (119_000, Due::Pulse(a)));
    assert_eq!(pulse(&mut story, Some(59_000)), "ABRT a; CONT a");
    assert_eq!(story.sleep_past_saves(), (129_000, Due::Kill(a)));
    assert_eq!(story.did, "KILL a");
    story.ends("a", code(0));
    let last = story.child("a").exits().next_back().unwrap();
    assert_eq!((last.exit, last.asked), (Exit::Watchdog, false));
    assert_eq!(story.told, ["Ended", "Restarting"]);
}

#[test]
fn a_watchdog_begins_when_its_child_is_ready() {
    let mut story = Story::new([watched(Ready::Notify)]);
    story.starts("a");
    story.now = 50_000;
    story.ready("a");
    assert_eq!(story.sleep().0, 110_000);
    // Signs of life from before do not shorten it, nor does an answer about nothing.
    assert_eq!(pulse(&mut story, None), "ABRT a; CONT a");
    let mut story = Story::up([watched(Ready::Started)]);
    assert_eq!(pulse(&mut story, None), "", "nobody has asked");
    assert_eq!(story.due().unwrap().0, 60_000);
}

#[test]
fn a_watchdog_that_the_child_has_been_told_of_changes_with_a_restart() {
    let story = Story::up([watched(Ready::Started)]);
    let by_file = with("a", |life| {
        life.watchdog = Some(Watchdog {
            within: secs(60),
            file: Some("/tmp/beat".into()),
        });
    });
    let change =
        |story: &Story, spec: &ChildSpec| plan(&story.sup, &vec![spec.clone()].into())[0].1;
    assert_eq!(change(&story, &by_file), Change::Restarted);
    let story = Story::up([by_file.clone()]);
    let mut later = by_file;
    if let Some(watchdog) = &mut later.life.watchdog {
        watchdog.within = secs(90);
    }
    assert_eq!(change(&story, &later), Change::Adjusted);
    assert_eq!(change(&story, &child("a")), Change::Adjusted);
}

// ---- words --------------------------------------------------------------------------------

#[test]
fn it_is_told_in_words() {
    let story = Story::up([checked("a", vec![plain("http")])]);
    let check = sup::model::CheckId {
        of: Some(story.id("a")),
        place: 0,
    };
    let notice = Notice::Checked {
        check,
        was: Health::Healthy,
        health: Health::Critical,
    };
    let line = sup::model::words::line(&notice, &story.sup);
    assert_eq!(line.text, "a is critical (check http)");
}
