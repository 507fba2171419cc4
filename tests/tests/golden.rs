//! The recorded TensorFlow cases on every executor, against the list of those that must pass.

use gradling_tests::{case, expected, harness};

#[test]
fn recorded_cases_pass_on_every_executor() {
    let dir = case::folder(None);
    if !dir.is_dir() {
        assert!(std::env::var_os("CI").is_none(), "no golden cases at {}", dir.display());
        println!("skipped: no golden cases at {}", dir.display());
        return;
    }
    let groups = case::groups(&dir).unwrap_or_else(|e| panic!("{e}"));
    let table = harness::run(&groups);
    let listed = expected::read().unwrap_or_else(|e| panic!("{e}"));
    let faults = expected::faults(&table, &listed);
    println!("{}", table.render());
    assert!(faults.is_empty(), "{}\n(`golden --bless` rewrites the list)", faults.join("\n"));
}
