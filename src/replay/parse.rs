//! A journal from its text: its lives, or every mistake with its line.

use core::fmt;
use core::time::Duration;
use std::iter::Peekable;

use super::grown::{Gathered, Grown};
use super::read::{self, Pairs, Read, Words};
use super::{Anybody, CUT, VERSION};
use crate::model::Gather as _;
use crate::model::limits::DURATION_MAX;
use crate::model::{BootId, Memory, RunId, Uptime, packed};
use crate::policy::{Handover, Next, Over, Rules};
use crate::store;

/// What stands between an event and what followed.
pub(super) const ARROW: &str = " ->";

/// A line that cannot be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub words: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.words)
    }
}

/// All that was recorded.
#[derive(Debug)]
pub struct Journal<'a> {
    /// One a sup.
    pub(super) lives: Vec<Life<'a>>,
}

/// From a sup's start to its end.
#[derive(Debug)]
pub(super) struct Life<'a> {
    pub(super) line: usize,
    /// The version of the sup that wrote it.
    pub(super) sup: &'a str,
    pub(super) boot: BootId,
    pub(super) at: Uptime,
    pub(super) rules: Rules,
    /// `None`: it ends before all of that was written.
    pub(super) tree: Option<Grown>,
    pub(super) memory: Option<Memory>,
    /// With its line.
    pub(super) handover: Option<(usize, Handover)>,
    /// With its line.
    pub(super) taken_up: Vec<(usize, TakenUp<'a>)>,
    pub(super) steps: Vec<Step<'a>>,
    /// The line in the middle of which it ends.
    pub(super) cut: Option<usize>,
}

/// One line of a life.
/// What another sup has left: what stands behind the word.
#[derive(Debug)]
pub(super) enum TakenUp<'a> {
    Adopted(&'a str),
    Decided(&'a str),
}

#[derive(Debug)]
pub(super) struct Step<'a> {
    pub(super) line: usize,
    pub(super) at: Uptime,
    pub(super) what: What<'a>,
    /// `None`: the journal ends here, and nobody knows.
    pub(super) followed: Option<&'a str>,
}

#[derive(Debug)]
pub(super) enum What<'a> {
    Event(&'a str),
    Scale(&'a str),
    Reload(Box<Grown>, Duration),
}

impl<'a> Journal<'a> {
    /// Reads one. A last line that has no end is passed over, or taken for what is left of it.
    ///
    /// # Errors
    /// Every mistake.
    pub fn parse(text: &'a str) -> Result<Self, Vec<Mistake>> {
        let numbered = text.split_inclusive('\n').enumerate();
        let lines = numbered.map(|(at, text)| Line::of(at + 1, text));
        let said = |line: &Line<'_>| !line.text.is_empty() && !line.text.starts_with('#');
        let mut reader = Reader {
            lines: lines.filter(said).gather::<Vec<_>>().into_iter().peekable(),
            mistakes: Vec::new(),
        };
        let mut lives = Vec::new();
        while let Some(line) = reader.lines.next() {
            match line.text.strip_prefix("journal ") {
                Some(rest) => lives.extend(reader.life(line, rest)),
                None if !line.is_whole => {}
                None => reader.mistake(line.number, "a journal begins with \"journal version=…\""),
            }
        }
        if lives.is_empty() && reader.mistakes.is_empty() {
            reader.mistake(1, "there is no whole life in it");
        }
        if reader.mistakes.is_empty() {
            Ok(Self { lives })
        } else {
            Err(reader.mistakes)
        }
    }
}

#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    text: &'a str,
    /// Whether it was written to its end.
    is_whole: bool,
}

impl<'a> Line<'a> {
    fn of(number: usize, text: &'a str) -> Self {
        let (text, is_whole) = match (text.strip_suffix(CUT), text.strip_suffix('\n')) {
            (Some(text), _) => (text, false),
            (None, Some(text)) => (text, true),
            (None, None) => (text, false),
        };
        Self {
            number,
            text: text.trim(),
            is_whole,
        }
    }
}

struct Reader<'a> {
    lines: Peekable<std::vec::IntoIter<Line<'a>>>,
    mistakes: Vec<Mistake>,
}

impl<'a> Reader<'a> {
    fn mistake(&mut self, line: usize, words: impl Into<String>) {
        let words = words.into();
        self.mistakes.push(Mistake { line, words });
    }

    /// What was read; a mistake is written down.
    fn noted<T>(&mut self, line: usize, read: Read<T>) -> Option<T> {
        read.map_err(|words| self.mistake(line, words)).ok()
    }

