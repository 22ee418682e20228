//! A saved memory, put onto the clock of now.

use core::time::Duration;

use crate::model::memory::{Credit, Hold};
use crate::model::{BootId, Memory, Uptime};

/// The memory as if it had been written now, under this boot.
///
/// Under the boot that wrote it, moments stay as they are; one that lies after `now` is
/// a lie and becomes `now`. Under another one, or where either is unknown, only spans
/// are left: what was so long ago when it was saved is so long ago now. Time spent
/// without power counts for nothing, as no clock can be trusted to have measured it.
///
/// What a child waits for (the end of a hold, the next try when parked) is never further
/// away than it was when it was saved, whatever the clock does.
///
/// The totals stay as they are: the time between belongs to neither. The boot stays that
/// of the writer, so that whoever recalls it knows whether there was a reboot.
#[must_use]
pub fn rebase(mut memory: Memory, now: Uptime, boot: BootId) -> Memory {
    let same_boot = boot == memory.boot && boot != BootId::default();
    let clock = Clock {
        same_boot,
        saved: memory.at,
        now,
    };
    for child in &mut memory.children {
        match &mut child.hold {
            Hold::DownUntil(until) => *until = clock.coming(*until),
            Hold::None | Hold::Up | Hold::Down => {}
        }
        match &mut child.credit {
            Credit::Parked(until) => *until = clock.coming(*until),
            Credit::Whole | Credit::GaveUp | Credit::Trial => {}
        }
        for made in &mut child.window {
            *made = clock.past(*made);
        }
        for ended in &mut child.exits {
            ended.at = clock.past(ended.at);
        }
    }
    memory.at = now;
    memory
}

struct Clock {
    same_boot: bool,
    saved: Uptime,
    now: Uptime,
}

impl Clock {
    fn past(&self, moment: Uptime) -> Uptime {
        if self.same_boot {
            return moment.min(self.now);
        }
        let age: Duration = self.saved - moment;
        self.now.before(age)
    }

    fn coming(&self, moment: Uptime) -> Uptime {
        let latest = self.now + (moment - self.saved);
        if self.same_boot {
            moment.min(latest)
        } else {
            latest
        }
    }
}
