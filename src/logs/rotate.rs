//! A file of output that never outgrows its size: `log`, then `log.1` (the newest of the
//! older ones) to `log.N`.

use core::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::model::spec::LogFile;
use crate::os::file::{Symlink, open_regular};
use crate::os::walk::Place;

/// The begun line that rotation takes along into the new file, in bytes. A longer one is
/// split, as one that is longer than a file.
const CARRY_MAX: u64 = 64 << 10;

/// A file of output, with its older ones.
///
/// It is appended to, so that `> log` by hand and other people's log rotation do no harm.
/// Nothing is synced: a log is not worth waking a disk for.
#[derive(Debug)]
pub struct Rotated {
    path: PathBuf,
    size_max: u64,
    keep: u16,
    symlink: Symlink,
    open: Option<Open>,
    /// Bytes that did not reach the file since it last worked; `None` while it works.
    lost: Option<u64>,
}

/// The file, and where we are in it.
#[derive(Debug)]
struct Open {
    file: File,
    size: u64,
    /// Where the line that is being written begins; the size, between two lines.
    line_start: u64,
}

/// What was being done when a log file failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Opening or creating it. Its directory must exist.
    Opening,
    /// Appending to it.
    Writing,
    /// Renaming it and the older ones, and beginning anew.
    Rotating,
}

/// What changed about a log file. In words through `Display`.
#[derive(Debug)]
pub enum Fault {
    /// From now on output does not reach it. Each write tries again.
    Lost {
        /// The file.
        path: PathBuf,
        /// What was being done.
        step: Step,
        /// What the file system said.
        cause: io::Error,
    },
    /// It works again.
    Over {
        /// The file.
        path: PathBuf,
        /// So many bytes did not reach it.
        lost: u64,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { path, step, cause } => {
                let step = match step {
                    Step::Opening => "opening",
                    Step::Writing => "writing to",
                    Step::Rotating => "rotating",
                };
                let path = path.display();
                write!(
                    f,
                    "{step} the log {path}: {cause}; output does not reach it"
                )
            }
            Self::Over { path, lost } => {
                let path = path.display();
                write!(
                    f,
                    "the log {path} works again; {lost} bytes did not reach it"
                )
            }
        }
    }
}

type Failure = (Step, io::Error);

impl Rotated {
    /// The file of a specification. It is opened at the first write: created (mode 0640,
    /// less the umask) where it is missing, which its directory must not be, and continued
    /// where it exists.
    #[must_use]
    pub fn new(spec: &LogFile) -> Self {
        Self {
            path: PathBuf::from(&*spec.path),
            size_max: spec.max_size.max(1),
            keep: spec.keep,
            symlink: Symlink::by_identity(),
            open: None,
            lost: None,
        }
    }

    /// Appends some output, rotating where it does not fit. Where the disk is full the
    /// oldest file goes; what cannot be written even so is dropped and counted. No bytes
    /// at all open the file and nothing else, so that a mistake shows early.
    ///
    /// Returns what has changed: a first failure, or that it is over.
    pub fn write(&mut self, bytes: &[u8]) -> Option<Fault> {
        let mut left = bytes;
        let mut outcome = self.append(&mut left);
        if let Err((_, cause)) = &outcome
            && is_full(cause)
            && self.remove_oldest()
        {
            outcome = self.append(&mut left);
        }
        match (self.lost, outcome) {
            (None, Ok(())) => None,
            // That it can be opened does not mean that it can be written to.
            (Some(_), Ok(())) if bytes.is_empty() => None,
            (Some(lost), Ok(())) => {
                self.lost = None;
                let path = self.path.clone();
                Some(Fault::Over { path, lost })
            }
            (None, Err((step, cause))) => {
                self.lost = Some(left.len() as u64);
                let path = self.path.clone();
                Some(Fault::Lost { path, step, cause })
            }
            (Some(lost), Err(_)) => {
                self.lost = Some(lost.saturating_add(left.len() as u64));
                None
            }
        }
    }

    /// The file for a program that writes to it by itself, where nobody reads a pipe. It
    /// grows beyond its size until [`Rotated::cut_back`].
    ///
    /// # Errors
    /// What the file system says.
    pub fn lend(&mut self) -> io::Result<File> {
        let open = Open::at(&self.path, self.symlink)?;
        if open.size < self.size_max {
            return Ok(open.file);
        }
        self.open = Some(open);
        let rotated = self.rotate();
        let open = self.open.take().filter(|_| rotated.is_ok());
        rotated?;
        open.map_or_else(|| Err(ErrorKind::NotFound.into()), |open| Ok(open.file))
    }

