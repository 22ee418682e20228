//! A box for each test: directories of its own, a configuration, a sup, and a bound on
//! every wait. Whatever a test started is gone when its box is dropped.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test file is a crate of its own and uses a part of this"
)]

pub(crate) mod faults;
pub(crate) mod old_kernel;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::Pid;
use serde_json::Value;
use sup::model::Uptime;
use sup::os::{clock, procfs};
use tempfile::TempDir;

pub(crate) use nix::sys::signal::Signal as Sig;

/// The binary under test.
pub(crate) const SUP: &str = env!("CARGO_BIN_EXE_sup");

/// No wait is longer; a loaded machine needs a part of it.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// In the environment of every child: what is left of a test is found by it.
const MARK: &str = "TEST_MARK";

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Where there is nothing to wait on: /proc and other people's files tell nobody.
#[expect(
    clippy::disallowed_methods,
    reason = "polled with a bound, where no event exists"
)]
pub(crate) fn pause(span: Duration) {
    thread::sleep(span);
}

/// The spans from start to start of runs that have written `date +%s%N` into a file. A run
/// ends after it has looked at the clock, and the wait for the next one begins after that:
/// such a span is never shorter than the wait, however busy the machine is.
pub(crate) fn waits_between(starts: &Path) -> Vec<Duration> {
    let starts = fs::read_to_string(starts).unwrap();
    let starts: Vec<u64> = starts.lines().map(|line| line.parse().unwrap()).collect();
    let spans = starts.windows(2).map(|two| two[1] - two[0]);
    spans.map(Duration::from_nanos).collect()
}

/// Copies a program, to be run there. Another process does it: a test beside us that makes a
/// process would hold our copy open for writing meanwhile, and it could not be run.
pub(crate) fn copy_program(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg(from).arg(to).status();
    assert!(copied.unwrap().success());
}

/// Copies sup.
pub(crate) fn copy_sup(to: &Path) {
    copy_program(Path::new(SUP), to);
}

/// Polls until there is something; says what it waited for where there is nothing.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = clock::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(clock::now() - start < BOUND, "waited in vain for {what}");
        pause(ms(5));
    }
}

// ---- a program's words --------------------------------------------------------

/// A line, and when it came.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: Uptime,
    pub(crate) text: String,
}

/// What a program has said so far, and the wait for more.
#[derive(Default)]
pub(crate) struct Said {
    lines: Mutex<(Vec<Line>, bool)>,
    more: Condvar,
}

impl Said {
    fn listen(from: impl Read + Send + 'static) -> Arc<Self> {
        let said = Arc::<Self>::default();
        let teller = Arc::clone(&said);
        thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut bytes = Vec::new();
            while from
                .read_until(b'\n', &mut bytes)
                .is_ok_and(|length| length > 0)
            {
                let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
                bytes.clear();
                let at = clock::now();
                teller.lines.lock().unwrap().0.push(Line { at, text });
                teller.more.notify_all();
            }
            teller.lines.lock().unwrap().1 = true;
            teller.more.notify_all();
        });
        said
    }

    /// Waits for line number `nth`, counted from 0, of those that hold `text`.
    pub(crate) fn nth(&self, nth: usize, text: &str) -> Line {
        let start = clock::now();
        let mut lines = self.lines.lock().unwrap();
        loop {
            let found = lines.0.iter().filter(|line| line.text.contains(text));
            if let Some(line) = found.clone().nth(nth) {
                return line.clone();
            }
            let left = BOUND.saturating_sub(clock::now() - start);
            if left.is_zero() || lines.1 {
                let found = found.count();
                // A panic that holds the lock would be the only one to speak.
                drop(lines);
                let all = self.text();
                panic!("waited in vain for line {nth} with {text:?} ({found} came) in:\n{all}");
            }
            lines = self.more.wait_timeout(lines, left).unwrap().0;
        }
    }

    pub(crate) fn line(&self, text: &str) -> Line {
        self.nth(0, text)
    }

    /// All lines so far that hold `text`.
    pub(crate) fn with(&self, text: &str) -> Vec<Line> {
        let lines = self.lines.lock().unwrap();
        let found = lines.0.iter().filter(|line| line.text.contains(text));
        found.cloned().collect()
    }

    pub(crate) fn text(&self) -> String {
        let lines = self.lines.lock().unwrap();
        let all: Vec<&str> = lines.0.iter().map(|line| &*line.text).collect();
        all.join("\n")
    }

    /// All of it, once nobody can say more.
    pub(crate) fn all(&self) -> String {
        let lines = self.lines.lock().unwrap();
        let waited = self.more.wait_timeout_while(lines, BOUND, |lines| !lines.1);
        let (lines, late) = waited.unwrap();
        drop(lines);
        assert!(!late.timed_out(), "its output has no end:\n{}", self.text());
        self.text()
    }
}

