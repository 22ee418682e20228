//! How well things are, for people and for scripts.

use std::fmt::Write;

use super::style::{Colour, paint};
use crate::model::Gather as _;
use crate::model::check::Health;
use crate::model::report::{CheckReport, ChildReport};
use crate::model::words::Brief;

/// Lines of a probe's output that `why` shows.
const SHOWN: usize = 8;

/// Green, yellow, red; grey for what nobody knows.
pub(super) fn colour(health: Option<Health>) -> Colour {
    match health {
        Some(Health::Healthy) => Colour::Green,
        Some(Health::Warning) => Colour::Yellow,
        Some(Health::Critical) => Colour::Red,
        Some(Health::Unknown) | None => Colour::Grey,
    }
}

/// The colour of a child that its state alone would leave green.
pub(super) fn worse(child: &ChildReport, by_state: Colour) -> Colour {
    let health = child.health.as_ref().and_then(|report| report.health);
    match (by_state, health) {
        (Colour::Green | Colour::Yellow, Some(Health::Critical)) => Colour::Red,
        (Colour::Green, Some(Health::Warning | Health::Unknown)) => Colour::Yellow,
        (by_state, _) => by_state,
    }
}

/// The checks of the box, below the table of `status`.
pub(super) fn of_box(checks: &[CheckReport], colours: bool) -> String {
    let mut text = String::new();
    for check in checks.iter().filter(|check| check.child.is_none()) {
        let standing = paint(
            &format!("{:9}", check.standing()),
            colour(check.health),
            colours,
        );
        let words = check.words();
        let line = format!("box: {:12} {standing} {words}", check.name);
        let _string = writeln!(text, "{}", line.trim_end());
    }
    if text.is_empty() {
        text
    } else {
        format!("\n{text}")
    }
}

/// The checks of a child, in `why`.
pub(super) fn why(child: &str, checks: &[CheckReport], colours: bool) -> String {
    let own = checks
        .iter()
        .filter(|check| check.child.as_deref() == Some(child));
    own.map(|check| one(check, colours)).gather()
}

fn one(check: &CheckReport, colours: bool) -> String {
    let standing = paint(check.standing(), colour(check.health), colours);
    let mut text = format!("Check {} ({}) is {standing}", check.name, check.kind);
    if check.failing > 0 {
        let (failing, retries) = (check.failing, check.retries);
        let _string = write!(text, ", failing {failing} times in a row ({retries} count)");
    }
    if let Some(next) = check.next {
        let _string = write!(text, "; next probe in {}", Brief(next));
    }
    text.push_str(".\n");
    for result in check.results.iter().rev() {
        let health = paint(
            &format!("{:8}", result.health),
            colour(Some(result.health)),
            colours,
        );
        let ago = Brief(result.ago);
        let _string = writeln!(text, "  {health} {ago} ago: {}", result.words);
    }
    // Of the newest only: the others say the same, as a rule.
    let newest = check.results.last().map_or("", |last| &last.output);
    for line in newest.lines().take(SHOWN) {
        let plain: String = line.chars().filter(|char| !char.is_control()).gather();
        let _string = writeln!(text, "    | {plain}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::standing::samples::check;

    #[test]
    fn why_tells_what_was_found() {
        let checks = [
            check(Some("web"), "http", Some(Health::Healthy)),
            check(None, "disk", Some(Health::Warning)),
        ];
        assert_eq!(
            why("web", &checks, false),
            "Check http (http) is healthy, failing 2 times in a row (3 count); next probe in 12s.\n  \
             critical 18s ago: status 503\n    | one\n    | [2Jtwo\n"
        );
        assert_eq!(why("other", &checks, false), "");
        assert_eq!(
            of_box(&checks, false),
            "\nbox: disk         warning   status 503\n"
        );
        assert_eq!(of_box(&checks[..1], false), "");
    }
}
