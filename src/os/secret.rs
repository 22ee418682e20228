//! Files with secrets, as an `env-file` names them: read so that nothing odd at a name can
//! hurt us, and only where nobody else decides what is in them.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::geteuid;

use super::file::{Symlink, open_regular};
use super::walk::Place;

/// The longest file, in bytes: the kernel takes less than this as an environment from
/// most programs, and a device has no end.
const SIZE_MAX: u64 = 1 << 20;

/// What a file holds, and what a person should know of it.
#[derive(Debug)]
pub struct Secret {
    /// What it holds.
    pub text: String,
    /// That others can read it.
    pub warning: Option<&'static str>,
}

/// Reads a file for a process that will run as `user` (`None`: as we do). Where we are
/// root, whoever writes it decides what runs with which variables: that may only be root,
/// or the user whom it concerns.
///
/// # Errors
/// Those of `open(2)`; `PermissionDenied` where somebody else can write it;
/// `InvalidInput` where it is no regular file, `InvalidData` where it is too long or no text.
pub fn read(path: &Path, user: Option<u32>) -> io::Result<Secret> {
    let place = Place::find(path, true)?;
    let file = open_regular(place.path(), OpenOptions::new().read(true), Symlink::Follow)?;
    let facts = file.metadata()?;
    let (me, owner) = (geteuid().as_raw(), facts.uid());
    let refused = |words: &str| Err(io::Error::new(ErrorKind::PermissionDenied, words));
    if me == 0 && facts.mode() & 0o002 != 0 {
        return refused("everybody can write it, and sup is root; chmod o-w helps");
    }
    if me == 0 && owner != 0 && Some(owner) != user {
        let words = format!("it belongs to user {owner}, and sup is root; chown root helps");
        return refused(&words);
    }
    let mut text = String::new();
    let length = (&file).take(SIZE_MAX + 1).read_to_string(&mut text)?;
    if length as u64 > SIZE_MAX {
        return Err(io::Error::new(ErrorKind::InvalidData, "larger than 1 MiB"));
    }
    let warning = (facts.mode() & 0o004 != 0).then_some("everybody can read it; chmod o-r helps");
    Ok(Secret { text, warning })
}
