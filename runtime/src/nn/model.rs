//! Sequential models.

use super::compiled::Compiled;
use super::layer::{Call, Initialize, Layer, Weights, batched};
use super::{Loss, Metric, Optimizer};
use crate::graph::Trace;
use crate::rng::Rng;
use crate::{DType, Device, Plan, PlanOptions, Result, Shape, Tensor, Var, VariableId, Variables, misuse};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// A stack of layers (`keras.Sequential`).
///
/// ```
/// use gradling::nn::{Activation, Dense, Fit, Loss, Metric, Optimizer, Sequential};
/// use gradling::Tensor;
///
/// let x = Tensor::new(&[4, 2], [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0])?;
/// let y = Tensor::new(&[4], [0, 1, 1, 0])?;
/// let mut model = Sequential::new()
///     .add(Dense::new(16).activation(Activation::Tanh))
///     .add(Dense::new(2).activation(Activation::Softmax))
///     .seed(1);
/// let loss = Loss::SparseCategoricalCrossentropy { from_logits: false };
/// model.compile(Optimizer::Adam(gradling::nn::Adam { learning_rate: 0.05, ..Default::default() }), loss, &[Metric::Accuracy])?;
/// let history = model.fit(&x, &y, &mut Fit { epochs: 100, batch_size: 4, ..Fit::default() })?;
/// assert_eq!(history.last("accuracy"), Some(1.0));
/// # Ok::<(), gradling::Error>(())
/// ```
pub struct Sequential {
    pub(super) name: String,
    pub(super) layers: Vec<Box<dyn Layer>>,
    pub(super) input_shape: Option<Shape>,
    /// The output shape of each layer, once built.
    pub(super) shapes: Vec<Shape>,
    pub(super) variables: Variables,
    /// How many variables are weights; those of the optimizer come after.
    pub(super) weights: usize,
    pub(super) compiled: Option<Compiled>,
    /// Optimizer and loss that wait for the model to be built.
    pub(super) pending: Option<(Optimizer, Loss, Vec<Metric>)>,
    pub(super) device: Device,
    pub(super) seed: u64,
}

impl Default for Sequential {
    fn default() -> Sequential {
        Sequential::new()
    }
}

impl Sequential {
    /// A model without layers.
    pub fn new() -> Sequential {
        Sequential {
            name: "sequential".into(),
            layers: Vec::new(),
            input_shape: None,
            shapes: Vec::new(),
            variables: Variables::new(),
            weights: 0,
            compiled: None,
            pending: None,
            device: Device::default(),
            seed: 0,
        }
    }

    /// Appends a layer. A layer without a name is named after its class, as in Keras: `dense`, `dense_1`.
    #[allow(clippy::should_implement_trait)]
    pub fn add(mut self, layer: impl Layer + 'static) -> Sequential {
        self.push(Box::new(layer));
        self
    }

    /// Appends a boxed layer.
    pub fn push(&mut self, mut layer: Box<dyn Layer>) {
        if layer.name().is_empty() {
            let base = snake_case(layer.class_name());
            let taken = |name: &str| self.layers.iter().any(|l| l.name() == name);
            let mut name = base.clone();
            let mut n = 0;
            while taken(&name) {
                n += 1;
                name = alloc::format!("{base}_{n}");
            }
            layer.set_name(&name);
        }
        self.layers.push(layer);
    }

    /// The seed of initial weights, shuffling and dropout.
    pub fn seed(mut self, seed: u64) -> Sequential {
        self.seed = seed;
        self
    }

    /// What the model runs on.
    pub fn on(mut self, device: &Device) -> Sequential {
        self.device = device.clone();
        self.forget_plans();
        self
    }

    /// The layers in order.
    pub fn layers(&self) -> &[Box<dyn Layer>] {
        &self.layers
    }

    /// The shape of one sample, once known.
    pub fn input_shape(&self) -> Option<&Shape> {
        self.input_shape.as_ref()
    }

    /// The output shape (of one sample) of each layer; empty before the model is built.
    pub fn output_shapes(&self) -> &[Shape] {
        &self.shapes
    }

    /// The shape of one output, once built.
    pub fn output_shape(&self) -> Option<&Shape> {
        self.shapes.last()
    }

    /// Weights, optimizer slots and counters.
    pub fn variables(&self) -> &Variables {
        &self.variables
    }

    /// The weights in layer order.
    pub fn weights(&self) -> impl Iterator<Item = (VariableId, &crate::variables::Variable)> {
        self.variables.iter().take(self.weights)
    }

