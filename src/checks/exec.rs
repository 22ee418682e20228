//! A program: good where it ends with code 0, in time, and without saying too much.

use std::cell::RefCell;
use std::ffi::CString;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::time::Duration;

use smol::future::{self, FutureExt};

use super::{Finding, Programs, Subject, joined};
use crate::model::Exit;
use crate::model::check::Health;
use crate::model::limits::{CHATTER_MAX, FINDING_MAX};
use crate::model::spec::{Launch, Ready};
use crate::model::words::Brief;
use crate::os::procfs::Mark;
use crate::os::reap::Child;
use crate::os::spawn::Extras;
use crate::os::{self, Async, Timer, signals, spawn};

/// How the race of a program against its bounds has ended.
enum End {
    Exited(Exit),
    TooLong,
    TooMuch,
}

/// What a program has said.
#[derive(Default)]
struct Said {
    kept: Vec<u8>,
    total: usize,
}

/// Runs the program in a session of its own, as the user, in the directory and with the
/// variables of its child. Whatever it leaves running is killed.
pub(super) async fn look(
    command: &[CString],
    warn: &[u8],
    timeout: Duration,
    subject: Subject,
    programs: &Programs,
    tell: impl FnOnce(Finding),
) {
    let (check, home) = subject.own_mark.unwrap_or_default();
    let mark = Mark {
        child: format!("SUP_CHECK={check}"),
        home: format!("SUP_HOME={home}"),
    };
    let launch = Launch {
        command: command.into(),
        ready: Ready::Started,
        ..subject.launch
    };
    let own_env = vec![("SUP_CHECK", check), ("SUP_HOME", home)];
    let (child, ours) = match start(&launch, own_env) {
        Ok(started) => started,
        Err(words) => return tell(Finding::new(Health::Unknown, words)),
    };
    let pid = child.id();
    programs.borrow_mut().insert(pid, mark.clone());
    let said = RefCell::<Said>::default();
    let mut ended = std::pin::pin!(child.ended());
    let exited = async { End::Exited(ended.as_mut().await) };
    let flood = async {
        listen(&ours, &said).await;
        End::TooMuch
    };
    let late = async {
        Timer::after(timeout).await;
        End::TooLong
    };
    let end = future::or(exited, flood.or(late)).await;
    if let End::Exited(_) = end {
        programs.borrow_mut().remove(&pid);
    }
    match end {
        End::Exited(exit) => {
            let is_held = rest(&ours, &mut said.borrow_mut());
            if is_held || signals::group_lives(pid) {
                signals::kill_family(pid, &mark);
            }
            tell(judge(exit, warn, &said.borrow().kept));
        }
        End::TooLong | End::TooMuch => {
            signals::kill_family(pid, &mark);
            tell(killed(&end, timeout, &said.borrow().kept));
            ended.await;
            programs.borrow_mut().remove(&pid);
        }
    }
}

fn start(
    launch: &Launch,
    own_env: Vec<(&'static str, String)>,
) -> Result<(Child, Async<File>), String> {
    let (ours, theirs) = os::pipe().map_err(|error| format!("no pipe for its output: {error}"))?;
    let extras = Extras {
        own_env,
        output: theirs.into(),
        ..Extras::default()
    };
    let child = spawn::spawn(launch, extras).map_err(|fault| {
        let program = launch.command.first();
        let program = program.map(|word| word.to_string_lossy());
        format!("{}: {fault}", program.unwrap_or_default())
    })?;
    Ok((child, ours))
}

/// Reads what it says, and ends when that is too much.
async fn listen(ours: &Async<File>, said: &RefCell<Said>) {
    loop {
        let read = ours.read_with(|mut pipe| said.borrow_mut().read(&mut pipe));
        match read.await {
            Ok(0) | Err(_) => return future::pending().await, // It has closed its output.
            Ok(_) if said.borrow().total > CHATTER_MAX => return,
            // Others have their turn, however much it has to say.
            Ok(_) => future::yield_now().await,
        }
    }
}

/// Reads what is left. Whether somebody still holds the other end.
fn rest(ours: &Async<File>, said: &mut Said) -> bool {
    loop {
        match said.read(&mut ours.get_ref()) {
            Ok(0) => return false,
            Ok(_) if said.total > CHATTER_MAX => return true,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return true,
        }
    }
}

impl Said {
    fn read(&mut self, pipe: &mut &File) -> std::io::Result<usize> {
        let mut piece = [0; 4096];
        let length = pipe.read(&mut piece)?;
        let room = FINDING_MAX - self.kept.len();
        self.kept.extend_from_slice(&piece[..length.min(room)]);
        self.total += length;
        Ok(length)
    }
}

fn judge(exit: Exit, warn: &[u8], said: &[u8]) -> Finding {
    let health = match exit {
        Exit::Code(0) => Health::Healthy,
        Exit::Code(code) if warn.contains(&code) => Health::Warning,
        Exit::Code(_)
        | Exit::Signal { .. }
        | Exit::Timeout(_)
        | Exit::Watchdog
        | Exit::Unhealthy
        | Exit::OutOfMemory => Health::Critical,
        Exit::Vanished | Exit::StartFault(_) => Health::Unknown,
    };
    Finding::new(health, joined(&exit.to_string(), said)).with(said)
}

fn killed(end: &End, timeout: Duration, said: &[u8]) -> Finding {
    let words = match end {
        End::TooMuch => format!("killed, it said more than {} KiB", CHATTER_MAX >> 10),
        End::TooLong | End::Exited(_) => {
            format!("killed, it did not end within {}", Brief(timeout))
        }
    };
    Finding::new(Health::Critical, joined(&words, said)).with(said)
}
