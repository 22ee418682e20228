//! `sup scale`, `sup add` and `sup remove`: another number of instances of a template.

use std::path::Path;

use super::args::Flags;
use super::ask::{print_replies, say};
use super::client::Client;
use super::{Code, Failed};
use crate::model::Gather as _;
use crate::model::limits::INSTANCES_MAX;
use crate::model::order::ScaleTo;
use crate::wire::control::Request;

/// Asks for it; instances that go are asked for one after the other.
pub(super) fn scale(
    runtime: &Path,
    verb: &str,
    flags: &Flags,
    operands: &[String],
) -> Result<Code, Failed> {
    let mut code = Code::Success;
    for (group, to) in asked(verb, operands).map_err(Failed::input)? {
        let request = Request::Scale {
            group: group.clone(),
            to,
            wait: !flags.has("no-wait"),
        };
        let (this, any) = print_replies(&mut Client::ask(runtime, &request)?)?;
        if this != Code::Success {
            code = this;
        }
        if !any {
            say(&format!("{group}: nothing to do, it is so already\n"));
        }
    }
    Ok(code)
}

/// What the operands of a verb mean: of which groups to make what.
fn asked(verb: &str, operands: &[String]) -> Result<Vec<(String, ScaleTo)>, String> {
    if verb == "remove" {
        return operands.iter().map(|name| instance(name)).gather();
    }
    let group = operands.first().cloned().unwrap_or_default();
    if let Some((whole, _)) = group.split_once('/') {
        return Err(format!(
            "{group} is one instance; the number is its group's, as in: sup {verb} {whole} 2"
        ));
    }
    let to = match (verb, operands.get(1)) {
        ("add", None) => ScaleTo::More(1),
        ("add", Some(number)) => ScaleTo::More(count(number)?),
        (_, number) => ScaleTo::Count(count(number.map_or("", String::as_str))?),
    };
    Ok(vec![(group, to)])
}

fn count(text: &str) -> Result<u16, String> {
    let is_number = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let number = text.parse().ok().filter(|number| *number <= INSTANCES_MAX);
    match number {
        Some(number) if is_number => Ok(number),
        _ if is_number => Err(format!(
            "{text} are too many: at most {INSTANCES_MAX} instances of one template"
        )),
        _ => Err(format!(
            "\"{text}\" is not a number of instances; allowed: 0 to {INSTANCES_MAX}"
        )),
    }
}

fn instance(name: &str) -> Result<(String, ScaleTo), String> {
    let Some((group, number)) = name.split_once('/') else {
        return Err(format!(
            "which instance of {name}? Name it, as in: sup remove {name}/3; \
             or say how many are to be left: sup scale {name} N"
        ));
    };
    let number = number.parse().ok().filter(|number| *number > 0);
    let number = number.ok_or_else(|| {
        format!("\"{name}\" is no instance; they are called {group}/1, {group}/2 and so on")
    })?;
    Ok((group.to_owned(), ScaleTo::Without(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(line: &str) -> Result<Vec<(String, ScaleTo)>, String> {
        let mut words = line.split(' ').map(str::to_owned);
        let verb = words.next().unwrap();
        asked(&verb, &words.collect::<Vec<_>>())
    }

    #[test]
    fn counts_and_instances_are_understood() {
        let workers = |to| ("workers".to_owned(), to);
        let table = [
            ("scale workers 6", vec![workers(ScaleTo::Count(6))]),
            ("scale workers 0", vec![workers(ScaleTo::Count(0))]),
            ("add workers", vec![workers(ScaleTo::More(1))]),
            ("add workers 3", vec![workers(ScaleTo::More(3))]),
            (
                "remove workers/3 workers/12",
                vec![workers(ScaleTo::Without(3)), workers(ScaleTo::Without(12))],
            ),
        ];
        for (line, wanted) in table {
            assert_eq!(meant(line), Ok(wanted), "{line}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_answered_with_what_can() {
        let table = [
            (
                "scale workers many",
                "\"many\" is not a number of instances; allowed: 0 to 1000",
            ),
            (
                "scale workers +3",
                "\"+3\" is not a number of instances; allowed: 0 to 1000",
            ),
            (
                "add workers 70000",
                "70000 are too many: at most 1000 instances of one template",
            ),
            (
                "scale workers/3 2",
                "workers/3 is one instance; the number is its group's, as in: sup scale workers 2",
            ),
            (
                "remove workers",
                "which instance of workers? Name it, as in: sup remove workers/3; or say how \
                 many are to be left: sup scale workers N",
            ),
            (
                "remove workers/1 workers/x",
                "\"workers/x\" is no instance; they are called workers/1, workers/2 and so on",
            ),
            (
                "remove workers/0",
                "\"workers/0\" is no instance; they are called workers/1, workers/2 and so on",
            ),
        ];
        for (line, wanted) in table {
            assert_eq!(meant(line), Err(wanted.to_owned()), "{line}");
        }
    }
}
