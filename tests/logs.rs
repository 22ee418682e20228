//! A child's output: the last of it is always there, and no file outgrows its size.

#[path = "common/dice.rs"]
mod dice;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use sup::logs::{Fault, Ring, Rotated, Sink, Stamper, Step, utc};
use sup::model::spec::{LogFile, LogSpec};

use dice::Dice;

/// Some bytes; one in `line` ends a line.
fn output(dice: &mut Dice, length_max: usize, line: usize) -> Vec<u8> {
    let length = dice.index(length_max + 1);
    let byte = |_| {
        if dice.index(line) == 0 {
            b'\n'
        } else {
            dice.any() as u8
        }
    };
    (0..length).map(byte).collect()
}

/// `SUP_SEED=n`: that one; `SUP_LIVES=n`: so many; else `usual` ones.
fn seeds(usual: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match number("SUP_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SUP_LIVES").unwrap_or(usual),
    }
}

fn joined((first, second): (&[u8], &[u8])) -> Vec<u8> {
    [first, second].concat()
}

// ---- ring ----

/// The last `lines` lines of all that was written, of which the last `capacity` bytes are left.
fn tail_of(all: &[u8], capacity: usize, lines: usize) -> Vec<u8> {
    let cut = all.len().saturating_sub(capacity);
    let starts: Vec<usize> = std::iter::once(0)
        .chain((1..all.len()).filter(|&at| all[at - 1] == b'\n'))
        .collect();
    let wanted = &starts[starts.len().saturating_sub(lines)..];
    match wanted.iter().find(|&&start| start >= cut) {
        Some(&start) => all[start..].to_vec(),
        None if lines == 0 => Vec::new(),
        None => all[cut..].to_vec(),
    }
}

#[test]
fn a_ring_knows_the_last_lines_and_bytes_however_they_came() {
    for seed in seeds(300) {
        let mut dice = Dice::new(seed);
        let capacity = dice.index(400);
        let line = 1 + dice.index(60);
        let (mut ring, mut all) = (Ring::new(capacity), Vec::new());
        for _ in 0..dice.index(30) {
            let bytes = output(&mut dice, 200, line);
            ring.push(&bytes);
            all.extend(bytes);
            assert_eq!(ring.written(), all.len() as u64);
            for lines in [0, 1, 2, 3, 10, usize::MAX] {
                let expected = tail_of(&all, capacity, lines);
                assert_eq!(
                    joined(ring.tail(lines)),
                    expected,
                    "seed {seed}, {lines} lines"
                );
            }
            let offset = dice.index(all.len() + 1);
            let since = ring.since(offset as u64);
            let from = offset.max(all.len().saturating_sub(capacity));
            assert_eq!(
                joined(since.bytes),
                all[from..],
                "seed {seed}, from {offset}"
            );
            assert_eq!(since.missed, (from - offset) as u64, "seed {seed}");
            assert_eq!(since.next, all.len() as u64);
        }
    }
}

#[test]
fn a_tail_begins_with_a_line_unless_there_is_none() {
    let tail = |capacity, text: &str, lines| {
        let mut ring = Ring::new(capacity);
        ring.push(text.as_bytes());
        String::from_utf8(joined(ring.tail(lines))).unwrap()
    };
    assert_eq!(tail(100, "one\ntwo\nthree\n", 2), "two\nthree\n");
    assert_eq!(tail(100, "one\ntwo\nthr", 2), "two\nthr");
    assert_eq!(tail(100, "one", 5), "one");
    assert_eq!(tail(100, "\n\n\n", 2), "\n\n");
    assert_eq!(tail(9, "one\ntwo\nthree\n", 9), "three\n");
    assert_eq!(tail(10, "one\ntwo\nthree\n", 9), "two\nthree\n");
    assert_eq!(tail(4, "one two three\n", 9), "ree\n");
    assert_eq!(tail(4, "one two three", 1), "hree");
    assert_eq!(tail(4, "", 1), "");
}

