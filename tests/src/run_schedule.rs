//! Cases of kind `schedule`: the learning rate at given steps, computed on the host.

use crate::case::{Case, Group};
use crate::compare::{Tolerance, compare};
use crate::harness::{fault, judge};
use crate::optimizers;
use crate::table::Outcome;
use crate::tensors::{Array, Numbers};

/// Runs a schedule case.
pub fn run(group: &Group, case: &Case) -> Outcome {
    let difference = || {
        let schedule = optimizers::schedule(&case.class_name, &case.config)?;
        let steps = group.tensor(case.inputs.get("step").unwrap_or_default())?;
        let rate = |step: u64| schedule.at(step);
        let rates: Vec<f32> = match &steps.numbers {
            Numbers::I32(v) => v.iter().map(|s| rate(*s as u64)).collect(),
            Numbers::F32(v) => v.iter().map(|s| rate(*s as u64)).collect(),
        };
        let want = group.tensor(case.outputs.get("learning_rate").unwrap_or_default())?;
        let tolerance = Tolerance { rtol: case.rtol, atol: case.atol };
        Ok(compare("learning_rate", &Array::f32(&want.shape, rates), want, tolerance))
    };
    match difference().map(|d| judge("host", d)) {
        Ok(Ok(error)) => Outcome::Passed(error),
        Ok(Err(outcome)) => outcome,
        Err(f) => fault("host", f),
    }
}
