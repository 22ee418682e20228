//! A gate between tasks of this thread: so many are inside at a time.

use std::cell::Cell;
use std::rc::Rc;

use super::Changed;

/// See the module.
pub struct Gate {
    free: Cell<usize>,
    left: Changed,
}

/// Whoever holds it is inside.
pub struct Inside(Rc<Gate>);

impl Gate {
    /// For so many at a time.
    #[must_use]
    pub fn new(most: usize) -> Rc<Self> {
        Rc::new(Self {
            free: Cell::new(most),
            left: Changed::default(),
        })
    }

    /// Waits until there is a place.
    pub async fn enter(self: &Rc<Self>) -> Inside {
        while self.free.get() == 0 {
            self.left.listen().await;
        }
        self.free.set(self.free.get() - 1);
        Inside(Rc::clone(self))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.free.set(self.0.free.get() + 1);
        self.0.left.ring();
    }
}

#[cfg(test)]
mod tests {
    use smol::future::{block_on, poll_once, yield_now, zip};

    use super::*;

    #[test]
    fn one_more_comes_in_when_one_leaves() {
        let gate = Gate::new(2);
        let (one, _other) = block_on(zip(gate.enter(), gate.enter()));
        assert!(block_on(poll_once(gate.enter())).is_none(), "it is full");
        let leaves = async {
            yield_now().await;
            drop(one);
        };
        let (_third, ()) = block_on(zip(gate.enter(), leaves));
        assert!(block_on(poll_once(gate.enter())).is_none(), "full again");
    }
}
