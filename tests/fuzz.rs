//! Mutated input for whatever reads what others wrote: configuration, env-files, frames on
//! the control socket, HTTP in both directions, the state file, what a killed sup has left
//! in the runtime directory, what one sup hands to the next, journals. Nothing panics,
//! nothing hangs, memory is bounded, and what is read can be written and read again.
//!
//! ```sh
//! SUP_FUZZ_RUNS=1000000 cargo test --profile release-test --test fuzz
//! SUP_SEED=2994 cargo test --test fuzz frame          # one input again
//! SUP_FUZZ_FILE=crash cargo test --test fuzz frame    # what another fuzzer has found
//! ```

#[path = "common/dice.rs"]
mod dice;

use core::cell::Cell;
use core::time::Duration;
use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::io::Write;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sup::checks;
use sup::config::{self, env_file};
use sup::daemon;
use sup::model::limits::{FRAME_MAX, HTTP_REQUEST_MAX};
use sup::model::memory::{Credit, Hold};
use sup::model::report::SupReport;
use sup::model::{BootId, ChildId, Exit, Order, RunId, Signal, Uptime};
use sup::os::adopt::{Record, Then, Verdict};
use sup::os::clock;
use sup::policy::{Action, Event, Handover, Rules, Supervisor};
use sup::replay::{Journal, Telling, play};
use sup::store::{self, Duty, HEADER_SIZE, rebase, seal, survey};
use sup::wire::control::{Hello, Outcome, Reply, Request};
use sup::wire::frame;
use sup::wire::http::{self, Heard, Refusal};
use sup::wire::upgrade::{self, Ask, Told};

use dice::Dice;

// ---- memory -------------------------------------------------------------------

/// The system's allocator, with the bytes that are taken now and were at most.
struct Counting;

thread_local! {
    static TAKEN: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    let taken = TAKEN.get() + bytes;
    TAKEN.set(taken);
    PEAK.set(PEAK.get().max(taken));
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// ---- chance -------------------------------------------------------------------

/// What is put in the place of numbers, and in between.
const WORDS: &[&[u8]] = &[
    b"0",
    b"-1",
    b"1",
    b"255",
    b"256",
    b"65535",
    b"65536",
    b"2147483648",
    b"4294967296",
    b"9223372036854775807",
    b"99999999999999999999999999999999999999999",
    b"1e400",
    b"nan",
    b"0x",
    b"0o777",
    b"\"\"",
    b"\"\"\"",
    b"'''",
    b"[",
    b"]",
    b"[[",
    b"{",
    b"}",
    b"=",
    b",",
    b"\n",
    b"\r",
    b"\0",
    b"\\u0000",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xae",
    b"#",
    b".",
    b"\x1b[2J",
    b"18446744073709551615s",
    b"999999999999h",
    b"1e9G",
    b"env",
    b"[child.",
    b"\x80\x80\x80\x80\x10",
    b"\xff\xff\xff\xff\x0f",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
];

fn mutate(bytes: &mut Vec<u8>, others: &[Vec<u8>], dice: &mut Dice) {
    let from = dice.index(bytes.len() + 1);
    let to = (from + dice.index(40)).min(bytes.len());
    match dice.index(9) {
        0 if from < bytes.len() => bytes[from] ^= 1 << dice.index(8),
        1 if from < bytes.len() => bytes[from] = dice.any() as u8,
        2 => bytes.truncate(from),
        3 => drop(bytes.splice(from..to, dice.pick(WORDS).iter().copied())),
        4 => drop(bytes.splice(from..from, dice.pick(WORDS).iter().copied())),
        5 => drop(bytes.drain(from..to)),
        6 => {
            let block = bytes[from..to].repeat(1 + dice.index(4));
            let place = dice.index(bytes.len() + 1);
            drop(bytes.splice(place..place, block));
        }
        7 => {
            let other = &others[dice.index(others.len())];
            let start = dice.index(other.len() + 1);
            let end = (start + dice.index(400)).min(other.len());
            drop(bytes.splice(from..to, other[start..end].iter().copied()));
        }
        _ => number(bytes, from, dice),
    }
}

/// Puts another number in the place of the next one that is written out, or of some bytes.
fn number(bytes: &mut Vec<u8>, from: usize, dice: &mut Dice) {
    let digits = bytes[from..].iter().position(u8::is_ascii_digit);
    let Some(start) = digits.map(|digits| from + digits) else {
        let extreme = dice.number().to_le_bytes();
        let end = (from + 8).min(bytes.len());
        return bytes[from..end].copy_from_slice(&extreme[..end - from]);
    };
    let rest = bytes[start..].iter();
    let end = start + rest.take_while(|byte| byte.is_ascii_digit()).count();
    drop(bytes.splice(start..end, dice.pick(WORDS).iter().copied()));
}

// ---- running ------------------------------------------------------------------

/// Says how to repeat what has failed.
struct Repeat(u64);

impl Drop for Repeat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _said = writeln!(std::io::stderr(), "repeat it with SUP_SEED={}", self.0);
        }
    }
}

