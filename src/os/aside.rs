//! Work that may have to wait for a sleeping disk, on a thread that ends with it.
//!
//! Not `smol::unblock`: the threads of blocking 1.7 never end and wake up twice a second
//! (its test for too many threads is joined to the one for idleness by an `and`).

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

use smol::channel::bounded;

/// Does the work and returns what it returns. Where no thread is to be had it is done
/// here: late is better than not at all.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let result = do_aside(Box::new(|| Box::new(work()))).await;
    match result.and_then(|result| result.downcast().ok()) {
        Some(result) => *result,
        // A panic there, which the release profile does not survive.
        None => std::future::pending().await,
    }
}

type Anything = Box<dyn Any + Send>;

/// The same for all kinds of work, so that it is one piece of code.
async fn do_aside(work: Box<dyn FnOnce() -> Anything + Send>) -> Option<Anything> {
    let (done, wait) = bounded::<()>(1);
    let work = Arc::new(Mutex::new(Some((work, done))));
    let place = Arc::new(Mutex::new(None));
    let run = {
        let place = Arc::clone(&place);
        move || {
            let taken = open(&work).take();
            if let Some((work, _done)) = taken {
                *open(&place) = Some(work());
            }
        }
    };
    if Builder::new().spawn(run.clone()).is_err() {
        run();
    }
    // An error is the end of the other side: nobody says more than that.
    let _ended = wait.recv().await;
    open(&place).take()
}

/// What a mutex holds, although somebody has panicked in it.
fn open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
