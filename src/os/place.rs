//! Where sup's own files live, on a box that nobody has told us about.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::file::while_doing;
use super::walk::Place;
use crate::model::spec::Settings;

/// Where the control socket and the pipes live.
#[must_use]
pub fn runtime(settings: &Settings) -> PathBuf {
    let named = settings.runtime.as_deref();
    named.map_or_else(default_runtime, PathBuf::from)
}

/// Where memory is kept, by a configuration that lies there.
#[must_use]
pub fn state(settings: &Settings, config: &Path) -> PathBuf {
    let named = settings.state.as_deref();
    named.map_or_else(|| default_state(config), PathBuf::from)
}

use crate::model::Gather as _;

/// Where the control socket and the pipes live unless the configuration says: a RAM
/// file system, so that nothing there wakes a disk.
#[must_use]
pub fn default_runtime() -> PathBuf {
    let user = geteuid();
    if !user.is_root() {
        let of_login =
            std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| Path::new(dir).is_absolute());
        return of_login.map_or_else(
            || PathBuf::from(format!("/tmp/sup-{user}")),
            |dir| Path::new(&dir).join("sup"),
        );
    }
    let candidates = ["/run", "/var/run", "/tmp"];
    let found = candidates.iter().find(|dir| Path::new(dir).is_dir());
    Path::new(found.unwrap_or(&"/tmp")).join("sup")
}

/// Where memory is kept unless the configuration says: beside the configuration, which
/// is on a disk that is there; for one in `/etc`, where Linux keeps such things.
#[must_use]
pub fn default_state(config: &Path) -> PathBuf {
    let folder = config.parent().unwrap_or(Path::new("/"));
    if folder.starts_with("/etc") {
        PathBuf::from("/var/lib/sup")
    } else {
        folder.join(".sup")
    }
}

/// Where a configuration is sought when nobody names one.
#[must_use]
pub fn config_candidates() -> Vec<PathBuf> {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.join("sup.toml")));
    let named = std::env::var_os("SUP_CONFIG").map(PathBuf::from);
    named
        .into_iter()
        .chain([PathBuf::from("/etc/sup.toml")])
        .chain(beside)
        .gather()
}

/// Looks whether the way to a directory of ours leads over a symlink of somebody else,
/// which as root we do not follow.
///
/// # Errors
/// That it does, or what the file system says of the way.
pub fn trusted(path: &Path) -> io::Result<()> {
    Place::find(path, true)
        .map(drop)
        .map_err(while_doing("following", path))
}

/// Makes a directory of ours where it is missing: others may pass through it, to a
/// socket that is theirs, and neither list nor change it.
///
/// # Errors
/// What the file system says; `PermissionDenied` where somebody else made it.
pub fn private_dir(path: &Path) -> io::Result<()> {
    trusted(path)?;
    let made = DirBuilder::new().mode(0o711).create(path);
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(while_doing("making", path)(error));
        }
        Ok(()) | Err(_) => {}
    }
    let metadata = fs::symlink_metadata(path).map_err(while_doing("reading", path))?;
    let refused = |words: &str| {
        let words = format!("{} {words}", path.display());
        Err(io::Error::new(io::ErrorKind::PermissionDenied, words))
    };
    if !metadata.is_dir() || metadata.uid() != geteuid().as_raw() {
        return refused("is not a directory of ours: somebody else made it");
    }
    // Such as /tmp: to close it to others would be the end of much else.
    if metadata.mode() & 0o002 != 0 {
        return refused("is for everybody: sup needs a directory of its own, such as one in it");
    }
    fs::set_permissions(path, Permissions::from_mode(0o711))
        .map_err(while_doing("protecting", path))
}