// ---- a program ----------------------------------------------------------------

/// A program that we started, until it has ended.
pub(crate) struct Program {
    pub(crate) pid: i32,
    pub(crate) out: Arc<Said>,
    pub(crate) err: Arc<Said>,
    ended: Arc<Ended>,
}

/// How it ended, and when; and the wait for that.
#[derive(Default)]
struct Ended {
    how: Mutex<Option<(ExitStatus, Uptime)>>,
    told: Condvar,
}

impl Program {
    /// Starts it; what it says is kept, what it reads is `input`.
    pub(crate) fn start(command: &mut Command, input: Option<&[u8]>) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        });
        let mut child = command.spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let out = Said::listen(child.stdout.take().unwrap());
        let err = Said::listen(child.stderr.take().unwrap());
        if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
            let input = input.to_vec();
            thread::spawn(move || pipe.write_all(&input));
        }
        let ended = Arc::<Ended>::default();
        let teller = Arc::clone(&ended);
        thread::spawn(move || {
            let status = child.wait().unwrap();
            *teller.how.lock().unwrap() = Some((status, clock::now()));
            teller.told.notify_all();
        });
        Self {
            pid,
            out,
            err,
            ended,
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if self.is_alive() {
            let _ended = kill(Pid::from_raw(self.pid), signal);
        }
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.ended.how.lock().unwrap().is_none()
    }

    fn wait(&self, bound: Duration) -> Option<(ExitStatus, Uptime)> {
        let ended = self.ended.how.lock().unwrap();
        let waited = self
            .ended
            .told
            .wait_timeout_while(ended, bound, |ended| ended.is_none());
        *waited.unwrap().0
    }

    /// Waits for its end: its exit code, or minus its signal, and when that was.
    pub(crate) fn end(&self) -> (i32, Uptime) {
        let Some((status, at)) = self.wait(BOUND) else {
            panic!("waited in vain for its end; it said:\n{}", self.err.text());
        };
        let signal = || -status.signal().unwrap_or(0);
        (status.code().unwrap_or_else(signal), at)
    }

    pub(crate) fn code(&self) -> i32 {
        self.end().0
    }
}

impl Drop for Program {
    /// Everything below it goes with it: sup is a subreaper, so nothing has got away.
    fn drop(&mut self) {
        if !self.is_alive() {
            return;
        }
        let below = descendants(self.pid);
        self.signal(Signal::SIGTERM);
        if self.wait(Duration::from_secs(3)).is_none() {
            self.signal(Signal::SIGKILL);
            self.wait(BOUND);
        }
        kill_all(&below);
    }
}

/// Everything that a process has made and that has not left it.
pub(crate) fn descendants(pid: i32) -> Vec<procfs::Stat> {
    let mut rest = procfs::processes(|_| true);
    let mut below: Vec<procfs::Stat> = rest.extract_if(.., |stat| stat.parent == pid).collect();
    let mut known = 0;
    while known < below.len() {
        let parent = below[known].pid;
        below.extend(rest.extract_if(.., |stat| stat.parent == parent));
        known += 1;
    }
    below
}

