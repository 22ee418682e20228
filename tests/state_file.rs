//! The state file: whatever happens to its bytes, sup starts, and remembers the old or
//! the new, never a mixture.

#[path = "common/dice.rs"]
mod dice;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sup::model::alert::{
    AlertMemory, ChannelMemory, IncidentMemory, Key, Kind, Severity, ToldMemory,
};
use sup::model::limits::{BLOCK, EXITS_KEPT, NAME_MAX};
use sup::model::memory::{Credit, Ended, GroupMemory, Hold, Scale};
use sup::model::{BootId, ChildMemory, Exit, Memory, Signal, Stage, StartFault, Timeout, Uptime};
use sup::os::file::lock_dir;
use sup::store::{
    HEADER_SIZE, IMAGE_MAX, Loaded, SLOTS, SlotFault, Store, Turn, open, rebase, seal, survey,
};

use dice::Dice;

// ---- what is remembered ----

/// `SUP_SEED=n`: that one; `SUP_LIVES=n`: so many; else `usual` ones.
fn seeds(usual: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match number("SUP_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SUP_LIVES").unwrap_or(usual),
    }
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const EXITS: [Exit; 10] = [
    Exit::Code(0),
    Exit::Code(255),
    Exit::Signal {
        signal: Signal(11),
        core: true,
    },
    Exit::Vanished,
    Exit::StartFault(StartFault {
        stage: Stage::Exec,
        errno: 2,
    }),
    Exit::Timeout(Timeout::Start),
    Exit::Timeout(Timeout::Stop),
    Exit::Watchdog,
    Exit::Unhealthy,
    Exit::OutOfMemory,
];

fn random_memory(dice: &mut Dice) -> Memory {
    let at = Uptime::from_millis((dice.any() >> (1 + dice.index(60))) as i64);
    Memory {
        boot: BootId(std::array::from_fn(|_| dice.any() as u8)),
        at,
        children: (0..dice.index(20))
            .map(|_| random_child(dice, at))
            .collect(),
        groups: (0..dice.index(5)).map(|_| random_group(dice, at)).collect(),
        alerts: random_alerts(dice, at),
    }
}

fn random_alerts(dice: &mut Dice, at: Uptime) -> AlertMemory {
    let incident = |dice: &mut Dice| IncidentMemory {
        key: Key {
            subject: random_name(dice),
            kind: if dice.once_in(2) {
                Kind::Down
            } else {
                Kind::Check(random_name(dice))
            },
        },
        severity: Severity::ALL[dice.index(5)],
        since: earlier(dice, at),
        restarts: dice.any() as u32,
        recent: random_window(dice, at),
        over: dice.once_in(2),
    };
    let told = |dice: &mut Dice| ToldMemory {
        incident: dice.any() as u16,
        severity: Severity::ALL[dice.index(5)],
        at: earlier(dice, at),
    };
    let channel = |dice: &mut Dice| ChannelMemory {
        name: random_name(dice),
        sent: random_window(dice, at),
        told: (0..dice.index(4)).map(|_| told(dice)).collect(),
    };
    AlertMemory {
        incidents: (0..dice.index(4)).map(|_| incident(dice)).collect(),
        channels: (0..dice.index(4)).map(|_| channel(dice)).collect(),
    }
}

fn earlier(dice: &mut Dice, at: Uptime) -> Uptime {
    at.before(millis(dice.number()))
}

fn random_name(dice: &mut Dice) -> Box<str> {
    "ü".repeat(dice.index(NAME_MAX / 2)).into()
}

fn random_hold(dice: &mut Dice, at: Uptime) -> Hold {
    match dice.index(4) {
        0 => Hold::None,
        1 => Hold::Up,
        2 => Hold::Down,
        _ => Hold::DownUntil(at + millis(dice.number() >> 1)),
    }
}

fn random_credit(dice: &mut Dice, at: Uptime) -> Credit {
    match dice.index(4) {
        0 => Credit::Whole,
        1 => Credit::GaveUp,
        2 => Credit::Trial,
        _ => Credit::Parked(at + millis(dice.number() >> 1)),
    }
}

fn random_window(dice: &mut Dice, at: Uptime) -> Vec<Uptime> {
    (0..dice.index(30)).map(|_| earlier(dice, at)).collect()
}

fn random_child(dice: &mut Dice, at: Uptime) -> ChildMemory {
    let exits = (0..dice.index(EXITS_KEPT + 1)).map(|_| Ended {
        nth: dice.number() as u32,
        exit: EXITS[dice.index(EXITS.len())],
        at: earlier(dice, at),
        ran: millis(dice.number()),
        asked: dice.once_in(2),
    });
    let exits = exits.collect();
    ChildMemory {
        name: random_name(dice),
        hold: random_hold(dice, at),
        streak: dice.number() as u32,
        window: random_window(dice, at),
        credit: random_credit(dice, at),
        runs: dice.number() as u32,
        restarts: dice.number() as u32,
        failures: dice.number() as u32,
        up_total: millis(dice.number()),
        wanted_total: millis(dice.number()),
        exits,
    }
}

