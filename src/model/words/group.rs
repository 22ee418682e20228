//! How it reads when groups restart, fail, finish and recover.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::{
    Level, Line, Names, Seconds, Spelled, Telling, count, crash_words, error, exit_number, info,
    seconds, settled_words, warning, when_words,
};
use crate::model::exit::Exit;
use crate::model::ids::{GroupId, Member};
use crate::model::order::{GroupEnd, GroupNotice};
use crate::model::tree::Strategy;

/// The line of a group's notice in the log.
pub(super) fn line(group: GroupId, what: &GroupNotice, names: &impl Names) -> Line {
    let text = sentence(group, what, names);
    match what {
        GroupNotice::Failed { .. } => error(text),
        GroupNotice::StartFailed { .. } => warning(text),
        GroupNotice::Restarting { .. }
        | GroupNotice::Renewed { .. }
        | GroupNotice::Finished { .. }
        | GroupNotice::Recovered { .. } => info(text),
    }
}

/// What a person is told of it. Of a restart, the member that failed has been told.
pub(super) fn telling(group: GroupId, what: &GroupNotice, names: &impl Names) -> Option<Telling> {
    let (event, level) = match what {
        GroupNotice::Restarting { .. } => return None,
        GroupNotice::Renewed { .. } => ("group-renewed", Level::Warning),
        GroupNotice::StartFailed { .. } => ("group-start-failed", Level::Warning),
        GroupNotice::Failed { then, .. } => (end_event(*then), Level::Critical),
        GroupNotice::Finished { .. } => ("group-finished", Level::Info),
        GroupNotice::Recovered { .. } => ("group-recovered", Level::Info),
    };
    let (name, strategy) = names.group(group);
    let mut facts = alloc::vec![
        ("EVENT", event.to_owned()),
        ("LEVEL", level.name().to_owned()),
        ("GROUP", name.to_owned()),
        ("STRATEGY", strategy.name().to_owned()),
    ];
    facts.extend(facts_of(what, names));
    let message = format!("{}: {}", level.name(), sentence(group, what, names));
    Some(Telling {
        level,
        message,
        facts,
    })
}

fn end_event(then: GroupEnd) -> &'static str {
    match then {
        GroupEnd::GivesUp => "group-gave-up",
        GroupEnd::Parks(_) => "group-parked",
        GroupEnd::Escalates(_) => "group-escalated",
        GroupEnd::Ends => "root-failed",
    }
}

fn sentence(group: GroupId, what: &GroupNotice, names: &impl Names) -> String {
    let title = titled(group, names);
    match *what {
        GroupNotice::Restarting { by, delay, counted } => format!(
            "{} has failed: {title} restarts {} {}{}",
            names.member(by),
            restarted(names.group(group).1),
            when_words(delay),
            counted_words(counted),
        ),
        GroupNotice::Renewed {
            parent,
            delay,
            counted,
        } => format!(
            "{} starts {title} anew {}{}",
            titled(parent, names),
            when_words(delay),
            counted_words(counted),
        ),
        GroupNotice::StartFailed { by } => format!(
            "{title} could not be started: its member {} failed on the way",
            names.member(by),
        ),
        GroupNotice::Failed {
            by,
            exit,
            then,
            trial,
            made,
        } => {
            let how = failed_words(by, exit, names);
            let last = if trial {
                " in the one try that was left"
            } else {
                ""
            };
            format!(
                "{title}: {how}{last}. {}",
                end_words(then, trial, made, names)
            )
        }
        GroupNotice::Finished { by } => {
            format!(
                "{title} ends, because {} has ended for good",
                names.member(by)
            )
        }
        GroupNotice::Recovered { restarts } => format!("{title} {}", settled_words(restarts)),
    }
}

/// Whom a strategy restarts with a member that has failed.
fn restarted(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::OneForAll => "all of its members",
        Strategy::RestForOne => "it and those behind it",
        Strategy::OneForOne | Strategy::SimpleOneForOne => "it",
    }
}

/// `collector crashed with exit code 1`; of a group, that it failed, and with what.
fn failed_words(by: Member, exit: Option<Exit>, names: &impl Names) -> String {
    let name = names.member(by);
    match (by, exit) {
        (Member::Child(_), Some(exit)) => format!("{name} {}", crash_words(exit)),
        (Member::Group(_), Some(exit)) => format!("{name} has failed ({exit})"),
        (Member::Child(_) | Member::Group(_), None) => format!("{name} has ended"),
    }
}

