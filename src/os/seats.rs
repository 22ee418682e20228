//! Low numbers for what a new process is given. It takes the part of our table of descriptors
//! below the last of them along: with two descriptors a child, that would be all of it.

use std::cell::OnceCell;
use std::fs::File;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;

use super::birth::Give;

/// Numbers below this are low: a table of so many is copied in no time.
const LOW: RawFd = 64;

/// The most that one process is given: its standard streams, and where it says that it is
/// ready.
pub(super) const GIVES_MAX: usize = 4;

thread_local! {
    static SEATS: OnceCell<Seats> = const { OnceCell::new() };
}

/// Descriptors that lead nowhere until somebody else's take their numbers for a moment.
struct Seats {
    null: OwnedFd,
    seats: [RawFd; GIVES_MAX],
}

impl Seats {
    fn take() -> Result<Self, Errno> {
        let mut options = File::options();
        let null = options.read(true).write(true).open("/dev/null");
        let null = null.map_err(|error| errno(&error))?;
        let mut seats = [0; GIVES_MAX];
        for seat in &mut seats {
            // Never closed: it is as good as taken for the life of this thread.
            *seat = null
                .try_clone()
                .map_err(|error| errno(&error))?
                .into_raw_fd();
        }
        Ok(Self {
            null: null.into(),
            seats,
        })
    }
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EMFILE))
}

fn with<T>(work: impl FnOnce(&Seats) -> Result<T, Errno>) -> Result<T, Errno> {
    SEATS.with(|seats| match seats.get() {
        Some(seats) => work(seats),
        None => {
            let new = Seats::take()?;
            work(seats.get_or_init(|| new))
        }
    })
}

/// Takes the seats while numbers are low.
pub(super) fn reserve() {
    let _later = with(|_| Ok(()));
}

/// See [`make_room`](super::spawn::make_room).
pub(super) fn make_room(descriptors: usize) {
    let last = RawFd::try_from(descriptors).unwrap_or(RawFd::MAX);
    let made = with(|seats| fcntl(&seats.null, FcntlArg::F_DUPFD_CLOEXEC(last)));
    if let Ok(fd) = made {
        let _closed = nix::unistd::close(fd);
    }
}

/// A descriptor that leads nowhere.
pub(super) fn null() -> Result<RawFd, Errno> {
    with(|seats| Ok(seats.null.as_raw_fd()))
}

/// What is given, by low numbers, for as long as this is there.
pub(super) struct Lowered {
    pub(super) gives: [Give; GIVES_MAX],
    taken: usize,
}

/// Puts what is given onto low numbers where it is not there already.
pub(super) fn lower(gives: &[Give]) -> Result<Lowered, Errno> {
    let mut lowered = Lowered {
        gives: [(0, 0); GIVES_MAX],
        taken: 0,
    };
    let places = lowered.gives.get_mut(..gives.len()).ok_or(Errno::E2BIG)?;
    places.copy_from_slice(gives);
    if gives.iter().all(|(fd, _)| *fd < LOW) {
        return Ok(lowered);
    }
    with(|seats| {
        for (at, (fd, _)) in gives.iter().enumerate() {
            if *fd >= LOW {
                put(*fd, seats.seats[at])?;
                lowered.gives[at].0 = seats.seats[at];
                lowered.taken = at + 1;
            }
        }
        Ok(())
    })?;
    Ok(lowered)
}

impl Drop for Lowered {
    /// Nobody else may go on holding what was given.
    fn drop(&mut self) {
        if self.taken > 0 {
            let _freed = with(|seats| {
                let freed = &seats.seats[..self.taken];
                freed
                    .iter()
                    .try_for_each(|&seat| put(seats.null.as_raw_fd(), seat))
            });
        }
    }
}

fn put(fd: RawFd, seat: RawFd) -> Result<(), Errno> {
    // SAFETY: no memory is involved, and the seat is nobody's but ours.
    let result = unsafe { libc::dup3(fd, seat, OFlag::O_CLOEXEC.bits()) };
    Errno::result(result).map(drop)
}
