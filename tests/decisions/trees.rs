//! Supervision trees, line by line as OTP has them (semantics.md B2), and what sup adds.
//!
//! A tree is told what happens and played by obedient processes: each start succeeds,
//! each TERM ends its process. What it does is read as `-c -b +b +c`: stopped, started.

use crate::story::{Story, child, code, needs, secs, signal, with};
use sup::model::memory::{Credit, Hold};
use sup::model::order::ScaleTo;
use sup::model::spec::{Budget, Life, OnLimit, Ready};
use sup::model::tree::{AutoShutdown, Strategy, Template};
use sup::model::{ChildSpec, GroupSpec, Member, Order, RestartPolicy, Signal, Tree, Uptime};
use sup::policy::{Answer, GroupPhase, Over, Phase, ScaleFault};

use Strategy::{OneForAll, OneForOne, RestForOne, SimpleOneForOne};

const STOP: Order = Order::Stop { term: None };

fn names(list: &str) -> Box<[Box<str>]> {
    list.split_whitespace().map(Into::into).collect()
}

/// Two restarts in a minute, and then its parent has to do with it.
fn group(name: &str, strategy: Strategy, members: &str) -> GroupSpec {
    GroupSpec {
        strategy,
        budget: Some(budget(2, OnLimit::Escalate)),
        ..GroupSpec::new(name, names(members))
    }
}

fn budget(max: u16, on_limit: OnLimit) -> Budget {
    Budget {
        max_restarts: Some(max),
        window: secs(60),
        on_limit,
    }
}

/// A child without a budget of its own, as a member of a group has it.
fn member(name: &str) -> ChildSpec {
    with(name, uncounted)
}

fn uncounted(life: &mut Life) {
    life.budget.max_restarts = None;
}

fn policy(name: &str, restart: RestartPolicy) -> ChildSpec {
    with(name, |life| {
        uncounted(life);
        life.restart = restart;
    })
}

fn tree(root: GroupSpec, groups: &[GroupSpec], children: Vec<ChildSpec>) -> Tree {
    Tree {
        children: children.into(),
        root,
        groups: groups.into(),
    }
}

/// One group of `a b c d` below a root that counts nothing.
fn four(strategy: Strategy) -> Tree {
    tree(
        GroupSpec::root(names("g")),
        &[group("g", strategy, "a b c d")],
        ["a", "b", "c", "d"].map(member).into(),
    )
}

impl Story {
    /// Obedient processes: what is done until nothing more is asked of them.
    fn play(&mut self) -> String {
        let mut log = Vec::new();
        let mut left: std::collections::VecDeque<String> = words(&self.did);
        while let Some(word) = left.pop_front() {
            let (verb, name) = word.split_once(' ').unwrap_or((&word, ""));
            let name = name.split('#').next().unwrap_or(name).to_owned();
            match verb {
                "spawn" => {
                    log.push(format!("+{name}"));
                    left.extend(words(&self.starts(&name)));
                }
                "TERM" => {
                    log.push(format!("-{name}"));
                    left.extend(words(&self.ends(&name, signal(Signal::TERM))));
                }
                "KILL" | "end" | "alarm" => log.push(word),
                _ => {}
            }
        }
        log.join(" ")
    }

    /// It crashes; what follows at once.
    fn crash(&mut self, name: &str) -> String {
        self.ends(name, code(1));
        let told = self.told.clone();
        let log = self.play();
        self.told = told;
        log
    }

    /// Time goes by until something is due, and what follows at once.
    fn wait(&mut self) -> String {
        self.sleep_past_saves();
        self.play()
    }

    /// It crashes and its wait goes by.
    fn crash_and_wait(&mut self, name: &str) -> String {
        let before = self.crash(name);
        format!("{before} | {}", self.wait()).trim().to_owned()
    }

    fn ordered(&mut self, name: &str, order: Order) -> String {
        self.order(name, order);
        let answer = self.answer;
        let log = self.play();
        self.answer = answer;
        log
    }

    fn up_names(&self) -> String {
        let rows = self.sup.rows().iter();
        let up = rows.filter_map(|(_, member)| match *member {
            Member::Child(id) => {
                let is_up = matches!(self.sup.child(id).phase(), Phase::Up { .. });
                is_up.then(|| &*self.sup.spec(id).name)
            }
            Member::Group(_) => None,
        });
        up.collect::<Vec<_>>().join(" ")
    }
}

fn words(did: &str) -> std::collections::VecDeque<String> {
    did.split("; ")
        .filter(|word| !word.is_empty())
        .map(Into::into)
        .collect()
}

fn grown(tree: Tree) -> Story {
    let mut story = Story::planted(tree);
    story.play();
    story.sleep_past_saves_to_rest();
    story
}

// ---- strategies ------------------------------------------------------------------

#[test]
fn who_shares_the_fate_of_b() {
    let table = [
        (OneForOne, " | +b"),
        (OneForAll, "-d -c -a | +a +b +c +d"),
        (RestForOne, "-d -c | +b +c +d"),
    ];
    for (strategy, expected) in table {
        let mut story = grown(four(strategy));
        let log = story.crash_and_wait("b");
        assert_eq!(log, expected.trim_start(), "{strategy:?}");
        assert_eq!(story.up_names(), "a b c d", "{strategy:?}");
    }
}

#[test]
fn the_wait_before_a_group_restart_is_the_failed_members_own() {
    let mut story = grown(four(OneForAll));
    story.crash("c");
    let (at, _) = story.due().unwrap();
    assert_eq!(at - story.now, 5_000, "the first backoff of c");
    story.wait();
    story.now += 1_000;
    story.crash("c");
    let waits = story.sleep_past_saves().0;
    assert_eq!(waits, 16_000, "and its second, from the crash at 6 s");
}

#[test]
fn what_ends_well_leaves_its_siblings_alone_under_every_strategy() {
    for strategy in [OneForOne, OneForAll, RestForOne] {
        for (restart, exit) in [
            (RestartPolicy::OnFailure, code(0)),
            (RestartPolicy::No, code(0)),
            (RestartPolicy::No, code(1)),
        ] {
            let mut tree = four(strategy);
            tree.children[1] = policy("b", restart);
            let mut story = grown(tree);
            story.ends("b", exit);
            assert_eq!(story.play(), "", "{strategy:?} {restart:?} {exit:?}");
            assert_eq!(story.up_names(), "a c d");
        }
    }
}

#[test]
fn a_permanent_member_that_ends_well_has_failed_all_the_same() {
    for (strategy, expected) in [
        (OneForOne, "| +b"),
        (OneForAll, "-d -c -a | +a +b +c +d"),
        (RestForOne, "-d -c | +b +c +d"),
    ] {
        let mut tree = four(strategy);
        tree.children[1] = policy("b", RestartPolicy::Always);
        let mut story = grown(tree);
        story.ends("b", code(0));
        let log = format!("{} | {}", story.play(), story.wait());
        assert_eq!(log.trim(), expected, "{strategy:?}");
        assert_eq!(story.group("g").restarts(), 1, "{strategy:?}");
    }
}

#[test]
fn temporary_siblings_are_taken_along_and_do_not_come_back() {
    let mut tree = four(OneForAll);
    tree.children[2] = policy("c", RestartPolicy::No);
    let mut story = grown(tree);
    assert_eq!(story.crash_and_wait("b"), "-d -c -a | +a +b +d");
    assert_eq!(*story.phase("c"), Phase::Over(Over::TakenAlong));
}

