//! What others on the box may see and do: modes, planted links, secrets, privileges.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use common::faults::{NOBODY, skipped};
use common::{Sig, TestBox, exists, is_root, proc_status, run, sh, until};

const SLEEPER: &str = "[child.a]\ncommand = [\"sleep\", \"1000\"]\n";

/// Says something first.
const TALKER: &str = "[child.a]\ncommand = [\"/bin/sh\", \"-c\", \"echo text; exec sleep 1000\"]\n";

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

/// A folder in which everybody may make names, as `/tmp` is.
fn sticky(sup: &TestBox) {
    fs::create_dir(sup.path("tmp")).unwrap();
    fs::set_permissions(sup.path("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
}

/// Replaces the directories of the configuration.
fn at(sup: &TestBox, runtime: &str, state: &str) {
    let dirs = format!("runtime = \"$DIR/{runtime}\"\nstate = \"$DIR/{state}\"\n");
    sup.write("sup.toml", &format!("{dirs}{SLEEPER}"));
}

// ---- files of ours ------------------------------------------------------------

#[test]
fn whatever_the_umask_what_sup_makes_is_its_own() {
    for umask in [0o000, 0o077] {
        let config = format!(
            "{TALKER}log = {{ file = \"$DIR/a.log\" }}\n[child.n]\n{}\nready = \"notify\"\nstart-timeout = \"never\"\n",
            sh("exec sleep 1000")
        );
        let mut sup = TestBox::new(&config);
        let mut command = sup.command(&["run"]);
        // SAFETY: one system call, which cannot fail.
        unsafe {
            command.pre_exec(move || {
                nix::libc::umask(umask);
                Ok(())
            });
        }
        let program = common::Program::start(&mut command, None);
        sup.adopt(program);
        sup.must(&["stop", "a"]);
        sup.must(&["start", "a"]);
        until("the log", || exists(&sup.path("a.log")).then_some(()));
        let modes = [
            "r",
            "r/control",
            "r/a.out",
            "r/n.notify",
            "s",
            "s/state.a",
            "s/state.b",
        ]
        .map(|name| mode(&sup.path(name)));
        assert_eq!(modes, [0o711, 0o600, 0o600, 0o600, 0o700, 0o600, 0o600]);
        assert_eq!(mode(&sup.path("r/a.run")), 0o600);
        assert_eq!(
            mode(&sup.path("a.log")) & 0o137,
            0,
            "nobody else reads or writes it"
        );
    }
}

#[test]
fn another_user_can_neither_ask_nor_list_nor_write() {
    if !is_root() {
        return skipped("another user needs root");
    }
    let sup = TestBox::up(SLEEPER);
    sup.wait_state("a", "up");
    fs::set_permissions(sup.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let as_other = |script: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(sup.path(""));
        common::faults::as_nobody(&mut command);
        run(&mut command).code
    };
    assert_eq!(as_other("cat sup.toml"), 0, "it reaches the folder");
    let refused = [
        "ls r",
        "ls s",
        "cat s/state.a",
        "cat r/a.out",
        "echo x > r/a.out",
        "echo > r/x",
        "rm -f r/control; test ! -e r/control",
        "echo > s/x",
        "mkdir s/state.c",
    ];
    for script in refused {
        assert_ne!(as_other(script), 0, "{script}");
    }
    // Nor reach the socket, mode or no mode: whoever connects is looked at.
    fs::set_permissions(sup.path("r/control"), fs::Permissions::from_mode(0o666)).unwrap();
    assert!(UnixStream::connect(sup.path("r/control")).is_ok());
    sup.must(&["status"]);
}

// ---- planted by others --------------------------------------------------------

#[test]
fn nothing_that_another_user_planted_is_followed_or_used() {
    if !is_root() {
        return skipped("another user needs root");
    }
    let sup = TestBox::new(SLEEPER);
    sticky(&sup);
    fs::create_dir(sup.path("victim")).unwrap();
    let theirs = |name: &str| lchown(sup.path(name), Some(NOBODY), Some(NOBODY)).unwrap();
    // Links in the place of our directories, and on the way to them.
    for name in ["tmp/link", "tmp/way"] {
        symlink(sup.path("victim"), sup.path(name)).unwrap();
        theirs(name);
    }
    let table = [
        ("r", "tmp/link"),
        ("tmp/link", "s"),
        ("r", "tmp/way/s"),
        ("tmp/way/r", "s"),
    ];
    for (runtime, state) in table {
        at(&sup, runtime, state);
        let told = sup.ask(&["run"]);
        assert_eq!(told.code, 1, "{told:?}");
        let words = format!("is a symlink of user {NOBODY}, which root does not follow");
        assert!(told.err.contains(&words), "{told:?}");
    }
    // A directory of theirs in the place of the runtime directory.
    fs::create_dir(sup.path("tmp/dir")).unwrap();
    theirs("tmp/dir");
    at(&sup, "tmp/dir", "s");
    let told = sup.ask(&["run"]);
    assert!(
        told.err
            .contains("is not a directory of ours: somebody else made it"),
        "{told:?}"
    );
    assert_eq!(fs::read_dir(sup.path("victim")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(sup.path("tmp/dir")).unwrap().count(), 0);
}

#[test]
fn what_another_user_linked_in_an_open_state_directory_is_not_written_to() {
    if !is_root() {
        return skipped("another user needs root");
    }
    let mut sup = TestBox::new(SLEEPER);
    sticky(&sup);
    at(&sup, "r", "tmp");
    fs::create_dir(sup.path("victim")).unwrap();
    let names = ["duty", "state.a", "state.b"];
    for name in names {
        let victim = sup.path(&format!("victim/{name}"));
        fs::write(&victim, "precious").unwrap();
        // Old kernels let everybody do that.
        fs::hard_link(&victim, sup.path(&format!("tmp/{name}"))).unwrap();
    }
    sup.start();
    sup.line("everybody can write to ");
    sup.line("it has a second name, and others may make names there");
    sup.must(&["stop", "a"]);
    // One more that leads elsewhere, and there is no name left.
    let link = sup.path("tmp/state.c");
    fs::remove_file(&link).unwrap();
    symlink(sup.path("victim/state.c"), &link).unwrap();
    lchown(&link, Some(NOBODY), Some(NOBODY)).unwrap();
    let told = sup.ask(&["start", "a"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.err.contains("this will not be remembered"), "{told:?}");
    sup.wait_state("a", "up");
    assert_eq!(sup.end(), 0);
    for name in names {
        assert_eq!(sup.read(&format!("victim/{name}")), "precious", "{name}");
    }
    assert!(!exists(&sup.path("victim/state.c")));
}

#[test]
fn a_directory_that_is_for_everybody_stays_so() {
    if !is_root() {
        return skipped("another user needs root");
    }
    let sup = TestBox::new(SLEEPER);
    sticky(&sup);
    at(&sup, "tmp", "s");
    let told = sup.ask(&["run"]);
    assert_eq!(told.code, 1, "{told:?}");
    assert!(told.err.contains("tmp is for everybody"), "{told:?}");
    assert_eq!(mode(&sup.path("tmp")), 0o1777);
}

#[test]
fn our_own_links_are_followed() {
    let mut sup = TestBox::new(SLEEPER);
    fs::create_dir(sup.path("volume")).unwrap();
    symlink("volume", sup.path("share")).unwrap();
    let log = format!("{TALKER}log = {{ file = \"$DIR/share/a.log\" }}\n");
    let dirs = "runtime = \"$DIR/r\"\nstate = \"$DIR/share/s\"\n";
    sup.write("sup.toml", &format!("{dirs}{log}"));
    sup.start();
    until("the log", || {
        exists(&sup.path("volume/a.log")).then_some(())
    });
    sup.must(&["stop", "a"]);
    assert!(exists(&sup.path("volume/s/state.a")));
    sup.end();
}

#[test]
fn a_log_in_the_folder_of_another_user_is_written_nowhere_else() {
    if !is_root() {
        return skipped("another user needs root");
    }
    let says = sh("echo text; exec sleep 1000");
    let sup = TestBox::new(&format!(
        "[child.a]\n{says}\nlog = {{ file = \"$DIR/home/logs/a.log\" }}\n[child.b]\n{says}\nlog = {{ file = \"$DIR/home/b.log\" }}\n"
    ));
    for name in ["home", "victim"] {
        fs::create_dir(sup.path(name)).unwrap();
    }
    fs::write(sup.path("victim/file"), "precious").unwrap();
    symlink(sup.path("victim"), sup.path("home/logs")).unwrap();
    symlink(sup.path("victim/file"), sup.path("home/b.log")).unwrap();
    for name in ["home", "home/logs", "home/b.log"] {
        lchown(sup.path(name), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let mut sup = sup;
    sup.start();
    sup.line("a: its log: opening the log");
    sup.line("b: its log: opening the log");
    assert!(
        sup.log().contains("which root does not follow"),
        "{}",
        sup.log()
    );
    assert_eq!(sup.read("victim/file"), "precious");
    assert_eq!(fs::read_dir(sup.path("victim")).unwrap().count(), 1);
    sup.wait_state("a", "up");
}

/// A process of another user with the marks of a child of ours.
fn pretender(sup: &TestBox, child: &str) -> common::Program {
    let mut command = Command::new("sleep");
    command.arg("1000").env("SUP_HOME", sup.name("r"));
    command.env("SUP_CHILD", child).env("SUP_RUN", "4294967295");
    common::faults::as_nobody(&mut command);
    // SAFETY: one system call.
    unsafe {
        command.pre_exec(|| {
            nix::unistd::setsid()
                .map(drop)
                .map_err(std::io::Error::from)
        });
    }
    common::Program::start(&mut command, None)
}

#[test]
fn who_pretends_to_be_a_child_of_ours_is_left_alone() {
    if !is_root() {
        return skipped("another user needs root");
    }
    let mut sup =
        TestBox::up(&(SLEEPER.to_owned() + "[child.b]\ncommand = [\"sleep\", \"1000\"]\n"));
    let a = sup.pid("a");
    sup.must(&["stop", "b"]);
    sup.kill_sup_only();
    let pretenders = ["a", "b"].map(|child| pretender(&sup, child));
    sup.start();
    for (pretender, child) in pretenders.iter().zip(["a", "b"]) {
        let pid = pretender.pid;
        sup.line(&format!(
            "process {pid} of another user pretends to be {child}"
        ));
    }
    assert_eq!(sup.pid("a"), a);
    assert_eq!(sup.child("b")["state"], "stopped");
    sup.must(&["restart", "a"]);
    assert_eq!(sup.end(), 0);
    assert!(pretenders.iter().all(common::Program::is_alive));
    for pretender in pretenders {
        pretender.signal(Sig::SIGKILL);
        pretender.code();
    }
}

#[test]
fn a_child_that_has_given_up_root_by_itself_is_known_again_without_its_record() {
    let can = run(Command::new("setpriv").args(["--reuid", "54321", "true"])).code == 0;
    if !is_root() || !can {
        return skipped("another user needs root, and this one setpriv");
    }
    let drops = "command = [\"setpriv\", \"--reuid\", \"54321\", \"sleep\", \"1000\"]\n";
    let mut sup = TestBox::up(&format!("[child.a]\n{drops}"));
    let pid = sup.pid("a");
    until("it to be somebody else", || {
        proc_status(pid, "Uid").starts_with("54321").then_some(())
    });
    for gone in ["r/a.run", "r"] {
        sup.kill_sup_only();
        let path = sup.path(gone);
        match path.is_dir() {
            true => fs::remove_dir_all(path).unwrap(),
            false => fs::remove_file(path).unwrap(),
        }
        sup.start();
        assert_eq!(sup.pid("a"), pid, "without {gone}");
    }
    assert_eq!(sup.end(), 0);
}

// ---- secrets ------------------------------------------------------------------

#[test]
fn a_secret_shows_nowhere() {
    let script = "test -n \"$TOKEN\" && echo >> $DIR/up; exec sleep 1000";
    let mut sup = TestBox::new(&format!(
        "[child.a]\n{}\nenv = {{ TOKEN = \"hunter2\" }}\nenv-file = \"$DIR/env\"\n",
        sh(script)
    ));
    sup.write("env", "PASSWORD=hunter2\n");
    fs::set_permissions(sup.path("env"), fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = sup.command(&["run"]);
    command.env("RUST_LOG", "trace");
    let program = common::Program::start(&mut command, None);
    sup.adopt(program);
    sup.wait_lines("up", 1);
    sup.signal("a", Sig::SIGKILL);
    sup.must(&["restart", "a"]);
    let mut shown = vec![
        sup.must(&["why", "a"]),
        sup.must(&["events"]),
        sup.must(&["logs", "a"]),
    ];
    shown.extend([sup.must(&["status"]), sup.must(&["status", "--json"])]);
    sup.write(
        "sup.toml",
        "runtime = \"$DIR/r\"\nstate = \"$DIR/s\"\n[child.a.env]\nTOKEN = hunter2\n",
    );
    let told = sup.ask(&["reload"]);
    assert_eq!(told.code, 1, "{told:?}");
    shown.extend([told.err, told.out]);
    sup.sup().signal(Sig::SIGHUP);
    sup.line("must stand in quotes");
    for pid in common::descendants(sup.sup().pid)
        .iter()
        .map(|stat| stat.pid)
    {
        shown.push(fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default());
    }
    let mut files = vec![];
    for folder in ["r", "s"] {
        let entries = fs::read_dir(sup.path(folder)).unwrap().flatten();
        files.extend(entries.filter(|entry| entry.file_type().unwrap().is_file()));
    }
    shown.extend(
        files
            .iter()
            .map(|file| String::from_utf8_lossy(&fs::read(file.path()).unwrap()).into_owned()),
    );
    shown.push(sup.log());
    assert!(files.len() >= 2);
    for text in shown {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn an_env_file_that_others_write_or_that_is_no_file_starts_nothing() {
    let quick = "backoff = { first = \"20ms\", longest = \"20ms\" }\nbudget = { max-restarts = \"unlimited\" }";
    let mut sup = TestBox::new(&format!(
        "[child.a]\n{}\n{quick}\nenv-file = \"$DIR/env\"\n{}",
        sh("echo $TOKEN >> $DIR/up; exec sleep 1000"),
        SLEEPER.replace("child.a", "child.b")
    ));
    // A pipe that nobody writes to would keep all others waiting.
    nix::unistd::mkfifo(&sup.path("env"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    sup.start();
    sup.line("env: not a regular file");
    sup.wait_state("b", "up");
    let make = |text: &str, mode: u32, owner: u32| {
        let _old = fs::remove_file(sup.path("env.new"));
        sup.write("env.new", text);
        fs::set_permissions(sup.path("env.new"), fs::Permissions::from_mode(mode)).unwrap();
        if is_root() {
            chown(sup.path("env.new"), Some(owner), None).unwrap();
        }
        fs::rename(sup.path("env.new"), sup.path("env")).unwrap();
    };
    make("TOKEN", 0o600, 0);
    sup.line("env:1: has no \"=\"");
    if is_root() {
        make("TOKEN=x\n", 0o666, 0);
        sup.line("env: everybody can write it, and sup is root");
        make("TOKEN=x\n", 0o600, NOBODY);
        sup.line(&format!(
            "env: it belongs to user {NOBODY}, and sup is root"
        ));
        symlink(sup.path("sup.toml"), sup.path("link")).unwrap();
        lchown(sup.path("link"), Some(NOBODY), None).unwrap();
        fs::rename(sup.path("link"), sup.path("env")).unwrap();
        sup.line("which root does not follow");
    }
    fs::remove_file(sup.path("env")).unwrap();
    symlink("/dev/zero", sup.path("env")).unwrap();
    sup.sup().err.nth(1, "env: not a regular file");
    assert_eq!(sup.lines("up").len(), 0);
    fs::remove_file(sup.path("env")).unwrap();
    make("TOKEN=x\n", 0o644, 0);
    assert_eq!(sup.wait_lines("up", 1), ["x"]);
    // That others can read it is said, once.
    for round in 2..5 {
        sup.signal("a", Sig::SIGKILL);
        sup.wait_lines("up", round);
    }
    assert_eq!(sup.sup().err.with("everybody can read it").len(), 1);
}

#[test]
fn the_user_of_a_child_may_write_its_env_file() {
    if !is_root() {
        return skipped("another user needs root");
    }
    let sup = TestBox::new(&format!(
        "[child.a]\n{}\nenv-file = \"$DIR/env\"\nuser = \"{NOBODY}\"\ngroup = \"{NOBODY}\"\n",
        sh("echo $TOKEN; exec sleep 1000")
    ));
    sup.write("env", "TOKEN=x\n");
    chown(sup.path("env"), Some(NOBODY), None).unwrap();
    let mut sup = sup;
    sup.start();
    sup.wait_state("a", "up");
}

// ---- privileges ---------------------------------------------------------------

#[test]
fn a_child_of_another_user_has_nothing_left_of_root() {
    if !is_root() {
        return skipped("another user needs root");
    }
    let sup = TestBox::up(&format!(
        "[child.a]\ncommand = [\"sleep\", \"1000\"]\nuser = \"{NOBODY}\"\ngroup = \"{NOBODY}\"\nno-new-privs = true\nnice = -5\nlimits = {{ nofile = 4096 }}\n"
    ));
    if common::old_kernel::is_played() {
        return skipped("no-new-privs came with Linux 3.5");
    }
    let pid = sup.pid("a");
    let ids = format!("{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}");
    assert_eq!(
        proc_status(pid, "Uid"),
        ids,
        "real, effective, saved, file system"
    );
    assert_eq!(proc_status(pid, "Gid"), ids);
    assert_eq!(
        proc_status(pid, "Groups"),
        NOBODY.to_string(),
        "none of root's"
    );
    for set in ["CapPrm", "CapEff", "CapInh"] {
        assert_eq!(proc_status(pid, set).trim_start_matches('0'), "", "{set}");
    }
    assert_eq!(proc_status(pid, "NoNewPrivs"), "1");
    // What only root may do was done before.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let nice = stat.rsplit(')').next().unwrap().split_whitespace().nth(16);
    assert_eq!(nice, Some("-5"));
    // And root's powers do not come back: it cannot even signal sup.
    let mut command = Command::new("kill");
    command.args(["-0", &sup.sup().pid.to_string()]).uid(NOBODY);
    assert_ne!(run(&mut command).code, 0);
    // Descriptors: nothing but the three.
    let count = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    assert_eq!(count, 3);
}
