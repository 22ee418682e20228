//! Which kernel this is. A feature is chosen by the version first and a probe second:
//! Synology's kernels use numbers of newer calls for their own.

use std::sync::OnceLock;

/// What this box is called.
#[must_use]
pub fn host_name() -> String {
    let name = nix::sys::utsname::uname().ok();
    name.map(|name| name.nodename().to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// A kernel's version: its first two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u16, pub u16);

impl Version {
    /// The oldest that we know of; what we take a kernel for that we cannot read.
    pub const OLDEST: Self = Self(3, 2);

    /// Reads a release as `uname` gives it: `5.10.60-qnap`, `3.4.35_hi3535`.
    #[must_use]
    pub fn parse(release: &str) -> Self {
        let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Self(major, minor),
            _ => Self::OLDEST,
        }
    }

    /// This kernel's.
    #[must_use]
    pub fn of_this_kernel() -> Self {
        static VERSION: OnceLock<Version> = OnceLock::new();
        *VERSION.get_or_init(|| {
            let name = nix::sys::utsname::uname().ok();
            name.and_then(|name| Some(Self::parse(name.release().to_str()?)))
                .unwrap_or(Self::OLDEST)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_real_boxes_say() {
        let table = [
            ("5.10.60-qnap", Version(5, 10)),
            ("4.14.24-qnap", Version(4, 14)),
            ("3.4.35_hi3535", Version(3, 4)),
            ("3.10.14__isvp_turkey", Version(3, 10)),
            ("3.10.108", Version(3, 10)),
            ("3.2.101", Version(3, 2)),
            ("4.4.302+", Version(4, 4)),
            ("4.2.8", Version(4, 2)),
            ("5.10.55", Version(5, 10)),
            ("6.1.0-28-amd64", Version(6, 1)),
            ("6.18.44-fc-v669", Version(6, 18)),
            ("2.6.32.12", Version(2, 6)),
            ("5.15-rc1", Version(5, 15)),
            (" 5.10", Version::OLDEST),
            ("v5.10", Version::OLDEST),
            ("-5.10", Version::OLDEST),
            ("5..10", Version::OLDEST),
            ("6.1", Version(6, 1)),
            ("", Version::OLDEST),
            ("linux", Version::OLDEST),
            ("5", Version::OLDEST),
            ("99999999.1", Version::OLDEST),
        ];
        for (release, version) in table {
            assert_eq!(Version::parse(release), version, "{release:?}");
        }
    }
}
