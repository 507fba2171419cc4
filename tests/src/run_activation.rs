//! Cases of kind `activation`.

use gradling::nn::{Activation, Call};
use serde_json::Value;

use crate::case::{Case, Group};
use crate::harness::run_function;
use crate::program::unsupported;
use crate::table::Outcome;

/// Runs an activation case on every executor.
pub fn run(group: &Group, case: &Case) -> Outcome {
    run_function(group, case, &|trace, x| {
        let Some(mut activation) = Activation::from_name(&case.class_name) else {
            return unsupported(format!("activation {}", case.class_name));
        };
        for (argument, value) in &case.config {
            let number = match value {
                Value::Null => continue,
                Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
                value => value.as_f64(),
            };
            match number.and_then(|n| activation.with(argument, n as f32)) {
                Some(set) => activation = set,
                None => return unsupported(format!("{} with {argument} {value}", case.class_name)),
            }
        }
        Ok(vec![activation.apply(&mut Call::new(trace, false, None), x[0])])
    })
}
