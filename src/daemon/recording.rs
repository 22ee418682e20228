//! `--journal FILE`: what policy is told and what it decides, in a file. It never stands
//! in the way: the first fault ends the recording, with one warning, and nothing else.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::model::limits::JOURNAL_MAX;
use crate::os::file::{Symlink, open_regular};
use crate::os::say;
use crate::replay::{CUT, Scribe};

/// A journal that is being written.
pub(super) struct Recording {
    path: PathBuf,
    /// `None`: it has ended, and a warning has been given.
    file: Option<File>,
    /// In bytes.
    size: u64,
    /// The form of its lines.
    pub(super) scribe: Scribe,
}

impl Recording {
    /// Goes on with a file, or begins one. That it cannot is no reason not to start: the
    /// volume that it lies on may not be there yet, and children matter more.
    pub(super) fn open(path: &Path) -> Self {
        let mut recording = Self {
            path: path.to_owned(),
            file: None,
            size: 0,
            scribe: Scribe::default(),
        };
        match open(path) {
            Ok((file, size)) => {
                (recording.file, recording.size) = (Some(file), size);
                say::news(format_args!("recording to {}", path.display()));
            }
            Err(error) => recording.warn(&error.to_string()),
        }
        recording
    }

    /// Whether lines are still wanted.
    pub(super) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Writes whole lines, or a part of one, at once.
    pub(super) fn write(&mut self, text: &str) {
        let Some(file) = &mut self.file else { return };
        self.size += text.len() as u64;
        if self.size > JOURNAL_MAX {
            let words = format!("it has its {} MiB", JOURNAL_MAX >> 20);
            let _full = file.write_all(b"\n# full: nothing more is recorded\n");
            return self.warn(&words);
        }
        if let Err(error) = file.write_all(text.as_bytes()) {
            self.warn(&error.to_string());
        }
    }

    fn warn(&mut self, words: &str) {
        self.file = None;
        let path = self.path.display();
        say::warning(format_args!("nothing more is recorded to {path}: {words}"));
    }
}

/// The file, and its size. The line that a power cut has left without an end gets one.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    let mut file = open_regular(path, &mut options, Symlink::by_identity())?;
    let size = file.metadata()?.len();
    if size > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != [b'\n'] {
            file.write_all(CUT.as_bytes())?;
        }
    }
    Ok((file, size))
}
