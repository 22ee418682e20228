//! The HTTP server with real sockets: who asks well is answered, and whoever does not is
//! dropped and not felt.

mod common;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{BOUND, Program, Sig, TestBox, at_once, ms, pause, run, until};
use nix::libc;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, setsockopt, socket, sockopt};
use serde_json::Value;
use sup::model::limits::{HTTP_CLIENTS_MAX, HTTP_REQUEST_MAX};
use sup::os::clock;

const README: &str = include_str!("../README.md");

const SLEEPER: &str = "[child.a]\ncommand = [\"sleep\", \"100000\"]\n\
    restart = \"always\"\nbackoff = { first = \"0s\", settle = \"1s\" }\n\
    budget = { max-restarts = \"unlimited\" }\n";

/// A port that nobody has. Another test may take it before sup does; then sup tries again.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

struct Site {
    sup: TestBox,
    port: u16,
}

struct Answered {
    status: u16,
    head: String,
    body: String,
}

impl Answered {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{}", self.body))
    }

    fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in\n{}", self.head))
            .trim_start_matches(':')
            .trim()
    }
}

fn config(port: u16, children: &str) -> String {
    format!("[http]\nlisten = {port}\n{children}")
}

fn read(stream: &mut TcpStream) -> std::io::Result<Answered> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or(std::io::Error::from(ErrorKind::UnexpectedEof))?;
    Ok(Answered {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

impl Site {
    fn up(children: &str) -> Self {
        let port = free_port();
        let sup = TestBox::up(&config(port, children));
        Self { sup, port }
    }

    fn connect(&self) -> TcpStream {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let stream = until("a connection", || {
            TcpStream::connect_timeout(&address, BOUND).ok()
        });
        stream.set_read_timeout(Some(BOUND)).unwrap();
        stream.set_write_timeout(Some(BOUND)).unwrap();
        stream
    }

    /// Says something, and reads until the end.
    fn say(&self, bytes: &[u8]) -> std::io::Result<Answered> {
        let mut stream = self.connect();
        stream.write_all(bytes)?;
        read(&mut stream)
    }

    fn get(&self, path: &str) -> Answered {
        let request = format!("GET {path} HTTP/1.1\r\nHost: nas\r\n\r\n");
        self.say(request.as_bytes()).unwrap()
    }
}

// ---- good requests -------------------------------------------------------------

#[test]
fn health_says_whether_all_is_as_it_should_be() {
    let site = Site::up(&format!(
        "{SLEEPER}[child.b]\ncommand = [\"false\"]\nrestart = \"no\"\nautostart = false\n"
    ));
    site.sup.wait_state("a", "up");
    let good = site.get("/health");
    assert_eq!(
        (good.status, good.header("Content-Type")),
        (200, "application/json")
    );
    assert_eq!(good.body, "{\"status\":\"HEALTHY\",\"not_good\":[]}\n");
    let _failed = site.sup.ask(&["start", "b"]);
    site.sup.wait_state("b", "failed");
    let bad = site.get("/health");
    assert_eq!(bad.status, 503);
    assert_eq!(
        bad.body,
        "{\"status\":\"CRITICAL\",\"not_good\":[{\"name\":\"b\",\"state\":\"failed\",\"health\":\"critical\"}]}\n"
    );
    let bare = site.say(b"HEAD /health HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!((bare.status, &*bare.body), (503, ""));
    assert_eq!(bare.header("Content-Length"), bad.body.len().to_string());
}

#[test]
fn metrics_speak_the_language_of_status() {
    let site = Site::up(&format!("{SLEEPER}[group.g]\nmembers = \"a\"\n"));
    let pid = site.sup.pid("a");
    let metrics = site.get("/metrics").json();
    let mut status = site.sup.status();
    assert_eq!(metrics["children"][0]["pid"], pid);
    assert!(metrics["children"][0]["resident_bytes"].as_u64().unwrap() > 0);
    assert_eq!(metrics["health"]["status"], "HEALTHY");
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&metrics), keys(&status));
    for list in ["children", "groups"] {
        assert_eq!(keys(&metrics[list][0]), keys(&status[list][0]));
    }
    assert_eq!(metrics["sup"]["pid"], status["sup"]["pid"].take());
}

#[test]
fn events_go_on_where_one_has_read_to() {
    let site = Site::up(SLEEPER);
    let pid = site.sup.pid("a");
    let first = site.get("/events").json();
    let text = format!("a started (pid {pid})");
    let events = first["events"].as_array().unwrap();
    assert!(events.iter().any(|event| event["text"] == *text), "{first}");
    assert_eq!(first["restarts"], serde_json::json!([]));
    site.sup.signal("a", Sig::SIGKILL);
    site.sup.wait_run("a", 2);
    let next = first["next"].as_u64().unwrap();
    let then = site.get(&format!("/events?since={next}")).json();
    assert_eq!(then["events"][0]["number"], next);
    assert_eq!(then["events"][0]["text"], "a was killed by SIGKILL");
    assert_eq!(
        then["restarts"],
        serde_json::json!([{"child": "a", "counted": [[0, 1]]}])
    );
    let end = then["next"].as_u64().unwrap();
    assert_eq!(
        site.get(&format!("/events?since={}", end + 7)).json()["events"],
        serde_json::json!([])
    );
}

/// The program that Prometheus brings for it, where it is installed.
#[test]
fn prometheus_finds_nothing_wrong_with_the_metrics() {
    let site = Site::up(&format!(
        "{SLEEPER}[child.b]\ncommand = [\"false\"]\nrestart = \"no\"\n[group.g]\nstrategy = \"one-for-all\"\nmembers = \"a\"\n\
         [group.w]\nstrategy = \"simple-one-for-one\"\ncount = 2\ntemplate = {{ command = [\"sleep\", \"100000\"] }}\n"
    ));
    site.sup.wait_state("w/2", "up");
    site.sup.wait_state("b", "failed");
    let asked = "GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n\r\n";
    let answer = site.say(asked.as_bytes()).unwrap();
    assert_eq!(
        answer.header("Content-Type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    for line in [
        "sup_healthy 0",
        "sup_child_up{child=\"a\",group=\"g\"} 1",
        "sup_child_state{child=\"b\",group=\"root\",state=\"failed\"} 1",
        "sup_child_failures_total{child=\"b\",group=\"root\"} 1",
        "sup_group_instances{group=\"w\",parent=\"root\"} 2",
    ] {
        assert!(
            answer.body.lines().any(|found| found == line),
            "no {line}\n{}",
            answer.body
        );
    }
    for line in answer.body.lines() {
        if let Some(metric) = line.strip_prefix("# TYPE ") {
            let name = format!("`{}`", metric.split(' ').next().unwrap());
            assert!(README.contains(&name), "{name} is not in the README");
        }
    }
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]);
    if promtool.stdin(Stdio::null()).output().is_err() {
        return skipped("promtool is not installed");
    }
    let program = Program::start(&mut promtool, Some(answer.body.as_bytes()));
    let (code, words) = (program.code(), program.err.all() + &program.out.all());
    assert_eq!((code, &*words), (0, ""), "{}", answer.body);
}

