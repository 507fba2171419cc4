//! Models: layers, how they are wired, and their weights.

use super::compiled::Compiled;
use super::layer::{Call, Initialize, Layer, Weights, batched};
use super::topology::{LayerCall, Topology};
use super::{History, Losses, Metric, Optimizer};
use crate::error::Number;
use crate::graph::Trace;
use crate::op::Kind;
use crate::rng::Rng;
use crate::shape::List;
use crate::{
    DType, Device, Plan, PlanOptions, Result, Session, Shape, Tensor, Var, VariableId, Variables, misuse,
};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

/// A model that starts without layers and gets them one after another (`keras.Sequential`).
pub type Sequential = Model;

/// Layers wired from inputs to outputs, with their weights (`keras.Model`).
///
/// [`Model::new`](Model::new) with [`add`](Model::add) makes a stack; `Model::functional` wires symbols;
/// the trait `Subclass` writes the wiring as a function.
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
pub struct Model {
    pub(super) name: String,
    pub(super) layers: Vec<Box<dyn Layer>>,
    pub(super) topology: Topology,
    /// The sample shape of each value, once built.
    pub(super) shapes: Vec<Shape>,
    /// The weights of each layer, once built.
    owned: Vec<Range<usize>>,
    pub(super) variables: Variables,
    /// How many variables are weights; those of the optimizer come after.
    pub(super) weights: usize,
    pub(super) compiled: Option<Compiled>,
    /// Optimizer and losses that wait for the model to be built.
    pub(super) pending: Option<Compile>,
    /// Sessions of predictions, by the kinds of their inputs.
    pub(super) predictions: Vec<(Vec<Kind>, Session)>,
    pub(super) device: Device,
    pub(super) seed: u64,
    /// What `fit` reported so far.
    pub(super) history: History,
    /// What trains and predicts instead of the processor.
    #[cfg(feature = "remote")]
    pub(super) remote: Option<super::remote::Attached>,
    /// Why it was given up.
    #[cfg(feature = "remote")]
    pub(super) lost: Option<String>,
}

/// Optimizer, losses and metrics.
pub(crate) type Compile = (Optimizer, Losses, Vec<Metric>);

impl Default for Model {
    fn default() -> Model {
        Model::new()
    }
}

impl Model {
    /// A model without layers.
    pub fn new() -> Model {
        Model {
            name: "sequential".into(),
            layers: Vec::new(),
            topology: Topology::default(),
            shapes: Vec::new(),
            owned: Vec::new(),
            variables: Variables::new(),
            weights: 0,
            compiled: None,
            pending: None,
            predictions: Vec::new(),
            device: Device::default(),
            seed: 0,
            history: History::default(),
            #[cfg(feature = "remote")]
            remote: None,
            #[cfg(feature = "remote")]
            lost: None,
        }
    }

