//! Work that may have to wait for a sleeping disk, on a thread that ends with it.
//!
//! Not `smol::unblock`: the threads of blocking 1.7 never end and wake up twice a second
//! (its test for too many threads is joined to the one for idleness by an `and`).

use std::any::Any;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread::Builder;

/// Does the work and returns what it returns. Where no thread is to be had it is done
/// here: late is better than not at all.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match do_aside(Box::new(|| Box::new(work()))).await.downcast() {
        Ok(result) => *result,
        // Cannot be: it is what this work has returned.
        Err(_) => std::future::pending().await,
    }
}

type Anything = Box<dyn Any + Send>;

/// Where the result of the work is put, and who waits for it.
type Place = (Option<Anything>, Option<Waker>);

/// The same for all kinds of work, so that it is one piece of code.
async fn do_aside(work: Box<dyn FnOnce() -> Anything + Send>) -> Anything {
    let work = Arc::new(Mutex::new(Some(work)));
    let place = Arc::new(Mutex::<Place>::default());
    let run = {
        let place = Arc::clone(&place);
        move || {
            let taken = open(&work).take();
            if let Some(work) = taken {
                let result = work();
                let waiting = {
                    let mut place = open(&place);
                    place.0 = Some(result);
                    place.1.take()
                };
                waiting.into_iter().for_each(Waker::wake);
            }
        }
    };
    if Builder::new().spawn(run.clone()).is_err() {
        run();
    }
    // A panic there, which the release profile does not survive, would be waited for for ever.
    poll_fn(|context| {
        let mut place = open(&place);
        match place.0.take() {
            Some(result) => Poll::Ready(result),
            None => {
                place.1 = Some(context.waker().clone());
                Poll::Pending
            }
        }
    })
    .await
}

/// What a mutex holds, although somebody has panicked in it.
fn open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
