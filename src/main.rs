//! argv to one verb; error to exit code.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use sup::cli::{self, Code, Detached, Failed, Flags, Next, Once, Usage};
use sup::daemon::{self, Look, RunFault, Start};
use sup::journal;
use sup::replay::{self, Journal, Telling};

fn main() -> ExitCode {
    journal::keep_last_words();
    let baton = baton();
    if let Some(path) = asked_to_take_over() {
        return match daemon::can_take_over(&path) {
            Ok(answer) => {
                print(std::io::stdout(), &answer);
                ExitCode::SUCCESS
            }
            Err(words) => {
                print(std::io::stderr(), &format!("sup: {words}\n"));
                ExitCode::FAILURE
            }
        };
    }
    let result = match cli::parse(std::env::args_os().skip(1)) {
        Err(words) => Err(Failed::input(words)),
        Ok(Usage::Say(text)) => {
            print(std::io::stdout(), &text);
            Ok(Code::Success)
        }
        Ok(Usage::Single { flags, command }) => single(&flags, command),
        Ok(Usage::Verb { verb, flags, .. }) if verb.name == "run" => run(&flags, baton),
        Ok(Usage::Verb {
            verb,
            flags,
            operands,
        }) if verb.name == "replay" => replay(&operands[0], &flags),
        Ok(Usage::Verb { verb, flags, .. }) if verb.name == cli::ONCE => once(&flags),
        Ok(Usage::Verb {
            verb,
            flags,
            operands,
        }) => cli::ask(verb, &flags, operands),
    };
    let code = result.unwrap_or_else(|failed| {
        if !failed.words.is_empty() {
            print(
                std::io::stderr(),
                &format!("sup: {}\n", failed.words.trim_end()),
            );
        }
        failed.code
    });
    ExitCode::from(code.number())
}

/// Where the program whose place we take says what we need. No child is to see it.
fn baton() -> Option<PathBuf> {
    let path = std::env::var_os(daemon::VARIABLE)?;
    // SAFETY: there is one thread.
    unsafe { std::env::remove_var(daemon::VARIABLE) };
    Some(path.into())
}

/// Whether a running sup asks us if we could take its place. No person types this.
fn asked_to_take_over() -> Option<PathBuf> {
    let mut words = std::env::args_os().skip(1);
    (words.next()? == daemon::CHECK).then_some(())?;
    words.next().map(PathBuf::from)
}

fn single(flags: &Flags, command: Vec<std::ffi::CString>) -> Result<Code, Failed> {
    let spec = cli::single(flags, command).map_err(Failed::input)?;
    journal::start(None);
    let success = daemon::single(spec).map_err(|error| Failed::failure(error.to_string()))?;
    Ok(if success {
        Code::Success
    } else {
        Code::Failure
    })
}

fn run(flags: &Flags, baton: Option<PathBuf>) -> Result<Code, Failed> {
    let config = cli::config_path(flags)?;
    if flags.has("detach") {
        return cli::detach(&config, flags);
    }
    let words = cli::words(&config, flags)?;
    journal::start(flags.get("log-file").map(AsRef::as_ref));
    let detached = cli::is_detached();
    let ready = Box::new(move || {
        if detached {
            report(Detached::Up.line());
        }
    });
    match daemon::run(Start {
        config: &config,
        journal: flags.get("journal").map(AsRef::as_ref),
        ready,
        words,
        baton,
    }) {
        Ok(success) => Ok(if success {
            Code::Success
        } else {
            Code::Failure
        }),
        Err(RunFault::Running(_)) if detached => {
            report(Detached::Running.line());
            Ok(Code::Success)
        }
        Err(fault) => {
            if detached {
                report(&fault.to_string());
            }
            let words = fault.to_string();
            Err(match fault {
                RunFault::Config(_) => Failed::input(words),
                RunFault::Running(_) | RunFault::Waiting(_) | RunFault::System(_) => {
                    Failed::failure(words)
                }
            })
        }
    }
}

/// One look, for cron.
fn once(flags: &Flags) -> Result<Code, Failed> {
    let once = Once::begin(flags);
    journal::start_quietly();
    look(&once).map_err(|failed| once.failed(failed))
}

fn look(once: &Once<'_>) -> Result<Code, Failed> {
    loop {
        let (config, spec) = match once.look()? {
            Next::Done(code) => return Ok(code),
            Next::Turn { config, spec } => (config, spec),
        };
        let look = Look {
            acts: once.acts(),
            alerts: once.alerts(),
            end: once.end(),
        };
        match daemon::once(&config, *spec, look) {
            Ok(looked) => {
                return Ok(once.tell_turn(&looked.standing, looked.rested, looked.failed));
            }
            // Another one like us, or a sup that is just coming up.
            Err(RunFault::Running(_)) if once.waits() => {}
            Err(fault) => return Err(Once::unknown(&fault.to_string())),
        }
    }
}

/// Plays a journal.
fn replay(path: &str, flags: &Flags) -> Result<Code, Failed> {
    let text =
        replay::load(path.as_ref()).map_err(|error| Failed::input(format!("{path}: {error}")))?;
    let parsed = Journal::parse(&text).map_err(|mistakes| {
        let lines: Vec<String> = mistakes
            .iter()
            .map(|mistake| format!("{path}: {mistake}"))
            .collect();
        Failed::input(lines.join("\n"))
    })?;
    let mut out = std::io::stdout().lock();
    let how = Telling {
        quiet: flags.has("quiet"),
        json: flags.has("json"),
    };
    let played = replay::play(&parsed, how, &mut out);
    let Ok(summary) = played.and_then(|summary| out.flush().map(|()| summary)) else {
        return Ok(Code::Failure); // Nobody reads.
    };
    Ok(if summary.different == 0 {
        Code::Success
    } else {
        Code::Failure
    })
}

/// Tells the sup that detached us, and lets go of it.
fn report(line: &str) {
    print(std::io::stdout(), &format!("{line}\n"));
    if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
        let _stays = nix::unistd::dup2_stdout(null);
    }
}

/// Prints. That nobody reads is no reason to fail: `sup --help | head -1`.
fn print(mut to: impl Write, text: &str) {
    let _nobody_reads = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}