/// What follows, and after how many restarts.
fn end_words(
    then: GroupEnd,
    trial: bool,
    made: Option<(u16, Duration)>,
    names: &impl Names,
) -> String {
    let after = match made {
        _ if trial => " again".to_owned(),
        None => String::new(),
        Some((0, _)) => " at the first failure".to_owned(),
        Some((restarts, window)) => {
            let made = count(u32::from(restarts), "restart");
            format!(" after {made} in {}", Spelled(window))
        }
    };
    match then {
        GroupEnd::GivesUp => format!("Giving up{after}"),
        GroupEnd::Parks(pause) => format!("Parked{after}, next try in {}", Spelled(pause)),
        GroupEnd::Escalates(parent) => {
            format!("Failing{after}: {} deals with it", titled(parent, names))
        }
        GroupEnd::Ends if trial => "Everything is stopped, and sup ends".to_owned(),
        GroupEnd::Ends => format!("Everything is stopped{after}, and sup ends"),
    }
}

/// `pipeline (rest-for-one)`.
fn titled(group: GroupId, names: &impl Names) -> String {
    let (name, strategy) = names.group(group);
    format!("{name} ({})", strategy.name())
}

/// ` (restart 2/5)`.
fn counted_words(counted: Option<(u16, u16)>) -> String {
    counted.map_or_else(String::new, |(made, max)| {
        format!(" (restart {made}/{max})")
    })
}

