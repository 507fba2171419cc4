//! Models: layers from plain arguments, training one batch at a time.

use crate::Js;
use crate::tensors::{Core, Tensors, dims};
use gradling::nn::{
    Activation, ActivationLayer, Adam, Dense, Dropout, Fit, FitRun, Flatten, Initializer, Layer, Logs, Loss,
    Metric, Optimizer, Progress, SGD, Sequential,
};
use gradling::{Result, Tensor, VariableId, misuse, unsupported};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

/// A sequential model and the training run in progress.
#[wasm_bindgen]
pub struct Model {
    pub(crate) model: Sequential,
    #[cfg(feature = "full")]
    pub(crate) device: gradling::Device,
    tensors: Rc<RefCell<Tensors>>,
    pub(crate) run: Option<FitRun>,
    /// Loss and metrics of the last train step.
    batch: Vec<f32>,
    /// The sums over the epoch before the last train step, or before those that a device took since a fetch.
    totals: Vec<f32>,
    /// The samples in them.
    counted: usize,
    /// The train steps of the epoch.
    steps: usize,
    /// Whether the sums are to be read once they are fetched.
    #[cfg(feature = "full")]
    pub(crate) late: bool,
    /// How many samples the run trains on, and how many a step.
    samples: usize,
    batch_size: usize,
}

/// What a step of a training run did, for TypeScript.
const BATCH: u32 = 0;
const VALIDATION: u32 = 1;
const EPOCH: u32 = 2;
const DONE: u32 = 3;

#[wasm_bindgen]
impl Core {
    /// A model without layers.
    pub fn model(&self, seed: f64) -> Model {
        self.wrap(Sequential::new().seed(seed as u64))
    }
}

impl Core {
    pub(crate) fn wrap(&self, model: Sequential) -> Model {
        #[cfg(feature = "full")]
        let model = model.on(&self.device);
        Model {
            #[cfg(feature = "full")]
            device: self.device.clone(),
            model,
            tensors: self.tensors.clone(),
            run: None,
            batch: Vec::new(),
            totals: Vec::new(),
            counted: 0,
            steps: 0,
            #[cfg(feature = "full")]
            late: false,
            samples: 0,
            batch_size: 1,
        }
    }
}

/// The numbers of logs in order.
fn values(logs: Logs) -> Vec<f32> {
    logs.iter().map(|(_, v)| v).collect()
}

pub(crate) fn activation(name: &str) -> Result<Activation> {
    Activation::from_name(name)
        .ok_or_else(|| unsupported!("activation {name}: expected linear, relu, sigmoid, tanh or softmax"))
}

pub(crate) fn initializer(name: &str) -> Result<Initializer> {
    Initializer::from_name(name).ok_or_else(|| {
        unsupported!("initializer {name}: expected zeros, ones or glorot, he or lecun with uniform or normal")
    })
}

impl Model {
    pub(crate) fn push(&mut self, layer: Result<Box<dyn Layer>>, name: Option<String>) -> Result<()> {
        let mut layer = layer?;
        if self.model.input_shape().is_some() {
            return Err(misuse!("add: the model is built already; add every layer before using it"));
        }
        if let Some(name) = name {
            if self.model.layers().iter().any(|l| l.name() == name) {
                return Err(misuse!("add: there is a layer named {name} already"));
            }
            layer.set_name(&name);
        }
        self.model.push(layer);
        Ok(())
    }

    fn pair(&self, x: u32, y: u32) -> Result<(Tensor, Tensor)> {
        let tensors = self.tensors.borrow();
        Ok((tensors.get(x)?.clone(), tensors.get(y)?.clone()))
    }

    pub(crate) fn layer(&self, n: usize) -> Result<&dyn Layer> {
        let layer = self.model.layers().get(n).ok_or_else(|| misuse!("layer: there is no layer {n}"))?;
        Ok(&**layer)
    }

    /// The variables of a layer's weights, or of all.
    fn weight_ids(&self, layer: Option<usize>) -> Result<Vec<VariableId>> {
        let prefix = match layer {
            Some(n) => self.layer(n)?.name().to_string() + "/",
            None => String::new(),
        };
        let own = self.model.weights().filter(|(_, v)| v.name.starts_with(&prefix));
        Ok(own.map(|(id, _)| id).collect())
    }

    fn advance(&mut self) -> Result<u32> {
        let Some(run) = &mut self.run else { return Err(misuse!("fit: there is no run")) };
        // Only runs wait for a device.
        #[cfg(feature = "full")]
        self.model.pause_device(false);
        let progress = run.step(&mut self.model);
        #[cfg(feature = "full")]
        self.model.pause_device(true);
        Ok(match progress? {
            Progress::Batch { step, loss, .. } => {
                if step == 1 {
                    self.totals.fill(0.0);
                    self.counted = 0;
                }
                self.steps = step;
                #[cfg(feature = "full")]
                {
                    self.late = self.model.is_behind();
                    if self.late {
                        return Ok(BATCH);
                    }
                }
                self.read_batch(Some(loss))?;
                BATCH
            }
            Progress::Validation { .. } => VALIDATION,
            Progress::Epoch { .. } => EPOCH,
            Progress::Done => DONE,
        })
    }