#[test]
fn a_transient_member_that_had_finished_runs_again_in_a_group_restart() {
    let mut story = grown(four(RestForOne));
    story.ends("d", code(0));
    assert_eq!(story.crash_and_wait("b"), "-c | +b +c +d");
    story.ends("a", code(0));
    assert_eq!(
        story.crash_and_wait("b"),
        "-d -c | +b +c +d",
        "what stands before is untouched"
    );
}

#[test]
fn a_sibling_that_dies_while_it_is_taken_down_is_not_charged() {
    let mut story = grown(four(OneForAll));
    story.ends("b", code(1)); // d is asked to end first; c and a wait for their turn.
    assert_eq!(story.ends("a", code(1)), "");
    assert_eq!(story.group("g").restarts(), 1);
    story.did = "TERM d".into();
    assert_eq!(story.play(), "-d -c");
    assert_eq!(story.wait(), "+a +b +c +d");
}

#[test]
fn two_that_crash_together_rise_once_together() {
    let mut story = grown(four(RestForOne));
    story.ends("c", code(1)); // d is being stopped.
    story.ends("a", code(1)); // a stands before c: everything falls.
    story.did = "TERM d".into();
    assert_eq!(story.play(), "-d -b");
    assert_eq!(story.wait(), "+a +b +c +d");
    assert_eq!(story.group("g").restarts(), 2, "both are charged");
}

// ---- order -----------------------------------------------------------------------

#[test]
fn members_start_when_the_one_before_is_ready_and_stop_the_other_way_round() {
    let mut tree = four(OneForOne);
    tree.children[1].launch.ready = Ready::Notify;
    let mut story = Story::planted(tree);
    assert_eq!(story.did, "spawn a#1");
    assert_eq!(story.starts("a"), "spawn b#1");
    assert_eq!(story.starts("b"), "", "it is not ready yet");
    assert_eq!(story.ready("b"), "spawn c#1");
    assert_eq!(story.starts("c"), "spawn d#1");
    story.starts("d");
    let log = story.ordered("g", STOP);
    assert_eq!(log, "-d -c -b -a");
}

#[test]
fn each_member_has_its_own_time_to_stop() {
    let mut tree = four(OneForAll);
    tree.children[3].life.stop.timeout = Some(secs(30));
    tree.children[2].life.stop.timeout = Some(secs(3));
    let mut story = grown(tree);
    story.order("g", STOP);
    assert_eq!(story.did, "TERM d; CONT d");
    story.sleep_past_saves();
    assert_eq!((story.now, &*story.did), (30_000, "KILL d"));
    assert_eq!(story.ends("d", signal(Signal::KILL)), "TERM c; CONT c");
    story.sleep_past_saves();
    assert_eq!((story.now, &*story.did), (33_000, "KILL c"));
}

#[test]
fn instances_stop_all_at_once() {
    let mut story = grown(workers(3));
    story.order("w", STOP);
    assert_eq!(
        story.did,
        "TERM w/3; CONT w/3; TERM w/2; CONT w/2; TERM w/1; CONT w/1"
    );
}

#[test]
fn a_member_group_starts_and_stops_in_its_place() {
    let groups = [
        group("outer", RestForOne, "a inner d"),
        group("inner", OneForAll, "b c"),
    ];
    let root = GroupSpec::root(names("outer"));
    let children = ["a", "b", "c", "d"].map(member).into();
    let mut story = Story::planted(tree(root, &groups, children));
    assert_eq!(story.play(), "+a +b +c +d");
    assert_eq!(
        story.crash_and_wait("b"),
        "-c | +b +c",
        "d is not concerned"
    );
    assert_eq!(story.crash_and_wait("a"), "-d -c -b | +a +b +c +d");
    story.event(sup::policy::Event::Shutdown);
    assert_eq!(story.play(), "-d -c -b -a end true");
}

// ---- intensity -------------------------------------------------------------------

#[test]
fn so_many_restarts_in_the_window_and_the_next_is_fatal() {
    // Crash moments in seconds, the intensity, and how many of them are restarted.
    let table: [(u16, &[i64], usize); 5] = [
        (0, &[0], 0),
        (2, &[0, 10, 20], 2),
        (2, &[0, 10, 60], 2), // Exactly one window old still counts.
        (2, &[0, 10, 61], 3),
        (2, &[0, 61, 122, 183], 4),
    ];
    for (max, crashes, restarted) in table {
        let mut tree = four(OneForOne);
        tree.groups[0].budget = Some(budget(max, OnLimit::GiveUp));
        tree.children[0].life.backoff.first = secs(0);
        let mut story = grown(tree);
        let mut made = 0;
        for at in crashes {
            story.now = at * 1_000;
            made += usize::from(story.crash("a") == "+a");
        }
        let gave_up = *story.group("g").phase() == GroupPhase::Over(Over::GaveUp);
        assert_eq!(made, restarted, "{max} {crashes:?}");
        assert_eq!(gave_up, restarted < crashes.len(), "{max} {crashes:?}");
    }
}

#[test]
fn all_members_are_counted_together_and_those_taken_along_are_not() {
    let mut story = grown(four(OneForAll));
    story.crash_and_wait("a");
    story.crash_and_wait("b");
    let group = story.group("g");
    let now = Uptime::from_millis(story.now);
    assert_eq!(group.counted(now), Some((2, 2)));
    assert_eq!(group.restarts(), 2);
    assert_eq!(story.child("c").restarts(), 0);
    assert_eq!(story.child("c").runs(), 3);
}

#[test]
fn each_attempt_of_a_start_that_fails_counts() {
    let mut tree = four(OneForOne);
    tree.groups[0].budget = Some(budget(3, OnLimit::GiveUp));
    let mut story = grown(tree);
    story.crash("b");
    for _ in 0..2 {
        story.sleep_past_saves();
        assert!(story.did.starts_with("spawn b"), "{}", story.did);
        story.fails_to_start("b");
    }
    assert_eq!(story.group("g").restarts(), 3);
    story.sleep_past_saves();
    story.fails_to_start("b");
    assert_eq!(story.play(), "-d -c -a", "that was one too many");
    assert_eq!(*story.group("g").phase(), GroupPhase::Over(Over::GaveUp));
}

#[test]
fn a_member_with_a_budget_of_its_own_has_both() {
    let mut tree = four(OneForOne);
    tree.children[0].life.budget = budget(1, OnLimit::GiveUp);
    let mut story = grown(tree);
    story.crash_and_wait("a");
    assert_eq!(story.crash("a"), "", "its own is used up");
    assert_eq!(*story.phase("a"), Phase::Over(Over::GaveUp));
    assert_eq!(story.group("g").restarts(), 1, "and its group lives on");
    assert_eq!(story.up_names(), "b c d");
}

// ---- a start that fails ------------------------------------------------------------

#[test]
fn one_for_all_starts_over_when_a_start_fails_in_the_middle() {
    let mut story = grown(four(OneForAll));
    story.crash("a");
    story.sleep_past_saves();
    assert_eq!(story.did, "spawn a#2");
    assert_eq!(story.starts("a"), "spawn b#2");
    assert_eq!(story.fails_to_start("b"), "TERM a; CONT a", "from the top");
    assert_eq!(story.play(), "-a");
    assert_eq!(story.group("g").restarts(), 2, "and the attempt counts");
    assert_eq!(story.wait(), "+a +b +c +d");
}

