//! argv to one verb; error to exit code.

use std::io::Write;
use std::process::ExitCode;

use sup::cli::{self, Code, Detached, Failed, Flags, Usage};
use sup::daemon::{self, RunFault, Start};
use sup::journal;

fn main() -> ExitCode {
    let result = match cli::parse(std::env::args_os().skip(1)) {
        Err(words) => Err(Failed::input(words)),
        Ok(Usage::Say(text)) => {
            print(std::io::stdout(), &text);
            Ok(Code::Success)
        }
        Ok(Usage::Single { flags, command }) => single(&flags, command),
        Ok(Usage::Verb { verb, flags, .. }) if verb.name == "run" => run(&flags),
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
    ExitCode::from(code as u8)
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

fn run(flags: &Flags) -> Result<Code, Failed> {
    let config = cli::config_path(flags)?;
    if flags.has("detach") {
        return cli::detach(&config, flags);
    }
    journal::start(flags.get("log-file").map(AsRef::as_ref));
    let detached = cli::is_detached();
    let ready = Box::new(move || {
        if detached {
            report(Detached::Up.line());
        }
    });
    match daemon::run(Start {
        config: &config,
        ready,
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
                RunFault::Running(_) | RunFault::System(_) => Failed::failure(words),
            })
        }
    }
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
