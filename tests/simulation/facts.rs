//! What is configured, as far as the claims need it: children and groups by their places,
//! and who stands where.

use core::time::Duration;

use sup::model::spec::{Backoff, Budget, Life, OnLimit, Ready, Stop};
use sup::model::tree::{AutoShutdown, GroupSpec, Strategy, Tree};
use sup::model::{ChildSpec, RestartPolicy, Signal};

use crate::checker::millis;
use crate::config::{CHECKS, GROUPS, NAMES, group_place, is_group, letter};
use crate::health::CheckFacts;

/// A child by its letter, or a group behind all of them: one place in every list of both.
pub(crate) fn of_group(group: usize) -> usize {
    NAMES + group
}

/// Children and groups.
pub(crate) const MEMBERS: usize = NAMES + GROUPS;

/// The groups that something is in, the nearest first, each with the place there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Line {
    steps: [(u8, u8); GROUPS],
    len: u8,
}

impl Line {
    pub(crate) fn steps(self) -> impl Iterator<Item = (usize, u8)> {
        let steps = self.steps.into_iter().take(usize::from(self.len));
        steps.map(|(group, place)| (usize::from(group), place))
    }

    pub(crate) fn parent(self) -> Option<(usize, u8)> {
        self.steps().next()
    }

    /// Its place in that group, or that of the one that it is in.
    pub(crate) fn place_in(self, group: usize) -> Option<u8> {
        self.steps().find(|step| step.0 == group).map(|step| step.1)
    }

    fn push(&mut self, group: usize, place: u8) {
        self.steps[usize::from(self.len)] = (u8::try_from(group).unwrap_or(0), place);
        self.len += 1;
    }
}

/// One child.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) configured: bool,
    pub(crate) autostart: bool,
    pub(crate) temporary: bool,
    pub(crate) significant: bool,
    pub(crate) ready: Ready,
    pub(crate) backoff: Backoff,
    pub(crate) budget: Budget,
    pub(crate) stop: Stop,
    /// One bit a member.
    pub(crate) requires: u32,
    pub(crate) after: u32,
    pub(crate) line: Line,
    pub(crate) checks: [Option<CheckFacts>; CHECKS],
    /// In milliseconds.
    pub(crate) watchdog: Option<u64>,
}

/// One group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupFacts {
    pub(crate) configured: bool,
    pub(crate) strategy: Strategy,
    pub(crate) ordered: bool,
    pub(crate) autostart: bool,
    pub(crate) budget: Option<Budget>,
    pub(crate) backoff: Backoff,
    pub(crate) restart: RestartPolicy,
    pub(crate) significant: bool,
    pub(crate) auto: AutoShutdown,
    pub(crate) line: Line,
    /// All children in it, however deep, one bit each.
    pub(crate) below: u16,
    /// All groups in it, and itself.
    pub(crate) groups: u8,
    /// Its own members, one bit each.
    pub(crate) members: u32,
}

pub(crate) fn letters(mask: u16) -> impl Iterator<Item = usize> {
    (0..NAMES).filter(move |n| mask & 1 << n != 0)
}

pub(crate) fn groups(mask: u8) -> impl Iterator<Item = usize> {
    (0..GROUPS).filter(move |n| mask & 1 << n != 0)
}

impl Facts {
    pub(crate) const NONE: Self = Self {
        configured: false,
        autostart: false,
        temporary: false,
        significant: false,
        ready: Ready::Started,
        backoff: NO_BACKOFF,
        budget: Budget {
            max_restarts: None,
            window: Duration::ZERO,
            on_limit: OnLimit::GiveUp,
        },
        stop: Stop {
            signal: Signal::TERM,
            timeout: None,
        },
        requires: 0,
        after: 0,
        line: Line {
            steps: [(0, 0); GROUPS],
            len: 0,
        },
        checks: [None; CHECKS],
        watchdog: None,
    };

