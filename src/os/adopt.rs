//! Processes that another sup started: how it wrote them down, and how we watch what is
//! not our child. What is written lies in the runtime directory, in RAM: a pid means
//! nothing after a reboot.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::OnceLock;
use std::time::Duration;

use nix::libc;

use super::kernel::Version;
use super::{Async, Timer, clock, procfs, reap, signals};
use crate::model::Gather as _;
use crate::model::{BootId, Exit, Uptime, tree};

/// How often we look at a process that is not our child, where there are no pidfds.
const LOOK: Duration = Duration::from_secs(1);

/// How often, and how many times, we look whether its new parent, most often init, has
/// taken the news of its end.
const REAP_LOOK: Duration = Duration::from_millis(5);
const REAP_LOOKS: u32 = 20;

/// One run, as it is written down: enough to know its process again. A pid alone may be
/// anybody's by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The boot under which it was started.
    pub boot: BootId,
    /// Its main process.
    pub pid: u32,
    /// When that was started, in clock ticks since boot.
    pub start: u64,
    /// The number of the run.
    pub nth: u32,
    /// When the run was started.
    pub at: Uptime,
}

impl Record {
    /// Of a process that has just been started, at that clock tick as far as we know.
    /// `None`: it is gone already.
    #[must_use]
    pub fn of(pid: u32, start: Option<u64>, nth: u32, at: Uptime, boot: BootId) -> Option<Self> {
        static AGREE: OnceLock<bool> = OnceLock::new();
        let ask = || Some(procfs::stat(pid.cast_signed())?.start);
        let start = confirmed(start, &AGREE, ask)?;
        Some(Self {
            boot,
            pid,
            start,
            nth,
            at,
        })
    }

    /// Writes it down, under the child's name.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&self, dir: &Path, name: &str) -> io::Result<()> {
        let Self {
            boot,
            pid,
            start,
            nth,
            at,
        } = self;
        let boot = u128::from_be_bytes(boot.0);
        let line = format!("1 {boot:032x} {pid} {start} {nth} {}\n", at.as_millis());
        put(dir, name, &line)
    }

    /// Reads what was written down; `None` for nothing, and for nonsense.
    #[must_use]
    pub fn read(dir: &Path, name: &str) -> Option<Self> {
        parse(&fs::read_to_string(path(dir, name)).ok()?)
    }

    /// Whether its main process is alive: that pid, started then. Where we cannot look it
    /// is: to take it for dead would be to start a second one.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        match procfs::look(self.pid.cast_signed()) {
            Ok(found) => found
                .is_some_and(|stat| stat.start == self.start && !matches!(stat.state, 'Z' | 'X')),
            Err(_) => true,
        }
    }

    /// Whether it is a child of ours, alive or not yet reaped.
    #[must_use]
    pub fn is_our_child(&self) -> bool {
        let me = std::process::id().cast_signed();
        procfs::stat(self.pid.cast_signed())
            .is_some_and(|stat| stat.start == self.start && stat.parent == me)
    }

    /// Whether its pid has been given to another process.
    #[must_use]
    pub fn is_recycled(&self) -> bool {
        procfs::stat(self.pid.cast_signed()).is_some_and(|stat| stat.start != self.start)
    }

    /// Waits for its end: through a pidfd where the kernel has one (Linux 5.3), else by
    /// looking each second. How it was the kernel tells since Linux 6.15, once whoever is
    /// its parent now has taken the news.
    pub async fn ended(self) -> Exit {
        let Some(pidfd) = pidfd(self.pid).filter(|_| self.is_alive()) else {
            while self.is_alive() {
                Timer::after(LOOK).await;
            }
            return Exit::Vanished;
        };
        drop(pidfd.readable().await);
        if Version::of_this_kernel() < Version(6, 15) {
            return Exit::Vanished;
        }
        for _ in 0..REAP_LOOKS {
            if let Some(status) = status(&pidfd) {
                return reap::exit(status);
            }
            Timer::after(REAP_LOOK).await;
        }
        Exit::Vanished
    }
}

/// When a process was made. The kernel is not asked where we know, once what it has said of
/// another has agreed with its clock: to read of a process costs as much as half of all else
/// that a start takes.
fn confirmed(
    known: Option<u64>,
    agree: &OnceLock<bool>,
    ask: impl FnOnce() -> Option<u64>,
) -> Option<u64> {
    if known.is_some() && agree.get() == Some(&true) {
        return known;
    }
    let told = ask()?;
    if let Some(known) = known {
        agree.get_or_init(|| known == told);
    }
    Some(told)
}

/// Writes a child's line.
fn put(dir: &Path, name: &str, line: &str) -> io::Result<()> {
    // Ours alone whatever the umask: who can write it chooses whom the next sup ends.
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path(dir, name))?;
    file.write_all(line.as_bytes())
}

/// What a sup had decided when the last run of a child was over: for the sup that comes
/// after it, should it be killed. Memory on the disk may be a minute older.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The boot under which it was written.
    pub boot: BootId,
    /// The number of the run.
    pub nth: u32,
    /// What comes now.
    pub then: Then,
}

