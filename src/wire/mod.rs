//! Protocols as bytes: no sockets here.

pub mod control;
pub mod frame;
