//! How full file systems are.

use std::io;

use nix::sys::statvfs::statvfs;

/// Space of a file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// What is in use.
    pub used: u64,
    /// What others than root may still use.
    pub free: u64,
}

/// How full the file system is on which `path` lies. The kernel keeps these numbers in
/// memory: no disk is woken.
///
/// # Errors
/// What the file system says.
pub fn usage(path: &str) -> io::Result<Usage> {
    let found = statvfs(path)?;
    // The types differ between machines; a box with more than 2^64 bytes does not exist.
    #[allow(clippy::useless_conversion, reason = "u32 on 32-bit machines")]
    let bytes = |blocks| u64::from(blocks).saturating_mul(u64::from(found.fragment_size()));
    let used = found.blocks().saturating_sub(found.blocks_free());
    Ok(Usage {
        used: bytes(used),
        free: bytes(found.blocks_available()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_has_space_and_a_missing_path_none() {
        let usage = usage("/").unwrap();
        assert!(usage.used + usage.free > 0);
        let error = super::usage("/no/such/path").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
