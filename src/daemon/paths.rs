//! Paths that children wait for. Somebody looks only while somebody waits, and when one of
//! them has ended or could not be started.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use smol::{Task, future};

use super::core::{Core, Shared};
use super::{Input, spawn};
use crate::model::ChildId;
use crate::model::Gather as _;
use crate::model::sorted::Set;
use crate::model::words::Names;
use crate::os::{self, Timer, clock, say};
use crate::policy::Event;

/// A look at a path that takes longer says that it is not there.
const PATIENCE: Duration = Duration::from_secs(1);

/// Which of those who wait have their paths now.
pub(super) type Found = Vec<(ChildId, bool)>;

/// Who looks.
#[derive(Default)]
pub(super) struct Paths {
    /// Somebody looks for those who wait.
    looking: bool,
    /// Somebody has, once.
    looked: bool,
    /// Of whom it has been told that they wait.
    told: Set<ChildId>,
    /// Looks after an end: news that the loop does not know yet.
    after: Rc<Cell<usize>>,
}

impl Paths {
    /// Whether all who wait have been looked for.
    pub(super) fn has_looked(&self) -> bool {
        !self.looking || self.looked
    }

    /// Whether an end is known here, and not yet to the loop.
    pub(super) fn hold_news(&self) -> bool {
        self.after.get() > 0
    }
}

impl Core {
    pub(super) fn has_paths(&self, child: ChildId) -> bool {
        !self.supervisor.spec(child).life.wait_path.is_empty()
    }

    /// Passes on news of a child behind a look at its paths: perhaps its volume has gone,
    /// and it is not to blame.
    pub(super) fn tell_after_look(
        &self,
        child: ChildId,
        news: Pin<Box<dyn Future<Output = Input>>>,
    ) -> Task<()> {
        let paths = self.supervisor.spec(child).life.wait_path.clone();
        let (inbox, after) = (self.inbox.clone(), Rc::clone(&self.paths.after));
        spawn(&self.executor, async move {
            let news = news.await;
            after.set(after.get() + 1);
            let there = are_there(paths).await;
            let event = Event::Paths { child, there };
            let _loop = inbox.put(Input::Event(event));
            let _loop = inbox.put(news);
            after.set(after.get() - 1);
        })
    }

    /// Who waits for paths, and for which.
    fn waiting(&self) -> Vec<(ChildId, Box<[Box<str>]>)> {
        let children = self.supervisor.children();
        let waiting = children.filter(|(id, _, _)| self.supervisor.waits_for_path(*id));
        waiting
            .map(|(id, spec, _)| (id, spec.life.wait_path.clone()))
            .gather()
    }

    /// Tells, once, for what somebody waits.
    fn tell_paths(&mut self, waiting: &[(ChildId, Box<[Box<str>]>)]) {
        for (id, paths) in waiting {
            if !self.paths.told.insert(*id) {
                continue;
            }
            let name = Names::child(&self.supervisor, *id);
            let text = format!("{name} waits for {}", paths.join(", "));
            say::news(format_args!("{text}"));
            self.history.push(clock::wall(), &text);
        }
    }

    /// What has been found.
    pub(super) fn found(&mut self, found: Found) {
        (self.paths.looking, self.paths.looked) = (false, true);
        let mut waits = false;
        for (child, there) in found {
            waits |= !there;
            if there {
                self.paths.told.remove(&child);
                self.turn(Event::Paths { child, there }, clock::now());
            }
        }
        if waits {
            let waiting = self.waiting();
            self.tell_paths(&waiting);
        }
    }
}

/// Looks for what children wait for, where one does and nobody looks yet.
pub(super) fn look(core: &Shared) {
    let mut core = core.borrow_mut();
    if core.paths.looking {
        return;
    }
    let waiting = core.waiting();
    if waiting.is_empty() {
        return;
    }
    core.paths.looking = true;
    let inbox = core.inbox.clone();
    let work = async move {
        let (ids, paths): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
        let there = os::aside(move || os::paths::next_there(&paths)).await;
        let found = ids.into_iter().zip(there).gather();
        let _loop = inbox.put(Input::Found(found));
    };
    spawn(&core.executor, work).detach();
}

/// Whether these paths are there now.
async fn are_there(paths: Box<[Box<str>]>) -> bool {
    let look = os::aside(move || os::paths::are_there(&paths));
    let late = async {
        Timer::after(PATIENCE).await;
        false
    };
    future::or(look, late).await
}
