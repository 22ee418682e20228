//! Faults while sup runs: it says each once and goes on, and nothing is lost.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use common::faults::{self, Cgroup, NOBODY, Small, Tight};
use common::{
    Program, Sig, TestBox, is_root, is_running, ms, old_kernel, pause, proc_status, run, sh, until,
};
use nix::errno::Errno;
use nix::libc;
use sup::os::clock;
use sup::wire::control::{Hello, Request, VERSION};
use sup::wire::frame;

/// Lives until it is killed, and comes back at once or soon.
fn sleeper(name: &str, first: &str) -> String {
    format!(
        "[child.{name}]\ncommand = [\"sleep\", \"1000\"]\nbackoff = {{ first = \"{first}\", factor = 1 }}\nbudget = {{ max-restarts = \"unlimited\" }}\n"
    )
}

/// Says each line that is written into the pipe `$DIR/say`.
const PARROT: &str = "[child.parrot]\ncommand = [\"/bin/sh\", \"-c\", \"exec 3<>$DIR/say; echo hello from $$; while read line <&3; do echo $line; done\"]\nbackoff = { first = \"0s\" }\n";

fn with_parrot(config: &str) -> TestBox {
    let sup = TestBox::new(&format!("{PARROT}{config}"));
    nix::unistd::mkfifo(&sup.path("say"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    sup
}

fn say(sup: &TestBox, line: &str) {
    let mut pipe = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(sup.path("say"))
        .unwrap();
    writeln!(pipe, "{line}").unwrap();
}

/// Waits until sup has this in the output of a child.
fn wait_output(sup: &TestBox, child: &str, text: &str) -> String {
    until(&format!("{text:?} in the output of {child}"), || {
        let told = sup.ask(&["logs", "-n", "1000", child]);
        told.out.contains(text).then_some(told.out)
    })
}

// ---- the runtime directory ----------------------------------------------------

#[test]
fn a_runtime_directory_that_is_deleted_is_made_again_and_nothing_is_lost() {
    let mut sup = with_parrot(&sleeper("a", "0s"));
    sup.start();
    let (parrot, a) = (sup.pid("parrot"), sup.pid("a"));
    wait_output(&sup, "parrot", "hello from");
    for round in 1..=2 {
        fs::remove_dir_all(sup.path("r")).unwrap();
        until("the socket to be there again", || {
            UnixStream::connect(sup.path("r/control")).ok()
        });
        sup.sup().err.nth(round - 1, "made again");
        let mode = |name: &str| fs::metadata(sup.path(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("r"), mode("r/control")), (0o711, 0o600));
    }
    assert_eq!((sup.pid("parrot"), sup.pid("a")), (parrot, a));
    // A pipe without a name is a pipe.
    say(&sup, "still here");
    wait_output(&sup, "parrot", "still here");
    // The next run has a pipe with a name, and what came before is still there.
    sup.signal("parrot", Sig::SIGKILL);
    let next = sup.wait_run("parrot", 2);
    let output = wait_output(&sup, "parrot", &format!("hello from {next}"));
    assert!(output.contains("still here"), "{output}");
    assert_eq!(sup.sup().err.with("made again").len(), 2);
    // Nobody else takes our place, and the next sup knows our children.
    let told = sup.ask(&["run"]);
    assert!(told.err.contains("another sup is running"), "{told:?}");
    sup.kill_sup_only();
    sup.start();
    assert_eq!((sup.pid("parrot"), sup.pid("a")), (next, a));
}

#[test]
fn a_pipe_without_a_name_is_found_again_by_the_next_sup() {
    let mut sup = with_parrot("");
    sup.start();
    let pid = sup.pid("parrot");
    fs::remove_dir_all(sup.path("r")).unwrap();
    sup.line("made again");
    sup.kill_sup_only();
    sup.start();
    // More than a pipe holds: with nobody to read it, it would hang.
    let long = "x".repeat(1_000);
    for round in 0..100 {
        say(&sup, &format!("{round} {long}"));
    }
    wait_output(&sup, "parrot", "99 x");
    assert_eq!(sup.pid("parrot"), pid);
    sup.signal("parrot", Sig::SIGKILL);
    let next = sup.wait_run("parrot", 2);
    let output = wait_output(&sup, "parrot", &format!("hello from {next}"));
    assert!(output.contains("99 x"), "what came before is kept");
}

#[test]
fn the_log_of_a_detached_sup_is_there_again_too() {
    let sup = TestBox::new(&sleeper("a", "0s"));
    let mark = sup.name("");
    let mut detach = sup.command(&["run", "--detach"]);
    detach.env("TEST_MARK", mark.trim_end_matches('/'));
    assert_eq!(run(&mut detach).code, 0);
    sup.wait_state("a", "up");
    fs::remove_dir_all(sup.path("r")).unwrap();
    until("the log to be there again", || {
        sup.read("r/sup.log").contains("made again").then_some(())
    });
    sup.must(&["stop", "a"]);
    assert!(sup.read("r/sup.log").contains("Stopping a"));
    sup.must(&["shutdown"]);
}

#[test]
fn a_child_that_dies_with_the_runtime_directory_comes_back() {
    let mut sup = with_parrot(&sleeper("a", "0s"));
    sup.start();
    sup.pid("parrot");
    let a = sup.pid("a");
    fs::remove_dir_all(sup.path("r")).unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(a), Sig::SIGKILL).unwrap();
    sup.sup().err.nth(1, "a started (pid ");
    sup.line("made again");
    sup.wait_run("a", 2);
    assert_eq!(sup.sup().err.with("[WARNING]").len(), 1, "{}", sup.log());
}

#[test]
fn a_socket_alone_that_is_deleted_is_made_again() {
    let mut sup = TestBox::up(&sleeper("a", "0s"));
    let pid = sup.pid("a");
    fs::remove_file(sup.path("r/control")).unwrap();
    until("the socket to be there again", || {
        UnixStream::connect(sup.path("r/control")).ok()
    });
    assert_eq!(sup.pid("a"), pid);
    assert_eq!(sup.end(), 0);
}

#[test]
fn a_runtime_directory_that_cannot_be_made_again_is_told_once_and_children_go_on() {
    let mut sup = TestBox::up(&sleeper("a", "200ms"));
    let pid = sup.pid("a");
    fs::remove_dir_all(sup.path("r")).unwrap();
    fs::write(sup.path("r"), "in the way").unwrap();
    sup.line("cannot be made again, children go on");
    assert!(is_running(pid));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Sig::SIGKILL).unwrap();
    // Without its pipe it cannot start, and is tried again; then it can.
    sup.sup().err.nth(1, "its output pipe: ");
    fs::remove_file(sup.path("r")).unwrap();
    sup.sup().err.nth(1, "a started (pid ");
    assert_eq!(sup.sup().err.with("cannot be made again").len(), 1);
    assert_eq!(sup.end(), 0);
}

