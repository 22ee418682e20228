//! Waiting, at one place of one thread: for descriptors, for a moment, and for what other
//! threads say (`epoll(7)`).
//!
//! ```text
//!   task --waits for--> Async, Timer --+                +--> kernel
//!                                      +--> Reactor ----+
//!   task <-------- is woken -----------+   epoll_wait   +<-- other threads (eventfd)
//! ```
//!
//! A descriptor is given to the kernel when somebody first waits for it, and taken back when
//! news of it comes that nobody waits for: whoever reads in a loop costs one call a wait.
//!
//! async-io does the same for any number of threads. It keeps one of its own for that, whose
//! stack and timer queue are some 100 KiB written to, asks the kernel three times for each
//! descriptor that is waited for once, and is 90 KB of code.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::clock;
use crate::model::sorted::Map;

/// Events that are taken from the kernel at once.
const AT_ONCE: usize = 64;

/// What the bell's events are called; no descriptor has that number.
const BELL: u64 = u64::MAX;

thread_local! {
    static REACTOR: OnceCell<Rc<Reactor>> = const { OnceCell::new() };
}

/// Does a piece of work, and whatever it waits for, on this thread.
///
/// # Errors
/// There are no descriptors left to begin with.
pub fn block_on<T>(work: impl Future<Output = T>) -> io::Result<T> {
    let reactor = Reactor::of_this_thread()?;
    let waker = Waker::from(Arc::clone(&reactor.alarm));
    let mut context = Context::from_waker(&waker);
    let mut work = pin!(work);
    loop {
        if let Poll::Ready(result) = work.as_mut().poll(&mut context) {
            return Ok(result);
        }
        reactor.turn()?;
    }
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Read,
    Write,
}

/// See the module.
pub(super) struct Reactor {
    epoll: Epoll,
    alarm: Arc<Alarm>,
    /// Who waits, by the number of a descriptor.
    waits: RefCell<Vec<Waits>>,
    /// Who waits for a moment, the earliest first.
    timers: RefCell<Map<Moment, Waker>>,
    timers_made: Cell<u64>,
    /// Those who are about to be woken; kept, so that nothing is allocated for it.
    woken: RefCell<Vec<Waker>>,
}

/// A moment since boot, and which of the timers for it.
type Moment = (Duration, u64);

impl Reactor {
    pub(super) fn of_this_thread() -> io::Result<Rc<Self>> {
        REACTOR.with(|known| match known.get() {
            Some(reactor) => Ok(Rc::clone(reactor)),
            None => {
                let new = Rc::new(Self::new()?);
                Ok(Rc::clone(known.get_or_init(|| new)))
            }
        })
    }

