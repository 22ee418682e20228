//! What `/proc` says about processes.

use std::fs;
use std::io::{self, ErrorKind, Read};

use nix::errno::Errno;
use nix::unistd::{SysconfVar, sysconf};

use super::{clock, reap};
use crate::model::Gather as _;
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
    look(pid).ok().flatten()
}

/// The user who runs a process: the real one, which no program that takes on others' rights
/// changes. Whoever owns its files in `/proc` says less: of many it is root.
#[must_use]
pub fn user(pid: i32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let mut lines = text.lines();
    let users = lines.find_map(|line| line.strip_prefix("Uid:"))?;
    users.split_ascii_whitespace().next()?.parse().ok()
}

fn line_of(pid: i32) -> Option<String> {
    read_stat(pid).ok()
}

/// The line about a process, in one piece. A name may hold anything; it is shown as far as
/// it is text.
fn read_stat(pid: i32) -> io::Result<String> {
    let mut line = [0; STAT];
    let length = fs::File::open(format!("/proc/{pid}/stat"))?.read(&mut line)?;
    Ok(String::from_utf8_lossy(&line[..length]).into_owned())
}

/// More than fifty numbers of twenty digits and a name of sixty-four letters take, in bytes.
const STAT: usize = 1200;

fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// One process; `None` where it is gone.
///
/// # Errors
/// It cannot be looked at, for want of descriptors or memory: it may be alive.
pub fn look(pid: i32) -> io::Result<Option<Stat>> {
    match read_stat(pid) {
        Ok(line) => Ok(parse(&line)),
        // The second: it ended between opening and reading.
        Err(error)
            if error.kind() == ErrorKind::NotFound
                || error.raw_os_error() == Some(Errno::ESRCH as i32) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Every process that is alive (not a zombie) and of which `is_one` holds, as far as we
/// can look. Empty where `/proc` is not mounted.
pub fn processes(mut is_one: impl FnMut(&Stat) -> bool) -> Vec<Stat> {
    let (mut alive, _) = all();
    alive.retain(|stat| is_one(stat));
    alive
}

/// Every process that is alive, and whether that is all of them.
fn all() -> (Vec<Stat>, bool) {
    let entries = match fs::read_dir("/proc") {
        Ok(entries) => entries,
        Err(error) => return (Vec::new(), error.kind() == ErrorKind::NotFound),
    };
    let mut whole = true;
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let found = pids.filter_map(|pid| {
        look(pid).unwrap_or_else(|_| {
            whole = false;
            None
        })
    });
    let alive = found.filter(|stat| !matches!(stat.state, 'Z' | 'X'));
    (alive.gather(), whole)
}

/// Memory that a process has in RAM, in bytes; what it shares with others counts in each.
#[must_use]
pub fn resident(pid: i32) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(page_size()))
}

/// In bytes.
fn page_size() -> u64 {
    let size = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    u64::try_from(size.unwrap_or(4096)).unwrap_or(4096)
}

/// Memory of the box, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ram {
    /// All that there is.
    pub total: u64,
    /// What programs could still get without swapping.
    pub available: u64,
}

/// Memory of the box; `None` where `/proc` does not tell.
#[must_use]
pub fn memory() -> Option<Ram> {
    ram(&fs::read_to_string("/proc/meminfo").ok()?)
}

fn ram(meminfo: &str) -> Option<Ram> {
    let of = |name: &str| {
        let mut lines = meminfo.lines();
        let rest = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kib: u64 = rest.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some(kib.saturating_mul(1024))
    };
    // Before Linux 3.14 nobody had worked it out for us.
    let estimate = || Some(of("MemFree")? + of("Buffers")? + of("Cached")?);
    Some(Ram {
        total: of("MemTotal")?,
        available: of("MemAvailable").or_else(estimate)?,
    })
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
    /// Whether we could look at everything. Out of descriptors, we cannot.
    whole: bool,
}