#[test]
fn rest_for_one_goes_on_from_the_one_that_failed_to_start() {
    let mut story = grown(four(RestForOne));
    story.crash("a");
    story.sleep_past_saves();
    story.starts("a");
    assert_eq!(story.fails_to_start("b"), "", "a is kept");
    assert_eq!(story.up_names(), "a");
    assert_eq!(story.group("g").restarts(), 2);
    assert_eq!(story.wait(), "+b +c +d");
}

#[test]
fn a_group_whose_member_cannot_start_does_not_start() {
    for strategy in [OneForOne, OneForAll, RestForOne] {
        let mut tree = four(strategy);
        tree.root.budget = Some(budget(1, OnLimit::Escalate));
        let mut story = Story::planted(tree);
        story.starts("a");
        story.starts("b");
        assert_eq!(story.fails_to_start("c"), "TERM b; CONT b");
        assert!(story.told.contains(&"GroupStartFailed".to_owned()));
        assert_eq!(story.play(), "-b -a", "{strategy:?}");
        assert_eq!(story.group("root").restarts(), 1, "its parent counts it");
        assert_eq!(story.group("g").restarts(), 0);
        story.sleep_past_saves();
        assert_eq!(story.did, "spawn a#2", "after the group's own backoff");
        assert_eq!(story.fails_to_start("a"), "end false", "{strategy:?}");
    }
}

#[test]
fn where_the_parent_does_not_count_a_group_counts_its_failed_starts_itself() {
    let mut tree = four(OneForOne);
    tree.groups[0].budget = Some(budget(1, OnLimit::GiveUp));
    let mut story = Story::planted(tree);
    story.fails_to_start("a");
    story.sleep_past_saves();
    assert_eq!(story.did, "spawn a#2");
    story.fails_to_start("a");
    assert_eq!(*story.group("g").phase(), GroupPhase::Over(Over::GaveUp));
    assert_eq!(story.play(), "");
}

#[test]
fn not_ready_in_time_is_a_start_that_fails() {
    let mut tree = four(OneForOne);
    tree.children[1].launch.ready = Ready::Notify;
    let mut story = Story::planted(tree);
    story.starts("a");
    story.starts("b");
    story.sleep_past_saves(); // 90 s.
    assert_eq!(story.did, "TERM b; CONT b");
    assert_eq!(story.ends("b", signal(Signal::TERM)), "TERM a; CONT a");
    assert!(story.told.contains(&"GroupStartFailed".to_owned()));
}

// ---- giving up and escalation ------------------------------------------------------

/// `outer` (one-for-all) of `x`, `inner` and `y`; `inner` (one-for-one) of `a` and `b`.
fn nested(outer_max: u16) -> Tree {
    let outer = GroupSpec {
        budget: Some(budget(outer_max, OnLimit::GiveUp)),
        ..group("outer", OneForAll, "x inner y")
    };
    let inner = GroupSpec {
        budget: Some(budget(1, OnLimit::Escalate)),
        ..group("inner", OneForOne, "a b")
    };
    let mut children: Vec<ChildSpec> = ["x", "y", "a"].map(member).into();
    children.push(policy("b", RestartPolicy::No));
    tree(GroupSpec::root(names("outer")), &[outer, inner], children)
}

#[test]
fn a_group_that_gives_up_is_a_failed_member_of_its_parent() {
    let mut story = grown(nested(1));
    assert_eq!(story.crash_and_wait("a"), "| +a");
    let log = story.crash("a");
    assert_eq!(log, "-y -b -x", "all of outer falls, in reverse");
    assert_eq!(
        story.told,
        [
            "Ended",
            "GroupFailed",
            "GroupRenewed",
            "GroupRestarting",
            "Stopping"
        ]
    );
    assert_eq!(
        story.wait(),
        "+x +a +b +y",
        "with b, which is temporary: fresh"
    );
    let now = Uptime::from_millis(story.now);
    assert_eq!(
        story.group("inner").counted(now),
        Some((0, 1)),
        "a new count"
    );
    assert_eq!(story.group("outer").counted(now), Some((1, 1)));
    assert_eq!(story.group("inner").failures(), 1);
}

#[test]
fn what_is_too_much_for_the_parent_goes_up_again() {
    let mut story = grown(nested(0));
    story.crash_and_wait("a");
    assert_eq!(story.crash("a"), "-y -b -x");
    assert_eq!(
        *story.group("outer").phase(),
        GroupPhase::Over(Over::GaveUp)
    );
    assert_eq!(*story.group("inner").phase(), GroupPhase::Idle);
    story.sleep_past_saves_to_rest();
    assert_eq!(story.due(), None, "final");
}

#[test]
fn the_roots_failure_stops_all_in_order_and_ends_without_success() {
    let mut tree = four(OneForOne);
    tree.root.budget = Some(budget(0, OnLimit::Escalate));
    let mut story = grown(tree);
    story.crash_and_wait("c");
    story.crash_and_wait("c");
    assert_eq!(story.crash("c"), "-d -b -a end false");
}

#[test]
fn without_a_budget_the_root_fails_with_the_first_that_escalates() {
    let mut story = grown(four(OneForOne));
    story.crash_and_wait("c");
    story.crash_and_wait("c");
    assert_eq!(story.crash("c"), "-d -b -a end false");
}

#[test]
fn a_member_that_escalates_fails_its_group_at_once() {
    let mut tree = nested(1);
    tree.children[2].life.budget = budget(0, OnLimit::Escalate);
    let mut story = grown(tree);
    assert_eq!(story.crash("a"), "-y -b -x");
    assert_eq!(story.wait(), "+x +a +b +y");
}

#[test]
fn a_temporary_group_that_fails_is_not_started_again() {
    let mut tree = nested(1);
    tree.groups[1].restart = RestartPolicy::No;
    let mut story = grown(tree);
    story.crash_and_wait("a");
    assert_eq!(story.crash("a"), "-b");
    let finished = Over::Finished { clean: false };
    assert_eq!(*story.group("inner").phase(), GroupPhase::Over(finished));
    assert_eq!(story.up_names(), "x y", "and its siblings are left alone");
}

#[test]
fn the_parents_wait_grows_until_the_group_settles() {
    let mut tree = nested(5);
    tree.groups[1].budget = Some(budget(0, OnLimit::Escalate));
    let mut story = grown(tree);
    let mut waits = Vec::new();
    for _ in 0..3 {
        let crashed = story.now;
        story.crash("a");
        story.wait();
        waits.push(story.now - crashed);
    }
    assert_eq!(waits, [5_000, 10_000, 20_000]);
    let (at, _) = story.sleep_past_saves();
    assert_eq!(at - 35_000, 60_000);
    assert!(
        story.told.contains(&"GroupRecovered".to_owned()),
        "{:?}",
        story.told
    );
    let crashed = story.now;
    story.crash("a");
    story.wait();
    assert_eq!(story.now - crashed, 5_000);
}

