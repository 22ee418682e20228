//! `sup` keeps programs running on small always-on boxes.
//!
//! ```text
//!   BRINGS EVENTS                                          CARRIES OUT ACTIONS
//!   control  orders  --+                               +-->  os      spawn, signal
//!   os       exits   --+     +---------------------+   +-->  checks  probe
//!   checks   findings--+---> |  daemon: one loop   | --+-->  alerts  tell
//!   clock    it is due-+     +---------------------+   +-->  store   save
//!                              now, Event |    ^ Actions, next deadline
//!                                         v    |
//!                            +---------------------+
//!                            |  policy: Supervisor |   no clock, no file, no chance
//!                            +---------------------+
//!   beside it   logs (a child's output -> ring, file)     web, cli (show how it stands)
//!               replay (what was recorded, once more)
//!   below all   model (the nouns)
//! ```
//!
//! [`model`] holds the nouns, [`policy`] the verbs: an event and a time go in, actions
//! and the next deadline come out. It is a pure state machine, so that a million lives
//! can be simulated in a minute. [`daemon`] is the only place where the two worlds meet:
//! one thread, one loop, and tasks that each wait for one thing and turn it into an event.
//!
//! # Who imports whom
//!
//! | module | may import |
//! |---|---|
//! | `model` | nothing of ours |
//! | `policy`, `wire`, `config`, `os` | `model` |
//! | `store`, `checks`, `logs`, `alerts`, `control`, `web` | `model`, `wire`, `os`; never each other, never `policy` |
//! | `replay` | `model`, `policy`, `store` |
//! | `daemon` | all of the above |
//! | `cli` | `model`, `wire`, `config`, `store`, `os`; never `policy` |
//! | `journal` | `model`, `os`, `logs` |
//! | `main` | `daemon`, `journal`, `replay`, `cli` |
//!
//! `tests/architecture.rs` holds this table against the code.
//!
//! # The ten words
//!
//! *child* (what is configured), *run* (one start of it, numbered), *phase* (what it is
//! doing), *exit* (how a run ended), *order* (what a person asked), *event*, *action*,
//! *notice* (worth telling), *deadline* (with its reason), *memory* (what survives us).
//!
//! # Why one loop
//!
//! A task per child reads nicely for one child. But then a decision is spread over await
//! points, a group's fate needs locks across tasks, "stop while starting" is a race and
//! not a match arm, and time cannot be simulated. Tasks do what they are good at: wait for
//! one descriptor and send one event.

extern crate alloc;

pub mod alerts;
pub mod checks;
pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod journal;
pub mod logs;
pub mod model;
pub mod os;
pub mod policy;
pub mod replay;
pub mod store;
pub mod web;
pub mod wire;
