//! What a configuration asks for is what the child gets.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use common::{Program, Sig, TestBox, exists, is_root, ms, old_kernel, proc_status, run, sh, sup};

/// A child that writes what `script` prints to a file, and then lives on.
fn tells(script: &str) -> String {
    sh(&format!(
        "{{ {script}; }} > $DIR/.told 2>&1; mv $DIR/.told $DIR/told; exec sleep 1000"
    ))
}

/// What such a child told, under these keys.
fn told(script: &str, keys: &str) -> String {
    let mut sup = TestBox::new(&format!("[child.a]\n{}\n{keys}\n", tells(script)));
    open(&sup); // Before the child, which may be anybody, wants to write there.
    sup.start();
    await_told(&sup)
}

fn await_told(sup: &TestBox) -> String {
    common::until(&format!("the child to tell: {}", sup.log()), || {
        exists(&sup.path("told")).then(|| sup.read("told"))
    })
}

/// Lets everybody write into the box.
fn open(sup: &TestBox) {
    fs::set_permissions(sup.path(""), fs::Permissions::from_mode(0o777)).unwrap();
}

// ---- what the child is --------------------------------------------------------

#[test]
fn dir_is_where_it_works_and_the_root_unless_told() {
    assert_eq!(
        told("pwd", "dir = \"/usr/bin\""),
        fs::canonicalize("/usr/bin")
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
            + "\n"
    );
    assert_eq!(told("pwd", ""), "/\n");
}

#[test]
fn a_dir_that_is_missing_is_named() {
    let sup = TestBox::up(
        "[child.a]\ncommand = [\"true\"]\ndir = \"/nonexistent/dir\"\nbudget = { max-restarts = 0 }\n",
    );
    sup.line("a: changing to its directory /nonexistent/dir: No such file or directory");
    let child = sup.wait_state("a", "gave-up");
    assert_eq!(
        child["exits"][0]["exit"],
        "start failed: changing to its directory: No such file or directory"
    );
}

#[test]
fn a_relative_dir_and_program_are_beside_the_configuration() {
    let sup = TestBox::new("[child.a]\ncommand = [\"./tell\"]\ndir = \"sub\"\n");
    fs::create_dir(sup.path("sub")).unwrap();
    sup.program(
        "sub/tell",
        "#!/bin/sh\npwd > $DIR/.told; mv $DIR/.told $DIR/told; exec sleep 1000\n",
    );
    let mut sup = sup;
    sup.start();
    let dir = fs::canonicalize(sup.path("sub")).unwrap();
    assert_eq!(await_told(&sup), format!("{}\n", dir.display()));
}

#[test]
fn user_and_groups_are_those_of_the_user_and_so_is_its_home() {
    if !is_root() {
        let sup = TestBox::up(
            "[child.a]\ncommand = [\"true\"]\nuser = \"root\"\nbudget = { max-restarts = 0 }\n",
        );
        let exit = &sup.wait_state("a", "gave-up")["exits"][0]["exit"];
        assert!(
            exit.as_str().unwrap().contains("Operation not permitted"),
            "{exit}"
        );
        return;
    }
    let sup = TestBox::new(&format!(
        "[child.a]\n{}\nuser = \"nobody\"\n",
        tells("id -un; id -gn; id -G; echo $USER $LOGNAME; grep -E '^(Uid|Gid)' /proc/self/status")
    ));
    open(&sup);
    let mut sup = sup;
    sup.start();
    let text = await_told(&sup);
    let lines: Vec<&str> = text.lines().collect();
    let group = nix::unistd::User::from_name("nobody").unwrap().unwrap().gid;
    let name = nix::unistd::Group::from_gid(group).unwrap().unwrap().name;
    assert_eq!(
        lines[..4],
        ["nobody", &name, &group.to_string(), "nobody nobody"],
        "{text}"
    );
    // Real, effective, saved and file-system user: no way back.
    assert!(
        lines[4]
            .split_whitespace()
            .skip(1)
            .all(|uid| uid == "65534"),
        "{text}"
    );
}

#[test]
fn group_alone_keeps_the_user() {
    if !is_root() {
        return; // Said above.
    }
    assert_eq!(
        told("id -un; id -gn", "group = \"daemon\""),
        "root\ndaemon\n"
    );
    assert_eq!(
        told("id -u; id -g", "user = 1234\ngroup = 4321"),
        "1234\n4321\n"
    );
}

