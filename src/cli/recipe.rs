//! `sup recipe`: the hook that starts sup at boot, with the paths of this box in it.

use std::fs;
use std::path::{Path, PathBuf};

use super::args::Flags;
use super::ask::{complain, config_path, say};
use super::platform::{self, PLATFORMS, Platform};
use super::{Code, Failed};
use crate::model::Gather as _;
use crate::os::mounts;

/// A first configuration, for `sup init`.
const FIRST_CONFIG: &str = include_str!("init.toml");

/// Prints a first configuration.
pub(super) fn init() -> Code {
    say(FIRST_CONFIG);
    Code::Success
}

/// Prints a hook; changes nothing.
pub(super) fn recipe(flags: &Flags, operands: &[String]) -> Result<Code, Failed> {
    let root = root(flags);
    let platform = match operands.first() {
        Some(name) => named(name)?,
        None => platform::detect(&root),
    };
    let (sup, config) = (binary(platform, &root), config(platform, flags, &root));
    let text = platform
        .template
        .replace("@SUP@", plain(&sup)?)
        .replace("@CONFIG@", plain(&config)?);
    say(&text);
    if !root.join(sup.strip_prefix("/").unwrap_or(&sup)).exists() {
        let home = sup.display();
        complain(&format!(
            "sup: there is no {home} yet: copy sup there before you set this hook\n"
        ));
    }
    Ok(Code::Success)
}

/// Where the box begins: `/`, unless told.
pub(super) fn root(flags: &Flags) -> PathBuf {
    flags.get("root").map_or_else(|| "/".into(), PathBuf::from)
}

fn named(name: &str) -> Result<&'static Platform, Failed> {
    let found = PLATFORMS.iter().find(|platform| platform.name == name);
    found.ok_or_else(|| {
        let all: Vec<&str> = PLATFORMS.iter().map(|platform| platform.name).gather();
        Failed::input(format!(
            "there is no recipe for \"{name}\"; there is one for {}",
            all.join(", ")
        ))
    })
}

/// The binary that the hook should start: this one, unless it is gone at the next boot.
pub(super) fn binary(platform: &Platform, root: &Path) -> PathBuf {
    let stays = |exe: &PathBuf| {
        let table = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let mounts = mounts::parse(&table);
        let temporary = ["/tmp", "/run", "/dev"]
            .iter()
            .any(|dir| exe.starts_with(dir));
        !temporary && mounts::of(&mounts, exe).is_none_or(|mount| !mount.is_ram())
    };
    let this_box = root == Path::new("/");
    let exe = std::env::current_exe().ok().filter(|_| this_box);
    exe.filter(stays)
        .unwrap_or_else(|| platform.home(root).join("sup"))
}

/// The configuration: the one that is used here, or the one that should be there.
pub(super) fn config(platform: &Platform, flags: &Flags, root: &Path) -> PathBuf {
    let named = flags.has("config") || root == Path::new("/");
    let found = named
        .then(|| config_path(flags).ok())
        .flatten()
        .and_then(|path| std::path::absolute(path).ok());
    found.unwrap_or_else(|| platform.home(root).join("sup.toml"))
}

/// A path that a shell, cron, systemd and JSON all read as it is written.
fn plain(path: &Path) -> Result<&str, Failed> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:".contains(c);
    let text = path.to_str().filter(|text| text.chars().all(is_plain));
    text.ok_or_else(|| {
        let words = "move sup to a path of letters, digits and / . _ - + @ : for its hook";
        Failed::failure(format!("{}: {words}", path.display()))
    })
}