    /// Layers in this wiring; `None` when the wiring names a layer or value that does not exist.
    pub(crate) fn wired(name: &str, layers: Vec<Box<dyn Layer>>, topology: Topology) -> Option<Model> {
        if !topology.is_sound(layers.len()) {
            return None;
        }
        let mut model = Model { name: name.into(), topology, ..Model::new() };
        layers.into_iter().for_each(|layer| model.hold(layer));
        Some(model)
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn topology(&self) -> &Topology {
        &self.topology
    }

    pub(crate) fn set_history(&mut self, epochs: Vec<super::Logs>) {
        self.history = History { epochs };
    }

    /// The model's name, in its summary and messages.
    pub fn named(mut self, name: &str) -> Model {
        self.name = name.into();
        self
    }

    /// Appends a layer. A layer without a name is named after its class, as in Keras: `dense`, `dense_1`.
    #[allow(clippy::should_implement_trait)]
    pub fn add(mut self, layer: impl Layer + 'static) -> Model {
        self.push(Box::new(layer));
        self
    }

    /// Appends a boxed layer.
    pub fn push(&mut self, layer: Box<dyn Layer>) {
        self.topology.chain(self.layers.len());
        self.hold(layer);
    }

    /// Keeps a layer that `topology` refers to.
    pub(super) fn hold(&mut self, mut layer: Box<dyn Layer>) {
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
    pub fn seed(mut self, seed: u64) -> Model {
        self.seed = seed;
        self
    }

    /// What the model runs on.
    pub fn on(mut self, device: &Device) -> Model {
        self.device = device.clone();
        self.forget_plans();
        self
    }

    /// The layers in order.
    pub fn layers(&self) -> &[Box<dyn Layer>] {
        &self.layers
    }

    /// The layer of this name.
    ///
    /// **Errors** when there is none.
    pub fn layer(&self, name: &str) -> Result<&dyn Layer> {
        let layer = self.layers.iter().find(|l| l.name() == name);
        layer.map(|l| &**l).ok_or_else(|| misuse!("{}: there is no layer {name}; see the summary", self.name))
    }

    /// Freezes a layer's weights or sets them free; compile the model afterwards.
    ///
    /// **Errors** when there is no layer of this name.
    pub fn set_trainable(&mut self, layer: &str, trainable: bool) -> Result<()> {
        match self.layers.iter_mut().find(|l| l.name() == layer) {
            Some(layer) => layer.set_trainable(trainable),
            None => return Err(misuse!("{}: there is no layer {layer}; see the summary", self.name)),
        }
        self.forget_plans();
        Ok(())
    }

    /// Whether the model is built.
    pub fn is_built(&self) -> bool {
        !self.shapes.is_empty()
    }

    /// The shape of one sample of the first input, once known.
    pub fn input_shape(&self) -> Option<&Shape> {
        self.value_shape(self.topology.inputs.first()?)
    }

    /// The shapes of one sample of each input, once built.
    pub fn input_shapes(&self) -> Vec<Shape> {
        self.topology.inputs.iter().filter_map(|v| self.value_shape(v).copied()).collect()
    }

    /// The output shape (of one sample) of each layer's first call; empty before the model is built.
    pub fn output_shapes(&self) -> Vec<Shape> {
        let first = |l| self.topology.first_call(l).and_then(|c| c.outputs.first());
        (0..self.layers.len()).filter_map(|l| self.value_shape(first(l)?).copied()).collect()
    }

    /// The shape of one sample of the first output, once built.
    pub fn output_shape(&self) -> Option<&Shape> {
        self.value_shape(self.topology.outputs.first()?)
    }

    pub(super) fn value_shape(&self, value: &u32) -> Option<&Shape> {
        self.shapes.get(*value as usize)
    }

    /// The layer whose output is output `n` of the model.
    pub(super) fn output_layer(&self, n: usize) -> &str {
        let value = self.topology.outputs.get(n);
        let call = self.topology.calls.iter().find(|c| value.is_some_and(|v| c.outputs.contains(v)));
        let layer = call.and_then(|c| self.layers.get(c.layer as usize));
        layer.map_or(self.name.as_str(), |l| l.name())
    }

    /// The weights of layer `n`, once built.
    pub fn layer_weights(&self, n: usize) -> impl Iterator<Item = (VariableId, &crate::variables::Variable)> {
        let own = self.owned.get(n).cloned().unwrap_or(0..0);
        self.variables.iter().skip(own.start).take(own.len())
    }

    /// The weights that training changes.
    pub fn trainable_weights(&self) -> impl Iterator<Item = (VariableId, &crate::variables::Variable)> {
        let layers = self.layers.iter().enumerate().filter(|(_, l)| l.is_trainable());
        layers.flat_map(|(n, _)| self.layer_weights(n)).filter(|(_, v)| v.trainable)
    }

    /// What `fit` reported, over all calls since the model was compiled.
    pub fn history(&self) -> &History {
        &self.history
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

    /// The values of all weights in layer order.
    ///
    /// **Errors** never for a model that is built.
    pub fn get_weights(&self) -> Result<Vec<Tensor>> {
        self.weights().map(|(id, _)| self.variables.get(id)).collect()
    }

    /// Replaces all weights, in the order of [`get_weights`](Model::get_weights).
    ///
    /// **Errors** when their number or a shape differs; the weights are then as they were.
    pub fn set_weights(&mut self, values: &[Tensor]) -> Result<()> {
        if values.len() != self.weights {
            return Err(misuse!("{}: expected {} weights, got {}", self.name, self.weights, values.len()));
        }
        let ids: Vec<VariableId> = self.weights().map(|(id, _)| id).collect();
        for (id, value) in ids.iter().zip(values) {
            let v = self.variables.describe(*id)?;
            if v.shape != *value.shape() || v.dtype != value.dtype() {
                let (name, shape) = (&v.name, v.shape);
                return Err(misuse!("{name}: expected shape {shape}, got {}", value.shape()));
            }
        }
        ids.iter().zip(values).try_for_each(|(id, value)| self.variables.set(*id, value))
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
        self.build_many(&[sample])
    }

    /// [`build`](Model::build) for a model with several inputs.
    ///
    /// **Errors** as [`build`](Model::build).
    pub fn build_many(&mut self, samples: &[&[usize]]) -> Result<()> {
        let samples = samples.iter().map(|s| Shape::new(s)).collect::<Result<Vec<Shape>>>()?;
        if self.is_built() {
            return self.check_samples(&samples, 0);
        }
        let mut rng = Rng::new(self.seed);
        self.build_from(&samples, &mut rng)
    }

    /// Builds with weights that `source` gives.
    pub(crate) fn build_from(&mut self, samples: &[Shape], source: &mut dyn Initialize) -> Result<()> {
        if self.layers.is_empty() {
            return Err(misuse!("{}: the model has no layers; add one first", self.name));
        }
        let inputs = &self.topology.inputs;
        if samples.len() != inputs.len() {
            return Err(misuse!("{}: expected {} inputs, got {}", self.name, inputs.len(), samples.len()));
        }
        let mut variables = Variables::new();
        let mut shapes = alloc::vec![Shape::SCALAR; self.topology.values as usize];
        let mut built: Vec<Option<(Vec<Shape>, Vec<Shape>)>> = self.layers.iter().map(|_| None).collect();
        let mut owned = alloc::vec![0..0; self.layers.len()];
        for (value, sample) in inputs.iter().zip(samples) {
            shapes[*value as usize] = *sample;
        }
        for call in &self.topology.calls {
            let (n, layer) = (call.layer as usize, &mut self.layers[call.layer as usize]);
            let takes: Vec<Shape> = call.inputs.iter().map(|v| shapes[*v as usize]).collect();
            let gives = match &built[n] {
                Some((known, gives)) if *known == takes => gives.clone(),
                Some(_) => traced_shapes(&**layer, &variables, &takes)?,
                None => {
                    let (start, name) = (variables.len(), layer.name().to_string());
                    let gives = layer.build_many(&takes, &mut Weights::new(&mut variables, source, &name))?;
                    owned[n] = start..variables.len();
                    built[n] = Some((takes, gives.clone()));
                    gives
                }
            };
            if gives.len() < call.outputs.len() {
                return Err(misuse!(
                    "{}: expected {} outputs, got {}",
                    layer.name(),
                    call.outputs.len(),
                    gives.len()
                ));
            }
            for (value, shape) in call.outputs.iter().zip(gives) {
                shapes[*value as usize] = shape;
            }
        }
        self.weights = variables.len();
        (self.variables, self.shapes, self.owned) = (variables, shapes, owned);
        if let Some((optimizer, losses, metrics)) = self.pending.take() {
            self.compile_all(optimizer, losses, &metrics)?;
        }
        Ok(())
    }

    /// Sets optimizer, loss and metrics; starts the optimizer anew. A model with several outputs takes one loss
    /// for each, or one for all.
    ///
    /// **Errors** when a number of the optimizer is out of range, or there are more losses than outputs.
    pub fn compile(
        &mut self,
        optimizer: impl Into<Optimizer>,
        losses: impl Into<Losses>,
        metrics: &[Metric],
    ) -> Result<()> {
        self.compile_all(optimizer.into(), losses.into(), metrics)
    }

    fn compile_all(&mut self, optimizer: Optimizer, losses: Losses, metrics: &[Metric]) -> Result<()> {
        let rate = optimizer.learning_rate();
        if !rate.is_finite() || rate < 0.0 {
            return Err(misuse!(
                "{}: expected a learning rate of 0 or more, got {}",
                optimizer.name(),
                Number(rate)
            ));
        }
        losses.check(&self.name, self.topology.outputs.len())?;
        if !self.is_built() {
            self.pending = Some((optimizer, losses, metrics.to_vec()));
            return Ok(());
        }
        // Weights keep their places; what another optimizer added behind them goes.
        let mut variables = Variables::new();
        for (id, v) in self.variables.iter().take(self.weights) {
            variables.add(&v.name, &self.variables.get(id)?, v.trainable)?;
        }
        let trainable: Vec<VariableId> = self.trainable_weights().map(|(id, _)| id).collect();
        self.variables = variables;
        self.forget_plans();
        self.history = History::default();
        let outputs = self.topology.outputs.iter().filter_map(|v| self.value_shape(v).copied()).collect();
        self.compiled = Some(Compiled::new(
            optimizer,
            losses,
            metrics,
            outputs,
            &trainable,
            &mut self.variables,
            self.seed,
        )?);
        Ok(())
    }

    /// The optimizer, losses and metrics, once compiled.
    pub fn compile_config(&self) -> Option<(Optimizer, Losses, Vec<Metric>)> {
        match &self.compiled {
            Some(c) => Some((c.optimizer.clone(), c.losses.clone(), c.metrics.clone())),
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
        self.own_write(id, |own: &mut [f32]| own[0] = rate)
    }

    pub(super) fn not_compiled(&self) -> crate::Error {
        misuse!("{}: not compiled or built; call model.compile, then build or fit", self.name)
    }

    /// Checks the shapes of samples against those that the model is built for.
    pub(super) fn check_samples(&self, samples: &[Shape], batch: usize) -> Result<()> {
        if !self.is_built() {
            return Err(misuse!("{}: not built; call model.build or fit first", self.name));
        }
        let wanted = self.input_shapes();
        if wanted.len() != samples.len() {
            return Err(misuse!("{}: expected {} inputs, got {}", self.name, wanted.len(), samples.len()));
        }
        for (n, (wanted, sample)) in wanted.iter().zip(samples).enumerate() {
            self.check_sample(n, wanted, sample, batch)?;
        }
        Ok(())
    }

    fn check_sample(&self, n: usize, wanted: &Shape, sample: &Shape, batch: usize) -> Result<()> {
        if wanted == sample {
            return Ok(());
        }
        let value = self.topology.inputs.get(n);
        let user = self.topology.calls.iter().find(|c| value.is_some_and(|v| c.inputs.contains(v)));
        let first = user.and_then(|c| self.layers.get(c.layer as usize));
        let first = first.map_or(self.name.as_str(), |l| l.name());
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
            alloc::format!("{}", List(&dims))
        };
        Err(misuse!("{first}: expected input of shape {}, got {got}{hint}", batched(wanted)))
    }

    /// Emits the layers on a batch of a model with one input; gives the first output.
    ///
    /// **Errors** with the layer that cannot be called.
    pub fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let values = self.call_layers(call, &[x])?;
        self.outputs(&values).next().ok_or_else(|| misuse!("{}: the model has no output", self.name))
    }

    /// Emits the layers on a batch; gives every output.
    ///
    /// **Errors** with the layer that cannot be called.
    pub fn call_many<'b>(&self, call: &mut Call<'b>, xs: &[Var<'b>]) -> Result<Vec<Var<'b>>> {
        let values = self.call_layers(call, xs)?;
        Ok(self.outputs(&values).collect())
    }

    pub(super) fn outputs<'v, 'b: 'v>(
        &self,
        values: &'v [Option<Var<'b>>],
    ) -> impl Iterator<Item = Var<'b>> + use<'v, 'b, '_> {
        self.topology.outputs.iter().filter_map(|v| values.get(*v as usize).copied().flatten())
    }

    /// Emits the layers on a batch; gives every value of the model.
    pub(super) fn call_layers<'b>(
        &self,
        call: &mut Call<'b>,
        xs: &[Var<'b>],
    ) -> Result<Vec<Option<Var<'b>>>> {
        let mut values = alloc::vec![None; self.topology.values as usize];
        if xs.len() != self.topology.inputs.len() {
            let inputs = self.topology.inputs.len();
            return Err(misuse!("{}: expected {inputs} inputs, got {}", self.name, xs.len()));
        }
        for (value, x) in self.topology.inputs.iter().zip(xs) {
            values[*value as usize] = Some(*x);
        }
        for LayerCall { layer, inputs, outputs } in &self.topology.calls {
            let layer = &self.layers[*layer as usize];
            let takes: Vec<Var> = inputs.iter().filter_map(|v| values[*v as usize]).collect();
            let gives = layer.call_many(call, &takes)?;
            call.trace().check().map_err(|e| e.within(layer.name()))?;
            if layer.passes_mask() {
                let mask = takes.first().and_then(|x| call.mask(*x));
                for y in gives.iter().filter(|_| mask.is_some()) {
                    if let (None, Some(mask)) = (call.mask(*y), mask) {
                        call.set_mask(*y, mask);
                    }
                }
            }
            for (value, y) in outputs.iter().zip(gives) {
                values[*value as usize] = Some(y);
            }
        }
        Ok(values)
    }

