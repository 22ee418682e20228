//! Words back to what they mean. A mistake is said in words; its line is known elsewhere.

use core::time::Duration;
use std::str::SplitWhitespace;

use super::Lookup;
use super::words::{HOST, STAGES};
use crate::model::Gather as _;
use crate::model::limits::DURATION_MAX;
use crate::model::order::ScaleTo;
use crate::model::{
    CheckId, Exit, GroupId, Health, Order, RunId, Signal, Stage, StartFault, Timeout, Uptime,
};
use crate::policy::Event;

/// What was read, or what is wrong.
pub(super) type Read<T> = Result<T, String>;

/// The longest run number that is believed: there is room to count on.
const NTH_MAX: u32 = u32::MAX / 2;

/// Words, one after the other.
pub(super) struct Words<'a>(SplitWhitespace<'a>);

impl<'a> Words<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self(text.split_whitespace())
    }

    pub(super) fn next(&mut self, what: &str) -> Read<&'a str> {
        self.0.next().ok_or_else(|| format!("{what} is missing"))
    }

    /// The next word, as something.
    pub(super) fn read<T>(&mut self, what: &str, read: impl Fn(&str) -> Option<T>) -> Read<T> {
        let word = self.next(what)?;
        read(word).ok_or_else(|| is_not(word, what))
    }

    /// This very word.
    pub(super) fn expect(&mut self, word: &str) -> Read<()> {
        self.read(&format!("\"{word}\""), |found| {
            (found == word).then_some(())
        })
    }

    /// Whether this word comes next; then it is taken.
    pub(super) fn has(&mut self, word: &str) -> bool {
        let mut ahead = self.0.clone();
        let is_next = ahead.next() == Some(word);
        if is_next {
            self.0 = ahead;
        }
        is_next
    }

    pub(super) fn end(mut self) -> Read<()> {
        match self.0.next() {
            None => Ok(()),
            Some(word) => Err(format!("\"{word}\" is one word too many")),
        }
    }
}

// Apart from what is made for each type.
#[cold]
fn is_not(word: &str, what: &str) -> String {
    format!("\"{word}\" is not {what}")
}

#[cold]
fn cannot_be(key: &str, text: &str) -> String {
    format!("{key}={text} cannot be")
}

pub(super) fn number<T: core::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