/// Reads some thousand mutations of the corpus, each within a bound of time and memory.
fn fuzz(corpus: &[Vec<u8>], usual: u64, bytes_max: isize, read: impl Fn(&[u8])) {
    let variable = |name| std::env::var(name).ok();
    let bounded = |input: &[u8]| {
        let (start, before) = (clock::now(), TAKEN.get());
        PEAK.set(before);
        read(input);
        let (span, bytes) = (clock::now() - start, PEAK.get() - before);
        assert!(span < Duration::from_secs(10), "it took {span:?}");
        assert!(bytes <= bytes_max, "it took {bytes} bytes");
    };
    if let Some(path) = variable("SUP_FUZZ_FILE") {
        return bounded(&fs::read(path).unwrap());
    }
    corpus.iter().for_each(|input| bounded(input));
    let number = |name| variable(name).and_then(|text| text.parse().ok());
    let seeds = match number("SUP_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SUP_FUZZ_RUNS").unwrap_or(usual),
    };
    for seed in seeds {
        let _repeat = Repeat(seed);
        let mut dice = Dice::new(seed);
        let mut input = corpus[dice.index(corpus.len())].clone();
        for _ in 0..=dice.index(8) {
            mutate(&mut input, corpus, &mut dice);
        }
        bounded(&input);
    }
}

// ---- configuration ------------------------------------------------------------

fn configs() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let readme = read("README.md");
    let blocks = readme.split("```toml\n").skip(1);
    let examples = blocks.filter_map(|block| Some(block.split_once("```")?.0.to_owned()));
    let files = ["full", "mistakes"].map(|name| read(&format!("tests/data/config/{name}.toml")));
    examples.chain(files).map(String::into_bytes).collect()
}

#[test]
fn any_config_is_read_or_gets_mistakes_with_a_line() {
    fuzz(&configs(), 1_000, 16 << 20, |input| {
        let text = String::from_utf8_lossy(input);
        let Err(mistakes) = config::parse(&text, "sup.toml") else {
            return;
        };
        assert!(mistakes.count() > 0);
        let lines = text.matches('\n').count() + 1;
        for mistake in mistakes.list() {
            assert!(mistake.line as usize <= lines, "{mistake}");
            let shown = mistake.to_string();
            assert!(!shown.contains(char::is_control), "{shown:?}");
            assert!(shown.len() < 20_000, "{shown}");
        }
    });
}

#[test]
fn any_env_file_is_read_or_gets_a_mistake_with_a_line() {
    let corpus = [
        "TOKEN=abc\nexport A = 'b c' # why\nD=\"a\\tb\\\"c\"\n\n# no\nN=\n",
        "\u{feff}A=1\r\nB=2\r\n",
    ];
    let corpus = corpus.map(|text| text.as_bytes().to_vec());
    fuzz(&corpus, 20_000, 1 << 20, |input| {
        let text = String::from_utf8_lossy(input);
        match env_file::parse(&text) {
            Ok(variables) => {
                let is_good = |key: &str| !key.is_empty() && !key.contains(['=', '\0']);
                assert!(
                    variables.iter().all(|(key, _)| is_good(key)),
                    "{variables:?}"
                );
            }
            Err((line, _)) => assert!((1..=text.matches('\n').count() + 1).contains(&line)),
        }
    });
}

// ---- frames -------------------------------------------------------------------

