//! Cases of kind `activation`.

use gradling::nn::{Activation, Call};

use crate::case::{Case, Group};
use crate::harness::run_function;
use crate::program::unsupported;
use crate::table::Outcome;

/// Runs an activation case on every executor.
pub fn run(group: &Group, case: &Case) -> Outcome {
    run_function(group, case, &|trace, x| {
        let Some(activation) = Activation::from_name(&case.class_name) else {
            return unsupported(format!("activation {}", case.class_name));
        };
        if let Some(option) = case.config.keys().find(|k| *k != "axis") {
            return unsupported(format!("{} with {option}", case.class_name));
        }
        match case.config.get("axis").and_then(serde_json::Value::as_i64) {
            None | Some(-1) => {}
            Some(axis) if axis + 1 == x[0].rank() as i64 => {}
            Some(axis) => return unsupported(format!("{} along axis {axis}", case.class_name)),
        }
        Ok(vec![activation.apply(&mut Call::new(trace, false, None), x[0])])
    })
}
