//! Random whole lives of a supervisor, each from a seed: first faults, then calm, then the
//! end. What must hold in all of them stands in `invariants.rs`; `mutants.rs` makes sure
//! that it is really looked at. `world.rs` lives a life, `checker.rs` watches it.
//!
//! ```text
//! SUP_LIVES=1000000 cargo test --profile release-test --test simulation
//! SUP_SEED=2994 cargo test --test simulation -- --nocapture      one life, with its log
//! ```

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a mutant corrupts one thing and passes on the rest"
)]

mod checker;
mod config;
#[path = "../common/dice.rs"]
mod dice;
mod facts;
mod groups;
mod health;
mod invariants;
mod known;
mod mutants;
mod seen;
mod turns;
mod wishes;
mod words;
mod world;

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use invariants::Invariant;
use mutants::{MUTANTS, Mutant};

/// Lives where `SUP_LIVES` says nothing.
const LIVES: u64 = 20_000;

/// Lives in which a mutant must be caught.
const MUTANT_LIVES: u64 = 4_000;

/// Lines of a log that are shown, of the last of it.
const LOG_LINES: usize = 40;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.replace('_', "").parse().ok()
}

/// Calls `each` with 0, 1, … on all processors, until one says false.
fn in_parallel(count: u64, each: impl Fn(u64) -> bool + Sync) {
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        break;
                    }
                    if !each(n) {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
}

/// Lives it again with a log, and says how to repeat it: first, in case it panics.
fn report(seed: u64) -> String {
    println!("SUP_SEED={seed} cargo test --test simulation whole_lives -- --nocapture");
    let life = world::live(seed, None, true);
    let lines: Vec<&str> = life.log.lines().collect();
    let last = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
    let broken = life.broken;
    format!("life {seed} breaks {broken:?}; the last of its log:\n{last}")
}

#[test]
fn whole_lives() {
    if let Some(seed) = number("SUP_SEED") {
        let life = world::live(seed, None, true);
        println!("{}", life.log);
        assert_eq!(life.broken, None, "life {seed}");
        return;
    }
    let (broken, seen) = (Mutex::new(None), AtomicU32::new(0));
    let lives = number("SUP_LIVES").unwrap_or(LIVES);
    in_parallel(lives, |seed| {
        let life = catch_unwind(AssertUnwindSafe(|| world::live(seed, None, false)));
        let fine = life.as_ref().is_ok_and(|life| life.broken.is_none());
        seen.fetch_or(life.map_or(0, |life| life.seen), Ordering::Relaxed);
        if !fine && let Ok(mut broken) = broken.lock() {
            *broken = Some(seed);
        }
        fine
    });
    let broken = broken.into_inner().unwrap_or(None);
    if let Some(seed) = broken {
        panic!("{}", report(seed));
    }
    let kinds = seen.into_inner().count_ones();
    assert!(
        kinds == words::KINDS || lives < 1000,
        "only {kinds} kinds of notices came up"
    );
}

/// Lives until the expected invariant has caught it: after how many, and who else did.
fn hunt(mutant: Mutant, expected: Invariant) -> (Option<u64>, Vec<Invariant>) {
    let mut others = Vec::new();
    for seed in 0..MUTANT_LIVES {
        match world::live(seed, Some(mutant), false).broken {
            Some(found) if found == expected => return (Some(seed + 1), others),
            Some(found) if !others.contains(&found) => others.push(found),
            Some(_) | None => {}
        }
    }
    (None, others)
}

#[test]
fn every_mutant_is_caught() {
    let escaped = Mutex::new(Vec::new());
    in_parallel(MUTANTS.len() as u64, |n| {
        let (mutant, expected) = MUTANTS[usize::try_from(n).unwrap_or(0)];
        let (lives, others) = hunt(mutant, expected);
        match lives {
            Some(lives) => {
                println!("{mutant:?}: {expected:?} in life {lives}; before it {others:?}");
            }
            None => {
                println!("{mutant:?}: escapes {expected:?}; others {others:?}");
                escaped
                    .lock()
                    .map(|mut escaped| escaped.push(mutant))
                    .unwrap_or(());
            }
        }
        true
    });
    assert_eq!(escaped.into_inner().unwrap_or_default(), []);
}

#[test]
fn every_invariant_has_a_mutant_that_breaks_it() {
    let lines = include_str!("invariants.rs").lines();
    let names = lines.filter_map(|line| line.strip_prefix("    ")?.strip_suffix(','));
    let invariants: Vec<&str> = names.filter(|name| !name.contains(' ')).collect();
    assert!(invariants.len() > 30, "{invariants:?}");
    let broken = MUTANTS.map(|(_, invariant)| format!("{invariant:?}"));
    let is_safe = |name: &&&str| !broken.iter().any(|it| it == **name);
    let safe: Vec<&&str> = invariants.iter().filter(is_safe).collect();
    assert_eq!(safe, [&""; 0]);
}
