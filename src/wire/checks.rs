//! Checks in the JSON of `status` and `/metrics`.

use alloc::vec::Vec;

use serde::Serialize;

use crate::model::Gather as _;
use crate::model::report::{CheckReport, ResultReport};
use crate::model::standing::Standing;

/// One check.
#[derive(Serialize)]
pub(super) struct Check<'a> {
    name: &'a str,
    kind: &'a str,
    health: &'static str,
    failing: u8,
    retries: u8,
    next_seconds: Option<f64>,
    results: Vec<Found<'a>>,
}

#[derive(Serialize)]
struct Found<'a> {
    health: &'static str,
    ago_seconds: f64,
    took_seconds: f64,
    words: &'a str,
    output: &'a str,
}

/// Those of a child, or of the box.
pub(super) fn of<'a>(standing: &'a Standing, child: Option<&'a str>) -> Vec<Check<'a>> {
    standing.checks_of(child).map(check).gather()
}

fn check(report: &CheckReport) -> Check<'_> {
    Check {
        name: &report.name,
        kind: &report.kind,
        health: report.standing(),
        failing: report.failing,
        retries: report.retries,
        next_seconds: report.next.map(|next| next.as_secs_f64()),
        results: report.results.iter().map(found).gather(),
    }
}

fn found(result: &ResultReport) -> Found<'_> {
    Found {
        health: result.health.name(),
        ago_seconds: result.ago.as_secs_f64(),
        took_seconds: result.took.as_secs_f64(),
        words: &result.words,
        output: &result.output,
    }
}
