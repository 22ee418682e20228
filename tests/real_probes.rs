//! Probes of real processes, files and connections: each kind against what is good, bad,
//! hangs, floods or is missing.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use common::{BOUND, Sig, ms, pause, until};
use nix::libc;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use smol::channel::unbounded;
use smol::{LocalExecutor, future};
use sup::checks::{Finding, Prober, Subject};
use sup::model::check::{Amount, Bounds, FileBounds, Health, Kind, Whose};
use sup::os::{Timer, block_on, procfs, reap};
use tempfile::TempDir;

use Health::{Critical, Healthy, Unknown, Warning};

/// How long a probe may take here.
const TIMEOUT: Duration = Duration::from_millis(400);

/// What a probe of each cell must find: its health, and a part of its words.
struct Cell {
    name: &'static str,
    kind: Kind,
    subject: Subject,
    health: Health,
    words: &'static str,
}

fn cell(name: &'static str, kind: Kind, health: Health, words: &'static str) -> Cell {
    Cell {
        name,
        kind,
        subject: Subject::default(),
        health,
        words,
    }
}

fn no_bounds<T>() -> Bounds<T> {
    Bounds {
        warn: None,
        critical: None,
    }
}

fn warn<T>(warn: T) -> Bounds<T> {
    Bounds {
        warn: Some(warn),
        ..no_bounds()
    }
}

fn critical<T>(critical: T) -> Bounds<T> {
    Bounds {
        critical: Some(critical),
        ..no_bounds()
    }
}

/// Makes all these probes at the same time. Tells what each has found, and how often in
/// the meantime another task of the same thread had its turn.
fn probe(cells: &[Cell]) -> (Vec<Finding>, u32) {
    let executor = Rc::new(LocalExecutor::new());
    let prober = Rc::<Prober>::default();
    let (told, findings) = unbounded();
    for (at, cell) in cells.iter().enumerate() {
        let told = told.clone();
        let tell = move |finding| {
            told.try_send((at, finding)).unwrap();
        };
        let (kind, mut subject) = (cell.kind.clone(), cell.subject.clone());
        // As sup does it: no two checks are known by the same mark.
        let home = || format!("{}:{:?}:{at}", std::process::id(), thread::current().id());
        subject
            .own_mark
            .get_or_insert_with(|| ("a/x".into(), home()));
        let name = format!("{at} {}", cell.name);
        let work = Rc::clone(&prober).probe(name, kind, TIMEOUT, subject, tell);
        executor.spawn(work).detach();
    }
    let mut found: Vec<Option<Finding>> = vec![None; cells.len()];
    let mut turns = 0;
    let all = async {
        for _ in cells {
            let (at, finding) = findings.recv().await.unwrap();
            assert!(found[at].replace(finding).is_none(), "told twice");
        }
        future::yield_now().await;
    };
    let tick = async {
        loop {
            Timer::after(ms(5)).await;
            reap::hear(false); // In the place of a SIGCHLD, which is for the whole test.
            turns += 1;
        }
    };
    let bound = async {
        Timer::after(BOUND).await;
        panic!("not all probes have told");
    };
    block_on(executor.run(future::or(all, future::or(tick, bound)))).unwrap();
    (found.into_iter().map(Option::unwrap).collect(), turns)
}

fn check(cells: &[Cell]) {
    let (findings, _) = probe(cells);
    for (cell, finding) in cells.iter().zip(findings) {
        let name = cell.name;
        assert_eq!(finding.health, cell.health, "{name}: {finding:?}");
        assert!(finding.words.contains(cell.words), "{name}: {finding:?}");
        assert!(
            finding.output.len() <= 4096,
            "{name}: {}",
            finding.output.len()
        );
    }
}

// ---- exec -----------------------------------------------------------------------

fn exec(words: &[&str]) -> Kind {
    let word = |word: &&str| std::ffi::CString::new(*word).unwrap();
    Kind::Exec {
        command: words.iter().map(word).collect(),
        warn: [1].into(),
    }
}