type Facts = Vec<(&'static str, String)>;

fn facts_of(what: &GroupNotice, names: &impl Names) -> Facts {
    let by_fact = |by: Member| ("BY", names.member(by).to_owned());
    match *what {
        GroupNotice::Renewed {
            parent,
            delay,
            counted,
        } => {
            let parent = ("PARENT", names.group(parent).0.to_owned());
            let mut all = alloc::vec![parent, seconds(delay)];
            all.extend(counted_facts(counted));
            all
        }
        GroupNotice::Restarting { by, .. }
        | GroupNotice::StartFailed { by }
        | GroupNotice::Finished { by } => {
            alloc::vec![by_fact(by)]
        }
        GroupNotice::Failed {
            by,
            exit,
            then,
            trial: _,
            made,
        } => {
            let mut all = alloc::vec![by_fact(by)];
            all.extend(match then {
                GroupEnd::Parks(pause) => Some(seconds(pause)),
                GroupEnd::Escalates(parent) => Some(("PARENT", names.group(parent).0.to_owned())),
                GroupEnd::GivesUp | GroupEnd::Ends => None,
            });
            all.extend(exit.map(|exit| ("EXIT", exit.to_string())));
            all.extend(exit.and_then(exit_number));
            if let Some((restarts, window)) = made {
                all.push(("RESTARTS", restarts.to_string()));
                all.push(("WINDOW_SECONDS", Seconds(window).to_string()));
            }
            all
        }
        GroupNotice::Recovered { restarts } => {
            alloc::vec![("RESTARTS", restarts.to_string())]
        }
    }
}

fn counted_facts(counted: Option<(u16, u16)>) -> Facts {
    counted.map_or_else(Vec::new, |(made, max)| {
        alloc::vec![
            ("ATTEMPT", made.to_string()),
            ("MAX_RESTARTS", max.to_string()),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::ChildId;

    /// `pipeline` with the child `collector` and the group `ingest`, below the root.
    struct Tree;

    impl Names for Tree {
        fn child(&self, _: ChildId) -> &str {
            "collector"
        }

        fn group(&self, id: GroupId) -> (&str, Strategy) {
            match id {
                GroupId::ROOT => ("root", Strategy::OneForOne),
                PIPELINE => ("pipeline", Strategy::RestForOne),
                _ => ("ingest", Strategy::OneForAll),
            }
        }
    }

    const PIPELINE: GroupId = GroupId(1);
    const INGEST: GroupId = GroupId(2);
    const CHILD: Member = Member::Child(ChildId(0));
    const WINDOW: Duration = Duration::from_secs(60);

    fn failed(by: Member, then: GroupEnd, trial: bool, made: Option<u16>) -> GroupNotice {
        GroupNotice::Failed {
            by,
            exit: Some(Exit::Code(1)),
            then,
            trial,
            made: made.map(|made| (made, WINDOW)),
        }
    }

    #[test]
    fn who_restarts_whom_and_how_often_it_may() {
        let restarting = |secs, counted| GroupNotice::Restarting {
            by: CHILD,
            delay: Duration::from_secs(secs),
            counted,
        };
        let renewed = GroupNotice::Renewed {
            parent: PIPELINE,
            delay: Duration::from_secs(10),
            counted: Some((2, 5)),
        };
        let table = [
            (
                PIPELINE,
                restarting(5, Some((1, 5))),
                "collector has failed: pipeline (rest-for-one) restarts it and those behind it \
                 in 5 seconds (restart 1/5)",
            ),
            (
                INGEST,
                restarting(0, None),
                "collector has failed: ingest (one-for-all) restarts all of its members now",
            ),
            (
                INGEST,
                renewed,
                "pipeline (rest-for-one) starts ingest (one-for-all) anew in 10 seconds \
                 (restart 2/5)",
            ),
            (
                PIPELINE,
                GroupNotice::StartFailed { by: CHILD },
                "pipeline (rest-for-one) could not be started: its member collector failed on \
                 the way",
            ),
            (
                PIPELINE,
                GroupNotice::Finished { by: CHILD },
                "pipeline (rest-for-one) ends, because collector has ended for good",
            ),
            (
                PIPELINE,
                GroupNotice::Recovered { restarts: 2 },
                "pipeline (rest-for-one) has settled after 2 restarts",
            ),
            (
                PIPELINE,
                GroupNotice::Recovered { restarts: 0 },
                "pipeline (rest-for-one) has settled",
            ),
        ];
        for (group, what, wanted) in table {
            assert_eq!(line(group, &what, &Tree).text, wanted);
        }
    }

    #[test]
    fn a_group_that_fails_says_with_whom_and_what_follows() {
        let ingest = Member::Group(INGEST);
        let hour = GroupEnd::Parks(Duration::from_secs(3600));
        let up = GroupEnd::Escalates(GroupId::ROOT);
        let table = [
            (
                failed(CHILD, GroupEnd::GivesUp, false, Some(5)),
                "collector crashed with exit code 1. Giving up after 5 restarts in 1 minute",
            ),
            (
                failed(CHILD, GroupEnd::GivesUp, false, Some(0)),
                "collector crashed with exit code 1. Giving up at the first failure",
            ),
            (
                failed(CHILD, GroupEnd::GivesUp, true, Some(0)),
                "collector crashed with exit code 1 in the one try that was left. Giving up again",
            ),
            (
                failed(ingest, GroupEnd::GivesUp, false, None),
                "ingest has failed (exit code 1). Giving up",
            ),
            (
                failed(ingest, hour, false, Some(1)),
                "ingest has failed (exit code 1). Parked after 1 restart in 1 minute, next try \
                 in 1 hour",
            ),
            (
                failed(CHILD, up, false, Some(5)),
                "collector crashed with exit code 1. Failing after 5 restarts in 1 minute: root \
                 (one-for-one) deals with it",
            ),
            (
                failed(ingest, GroupEnd::Ends, true, Some(2)),
                "ingest has failed (exit code 1) in the one try that was left. Everything is \
                 stopped, and sup ends",
            ),
            (
                failed(ingest, GroupEnd::Ends, false, None),
                "ingest has failed (exit code 1). Everything is stopped, and sup ends",
            ),
        ];
        for (what, wanted) in table {
            assert_eq!(
                telling(PIPELINE, &what, &Tree).unwrap().message,
                format!("CRITICAL: pipeline (rest-for-one): {wanted}")
            );
        }
    }

    /// One failure, one message: that of the member has been told.
    #[test]
    fn a_restart_with_others_is_no_alert_of_its_own() {
        let restarting = GroupNotice::Restarting {
            by: CHILD,
            delay: WINDOW,
            counted: None,
        };
        assert_eq!(telling(PIPELINE, &restarting, &Tree), None);
    }

    #[test]
    fn programs_get_the_same_as_facts() {
        let facts = |group, what| {
            let told = telling(group, &what, &Tree).unwrap();
            let words: Vec<_> = told
                .facts
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            words.join(" ")
        };
        let renewed = GroupNotice::Renewed {
            parent: PIPELINE,
            delay: Duration::from_secs(10),
            counted: Some((2, 5)),
        };
        assert_eq!(
            facts(INGEST, renewed),
            "EVENT=group-renewed LEVEL=WARNING GROUP=ingest STRATEGY=one-for-all \
             PARENT=pipeline DELAY_SECONDS=10 ATTEMPT=2 MAX_RESTARTS=5"
        );
        let escalated = failed(CHILD, GroupEnd::Escalates(GroupId::ROOT), false, Some(5));
        assert_eq!(
            facts(PIPELINE, escalated),
            "EVENT=group-escalated LEVEL=CRITICAL GROUP=pipeline STRATEGY=rest-for-one \
             BY=collector PARENT=root EXIT=exit code 1 EXIT_CODE=1 RESTARTS=5 WINDOW_SECONDS=60"
        );
        let parked = failed(CHILD, GroupEnd::Parks(WINDOW), false, None);
        assert_eq!(
            facts(PIPELINE, parked),
            "EVENT=group-parked LEVEL=CRITICAL GROUP=pipeline STRATEGY=rest-for-one \
             BY=collector DELAY_SECONDS=60 EXIT=exit code 1 EXIT_CODE=1"
        );
    }
}
