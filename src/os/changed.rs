//! A bell: tasks wait until something has changed.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Wakes everybody who listens. All on one thread: who looks, finds nothing and then
/// listens, misses nothing.
#[derive(Default)]
pub struct Changed {
    listeners: Cell<Vec<Waker>>,
}

impl Changed {
    /// Something has changed.
    pub fn ring(&self) {
        self.listeners.take().into_iter().for_each(Waker::wake);
    }

    /// Ends at the next ring.
    pub async fn listen(&self) {
        let mut rung = false;
        poll_fn(|context| {
            if std::mem::replace(&mut rung, true) {
                return Poll::Ready(());
            }
            let mut listeners = self.listeners.take();
            listeners.push(context.waker().clone());
            self.listeners.set(listeners);
            Poll::Pending
        })
        .await;
    }
}
