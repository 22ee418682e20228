//! Runs a command as on Linux 3.2 (see `tests/common/old_kernel.rs`), in emulated machines,
//! where the tests themselves do not run: `old-kernel COMMAND [ARG…]`.

#[path = "../tests/common/old_kernel.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod old_kernel;

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if let Some(program) = words.next() {
        let mut command = Command::new(program);
        command.args(words);
        old_kernel::play(&mut command);
        let _returns_only_when_it_failed = command.exec();
    }
    ExitCode::from(127)
}
