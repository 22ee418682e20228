//! Checks of members: their restarts and those of their groups never overlap.

use sup::model::check::{CheckSpec, Health, Kind, OnCritical, Rhythm};
use sup::model::spec::Budget;
use sup::model::tree::Strategy;
use sup::model::{ChildSpec, Exit, GroupSpec, Order, Signal, Tree};
use sup::policy::{GroupPhase, Over, Phase};

use crate::STOP;
use crate::story::{Story, code, secs, signal, with};

/// A member whose check restarts it when two answers in a row are critical.
fn member(name: &str) -> ChildSpec {
    let check = CheckSpec {
        name: format!("of-{name}").into(),
        kind: Kind::Process,
        rhythm: Rhythm {
            retries: 2,
            ..Rhythm::default()
        },
        on_critical: OnCritical::Restart,
        readies: false,
    };
    with(name, |life| {
        life.checks = [check].into();
        life.budget.max_restarts = None;
        life.backoff.first = secs(0);
    })
}

/// `a b c` in a group that allows two restarts in ten minutes, and everything is up.
fn three(strategy: Strategy) -> Story {
    let members = ["a", "b", "c"];
    let group = GroupSpec {
        strategy,
        budget: Some(Budget {
            max_restarts: Some(2),
            window: secs(600),
            ..Budget::default()
        }),
        ..GroupSpec::new("g", members.map(Into::into).into())
    };
    let tree = Tree {
        children: members.map(member).into(),
        root: GroupSpec::root(["g".into()].into()),
        groups: [group].into(),
    };
    Story::planted(tree).brought_up()
}

fn check_of(name: &str) -> String {
    format!("of-{name}")
}

/// Its check becomes critical: what follows at once.
fn turns_critical(story: &mut Story, name: &str) -> String {
    for _ in 0..2 {
        while !story.did.contains(&format!("probe {}", check_of(name))) {
            story.sleep();
        }
        story.probed(&check_of(name), Health::Critical);
    }
    story.did.clone()
}

fn term(story: &mut Story, name: &str) -> String {
    story.ends(name, signal(Signal::TERM))
}

#[test]
fn a_check_takes_along_whom_the_strategy_names() {
    let mut story = three(Strategy::RestForOne);
    assert_eq!(turns_critical(&mut story, "b"), "TERM b; CONT b");
    assert_eq!(term(&mut story, "b"), "TERM c; CONT c", "and not a");
    assert_eq!(term(&mut story, "c"), "spawn b#2");
    assert_eq!(story.starts("b"), "spawn c#2");
    story.starts("c");
    let exit = story.child("b").exits().next_back().unwrap().exit;
    assert_eq!(exit, Exit::Unhealthy);
    assert_eq!(story.child("c").failures(), 0);
    assert_eq!(story.group("g").restarts(), 1, "one restart, charged once");
    assert_eq!(story.child("a").runs(), 1);
}

#[test]
fn whoever_is_taken_along_has_no_check_that_speaks_meanwhile() {
    let mut story = three(Strategy::OneForAll);
    turns_critical(&mut story, "c");
    // The probe of b is out, or comes: its group has the say now.
    while !story
        .asked
        .iter()
        .any(|(check, _)| check.of == Some(story.id("b")))
    {
        story.sleep();
    }
    assert_eq!(term(&mut story, "c"), "TERM b; CONT b");
    for _ in 0..2 {
        assert_eq!(story.probed("of-b", Health::Critical), "");
    }
    assert_eq!(term(&mut story, "b"), "TERM a; CONT a");
    assert_eq!(term(&mut story, "a"), "spawn a#2");
    story.starts("a");
    story.starts("b");
    story.starts("c");
    assert_eq!(story.child("b").failures(), 0);
    assert_eq!(story.group("g").restarts(), 1);
    for name in ["a", "b", "c"] {
        let checks = story.child(name).checks().unwrap();
        assert_eq!(checks.all()[0].health(), None, "{name} is looked at anew");
        assert_eq!(checks.all()[0].failing(), 0);
    }
}

#[test]
fn what_is_ended_as_unhealthy_while_its_group_falls_is_taken_along_and_not_charged() {
    let mut story = three(Strategy::OneForAll);
    assert_eq!(turns_critical(&mut story, "b"), "TERM b; CONT b");
    // Before it has ended, a sibling crashes and takes all along.
    assert_eq!(story.ends("a", code(1)), "TERM c; CONT c");
    assert_eq!(term(&mut story, "c"), "");
    assert_eq!(term(&mut story, "b"), "spawn a#2", "nobody asks it twice");
    assert_eq!(story.group("g").restarts(), 1, "the crash of a");
    assert_eq!(story.starts("a"), "spawn b#2");
}

#[test]
fn a_group_that_is_stopped_stops_the_unhealthy_too() {
    let mut story = three(Strategy::OneForOne);
    turns_critical(&mut story, "b");
    assert_eq!(story.order("g", STOP), "TERM c; CONT c");
    term(&mut story, "c");
    term(&mut story, "b");
    term(&mut story, "a");
    for name in ["a", "b", "c"] {
        assert_eq!(*story.phase(name), Phase::Idle, "{name}");
    }
    assert_eq!(story.group("g").restarts(), 0);
    story.order("g", Order::Start);
    assert_eq!(story.did, "spawn a#2");
}

#[test]
fn a_member_that_is_never_well_ends_its_group() {
    let mut story = three(Strategy::OneForOne);
    for run in 2..4 {
        turns_critical(&mut story, "b");
        assert_eq!(term(&mut story, "b"), format!("spawn b#{run}"));
        story.starts("b");
    }
    turns_critical(&mut story, "b");
    assert_eq!(term(&mut story, "b"), "TERM c; CONT c", "one too many");
    assert_eq!(story.told, ["Ended", "GroupFailed", "Stopping"]);
    assert_eq!(term(&mut story, "c"), "TERM a; CONT a");
    assert_eq!(term(&mut story, "a"), "");
    assert!(matches!(
        story.group("g").phase(),
        GroupPhase::Over(Over::GaveUp)
    ));
}
