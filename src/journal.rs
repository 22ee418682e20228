//! sup's own log: `[2026-05-01T12:34:56Z INFO  sup] [SUPERVISOR] …`, to standard error or
//! to a file that cannot grow without bound.

use std::any::Any;
use std::io::{self, Write};
use std::path::Path;

use env_logger::{Builder, Env, Target};

use crate::logs::Rotated;
use crate::model::spec::LogFile;
use crate::os::{clock, trace, trap};

/// A log file is rotated before it grows beyond this, in bytes: it may lie in RAM.
const SIZE_MAX: u64 = 128 << 10;

/// How long a panic may take to say its words, in seconds; then SIGALRM ends it.
const LAST_WORDS: u32 = 2;

/// Starts the log. `RUST_LOG` chooses the level; `info` unless it is set.
pub fn start(file: Option<&Path>) {
    start_at("info", file);
}

/// The same for a program whose every word is a mail: only what is not as it should be.
pub fn start_quietly() {
    start_at("warn", None);
}

fn start_at(level: &str, file: Option<&Path>) {
    let mut builder = Builder::from_env(Env::default().default_filter_or(level));
    if let Some(path) = file {
        let log = LogFile {
            path: path.to_string_lossy().into(),
            max_size: SIZE_MAX,
            keep: 1,
            timestamps: false,
        };
        builder.target(Target::Pipe(Box::new(File(Rotated::new(&log)))));
    }
    builder.format(|out, record| {
        let (level, target) = (record.level(), record.target());
        writeln!(
            out,
            "[{} {level:<5} {target}] {}",
            clock::utc(clock::wall()),
            record.args()
        )
    });
    builder.init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| (place.file(), place.line()));
        // A log that cannot be written, or that is being written, keeps nobody from ending.
        nix::unistd::alarm::set(LAST_WORDS);
        let words = impossible(payload(panic.payload()), place, &trace::callers());
        log::error!(target: "sup", "{words}");
    }));
}

/// A mistake in sup itself has last words, also where the binary has none for a panic: in
/// the log, or on standard error where there is no log.
pub fn keep_last_words() {
    trap::listen(|signal, way| {
        nix::unistd::alarm::set(LAST_WORDS);
        let at = way.first().copied().unwrap_or(0);
        let words = impossible(
            &format!("{signal} at {at:x}"),
            None,
            way.get(1..).unwrap_or(&[]),
        );
        if log::max_level() == log::LevelFilter::Off {
            let _nobody_reads = writeln!(io::stderr(), "sup: {words}");
        }
        log::error!(target: "sup", "{words}");
    });
}

/// What was said in panic, where there is something.
fn payload(panic: &dyn Any) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no words")
}

/// The last line of a sup that has a mistake in it.
fn impossible(panic: &str, place: Option<(&str, u32)>, callers: &[u64]) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut line =
        format!("[ERROR] this should be impossible, please report it: {panic}; sup {version}");
    // The binaries for the boxes hold no places: there every line is 0.
    if let Some((file, place)) = place.filter(|(_, line)| *line != 0) {
        line += &format!(" at {file}:{place}");
    } else {
        line += ", called from";
        for at in callers {
            line += &format!(" {at:x}");
        }
    }
    line
}

/// A rotated file as a stream. Its faults have nowhere to go.
struct File(Rotated);

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.follow(); // The folder in RAM that it lies in is deleted now and then.
        let _fault = self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_says_why_and_where_or_who_called() {
        let why = payload(&"no such child");
        let version = env!("CARGO_PKG_VERSION");
        let head = "[ERROR] this should be impossible, please report it: no such child; sup";
        assert_eq!(
            impossible(why, Some(("src/policy/mod.rs", 7)), &[1]),
            format!("{head} {version} at src/policy/mod.rs:7")
        );
        assert_eq!(
            impossible(why, Some(("<redacted>", 0)), &[0x23_a300, 0x24_0001]),
            format!("{head} {version}, called from 23a300 240001")
        );
    }
}
