//! `sup upgrade`: asks the running sup to make way for another program, and then that one
//! who it is.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::ask::{complain, say};
use super::client::Client;
use super::{Code, Failed};
use crate::wire::upgrade::{Ask, Told};

/// Who answers.
struct Here {
    version: String,
    pid: u32,
    upgrades: u32,
    alive: u32,
}

/// Upgrades the running sup; `binary` as it was typed.
pub(super) fn upgrade(runtime: &Path, binary: Option<&str>) -> Result<Code, Failed> {
    let binary = binary.map(std::path::absolute).transpose();
    let binary = binary.map_err(|error| Failed::input(error.to_string()))?;
    let before = who(runtime)?;
    let mut client = Client::upgrade(
        runtime,
        &Ask::Upgrade {
            binary: binary.map(|path| path.as_os_str().as_bytes().to_vec()),
        },
    )?;
    let mut going = None;
    while let Some(told) = client.told() {
        match told {
            Told::Going { version } => going = Some(version),
            Told::Warning(words) => complain(&format!("sup: warning: {words}\n")),
            Told::Refused(words) => {
                let version = &before.version;
                let words = format!("not upgraded, sup {version} goes on: {words}");
                return Err(Failed::failure(words));
            }
            Told::Here { .. } => {}
        }
    }
    let Some(version) = going else {
        return Err(client.broken_off());
    };
    let after = who(runtime).map_err(|failed| Failed {
        words: format!(
            "sup {version} has taken over, and does not answer: {}\n\
             its log tells why; the children run on, and the next sup run adopts them",
            failed.words
        ),
        ..failed
    })?;
    if after.pid != before.pid || after.upgrades <= before.upgrades {
        let words = format!("sup {} answers, and has not taken over", after.version);
        return Err(Failed::failure(words));
    }
    say(&format!(
        "now running sup {} (before: {}), pid {}; nothing was restarted, children alive: {}\n",
        after.version, before.version, after.pid, after.alive
    ));
    Ok(Code::Success)
}

/// The socket outlives the change: who asks while it happens is answered after it.
fn who(runtime: &Path) -> Result<Here, Failed> {
    let mut client = Client::upgrade(runtime, &Ask::Who)?;
    match client.told() {
        Some(Told::Here {
            version,
            pid,
            upgrades,
            alive,
        }) => Ok(Here {
            version,
            pid,
            upgrades,
            alive,
        }),
        Some(Told::Refused(words)) => Err(Failed::failure(words)),
        Some(Told::Going { .. } | Told::Warning(_)) | None => Err(Failed::failure(
            io::Error::from(io::ErrorKind::ConnectionReset).to_string(),
        )),
    }
}