    /// The metrics of the batch are what the step added to the sums over the epoch, which its means tell; so is the
    /// loss where it is not known.
    pub(crate) fn read_batch(&mut self, loss: Option<f32>) -> Result<()> {
        let Some(run) = &self.run else { return Ok(()) };
        let all = (self.steps * self.batch_size).min(self.samples);
        let size = (all - self.counted) as f32;
        let sums: Vec<f32> =
            run.running_logs(&self.model)?.iter().map(|(_, mean)| mean * all as f32).collect();
        self.totals.resize(sums.len(), 0.0);
        self.batch.clear();
        self.batch.extend(sums.iter().zip(&self.totals).map(|(now, then)| (now - then) / size));
        if let (Some(first), Some(loss)) = (self.batch.first_mut(), loss) {
            *first = loss;
        }
        self.totals = sums;
        self.counted = all;
        Ok(())
    }
}

#[wasm_bindgen]
impl Model {
    /// Adds a fully connected layer.
    pub fn dense(
        &mut self,
        units: usize,
        activate: &str,
        bias: bool,
        kernel: &str,
        bias_initializer: &str,
        name: Option<String>,
    ) -> Js<()> {
        let layer = || {
            Ok(Box::new(
                Dense::new(units)
                    .activation(activation(activate)?)
                    .use_bias(bias)
                    .kernel_initializer(initializer(kernel)?)
                    .bias_initializer(initializer(bias_initializer)?),
            ) as Box<dyn Layer>)
        };
        Ok(self.push(layer(), name)?)
    }

    /// Adds a layer that makes one axis of all.
    pub fn flatten(&mut self, name: Option<String>) -> Js<()> {
        Ok(self.push(Ok(Box::new(Flatten::new())), name)?)
    }

    /// Adds a layer that drops values while training.
    pub fn dropout(&mut self, rate: f32, name: Option<String>) -> Js<()> {
        Ok(self.push(Ok(Box::new(Dropout::new(rate))), name)?)
    }

    /// Adds an activation.
    pub fn activation(&mut self, activate: &str, name: Option<String>) -> Js<()> {
        let layer = activation(activate).map(|a| Box::new(ActivationLayer::new(a)) as Box<dyn Layer>);
        Ok(self.push(layer, name)?)
    }

    /// Makes the weights for samples of a shape.
    pub fn build(&mut self, sample: &[u32]) -> Js<()> {
        Ok(self.model.build(&dims(sample))?)
    }

    /// Sets optimizer (`sgd`: rate, momentum, Nesterov or not; `adam`: rate, two betas, epsilon), loss and
    /// metrics.
    pub fn compile(
        &mut self,
        optimizer: &str,
        numbers: &[f32],
        loss: &str,
        from_logits: bool,
        metrics: &str,
    ) -> Js<()> {
        self.run = None;
        let mut compile = || {
            let optimizer = match (optimizer, numbers) {
                ("sgd", &[learning_rate, momentum, nesterov]) => {
                    Optimizer::SGD(SGD { learning_rate, momentum, nesterov: nesterov != 0.0 })
                }
                ("adam", &[learning_rate, beta_1, beta_2, epsilon]) => {
                    Optimizer::Adam(Adam { learning_rate, beta_1, beta_2, epsilon })
                }
                _ => return Err(unsupported!("optimizer {optimizer}: expected sgd, momentum or adam")),
            };
            let loss = match Loss::from_name(loss) {
                Some(Loss::CategoricalCrossentropy { .. }) => Loss::CategoricalCrossentropy { from_logits },
                Some(Loss::SparseCategoricalCrossentropy { .. }) => {
                    Loss::SparseCategoricalCrossentropy { from_logits }
                }
                Some(loss) => loss,
                None => {
                    return Err(unsupported!(
                        "loss {loss}: expected meanSquaredError, categoricalCrossentropy or \
                         sparseCategoricalCrossentropy"
                    ));
                }
            };
            let mut list = Vec::new();
            for name in metrics.split(',').filter(|name| !name.is_empty()) {
                list.push(
                    Metric::from_name(name)
                        .ok_or_else(|| unsupported!("metric {name}: expected accuracy, mse or mae"))?,
                );
            }
            self.model.compile(optimizer, loss, &list)
        };
        Ok(compile()?)
    }

    /// Changes the learning rate of a compiled and built model.
    pub fn set_learning_rate(&mut self, rate: f32) -> Js<()> {
        Ok(self.model.set_learning_rate(rate)?)
    }