fn random_group(dice: &mut Dice, at: Uptime) -> GroupMemory {
    let scale = dice.once_in(2).then(|| Scale {
        configured: dice.number() as u16,
        instances: (0..dice.index(9)).map(|_| dice.number() as u16).collect(),
    });
    GroupMemory {
        name: random_name(dice),
        hold: random_hold(dice, at),
        streak: dice.number() as u32,
        window: random_window(dice, at),
        credit: random_credit(dice, at),
        restarts: dice.number() as u32,
        failures: dice.number() as u32,
        up_total: millis(dice.number()),
        wanted_total: millis(dice.number()),
        scale,
    }
}

/// One of everything that the first version can save. Frozen with its golden file.
fn one_of_every_child() -> Memory {
    let at = Uptime::from_millis(7_000_000);
    let child = |nth: usize, hold, credit| ChildMemory {
        name: format!("child-{nth}").into(),
        hold,
        streak: 3,
        window: vec![at.before(secs(500)), at.before(secs(20))],
        credit,
        runs: 1000,
        restarts: 300,
        failures: 7,
        up_total: secs(86_400 * 400),
        wanted_total: secs(86_400 * 401),
        exits: (0..EXITS_KEPT)
            .map(|i| Ended {
                nth: 996 + i as u32,
                exit: EXITS[(EXITS_KEPT * nth + i) % EXITS.len()],
                at: at.before(secs(400 - 100 * i as u64)),
                ran: millis(65),
                asked: true,
            })
            .collect(),
    };
    Memory {
        boot: BootId(*b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"),
        at,
        children: vec![
            child(0, Hold::None, Credit::Whole),
            child(1, Hold::Up, Credit::Parked(at + secs(3600))),
            child(2, Hold::Down, Credit::GaveUp),
            child(3, Hold::DownUntil(at + secs(7200)), Credit::Trial),
        ],
        groups: Vec::new(),
        alerts: AlertMemory::default(),
    }
}

/// That, groups and alerts: all that the second version can save. Frozen with its golden
/// file.
fn one_of_everything() -> Memory {
    let mut memory = one_of_every_child();
    let at = memory.at;
    let group = |nth: usize, hold, credit, scale| GroupMemory {
        name: format!("group-{nth}").into(),
        hold,
        streak: 2,
        window: vec![at.before(secs(50)), at.before(secs(2))],
        credit,
        restarts: 200,
        failures: 5,
        up_total: secs(86_400 * 300),
        wanted_total: secs(86_400 * 301),
        scale,
    };
    let scale = |instances: &[u16]| Scale {
        configured: 4,
        instances: instances.to_vec(),
    };
    memory.groups = vec![
        group(0, Hold::None, Credit::Whole, None),
        group(
            1,
            Hold::Up,
            Credit::Parked(at + secs(60)),
            Some(scale(&[1, 3, 1000])),
        ),
        group(2, Hold::Down, Credit::GaveUp, Some(scale(&[]))),
        group(3, Hold::DownUntil(at + secs(90)), Credit::Trial, None),
    ];
    memory.alerts = one_of_every_alert(at);
    memory
}

fn one_of_every_alert(at: Uptime) -> AlertMemory {
    let kinds = [
        Kind::Down,
        Kind::Check("disk /share".into()),
        Kind::Down,
        Kind::Down,
        Kind::Check("http".into()),
    ];
    let incidents = kinds.into_iter().zip(Severity::ALL).enumerate();
    let incidents = incidents.map(|(nth, (kind, severity))| IncidentMemory {
        key: Key {
            subject: format!("child-{nth}").into(),
            kind,
        },
        severity,
        since: at.before(secs(4000)),
        restarts: 300,
        recent: vec![at.before(secs(500)), at.before(secs(20))],
        over: nth == 2,
    });
    let told = |incident, severity| ToldMemory {
        incident,
        severity,
        at: at.before(secs(300)),
    };
    let channel = ChannelMemory {
        name: "ntfy".into(),
        sent: vec![at.before(secs(300))],
        told: vec![told(1, Severity::Warning), told(4, Severity::Critical)],
    };
    AlertMemory {
        incidents: incidents.collect(),
        channels: vec![channel],
    }
}

// ---- the bytes ----

#[test]
fn the_first_version_is_read_as_ever() {
    let (generation, payload) = open(include_bytes!("golden/state-v1.bin")).unwrap();
    assert_eq!(generation, 7);
    assert_eq!(sup::store::decode(payload), Ok(one_of_every_child()));
}

#[test]
fn the_second_version_is_written_and_read_as_ever() {
    let golden = include_bytes!("golden/state-v2.bin");
    let memory = one_of_everything();
    let image = seal(7, &Store::encode(&memory)).unwrap();
    if image != golden {
        let written = Path::new(env!("CARGO_TARGET_TMPDIR")).join("state-v2.bin");
        fs::write(&written, &image).unwrap();
        panic!("version 2 is frozen, but writes {} now", written.display());
    }
    let (generation, payload) = open(golden).unwrap();
    assert_eq!(generation, 7);
    assert_eq!(sup::store::decode(payload), Ok(memory));
}

#[test]
fn what_is_written_is_read() {
    for seed in seeds(1_000) {
        let memory = random_memory(&mut Dice::new(seed));
        let payload = Store::encode(&memory);
        let image = seal(seed, &payload).unwrap();
        assert_eq!(image.len() % BLOCK, 0);
        assert_eq!(open(&image), Ok((seed, &payload[..])));
        assert_eq!(sup::store::decode(&payload), Ok(memory), "seed {seed}");
    }
}

#[test]
fn moments_on_the_wrong_side_of_the_save_become_the_save() {
    let at = Uptime::from_millis(5_000);
    let (past, future) = (Uptime::from_millis(1), Uptime::from_millis(9_000));
    let child = |hold, window| ChildMemory {
        hold,
        window,
        ..Default::default()
    };
    let memory = |children| Memory {
        at,
        children,
        ..Default::default()
    };
    let payload = Store::encode(&memory(vec![child(Hold::DownUntil(past), vec![future])]));
    let expected = memory(vec![child(Hold::DownUntil(at), vec![at])]);
    assert_eq!(sup::store::decode(&payload), Ok(expected));
}

#[test]
fn sixteen_children_at_their_worst_fit_one_block() {
    let at = Uptime::from_millis(10 * 365 * 86_400_000);
    let child = |nth: usize| ChildMemory {
        name: format!("{nth:0NAME_MAX$}").into(),
        hold: Hold::DownUntil(at + secs(86_400 * 365)),
        streak: 100_000,
        window: (0..5).map(|i| at.before(secs(3_600 - i))).collect(),
        credit: Credit::Parked(at + secs(86_400)),
        runs: 1_000_000,
        restarts: 1_000_000,
        failures: 1_000_000,
        up_total: at - Uptime::default(),
        wanted_total: at - Uptime::default(),
        exits: (0..EXITS_KEPT as u64)
            .map(|i| Ended {
                nth: 1_000_000,
                exit: EXITS[4],
                at: at.before(secs(86_400 * 365 - i)),
                ran: secs(86_400 * 365),
                asked: false,
            })
            .collect(),
    };
    let children = (0..16).map(child).collect();
    let payload = Store::encode(&Memory {
        boot: BootId([9; 16]),
        at,
        children,
        groups: Vec::new(),
        alerts: AlertMemory::default(),
    });
    let image = seal(u64::MAX, &payload).unwrap();
    assert_eq!(
        image.len(),
        BLOCK,
        "the payload has {} bytes",
        payload.len()
    );
}

#[test]
fn a_payload_longer_than_any_memory_is_refused() {
    assert_eq!(seal(1, &vec![0; IMAGE_MAX]), None);
}

// ---- damage ----

const NOTHING: Result<Vec<u8>, SlotFault> = Err(SlotFault::Missing);

/// A small memory that can be told from others by its number.
fn numbered(number: u32) -> Memory {
    let mut dice = Dice::new(u64::from(number));
    let mut memory = random_memory(&mut dice);
    let at = memory.at;
    memory.children.truncate(3);
    memory.children.push(random_child(&mut dice, at));
    memory.children[0].runs = number;
    memory
}

fn image(number: u32) -> Vec<u8> {
    seal(number.into(), &Store::encode(&numbered(number))).unwrap()
}

fn load(images: &[Result<Vec<u8>, SlotFault>; 3]) -> Option<Memory> {
    survey(images).1.memory
}

/// The newer slot is damaged: the older one must be read, and the next image go elsewhere.
fn damaged(bytes: Vec<u8>) -> SlotFault {
    let (turn, loaded) = survey(&[Ok(image(1)), Ok(bytes), NOTHING]);
    assert_eq!(loaded.memory, Some(numbered(1)), "{:?}", loaded.remarks);
    assert!(turn.targets().all(|slot| slot != 0));
    let [remark] = loaded.remarks[..] else {
        panic!("one remark is due: {:?}", loaded.remarks);
    };
    assert_eq!(remark.name, SLOTS[1]);
    remark.fault
}

#[test]
fn the_newest_slot_is_read_wherever_it_is() {
    for order in [
        [1, 2, 3],
        [1, 3, 2],
        [3, 1, 2],
        [2, 3, 1],
        [3, 2, 1],
        [2, 1, 3],
    ] {
        assert_eq!(
            load(&order.map(|number| Ok(image(number)))),
            Some(numbered(3))
        );
    }
}

#[test]
fn any_flipped_bit_means_the_other_slot() {
    let whole = image(2);
    let counted = HEADER_SIZE + Store::encode(&numbered(2)).len();
    for bit in 0..counted * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        damaged(bytes);
    }
    // Behind the payload nothing counts: one bit of each byte.
    for bit in (counted * 8..whole.len() * 8).step_by(9) {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(load(&[Ok(image(1)), Ok(bytes), NOTHING]), Some(numbered(2)));
    }
}

