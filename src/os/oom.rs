//! Whether the kernel has killed a process for want of memory. It tells nobody but its
//! log: to its parent that is a SIGKILL like any other.

use std::cell::{Cell, OnceCell};
use std::fs;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use nix::libc;
use nix::time::{ClockId, clock_gettime};

use crate::model::time::seconds;

/// `SYSLOG_ACTION_READ_ALL` (syslog(2)): what is in the log, which stays there.
const READ_ALL: libc::c_int = 3;

/// The end of the log that is read, in bytes. The report of one kill is some KiB.
const TAIL: usize = 64 << 10;

/// How much is read of `/proc/vmstat`, in bytes: it has 4 KiB in 6.18.
const VMSTAT: usize = 8 << 10;

/// How much the log's clock and ours may differ.
const SLACK: Duration = Duration::from_secs(2);

thread_local! {
    /// How many the kernel had killed when last we looked; `Some(None)`: it does not count.
    static KNOWN: Cell<Option<Option<u64>>> = const { Cell::new(None) };
    /// `/proc/vmstat`, which stays open: somebody waits for the successor of who was killed.
    static COUNTS: OnceCell<Option<fs::File>> = const { OnceCell::new() };
}

/// From now on kills are new.
pub(super) fn begin() {
    KNOWN.set(Some(KNOWN.get().unwrap_or_else(kills)));
}

/// A moment of the clock that the kernel's log has, since boot.
pub(super) fn moment() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC);
    time.map_or(Duration::ZERO, Duration::from)
}

/// Whether this process, made at that [`moment`], was killed for want of memory, as far
/// as the kernel lets us read its log. Only worth asking of one that SIGKILL has ended.
pub(super) fn has_killed(pid: u32, made: Duration) -> bool {
    // Where it counts, a count that has not changed spares us the log, which takes a
    // millisecond. A kill is counted before its signal is sent.
    let count = kills();
    if KNOWN.replace(Some(count)) == Some(count) && count.is_some() {
        return false;
    }
    log().is_some_and(|log| tells(&log, pid, made))
}

/// How many it has killed since boot. Since Linux 4.13.
fn kills() -> Option<u64> {
    COUNTS.with(|counts| {
        let file = counts.get_or_init(|| fs::File::open("/proc/vmstat").ok());
        let mut text = [0; VMSTAT];
        let mut length = 0;
        loop {
            let piece = file.as_ref()?.read_at(&mut text[length..], length as u64);
            match piece.ok()? {
                0 => return None,
                more => length += more,
            }
            if let Some(count) = count(&text[..length]) {
                return count.parse().ok();
            }
        }
    })
}

/// The number behind `oom_kill`, as soon as its line is whole.
fn count(text: &[u8]) -> Option<&str> {
    let text = str::from_utf8(text).ok()?;
    let (_, rest) = text.split_once("\noom_kill ")?;
    Some(rest.split_once('\n')?.0)
}

/// The end of the kernel's log; `None` where we may not read it.
fn log() -> Option<String> {
    let mut bytes = vec![0_u8; TAIL];
    let length = libc::c_int::try_from(TAIL).ok()?;
    // SAFETY: pointer and length belong to one vector.
    let read = unsafe { libc::klogctl(READ_ALL, bytes.as_mut_ptr().cast(), length) };
    bytes.truncate(usize::try_from(read).ok()?);
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether a log says that it killed this process after that moment. Its words have
/// changed: `Kill process 7 (name) score 5 or sacrifice child` and `Killed process 7
/// (name)` before Linux 5.0; since then `oom-kill:…,pid=7,uid=0` before the signal, and
/// `Killed process 7 (name)` after it, which may be too late for us.
fn tells(log: &str, pid: u32, made: Duration) -> bool {
    let words = [
        format!("Kill process {pid} ("),
        format!("Killed process {pid} ("),
        format!("Killed process {pid}, "),
    ];
    let constraint = format!(",pid={pid},");
    log.lines().any(|line| {
        let named = words.iter().any(|words| line.contains(words))
            || (line.contains("oom-kill:") && line.contains(&constraint));
        named && time(line).is_none_or(|time| time + SLACK >= made)
    })
}

/// The time of a line: `<3>[ 4161.903972] …`. A kernel may be told to leave it out.
fn time(line: &str) -> Option<Duration> {
    let (_, rest) = line.split_once('[')?;
    let (time, _) = rest.split_once(']')?;
    seconds(time.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_of_any_kernel_tells() {
        let table = [
            // 3.2, 4.4, 6.18; another process, another time, no time, other words.
            (
                "<3>[  100.5] Out of memory: Kill process 42 (media) score 5 or sacrifice child",
                true,
            ),
            (
                "<3>[  100.5] Killed process 42 (media) total-vm:1kB, anon-rss:1kB, file-rss:0kB",
                true,
            ),
            (
                "<3>[  100.5] Memory cgroup out of memory: Killed process 42 (media) total-vm:1kB",
                true,
            ),
            (
                "<6>[  100.5] oom-kill:constraint=CONSTRAINT_NONE,task=media,pid=42,uid=0",
                true,
            ),
            (
                "<3>[  100.5] Out of memory: Killed process 421 (media)",
                false,
            ),
            ("<3>[  100.5] Out of memory: Killed process 4 (42 ()", false),
            (
                "<3>[   10.5] Out of memory: Killed process 42 (media)",
                false,
            ),
            ("<3>Out of memory: Killed process 42 (media)", true),
            ("<3>[  100.5] media[42]: segfault, pid=42,", false),
            ("", false),
        ];
        for (line, expected) in table {
            let log = format!("<6>[    0.1] Linux\n{line}\n<6>[  200.1] eth0: up\n");
            assert_eq!(
                tells(&log, 42, Duration::from_secs(100)),
                expected,
                "{line}"
            );
        }
    }
}