#[test]
fn a_user_that_does_not_exist_is_named() {
    let sup = TestBox::up(
        "[child.a]\ncommand = [\"true\"]\nuser = \"nosuchuser\"\nbudget = { max-restarts = 0 }\n",
    );
    let child = sup.wait_state("a", "gave-up");
    let exit = child["exits"][0]["exit"].as_str().unwrap();
    assert!(exit.starts_with("start failed: "), "{exit}");
    sup.line("nosuchuser");
}

#[test]
fn umask_nice_and_limits() {
    let script = "umask; nice; ulimit -Sn; ulimit -Hn; ulimit -c";
    let keys =
        "umask = \"027\"\nnice = 7\nlimits = { nofile = { soft = 100, hard = 200 }, core = 0 }";
    assert_eq!(told(script, keys), "0027\n7\n100\n200\n0\n");
}

#[test]
fn no_new_privileges_or_no_start() {
    let keys = "no-new-privs = true";
    if old_kernel::is_played() {
        // It would have what it must not have: better none than that.
        let sup = TestBox::up(&format!("[child.a]\n{}\n{keys}\n", sh("exec sleep 1000")));
        sup.line("a could not be started: giving up privileges: Invalid argument");
    } else {
        let script = "grep NoNewPrivs /proc/self/status";
        assert_eq!(told(script, keys), "NoNewPrivs:\t1\n");
    }
}

#[test]
fn lower_nice_is_refused_to_mortals_in_words() {
    if is_root() {
        let keys = "nice = -5";
        assert_eq!(told("nice", keys), "-5\n");
    }
}

#[test]
fn a_child_begins_with_nothing_of_ours() {
    let script = "cat /proc/self/status | grep -E '^(SigBlk|SigIgn|SigCgt)'; ls /proc/self/fd | wc -l; ps -o sid= -p $$ || cut -d' ' -f6 /proc/$$/stat; echo $$; cat /proc/self/limits | grep -c files";
    let text = told(script, "");
    let lines: Vec<&str> = text.lines().collect();
    let empty = "0000000000000000";
    for (line, name) in lines.iter().zip(["SigBlk", "SigIgn", "SigCgt"]) {
        assert_eq!(*line, format!("{name}:\t{empty}"), "{text}");
    }
    // 0, 1, 2 and the directory that `ls` reads.
    assert_eq!(lines[3], "4", "{text}");
    assert_eq!(
        lines[4].trim(),
        lines[5],
        "leader of its own session: {text}"
    );
}

#[test]
fn whatever_was_done_to_sup_its_child_begins_with_nothing_of_it() {
    use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
    let config = format!(
        "[child.a]\n{}\n",
        tells("cat /proc/self/status | grep -E '^(SigBlk|SigIgn|SigCgt)'; ls -l /proc/self/fd")
    );
    let mut sup = TestBox::new(&config);
    let leak = fs::File::create(sup.path("leaked")).unwrap();
    let mut command = sup.command(&["run"]);
    let dirty = move || {
        // Descriptors 3 to 9 open, HUP, PIPE and USR1 ignored, everything blocked.
        for number in [5, 9, 40] {
            // SAFETY: a system call on numbers; this process is about to become sup.
            unsafe { nix::libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&leak), number) };
        }
        for ignored in [
            Signal::SIGHUP,
            Signal::SIGPIPE,
            Signal::SIGUSR1,
            Signal::SIGCHLD,
        ] {
            // SAFETY: no handler of ours is involved.
            unsafe { signal(ignored, SigHandler::SigIgn) }?;
        }
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None)?;
        Ok(())
    };
    // SAFETY: system calls only.
    unsafe { command.pre_exec(dirty) };
    let program = Program::start(&mut command, None);
    sup.adopt(program);
    let text = await_told(&sup);
    let empty = "0000000000000000";
    assert!(
        text.starts_with(&format!(
            "SigBlk:\t{empty}\nSigIgn:\t{empty}\nSigCgt:\t{empty}\n"
        )),
        "{text}"
    );
    assert!(!text.contains("leaked"), "{text}");
    // And sup itself works: it hears of ends, and of TERM.
    sup.signal("a", Sig::SIGKILL);
    sup.wait_for("a", "ended once", |child| child["failures"] == 1);
    assert_eq!(sup.end(), 0);
}

// ---- the environment ----------------------------------------------------------

fn environment(text: &str) -> BTreeMap<&str, &str> {
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    // Those that the shell adds to its own.
    pairs
        .filter(|(key, _)| !["PWD", "OLDPWD", "SHLVL", "_"].contains(key))
        .collect()
}

