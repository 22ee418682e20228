//! Processes that another sup started: how it wrote them down, and how we watch what is
//! not our child. What is written lies in the runtime directory, in RAM: a pid means
//! nothing after a reboot.

use std::fs;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::libc;
use smol::{Async, Timer};

use super::kernel::Version;
use super::procfs;
use crate::model::{BootId, Uptime};

/// How often we look at a process that is not our child, where there are no pidfds.
const LOOK: Duration = Duration::from_secs(1);

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
    /// Of a process that has just been started. `None`: it is gone already.
    #[must_use]
    pub fn of(pid: u32, nth: u32, at: Uptime, boot: BootId) -> Option<Self> {
        let start = procfs::stat(pid.cast_signed())?.start;
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
        fs::write(
            path(dir, name),
            format!("1 {boot:032x} {pid} {start} {nth} {}\n", at.as_millis()),
        )
    }

    /// Reads what was written down; `None` for nothing, and for nonsense.
    #[must_use]
    pub fn read(dir: &Path, name: &str) -> Option<Self> {
        parse(&fs::read_to_string(path(dir, name)).ok()?)
    }

    /// Whether its main process is alive: that pid, started then.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let found = procfs::stat(self.pid.cast_signed());
        found.is_some_and(|stat| stat.start == self.start && !matches!(stat.state, 'Z' | 'X'))
    }

    /// Whether its pid has been given to another process.
    #[must_use]
    pub fn is_recycled(&self) -> bool {
        procfs::stat(self.pid.cast_signed()).is_some_and(|stat| stat.start != self.start)
    }

    /// Waits for its end: through a pidfd where the kernel has one (Linux 5.3), else by
    /// looking each second.
    pub async fn ended(self) {
        match pidfd(self.pid).filter(|_| self.is_alive()) {
            Some(pidfd) => drop(pidfd.readable().await),
            None => {
                while self.is_alive() {
                    Timer::after(LOOK).await;
                }
            }
        }
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
        .filter(|stat| procfs::variable(stat.pid, "SUP_HOME").is_some_and(|found| found == home));
    let mut strays: Vec<(String, Record)> = ours
        .filter_map(|stat| {
            let child = procfs::variable(stat.pid, "SUP_CHILD")?;
            let nth = procfs::variable(stat.pid, "SUP_RUN")?.parse().ok()?;
            // A clock tick is 10 ms on every Linux that we know (proc(5), USER_HZ).
            let at = Uptime::from_millis(i64::try_from(stat.start).ok()?.saturating_mul(10));
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
        .collect();
    strays.sort_by_key(|(_, record)| (std::cmp::Reverse(record.nth), record.start));
    strays
}

/// Forgets what was written down.
pub fn erase(dir: &Path, name: &str) {
    let _gone = fs::remove_file(path(dir, name));
}

/// The ending of a record's file name.
pub const ENDING: &str = ".run";

fn path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}{ENDING}"))
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

fn pidfd(pid: u32) -> Option<Async<OwnedFd>> {
    if Version::of_this_kernel() < Version(5, 3) {
        return None;
    }
    // SAFETY: no memory is involved.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = i32::try_from(fd).ok().filter(|&fd| fd >= 0)?;
    // SAFETY: the kernel has just given it to us, and nobody else knows it. It is
    // close-on-exec (pidfd_open(2)).
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    Async::new_nonblocking(fd).ok()
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
    fn a_pid_alone_is_nobody() {
        let me = Record::of(std::process::id(), 1, Uptime::default(), BootId::default()).unwrap();
        assert!(me.is_alive() && !me.is_recycled());
        let other = Record {
            start: me.start + 1,
            ..me
        };
        assert!(!other.is_alive() && other.is_recycled());
    }
}
