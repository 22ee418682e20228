//! The binaries for the boxes: static, alone, aligned for big pages, without NEON, and small.
//!
//! Looks at the files of `SUP_ELF` (paths with spaces between them), or at what `cross/build`
//! has left under the target directory. Where neither is there, there is nothing to hold.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// What kernels of 64 KiB pages ask of a segment; those of 4, 16 and 32 KiB are served too.
const BIG_PAGE: u64 = 64 << 10;

/// Targets with the size that sup may have there, in bytes. Raising one needs a reason in
/// its commit.
const TARGETS: [(&str, Machine, u64); 3] = [
    ("x86_64-unknown-linux-musl", Machine::X86_64, 1_048_576),
    ("aarch64-unknown-linux-musl", Machine::Aarch64, 960_000),
    ("armv7-unknown-linux-musleabihf", Machine::Arm, 826_000),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Machine {
    X86_64,
    Aarch64,
    Arm,
}

/// A part of the file that the kernel maps or reads.
struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    align: u64,
}

struct Elf {
    machine: Machine,
    segments: Vec<Segment>,
    /// What the ARM attributes say, where the file has them.
    attributes: Vec<(u64, u64)>,
}

const LOAD: u32 = 1;
const DYNAMIC: u32 = 2;
const INTERPRETER: u32 = 3;

/// Little-endian numbers out of a file.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn number(&self, at: u64, size: usize) -> u64 {
        let at = usize::try_from(at).unwrap();
        let bytes = &self.0[at..at + size];
        bytes
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// An offset or an address: 8 bytes in a file of 64 bits, 4 in one of 32.
    fn word(&self, at: u64) -> u64 {
        self.number(at, if self.is_64() { 8 } else { 4 })
    }

    fn is_64(&self) -> bool {
        self.0[4] == 2
    }
}

fn parse(file: &[u8]) -> Elf {
    assert_eq!(&file[..4], b"\x7fELF", "not an ELF file");
    assert_eq!(file[5], 1, "not little-endian");
    let bytes = Bytes(file);
    let machine = match bytes.number(18, 2) {
        62 => Machine::X86_64,
        183 => Machine::Aarch64,
        40 => Machine::Arm,
        other => panic!("machine {other} is none of ours"),
    };
    Elf {
        machine,
        segments: segments(&bytes),
        attributes: arm_attributes(&bytes),
    }
}

fn segments(bytes: &Bytes<'_>) -> Vec<Segment> {
    let wide = bytes.is_64();
    let (table, size, count) = if wide { (32, 54, 56) } else { (28, 42, 44) };
    let (table, size) = (bytes.word(table), bytes.number(size, 2));
    let (offset, address, align) = if wide { (8, 16, 48) } else { (4, 8, 28) };
    (0..bytes.number(count, 2))
        .map(|nth| table + nth * size)
        .map(|at| Segment {
            kind: u32::try_from(bytes.number(at, 4)).unwrap(),
            offset: bytes.word(at + offset),
            address: bytes.word(at + address),
            align: bytes.word(at + align),
        })
        .collect()
}

/// The pairs of tag and number in the section `.ARM.attributes` ("ABI for the Arm
/// Architecture, Addenda": a letter, then vendor, then tags as LEB128).
fn arm_attributes(bytes: &Bytes<'_>) -> Vec<(u64, u64)> {
    const ARM_ATTRIBUTES: u64 = 0x7000_0003;
    if bytes.is_64() {
        return Vec::new();
    }
    let (table, size) = (bytes.word(32), bytes.number(46, 2));
    let section = (0..bytes.number(48, 2))
        .map(|nth| table + nth * size)
        .find(|at| bytes.number(at + 4, 4) == ARM_ATTRIBUTES);
    let Some(section) = section else {
        return Vec::new();
    };
    let start = usize::try_from(bytes.word(section + 16)).unwrap();
    let length = usize::try_from(bytes.word(section + 20)).unwrap();
    // A letter, the length, the vendor with its zero, a tag for the whole file, its length.
    let content = &bytes.0[start + 5..start + length];
    let vendor = content.iter().position(|byte| *byte == 0).unwrap();
    let mut rest = &content[vendor + 1 + 5..];
    let mut pairs = Vec::new();
    while !rest.is_empty() {
        let tag = leb128(&mut rest);
        // CPU names, compatibility and odd tags beyond 32 are texts.
        if matches!(tag, 4 | 5 | 32 | 65 | 67) {
            let end = rest.iter().position(|byte| *byte == 0).unwrap();
            rest = &rest[end + 1..];
        } else {
            pairs.push((tag, leb128(&mut rest)));
        }
    }
    pairs
}

