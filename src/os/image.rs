//! Becoming another program: the same process, with the same children, descriptors and
//! memory-backed files (`execve(2)`).

use std::ffi::{CString, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;

use super::boot;

use crate::model::Gather as _;

/// Where this program's file is, or was: a person replaces a running program by moving
/// another one into its place.
///
/// # Errors
/// `/proc` is not there.
pub fn own_path() -> io::Result<PathBuf> {
    let mut path = fs::read_link("/proc/self/exe")?.into_os_string().into_vec();
    const GONE: &[u8] = b" (deleted)";
    if path.ends_with(GONE) {
        path.truncate(path.len() - GONE.len());
    }
    Ok(PathBuf::from(OsString::from_vec(path)))
}

/// Becomes that program, which gets these words, our environment with one variable more,
/// and these descriptors. Comes back only where that fails: then nothing has changed.
///
/// # Errors
/// Those of `execve(2)`.
pub fn replace(
    program: &Path,
    words: &[CString],
    (key, value): (&str, &Path),
    keep: &[RawFd],
) -> io::Error {
    let Ok(path) = CString::new(program.as_os_str().as_bytes()) else {
        return io::ErrorKind::InvalidInput.into();
    };
    let known = std::env::vars_os().filter(|(known, _)| known != key);
    let all = known.chain([(key.into(), value.into())]);
    let env: Vec<CString> = all
        .filter_map(|(key, value)| {
            CString::new([key.as_bytes(), value.as_bytes()].join(&b'=')).ok()
        })
        .gather();
    boot::give_descriptors_back();
    keep.iter().for_each(|&fd| mark(fd, FdFlag::empty()));
    let Err(errno) = nix::unistd::execve(&path, words, &env);
    keep.iter().for_each(|&fd| mark(fd, FdFlag::FD_CLOEXEC));
    boot::take_descriptors();
    errno.into()
}

fn mark(fd: RawFd, flags: FdFlag) {
    // SAFETY: it is used for this call only; a number that is not open gives EBADF.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let _open = fcntl(fd, FcntlArg::F_SETFD(flags));
}

/// A descriptor that the program before us has left open, by the number it told us.
///
/// # Errors
/// None is open by that number, or it is one of the first three.
pub fn inherited(fd: RawFd) -> io::Result<OwnedFd> {
    if fd <= 2 {
        return Err(Errno::EBADF.into());
    }
    // SAFETY: asks only, and any number may be asked for.
    Errno::result(unsafe { libc::fcntl(fd, libc::F_GETFD) })?;
    // SAFETY: it is open, and it was left to us alone: each number is told once.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    mark(fd.as_raw_fd(), FdFlag::FD_CLOEXEC);
    Ok(fd)
}

/// Closes everything that was left open for us, where we cannot read what it is: locks
/// among it would keep us from our own directories. Before anything else is opened.
pub fn close_inherited() {
    let entries = fs::read_dir("/proc/self/fd").into_iter().flatten();
    let numbers = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<RawFd>().ok());
    for fd in numbers.filter(|&fd| fd > 2).gather::<Vec<_>>() {
        // SAFETY: the caller says that nobody here owns one yet; that of the directory
        // read above is closed already, which gives EBADF.
        unsafe { libc::close(fd) };
    }
}