    /// The graph of inference on batches of `batch` samples: inputs `x`, `x1`, …, outputs `y`, `y1`, ….
    ///
    /// **Errors** when the model is not built.
    pub fn inference_graph(&self, batch: usize, dtype: DType) -> Result<crate::Graph> {
        let kinds = self.input_shapes().into_iter().map(|s| Ok((with_batch(&s, batch)?, dtype)));
        self.graph_of(&kinds.collect::<Result<Vec<Kind>>>()?)
    }

    /// The graph of inference on inputs of these kinds.
    pub(super) fn graph_of(&self, inputs: &[Kind]) -> Result<crate::Graph> {
        if !self.is_built() {
            return Err(misuse!("{}: not built; call model.build", self.name));
        }
        let trace = Trace::new(&self.variables);
        let mut call = Call::new(&trace, false, None);
        let xs = trace_inputs(&trace, "x", inputs);
        for (n, y) in self.call_many(&mut call, &xs)?.into_iter().enumerate() {
            trace.output(&numbered("y", n), y);
        }
        call.assign_updates();
        drop(call);
        trace.finish()
    }

    /// An inference plan as a file that microcontrollers run in place: fixed batch, weights included, no scratch
    /// memory for packing.
    ///
    /// **Errors** when the model is not built.
    pub fn export_plan(&self, batch: usize) -> Result<Vec<u8>> {
        let graph = self.inference_graph(batch, DType::F32)?;
        let options = PlanOptions { workspace: false, ..self.plan_options() };
        Plan::compile_frozen(&graph, &self.variables, &options)?.to_bytes()
    }

