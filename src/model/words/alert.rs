//! How it reads when incidents go on, are over, or are told late.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::{Level, Spelled, Telling, count, crash_words, exit_number};
use crate::model::alert::{Key, Kind, Severity};
use crate::model::exit::Exit;
use crate::model::ids::RunId;

/// Lines of a digest that name an incident; the rest are counted.
const DIGEST_LINES_MAX: usize = 10;

/// A child has failed, and its policy asks for no more.
#[must_use]
pub fn not_running(child: &str, run: RunId, exit: Exit) -> Telling {
    let sentence = format!(
        "{child} {}. It stays down: its policy asks for no restart",
        crash_words(exit)
    );
    let mut facts = alloc::vec![
        ("CHILD", child.to_owned()),
        ("RUN", run.nth.to_string()),
        ("EXIT", exit.to_string()),
    ];
    facts.extend(exit_number(exit));
    telling("not-running", Level::Critical, &sentence, facts)
}

/// A child is restarted over and over; `last` is what was told of the last restart.
#[must_use]
pub fn keeps_crashing(child: &str, restarts: usize, last: &Telling) -> Telling {
    let restarts = u32::try_from(restarts).unwrap_or(u32::MAX);
    let mut sentence = format!(
        "{child} keeps crashing: {} within an hour",
        count(restarts, "restart")
    );
    if let Some(exit) = last.fact("EXIT") {
        sentence += &format!(", the last one after {exit}");
    }
    let mut facts = last.facts.clone();
    facts.retain(|(name, _)| !["EVENT", "LEVEL"].contains(name));
    facts.push(("RESTARTS", restarts.to_string()));
    telling("crash-loop", Level::Warning, &sentence, facts)
}

/// A child that should run does not, as a look has found that starts nobody.
#[must_use]
pub fn down(child: &str) -> Telling {
    let sentence = format!("{child} is not running");
    let facts = alloc::vec![("CHILD", child.to_owned())];
    telling("not-running", Level::Warning, &sentence, facts)
}

/// A crash loop is over.
#[must_use]
pub fn calm(subject: &str, restarts: u32, calm: Duration) -> Telling {
    let sentence = format!(
        "{subject} has not crashed for {}, after {}",
        Spelled(calm),
        count(restarts, "restart")
    );
    let facts = alloc::vec![
        ("CHILD", subject.to_owned()),
        ("RESTARTS", restarts.to_string()),
    ];
    telling("recovered", Level::Info, &sentence, facts)
}

/// A person has stopped what was not well.
#[must_use]
pub fn stopped(subject: &str) -> Telling {
    let sentence = format!("{subject} has been stopped by hand");
    telling(
        "stopped",
        Level::Info,
        &sentence,
        alloc::vec![("CHILD", subject.to_owned())],
    )
}

/// A child that had failed has done its work.
#[must_use]
pub fn finished(subject: &str) -> Telling {
    let sentence = format!("{subject} has done its work");
    telling(
        "finished",
        Level::Info,
        &sentence,
        alloc::vec![("CHILD", subject.to_owned())],
    )
}

/// What a check found is no longer so.
#[must_use]
pub fn cleared(key: &Key, after: Duration) -> Telling {
    let after = Spelled(rough(after));
    let sentence = format!("{} is as it should be again, after {after}", name(key));
    telling(
        "cleared",
        Level::Info,
        &sentence,
        alloc::vec![("SUBJECT", key.subject.as_ref().to_owned())],
    )
}

/// How an incident stands of which another sup knew the words.
#[must_use]
pub fn remembered(key: &Key, severity: Severity) -> Telling {
    let how = match (&key.kind, severity) {
        (Kind::Check(_), Severity::Parked | Severity::Critical) => "is critical",
        (Kind::Check(_), _) => "is not as it should be",
        (Kind::Down, Severity::Critical) => "is down, and nothing more happens by itself",
        (Kind::Down, Severity::Parked) => "is parked after too many restarts",
        (Kind::Down, Severity::Looping) => "keeps crashing",
        (Kind::Down, Severity::Crashed | Severity::Warning) => "has crashed",
    };
    let facts = alloc::vec![("SUBJECT", key.subject.as_ref().to_owned())];
    telling(
        "remembered",
        severity.level(),
        &format!("{} {how}", name(key)),
        facts,
    )
}

