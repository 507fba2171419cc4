//! Ops whose result has a size that depends on values: they exist for tensors only, not in graphs.

use gradling::Tensor;

use crate::case::{Case, Group};
use crate::compare::Tolerance;
use crate::harness::{against, fault, judge, worst};
use crate::program::{Fault, Results, array, tensor};
use crate::table::Outcome;

type Rule = fn(&[Tensor]) -> gradling::Result<Vec<Tensor>>;

const RULES: &[(&str, usize, Rule)] = &[
    ("tf.unique", 1, |x| x[0].unique().map(|(y, index)| vec![y, index])),
    ("tf.where", 1, |x| x[0].nonzero().map(|y| vec![y])),
    ("tf.boolean_mask", 2, |x| x[0].boolean_mask(&x[1]).map(|y| vec![y])),
];

/// Runs a case of such an op; `None` where it is not one.
pub fn eager(group: &Group, case: &Case) -> Option<Outcome> {
    let wanted = |r: &&(&str, usize, Rule)| r.0 == case.class_name && r.1 == case.inputs.0.len();
    let (_, _, rule) = RULES.iter().find(wanted)?;
    let run = || -> Result<Results, Fault> {
        let mut inputs = Vec::new();
        for (name, key) in &case.inputs.0 {
            inputs.push(tensor(group.tensor(key)?, case.dtype(&format!("in/{name}")))?);
        }
        let outputs = rule(&inputs)?;
        Ok(case.outputs.names().map(String::from).zip(outputs.iter().map(array)).collect())
    };
    let results = match run() {
        Ok(results) => results,
        Err(f) => return Some(fault("eager", f)),
    };
    let tolerance = Tolerance { rtol: case.rtol, atol: case.atol };
    let outputs = case.outputs.0.iter();
    let difference = worst(outputs.map(|(name, key)| against(group, key, name, &results, tolerance)));
    Some(judge("eager", difference).map_or_else(|outcome| outcome, Outcome::Passed))
}