fn requests() -> Vec<Request> {
    let names = vec!["media".to_owned(), "collector".to_owned()];
    let order = |order| Request::Order {
        names: names.clone(),
        order,
        wait: true,
    };
    let term = Some(Duration::from_secs(7200));
    vec![
        Request::Status {
            names: names.clone(),
        },
        order(Order::Start),
        order(Order::Stop { term }),
        order(Order::Stop { term: None }),
        order(Order::Signal(Signal::HUP)),
        Request::Reload { dry_run: true },
        Request::Logs {
            child: names[0].clone(),
            lines: u32::MAX,
            follow: true,
        },
        Request::Events {
            count: 10,
            follow: false,
        },
        Request::Shutdown,
    ]
}

fn replies() -> Vec<Reply> {
    let report = SupReport {
        version: "0.1.0".to_owned(),
        pid: 42,
        up: Duration::from_millis(1234),
        config: "/etc/sup.toml".to_owned(),
        memory_fault: Some("full".to_owned()),
    };
    vec![
        Reply::Sup(report),
        Reply::Ordered {
            name: "media".to_owned(),
            outcome: Outcome::Held,
        },
        Reply::Output {
            missed: u64::MAX,
            bytes: vec![7; 300],
        },
        Reply::Event {
            wall: 1_777_000_000,
            text: "media started".to_owned(),
        },
        Reply::Warning("words".to_owned()),
        Reply::Done,
        Reply::Refused("words".to_owned()),
    ]
}

/// What is read can be written, and is then read as the same.
fn returns<T: Serialize + DeserializeOwned + PartialEq + core::fmt::Debug>(body: &[u8]) {
    if let Ok(message) = frame::unpack::<T>(body) {
        let written = frame::pack(&message);
        let (head, body) = written.split_first_chunk().unwrap();
        assert_eq!(frame::length(*head), Ok(body.len()));
        assert_eq!(frame::unpack::<T>(body), Ok(message));
    }
}

#[test]
fn any_frame_is_a_message_or_none() {
    let requests = requests();
    for request in &requests {
        let written = frame::pack(request);
        assert_eq!(frame::unpack(&written[frame::HEAD..]).as_ref(), Ok(request));
    }
    let replies = replies();
    for reply in &replies {
        let written = frame::pack(reply);
        assert_eq!(frame::unpack(&written[frame::HEAD..]).as_ref(), Ok(reply));
    }
    let mut corpus: Vec<_> = requests.iter().map(frame::pack).collect();
    corpus.extend(replies.iter().map(frame::pack));
    corpus.extend([1, upgrade::HELLO].map(|version| frame::pack(&Hello { version })));
    corpus.push(frame::pack(&Ask::Who));
    corpus.push(frame::pack(&Ask::Upgrade {
        binary: Some(b"/opt/sup".to_vec()),
    }));
    corpus.push(frame::pack(&Told::Warning("words".to_owned())));
    // As sup reads them: a head, and then no more than that says. A list's length is only
    // a claim, and is not believed before there are so many entries.
    fuzz(&corpus, 60_000, 4 << 20, |input| {
        let Some((head, body)) = input.split_first_chunk() else {
            return;
        };
        if let Ok(length) = frame::length(*head) {
            assert!(length <= FRAME_MAX);
        }
        let body = &body[..body.len().min(FRAME_MAX)];
        returns::<Hello>(body);
        returns::<Request>(body);
        returns::<Reply>(body);
        returns::<Ask>(body);
        returns::<Told>(body);
    });
}

// ---- HTTP ---------------------------------------------------------------------