fn skipped(why: &str) {
    let _shown = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

#[test]
fn what_is_not_there_and_what_cannot_be_done_is_said() {
    let site = Site::up(SLEEPER);
    let table: [(&[u8], u16, &str); 8] = [
        (
            b"GET /nothing HTTP/1.1\r\n\r\n",
            404,
            "there is nothing here",
        ),
        (
            b"GET /health/ HTTP/1.1\r\n\r\n",
            404,
            "there is nothing here",
        ),
        (
            b"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
            405,
            "only GET and HEAD",
        ),
        (b"DELETE / HTTP/1.1\r\n\r\n", 405, "only GET and HEAD"),
        (
            b"GET /metrics?format=xml HTTP/1.1\r\n\r\n",
            400,
            "format is json or prometheus",
        ),
        (
            b"GET /events?since=x HTTP/1.1\r\n\r\n",
            400,
            "since is a number",
        ),
        (b"GET / HTTP/2.0\r\n\r\n", 505, "HTTP/1.1"),
        (
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
            400,
            "not a request",
        ),
    ];
    for (request, status, words) in table {
        let answer = site.say(request).unwrap();
        assert_eq!(answer.status, status, "{}", answer.head);
        assert!(answer.body.contains(words), "{}", answer.body);
    }
    let answer = site.say(b"PUT / HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(answer.header("Allow"), "GET, HEAD");
}

// ---- bad ones ------------------------------------------------------------------

#[test]
fn of_several_requests_at_once_the_first_is_answered() {
    let site = Site::up(SLEEPER);
    site.sup.wait_state("a", "up");
    let answer = site
        .say(&b"GET /health HTTP/1.1\r\n\r\n".repeat(50))
        .unwrap();
    assert_eq!((answer.status, answer.body.lines().count()), (200, 1));
    assert_eq!(answer.header("Connection"), "close");
}

#[test]
fn a_megabyte_of_headers_is_refused_and_so_is_one_long_line() {
    let site = Site::up(SLEEPER);
    let header = format!("A: {}\r\n", "b".repeat(1000));
    let many = "GET / HTTP/1.1\r\n".to_owned() + &header.repeat(1024);
    let long = "GET /".to_owned() + &"a".repeat(1 << 20);
    for request in [many, long] {
        let answer = site.say(request.as_bytes()).unwrap();
        assert_eq!(answer.status, 431);
        assert!(
            answer
                .body
                .contains(&format!("{} KiB", HTTP_REQUEST_MAX >> 10))
        );
    }
}

/// Bytes that look like noise, the same each time.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let bytes = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    bytes.flatten().take(length).collect()
}

#[test]
fn garbage_is_answered_or_dropped_and_changes_nothing() {
    let site = Site::up(SLEEPER);
    let pid = site.sup.pid("a");
    for seed in 0..200 {
        let bytes = noise(seed, 1 + usize::try_from(seed).unwrap() * 50);
        let mut stream = site.connect();
        let _refused = stream.write_all(&bytes);
        let _ended = stream.shutdown(Shutdown::Write);
        if let Ok(answer) = read(&mut stream) {
            assert!((400..=505).contains(&answer.status), "{seed}");
        }
    }
    assert_eq!((site.get("/health").status, site.sup.pid("a")), (200, pid));
}

#[test]
fn who_asks_slowly_is_told_so_and_let_go() {
    let site = Site::up(SLEEPER);
    let mut silent = site.connect();
    let mut slow = site.connect();
    let start = clock::now();
    let answer = until("an answer to the slow one", || {
        let _dropped = slow.write_all(b"a");
        slow.set_read_timeout(Some(ms(100))).unwrap();
        let mut first = [0];
        match slow.peek(&mut first) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                None
            }
            _ => Some(read(&mut slow)),
        }
    });
    let took = clock::now() - start;
    assert!(took >= ms(4_500) && took < ms(15_000), "{took:?}");
    if let Ok(answer) = answer {
        assert_eq!(answer.status, 408);
    }
    assert_eq!(read(&mut silent).unwrap().status, 408);
}

