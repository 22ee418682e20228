//! Who waits for whom in a ring, and why.

use crate::model::Gather as _;
use crate::model::precedence::{self, Cycle, Step};
use crate::model::sorted::Map;
use crate::model::spec::ChildSpec;
use crate::model::tree::{GroupSpec, Strategy};

use super::child::Known;
use super::mistake::Notes;
use super::place::Link;
use super::read::Gathered;

/// Names of a ring that are shown; a longer one is cut in the middle.
const SHOWN_MAX: usize = 12;

/// Writes down what waits for itself. A template takes part as one instance.
pub(super) fn all(gathered: &Gathered, notes: &Notes) {
    let instance = |name: &str| Box::<str>::from(format!("{name}/1"));
    let instances: Vec<ChildSpec> = templates(gathered)
        .map(|(_, known)| ChildSpec {
            name: instance(&known.spec.name),
            ..known.spec.clone()
        })
        .gather();
    let filled: Vec<GroupSpec> = templates(gathered)
        .map(|(group, _)| {
            let name = &gathered.groups[group].spec.name;
            GroupSpec {
                strategy: Strategy::SimpleOneForOne,
                ..GroupSpec::new(name, Box::new([instance(name)]))
            }
        })
        .gather();
    let mut filled = filled.iter();
    let groups: Vec<&GroupSpec> = gathered
        .groups
        .iter()
        .map(|group| match group.template {
            Some(_) => filled.next().unwrap_or(&group.spec),
            None => &group.spec,
        })
        .gather();
    let children = gathered.children.iter().map(|known| &known.spec);
    let children: Vec<&ChildSpec> = children.chain(&instances).gather();
    if let Err(rings) = precedence::order(&children, &groups) {
        let circle = Circle::of(gathered);
        // Who names the root has been told that it cannot be named.
        let is_nameable = |ring: &&Cycle| !ring.contains(&Step::Closes(0));
        let found = rings.iter().filter(is_nameable);
        for told in shortest(found.filter_map(|ring| circle.tell(ring))) {
            let (problem, hint) = words(&told.shown);
            let (place, link) = (&told.known.place, told.link);
            notes.mistake(place.note(link.line, link.key, &problem, hint));
        }
    }
}

fn templates(gathered: &Gathered) -> impl Iterator<Item = (usize, &Known)> {
    let groups = gathered.groups.iter().enumerate();
    groups.filter_map(|(at, group)| group.template.as_ref().map(|known| (at, known)))
}

/// For each name that closes rings the shortest of them: whoever waits for its own group
/// has one by each member.
fn shortest<'a>(all: impl Iterator<Item = Told<'a>>) -> Vec<Told<'a>> {
    let mut kept: Vec<Told> = Vec::new();
    for told in all {
        match kept
            .iter_mut()
            .find(|kept| std::ptr::eq(kept.link, told.link))
        {
            Some(kept) if kept.shown.len() <= told.shown.len() => {}
            Some(kept) => *kept = told,
            None => kept.push(told),
        }
    }
    kept
}

/// A ring, as it is told.
struct Told<'a> {
    /// Who says for whom it waits, in the first step of the ring.
    known: &'a Known,
    link: &'a Link,
    shown: Vec<(&'a str, Reason<'a>)>,
}

/// Why one waits for the next.
#[derive(Clone, Copy)]
enum Reason<'a> {
    /// It says so.
    Link(&'a Known, &'a Link),
    /// It is a member of the next.
    Member,
    /// The next is a member of it.
    Holds,
    /// The next stands in front of it in this group.
    Behind(&'a str),
}

/// All that can wait: the children, then the templates, then the groups.
struct Circle<'a> {
    gathered: &'a Gathered,
    all: Vec<&'a Known>,
    /// Each member of an ordered group with the one in front of it, and with the group.
    formers: Map<&'a str, (&'a str, &'a str)>,
}

impl<'a> Circle<'a> {
    fn of(gathered: &'a Gathered) -> Self {
        let groups = gathered.groups.iter().map(|group| &group.spec);
        let ordered = groups.filter(|group| group.is_ordered());
        let formers = ordered.flat_map(|group| {
            let pairs = group.members.windows(2);
            pairs.map(|pair| (&*pair[1], (&*pair[0], &*group.name)))
        });
        Self {
            gathered,
            all: gathered.all_children().gather(),
            formers: formers.gather(),
        }
    }