    fn new() -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let bell = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        epoll.add(&bell, EpollEvent::new(EpollFlags::EPOLLIN, BELL))?;
        Ok(Self {
            epoll,
            alarm: Arc::new(Alarm {
                is_rung: AtomicBool::new(false),
                is_asleep: AtomicBool::new(false),
                bell,
            }),
            waits: RefCell::default(),
            timers: RefCell::default(),
            timers_made: Cell::new(0),
            woken: RefCell::default(),
        })
    }

    /// Waits until there is something to do, and wakes those who can do it.
    fn turn(&self) -> io::Result<()> {
        let sleeps = self.alarm.falls_asleep();
        let timeout = match sleeps {
            true => self.timeout(),
            false => EpollTimeout::ZERO,
        };
        let mut events = [EpollEvent::empty(); AT_ONCE];
        let result = self.epoll.wait(&mut events, timeout);
        self.alarm.is_awake();
        let count = match result {
            Err(Errno::EINTR) => 0,
            result => result?,
        };
        let mut woken = self.woken.take();
        for event in &events[..count] {
            self.take(*event, &mut woken);
        }
        self.ring_timers(&mut woken);
        woken.drain(..).for_each(Waker::wake);
        self.woken.replace(woken);
        Ok(())
    }

    fn take(&self, event: EpollEvent, woken: &mut Vec<Waker>) {
        if event.data() == BELL {
            let _heard = self.alarm.bell.read();
            return;
        }
        let Ok(number) = usize::try_from(event.data()) else {
            return;
        };
        let mut waits = self.waits.borrow_mut();
        let Some(waits) = waits.get_mut(number) else {
            return;
        };
        let known = woken.len();
        let ends = EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
        if event.events().intersects(EpollFlags::EPOLLIN | ends) {
            woken.extend(waits.take(Direction::Read));
        }
        if event.events().intersects(EpollFlags::EPOLLOUT | ends) {
            woken.extend(waits.take(Direction::Write));
        }
        if woken.len() == known {
            // Nobody waits for that any more, and it would be said again and again.
            let _told = self.arm(number, waits, waits.wanted());
        }
    }

    /// Asks the kernel for just that much news of a descriptor.
    fn arm(&self, number: usize, waits: &mut Waits, wanted: EpollFlags) -> nix::Result<()> {
        let fd = RawFd::try_from(number).map_err(|_| Errno::EBADF)?;
        // SAFETY: it is used for these calls only; what is not open gives EBADF.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let mut event = EpollEvent::new(wanted, number as u64);
        match (waits.armed.is_empty(), wanted.is_empty()) {
            (true, true) => {}
            (true, false) => self.epoll.add(fd, event)?,
            (false, true) => self.epoll.delete(fd)?,
            (false, false) => self.epoll.modify(fd, &mut event)?,
        }
        waits.armed = wanted;
        Ok(())
    }

    /// Wakes this task once there is news of that descriptor. One task waits in each
    /// direction: the last one that has said so.
    ///
    /// # Errors
    /// The kernel cannot tell: its memory is full, or it is a file of which there is no news.
    pub(super) fn wait(&self, fd: RawFd, direction: Direction, waker: &Waker) -> io::Result<()> {
        let number = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
        let mut all = self.waits.borrow_mut();
        if all.len() <= number {
            all.resize_with(number + 1, Waits::default);
        }
        let waits = &mut all[number];
        let before = waits.put(direction, waker.clone());
        let wanted = waits.wanted() | waits.armed;
        let result = match wanted == waits.armed {
            true => Ok(()),
            false => self.arm(number, waits, wanted),
        };
        drop(all);
        drop(before); // Only now: whatever ends with it may ask us for something.
        Ok(result?)
    }

    /// Whether nothing has come since somebody has begun to wait.
    pub(super) fn is_waiting(&self, fd: RawFd, direction: Direction) -> bool {
        let all = self.waits.borrow();
        let waits = usize::try_from(fd).ok().and_then(|number| all.get(number));
        waits.is_some_and(|waits| match direction {
            Direction::Read => waits.read.is_some(),
            Direction::Write => waits.write.is_some(),
        })
    }

    /// This descriptor is about to be closed.
    pub(super) fn forget(&self, fd: RawFd) {
        let Ok(number) = usize::try_from(fd) else {
            return;
        };
        let mut all = self.waits.borrow_mut();
        let before = all.get_mut(number).map(|waits| {
            let _closed_already = self.arm(number, waits, EpollFlags::empty());
            std::mem::take(waits)
        });
        drop(all);
        drop(before);
    }

    /// How long we may sleep, rounded up: a timer never rings early.
    fn timeout(&self) -> EpollTimeout {
        let timers = self.timers.borrow();
        let Some(((at, _), _)) = timers.first() else {
            return EpollTimeout::NONE;
        };
        let left = at.saturating_sub(clock::precise());
        let millis = left.as_micros().div_ceil(1000);
        // What is longer is waited for once more.
        EpollTimeout::try_from(millis).unwrap_or(EpollTimeout::MAX)
    }

    fn ring_timers(&self, woken: &mut Vec<Waker>) {
        let mut timers = self.timers.borrow_mut();
        if timers.is_empty() {
            return;
        }
        let now = clock::precise();
        woken.extend(timers.take_first(|(at, _)| *at <= now));
    }
}