/// What comes after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The next one, at that moment.
    Waits(Uptime),
    /// Nothing: it has done its work, with success or without.
    Finished(bool),
    /// Nothing: too many restarts.
    GaveUp,
    /// One try at that moment.
    Parked(Uptime),
    /// Nothing: its group took it along.
    TakenAlong,
}

impl Verdict {
    /// Writes it down, in the place of the run's [`Record`].
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&self, dir: &Path, name: &str) -> io::Result<()> {
        let (word, number) = match self.then {
            Then::Waits(until) => ("waits", until.as_millis()),
            Then::Finished(clean) => ("finished", i64::from(clean)),
            Then::GaveUp => ("gave-up", 0),
            Then::Parked(until) => ("parked", until.as_millis()),
            Then::TakenAlong => ("taken", 0),
        };
        let (boot, nth) = (u128::from_be_bytes(self.boot.0), self.nth);
        let line = format!("then {boot:032x} {nth} {word} {number}\n");
        put(dir, name, &line)
    }

    /// Reads what was written down; `None` for nothing, and for nonsense.
    #[must_use]
    pub fn read(dir: &Path, name: &str) -> Option<Self> {
        let text = fs::read_to_string(path(dir, name)).ok()?;
        let words: Vec<&str> = text.strip_suffix('\n')?.split(' ').gather();
        let ["then", boot, nth, word, number] = words[..] else {
            return None;
        };
        let number: i64 = number.parse().ok()?;
        let then = match word {
            "waits" => Then::Waits(Uptime::from_millis(number)),
            "finished" => Then::Finished(number == 1),
            "gave-up" => Then::GaveUp,
            "parked" => Then::Parked(Uptime::from_millis(number)),
            "taken" => Then::TakenAlong,
            _ => return None,
        };
        Some(Self {
            boot: BootId(u128::from_str_radix(boot, 16).ok()?.to_be_bytes()),
            nth: nth.parse().ok()?,
            then,
        })
    }
}

/// Processes that lead a session and were started by a sup with this home, by their
/// children's names: what a sup had started when it was killed, before it could write.
/// Of several for one child, the newest run's.
#[must_use]
pub fn strays(home: &str, boot: BootId) -> Vec<(String, Record)> {
    let leaders = procfs::processes(|stat| stat.pid == stat.session);
    let ours = leaders
        .iter()
        .filter(|stat| is_of(stat, home) && procfs::variable(stat.pid, "SUP_CHECK").is_none());
    let mut strays: Vec<(String, Record)> = ours
        .filter_map(|stat| {
            let child = procfs::variable(stat.pid, "SUP_CHILD")?;
            let nth = procfs::variable(stat.pid, "SUP_RUN")?.parse().ok()?;
            let at = clock::at_tick(stat.start)?;
            Some((
                child,
                Record {
                    boot,
                    pid: stat.pid.cast_unsigned(),
                    start: stat.start,
                    nth,
                    at,
                },
            ))
        })
        .gather();
    strays.sort_by_key(|(_, record)| (std::cmp::Reverse(record.nth), record.start));
    strays
}

/// Kills the programs of checks that a sup with this home had started when it was killed,
/// with all that they have made: nobody waits for what they find. Comes back with how
/// many there were.
#[must_use]
pub fn kill_checks(home: &str) -> usize {
    let all = procfs::processes(|stat| is_of(stat, home));
    let of_check = |stat: &procfs::Stat| procfs::variable(stat.pid, "SUP_CHECK");
    let left: Vec<_> = all
        .iter()
        .filter_map(|stat| Some((stat.pid, of_check(stat)?)))
        .gather();
    for (pid, check) in &left {
        let mark = procfs::Mark {
            child: format!("SUP_CHECK={check}"),
            home: format!("SUP_HOME={home}"),
        };
        signals::kill_family(pid.cast_unsigned(), &mark);
    }
    left.len()
}

fn is_of(stat: &procfs::Stat, home: &str) -> bool {
    procfs::variable(stat.pid, "SUP_HOME").is_some_and(|found| found == home)
}

/// Forgets what was written down.
pub fn erase(dir: &Path, name: &str) {
    let _gone = fs::remove_file(path(dir, name));
}

/// The ending of a record's file name.
pub const ENDING: &str = ".run";

fn path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{}{ENDING}", tree::file_name(name)))
}

fn parse(text: &str) -> Option<Record> {
    let mut words = text.strip_suffix('\n')?.split(' ');
    let (version, boot) = (words.next()?, words.next()?);
    let boot = BootId(u128::from_str_radix(boot, 16).ok()?.to_be_bytes());
    let record = Record {
        boot,
        pid: words.next()?.parse().ok()?,
        start: words.next()?.parse().ok()?,
        nth: words.next()?.parse().ok()?,
        at: Uptime::from_millis(words.next()?.parse().ok()?),
    };
    (version == "1" && words.next().is_none() && record.pid > 1).then_some(record)
}