pub(super) fn moment(text: &str) -> Option<Uptime> {
    let (is_before, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (seconds, millis) = text.split_once('.')?;
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if millis.len() != 3 || !is_digits(millis) || !is_digits(seconds) {
        return None;
    }
    let seconds: i64 = seconds.parse().ok()?;
    let millis: i64 = millis.parse().ok()?;
    let all = seconds.checked_mul(1000)?.checked_add(millis)?;
    Some(Uptime::from_millis(if is_before { -all } else { all }))
}

pub(super) fn span(text: &str) -> Option<Duration> {
    let millis = moment(text)?.as_millis();
    let span = Duration::from_millis(u64::try_from(millis).ok()?);
    (span <= DURATION_MAX).then_some(span)
}

pub(super) fn signal(text: &str) -> Option<Signal> {
    Signal::parse(text.strip_prefix("SIG")?)
}

/// `media#3`.
pub(super) fn run(words: &mut Words<'_>, who: &dyn Lookup) -> Read<RunId> {
    let word = words.next("a run")?;
    let malformed = || format!("\"{word}\" is not a run, such as media#3");
    let (name, nth) = word.rsplit_once('#').ok_or_else(malformed)?;
    let nth: u32 = nth.parse().map_err(|_| malformed())?;
    if nth > NTH_MAX {
        return Err(malformed());
    }
    let child = who.child_by(name).ok_or_else(|| nobody(name))?;
    Ok(RunId { child, nth })
}

fn nobody(name: &str) -> String {
    format!("there is no \"{name}\" here")
}

pub(super) fn pid(words: &mut Words<'_>) -> Read<u32> {
    words.expect("pid")?;
    words.read("a pid", number)
}

/// An event.
pub(super) fn event(text: &str, who: &dyn Lookup) -> Read<Event> {
    let mut words = Words::of(text);
    let kind = words.next("an event")?;
    let event = match kind {
        "tick" => Event::Tick,
        "started" => Event::Started {
            run: run(&mut words, who)?,
            pid: pid(&mut words)?,
        },
        "failed" => {
            let run = run(&mut words, who)?;
            words.expect("start-fault")?;
            let fault = fault(&mut words)?;
            Event::StartFailed { run, fault }
        }
        "ready" => Event::Ready {
            run: run(&mut words, who)?,
        },
        "exited" => Event::Exited {
            run: run(&mut words, who)?,
            exit: exit(&mut words)?,
            left: words.has("left"),
        },
        "cleared" => Event::Cleared {
            run: run(&mut words, who)?,
        },
        "paths" => {
            let name = words.next("a child")?;
            let child = who.child_by(name).ok_or_else(|| nobody(name))?;
            let there = words.read("\"there\" or \"gone\"", |word| match word {
                "there" => Some(true),
                "gone" => Some(false),
                _ => None,
            })?;
            Event::Paths { child, there }
        }
        "order" => {
            let name = words.next("a child or a group")?;
            let of = who.member_by(name).ok_or_else(|| nobody(name))?;
            let order = order(&mut words)?;
            Event::Order { of, order }
        }
        "probed" => {
            let check = check(&mut words, who)?;
            words.expect("probe")?;
            Event::Probed {
                check,
                nth: words.read("the number of a probe", number)?,
                health: words.read("how well it is", health)?,
            }
        }
        "pulse" => Event::Pulse {
            run: run(&mut words, who)?,
            last: words.read("a time, or \"never\"", |word| match word {
                "never" => Some(None),
                _ => moment(word).map(Some),
            })?,
        },
        "shutdown" => Event::Shutdown,
        "remember" => Event::Remember,
        "save-failed" => Event::SaveFailed,
        _ => return Err(format!("\"{kind}\" is no event")),
    };
    words.end()?;
    Ok(event)
}

/// `media 0`.
fn check(words: &mut Words<'_>, who: &dyn Lookup) -> Read<CheckId> {
    let name = words.next("a child")?;
    let of = match name {
        HOST => None,
        _ => Some(who.child_by(name).ok_or_else(|| nobody(name))?),
    };
    let place = words.read("the place of a check", number)?;
    Ok(CheckId { of, place })
}

fn health(word: &str) -> Option<Health> {
    let mut all = Health::ALL.into_iter();
    all.find(|health| health.name() == word)
}

fn fault(words: &mut Words<'_>) -> Read<StartFault> {
    let stage = words.read("a step of a start", |word| {
        let place = STAGES.iter().position(|name| *name == word)?;
        Stage::ALL.get(place).copied()
    })?;
    let errno = words.read("an error number", number)?;
    Ok(StartFault { stage, errno })
}

fn exit(words: &mut Words<'_>) -> Read<Exit> {
    let word = words.next("how it ended")?;
    Ok(match word {
        "code" => Exit::Code(words.read("an exit code", number)?),
        "vanished" => Exit::Vanished,
        "start-fault" => Exit::StartFault(fault(words)?),
        "timeout" => Exit::Timeout(words.read("\"start\" or \"stop\"", |word| match word {
            "start" => Some(Timeout::Start),
            "stop" => Some(Timeout::Stop),
            _ => None,
        })?),
        "watchdog" => Exit::Watchdog,
        "unhealthy" => Exit::Unhealthy,
        "out-of-memory" => Exit::OutOfMemory,
        _ => Exit::Signal {
            signal: signal(word).ok_or_else(|| format!("\"{word}\" is no way to end"))?,
            core: words.has("core"),
        },
    })
}

fn order(words: &mut Words<'_>) -> Read<Order> {
    let word = words.next("an order")?;
    Ok(match word {
        "start" => Order::Start,
        "stop" => Order::Stop {
            term: if words.has("for") {
                Some(words.read("a time, such as 60.000", span)?)
            } else {
                None
            },
        },
        "restart" => Order::Restart,
        "signal" => Order::Signal(words.read("a signal, such as SIGHUP", signal)?),
        "reset" => Order::Reset,
        _ => return Err(format!("\"{word}\" is no order")),
    })
}

/// `workers count 4`.
pub(super) fn scale(text: &str, who: &dyn Lookup) -> Read<(GroupId, ScaleTo)> {
    let mut words = Words::of(text);
    let name = words.next("a group")?;
    let group = who.group_by(name).ok_or_else(|| nobody(name))?;
    let kind = words.next("what to make of it")?;
    let number = words.read("a number of instances", number)?;
    let to = match kind {
        "count" => ScaleTo::Count(number),
        "more" => ScaleTo::More(number),
        "without" => ScaleTo::Without(number),
        _ => {
            return Err(format!(
                "\"{kind}\" is not \"count\", \"more\" or \"without\""
            ));
        }
    };
    words.end()?;
    Ok((group, to))
}

// ---- key=value ----------------------------------------------------------------

/// `key=value` words, in any order, each once.
pub(super) struct Pairs<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Pairs<'a> {
    pub(super) fn of(text: &'a str) -> Read<Self> {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for word in text.split_whitespace() {
            let pair = word
                .split_once('=')
                .ok_or_else(|| format!("\"{word}\" is not key=value"))?;
            if pairs.iter().any(|(key, _)| *key == pair.0) {
                return Err(format!("{} is said twice", pair.0));
            }
            pairs.push(pair);
        }
        Ok(Self(pairs))
    }

    pub(super) fn text(&mut self, key: &str) -> Read<&'a str> {
        let place = self.0.iter().position(|(known, _)| *known == key);
        let place = place.ok_or_else(|| format!("{key}= is missing"))?;
        Ok(self.0.remove(place).1)
    }

    pub(super) fn read<T>(&mut self, key: &str, read: impl Fn(&str) -> Option<T>) -> Read<T> {
        let text = self.text(key)?;
        read(text).ok_or_else(|| cannot_be(key, text))
    }

    /// Whether there is one.
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(known, _)| *known == key)
    }

    /// Something, or the word for nothing.
    pub(super) fn maybe<T>(
        &mut self,
        key: &str,
        none: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Read<Option<T>> {
        self.read(key, |text| {
            if text == none {
                Some(None)
            } else {
                read(text).map(Some)
            }
        })
    }

    /// With commas between.
    pub(super) fn list<T>(
        &mut self,
        key: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Read<Box<[T]>> {
        self.read(key, |text| {
            let items = text.split(',').filter(|_| !text.is_empty());
            items.map(&read).gather()
        })
    }

    pub(super) fn end(self) -> Read<()> {
        match self.0.first() {
            None => Ok(()),
            Some((key, _)) => Err(format!("there is no {key}=")),
        }
    }
}
