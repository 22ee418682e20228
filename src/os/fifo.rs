//! Named pipes for the output of children.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

/// Makes the pipe where it is missing and opens our end. It is opened for writing
/// too, so that it never reports an end when a child closes it; and it does not block.
///
/// # Errors
/// What the file system says; `AlreadyExists` where the name is taken by something
/// that is not a pipe.
pub fn read_end(path: &Path) -> io::Result<File> {
    match mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno.into()),
    }
    let pipe = open(path, nix::libc::O_NONBLOCK)?;
    if !pipe.metadata()?.file_type().is_fifo() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    Ok(pipe)
}

/// Opens a child's end. The child holds it for reading too, so that it is not broken
/// when we die.
///
/// # Errors
/// What the file system says.
pub fn write_end(path: &Path) -> io::Result<File> {
    open(path, 0)
}

fn open(path: &Path, flags: i32) -> io::Result<File> {
    let flags = flags | nix::libc::O_NOFOLLOW;
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags)
        .open(path)
}
