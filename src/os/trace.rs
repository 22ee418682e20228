//! Who called, as addresses: what a panic says where the binary holds no places.
//!
//! The text and the numbers of every place that may panic would be a thirtieth of the binary
//! for the boxes. Without them a panic still has the way to it (`trap`), in the manner of a
//! kernel: whatever lies on the stack and points behind a call may be the way back of
//! somebody who called. Some of it may be left over; the order is right. The map that
//! `scripts/dist` keeps says whose addresses they are.

use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// How much of the stack is looked at, in bytes, from here up.
const STACK: usize = 16 << 10;

/// A dozen of them may be those of the panic itself.
const CALLERS_MAX: usize = 32;

/// Addresses in our code, the nearest first.
#[must_use]
pub fn callers() -> Vec<u64> {
    let here = 0_usize;
    callers_from((&raw const here).addr() as u64, None)
}

/// The same for a stack from there up; the nearest of them may be in a register.
pub(super) fn callers_from(stack: u64, nearest: Option<u64>) -> Vec<u64> {
    let Some((memory, code)) = memory() else {
        return Vec::new();
    };
    let mut bytes = vec![0; STACK];
    // Read as a file is: what is not there is an error, and no further fault.
    let length = memory.read_at(&mut bytes, stack).unwrap_or(0);
    let words = bytes[..length].chunks_exact(size_of::<usize>());
    let words = words.filter_map(|word| Some(usize::from_ne_bytes(word.try_into().ok()?) as u64));
    nearest
        .into_iter()
        .chain(words)
        .filter(|at| code.contains(at) && is_behind_call(&memory, *at))
        .take(CALLERS_MAX)
        .fold(Vec::new(), |mut all, at| {
            all.push(at);
            all
        })
}

/// Our memory, and where our code is in it.
fn memory() -> Option<(File, Range<u64>)> {
    let exe = fs::read_link("/proc/self/exe").ok()?;
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let mut code = maps
        .lines()
        .filter(|line| line.contains(" r-xp ") && line.ends_with(&*exe.to_string_lossy()));
    let first = range(code.next()?)?;
    let end = code.filter_map(range).map(|range| range.end).max();
    let code = first.start..end.unwrap_or(first.end);
    Some((File::open("/proc/self/mem").ok()?, code))
}

fn range(line: &str) -> Option<Range<u64>> {
    let (start, end) = line.split(' ').next()?.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some(number(start)?..number(end)?)
}

/// Whether the instruction in front of this address is a call.
fn is_behind_call(memory: &File, at: u64) -> bool {
    let mut before = [0; 8];
    if memory
        .read_exact_at(&mut before, at.saturating_sub(8))
        .is_err()
    {
        return false;
    }
    match std::env::consts::ARCH {
        "x86_64" => {
            // CALL with a distance, or through a register or memory (FF /2), 2 to 7 bytes long.
            let through = |length: usize| {
                let [code, how] = [before[8 - length], before[9 - length]];
                code == 0xff && how >> 3 & 7 == 2
            };
            before[3] == 0xe8 || (2..=7).any(through)
        }
        "aarch64" => {
            let word = u32::from_le_bytes([before[4], before[5], before[6], before[7]]);
            // BL with a distance, BLR through a register.
            word >> 26 == 0x25 || word & 0xffff_fc1f == 0xd63f_0000
        }
        // In other binaries a panic has its place.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    fn whoever_called_is_among_the_callers() {
        #[inline(never)]
        fn middle() -> Vec<u64> {
            std::hint::black_box(callers())
        }
        let all = middle();
        // This test lies near what it calls: the compiler puts one crate's code together.
        let middle = middle as *const () as u64;
        let near = |at: &u64| (middle..middle + 4096).contains(at);
        assert!(all.iter().any(near), "{middle:x}: {all:x?}");
        assert!(all.len() <= CALLERS_MAX);
    }

    #[test]
    fn what_follows_no_call_is_nobodys_way_back() {
        let (memory, code) = memory().unwrap();
        let known = (code.start..code.start + 4096).filter(|at| is_behind_call(&memory, *at));
        assert!(known.count() < 4096 / 2);
        assert!(!is_behind_call(&memory, 8));
    }
}
