//! A child's output: the last of it in RAM, and a rotated file where one is asked for.

mod ring;
mod rotate;
mod stamp;

use crate::model::spec::{LogFile, LogSpec};

pub use ring::{Kept, Ring, Since};
pub use rotate::{Fault, Rotated, Step};
pub use stamp::Stamper;

pub use crate::model::time::utc;

/// Where one child's output goes.
#[derive(Debug)]
pub struct Sink {
    ring: Ring,
    /// Away from the rest: most children have none.
    file: Option<Box<FileSink>>,
}

#[derive(Debug)]
struct FileSink {
    rotated: Rotated,
    stamps: Option<Stamps>,
}

#[derive(Debug, Default)]
struct Stamps {
    stamper: Stamper,
    /// The stamped bytes; kept for its room.
    buffer: Vec<u8>,
}

impl Sink {
    /// A place for a child's output. Nothing is opened before the first write.
    /// `ring_capacity` is in bytes. [`LogSpec::Inherit`] and [`LogSpec::Null`] keep nothing.
    #[must_use]
    pub fn new(spec: &LogSpec, ring_capacity: usize) -> Self {
        let (capacity, file) = match spec {
            LogSpec::Ring => (ring_capacity, None),
            LogSpec::File(file) => (ring_capacity, Some(Box::new(FileSink::new(file)))),
            LogSpec::Inherit | LogSpec::Null => (0, None),
        };
        let ring = Ring::new(capacity);
        Self { ring, file }
    }

    /// One that goes on where another has left off: in the ring, and in the line.
    #[must_use]
    pub fn resume(spec: &LogSpec, ring_capacity: usize, kept: &Kept) -> Self {
        let mut sink = Self::new(spec, ring_capacity);
        let capacity = match spec {
            LogSpec::Ring | LogSpec::File(_) => ring_capacity,
            LogSpec::Inherit | LogSpec::Null => 0,
        };
        sink.ring = Ring::resume(capacity, kept);
        if let Some(file) = &mut sink.file
            && let Some(stamps) = &mut file.stamps
        {
            stamps.stamper = Stamper::within_line(kept.is_within_line());
        }
        sink
    }

    /// Takes some output, at `wall_seconds` since 1970. The ring always has it. Without
    /// any bytes it opens the file, so that a mistake shows early.
    ///
    /// Returns what has *changed* about the file, to be told once: it cannot be written
    /// to, or it can again.
    pub fn write(&mut self, bytes: &[u8], wall_seconds: u64) -> Option<Fault> {
        self.ring.push(bytes);
        self.file.as_mut()?.write(bytes, wall_seconds)
    }

    /// The last of the output, as the child wrote it.
    #[must_use]
    pub fn ring(&self) -> &Ring {
        &self.ring
    }
}

impl FileSink {
    fn new(spec: &LogFile) -> Self {
        Self {
            rotated: Rotated::new(spec),
            stamps: spec.timestamps.then(Stamps::default),
        }
    }

    fn write(&mut self, bytes: &[u8], wall_seconds: u64) -> Option<Fault> {
        let Some(Stamps { stamper, buffer }) = &mut self.stamps else {
            return self.rotated.write(bytes);
        };
        buffer.clear();
        stamper.stamp(bytes, wall_seconds, buffer);
        self.rotated.write(buffer)
    }
}