    /// The next line of this life.
    fn next(&mut self) -> Option<Line<'a>> {
        self.lines
            .next_if(|line| !line.text.starts_with("journal "))
    }

    fn life(&mut self, first: Line<'a>, rest: &'a str) -> Option<Life<'a>> {
        if !first.is_whole {
            return None;
        }
        let read = head(rest);
        let Some((mut life, lines)) = self.noted(first.number, read) else {
            while self.next().is_some() {}
            return None;
        };
        life.line = first.number;
        life.tree = self.tree(first.number, lines, &mut life.cut);
        while let Some(line) = self.next() {
            if life.cut.is_some() && !line.is_whole {
                continue; // Another sup, that did not come far.
            }
            if life.cut.is_some() {
                self.mistake(line.number, "it stands behind a line that was cut");
                continue;
            }
            life.cut = (!line.is_whole).then_some(line.number);
            self.line(line, &mut life);
        }
        Some(life)
    }

    fn line(&mut self, line: Line<'a>, life: &mut Life<'a>) {
        let is_before = life.steps.is_empty();
        if let Some(hex) = line.text.strip_prefix("memory ").filter(|_| is_before) {
            if line.is_whole {
                life.memory = self.noted(line.number, memory(hex));
            }
        } else if let Some(hex) = line.text.strip_prefix("handover ").filter(|_| is_before) {
            if line.is_whole {
                let standing = self.noted(line.number, handover(hex));
                life.handover = standing.map(|standing| (line.number, standing));
            }
        } else if let Some(run) = line.text.strip_prefix("adopted ").filter(|_| is_before) {
            if line.is_whole && self.noted(line.number, adopted(run, &Anybody)).is_some() {
                life.taken_up.push((line.number, TakenUp::Adopted(run)));
            }
        } else if let Some(run) = line.text.strip_prefix("decided ").filter(|_| is_before) {
            if line.is_whole && self.noted(line.number, verdict(run, &Anybody)).is_some() {
                life.taken_up.push((line.number, TakenUp::Decided(run)));
            }
        } else if line.is_whole || line.text.contains(ARROW) {
            let step = self.step(line, life);
            life.steps.extend(step);
        }
    }

    fn step(&mut self, line: Line<'a>, life: &mut Life<'a>) -> Option<Step<'a>> {
        let (at, rest) = self.noted(line.number, timed(line.text))?;
        let last = life.steps.last().map_or(life.at, |step| step.at);
        if at < last {
            self.mistake(line.number, "its time is before that of the line above");
        }
        let (what, followed) = match rest.strip_prefix("reload ") {
            Some(rest) => (self.reload(line.number, rest, &mut life.cut)?, None),
            None => self.noted(line.number, decided(rest, line.is_whole))?,
        };
        Some(Step {
            line: line.number,
            at,
            what,
            followed,
        })
    }

    fn reload(&mut self, at: usize, rest: &str, cut: &mut Option<usize>) -> Option<What<'a>> {
        let Some((timeout, lines)) = self.noted(at, reload(rest)) else {
            while self.lines.next_if(is_of_tree).is_some() {}
            return None;
        };
        let tree = self.tree(at, lines, cut)?;
        Some(What::Reload(Box::new(tree), timeout))
    }

    /// The lines of a tree, of which there are so many. `None`: it has mistakes, or is cut.
    fn tree(&mut self, at: usize, lines: usize, cut: &mut Option<usize>) -> Option<Grown> {
        let mut gathered = Gathered::default();
        let (mut is_clean, mut last) = (true, at);
        while let Some(line) = self.lines.next_if(is_of_tree) {
            last = line.number;
            if !line.is_whole {
                *cut = Some(line.number);
                return None;
            }
            if let Some(taken) = gathered.take(line.text) {
                is_clean &= self.noted(line.number, taken).is_some();
            }
        }
        let found = gathered.lines;
        if found < lines && self.is_last() {
            *cut = Some(last);
            return None;
        }
        if found != lines {
            let words = format!("tree={lines}, and {found} lines of a tree follow");
            self.mistake(at, words);
            return None;
        }
        if !is_clean {
            return None;
        }
        self.noted(at, gathered.finish())
    }

    /// Whether nothing more of this life follows, or only the beginning of a line.
    fn is_last(&mut self) -> bool {
        let next = self.lines.peek();
        next.is_none_or(|line| line.text.starts_with("journal ") || !line.is_whole)
    }
}

fn is_of_tree(line: &Line<'_>) -> bool {
    let kinds = ["child ", "group ", "template ", "check "];
    kinds.iter().any(|kind| line.text.starts_with(kind))
}

