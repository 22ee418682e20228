//! Random configurations. Children are called `a`, `b`, …; each depends only on earlier
//! letters, or on groups. Groups are called `A`, `B`, …; `t` has a template, whose instances
//! are children, too. What waits for itself is refused, as the configuration's checker does.

use core::time::Duration;

use sup::model::check::{CheckSpec, Kind, OnCritical, Rhythm};
use sup::model::spec::{
    Backoff, Budget, ExitMatch, Launch, Life, LogSpec, OnLimit, Ready, Stop, Watchdog,
};
use sup::model::tree::{AutoShutdown, GroupSpec, ROOT, Strategy, Template, Tree};
use sup::model::{ChildSpec, RestartPolicy, Signal, precedence};

use crate::dice::Dice;

/// Letters in use.
const LETTERS: usize = 10;

/// Instances of the template, at most.
pub(crate) const INSTANCES: u16 = 6;

/// Checks of one child, at most.
pub(crate) const CHECKS: usize = 2;

/// Places of children: the letters, then the instances.
pub(crate) const NAMES: usize = 16;

/// Places of groups: the root, `A` to `E`, the one with the template.
pub(crate) const GROUPS: usize = 7;

const TEMPLATE: usize = GROUPS - 1;

/// A child's place.
pub(crate) fn letter(name: &str) -> usize {
    match name.strip_prefix("t/") {
        Some(number) => LETTERS + number.parse::<usize>().map_or(0, |number| number - 1),
        None => usize::from(name.as_bytes()[0] - b'a'),
    }
}

/// The place of an instance.
pub(crate) fn instance(number: u16) -> usize {
    LETTERS + usize::from(number) - 1
}

/// A group's place.
pub(crate) fn group_place(name: &str) -> usize {
    match name {
        ROOT => 0,
        "t" => TEMPLATE,
        _ => usize::from(name.as_bytes()[0] - b'A') + 1,
    }
}

/// Whether that is a group's name.
pub(crate) fn is_group(name: &str) -> bool {
    name == "t" || name.as_bytes()[0].is_ascii_uppercase()
}

fn name(letter: usize) -> Box<str> {
    char::from(b'a' + u8::try_from(letter).unwrap_or(0))
        .to_string()
        .into()
}

