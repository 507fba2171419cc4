//! Cases of kind `metric`: successive batches, and the result after each.

use gradling::{Tensor, Variables};

use crate::case::{Case, Group};
use crate::compare::{Difference, Tolerance, compare};
use crate::executor::{self, Executor, Runner};
use crate::harness::on_each;
use crate::metrics;
use crate::program::{Fault, tensor};
use crate::table::Outcome;
use crate::tensors::Array;

/// Runs a metric case on every executor.
pub fn run(group: &Group, case: &Case) -> Outcome {
    on_each(&executor::of_steps(), |executor| updates(group, case, executor))
}

fn updates(group: &Group, case: &Case, executor: &Executor) -> Result<Difference, Fault> {
    let metric = metrics::metric(&case.class_name, &case.config)?;
    let mut slots: Vec<Tensor> = Vec::new();
    let mut results = Vec::new();
    for i in 0..case.updates {
        let input = |name: &str| -> Result<Option<Tensor>, Fault> {
            let name = format!("{name}_{i}");
            let Some(key) = case.inputs.get(&name) else { return Ok(None) };
            Ok(Some(tensor(group.tensor(key)?, case.dtype(&format!("in/{name}")))?))
        };
        let Some(output) = (match input("y_pred")? {
            None => input("values")?,
            some => some,
        }) else {
            return Err(Fault::Failed(format!("no outputs of update {i}")));
        };
        // A mean of values has no targets.
        let target = input("y_true")?.unwrap_or_else(|| output.clone());
        let weight = input("sample_weight")?;
        let mut variables = Variables::new();
        let own = metric.slots(target.shape(), output.shape());
        let mut ids = Vec::new();
        for (n, slot) in own.iter().enumerate() {
            let before = match slots.get(n) {
                Some(before) => before.clone(),
                None => Tensor::zeros(&slot.shape.to_vec())?,
            };
            ids.push(variables.add(slot.name, &before, false)?);
        }
        let trace = gradling::Trace::new(&variables);
        let mut inputs = vec![target, output];
        inputs.extend(weight);
        {
            let port = |(i, t): (usize, &Tensor)| trace.input(&format!("x{i}"), *t.shape(), t.dtype());
            let x: Vec<_> = inputs.iter().enumerate().map(port).collect();
            let before: Vec<_> = ids.iter().map(|id| trace.variable(*id)).collect();
            let after = metric.update(None, &before, x[0], x[1], x.get(2).copied())?;
            ids.iter().zip(after).for_each(|(id, v)| trace.assign(*id, v));
        }
        let mut runner = Runner::new(&trace.finish()?, &variables, executor)?;
        runner.step(&inputs)?;
        slots = ids.iter().map(|id| runner.variables.get(*id)).collect::<Result<_, _>>()?;
        results.extend(metric.result(&slots)?.to_f32_vec());
    }
    let want = group.tensor(case.outputs.get("results").unwrap_or_default())?;
    let got = Array::f32(&want.shape, results);
    Ok(compare("results", &got, want, Tolerance { rtol: case.rtol, atol: case.atol }))
}