#[test]
fn any_request_over_http_is_a_request_refused_or_unfinished() {
    let corpus = [
        "GET / HTTP/1.1\r\nHost: nas:8080\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\r\n",
        "GET /metrics?format=prometheus&x=%20 HTTP/1.1\r\nAccept: text/plain;q=0.5,*/*;q=0.1\r\n\r\n",
        "HEAD /events?since=18446744073709551615 HTTP/1.0\n\n",
        "\r\nGET /health HTTP/1.1\r\nAccept: application/openmetrics-text\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "POST /events HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    let mut corpus = corpus.map(|text| text.as_bytes().to_vec()).to_vec();
    corpus.push(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec());
    corpus.push([&b"GET /?"[..], &[b'a'; HTTP_REQUEST_MAX]].concat());
    corpus.push([&b"GET / HTTP/1.1\r\n"[..], &b"A: b\r\n".repeat(80)].concat());
    fuzz(&corpus, 60_000, 1 << 20, |input| {
        // No more than this is read.
        let input = &input[..input.len().min(HTTP_REQUEST_MAX)];
        let whole = http::parse(input);
        if let Heard::Request(asked) = &whole {
            assert!(asked.path.starts_with('/'));
            let _answers = (asked.format(), asked.since());
        }
        if input.len() == HTTP_REQUEST_MAX {
            assert_ne!(whole, Heard::Unfinished);
        }
        // It comes in pieces: what has been decided stays so, whatever follows.
        let part = Dice::new(input.len() as u64).index(input.len());
        match http::parse(&input[..part]) {
            Heard::Unfinished => {}
            decided @ (Heard::Request(_) | Heard::Refused(_)) => assert_eq!(decided, whole),
        }
        let _words = Refusal::TooLong.words();
    });
}

#[test]
fn any_answer_over_http_is_an_answer_a_fault_or_unfinished() {
    let corpus = [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\n\r\n",
        "HTTP/1.1 100 Go on\r\n\r\nHTTP/1.0 503 No\r\nServer: x\r\n\r\nbody",
        "HTTP/1.1 204 No\r\n\r\n",
        "SSH-2.0-OpenSSH_9\r\n",
    ];
    let corpus = corpus.map(|text| text.as_bytes().to_vec());
    fuzz(&corpus, 60_000, 1 << 20, |input| {
        let whole = checks::answer(input);
        if let Ok(Some(answer)) = &whole {
            assert!(answer.body.len() <= input.len());
        }
        let part = Dice::new(input.len() as u64).index(input.len());
        match checks::answer(&input[..part]) {
            Ok(None) => {}
            Ok(Some(begun)) => {
                let whole = whole.unwrap().unwrap();
                assert_eq!(begun.status, whole.status);
                assert!(whole.body.starts_with(&begun.body));
            }
            Err(fault) => assert_eq!(whole, Err(fault)),
        }
    });
}

// ---- state --------------------------------------------------------------------

const CHILDREN: &str = "[child.child-0]\ncommand = [\"a\"]\n[child.child-1]\ncommand = [\"a\"]\n\
    budget = { on-limit = \"park\" }\n[child.child-2]\ncommand = [\"a\"]\nafter = \"child-0\"\n\
    [child.child-3]\ncommand = [\"a\"]\nrequires = \"child-1\"\n";

/// No wait without a term is longer: a start timeout is the longest.
const LONGEST: Duration = Duration::from_secs(90);

/// A sup that recalls this decides something, whatever it remembers.
fn recalls(payload: &[u8], dice: &mut Dice) {
    let Ok(memory) = store::decode(payload) else {
        return;
    };
    let written = store::encode(&memory);
    assert_eq!(store::decode(&written).as_ref(), Ok(&memory));
    let boot = if dice.once_in(2) {
        memory.boot
    } else {
        BootId([9; 16])
    };
    let now = Uptime::from_millis(dice.number().cast_signed() >> 1);
    let spec = config::parse(CHILDREN, "sup.toml").unwrap().spec;
    let rules = Rules {
        shutdown_timeout: Duration::from_secs(20),
        ends_when_over: false,
        seed: 1,
    };
    let mut supervisor = Supervisor::new(spec.tree, rules);
    let rebased = rebase(memory, now, boot);
    let has_term = rebased.children.iter().any(|child| {
        matches!(child.hold, Hold::DownUntil(_)) || matches!(child.credit, Credit::Parked(_))
    });
    supervisor.recall(&rebased, boot, now);
    let _told = supervisor.handle(Event::Tick, now).count();
    let due = supervisor.next_deadline();
    if !has_term && let Some((at, _)) = due {
        assert!(at - now <= LONGEST, "{due:?} at {now:?}");
    }
    let run = RunId {
        child: ChildId(0),
        nth: 1,
    };
    let exited = Event::Exited {
        run,
        exit: Exit::Code(1),
        left: false,
    };
    let _told = supervisor.handle(exited, now).count();
    let again = store::encode(&supervisor.remember(boot, now));
    assert!(store::decode(&again).is_ok());
}

#[test]
fn any_state_file_is_remembered_or_passed_over() {
    let first = include_bytes!("golden/state-v1.bin").to_vec();
    let golden = include_bytes!("golden/state-v2.bin").to_vec();
    let payload = |image: &[u8]| store::open(image).unwrap().1.to_vec();
    let payloads = [payload(&first), payload(&golden)];
    let corpus = [vec![first, golden.clone()], payloads.to_vec()].concat();
    fuzz(&corpus, 20_000, 4 << 20, |input| {
        // A file of theirs beside a good one of ours: never worse than the good one.
        let nothing = || Err(store::SlotFault::Missing);
        let (mut turn, loaded) = survey(&[Ok(golden.clone()), Ok(input.to_vec()), nothing()]);
        assert!(loaded.memory.is_some());
        assert!(turn.seal(&[1]).is_some() && turn.targets().next().is_some());
        // And with a right check sum, as far as the decoder.
        let payload = input.get(HEADER_SIZE..).unwrap_or_default();
        for payload in [input, payload] {
            let sealed = seal(8, payload).unwrap();
            let (_, loaded) = survey(&[Ok(sealed), nothing(), nothing()]);
            assert_eq!(loaded.memory.is_some(), loaded.remarks.is_empty());
            recalls(payload, &mut Dice::new(payload.len() as u64));
        }
    });
}

// ---- what a killed sup has left -----------------------------------------------

#[test]
fn any_note_in_the_runtime_directory_is_read_or_says_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.run");
    let note = |write: &dyn Fn() -> std::io::Result<()>| {
        write().unwrap();
        fs::read(&path).unwrap()
    };
    let (boot, at) = (BootId([7; 16]), Uptime::from_millis(99));
    let record = Record {
        boot,
        pid: 42,
        start: 1234,
        nth: 3,
        at,
    };
    let mut corpus = vec![note(&|| record.write(dir.path(), "a"))];
    for then in [Then::Waits(at), Then::Finished(true), Then::TakenAlong] {
        let verdict = Verdict { boot, nth: 3, then };
        corpus.push(note(&|| verdict.write(dir.path(), "a")));
    }
    corpus.push(b"runs\n".to_vec());
    corpus.push(b"ended 01234567-89ab-cdef-0123-456789abcdef\n".to_vec());
    fuzz(&corpus, 5_000, 1 << 20, |input| {
        fs::write(&path, input).unwrap();
        fs::write(dir.path().join("duty"), input).unwrap();
        let (record, verdict) = (
            Record::read(dir.path(), "a"),
            Verdict::read(dir.path(), "a"),
        );
        assert!(record.is_none() || verdict.is_none());
        if let Some(record) = record {
            // Whoever has a number below 2 is nobody's child.
            assert!(record.pid > 1);
            let _looked = (
                record.is_alive(),
                record.is_our_child(),
                record.is_recycled(),
            );
            record.write(dir.path(), "a").unwrap();
            assert_eq!(Record::read(dir.path(), "a"), Some(record));
        }
        if let Some(verdict) = verdict {
            verdict.write(dir.path(), "a").unwrap();
            assert_eq!(Verdict::read(dir.path(), "a"), Some(verdict));
        }
        let duty = Duty::read(dir.path());
        if duty != Duty::None {
            fs::write(dir.path().join("duty"), "").unwrap();
            duty.write(dir.path()).unwrap();
            assert_eq!(Duty::read(dir.path()), duty);
        }
    });
}

