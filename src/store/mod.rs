//! The state file: what survives a crash of sup, a reboot and a power cut.
//!
//! ```text
//!   Memory --saved--> payload --slot--> image --turn--> state.a or state.b
//!            v2::Memory         header             one pwrite, one fdatasync
//!            in postcard        and CRC
//! ```
//!
//! Two files are overwritten in turn, in place: the last good one is never touched, and
//! no name changes. A rename would need more writes, is not one step on FAT, and can
//! leave an undeletable name behind on old btrfs (nas.md 5.3).

mod duty;
mod rebase;
mod saved;
mod slot;
mod turn;
mod v1;
mod v2;

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::model::Memory;
use crate::os::file::{Symlink, open_dir, open_regular, sync_dir, while_doing};
use crate::os::place;

pub use duty::Duty;
pub use rebase::{rebase, with_alerts};
pub use saved::{PayloadFault, decode, encode};
pub use slot::{HEADER_SIZE, IMAGE_MAX, SlotFault, extent, open, seal};
pub use turn::{Loaded, Remark, SLOTS, Turn, survey};

/// The slots in one directory, and whose turn it is. Only one process at a time may have
/// one for a directory; [`lock_dir`](crate::os::file::lock_dir) sees to that.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    turn: Turn,
    /// Slots that are on the disk, names included, as far as we can know.
    settled: [bool; SLOTS.len()],
}

impl Store {
    /// Opens the state directory and reads what it remembers. The directory is made
    /// (mode 0700) where it is missing, its parents are not: they would hide that the
    /// volume is not there yet.
    ///
    /// Slots that cannot be used are passed over with a remark each; they are no error.
    ///
    /// # Errors
    ///
    /// The directory cannot be made or is none; in words that name it.
    pub fn open(dir: &Path) -> io::Result<(Self, Loaded)> {
        make_dir(dir)?;
        let images = SLOTS.map(|name| read(&dir.join(name)));
        let (turn, loaded) = survey(&images);
        let store = Self {
            dir: dir.to_owned(),
            turn,
            settled: Default::default(),
        };
        Ok((store, loaded))
    }

    /// What [`Store::save`] writes. Quick, and needs no disk: for the loop's own thread.
    #[must_use]
    pub fn encode(memory: &Memory) -> Vec<u8> {
        encode(memory)
    }

    /// Makes a payload durable: when this returns, it outlives a power cut. A sleeping
    /// disk can take ten seconds, so this is for a thread that may wait.
    ///
    /// # Errors
    ///
    /// The file system's (full, read-only, broken), naming step and file. The last saved
    /// memory is as good as before then, and the same or a later payload can be tried
    /// again. `InvalidInput` for what no [`Store::encode`] has made.
    pub fn save(&mut self, payload: &[u8]) -> io::Result<()> {
        self.settle()?;
        let mut outcome = Err(io::Error::other("no slot can be written to"));
        for slot in self.turn.targets() {
            let image = self.turn.seal(payload).ok_or(ErrorKind::InvalidInput)?;
            outcome = self.write(slot, &image);
            match &outcome {
                Ok(()) => {
                    self.turn.durable(slot);
                    break;
                }
                // Another name would not help.
                Err(fault) if is_common(fault.kind()) => break,
                Err(_) => {}
            }
        }
        outcome
    }

    /// What was loaded may be in the page cache only: a sup that was killed in the middle
    /// of a save leaves it so. It goes to the disk before the other slot is given up.
    fn settle(&mut self) -> io::Result<()> {
        let Some(slot) = self.turn.good().filter(|&slot| !self.settled[slot]) else {
            return Ok(());
        };
        // Once, even if it fails: the kernel tells of a lost write once and then says yes.
        self.settled[slot] = true;
        let path = self.dir.join(SLOTS[slot]);
        open_regular(&path, OpenOptions::new().read(true), Symlink::Refuse)
            .and_then(|file| file.sync_all())
            .map_err(while_doing("syncing", &path))?;
        sync_dir(&self.dir).map_err(while_doing("syncing", &self.dir))
    }

    fn write(&mut self, slot: usize, image: &[u8]) -> io::Result<()> {
        let path = self.dir.join(SLOTS[slot]);
        let file = self.open_for_write(slot, &path);
        let file = file.map_err(while_doing("opening", &path))?;
        file.write_all_at(image, 0)
            .map_err(while_doing("writing", &path))?;
        if self.settled[slot] {
            return file.sync_data().map_err(while_doing("syncing", &path));
        }
        // The name as well: whoever made it may have been cut off there.
        file.sync_all().map_err(while_doing("syncing", &path))?;
        settle_name(&self.dir);
        sync_dir(&self.dir).map_err(while_doing("syncing", &self.dir))?;
        self.settled[slot] = true;
        Ok(())
    }

    fn open_for_write(&mut self, slot: usize, path: &Path) -> io::Result<File> {
        // Never truncated: until the new bytes are there, the old ones do no harm.
        let mut options = OpenOptions::new();
        match open_regular(path, options.write(true), Symlink::Refuse) {
            Err(fault) if fault.kind() == ErrorKind::NotFound => {
                self.settled[slot] = false;
                options.create_new(true).mode(0o600);
                open_regular(path, &mut options, Symlink::Refuse)
            }
            opened => opened,
        }
    }
}

/// Whether every slot would meet the same fault.
fn is_common(fault: ErrorKind) -> bool {
    matches!(
        fault,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem
    )
}

/// Makes the state directory (mode 0700) where it is missing. Its parents are not made:
/// they would hide that the volume is not there yet.
///
/// # Errors
///
/// It cannot be made, or is no directory; in words that name it.
pub fn make_dir(dir: &Path) -> io::Result<()> {
    place::trusted(dir)?;
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {}
        // There already; a read-only volume may tell it as EROFS.
        Err(_) if dir.is_dir() => {}
        Err(fault) if fault.kind() == ErrorKind::AlreadyExists => {
            open_dir(dir).map_err(while_doing("opening the state directory", dir))?;
        }
        Err(fault) => return Err(while_doing("making the state directory", dir)(fault)),
    }
    Ok(())
}

/// Makes the name of the directory durable, where that can be done.
fn settle_name(dir: &Path) {
    let parent = dir.parent().filter(|parent| *parent != Path::new(""));
    let _ = sync_dir(parent.unwrap_or(Path::new(".")));
}

/// One slot's bytes, as far as its header says that they matter.
fn read(path: &Path) -> Result<Vec<u8>, SlotFault> {
    let file = open_regular(path, OpenOptions::new().read(true), Symlink::Refuse)
        .map_err(|fault| unreadable(&fault))?;
    let read_on = |image: &mut Vec<u8>, bytes: usize| {
        let read = (&file).take(bytes as u64).read_to_end(image);
        read.map_err(|fault| unreadable(&fault))
    };
    // The header first: a foreign file of any size is then no burden.
    let mut image = Vec::new();
    read_on(&mut image, HEADER_SIZE)?;
    let size = extent(&image)?;
    read_on(&mut image, size - HEADER_SIZE)?;
    Ok(image)
}

fn unreadable(fault: &io::Error) -> SlotFault {
    let kind = fault.kind();
    if kind == ErrorKind::NotFound {
        SlotFault::Missing
    } else if kind == ErrorKind::InvalidInput {
        SlotFault::Irregular
    } else {
        SlotFault::Unreadable(kind)
    }
}