#[test]
fn a_ring_grows_by_doubling_and_only_when_used() {
    let mut ring = Ring::new(5_000);
    assert_eq!(ring.footprint(), 0);
    let mut sizes = Vec::new();
    for _ in 0..1_000 {
        ring.push(&[0; 10]);
        sizes.push(ring.footprint());
    }
    sizes.dedup();
    assert_eq!(sizes, [1024, 2048, 4096, 5000]);
    ring.push(&[0; 100_000]);
    assert_eq!(ring.footprint(), 5000);
}

#[test]
fn a_ring_without_room_still_counts() {
    let mut ring = Ring::new(0);
    ring.push(b"gone\n");
    assert_eq!((joined(ring.tail(9)), ring.written()), (vec![], 5));
    assert_eq!(ring.since(2).missed, 3);
}

#[test]
fn an_offset_from_another_life_gets_all_there_is() {
    let mut ring = Ring::new(4);
    ring.push(b"onetwo");
    let since = ring.since(1_000);
    assert_eq!(
        (joined(since.bytes), since.missed, since.next),
        (b"etwo".to_vec(), 2, 6)
    );
}

// ---- stamps ----

#[test]
fn times_are_those_of_the_calendar() {
    // From `date -u -d @SECONDS`.
    let table: [(u64, &str); 16] = [
        (0, "1970-01-01T00:00:00Z"),
        (68_169_599, "1972-02-28T23:59:59Z"),
        (68_169_600, "1972-02-29T00:00:00Z"),
        (68_256_000, "1972-03-01T00:00:00Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (978_307_199, "2000-12-31T23:59:59Z"),
        (1_104_537_600, "2005-01-01T00:00:00Z"),
        (1_777_638_896, "2026-05-01T12:34:56Z"),
        (2_147_483_647, "2038-01-19T03:14:07Z"),
        (2_147_483_648, "2038-01-19T03:14:08Z"),
        (4_107_542_399, "2100-02-28T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
        (4_294_967_296, "2106-02-07T06:28:16Z"),
        (13_574_563_200, "2400-02-29T00:00:00Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
        (u64::MAX, "9999-12-31T23:59:59Z"),
    ];
    for (seconds, text) in table {
        assert_eq!(std::str::from_utf8(&utc(seconds)), Ok(text), "{seconds}");
    }
}

#[test]
fn each_day_follows_the_one_before() {
    let leap = |year: u64| {
        let every = |years| year.is_multiple_of(years);
        every(4) && (!every(100) || every(400))
    };
    let mut day = 0;
    for year in 1970..2405 {
        for month in 1..=12 {
            let days = match month {
                2 => 28 + u64::from(leap(year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            for of_month in 1..=days {
                let text = format!("{year:04}-{month:02}-{of_month:02}T00:00:00Z");
                assert_eq!(utc(day * 86_400), text.as_bytes());
                day += 1;
            }
        }
    }
}

#[test]
fn each_line_is_stamped_once_however_it_came() {
    let whole = b"one\n\ntwo\nthree\nfo";
    let mut expected = Vec::new();
    Stamper::default().stamp(whole, 5, &mut expected);
    let stamp = "1970-01-01T00:00:05Z ";
    let lines = ["one\n", "\n", "two\n", "three\n", "fo"];
    assert_eq!(
        String::from_utf8_lossy(&expected),
        lines.map(|line| format!("{stamp}{line}")).concat()
    );
    for seed in seeds(200) {
        let mut dice = Dice::new(seed);
        let (mut stamper, mut out, mut rest) = (Stamper::default(), Vec::new(), &whole[..]);
        while !rest.is_empty() {
            let chunk;
            (chunk, rest) = rest.split_at(dice.index(rest.len() + 1));
            stamper.stamp(chunk, 5, &mut out);
        }
        assert_eq!(out, expected, "seed {seed}");
    }
}

// ---- rotated files ----

struct Place {
    _root: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("log");
        Self { _root: root, path }
    }

    fn dir(&self) -> &Path {
        self.path.parent().unwrap()
    }

    fn numbered(&self, number: usize) -> PathBuf {
        match number {
            0 => self.path.clone(),
            number => self.dir().join(format!("log.{number}")),
        }
    }

    fn text(&self, number: usize) -> String {
        fs::read_to_string(self.numbered(number)).unwrap()
    }

    fn count(&self) -> usize {
        fs::read_dir(self.dir()).unwrap().count()
    }

    /// All files, the oldest first.
    fn files(&self) -> Vec<Vec<u8>> {
        let numbers = (0..self.count()).rev();
        numbers
            .map(|number| fs::read(self.numbered(number)).unwrap())
            .collect()
    }
}

fn spec(path: &Path, max_size: u64, keep: u16) -> LogFile {
    LogFile {
        path: path.to_str().unwrap().into(),
        max_size,
        keep,
        timestamps: false,
    }
}

fn written(log: &mut Rotated, text: &str) {
    if let Some(fault) = log.write(text.as_bytes()) {
        panic!("{fault}");
    }
}

#[test]
fn files_hold_the_end_of_the_output_and_only_whole_lines_where_lines_fit() {
    for seed in seeds(150) {
        let mut dice = Dice::new(seed);
        let place = Place::new();
        let (max, keep) = (1 + dice.index(300), dice.index(5));
        let line = 1 + dice.index(80);
        let spec = spec(&place.path, max as u64, keep as u16);
        let (mut log, mut all) = (Rotated::new(&spec), Vec::new());
        for _ in 0..dice.index(40) {
            // A sup that was restarted goes on between two lines or within one.
            if dice.once_in(8) && all.last() == Some(&b'\n') {
                log = Rotated::new(&spec);
            }
            let bytes = output(&mut dice, 200, line);
            assert!(log.write(&bytes).is_none());
            all.extend(bytes);
        }
        if log.write(b"").is_some() {
            panic!("seed {seed}");
        }
        let files = place.files();
        assert!(
            files.len() <= keep + 1,
            "seed {seed}: {} files",
            files.len()
        );
        assert!(files.iter().all(|file| file.len() <= max), "seed {seed}");
        let whole = files.concat();
        assert!(all.ends_with(&whole), "seed {seed}");
        if whole.len() < all.len() {
            assert_eq!(
                files.len(),
                keep + 1,
                "seed {seed}: something is missing too early"
            );
        }
        for pair in files.windows(2) {
            let line_fits = max >= longest_line(&all);
            assert!(
                !line_fits || pair[0].ends_with(b"\n"),
                "seed {seed}: a line was split"
            );
        }
    }
}

fn longest_line(all: &[u8]) -> usize {
    let lines = all.split_inclusive(|&byte| byte == b'\n');
    lines.map(<[u8]>::len).max().unwrap_or(0)
}

#[test]
fn rotation_keeps_so_many_and_the_newest_is_number_one() {
    let place = Place::new();
    let mut log = Rotated::new(&spec(&place.path, 10, 2));
    for text in [
        "one\n", "two\n", "three\n", "four\n", "five\n", "six\n", "seven\n",
    ] {
        written(&mut log, text);
    }
    assert_eq!(place.count(), 3);
    assert_eq!(place.text(0), "six\nseven\n");
    assert_eq!(place.text(1), "four\nfive\n");
    assert_eq!(place.text(2), "three\n");
    let mode = fs::metadata(&place.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777 & !0o640, 0);
}

#[test]
fn a_begun_line_moves_to_the_next_file_as_a_whole() {
    for keep in [0, 1] {
        let place = Place::new();
        let mut log = Rotated::new(&spec(&place.path, 20, keep));
        written(&mut log, "first line\nsecond");
        written(&mut log, " line\n");
        assert_eq!(place.text(0), "second line\n");
        if keep == 1 {
            assert_eq!(place.text(1), "first line\n");
        }
    }
}

#[test]
fn a_line_longer_than_a_file_is_split() {
    let place = Place::new();
    let mut log = Rotated::new(&spec(&place.path, 4, 9));
    written(&mut log, "0123456789\nab\n");
    assert_eq!(place.files(), [&b"0123"[..], b"4567", b"89\n", b"ab\n"]);
}

#[test]
fn an_existing_file_is_continued_and_its_size_counts() {
    let place = Place::new();
    fs::write(&place.path, "before\n").unwrap();
    let mut log = Rotated::new(&spec(&place.path, 12, 3));
    written(&mut log, "more\n");
    assert_eq!(place.text(0), "before\nmore\n");
    written(&mut log, "x\n");
    assert_eq!(
        (place.text(1), place.text(0)),
        ("before\nmore\n".into(), "x\n".into())
    );
    // A smaller size and fewer files than before.
    for number in 2..=5 {
        fs::write(place.numbered(number), "old\n").unwrap();
    }
    let mut log = Rotated::new(&spec(&place.path, 1, 2));
    written(&mut log, "y");
    assert_eq!(place.count(), 3);
    assert_eq!((place.text(0), place.text(1)), ("y".into(), "x\n".into()));
}

#[test]
fn what_others_do_to_the_file_is_seen_at_rotation() {
    let place = Place::new();
    let mut log = Rotated::new(&spec(&place.path, 10, 3));
    // Moved away, as logrotate does: a new one is begun, and ours not rotated as well.
    written(&mut log, "12345678\n");
    fs::rename(&place.path, place.dir().join("log.moved")).unwrap();
    written(&mut log, "next\n");
    assert_eq!((place.count(), place.text(0)), (2, "next\n".into()));
    // Removed.
    written(&mut log, "1234\n");
    fs::remove_file(&place.path).unwrap();
    written(&mut log, "again\n");
    assert_eq!((place.count(), place.text(0)), (2, "again\n".into()));
    // Emptied.
    written(&mut log, "123\n");
    fs::write(&place.path, "").unwrap();
    written(&mut log, "and again\n");
    assert_eq!((place.count(), place.text(0)), (2, "and again\n".into()));
}

#[test]
fn a_missing_directory_is_told_once_and_so_is_its_return() {
    let place = Place::new();
    let dir = place.dir().join("later");
    let mut log = Rotated::new(&spec(&dir.join("log"), 100, 1));
    let fault = log.write(b"").unwrap();
    let Fault::Lost {
        step: Step::Opening,
        cause,
        ..
    } = &fault
    else {
        panic!("{fault}");
    };
    assert_eq!(cause.kind(), ErrorKind::NotFound);
    let words = fault.to_string();
    assert!(words.starts_with("opening the log /"), "{words}");
    assert!(
        words.contains("later/log: No such file or directory"),
        "{words}"
    );
    assert!(log.write(b"four").is_none());
    assert!(log.write(b"five5").is_none());
    fs::create_dir(&dir).unwrap();
    let fault = log.write(b"six\n").unwrap();
    assert!(matches!(fault, Fault::Over { lost: 9, .. }), "{fault}");
    assert!(log.write(b"seven\n").is_none());
    assert_eq!(fs::read_to_string(dir.join("log")).unwrap(), "six\nseven\n");
}

#[test]
fn only_a_regular_file_is_a_log() {
    let place = Place::new();
    nix::unistd::mkfifo(&place.path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let fault = Rotated::new(&spec(&place.path, 100, 1))
        .write(b"x")
        .unwrap();
    assert!(fault.to_string().contains("not a regular file"), "{fault}");
    let link = place.dir().join("link");
    symlink(place.dir().join("target"), &link).unwrap();
    let fault = Rotated::new(&spec(&link, 100, 1)).write(b"x");
    // A person's own link is followed, root's is not.
    assert_eq!(fault.is_some(), nix::unistd::geteuid().is_root());
}

/// A RAM file system that goes when dropped. Only root can make one.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    fn new(size: &str) -> Option<Self> {
        let root = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", size, "tmpfs"]);
        let mounted = mount.arg(root.path()).status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self(root))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn on_a_full_disk_the_oldest_goes_and_then_the_output() {
    if let Some(tmpfs) = Tmpfs::new("size=32k") {
        fill(tmpfs.0.path());
    }
}

/// Eight pages: two for each file.
fn fill(dir: &Path) {
    let (path, other) = (dir.join("log"), dir.join("other"));
    let mut log = Rotated::new(&spec(&path, 8192, 3));
    let line = [&[b'x'; 1023][..], b"\n"].concat();
    let mut write = |lines: usize| (0..lines).find_map(|_| log.write(&line));
    assert!(write(32).is_none(), "four files fit exactly");
    assert!(dir.join("log.3").exists());
    // Somebody else takes a part, then all that is left.
    fs::remove_file(dir.join("log.3")).unwrap();
    fs::write(&other, [0; 8192]).unwrap();
    assert!(write(8).is_none());
    assert!(!dir.join("log.3").exists(), "the oldest went for it");
    for number in 1..=2 {
        let _ = fs::remove_file(dir.join(format!("log.{number}")));
    }
    fs::write(&path, "").unwrap();
    fs::write(&other, [0; 65536]).unwrap_err();
    let fault = write(20).unwrap();
    let Fault::Lost {
        cause,
        step: Step::Writing,
        ..
    } = &fault
    else {
        panic!("{fault}");
    };
    assert_eq!(cause.kind(), ErrorKind::StorageFull, "{fault}");
    assert!(write(5).is_none(), "told once");
    fs::remove_file(other).unwrap();
    let fault = write(1).unwrap();
    assert!(matches!(fault, Fault::Over { lost: 6144, .. }), "{fault}");
}

// ---- the sink ----

#[test]
fn a_sink_keeps_the_output_and_stamps_the_file() {
    let place = Place::new();
    let mut file = spec(&place.path, 1000, 1);
    file.timestamps = true;
    let mut sink = Sink::new(&LogSpec::File(file), 100);
    assert!(sink.write(b"", 0).is_none());
    assert!(sink.write(b"on", 1).is_none());
    assert!(sink.write(b"e\ntwo\n", 2).is_none());
    assert_eq!(joined(sink.ring().tail(9)), b"one\ntwo\n");
    assert_eq!(
        place.text(0),
        "1970-01-01T00:00:01Z one\n1970-01-01T00:00:02Z two\n"
    );
}

#[test]
fn a_sink_without_a_file_never_fails() {
    for (spec, kept) in [
        (LogSpec::Ring, &b"text\n"[..]),
        (LogSpec::Inherit, b""),
        (LogSpec::Null, b""),
    ] {
        let mut sink = Sink::new(&spec, 100);
        assert!(sink.write(b"text\n", 1).is_none());
        assert_eq!(joined(sink.ring().tail(1)), kept, "{spec:?}");
    }
}

#[test]
fn the_ring_has_what_the_file_has_not() {
    let place = Place::new();
    let missing = spec(&place.dir().join("no/log"), 100, 1);
    let mut sink = Sink::new(&LogSpec::File(missing), 100);
    assert!(sink.write(b"one\n", 1).is_some());
    assert!(sink.write(b"two\n", 1).is_none());
    assert_eq!(joined(sink.ring().tail(9)), b"one\ntwo\n");
}

#[test]
fn a_sink_goes_to_another_thread() {
    fn sendable<T: Send + 'static>(_: &T) {}
    sendable(&Sink::new(&LogSpec::Ring, 1));
}
