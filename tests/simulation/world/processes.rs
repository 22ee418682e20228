//! Virtual processes: how they begin, what they do when they are signalled, how they end.

use sup::model::{CheckId, Exit, Health, RunId, Signal, Stage, StartFault};
use sup::policy::{Event, Reach};

use super::{Item, Nature, Process, World, signalled, uptime};

impl World {
    pub(super) fn death(&mut self, run: RunId, exit: Exit) {
        let now = self.now;
        let delay = if self.calm {
            1
        } else {
            self.dice.pick(&[0, 0, 1, 10, 3000])
        };
        let Some(process) = self.process(run) else {
            return;
        };
        if core::mem::take(&mut process.main) {
            let at = process.started.max(now) + delay;
            self.later(
                at - now,
                Item::News(Event::Exited {
                    run,
                    exit,
                    left: false,
                }),
            );
            self.bury();
        }
    }

    pub(super) fn bury(&mut self) {
        self.processes
            .retain(|process| process.main || process.leaves);
    }

    pub(super) fn process(&mut self, run: RunId) -> Option<&mut Process> {
        self.processes.iter_mut().find(|process| process.run == run)
    }

    pub(super) fn spawn(&mut self, run: RunId, letter: usize) {
        let wild = !self.calm;
        let delay = if wild {
            self.dice.pick(&[0, 0, 1, 20, 2000])
        } else {
            1
        };
        if wild && self.dice.once_in(8) {
            let fault = StartFault {
                stage: Stage::Exec,
                errno: 2,
            };
            self.later(delay, Item::News(Event::StartFailed { run, fault }));
            return;
        }
        self.later(delay, Item::News(Event::Started { run, pid: 1 }));
        let ready = match self.dice.below(5) {
            _ if self.calm => Some(10),
            0 => None,
            1 => Some(self.dice.below(8000)),
            _ => Some(self.dice.below(200)),
        };
        if let Some(ready) = ready {
            self.later(delay + ready, Item::News(Event::Ready { run }));
        }
        if let Some((after, exit)) = self.fate(letter) {
            self.later(after, Item::Death(run, exit));
        }
        let dice = &mut self.dice;
        self.processes.push(Process {
            run,
            letter,
            main: true,
            leaves: wild && dice.once_in(6),
            left_obeys: dice.once_in(2),
            obeys: if wild {
                dice.pick(&[Some(0), Some(50), Some(500), Some(12_000), None])
            } else {
                Some(100)
            },
            dies: if wild { dice.pick(&[0, 0, 0, 1500]) } else { 0 },
            started: self.now + delay,
            asked: false,
            killed: false,
        });
    }

    /// When and how it ends by itself.
    fn fate(&mut self, letter: usize) -> Option<(u64, Exit)> {
        if self.calm {
            return match self.natures[letter] {
                Nature::Works => None,
                Nature::Ends => Some((500, Exit::Code(0))),
                Nature::Fails => Some((200, Exit::Code(1))),
            };
        }
        let exits = [
            Exit::Code(0),
            Exit::Code(1),
            Exit::Code(1),
            Exit::Code(7),
            signalled(Signal(11)),
            signalled(Signal::TERM),
            Exit::OutOfMemory,
            Exit::Vanished,
        ];
        let longest = self.dice.pick(&[10, 2000, 2000, 15_000, 100_000]);
        let ends = self.dice.once_in(2);
        ends.then(|| (self.dice.below(longest), self.dice.pick(&exits)))
    }

    /// A check is made; most often well, in calm always.
    pub(super) fn probe(&mut self, check: CheckId, nth: u32) {
        use Health::{Critical, Healthy, Unknown, Warning};
        let (span, health) = match self.calm {
            true => (1, Healthy),
            false => (
                self.dice.pick(&[0, 1, 100, 10_000]),
                self.dice.pick(&[
                    Healthy, Healthy, Warning, Unknown, Critical, Critical, Critical, Critical,
                ]),
            ),
        };
        self.later(span, Item::News(Event::Probed { check, nth, health }));
    }

    /// It is looked up when a run last showed that it lives.
    pub(super) fn pulse(&mut self, run: RunId) {
        let now = uptime(self.now);
        let last = match self.calm {
            true => Some(now),
            false => self
                .dice
                .pick(&[None, Some(now), Some(now), Some(uptime(0))]),
        };
        self.later(0, Item::News(Event::Pulse { run, last }));
    }

    pub(super) fn signal(&mut self, run: RunId, signal: Signal, to: Reach) {
        let noticed = self.dice.once_in(3);
        let Some(process) = self.process(run) else {
            return;
        };
        let (obeys, dies, left_obeys) = (process.obeys, process.dies, process.left_obeys);
        if signal == Signal::KILL {
            process.killed = true;
            self.later(dies, Item::Gone(run));
            self.later(dies, Item::Death(run, signalled(Signal::KILL)));
        } else if to == Reach::All && signal != Signal::CONT {
            process.asked = true;
            if left_obeys {
                self.later(200, Item::Gone(run));
            }
            if let Some(obeys) = obeys {
                self.later(obeys, Item::Death(run, signalled(signal)));
            }
        } else if to == Reach::Main && noticed {
            self.later(3, Item::Death(run, signalled(signal)));
        }
    }
}
