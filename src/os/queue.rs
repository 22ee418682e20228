//! A queue between tasks of this thread: many put in, one takes out.
//!
//! Not smol's channels: they are made for threads, and each kind of what goes through them
//! is 3 KB of code.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::Changed;

/// Where things are put in. When all of these are gone, the other end is told.
pub struct Sender<T>(Rc<Queue<T>>);

/// Where they are taken out.
pub struct Receiver<T>(Rc<Queue<T>>);

/// There was no room, or there is nobody any more who would take it.
#[derive(Debug)]
pub struct Refused;

struct Queue<T> {
    waiting: RefCell<VecDeque<T>>,
    /// How many things may wait.
    most: usize,
    senders: Cell<usize>,
    is_open: Cell<bool>,
    /// Who waits for a thing.
    receiver: Cell<Option<Waker>>,
    /// For those who wait for room.
    room: Changed,
}

/// A queue in which so many things may wait.
#[must_use]
pub fn queue<T>(most: usize) -> (Sender<T>, Receiver<T>) {
    let queue = Rc::new(Queue {
        waiting: RefCell::default(),
        most,
        senders: Cell::new(1),
        is_open: Cell::new(true),
        receiver: Cell::default(),
        room: Changed::default(),
    });
    (Sender(Rc::clone(&queue)), Receiver(queue))
}

impl<T> Queue<T> {
    fn wake_receiver(&self) {
        if let Some(waker) = self.receiver.take() {
            waker.wake();
        }
    }

    fn has_room(&self) -> bool {
        self.waiting.borrow().len() < self.most
    }
}

impl<T> Sender<T> {
    /// Puts it in, if there is room.
    ///
    /// # Errors
    /// There is none, or nobody takes it.
    pub fn put(&self, thing: T) -> Result<(), Refused> {
        if !self.0.is_open.get() || !self.0.has_room() {
            return Err(Refused);
        }
        self.0.waiting.borrow_mut().push_back(thing);
        self.0.wake_receiver();
        Ok(())
    }

    /// Puts it in as soon as there is room.
    ///
    /// # Errors
    /// Nobody takes it.
    pub async fn send(&self, thing: T) -> Result<(), Refused> {
        while self.0.is_open.get() && !self.0.has_room() {
            self.0.room.listen().await;
        }
        self.put(thing)
    }
}

impl<T> Receiver<T> {
    /// The first thing that waits.
    #[must_use]
    pub fn take(&self) -> Option<T> {
        let thing = self.0.waiting.borrow_mut().pop_front();
        self.0.room.ring();
        thing
    }

    /// The next thing; `None`: nobody is left who could put one in.
    pub async fn next(&self) -> Option<T> {
        poll_fn(|context| match self.take() {
            None if self.0.senders.get() > 0 => {
                self.0.receiver.set(Some(context.waker().clone()));
                Poll::Pending
            }
            thing => Poll::Ready(thing),
        })
        .await
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.waiting.borrow().is_empty()
    }

    /// Gives back the memory of many things, where nothing waits.
    pub fn rest(&self) {
        if self.is_empty() {
            self.0.waiting.take();
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.senders.set(self.0.senders.get() + 1);
        Self(Rc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.senders.set(self.0.senders.get() - 1);
        if self.0.senders.get() == 0 {
            self.0.wake_receiver();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.0.is_open.set(false);
        self.0.room.ring();
    }
}

#[cfg(test)]
mod tests {
    use smol::future::{block_on, or, yield_now, zip};

    use super::*;

    #[test]
    fn things_come_out_in_the_order_in_which_they_were_put_in() {
        let (sender, receiver) = queue(usize::MAX);
        for thing in 1..=3 {
            sender.put(thing).unwrap();
        }
        assert_eq!([receiver.take(), receiver.take()], [Some(1), Some(2)]);
        receiver.rest();
        assert_eq!([receiver.take(), receiver.take()], [Some(3), None]);
    }

    #[test]
    fn who_takes_waits_for_a_thing_and_hears_that_there_will_be_none() {
        let (sender, receiver) = queue(1);
        let takes = async { (receiver.next().await, receiver.next().await) };
        let puts = async {
            yield_now().await;
            sender.clone().send(7).await.unwrap();
            yield_now().await;
            drop(sender);
        };
        assert_eq!(block_on(zip(takes, puts)).0, (Some(7), None));
    }

    #[test]
    fn who_puts_in_waits_for_room() {
        let (sender, receiver) = queue(1);
        sender.put(1).unwrap();
        sender.put(2).unwrap_err();
        let puts = zip(sender.send(2), sender.send(3));
        let takes = async {
            yield_now().await;
            let first = receiver.next().await;
            [first, receiver.next().await, receiver.next().await]
        };
        let ((one, other), taken) = block_on(zip(puts, takes));
        assert_eq!(taken, [Some(1), Some(2), Some(3)]);
        one.and(other).unwrap();
    }

    #[test]
    fn who_waits_for_room_hears_that_nobody_takes() {
        let (sender, receiver) = queue(1);
        sender.put(1).unwrap();
        let leaves = async {
            yield_now().await;
            drop(receiver);
        };
        let (sent, ()) = block_on(zip(sender.send(2), leaves));
        sent.unwrap_err();
        sender.put(3).unwrap_err();
    }

    #[test]
    fn who_gives_up_waiting_loses_nothing() {
        let (sender, receiver) = queue(1);
        let gives_up = async {
            yield_now().await;
            None
        };
        assert_eq!(block_on(or(receiver.next(), gives_up)), None);
        sender.put(4).unwrap();
        assert_eq!(block_on(receiver.next()), Some(4));
    }
}