/// What is critical is so still.
#[must_use]
pub fn reminder(of: &Telling, since: Duration) -> Telling {
    let since = Spelled(rough(since));
    let sentence = format!("still, after {since}: {}", of.sentence());
    let mut facts = of.facts.clone();
    facts.retain(|(name, _)| !["EVENT", "LEVEL"].contains(name));
    telling("reminder", of.level, &sentence, facts)
}

/// A message before which others were held back.
#[must_use]
pub fn with_held(of: &Telling, held: u32) -> Telling {
    let mut of = of.clone();
    of.message = format!(
        "{} ({} held back before this)",
        of.message,
        count(held, "message")
    );
    of.facts.push(("HELD", held.to_string()));
    of
}

/// What was held back, in one: how it stands now.
#[must_use]
pub fn digest(held: u32, now: &[&Telling]) -> Telling {
    let were = if held == 1 { "was" } else { "were" };
    let mut sentence = format!("{} {were} held back. ", count(held, "message"));
    if now.is_empty() {
        sentence += "What they told of is over";
    } else {
        sentence += "This is how it stands:";
    }
    for telling in now.iter().take(DIGEST_LINES_MAX) {
        sentence += "\n- ";
        sentence += &telling.message;
    }
    if let Some(more @ 1..) = now.len().checked_sub(DIGEST_LINES_MAX) {
        sentence += &format!("\n- and {more} more");
    }
    let level = now.iter().map(|telling| telling.level).max();
    let facts = alloc::vec![("HELD", held.to_string())];
    telling("digest", level.unwrap_or(Level::Info), &sentence, facts)
}

/// What `sup alert test` sends.
#[must_use]
pub fn test() -> Telling {
    let sentence = "this is a test of sup's alerts; nothing is wrong";
    telling("test", Level::Info, sentence, Vec::new())
}

fn telling(
    event: &str,
    level: Level,
    sentence: &str,
    more: Vec<(&'static str, String)>,
) -> Telling {
    let mut facts = alloc::vec![
        ("EVENT", event.to_owned()),
        ("LEVEL", level.name().to_owned()),
    ];
    facts.extend(more);
    Telling {
        level,
        message: format!("{}: {sentence}", level.name()),
        facts,
    }
}

/// As a person would say it: in whole minutes from two minutes on, in whole hours from two
/// hours on, and in whole days.
fn rough(span: Duration) -> Duration {
    let secs = span.as_secs();
    let unit = match secs {
        0..120 => 1,
        120..7_200 => 60,
        7_200..172_800 => 3_600,
        172_800.. => 86_400,
    };
    Duration::from_secs(secs / unit * unit)
}

/// `disk /share of host`, `collector`.
fn name(key: &Key) -> String {
    match &key.kind {
        Kind::Down => key.subject.as_ref().to_owned(),
        Kind::Check(check) => format!("{check} of {}", key.subject),
    }
}

impl Telling {
    /// The message without its level.
    #[must_use]
    pub fn sentence(&self) -> &str {
        let rest = self.message.strip_prefix(self.level.name());
        rest.and_then(|rest| rest.strip_prefix(": "))
            .unwrap_or(&self.message)
    }

    /// One of its facts.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<&str> {
        let mut facts = self.facts.iter();
        facts
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_spans_are_told_roughly() {
        let table = [
            (0, "0 seconds"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (1_247, "20 minutes"),
            (7_199, "119 minutes"),
            (7_261, "2 hours"),
            (172_799, "47 hours"),
            (200_000, "2 days"),
        ];
        for (secs, words) in table {
            let span = rough(Duration::from_secs(secs));
            assert_eq!(Spelled(span).to_string(), words);
        }
    }
}