// ---- hand-over ----------------------------------------------------------------

const TREE: &str = "[defaults]\nrestart = \"always\"\n[child.a]\ncommand = [\"a\"]\nready = \"notify\"\n\
    [child.b]\ncommand = [\"b\"]\n[child.c]\ncommand = [\"c\"]\nrequires = \"a\"\n\
    [child.d]\ncommand = [\"d\"]\nbudget = { max-restarts = 0, on-limit = \"park\" }\n\
    [group.g]\nstrategy = \"one-for-all\"\nmembers = [\"a\", \"b\"]\n\
    [group.w]\nstrategy = \"simple-one-for-one\"\ncount = 2\ntemplate = { command = [\"w\"] }\n";

fn tree() -> Supervisor {
    let rules = Rules {
        shutdown_timeout: Duration::from_secs(20),
        ends_when_over: false,
        seed: 1,
    };
    Supervisor::new(config::parse(TREE, "sup.toml").unwrap().spec.tree, rules)
}

/// One event, and each process that it makes.
fn turn(supervisor: &mut Supervisor, event: Event, now: Uptime) {
    let actions: Vec<Action> = supervisor.handle(event, now).collect();
    for action in actions {
        if let Action::Spawn(run) = action {
            let pid = 100 + u32::from(run.child.0);
            turn(supervisor, Event::Started { run, pid }, now);
        }
    }
}