#[test]
fn a_parked_group_gets_one_try_and_is_whole_when_that_settles() {
    let mut tree = four(OneForAll);
    tree.groups[0].budget = Some(budget(0, OnLimit::Park(secs(3600))));
    let mut story = grown(tree);
    story.crash("a");
    assert_eq!(story.wait(), "+a +b +c +d");
    assert_eq!(story.now, 3_600_000);
    story.crash("b");
    assert_eq!(story.wait(), "+a +b +c +d", "parked again at once");
    story.sleep_past_saves(); // It settles.
    assert!(!story.group("g").is_trial());
    story.sleep_past_saves_to_rest();
    assert_eq!(story.due(), None);
}

// ---- significant members -------------------------------------------------------------

fn significant(restart: RestartPolicy, auto: AutoShutdown, of: &[usize]) -> Tree {
    let mut tree = four(OneForOne);
    tree.groups[0].auto_shutdown = auto;
    for &at in of {
        tree.children[at].life.significant = true;
        tree.children[at].life.restart = restart;
    }
    tree
}

#[test]
fn a_group_ends_when_a_significant_member_has_ended_by_itself() {
    use RestartPolicy::{No, OnFailure};
    let any = AutoShutdown::AnySignificant;
    let table = [
        (OnFailure, code(0), true),
        (OnFailure, code(1), false), // Restarted.
        (No, code(0), true),
        (No, code(1), true),
    ];
    for (restart, exit, ends) in table {
        let mut story = grown(significant(restart, any, &[1]));
        story.ends("b", exit);
        let log = story.play();
        assert_eq!(log == "-d -c -a", ends, "{restart:?} {exit:?}: {log}");
        if ends {
            let over = GroupPhase::Over(Over::Finished { clean: true });
            assert_eq!(*story.group("g").phase(), over);
        }
    }
}

#[test]
fn a_stop_by_hand_or_with_others_is_no_end_by_itself() {
    let any = AutoShutdown::AnySignificant;
    let mut story = grown(significant(RestartPolicy::OnFailure, any, &[1]));
    assert_eq!(story.ordered("b", STOP), "-b");
    let mut tree = significant(RestartPolicy::OnFailure, any, &[1]);
    tree.groups[0].strategy = OneForAll;
    let mut story = grown(tree);
    assert_eq!(story.crash_and_wait("a"), "-d -c -b | +a +b +c +d");
}

#[test]
fn all_significant_waits_for_the_last_of_them() {
    let all = AutoShutdown::AllSignificant;
    let mut story = grown(significant(RestartPolicy::OnFailure, all, &[1, 2]));
    story.ends("c", code(0));
    assert_eq!(story.play(), "");
    story.ends("b", code(0));
    assert_eq!(story.play(), "-d -a");
}

#[test]
fn a_significant_group_that_finishes_may_finish_its_parent() {
    let mut tree = nested(1);
    tree.groups[0].auto_shutdown = AutoShutdown::AnySignificant;
    tree.groups[1].auto_shutdown = AutoShutdown::AnySignificant;
    tree.groups[1].significant = true;
    tree.children[2].life.significant = true;
    let mut story = grown(tree);
    story.ends("a", code(0));
    assert_eq!(story.play(), "-y -b -x");
    let over = GroupPhase::Over(Over::Finished { clean: true });
    assert_eq!(*story.group("outer").phase(), over);
}

#[test]
fn a_permanent_group_that_finishes_is_started_again_and_counted() {
    let any = AutoShutdown::AnySignificant;
    let mut tree = significant(RestartPolicy::OnFailure, any, &[1]);
    tree.groups[0].restart = RestartPolicy::Always;
    tree.root.budget = Some(budget(1, OnLimit::Escalate));
    let mut story = grown(tree);
    story.ends("b", code(0));
    assert_eq!(story.play(), "-d -c -a");
    assert_eq!(story.wait(), "+a +b +c +d");
    assert_eq!(story.group("root").restarts(), 1);
}

#[test]
fn a_significant_member_of_the_root_ends_sup_with_success() {
    let mut root = GroupSpec::root(names("a b"));
    root.auto_shutdown = AutoShutdown::AnySignificant;
    let main = with("a", |life| life.significant = true);
    let mut story = grown(tree(root, &[], vec![main, child("b")]));
    story.ends("a", code(0));
    assert_eq!(story.play(), "-b end true");
}

// ---- templates -----------------------------------------------------------------------

fn workers(count: u16) -> Tree {
    let workers = GroupSpec {
        template: Some(Template {
            child: member("w"),
            count,
        }),
        ..group("w", SimpleOneForOne, "")
    };
    tree(GroupSpec::root(names("w")), &[workers], Vec::new())
}

impl Story {
    fn scaled(&mut self, to: ScaleTo) -> Result<String, ScaleFault> {
        let id = self.sup.find_group("w").unwrap();
        self.sup.scale(id, to)?;
        self.event(sup::policy::Event::Tick);
        Ok(self.play())
    }
}

#[test]
fn instances_come_and_go_and_share_no_fate() {
    let mut story = grown(workers(2));
    assert_eq!(story.up_names(), "w/1 w/2");
    assert_eq!(story.crash_and_wait("w/1"), "| +w/1");
    assert_eq!(story.scaled(ScaleTo::Count(4)).unwrap(), "+w/3 +w/4");
    assert_eq!(story.scaled(ScaleTo::Without(2)).unwrap(), "-w/2");
    assert_eq!(story.scaled(ScaleTo::More(1)).unwrap(), "+w/2");
    assert_eq!(story.scaled(ScaleTo::Count(1)).unwrap(), "-w/4 -w/3 -w/2");
    assert_eq!(
        story.scaled(ScaleTo::Without(7)),
        Err(ScaleFault::NoInstance)
    );
    assert_eq!(story.group("w").restarts(), 1, "the group counts for them");
}

#[test]
fn the_number_of_instances_is_remembered_until_the_file_says_otherwise() {
    let mut story = grown(workers(2));
    story.scaled(ScaleTo::Count(3)).unwrap();
    story.scaled(ScaleTo::Without(1)).unwrap();
    let mut next = story.rebooted();
    next.play();
    assert_eq!(next.up_names(), "w/2 w/3");
    next.replant(workers(2));
    assert_eq!(next.play(), "", "the same file says nothing new");
    next.replant(workers(1));
    assert_eq!(next.play(), "+w/1 -w/2 -w/3");
}

// ---- people --------------------------------------------------------------------------

#[test]
fn a_member_that_was_stopped_by_hand_stays_down_through_a_group_restart() {
    let mut story = grown(four(OneForAll));
    assert_eq!(story.ordered("c", STOP), "-c");
    assert_eq!(story.crash_and_wait("a"), "-d -b | +a +b +d");
    assert_eq!(story.ordered("c", Order::Start), "+c");
}

#[test]
fn a_group_is_ordered_about_as_a_whole() {
    let mut story = grown(four(OneForOne));
    story.ordered("b", STOP);
    assert_eq!(story.ordered("g", Order::Restart), "-d -c -a +a +c +d");
    assert_eq!(story.ordered("g", STOP), "-d -c -a");
    assert_eq!(story.ordered("g", STOP), "");
    assert_eq!(story.answer, Some(Answer::Unchanged));
    assert_eq!(story.ordered("a", Order::Start), "");
    assert!(matches!(story.answer, Some(Answer::GroupDown(_))));
    assert_eq!(story.ordered("g", Order::Start), "+a +b +c +d", "all of it");
    assert_eq!(story.ordered("g", Order::Start), "");
    assert_eq!(story.answer, Some(Answer::Unchanged));
}

