//! What a person asks of a child.

use super::{Action, Answer, Next, Over, Phase, Presence, Reach, Supervisor};
use crate::model::memory::Hold;
use crate::model::{ChildId, Order, Uptime};

impl Supervisor {
    pub(super) fn obey(&mut self, id: ChildId, order: Order, now: Uptime) {
        let known = self
            .slots
            .get(id.index())
            .is_some_and(|slot| slot.presence == Presence::Configured);
        let answer = if known && self.ending.is_none() {
            self.carry_out(id, order, now)
        } else {
            Answer::Ending
        };
        if answer == Answer::Accepted {
            self.out.save.at_once();
        }
        self.out.actions.push(Action::Answer(answer));
    }

    fn carry_out(&mut self, id: ChildId, order: Order, now: Uptime) -> Answer {
        match order {
            Order::Start => self.order_start(id),
            Order::Stop { term } => {
                let slot = self.slot_mut(id);
                let hold = term.map_or(Hold::Down, |term| Hold::DownUntil(now + term));
                let changed = slot.child.hold != hold || slot.child.phase.is_alive();
                slot.child.hold = hold;
                slot.child.recycle = false;
                if changed {
                    Answer::Accepted
                } else {
                    Answer::Unchanged
                }
            }
            Order::Restart => {
                self.order_start(id);
                let child = &mut self.slot_mut(id).child;
                child.recycle |= matches!(child.phase, Phase::Readying { .. } | Phase::Up { .. });
                Answer::Accepted
            }
            Order::Signal(signal) => {
                let (Phase::Readying { process, .. }
                | Phase::Up { process, .. }
                | Phase::Stopping { process, .. }) = self.slot(id).child.phase
                else {
                    return Answer::NotRunning; // What is being cleared has lost its main process.
                };
                let to = Reach::Main;
                self.out.actions.push(Action::Signal {
                    run: process.run,
                    signal,
                    to,
                });
                Answer::Unchanged // Nothing to remember.
            }
            Order::Reset => {
                let child = &mut self.slot_mut(id).child;
                let phase = child.phase;
                child.forgive();
                if let Phase::Over(Over::Finished { .. })
                | Phase::Clearing {
                    next: Next::Over(Over::Finished { .. }),
                    ..
                } = phase
                {
                    child.phase = phase; // It has done its work, and failed at nothing.
                }
                Answer::Accepted
            }
        }
    }

    /// Start it, and before it what it requires: a person who wants the one wants the
    /// other (systemd's `Requires=`).
    fn order_start(&mut self, id: ChildId) -> Answer {
        // Asked once: in a lattice of requirements there are more paths than stars.
        self.slot_mut(id).blocked = None;
        let mut pulled = false;
        for n in 0..self.slot(id).links.requires.len() {
            let required = self.slot(id).links.requires[n];
            let slot = self.slot(required);
            if slot.presence == Presence::Configured && slot.blocks() {
                pulled = true;
                self.order_start(required);
            }
        }
        let slot = self.slot_mut(id);
        let unchanged = !pulled
            && slot.is_wanted()
            && matches!(
                slot.child.phase,
                Phase::Starting { .. } | Phase::Readying { .. } | Phase::Up { .. }
            );
        slot.child.hold = if slot.spec.life.autostart {
            Hold::None
        } else {
            Hold::Up
        };
        match slot.child.phase {
            Phase::Idle | Phase::Waiting { .. } | Phase::Clearing { .. } | Phase::Over(_) => {
                slot.child.forgive();
            }
            Phase::Stopping { .. } => {
                slot.child.forgive();
                slot.child.recycle = true; // Whatever it is being stopped for: then it runs.
            }
            Phase::Starting { .. } | Phase::Readying { .. } | Phase::Up { .. } => {}
        }
        if unchanged {
            Answer::Unchanged
        } else {
            Answer::Accepted
        }
    }
}