    /// Starts a training run, which [`step`](Model::step) advances. `validation` is nothing, or inputs and
    /// targets.
    pub fn begin(
        &mut self,
        x: u32,
        y: u32,
        epochs: usize,
        batch_size: usize,
        shuffle: bool,
        validation_split: f32,
        validation: &[u32],
    ) -> Js<()> {
        let mut begin = || {
            let validation = match *validation {
                [x, y] => self.pair(x, y).map(|(x, y)| Some((x.into(), y.into())))?,
                _ => None,
            };
            let (x, y) = self.pair(x, y)?;
            self.batch_size = batch_size;
            let fit = Fit { epochs, batch_size, shuffle, validation, validation_split, ..Fit::default() };
            self.model.begin_fit(&x, &y, &fit)
        };
        let run = begin()?;
        self.samples = run.samples();
        self.run = Some(run);
        Ok(())
    }

    /// How many samples the run trains on.
    pub fn train_samples(&self) -> usize {
        self.samples
    }

    /// Trains or validates on the next batch; gives what it did: 0 a train step, 1 a batch of validation, 2 the
    /// end of an epoch, 3 nothing, since all is done.
    pub fn step(&mut self) -> Js<u32> {
        Ok(self.advance()?)
    }

    /// Loss and metrics of the last train step.
    pub fn batch_logs(&self) -> Vec<f32> {
        self.batch.clone()
    }

    /// Loss and metrics over the epoch so far, or those of the epoch that ended last and of its validation.
    pub fn epoch_logs(&self, ended: bool) -> Js<Vec<f32>> {
        let Some(run) = &self.run else { return Ok(Vec::new()) };
        if ended {
            return Ok(values(run.logs().clone()));
        }
        Ok(run.running_logs(&self.model).map(values)?)
    }

    /// Ends the run and lets go of its data.
    pub fn end(&mut self) {
        self.run = None;
    }

    /// One train step on one batch; gives loss and metrics from before the update.
    pub fn train_on_batch(&mut self, x: u32, y: u32) -> Js<Vec<f32>> {
        let mut train = || {
            let (x, y) = self.pair(x, y)?;
            self.model.train_on_batch(&x, &y)
        };
        Ok(train().map(values)?)
    }

    /// Loss and metrics over a data set.
    pub fn evaluate(&mut self, x: u32, y: u32, batch_size: usize) -> Js<Vec<f32>> {
        let mut evaluate = || {
            let (x, y) = self.pair(x, y)?;
            self.model.evaluate(&x, &y, batch_size)
        };
        Ok(evaluate().map(values)?)
    }

    /// The outputs for a data set.
    pub fn predict(&mut self, x: u32, batch_size: usize) -> Js<u32> {
        let mut predict = || {
            let x = self.tensors.borrow().get(x)?.clone();
            self.model.predict(&x, batch_size)
        };
        let y = predict()?;
        Ok(self.tensors.borrow_mut().put(y))
    }

    /// The number of numbers in all weights.
    pub fn count_params(&self) -> usize {
        self.model.count_params()
    }

    /// The name of a layer.
    pub fn layer_name(&self, layer: usize) -> Js<String> {
        Ok(self.layer(layer).map(|l| l.name().to_string())?)
    }

    /// The shape of one output of a layer, or with -1 of one input of the model; `undefined` before the model is
    /// built.
    pub fn layer_shape(&self, layer: i32) -> Option<Vec<u32>> {
        let shape = match usize::try_from(layer) {
            Ok(layer) => self.model.output_shapes().get(layer).copied(),
            Err(_) => self.model.input_shape().copied(),
        };
        shape.map(|s| s.dims().to_vec())
    }

    /// Copies of the weights of a layer, or with -1 of all.
    pub fn weights(&self, layer: i32) -> Js<Vec<u32>> {
        let read = || -> Result<Vec<u32>> {
            let ids = self.weight_ids(usize::try_from(layer).ok())?;
            let values: Result<Vec<Tensor>> = ids.iter().map(|&id| self.model.variables().get(id)).collect();
            let mut tensors = self.tensors.borrow_mut();
            Ok(values?.into_iter().map(|t| tensors.put(t)).collect())
        };
        Ok(read()?)
    }

    /// Replaces the weights of a layer, or with -1 all.
    pub fn set_weights(&mut self, layer: i32, values: &[u32]) -> Js<()> {
        let mut write = || -> Result<()> {
            let ids = self.weight_ids(usize::try_from(layer).ok())?;
            if ids.len() != values.len() {
                return Err(misuse!("setWeights: expected {} tensors, got {}", ids.len(), values.len()));
            }
            for (&id, &value) in ids.iter().zip(values) {
                let name = self.model.variables().describe(id)?.name.clone();
                let value = self.tensors.borrow().get(value)?.to_f32();
                self.model.set_weight(&name, &value)?;
            }
            Ok(())
        };
        Ok(write()?)
    }
}
