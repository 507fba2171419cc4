//! A compiled model: its counters, slots, and the sessions of its train, evaluation and prediction plans.

use super::layer::Call;
use super::model::with_batch;
use super::optimizer::StepState;
use super::{Loss, Metric, Optimizer, Sequential};
use crate::autodiff::grad;
use crate::graph::Trace;
use crate::plan::Place;
use crate::{DType, Plan, PlanOptions, Result, Session, Shape, Tensor, Var, VariableId, Variables, misuse};
use alloc::vec::Vec;

/// What a plan does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Forward, gradient, update, metrics.
    Train,
    /// Forward, metrics.
    Evaluate,
}

/// What a plan was compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub mode: Mode,
    pub x: (Shape, DType),
    pub y: (Shape, DType),
}

/// A session and the step after which the loss is known.
pub(super) struct Ready {
    pub key: Key,
    pub session: Session,
    /// Steps `..split` compute the loss and change no weight.
    pub split: usize,
}

/// Optimizer, loss, metrics and their state.
pub(super) struct Compiled {
    pub optimizer: Optimizer,
    pub loss: Loss,
    pub metrics: Vec<Metric>,
    pub learning_rate: VariableId,
    pub iterations: VariableId,
    pub random: VariableId,
    /// Sums over the epoch: samples, loss.
    pub totals: VariableId,
    /// The slots of each metric over the epoch.
    pub metric_slots: Vec<Vec<VariableId>>,
    /// For each trainable weight its slots.
    slots: Vec<(VariableId, Vec<VariableId>)>,
    /// What the optimizer keeps once.
    scalars: Vec<VariableId>,
    pub sessions: Vec<Ready>,
}

impl Compiled {
    /// Adds slots and counters behind the weights; `output` is the shape of one output.
    pub fn new(
        optimizer: Optimizer,
        loss: Loss,
        metrics: &[Metric],
        variables: &mut Variables,
        output: &Shape,
        seed: u64,
    ) -> Result<Compiled> {
        let trainable: Vec<_> = variables
            .iter()
            .filter(|(_, v)| v.trainable)
            .map(|(id, v)| (id, v.name.clone(), v.shape.to_vec()))
            .collect();
        let mut slots = Vec::new();
        for (id, name, dims) in trainable {
            let mut own = Vec::new();
            for slot in optimizer.slots() {
                let full = alloc::format!("{}/{name}/{}", optimizer.name(), slot.name);
                own.push(variables.add(&full, &Tensor::full(&dims, slot.initial)?, false)?);
            }
            slots.push((id, own));
        }
        let mut scalars = Vec::new();
        for slot in optimizer.scalars() {
            let full = alloc::format!("{}/{}", optimizer.name(), slot.name);
            scalars.push(variables.add(&full, &Tensor::scalar(slot.initial), false)?);
        }
        let key = Tensor::new(&[2], [seed as u32 as i32, 0])?;
        let rate = Tensor::scalar(optimizer.learning_rate());
        let learning_rate = variables.add("learning_rate", &rate, false)?;
        let iterations = variables.add("iterations", &Tensor::scalar_i32(0), false)?;
        let random = variables.add("random", &key, false)?;
        let totals = variables.add("totals", &Tensor::zeros(&[2])?, false)?;
        let output = with_batch(output, 1)?;
        let target = if loss.is_sparse() { sparse_target(&output)? } else { output };
        let mut metric_slots = Vec::new();
        for (i, metric) in metrics.iter().enumerate() {
            let mut own = Vec::new();
            for slot in metric.slots(&target, &output) {
                let full = alloc::format!("metric_{i}/{}/{}", metric.name(), slot.name);
                own.push(variables.add(&full, &Tensor::zeros(&slot.shape.list())?, false)?);
            }
            metric_slots.push(own);
        }
        let metrics = metrics.to_vec();
        let sessions = Vec::new();
        Ok(Compiled {
            optimizer,
            loss,
            metrics,
            learning_rate,
            iterations,
            random,
            totals,
            metric_slots,
            slots,
            scalars,
            sessions,
        })
    }

