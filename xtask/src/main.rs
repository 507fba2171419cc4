//! Build scripting: `cargo xtask <command>`.

fn main() {}