#[test]
fn any_missing_end_means_the_other_slot() {
    let counted = HEADER_SIZE + Store::encode(&numbered(2)).len();
    for length in 0..counted {
        let fault = damaged(image(2)[..length].to_vec());
        let expected = if length == 0 {
            SlotFault::Empty
        } else {
            SlotFault::Short
        };
        assert_eq!(fault, expected, "{length} bytes");
    }
}

#[test]
fn zeros_in_any_place_mean_the_other_slot() {
    let whole = image(2);
    let counted = HEADER_SIZE + Store::encode(&numbered(2)).len();
    let zeroed = |from: usize, to: usize| {
        let mut bytes = whole.clone();
        bytes[from..to].fill(0);
        if bytes != whole {
            damaged(bytes);
        }
    };
    for edge in 0..=counted {
        zeroed(0, edge);
        zeroed(edge, whole.len());
    }
    for sector in (0..whole.len()).step_by(512) {
        zeroed(sector, sector + 512);
    }
    assert_eq!(damaged(vec![0; BLOCK]), SlotFault::Zeroed);
}

#[test]
fn a_length_gone_wrong_is_not_believed() {
    for length in [IMAGE_MAX as u32, u32::MAX] {
        let mut bytes = image(2);
        bytes[12..16].copy_from_slice(&length.to_le_bytes());
        assert_eq!(damaged(bytes), SlotFault::TooLong);
    }
}

