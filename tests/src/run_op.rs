//! Cases of kind `op`.

use crate::case::{Case, Group};
use crate::harness::run_function;
use crate::ops::{self, Args};
use crate::table::Outcome;

/// Runs an op case on every executor.
pub fn run(group: &Group, case: &Case) -> Outcome {
    ops::eager(group, case).unwrap_or_else(|| {
        run_function(group, case, &|trace, x| ops::emit(&Args { case, x: &x[..case.inputs.0.len()], trace }))
    })
}
