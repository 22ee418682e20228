//! Files that sup itself keeps: opened so that nothing odd at a name can hurt us.
//!
//! Everything here is older than Linux 3.2 (`O_CLOEXEC` 2.6.23, `flock` 2.0). Descriptors
//! are close-on-exec, which std sees to: no child inherits one.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;

use super::clock;
use super::walk::Place;
use super::watch::Identity;

/// What happens to a symlink in the place of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symlink {
    /// The file that it points to is meant.
    Follow,
    /// It is refused: as root, following one would let the owner of the
    /// directory choose what we write to. So is, as root, one of another user on the way,
    /// and a file with a second name where others may make names: old kernels let
    /// everybody link to whatever there is. Nothing may be cut short by opening it.
    Refuse,
}

impl Symlink {
    /// Refused as root, followed otherwise: a person may link a file of their own to
    /// wherever they like.
    #[must_use]
    pub fn by_identity() -> Self {
        if nix::unistd::geteuid().is_root() {
            Self::Refuse
        } else {
            Self::Follow
        }
    }
}

/// Opens a regular file as `options` say.
///
/// # Errors
///
/// Those of `open(2)`, without ever waiting for the other end of a pipe; `InvalidInput`
/// where the name belongs to anything but a regular file, a refused symlink included;
/// `PermissionDenied` for a second name that is refused.
pub fn open_regular(path: &Path, options: &mut OpenOptions, symlink: Symlink) -> io::Result<File> {
    let nofollow = match symlink {
        Symlink::Follow => OFlag::empty(),
        Symlink::Refuse => OFlag::O_NOFOLLOW,
    };
    let flags = nofollow | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let irregular = || io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
    let place = match symlink {
        Symlink::Follow => None,
        Symlink::Refuse => Some(Place::find(path, false)?),
    };
    let path = place.as_ref().map_or(path, Place::path);
    match options.custom_flags(flags.bits()).open(path) {
        Ok(file) => {
            let found = file.metadata()?;
            if !found.is_file() {
                return Err(irregular());
            }
            let is_held = place.as_ref().is_some_and(Place::is_held);
            if is_held && found.nlink() > 1 && others_make_names(path)? {
                let words = "it has a second name, and others may make names there";
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, words));
            }
            Ok(file)
        }
        Err(fault) if tells_irregular(&fault) => Err(irregular()),
        Err(fault) => Err(fault),
    }
}

/// A symlink; a directory, a socket or a pipe that nobody reads, opened for writing.
fn tells_irregular(fault: &io::Error) -> bool {
    matches!(errno(fault), Errno::ELOOP | Errno::EISDIR | Errno::ENXIO)
}

/// Whether others than root may make names where this file is.
fn others_make_names(file: &Path) -> io::Result<bool> {
    let dir = fs::metadata(file.parent().unwrap_or(file))?;
    let by_group = dir.mode() & 0o020 != 0 && dir.gid() != 0;
    Ok(dir.uid() != 0 || dir.mode() & 0o002 != 0 || by_group)
}

/// Opens a directory: for its lock, or to make its names durable.
///
/// # Errors
///
/// Those of `open(2)`; `NotADirectory` where it is none.
pub fn open_dir(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_DIRECTORY.bits())
        .open(path)
}

/// Makes the names in a directory durable.
///
/// # Errors
///
/// Those of `open(2)` and `fsync(2)`, but not EINVAL and ENOSYS: FAT and FUSE have
/// nothing to sync there, and say so.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    match open_dir(path)?.sync_all() {
        Err(fault) if matches!(errno(&fault), Errno::EINVAL | Errno::ENOSYS) => Ok(()),
        done => done,
    }
}

/// The kernel's error number in `fault`; [`Errno::UnknownErrno`] where there is none.
fn errno(fault: &io::Error) -> Errno {
    Errno::from_raw(fault.raw_os_error().unwrap_or(0))
}

/// Says in an error what was being done, and to what.
pub fn while_doing(step: &str, path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    let place = format!("{step} {}", path.display());
    move |fault| io::Error::new(fault.kind(), format!("{place}: {fault}"))
}

/// A lock on a directory. It ends with the guard, or with the process however it ends.
#[derive(Debug)]
pub struct LockGuard(File);