/// Asks for more than fits into the kernel's buffers, which are small for a peer that
/// takes small segments.
fn ask_and_never_read(port: u16) -> OwnedFd {
    let flags = SockFlag::SOCK_CLOEXEC;
    let client = socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap();
    setsockopt(&client, sockopt::RcvBuf, &2048).unwrap();
    setsockopt(&client, sockopt::TcpMaxSeg, &536).unwrap();
    // SAFETY: an address is a plain structure, of which the kernel is told the size.
    let connected = unsafe {
        let mut address: libc::sockaddr_in = std::mem::zeroed();
        address.sin_family = libc::AF_INET as libc::sa_family_t;
        address.sin_port = port.to_be();
        address.sin_addr.s_addr = u32::from(Ipv4Addr::LOCALHOST).to_be();
        let size = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        libc::connect(client.as_raw_fd(), (&raw const address).cast(), size)
    };
    assert_eq!(connected, 0, "{}", std::io::Error::last_os_error());
    let request = b"GET /metrics?format=prometheus HTTP/1.1\r\n\r\n";
    nix::unistd::write(&client, request).unwrap();
    client
}

#[test]
fn a_client_that_never_reads_does_not_keep_others_waiting() {
    let workers = "[group.w]\nstrategy = \"simple-one-for-one\"\ncount = 300\n\
        template = { command = [\"sleep\", \"100000\"] }\n";
    let site = Site::up(&format!("{SLEEPER}{workers}"));
    site.sup.wait_state("w/300", "up");
    let asking: Vec<_> = (0..HTTP_CLIENTS_MAX - 1)
        .map(|_| ask_and_never_read(site.port))
        .collect();
    for _ in 0..20 {
        assert_eq!(site.get("/health").status, 200);
    }
    site.sup.signal("a", Sig::SIGKILL);
    site.sup.wait_run("a", 2);
    // They were really in the way: nobody has taken all of it.
    assert!(asking.iter().all(|client| {
        let unread =
            nix::sys::socket::recv(client.as_raw_fd(), &mut [0; 65536], MsgFlags::MSG_PEEK);
        unread.is_ok_and(|length| length > 0 && length < 65536)
    }));
}

