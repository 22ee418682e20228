//! Version 2 of what is saved: children as in `v1`, groups, and what is wrong with whom.
//! Frozen, as `tests/golden/state-v2.bin` is.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::v1::{self, Child, Credit, Hold, millis};
use crate::model::Gather as _;
use crate::model::alert::{self, AlertMemory, ChannelMemory, IncidentMemory, ToldMemory};
use crate::model::limits::{INCIDENTS_MAX, INSTANCES_MAX};
use crate::model::memory::{self as model, GroupMemory};
use crate::model::{self as nouns, BootId, Uptime};

#[derive(Serialize, Deserialize)]
pub(super) struct Memory {
    boot: [u8; 16],
    at: u64,
    children: Vec<Child>,
    groups: Vec<Group>,
    incidents: Vec<Incident>,
    channels: Vec<Channel>,
}

#[derive(Serialize, Deserialize)]
struct Group {
    name: Box<str>,
    hold: Hold,
    streak: u32,
    window_ages: Vec<u64>,
    credit: Credit,
    restarts: u32,
    failures: u32,
    up_total: u64,
    wanted_total: u64,
    scale: Option<Scale>,
}

#[derive(Serialize, Deserialize)]
struct Scale {
    configured: u16,
    instances: Vec<u16>,
}

#[derive(Serialize, Deserialize)]
struct Incident {
    subject: Box<str>,
    kind: Kind,
    severity: Severity,
    age: u64,
    restarts: u32,
    recent_ages: Vec<u64>,
    over: bool,
}

#[derive(Serialize, Deserialize)]
enum Kind {
    Down,
    Check(Box<str>),
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Severity {
    Crashed,
    Warning,
    Looping,
    Parked,
    Critical,
}

#[derive(Serialize, Deserialize)]
struct Channel {
    name: Box<str>,
    sent_ages: Vec<u64>,
    told: Vec<Told>,
}

#[derive(Serialize, Deserialize)]
struct Told {
    incident: u16,
    severity: Severity,
    age: u64,
}

// ---- from the model ----

impl From<&nouns::Memory> for Memory {
    fn from(memory: &nouns::Memory) -> Self {
        let at = memory.at;
        let (children, groups) = (memory.children.iter(), memory.groups.iter());
        Self {
            boot: memory.boot.0,
            at: u64::try_from(at.as_millis()).unwrap_or(0),
            children: children.map(|child| Child::of(child, at)).gather(),
            groups: groups.map(|group| Group::of(group, at)).gather(),
            incidents: memory
                .alerts
                .incidents
                .iter()
                .map(|incident| Incident::of(incident, at))
                .gather(),
            channels: memory
                .alerts
                .channels
                .iter()
                .map(|channel| Channel::of(channel, at))
                .gather(),
        }
    }
}

impl Group {
    fn of(group: &GroupMemory, at: Uptime) -> Self {
        Self {
            name: group.name.clone(),
            hold: Hold::of(group.hold, at),
            streak: group.streak,
            window_ages: v1::ages(&group.window, at),
            credit: Credit::of(group.credit, at),
            restarts: group.restarts,
            failures: group.failures,
            up_total: millis(group.up_total),
            wanted_total: millis(group.wanted_total),
            scale: group.scale.as_ref().map(|scale| Scale {
                configured: scale.configured,
                instances: scale.instances.clone(),
            }),
        }
    }
}

impl Incident {
    fn of(incident: &IncidentMemory, at: Uptime) -> Self {
        Self {
            subject: incident.key.subject.clone(),
            kind: match &incident.key.kind {
                alert::Kind::Down => Kind::Down,
                alert::Kind::Check(name) => Kind::Check(name.clone()),
            },
            severity: Severity::of(incident.severity),
            age: millis(at - incident.since),
            restarts: incident.restarts,
            recent_ages: v1::ages(&incident.recent, at),
            over: incident.over,
        }
    }
}

impl Severity {
    fn of(severity: alert::Severity) -> Self {
        match severity {
            alert::Severity::Crashed => Self::Crashed,
            alert::Severity::Warning => Self::Warning,
            alert::Severity::Looping => Self::Looping,
            alert::Severity::Parked => Self::Parked,
            alert::Severity::Critical => Self::Critical,
        }
    }
}

impl Channel {
    fn of(channel: &ChannelMemory, at: Uptime) -> Self {
        let told = channel.told.iter().map(|told| Told {
            incident: told.incident,
            severity: Severity::of(told.severity),
            age: millis(at - told.at),
        });
        Self {
            name: channel.name.clone(),
            sent_ages: v1::ages(&channel.sent, at),
            told: told.gather(),
        }
    }
}

// ---- to the model ----

impl From<Memory> for nouns::Memory {
    fn from(memory: Memory) -> Self {
        let at = v1::moment(memory.at);
        let (children, groups) = (memory.children.into_iter(), memory.groups.into_iter());
        Self {
            boot: BootId(memory.boot),
            at,
            children: children.map(|child| child.into_model(at)).gather(),
            groups: groups.map(|group| group.into_model(at)).gather(),
            alerts: AlertMemory {
                incidents: memory
                    .incidents
                    .into_iter()
                    .take(INCIDENTS_MAX)
                    .map(|incident| incident.into_model(at))
                    .gather(),
                channels: memory
                    .channels
                    .into_iter()
                    .map(|channel| channel.into_model(at))
                    .gather(),
            },
        }
    }
}

impl Group {
    fn into_model(self, at: Uptime) -> GroupMemory {
        GroupMemory {
            name: self.name,
            hold: self.hold.to_model(at),
            streak: self.streak,
            window: v1::window(&self.window_ages, at),
            credit: self.credit.to_model(at),
            restarts: self.restarts,
            failures: self.failures,
            up_total: Duration::from_millis(self.up_total),
            wanted_total: Duration::from_millis(self.wanted_total),
            scale: self.scale.map(Scale::into_model),
        }
    }
}

impl Scale {
    fn into_model(mut self) -> model::Scale {
        // Limits may shrink.
        self.instances.truncate(usize::from(INSTANCES_MAX));
        model::Scale {
            configured: self.configured,
            instances: self.instances,
        }
    }
}

impl Incident {
    fn into_model(self, at: Uptime) -> IncidentMemory {
        let kind = match self.kind {
            Kind::Down => alert::Kind::Down,
            Kind::Check(name) => alert::Kind::Check(name),
        };
        IncidentMemory {
            key: alert::Key {
                subject: self.subject,
                kind,
            },
            severity: self.severity.to_model(),
            since: v1::ago(at, self.age),
            restarts: self.restarts,
            recent: v1::window(&self.recent_ages, at),
            over: self.over,
        }
    }
}

impl Severity {
    fn to_model(self) -> alert::Severity {
        match self {
            Self::Crashed => alert::Severity::Crashed,
            Self::Warning => alert::Severity::Warning,
            Self::Looping => alert::Severity::Looping,
            Self::Parked => alert::Severity::Parked,
            Self::Critical => alert::Severity::Critical,
        }
    }
}

impl Channel {
    fn into_model(self, at: Uptime) -> ChannelMemory {
        let told = self.told.into_iter().map(|told| ToldMemory {
            incident: told.incident,
            severity: told.severity.to_model(),
            at: v1::ago(at, told.age),
        });
        ChannelMemory {
            name: self.name,
            sent: v1::window(&self.sent_ages, at),
            told: told.gather(),
        }
    }
}