    /// How plans for the device are compiled.
    pub(super) fn plan_options(&self) -> PlanOptions {
        PlanOptions { strict: self.device.is_strict(), ..PlanOptions::default() }
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
        self.predictions.clear();
        if let Some(c) = &mut self.compiled {
            c.sessions.clear();
        }
        #[cfg(feature = "remote")]
        self.forget_remote_plans();
    }
}

/// The output shapes of a built layer on inputs of other shapes than it was built for.
fn traced_shapes(layer: &dyn Layer, variables: &Variables, inputs: &[Shape]) -> Result<Vec<Shape>> {
    let trace = Trace::new(variables);
    let kinds = inputs.iter().map(|s| Ok((with_batch(s, 1)?, DType::F32))).collect::<Result<Vec<Kind>>>()?;
    let outputs = layer.call_many(&mut Call::new(&trace, false, None), &trace_inputs(&trace, "x", &kinds))?;
    trace.check().map_err(|e| e.within(layer.name()))?;
    outputs.iter().map(|y| Shape::new(y.shape().list().get(1..).unwrap_or(&[]))).collect()
}

/// Inputs `name`, `name1`, … of these kinds, as float32.
pub(super) fn trace_inputs<'b>(trace: &'b Trace, name: &str, kinds: &[Kind]) -> Vec<Var<'b>> {
    let input = |(n, k): (usize, &Kind)| trace.input(&numbered(name, n), k.0, k.1).cast(DType::F32);
    kinds.iter().enumerate().map(input).collect()
}

/// `y`, `y1`, `y2`, …
fn numbered(name: &str, n: usize) -> String {
    if n == 0 { name.into() } else { alloc::format!("{name}{n}") }
}

/// A sample's shape with the batch axis in front.
pub(super) fn with_batch(sample: &Shape, batch: usize) -> Result<Shape> {
    let mut dims = sample.to_vec();
    dims.insert(0, batch);
    Shape::new(&dims)
}

/// `MaxPooling2D` as `max_pooling2d`.
pub(super) fn snake_case(class: &str) -> String {
    let mut name = String::new();
    let mut previous = ' ';
    let mut rest = class.chars().peekable();
    while let Some(c) = rest.next() {
        let before_lower = previous != ' ' && rest.peek().is_some_and(char::is_ascii_lowercase);
        if c.is_ascii_uppercase() && (previous.is_ascii_lowercase() || before_lower) {
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
        assert_eq!(snake_case("Conv2DTranspose"), "conv2d_transpose");
        assert_eq!(snake_case("LeakyReLU"), "leaky_re_lu");
        assert_eq!(snake_case("RMSNormalization"), "rms_normalization");
    }
}