/// How long it takes from the end of the child to its next run.
fn restart(site: &Site, run: u64) -> Duration {
    let lines = usize::try_from(run).unwrap();
    site.sup.signal("a", Sig::SIGKILL);
    let died = clock::now();
    let started = site.sup.sup().err.nth(lines - 1, "a started (pid").at;
    site.sup.wait_run("a", run);
    started - died
}

#[test]
fn a_thousand_connections_at_once_are_not_felt() {
    let site = Site::up(SLEEPER);
    site.sup.pid("a");
    let usual = (2..5).map(|run| restart(&site, run)).max().unwrap();
    let works = (0..4).map(|part| {
        let port = site.port;
        let work: Box<dyn FnOnce() + Send> = Box::new(move || {
            // Some say nothing, some the half of it, some all; nobody reads.
            let said: [&[u8]; 3] = [b"", b"GET /metr", b"GET /metrics HTTP/1.1\r\n\r\n"];
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let streams = (0..250).filter_map(|nth| {
                let mut stream = TcpStream::connect_timeout(&address, ms(2_000)).ok()?;
                let _dropped = stream.write_all(said[(nth + part) % 3]);
                Some(stream)
            });
            let streams: Vec<TcpStream> = streams.collect();
            pause(ms(500));
            drop(streams);
        });
        work
    });
    let mut works: Vec<Box<dyn FnOnce() + Send>> = works.collect();
    let (told, times) = std::sync::mpsc::channel();
    let sup_pid = site.sup.sup().pid;
    std::thread::scope(|scope| {
        let site = &site;
        scope.spawn(move || {
            for run in 5..10 {
                told.send(restart(site, run)).unwrap();
            }
        });
        at_once(std::mem::take(&mut works));
    });
    let slowest = times.iter().max().unwrap();
    // Many times what is usual is still nothing that a person feels; a loaded machine and
    // an emulated one need it.
    let bound = usual * 10 + ms(500);
    assert!(slowest < bound, "{slowest:?}, usually {usual:?}");
    assert_eq!(site.get("/health").status, 200);
    until("their descriptors to be closed", || {
        let open = fs::read_dir(format!("/proc/{sup_pid}/fd")).unwrap().count();
        (open < 40).then_some(())
    });
}

