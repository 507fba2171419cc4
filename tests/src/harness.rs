//! Runs cases: the kind picks the `run_*` module, every executor must agree with the recording.

use std::fmt::Display;

use crate::case::{Case, Group};
use crate::compare::{Difference, Tolerance, compare, unequal};
use crate::executor::{self, Executor};
use crate::program::{Emit, Fault, Program, Results};
use crate::table::{Outcome, Row, Table};
use crate::tensors::Array;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs every case of every group, as many at once as there are processors.
pub fn run(groups: &[Group]) -> Table {
    let all: Vec<(&Group, &Case)> = groups.iter().flat_map(|g| g.cases.iter().map(move |c| (g, c))).collect();
    let outcomes: Vec<OnceLock<Outcome>> = all.iter().map(|_| OnceLock::new()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(((group, case), outcome)) = {
            let n = next.fetch_add(1, Ordering::Relaxed);
            all.get(n).zip(outcomes.get(n))
        } {
            outcome.get_or_init(|| run_case(group, case));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let row = |((group, case), outcome): (&(&Group, &Case), OnceLock<Outcome>)| Row {
        group: group.name.clone(),
        name: case.name.clone(),
        outcome: outcome.into_inner().unwrap_or_else(|| Outcome::Unsupported("was not run".into())),
    };
    Table { rows: all.iter().zip(outcomes).map(row).collect() }
}

/// Runs one case on every executor.
pub fn run_case(group: &Group, case: &Case) -> Outcome {
    match case.kind.as_str() {
        "op" => crate::run_op::run(group, case),
        "activation" => crate::run_activation::run(group, case),
        "layer" => crate::run_layer::run(group, case),
        "loss" => crate::run_loss::run(group, case),
        "metric" => crate::run_metric::run(group, case),
        "optimizer" => crate::run_optimizer::run(group, case),
        "model-training" => crate::run_training::run(group, case),
        "schedule" => crate::run_schedule::run(group, case),
        "regularizer" => crate::run_regularizer::run(group, case),
        other => Outcome::Unsupported(format!("kind {other}")),
    }
}

/// The worst of several differences.
pub fn worst(differences: impl IntoIterator<Item = Difference>) -> Difference {
    let mut all = Difference::default();
    for d in differences {
        all.largest = all.largest.max(d.largest);
        if d.of_tolerance > all.of_tolerance {
            all.of_tolerance = d.of_tolerance;
            all.fault = d.fault;
        }
    }
    all
}

/// Outcome of one executor from its differences: `Ok` with the error in units of the tolerance.
pub fn judge(executor: &str, difference: Difference) -> Result<f64, Outcome> {
    match difference.fault {
        None => Ok(difference.of_tolerance),
        Some(reason) => {
            Err(Outcome::Failed { executor: executor.into(), largest: Some(difference.largest), reason })
        }
    }
}

/// Outcome of an executor that gave no numbers.
pub fn fault(executor: &str, fault: Fault) -> Outcome {
    match fault {
        Fault::Unsupported(what) => Outcome::Unsupported(what),
        Fault::Failed(reason) => Outcome::Failed { executor: executor.into(), largest: None, reason },
    }
}

/// Runs a case that is a pure function of its inputs and weights: outputs and gradients on every executor.
pub fn run_function(group: &Group, case: &Case, emit: &Emit) -> Outcome {
    let program = match Program::of(group, case, emit) {
        Ok(program) => program,
        Err(f) => return fault("the case", f),
    };
    on_every_executor(|executor| Ok(differences(group, case, &executor::run(&program, executor)?)))
}

/// Runs `f` on every executor; the first that differs or fails decides.
pub fn on_every_executor(f: impl Fn(&Executor) -> Result<Difference, Fault>) -> Outcome {
    on_each(&executor::all(), f)
}

/// Runs `f` on each of `executors`; the first that differs or fails decides.
pub fn on_each<E: Display>(executors: &[E], f: impl Fn(&E) -> Result<Difference, Fault>) -> Outcome {
    let mut largest: f64 = 0.0;
    for executor in executors {
        let name = executor.to_string();
        let judged = match f(executor) {
            Ok(difference) => judge(&name, difference),
            Err(f) => Err(fault(&name, f)),
        };
        match judged {
            Ok(error) => largest = largest.max(error),
            Err(outcome) => return outcome,
        }
    }
    Outcome::Passed(largest)
}

/// Compares the outputs and gradients of a case with `results`.
pub fn differences(group: &Group, case: &Case, results: &Results) -> Difference {
    let tolerance = Tolerance { rtol: case.rtol, atol: case.atol };
    let outputs = case.outputs.0.iter().map(|(name, key)| (name.clone(), key));
    let grads = case.grads.0.iter().map(|(name, key)| (format!("grad/{name}"), key));
    worst(outputs.chain(grads).map(|(name, key)| against(group, key, &name, results, tolerance)))
}

/// Compares the result called `name` with the recorded tensor `key`.
pub fn against(group: &Group, key: &str, name: &str, results: &Results, tolerance: Tolerance) -> Difference {
    let got: Option<&Array> = results.iter().find(|(n, _)| n == name).map(|(_, a)| a);
    match (got, group.tensor(key)) {
        (Some(got), Ok(want)) => compare(name, got, want, tolerance),
        (None, _) => unequal(format!("{name} was not computed")),
        (_, Err(e)) => unequal(e),
    }
}