    /// The value of a weight, named `layer/weight`.
    ///
    /// **Errors** when there is none of that name.
    pub fn weight(&self, name: &str) -> Result<Tensor> {
        self.variables.get(self.weight_id(name)?)
    }

    /// Replaces a weight, named `layer/weight`.
    ///
    /// **Errors** when there is none of that name or the shape differs.
    pub fn set_weight(&mut self, name: &str, value: &Tensor) -> Result<()> {
        let id = self.weight_id(name)?;
        self.variables.set(id, value)
    }

    fn weight_id(&self, name: &str) -> Result<VariableId> {
        let id = self.weights().find(|(_, v)| v.name == name).map(|(id, _)| id);
        id.ok_or_else(|| misuse!("model: there is no weight {name}; build the model and see its summary"))
    }

    /// The number of numbers in all weights.
    pub fn count_params(&self) -> usize {
        self.weights().map(|(_, v)| v.shape.numel()).sum()
    }

    /// Makes the weights for samples of this shape (without the batch axis). `fit` does it by itself.
    ///
    /// **Errors** when a layer cannot take its input, naming it; when the model has no layers, or is built for
    /// another shape already.
    pub fn build(&mut self, sample: &[usize]) -> Result<()> {
        let sample = Shape::new(sample)?;
        match self.input_shape {
            Some(shape) if shape == sample => Ok(()),
            Some(_) => self.check_sample(&sample, 0),
            None => {
                let mut rng = Rng::new(self.seed);
                self.build_from(sample, &mut rng)
            }
        }
    }

    /// Builds with weights that `source` gives.
    pub(crate) fn build_from(&mut self, sample: Shape, source: &mut dyn Initialize) -> Result<()> {
        if self.layers.is_empty() {
            return Err(misuse!("{}: the model has no layers; add one first", self.name));
        }
        let mut variables = Variables::new();
        let mut shapes = Vec::new();
        let mut shape = sample;
        for layer in &mut self.layers {
            let name = layer.name().to_string();
            shape = layer.build(&shape, &mut Weights::new(&mut variables, source, &name))?;
            shapes.push(shape);
        }
        self.weights = variables.len();
        (self.variables, self.shapes, self.input_shape) = (variables, shapes, Some(sample));
        if let Some((optimizer, loss, metrics)) = self.pending.take() {
            self.compile(optimizer, loss, &metrics)?;
        }
        Ok(())
    }

    /// Sets optimizer, loss and metrics; starts the optimizer anew.
    ///
    /// **Errors** when a number of the optimizer is out of range.
    pub fn compile(&mut self, optimizer: impl Into<Optimizer>, loss: Loss, metrics: &[Metric]) -> Result<()> {
        let optimizer = optimizer.into();
        let rate = optimizer.learning_rate();
        if !rate.is_finite() || rate < 0.0 {
            return Err(misuse!("{}: expected a learning rate of 0 or more, got {rate}", optimizer.name()));
        }
        if self.input_shape.is_none() {
            self.pending = Some((optimizer, loss, metrics.to_vec()));
            return Ok(());
        }
        // Weights keep their places; what another optimizer added behind them goes.
        let mut variables = Variables::new();
        for (id, v) in self.variables.iter().take(self.weights) {
            variables.add(&v.name, &self.variables.get(id)?, v.trainable)?;
        }
        self.variables = variables;
        let output = self.shapes.last().copied().unwrap_or_default();
        self.compiled =
            Some(Compiled::new(optimizer, loss, metrics, &mut self.variables, &output, self.seed)?);
        Ok(())
    }

    /// The optimizer, loss and metrics, once compiled.
    pub fn compile_config(&self) -> Option<(Optimizer, Loss, Vec<Metric>)> {
        match &self.compiled {
            Some(c) => Some((c.optimizer.clone(), c.loss.clone(), c.metrics.clone())),
            None => self.pending.clone(),
        }
    }

    /// The learning rate now; `None` before the model is compiled and built.
    pub fn learning_rate(&self) -> Option<f32> {
        let c = self.compiled.as_ref()?;
        self.variables.slice::<f32>(c.learning_rate).ok().map(|s| s[0])
    }

    /// Changes the learning rate; nothing is compiled again.
    ///
    /// **Errors** before the model is compiled and built.
    pub fn set_learning_rate(&mut self, rate: f32) -> Result<()> {
        let c = self.compiled.as_ref().ok_or_else(|| self.not_compiled())?;
        let id = c.learning_rate;
        self.variables.slice_mut::<f32>(id)?[0] = rate;
        Ok(())
    }

