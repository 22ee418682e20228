//! A saved memory, put onto the clock of now.

use core::time::Duration;

use crate::model::alert::AlertMemory;
use crate::model::memory::{Credit, Hold};
use crate::model::{BootId, Memory, Uptime};

/// The memory as if it had been written now, under this boot.
///
/// Under the boot that wrote it, moments stay as they are; one that lies after `now` is
/// a lie and becomes `now`. Under another one, or where either is unknown, only spans
/// are left: what was so long ago when it was saved is so long ago now. Time spent
/// without power counts for nothing, as no clock can be trusted to have measured it.
///
/// What a child or a group waits for (the end of a hold, the next try when parked) is
/// never further away than it was when it was saved, whatever the clock does.
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
        clock.shift(&mut child.hold, &mut child.credit, &mut child.window);
        for ended in &mut child.exits {
            ended.at = clock.past(ended.at);
        }
    }
    for group in &mut memory.groups {
        clock.shift(&mut group.hold, &mut group.credit, &mut group.window);
    }
    clock.shift_alerts(&mut memory.alerts);
    memory.at = now;
    memory
}

/// What was written, with these alerts in it and nothing else changed. Their moments are
/// those of this boot, and go onto the clock of the writer: the inverse of [`rebase()`]
/// as it was made at `now`.
#[must_use]
pub fn with_alerts(written: &Memory, mut alerts: AlertMemory, now: Uptime, boot: BootId) -> Memory {
    let clock = Clock {
        same_boot: boot == written.boot && boot != BootId::default(),
        saved: now,
        now: written.at,
    };
    if !clock.same_boot {
        clock.shift_alerts(&mut alerts);
    }
    Memory {
        alerts,
        ..written.clone()
    }
}

struct Clock {
    same_boot: bool,
    saved: Uptime,
    now: Uptime,
}

impl Clock {
    /// What children and groups have in common.
    fn shift(&self, hold: &mut Hold, credit: &mut Credit, window: &mut [Uptime]) {
        match hold {
            Hold::DownUntil(until) => *until = self.coming(*until),
            Hold::None | Hold::Up | Hold::Down => {}
        }
        match credit {
            Credit::Parked(until) => *until = self.coming(*until),
            Credit::Whole | Credit::GaveUp | Credit::Trial => {}
        }
        self.past_all(window);
    }

    fn shift_alerts(&self, alerts: &mut AlertMemory) {
        for incident in &mut alerts.incidents {
            self.past_all(core::iter::once(&mut incident.since));
            self.past_all(&mut incident.recent);
        }
        for channel in &mut alerts.channels {
            self.past_all(&mut channel.sent);
            self.past_all(channel.told.iter_mut().map(|told| &mut told.at));
        }
    }

    fn past_all<'a>(&self, moments: impl IntoIterator<Item = &'a mut Uptime>) {
        for moment in moments {
            *moment = self.past(*moment);
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::alert::ChannelMemory;

    fn at(secs: i64) -> Uptime {
        Uptime::from_millis(secs * 1000)
    }

    #[test]
    fn alerts_go_into_what_another_boot_wrote() {
        let boots = ["01", "02"].map(|end| {
            let id = format!("01234567-89ab-cdef-0123-456789abcd{end}");
            BootId::parse(&id).unwrap()
        });
        let written = Memory {
            boot: boots[0],
            at: at(1000),
            ..Memory::default()
        };
        let alerts = AlertMemory {
            channels: vec![ChannelMemory {
                sent: vec![at(20), at(40)],
                ..ChannelMemory::default()
            }],
            ..AlertMemory::default()
        };
        for (boot, sent) in boots.into_iter().zip([[20, 40], [970, 990]]) {
            let kept = with_alerts(&written, alerts.clone(), at(50), boot);
            assert_eq!(kept.alerts.channels[0].sent, sent.map(at));
            // The writer's boot stays: whoever recalls it has to know of the reboot.
            assert_eq!((kept.boot, kept.at), (boots[0], at(1000)));
            assert_eq!(rebase(kept, at(50), boot).alerts, alerts);
        }
    }
}
