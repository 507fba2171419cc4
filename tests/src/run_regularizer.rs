//! Cases of kind `regularizer`.

use crate::case::{Case, Group};
use crate::harness::run_function;
use crate::layers;
use crate::program::Fault;
use crate::table::Outcome;

/// Runs a regularizer case on every executor.
pub fn run(group: &Group, case: &Case) -> Outcome {
    run_function(group, case, &|_, x| {
        let regularizer = layers::penalty(&case.class_name, &case.config)?;
        let w = x.first().ok_or_else(|| Fault::Failed("no weight".into()))?;
        Ok(vec![regularizer.call(*w)])
    })
}