fn group_name(place: usize) -> Box<str> {
    let place = u8::try_from(place).unwrap_or(1);
    char::from(b'A' + place - 1).to_string().into()
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// One to eight children, mostly few, in every second life with groups.
pub(crate) fn tree(dice: &mut Dice) -> Tree {
    let count = dice.pick(&[1, 1, 2, 2, 3, 3, 4, 5, 6, 8]);
    let mut children: Vec<ChildSpec> = (0..count).map(|n| child(n, dice)).collect();
    if dice.once_in(3) {
        children.reverse(); // Later letters first: the order of the file is not the order of starts.
    }
    let names = children.iter().map(|spec| spec.name.clone()).collect();
    let mut tree = Tree {
        root: GroupSpec::root(names),
        groups: Box::default(),
        children: children.into(),
    };
    if dice.once_in(2) {
        if dice.once_in(4) {
            let template = template(dice);
            push(&mut tree.root.members, template.name.clone());
            push(&mut tree.groups, template);
        }
        for _ in 0..dice.pick(&[1, 1, 1, 2, 2, 3]) {
            gather(&mut tree, dice);
        }
        if dice.once_in(4) {
            let members = core::mem::take(&mut tree.root.members);
            tree.root = root(members, dice);
        }
        link_to_groups(&mut tree, dice);
    }
    settle(&mut tree);
    if !has_order(&tree) {
        for spec in &mut tree.children {
            (spec.life.after, spec.life.requires) = (Box::default(), Box::default());
        }
        for template in templates(&mut tree) {
            let life = &mut template.child.life;
            (life.after, life.requires) = (Box::default(), Box::default());
        }
    }
    tree
}

fn push<T>(list: &mut Box<[T]>, item: T) {
    let mut all = core::mem::take(list).into_vec();
    all.push(item);
    *list = all.into();
}

fn templates(tree: &mut Tree) -> impl Iterator<Item = &mut Template> {
    tree.groups
        .iter_mut()
        .filter_map(|group| group.template.as_mut())
}

/// A new group of neighbours in the root.
fn gather(tree: &mut Tree, dice: &mut Dice) {
    let taken = |place: usize| tree.groups.iter().any(|it| group_place(&it.name) == place);
    let Some(place) = (1..TEMPLATE).find(|&place| !taken(place)) else {
        return;
    };
    let mut units = tree.root.members.to_vec();
    if units.is_empty() {
        return;
    }
    let take = 1 + dice.index(units.len().min(4));
    let from = dice.index(units.len() - take + 1);
    let members: Vec<Box<str>> = units.drain(from..from + take).collect();
    units.insert(from, group_name(place));
    for spec in &mut tree.children {
        // A member is mostly counted by its group alone.
        if members.contains(&spec.name) && !dice.once_in(3) {
            spec.life.budget = Budget {
                max_restarts: None,
                ..spec.life.budget
            };
        }
    }
    tree.root.members = units.into();
    push(&mut tree.groups, group(place, members.into(), dice));
}

fn group(place: usize, members: Box<[Box<str>]>, dice: &mut Dice) -> GroupSpec {
    let on_limit = match dice.below(10) {
        0..3 => OnLimit::GiveUp,
        3..5 => OnLimit::Park(ms(dice.pick(&[60_000, 600_000]))),
        _ => OnLimit::Escalate,
    };
    GroupSpec {
        strategy: dice.pick(&[
            Strategy::OneForOne,
            Strategy::OneForAll,
            Strategy::OneForAll,
            Strategy::RestForOne,
            Strategy::RestForOne,
        ]),
        autostart: !dice.once_in(10),
        budget: Some(Budget {
            max_restarts: dice.pick(&[None, Some(0), Some(1), Some(1), Some(2), Some(5)]),
            window: ms(dice.pick(&[10_000, 60_000, 600_000])),
            on_limit,
        }),
        backoff: backoff(dice),
        restart: dice.pick(&[
            RestartPolicy::OnFailure,
            RestartPolicy::OnFailure,
            RestartPolicy::Always,
            RestartPolicy::No,
        ]),
        significant: dice.once_in(3),
        auto_shutdown: auto_shutdown(dice),
        ..GroupSpec::new(&group_name(place), members)
    }
}

fn auto_shutdown(dice: &mut Dice) -> AutoShutdown {
    dice.pick(&[
        AutoShutdown::Never,
        AutoShutdown::Never,
        AutoShutdown::AnySignificant,
        AutoShutdown::AllSignificant,
    ])
}

fn template(dice: &mut Dice) -> GroupSpec {
    let mut child = child(LETTERS - 1, dice);
    child.name = "t".into();
    child.life.autostart = true;
    GroupSpec {
        name: "t".into(),
        strategy: Strategy::SimpleOneForOne,
        template: Some(Template {
            child,
            count: u16::try_from(dice.below(4)).unwrap_or(1),
        }),
        ..group(1, Box::default(), dice)
    }
}

fn root(members: Box<[Box<str>]>, dice: &mut Dice) -> GroupSpec {
    let budget = Budget {
        max_restarts: dice.pick(&[Some(1), Some(2), Some(5), Some(5)]),
        window: ms(dice.pick(&[10_000, 60_000])),
        on_limit: OnLimit::Escalate,
    };
    GroupSpec {
        strategy: dice.pick(&[
            Strategy::OneForOne,
            Strategy::OneForAll,
            Strategy::RestForOne,
        ]),
        budget: (!dice.once_in(4)).then_some(budget),
        auto_shutdown: dice.pick(&[
            AutoShutdown::Never,
            AutoShutdown::Never,
            AutoShutdown::Never,
            AutoShutdown::AnySignificant,
            AutoShutdown::AllSignificant,
        ]),
        ..GroupSpec::root(members)
    }
}

fn link_to_groups(tree: &mut Tree, dice: &mut Dice) {
    if tree.groups.is_empty() || !dice.once_in(3) {
        return;
    }
    let group = tree.groups[dice.index(tree.groups.len())].name.clone();
    let life = &mut tree.children[dice.index(tree.children.len())].life;
    if dice.once_in(2) {
        push(&mut life.requires, group);
    } else {
        push(&mut life.after, group);
    }
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
        life: life(letter, dice).into(),
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
        significant: dice.once_in(4),
        checks: checks(dice),
        watchdog: dice.once_in(12).then(|| Watchdog {
            within: ms(dice.pick(&[60_000, 600_000])),
            file: None,
        }),
        ..Life::default()
    }
}

