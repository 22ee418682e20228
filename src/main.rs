//! argv to one verb; error to exit code.
fn main() {}
