//! Random configurations. Children are called `a`, `b`, …; each depends only on earlier
//! letters, so that there are no cycles.

use core::time::Duration;

use sup::model::spec::{Backoff, Budget, ExitMatch, Launch, Life, LogSpec, OnLimit, Ready, Stop};
use sup::model::{ChildSpec, RestartPolicy, Signal};

use crate::dice::Dice;

/// Letters in use.
pub(crate) const NAMES: usize = 10;

/// The letter's number.
pub(crate) fn letter(name: &str) -> usize {
    usize::from(name.as_bytes()[0] - b'a')
}

fn name(letter: usize) -> Box<str> {
    char::from(b'a' + u8::try_from(letter).unwrap_or(0))
        .to_string()
        .into()
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// One to eight children, mostly few.
pub(crate) fn children(dice: &mut Dice) -> Vec<ChildSpec> {
    let count = dice.pick(&[1, 1, 2, 2, 3, 3, 4, 5, 6, 8]);
    let mut specs: Vec<ChildSpec> = (0..count).map(|n| child(n, dice)).collect();
    if dice.once_in(3) {
        specs.reverse(); // Later letters first: the order of the file is not the order of starts.
    }
    prune(&mut specs);
    specs
}

fn child(letter: usize, dice: &mut Dice) -> ChildSpec {
    let ready = dice.pick(&[Ready::Started, Ready::Started, Ready::Notify]);
    ChildSpec {
        name: name(letter),
        launch: Launch {
            ready,
            ..Launch::default()
        },
        log: LogSpec::Ring,
        life: life(letter, dice),
    }
}

fn life(letter: usize, dice: &mut Dice) -> Life {
    let restart = match dice.below(8) {
        0..3 => RestartPolicy::Always,
        3..6 => RestartPolicy::OnFailure,
        _ => dice.pick(&RestartPolicy::NAMES).1,
    };
    let mut requires: Vec<Box<str>> = Vec::new();
    let mut after: Vec<Box<str>> = Vec::new();
    for earlier in 0..letter {
        match dice.below(8) {
            0 | 1 => requires.push(name(earlier)),
            2 => after.push(name(earlier)),
            _ => {}
        }
    }
    let prevent: &[ExitMatch] = if dice.once_in(10) {
        &[ExitMatch::Code(7)]
    } else {
        &[]
    };
    Life {
        autostart: !dice.once_in(8),
        restart,
        prevent_exit: prevent.into(),
        backoff: backoff(dice),
        budget: budget(dice),
        stop: Stop {
            signal: dice.pick(&[Signal::TERM, Signal::TERM, Signal::INT]),
            timeout: dice.pick(&[Some(ms(1000)), Some(ms(10_000)), Some(ms(10_000)), None]),
        },
        start_timeout: dice.pick(&[Some(ms(5000)), Some(ms(5000)), Some(ms(20_000)), None]),
        after: after.into(),
        requires: requires.into(),
        ..Life::default()
    }
}

fn backoff(dice: &mut Dice) -> Backoff {
    // Not always a tenth of a second, for ever: that is a life of one child only.
    let (first, factor_milli) = dice.pick(&[
        (5000, 1000),
        (100, 1500),
        (1000, 1500),
        (100, 2000),
        (1000, 2000),
        (5000, 2000),
    ]);
    Backoff {
        first: ms(first),
        factor_milli,
        longest: ms(dice.pick(&[5000, 60_000, 60_000])),
        settle: ms(dice.pick(&[1000, 10_000, 60_000])),
        jitter_percent: dice.pick(&[0, 0, 20]),
    }
}

fn budget(dice: &mut Dice) -> Budget {
    let on_limit = match dice.below(10) {
        0..6 => OnLimit::GiveUp,
        6..9 => OnLimit::Park(ms(dice.pick(&[60_000, 600_000]))),
        _ => OnLimit::Escalate,
    };
    Budget {
        max_restarts: dice.pick(&[None, Some(0), Some(1), Some(2), Some(2), Some(5)]),
        window: ms(dice.pick(&[10_000, 60_000, 600_000])),
        on_limit,
    }
}

/// Drops the names of children that are not there: the configuration's checker refuses them.
fn prune(specs: &mut [ChildSpec]) {
    let known: Vec<Box<str>> = specs.iter().map(|spec| spec.name.clone()).collect();
    for spec in specs {
        for list in [&mut spec.life.after, &mut spec.life.requires] {
            *list = list
                .iter()
                .filter(|name| known.contains(name))
                .cloned()
                .collect();
        }
    }
}

/// The same with a child more, less or changed.
pub(crate) fn changed(specs: &[ChildSpec], dice: &mut Dice) -> Vec<ChildSpec> {
    let mut specs = specs.to_vec();
    let free = (0..NAMES).find(|&n| specs.iter().all(|spec| letter(&spec.name) != n));
    match (dice.below(5), free) {
        (0, _) if specs.len() > 1 => drop(specs.remove(dice.index(specs.len()))),
        (1, Some(free)) => specs.push(child(free, dice)),
        (2, _) => {
            let n = dice.index(specs.len());
            specs[n].life = life(letter(&specs[n].name), dice);
        }
        (3, _) => {}
        _ => {
            let n = dice.index(specs.len());
            specs[n].launch.umask = Some(u16::try_from(dice.below(512)).unwrap_or(0));
        }
    }
    prune(&mut specs);
    specs
}
