//! Cases of kind `layer`.

use gradling::nn::layer::Initialize;
use gradling::nn::{Call, Initializer, Layer, Weights};
use gradling::{Graph, Shape, Tensor, Trace, Var, VariableId, Variables};

use crate::case::{Case, Group};
use crate::executor::{self, Runner};
use crate::harness;
use crate::layers;
use crate::program::{Fault, Results, array, output, tensor};
use crate::table::Outcome;

/// The name of the layer, with which its variables start.
const LAYER: &str = "layer";
/// The start of outputs that are weights after the call.
const AFTER: &str = "after_";

/// Gives a layer the recorded weights of a case.
struct Recorded<'c> {
    group: &'c Group,
    case: &'c Case,
}

impl Initialize for Recorded<'_> {
    fn initial(&mut self, name: &str, shape: &Shape, _: Initializer) -> gradling::Result<Tensor> {
        // Layers inside the layer keep their part of the name: `lstm_cell/kernel`.
        let own = name.split_once('/').map_or(name, |(_, own)| own);
        let recorded =
            self.case.weights.iter().find(|w| w.name == own).and_then(|w| self.group.tensor(&w.key).ok());
        let Some(array) = recorded else {
            // Keras does not list the states of stateful layers; they start at zero.
            if own.contains("rnn_state") {
                return Tensor::zeros(&shape.to_vec());
            }
            return Err(gradling::misuse!("the case has no weight {own}"));
        };
        if array.shape != shape.to_vec() {
            return Err(gradling::misuse!(
                "{own}: the case has shape {:?}, the layer wants {shape}",
                array.shape
            ));
        }
        Tensor::new(&array.shape, array.to_f32())
    }
}

/// A case made ready for the executors.
struct Job {
    graph: Graph,
    variables: Variables,
    inputs: Vec<Tensor>,
}

/// Runs a layer case on every executor.
pub fn run(group: &Group, case: &Case) -> Outcome {
    let job = match Job::of(group, case) {
        Ok(job) => job,
        Err(fault) => return harness::fault("the case", fault),
    };
    let assigns = !job.graph.assigns.is_empty();
    let executors = if assigns { executor::of_steps() } else { executor::all() };
    harness::on_each(&executors, |executor| {
        let mut runner = Runner::new(&job.graph, &job.variables, executor)?;
        if !assigns {
            // Twice, so that values left in the arena by a first run would show.
            runner.step(&job.inputs)?;
        }
        let mut results: Results = runner.step(&job.inputs)?;
        for name in case.outputs.names().filter(|n| n.starts_with(AFTER)) {
            let id = variable(&job.variables, &name[AFTER.len()..])?;
            results.push((name.into(), array(&runner.variables.get(id)?)));
        }
        Ok(harness::differences(group, case, &results))
    })
}

impl Job {
    /// The graph of the call or calls and of their gradients, the weights, and the inputs.
    ///
    /// Inputs are passed in their order (`x` or `x0, x1, ..`, then `initial_state_i`, `attention_mask`), but
    /// `mask` is that of the first one. With `sequence` in the call each goes through the layer by itself.
    fn of(group: &Group, case: &Case) -> Result<Job, Fault> {
        let mut inputs = Vec::new();
        for (name, key) in &case.inputs.0 {
            inputs.push((name, tensor(group.tensor(key)?, case.dtype(&format!("in/{name}")))?));
        }
        // What Keras takes when a layer is called is an option of the layer here.
        let mut config = case.config.clone();
        config.extend(case.call.iter().map(|(k, v)| (k.clone(), v.clone())));
        config.insert("attention_mask".into(), case.inputs.get("attention_mask").is_some().into());
        config.insert("batch".into(), inputs.first().map_or(1, |(_, x)| x.shape().dim(0)).into());
        let mut layer: Box<dyn Layer> = layers::layer(&case.class_name, &config)?;
        layer.set_name(LAYER);
        let sequence = case.call.contains_key("sequence");
        let flag = |key: &str| case.call.get(key).and_then(serde_json::Value::as_bool).unwrap_or(false);

        let mut samples = Vec::new();
        for (_, x) in inputs.iter().filter(|(name, _)| *name != "mask") {
            samples.push(Shape::new(x.shape().to_vec().get(1..).unwrap_or_default())?);
        }
        if sequence {
            samples.truncate(1);
        }
        let mut variables = Variables::new();
        let mut source = Recorded { group, case };
        layer.build_many(&samples, &mut Weights::new(&mut variables, &mut source, LAYER))?;

        let trace = Trace::new(&variables);
        {
            let values: Vec<(&str, Var)> = (inputs.iter())
                .map(|(name, x)| (name.as_str(), trace.input(name, *x.shape(), x.dtype())))
                .collect();
            let passed: Vec<Var> = values.iter().filter(|(n, _)| *n != "mask").map(|v| v.1).collect();
            let mut call = Call::new(&trace, flag("training"), None);
            if let Some((_, mask)) = values.iter().find(|(n, _)| *n == "mask") {
                call.set_mask(passed[0], *mask);
            }
            let mut results = Vec::new();
            if sequence {
                for x in &passed {
                    results.extend(layer.call_many(&mut call, &[*x])?);
                }
            } else {
                results = layer.call_many(&mut call, &passed)?;
            }
            let names: Vec<String> =
                case.outputs.names().filter(|n| !n.starts_with(AFTER)).map(String::from).collect();
            if let Some(at) = names.iter().position(|n| n == "regularization_loss") {
                let loss = call.losses().iter().copied().reduce(|a, b| a + b);
                results.insert(at.min(results.len()), loss.unwrap_or_else(|| trace.scalar(0.0)));
            }

            let mut wanted: Vec<(&str, Var)> = Vec::new();
            wanted.extend(values.iter().filter(|(n, _)| case.grads.get(n).is_some()));
            for weight in case.weights.iter().filter(|w| case.grads.get(&w.name).is_some()) {
                wanted.push((&weight.name, trace.variable(variable(&variables, &weight.name)?)));
            }
            let mut cotangents = Vec::new();
            for (name, key) in &case.cotangents.0 {
                cotangents.push((name.clone(), tensor(group.tensor(key)?, None)?));
            }
            output(&trace, &names, &results, &cotangents, &wanted)?;
            call.assign_updates();
        }
        let inputs = inputs.into_iter().map(|(_, x)| x).collect();
        Ok(Job { graph: trace.finish()?, variables, inputs })
    }
}

/// The layer's weight of this name.
fn variable(variables: &Variables, name: &str) -> Result<VariableId, Fault> {
    let id = variables.find(&format!("{LAYER}/{name}"));
    id.ok_or_else(|| Fault::Failed(format!("the layer has no weight {name}")))
}
