//! Cases of kind `loss`.

use gradling::Var;
use gradling::nn::{Activation, Call};

use crate::case::{Case, Group};
use crate::harness::run_function;
use crate::layers;
use crate::program::{Fault, unsupported};
use crate::table::Outcome;

/// Runs a loss case on every executor.
pub fn run(group: &Group, case: &Case) -> Outcome {
    run_function(group, case, &|trace, x| {
        let loss = layers::loss(&case.class_name, &case.config)?;
        let mut call = Call::new(trace, false, None);
        let input = |name: &str| case.inputs.names().position(|n| n == name).map(|i| x[i]);
        if input("sample_weight").is_some() {
            return unsupported(format!("{} with sample weights", case.class_name));
        }
        let missing = || Fault::Failed("no y_true or no y_pred".into());
        let target = input("y_true").ok_or_else(missing)?;
        let output = match (case.text("head"), input("logits")) {
            (Some("softmax"), Some(logits)) => Activation::Softmax.apply(&mut call, logits),
            (Some(head), _) => return unsupported(format!("head {head}")),
            (None, _) => input("y_pred").ok_or_else(missing)?,
        };
        let y: Var = match case.text("reduction") {
            None | Some("sum_over_batch_size") => loss.call(&call, target, output)?,
            Some("none") => loss.values(&call, target, output)?,
            Some("sum") => loss.values(&call, target, output)?.sum(&[], false),
            Some(other) => return unsupported(format!("reduction {other}")),
        };
        Ok(vec![y])
    })
}
