//! What a sup passes on to the program that takes its place in the same process: a file in
//! the runtime directory, read once and deleted.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::fd::RawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::history::Past;
use crate::logs::Kept;
use crate::model::Gather as _;
use crate::model::{BootId, Uptime, packed};
use crate::policy::Handover;

/// The file's name in the runtime directory.
pub(super) const NAME: &str = "baton";

/// What the file begins with, and the version of what follows. Whoever changes anything
/// below, or a phase in `policy`, makes it the next one: a program that knows another
/// version says so when it is asked, and nothing happens.
const MAGIC: &[u8; 8] = b"supbaton";
const VERSION: u8 = 2;

/// See the module. Paths are bytes; descriptors are the numbers of those that stay open.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Baton {
    /// The version of the sup that passes it on.
    pub(super) from: String,
    /// Programs that this process was before, that one included.
    pub(super) upgrades: u32,
    pub(super) config: Vec<u8>,
    pub(super) runtime: Vec<u8>,
    pub(super) state: Vec<u8>,
    pub(super) boot: BootId,
    pub(super) started: Uptime,
    /// As in the state file.
    pub(super) memory: Vec<u8>,
    pub(super) standing: Handover,
    pub(super) runs: Vec<Run>,
    pub(super) pipes: Vec<Pipe>,
    pub(super) history: Past,
    pub(super) runtime_lock: i32,
    pub(super) state_lock: i32,
    /// Of the control socket, if there is one.
    pub(super) listener: Option<i32>,
    /// Where HTTP is answered, if it is.
    pub(super) http: Option<i32>,
}

/// A run that has a process.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) child: Box<str>,
    /// Of a process that is not our child: when it was started, in clock ticks since boot.
    pub(super) foreign: Option<u64>,
    /// Where it says that it is ready, and that it lives.
    pub(super) ears: Vec<Ear>,
    /// When it last said that it lives.
    pub(super) heard: Option<Uptime>,
}

/// See [`super::ready`].
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ear {
    Socket(i32),
    Pipe(i32),
}

/// The output of a child.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pipe {
    pub(super) child: Box<str>,
    pub(super) source: i32,
    pub(super) kept: Kept,
}

impl Baton {
    /// The descriptors that stay open.
    pub(super) fn descriptors(&self) -> Vec<RawFd> {
        let pipes = self.pipes.iter().map(|pipe| pipe.source);
        let ears = self.runs.iter().flat_map(|run| &run.ears);
        let ears = ears.map(|ear| match *ear {
            Ear::Socket(fd) | Ear::Pipe(fd) => fd,
        });
        let locks = [self.runtime_lock, self.state_lock];
        let listeners = [self.listener, self.http];
        let all = pipes.chain(ears).chain(locks);
        all.chain(listeners.into_iter().flatten()).gather()
    }

    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let body = postcard::to_allocvec(self).map_err(io::Error::other)?;
        let _stale = fs::remove_file(path);
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(&[MAGIC, &[VERSION][..], &body].concat())
    }

    /// Reads it, once.
    ///
    /// # Errors
    /// Why not, in words.
    pub(super) fn take(path: &Path) -> Result<Self, String> {
        let baton = Self::read(path);
        let _gone = fs::remove_file(path);
        baton
    }

    /// Reads it.
    ///
    /// # Errors
    /// Why not, in words.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let Some((version, body)) = bytes.strip_prefix(MAGIC).and_then(<[u8]>::split_first) else {
            return Err(format!("{} is no hand-over of a sup", path.display()));
        };
        if *version != VERSION {
            return Err(format!(
                "sup {} reads hand-overs of version {VERSION}, and this one has version {version}: \
                 kill sup alone (kill -9) and start the other one, which adopts the children",
                env!("CARGO_PKG_VERSION")
            ));
        }
        match packed::take(body) {
            Some((baton, [])) => Ok(baton),
            Some(_) | None => Err("the hand-over is garbled".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::policy::{Rules, Supervisor};
    use crate::store;
    use std::time::Duration;

    fn example() -> Baton {
        let rules = Rules {
            shutdown_timeout: Duration::from_secs(20),
            ends_when_over: false,
            seed: 1,
        };
        let text = "[child.a]\ncommand = [\"x\"]\n";
        let tree = config::parse(text, "sup.toml").unwrap().spec.tree;
        let (idle, at) = (Supervisor::new(tree, rules), Uptime::from_millis(9));
        Baton {
            from: "0.1.0".to_owned(),
            upgrades: 1,
            // From where tests run.
            config: b"tests/data/config/full.toml".to_vec(),
            runtime: b"/run/sup".to_vec(),
            state: b"/var/lib/sup".to_vec(),
            boot: BootId([7; 16]),
            started: Uptime::from_millis(5),
            memory: store::encode(&idle.remember(BootId([7; 16]), at)),
            standing: idle.hand_over(at).unwrap(),
            runs: vec![Run {
                child: "a".into(),
                foreign: Some(99),
                ears: vec![Ear::Pipe(9)],
                heard: None,
            }],
            pipes: vec![Pipe {
                child: "a".into(),
                source: 8,
                kept: Kept::default(),
            }],
            history: Past::default(),
            runtime_lock: 4,
            state_lock: 5,
            listener: Some(6),
            http: None,
        }
    }

    /// Where this fails, what is handed over has changed: then [`VERSION`] changes too, and
    /// the file gets a new name, unless no release has had it (`SUP_GOLDEN=write`).
    #[test]
    fn the_bytes_are_those_of_version_2() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        example().write(&path).unwrap();
        let written = fs::read(&path).unwrap();
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/baton-v2.bin");
        if std::env::var_os("SUP_GOLDEN").is_some() {
            fs::write(golden, &written).unwrap();
        }
        assert_eq!(fs::read(golden).unwrap_or_default(), written);
    }

    #[test]
    fn is_read_as_it_was_written_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        example().write(&path).unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(Baton::read(&path), Ok(example()));
        let mut newer = bytes.clone();
        newer[MAGIC.len()] = VERSION + 1;
        let mut longer = bytes.clone();
        longer.push(0);
        for (bad, words) in [
            (&b""[..], "no hand-over"),
            (b"nonsense", "no hand-over"),
            (&newer, "version 2"),
            (&longer, "garbled"),
            (&bytes[..bytes.len() - 1], "garbled"),
        ] {
            fs::write(&path, bad).unwrap();
            let told = Baton::read(&path).unwrap_err();
            assert!(told.contains(words), "{told}");
        }
        assert!(Baton::take(&path).is_err() && !path.exists());
    }
}
