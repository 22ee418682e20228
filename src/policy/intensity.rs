//! How many restarts are too many: OTP's sliding list (semantics.md B2).

use alloc::boxed::Box;

use crate::model::Uptime;
use crate::model::spec::Budget;

/// The restarts in the window, oldest first. Room for exactly the allowed number
/// is made once, at construction.
#[derive(Clone, Debug)]
pub struct Intensity {
    made: Box<[Uptime]>,
    len: usize,
}

impl Intensity {
    /// An empty window for that budget.
    #[must_use]
    pub fn new(budget: &Budget) -> Self {
        let room = usize::from(budget.max_restarts.unwrap_or(0));
        Self {
            made: alloc::vec![Uptime::default(); room].into_boxed_slice(),
            len: 0,
        }
    }

    /// One that counts nothing.
    pub(super) fn none() -> Self {
        Self {
            made: Box::default(),
            len: 0,
        }
    }

    /// May one more restart be made now? If so, it is counted. An entry that is
    /// exactly one window old still counts.
    #[must_use]
    pub fn admit(&mut self, budget: &Budget, now: Uptime) -> bool {
        if budget.max_restarts.is_none() {
            return true;
        }
        self.forget_old(budget, now);
        if self.len == self.made.len() {
            return false;
        }
        self.made[self.len] = now;
        self.len += 1;
        true
    }

    /// The restart that was admitted last is not made after all.
    pub(super) fn take_back(&mut self) {
        self.len = self.len.saturating_sub(1);
    }

    /// Restarts counted in the window that ends now.
    #[must_use]
    pub fn recent(&self, budget: &Budget, now: Uptime) -> u16 {
        let count = self
            .made()
            .iter()
            .filter(|&&at| now - at <= budget.window)
            .count();
        u16::try_from(count).unwrap_or(u16::MAX)
    }

    /// The moments counted, oldest first.
    #[must_use]
    pub fn made(&self) -> &[Uptime] {
        &self.made[..self.len]
    }

    /// Counts nothing any more.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Takes over what was counted before; of too many, the newest.
    pub fn restore(&mut self, made: &[Uptime]) {
        let newest = &made[made.len().saturating_sub(self.made.len())..];
        self.made[..newest.len()].copy_from_slice(newest);
        self.len = newest.len();
    }

    fn forget_old(&mut self, budget: &Budget, now: Uptime) {
        let old = self
            .made()
            .iter()
            .take_while(|&&at| now - at > budget.window)
            .count();
        self.made.copy_within(old..self.len, 0);
        self.len -= old;
    }
}