#[test]
fn a_group_stopped_for_a_time_comes_back_by_itself() {
    let mut story = grown(four(OneForAll));
    let term = Some(secs(7200));
    story.ordered("g", Order::Stop { term });
    assert_eq!(story.wait(), "+a +b +c +d");
    assert_eq!(story.now, 7_200_000);
}

#[test]
fn a_person_need_not_wait_for_a_group() {
    let mut story = grown(four(RestForOne));
    story.crash("b");
    assert_eq!(story.ordered("b", Order::Start), "+b +c +d");
    let mut tree = four(OneForOne);
    tree.groups[0].budget = Some(budget(0, OnLimit::GiveUp));
    let mut story = grown(tree);
    story.crash("a");
    assert_eq!(story.ordered("g", Order::Reset), "+a +b +c +d");
}

#[test]
fn stop_beats_a_group_restart() {
    let mut story = grown(four(OneForAll));
    story.crash("b");
    assert_eq!(story.ordered("g", STOP), "");
    story.sleep_past_saves_to_rest();
    assert_eq!(story.due(), None);
    assert_eq!(*story.group("g").phase(), GroupPhase::Idle);
}

// ---- dependencies ----------------------------------------------------------------------

#[test]
fn dependencies_cross_groups_and_a_group_is_ready_when_all_of_it_is() {
    let groups = [group("db", OneForAll, "a b"), group("web", OneForOne, "c")];
    let mut tree = tree(
        GroupSpec::root(names("web db")),
        &groups,
        vec![needs("c", &["db"]), member("a"), member("b")],
    );
    tree.children[0].life.budget.max_restarts = None;
    let mut story = Story::planted(tree);
    assert_eq!(story.did, "spawn a#1");
    assert_eq!(story.starts("a"), "spawn b#1");
    assert_eq!(story.starts("b"), "spawn c#1");
    story.starts("c");
    assert_eq!(
        story.crash("a"),
        "-b",
        "what is only restarted takes nobody along"
    );
    assert_eq!(story.wait(), "+a +b");
    assert_eq!(story.ordered("db", STOP), "-c -b -a", "what is down does");
    assert_eq!(
        story.ordered("c", Order::Start),
        "+a +b +c",
        "and is pulled in"
    );
}

#[test]
fn what_becomes_of_what_requires_a_child_or_a_group_by_how_that_goes_down() {
    use RestartPolicy::{No, OnFailure};
    let hour = OnLimit::Park(secs(3600));
    // How a ends, what its group is, what follows, and what after the next wait.
    let table = [
        ("a", No, code(0), OnLimit::GiveUp, "", ""),
        ("a", No, code(1), OnLimit::GiveUp, "-user", ""),
        ("a", OnFailure, code(1), OnLimit::GiveUp, "-user", ""),
        ("a", OnFailure, code(1), hour, "-user", "+a +user"),
        ("g", No, code(0), OnLimit::GiveUp, "", ""),
        ("g", No, code(1), OnLimit::GiveUp, "", ""),
        ("g", OnFailure, code(1), OnLimit::GiveUp, "-user", ""),
        ("g", OnFailure, code(1), hour, "-user", "+a +user"),
        ("g", OnFailure, code(1), OnLimit::Escalate, "", "+a"),
    ];
    for (of, restart, exit, on_limit, follows, then) in table {
        let case = format!("{of} {restart:?} {exit:?} {on_limit:?}");
        let none = budget(0, on_limit);
        let mut a = policy("a", restart);
        let mut groups = [group("g", OneForOne, "a")];
        match of {
            "a" => a.life.budget = none,
            _ => groups[0].budget = Some(none),
        }
        let mut root = GroupSpec::root(names("g user"));
        root.budget = Some(budget(5, OnLimit::Escalate));
        let mut story = grown(tree(root, &groups, vec![a, needs("user", &[of])]));
        story.ends("a", exit);
        assert_eq!(story.play(), follows, "{case}");
        story.sleep_past_saves_to_rest();
        let is_due = story.due().is_some();
        assert_eq!(is_due, !then.is_empty(), "{case}");
        let log = if is_due { story.wait() } else { String::new() };
        assert_eq!(log, then, "{case}");
        if follows == "-user" && then.is_empty() {
            let log = story.ordered(of, Order::Start);
            assert_eq!(log, "+a +user", "{case}");
        }
    }
}

#[test]
fn who_wants_what_requires_a_member_of_a_group_that_is_down_is_told_of_the_group() {
    for order in [Order::Start, Order::Restart] {
        let mut tree = nested(1);
        push_child(&mut tree, needs("near", &["a"]));
        push_child(&mut tree, needs("far", &["near", "x"]));
        push_child(&mut tree, needs("around", &["inner"]));
        tree.root.members = names("outer near far around");
        let mut story = grown(tree);
        story.ordered("far", STOP);
        story.ordered("outer", STOP);
        let outer = Some(Answer::RequirementDown(
            story.sup.find_group("outer").unwrap(),
        ));
        for name in ["near", "far", "around"] {
            assert_eq!(story.ordered(name, order), "", "{name}");
            assert_eq!(story.answer, outer, "{name}");
        }
        assert_eq!(story.child("far").hold(), Hold::Down, "nothing has changed");
        let log = story.ordered("outer", Order::Start);
        assert_eq!(log, "+x +a +b +near +y +around");
        assert_eq!(story.ordered("far", order), "+far");
        assert_eq!(story.answer, Some(Answer::Accepted));
    }
}

#[test]
fn what_requires_a_temporary_member_that_is_taken_along_goes_before_it() {
    let mut tree = four(OneForAll);
    tree.children[3] = policy("d", RestartPolicy::No);
    push_child(&mut tree, needs("user", &["d"]));
    tree.root.members = names("g user");
    let mut story = grown(tree);
    assert_eq!(story.crash_and_wait("b"), "-user -d -c -a | +a +b +c");
    let d = Some(story.member("d"));
    assert_eq!(story.sup.blocked_by(story.id("user")), d);
    assert_eq!(story.ordered("user", Order::Start), "+d +user");
    // Who wants it on the way down wants the other as well, which is then only restarted.
    story.ends("b", code(1));
    let stopping = story.did.clone();
    story.order("user", Order::Start);
    assert_eq!(story.answer, Some(Answer::Accepted));
    story.did = stopping;
    assert_eq!(story.play(), "-user +user -d -c -a");
    assert_eq!(story.wait(), "+a +b +c +d");
}

// ---- memory ------------------------------------------------------------------------------

#[test]
fn a_groups_budget_survives_the_next_sup_and_a_reboot() {
    let mut tree = four(OneForOne);
    tree.groups[0].budget = Some(budget(2, OnLimit::GiveUp));
    let mut story = grown(tree);
    story.crash_and_wait("a");
    story.crash_and_wait("b");
    for mut next in [story.restarted_sup(), story.rebooted()] {
        next.play();
        while next.up_names() != "a b c d" {
            next.wait();
        }
        next.crash("c");
        assert_eq!(*next.group("g").phase(), GroupPhase::Over(Over::GaveUp));
    }
}