#[test]
fn a_reload_in_the_middle_of_an_answer_does_no_harm() {
    let sleepers: String = (0..100)
        .map(|n| format!("[child.c{n}]\ncommand = [\"sleep\", \"100000\"]\n"))
        .collect();
    let groups: String = (0..100)
        .map(|n| format!("[group.g{n}]\nmembers = \"c{n}\"\n"))
        .collect();
    let site = Site::up(&format!("{sleepers}{groups}"));
    site.sup.wait_state("c99", "up");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    assert_eq!(site.get("/metrics").status, 200);
                }
            });
        }
        for n in 0..12 {
            let some = if n % 2 == 0 { "" } else { &groups };
            site.sup
                .configure(&config(site.port, &format!("{sleepers}{some}")));
            site.sup.must(&["reload"]);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(site.sup.sup().is_alive());
}

// ---- the port --------------------------------------------------------------------

#[test]
fn a_reload_opens_moves_and_closes_it() {
    let mut site = Site::up(SLEEPER);
    site.sup.wait_state("a", "up");
    let (first, second) = (site.port, free_port());
    assert_eq!(site.get("/health").status, 200);
    site.sup.configure(&config(second, SLEEPER));
    site.sup.must(&["reload"]);
    site.port = second;
    assert_eq!(site.get("/health").status, 200);
    let gone = |port| {
        until("the port to be closed", || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                .is_err()
                .then_some(())
        });
    };
    gone(first);
    // The same port at another address.
    let everywhere = config(second, SLEEPER).replace(
        &format!("listen = {second}"),
        &format!("listen = \"0.0.0.0:{second}\""),
    );
    site.sup.configure(&everywhere);
    let told = site.sup.must(&["reload"]);
    assert_eq!(site.get("/health").status, 200, "{told}");
    site.sup.configure(SLEEPER);
    site.sup.must(&["reload"]);
    gone(second);
    site.sup.line("http: closed");
}

#[test]
fn a_port_that_is_taken_is_told_of_once_and_tried_again() {
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = other.local_addr().unwrap().port();
    let sup = TestBox::up(&config(port, SLEEPER));
    let site = Site { sup, port };
    site.sup.line("Address already in use");
    site.sup.signal("a", Sig::SIGKILL);
    site.sup.wait_run("a", 2);
    drop(other);
    site.sup.line("http: to be seen at");
    assert_eq!(site.get("/health").status, 200);
    assert_eq!(site.sup.sup().err.with("Address already in use").len(), 1);
}

// ---- the page --------------------------------------------------------------------

#[test]
fn the_page_comes_with_a_policy_that_lets_nothing_in() {
    let site = Site::up(SLEEPER);
    let page = site.get("/");
    assert_eq!(
        (page.status, page.header("Content-Type")),
        (200, "text/html; charset=utf-8")
    );
    let policy = page.header("Content-Security-Policy");
    assert!(
        policy.starts_with("default-src 'none';") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(page.header("X-Content-Type-Options"), "nosniff");
}

/// In a real browser, where there is one.
#[test]
fn the_page_shows_the_tree_in_a_browser() {
    let hopeless = "[child.hopeless]\ncommand = [\"sh\", \"-c\", \"exit 42\"]\nbackoff = { first = \"0s\" }\nbudget = { max-restarts = 2 }\n";
    let site = Site::up(&format!(
        "{SLEEPER}{hopeless}[group.pipeline]\nmembers = \"a\"\n"
    ));
    site.sup.wait_state("a", "up");
    site.sup.wait_state("hopeless", "gave-up");
    let mut browser = Command::new("chromium");
    let profile = site.sup.name("browser");
    browser
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--virtual-time-budget=3000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={profile}"))
        .arg(format!("http://127.0.0.1:{}/", site.port));
    if Command::new("chromium").arg("--version").output().is_err() {
        return skipped("chromium is not installed");
    }
    let dom = run(&mut browser).out;
    for text in [
        "<span id=\"headline\">hopeless (gave-up)</span>",
        "id=\"row-pipeline\" class=\"ok group\"",
        "id=\"row-hopeless\" class=\"bad\"",
        "Last: exit code 42. It failed too often in too short a time.",
        "aria-label=\"2 restarts in 24 hours\"",
        "CRITICAL: hopeless crashed with exit code 42",
    ] {
        assert!(dom.contains(text), "no {text} in\n{dom}");
    }
}