// ---- descriptors, processes, memory -------------------------------------------

#[test]
fn out_of_descriptors_children_go_on_and_what_could_not_start_starts_when_there_are_some() {
    let sup = TestBox::up(&(sleeper("a", "500ms") + &sleeper("b", "500ms")));
    let (a, b) = (sup.pid("a"), sup.pid("b"));
    let tight = Tight::descriptors(sup.sup().pid, 4);
    let mut waiting = UnixStream::connect(sup.path("r/control")).unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(a), Sig::SIGKILL).unwrap();
    let failed = "Too many open files";
    // Ten tries: in that time the socket was tried several times, too.
    sup.sup().err.nth(9, failed);
    assert_eq!(
        sup.sup().err.with("the control socket takes nobody").len(),
        1,
        "{}",
        sup.log()
    );
    assert!(is_running(b));
    drop(tight);
    sup.line("the control socket takes clients again");
    waiting.write_all(&[0xff; 8]).unwrap();
    let mut answer = Vec::new();
    let _closed = waiting.read_to_end(&mut answer);
    sup.wait_state("a", "up");
    assert_eq!(sup.pid("b"), b);
}

#[test]
fn with_too_few_descriptors_for_all_it_says_so_and_still_listens() {
    let names: Vec<String> = (0..60).map(|n| format!("c{n}")).collect();
    let config: String = names.iter().map(|name| sleeper(name, "60s")).collect();
    let mut sup = TestBox::new(&config);
    let mut command = sup.command(&["run"]);
    faults::limit_descriptors(&mut command, 80);
    let program = Program::start(&mut command, None);
    sup.adopt(program);
    let told = sup.line("may open no more than 80 files").text;
    assert!(told.contains("20 children of 60"), "{told}");
    sup.line("Too many open files");
    let stands = |state: &str| -> Vec<String> {
        let status = sup.status();
        let children = status["children"].as_array().unwrap().iter();
        let so = children.filter(|child| child["state"] == state);
        so.map(|child| child["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let (up, waiting) = (stands("up"), stands("backoff"));
    assert_eq!(up.len() + waiting.len(), names.len(), "{}", sup.log());
    assert!(up.len() >= 15, "{up:?}");
    // Several at once, and orders are kept.
    let clients: Vec<UnixStream> = (0..4)
        .map(|_| UnixStream::connect(sup.path("r/control")).unwrap())
        .collect();
    assert_eq!(sup.ask(&["stop", &up[0], &up[1]]).err, "");
    drop(clients);
    // Two who are stopped make room, where they had pidfds; their pipes stay.
    if !old_kernel::is_played() {
        sup.must(&["start", &waiting[0]]);
        sup.wait_state(&waiting[0], "up");
    }
    sup.kill_sup();
    sup.start();
    assert_eq!(sup.child(&up[0])["state"], "stopped");
    assert_eq!(sup.sup().err.with("may open no more than").len(), 0);
    sup.end();
}

#[test]
fn an_adopted_child_that_cannot_be_looked_at_is_not_taken_for_dead() {
    let mut sup = TestBox::up(&sleeper("a", "100ms"));
    let pid = sup.pid("a");
    sup.kill_sup_only();
    // Without pidfds it is looked at in /proc, each second, which needs a descriptor.
    let mut command = sup.command(&["run"]);
    if !old_kernel::is_played() {
        old_kernel::play(&mut command);
    }
    let program = Program::start(&mut command, None);
    sup.adopt(program);
    sup.line("a adopted (pid ");
    sup.wait_state("a", "up"); // It answers, so it has begun to watch.
    let tight = Tight::descriptors(sup.sup().pid, 0);
    // Nothing tells of a look that found nothing: two of them.
    pause(ms(2_500));
    drop(tight);
    assert_eq!(sup.pid("a"), pid);
    assert_eq!(sup.child("a")["restarts"], 0, "{}", sup.log());
    assert_eq!(sup.marked().len(), 1);
    // And when it dies, that is seen.
    sup.signal("a", Sig::SIGKILL);
    until("its successor", || {
        let child = sup.child("a");
        (child["state"] == "up" && child["pid"] != pid).then_some(())
    });
}

/// A sup that is not root, because no limit on processes holds for root.
fn as_mortal(sup: &mut TestBox) {
    fs::set_permissions(sup.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = sup.command(&["run"]);
    if is_root() {
        let binary = sup.path("sup");
        common::copy_sup(&binary);
        for name in ["", "sup.toml"] {
            std::os::unix::fs::chown(sup.path(name), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let config = sup.name("sup.toml");
        let mut other = common::sup_at(&binary, &["run", "--config", &config]);
        faults::as_nobody(&mut other);
        command = other;
    }
    let program = Program::start(&mut command, None);
    sup.adopt(program);
}

#[test]
fn without_processes_to_be_had_orders_are_still_kept_and_later_all_is_well() {
    let mut sup = TestBox::new(&(sleeper("a", "300ms") + &sleeper("b", "0s")));
    as_mortal(&mut sup);
    let (a, b) = (sup.pid("a"), sup.pid("b"));
    let tight = Tight::processes(sup.sup().pid, 1);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(a), Sig::SIGKILL).unwrap();
    let failed = sup.line("Resource temporarily unavailable").text;
    assert!(failed.contains("a could not be started"), "{failed}");
    // The write finds no thread either, and is done all the same.
    sup.must(&["stop", "b"]);
    assert!(!is_running(b));
    drop(tight);
    sup.wait_state("a", "up");
    sup.kill_sup();
    as_mortal(&mut sup);
    assert_eq!(sup.child("b")["state"], "stopped");
    sup.end();
}

#[test]
fn without_memory_to_fork_it_answers_and_ends() {
    let mut sup = TestBox::new(&sleeper("a", "100ms"));
    let mut command = sup.command(&["run"]);
    faults::refuse_fork(&mut command);
    let program = Program::start(&mut command, None);
    sup.adopt(program);
    sup.sup().err.nth(2, "Cannot allocate memory");
    assert_eq!(sup.child("a")["state"], "backoff");
    sup.must(&["stop", "a"]);
    assert_eq!(sup.child("a")["state"], "stopped");
    assert_eq!(sup.end(), 0);
}

// ---- disks --------------------------------------------------------------------

#[test]
fn a_full_log_disk_is_told_once_and_so_is_its_end() {
    let mut sup =
        with_parrot("log = { file = \"$DIR/disk/a.log\", max-size = \"1M\", keep = 2 }\n");
    let Some(disk) = Small::mount(&sup.path("disk"), "size=64k") else {
        return;
    };
    sup.start();
    wait_output(&sup, "parrot", "hello from");
    disk.fill();
    // What fits into the last block of the file is still written.
    let long = "x".repeat(3_000);
    for round in 0..4 {
        say(&sup, &format!("{round} {long}"));
        wait_output(&sup, "parrot", &format!("{round} x"));
    }
    let lost = sup.line("writing to the log").text;
    assert!(lost.contains("No space left on device") && lost.contains("output does not reach it"));
    let pid = sup.pid("parrot");
    disk.free();
    say(&sup, "room again");
    let over = sup.line("works again").text;
    assert!(over.contains("bytes did not reach it"), "{over}");
    assert!(sup.read("disk/a.log").ends_with("room again\n"));
    // Whatever became of the file, the ring has it all.
    let output = wait_output(&sup, "parrot", "room again");
    assert!((0..4).all(|round| output.contains(&format!("{round} x"))));
    assert_eq!(sup.pid("parrot"), pid);
    assert_eq!(
        sup.sup().err.with("[WARNING] parrot: its log").len(),
        2,
        "{}",
        sup.log()
    );
    sup.end();
}

#[test]
fn a_log_disk_that_is_full_now_and_then_is_not_told_of_each_time() {
    let mut sup =
        with_parrot("log = { file = \"$DIR/disk/a.log\", max-size = \"1M\", keep = 2 }\n");
    let Some(disk) = Small::mount(&sup.path("disk"), "size=64k") else {
        return;
    };
    sup.start();
    wait_output(&sup, "parrot", "hello from");
    let long = "x".repeat(8_000);
    for round in 0..5 {
        disk.fill();
        say(&sup, &format!("lost {round} {long}"));
        wait_output(&sup, "parrot", &format!("lost {round} x"));
        disk.free();
        say(&sup, &format!("kept {round}"));
        wait_output(&sup, "parrot", &format!("kept {round}"));
    }
    let told = |text: &str| sup.sup().err.with(text).len();
    assert_eq!(
        (told("does not reach it"), told("works again")),
        (1, 1),
        "{}",
        sup.log()
    );
    let log = sup.read("disk/a.log");
    assert!(
        (0..5).all(|round| log.contains(&format!("kept {round}"))),
        "{log}"
    );
}

#[test]
fn a_state_disk_that_turns_read_only_is_told_once_and_written_again() {
    let mut sup = TestBox::new(&sleeper("a", "0s"));
    let Some(disk) = Small::mount(&sup.path("s"), "size=64k") else {
        return;
    };
    sup.start();
    sup.must(&["stop", "a"]);
    disk.remount("ro");
    for order in ["start", "stop", "start"] {
        let told = sup.ask(&[order, "a"]);
        assert_eq!(told.code, 0, "{told:?}");
        assert!(told.err.contains("this will not be remembered"), "{told:?}");
    }
    assert_eq!(sup.sup().err.with("memory cannot be written").len(), 1);
    disk.remount("rw");
    assert_eq!(sup.ask(&["stop", "a"]).err, "");
    sup.line("memory can be written again");
    sup.kill_sup();
    sup.start();
    assert_eq!(sup.child("a")["state"], "stopped");
    sup.end();
}

#[test]
fn a_disk_that_breaks_at_the_write_or_the_sync_is_told_once_and_children_go_on() {
    let sync = &[libc::SYS_fsync, libc::SYS_fdatasync][..];
    let table = [
        (sync, Errno::EIO, "syncing"),
        (sync, Errno::EROFS, "syncing"),
        (sync, Errno::ENOSPC, "syncing"),
        (&[libc::SYS_pwrite64], Errno::EIO, "writing"),
        (&[libc::SYS_pwrite64], Errno::EDQUOT, "writing"),
    ];
    for (calls, errno, step) in table {
        let mut sup = TestBox::new(&sleeper("a", "0s"));
        let mut command = sup.command(&["run"]);
        let calls: Vec<_> = calls.iter().map(|&call| (call, errno)).collect();
        faults::refuse(&mut command, &calls);
        let program = Program::start(&mut command, None);
        sup.adopt(program);
        for order in ["stop", "start"] {
            let told = sup.ask(&[order, "a"]);
            assert_eq!(told.code, 0, "{errno}: {told:?}");
            assert!(told.err.contains("this will not be remembered"), "{told:?}");
        }
        sup.signal("a", Sig::SIGKILL);
        sup.wait_run("a", 3);
        let words = format!("memory cannot be written, children go on: {step} ");
        let told = sup.sup().err.with(&words);
        assert_eq!(told.len(), 1, "{errno}: {}", sup.log());
        assert_eq!(sup.end(), 0);
    }
}

// ---- clients ------------------------------------------------------------------

#[test]
fn a_flood_of_frames_costs_neither_memory_nor_children() {
    let sup = TestBox::up(&sleeper("a", "0s"));
    let mut pid = sup.pid("a");
    let mut seed = 0x2994_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let start = clock::now();
    let mut rounds = 0_u32;
    while clock::now() - start < ms(2_000) {
        let Ok(mut stream) = UnixStream::connect(sup.path("r/control")) else {
            continue;
        };
        stream.set_write_timeout(Some(ms(2_000))).unwrap();
        // A good hello, then a frame of any bytes of any length.
        let length = (random() % 300) as usize;
        let mut body: Vec<u8> = (0..length).map(|_| random() as u8).collect();
        body.first_mut().into_iter().for_each(|kind| *kind %= 16);
        let request = frame::unpack::<Request>(&body);
        // Orders would be carried out.
        if request.is_ok_and(|request| !matches!(request, Request::Status { .. })) {
            continue;
        }
        let mut bytes = frame::pack(&Hello { version: VERSION });
        bytes.extend(u32::try_from(length).unwrap().to_le_bytes());
        bytes.extend(body);
        let _closed = stream.write_all(&bytes);
        rounds += 1;
        if rounds.is_multiple_of(500) {
            let count = sup.sup().err.with("a started (pid ").len();
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Sig::SIGKILL).unwrap();
            let text = sup.sup().err.nth(count, "a started (pid ").text;
            let (_, rest) = text.split_once("(pid ").unwrap();
            pid = rest.trim_end_matches(')').parse().unwrap();
        }
    }
    assert!(rounds > 100, "{rounds}");
    sup.must(&["status"]);
    let peak = proc_status(sup.sup().pid, "VmHWM");
    let peak: u64 = peak.trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 24 << 10, "{peak} KiB after {rounds} clients");
}

// ---- pipes --------------------------------------------------------------------

#[test]
fn a_child_that_closes_its_output_runs_on_and_its_next_run_is_heard() {
    let script = "echo run $$; exec >&- 2>&-; echo >> $DIR/closed; exec sleep 1000";
    let sup = TestBox::up(&format!(
        "[child.a]\n{}\nbackoff = {{ first = \"0s\" }}\n",
        sh(script)
    ));
    for run in 1..=3 {
        sup.wait_lines("closed", usize::try_from(run).unwrap());
        let pid = sup.wait_run("a", run);
        wait_output(&sup, "a", &format!("run {pid}"));
        sup.signal("a", Sig::SIGKILL);
    }
    assert_eq!(sup.sup().err.with("[WARNING]").len(), 0, "{}", sup.log());
}

// ---- stopped and gone on ------------------------------------------------------

/// Puts an instruction that there is not to where sup goes on when it wakes up: where that
/// is. A panic of the binaries for the boxes is such an instruction.
#[cfg(target_arch = "x86_64")]
fn set_trap(pid: i32) -> u64 {
    use std::os::unix::fs::FileExt;
    let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let stack = until("it to wait", || {
        let call = fs::read_to_string(format!("/proc/{pid}/syscall")).ok()?;
        let words: Vec<_> = call.split_whitespace().collect();
        let waits = matches!(words[0], "232" | "281"); // epoll_wait, epoll_pwait
        waits.then(|| hex(words[words.len() - 2]))
    });
    let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let code = maps
        .lines()
        .find(|line| line.contains(" r-xp ") && line.ends_with(exe.to_str().unwrap()));
    let (start, end) = code
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .split_once('-')
        .unwrap();
    let code = hex(start)..hex(end);
    let mut memory = fs::OpenOptions::new();
    let memory = memory.read(true).write(true);
    let memory = memory.open(format!("/proc/{pid}/mem")).unwrap();
    let mut bytes = [0; 1024];
    memory.read_exact_at(&mut bytes, stack).unwrap();
    let mut words = bytes.chunks_exact(8).map(|word| word.try_into().unwrap());
    // Not the call itself: in a static binary the last words need that very instruction.
    let back = words.find_map(|word| {
        let at = u64::from_le_bytes(word);
        code.contains(&at).then_some(at)
    });
    memory.write_all_at(&[0x0f, 0x0b], back.unwrap()).unwrap();
    back.unwrap()
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_trap_has_last_words_and_children_go_on_under_the_next_sup() {
    let mut sup = TestBox::up(&sleeper("a", "0s"));
    let a = sup.pid("a");
    let at = set_trap(sup.sup().pid);
    sup.sup().signal(Sig::SIGHUP);
    assert_eq!(sup.sup().code(), -(Sig::SIGILL as i32));
    let said = sup.sup().err.all();
    let words = format!("impossible, please report it: SIGILL at {at:x}; sup ");
    let (_, way) = said.split_once(&words).unwrap_or_else(|| panic!("{said}"));
    let (_, way) = way.split_once(", called from ").unwrap();
    assert!(way.split_whitespace().count() > 1, "{said}");
    sup.start();
    assert_eq!(sup.pid("a"), a);
}

#[test]
fn an_illegal_instruction_is_told_in_the_log_or_to_whoever_asks() {
    let sup = TestBox::new(&sleeper("a", "0s"));
    let log = sup.name("log");
    let program = Program::start(&mut sup.command(&["run", "--log-file", &log]), None);
    until("it to be up", || {
        sup.read("log").contains("a started").then_some(())
    });
    let asks = Program::start(&mut sup.command(&["logs", "-f", "a"]), None);
    // It is told to whom it is sent, as any program would be.
    for (program, signal) in [(&asks, Sig::SIGILL), (&program, Sig::SIGTRAP)] {
        until("it to wait", || {
            let call = fs::read_to_string(format!("/proc/{}/syscall", program.pid)).ok()?;
            (!call.starts_with("running")).then_some(())
        });
        program.signal(signal);
        assert_eq!(program.code(), -(signal as i32));
    }
    let said = asks.err.all();
    let expected = "sup: [ERROR] this should be impossible, please report it: SIGILL at ";
    assert!(said.starts_with(expected), "{said}");
    let said = sup.read("log");
    assert!(
        said.contains(
            "ERROR sup] [ERROR] this should be impossible, please report it: SIGTRAP at "
        ),
        "{said}"
    );
    common::kill_all(&sup.marked());
}

#[test]
fn a_stopped_sup_sees_all_that_happened_when_it_goes_on() {
    let flood = "while ! test -e $DIR/go; do sleep 0.01; done; i=0; while test $i -lt 20000; do echo line $i; i=$((i+1)); done; exec sleep 1000";
    let log = "log = { file = \"$DIR/b.log\" }";
    let config = format!("{}[child.b]\n{}\n{log}\n", sleeper("a", "0s"), sh(flood));
    let sup = TestBox::up(&config);
    let pid = sup.pid("a");
    sup.sup().signal(Sig::SIGSTOP);
    until("sup to be stopped", || {
        let stat = sup::os::procfs::stat(sup.sup().pid)?;
        (stat.state == 'T').then_some(())
    });
    sup.write("go", "");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Sig::SIGSEGV).unwrap();
    let asking = Program::start(&mut sup.command(&["stop", "a"]), None);
    until("the child to be dead", || (!is_running(pid)).then_some(()));
    sup.sup().signal(Sig::SIGCONT);
    assert_eq!(asking.code(), 0, "{}", asking.err.all());
    // It hears of the end and of the order in this order or the other.
    sup.line("SIGSEGV");
    assert_eq!(sup.child("a")["state"], "stopped");
    let lines = sup.wait_lines("b.log", 20_000);
    assert_eq!((lines.len(), &*lines[19_999]), (20_000, "line 19999"));
}

#[test]
fn who_asks_a_sup_that_does_not_answer_is_told_so() {
    let sup = TestBox::up(&sleeper("a", "0s"));
    sup.sup().signal(Sig::SIGSTOP);
    let verbs = [&["status"][..], &["why", "a"], &["logs", "a"], &["events"]];
    let asking = verbs.map(|words| Program::start(&mut sup.command(words), None));
    for asking in asking {
        assert_eq!(asking.code(), 1, "{}", asking.err.all());
        let words = asking.err.all();
        assert!(
            words.contains("a sup runs here and does not answer"),
            "{words}"
        );
    }
    sup.sup().signal(Sig::SIGCONT);
    assert_eq!(sup.child("a")["state"], "up");
}

#[test]
fn a_stopped_child_is_up_and_ends_when_it_is_told() {
    let mut sup = TestBox::up(&sleeper("a", "0s"));
    sup.signal("a", Sig::SIGSTOP);
    let child = sup.child("a");
    assert_eq!(
        (&child["state"], &child["restarts"]),
        (&"up".into(), &0.into())
    );
    sup.must(&["restart", "a"]);
    sup.signal("a", Sig::SIGSTOP);
    sup.signal("a", Sig::SIGCONT);
    assert_eq!(sup.child("a")["run"], 2);
    sup.signal("a", Sig::SIGSTOP);
    assert_eq!(sup.end(), 0);
    sup.wait_clear();
}

// ---- memory -------------------------------------------------------------------

#[test]
fn a_child_that_the_kernel_killed_for_want_of_memory_is_named_so() {
    // SAFETY: asks only for the length of the log.
    let log = unsafe { libc::klogctl(3, [0].as_mut_ptr(), 1) };
    let group = (log >= 0).then(|| Cgroup::of_bytes(20_000_000)).flatten();
    let Some(group) = group else {
        return faults::skipped("it needs the kernel's log and a memory cgroup");
    };
    // The number of the first namespace of processes (PROC_PID_INIT_INO): its pids are the log's.
    let space = fs::read_link("/proc/self/ns/pid").unwrap();
    if space.as_os_str() != "pid:[4026531836]" {
        return faults::skipped("in here, processes have other pids than in the kernel's log");
    }
    let join = format!("echo $$ > {}/cgroup.procs", group.0.display());
    let script =
        format!("while ! test -e $DIR/go; do sleep 0.01; done; {join}; exec tail /dev/zero");
    let mut sup = TestBox::up(&format!(
        "[child.hungry]\n{}\nrestart = \"no\"\n{}",
        sh(&script),
        sleeper("a", "0s")
    ));
    let a = sup.pid("a");
    sup.signal("a", Sig::SIGKILL);
    sup.line("a was killed by SIGKILL");
    sup.write("go", "");
    sup.line("hungry ran out of memory");
    let child = sup.wait_state("hungry", "failed");
    assert_eq!(child["exits"][0]["exit"], "out of memory", "{child}");
    // The next kill is one by a person again.
    sup.wait_run("a", 2);
    sup.signal("a", Sig::SIGKILL);
    sup.sup().err.nth(1, "a was killed by SIGKILL");
    assert_ne!(sup.wait_run("a", 3), a);
    sup.end();
}