fn script(text: &str) -> Kind {
    exec(&["/bin/sh", "-c", text])
}

/// Processes with this in their environment.
fn marked(mark: &str) -> Vec<procfs::Stat> {
    procfs::processes(|stat| {
        fs::read(format!("/proc/{}/environ", stat.pid)).is_ok_and(|environ| {
            environ
                .split(|byte| *byte == 0)
                .any(|one| one == mark.as_bytes())
        })
    })
}

#[test]
fn exec_is_judged_by_its_exit_and_bounded_in_time_and_words() {
    let cells = [
        cell("good", script("echo fine"), Healthy, "exit code 0: fine"),
        cell(
            "warn",
            script("echo so so; exit 1"),
            Warning,
            "exit code 1: so so",
        ),
        cell(
            "critical",
            script("echo no >&2; exit 2"),
            Critical,
            "exit code 2: no",
        ),
        cell("signal", script("kill -9 $$"), Critical, "SIGKILL"),
        cell(
            "hang",
            script("trap '' TERM INT HUP; echo well; while :; do sleep 1000; done"),
            Critical,
            "killed, it did not end within 400ms: well",
        ),
        cell(
            "flood",
            exec(&["yes"]),
            Critical,
            "killed, it said more than 1024 KiB: y",
        ),
        cell(
            "much, in time",
            script("head -c 500000 /dev/zero"),
            Healthy,
            "exit code 0",
        ),
        cell(
            "missing",
            exec(&["/no/such/check"]),
            Unknown,
            "No such file or directory",
        ),
        cell(
            "not a program",
            exec(&["/etc/passwd"]),
            Unknown,
            "Permission denied",
        ),
        cell(
            "binary",
            script("printf '\\033[2J\\377'"),
            Healthy,
            "exit code 0: ?[2J",
        ),
    ];
    check(&cells);
}

#[test]
fn nothing_of_an_exec_is_left_however_it_forks() {
    let own_mark = |name: &str| {
        let home = format!("test:{}:{name}", std::process::id());
        (home.clone(), Some(("a/x".to_owned(), home)))
    };
    let table = [
        ("hangs", "sleep 1000 & sleep 1000", Critical),
        (
            "in a session of its own",
            "setsid sleep 1000 & exec sleep 1000",
            Critical,
        ),
        ("behind it", "sleep 1000 & exit 0", Healthy),
        ("a daemon", "(setsid sleep 1000 &) ; exit 0", Healthy),
        (
            "one after the other",
            "while :; do setsid sleep 1000 & sleep 0.05; done",
            Critical,
        ),
    ];
    let mut homes = Vec::new();
    let cells: Vec<Cell> = table
        .into_iter()
        .map(|(name, text, health)| {
            let (home, own_mark) = own_mark(name);
            homes.push(home);
            let mut cell = cell(name, script(text), health, "");
            cell.subject.own_mark = own_mark;
            cell
        })
        .collect();
    check(&cells);
    for (home, (name, ..)) in homes.iter().zip(table) {
        until(&format!("nothing of \"{name}\" to be left"), || {
            marked(&format!("SUP_HOME={home}")).is_empty().then_some(())
        });
    }
}

// ---- connections ------------------------------------------------------------------

/// A server on a port of its own, which treats each connection like this.
fn server(treat: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().flatten().for_each(treat));
    port
}

/// Answers, after so long.
fn says(text: &'static str, after: Duration) -> u16 {
    server(move |mut stream| {
        let mut asked = [0; 1024];
        let _any = stream.read(&mut asked);
        pause(after);
        let _gone = stream.write_all(text.as_bytes());
    })
}

/// Takes the question and says nothing.
fn hangs() -> u16 {
    let held = std::sync::Mutex::new(Vec::new());
    server(move |stream| held.lock().unwrap().push(stream))
}

