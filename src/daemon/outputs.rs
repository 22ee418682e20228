//! The output of children: one pipe each, read as it comes, into its sink.

use std::cell::RefCell;
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Duration;

use smol::{LocalExecutor, Task};

use super::baton::Pipe;
use super::spawn;
use super::upgrade::inherit;
use crate::checks::Lines;
use crate::logs::{Fault, Rotated, Sink};
use crate::model::Gather as _;
use crate::model::check::{CheckSpec, Kind};
use crate::model::limits::{RING_MAX, RING_MIN, RINGS_MAX};
use crate::model::spec::{LogFile, LogSpec};
use crate::model::{ChildId, ChildSpec, Stage, StartFault, Uptime, tree};
use crate::os::Changed;
use crate::os::spawn::Stream;
use crate::os::{Async, clock, fifo, say};

/// Most bytes that are taken from a pipe at once, so that a chatty child waits its turn.
const PIECE: usize = 16 << 10;

/// A log that fails and works by turns is told of once in this long.
const QUIET: Duration = Duration::from_secs(60);

/// The outputs of all children, by their numbers.
pub(super) struct Outputs {
    executor: Rc<LocalExecutor<'static>>,
    dir: Option<PathBuf>,
    ring: usize,
    /// Nobody stays to read pipes: children write to their files by themselves.
    direct: bool,
    places: Vec<Option<Output>>,
    /// Pieces are read into this, one at a time.
    piece: Rc<RefCell<Box<[u8]>>>,
}

/// The output of one child.
struct Output {
    /// Where it goes besides the ring.
    file: Option<Box<LogFile>>,
    source: Rc<Async<File>>,
    tap: Rc<Tap>,
    _reader: Task<()>,
}

/// Where the output of one child can be read.
pub(super) struct Tap {
    /// The child's.
    name: Box<str>,
    pub(super) sink: RefCell<Sink>,
    pub(super) changed: Changed,
    /// Lines that are counted for checks.
    counts: RefCell<Box<[Count]>>,
}

/// Lines that are counted for one check.
struct Count {
    check: CheckSpec,
    lines: Lines,
}

