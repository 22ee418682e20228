//! What is allowed and yet hardly meant.

use std::time::Duration;

use crate::model::Gather as _;
use crate::model::spec::{Backoff, Budget, Stop};

use super::child::Known;
use super::mistake::Notes;
use super::names::{Names, Node};
use super::place::Place;
use super::read::Gathered;
use super::value;

/// Writes down what a person will want to know, and may leave as it is.
pub(super) fn all(gathered: &Gathered, names: &Names, notes: &Notes) {
    let shutdown = gathered.shutdown_timeout();
    for known in gathered.all_children() {
        let life = &known.spec.life;
        if life.stop.timeout.is_none_or(|timeout| timeout > shutdown) {
            let problem = format!(
                "is longer than shutdown-timeout ({})",
                value::span(shutdown)
            );
            let hint = "when sup ends, the child is killed after that time all the same";
            let place = &known.place;
            notes.warning(place.note(place.line, "stop-timeout", &problem, hint));
        }
        never_used_up(&known.place, life.budget, &[life.backoff], notes);
    }
    for (at, group) in gathered.groups.iter().enumerate() {
        // There may be more instances than are written.
        if let (Some(budget), None) = (group.spec.budget, &group.template) {
            let members = members(gathered, names, at);
            let backoffs: Vec<_> = members.map(|node| backoff(gathered, node)).gather();
            never_used_up(&group.place, budget, &backoffs, notes);
        }
    }
    stop_times(gathered, names, shutdown, notes);
}

fn members<'a>(
    gathered: &'a Gathered,
    names: &'a Names,
    group: usize,
) -> impl Iterator<Item = Node> + 'a {
    let members = gathered.groups[group].spec.members.iter();
    members.filter_map(|name| names.get(name))
}

fn backoff(gathered: &Gathered, node: Node) -> Backoff {
    match node {
        Node::Child(place) => gathered.children[place].spec.life.backoff,
        Node::Group(place) => gathered.groups[place].spec.backoff,
    }
}

/// A budget that all who are charged to it cannot use up, however often they fail.
fn never_used_up(place: &Place, budget: Budget, charged: &[Backoff], notes: &Notes) {
    let Some(most) = budget.max_restarts.filter(|most| *most > 0) else {
        return;
    };
    let restarts = |backoff: &Backoff| restarts_within(*backoff, budget.window, most);
    let restarts: u32 = charged.iter().map(restarts).sum();
    if restarts > u32::from(most) || charged.is_empty() {
        return;
    }
    let problem = match charged {
        [backoff] => format!(
            "is never used up: with this backoff {most} restarts and one more take {} or longer",
            value::span(least_time(*backoff, most))
        ),
        _ => format!(
            "is never used up: with their backoffs the members make {restarts} restarts in {} at most",
            value::span(budget.window)
        ),
    };
    let hint = "make window longer, or the waits shorter";
    notes.warning(place.note(place.line, "budget", &problem, hint));
}

/// The restarts that can be made within a window; no more than one above `most`.
fn restarts_within(backoff: Backoff, window: Duration, most: u16) -> u32 {
    let waits = waits(backoff).take(most.into());
    let fitting = waits.scan(Duration::ZERO, |sum, wait| {
        *sum = sum.saturating_add(wait);
        (*sum < window).then_some(())
    });
    1 + u32::try_from(fitting.count()).unwrap_or(u32::MAX - 1)
}

/// The least time from the first of `restarts` restarts to the one that is too many.
fn least_time(backoff: Backoff, restarts: u16) -> Duration {
    let waits = waits(backoff).take(restarts.into());
    waits.fold(Duration::ZERO, Duration::saturating_add)
}

/// The least waits from the first restart to the second, from there to the third, and so on.
fn waits(backoff: Backoff) -> impl Iterator<Item = Duration> {
    let least_percent = u32::from(100 - backoff.jitter_percent.min(100));
    let mut wait = backoff.first;
    std::iter::repeat_with(move || {
        let millis = wait.as_millis().saturating_mul(backoff.factor_milli.into()) / 1000;
        let longer = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
        wait = longer.min(backoff.longest);
        wait.saturating_mul(least_percent) / 100
    })
}

/// Members of an ordered group end one after the other: together they may need longer
/// than there is. Where one of them needs too long by itself, that is told of it; where
/// nobody has written a longer time, hardly any of them needs all of the default.
fn stop_times(gathered: &Gathered, names: &Names, shutdown: Duration, notes: &Notes) {
    let stop_time = |known: &Known| known.spec.life.stop.timeout.unwrap_or(Duration::MAX);
    // Each group behind the one that it is in.
    let mut downwards = vec![0];
    let mut at = 0;
    while let Some(group) = downwards.get(at) {
        let inner = members(gathered, names, *group).filter_map(|node| match node {
            Node::Group(inner) => Some(inner),
            Node::Child(_) => None,
        });
        downwards.extend(inner.gather::<Vec<_>>());
        at += 1;
    }
    let usual = Stop::default().timeout;
    let mut times = vec![Duration::ZERO; gathered.groups.len()];
    // Whether any time below is longer than usual: somebody has written it.
    let mut written = vec![false; gathered.groups.len()];
    for at in downwards.into_iter().rev() {
        let group = &gathered.groups[at];
        let mut longer = group
            .template
            .as_ref()
            .is_some_and(|known| known.spec.life.stop.timeout > usual);
        let of_members = members(gathered, names, at).map(|node| match node {
            Node::Child(place) => {
                let time = stop_time(&gathered.children[place]);
                longer |= Some(time) > usual;
                time
            }
            Node::Group(place) => {
                longer |= written[place];
                times[place]
            }
        });
        let each: Vec<Duration> = of_members
            .chain(group.template.as_ref().map(stop_time))
            .gather();
        let longest = each.iter().copied().max().unwrap_or_default();
        (times[at], written[at]) = (longest, longer);
        if !group.spec.is_ordered() {
            continue;
        }
        times[at] = each
            .into_iter()
            .fold(Duration::ZERO, Duration::saturating_add);
        if written[at] && times[at] > shutdown && longest <= shutdown {
            let (sum, place) = (value::span(times[at]), &group.place);
            let problem = format!(
                "its members end one after the other, which may take {sum}: longer than shutdown-timeout ({})",
                value::span(shutdown)
            );
            let hint = format!("write shutdown-timeout = \"{sum}\", or shorter stop-timeouts");
            notes.warning(place.note(place.line, "", &problem, &hint));
        }
    }
}
