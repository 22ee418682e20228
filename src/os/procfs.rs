//! What `/proc` says about processes.

use std::fs;

use super::{clock, reap};
use crate::model::Uptime;

/// One process, from `/proc/PID/stat` (proc(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its number.
    pub pid: i32,
    /// `R`, `S`, `D`, `Z` and so on.
    pub state: char,
    /// Its parent.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Its session.
    pub session: i32,
    /// When it was started, in clock ticks since boot: with the pid and the boot id,
    /// a name that is never used again.
    pub start: u64,
}

/// One process; `None` where it is gone or unreadable.
#[must_use]
pub fn stat(pid: i32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Every process that is alive (not a zombie) and of which `is_one` holds. Empty
/// where `/proc` is not mounted.
pub fn processes(mut is_one: impl FnMut(&Stat) -> bool) -> Vec<Stat> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let alive = pids
        .filter_map(stat)
        .filter(|stat| !matches!(stat.state, 'Z' | 'X'));
    alive.filter(|stat| is_one(stat)).collect()
}

/// By what we know the processes of a child again, in whatever session they are: two
/// variables that each of its runs has in its environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// `SUP_CHILD=` and the child's name.
    pub child: String,
    /// `SUP_HOME=` and what tells one sup from another: its runtime directory.
    pub home: String,
}

/// Everything alive but us, at one moment. A look at `/proc` costs some microseconds a
/// process, so a thousand children that end together share one.
#[derive(Debug)]
pub struct Census {
    at: Uptime,
    all: Vec<Stat>,
}

impl Census {
    /// Looks now.
    #[must_use]
    pub fn take() -> Self {
        let me = std::process::id().cast_signed();
        Self {
            at: clock::now(),
            all: processes(|stat| stat.pid != me),
        }
    }

    /// Whether it was taken after the end of a process that began at `start` and has
    /// ended: all that it left, and all that those made since, then shows here.
    #[must_use]
    pub fn is_after(&self, pid: u32, start: Uptime) -> bool {
        self.at > start && !self.all.iter().any(|stat| stat.pid == pid.cast_signed())
    }

    /// Everything alive that belongs to a run: the session that `leader` made,
    /// descendants in sessions of their own, and orphans with the child's mark, such as a
    /// program that forked twice to become a daemon. `leader` may be 0: only the marked,
    /// then.
    #[must_use]
    pub fn family(&self, leader: u32, mark: Option<&Mark>) -> Vec<Stat> {
        let (leader, me) = (leader.cast_signed(), std::process::id().cast_signed());
        let is_orphan = |stat: &Stat| {
            // Those of a sup that died went to init. The other children are no orphans:
            // to read the environment of a thousand would take longer than all the rest.
            let adopted = stat.pid != leader
                && [1, me].contains(&stat.parent)
                && !reap::is_ours(stat.pid.cast_unsigned());
            adopted && mark.is_some_and(|mark| is_marked(stat.pid, mark))
        };
        let is_first = |stat: &mut Stat| (leader > 0 && stat.session == leader) || is_orphan(stat);
        let mut rest = self.all.clone();
        let mut family: Vec<Stat> = rest.extract_if(.., is_first).collect();
        let mut known = 0;
        while known < family.len() {
            let Stat { pid, session, .. } = family[known];
            family
                .extend(rest.extract_if(.., |stat| stat.parent == pid || stat.session == session));
            known += 1;
        }
        family
    }
}

fn is_marked(pid: i32, mark: &Mark) -> bool {
    variables(pid, |environ| {
        let has = |variable: &str| environ.clone().any(|found| found == variable.as_bytes());
        has(&mark.child) && has(&mark.home)
    })
    .unwrap_or(false)
}

/// The value of one variable in a process's environment, as it was at its start.
#[must_use]
pub fn variable(pid: i32, key: &str) -> Option<String> {
    variables(pid, |mut environ| {
        let value =
            environ.find_map(|found| found.strip_prefix(key.as_bytes())?.strip_prefix(b"="))?;
        String::from_utf8(value.to_vec()).ok()
    })?
}

fn variables<T>(
    pid: i32,
    read: impl FnOnce(std::slice::Split<'_, u8, fn(&u8) -> bool>) -> T,
) -> Option<T> {
    let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
    Some(read(environ.split((|b| *b == 0) as fn(&u8) -> bool)))
}

/// The program's name is in parentheses and may hold anything, so what follows is
/// counted from the last one.
fn parse(line: &str) -> Option<Stat> {
    let pid = line.split(' ').next()?.parse().ok()?;
    let mut fields = line.get(line.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let mut number = || fields.next()?.parse::<i32>().ok();
    let (parent, group, session) = (number()?, number()?, number()?);
    // Field 22 of the line; four of those after the name are gone, so 15 lie between.
    let start = fields.nth(15)?.parse().ok()?;
    Some(Stat {
        pid,
        state,
        parent,
        group,
        session,
        start,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let line = "42 (a) S 1 (b) R 7 42 41 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 998877 123 4";
        let stat = parse(line).unwrap();
        assert_eq!(
            (stat.pid, stat.state, stat.parent, stat.group),
            (42, 'R', 7, 42)
        );
        assert_eq!((stat.session, stat.start), (41, 998_877));
        for bad in ["", "42", "42 (x", "42 (x) R", "x (y) R 1 1 1"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn finds_itself() {
        let me = i32::try_from(std::process::id()).unwrap();
        let found = stat(me).unwrap();
        assert_eq!(found.pid, me);
        assert!(processes(|stat| stat.pid == me).contains(&found) || found.state == 'R');
    }
}
