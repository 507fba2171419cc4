//! A case as a program: named inputs, and a function that emits operators on a trace.

use gradling::{DType, Data, Graph, Tensor, Trace, Var, Variables, autodiff};

use crate::case::{Case, Group, Keys};
use crate::tensors::{Array, Numbers};

/// Why a case cannot be judged by its numbers.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Gradling does not have this.
    Unsupported(String),
    /// It has, and it went wrong.
    Failed(String),
}

impl From<gradling::Error> for Fault {
    fn from(error: gradling::Error) -> Fault {
        match error {
            gradling::Error::Unsupported(_) => Fault::Unsupported(error.to_string()),
            _ => Fault::Failed(error.to_string()),
        }
    }
}

impl From<String> for Fault {
    fn from(reason: String) -> Fault {
        Fault::Failed(reason)
    }
}

/// An [`Fault::Unsupported`].
pub fn unsupported<T>(what: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Unsupported(what.into()))
}

/// Emits the outputs for the inputs.
pub type Emit<'e> = dyn for<'b> Fn(&'b Trace, &[Var<'b>]) -> Result<Vec<Var<'b>>, Fault> + 'e;

/// An input of a program.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its name in the case.
    pub name: String,
    /// Its value.
    pub value: Tensor,
    /// Whether the case has a gradient for it.
    pub grad: bool,
}

/// What an executor runs.
pub struct Program<'e> {
    /// The inputs, in the order in which `emit` gets them.
    pub inputs: Vec<Input>,
    /// Names of the outputs, in the order in which `emit` gives them.
    pub outputs: Vec<String>,
    /// Cotangents by output name.
    pub cotangents: Vec<(String, Tensor)>,
    /// The operators.
    pub emit: &'e Emit<'e>,
}

/// Named results: the outputs by name, then `grad/<input>`.
pub type Results = Vec<(String, Array)>;

impl<'e> Program<'e> {
    /// The program of a case: its inputs, then its weights, then `emit`.
    ///
    /// **Errors** when a tensor is missing or has an element type Gradling has not.
    pub fn of(group: &Group, case: &Case, emit: &'e Emit<'e>) -> Result<Program<'e>, Fault> {
        let mut inputs = named(group, case, &case.inputs, "in")?;
        for weight in &case.weights {
            let value = tensor(group.tensor(&weight.key)?, None)?;
            inputs.push(Input { name: weight.name.clone(), value, grad: false });
        }
        for input in &mut inputs {
            input.grad = case.grads.get(&input.name).is_some();
        }
        let mut cotangents = Vec::new();
        for (name, key) in &case.cotangents.0 {
            cotangents.push((name.clone(), tensor(group.tensor(key)?, None)?));
        }
        let outputs = case.outputs.names().map(String::from).collect();
        Ok(Program { inputs, outputs, cotangents, emit })
    }

    /// The program as a graph: the outputs by name, then `grad/<input>` for the inputs that ask for one.
    ///
    /// **Errors** when emitting fails.
    pub fn graph(&self) -> Result<Graph, Fault> {
        let trace = Trace::new(&Variables::new());
        {
            let input = |i: &Input| trace.input(&i.name, *i.value.shape(), i.value.dtype());
            let inputs: Vec<Var> = self.inputs.iter().map(input).collect();
            let outputs = (self.emit)(&trace, &inputs)?;
            let wanted: Vec<(&str, Var)> = (self.inputs.iter().zip(&inputs))
                .filter(|(i, _)| i.grad)
                .map(|(i, x)| (i.name.as_str(), *x))
                .collect();
            output(&trace, &self.outputs, &outputs, &self.cotangents, &wanted)?;
        }
        Ok(trace.finish()?)
    }
}

/// Keeps `outputs` under their names, and the gradients of their sum weighted by `cotangents` with respect to
/// each of `wanted` as `grad/<name>`.
///
/// **Errors** when the number of outputs is not that of their names.
pub fn output<'b>(
    trace: &'b Trace,
    names: &[String],
    outputs: &[Var<'b>],
    cotangents: &[(String, Tensor)],
    wanted: &[(&str, Var<'b>)],
) -> Result<(), Fault> {
    if outputs.len() != names.len() {
        return Err(Fault::Failed(format!("{} outputs, expected {names:?}", outputs.len())));
    }
    for (name, y) in names.iter().zip(outputs) {
        trace.output(name, *y);
    }
    let weighted = cotangents.iter().filter_map(|(name, cotangent)| {
        let (_, y) = names.iter().zip(outputs).find(|(n, _)| *n == name)?;
        Some((*y * y.constant_like(cotangent.clone())).sum(&[], false))
    });
    if let (Some(total), false) = (weighted.reduce(|a, b| a + b), wanted.is_empty()) {
        let xs: Vec<Var> = wanted.iter().map(|(_, x)| *x).collect();
        for ((name, _), gradient) in wanted.iter().zip(autodiff::grad(total, &xs)) {
            trace.output(&format!("grad/{name}"), gradient);
        }
    }
    Ok(())
}

fn named(group: &Group, case: &Case, keys: &Keys, prefix: &str) -> Result<Vec<Input>, Fault> {
    keys.0
        .iter()
        .map(|(name, key)| {
            let value = tensor(group.tensor(key)?, case.dtype(&format!("{prefix}/{name}")))?;
            Ok(Input { name: name.clone(), value, grad: false })
        })
        .collect()
}

/// A Gradling tensor of a recorded array whose true element type is `dtype`.
///
/// **Errors** when Gradling has no such element type.
pub fn tensor(array: &Array, dtype: Option<&str>) -> Result<Tensor, Fault> {
    let data: Data = match (dtype, &array.numbers) {
        (None | Some("float32" | "float16" | "float64"), Numbers::F32(v)) => v.clone().into(),
        (None | Some("int32" | "int64"), Numbers::I32(v)) => v.clone().into(),
        (Some("bool"), Numbers::I32(v)) => v.iter().map(|&i| i != 0).collect::<Vec<bool>>().into(),
        (Some("uint8"), Numbers::I32(v)) => v.iter().map(|&i| i as u8).collect::<Vec<u8>>().into(),
        (other, _) => return unsupported(format!("element type {}", other.unwrap_or("of the file"))),
    };
    Ok(Tensor::new(&array.shape, data)?)
}

/// The array of a computed tensor, in the form in which the files store it.
pub fn array(tensor: &Tensor) -> Array {
    let numbers = match tensor.data() {
        Data::F32(v) => Numbers::F32(v.clone()),
        Data::I32(v) => Numbers::I32(v.clone()),
        Data::U8(v) => Numbers::I32(v.iter().map(|&b| i32::from(b)).collect()),
        Data::I8(v) => Numbers::I32(v.iter().map(|&b| i32::from(b)).collect()),
        Data::F16(_) => Numbers::F32(tensor.to_f32_vec()),
        Data::Bool(v) => Numbers::I32(v.iter().map(|&b| i32::from(b)).collect()),
    };
    Array { shape: tensor.shape().to_vec().into_iter().collect(), numbers }
}

/// The Gradling element type named as TensorFlow does.
///
/// **Errors** when there is none.
pub fn dtype(name: &str) -> Result<DType, Fault> {
    match name {
        "float32" | "float64" => Ok(DType::F32),
        "int32" | "int64" => Ok(DType::I32),
        "uint8" => Ok(DType::U8),
        "bool" => Ok(DType::Bool),
        other => unsupported(format!("element type {other}")),
    }
}
