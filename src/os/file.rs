//! Files that sup itself keeps: opened so that nothing odd at a name can hurt us.
//!
//! Everything here is older than Linux 3.2 (`O_CLOEXEC` 2.6.23, `flock` 2.0). Descriptors
//! are close-on-exec, which std sees to: no child inherits one.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

/// What happens to a symlink in the place of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symlink {
    /// The file that it points to is meant.
    Follow,
    /// It is refused: as root, following one would let the owner of the
    /// directory choose what we write to.
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
/// where the name belongs to anything but a regular file, a refused symlink included.
pub fn open_regular(path: &Path, options: &mut OpenOptions, symlink: Symlink) -> io::Result<File> {
    let nofollow = match symlink {
        Symlink::Follow => OFlag::empty(),
        Symlink::Refuse => OFlag::O_NOFOLLOW,
    };
    let flags = nofollow | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let irregular = || io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
    match options.custom_flags(flags.bits()).open(path) {
        Ok(file) if file.metadata()?.is_file() => Ok(file),
        Ok(_) => Err(irregular()),
        Err(fault) if tells_irregular(&fault) => Err(irregular()),
        Err(fault) => Err(fault),
    }
}

/// A symlink; a directory, a socket or a pipe that nobody reads, opened for writing.
fn tells_irregular(fault: &io::Error) -> bool {
    matches!(errno(fault), Errno::ELOOP | Errno::EISDIR | Errno::ENXIO)
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
pub struct LockGuard(#[expect(dead_code, reason = "held, and unlocked when dropped")] Flock<File>);

/// Takes the lock on a directory. It lies on the directory itself (`flock(2)`), so that
/// no file is left behind that could block the next start, and nothing is written.
///
/// # Errors
///
/// `WouldBlock` where another process, or another guard of this one, has it; else those
/// of `open(2)` and `flock(2)` (a directory on NFS: `EBADF`).
pub fn lock_dir(path: &Path) -> io::Result<LockGuard> {
    let dir = open_dir(path).map_err(while_doing("opening", path))?;
    Flock::lock(dir, FlockArg::LockExclusiveNonblock)
        .map(LockGuard)
        .map_err(|(_, errno)| while_doing("locking", path)(errno.into()))
}
