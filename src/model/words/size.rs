//! How sizes read.

use core::fmt;

/// A number of bytes: `512 B`, `1.5 MiB`, `20 GiB`.
#[derive(Clone, Copy, Debug)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
        let Some((shift, unit)) = units.into_iter().find(|(shift, _)| self.0 >> shift > 0) else {
            return write!(f, "{} B", self.0);
        };
        let (whole, rest) = (self.0 >> shift, self.0 & ((1 << shift) - 1));
        let tenth = (u128::from(rest) * 10) >> shift;
        match (whole, tenth) {
            (0..10, 1..) => write!(f, "{whole}.{tenth} {unit}"),
            _ => write!(f, "{whole} {unit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn sizes_read_well() {
        let sizes = [
            0,
            1023,
            1024,
            1536,
            20 << 20,
            (1 << 30) + (7 << 27),
            u64::MAX,
        ];
        let words = sizes.map(|size| Bytes(size).to_string());
        assert_eq!(
            words.join("|"),
            "0 B|1023 B|1 KiB|1.5 KiB|20 MiB|1.8 GiB|16777215 TiB"
        );
    }
}
