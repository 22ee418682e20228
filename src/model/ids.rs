//! Who: children, groups, runs, boots.

use core::fmt;

use serde::{Deserialize, Serialize};

/// A child, by its place in the supervisor's table. It keeps its number over
/// reloads, so that late news never reaches a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChildId(pub u16);

impl ChildId {
    /// Its place in a table.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A group, by its place in the supervisor's table. Good until the next reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupId(pub u16);

impl GroupId {
    /// The group of everything that is in no other group.
    pub const ROOT: Self = Self(0);

    /// Its place in a table.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a group consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Member {
    /// A child.
    Child(ChildId),
    /// A group.
    Group(GroupId),
}

/// One start of a child, numbered from 1 over the child's whole life. News about
/// run 3 can so never touch run 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunId {
    /// Whose run.
    pub child: ChildId,
    /// Which start, counted from 1.
    pub nth: u32,
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.child.0, self.nth)
    }
}

/// The kernel's random name for this boot (`/proc/sys/kernel/random/boot_id`).
/// A moment or a pid means nothing under another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootId(pub [u8; 16]);

impl BootId {
    /// Reads the kernel's text form, `8-4-4-4-12` hexadecimal digits. `None` for
    /// anything else: an unreadable boot id equals no other boot.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0u8; 16];
        let mut digits = text.trim().bytes().filter(|&b| b != b'-');
        for byte in &mut bytes {
            let (high, low) = (hex(digits.next()?)?, hex(digits.next()?)?);
            *byte = high << 4 | low;
        }
        digits.next().is_none().then_some(Self(bytes))
    }
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernels_boot_id_and_nothing_else() {
        let id = BootId::parse("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0\n").unwrap();
        assert_eq!(id.0[..4], [0x0f, 0x1e, 0x2d, 0x3c]);
        for bad in [
            "",
            "0f1e",
            "zz1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
            "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0aa",
        ] {
            assert_eq!(BootId::parse(bad), None, "{bad:?}");
        }
    }
}
