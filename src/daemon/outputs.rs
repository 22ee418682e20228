//! The output of children: one pipe each, read as it comes, into its sink.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::rc::Rc;

use smol::{Async, LocalExecutor, Task};

use super::changed::Changed;
use super::spawn;
use crate::logs::Sink;
use crate::model::limits::{RING_MAX, RING_MIN, RINGS_MAX};
use crate::model::spec::LogSpec;
use crate::model::{ChildId, ChildSpec, Stage, StartFault};
use crate::os::{clock, fifo};

/// Most bytes that are taken from a pipe at once, so that a chatty child waits its turn.
const PIECE: usize = 16 << 10;

/// The outputs of all children, by their numbers.
pub(super) struct Outputs {
    executor: Rc<LocalExecutor<'static>>,
    dir: Option<PathBuf>,
    ring: usize,
    places: Vec<Option<Output>>,
    /// Pieces are read into this, one at a time.
    piece: Rc<RefCell<Box<[u8]>>>,
}

/// The output of one child.
struct Output {
    name: Box<str>,
    log: LogSpec,
    pipe: PathBuf,
    tap: Rc<Tap>,
    _reader: Task<()>,
}

/// Where the output of one child can be read.
pub(super) struct Tap {
    pub(super) sink: RefCell<Sink>,
    pub(super) changed: Changed,
}

impl Outputs {
    /// `dir` is where the pipes are made; without one, nothing is kept.
    pub(super) fn new(
        executor: Rc<LocalExecutor<'static>>,
        dir: Option<PathBuf>,
        children: usize,
    ) -> Self {
        let ring = (RINGS_MAX / children.max(1)).clamp(RING_MIN, RING_MAX);
        let piece = Rc::new(RefCell::new(Box::default()));
        Self {
            executor,
            dir,
            ring,
            places: Vec::new(),
            piece,
        }
    }

    /// Standard output and error for a run. The pipe is made when it is first needed,
    /// and again where it was deleted.
    pub(super) fn open(
        &mut self,
        id: ChildId,
        spec: &ChildSpec,
    ) -> Result<(Stdio, Stdio), StartFault> {
        let Some(dir) = self.dir.clone().filter(|_| spec.log != LogSpec::Null) else {
            return Ok(match spec.log {
                LogSpec::Null => (Stdio::null(), Stdio::null()),
                LogSpec::Ring | LogSpec::File(_) | LogSpec::Inherit => {
                    (Stdio::inherit(), Stdio::inherit())
                }
            });
        };
        if spec.log == LogSpec::Inherit {
            return Ok((Stdio::inherit(), Stdio::inherit()));
        }
        let opened = self
            .write_end(&dir, id, spec)
            .and_then(|pipe| Ok((pipe.try_clone()?, pipe)));
        match opened {
            Ok((out, err)) => Ok((out.into(), err.into())),
            Err(error) => {
                log::warn!(target: "sup", "[WARNING] {}: its output pipe: {error}", spec.name);
                let errno = error.raw_os_error().unwrap_or(nix::libc::EIO);
                Err(StartFault {
                    stage: Stage::Output,
                    errno,
                })
            }
        }
    }

    /// Reads on where another sup has left off: the child still holds its pipe.
    pub(super) fn attach(&mut self, id: ChildId, spec: &ChildSpec) {
        if matches!(spec.log, LogSpec::Ring | LogSpec::File(_)) {
            // A pipe that cannot be opened is told of; the child goes on.
            let _told = self.open(id, spec);
        }
    }

    fn write_end(&mut self, dir: &Path, id: ChildId, spec: &ChildSpec) -> io::Result<File> {
        if let Some(output) = self.place(id).filter(|output| output.name == spec.name) {
            match fifo::write_end(&output.pipe) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => return result,
            }
        }
        let pipe = dir.join(format!("{}.out", spec.name));
        let source = Async::new_nonblocking(fifo::read_end(&pipe)?)?;
        let sink = Sink::new(&spec.log, self.ring);
        let tap = Rc::new(Tap {
            sink: RefCell::new(sink),
            changed: Changed::default(),
        });
        let reader = read(
            source,
            Rc::clone(&tap),
            Rc::clone(&self.piece),
            spec.name.clone(),
        );
        let output = Output {
            name: spec.name.clone(),
            log: spec.log.clone(),
            pipe: pipe.clone(),
            tap,
            _reader: spawn(&self.executor, reader),
        };
        *self.place_mut(id) = Some(output);
        fifo::write_end(&pipe)
    }

    /// A new configuration: what is behind the pipe follows it, the pipe stays. A child
    /// that is gone takes its pipe along.
    pub(super) fn adjust(&mut self, id: ChildId, spec: Option<&ChildSpec>) {
        let ring = self.ring;
        let place = self.place_mut(id);
        match (place.as_mut(), spec) {
            (Some(output), Some(spec)) if output.name == spec.name => {
                if output.log != spec.log && matches!(spec.log, LogSpec::Ring | LogSpec::File(_)) {
                    output.log = spec.log.clone();
                    *output.tap.sink.borrow_mut() = Sink::new(&spec.log, ring);
                }
            }
            (Some(output), _) => {
                let _gone = std::fs::remove_file(&output.pipe);
                *place = None;
            }
            (None, _) => {}
        }
    }

    /// Where to read the output of a child; `None`: it has none yet, or it is not kept.
    pub(super) fn tap(&self, id: ChildId) -> Option<Rc<Tap>> {
        self.place(id).map(|output| Rc::clone(&output.tap))
    }

    fn place(&self, id: ChildId) -> Option<&Output> {
        self.places.get(id.index())?.as_ref()
    }

    fn place_mut(&mut self, id: ChildId) -> &mut Option<Output> {
        if self.places.len() <= id.index() {
            self.places.resize_with(id.index() + 1, || None);
        }
        &mut self.places[id.index()]
    }
}

/// Reads a pipe for ever: it has no end, because we hold its other end too.
async fn read(source: Async<File>, tap: Rc<Tap>, piece: Rc<RefCell<Box<[u8]>>>, name: Box<str>) {
    let mut broken = false;
    loop {
        let taken = source
            .read_with(|mut pipe| take(&mut pipe, &tap, &piece))
            .await;
        match taken {
            Ok(fault) => {
                if let Some(fault) = &fault
                    && !broken
                {
                    log::warn!(target: "sup", "[WARNING] {name}: its log: {fault}");
                }
                broken = fault.is_some();
            }
            Err(error) => {
                log::warn!(target: "sup", "[WARNING] {name}: its output cannot be read: {error}");
                return;
            }
        }
        tap.changed.ring();
        smol::future::yield_now().await;
    }
}

fn take(
    pipe: &mut &File,
    tap: &Tap,
    piece: &RefCell<Box<[u8]>>,
) -> io::Result<Option<crate::logs::Fault>> {
    let mut piece = piece.borrow_mut();
    if piece.is_empty() {
        *piece = vec![0; PIECE].into_boxed_slice();
    }
    let length = pipe.read(&mut piece)?;
    Ok(tap.sink.borrow_mut().write(&piece[..length], clock::wall()))
}