/// Says something without end.
fn floods(head: &'static str) -> u16 {
    server(move |mut stream| {
        let mut going = stream.write_all(head.as_bytes()).is_ok();
        while going {
            going = stream.write_all(&[b'x'; 4096]).is_ok();
        }
    })
}

/// A port on which nobody listens.
fn nobody() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn tcp(to: &str, expect: Option<&str>, time: Bounds<Duration>) -> Kind {
    Kind::Tcp {
        to: to.into(),
        send: expect.map(|_| "PING\r\n".into()),
        expect: expect.map(Into::into),
        time,
    }
}

#[test]
fn tcp_is_judged_by_its_answer_and_its_time() {
    let local = |port: u16| format!("127.0.0.1:{port}");
    let pong = |port: u16, time| tcp(&local(port), Some("+PONG"), time);
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("x.sock");
    let _unix = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let path = path.to_str().unwrap();
    let good = says("+PONG\r\n", ms(0));
    let slow = says("+PONG\r\n", ms(100));
    let cells = [
        cell("good", pong(good, no_bounds()), Healthy, "answered in"),
        cell(
            "connected",
            tcp(&local(good), None, no_bounds()),
            Healthy,
            "answered in",
        ),
        cell("unix", tcp(path, None, no_bounds()), Healthy, "answered in"),
        cell("warn", pong(slow, warn(ms(50))), Warning, "answered in"),
        cell(
            "too slow",
            pong(slow, critical(ms(50))),
            Critical,
            "answered in",
        ),
        cell(
            "critical",
            pong(says("-ERR no\r\n", ms(0)), no_bounds()),
            Critical,
            "no \"+PONG\" in its answer: -ERR no",
        ),
        cell(
            "hang",
            pong(hangs(), no_bounds()),
            Critical,
            "nothing within its time (400ms)",
        ),
        cell(
            "flood",
            pong(floods(""), no_bounds()),
            Critical,
            "no \"+PONG\" in its answer: xxx",
        ),
        cell(
            "missing",
            pong(nobody(), no_bounds()),
            Critical,
            "Connection refused",
        ),
        cell(
            "no socket",
            tcp("/no/such.sock", None, no_bounds()),
            Critical,
            "No such file or directory",
        ),
        cell(
            "no address",
            tcp("example", None, no_bounds()),
            Unknown,
            "is no address",
        ),
    ];
    check(&cells);
}

fn http(port: u16, body: Option<&str>, time: Bounds<Duration>) -> Kind {
    Kind::Http {
        url: format!("http://127.0.0.1:{port}/health").into(),
        status: (200, 399),
        body: body.map(Into::into),
        time,
    }
}

#[test]
fn http_is_judged_by_status_text_and_time() {
    const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell";
    const CHUNKED: &str =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nwe\r\n2\r\nll\r\n0\r\n\r\n";
    const BAD: &str = "HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nno db";
    let at_once = |text, body| http(says(text, ms(0)), body, no_bounds());
    let slow = |time| http(says(GOOD, ms(100)), None, time);
    let endless = |head, body| http(floods(head), body, no_bounds());
    let head = "HTTP/1.1 200 OK\r\n\r\n";
    let cells = [
        cell("good", at_once(GOOD, None), Healthy, "status 200 in"),
        cell(
            "text",
            at_once(GOOD, Some("well")),
            Healthy,
            "status 200 in",
        ),
        cell(
            "chunked",
            at_once(CHUNKED, Some("well")),
            Healthy,
            "status 200 in",
        ),
        cell("warn", slow(warn(ms(50))), Warning, "status 200 in"),
        cell(
            "too slow",
            slow(critical(ms(50))),
            Critical,
            "status 200 in",
        ),
        cell(
            "critical",
            at_once(BAD, None),
            Critical,
            "status 503: no db",
        ),
        cell(
            "no text",
            at_once(GOOD, Some("ill")),
            Critical,
            "status 200, without \"ill\"",
        ),
        cell(
            "not http",
            at_once("+PONG\r\n", None),
            Critical,
            "no answer in HTTP",
        ),
        cell("cut", at_once("HTTP/1.1 200", None), Critical, "breaks off"),
        cell(
            "hang",
            http(hangs(), None, no_bounds()),
            Critical,
            "nothing within its time",
        ),
        cell(
            "flood",
            endless(head, Some("well")),
            Critical,
            "without \"well\"",
        ),
        cell("long, but good", endless(head, None), Healthy, "status 200"),
        cell(
            "flood of a head",
            endless("HTTP/1.1 200 OK\r\nX: ", None),
            Critical,
            "too long",
        ),
        cell(
            "missing",
            http(nobody(), None, no_bounds()),
            Critical,
            "Connection refused",
        ),
    ];
    check(&cells);
}

