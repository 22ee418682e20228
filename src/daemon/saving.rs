//! Memory on its way to the disk, which may be asleep: written on a thread that may
//! wait, one write at a time, the newest memory last.

use std::rc::Rc;

use smol::LocalExecutor;

use super::{Input, spawn};
use crate::os::{self, Changed, Sender, say};
use crate::store::Store;

/// The way to the disk.
pub(super) struct Saving {
    executor: Rc<LocalExecutor<'static>>,
    inbox: Sender<Input>,
    /// Here, unless it is writing; `None` at all times: nothing is kept.
    store: Option<Store>,
    keeps: bool,
    /// What is to be written next.
    next: Option<Vec<u8>>,
    /// Saves asked for and saves done, by number.
    asked: u64,
    writing: u64,
    done: u64,
    /// Why the last write failed.
    pub(super) fault: Option<String>,
    pub(super) changed: Rc<Changed>,
}

impl Saving {
    pub(super) fn new(
        executor: Rc<LocalExecutor<'static>>,
        inbox: Sender<Input>,
        store: Option<Store>,
    ) -> Self {
        Self {
            executor,
            inbox,
            keeps: store.is_some(),
            store,
            next: None,
            asked: 0,
            writing: 0,
            done: 0,
            fault: None,
            changed: Rc::default(),
        }
    }

    /// Whether memory is kept at all.
    pub(super) fn keeps(&self) -> bool {
        self.keeps
    }

    /// Writes this, after what is being written now.
    pub(super) fn write(&mut self, payload: Vec<u8>) {
        self.asked += 1;
        self.next = Some(payload);
        self.go_on();
    }

    /// The number of the last save asked for; it is done when [`Saving::is_done`] says so.
    pub(super) fn asked(&self) -> u64 {
        self.asked
    }

    /// Whether that save, or a later one, has been tried; whether it worked is in `fault`.
    pub(super) fn is_done(&self, number: u64) -> bool {
        !self.keeps || self.done >= number
    }

    /// Whether nothing is being written.
    pub(super) fn is_idle(&self) -> bool {
        !self.keeps || (self.store.is_some() && self.next.is_none())
    }

    /// A write has ended. Whether it failed.
    pub(super) fn ended(&mut self, store: Store, result: &std::io::Result<()>) -> bool {
        self.store = Some(store);
        self.done = self.writing;
        match (result, &self.fault) {
            (Err(error), None) => {
                say::warning(format_args!(
                    "memory cannot be written, children go on: {error}"
                ));
            }
            (Ok(()), Some(_)) => {
                say::news(format_args!("memory can be written again"));
            }
            (Ok(()), None) | (Err(_), Some(_)) => {}
        }
        self.fault = result.as_ref().err().map(ToString::to_string);
        self.changed.ring();
        self.go_on();
        result.is_err()
    }

    fn go_on(&mut self) {
        if let Some(payload) = self.next.take() {
            match self.store.take() {
                Some(store) => self.start(store, payload),
                None => self.next = self.keeps.then_some(payload),
            }
        }
    }

    fn start(&mut self, mut store: Store, payload: Vec<u8>) {
        self.writing = self.asked;
        let inbox = self.inbox.clone();
        let write = async move {
            let (store, result) = os::aside(move || {
                let result = store.save(&payload);
                (store, result)
            })
            .await;
            let _ended = inbox.put(Input::Saved(store, result));
        };
        spawn(&self.executor, write).detach();
    }
}