#[test]
fn garbage_is_passed_over() {
    let mut dice = Dice::new(1);
    for _ in 0..2_000 {
        let mut bytes: Vec<u8> = (0..dice.index(200)).map(|_| dice.any() as u8).collect();
        damaged(bytes.clone());
        // With a right check sum: as a bug in another version might leave it.
        bytes.insert(0, 0);
        let _ = sup::store::decode(&bytes);
    }
    assert_eq!(damaged(b"#!/bin/sh\n".to_vec()), SlotFault::Foreign);
    let mut payload = Store::encode(&numbered(2));
    payload.push(0);
    assert_eq!(damaged(seal(2, &payload).unwrap()), SlotFault::Garbled);
}

#[test]
fn a_newer_sups_slot_is_kept_and_its_count_continued() {
    let newer = |generation| seal(generation, &[127, 2, 3]).unwrap();
    assert_eq!(damaged(newer(8)), SlotFault::Newer { generation: 8 });

    let (mut turn, loaded) = survey(&[Ok(newer(8)), Ok(newer(9)), NOTHING]);
    assert_eq!((loaded.memory, loaded.remarks.len()), (None, 2));
    let mut slots = [newer(8), newer(9), vec![]];
    for _ in 0..5 {
        let slot = turn.targets().next().unwrap();
        slots[slot] = turn.seal(&Store::encode(&numbered(1))).unwrap();
        turn.durable(slot);
    }
    assert_eq!(slots[1], newer(9), "the newest of the newer ones");
    assert_eq!(
        open(&slots[0]).unwrap().0,
        14,
        "the newer sup will find ours newer"
    );
    assert_eq!(open(&slots[2]).unwrap().0, 13);
}

#[test]
fn a_newer_frame_is_told_from_a_broken_one() {
    let mut bytes = image(2);
    bytes[8] = 2;
    assert_eq!(damaged(bytes.clone()), SlotFault::Damaged);
    let length = HEADER_SIZE + Store::encode(&numbered(2)).len();
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
    let mut digest = crc.digest();
    digest.update(&bytes[..24]);
    digest.update(&bytes[HEADER_SIZE..length]);
    bytes[24..28].copy_from_slice(&digest.finalize().to_le_bytes());
    assert_eq!(damaged(bytes), SlotFault::Newer { generation: 2 });
}

#[test]
fn remarks_are_words() {
    let (_, loaded) = survey(&[Ok(vec![0; 99]), Ok(b"text".to_vec()), NOTHING]);
    let words: Vec<_> = loaded.remarks.iter().map(ToString::to_string).collect();
    assert_eq!(
        words,
        [
            "state.a was passed over: it is filled with zeros",
            "state.b was passed over: it was not written by sup",
        ]
    );
    assert_eq!(survey(&[NOTHING, NOTHING, NOTHING]).1, Loaded::default());
}

// ---- power cuts ----

const SECTOR: usize = 512;

/// One file on a disk that may lose power: what is surely there, and what was written
/// since the last sync, of which any sectors may be there as well.
#[derive(Clone, Default)]
struct File {
    durable: Vec<u8>,
    /// Whether the name outlives a cut.
    named: bool,
    pending: Vec<Vec<u8>>,
}