/// Who waits for one descriptor.
struct Waits {
    read: Option<Waker>,
    /// Hardly ever anybody, and each child has two descriptors: a small place.
    write: Option<Box<Waker>>,
    /// What the kernel has been asked for.
    armed: EpollFlags,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            read: None,
            write: None,
            armed: EpollFlags::empty(),
        }
    }
}

impl Waits {
    fn put(&mut self, direction: Direction, waker: Waker) -> Option<Waker> {
        match direction {
            Direction::Read => self.read.replace(waker),
            Direction::Write => self.write.replace(Box::new(waker)).map(|before| *before),
        }
    }

    fn take(&mut self, direction: Direction) -> Option<Waker> {
        match direction {
            Direction::Read => self.read.take(),
            Direction::Write => self.write.take().map(|waker| *waker),
        }
    }

    fn wanted(&self) -> EpollFlags {
        let mut wanted = EpollFlags::empty();
        wanted.set(EpollFlags::EPOLLIN, self.read.is_some());
        wanted.set(EpollFlags::EPOLLOUT, self.write.is_some());
        wanted
    }
}

/// What wakes the thread, from itself and from others.
struct Alarm {
    /// Something is to be done.
    is_rung: AtomicBool,
    /// The thread waits in the kernel, or is about to: only the bell wakes it.
    is_asleep: AtomicBool,
    bell: EventFd,
}

impl Alarm {
    /// Whether there is nothing to do: from now on, until [`Alarm::is_awake`], the bell is
    /// rung. Whoever rings in between has set one before we look at it, or sees the other.
    fn falls_asleep(&self) -> bool {
        if self.is_rung.load(Ordering::SeqCst) {
            return false;
        }
        self.is_asleep.store(true, Ordering::SeqCst);
        !self.is_rung.load(Ordering::SeqCst)
    }

    fn is_awake(&self) {
        self.is_asleep.store(false, Ordering::SeqCst);
        self.is_rung.store(false, Ordering::SeqCst);
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_rung.store(true, Ordering::SeqCst);
        if self.is_asleep.swap(false, Ordering::SeqCst) {
            let _rings_already = self.bell.write(1);
        }
    }
}

/// Ends at a moment.
pub struct Timer {
    /// None: so far away that it never comes.
    at: Option<Moment>,
}

