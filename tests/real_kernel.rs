//! Which calls of newer kernels sup makes: those in the table of `src/os/mod.rs`, which
//! says what happens without them, and no others.

mod common;

use std::fs;
use std::path::Path;

use common::old_kernel::{FIRST_NEW, install, op};
use common::{Program, Sig, TestBox, old_kernel};
use nix::libc;

/// All that came after Linux 3.2 and that sup, std or the C library try.
const NEWER: [(&str, libc::c_long); 6] = [
    ("getrandom", libc::SYS_getrandom),
    ("statx", libc::SYS_statx),
    ("rseq", libc::SYS_rseq),
    ("pidfd_open", libc::SYS_pidfd_open),
    ("clone3", libc::SYS_clone3),
    ("close_range", libc::SYS_close_range),
];

/// From its `exec` on, a process that makes any other newer call dies of it.
fn forbid_others(command: &mut std::process::Command) {
    let jump = |code, value, yes, no| op(libc::BPF_JMP | code | libc::BPF_K, value, yes, no);
    let answer = |value| op(libc::BPF_RET | libc::BPF_K, value, 0, 0);
    let mut filter = vec![
        op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        jump(libc::BPF_JGE, FIRST_NEW, 1, 0),
        answer(libc::SECCOMP_RET_ALLOW),
    ];
    for (_, call) in NEWER {
        let call = u32::try_from(call).unwrap();
        filter.push(jump(libc::BPF_JEQ, call, 0, 1));
        filter.push(answer(libc::SECCOMP_RET_ALLOW));
    }
    filter.push(answer(libc::SECCOMP_RET_KILL_PROCESS));
    install(command, filter);
}

#[test]
fn each_newer_call_stands_in_the_table_and_no_other_is_made() {
    let door = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/os/mod.rs");
    let text = fs::read_to_string(door).unwrap();
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("//! | "))
        .collect();
    for (name, _) in NEWER {
        let named = format!("`{name}`");
        assert!(
            rows.iter().any(|row| row.contains(&named)),
            "{name} has no row"
        );
    }
    for row in &rows {
        assert_eq!(
            row.matches(" |").count(),
            4,
            "since when, and what instead: {row}"
        );
    }
    if old_kernel::is_played() {
        return; // Those are refused there, not forbidden.
    }
    // A life with a bit of everything.
    let mut sup = TestBox::new(
        "[child.a]\ncommand = [\"sleep\", \"1000\"]\nlog = { file = \"$DIR/a.log\" }\nbackoff = { first = \"0s\" }\nbudget = { max-restarts = \"unlimited\" }\n\
         [child.b]\ncommand = [\"sleep\", \"1000\"]\nready = \"notify\"\nstart-timeout = \"never\"\n[[alert]]\nexec = [\"true\"]\n",
    );
    for _ in 0..2 {
        let mut command = sup.command(&["run"]);
        forbid_others(&mut command);
        let program = Program::start(&mut command, None);
        sup.adopt(program);
        let run = sup.child("a")["run"].as_u64().unwrap();
        sup.signal("a", Sig::SIGKILL);
        sup.wait_run("a", run + 1);
        for verb in [
            &["restart", "a"][..],
            &["reload"],
            &["stop", "a"],
            &["start", "a"],
        ] {
            sup.must(verb);
        }
        for verb in [
            &["status", "a"][..],
            &["why", "a"],
            &["events"],
            &["logs", "a"],
        ] {
            sup.must(verb);
        }
        fs::remove_file(sup.path("r/control")).unwrap();
        sup.line("made again");
        sup.kill_sup_only(); // The next one adopts.
    }
    let mut command = sup.command(&["run"]);
    forbid_others(&mut command);
    let program = Program::start(&mut command, None);
    sup.adopt(program);
    sup.must(&["status", "a"]); // From here on it hears TERM.
    assert_eq!(sup.end(), 0);
}