// ---- files, memory, processes, lines ------------------------------------------------

fn file(path: &str, bounds: FileBounds) -> Kind {
    Kind::File {
        path: path.into(),
        bounds,
    }
}

#[test]
fn files_are_judged_by_age_or_size() {
    let dir = TempDir::new().unwrap();
    let of = |name: &str, length: usize, age: u64| {
        let path = dir.path().join(name);
        fs::write(&path, vec![b'x'; length]).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        let now = std::time::SystemTime::now();
        file.set_modified(now - Duration::from_secs(age)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (fresh, old, large) = (
        of("fresh", 1, 0),
        of("old", 1, 600),
        of("large", 100_000, 0),
    );
    let ahead = dir.path().join("ahead");
    fs::write(&ahead, "").unwrap();
    let later = std::time::SystemTime::now() + Duration::from_secs(86_400);
    let opened = fs::File::options().write(true).open(&ahead).unwrap();
    opened.set_modified(later).unwrap();
    let minutes = Duration::from_secs(300);
    let (age, size) = (FileBounds::Age, FileBounds::Size);
    let missing = dir.path().join("none");
    let missing = missing.to_str().unwrap();
    let cells = [
        cell(
            "good",
            file(&fresh, age(warn(minutes))),
            Healthy,
            "fresh: written",
        ),
        cell(
            "ahead",
            file(ahead.to_str().unwrap(), age(warn(minutes))),
            Healthy,
            "0ms ago",
        ),
        cell(
            "warn",
            file(&old, age(warn(minutes))),
            Warning,
            "old: written 10m 0s ago",
        ),
        cell(
            "critical",
            file(&old, age(critical(minutes))),
            Critical,
            "10m 0s ago",
        ),
        cell(
            "small",
            file(&large, size(warn(100_000))),
            Healthy,
            "97 KiB",
        ),
        cell(
            "large",
            file(&large, size(critical(99_999))),
            Critical,
            "97 KiB",
        ),
        cell(
            "missing",
            file(missing, age(warn(minutes))),
            Critical,
            "No such file",
        ),
        cell(
            "not a folder",
            file("/etc/passwd/x", age(warn(minutes))),
            Unknown,
            "Not a directory",
        ),
    ];
    check(&cells);
}

#[test]
fn disks_and_memory_are_judged_by_what_is_used() {
    let disk = |path: &str, used| Kind::Disk {
        path: path.into(),
        used,
    };
    let memory = |of, used| Kind::Memory { of, used };
    let (host, child) = (Whose::Host, Whose::Child);
    let of_us = |kind, health, words| {
        let mut cell = cell("child", kind, health, words);
        cell.subject.pid = Some(std::process::id());
        cell
    };
    let percent = Amount::Percent;
    let cells = [
        cell("good", disk("/", warn(100)), Healthy, "% used"),
        cell("warn", disk("/proc/..", warn(0)), Warning, "free"),
        cell("critical", disk("/", critical(0)), Critical, "% used"),
        cell(
            "missing",
            disk("/no/such/share", warn(80)),
            Unknown,
            "No such file",
        ),
        cell(
            "host",
            memory(host, warn(percent(100))),
            Healthy,
            "of the box",
        ),
        cell(
            "warn",
            memory(host, warn(percent(0))),
            Warning,
            "of the box",
        ),
        cell(
            "critical",
            memory(host, critical(Amount::Bytes(1))),
            Critical,
            "of the box",
        ),
        cell(
            "gone",
            memory(child, warn(percent(50))),
            Unknown,
            "no process",
        ),
        of_us(
            memory(child, warn(percent(100))),
            Healthy,
            "of its processes",
        ),
        of_us(memory(child, critical(Amount::Bytes(0))), Healthy, "0 B"),
    ];
    check(&cells);
    // We are in nobody's family. A process that leads a session is in its own.
    let leader = Command::new("setsid")
        .args(["sleep", "1000"])
        .spawn()
        .unwrap();
    until("it to lead", || {
        let stat = procfs::stat(leader.id().cast_signed())?;
        (stat.session == stat.pid).then_some(())
    });
    let mut cell = cell(
        "leader",
        memory(child, critical(Amount::Bytes(1))),
        Critical,
        "of its processes",
    );
    cell.subject.pid = Some(leader.id());
    check(&[cell]);
    end(leader);
}

fn end(mut child: std::process::Child) {
    let _gone = child.kill();
    child.wait().unwrap();
}

#[test]
fn a_process_is_judged_by_its_state() {
    let sleeper = || {
        Command::new("sleep")
            .arg("1000")
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let (alive, stopped, dead) = (sleeper(), sleeper(), sleeper());
    let signal = |child: &std::process::Child, signal| {
        kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
    };
    let state = |child: &std::process::Child, states: &str| {
        until(states, || {
            let stat = procfs::stat(child.id().cast_signed())?;
            states.contains(stat.state).then_some(())
        });
    };
    signal(&stopped, Sig::SIGSTOP);
    signal(&dead, Sig::SIGKILL);
    state(&stopped, "T");
    state(&dead, "Z");
    let of = |pid, health, words| {
        let mut cell = cell("process", Kind::Process, health, words);
        cell.subject.pid = pid;
        cell
    };
    let cells = [
        of(Some(alive.id()), Healthy, "alive"),
        of(Some(stopped.id()), Warning, "stopped"),
        of(Some(dead.id()), Critical, "zombie"),
        of(None, Critical, "gone"),
    ];
    check(&cells);
    for child in [alive, stopped, dead] {
        end(child);
    }
}

#[test]
fn lines_are_judged_by_their_number() {
    let of = |lines, bounds, health, words| {
        let kind = Kind::Log {
            text: "ERROR".into(),
            within: Duration::from_secs(600),
            lines: bounds,
        };
        let mut cell = cell("log", kind, health, words);
        cell.subject.lines = lines;
        cell
    };
    let bounds = Bounds {
        warn: Some(3),
        critical: Some(9),
    };
    let cells = [
        of(3, bounds, Healthy, "3 lines in 10 minutes"),
        of(4, bounds, Warning, "4 lines"),
        of(10, bounds, Critical, "10 lines"),
    ];
    check(&cells);
}

// ---- many at once ---------------------------------------------------------------------

#[test]
fn others_have_their_turn_while_probes_hang_and_flood() {
    let mut cells = Vec::new();
    for _ in 0..10 {
        cells.push(cell("hang", exec(&["sleep", "1000"]), Critical, ""));
        cells.push(cell("flood", exec(&["yes"]), Critical, ""));
        cells.push(cell(
            "hang",
            tcp(&format!("127.0.0.1:{}", hangs()), Some("x y"), no_bounds()),
            Critical,
            "",
        ));
        cells.push(cell(
            "flood",
            http(floods("HTTP/1.1 200 OK\r\n\r\n"), Some("y"), no_bounds()),
            Critical,
            "",
        ));
    }
    let (findings, turns) = probe(&cells);
    assert!(findings.iter().all(|found| found.health == Critical));
    // They take a second or more, and a step of each is short.
    assert!(turns >= 5, "{turns} turns");
}

#[test]
fn what_still_hangs_is_told_and_not_doubled() {
    let executor = Rc::new(LocalExecutor::new());
    let prober = Rc::<Prober>::default();
    let (told, findings) = unbounded();
    let start = |text: &str| {
        let told = told.clone();
        let tell = move |finding: Finding| told.try_send(finding).unwrap();
        let subject = Subject {
            own_mark: Some(("a/hangs".into(), std::process::id().to_string())),
            ..Subject::default()
        };
        let kind = script(text);
        let work = Rc::clone(&prober).probe("x".into(), kind, BOUND, subject, tell);
        executor.spawn(work).detach();
    };
    let dir = TempDir::new().unwrap();
    let (began, go) = (dir.path().join("began"), dir.path().join("go"));
    start(&format!(
        "touch {}; until test -e {}; do sleep 0.01; done",
        began.display(),
        go.display()
    ));
    let tick = async {
        loop {
            Timer::after(ms(5)).await;
            reap::hear(false);
        }
    };
    let story = async {
        while !began.exists() {
            Timer::after(ms(5)).await;
        }
        start("exit 0");
        let second = findings.recv().await.unwrap();
        assert_eq!(second.health, Critical);
        assert!(second.words.contains("still hangs"), "{second:?}");
        fs::write(&go, "").unwrap();
        assert_eq!(findings.recv().await.unwrap().health, Healthy);
    };
    block_on(executor.run(future::or(story, tick))).unwrap();
}

// ---- every kind, every trouble ----------------------------------------------------------

/// A file system that never answers, as a network share whose server is gone; only the
/// calling thread, and what it makes, can see it.
struct Hung {
    dir: TempDir,
    _never_answers: fs::File,
}

impl Hung {
    /// `None`: this is not ours to do, or the kernel has no FUSE.
    fn mount() -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let fuse = fs::File::options()
            .read(true)
            .write(true)
            .open("/dev/fuse")
            .ok()?;
        let c = |text: &str| std::ffi::CString::new(text).unwrap();
        let options = format!(
            "fd={},rootmode=40000,user_id=0,group_id=0",
            fuse.as_raw_fd()
        );
        let (none, root, kind) = (c("none"), c("/"), c("fuse"));
        let (place, options) = (c(dir.path().to_str().unwrap()), c(&options));
        let private = libc::MS_REC | libc::MS_PRIVATE;
        // SAFETY: all texts live longer than the calls.
        let mounted = unsafe {
            libc::unshare(libc::CLONE_NEWNS) == 0
                && libc::mount(
                    none.as_ptr(),
                    root.as_ptr(),
                    std::ptr::null(),
                    private,
                    std::ptr::null(),
                ) == 0
                && libc::mount(
                    none.as_ptr(),
                    place.as_ptr(),
                    kind.as_ptr(),
                    0,
                    options.as_ptr().cast(),
                ) == 0
        };
        mounted.then_some(Self {
            dir,
            _never_answers: fuse,
        })
    }

    fn path(&self) -> String {
        self.dir.path().join("x").to_str().unwrap().to_owned()
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        let place = std::ffi::CString::new(self.dir.path().to_str().unwrap()).unwrap();
        // SAFETY: the text lives longer than the call.
        unsafe { libc::umount2(place.as_ptr(), libc::MNT_DETACH) };
    }
}

#[test]
fn a_disk_that_never_answers_delays_nobody() {
    let Some(hung) = Hung::mount() else {
        println!("skipped: a file system that hangs needs root and FUSE");
        return;
    };
    let path = hung.path();
    let disk = Kind::Disk {
        path: path.clone().into(),
        used: warn(80),
    };
    let age = FileBounds::Age(warn(ms(1)));
    let cells = [
        cell(
            "hang",
            file(&path, age),
            Critical,
            "nothing within its time",
        ),
        cell("hang", disk, Critical, "nothing within its time"),
        cell("good", script("exit 0"), Healthy, "exit code 0"),
    ];
    check(&cells);
}

/// The troubles of the table below, in its order.
const TROUBLES: [&str; 6] = ["good", "warn", "critical", "hang", "flood", "missing"];

/// What stands in one place of the table.
#[allow(clippy::large_enum_variant, reason = "most places are the large one")]
enum Place {
    /// A probe, what it finds, and a part of its words.
    Finds(Kind, Subject, Health, &'static str),
    /// It cannot happen, and why.
    Never(&'static str),
    /// It needs a file system that hangs: [`a_disk_that_never_answers_delays_nobody`].
    OnAHungDisk,
}

use Place::{Finds, Never, OnAHungDisk};

fn finds(kind: Kind, health: Health, words: &'static str) -> Place {
    Finds(kind, Subject::default(), health, words)
}

fn of(pid: Option<u32>, kind: Kind, health: Health, words: &'static str) -> Place {
    let subject = Subject {
        pid,
        ..Subject::default()
    };
    Finds(kind, subject, health, words)
}

/// Gone when it is dropped, whatever its test comes to.
struct Helper(std::process::Child);

impl Drop for Helper {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn helper(command: &str) -> Helper {
    let mut words = command.split(' ');
    let mut command = Command::new(words.next().unwrap());
    command
        .args(words)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Helper(command.spawn().unwrap())
}

fn wait_state(Helper(child): &Helper, state: char) -> u32 {
    until("it to be in that state", || {
        let stat = procfs::stat(child.id().cast_signed())?;
        (stat.state == state).then(|| child.id())
    })
}

#[test]
fn every_kind_meets_every_trouble() {
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("beat"), "").unwrap();
    let old = std::time::SystemTime::now() - Duration::from_secs(600);
    fs::File::options()
        .write(true)
        .open(at("beat"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    fs::File::create(at("huge"))
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    let age = |bounds| file(&at("beat"), FileBounds::Age(bounds));
    let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));

    let (alive, stopped, dead) = (
        helper("setsid sleep 1000"),
        helper("sleep 1000"),
        helper("true"),
    );
    kill(Pid::from_raw(stopped.0.id().cast_signed()), Sig::SIGSTOP).unwrap();
    let (still, zombie) = (wait_state(&stopped, 'T'), wait_state(&dead, 'Z'));
    until("it to lead", || {
        let stat = procfs::stat(alive.0.id().cast_signed())?;
        (stat.session == stat.pid).then_some(())
    });
    let here = Some(alive.0.id());
    let memory = |used| Kind::Memory {
        of: Whose::Child,
        used,
    };
    let disk = |path: &str, used| Kind::Disk {
        path: path.into(),
        used,
    };
    let lines = |count: u32, health, words| {
        let bounds = Bounds {
            warn: Some(3),
            critical: Some(9),
        };
        let kind = Kind::Log {
            text: "ERROR".into(),
            within: hour,
            lines: bounds,
        };
        let subject = Subject {
            lines: count,
            ..Subject::default()
        };
        Finds(kind, subject, health, words)
    };
    let pong = |treat: u16, time| tcp(&format!("127.0.0.1:{treat}"), Some("+PONG"), time);
    let soon = || says("+PONG\r\n", Duration::ZERO);
    let late = || says("+PONG\r\n", ms(120));
    let page = |port, time| http(port, Some("well"), time);
    let served = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell";
    let ill = "HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nwell";

    #[rustfmt::skip]
    let table: [(&str, [Place; 6]); 8] = [
        ("exec", [
            finds(script("exit 0"), Healthy, "exit code 0"),
            finds(script("exit 1"), Warning, "exit code 1"),
            finds(script("exit 2"), Critical, "exit code 2"),
            finds(exec(&["sleep", "1000"]), Critical, "killed, it did not end"),
            finds(exec(&["yes"]), Critical, "killed, it said more than"),
            finds(exec(&["/no/such/program"]), Unknown, "No such file"),
        ]),
        ("tcp", [
            finds(pong(soon(), no_bounds()), Healthy, "answered in"),
            finds(pong(late(), warn(ms(50))), Warning, "answered in"),
            finds(pong(says("-ERR\r\n", Duration::ZERO), no_bounds()), Critical, "no \"+PONG\""),
            finds(pong(hangs(), no_bounds()), Critical, "nothing within its time"),
            finds(pong(floods(""), no_bounds()), Critical, "no \"+PONG\""),
            finds(pong(nobody(), no_bounds()), Critical, "refused"),
        ]),
        ("http", [
            finds(page(says(served, Duration::ZERO), no_bounds()), Healthy, "status 200"),
            finds(page(says(served, ms(120)), warn(ms(50))), Warning, "status 200"),
            finds(page(says(ill, Duration::ZERO), no_bounds()), Critical, "status 503"),
            finds(page(hangs(), no_bounds()), Critical, "nothing within its time"),
            finds(page(floods("HTTP/1.1 200 OK\r\n\r\n"), no_bounds()), Critical, "without \"well\""),
            finds(page(nobody(), no_bounds()), Critical, "refused"),
        ]),
        ("file", [
            finds(age(warn(hour)), Healthy, "written"),
            finds(age(warn(minute)), Warning, "written"),
            finds(age(critical(minute)), Critical, "written"),
            OnAHungDisk,
            finds(file(&at("huge"), FileBounds::Age(warn(hour))), Healthy, "written"), // It is not read.
            finds(file(&at("none"), FileBounds::Age(warn(hour))), Critical, "No such file"),
        ]),
        ("disk", [
            finds(disk("/", warn(100)), Healthy, "% used"),
            finds(disk("/", warn(0)), Warning, "% used"),
            finds(disk("/", critical(0)), Critical, "% used"),
            OnAHungDisk,
            Never("it has nothing to say"),
            finds(disk(&at("none"), warn(80)), Unknown, "No such file"),
        ]),
        ("memory", [
            of(here, memory(warn(Amount::Percent(100))), Healthy, "of its processes"),
            of(here, memory(warn(Amount::Bytes(1))), Warning, "of its processes"),
            of(here, memory(critical(Amount::Bytes(1))), Critical, "of its processes"),
            Never("the kernel answers from its own memory"),
            Never("it has nothing to say"),
            of(None, memory(warn(Amount::Percent(50))), Unknown, "no process"),
        ]),
        ("process", [
            of(here, Kind::Process, Healthy, "alive"),
            of(Some(still), Kind::Process, Warning, "stopped"),
            of(Some(zombie), Kind::Process, Critical, "zombie"),
            Never("the kernel answers from its own memory"),
            Never("it has nothing to say"),
            of(None, Kind::Process, Critical, "gone"),
        ]),
        ("log", [
            lines(3, Healthy, "3 lines"),
            lines(4, Warning, "4 lines"),
            lines(10, Critical, "10 lines"),
            lines(0, Healthy, "0 lines"), // It says nothing at all.
            lines(u32::MAX, Critical, "lines"),
            Never("a child without output is refused by the configuration"),
        ]),
    ];
    let mut cells = Vec::new();
    for (kind, places) in table {
        for (trouble, place) in TROUBLES.iter().zip(places) {
            match place {
                Finds(looked_at, subject, health, words) => {
                    assert_eq!(looked_at.name(), kind);
                    let mut cell = cell(trouble, looked_at, health, words);
                    cell.subject = subject;
                    cells.push(cell);
                }
                Never(why) => assert!(!why.is_empty(), "{kind}: {trouble}"),
                OnAHungDisk => assert_eq!(*trouble, "hang"),
            }
        }
    }
    assert_eq!(cells.len(), 40);
    check(&cells);
}