#[test]
fn a_clean_environment_is_exactly_what_was_said() {
    let config = "[child.a]\ncommand = [\"sleep\", \"1000\"]\nenv = { PET = \"cat\", N = 3, YES = true, EMPTY = \"\" }\n";
    let mut sup = TestBox::new(config);
    let mut command = sup.command(&["run"]);
    command
        .env_clear()
        .env("SECRET", "1")
        .env("PATH", "/bin:/usr/bin")
        .env("TZ", "UTC")
        .env("LANG", "C");
    let program = Program::start(&mut command, None);
    sup.adopt(program);
    let text = fs::read_to_string(format!("/proc/{}/environ", sup.pid("a"))).unwrap();
    let home = sup.name("r");
    let dir = sup.name("");

    let expected = [
        ("EMPTY", ""),
        ("LANG", "C"),
        ("N", "3"),
        ("PATH", "/bin:/usr/bin"),
        ("PET", "cat"),
        ("SUP_CHILD", "a"),
        ("SUP_HOME", &home),
        ("SUP_RUN", "1"),
        ("TEST_MARK", dir.trim_end_matches('/')),
        ("TZ", "UTC"),
        ("YES", "true"),
    ];
    assert_eq!(environment(&text), BTreeMap::from(expected));
}

#[test]
fn an_inherited_environment_is_ours_and_what_was_said() {
    let config = "[child.a]\ncommand = [\"sleep\", \"1000\"]\nenv-base = \"inherit\"\nenv = { PET = \"cat\" }\n";
    let mut sup = TestBox::new(config);
    let mut command = sup.command(&["run"]);
    command
        .env_clear()
        .env("OURS", "1")
        .env("PET", "dog")
        .env("PATH", "/bin:/usr/bin");
    let program = Program::start(&mut command, None);
    sup.adopt(program);
    let text = fs::read_to_string(format!("/proc/{}/environ", sup.pid("a"))).unwrap();
    let environment = environment(&text);
    assert_eq!((environment["OURS"], environment["PET"]), ("1", "cat"));
    assert_eq!(text.matches("PET=").count(), 1);
}

#[test]
fn secrets_are_read_anew_at_each_start() {
    let mut sup = TestBox::new(&format!(
        "[child.a]\n{}\nenv-file = \"secrets\"\n",
        sh("echo \"$TOKEN\" >> $DIR/told; exec sleep 1000")
    ));
    let write = |sup: &TestBox, text: &str| {
        sup.write("secrets", text);
        fs::set_permissions(sup.path("secrets"), fs::Permissions::from_mode(0o600)).unwrap();
    };
    write(&sup, "# none of your business\nTOKEN=first\n");
    sup.start();
    sup.wait_lines("told", 1);
    write(&sup, "export TOKEN=\"second one\"\n");
    sup.must(&["restart", "a"]);
    assert_eq!(sup.wait_lines("told", 2), ["first", "second one"]);
    // A mistake names the line and never its value; the child is not started with half of it.
    write(&sup, "TOKEN=third\nsesame\n");
    sup.ask(&["restart", "a"]);
    sup.line("secrets:2: has no \"=\"; write KEY=VALUE");
    assert!(!sup.log().contains("sesame"));
    fs::remove_file(sup.path("secrets")).unwrap();
    sup.ask(&["restart", "a"]);
    sup.line("secrets: No such file or directory");
    assert_eq!(sup.lines("told").len(), 2);
}

#[test]
fn the_program_is_sought_in_the_path_of_the_child() {
    let mut sup = TestBox::new(
        "[child.a]\ncommand = [\"tool\"]\nenv = { PATH = \"$DIR/one:$DIR/two:/bin:/usr/bin\" }\n",
    );
    for folder in ["one", "two"] {
        fs::create_dir(sup.path(folder)).unwrap();
    }
    // The first of that name may not be run; the second is.
    sup.write("one/tool", "no program");
    sup.program(
        "two/tool",
        "#!/bin/sh\necho two > $DIR/.told; mv $DIR/.told $DIR/told; exec sleep 1000\n",
    );
    sup.start();
    assert_eq!(await_told(&sup), "two\n");
}

// ---- readiness ----------------------------------------------------------------

const NOTIFY: &str = r#"use Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0); send(S, $ARGV[0], 0, pack_sockaddr_un($ENV{NOTIFY_SOCKET}));"#;

