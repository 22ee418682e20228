//! Secrets, where they are kept: in the configuration, in a variable, in a file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use nix::fcntl::OFlag;

use super::fault::Fault;
use crate::model::alert::Secret;
use crate::os;

/// The longest secret that is read from a file, in bytes.
const SIZE_MAX: u64 = 4096;

/// The secret itself. A file is read each time, so that a new one needs no reload.
pub(super) async fn reveal(secret: &Secret) -> Result<String, Fault> {
    match secret {
        Secret::Plain(text) => Ok(text.as_ref().to_owned()),
        Secret::Variable(name) => match std::env::var(&**name) {
            Ok(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
            Ok(_) | Err(_) => Err(Fault::lasting(format!(
                "${name} is not in sup's environment"
            ))),
        },
        Secret::File(path) => {
            let name = path.clone();
            // The disk may be asleep.
            os::aside(move || read(&name)).await
        }
    }
}

fn read(path: &str) -> Result<String, Fault> {
    let system = |error: io::Error| Fault::system(path, &error);
    let file: File = OpenOptions::new()
        .read(true)
        // A pipe would make us wait.
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits())
        .open(path)
        .map_err(system)?;
    let facts = file.metadata().map_err(system)?;
    if !facts.is_file() {
        return Err(Fault::lasting(format!("{path}: is not a regular file")));
    }
    if facts.mode() & 0o007 != 0 {
        return Err(Fault::lasting(format!(
            "{path}: everybody can open it; type: chmod 600 {path}"
        )));
    }
    let mut text = String::new();
    file.take(SIZE_MAX)
        .read_to_string(&mut text)
        .map_err(system)?;
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() {
        return Err(Fault::lasting(format!("{path}: its first line is empty")));
    }
    Ok(line.to_owned())
}
