//! The `gradling` command.
fn main() {}