impl File {
    /// What a process sees: the page cache.
    fn seen(&self) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for write in &self.pending {
            overlay(&mut bytes, write, |_| true);
        }
        bytes
    }

    /// What is there after a cut, when of the pending writes only those sectors were
    /// written that `reached` names, by write and sector.
    fn after_cut(&self, reached: impl Fn(usize, usize) -> bool) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for (nth, write) in self.pending.iter().enumerate() {
            overlay(&mut bytes, write, |sector| reached(nth, sector));
        }
        bytes
    }
}

/// Writes the chosen sectors of `write` over `bytes`; a hole before one is zeros.
fn overlay(bytes: &mut Vec<u8>, write: &[u8], chosen: impl Fn(usize) -> bool) {
    for (sector, part) in write.chunks(SECTOR).enumerate() {
        if chosen(sector) {
            let (from, to) = (sector * SECTOR, sector * SECTOR + part.len());
            bytes.resize(bytes.len().max(to), 0);
            bytes[from..to].copy_from_slice(part);
        }
    }
}

/// The slots' files; `None` where there is none.
#[derive(Clone, Default)]
struct Disk([Option<File>; 3]);

impl Disk {
    fn images(&self) -> [Result<Vec<u8>, SlotFault>; 3] {
        self.0
            .each_ref()
            .map(|file| file.as_ref().map_or(NOTHING, |file| Ok(file.seen())))
    }

    fn write(&mut self, slot: usize, image: &[u8]) {
        let file = self.0[slot].get_or_insert_default();
        file.pending.push(image.to_vec());
    }

    fn sync(&mut self, slot: usize) {
        let file = self.0[slot].as_mut().unwrap();
        file.durable = file.seen();
        file.pending.clear();
        file.named = true;
    }

    /// Power is lost: dice say what of the unsynced had reached the disk.
    fn cut(&mut self, dice: &mut Dice) {
        for place in &mut self.0 {
            let Some(file) = place else { continue };
            if !file.named && dice.once_in(2) {
                *place = None;
                continue;
            }
            // All, nothing, or any sectors.
            let mask = match dice.index(4) {
                0 => 0,
                1 => u64::MAX,
                _ => dice.any(),
            };
            let bytes = file.after_cut(|nth, sector| {
                mask.rotate_left(nth as u32 * 17) >> (sector % 64) & 1 == 1
            });
            *file = File {
                durable: bytes,
                named: true,
                pending: Vec::new(),
            };
        }
    }
}

#[test]
fn a_cut_within_a_save_leaves_the_old_or_the_new_whatever_sectors_were_written() {
    for saves in 0..4 {
        let mut disk = Disk::default();
        let mut turn = Turn::default();
        let write = |disk: &mut Disk, turn: &mut Turn, number| {
            let slot = turn.targets().next().unwrap();
            let image = turn.seal(&Store::encode(&spread(number))).unwrap();
            assert_eq!(image.len(), 8 * SECTOR);
            disk.write(slot, &image);
            slot
        };
        for number in 1..=saves {
            let slot = write(&mut disk, &mut turn, number);
            disk.sync(slot);
            turn.durable(slot);
        }
        let slot = write(&mut disk, &mut turn, saves + 1);
        let old = (saves > 0).then(|| spread(saves));
        for mask in 0..=0xffu32 {
            let file = disk.0[slot].clone().unwrap();
            let mut images = disk.images();
            images[slot] = Ok(file.after_cut(|_, sector| mask >> sector & 1 == 1));
            let expected = if mask == 0xff {
                Some(spread(saves + 1))
            } else {
                old.clone()
            };
            assert_eq!(
                load(&images),
                expected,
                "after {saves} saves, sectors {mask:#x}"
            );
        }
        // The name itself was not written.
        let mut images = disk.images();
        if disk.0[slot].as_ref().is_some_and(|file| !file.named) {
            images[slot] = NOTHING;
            assert_eq!(load(&images), old);
        }
    }
}

/// A memory whose every sector differs from those of its neighbours.
fn spread(number: u32) -> Memory {
    let child = |nth: u32| ChildMemory {
        name: format!("{:0width$}", number * 1000 + nth, width = NAME_MAX).into(),
        runs: number,
        ..Default::default()
    };
    Memory {
        children: (0..50).map(child).collect(),
        ..Default::default()
    }
}

/// What may be remembered, by number: the last that was surely saved, or any tried since.
struct Allowed {
    saved: Option<u32>,
    tried: Vec<u32>,
}

impl Allowed {
    fn check(&self, memory: Option<Memory>, seed: u64) -> Option<u32> {
        let Some(memory) = memory else {
            assert_eq!(self.saved, None, "seed {seed}: forgotten");
            return None;
        };
        let number = memory.children[0].runs;
        assert_eq!(memory, numbered(number), "seed {seed}: a mixture");
        let allowed = self.saved == Some(number) || self.tried.contains(&number);
        assert!(
            allowed,
            "seed {seed}: {number}, not {:?} or {:?}",
            self.saved, self.tried
        );
        Some(number)
    }
}