fn has_perl() -> bool {
    let found = std::process::Command::new("perl")
        .args(["-MSocket", "-e", "1"])
        .output();
    found.is_ok_and(|found| found.status.success())
}

#[test]
fn ready_by_notify_is_when_it_says_so() {
    if !has_perl() {
        return; // Nothing else in a base system speaks to a datagram socket.
    }
    let script = format!(
        "while ! test -e $DIR/go; do sleep 0.01; done; perl -e '\"'\"'{NOTIFY}'\"'\"' \"STATUS=no\"; perl -e '{NOTIFY}' 'STATUS=here\nREADY=1'; exec sleep 1000"
    )
    .replace("'\"'\"'", "'");
    let user = if is_root() { "user = \"nobody\"" } else { "" };
    // Triple quotes hold no three quotes in a row, and the script has none.
    let sup = TestBox::new(&format!(
        "[child.a]\n{}\nready = \"notify\"\n{user}\n[child.b]\ncommand = [\"sleep\", \"1000\"]\nafter = \"a\"\n",
        sh(&script)
    ));
    open(&sup);
    let mut sup = sup;
    sup.start();
    sup.wait_state("a", "readying");
    assert_eq!(sup.child("b")["state"], "queued");
    assert_eq!(sup.child("b")["waits_for"], "a");
    sup.write("go", "");
    sup.wait_state("a", "up");
    sup.line("a is ready");
    sup.wait_state("b", "up");
}

#[test]
fn ready_by_descriptor_is_a_newline_on_it() {
    for number in [3, 7] {
        let script = format!(
            "echo begins; while ! test -e $DIR/go; do sleep 0.01; done; printf almost >&{number}; echo >&{number}; exec sleep 1000"
        );
        let sup = TestBox::up(&format!(
            "[child.a]\n{}\nready = {{ descriptor = {number} }}\n",
            sh(&script)
        ));
        sup.wait_state("a", "readying");
        sup.write("go", "");
        sup.wait_state("a", "up");
    }
}

#[test]
fn a_child_that_is_not_ready_in_time_is_ended_and_charged() {
    let keys =
        "ready = { descriptor = 3 }\nstart-timeout = \"200ms\"\nbudget = { max-restarts = 0 }";
    let sup = TestBox::up(&format!(
        "[child.a]\ncommand = [\"sleep\", \"1000\"]\n{keys}\n"
    ));
    let child = sup.wait_state("a", "gave-up");
    assert_eq!(child["exits"][0]["exit"], "not ready in time");
    assert_eq!(child["failures"], 1);
    sup.wait_clear();
}

// ---- order --------------------------------------------------------------------

#[test]
fn children_start_after_those_they_need_and_stop_before_them() {
    let note = |name: &str, keys: &str| {
        let script = format!(
            "trap 'sleep 0.1; echo -{name} >> $DIR/order; exit 0' TERM; sleep 0.1; echo +{name} >> $DIR/order; echo >&3; while :; do sleep 0.02; done"
        );
        format!(
            "[child.{name}]\n{}\nready = {{ descriptor = 3 }}\n{keys}\n",
            sh(&script)
        )
    };
    let config = note("web", "requires = [\"db\"]\nafter = \"cache\"")
        + &note("cache", "after = [\"db\"]")
        + &note("db", "");
    let mut sup = TestBox::up(&config);
    sup.wait_state("web", "up");
    assert_eq!(sup.end(), 0);
    assert_eq!(
        sup.lines("order"),
        ["+db", "+cache", "+web", "-web", "-cache", "-db"]
    );
}

#[test]
fn what_requires_a_child_that_is_given_up_is_held() {
    let config = format!(
        "[child.db]\n{}\nbudget = {{ max-restarts = 0 }}\n[child.web]\ncommand = [\"sleep\", \"1000\"]\nrequires = \"db\"\n[child.soft]\ncommand = [\"sleep\", \"1000\"]\nafter = \"db\"\n",
        sh("exit 1")
    );
    let sup = TestBox::up(&config);
    let web = sup.wait_state("web", "held");
    assert_eq!(web["waits_for"], "db");
    sup.wait_state("soft", "up");
    sup.line("web is held: it requires db, which is down");
}

// ---- the file -----------------------------------------------------------------