#[test]
fn a_group_that_gave_up_stays_down_and_gets_one_try_after_a_reboot() {
    let mut tree = four(OneForOne);
    tree.groups[0].budget = Some(budget(0, OnLimit::GiveUp));
    let mut story = grown(tree);
    story.crash("a");
    assert_eq!(story.memory().groups[1].credit, Credit::GaveUp);
    let mut next = story.restarted_sup();
    assert_eq!(next.play(), "");
    let mut next = story.rebooted();
    while next.up_names() != "a b c d" {
        next.play();
        if next.up_names() != "a b c d" {
            next.wait();
        }
    }
    assert!(next.group("g").is_trial());
    next.crash("d");
    assert_eq!(*next.group("g").phase(), GroupPhase::Over(Over::GaveUp));
}

#[test]
fn a_group_that_was_stopped_by_hand_stays_down_over_a_reboot() {
    let mut story = grown(four(OneForOne));
    story.ordered("g", STOP);
    assert_eq!(story.memory().groups[1].hold, Hold::Down);
    let mut next = story.rebooted();
    assert_eq!(next.play(), "");
    assert_eq!(next.ordered("g", Order::Start), "+a +b +c +d");
}

#[test]
fn runs_of_another_sup_are_kept_and_only_the_missing_start() {
    let mut story = grown(four(OneForAll));
    story.ordered("c", STOP);
    story.ordered("c", Order::Start);
    story.ends("d", code(0));
    let mut next = story.killed();
    next.event(sup::policy::Event::Tick);
    assert_eq!(next.play(), "+d", "nobody is stopped for it");
    assert_eq!(next.up_names(), "a b c d");
}

// ---- reload --------------------------------------------------------------------------------

#[test]
fn members_may_move_between_groups_and_go_on() {
    let mut story = grown(four(OneForAll));
    let groups = [
        group("g", OneForAll, "a b"),
        group("h", RestForOne, "c d e"),
    ];
    let mut children: Vec<ChildSpec> = ["a", "b", "c", "d"].map(member).into();
    children.push(member("e"));
    story.replant(tree(GroupSpec::root(names("g h")), &groups, children));
    assert_eq!(story.play(), "+e");
    assert_eq!(story.crash_and_wait("a"), "-b | +a +b");
    assert_eq!(story.crash_and_wait("d"), "-e | +d +e");
    let none = ["a", "b", "c", "d"].map(member).to_vec();
    story.replant(Tree::from(none));
    assert_eq!(story.play(), "-e");
    assert_eq!(story.up_names(), "a b c d");
}

// ---- what is told of them --------------------------------------------------------------

#[test]
fn a_groups_time_is_counted_while_all_of_it_is_up() {
    let mut story = grown(four(OneForAll));
    story.now = 10_000;
    story.crash("b"); // 5 s of backoff.
    assert_eq!(story.wait(), "+a +b +c +d");
    story.now = 25_000;
    let now = Uptime::from_millis(story.now);
    let group = story.group("g");
    assert_eq!(group.up_since(), Some(Uptime::from_millis(15_000)));
    assert_eq!(
        (group.up_total(now), group.wanted_total(now)),
        (secs(20), secs(25))
    );
    story.ordered("g", STOP);
    story.now = 100_000;
    let now = Uptime::from_millis(story.now);
    let group = story.group("g");
    assert_eq!(
        (group.up_total(now), group.wanted_total(now)),
        (secs(20), secs(25))
    );
    assert_eq!((group.hold(), group.up_since()), (Hold::Down, None));
}

#[test]
fn whose_failure_took_whom_along_is_known() {
    let mut story = grown(nested(1));
    story.crash_and_wait("a");
    story.crash("a");
    let inner = story.sup.find_group("inner").unwrap();
    let outer = story.sup.find_group("outer").unwrap();
    let by = |cause: Option<&sup::policy::Cause>| cause.map(|it| (it.group, it.by, it.exit));
    let crashed = Some(code(1));
    assert_eq!(
        by(story.child("x").taken_by()),
        Some((outer, Member::Group(inner), crashed)),
        "x fell with outer, because of inner"
    );
    assert_eq!(
        by(story.child("b").taken_by()),
        Some((inner, story.member("a"), crashed)),
        "b fell with inner, because of a"
    );
    assert_eq!(
        by(story.group("outer").cause()),
        by(story.child("x").taken_by())
    );
    assert_eq!(story.child("a").taken_by(), None);
    assert_eq!(
        (story.group("inner").streak(), story.group("outer").streak()),
        (1, 0)
    );
    assert_eq!(story.group("inner").parent(), Some(outer));
}

#[test]
fn whose_failure_took_it_along_is_known_however_deep_it_is() {
    for on_limit in [OnLimit::Escalate, OnLimit::GiveUp] {
        let groups = [
            GroupSpec {
                budget: Some(budget(1, on_limit)),
                ..group("top", OneForAll, "x mid")
            },
            group("mid", OneForOne, "low"),
            group("low", OneForOne, "y"),
        ];
        let mut root = GroupSpec::root(names("top"));
        root.budget = Some(budget(5, OnLimit::Escalate));
        let children = ["x", "y"].map(member).into();
        let mut story = grown(tree(root, &groups, children));
        let top = story.sup.find_group("top").unwrap();
        for _ in 0..2 {
            // The first restarts all of it, the second is too much for it.
            story.crash("x");
            let by = story.child("y").taken_by().unwrap();
            assert_eq!((by.group, by.by), (top, story.member("x")), "{on_limit:?}");
            assert_eq!(by.at, Uptime::from_millis(story.now));
            story.sleep_past_saves_to_rest();
            if story.due().is_some() {
                let waits_for = story.sup.waits_for(story.id("y"));
                assert_eq!(waits_for, Some(Member::Group(top)), "{on_limit:?}");
                assert_eq!(story.wait(), "+x +y");
            }
        }
        if on_limit == OnLimit::Escalate {
            story.ordered("top", STOP);
            let last = story.child("y").taken_by();
            assert_eq!(last, None, "a person has, and that is no failure");
        }
    }
}

#[test]
fn what_somebody_waits_for_has_a_name() {
    let mut tree = four(OneForAll);
    tree.children[1].launch.ready = Ready::Notify;
    let mut story = Story::planted(tree);
    story.starts("a");
    story.starts("b");
    let waits = |story: &Story, name: &str| {
        let waits_for = story.sup.waits_for(story.id(name));
        waits_for.map(|it| sup::model::words::Names::member(&story.sup, it).to_owned())
    };
    assert_eq!(
        waits(&story, "d").as_deref(),
        Some("b"),
        "its turn is after b's"
    );
    assert_eq!(story.group("g").coming(), Some(story.member("b")));
    story.ready("b");
    story.play();
    assert_eq!(story.group("g").coming(), None);
    story.crash("a");
    assert_eq!(
        waits(&story, "d").as_deref(),
        Some("g"),
        "the group is falling"
    );
    story.ordered("g", STOP);
    let g = story.sup.find_group("g");
    assert_eq!(story.sup.kept_down_by(story.id("d")), g);
    assert!(story.group("g").is_held());
}

