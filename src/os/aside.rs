//! Work that may have to wait for a sleeping disk, on a thread that ends with it.
//!
//! Not `smol::unblock`: the threads of blocking 1.7 never end and wake up twice a second
//! (its test for too many threads is joined to the one for idleness by an `and`).

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;

use smol::channel::bounded;

/// Does the work and returns what it returns. Where no thread is to be had it is done
/// here: late is better than not at all.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = bounded(1);
    let work = Arc::new(Mutex::new(Some(work)));
    let run = {
        let work = Arc::clone(&work);
        move || {
            let taken = work.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(work) = taken {
                let _waited_for = done.try_send(work());
            }
        }
    };
    if Builder::new().spawn(run.clone()).is_err() {
        run();
    }
    drop(run);
    match result.recv().await {
        Ok(result) => result,
        // A panic there, which the release profile does not survive.
        Err(_) => std::future::pending().await,
    }
}
