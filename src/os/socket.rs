//! Unix sockets: where they are, and who is at the other end.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::geteuid;

/// Listens at `path`, which only our own user can open. A socket that a dead sup left
/// there is replaced; the caller holds the lock that says it is dead.
///
/// # Errors
/// What the file system says.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    remove(path)?;
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A socket for `sd_notify(3)` messages of one child, which that user may write to.
///
/// # Errors
/// What the file system says.
pub fn notify(path: &Path, user: Option<u32>) -> io::Result<UnixDatagram> {
    remove(path)?;
    let socket = UnixDatagram::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    if user.is_some() {
        std::os::unix::fs::chown(path, user, None)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Whether the other end belongs to our own user or to root.
#[must_use]
pub fn is_trusted(peer: impl AsFd) -> bool {
    getsockopt(&peer, PeerCredentials)
        .is_ok_and(|who| who.uid() == 0 || who.uid() == geteuid().as_raw())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
