//! sup's own log: `[2026-05-01T12:34:56Z INFO  sup] [SUPERVISOR] …`, to standard error or
//! to a file that cannot grow without bound.

use std::io::{self, Write};
use std::path::Path;

use env_logger::{Builder, Env, Target};

use crate::logs::Rotated;
use crate::model::spec::LogFile;
use crate::os::clock;

/// A log file is rotated before it grows beyond this, in bytes: it may lie in RAM.
const SIZE_MAX: u64 = 128 << 10;

/// Starts the log. `RUST_LOG` chooses the level; `info` unless it is set.
pub fn start(file: Option<&Path>) {
    let mut builder = Builder::from_env(Env::default().default_filter_or("info"));
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
}

/// A rotated file as a stream. Its faults have nowhere to go.
struct File(Rotated);

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _fault = self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