#[test]
fn every_mistake_is_told_at_once_and_nothing_starts() {
    let sup = TestBox::new(
        "[child.a]\ncomand = [\"x\"]\n[child.b]\ncommand = [\"sleep\", \"1000\"]\nnice = 99\nrestart = \"sometimes\"\n",
    );
    for verb in ["run", "validate"] {
        let told = sup.ask(&[verb]);
        assert_eq!(told.code, 2, "{verb}: {told:?}");
        for expected in [
            "did you mean \"command\"?",
            "nice",
            "sometimes",
            "sup.toml:",
        ] {
            assert!(told.err.contains(expected), "{verb}: {}", told.err);
        }
    }
    assert!(
        !exists(&sup.path("r")) && !exists(&sup.path("s")),
        "nothing was made"
    );
}

#[test]
fn validate_says_good_and_makes_nothing() {
    let sup = TestBox::new("[child.a]\ncommand = [\"x\"]\n");
    let told = sup.ask(&["validate"]);
    assert_eq!(told.code, 0);
    assert_eq!(told.out, format!("{}: good, 1 child", sup.name("sup.toml")));
    assert!(!exists(&sup.path("r")) && !exists(&sup.path("s")));
}

#[test]
fn files_that_are_no_configuration_get_a_clear_error() {
    let sup = TestBox::new("");
    sup.write("garbage", &"\u{7f}garbage ".repeat(1 << 20));
    sup.write("empty", "");
    sup.write("open", "[child.a]\ncommand = [\"x\"]\n");
    fs::set_permissions(sup.path("open"), fs::Permissions::from_mode(0o666)).unwrap();
    let dir = sup.name("");

    let files = [
        sup.name("missing"),
        dir,
        sup.name("garbage"),
        sup.name("empty"),
        "/dev/zero".to_owned(),
    ];
    for file in files
        .iter()
        .chain(is_root().then(|| sup.name("open")).iter())
    {
        let told = run(&mut common::sup(&["run", "--config", file]));
        assert_eq!(told.code, 2, "{file}: {told:?}");
        assert!(
            told.err.len() < 2_000 && told.err.contains(file.trim_end_matches('/')),
            "{file}: {told:?}"
        );
    }
}

#[test]
fn without_any_configuration_the_places_are_named() {
    if exists("/etc/sup.toml".as_ref()) {
        return;
    }
    let told = run(&mut sup(&["run"]));
    assert_eq!(told.code, 2);
    assert!(told.err.contains("/etc/sup.toml"), "{}", told.err);
}

#[test]
fn included_files_bring_children() {
    let mut sup =
        TestBox::new("include = [\"conf.d/*.toml\"]\n[child.a]\ncommand = [\"sleep\", \"1000\"]\n");
    fs::create_dir(sup.path("conf.d")).unwrap();
    sup.write(
        "conf.d/b.toml",
        "[child.b]\ncommand = [\"sleep\", \"1000\"]\nafter = \"a\"\n",
    );
    sup.write("conf.d/ignored.txt", "!");
    sup.start();
    sup.wait_state("a", "up");
    sup.wait_state("b", "up");
    let pid = sup.pid("b");
    assert!(proc_status(pid, "Name").contains("sleep"));
}

#[test]
fn sup_comes_up_soon() {
    let start = ::sup::os::clock::now();
    let sup = TestBox::up("[child.a]\ncommand = [\"sleep\", \"1000\"]\n");
    let up = sup.line("a started").at - start;
    assert!(up < ms(1_500), "{up:?}");
}

/// What it leaves beside the configuration and in RAM, against the README's chapter.
#[test]
fn every_file_that_it_makes_is_in_the_readme() {
    let mut sup = TestBox::up(&format!("[child.web]\n{}\n", sh("exec sleep 1000")));
    sup.must(&["stop", "web"]);
    sup.must(&["start", "web"]);
    let names = |dir: &str| {
        let entries = fs::read_dir(sup.path(dir)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect::<Vec<_>>()
    };
    let (state, runtime) = (names("s"), names("r"));
    assert!(
        state.len() >= 3 && runtime.len() >= 3,
        "{state:?} {runtime:?}"
    );
    let readme = include_str!("../README.md");
    let (_, chapter) = readme.split_once("\n## Files\n").unwrap();
    let (chapter, _) = chapter.split_once("\n## ").unwrap();
    for (row, files) in [("| `state` ", state), ("| `runtime` ", runtime)] {
        let row = chapter.lines().find(|line| line.starts_with(row)).unwrap();
        for file in files {
            let name = file.replace("web.", "CHILD.");
            assert!(row.contains(&format!("`{name}`")), "{file} is not in {row}");
        }
    }
    assert_eq!(sup.end(), 0);
}
