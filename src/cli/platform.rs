//! Kinds of boxes: how to tell one, where its data lies, where its start hook goes.

use std::fs;
use std::path::{Path, PathBuf};

/// A kind of box. Paths are looked for under the root of the box.
#[derive(Debug)]
pub(super) struct Platform {
    /// As it is typed.
    pub(super) name: &'static str,
    /// One of these is there on no other kind.
    signs: &'static [&'static str],
    /// Where sup should live: on the first of these that is there, or is usual.
    volumes: &'static [&'static str],
    /// Below that folder.
    folder: &'static str,
    /// Where a hook may be: our mark stands in one of these files, or below these folders.
    pub(super) hooks: &'static [&'static str],
    /// Mounts that are the firmware's: written to on all disks or on flash, and replaced by
    /// updates.
    pub(super) system: &'static [&'static str],
    /// Whether what starts sup there also starts it again when it was killed.
    pub(super) restarts: bool,
    /// The hook, with `@SUP@` and `@CONFIG@` in it.
    pub(super) template: &'static str,
}

/// Files in which cron's lines are kept, on boxes of all kinds.
pub(super) const CRONTABS: &[&str] = &[
    "etc/config/crontab",
    "etc/crontab",
    "etc/crontabs/root",
    "etc/cron.d",
    "var/spool/cron",
    "opt/etc/crontab",
];

/// Vendors first: many of them have systemd or SysV links below.
pub(super) const PLATFORMS: &[Platform] = &[
    Platform {
        name: "qnap",
        signs: &["etc/config/uLinux.conf", "sbin/getcfg"],
        volumes: &["share/CACHEDEV1_DATA", "share/MD0_DATA", "share/HDA_DATA"],
        folder: "sup",
        hooks: &["tmp/nasconfig_tmp/autorun.sh"],
        system: &["/mnt/HDA_ROOT", "/mnt/ext", "/tmp/nasconfig_tmp"],
        restarts: false,
        template: include_str!("../../scripts/hooks/qnap"),
    },
    Platform {
        name: "synology",
        signs: &["etc/synoinfo.conf", "etc.defaults/synoinfo.conf"],
        volumes: &["volume1", "volume2", "volume3"],
        folder: "@sup",
        hooks: &[
            "usr/local/etc/rc.d",
            "usr/syno/etc/synoschedule.d",
            "usr/syno/etc/esynoscheduler",
            "etc/systemd/system/multi-user.target.wants",
        ],
        system: &["/"],
        restarts: false,
        template: include_str!("../../scripts/hooks/synology"),
    },
    Platform {
        name: "asustor",
        signs: &["usr/builtin", "etc/nas.conf"],
        volumes: &["volume1"],
        folder: "sup",
        hooks: &["usr/local/etc/init.d"],
        system: &["/", "/volume0"],
        restarts: false,
        template: include_str!("../../scripts/hooks/asustor"),
    },
    Platform {
        name: "unraid",
        signs: &["etc/unraid-version"],
        volumes: &["mnt/user/appdata"],
        folder: "sup",
        hooks: &["boot/config/go"],
        system: &["/boot"],
        restarts: false,
        template: include_str!("../../scripts/hooks/unraid"),
    },
    Platform {
        name: "truenas",
        signs: &["usr/bin/midclt"],
        volumes: &["mnt/tank"],
        folder: "sup",
        hooks: &[],
        system: &["/", "/data", "/boot"],
        restarts: false,
        template: include_str!("../../scripts/hooks/truenas"),
    },
    Platform {
        name: "wd",
        signs: &["mnt/HD/HD_a2/Nas_Prog"],
        volumes: &["mnt/HD/HD_a2"],
        folder: "sup",
        hooks: &["mnt/HD/HD_a2/Nas_Prog"],
        system: &["/"],
        restarts: false,
        template: include_str!("../../scripts/hooks/wd"),
    },
    Platform {
        name: "openwrt",
        signs: &["etc/openwrt_release"],
        volumes: &["opt"],
        folder: "sup",
        hooks: &["etc/rc.d"],
        system: &[],
        restarts: true,
        template: include_str!("../../scripts/hooks/openwrt"),
    },
    Platform {
        name: "entware",
        signs: &["opt/etc/init.d/rc.unslung"],
        volumes: &["opt"],
        folder: "sup",
        hooks: &["opt/etc/init.d"],
        system: &[],
        restarts: false,
        template: include_str!("../../scripts/hooks/entware"),
    },
    Platform {
        name: "systemd",
        signs: &["run/systemd/system"],
        volumes: &["opt"],
        folder: "sup",
        hooks: &[
            "etc/systemd/system/multi-user.target.wants",
            "etc/systemd/system/default.target.wants",
        ],
        system: &[],
        restarts: true,
        template: include_str!("../../scripts/hooks/systemd"),
    },
    Platform {
        name: "openrc",
        signs: &["sbin/openrc-run", "run/openrc"],
        volumes: &["opt"],
        folder: "sup",
        hooks: &["etc/runlevels"],
        system: &[],
        restarts: false,
        template: include_str!("../../scripts/hooks/openrc"),
    },
    Platform {
        name: "sysv",
        signs: &["etc/rc2.d", "etc/rc3.d", "etc/rc.d/rc3.d"],
        volumes: &["opt"],
        folder: "sup",
        hooks: &["etc/rc2.d", "etc/rc3.d", "etc/rc.d/rc3.d"],
        system: &[],
        restarts: false,
        template: include_str!("../../scripts/init"),
    },
    Platform {
        name: "cron",
        signs: &[],
        volumes: &["opt"],
        folder: "sup",
        hooks: &[],
        system: &[],
        restarts: false,
        template: include_str!("../../scripts/hooks/cron"),
    },
];