#[test]
fn a_signal_to_a_group_reaches_all_that_run() {
    let mut story = grown(four(OneForOne));
    story.ordered("c", STOP);
    let hup = Order::Signal(Signal::HUP);
    assert_eq!(
        story.order("g", hup),
        "HUP a (main); HUP b (main); HUP d (main)"
    );
    story.ordered("g", STOP);
    story.order("g", hup);
    assert_eq!(story.answer, Some(Answer::NotRunning));
}

#[test]
fn a_reload_says_what_becomes_of_groups() {
    use sup::policy::{Change, plan};
    let story = grown(four(OneForOne));
    let mut tree = four(OneForAll);
    tree.groups = Box::new([tree.groups[0].clone(), group("h", OneForOne, "d")]);
    tree.groups[0].members = names("a b c");
    let planned = |tree: &Tree| -> Vec<(String, Change)> {
        let all = plan(&story.sup, tree).into_iter();
        all.filter(|(_, what)| *what != Change::Kept).collect()
    };
    let adjusted = ("g".to_owned(), Change::Adjusted);
    assert_eq!(planned(&tree), [adjusted, ("h".to_owned(), Change::Added)]);
    let none = Tree::from(["a", "b", "c", "d"].map(member).to_vec());
    assert_eq!(planned(&none), [("g".to_owned(), Change::Removed)]);
}

// ---- found by the simulation ----------------------------------------------------------------

#[test]
fn a_temporary_group_that_cannot_start_is_not_started_again() {
    let mut tree = four(OneForOne);
    tree.groups[0].restart = RestartPolicy::No;
    let mut story = Story::planted(tree);
    story.fails_to_start("a");
    let finished = Over::Finished { clean: false };
    assert_eq!(*story.group("g").phase(), GroupPhase::Over(finished));
}

#[test]
fn a_template_is_ready_when_its_instances_are() {
    let mut tree = workers(2);
    tree.root.members = names("outer");
    push_group(&mut tree, group("outer", OneForAll, "w a"));
    push_child(&mut tree, member("a"));
    let mut story = Story::planted(tree);
    assert_eq!(story.did, "spawn w/1#1; spawn w/2#1");
    assert_eq!(story.starts("w/2"), "");
    assert_eq!(story.starts("w/1"), "spawn a#1");
}

fn push_group(tree: &mut Tree, group: GroupSpec) {
    let mut groups = core::mem::take(&mut tree.groups).into_vec();
    groups.push(group);
    tree.groups = groups.into();
}

fn push_child(tree: &mut Tree, child: ChildSpec) {
    let mut children = core::mem::take(&mut tree.children).into_vec();
    children.push(child);
    tree.children = children.into();
}

#[test]
fn a_group_that_loses_members_while_it_starts_comes_up() {
    let mut story = Story::planted(four(OneForAll));
    story.starts("a");
    story.starts("b");
    story.starts("c"); // It is d's turn.
    let mut less = four(OneForAll);
    less.groups[0].members = names("d");
    less.root.members = names("g a b c");
    story.replant(less);
    story.starts("d");
    assert!(matches!(story.group("g").phase(), GroupPhase::Up { .. }));
}

#[test]
fn a_group_that_loses_members_while_it_falls_rises_again() {
    let mut story = grown(four(RestForOne));
    story.ends("c", code(1)); // d goes down.
    let mut less = four(RestForOne);
    less.groups[0].members = names("a");
    less.root.members = names("g b c d");
    story.replant(less);
    story.did = "TERM d".into();
    story.play();
    while story.up_names() != "a b c d" {
        story.wait();
    }
    assert!(matches!(story.group("g").phase(), GroupPhase::Up { .. }));
}

#[test]
fn a_restart_by_hand_brings_all_of_a_group_back_what_is_temporary_too() {
    let mut tree = four(RestForOne);
    tree.children[1] = policy("b", RestartPolicy::No);
    let mut story = grown(tree);
    story.ends("d", code(0));
    assert_eq!(story.ordered("g", Order::Restart), "-c -b -a +a +b +c +d");
    story.crash("d"); // It falls from d on only.
    assert_eq!(story.ordered("g", Order::Restart), "-c -b -a +a +b +c +d");
}

#[test]
fn who_is_started_while_it_is_taken_down_comes_back() {
    for (name, answer) in [("d", "-d -c -a"), ("g", "-d -c -a")] {
        let mut tree = four(OneForAll);
        tree.children[3] = policy("d", RestartPolicy::No);
        tree.children[2] = policy("c", RestartPolicy::No);
        let mut story = grown(tree);
        story.ends("b", code(1)); // d is asked to end; c and a wait for their turn.
        story.order(name, Order::Start);
        assert_eq!(story.answer, Some(Answer::Accepted));
        story.did = "TERM d".into();
        let log = story.play();
        let all = if log.contains('+') {
            log
        } else {
            format!("{log} {}", story.wait())
        };
        assert!(all.starts_with(answer), "{all}");
        assert!(story.up_names().contains('d'), "{all}");
        assert_eq!(story.up_names().contains('c'), name == "g", "{all}");
    }
}

#[test]
fn a_reset_does_not_start_a_group_that_has_done_its_work() {
    let any = AutoShutdown::AnySignificant;
    let mut story = grown(significant(RestartPolicy::OnFailure, any, &[1]));
    story.ends("b", code(0));
    story.play();
    assert_eq!(story.ordered("g", Order::Reset), "");
}

#[test]
fn a_person_who_starts_a_group_need_not_wait_for_those_around_it() {
    let mut tree = nested(5);
    tree.groups[0].budget = Some(budget(0, OnLimit::Escalate));
    tree.root.budget = Some(budget(5, OnLimit::Escalate));
    let mut story = grown(tree);
    story.crash("x"); // outer fails, and waits.
    assert_eq!(story.ordered("inner", Order::Start), "+x +a +b +y");
}

#[test]
fn what_its_group_does_not_allow_is_not_charged_to_a_member() {
    let mut tree = nested(5);
    tree.groups[1].budget = Some(budget(0, OnLimit::Escalate));
    tree.children[2].life.budget = budget(1, OnLimit::GiveUp);
    let mut story = grown(tree);
    story.crash_and_wait("a"); // inner is restarted, and not a.
    assert_eq!(story.child("a").window().made(), []);
}

#[test]
fn a_member_that_lacks_something_does_not_hold_up_its_group() {
    let mut tree = four(OneForAll);
    push_child(&mut tree, with("off", |life| life.autostart = false));
    tree.root.members = names("off g");
    tree.children[0].life.requires = names("off");
    tree.children[1].life.requires = names("a");
    let mut story = Story::planted(tree);
    assert_eq!(story.play(), "+c +d");
}

#[test]
fn a_run_of_another_sup_is_kept_though_its_groups_turn_has_not_come() {
    let mut tree = nested(5);
    tree.children[0].launch.ready = Ready::Notify;
    let mut story = Story::planted(tree);
    story.play();
    story.ready("x");
    story.play();
    story.ends("x", code(1));
    let mut next = story.killed(); // y is being stopped; x waits.
    next.event(sup::policy::Event::Tick);
    assert_eq!(next.play(), "");
    assert_eq!(next.up_names(), "a b y");
}

