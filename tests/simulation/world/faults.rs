//! What goes wrong, and what people do at bad moments.

use core::fmt::Write as _;
use core::time::Duration;

use sup::model::memory::Scale;
use sup::model::order::ScaleTo;
use sup::model::{ChildSpec, GroupId, Member, Order, Signal};
use sup::policy::Event;

use super::{Item, SHUTDOWN, World, uptime};
use crate::config;

impl World {
    pub(super) fn fault(&mut self) {
        match self.dice.below(20) {
            0..9 => self.order(),
            9..11 => self.jump(),
            11..13 => self.revive(false),
            13 => self.revive(true),
            14..16 => self.reload(),
            16 => self.scale(),
            17 => self.give(Event::SaveFailed),
            18 => self.upgrade(),
            _ => {
                self.give(Event::Shutdown);
                if self.dice.once_in(3) && self.goes_on() {
                    let span = self.dice.below(3000);
                    self.later(span, Item::News(Event::Shutdown));
                }
            }
        }
    }

    /// A child or a group, seldom the root.
    fn anyone(&mut self) -> Option<Member> {
        let group = match self.tree.groups.len() {
            0 => None,
            _ if self.dice.once_in(40) => Some(GroupId::ROOT),
            count if self.dice.once_in(3) => self
                .sup
                .find_group(&self.tree.groups[self.dice.index(count)].name),
            _ => None,
        };
        if let Some(group) = group {
            return Some(Member::Group(group));
        }
        let children = self.sup.children().count();
        let at = self.dice.below(children.max(1) as u64);
        let child = self.sup.children().nth(usize::try_from(at).unwrap_or(0))?;
        Some(Member::Child(child.0))
    }

    pub(super) fn order(&mut self) {
        let Some(of) = self.anyone() else {
            return;
        };
        let term = self
            .dice
            .pick(&[None, None, Some(1), Some(5000), Some(300_000)]);
        let order = match self.dice.below(9) {
            0..2 => Order::Start,
            2..5 => Order::Stop {
                term: term.map(Duration::from_millis),
            },
            5..7 => Order::Restart,
            7 => Order::Signal(Signal::HUP),
            _ => Order::Reset,
        };
        self.give(Event::Order { of, order });
    }

    /// A person wants more instances, or fewer.
    pub(super) fn scale(&mut self) {
        let Some(spec) = self.tree.groups.iter().find(|it| it.template.is_some()) else {
            return;
        };
        let Some(group) = self.sup.find_group(&spec.name) else {
            return;
        };
        let configured = spec.template.as_ref().map_or(0, |template| template.count);
        let number = u16::try_from(self.dice.below(u64::from(config::INSTANCES))).unwrap_or(0);
        let now = self.sup.group(group).members().len();
        let room = usize::from(config::INSTANCES).saturating_sub(now);
        let to = match self.dice.below(3) {
            0 if room > 0 => ScaleTo::More(1),
            1 => ScaleTo::Without(number),
            _ => ScaleTo::Count(number),
        };
        let before: Vec<ChildSpec> = self.sup.children().map(|(_, it, _)| it.clone()).collect();
        if self.sup.scale(group, to).is_err() {
            return;
        }
        self.note(|_, line| write!(line, "scale {to:?}"));
        let instances = expected_instances(&before, to);
        self.checker.scales(&Scale {
            configured,
            instances,
        });
        let after: Vec<&ChildSpec> = self.sup.children().map(|(_, spec, _)| spec).collect();
        self.checker.reloads(&before, &self.tree, &after, false);
        self.checker.learn(&self.sup);
        self.give(Event::Tick);
    }

    fn jump(&mut self) {
        let by = self.dice.pick(&[100, 5000, 60_000, 7_200_000]);
        self.note(|_, line| write!(line, "the clock jumps by {by}"));
        self.checker.jumps(by);
        self.shift(self.now + by);
        self.now += by;
        self.give(Event::Tick);
    }

    /// The clock is about to stand elsewhere: faults keep their distance.
    pub(super) fn shift(&mut self, to: u64) {
        for (at, _, item) in &mut self.coming {
            if matches!(item, Item::Fault) {
                *at = (*at + to).saturating_sub(self.now);
            }
        }
        self.end = self.end + to - self.now;
    }

    pub(super) fn reload(&mut self) {
        let new = config::changed(&self.tree, &mut self.dice);
        self.note(|_, line| write!(line, "reload{}", config::words(&new)));
        self.reloads += 1;
        let before: Vec<ChildSpec> = self.sup.children().map(|(_, it, _)| it.clone()).collect();
        let (old, now) = (
            core::mem::replace(&mut self.tree, new.clone()),
            uptime(self.now),
        );
        let seen = self.mutation.tree(new);
        self.sup.reload(seen, Duration::from_millis(SHUTDOWN), now);
        let after: Vec<&ChildSpec> = self.sup.children().map(|(_, spec, _)| spec).collect();
        let elsewhere = old.root != self.tree.root || old.groups != self.tree.groups;
        self.checker.reloads(&before, &self.tree, &after, elsewhere);
        self.checker.learn(&self.sup);
        self.give(Event::Tick);
    }
}

/// The instances that an order makes of those that there were, ascending.
fn expected_instances(before: &[ChildSpec], to: ScaleTo) -> Vec<u16> {
    let numbers = before
        .iter()
        .filter_map(|spec| spec.name.strip_prefix("t/"));
    let mut there: Vec<u16> = numbers.filter_map(|number| number.parse().ok()).collect();
    there.sort_unstable();
    let wanted = match to {
        ScaleTo::Count(count) => usize::from(count),
        ScaleTo::More(more) => there.len() + usize::from(more),
        ScaleTo::Without(number) => {
            there.retain(|&it| it != number);
            there.len()
        }
    };
    there.truncate(wanted);
    while there.len() < wanted {
        let free = (1..).find(|number| !there.contains(number)).unwrap_or(1);
        there.push(free);
        there.sort_unstable();
    }
    there
}
