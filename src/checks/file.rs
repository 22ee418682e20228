//! A file by its `stat`, and a file system by how full it is.

use std::fs;
use std::io::ErrorKind;
use std::time::{Duration, SystemTime};

use super::{Finding, error_words};
use crate::model::check::{Bounds, FileBounds, Health};
use crate::model::words::{Brief, Bytes};
use crate::os::disk;

/// Whether it is there, and not too old or too large. One that lies in the future is new:
/// the clock was set back.
pub(super) fn look(path: &str, bounds: FileBounds) -> Finding {
    let found = fs::metadata(path).and_then(|found| Ok((found.len(), found.modified()?)));
    let (length, written) = match found {
        Ok(found) => found,
        Err(error) => {
            let health = if error.kind() == ErrorKind::NotFound {
                Health::Critical
            } else {
                Health::Unknown
            };
            return Finding::new(health, format!("{path}: {}", error_words(&error)));
        }
    };
    match bounds {
        FileBounds::Age(bounds) => {
            let age = SystemTime::now()
                .duration_since(written)
                .unwrap_or_default();
            // Whole seconds: a column need not show more.
            let shown = Brief(Duration::from_secs(age.as_secs()));
            let words = format!("{path}: written {shown} ago");
            Finding::new(bounds.judge(|most| age > *most), words).measured(age.as_secs_f64())
        }
        FileBounds::Size(bounds) => {
            let words = format!("{path}: {}", Bytes(length));
            Finding::new(bounds.judge(|most| length > *most), words)
        }
    }
}

/// How full the file system is on which that path lies.
pub(super) fn disk(path: &str, bounds: Bounds<u8>) -> Finding {
    let usage = match disk::usage(path) {
        Ok(usage) => usage,
        Err(error) => {
            return Finding::new(Health::Unknown, format!("{path}: {}", error_words(&error)));
        }
    };
    let (used, total) = (u128::from(usage.used), u128::from(usage.used + usage.free));
    let health = bounds.judge(|most| used * 100 > u128::from(*most) * total);
    // Rounded up, as df does it: what is more than 80 % does not read as 80 %.
    let percent = (used * 100).div_ceil(total.max(1));
    let free = Bytes(usage.free);
    let words = format!("{path}: {percent}% used, {free} free");
    Finding::new(health, words).measured(percent as f64)
}
