//! Whether a sup should be running: what `sup --once` asks of the state directory when it
//! finds none.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::model::BootId;
use crate::os::file::{Symlink, open_regular, sync_dir, while_doing};

const NAME: &str = "duty";

/// More than any of ours has, in bytes.
const LENGTH_MAX: u64 = 64;

/// What the last `sup run` of this state directory left word of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duty {
    /// Nothing: there was none.
    #[default]
    None,
    /// That it runs. Where it does not, it has been killed.
    Runs,
    /// That it has ended because it was told to, in that boot.
    Ended(BootId),
    /// That it gave up as a whole, in that boot.
    Failed(BootId),
    /// That there was none, and a look of `sup --once` gave up as a whole, in that boot.
    LookFailed(BootId),
}

impl Duty {
    /// Where it stands.
    #[must_use]
    pub fn path(dir: &Path) -> PathBuf {
        dir.join(NAME)
    }

    /// Reads it; what cannot be read says nothing.
    #[must_use]
    pub fn read(dir: &Path) -> Self {
        let file = open_regular(
            &Self::path(dir),
            OpenOptions::new().read(true),
            Symlink::Refuse,
        );
        let mut text = String::new();
        let read = file.and_then(|file| file.take(LENGTH_MAX).read_to_string(&mut text));
        match read {
            Ok(_) => Self::parse(&text),
            Err(_) => Self::None,
        }
    }

    /// Makes it durable, where it says something else than what is there.
    ///
    /// # Errors
    /// What the file system says, naming step and file.
    pub fn write(self, dir: &Path) -> io::Result<()> {
        if Self::read(dir) == self {
            return Ok(());
        }
        self.note(dir)?;
        Self::settle(dir)
    }

    /// Writes it, durable or not: children need not wait for a disk to wake up.
    ///
    /// # Errors
    /// As [`Duty::write`].
    pub fn note(self, dir: &Path) -> io::Result<()> {
        if Self::read(dir) == self {
            return Ok(());
        }
        let path = Self::path(dir);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        open_regular(&path, &mut options, Symlink::Refuse)
            .and_then(|mut file| {
                // Not when it is opened: it may turn out to be somebody else's.
                file.set_len(0)?;
                file.write_all(self.text().as_bytes())
            })
            .map_err(while_doing("writing", &path))
    }

    /// Makes what is there durable.
    ///
    /// # Errors
    /// What the file system says, naming step and file.
    pub fn settle(dir: &Path) -> io::Result<()> {
        let path = Self::path(dir);
        open_regular(&path, OpenOptions::new().read(true), Symlink::Refuse)
            .and_then(|file| file.sync_all())
            .and_then(|()| sync_dir(dir))
            .map_err(while_doing("writing", &path))
    }

    fn text(self) -> String {
        match self {
            Self::None => String::new(),
            Self::Runs => "runs\n".to_owned(),
            Self::Ended(boot) => format!("ended {:032x}\n", u128::from_be_bytes(boot.0)),
            Self::Failed(boot) => format!("failed {:032x}\n", u128::from_be_bytes(boot.0)),
            Self::LookFailed(boot) => {
                format!("look-failed {:032x}\n", u128::from_be_bytes(boot.0))
            }
        }
    }

    fn parse(text: &str) -> Self {
        let (word, boot) = text
            .trim_end()
            .split_once(' ')
            .unwrap_or((text.trim_end(), ""));
        match (word, BootId::parse(boot)) {
            ("runs", _) => Self::Runs,
            ("ended", Some(boot)) => Self::Ended(boot),
            ("failed", Some(boot)) => Self::Failed(boot),
            ("look-failed", Some(boot)) => Self::LookFailed(boot),
            _ => Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Duty::read(dir.path()), Duty::None);
        let boot = BootId::parse("01234567-89ab-cdef-0123-456789abcdef").unwrap();
        let ends = [Duty::Ended, Duty::Failed, Duty::LookFailed].map(|end| end(boot));
        for duty in [Duty::Runs].into_iter().chain(ends) {
            duty.write(dir.path()).unwrap();
            assert_eq!(Duty::read(dir.path()), duty);
        }
    }

    #[test]
    fn what_makes_no_sense_says_nothing() {
        for text in [
            "",
            "run",
            "ended",
            "ended 12",
            "\u{0}",
            "failed x\n",
            "Runs",
        ] {
            assert_eq!(Duty::parse(text), Duty::None, "{text:?}");
        }
    }
}