impl Tap {
    fn new(name: &str, sink: Sink) -> Rc<Self> {
        Rc::new(Self {
            name: name.into(),
            sink: RefCell::new(sink),
            changed: Changed::default(),
            counts: RefCell::default(),
        })
    }
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
            direct: false,
            places: Vec::new(),
            piece,
        }
    }

    /// Nobody has said anything for a while.
    pub(super) fn rest(&self) {
        self.piece.take();
    }

    /// For a sup that goes while its children stay.
    pub(super) fn write_directly(&mut self) {
        self.direct = true;
    }

    /// What a run writes to by itself. What would only be kept in RAM is not kept: the pipe
    /// would fill up, and the child with it.
    fn lend(spec: &ChildSpec) -> io::Result<Stream> {
        let LogSpec::File(file) = &spec.log else {
            return Ok(Stream::Null);
        };
        Ok(Rotated::new(file).lend()?.into())
    }

    /// Brings the files back to their sizes that children write to by themselves.
    pub(super) fn cut_back(spec: &ChildSpec) {
        if let LogSpec::File(file) = &spec.log
            && let Err(error) = Rotated::new(file).cut_back()
        {
            say::warning(format_args!("{}: cutting back its log: {error}", spec.name));
        }
    }

    /// Standard output and error for a run. The pipe is made when it is first needed,
    /// and again where it was deleted.
    pub(super) fn open(&mut self, id: ChildId, spec: &ChildSpec) -> Result<Stream, StartFault> {
        if self.direct {
            return Self::lend(spec).map_err(|error| no_output(spec, "its log", &error));
        }
        let Some(dir) = self.dir.clone().filter(|_| spec.log != LogSpec::Null) else {
            return Ok(match spec.log {
                LogSpec::Null => Stream::Null,
                LogSpec::Ring | LogSpec::File(_) | LogSpec::Inherit => Stream::Ours,
            });
        };
        if let Some(output) = self.place(id) {
            output.tap.counts.take(); // What the last run said is past.
        }
        if spec.log == LogSpec::Inherit {
            return Ok(Stream::Ours);
        }
        let opened = self.write_end(&dir, id, spec);
        self.count_lines(id, spec);
        match opened {
            Ok(pipe) => Ok(pipe.into()),
            Err(error) => Err(no_output(spec, "its output pipe", &error)),
        }
    }

    /// Reads on where another sup has left off: the child still holds its pipe, whose name
    /// somebody may have deleted.
    pub(super) fn attach(&mut self, id: ChildId, spec: &ChildSpec, pid: u32) {
        if self.direct || !matches!(spec.log, LogSpec::Ring | LogSpec::File(_)) {
            return;
        }
        if self.dir.is_some()
            && let Some(end) = fifo::nameless(pid)
        {
            self.listen(id, spec, end, None);
            self.count_lines(id, spec);
            return;
        }
        // A pipe that cannot be opened is told of; the child goes on.
        let _told = self.open(id, spec);
    }

    fn write_end(&mut self, dir: &Path, id: ChildId, spec: &ChildSpec) -> io::Result<File> {
        let mut known = None;
        let pipe = pipe_of(dir, &spec.name);
        if let Some(output) = self.place(id).filter(|output| output.tap.name == spec.name) {
            match fifo::write_end(&pipe) {
                // Somebody has deleted it. What has come through it stays.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    known = Some(Rc::clone(&output.tap));
                }
                result => return result,
            }
        }
        self.listen(id, spec, fifo::read_end(&pipe)?, known);
        fifo::write_end(&pipe)
    }

    /// Reads what comes through a pipe from now on, into this tap or a new one.
    fn listen(&mut self, id: ChildId, spec: &ChildSpec, end: File, known: Option<Rc<Tap>>) {
        let source = Rc::new(Async::of_nonblocking(end));
        let new = || Tap::new(&spec.name, Sink::new(&spec.log, self.ring));
        let tap = known.unwrap_or_else(new);
        let reader = read(Rc::clone(&source), Rc::clone(&tap), Rc::clone(&self.piece));
        let output = Output {
            file: file_of(spec),
            source,
            tap,
            _reader: spawn(&self.executor, reader),
        };
        *self.place_mut(id) = Some(output);
    }

    /// For the program that takes our place.
    pub(super) fn pass(&self) -> Vec<Pipe> {
        let outputs = self.places.iter().flatten();
        let pass = |output: &Output| Pipe {
            child: output.tap.name.clone(),
            source: output.source.as_raw_fd(),
            kept: output.tap.sink.borrow().ring().kept(),
        };
        outputs.map(pass).gather()
    }

    /// From the program before us: reads on in the same pipe, at the same place.
    pub(super) fn inherit(&mut self, id: ChildId, spec: &ChildSpec, pipe: &Pipe) -> io::Result<()> {
        if self.dir.is_some() {
            let sink = Sink::resume(&spec.log, self.ring, &pipe.kept);
            let tap = Tap::new(&spec.name, sink);
            self.listen(id, spec, inherit(pipe.source)?, Some(tap));
            self.count_lines(id, spec);
        }
        Ok(())
    }

    /// A new configuration: what is behind the pipe follows it, the pipe stays. A child
    /// that is gone takes its pipe along.
    pub(super) fn adjust(&mut self, id: ChildId, spec: Option<&ChildSpec>) {
        let ring = self.ring;
        let dir = self.dir.clone();
        let place = self.place_mut(id);
        match (place.as_mut(), spec) {
            (Some(output), Some(spec)) if output.tap.name == spec.name => {
                let file = file_of(spec);
                if output.file != file && matches!(spec.log, LogSpec::Ring | LogSpec::File(_)) {
                    output.file = file;
                    *output.tap.sink.borrow_mut() = Sink::new(&spec.log, ring);
                }
                self.count_lines(id, spec);
            }
            (Some(output), _) => {
                let pipe = dir.map(|dir| pipe_of(&dir, &output.tap.name));
                let _gone = pipe.map(std::fs::remove_file);
                *place = None;
            }
            (None, _) => {}
        }
    }

    /// Reads what is still in a child's pipe.
    pub(super) fn catch_up(&self, id: ChildId) {
        let Some(output) = self.place(id) else {
            return;
        };
        // A pipe holds some 64 KiB; more is being written right now, and not its last word.
        for _ in 0..8 {
            let taken = take(&mut output.source.get_ref(), &output.tap, &self.piece);
            if taken.is_err() {
                break;
            }
        }
    }

    /// The last lines that a child has said, as far as they have been read, and no more than
    /// so many bytes of them. `None`: there are none.
    pub(super) fn last_lines(&self, id: ChildId, lines: usize, bytes: usize) -> Option<String> {
        let output = self.place(id)?;
        let sink = output.tap.sink.borrow();
        let (older, newer) = sink.ring().tail(lines);
        let all = [older, newer].concat();
        let all = &all[all.len().saturating_sub(bytes)..];
        let text = String::from_utf8_lossy(all);
        let plain = |letter: &char| !letter.is_control() || matches!(letter, '\n' | '\t');
        let text: String = text.trim().chars().filter(plain).gather();
        (!text.is_empty()).then_some(text)
    }

    /// Counts lines for the checks of a child, and goes on with those that it has.
    fn count_lines(&self, id: ChildId, spec: &ChildSpec) {
        let Some(output) = self.place(id) else {
            return;
        };
        let mut known = output.tap.counts.take().into_vec();
        let counts = spec.life.checks.iter().filter_map(|check| {
            let Kind::Log { text, within, .. } = &check.kind else {
                return None;
            };
            let same =
                |count: &Count| count.check.name == check.name && count.check.kind == check.kind;
            Some(match known.iter().position(same) {
                Some(at) => known.swap_remove(at),
                None => Count {
                    check: check.clone(),
                    lines: Lines::new(text, *within),
                },
            })
        });
        output.tap.counts.replace(counts.gather());
    }

    /// How many lines a check has counted.
    pub(super) fn count(&self, id: ChildId, check: &str, now: Uptime) -> u32 {
        let Some(output) = self.place(id) else {
            return 0;
        };
        let mut counts = output.tap.counts.borrow_mut();
        let mut found = counts.iter_mut();
        let found = found.find(|count| *count.check.name == *check);
        found.map_or(0, |count| count.lines.count(now))
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

fn no_output(spec: &ChildSpec, thing: &str, error: &io::Error) -> StartFault {
    say::warning(format_args!("{}: {thing}: {error}", spec.name));
    StartFault {
        stage: Stage::Output,
        errno: error.raw_os_error().unwrap_or(nix::libc::EIO),
    }
}

fn file_of(spec: &ChildSpec) -> Option<Box<LogFile>> {
    match &spec.log {
        LogSpec::File(file) => Some(Box::new(file.clone())),
        LogSpec::Ring | LogSpec::Inherit | LogSpec::Null => None,
    }
}

/// Where the pipe of a child is.
pub(super) fn pipe_of(dir: &Path, child: &str) -> PathBuf {
    dir.join(format!("{}.out", tree::file_name(child)))
}

/// Reads a pipe for ever: it has no end, because we hold its other end too. There is one for
/// each child, and an `async` function would keep what it is given twice.
fn read(
    source: Rc<Async<File>>,
    tap: Rc<Tap>,
    piece: Rc<RefCell<Box<[u8]>>>,
) -> impl Future<Output = ()> {
    let mut told = None::<Box<Told>>;
    poll_fn(move |context| {
        let taken = source.poll_read_with(context, |mut pipe| take(&mut pipe, &tap, &piece));
        let name = &tap.name;
        match ready!(taken) {
            Ok(None) => {}
            Ok(Some(fault)) => {
                if told.get_or_insert_default().is_news(&fault, clock::now()) {
                    say::warning(format_args!("{name}: its log: {fault}"));
                }
            }
            Err(error) => {
                say::warning(format_args!("{name}: its output cannot be read: {error}"));
                return Poll::Ready(());
            }
        }
        tap.changed.ring();
        context.waker().wake_by_ref(); // Others have their turn before the next piece.
        Poll::Pending
    })
}

/// What has been told of the faults of one log.
#[derive(Default)]
struct Told {
    last: Option<Uptime>,
    /// Whether of the present one.
    now: bool,
}

impl Told {
    /// Whether this is to be told. The end of what was not told is not.
    fn is_news(&mut self, fault: &Fault, now: Uptime) -> bool {
        match fault {
            Fault::Lost { .. } => {
                self.now = self.last.is_none_or(|last| now - last >= QUIET);
                if self.now {
                    self.last = Some(now);
                }
                self.now
            }
            Fault::Over { .. } => std::mem::take(&mut self.now),
        }
    }
}

fn take(pipe: &mut &File, tap: &Tap, piece: &RefCell<Box<[u8]>>) -> io::Result<Option<Fault>> {
    let mut piece = piece.borrow_mut();
    if piece.is_empty() {
        *piece = vec![0; PIECE].into_boxed_slice();
    }
    let length = pipe.read(&mut piece)?;
    let mut counts = tap.counts.borrow_mut();
    if !counts.is_empty() {
        let now = clock::now();
        for count in counts.iter_mut() {
            count.lines.take(&piece[..length], now);
        }
    }
    Ok(tap.sink.borrow_mut().write(&piece[..length], clock::wall()))
}