impl LockGuard {
    /// Its descriptor, which holds the lock.
    #[must_use]
    pub fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// What it is a lock on: another directory may have its name by now.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        let found = self.0.metadata().ok()?;
        Some((found.dev(), found.ino()))
    }

    /// A lock that the program before us has taken and left to us.
    ///
    /// # Errors
    /// It is no lock that we could hold.
    pub fn inherit(fd: OwnedFd) -> io::Result<Self> {
        // The same open file: to lock it again changes nothing.
        Self::take(File::from(fd))
    }

    fn take(file: File) -> io::Result<Self> {
        flock(&file, libc::LOCK_EX | libc::LOCK_NB)?;
        Ok(Self(file))
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        // Closing alone would leave it with a process that is just being made.
        let _ended = flock(&self.0, libc::LOCK_UN);
    }
}

/// Not nix's: its guard has a panic that names the error, and with it the names and words of
/// all errors there are, 13 KB.
fn flock(file: &File, operation: libc::c_int) -> io::Result<()> {
    // SAFETY: plain numbers, and a descriptor that is open as long as the file is.
    Errno::result(unsafe { libc::flock(file.as_raw_fd(), operation) })?;
    Ok(())
}

/// Takes the lock on a directory, as [`lock_dir`] does, from a process that is just about
/// to let go of it: one that was being made when its sup was killed holds what that one
/// held until it becomes another program, some milliseconds later.
///
/// # Errors
///
/// Those of [`lock_dir`]; `WouldBlock` where it is held for longer.
pub fn lock_dir_soon(path: &Path) -> io::Result<LockGuard> {
    // A second in all: on a loaded box the process may wait long for its turn.
    const LOOKS: u8 = 100;
    for _ in 0..LOOKS {
        match lock_dir(path) {
            Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => {}
            taken => return taken,
        }
        clock::pause(Duration::from_millis(10));
    }
    lock_dir(path)
}

/// Takes the lock on a directory. It lies on the directory itself (`flock(2)`), so that
/// no file is left behind that could block the next start, and nothing is written.
///
/// # Errors
///
/// `WouldBlock` where another process, or another guard of this one, has it; else those
/// of `open(2)` and `flock(2)` (a directory on NFS: `EBADF`).
pub fn lock_dir(path: &Path) -> io::Result<LockGuard> {
    let dir = open_dir(path).map_err(while_doing("opening", path))?;
    LockGuard::take(dir).map_err(while_doing("locking", path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn root_uses_no_second_name_where_others_may_make_names() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("open")).unwrap();
        fs::write(at("victim"), "precious").unwrap();
        fs::hard_link(at("victim"), at("open/file")).unwrap();
        // The directory's mode, owner and group, and whether the file is used.
        let table = [
            (0o1777, 0, 0, false),
            (0o757, 0, 0, false),
            (0o775, 0, 54_321, false),
            (0o700, 54_321, 0, false),
            (0o775, 0, 0, true),
            (0o755, 0, 54_321, true),
        ];
        let open = || {
            let mut options = OpenOptions::new();
            open_regular(&at("open/file"), options.append(true), Symlink::Refuse)
        };
        for (mode, owner, group, expected) in table {
            std::os::unix::fs::chown(at("open"), Some(owner), Some(group)).unwrap();
            fs::set_permissions(at("open"), fs::Permissions::from_mode(mode)).unwrap();
            let opened = open().map_err(|fault| fault.kind());
            let fault = opened.as_ref().err();
            assert_eq!(
                opened.is_ok(),
                expected,
                "{mode:o} {owner} {group}: {fault:?}"
            );
        }
        fs::set_permissions(at("open"), fs::Permissions::from_mode(0o777)).unwrap();
        let fault = open().unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::PermissionDenied, "{fault}");
        // With one name it is anybody's guess who made it, and it leads nowhere else.
        fs::remove_file(at("victim")).unwrap();
        open().unwrap();
    }

    #[test]
    fn a_file_system_that_cannot_sync_a_directory_is_as_good_as_synced() {
        // As on FAT and FUSE: /proc has nothing to sync, and says EINVAL.
        let fault = open_dir(Path::new("/proc/self")).and_then(|dir| dir.sync_all());
        assert_eq!(
            fault.unwrap_err().raw_os_error(),
            Some(Errno::EINVAL as i32)
        );
        sync_dir(Path::new("/proc/self")).unwrap();
        sync_dir(Path::new("/nowhere")).unwrap_err();
        sync_dir(Path::new("/proc/self/stat")).unwrap_err();
    }
}
