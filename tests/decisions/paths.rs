//! Children that wait for a path, and what a killed sup had decided.

use crate::story::{Story, child, code, needs, secs, signal, with};
use sup::model::spec::{Budget, OnLimit};
use sup::model::tree::Strategy;
use sup::model::{ChildSpec, GroupSpec, Order, RestartPolicy, Signal, Tree, Uptime};
use sup::policy::{Due, Event, GroupPhase, Next, Over, Phase};

fn waiter(name: &str) -> ChildSpec {
    with(name, |life| {
        life.wait_path = Box::new(["/volume".into()]);
        life.restart = RestartPolicy::Always;
        life.budget.max_restarts = Some(1);
    })
}

fn paths(story: &mut Story, name: &str, there: bool) -> String {
    let child = story.id(name);
    story.event(Event::Paths { child, there })
}

#[test]
fn it_starts_when_its_path_is_there_and_others_need_not_wait() {
    let mut story = Story::new([child("a"), waiter("b"), needs("c", &["b"])]);
    assert_eq!(story.did, "spawn a#1");
    assert!(story.sup.waits_for_path(story.id("b")));
    assert_eq!(paths(&mut story, "b", false), "");
    assert_eq!(paths(&mut story, "b", true), "spawn b#1");
    assert!(!story.sup.waits_for_path(story.id("b")));
    assert_eq!(story.starts("b"), "spawn c#1");
}

#[test]
fn who_dies_with_its_volume_waits_again_and_is_not_charged() {
    let mut story = Story::new([waiter("a")]);
    paths(&mut story, "a", true);
    story.starts("a");
    for _ in 0..5 {
        assert_eq!(paths(&mut story, "a", false), "", "it may live without");
        assert_eq!(story.ends("a", code(1)), "");
        assert!(story.sup.waits_for_path(story.id("a")));
        assert_eq!(story.child("a").streak(), 0);
        assert!(paths(&mut story, "a", true).starts_with("spawn a#"));
        story.starts("a");
    }
    // With its path there it is charged as ever.
    story.ends("a", code(1));
    assert_eq!(story.child("a").streak(), 1);
    assert!(matches!(story.phase("a"), Phase::Waiting { .. }));
}

#[test]
fn what_is_done_is_done_whether_its_path_is_there_or_not() {
    let job = with("a", |life| {
        life.wait_path = Box::new(["/volume".into()]);
    });
    let mut story = Story::new([job]);
    paths(&mut story, "a", true);
    story.starts("a");
    paths(&mut story, "a", false);
    story.ends("a", code(0));
    let finished = Phase::Over(Over::Finished { clean: true });
    assert_eq!(*story.phase("a"), finished);
    assert_eq!(paths(&mut story, "a", true), "");
}

#[test]
fn a_stop_by_hand_outlives_the_wait_and_so_does_a_backoff() {
    let mut story = Story::new([waiter("a")]);
    story.order("a", Order::Stop { term: None });
    assert!(!story.sup.waits_for_path(story.id("a")), "nobody looks");
    assert_eq!(paths(&mut story, "a", true), "");
    assert_eq!(story.order("a", Order::Start), "spawn a#1");
    story.starts("a");
    story.ends("a", code(1));
    // Gone while it waits for its restart: it waits on.
    paths(&mut story, "a", false);
    assert!(matches!(story.sleep_past_saves(), (_, Due::Restart(_))));
    assert_eq!(story.did, "");
    assert_eq!(paths(&mut story, "a", true), "spawn a#2");
}

#[test]
fn what_a_killed_sup_had_decided_holds() {
    let now = Uptime::from_millis(0);
    let story = Story::new([child("a")]);
    let until = now + secs(3);
    let table = [
        (Next::Waiting { until }, Phase::Waiting { until }),
        (
            Next::Over(Over::Finished { clean: true }),
            Phase::Over(Over::Finished { clean: true }),
        ),
        (Next::Over(Over::GaveUp), Phase::Over(Over::GaveUp)),
    ];
    for (next, phase) in table {
        let mut after = story.killed();
        let id = after.id("a");
        after.sup.adopt_verdict(id, 7, next, now);
        assert_eq!(after.event(Event::Tick), "", "{next:?}");
        assert_eq!((*after.phase("a"), after.child("a").runs()), (phase, 7));
    }
    // A wait is never longer than one that could be drawn, whatever was written down.
    let mut after = story.killed();
    let until = now + secs(3_600);
    let id = after.id("a");
    after.sup.adopt_verdict(id, 7, Next::Waiting { until }, now);
    let longest = now + secs(60);
    assert_eq!(*after.phase("a"), Phase::Waiting { until: longest });
}

