//! Making processes, against async-process: our own way, which makes no copy of sup first,
//! ends as the well-kept one does.

use std::ffi::CString;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::libc;
use smol::future::or;
use sup::model::spec::{EnvBase, Launch};
use sup::model::{Exit, Signal};
use sup::os::spawn::{Extras, Stream, spawn};
use sup::os::{Timer, block_on, pipe, reap};

const BOUND: Duration = Duration::from_secs(30);

/// How it ended and what it said, or the kernel's number for why there was none.
type Told = Result<(Exit, Vec<u8>), i32>;

fn ours(words: &[&str]) -> Told {
    let command = words.iter().map(|word| CString::new(*word).unwrap());
    let launch = Launch {
        command: command.collect(),
        env_base: EnvBase::Inherit,
        ..Launch::default()
    };
    let (ours, theirs) = pipe().unwrap();
    let extras = Extras {
        output: theirs.into(),
        error: Some(Stream::Null),
        ..Extras::default()
    };
    let child = spawn(&launch, extras).map_err(|fault| fault.errno)?;
    let work = async {
        let mut said = Vec::new();
        let mut piece = [0; 64];
        loop {
            match ours
                .read_with(|mut pipe| pipe.read(&mut piece))
                .await
                .unwrap()
            {
                0 => break,
                length => said.extend(&piece[..length]),
            }
        }
        Some((child.ended().await, said))
    };
    // In the place of SIGCHLD, which this program has no use for.
    let looks = async {
        for _ in 0..BOUND.as_millis() / 10 {
            Timer::after(Duration::from_millis(10)).await;
            reap::hear(false);
        }
        None
    };
    Ok(block_on(or(work, looks)).unwrap().expect("it did not end"))
}

fn theirs(words: &[&str]) -> Told {
    let mut command = async_process::Command::new(words[0]);
    command
        .args(&words[1..])
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let bound = async {
        smol::Timer::after(BOUND).await;
        panic!("it did not end");
    };
    let output = smol::block_on(or(command.output(), bound));
    let output = output.map_err(|error| error.raw_os_error().unwrap_or(0))?;
    Ok((exit(output.status), output.stdout))
}

fn exit(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(u8::try_from(code).unwrap()),
        (None, signal) => Exit::Signal {
            signal: Signal(u8::try_from(signal.unwrap()).unwrap()),
            core: status.core_dumped(),
        },
    }
}

#[test]
fn a_process_of_ours_ends_and_fails_as_one_of_async_process_does() {
    let table: [&[&str]; 9] = [
        &["true"],
        &["sh", "-c", "exit 7"],
        &["sh", "-c", "echo said; exit 255"],
        &["sh", "-c", "kill -TERM $$"],
        &["sh", "-c", "kill -KILL $$"],
        // Real-time signals, which some libraries know nothing of.
        &["sh", "-c", "kill -35 $$"],
        &["sh", "-c", "kill -PIPE $$; echo lived"],
        &["/proc/nothing"],
        &["/proc/self"],
    ];
    for words in table {
        assert_eq!(ours(words), theirs(words), "{words:?}");
    }
    assert_eq!(ours(&["/proc/nothing"]), Err(libc::ENOENT));
    assert_eq!(
        ours(&["sh", "-c", "exit 7"]),
        Ok((Exit::Code(7), Vec::new()))
    );
}

#[test]
fn nothing_is_ignored_and_nothing_blocked_whatever_holds_for_us() {
    // Of theirs, glibc's way to make processes leaves two ignored.
    let (exit, said) = ours(&["grep", "-E", "^(SigBlk|SigIgn):", "/proc/self/status"]).unwrap();
    assert_eq!(exit, Exit::Code(0));
    let said = String::from_utf8(said).unwrap();
    assert_eq!(
        said,
        "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
    );
}
