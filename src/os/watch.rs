//! Whether a file of ours is still where we made it. The kernel tells, so that nobody has
//! to look: inotify, Linux 2.6.13.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::Async;

/// Device and inode: what a name leads to.
pub type Identity = (u64, u64);

/// What this name leads to, itself and not through a symlink; `None` for nothing.
#[must_use]
pub fn identity(path: &Path) -> Option<Identity> {
    let found = fs::symlink_metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// Ends when this name no longer leads to the file that it leads to now: somebody has
/// deleted or renamed it or the directory that it is in.
///
/// # Errors
/// The kernel will not tell us: without inotify, or when a user has too many already.
pub async fn gone(file: &Path) -> io::Result<()> {
    let ours = identity(file);
    let kernel = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
    let moved = AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF;
    // A socket that is deleted lives on while it is listened to: only its number of names
    // has changed, which is an attribute.
    let renamed = moved | AddWatchFlags::IN_ATTRIB | AddWatchFlags::IN_DONT_FOLLOW;
    let dir = file.parent().unwrap_or(file);
    let watched = kernel.add_watch(file, renamed);
    match watched.and_then(|_| kernel.add_watch(dir, moved)) {
        Ok(_) => {}
        Err(Errno::ENOENT) => return Ok(()), // Already.
        Err(errno) => return Err(errno.into()),
    }
    let kernel = Async::of_nonblocking(kernel);
    while ours.is_some() && identity(file) == ours {
        kernel.readable().await?;
        let _news = kernel.get_ref().read_events();
    }
    Ok(())
}