    /// The variables that are sums over an epoch.
    pub fn sums(&self) -> impl Iterator<Item = VariableId> {
        core::iter::once(self.totals).chain(self.metric_slots.iter().flatten().copied())
    }

    /// The session for a key, if there is one.
    pub fn find(&self, key: &Key) -> Option<usize> {
        self.sessions.iter().position(|s| s.key == *key)
    }
}

impl Sequential {
    /// The position of the session for these batches, compiled on first use.
    pub(super) fn session(&mut self, key: Key) -> Result<usize> {
        let compiled = self.compiled.as_ref().ok_or_else(|| self.not_compiled())?;
        if let Some(i) = compiled.find(&key) {
            return Ok(i);
        }
        let plan = self.step_plan(&key)?;
        let compiled = self.compiled.as_ref().ok_or_else(|| self.not_compiled())?;
        let mut state = alloc::vec![compiled.iterations, compiled.random];
        state.extend(compiled.sums());
        let first_update = self.first_weight_write(&plan, &state)?;
        let loss = plan.outputs().first().map(|o| o.slot);
        let known = plan.steps().iter().rposition(|s| s.writes.iter().any(|w| Some(*w) == loss));
        let split = known.map_or(0, |k| k + 1);
        if split > first_update {
            return Err(misuse!("plan: the loss is computed after the first update"));
        }
        let session = Session::new(plan, &self.device)?;
        let compiled = self.compiled.as_mut().ok_or_else(|| misuse!("not compiled"))?;
        compiled.sessions.push(Ready { key, session, split });
        Ok(compiled.sessions.len() - 1)
    }

    /// The first step that writes a variable other than these counters.
    fn first_weight_write(&self, plan: &Plan, counters: &[VariableId]) -> Result<usize> {
        let offsets = counters.iter().map(|id| self.variables.describe(*id).map(|v| v.offset));
        let offsets = offsets.collect::<Result<Vec<usize>>>()?;
        let weight =
            |w: &crate::plan::Slot| w.place == Place::Variables && !offsets.contains(&(w.offset as usize));
        Ok(plan.steps().iter().position(|s| s.writes.iter().any(weight)).unwrap_or(plan.steps().len()))
    }

    /// The plan of a train or evaluation step: inputs `x` and `y`, output `loss`; sums go to the totals.
    fn step_plan(&self, key: &Key) -> Result<Plan> {
        let c = self.compiled.as_ref().ok_or_else(|| self.not_compiled())?;
        let batch = key.x.0.dim(0);
        let trace = Trace::new(&self.variables);
        let x = trace.input("x", key.x.0, key.x.1);
        let target = trace.input("y", key.y.0, key.y.1);
        let training = key.mode == Mode::Train;
        let random = trace.variable(c.random);
        let mut call = Call::new(&trace, training, training.then_some(random));
        let (output, _) = self.call(&mut call, x.cast(DType::F32))?;
        let loss = c.loss.call(&call, target, output, None)?;
        trace.output("loss", loss);

        // Sums over the epoch, before the gradient so that they come with the loss.
        let sums = [loss.scalar_like(batch as f32), loss * batch as f32].map(|s| s.reshape(&[1]));
        trace.assign(c.totals, trace.variable(c.totals) + Var::concat(&sums, 0));
        for (metric, slots) in c.metrics.iter().zip(&c.metric_slots) {
            let before: Vec<Var> = slots.iter().map(|s| trace.variable(*s)).collect();
            for (slot, after) in
                slots.iter().zip(metric.update(Some(&call), &before, target, output, None)?)
            {
                trace.assign(*slot, after);
            }
        }

        if training {
            let step = trace.variable(c.iterations) + 1.0;
            trace.assign(c.iterations, step);
            let advance = trace.constant(Tensor::new(&[2], [0, 1])?);
            trace.assign(c.random, random + advance);
            let state =
                StepState { learning_rate: trace.variable(c.learning_rate), step: step.cast(DType::F32) };
            let weights: Vec<Var> = c.slots.iter().map(|(id, _)| trace.variable(*id)).collect();
            let gradients = grad(c.optimizer.scale_loss(loss), &weights);
            let read = |ids: &[VariableId]| -> Vec<Var> { ids.iter().map(|s| trace.variable(*s)).collect() };
            let slots: Vec<Vec<Var>> = c.slots.iter().map(|(_, slots)| read(slots)).collect();
            let new = c.optimizer.apply(&state, &weights, &gradients, &slots, &read(&c.scalars));
            for (((id, slots), w), own) in c.slots.iter().zip(new.weights).zip(new.slots) {
                trace.assign(*id, w);
                slots.iter().zip(own).for_each(|(slot, value)| trace.assign(*slot, value));
            }
            c.scalars.iter().zip(new.scalars).for_each(|(id, value)| trace.assign(*id, value));
        }
        Plan::compile(&trace.finish()?, &PlanOptions::default())
    }

