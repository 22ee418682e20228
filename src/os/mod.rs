//! To come.

pub mod file;