/// How a process that has been reaped ended (`PIDFD_INFO_EXIT`).
fn status(pidfd: &Async<OwnedFd>) -> Option<ExitStatus> {
    // SAFETY: numbers, all of which may be zero.
    let mut info: libc::pidfd_info = unsafe { std::mem::zeroed() };
    info.mask = u64::from(libc::PIDFD_INFO_EXIT);
    // SAFETY: the kernel writes as many bytes as the request says that `info` has. The cast
    // is to libc's own type for a request, which differs between C libraries.
    let result =
        unsafe { libc::ioctl(pidfd.as_raw_fd(), libc::PIDFD_GET_INFO as _, &raw mut info) };
    let told = result == 0 && info.mask & u64::from(libc::PIDFD_INFO_EXIT) != 0;
    told.then(|| ExitStatus::from_raw(info.exit_code))
}

/// Whether there are pidfds, and one can wait for them (Linux 5.3).
pub(super) fn has_pidfds() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| open_pidfd(std::process::id()).is_some())
}

pub(super) fn pidfd(pid: u32) -> Option<Async<OwnedFd>> {
    open_pidfd(pid).map(Async::of_nonblocking)
}

fn open_pidfd(pid: u32) -> Option<OwnedFd> {
    if Version::of_this_kernel() < Version(5, 3) {
        return None;
    }
    // SAFETY: no memory is involved.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = i32::try_from(fd).ok().filter(|&fd| fd >= 0)?;
    // SAFETY: the kernel has just given it to us, and nobody else knows it. It is
    // close-on-exec (pidfd_open(2)).
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_nonsense_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let (boot, at) = (BootId([7; 16]), Uptime::from_millis(99));
        let record = Record {
            boot,
            pid: 42,
            start: 1234,
            nth: 3,
            at,
        };
        record.write(dir.path(), "media").unwrap();
        assert_eq!(Record::read(dir.path(), "media"), Some(record));
        erase(dir.path(), "media");
        assert_eq!(Record::read(dir.path(), "media"), None);
        for bad in [
            "",
            "1",
            "1 07 42 1 1 1",
            "2 07 42 1 1 1\n",
            "1 07 1 1 1 1\n",
            "1 07 42 1 1 1 1\n",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn how_it_ended_is_told_where_the_kernel_tells_and_its_parent_has_listened() {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "read line; exit 7"]);
        let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
        let record = Record::of(child.id(), None, 1, Uptime::default(), BootId::default()).unwrap();
        // Its parent is somebody else as far as the record knows.
        let parent = std::thread::spawn(move || child.wait()); // Closes its input first.
        let exit = crate::os::block_on(record.ended()).unwrap();
        let tells = Version::of_this_kernel() >= Version(6, 15);
        assert!(
            exit == Exit::Code(7) || (!tells && exit == Exit::Vanished),
            "{exit}"
        );
        parent.join().unwrap().unwrap();
    }

    #[test]
    fn a_verdict_is_read_as_it_was_written_and_is_no_record() {
        let dir = tempfile::tempdir().unwrap();
        let at = Uptime::from_millis(99);
        for then in [
            Then::Waits(at),
            Then::Finished(true),
            Then::Finished(false),
            Then::GaveUp,
            Then::Parked(at),
            Then::TakenAlong,
        ] {
            let boot = BootId([7; 16]);
            let verdict = Verdict { boot, nth: 3, then };
            verdict.write(dir.path(), "media").unwrap();
            assert_eq!(Verdict::read(dir.path(), "media"), Some(verdict));
            assert_eq!(Record::read(dir.path(), "media"), None);
        }
        for bad in [
            "",
            "then 07 1 waits\n",
            "then 07 1 hopes 1\n",
            "then 07 1 taken 0",
        ] {
            fs::write(path(dir.path(), "media"), bad).unwrap();
            assert_eq!(Verdict::read(dir.path(), "media"), None, "{bad:?}");
        }
    }

    #[test]
    fn the_kernel_is_asked_until_its_clock_has_agreed_and_always_where_it_has_not() {
        let agree = OnceLock::new();
        assert_eq!(confirmed(None, &agree, || Some(7)), Some(7));
        assert_eq!(confirmed(Some(7), &agree, || None), None, "it is gone");
        assert_eq!(confirmed(Some(7), &agree, || Some(7)), Some(7));
        assert_eq!(confirmed(Some(8), &agree, || unreachable!()), Some(8));
        assert_eq!(confirmed(None, &agree, || Some(9)), Some(9));
        let differ = OnceLock::new();
        for known in [7, 8] {
            assert_eq!(confirmed(Some(known), &differ, || Some(8)), Some(8));
        }
    }

    #[test]
    fn a_pid_alone_is_nobody() {
        let me = Record::of(
            std::process::id(),
            None,
            1,
            Uptime::default(),
            BootId::default(),
        )
        .unwrap();
        assert!(me.is_alive() && !me.is_recycled());
        let other = Record {
            start: me.start + 1,
            ..me
        };
        assert!(!other.is_alive() && other.is_recycled());
    }
}
