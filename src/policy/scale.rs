//! How many instances a template has: `sup scale`, `sup add`, `sup remove`.

use alloc::vec::Vec;

use super::Supervisor;
use crate::model::Gather as _;
use crate::model::limits::{CHILDREN_MAX, INSTANCES_MAX};
use crate::model::memory::Scale;
use crate::model::order::ScaleTo;
use crate::model::{GroupId, GroupSpec};

/// Why that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScaleFault {
    /// The group has no template.
    NoTemplate,
    /// There is no instance of that number.
    NoInstance,
    /// That were more than [`INSTANCES_MAX`] of one template, or [`CHILDREN_MAX`] children.
    TooMany,
    /// Everything is being stopped.
    Ending,
}

impl Supervisor {
    /// Changes a group's instances; the next event carries it out. The numbers that come,
    /// and those that go, ascending.
    ///
    /// # Errors
    /// Nothing has been changed.
    pub fn scale(&mut self, id: GroupId, to: ScaleTo) -> Result<(Vec<u16>, Vec<u16>), ScaleFault> {
        if self.ending.is_some() {
            return Err(ScaleFault::Ending);
        }
        let group = &self.groups[id.index()];
        let template = group.spec.template.as_ref();
        let configured = template.ok_or(ScaleFault::NoTemplate)?.count;
        let before = group.instance_numbers();
        let after = changed(&before, to)?;
        let others = self.children().count() - before.len();
        if others + after.len() > CHILDREN_MAX {
            return Err(ScaleFault::TooMany);
        }
        let come = minus(&after, &before);
        let go = minus(&before, &after);
        self.groups[id.index()].scale = Some(Scale {
            configured,
            instances: after,
        });
        self.replant();
        self.out.save.at_once();
        Ok((come, go))
    }

    /// What people have made of a template's count, where it still holds.
    pub(super) fn scale_for(&self, spec: &GroupSpec) -> Option<Scale> {
        let known = self.find_group(&spec.name)?;
        let scale = self.groups[known.index()].scale.as_ref()?;
        let same = spec.template.as_ref()?.count == scale.configured;
        same.then(|| scale.clone())
    }
}

fn changed(before: &[u16], to: ScaleTo) -> Result<Vec<u16>, ScaleFault> {
    let wanted = match to {
        ScaleTo::Count(count) => count.into(),
        ScaleTo::More(more) => before.len() + usize::from(more),
        ScaleTo::Without(number) => {
            let at = before.binary_search(&number);
            let mut after = before.to_vec();
            after.remove(at.map_err(|_| ScaleFault::NoInstance)?);
            return Ok(after);
        }
    };
    if wanted > usize::from(INSTANCES_MAX) {
        return Err(ScaleFault::TooMany);
    }
    let mut after = before.to_vec();
    after.truncate(wanted);
    let free = (1..=u16::MAX).filter(|number| before.binary_search(number).is_err());
    let missing = wanted - after.len();
    after.extend(free.take(missing));
    after.sort_unstable();
    Ok(after)
}

fn minus(all: &[u16], without: &[u16]) -> Vec<u16> {
    let stay = |number: &&u16| without.binary_search(number).is_err();
    all.iter().filter(stay).copied().gather()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_numbers_come_and_the_highest_go() {
        let table: [(&[u16], ScaleTo, &[u16]); 6] = [
            (&[1, 2], ScaleTo::Count(4), &[1, 2, 3, 4]),
            (&[1, 3, 5], ScaleTo::Count(4), &[1, 2, 3, 5]),
            (&[1, 3, 5], ScaleTo::Count(2), &[1, 3]),
            (&[1, 3, 5], ScaleTo::More(2), &[1, 2, 3, 4, 5]),
            (&[1, 3, 5], ScaleTo::Without(3), &[1, 5]),
            (&[], ScaleTo::Count(0), &[]),
        ];
        for (before, to, after) in table {
            assert_eq!(
                changed(before, to).as_deref(),
                Ok(after),
                "{before:?} {to:?}"
            );
        }
        assert_eq!(
            changed(&[1], ScaleTo::Without(2)),
            Err(ScaleFault::NoInstance)
        );
        let most = ScaleTo::More(INSTANCES_MAX);
        assert_eq!(changed(&[1], most), Err(ScaleFault::TooMany));
    }
}
