//! The way in: our lock on the runtime directory, and the control socket in it. Cleaners of
//! `/tmp` and scripts of the box delete such things; they are then made again.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use smol::{LocalExecutor, Task};

use super::{Input, spawn};
use crate::control;
use crate::os::file::{LockGuard, lock_dir};
use crate::os::watch::{Identity, gone, identity};
use crate::os::{Async, Sender, Timer, place, say, socket};
use crate::wire::control::SOCKET;

/// Whoever deletes a directory has many files to delete, and shall not find new ones.
const MOMENT: Duration = Duration::from_millis(500);

/// How long until the next try, where it cannot be made again.
const NEXT_TRY: Duration = Duration::from_secs(60);

/// See the module.
pub(super) struct Door {
    executor: Rc<LocalExecutor<'static>>,
    inbox: Sender<Input>,
    dir: PathBuf,
    /// The directory that we have locked: another one may have its name by now.
    locked: Option<Identity>,
    lock: LockGuard,
    /// Whether it is known that nobody can reach us.
    shut: bool,
    /// Takes clients, until it is dropped.
    takes: Option<Takes>,
    _watches: Task<()>,
}

struct Takes {
    listener: Rc<Async<UnixListener>>,
    _task: Task<()>,
}

impl Door {
    /// Takes clients at this socket in this directory, of which we have the lock. Without a
    /// socket, it is made as soon as that works.
    pub(super) fn open(
        executor: Rc<LocalExecutor<'static>>,
        inbox: Sender<Input>,
        dir: PathBuf,
        lock: LockGuard,
        listener: Option<UnixListener>,
    ) -> io::Result<Self> {
        let takes = listener.map(|listener| takes(&executor, &inbox, listener));
        let takes = takes.transpose()?;
        let watches = match takes {
            Some(_) => watches(&executor, &inbox, dir.join(SOCKET)),
            None => sends_later(&executor, &inbox, MOMENT),
        };
        Ok(Self {
            locked: lock.identity(),
            lock,
            shut: takes.is_none(),
            takes,
            _watches: watches,
            executor,
            inbox,
            dir,
        })
    }

    /// For the program that takes our place: the lock, and the socket if there is one.
    pub(super) fn pass(&self) -> (RawFd, Option<RawFd>) {
        let takes = self.takes.as_ref();
        let listener = takes.map(|takes| takes.listener.as_raw_fd());
        (self.lock.descriptor(), listener)
    }

    /// Makes the directory where somebody has deleted it: a child that starts needs it.
    pub(super) fn restore_dir(&self) {
        if !self.dir.exists() {
            let _told_by_its_user = place::private_dir(&self.dir);
        }
    }

    /// Somebody has deleted the socket: makes it again. Whether that worked.
    pub(super) fn reopen(&mut self) -> bool {
        let dir = self.dir.display().to_string();
        match self.listen() {
            Ok(takes) => {
                say::warning(format_args!(
                    "somebody has deleted the control socket or {dir}; made again"
                ));
                (self.shut, self.takes) = (false, Some(takes));
                self._watches = watches(&self.executor, &self.inbox, self.dir.join(SOCKET));
            }
            Err(error) => {
                if !self.shut {
                    say::warning(format_args!(
                        "somebody has deleted the control socket or {dir}, and it cannot be made again, children go on: {error}"
                    ));
                }
                self.shut = true;
                self._watches = sends_later(&self.executor, &self.inbox, NEXT_TRY);
            }
        }
        !self.shut
    }

    fn listen(&mut self) -> io::Result<Takes> {
        place::private_dir(&self.dir)?;
        let found = identity(&self.dir);
        if found != self.locked {
            self.lock = lock_dir(&self.dir)?;
            self.locked = found;
        }
        let listener = socket::listen(&self.dir.join(SOCKET))?;
        takes(&self.executor, &self.inbox, listener)
    }
}

fn takes(
    executor: &Rc<LocalExecutor<'static>>,
    inbox: &Sender<Input>,
    listener: UnixListener,
) -> io::Result<Takes> {
    let listener = Rc::new(Async::of_nonblocking(listener));
    let to_loop = inbox.clone();
    let heard = move |heard| drop(to_loop.put(Input::Client(heard)));
    let work = control::serve(Rc::clone(executor), Rc::clone(&listener), heard);
    Ok(Takes {
        listener,
        _task: spawn(executor, work),
    })
}

/// Says once that the socket is gone. Where the kernel does not tell, nobody says it.
fn watches(executor: &LocalExecutor<'static>, inbox: &Sender<Input>, socket: PathBuf) -> Task<()> {
    let inbox = inbox.clone();
    spawn(executor, async move {
        match gone(&socket).await {
            Ok(()) => {
                Timer::after(MOMENT).await;
                let _loop = inbox.put(Input::ShutOut);
            }
            Err(error) => {
                log::debug!(target: "sup", "[SUPERVISOR] should somebody delete {}, nobody will tell: {error}", socket.display());
            }
        }
    })
}

fn sends_later(
    executor: &LocalExecutor<'static>,
    inbox: &Sender<Input>,
    pause: Duration,
) -> Task<()> {
    let inbox = inbox.clone();
    spawn(executor, async move {
        Timer::after(pause).await;
        let _loop = inbox.put(Input::ShutOut);
    })
}