    /// Brings a file back to its size although a program is writing to it: what is in it
    /// becomes the newest of the older ones, and it is emptied in place. What is written
    /// between the two steps is lost. Whether there was anything to do.
    ///
    /// # Errors
    /// What the file system says; the file is then as it was.
    pub fn cut_back(&mut self) -> io::Result<bool> {
        if !fs::metadata(&self.path).is_ok_and(|now| now.len() >= self.size_max) {
            return Ok(false);
        }
        let open = Open::at(&self.path, self.symlink)?;
        if self.keep > 0 {
            let place = Place::find(&self.path, false)?;
            make_way(place.path(), self.keep)?;
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o640);
            let mut aside = open_regular(&numbered(&self.path, 1), &mut options, self.symlink)?;
            let mut from = &open.file;
            io::copy(&mut from, &mut aside)?;
        }
        open.file.set_len(0)?;
        Ok(true)
    }

    /// Lets go of a file that somebody has moved or deleted: the next write makes it anew,
    /// and not only the next rotation.
    pub fn follow(&mut self) {
        let is_there = |open: &mut Open| open.is_at(&self.path).unwrap_or(true);
        self.open.take_if(|open| !is_there(open));
    }

    /// Takes from `left` what has been written.
    fn append(&mut self, left: &mut &[u8]) -> Result<(), Failure> {
        loop {
            let open = match &mut self.open {
                Some(open) => open,
                none => {
                    let open = Open::at(&self.path, self.symlink);
                    none.insert(open.map_err(|cause| (Step::Opening, cause))?)
                }
            };
            if left.is_empty() {
                return Ok(());
            }
            match open.fitting(left, self.size_max) {
                0 => self.make_room().map_err(|cause| (Step::Rotating, cause))?,
                fitting => open
                    .append(left, fitting)
                    .map_err(|cause| (Step::Writing, cause))?,
            }
        }
    }

    /// Leaves a shorter file in place: the next one, or the one that somebody has put
    /// there or cut short.
    fn make_room(&mut self) -> io::Result<()> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let before = open.size;
        if open.is_at(&self.path)? {
            open.remeasure()?;
        } else {
            *open = Open::at(&self.path, self.symlink)?;
        }
        // Strictly: on file systems whose inode numbers change it looks replaced each time.
        if open.size < before {
            return Ok(());
        }
        self.rotate()
    }

    fn rotate(&mut self) -> io::Result<()> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let carry = open.begun_line()?;
        if self.keep == 0 {
            open.file.set_len(0)?;
            open.remeasure()?;
            return open.append(&mut carry.as_slice(), carry.len());
        }
        shift(Place::find(&self.path, false)?.path(), self.keep)?;
        let mut next = Open::at(&self.path, self.symlink)?;
        let carried = next.append(&mut carry.as_slice(), carry.len());
        // Only when it is in the next file: a cut in between leaves the begun line twice.
        if carried.is_ok() && !carry.is_empty() {
            open.file.set_len(open.line_start)?;
        }
        *open = next;
        carried
    }

    fn remove_oldest(&self) -> bool {
        // Its directory, whatever others do to the path meanwhile.
        let Ok(place) = Place::find(&self.path, false) else {
            return false;
        };
        let oldest = older(place.path());
        oldest > 0 && fs::remove_file(numbered(place.path(), oldest)).is_ok()
    }
}

impl Open {
    fn at(path: &Path, symlink: Symlink) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o640);
        let file = open_regular(path, &mut options, symlink)?;
        let size = file.metadata()?.len();
        Ok(Self {
            file,
            size,
            line_start: size,
        })
    }

    /// How many of `bytes` can be written before the file has to be rotated: whole lines
    /// where any fit, else a part of a line only where a new file would not help.
    fn fitting(&self, bytes: &[u8], size_max: u64) -> usize {
        let room = size_max.saturating_sub(self.size);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        if bytes.len() <= room {
            return bytes.len();
        }
        if let Some(end) = bytes[..room].iter().rposition(|&byte| byte == b'\n') {
            return end + 1;
        }
        let begun = self.size - self.line_start;
        let can_move = self.line_start > 0 && begun <= CARRY_MAX;
        if can_move { 0 } else { room }
    }

    /// Appends the first `count` bytes of `left`, and takes off what has been written.
    fn append(&mut self, left: &mut &[u8], mut count: usize) -> io::Result<()> {
        while count > 0 {
            match self.file.write(&left[..count]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(done) => {
                    let written;
                    (written, *left) = left.split_at(done);
                    count -= done;
                    self.advance(written);
                }
                Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    fn advance(&mut self, written: &[u8]) {
        if let Some(last) = written.iter().rposition(|&byte| byte == b'\n') {
            self.line_start = self.size + last as u64 + 1;
        }
        self.size += written.len() as u64;
    }

    /// Whether this is the file with that name: not renamed or removed under us.
    fn is_at(&self, path: &Path) -> io::Result<bool> {
        let ours = self.file.metadata()?;
        match fs::metadata(path) {
            Ok(named) => Ok((named.dev(), named.ino()) == (ours.dev(), ours.ino())),
            Err(fault) if fault.kind() == ErrorKind::NotFound => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Somebody may have emptied it, or have written to it as well.
    fn remeasure(&mut self) -> io::Result<()> {
        let size = self.file.metadata()?.len();
        if size != self.size {
            self.size = size;
            self.line_start = size;
        }
        Ok(())
    }

    /// The line that is being written, if it can go into the next file as a whole.
    fn begun_line(&self) -> io::Result<Vec<u8>> {
        let begun = self.size - self.line_start;
        if self.line_start == 0 || begun > CARRY_MAX {
            return Ok(Vec::new());
        }
        // At most CARRY_MAX.
        let mut line = vec![0; begun as usize];
        self.file.read_exact_at(&mut line, self.line_start)?;
        Ok(line)
    }
}

/// Renames the file to `.1`, `.1` to `.2` and so on. What is beyond `keep` goes, also
/// that of a larger `keep` in earlier days.
fn shift(path: &Path, keep: u16) -> io::Result<()> {
    make_way(path, keep)?;
    fs::rename(path, numbered(path, 1))
}

/// Leaves `.1` free.
fn make_way(path: &Path, keep: u16) -> io::Result<()> {
    let mut count = older(path);
    while count >= keep {
        fs::remove_file(numbered(path, count))?;
        count -= 1;
    }
    for number in (1..=count).rev() {
        fs::rename(numbered(path, number), numbered(path, number + 1))?;
    }
    Ok(())
}

/// How many older files there are, without a gap.
fn older(path: &Path) -> u16 {
    let exists = |number: &u16| numbered(path, *number).symlink_metadata().is_ok();
    (1..u16::MAX).take_while(exists).last().unwrap_or(0)
}

fn numbered(path: &Path, number: u16) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

fn is_full(fault: &io::Error) -> bool {
    matches!(
        fault.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}