/// Kills those that are still who they were.
pub(crate) fn kill_all(processes: &[procfs::Stat]) {
    for old in processes {
        if procfs::stat(old.pid).is_some_and(|now| now.start == old.start) {
            let _ended = kill(Pid::from_raw(old.pid), Signal::SIGKILL);
        }
    }
}

pub(crate) fn is_running(pid: i32) -> bool {
    procfs::stat(pid).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
}

/// What became of a program that has ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a program to its end, which must come.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let program = Program::start(command, None);
    Outcome {
        code: program.code(),
        out: program.out.all(),
        err: program.err.all(),
    }
}

/// sup, without anything that our own environment may say to it.
pub(crate) fn sup(args: &[&str]) -> Command {
    // A binary for another machine, behind its emulator: `qemu-arm-static PATH`.
    let runner = std::env::var("SUP_RUNNER").unwrap_or_else(|_| SUP.to_owned());
    let mut words = runner.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or(SUP));
    command.args(words);
    alone(command, args)
}

/// A copy of it: another user may not reach the one that was built.
pub(crate) fn sup_at(binary: &Path, args: &[&str]) -> Command {
    alone(Command::new(binary), args)
}

fn alone(mut command: Command, args: &[&str]) -> Command {
    command.args(args);
    // Folders that everybody may search, or "not found" would become "not permitted".
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
    let ours = std::env::vars_os().map(|(key, _)| key);
    for key in ours.filter(|key| key.as_encoded_bytes().starts_with(b"SUP_")) {
        command.env_remove(key);
    }
    for key in ["RUST_LOG", "NOTIFY_SOCKET", "XDG_RUNTIME_DIR"] {
        command.env_remove(key);
    }
    // Whoever runs the tests in the background ignores INT for all of them, or HUP.
    // SAFETY: one system call, which neither allocates nor locks.
    unsafe {
        command.pre_exec(|| {
            nix::sys::signal::signal(Signal::SIGINT, nix::sys::signal::SigHandler::SigDfl)?;
            nix::sys::signal::signal(Signal::SIGHUP, nix::sys::signal::SigHandler::SigDfl)?;
            Ok(())
        });
    }
    if old_kernel::is_played() {
        old_kernel::play(&mut command);
    }
    command
}

/// A program that refuses to be root, run by somebody else, to whom the folder is given.
pub(crate) fn run_as_nobody(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/");
    if is_root() {
        let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
        let (uid, gid) = (nobody.uid, nobody.gid);
        nix::unistd::chown(folder, Some(uid), Some(gid)).unwrap();
        use std::os::unix::fs::PermissionsExt;
        let above = folder.parent().unwrap();
        fs::set_permissions(above, fs::Permissions::from_mode(0o755)).unwrap();
        command.uid(uid.as_raw()).gid(gid.as_raw());
    }
    command
}

// ---- a box --------------------------------------------------------------------

/// Directories, a configuration and, once it is up, a sup.
pub(crate) struct TestBox {
    dir: TempDir,
    sup: Option<Program>,
}

impl TestBox {
    /// `$DIR` in the configuration is the box's directory.
    pub(crate) fn new(config: &str) -> Self {
        // In /tmp whatever TMPDIR says: the path of a socket has 108 bytes.
        let dir = tempfile::Builder::new()
            .prefix("sup-")
            .tempdir_in("/tmp")
            .unwrap();
        let made = Self { dir, sup: None };
        made.configure(config);
        made
    }

    /// A box with a sup that is up.
    pub(crate) fn up(config: &str) -> Self {
        let mut made = Self::new(config);
        made.start();
        made
    }