/// What lies under `root` is the box.
pub(super) fn detect(root: &Path) -> &'static Platform {
    let is_one = |platform: &&Platform| platform.signs.iter().any(|sign| root.join(sign).exists());
    let found = PLATFORMS.iter().find(is_one);
    found.unwrap_or(&PLATFORMS[PLATFORMS.len() - 1])
}

impl Platform {
    /// The folder on a data volume where sup should live, as the box itself names it.
    pub(super) fn home(&self, root: &Path) -> PathBuf {
        let there = self.volumes.iter().find(|path| root.join(path).is_dir());
        let usual = there.or(self.volumes.first()).map(PathBuf::from);
        let found = match self.name {
            "qnap" => default_volume_of_qnap(root),
            "truenas" => first_pool(root),
            _ => None,
        };
        let volume = found.or(usual).unwrap_or_default();
        Path::new("/").join(volume).join(self.folder)
    }
}

/// `defVolMP = /share/CACHEDEV1_DATA`, as QNAP itself has chosen.
fn default_volume_of_qnap(root: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(root.join("etc/config/def_share.info")).ok()?;
    let value = setting(&text, "SHARE_DEF", "defVolMP")?;
    value.starts_with('/').then(|| PathBuf::from(value))
}

fn first_pool(root: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(root.join("mnt")).ok()?.flatten();
    let pools = entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name())
        .filter(|name| !name.to_string_lossy().starts_with('.'));
    Some(Path::new("mnt").join(pools.min()?))
}

/// The value of a key in a section of a text as Windows' `.ini` files have it.
pub(super) fn setting<'a>(text: &'a str, section: &str, key: &str) -> Option<&'a str> {
    let heading = |line: &str| {
        let name = line
            .trim()
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'));
        name.is_some_and(|name| name.trim() == section)
    };
    let inside = text.lines().skip_while(|line| !heading(line)).skip(1);
    let mut pairs = inside
        .take_while(|line| !line.trim_start().starts_with('['))
        .filter_map(|line| line.split_once('='));
    let found = pairs.find(|(name, _)| name.trim() == key);
    found.map(|(_, value)| value.trim())
}

/// The first file that bears our mark, among these and in these folders, three deep.
pub(super) fn marked(root: &Path, places: &[&str]) -> Option<PathBuf> {
    find(root, places, &|path| {
        is_named_so(path) || holds(path, b"sup:")
    })
}

/// Whether cron takes a look with `sup --once`.
pub(super) fn looks(root: &Path) -> bool {
    find(root, CRONTABS, &|path| holds(path, b"sup --once")).is_some()
}

fn find(root: &Path, places: &[&str], is_it: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
    fn look(path: &Path, is_it: &dyn Fn(&Path) -> bool, depth: usize) -> Option<PathBuf> {
        if is_it(path) {
            return Some(path.to_owned());
        }
        let entries = fs::read_dir(path).ok()?.flatten();
        let mut below =
            entries.filter_map(|entry| look(&entry.path(), is_it, depth.checked_sub(1)?));
        below.next()
    }
    places
        .iter()
        .find_map(|place| look(&root.join(place), is_it, 3))
}

fn holds(path: &Path, text: &[u8]) -> bool {
    const SIZE_MAX: u64 = 256 << 10;
    let file = fs::metadata(path).ok().filter(fs::Metadata::is_file);
    let is_small = file.is_some_and(|file| file.len() <= SIZE_MAX);
    let bytes = is_small.then(|| fs::read(path).ok()).flatten();
    bytes.is_some_and(|bytes| bytes.windows(text.len()).any(|part| part == text))
}

/// `sup.service`, `S99sup`: whose link may lead nowhere from here.
fn is_named_so(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let order = |c: char| c == 'S' || c.is_ascii_digit();
    matches!(
        name.trim_start_matches(order),
        "sup" | "sup.sh" | "sup.service"
    )
}