    /// A prediction session for batches of this many samples.
    pub(super) fn predict_session(&self, batch: usize, dtype: DType) -> Result<Session> {
        Session::new(
            Plan::compile(&self.inference_graph(batch, dtype)?, &PlanOptions::default())?,
            &self.device,
        )
    }

    /// The plan of a train step on batches of float32 inputs and class indices or float32 targets.
    ///
    /// **Errors** when the model is not built and compiled.
    pub fn train_plan(&self, batch: usize) -> Result<Plan> {
        let c = self.compiled.as_ref().ok_or_else(|| self.not_compiled())?;
        let (Some(sample), Some(output)) = (&self.input_shape, self.shapes.last()) else {
            return Err(self.not_compiled());
        };
        let y = if c.loss.is_sparse() {
            (Shape::new(&[batch])?, DType::I32)
        } else {
            (with_batch(output, batch)?, DType::F32)
        };
        self.step_plan(&Key { mode: Mode::Train, x: (with_batch(sample, batch)?, DType::F32), y })
    }

    /// The first layer whose output on `x` is not finite, for the message of a loss that is not; needs weights
    /// from before the update.
    pub(super) fn first_not_finite(&mut self, x: &Tensor) -> Result<alloc::string::String> {
        let trace = Trace::new(&self.variables);
        let input = trace.input("x", *x.shape(), x.dtype());
        let (_, outputs) = self.call(&mut Call::new(&trace, false, None), input.cast(DType::F32))?;
        for (layer, y) in self.layers.iter().zip(&outputs) {
            trace.output(layer.name(), *y);
        }
        let plan = Plan::compile(&trace.finish()?, &PlanOptions::default())?;
        let mut session = Session::new(plan, &self.device)?;
        session.set_input(0, x)?;
        session.run(&mut self.variables)?;
        if x.to_f32_vec().iter().any(|v| !v.is_finite()) {
            return Ok("the input holds a value that is not finite; clean the data".into());
        }
        for (i, layer) in self.layers.iter().enumerate() {
            let values = session.output_tensor(i, &self.variables)?;
            if values.to_f32_vec().iter().any(|v| !v.is_finite()) {
                let name = layer.name();
                return Ok(alloc::format!(
                    "{name} is the first layer whose output is not finite; lower the learning rate or scale the data"
                ));
            }
        }
        let last = self.layers.last().map_or("", |l| l.name());
        Ok(alloc::format!(
            "all layers are finite, so it arises in the loss of {last}'s output; check the targets"
        ))
    }
}

/// The shape of class indices for outputs of this shape.
fn sparse_target(output: &Shape) -> Result<Shape> {
    Shape::new(&output.list()[..output.rank() - 1])
}