    /// `None` where it has been told in another way.
    fn tell(&self, ring: &Cycle) -> Option<Told<'a>> {
        let nexts = ring.iter().cycle().skip(1);
        let pairs = ring.iter().zip(nexts);
        let reasons = pairs.map(|(step, next)| Some((*step, self.reason(*step, *next)?)));
        let Some(mut reasons) = reasons.gather::<Option<Vec<_>>>() else {
            debug_assert!(false, "nobody waits without a reason");
            return None;
        };
        // It is told from the first one on that says itself for whom it waits.
        let is_link = |(_, reason): &(Step, Reason)| matches!(reason, Reason::Link(..));
        let first = reasons.iter().position(is_link).unwrap_or_default();
        reasons.rotate_left(first);
        let shown = self.shown(&reasons);
        match reasons.first()?.1 {
            // Else it names itself.
            Reason::Link(known, link) if shown.len() > 1 => Some(Told { known, link, shown }),
            Reason::Link(..) | Reason::Member | Reason::Holds | Reason::Behind(_) => None,
        }
    }

    /// The names to show. From its end to its beginning a group is one place, whoever is
    /// in between, and an instance goes by the name of its group.
    fn shown(&self, reasons: &[(Step, Reason<'a>)]) -> Vec<(&'a str, Reason<'a>)> {
        let mut shown: Vec<(&str, Reason)> = Vec::new();
        let mut rest = reasons;
        while let [(step, mut reason), ..] = *rest {
            let mut used = 1;
            if let Step::Closes(group) = step
                && let opens = Step::Opens(group)
                && let Some(at) = rest.iter().position(|(step, _)| *step == opens)
            {
                (reason, used) = (rest[at].1, at + 1);
            }
            rest = &rest[used..];
            let name = self.name(step);
            match shown.last_mut().filter(|(last, _)| *last == name) {
                Some((_, last)) => *last = reason,
                None => shown.push((name, reason)),
            }
        }
        if shown.len() > 1 && shown.last().map(|(name, _)| *name) == Some(shown[0].0) {
            shown.pop();
        }
        shown
    }

    fn reason(&self, step: Step, next: Step) -> Option<Reason<'a>> {
        match (step, next) {
            (Step::Closes(_), _) => Some(Reason::Holds),
            (_, Step::Opens(_)) => Some(Reason::Member),
            (Step::Opens(_), _) => self.behind(step, next),
            (Step::Child(child), _) => {
                let known = self.all[child];
                let wanted = self.name(next);
                let link = known.links.iter().find(|link| *link.name == *wanted);
                let link = link.map(|link| Reason::Link(known, link));
                // Without the name it would wait all the same.
                self.behind(step, next).or(link)
            }
        }
    }

    /// The order within their group, where that is the reason.
    fn behind(&self, step: Step, next: Step) -> Option<Reason<'a>> {
        let (former, group) = self.formers.get(self.name(step))?;
        (*former == self.name(next)).then_some(Reason::Behind(group))
    }

    fn name(&self, step: Step) -> &'a str {
        match step {
            Step::Child(child) => &self.all[child].spec.name,
            Step::Opens(group) | Step::Closes(group) => &self.gathered.groups[group].spec.name,
        }
    }
}

/// What is wrong, and what to do.
fn words(shown: &[(&str, Reason)]) -> (String, &'static str) {
    let is_link = |(_, reason): &(&str, Reason)| matches!(reason, Reason::Link(..));
    let is_behind = |(_, reason): &(&str, Reason)| matches!(reason, Reason::Behind(_));
    let closing = shown[0].0;
    if shown.iter().all(is_link) {
        let names = shown.iter().map(|(name, _)| (*name).to_owned());
        let problem = format!(
            "children wait for each other: {}",
            chain(names.gather(), closing)
        );
        return (problem, "take one of them out of after or requires");
    }
    let nexts = shown.iter().cycle().skip(1);
    let steps = shown
        .iter()
        .zip(nexts)
        .map(|((name, reason), (next, _))| match reason {
            Reason::Link(_, link) => format!("{name} ({} {next})", link.key),
            Reason::Member => format!("{name} (in {next})"),
            Reason::Holds => format!("{name} (holds {next})"),
            Reason::Behind(group) => format!("{name} (behind {next} in {group})"),
        });
    let chain = chain(steps.gather(), closing);
    let hint = match shown.iter().any(is_behind) {
        true => "take one of them out of after or requires, or change the order of members",
        false => "take one of them out of after or requires",
    };
    (
        format!("children and groups wait for each other: {chain}"),
        hint,
    )
}

/// `a -> b -> a`.
pub(super) fn chain(mut steps: Vec<String>, closing: &str) -> String {
    if steps.len() > SHOWN_MAX {
        let half = SHOWN_MAX / 2;
        let hidden = format!("({} more)", steps.len() - 2 * half);
        steps.splice(half..steps.len() - half, [hidden]);
    }
    steps.push(closing.to_owned());
    steps.join(" -> ")
}