/// Who has a process.
fn runs(supervisor: &Supervisor) -> Vec<RunId> {
    let children = supervisor.children();
    let runs = children.filter_map(|(_, _, child)| Some(child.phase().process()?.run));
    runs.collect()
}

/// What is handed over at some moments of a life.
fn handovers() -> Vec<Vec<u8>> {
    let mut supervisor = tree();
    let mut now = Uptime::from_millis(1_000);
    let mut all = Vec::new();
    turn(&mut supervisor, Event::Tick, now);
    for nth in 0..40 {
        let run = runs(&supervisor).get(nth % 4).copied();
        now = now + Duration::from_secs(2);
        let event = match (run, nth % 5) {
            (Some(run), 0) => Event::Ready { run },
            (Some(run), 1) => Event::Exited {
                run,
                exit: Exit::Code(1),
                left: true,
            },
            (Some(run), 2) => Event::Exited {
                run,
                exit: Exit::Code(1),
                left: false,
            },
            _ => Event::Tick,
        };
        turn(&mut supervisor, event, now);
        let handover = supervisor.hand_over(now).unwrap();
        all.push(postcard::to_allocvec(&handover).unwrap());
    }
    all
}

#[test]
fn any_hand_over_is_taken_up_or_refused() {
    let corpus = handovers();
    fuzz(&corpus, 20_000, 4 << 20, |input| {
        let Ok((handover, [])) = postcard::take_from_bytes::<Handover>(input) else {
            return;
        };
        let written = postcard::to_allocvec(&handover).unwrap();
        assert_eq!(postcard::from_bytes(&written), Ok(handover.clone()));
        let mut supervisor = tree();
        let now = Uptime::from_millis(500_000);
        if supervisor.take_over(&handover, now).is_err() {
            return;
        }
        turn(&mut supervisor, Event::Tick, now);
        for run in runs(&supervisor) {
            let exited = Event::Exited {
                run,
                exit: Exit::Code(1),
                left: false,
            };
            turn(&mut supervisor, exited, now);
        }
        let memory = store::encode(&supervisor.remember(BootId([7; 16]), now));
        assert!(store::decode(&memory).is_ok());
    });
}

#[test]
fn any_baton_is_taken_or_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("baton");
    let golden = include_bytes!("golden/baton-v2.bin").to_vec();
    fs::write(&path, &golden).unwrap();
    assert!(daemon::can_take_over(&path).is_ok());
    fuzz(&[golden], 2_000, 16 << 20, |input| {
        fs::write(&path, input).unwrap();
        if let Err(words) = daemon::can_take_over(&path) {
            assert!(!words.is_empty());
        }
    });
}

// ---- journals -----------------------------------------------------------------

/// The lives that are kept, each cut short: what is mutated is then mostly their form.
fn journals() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals");
    let files = fs::read_dir(folder).unwrap();
    let mut texts: Vec<String> = files
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    texts.sort();
    let short = |text: &String| {
        text.lines()
            .take(40)
            .map(|line| format!("{line}\n"))
            .collect()
    };
    let texts = texts.iter().map(short);
    texts.map(|text: String| text.into_bytes()).collect()
}

#[test]
fn any_journal_is_played_or_gets_mistakes_with_a_line() {
    fuzz(&journals(), 2_000, 16 << 20, |input| {
        let text = String::from_utf8_lossy(input);
        match Journal::parse(&text) {
            Ok(journal) => {
                let mut told = Vec::new();
                let summary = play(&journal, Telling::default(), &mut told).unwrap();
                assert!(summary.played <= text.lines().count());
                assert!(summary.different <= text.lines().count());
            }
            Err(mistakes) => {
                let lines = text.matches('\n').count() + 1;
                assert!(!mistakes.is_empty());
                for mistake in mistakes {
                    assert!((1..=lines).contains(&mistake.line), "{mistake}");
                }
            }
        }
    });
}
