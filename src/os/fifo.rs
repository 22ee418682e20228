//! Named pipes for the output of children.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

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

/// Our end of the pipe that a process writes to, where somebody has deleted its name: it
/// can be reached through the process only. `None` where it has a name.
#[must_use]
pub fn nameless(pid: u32) -> Option<File> {
    let outputs = [1, 2].map(|number| PathBuf::from(format!("/proc/{pid}/fd/{number}")));
    let is_nameless = |path: &&PathBuf| {
        let facts = fs::metadata(path);
        facts.is_ok_and(|facts| facts.file_type().is_fifo() && facts.nlink() == 0)
    };
    let path = outputs.iter().find(is_nameless)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options.custom_flags(nix::libc::O_NONBLOCK).open(path).ok()
}

/// Whether a process writes to this pipe, whose name somebody may have deleted since.
/// Nobody else could have opened it.
#[must_use]
pub fn is_output(pid: u32, pipe: &Path) -> bool {
    let gone = format!("{} (deleted)", pipe.display());
    let leads_there = |number: u8| {
        let link = PathBuf::from(format!("/proc/{pid}/fd/{number}"));
        let is_pipe = fs::metadata(&link).is_ok_and(|facts| facts.file_type().is_fifo());
        is_pipe && fs::read_link(&link).is_ok_and(|to| to == pipe || to == Path::new(&gone))
    };
    leads_there(1) || leads_there(2)
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