fn leb128(rest: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let byte = rest[0];
        *rest = &rest[1..];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    number
}

/// What is wrong with a binary for `machine`.
fn faults(elf: &Elf, machine: Machine) -> Vec<String> {
    let mut faults = Vec::new();
    let mut hold = |holds: bool, words: String| {
        if !holds {
            faults.push(words);
        }
    };
    hold(elf.machine == machine, format!("is for {:?}", elf.machine));
    for segment in &elf.segments {
        hold(
            segment.kind != INTERPRETER,
            "asks for an interpreter".to_owned(),
        );
        hold(segment.kind != DYNAMIC, "is dynamic".to_owned());
        if segment.kind != LOAD {
            continue;
        }
        let least = if machine == Machine::X86_64 {
            4096
        } else {
            BIG_PAGE
        };
        hold(
            segment.align >= least,
            format!(
                "has a segment aligned to {:#x}, needs {least:#x}",
                segment.align
            ),
        );
        hold(
            segment.align > 0 && segment.offset % segment.align == segment.address % segment.align,
            format!(
                "has a segment at {:#x} that lies elsewhere in the file: {:#x}",
                segment.address, segment.offset
            ),
        );
    }
    if machine == Machine::Arm {
        arm_faults(elf, &mut hold);
    }
    faults
}

/// The smallest boxes have an ARMv7 with half of the floating-point registers and no NEON.
fn arm_faults(elf: &Elf, hold: &mut impl FnMut(bool, String)) {
    const CPU_ARCH: u64 = 6;
    const FP_ARCH: u64 = 10;
    const ADVANCED_SIMD: u64 = 12;
    const VFP_ARGUMENTS: u64 = 28;
    let value = |tag| {
        let found = elf.attributes.iter().find(|(key, _)| *key == tag);
        found.map_or(0, |(_, value)| *value)
    };
    hold(value(CPU_ARCH) == 10, "is not for ARMv7".to_owned());
    hold(
        value(FP_ARCH) == 4,
        format!("has floating point {}, not VFPv3-D16", value(FP_ARCH)),
    );
    hold(value(ADVANCED_SIMD) == 0, "uses NEON".to_owned());
    hold(value(VFP_ARGUMENTS) == 1, "is not hard-float".to_owned());
}

/// The binaries that there are, each with its target.
fn binaries() -> Vec<(PathBuf, (&'static str, Machine, u64))> {
    let target_of = |path: &Path| {
        let text = path.to_string_lossy().into_owned();
        let found = TARGETS
            .into_iter()
            .find(|(target, ..)| text.contains(target));
        found.unwrap_or_else(|| panic!("{text}: no target in its path"))
    };
    if let Some(list) = env::var_os("SUP_ELF") {
        let list = list.into_string().unwrap();
        let paths = list.split_whitespace().map(PathBuf::from);
        return paths.map(|path| (path.clone(), target_of(&path))).collect();
    }
    // The test runs from target/…/deps; the other targets' directories lie beside.
    let this = env::current_exe().unwrap();
    let found = this.ancestors().flat_map(|folder| {
        TARGETS.map(|target| (folder.join(target.0).join("release/sup"), target))
    });
    found.filter(|(path, _)| path.is_file()).collect()
}

#[test]
fn binaries_for_boxes_run_alone_on_any_page_size_and_stay_small() {
    let mut told = Vec::new();
    for (path, (_, machine, budget)) in binaries() {
        let file = fs::read(&path).unwrap();
        let mut wrong = faults(&parse(&file), machine);
        if file.len() as u64 > budget {
            wrong.push(format!("has {} bytes, may have {budget}", file.len()));
        }
        told.extend(
            wrong
                .iter()
                .map(|words| format!("{}: {words}", path.display())),
        );
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}

/// So that the test above means something: this test itself is none of those binaries.
#[test]
fn a_dynamic_binary_is_told_from_them() {
    let this = fs::read(env::current_exe().unwrap()).unwrap();
    let elf = parse(&this);
    let told = faults(&elf, Machine::Arm).join("; ");
    assert!(told.contains("is not for ARMv7"), "{told}");
    assert!(told.contains("needs 0x10000"), "{told}");
    if cfg!(not(target_feature = "crt-static")) {
        assert!(told.contains("asks for an interpreter"), "{told}");
        assert!(told.contains("is dynamic"), "{told}");
    }
}