    pub(super) fn not_compiled(&self) -> crate::Error {
        misuse!("{}: not compiled or built; call model.compile, then build or fit", self.name)
    }

    /// Checks the shape of samples against the one that the model is built for.
    pub(super) fn check_sample(&self, sample: &Shape, batch: usize) -> Result<()> {
        let Some(wanted) = &self.input_shape else {
            return Err(misuse!("{}: not built; call model.build or fit first", self.name));
        };
        if wanted == sample {
            return Ok(());
        }
        let first = self.layers.first().map_or(self.name.as_str(), |l| l.name());
        let hint = match (wanted.rank(), sample.rank()) {
            (1, r) if r > 1 && sample.numel() == wanted.numel() => "; add a Flatten layer before it",
            (w, s) if w == s + 1 && sample.numel() == wanted.numel() => {
                "; reshape it to add the channel axis"
            }
            _ => "; reshape the data or build another model for this shape",
        };
        let got = if batch == 0 {
            batched(sample)
        } else {
            let mut dims = sample.to_vec();
            dims.insert(0, batch);
            alloc::format!("{dims:?}")
        };
        Err(misuse!("{first}: expected input of shape {}, got {got}{hint}", batched(wanted)))
    }

    /// Emits the layers on a batch; also the output of each layer.
    ///
    /// **Errors** with the layer that cannot be called.
    pub fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<(Var<'b>, Vec<Var<'b>>)> {
        let mut outputs = Vec::new();
        let mut y = x;
        for layer in &self.layers {
            y = layer.call(call, y)?;
            call.trace().check().map_err(|e| e.within(layer.name()))?;
            outputs.push(y);
        }
        Ok((y, outputs))
    }

    /// The graph of inference on batches of `batch` samples: input `x` (float32), output `y`.
    ///
    /// **Errors** when the model is not built.
    pub fn inference_graph(&self, batch: usize, dtype: DType) -> Result<crate::Graph> {
        let sample = self.input_shape.ok_or_else(|| misuse!("{}: not built; call model.build", self.name))?;
        let trace = Trace::new(&self.variables);
        let x = trace.input("x", with_batch(&sample, batch)?, dtype);
        let (y, _) = self.call(&mut Call::new(&trace, false, None), x.cast(DType::F32))?;
        trace.output("y", y);
        trace.finish()
    }

    /// An inference plan as a file that microcontrollers run in place: fixed batch, weights included, no scratch
    /// memory for packing.
    ///
    /// **Errors** when the model is not built.
    pub fn export_plan(&self, batch: usize) -> Result<Vec<u8>> {
        let graph = self.inference_graph(batch, DType::F32)?;
        let options = PlanOptions { workspace: false, ..PlanOptions::default() };
        Plan::compile_frozen(&graph, &self.variables, &options)?.to_bytes()
    }

    /// The seed.
    pub fn seed_value(&self) -> u64 {
        self.seed
    }

    /// Puts back the values behind the weights: slots and counters.
    pub(crate) fn restore_state(&mut self, values: impl Iterator<Item = (String, Tensor)>) -> Result<()> {
        let mut values = values;
        for n in self.weights..self.variables.len() {
            let id = VariableId(n as u16);
            let name = self.variables.describe(id)?.name.clone();
            match values.next() {
                Some((stored, value)) if stored == name => self.variables.set(id, &value)?,
                _ => return Err(crate::format_error!("model file: holds no state {name}")),
            }
        }
        match values.next() {
            Some((name, _)) => {
                Err(crate::format_error!("model file: {name} belongs to no layer or optimizer"))
            }
            None => Ok(()),
        }
    }

    pub(super) fn forget_plans(&mut self) {
        if let Some(c) = &mut self.compiled {
            c.sessions.clear();
        }
    }
}

/// A sample's shape with the batch axis in front.
pub(super) fn with_batch(sample: &Shape, batch: usize) -> Result<Shape> {
    let mut dims = sample.to_vec();
    dims.insert(0, batch);
    Shape::new(&dims)
}

/// `MaxPooling2D` as `max_pooling2d`.
fn snake_case(class: &str) -> String {
    let mut name = String::new();
    let mut previous = ' ';
    for c in class.chars() {
        let word_starts = c.is_ascii_uppercase() && previous.is_ascii_lowercase();
        if word_starts {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
        previous = c;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layer_names_follow_keras() {
        assert_eq!(snake_case("MaxPooling2D"), "max_pooling2d");
        assert_eq!(snake_case("Conv2D"), "conv2d");
        assert_eq!(snake_case("LayerNormalization"), "layer_normalization");
    }
}
