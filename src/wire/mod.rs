//! Protocols as bytes: no sockets here.

mod checks;
pub mod control;
pub mod frame;
pub mod http;
pub mod json;
pub mod prometheus;
pub mod upgrade;
