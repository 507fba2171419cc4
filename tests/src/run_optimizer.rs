//! Cases of kind `optimizer`: a row of gradients, and the weights after each step.

use gradling::nn::Optimizer;
use gradling::nn::optimizer::StepState;
use gradling::{DType, Graph, Tensor, Trace, VariableId, Variables};

use crate::case::{Case, Group};
use crate::compare::{Difference, Tolerance, compare};
use crate::executor::{self, Executor, Runner};
use crate::harness::{on_each, worst};
use crate::optimizers;
use crate::program::{Fault, array, tensor, unsupported};
use crate::table::Outcome;
use crate::tensors::Array;

/// Variables of an optimizer: the weights, their slots, the learning rate and the step counter.
pub struct State {
    /// All of them.
    pub variables: Variables,
    /// Each weight with its slots.
    pub slots: Vec<(VariableId, Vec<VariableId>)>,
    scalars: Vec<VariableId>,
    /// The learning rate, which is set before a step where there is a schedule.
    pub learning_rate: VariableId,
    iterations: VariableId,
}

impl State {
    /// Adds slots for the trainable `variables`, and counters.
    ///
    /// **Errors** when a variable cannot be added.
    pub fn new(optimizer: &Optimizer, mut variables: Variables) -> Result<State, Fault> {
        let weights: Vec<_> = (variables.iter())
            .filter(|(_, v)| v.trainable)
            .map(|(id, v)| (id, v.name.clone(), v.shape.to_vec()))
            .collect();
        let mut slots = Vec::new();
        for (id, name, shape) in weights {
            let mut own = Vec::new();
            for slot in optimizer.slots() {
                let before = Tensor::full(&shape, slot.initial)?;
                own.push(variables.add(&format!("{name}_{}", slot.name), &before, false)?);
            }
            slots.push((id, own));
        }
        let mut scalars = Vec::new();
        for slot in optimizer.scalars() {
            scalars.push(variables.add(slot.name, &Tensor::scalar(slot.initial), false)?);
        }
        let rate = Tensor::scalar(optimizer.learning_rate());
        let learning_rate = variables.add("learning_rate", &rate, false)?;
        let iterations = variables.add("iteration", &Tensor::scalar_i32(0), false)?;
        Ok(State { variables, slots, scalars, learning_rate, iterations })
    }

    /// Emits the update of every weight by its gradient.
    pub fn update<'b>(&self, trace: &'b Trace, optimizer: &Optimizer, gradients: &[gradling::Var<'b>]) {
        let step = trace.variable(self.iterations) + 1.0;
        trace.assign(self.iterations, step);
        let state = StepState::new(trace.variable(self.learning_rate), step.cast(DType::F32));
        let read = |ids: &[VariableId]| -> Vec<_> { ids.iter().map(|s| trace.variable(*s)).collect() };
        let weights: Vec<_> = self.slots.iter().map(|(id, _)| trace.variable(*id)).collect();
        let slots: Vec<_> = self.slots.iter().map(|(_, slots)| read(slots)).collect();
        let new = optimizer.apply(&state, &weights, gradients, &slots, &read(&self.scalars));
        for (((id, slots), w), own) in self.slots.iter().zip(new.weights).zip(new.slots) {
            trace.assign(*id, w);
            slots.iter().zip(own).for_each(|(slot, value)| trace.assign(*slot, value));
        }
        self.scalars.iter().zip(new.scalars).for_each(|(id, value)| trace.assign(*id, value));
    }
}

/// Runs an optimizer case on every executor.
pub fn run(group: &Group, case: &Case) -> Outcome {
    on_each(&executor::of_steps(), |executor| steps(group, case, executor))
}

fn steps(group: &Group, case: &Case, executor: &Executor) -> Result<Difference, Fault> {
    let optimizer = optimizers::optimizer(&case.class_name, &case.config)?;
    let mut weights = Variables::new();
    let mut gradients = Vec::new();
    for weight in &case.weights {
        weights.add(&weight.name, &tensor(group.tensor(&weight.key)?, None)?, true)?;
        let key = case.inputs.get(&format!("grad_{}", weight.name)).unwrap_or_default();
        gradients.push(group.tensor(key)?);
    }
    let state = State::new(&optimizer, weights)?;
    let mut runner = Runner::new(&graph(&optimizer, &state, &gradients)?, &state.variables, executor)?;
    let tolerance = Tolerance { rtol: case.rtol, atol: case.atol };
    let mut differences = Vec::new();
    for step in 0..case.steps {
        let inputs: Result<Vec<Tensor>, Fault> =
            gradients.iter().map(|g| tensor(&g.row(step), None)).collect();
        let rate = Tensor::scalar(optimizer.learning_rate_at(step as u64));
        runner.variables.set(state.learning_rate, &rate)?;
        runner.step(&inputs?)?;
        for ((id, _), weight) in state.slots.iter().zip(&case.weights) {
            let want = group.tensor(case.outputs.get(&weight.name).unwrap_or_default())?.row(step);
            let got = array(&runner.variables.get(*id)?);
            differences.push(compare(&format!("{} after step {step}", weight.name), &got, &want, tolerance));
        }
    }
    for (name, key) in &case.outputs.0 {
        let own = match (name.strip_prefix("state/"), name.strip_prefix("final_")) {
            // Keras gives its running product no name of its own.
            (Some(own), _) if own.starts_with("variable") && !state.scalars.is_empty() => "product".into(),
            (Some(own), _) => own.to_string(),
            (None, Some(weight)) if optimizer.average_slot().is_some() => format!("{weight}_average"),
            (None, Some(weight)) => weight.to_string(),
            (None, None) => continue,
        };
        let Some(id) = runner.variables.find(&own) else {
            return unsupported(format!("optimizer state {own}"));
        };
        let want = group.tensor(key)?;
        let got = array(&runner.variables.get(id)?);
        let got = Array { shape: want.shape.clone(), ..got };
        differences.push(compare(name, &got, want, tolerance));
    }
    Ok(worst(differences))
}

/// One step: the gradients are inputs.
fn graph(optimizer: &Optimizer, state: &State, gradients: &[&Array]) -> Result<Graph, Fault> {
    let trace = Trace::new(&state.variables);
    {
        let mut inputs = Vec::new();
        for (i, g) in gradients.iter().enumerate() {
            let shape = gradling::Shape::new(&g.shape[1..])?;
            inputs.push(trace.input(&format!("gradient{i}"), shape, DType::F32));
        }
        state.update(&trace, optimizer, &inputs);
    }
    Ok(trace.finish()?)
}