#[test]
fn what_was_left_of_a_run_that_was_given_up_is_its_last() {
    let mut tree = four(OneForOne);
    tree.children[0].life.budget = budget(0, OnLimit::GiveUp);
    let mut story = grown(tree);
    story.ends_leaving("a", code(1));
    story.now += 600_000;
    let mut next = story.killed();
    next.event(sup::policy::Event::Tick);
    next.ends("a", sup::model::Exit::Vanished);
    assert_eq!(*next.phase("a"), Phase::Over(Over::GaveUp));
}

#[test]
fn a_start_that_changes_nothing_leaves_what_a_person_said_before() {
    let mut tree = four(OneForOne);
    tree.children[0].life.autostart = false;
    let mut story = grown(tree);
    assert_eq!(story.ordered("a", Order::Start), "+a");
    story.replant(four(OneForOne));
    assert_eq!(story.ordered("a", Order::Start), "");
    assert_eq!(story.answer, Some(Answer::Unchanged));
    assert_eq!(story.child("a").hold(), Hold::Up, "nothing was written");
}

#[test]
fn who_is_started_while_its_group_ends_the_wait_of_that_is_not_unchanged() {
    for name in ["a", "g"] {
        let mut tree = four(OneForAll);
        tree.root.budget = Some(budget(5, OnLimit::Escalate));
        tree.groups[0].budget = Some(budget(0, OnLimit::Escalate));
        let mut story = grown(tree);
        story.ends("d", code(1)); // g goes down, a at last, and then waits.
        story.order(name, Order::Start);
        assert_eq!(story.answer, Some(Answer::Accepted), "{name}");
        story.did = "TERM c".into();
        assert_eq!(story.play(), "-c -b -a +a +b +c +d", "{name}");
    }
}

#[test]
fn who_starts_a_group_also_has_changed_what_had_been_given_up_in_it() {
    let mut tree = nested(5);
    tree.groups[1].budget = Some(budget(0, OnLimit::GiveUp));
    tree.children[2].life.autostart = false;
    tree.children[3].life.autostart = false;
    let mut story = grown(tree);
    story.ordered("a", Order::Start);
    story.crash("a");
    story.ordered("a", STOP);
    story.order("outer", Order::Start);
    assert_eq!(story.answer, Some(Answer::Accepted));
    assert_eq!(story.memory().groups[2].credit, Credit::Whole);
}

#[test]
fn who_starts_a_group_wants_what_a_member_requires_that_has_not_stopped_yet() {
    let mut tree = four(OneForOne);
    tree.children[1].life.requires = names("off");
    let off = with("off", |life| life.budget = budget(0, OnLimit::GiveUp));
    push_child(&mut tree, off);
    tree.root.members = names("off g");
    let mut story = grown(tree);
    story.order("d", STOP);
    assert_eq!(
        story.ends("off", code(1)),
        "",
        "b is to stop, and d before it"
    );
    assert_eq!(story.order("g", Order::Start), "spawn off#2");
    assert_eq!(story.play(), "+off");
    assert_eq!(story.ends("d", signal(Signal::TERM)), "spawn d#2");
}

#[test]
fn a_group_on_its_way_to_be_done_starts_again_with_the_one_around_it() {
    let mut tree = nested(5);
    tree.groups[1].auto_shutdown = AutoShutdown::AnySignificant;
    tree.children[2].life.significant = true;
    let mut story = grown(tree);
    story.ends("a", code(0)); // b is asked to end: then inner has done its work.
    let stopping = story.did.clone();
    story.ends("x", code(1));
    story.did = format!("{stopping}; {}", story.did);
    assert_eq!(story.play(), "-b -y");
    assert_eq!(story.wait(), "+x +a +b +y");
}

#[test]
fn what_had_done_its_work_when_a_group_came_around_it_has_done_it() {
    for stopped in [false, true] {
        let mut story = Story::up([child("a"), needs("b", &["a"])]);
        story.ends("a", code(0));
        if stopped {
            story.order("a", STOP);
        }
        let around = [group("g", OneForAll, "a b")];
        let children = vec![child("a"), needs("b", &["a"])];
        let log = story.replant(tree(GroupSpec::root(names("g")), &around, children));
        assert_eq!((log.as_str(), story.up_names().as_str()), ("", "b"));
        let back = if stopped { "" } else { "+a +b" };
        assert_eq!(
            story.crash_and_wait("b"),
            format!("| {back}").trim(),
            "{stopped}"
        );
    }
}

#[test]
fn what_had_done_its_work_is_started_again_once_its_leftovers_are_gone() {
    let mut story = grown(four(OneForAll));
    story.ends_leaving("c", code(0));
    assert_eq!(story.ends("b", code(1)), "TERM d; CONT d");
    assert_eq!(story.play(), "-d", "c is to be cleared before a is stopped");
    story.cleared("c");
    assert_eq!(story.play(), "-a");
    assert_eq!(story.wait(), "+a +b +c +d");
}

#[test]
fn who_was_taken_along_by_a_group_that_a_reload_removes_forgets_it() {
    let mut story = grown(four(OneForAll));
    assert_eq!(story.crash_and_wait("b"), "-d -c -a | +a +b +c +d");
    assert!(story.child("a").taken_by().is_some());
    // The same group under another number is still known.
    let two = [group("f", OneForOne, "a"), group("g", OneForAll, "b c d")];
    let children: Vec<ChildSpec> = ["a", "b", "c", "d"].map(member).into();
    story.replant(tree(GroupSpec::root(names("f g")), &two, children.clone()));
    let by = story.child("c").taken_by().unwrap();
    assert_eq!(by.group, story.sup.find_group("g").unwrap());
    story.replant(Tree::from(children));
    assert_eq!(story.child("c").taken_by(), None);
    assert_eq!(story.order("c", STOP), "TERM c; CONT c");
}

#[test]
fn who_comes_in_the_place_of_another_has_taken_nobody_along() {
    let mut story = grown(four(OneForAll));
    assert_eq!(story.crash_and_wait("b"), "-d -c -a | +a +b +c +d");
    assert!(story.child("a").taken_by().is_some());
    let place = story.id("b");
    let mut less = four(OneForAll);
    less.groups[0].members = names("a c d");
    less.children = ["a", "c", "d"].map(member).into();
    story.replant(less.clone());
    assert_eq!(story.play(), "-b");
    push_child(&mut less, member("x"));
    less.groups[0].members = names("a c d x");
    story.replant(less);
    assert_eq!(story.play(), "+x");
    assert_eq!(story.id("x"), place);
    assert_eq!(story.child("a").taken_by(), None);
}

#[test]
fn what_a_reload_puts_into_a_new_group_on_its_way_down_is_waited_for_all_the_same() {
    let root = || GroupSpec::root(names("g"));
    let children = || ["a", "b"].map(member).to_vec();
    let mut story = grown(tree(root(), &[group("g", OneForAll, "a b")], children()));
    assert_eq!(story.ends("a", code(1)), "TERM b; CONT b");
    let (at, _) = story.sleep_past_saves(); // a need not wait any more, and b is still there.
    assert_eq!((at, &*story.did), (5_000, ""));
    let groups = [
        group("g", OneForAll, "a inner"),
        group("inner", OneForOne, "b"),
    ];
    assert_eq!(story.replant(tree(root(), &groups, children())), "");
    story.ends("b", signal(Signal::TERM));
    assert_eq!(story.play(), "+a +b");
}