/// Of the same name and kind, so that a reload may let them go on.
fn checks(dice: &mut Dice) -> Box<[CheckSpec]> {
    let count = dice.pick(&[0, 0, 0, 0, 1, CHECKS]);
    let names = ["one", "two"].into_iter().take(count);
    let checks = names.map(|name| CheckSpec {
        name: name.into(),
        kind: Kind::Process,
        rhythm: Rhythm {
            interval: ms(dice.pick(&[30_000, 300_000, 900_000])),
            start_interval: ms(dice.pick(&[1000, 5000])),
            start_period: ms(dice.pick(&[0, 0, 10_000, 60_000])),
            timeout: ms(10_000),
            retries: dice.pick(&[1, 1, 2, 3]),
        },
        on_critical: dice.pick(&[OnCritical::Restart, OnCritical::Restart, OnCritical::Alert]),
        readies: false,
    });
    checks.collect()
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

/// Drops what the configuration's checker refuses: names that nobody has, and the
/// significance of those that cannot end, or whose group does not ask for it.
fn settle(tree: &mut Tree) {
    let mut known: Vec<Box<str>> = tree.children.iter().map(|it| it.name.clone()).collect();
    known.extend(tree.groups.iter().map(|it| it.name.clone()));
    let keep = |list: &mut Box<[Box<str>]>| {
        let all = core::mem::take(list).into_vec();
        *list = all.into_iter().filter(|it| known.contains(it)).collect();
    };
    keep(&mut tree.root.members);
    tree.groups.iter_mut().for_each(|it| keep(&mut it.members));
    let never: Vec<Box<str>> = tree
        .all_groups()
        .filter(|group| group.auto_shutdown == AutoShutdown::Never)
        .flat_map(|group| group.members.iter().cloned())
        .collect();
    let counts = |name: &str, restart| {
        restart != RestartPolicy::Always && never.iter().all(|it| **it != *name)
    };
    for spec in &mut tree.children {
        keep(&mut spec.life.after);
        keep(&mut spec.life.requires);
        spec.life.significant &= counts(&spec.name, spec.life.restart);
    }
    for group in &mut tree.groups {
        group.significant &= counts(&group.name, group.restart);
        let auto = group.auto_shutdown;
        if let Some(Template { child, .. }) = &mut group.template {
            keep(&mut child.life.after);
            keep(&mut child.life.requires);
            child.life.significant &=
                child.life.restart != RestartPolicy::Always && auto != AutoShutdown::Never;
        }
    }
}

/// Whether nothing waits for itself.
fn has_order(tree: &Tree) -> bool {
    let mut groups: Vec<GroupSpec> = tree.all_groups().cloned().collect();
    let mut children = tree.children.to_vec();
    for group in &mut groups {
        if let Some(template) = &group.template {
            children.push(template.instance(1));
            group.members = Box::new(["t/1".into()]);
        }
    }
    let children: Vec<&ChildSpec> = children.iter().collect();
    let groups: Vec<&GroupSpec> = groups.iter().collect();
    precedence::order(&children, &groups).is_ok()
}

/// The same with something more, less, elsewhere or changed; unchanged where that cannot be.
pub(crate) fn changed(old: &Tree, dice: &mut Dice) -> Tree {
    let mut tree = old.clone();
    let groups = tree.groups.len();
    match dice.below(if groups > 0 { 10 } else { 5 }) {
        0 if old.children.len() > 1 => {
            let mut children = tree.children.into_vec();
            drop(children.remove(dice.index(children.len())));
            tree.children = children.into();
        }
        1 => join(&mut tree, dice),
        2 => {
            let spec = &mut tree.children[dice.index(old.children.len())];
            spec.life = life(letter(&spec.name), dice).into();
        }
        3 => gather(&mut tree, dice),
        4 => {
            let spec = &mut tree.children[dice.index(old.children.len())];
            spec.launch.umask = Some(u16::try_from(dice.below(512)).unwrap_or(0));
        }
        5 | 6 => migrate(&mut tree, dice),
        7 => {
            let spec = &mut tree.groups[dice.index(groups)];
            if let Some(template) = &mut spec.template {
                template.count = u16::try_from(dice.below(4)).unwrap_or(1);
            } else {
                let members = core::mem::take(&mut spec.members);
                *spec = group(group_place(&spec.name), members, dice);
            }
        }
        8 => dissolve(&mut tree, dice),
        _ => {}
    }
    settle(&mut tree);
    if has_order(&tree) { tree } else { old.clone() }
}

/// A new child, in the root or a group.
fn join(tree: &mut Tree, dice: &mut Dice) {
    let taken = |n: usize| tree.children.iter().any(|spec| letter(&spec.name) == n);
    if let Some(free) = (0..LETTERS - 1).find(|&n| !taken(n)) {
        push(&mut tree.children, child(free, dice));
        enter(tree, name(free), dice);
    }
}

/// Behind all others of the root or of a group without a template.
fn enter(tree: &mut Tree, name: Box<str>, dice: &mut Dice) {
    let mut groups: Vec<&mut GroupSpec> = core::iter::once(&mut tree.root)
        .chain(tree.groups.iter_mut().filter(|it| it.template.is_none()))
        .collect();
    let at = dice.index(groups.len());
    push(&mut groups[at].members, name);
}

/// A child goes from one group to another.
fn migrate(tree: &mut Tree, dice: &mut Dice) {
    let name = tree.children[dice.index(tree.children.len())].name.clone();
    for group in core::iter::once(&mut tree.root).chain(&mut tree.groups) {
        let members = core::mem::take(&mut group.members).into_vec();
        group.members = members.into_iter().filter(|it| *it != name).collect();
    }
    enter(tree, name, dice);
}

/// The members of a group take its place.
fn dissolve(tree: &mut Tree, dice: &mut Dice) {
    let mut groups = core::mem::take(&mut tree.groups).into_vec();
    let gone = groups.remove(dice.index(groups.len()));
    tree.groups = groups.into();
    for group in core::iter::once(&mut tree.root).chain(&mut tree.groups) {
        let mut members = core::mem::take(&mut group.members).into_vec();
        if let Some(at) = members.iter().position(|it| *it == gone.name) {
            let _group = members.splice(at..=at, gone.members.iter().cloned());
        }
        group.members = members.into();
    }
}

/// A tree in words, a line each; what is as usual is not said.
pub(crate) fn words(tree: &Tree) -> String {
    let mut text = String::new();
    for group in tree.all_groups() {
        let budget = group
            .budget
            .map_or("uncounted".into(), |it| budget_words(&it));
        text += &format!(
            "\n      {} {} [{}] {budget}, {}, first {:?}, settle {:?}{}{}",
            group.name,
            group.strategy.name(),
            group.members.join(" "),
            group.restart.name(),
            group.backoff.first,
            group.backoff.settle,
            flag(group.significant, "significant"),
            flag(!group.autostart, "not by itself"),
        );
        if group.auto_shutdown != AutoShutdown::Never {
            text += &format!(", {:?}", group.auto_shutdown);
        }
        if let Some(template) = &group.template {
            text += &format!(", {} of", template.count);
            text += &child_words(&template.child);
        }
    }
    text.extend(tree.children.iter().map(child_words));
    text
}

fn child_words(spec: &ChildSpec) -> String {
    let life = &spec.life;
    format!(
        "\n      {} {}, {}, first {:?}, settle {:?}, stop {:?}, {:?}, requires {:?}, after {:?}{}{}",
        spec.name,
        life.restart.name(),
        budget_words(&life.budget),
        life.backoff.first,
        life.backoff.settle,
        life.stop.timeout,
        spec.launch.ready,
        life.requires,
        life.after,
        flag(life.significant, "significant"),
        flag(!life.autostart, "not by itself"),
    )
}

fn budget_words(budget: &Budget) -> String {
    match budget.max_restarts {
        Some(max) => format!("{max} in {:?} or {:?}", budget.window, budget.on_limit),
        None => "any number".into(),
    }
}

fn flag(set: bool, word: &str) -> String {
    if set {
        format!(", {word}")
    } else {
        String::new()
    }
}