    /// Writes the configuration.
    pub(crate) fn configure(&self, config: &str) {
        let text = format!(
            "runtime = \"$DIR/r\"\nstate = \"$DIR/s\"\n{config}\n[defaults.env]\n{MARK} = \"$DIR\"\n"
        );
        self.write("sup.toml", &text);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A path in the box as text.
    pub(crate) fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Writes a file; `$DIR` in it is our directory.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let dir = self.dir.path().to_str().unwrap();
        fs::write(self.path(name), text.replace("$DIR", dir)).unwrap();
    }

    /// Writes a program.
    pub(crate) fn program(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        self.write(name, text);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What a file holds; nothing where it is missing.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        self.read(name).lines().map(str::to_owned).collect()
    }

    /// Waits until a file has so many whole lines, and returns them.
    pub(crate) fn wait_lines(&self, name: &str, count: usize) -> Vec<String> {
        until(&format!("{count} lines in {name}: {}", self.log()), || {
            let text = self.read(name);
            let whole = text.matches('\n').count();
            (whole >= count).then(|| text.lines().map(str::to_owned).collect())
        })
    }

    /// sup, as this box means it.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = sup(args);
        command.arg("--config").arg(self.path("sup.toml"));
        command
    }

    /// Starts a sup in the foreground, and returns when it answers.
    pub(crate) fn start(&mut self) {
        let program = Program::start(&mut self.command(&["run"]), None);
        self.adopt(program);
    }

    /// Takes a sup that was started in some other way.
    pub(crate) fn adopt(&mut self, program: Program) {
        let socket = self.path("r/control");
        until("sup to answer", || {
            assert!(program.is_alive(), "it ended: {}", program.err.text());
            // A child that is just being made keeps the socket of a sup that was killed
            // meanwhile, and answers nobody.
            let stream = UnixStream::connect(&socket).ok()?;
            let listener = getsockopt(&stream, PeerCredentials).unwrap().pid();
            (listener == 0 || is_running(listener)).then_some(())
        });
        self.sup = Some(program);
    }

    /// The sup that is up.
    pub(crate) fn sup(&self) -> &Program {
        self.sup.as_ref().unwrap()
    }

    /// What sup has said.
    pub(crate) fn log(&self) -> String {
        self.sup
            .as_ref()
            .map_or_else(String::new, |sup| sup.err.text())
    }

    /// Waits for a line of sup's log.
    pub(crate) fn line(&self, text: &str) -> Line {
        self.sup().err.line(text)
    }

    /// Ends sup as an init system would; its children go with it.
    pub(crate) fn end(&mut self) -> i32 {
        let sup = self.sup.take().unwrap();
        sup.signal(Signal::SIGTERM);
        sup.code()
    }

    /// Kills sup alone; its children live on.
    pub(crate) fn kill_sup_only(&mut self) {
        let sup = self.sup.take().unwrap();
        sup.signal(Signal::SIGKILL);
        sup.code();
    }

    /// Kills sup, and then what it left.
    pub(crate) fn kill_sup(&mut self) {
        self.kill_sup_only();
        until("what it left to be gone", || {
            // Once more each time: one of them may just have been made.
            let left = self.marked();
            kill_all(&left);
            left.is_empty().then_some(())
        });
    }

    /// Asks the running sup, or another one.
    pub(crate) fn ask(&self, args: &[&str]) -> Outcome {
        run(&mut self.command(args))
    }

    /// Asks, and expects success.
    pub(crate) fn must(&self, args: &[&str]) -> String {
        let outcome = self.ask(args);
        assert_eq!(
            outcome.code,
            0,
            "{args:?}: {outcome:?}\nlog:\n{}",
            self.log()
        );
        outcome.out
    }

    pub(crate) fn status(&self) -> Value {
        let outcome = self.ask(&["status", "--json"]);
        serde_json::from_str(&outcome.out)
            .unwrap_or_else(|_| panic!("{outcome:?}\nlog:\n{}", self.log()))
    }

    /// How a child stands.
    pub(crate) fn child(&self, name: &str) -> Value {
        let status = self.status();
        let children = status["children"].as_array().unwrap();
        children
            .iter()
            .find(|child| child["name"] == name)
            .unwrap_or_else(|| panic!("no child {name} in {status}"))
            .clone()
    }

    /// Waits until a child stands so, and returns how it then stands.
    pub(crate) fn wait_for(&self, name: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let start = clock::now();
        loop {
            let child = self.child(name);
            if is_so(&child) {
                return child;
            }
            assert!(
                clock::now() - start < BOUND,
                "waited in vain for {name} to be {what}: {child}\nlog:\n{}",
                self.log()
            );
            pause(ms(10));
        }
    }

    pub(crate) fn wait_state(&self, name: &str, state: &str) -> Value {
        self.wait_for(name, state, |child| child["state"] == state)
    }

    /// Waits until run number `run`, or a later one, is up: its pid.
    pub(crate) fn wait_run(&self, name: &str, run: u64) -> i32 {
        let child = self.wait_for(name, &format!("up in run {run}"), |child| {
            child["state"] == "up" && child["run"].as_u64() >= Some(run)
        });
        pid_of(&child)
    }

    /// The pid of a child that is up.
    pub(crate) fn pid(&self, name: &str) -> i32 {
        pid_of(&self.wait_state(name, "up"))
    }

    pub(crate) fn signal(&self, name: &str, signal: Signal) {
        kill(Pid::from_raw(self.pid(name)), signal).unwrap();
    }

    /// Everything alive that some child of this box has made.
    pub(crate) fn marked(&self) -> Vec<procfs::Stat> {
        let mark = format!("{MARK}={}", self.dir.path().display());
        procfs::processes(|stat| {
            fs::read(format!("/proc/{}/environ", stat.pid)).is_ok_and(|environ| {
                environ
                    .split(|&byte| byte == 0)
                    .any(|variable| variable == mark.as_bytes())
            })
        })
    }

    /// Waits until nothing of any child is left.
    pub(crate) fn wait_clear(&self) {
        until("everything to be gone", || {
            self.marked().is_empty().then_some(())
        });
    }
}