impl Census {
    /// Looks now.
    #[must_use]
    pub fn take() -> Self {
        let me = std::process::id().cast_signed();
        let at = clock::now();
        let (mut all, whole) = all();
        all.retain(|stat| stat.pid != me);
        Self { at, all, whole }
    }

    /// Whether who is not in it is dead. Else it may be alive and not have been seen.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether it was taken after the end of a process that began at `start` and has
    /// ended: all that it left, and all that those made since, then shows here.
    #[must_use]
    pub fn is_after(&self, pid: u32, start: Uptime) -> bool {
        self.whole && self.at > start && !self.all.iter().any(|stat| stat.pid == pid.cast_signed())
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
        let mut family: Vec<Stat> = rest.extract_if(.., is_first).gather();
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

/// How much memory the processes of each session hold, at one moment.
#[derive(Debug, Default)]
pub struct Resident {
    /// The sessions, by their leaders, and bytes.
    sessions: Vec<(i32, u64)>,
}

impl Resident {
    /// Looks now. Empty where `/proc` is not mounted.
    #[must_use]
    pub fn take() -> Self {
        let page = page_size();
        let processes = pids().filter_map(|pid| resident_pages(&line_of(pid)?));
        let mut sessions: Vec<_> = processes
            .filter(|(session, _)| *session > 0) // -1 is what has just ended.
            .map(|(session, pages)| (session, pages * page))
            .gather();
        sessions.sort_unstable();
        sessions.dedup_by(|next, first| {
            let is_same = next.0 == first.0;
            first.1 += if is_same { next.1 } else { 0 };
            is_same
        });
        Self { sessions }
    }

    /// The resident memory of a session, in bytes.
    #[must_use]
    pub fn session(&self, leader: u32) -> Option<u64> {
        let leader = leader.cast_signed();
        let place = self.sessions.binary_search_by_key(&leader, |one| one.0);
        place.ok().map(|place| self.sessions[place].1)
    }
}

/// The session of a process and the pages that it holds.
fn resident_pages(line: &str) -> Option<(i32, u64)> {
    let mut fields = line.get(line.rfind(')')? + 1..)?.split_ascii_whitespace();
    // Fields 6 and 24 of the line; two are gone with the name.
    let session = fields.nth(3)?.parse().ok()?;
    Some((session, fields.nth(17)?.parse().ok()?))
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
        assert_eq!(resident_pages(line), Some((41, 4)));
        for bad in ["", "42", "42 (x", "42 (x) R", "x (y) R 1 1 1"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn memory_is_read_of_new_kernels_and_old_ones() {
        let old = "MemTotal:  1000 kB\nMemFree:  100 kB\nBuffers: 20 kB\nCached:  30 kB\nSwapCached: 7 kB\n";
        let new = format!("{old}MemAvailable:  120 kB\n");
        let available = |text: &str| ram(text).map(|ram| (ram.total >> 10, ram.available >> 10));
        assert_eq!(available(old), Some((1000, 150)));
        assert_eq!(available(&new), Some((1000, 120)));
        assert_eq!(available("MemTotal: x kB"), None);
        assert_eq!(available(""), None);
        let me = i32::try_from(std::process::id()).unwrap();
        assert!(resident(me).unwrap() > 100 << 10);
    }

    #[test]
    fn finds_itself() {
        let me = i32::try_from(std::process::id()).unwrap();
        let found = stat(me).unwrap();
        assert_eq!(found.pid, me);
        // Its state may be another one by now.
        let again = processes(|stat| stat.pid == me);
        assert_eq!(user(me), Some(nix::unistd::getuid().as_raw()));
        assert_eq!(again.len(), 1);
        assert_eq!((again[0].pid, again[0].start), (me, found.start));
        let session = found.session.cast_unsigned();
        let resident = Resident::take().session(session);
        // In a container, the leader of our session can be outside: 0, whose memory is nobody's.
        assert_eq!(
            resident >= Some(4096),
            session > 0,
            "session {session}: {resident:?}"
        );
        assert_eq!(Resident::take().session(u32::MAX), None);
    }
}
