//! How it reads when a check finds something else than before.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use super::{Level, Line, Names, Telling, error, info, warning};
use crate::model::check::{CheckId, Health};

/// The line of a check's notice in the log.
pub(super) fn line(check: CheckId, was: Health, health: Health, names: &impl Names) -> Line {
    let text = sentence(check, was, health, names);
    match health {
        Health::Healthy => info(text),
        Health::Unknown | Health::Warning => warning(text),
        Health::Critical => error(text),
    }
}

/// What a person is told of it.
#[must_use]
pub fn telling(check: CheckId, was: Health, health: Health, names: &impl Names) -> Telling {
    let level = match health {
        Health::Healthy => Level::Info,
        Health::Unknown | Health::Warning => Level::Warning,
        Health::Critical => Level::Critical,
    };
    let mut facts = alloc::vec![
        ("EVENT", event(health).to_owned()),
        ("LEVEL", level.name().to_owned()),
        ("CHECK", names.check(check).to_owned()),
        ("HEALTH", health.name().to_owned()),
        ("HEALTH_BEFORE", was.name().to_owned()),
    ];
    facts.extend(check.of.map(|id| ("CHILD", names.child(id).to_owned())));
    let found = names.finding(check);
    if !found.is_empty() {
        facts.push(("FOUND", found.to_owned()));
    }
    let message = format!("{}: {}", level.name(), sentence(check, was, health, names));
    Telling {
        level,
        message,
        facts,
    }
}

/// What a person is told of a check that has its child restarted: that is being dealt with.
#[must_use]
pub fn restarting(check: CheckId, names: &impl Names) -> Telling {
    let found = telling(check, Health::Healthy, Health::Critical, names);
    let level = Level::Warning;
    let sentence = sentence(check, Health::Healthy, Health::Critical, names);
    let message = format!("{}: {sentence}. It is restarted", level.name());
    let mut facts = found.facts;
    for (name, value) in &mut facts {
        if *name == "LEVEL" {
            level.name().clone_into(value);
        }
    }
    Telling {
        level,
        message,
        facts,
    }
}

fn event(health: Health) -> &'static str {
    match health {
        Health::Healthy => "check-healthy",
        Health::Unknown => "check-unknown",
        Health::Warning => "check-warning",
        Health::Critical => "check-critical",
    }
}

fn sentence(check: CheckId, was: Health, health: Health, names: &impl Names) -> String {
    let whose = check.of.map_or("this box", |id| names.child(id));
    let again = match health {
        Health::Healthy => format!(" again, after {was}"),
        Health::Unknown | Health::Warning | Health::Critical => String::new(),
    };
    let found = names.finding(check);
    let found = if found.is_empty() {
        String::new()
    } else {
        format!(": {found}")
    };
    let name = names.check(check);
    format!("{whose} is {health}{again} (check {name}){found}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tree::Strategy;
    use crate::model::{ChildId, GroupId};

    struct Web;

    impl Names for Web {
        fn child(&self, _: ChildId) -> &str {
            "web"
        }

        fn group(&self, _: GroupId) -> (&str, Strategy) {
            ("", Strategy::OneForOne)
        }

        fn check(&self, _: CheckId) -> &str {
            "http"
        }

        fn finding(&self, check: CheckId) -> &str {
            check.of.map_or("", |_| "status 503")
        }
    }

    #[test]
    fn says_whose_what_and_why() {
        let check = |of| CheckId { of, place: 0 };
        let (child, host) = (check(Some(ChildId(0))), check(None));
        let told = telling(child, Health::Healthy, Health::Critical, &Web);
        let expected = "CRITICAL: web is critical (check http): status 503";
        assert_eq!(told.message, expected);
        let line = line(host, Health::Warning, Health::Healthy, &Web);
        assert_eq!(
            line.text,
            "this box is healthy again, after warning (check http)"
        );
    }
}