pub(crate) fn pid_of(child: &Value) -> i32 {
    let pid = child["pid"].as_i64().unwrap_or_else(|| panic!("{child}"));
    i32::try_from(pid).unwrap()
}

impl Drop for TestBox {
    fn drop(&mut self) {
        if thread::panicking() && self.sup.is_some() {
            let log = self.log();
            let skipped = log.lines().count().saturating_sub(60);
            let last: Vec<&str> = log.lines().skip(skipped).collect();
            let _shown = writeln!(
                std::io::stderr(),
                "---- log of sup, {skipped} lines before it left out\n{}\n----",
                last.join("\n")
            );
        }
        self.sup = None;
        kill_all(&self.marked());
    }
}

// ---- odds and ends ------------------------------------------------------------

/// The lines of `/proc/PID/status`, by their names.
pub(crate) fn proc_status(pid: i32, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let found = text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key == name).then(|| value.trim().to_owned())
    });
    found.unwrap_or_else(|| panic!("no {name} in /proc/{pid}/status"))
}

/// Runs these at the same time, each to its end.
pub(crate) fn at_once(works: Vec<Box<dyn FnOnce() + Send>>) {
    let (done, all) = mpsc::channel();
    let count = works.len();
    let threads: Vec<_> = works
        .into_iter()
        .map(|work| {
            let done = done.clone();
            thread::spawn(move || {
                work();
                let _ = done.send(());
            })
        })
        .collect();
    // One that fails sends nothing: then the end of all others is waited for, and no longer.
    drop(done);
    for _ in 0..count {
        if all.recv_timeout(3 * BOUND).is_err() {
            break;
        }
    }
    for thread in threads {
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

/// A command in the configuration: a shell script.
pub(crate) fn sh(script: &str) -> String {
    format!("command = [\"/bin/sh\", \"-c\", '''{script}''']")
}

/// Whether a file is there.
pub(crate) fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}