impl Timer {
    /// Ends when so much time has gone by.
    #[must_use]
    pub fn after(span: Duration) -> Self {
        let at = clock::precise().checked_add(span);
        Self {
            at: at.map(|at| (at, 0)),
        }
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(moment) = &mut self.at else {
            return Poll::Pending;
        };
        if moment.0 <= clock::precise() {
            return Poll::Ready(());
        }
        // Whoever polls us without one has descriptors to wait for neither.
        let Ok(reactor) = Reactor::of_this_thread() else {
            return Poll::Pending;
        };
        if moment.1 == 0 {
            moment.1 = reactor.timers_made.get() + 1;
            reactor.timers_made.set(moment.1);
        }
        let mut timers = reactor.timers.borrow_mut();
        let before = timers.insert(*moment, context.waker().clone());
        drop(timers);
        drop(before);
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(moment @ (_, 1..)) = self.at
            && let Ok(reactor) = Reactor::of_this_thread()
        {
            let before = reactor.timers.borrow_mut().remove(&moment);
            drop(before);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::thread;

    use smol::LocalExecutor;
    use smol::future::{or, yield_now, zip};

    use super::*;
    use crate::os::Async;

    const LONG: Duration = Duration::from_secs(60);

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn pair() -> (Async<UnixStream>, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Async::new(ours).unwrap(), theirs)
    }

    fn armed(source: &Async<UnixStream>) -> EpollFlags {
        let reactor = Reactor::of_this_thread().unwrap();
        let waits = reactor.waits.borrow();
        let number = usize::try_from(std::os::fd::AsRawFd::as_raw_fd(source)).unwrap();
        waits
            .get(number)
            .map_or(EpollFlags::empty(), |waits| waits.armed)
    }

    #[test]
    fn timers_ring_in_their_order_and_never_early() {
        let rung = RefCell::new(Vec::new());
        let began = clock::precise();
        let ring = async |after: u64| {
            Timer::after(ms(after)).await;
            assert!(clock::precise() - began >= ms(after), "{after} ms");
            rung.borrow_mut().push(after);
        };
        block_on(zip(ring(9), zip(ring(3), zip(ring(0), ring(6))))).unwrap();
        assert_eq!(rung.take(), [0, 3, 6, 9]);
    }

    #[test]
    fn a_timer_that_is_dropped_keeps_nobody_and_one_beyond_all_time_never_rings() {
        let soon = async { Timer::after(ms(1)).await };
        block_on(or(
            soon,
            or(Timer::after(LONG), Timer::after(Duration::MAX)),
        ))
        .unwrap();
        let reactor = Reactor::of_this_thread().unwrap();
        assert!(reactor.timers.borrow().is_empty());
    }

    #[test]
    fn another_thread_wakes_us() {
        let (say, hear) = smol::channel::bounded(1);
        let other = thread::spawn(move || say.send_blocking(7).unwrap());
        let heard = or(async { hear.recv().await.unwrap() }, async {
            Timer::after(LONG).await;
            0
        });
        assert_eq!(block_on(heard).unwrap(), 7);
        other.join().unwrap();
    }

    #[test]
    fn who_waits_is_woken_by_what_comes_and_by_the_end() {
        let (ours, mut theirs) = pair();
        let hear = async {
            let mut byte = [0];
            let mut heard = Vec::new();
            while ours
                .read_with(|mut from| from.read(&mut byte))
                .await
                .unwrap()
                > 0
            {
                heard.push(byte[0]);
            }
            heard
        };
        let say = async {
            for byte in 1..=3 {
                theirs.write_all(&[byte]).unwrap();
                Timer::after(ms(1)).await;
            }
            drop(theirs);
        };
        assert_eq!(block_on(zip(hear, say)).unwrap().0, [1, 2, 3]);
    }

    #[test]
    fn who_writes_waits_for_room() {
        let (ours, mut theirs) = pair();
        let much = vec![7; 4 << 20];
        let write = async {
            let mut rest = &much[..];
            while !rest.is_empty() {
                let length = ours.write_with(|mut to| to.write(rest)).await.unwrap();
                rest = &rest[length..];
            }
            ours.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
        };
        let reader = thread::spawn(move || {
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).unwrap();
            all
        });
        block_on(write).unwrap();
        assert_eq!(reader.join().unwrap(), much);
    }

    #[test]
    fn news_that_nobody_waits_for_is_said_once() {
        let (ours, mut theirs) = pair();
        let nobody_stays = async {
            or(async { drop(ours.readable().await) }, yield_now()).await;
            assert_eq!(armed(&ours), EpollFlags::EPOLLIN);
            theirs.write_all(&[1]).unwrap();
            // The first look wakes who has gone, the second one finds nobody.
            Timer::after(ms(1)).await;
            Timer::after(ms(1)).await;
            assert_eq!(armed(&ours), EpollFlags::empty());
            // Whoever comes now hears of it all the same.
            ours.readable().await.unwrap();
        };
        block_on(nobody_stays).unwrap();
        drop(ours);
        let reactor = Reactor::of_this_thread().unwrap();
        assert!(
            reactor
                .waits
                .borrow()
                .iter()
                .all(|waits| waits.armed.is_empty())
        );
    }

    #[test]
    fn what_the_kernel_has_no_news_of_is_an_error() {
        let file = Async::of_nonblocking(std::fs::File::open("/proc/self/exe").unwrap());
        let error = block_on(file.readable()).unwrap().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::EPERM as i32));
    }

    #[test]
    fn a_task_that_never_waits_leaves_others_their_turn() {
        let executor = LocalExecutor::new();
        let busy = executor.spawn(async {
            loop {
                yield_now().await;
            }
        });
        block_on(executor.run(async { Timer::after(ms(5)).await })).unwrap();
        drop(busy);
    }
}