/// `Store::save` on the disk above. The dice end it at any step (`None`) or let one fail.
fn save(
    disk: &mut Disk,
    turn: &mut Turn,
    settled: &mut bool,
    number: u32,
    dice: &mut Dice,
) -> Option<bool> {
    if let Some(slot) = turn.good().filter(|_| !*settled) {
        *settled = true;
        if dice.once_in(9) {
            return None;
        }
        disk.sync(slot);
    }
    for slot in turn.targets() {
        let image = turn.seal(&Store::encode(&numbered(number))).unwrap();
        match dice.index(12) {
            0 => return None,
            1 => continue,
            2 => {
                // Full: a part was written, and no other name is tried.
                disk.write(slot, &image[..dice.index(image.len())]);
                return Some(false);
            }
            _ => disk.write(slot, &image),
        }
        match dice.index(12) {
            0 => return None,
            1 => continue,
            _ => disk.sync(slot),
        }
        turn.durable(slot);
        return Some(true);
    }
    Some(false)
}

#[test]
fn through_cuts_kills_and_faults_the_old_or_the_new_is_remembered() {
    for seed in seeds(400) {
        let mut dice = Dice::new(seed);
        let mut disk = Disk::default();
        let mut allowed = Allowed {
            saved: None,
            tried: Vec::new(),
        };
        let mut number = 0;
        for _life in 0..6 {
            let (mut turn, loaded) = survey(&disk.images());
            allowed.check(loaded.memory, seed);
            let mut settled = false;
            for _ in 0..dice.index(6) {
                number += 1;
                allowed.tried.push(number);
                match save(&mut disk, &mut turn, &mut settled, number, &mut dice) {
                    Some(true) => {
                        allowed = Allowed {
                            saved: Some(number),
                            tried: Vec::new(),
                        };
                    }
                    Some(false) => {}
                    None => break,
                }
            }
            // Either sup is killed, and the page cache lives on, or the power is cut,
            // and what is found then is all there is.
            if dice.once_in(2) {
                disk.cut(&mut dice);
                let found = allowed.check(load(&disk.images()), seed);
                allowed.saved = found;
            }
        }
    }
}

// ---- real files ----

fn open_store(dir: &Path) -> (Store, Loaded) {
    Store::open(dir).unwrap_or_else(|fault| panic!("{fault}"))
}

fn remembered(dir: &Path) -> Option<Memory> {
    open_store(dir).1.memory
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn temp() -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("state");
    (root, dir)
}

#[test]
fn two_files_take_turns_and_hold_what_the_plan_says() {
    let (_root, dir) = temp();
    let (mut store, loaded) = open_store(&dir);
    assert_eq!(loaded, Loaded::default());
    assert_eq!(
        fs::metadata(&dir).unwrap().permissions().mode() & 0o777,
        0o700
    );
    let mut turn = Turn::default();
    for number in 1..=7 {
        let payload = Store::encode(&numbered(number));
        store.save(&payload).unwrap();
        let slot = turn.targets().next().unwrap();
        let path = dir.join(SLOTS[slot]);
        assert_eq!(fs::read(&path).unwrap(), turn.seal(&payload).unwrap());
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        turn.durable(slot);
        assert_eq!(remembered(&dir), Some(numbered(number)));
    }
    assert_eq!(names(&dir), ["state.a", "state.b"]);
}

#[test]
fn a_store_goes_to_another_thread() {
    fn sendable<T: Send + 'static>(_: &T) {}
    let (_root, dir) = temp();
    sendable(&open_store(&dir).0);
}

#[test]
fn a_shorter_memory_is_written_over_a_longer_one() {
    let (_root, dir) = temp();
    let (mut store, _) = open_store(&dir);
    let mut long = spread(1);
    long.children.extend(spread(2).children);
    for memory in [&long, &long, &numbered(1), &long, &numbered(2)] {
        store.save(&Store::encode(memory)).unwrap();
        assert_eq!(remembered(&dir).as_ref(), Some(memory));
    }
}

#[test]
fn garbage_in_both_files_is_written_over() {
    let (_root, dir) = temp();
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("state.a"), "[state]\n").unwrap();
    // Larger than any state file; only its head is read.
    let large = fs::File::create(dir.join("state.b")).unwrap();
    large.set_len(1 << 40).unwrap();
    let (mut store, loaded) = open_store(&dir);
    assert_eq!(loaded.memory, None);
    let faults: Vec<_> = loaded.remarks.iter().map(|remark| remark.fault).collect();
    assert_eq!(faults, [SlotFault::Foreign, SlotFault::Zeroed]);
    for number in 1..=2 {
        store.save(&Store::encode(&numbered(number))).unwrap();
        assert_eq!(remembered(&dir), Some(numbered(number)));
    }
}

