//! Giving memory back that only starting needed.

use std::fs;

use nix::libc;

/// The kernel maps a file's pages in windows of 64 KiB around the one that is touched, but
/// never across the border of a mapping (`do_fault_around`).
const CHUNK: usize = 8 << 10;

/// The smallest page that there is, in bytes.
const PAGE: usize = 4 << 10;

/// So much of the stack below a call is left to what it calls itself, in bytes.
const MARGIN: usize = 4 << 10;

/// So much below that may have been written to, in bytes. It is the first thread's stack,
/// which has many times as much to itself (`mmap_base` in the kernel).
const DEPTH: usize = 128 << 10;

/// Lets go of the pages of our own program and of its stack. Of code last: what comes after
/// it needs some.
pub fn give_back() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let exe = fs::read_link("/proc/self/exe").unwrap_or_default();
    give_stack_back();
    give_code_back(&maps, &exe.to_string_lossy());
}

/// Lets go of the pages of our own program: reading a configuration and making children
/// touches all of it, waiting for them a quarter. What is needed again comes back from
/// the page cache, in small pieces: neighbouring chunks are marked differently (in what a
/// core dump holds, which is all the same to us), so that each is a mapping of its own.
///
/// Only what is never written: the program's first read-only mapping and its code. Other
/// read-only mappings may have been relocated, and would come back as they are in the file.
fn give_code_back(maps: &str, exe: &str) {
    for (start, length) in maps.lines().filter_map(|line| unwritten(line, exe)) {
        // By address, so that a second time marks the same ones.
        let borders = (start.next_multiple_of(CHUNK)..start + length).step_by(CHUNK);
        for chunk in borders.filter(|chunk| (chunk / CHUNK).is_multiple_of(2)) {
            advise(
                chunk,
                CHUNK.min(start + length - chunk),
                libc::MADV_DONTDUMP,
            );
        }
        advise(start, length, libc::MADV_DONTNEED);
    }
}

/// Lets go of the pages of the stack that deeper calls than this one have written to. Never
/// a part of its caller, whose frame might be longer than the margin.
#[inline(never)]
fn give_stack_back() {
    let here = 0_u8;
    let end = (&raw const here as usize - MARGIN) / PAGE * PAGE;
    advise(end - DEPTH, DEPTH, libc::MADV_DONTNEED);
}

fn advise(start: usize, length: usize, advice: libc::c_int) {
    // SAFETY: the range is one private mapping of a file, of which no page was ever
    // written, so it reads the same before and after (madvise(2)); or stack below all frames
    // of ours, which nobody reads before it is written: signals come by a descriptor. Where
    // chunks are smaller than a page the kernel refuses, and nothing has changed.
    unsafe { libc::madvise(start as *mut libc::c_void, length, advice) };
}

/// Start and length of a mapping of our program, if it is one that is never written.
fn unwritten(line: &str, exe: &str) -> Option<(usize, usize)> {
    let mut words = line.split_ascii_whitespace();
    let (range, access, offset) = (words.next()?, words.next()?, words.next()?);
    let never = access == "r-xp" || (access == "r--p" && offset.bytes().all(|b| b == b'0'));
    if !never || words.nth(2)? != exe {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    let start = usize::from_str_radix(start, 16).ok()?;
    Some((
        start,
        usize::from_str_radix(end, 16).ok()?.checked_sub(start)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_and_the_head_of_our_own_program() {
        let table = [
            (
                "1000-3000 r-xp 00001000 08:01 7 /bin/sup",
                Some((0x1000, 0x2000)),
            ),
            (
                "1000-3000 r--p 00000000 08:01 7 /bin/sup",
                Some((0x1000, 0x2000)),
            ),
            ("1000-3000 r--p 00005000 08:01 7 /bin/sup", None), // relocated, perhaps
            ("1000-3000 rw-p 00000000 08:01 7 /bin/sup", None),
            ("1000-3000 r-xp 00001000 08:01 9 /lib/libc.so.6", None),
            ("1000-3000 r-xp 00000000 00:00 0", None),
            ("", None),
        ];
        for (line, range) in table {
            assert_eq!(unwritten(line, "/bin/sup"), range, "{line}");
        }
    }

    #[test]
    fn the_program_goes_on_without_its_pages_however_often() {
        give_back();
        let mappings = || {
            fs::read_to_string("/proc/self/maps")
                .unwrap()
                .lines()
                .count()
        };
        let before = mappings();
        give_back();
        assert!(mappings() <= before + 2, "marked anew each time");
        assert_eq!(format!("{:.3}", 2f64.sqrt()), "1.414");
    }
}
