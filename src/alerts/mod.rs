//! Telling people. One task, one notice at a time, each with a bound: a program that
//! hangs, fails or is missing delays nothing but the next telling.

mod exec;

use smol::channel::{Receiver, Sender, TrySendError, bounded};

use crate::model::limits::NOTIFY_QUEUE_MAX;
use crate::model::spec::AlertSpec;
use crate::model::words::Telling;

/// Where notices for people go in.
pub struct Alerts {
    queue: Sender<Telling>,
    /// The same queue's other end: when it is full, the oldest makes room.
    oldest: Receiver<Telling>,
}

impl Alerts {
    /// A queue, and the work that empties it.
    pub fn new(channels: Box<[AlertSpec]>) -> (Self, impl Future<Output = ()>) {
        let (queue, waiting) = bounded(NOTIFY_QUEUE_MAX);
        let alerts = Self {
            queue,
            oldest: waiting.clone(),
        };
        (alerts, deliver(channels, waiting))
    }

    /// Tells people, soon. Never blocks; too many at once lose the oldest.
    pub fn tell(&self, telling: Telling) {
        if let Err(TrySendError::Full(telling)) = self.queue.try_send(telling) {
            if let Ok(lost) = self.oldest.try_recv() {
                log::warn!(target: "sup", "[WARNING] too many notifications at once: lost \"{}\"", lost.message);
            }
            let _full = self.queue.try_send(telling);
        }
    }
}

async fn deliver(channels: Box<[AlertSpec]>, waiting: Receiver<Telling>) {
    while let Ok(telling) = waiting.recv().await {
        for channel in &channels {
            exec::tell(&channel.exec, &telling).await;
        }
    }
}