#[test]
fn an_unusable_name_is_stepped_round() {
    let (_root, dir) = temp();
    fs::create_dir_all(dir.join("state.b")).unwrap();
    let (mut store, loaded) = open_store(&dir);
    assert_eq!(loaded.remarks[0].fault, SlotFault::Irregular);
    for number in 1..=5 {
        store.save(&Store::encode(&numbered(number))).unwrap();
        assert_eq!(remembered(&dir), Some(numbered(number)));
    }
    assert_eq!(names(&dir), SLOTS);
}

#[test]
fn symlinks_and_pipes_are_neither_followed_nor_waited_for() {
    let (root, dir) = temp();
    fs::create_dir(&dir).unwrap();
    let victim = root.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, dir.join("state.a")).unwrap();
    nix::unistd::mkfifo(&dir.join("state.b"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let (mut store, loaded) = open_store(&dir);
    let faults: Vec<_> = loaded.remarks.iter().map(|remark| remark.fault).collect();
    assert_eq!(faults, [SlotFault::Irregular; 2]);
    store.save(&Store::encode(&numbered(1))).unwrap();
    assert_eq!(remembered(&dir), Some(numbered(1)));
    // There is no place left beside the good one.
    let fault = store.save(&Store::encode(&numbered(2))).unwrap_err();
    assert!(
        fault.to_string().contains("state.b: not a regular file"),
        "{fault}"
    );
    assert_eq!(remembered(&dir), Some(numbered(1)));
    assert_eq!(fs::read_to_string(victim).unwrap(), "precious");
}

#[test]
fn a_state_directory_that_cannot_be_is_named() {
    let (root, dir) = temp();
    fs::write(&dir, "a file").unwrap();
    let fault = Store::open(&dir).unwrap_err();
    assert_eq!(fault.kind(), std::io::ErrorKind::NotADirectory);
    assert!(fault.to_string().contains(dir.to_str().unwrap()), "{fault}");
    // The volume is not there yet: nothing is made in its place.
    let fault = Store::open(&root.path().join("volume/state")).unwrap_err();
    assert_eq!(fault.kind(), std::io::ErrorKind::NotFound);
    assert_eq!(names(root.path()), ["state"]);
}

#[test]
fn what_is_no_payload_is_refused_and_costs_nothing() {
    let (_root, dir) = temp();
    let (mut store, _) = open_store(&dir);
    store.save(&Store::encode(&numbered(1))).unwrap();
    let fault = store.save(&[]).unwrap_err();
    assert_eq!(fault.kind(), std::io::ErrorKind::InvalidInput);
    assert_eq!(remembered(&dir), Some(numbered(1)));
}

/// A RAM file system that goes when dropped. Only root can make one.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    fn new(size: &str) -> Option<Self> {
        let root = tempfile::tempdir().unwrap();
        mount(&["-t", "tmpfs", "-o", size, "tmpfs"], root.path()).then_some(Self(root))
    }
}

