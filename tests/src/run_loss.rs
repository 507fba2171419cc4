//! Cases of kind `loss`.

use gradling::nn::{Activation, Call};

use crate::case::{Case, Group};
use crate::harness::run_function;
use crate::losses;
use crate::program::{Fault, unsupported};
use crate::table::Outcome;

/// Runs a loss case on every executor.
pub fn run(group: &Group, case: &Case) -> Outcome {
    run_function(group, case, &|trace, x| {
        let loss = losses::loss(&case.class_name, &case.config)?;
        let mut call = Call::new(trace, false, None);
        let input = |name: &str| case.inputs.names().position(|n| n == name).map(|i| x[i]);
        let missing = || Fault::Failed("no y_true or no y_pred".into());
        let target = input("y_true").ok_or_else(missing)?;
        let output = match (case.text("head"), input("logits")) {
            (Some("softmax"), Some(logits)) => Activation::Softmax.apply(&mut call, logits),
            (Some("sigmoid"), Some(logits)) => Activation::Sigmoid.apply(&mut call, logits),
            (Some(head), _) => return unsupported(format!("head {head}")),
            (None, _) => input("y_pred").ok_or_else(missing)?,
        };
        Ok(vec![loss.masked(Some(&call), target, output, input("sample_weight"), input("mask"))?])
    })
}
