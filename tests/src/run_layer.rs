//! Cases of kind `layer`.

use gradling::nn::layer::Initialize;
use gradling::nn::{Call, Initializer, Layer, Weights};
use gradling::{Graph, Shape, Tensor, Trace, Var, VariableId, Variables};

use crate::case::{Case, Group};
use crate::executor::Runner;
use crate::harness;
use crate::layers;
use crate::program::{Fault, Results, output, tensor, unsupported};
use crate::table::Outcome;

/// Gives a layer the recorded weights of a case.
struct Recorded<'c> {
    group: &'c Group,
    case: &'c Case,
}

impl Initialize for Recorded<'_> {
    fn initial(&mut self, name: &str, shape: &Shape, _: Initializer) -> gradling::Result<Tensor> {
        let own = name.rsplit('/').next().unwrap_or(name);
        let recorded =
            self.case.weights.iter().find(|w| w.name == own).and_then(|w| self.group.tensor(&w.key).ok());
        let Some(array) = recorded else {
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

/// Runs a layer case on every executor.
pub fn run(group: &Group, case: &Case) -> Outcome {
    harness::on_every_executor(|executor| {
        let (graph, variables, inputs) = graph(group, case)?;
        let mut runner = Runner::new(&graph, &variables, executor)?;
        runner.step(&inputs)?;
        let results: Results = runner.step(&inputs)?;
        Ok(harness::differences(group, case, &results))
    })
}

/// The graph of a call of the layer and of its gradients, the weights, and the inputs.
fn graph(group: &Group, case: &Case) -> Result<(Graph, Variables, Vec<Tensor>), Fault> {
    let mut layer: Box<dyn Layer> = layers::layer(&case.class_name, &case.config)?;
    let [(name, key)] = case.inputs.0.as_slice() else {
        return unsupported(format!(
            "{} with inputs {:?}",
            case.class_name,
            case.inputs.names().collect::<Vec<_>>()
        ));
    };
    let training = case.call.get("training").and_then(serde_json::Value::as_bool).unwrap_or(false);
    let x = tensor(group.tensor(key)?, case.dtype(&format!("in/{name}")))?;
    layer.set_name("layer");
    let mut variables = Variables::new();
    let sample = Shape::new(&x.shape().to_vec()[1..])?;
    let mut source = Recorded { group, case };
    layer.build(&sample, &mut Weights::new(&mut variables, &mut source, "layer"))?;
    let trace = Trace::new(&variables);
    {
        let input = trace.input(name, *x.shape(), x.dtype());
        let y = layer.call(&mut Call::new(&trace, training, None), input)?;
        let mut wanted: Vec<(&str, Var)> = Vec::new();
        if case.grads.get(name).is_some() {
            wanted.push((name, input));
        }
        for weight in case.weights.iter().filter(|w| case.grads.get(&w.name).is_some()) {
            let id: Option<VariableId> = variables.find(&format!("layer/{}", weight.name));
            let id = id.ok_or_else(|| Fault::Failed(format!("the layer has no weight {}", weight.name)))?;
            wanted.push((&weight.name, trace.variable(id)));
        }
        let mut cotangents = Vec::new();
        for (name, key) in &case.cotangents.0 {
            cotangents.push((name.clone(), tensor(group.tensor(key)?, None)?));
        }
        let names: Vec<String> = case.outputs.names().map(String::from).collect();
        output(&trace, &names, &[y], &cotangents, &wanted)?;
    }
    Ok((trace.finish()?, variables, vec![x]))
}