fn mount(args: &[&str], at: &Path) -> bool {
    let mut mount = Command::new("mount");
    mount
        .args(args)
        .arg(at)
        .status()
        .is_ok_and(|status| status.success())
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_or_read_only_disk_is_told_and_tried_again() {
    let Some(tmpfs) = Tmpfs::new("size=64k") else {
        // Only root can mount one; the tests of the turn play a full disk as well.
        return;
    };
    let root = tmpfs.0.path();
    let dir = root.join("state");
    let (mut store, _) = open_store(&dir);
    store.save(&Store::encode(&numbered(1))).unwrap();
    let filler = root.join("filler");
    fs::write(&filler, vec![1; 1 << 20]).unwrap_err();
    let fault = store.save(&Store::encode(&numbered(2))).unwrap_err();
    assert_eq!(fault.kind(), std::io::ErrorKind::StorageFull, "{fault}");
    assert!(fault.to_string().contains("state.b"), "{fault}");
    assert_eq!(remembered(&dir), Some(numbered(1)));
    fs::remove_file(&filler).unwrap();
    store.save(&Store::encode(&numbered(3))).unwrap();
    assert_eq!(remembered(&dir), Some(numbered(3)));

    assert!(mount(&["-o", "remount,ro"], root));
    let fault = store.save(&Store::encode(&numbered(4))).unwrap_err();
    assert_eq!(
        fault.kind(),
        std::io::ErrorKind::ReadOnlyFilesystem,
        "{fault}"
    );
    assert_eq!(
        remembered(&dir),
        Some(numbered(3)),
        "opening needs no writing"
    );
    assert!(Store::open(&root.join("other")).is_err());
    assert!(mount(&["-o", "remount,rw"], root));
    store.save(&Store::encode(&numbered(5))).unwrap();
    assert_eq!(remembered(&dir), Some(numbered(5)));
}

#[test]
fn a_directory_has_one_lock_that_ends_with_its_guard() {
    let dir = tempfile::tempdir().unwrap();
    let guard = lock_dir(dir.path()).unwrap();
    let fault = lock_dir(dir.path()).unwrap_err();
    assert_eq!(fault.kind(), std::io::ErrorKind::WouldBlock, "{fault}");
    drop(guard);
    lock_dir(dir.path()).unwrap();
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn the_lock_is_not_inherited() {
    let dir = tempfile::tempdir().unwrap();
    let guard = lock_dir(dir.path()).unwrap();
    let mut child = Command::new("cat")
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(guard);
    lock_dir(dir.path()).unwrap();
    drop(child.stdin.take());
    child.wait().unwrap();
}

// ---- another clock ----

fn remembering(hold: i64, window: &[i64]) -> Memory {
    let moment = Uptime::from_millis;
    let (until, window) = (moment(hold), window.iter().map(|&made| moment(made)));
    let child = ChildMemory {
        hold: Hold::DownUntil(until),
        credit: Credit::Parked(until),
        window: window.collect(),
        ..Default::default()
    };
    let group = GroupMemory {
        hold: child.hold,
        credit: child.credit,
        window: child.window.clone(),
        ..Default::default()
    };
    let incident = IncidentMemory {
        key: Key {
            subject: "".into(),
            kind: Kind::Down,
        },
        severity: Severity::Looping,
        since: child.window[0],
        restarts: 1,
        recent: child.window.clone(),
        over: false,
    };
    let channel = ChannelMemory {
        sent: child.window.clone(),
        told: vec![ToldMemory {
            incident: 0,
            severity: Severity::Looping,
            at: child.window[0],
        }],
        ..Default::default()
    };
    Memory {
        boot: BootId([1; 16]),
        at: moment(100_000),
        children: vec![child],
        groups: vec![group],
        alerts: AlertMemory {
            incidents: vec![incident],
            channels: vec![channel],
        },
    }
}

#[test]
fn moments_are_put_onto_the_clock_of_now() {
    let (same, other, unknown) = (BootId([1; 16]), BootId([2; 16]), BootId::default());
    // Boot, now; then what 160 s (60 s to go), 40 s and 90 s (60 s and 10 s ago) become.
    let table = [
        (same, 120_000, 160_000, [40_000, 90_000]),
        (same, 200_000, 160_000, [40_000, 90_000]),
        // The clock went back under the same boot: no moment is later than now.
        (same, 50_000, 110_000, [40_000, 50_000]),
        (other, 1_000_000, 1_060_000, [940_000, 990_000]),
        (other, 30_000, 90_000, [-30_000, 20_000]),
        // What was before this boot is before zero.
        (other, 0, 60_000, [-60_000, -10_000]),
        (unknown, 30_000, 90_000, [-30_000, 20_000]),
    ];
    for (boot, now, hold, window) in table {
        let now = Uptime::from_millis(now);
        let rebased = rebase(remembering(160_000, &[40_000, 90_000]), now, boot);
        let mut expected = remembering(hold, &window);
        expected.at = now;
        assert_eq!(rebased, expected, "{boot:?} {now:?}");
        assert_eq!(rebase(rebased.clone(), now, boot), rebased, "twice is once");
    }
}

#[test]
fn an_unknown_boot_is_never_the_same() {
    let mut memory = remembering(160_000, &[90_000]);
    memory.boot = BootId::default();
    let now = Uptime::from_millis(1_000_000);
    let rebased = rebase(memory, now, BootId::default());
    assert_eq!(rebased.children[0].window, [Uptime::from_millis(990_000)]);
}

#[test]
fn no_clock_puts_a_wait_further_away_or_a_past_moment_ahead() {
    for seed in seeds(1_000) {
        let mut dice = Dice::new(seed);
        let memory = random_memory(&mut dice);
        let now = Uptime::from_millis((dice.number() >> 1) as i64);
        let boot = if dice.once_in(2) {
            memory.boot
        } else {
            BootId([0; 16])
        };
        let new = rebase(memory.clone(), now, boot);
        let common = |memory: &Memory| -> Vec<(Hold, Credit, Vec<Uptime>)> {
            let children = memory.children.iter();
            let children = children.map(|child| (child.hold, child.credit, child.window.clone()));
            let groups = memory.groups.iter();
            let groups = groups.map(|group| (group.hold, group.credit, group.window.clone()));
            children.chain(groups).collect()
        };
        let at = memory.at;
        for (old, new) in common(&memory).into_iter().zip(common(&new)) {
            if let (Hold::DownUntil(old), Hold::DownUntil(new)) = (old.0, new.0) {
                assert!(new - now <= old - at, "seed {seed}");
            }
            if let (Credit::Parked(old), Credit::Parked(new)) = (old.1, new.1) {
                assert!(new - now <= old - at, "seed {seed}");
            }
            assert!(new.2.iter().all(|&made| made <= now), "seed {seed}");
        }
        let mut ends = new.children.iter().flat_map(|child| &child.exits);
        assert!(ends.all(|ended| ended.at <= now), "seed {seed}");
    }
}
