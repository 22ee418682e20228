//! Memory in use: of all processes of a child, or of the box.

use super::{Finding, Subject};
use crate::model::check::{Amount, Bounds, Health, Whose};
use crate::model::words::Bytes;
use crate::os::procfs::{self, Census};

pub(super) fn look(of: Whose, bounds: Bounds<Amount>, subject: &Subject) -> Finding {
    let Some(box_) = procfs::memory() else {
        return Finding::new(Health::Unknown, "/proc/meminfo cannot be read");
    };
    let (used, what) = match of {
        Whose::Host => (box_.total.saturating_sub(box_.available), "of the box"),
        Whose::Child => {
            let Some(pid) = subject.pid else {
                return Finding::new(Health::Unknown, "it has no process");
            };
            let family = Census::take().family(pid, subject.mark.as_ref());
            let resident = family.iter().filter_map(|stat| procfs::resident(stat.pid));
            (resident.sum(), "of its processes")
        }
    };
    let exceeds = |most: &Amount| match *most {
        Amount::Bytes(most) => used > most,
        Amount::Percent(most) => u128::from(used) * 100 > u128::from(most) * u128::from(box_.total),
    };
    let percent = (u128::from(used) * 100).div_ceil(u128::from(box_.total.max(1)));
    let words = format!("memory {what}: {} ({percent}% of the box's)", Bytes(used));
    Finding::new(bounds.judge(exceeds), words).measured(percent as f64)
}