// ---- in groups -----------------------------------------------------------------

/// `a b c` below `g`, of which `b` waits; the group has one restart.
fn three(strategy: Strategy) -> Story {
    let limit = Budget {
        max_restarts: Some(1),
        window: secs(60),
        on_limit: OnLimit::GiveUp,
    };
    let group = GroupSpec {
        strategy,
        budget: Some(limit),
        ..GroupSpec::new("g", ["a", "b", "c"].map(Into::into).into())
    };
    let uncounted = |mut spec: ChildSpec| {
        spec.life.budget.max_restarts = None;
        spec
    };
    Story::planted(Tree {
        children: [child("a"), waiter("b"), child("c")].map(uncounted).into(),
        root: GroupSpec::root(["g".into()].into()),
        groups: [group].into(),
    })
}

#[test]
fn a_member_that_waits_holds_those_behind_it_and_does_not_fail_its_group() {
    for strategy in [Strategy::RestForOne, Strategy::OneForAll] {
        let mut story = three(strategy);
        assert_eq!(story.starts("a"), "");
        assert!(story.sup.waits_for_path(story.id("b")));
        let group = story.sup.find_group("g").unwrap();
        assert!(story.sup.waits_for_path_below(group));
        for _ in 0..5 {
            assert_eq!(paths(&mut story, "b", false), "");
        }
        assert!(matches!(
            story.group("g").phase(),
            GroupPhase::Rising { .. }
        ));
        assert_eq!(paths(&mut story, "b", true), "spawn b#1");
        assert!(!story.sup.waits_for_path_below(group));
        // Gone again before it could be started: it is not to blame for that.
        paths(&mut story, "b", false);
        assert_eq!(story.fails_to_start("b"), "");
        assert_eq!(paths(&mut story, "b", true), "spawn b#2");
        assert_eq!(story.starts("b"), "spawn c#1");
        story.starts("c");
        assert!(matches!(story.group("g").phase(), GroupPhase::Up { .. }));
        assert_eq!(story.group("g").restarts(), 0);
    }
}

#[test]
fn who_dies_with_its_volume_takes_others_along_and_nothing_is_charged() {
    let table = [
        (Strategy::OneForOne, "", "", ""),
        (Strategy::RestForOne, "TERM c; CONT c", "", "spawn c#2"),
        (
            Strategy::OneForAll,
            "TERM c; CONT c",
            "TERM a; CONT a",
            "spawn c#2",
        ),
    ];
    for (strategy, first, then, behind) in table {
        let mut story = three(strategy);
        story.starts("a");
        paths(&mut story, "b", true);
        let mut story = story.brought_up();
        for _ in 0..3 {
            paths(&mut story, "b", false);
            assert_eq!(story.ends("b", code(1)), first, "{strategy:?}");
            if first.is_empty() {
                break;
            }
            assert_eq!(story.ends("c", signal(Signal::TERM)), then);
            if !then.is_empty() {
                assert!(
                    story
                        .ends("a", signal(Signal::TERM))
                        .starts_with("spawn a#")
                );
                story.starts("a");
            }
            assert!(story.sup.waits_for_path(story.id("b")), "{strategy:?}");
            assert!(paths(&mut story, "b", true).starts_with("spawn b#"));
            assert_eq!(&story.starts("b")[..7], &behind[..7]);
            story.starts("c");
            assert!(matches!(story.group("g").phase(), GroupPhase::Up { .. }));
        }
        assert_eq!(story.group("g").restarts(), 0);
        assert_eq!(
            story.group("g").counted(Uptime::from_millis(story.now)),
            Some((0, 1))
        );
    }
}

#[test]
fn nobody_looks_for_who_is_kept_down_by_a_group() {
    let mut story = three(Strategy::RestForOne);
    story.starts("a");
    assert!(story.sup.waits_for_path(story.id("b")));
    story.order("g", Order::Stop { term: None });
    assert!(!story.sup.waits_for_path(story.id("b")));
    assert_eq!(paths(&mut story, "b", true), "");
}
