//! Cases of kind `metric`: successive batches, and the result after each.

use gradling::nn::Metric;

use crate::case::{Case, Group};
use crate::compare::{Tolerance, compare};
use crate::executor;
use crate::harness::on_every_executor;
use crate::program::{Fault, Input, Program, tensor, unsupported};
use crate::table::Outcome;
use crate::tensors::Array;

/// Runs a metric case on every executor.
pub fn run(group: &Group, case: &Case) -> Outcome {
    on_every_executor(|executor| {
        let (mut sum, mut count) = (0.0f64, 0.0f64);
        let mut results = Vec::new();
        for i in 0..case.updates {
            let [target, output] = batch(group, case, i)?;
            let metric = metric(case, &target, &output)?;
            let samples = (output.value.numel() / output.value.shape().dim(-1).max(1)) as f64;
            let program = Program {
                inputs: vec![target, output],
                outputs: vec!["mean".into()],
                cotangents: Vec::new(),
                emit: &|_, x| Ok(vec![metric.mean(x[0], x[1])]),
            };
            let mean = executor::run(&program, executor)?[0].1.to_f32()[0];
            sum += f64::from(mean) * samples;
            count += samples;
            results.push((sum / count) as f32);
        }
        let want = group.tensor(case.outputs.get("results").unwrap_or_default())?;
        let got = Array::f32(&want.shape, results);
        Ok(compare("results", &got, want, Tolerance { rtol: case.rtol, atol: case.atol }))
    })
}

/// Targets and outputs of update `i`.
fn batch(group: &Group, case: &Case, i: usize) -> Result<[Input; 2], Fault> {
    if case.inputs.get(&format!("sample_weight_{i}")).is_some() {
        return unsupported(format!("{} with sample weights", case.class_name));
    }
    let input = |name: String| -> Result<Input, Fault> {
        let key = case.inputs.get(&name).ok_or_else(|| Fault::Failed(format!("no {name}")))?;
        let value = tensor(group.tensor(key)?, case.dtype(&format!("in/{name}")))?;
        Ok(Input { name, value, grad: false })
    };
    Ok([input(format!("y_true_{i}"))?, input(format!("y_pred_{i}"))?])
}

/// The metric of a case, where Gradling's means the same on such shapes.
fn metric(case: &Case, target: &Input, output: &Input) -> Result<Metric, Fault> {
    let classes = output.value.shape().dim(-1);
    let dense = target.value.shape() == output.value.shape();
    match case.class_name.as_str() {
        "MeanSquaredError" => Ok(Metric::MeanSquaredError),
        "MeanAbsoluteError" => Ok(Metric::MeanAbsoluteError),
        "SparseCategoricalAccuracy" if classes > 1 && !dense => Ok(Metric::Accuracy),
        "CategoricalAccuracy" if classes > 1 && dense => Ok(Metric::Accuracy),
        "BinaryAccuracy" if classes == 1 && case.number("threshold") == Some(0.5) => Ok(Metric::Accuracy),
        other => unsupported(format!("metric {other} of shape {}", output.value.shape())),
    }
}