    pub(crate) fn of(spec: &ChildSpec) -> Self {
        let mask = |names: &[Box<str>]| names.iter().fold(0, |mask, name| mask | 1 << member(name));
        let Life {
            autostart,
            backoff,
            budget,
            stop,
            significant,
            ..
        } = *spec.life;
        Self {
            configured: true,
            autostart,
            temporary: spec.life.restart == RestartPolicy::No,
            significant,
            ready: spec.launch.ready,
            backoff,
            budget,
            stop,
            requires: mask(&spec.life.requires),
            after: mask(&spec.life.after),
            line: Line::default(),
            checks: CheckFacts::of(&spec.life.checks),
            watchdog: spec.life.watchdog.as_ref().map(|it| millis(it.within)),
        }
    }
}

fn member(name: &str) -> usize {
    if is_group(name) && !name.contains('/') {
        of_group(group_place(name))
    } else {
        letter(name)
    }
}

impl GroupFacts {
    pub(crate) const NONE: Self = Self {
        configured: false,
        strategy: Strategy::OneForOne,
        ordered: false,
        autostart: true,
        budget: None,
        backoff: NO_BACKOFF,
        restart: RestartPolicy::OnFailure,
        significant: false,
        auto: AutoShutdown::Never,
        line: Facts::NONE.line,
        below: 0,
        groups: 0,
        members: 0,
    };

    fn of(spec: &GroupSpec) -> Self {
        Self {
            configured: true,
            strategy: spec.strategy,
            // The members of a one-for-one root are strangers, instances are alike.
            ordered: match spec.strategy {
                Strategy::OneForOne => group_place(&spec.name) != 0,
                Strategy::OneForAll | Strategy::RestForOne => true,
                Strategy::SimpleOneForOne => false,
            },
            autostart: spec.autostart,
            budget: spec.budget,
            backoff: spec.backoff,
            restart: spec.restart,
            significant: spec.significant,
            auto: spec.auto_shutdown,
            ..Self::NONE
        }
    }

    /// Whether a failed member takes others along.
    pub(crate) fn takes_along(&self) -> bool {
        matches!(self.strategy, Strategy::OneForAll | Strategy::RestForOne)
    }

    pub(crate) fn is_temporary(&self) -> bool {
        self.restart == RestartPolicy::No
    }
}

const NO_BACKOFF: Backoff = Backoff {
    first: Duration::ZERO,
    factor_milli: 1000,
    longest: Duration::ZERO,
    settle: Duration::ZERO,
    jitter_percent: 0,
};

/// The facts of a tree. `children`: all of them, instances included.
pub(crate) fn of<'a>(
    tree: &Tree,
    children: impl Iterator<Item = &'a ChildSpec>,
) -> ([Facts; NAMES], [GroupFacts; GROUPS]) {
    let mut facts = [Facts::NONE; NAMES];
    let mut all = [GroupFacts::NONE; GROUPS];
    let mut home: [Option<(usize, u8)>; MEMBERS] = [None; MEMBERS];
    for spec in tree.all_groups() {
        let group = group_place(&spec.name);
        all[group] = GroupFacts::of(spec);
        for (place, name) in (0..).zip(&spec.members) {
            home[member(name)] = Some((group, place));
        }
    }
    for spec in children {
        let n = letter(&spec.name);
        facts[n] = Facts::of(spec);
        if spec.name.contains('/') {
            home[n] = Some((GROUPS - 1, u8::try_from(n).unwrap_or(0)));
        }
    }
    let line_of = |of: usize| {
        let (mut line, mut at) = (Line::default(), home[of]);
        while let Some((group, place)) = at {
            line.push(group, place);
            at = home[of_group(group)];
        }
        line
    };
    for n in (0..NAMES)
        .filter(|&n| facts[n].configured)
        .collect::<Vec<_>>()
    {
        facts[n].line = line_of(n);
        for (group, _) in facts[n].line.steps() {
            all[group].below |= 1 << n;
        }
        if let Some((group, _)) = facts[n].line.parent() {
            all[group].members |= 1 << n;
        }
    }
    for group in (0..GROUPS)
        .filter(|&group| all[group].configured)
        .collect::<Vec<_>>()
    {
        let line = line_of(of_group(group));
        (all[group].line, all[group].groups) = (line, all[group].groups | 1 << group);
        for (above, _) in line.steps() {
            all[above].groups |= 1 << group;
        }
        if let Some((above, _)) = line.parent() {
            all[above].members |= 1 << of_group(group);
        }
    }
    (facts, all)
}