/// `100.000`, and what stands behind it.
fn timed(text: &str) -> Read<(Uptime, &str)> {
    let (time, rest) = text.split_once(' ').unwrap_or((text, ""));
    let at = read::moment(time);
    let at = at.ok_or_else(|| {
        format!("\"{time}\" is no time; a line is as \"100.000 tick -> nothing\"")
    })?;
    Ok((at, rest))
}

/// What happened, and what followed, as far as that is known.
fn decided(text: &str, is_whole: bool) -> Read<(What<'_>, Option<&str>)> {
    let (what, followed) = text.split_once(ARROW).ok_or("there is no \"->\" in it")?;
    // Nothing at all: sup died of it, or the journal was full.
    let known = is_whole && !followed.is_empty();
    let followed = known.then_some(followed.trim());
    if let Some(rest) = what.strip_prefix("scale ") {
        read::scale(rest, &Anybody)?;
        Ok((What::Scale(rest), followed))
    } else {
        read::event(what, &Anybody)?;
        Ok((What::Event(what), followed))
    }
}

fn reload(rest: &str) -> Read<(Duration, usize)> {
    let mut pairs = Pairs::of(rest)?;
    let timeout = pairs.read("shutdown-timeout", read::span)?;
    let lines = pairs.read("tree", read::number)?;
    pairs.end()?;
    Ok((timeout, lines))
}

/// The first line of a life, and how many of its tree follow.
fn head(rest: &str) -> Read<(Life<'_>, usize)> {
    let mut pairs = Pairs::of(rest)?;
    let version: u32 = pairs.read("version", read::number)?;
    if version != VERSION {
        return Err(format!(
            "version={version}: this sup plays version {VERSION}"
        ));
    }
    let sup = pairs.text("sup")?;
    let boot = pairs.read("boot", BootId::parse)?;
    let at = pairs.read("at", read::moment)?;
    if at < Uptime::default() || at - Uptime::default() > DURATION_MAX {
        return Err("at= cannot be".to_owned());
    }
    let rules = Rules {
        seed: pairs.read("seed", read::number)?,
        shutdown_timeout: pairs.read("shutdown-timeout", read::span)?,
        ends_when_over: false,
    };
    let lines = pairs.read("tree", read::number)?;
    pairs.end()?;
    let life = Life {
        line: 0,
        sup,
        boot,
        at,
        rules,
        tree: None,
        memory: None,
        handover: None,
        taken_up: Vec::new(),
        steps: Vec::new(),
        cut: None,
    };
    Ok((life, lines))
}

fn memory(hex: &str) -> Read<Memory> {
    let bytes = bytes(hex).ok_or("the memory is not hexadecimal")?;
    store::decode(&bytes).map_err(|_| "the memory is none, or a newer sup's".to_owned())
}

fn handover(hex: &str) -> Read<Handover> {
    let bytes = bytes(hex).ok_or("the hand-over is not hexadecimal")?;
    match packed::take(&bytes) {
        Some((standing, [])) => Ok(standing),
        Some(_) | None => Err("the hand-over is none, or another sup's".to_owned()),
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8]| match *pair {
        [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    };
    hex.as_bytes().chunks(2).map(byte).gather()
}

/// `media#3 pid 4711 at 99.120`
pub(super) fn adopted(text: &str, who: &dyn super::Lookup) -> Read<(RunId, u32, Uptime)> {
    let mut words = Words::of(text);
    let run = read::run(&mut words, who)?;
    let pid = read::pid(&mut words)?;
    words.expect("at")?;
    let at = words.read("a time", read::moment)?;
    words.end()?;
    Ok((run, pid, at))
}

/// `books#2 waits until 160.000`
pub(super) fn verdict(text: &str, who: &dyn super::Lookup) -> Read<(RunId, Next)> {
    let mut words = Words::of(text);
    let run = read::run(&mut words, who)?;
    let next = match words.next("what was decided")? {
        "starts" => Next::Idle,
        "waits" => Next::Waiting {
            until: until(&mut words)?,
        },
        "finished" => {
            let clean = words.has("clean");
            Next::Over(Over::Finished { clean })
        }
        "gave-up" => Next::Over(Over::GaveUp),
        "parked" => Next::Over(Over::Parked {
            until: until(&mut words)?,
        }),
        "taken-along" => Next::Over(Over::TakenAlong),
        other => return Err(format!("\"{other}\" is nothing that is decided")),
    };
    words.end()?;
    Ok((run, next))
}

fn until(words: &mut Words<'_>) -> Read<Uptime> {
    words.expect("until")?;
    words.read("a time", read::moment)
}
