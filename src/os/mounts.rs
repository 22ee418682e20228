//! What is mounted where (`/proc/mounts`, since always).

use std::path::{Path, PathBuf};

use crate::model::Gather as _;

/// A file system in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted: `/dev/md0`.
    pub device: String,
    /// Where.
    pub place: PathBuf,
    /// Which kind: `ext4`, `tmpfs`.
    pub kind: String,
    /// Options, between commas.
    pub options: String,
}

impl Mount {
    /// Whether what lies there is gone at the next boot.
    #[must_use]
    pub fn is_ram(&self) -> bool {
        matches!(&*self.kind, "tmpfs" | "ramfs" | "rootfs" | "devtmpfs")
    }

    /// Whether it is mounted so: `noexec`.
    #[must_use]
    pub fn has(&self, option: &str) -> bool {
        self.options.split(',').any(|found| found == option)
    }
}

/// Every mount of a text as `/proc/mounts` has it, in the order of mounting.
#[must_use]
pub fn parse(text: &str) -> Vec<Mount> {
    let mount = |line: &str| {
        let mut words = line.split(' ');
        let mut word = || words.next().map(plain);
        Some(Mount {
            device: word()?,
            place: word()?.into(),
            kind: word()?,
            options: word()?,
        })
    };
    text.lines().filter_map(mount).gather()
}

/// The one that a path lies on: the deepest, and of those the last, which hides the others.
#[must_use]
pub fn of<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    let above = mounts.iter().filter(|mount| path.starts_with(&mount.place));
    above.max_by_key(|mount| mount.place.components().count())
}

/// Spaces, tabs, newlines and backslashes are written in octal there.
fn plain(word: &str) -> String {
    ["\\040 ", "\\011\t", "\\012\n", "\\134\\"]
        .iter()
        .fold(word.to_owned(), |word, code| {
            let (written, meant) = code.split_at(4);
            word.replace(written, meant)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "rootfs / rootfs rw 0 0\n/dev/md0 / ext4 rw,relatime 0 0\n\
                        tmpfs /tmp tmpfs rw,noexec 0 0\n/dev/sda1 /mnt/my\\040disk vfat rw 0 0\n";

    #[test]
    fn a_path_lies_on_the_deepest_and_of_those_on_the_last() {
        let mounts = parse(TEXT);
        let kind = |path| of(&mounts, Path::new(path)).map(|mount| &*mount.kind);
        let table = [
            ("/etc", "ext4"),
            ("/tmp/sup", "tmpfs"),
            ("/tmpfile", "ext4"),
            ("/mnt/my disk/a", "vfat"),
        ];
        for (path, expected) in table {
            assert_eq!(kind(path), Some(expected), "{path}");
        }
        assert!(mounts[2].has("noexec") && !mounts[1].has("noexec"));
        assert!(mounts[2].is_ram() && !mounts[1].is_ram());
        assert_eq!(of(&[], Path::new("/")), None);
    }
}
