//! Paths in which others may have a hand. As root we follow no symlink of another user:
//! its owner would choose what we write to or read. `openat2` would do it in one call, but
//! came with Linux 5.6; this needs `O_PATH` (2.6.39).

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat};
use nix::unistd::geteuid;

use crate::model::Gather as _;

/// Symlinks on one path, as the kernel counts them (path_resolution(7)).
const LINKS_MAX: usize = 40;

/// A file's place, with its directory held open: what others do to the path before it
/// changes nothing any more.
#[derive(Debug)]
pub struct Place {
    dir: Option<File>,
    path: PathBuf,
}

impl Place {
    /// Finds the place. Of the symlinks on the way only root's and ours are followed; so
    /// is one at the end, if `last`. Who is not root finds it where the path leads.
    ///
    /// # Errors
    /// Those of `open(2)`; `PermissionDenied` for a symlink of somebody else.
    pub fn find(path: &Path, last: bool) -> io::Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self::as_named(path));
        }
        let (dir, name) = walk(path, last)?;
        let held = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd()));
        if !held.exists() {
            return Ok(Self::as_named(path)); // No /proc.
        }
        Ok(Self {
            path: held.join(name),
            dir: Some(dir),
        })
    }

    fn as_named(path: &Path) -> Self {
        Self {
            dir: None,
            path: path.to_owned(),
        }
    }

    /// Whether its directory is held: as root, and with `/proc`.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.dir.is_some()
    }

    /// A path that leads there for as long as this lives.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The directory of a file, and its name there.
fn walk(path: &Path, last: bool) -> io::Result<(File, OsString)> {
    let mut left = components(&std::path::absolute(path)?);
    let mut dir = root()?;
    let mut links = 0;
    loop {
        let Some(name) = left.pop_front() else {
            return Ok((dir, OsString::from("."))); // The root itself.
        };
        let is_last = left.is_empty();
        let found = match fstatat(&dir, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(Errno::ENOENT) if is_last => return Ok((dir, name)),
            found => found?,
        };
        if is_link(&found) && (last || !is_last) {
            links += 1;
            if links > LINKS_MAX {
                return Err(Errno::ELOOP.into());
            }
            let target = PathBuf::from(follow(&dir, &name, &found)?);
            if target.is_absolute() {
                dir = root()?;
            }
            let mut onward = components(&target);
            onward.append(&mut left);
            left = onward;
        } else if is_last {
            return Ok((dir, name));
        } else {
            let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            dir = openat(&dir, name.as_os_str(), flags, Mode::empty())?.into();
        }
    }
}

/// Where a symlink leads, if it is root's or ours.
fn follow(dir: &File, name: &OsString, found: &FileStat) -> io::Result<OsString> {
    if found.st_uid != 0 && found.st_uid != geteuid().as_raw() {
        let (name, owner) = (name.display(), found.st_uid);
        let words = format!("\"{name}\" is a symlink of user {owner}, which root does not follow");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, words));
    }
    let target = readlinkat(dir, name.as_os_str())?;
    let again = fstatat(dir, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW)?;
    if (again.st_ino, again.st_uid) != (found.st_ino, found.st_uid) {
        return Err(Errno::EAGAIN.into()); // Exchanged while we read it.
    }
    Ok(target)
}

fn root() -> io::Result<File> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    Ok(open("/", flags, Mode::empty())?.into())
}

fn is_link(found: &FileStat) -> bool {
    SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == SFlag::S_IFLNK
}

fn components(path: &Path) -> VecDeque<OsString> {
    let named = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    named.gather()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{lchown, symlink};

    use super::*;

    #[test]
    fn root_follows_its_own_links_and_nobody_elses() {
        if !geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("real/deep")).unwrap();
        fs::write(at("real/deep/file"), "it").unwrap();
        symlink("real", at("ours")).unwrap();
        symlink(at("real"), at("theirs")).unwrap();
        symlink("deep/../../real/deep/file", at("real/last")).unwrap();
        symlink("loop", at("loop")).unwrap();
        symlink("real/deep/file", at("their-file")).unwrap();
        for theirs in ["theirs", "their-file"] {
            lchown(at(theirs), Some(54_321), None).unwrap();
        }
        // Whether the last one is followed, and what is then read.
        let table = [
            ("real/deep/file", false, Ok("it")),
            ("ours/deep/file", false, Ok("it")),
            ("ours/last", true, Ok("it")),
            ("ours/../real/./deep/file", true, Ok("it")),
            (
                "theirs/deep/file",
                true,
                Err(io::ErrorKind::PermissionDenied),
            ),
            ("their-file", true, Err(io::ErrorKind::PermissionDenied)),
            ("none/x", true, Err(io::ErrorKind::NotFound)),
            ("real/deep/file/x", true, Err(io::ErrorKind::NotADirectory)),
        ];
        for (path, last, expected) in table {
            let found = Place::find(&at(path), last);
            let read = found.and_then(|place| fs::read_to_string(place.path()));
            let read = read.map_err(|error| error.kind());
            assert_eq!(read, expected.map(str::to_owned), "{path}");
        }
        let fault = Place::find(&at("loop/x"), true).unwrap_err();
        assert_eq!(fault.raw_os_error(), Some(Errno::ELOOP as i32));
        // What is not there yet can be made, in that place whatever became of the path.
        let place = Place::find(&at("ours/new"), false).unwrap();
        fs::rename(at("real"), at("moved")).unwrap();
        fs::write(place.path(), "new").unwrap();
        assert_eq!(fs::read_to_string(at("moved/new")).unwrap(), "new");
        assert!(Place::find(Path::new("/"), true).is_ok());
    }
}
