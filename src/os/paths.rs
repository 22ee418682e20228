//! Paths that come later: a volume is mounted half an hour after boot.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::model::Gather as _;
use crate::model::sorted::Set;

/// How long nobody looks where no mount changes: a path may also be made. In milliseconds.
const LOOK: u16 = 3_000;

/// The file in the runtime directory that says for what sup itself waits.
pub const WAITING: &str = "waiting";

/// How long until who looks at a path counts as hanging: it lies on a server that is gone.
/// A disk that wakes up may take longer, and is there at one of the next looks.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where somebody hangs. As long as that lasts nobody else looks there: one thread is
/// enough, and those who wait for other paths need not wait for it.
static HANGING: Mutex<Set<Box<str>>> = Mutex::new(Set::new());

/// Whether all of these paths are there. A look may have to wait for a disk that sleeps or
/// a server that is gone, but not for long: for a thread of its own.
#[must_use]
pub fn are_there(paths: &[Box<str>]) -> bool {
    let found = look(paths, is_there);
    paths.iter().all(|path| found.contains(path))
}

/// Which of these have all their paths there: at once where one has, else after the next
/// mount, or a while. The kernel tells of mounts (Linux 2.6.30); it does not say which.
#[must_use]
pub fn next_there(all: &[Box<[Box<str>]>]) -> Vec<bool> {
    // Opened before the first look: what is mounted between that and the wait is told.
    let mounts = File::open("/proc/self/mountinfo").ok();
    let look = || {
        let found = look(all.iter().flatten(), is_there);
        all.iter()
            .map(|paths| paths.iter().all(|path| found.contains(path)))
            .gather::<Vec<_>>()
    };
    let found = look();
    if found.contains(&true) {
        return found;
    }
    let mut fds: Vec<PollFd> = mounts
        .iter()
        .map(|file| PollFd::new(file.as_fd(), PollFlags::POLLPRI))
        .gather();
    let _told = poll(&mut fds, PollTimeout::from(LOOK));
    look()
}

fn is_there(path: &str) -> bool {
    fs::metadata(path).is_ok()
}

/// Those of these paths that are there. A thread looks at one after the other; where it
/// hangs it is left behind, and another one goes on with the next.
fn look<'a>(
    paths: impl IntoIterator<Item = &'a Box<str>>,
    is_there: fn(&str) -> bool,
) -> Set<Box<str>> {
    let wanted: Set<Box<str>> = paths.into_iter().cloned().gather();
    let mut left: VecDeque<Box<str>> = {
        let hanging = hanging();
        let left = wanted.iter().filter(|path| !hanging.contains(*path));
        left.cloned().gather()
    };
    let mut found = Set::new();
    while !left.is_empty() {
        let looker = Arc::new(Looker::default());
        let (paths, its) = (left.clone(), Arc::clone(&looker));
        let work = move || go_through(paths, is_there, &its);
        match Builder::new().spawn(work.clone()) {
            Ok(_) => drop(work),
            Err(_) => work(), // Late is better than not at all.
        }
        while let Some(path) = left.pop_front() {
            match looker.next().or_else(|| looker.leave_behind(&path)) {
                Some(true) => {
                    found.insert(path);
                }
                Some(false) => {}
                None => break,
            }
        }
    }
    found
}

/// What somebody who looks has found and not told yet. (A channel of the library's is 5 KB.)
#[derive(Default)]
struct Looker {
    heard: Mutex<Heard>,
    more: Condvar,
}

#[derive(Default)]
struct Heard {
    told: VecDeque<bool>,
    is_left_behind: bool,
}

impl Looker {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the next path is there; `None`: it takes too long.
    fn next(&self) -> Option<bool> {
        let is_silent = |heard: &mut Heard| heard.told.is_empty();
        let waited = self
            .more
            .wait_timeout_while(self.heard(), PATIENCE, is_silent);
        let (mut heard, _) = waited.unwrap_or_else(PoisonError::into_inner);
        heard.told.pop_front()
    }

    /// Nobody waits any more for whether this path is there, unless it has just been said.
    fn leave_behind(&self, path: &str) -> Option<bool> {
        let mut hanging = hanging();
        let mut heard = self.heard();
        let there = heard.told.pop_front();
        if there.is_none() {
            heard.is_left_behind = true;
            hanging.insert(path.into());
        }
        there
    }
}

/// Looks at one after the other, until nobody listens any more.
fn go_through(paths: VecDeque<Box<str>>, is_there: fn(&str) -> bool, looker: &Looker) {
    for path in paths {
        let there = is_there(&path);
        let mut hanging = hanging();
        hanging.remove(&path);
        // Within the lock: whoever gives us up there has heard all that we have said.
        let mut heard = looker.heard();
        if heard.is_left_behind {
            return;
        }
        heard.told.push_back(there);
        looker.more.notify_one();
    }
}

fn hanging() -> MutexGuard<'static, Set<Box<str>>> {
    HANGING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    static GONE: Mutex<bool> = Mutex::new(true);
    static BACK: Condvar = Condvar::new();
    static LOOKS: Mutex<usize> = Mutex::new(0);

    /// What a server that is gone does to a look, until it is back.
    fn server(path: &str) -> bool {
        if path == "/server/x" {
            *LOOKS.lock().unwrap() += 1;
            drop(BACK.wait_while(GONE.lock().unwrap(), |gone| *gone).unwrap());
        }
        path != "/nowhere"
    }

    #[test]
    fn who_hangs_at_one_path_hangs_alone_and_keeps_nobody_from_the_others() {
        let paths = ["/server/x", "/a", "/nowhere", "/z"].map(Box::from);
        let there = |names: &[&str]| names.iter().map(|name| Box::from(*name)).gather();
        for _ in 0..3 {
            assert_eq!(look(&paths, server), there(&["/a", "/z"]));
        }
        assert_eq!(*LOOKS.lock().unwrap(), 1);
        *GONE.lock().unwrap() = false;
        BACK.notify_all();
        let all = there(&["/server/x", "/a", "/z"]);
        // Its thread says so as soon as it has its turn.
        let tries = (0..1_000).find(|_| {
            super::super::clock::pause(Duration::from_millis(10));
            look(&paths, server) == all
        });
        assert!(tries.is_some());
        assert!(!hanging().contains("/server/x"));
    }

    #[test]
    fn what_is_there_is_found_wherever_it_stands() {
        let paths = ["/proc", "/nowhere", "/", "/proc"].map(Box::from);
        assert!(!are_there(&paths));
        assert!(are_there(&paths[2..]) && are_there(&[]));
        let all = [paths[..2].into(), paths[2..].into()];
        assert_eq!(next_there(&all), [false, true]);
    }
}
