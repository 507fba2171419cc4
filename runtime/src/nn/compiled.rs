//! A compiled model: its counters, slots, and the sessions of its train, evaluation and prediction plans.

use super::layer::Call;
use super::model::{trace_inputs, with_batch};
use super::optimizer::StepState;
use super::samples::Samples;
use super::{Logs, Losses, Metric, Model, Optimizer};
use crate::autodiff::grad;
use crate::graph::Trace;
use crate::op::Kind;
use crate::plan::Place;
use crate::{
    DType, Element, Plan, PlanOptions, Result, Session, Shape, Tensor, Var, VariableId, Variables, misuse,
};
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub mode: Mode,
    /// Inputs, targets, and weights of samples if there are any.
    pub kinds: Vec<Kind>,
    pub targets: usize,
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
    pub losses: Losses,
    pub metrics: Vec<Metric>,
    pub learning_rate: VariableId,
    pub iterations: VariableId,
    pub random: VariableId,
    /// Sums over the epoch: samples, loss.
    pub totals: VariableId,
    /// Epoch and batch at which a saved run goes on.
    pub progress: VariableId,
    /// The slots of each metric over the epoch, for each output.
    pub metric_slots: Vec<Vec<Vec<VariableId>>>,
    /// For each trainable weight its slots.
    slots: Vec<(VariableId, Vec<VariableId>)>,
    /// What the optimizer keeps once.
    scalars: Vec<VariableId>,
    pub sessions: Vec<Ready>,
}

impl Compiled {
    /// Adds slots and counters behind the weights; `outputs` are the shapes of one of each.
    pub fn new(
        optimizer: Optimizer,
        losses: Losses,
        metrics: &[Metric],
        outputs: Vec<Shape>,
        trainable: &[VariableId],
        variables: &mut Variables,
        seed: u64,
    ) -> Result<Compiled> {
        let mut slots = Vec::new();
        for &id in trainable {
            let v = variables.describe(id)?;
            let (name, dims) = (v.name.clone(), v.shape.to_vec());
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
        let progress = variables.add("progress", &Tensor::new(&[2], [0, 0])?, false)?;
        let mut metric_slots = Vec::new();
        for (n, output) in outputs.iter().enumerate() {
            let output = with_batch(output, 1)?;
            let sparse = losses.of(n).is_some_and(|l| l.is_sparse());
            let target = if sparse { sparse_target(&output)? } else { output };
            let mut of_output = Vec::new();
            for (i, metric) in metrics.iter().enumerate() {
                metric.check()?;
                let mut own = Vec::new();
                for slot in metric.slots(&target, &output) {
                    let full = alloc::format!("metric_{n}_{i}/{}/{}", metric.name(), slot.name);
                    own.push(variables.add(&full, &Tensor::zeros(&slot.shape.list())?, false)?);
                }
                of_output.push(own);
            }
            metric_slots.push(of_output);
        }
        let metrics = metrics.to_vec();
        let sessions = Vec::new();
        Ok(Compiled {
            optimizer,
            losses,
            metrics,
            learning_rate,
            iterations,
            random,
            totals,
            progress,
            metric_slots,
            slots,
            scalars,
            sessions,
        })
    }

    /// The variables that are sums over an epoch.
    pub fn sums(&self) -> impl Iterator<Item = VariableId> {
        core::iter::once(self.totals).chain(self.metric_slots.iter().flatten().flatten().copied())
    }
}

impl Model {
    /// The position of the session for these batches, compiled on first use.
    pub(super) fn session(&mut self, mode: Mode, samples: &Samples, n: usize) -> Result<usize> {
        let compiled = self.compiled.as_ref().ok_or_else(|| self.not_compiled())?;
        let same = |k: &Key| k.mode == mode && samples.kinds(n).eq(k.kinds.iter().copied());
        if let Some(i) = compiled.sessions.iter().position(|s| same(&s.key)) {
            return Ok(i);
        }
        let key = samples.key(mode, n);
        let plan = self.step_plan(&key, &self.plan_options())?;
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

    /// The plan of a train or evaluation step: inputs, targets and weights, output `loss`; sums go to the totals.
    pub(super) fn step_plan(&self, key: &Key, options: &PlanOptions) -> Result<Plan> {
        let c = self.compiled.as_ref().ok_or_else(|| self.not_compiled())?;
        let batch = key.kinds.first().map_or(0, |k| k.0.dim(0)) as f32;
        let trace = Trace::new(&self.variables);
        let (inputs, rest) = key.kinds.split_at(self.topology.inputs.len().min(key.kinds.len()));
        let (targets, weights) = rest.split_at(key.targets.min(rest.len()));
        let xs = trace_inputs(&trace, "x", inputs);
        let targets: Vec<Var> = targets.iter().map(|k| trace.input("y", k.0, k.1)).collect();
        let weight = weights.first().map(|k| trace.input("sample_weight", k.0, k.1));
        let training = key.mode == Mode::Train;
        let random = trace.variable(c.random);
        let mut call = Call::new(&trace, training, training.then_some(random));
        let outputs = self.call_many(&mut call, &xs)?;
        let mut loss = None;
        for (n, (y, output)) in targets.iter().zip(&outputs).enumerate() {
            let Some(of) = c.losses.of(n) else { continue };
            let own = of.call(&call, *y, *output, weight)? * c.losses.weight(n);
            loss = Some(loss.map_or(own, |sum| sum + own));
        }
        let loss = loss.ok_or_else(|| misuse!("{}: expected at least one output and loss", self.name))?;
        let loss = call.losses().iter().fold(loss, |sum, l| sum + *l);
        trace.output("loss", loss);

        // Sums over the epoch, before the gradient so that they come with the loss.
        let sums = [loss.scalar_like(batch), loss * batch].map(|s| s.reshape(&[1]));
        trace.assign(c.totals, trace.variable(c.totals) + Var::concat(&sums, 0));
        for (of_output, (y, output)) in c.metric_slots.iter().zip(targets.iter().zip(&outputs)) {
            for (metric, slots) in c.metrics.iter().zip(of_output) {
                let before: Vec<Var> = slots.iter().map(|s| trace.variable(*s)).collect();
                let after = metric.update(Some(&call), &before, *y, *output, None)?;
                slots.iter().zip(after).for_each(|(slot, value)| trace.assign(*slot, value));
            }
        }

        if training {
            let step = trace.variable(c.iterations) + 1.0;
            trace.assign(c.iterations, step);
            let advance = trace.constant(Tensor::new(&[2], [0, 1])?);
            trace.assign(c.random, random + advance);
            let mut state = StepState::new(trace.variable(c.learning_rate), step.cast(DType::F32));
            state.settle = self.device.keeps_denormals();
            let weights: Vec<Var> = c.slots.iter().map(|(id, _)| trace.variable(*id)).collect();
            let gradients = grad(c.optimizer.scale_loss(loss), &weights);
            let read = |ids: &[VariableId]| -> Vec<Var> { ids.iter().map(|s| trace.variable(*s)).collect() };
            let slots: Vec<Vec<Var>> = c.slots.iter().map(|(_, slots)| read(slots)).collect();
            let new = c.optimizer.apply(&state, &weights, &gradients, &slots, &read(&c.scalars));
            for (((id, slots), w), own) in c.slots.iter().zip(new.weights).zip(new.slots) {
                trace.assign(*id, call.constrained(*id, w));
                slots.iter().zip(own).for_each(|(slot, value)| trace.assign(*slot, value));
            }
            c.scalars.iter().zip(new.scalars).for_each(|(id, value)| trace.assign(*id, value));
        }
        call.assign_updates();
        drop(call);
        Plan::compile(&trace.finish()?, options)
    }

    /// Sets the learning rate of the next step where a schedule gives it.
    pub(super) fn schedule(&mut self, mode: Mode) -> Result<()> {
        let c = self.compiled.as_ref().ok_or_else(|| self.not_compiled())?;
        if mode == Mode::Train && c.optimizer.has_schedule() {
            let step = self.variables.slice::<i32>(c.iterations)?[0];
            #[cfg(feature = "remote")]
            let step = step + self.steps_ahead() as i32;
            let rate = c.optimizer.learning_rate_at(step.max(0) as u64);
            let id = c.learning_rate;
            self.own_write(id, |own: &mut [f32]| own[0] = rate)?;
        }
        Ok(())
    }

    /// Writes a variable that the host alone writes: a device need not see it at once.
    pub(super) fn own_write<T: Element>(
        &mut self,
        id: VariableId,
        write: impl FnOnce(&mut [T]),
    ) -> Result<()> {
        #[cfg(feature = "remote")]
        let before = self.variables.stamp();
        write(self.variables.slice_mut(id)?);
        #[cfg(feature = "remote")]
        self.keep_seen(before);
        Ok(())
    }

    /// Gives each weight its moving average, at the end of a run of an optimizer that keeps them.
    #[cfg(feature = "full")]
    pub(super) fn take_averages(&mut self) -> Result<()> {
        let Some(c) = &self.compiled else { return Ok(()) };
        let Some(n) = c.optimizer.average_slot() else { return Ok(()) };
        for (weight, slots) in &c.slots {
            if let Some(slot) = slots.get(n) {
                self.variables.set(*weight, &self.variables.get(*slot)?)?;
            }
        }
        Ok(())
    }

    /// The variables that are sums over an epoch.
    fn sums(&self) -> Result<Vec<VariableId>> {
        Ok(self.compiled.as_ref().ok_or_else(|| self.not_compiled())?.sums().collect())
    }

    pub(super) fn clear_totals(&mut self) -> Result<()> {
        for id in self.sums()? {
            self.variables.slice_mut::<f32>(id)?.fill(0.0);
        }
        Ok(())
    }

    /// The sums over the epoch so far.
    pub(super) fn totals(&self) -> Result<Vec<Tensor>> {
        self.sums()?.into_iter().map(|id| self.variables.get(id)).collect()
    }

    pub(super) fn set_totals(&mut self, sums: Vec<Tensor>) -> Result<()> {
        let ids = self.sums()?;
        ids.iter().zip(sums).try_for_each(|(id, sum)| self.variables.set(*id, &sum))
    }

    /// Loss and metrics of the epoch so far.
    pub(super) fn read_totals(&self, prefix: &str) -> Result<Logs> {
        let c = self.compiled.as_ref().ok_or_else(|| self.not_compiled())?;
        let totals = self.variables.slice::<f32>(c.totals)?;
        let mut logs = Logs::new();
        logs.push(&alloc::format!("{prefix}loss"), totals[1] / totals[0]);
        for (n, of_output) in c.metric_slots.iter().enumerate() {
            let several = c.metric_slots.len() > 1;
            let output = if several { alloc::format!("{}_", self.output_layer(n)) } else { "".into() };
            for (metric, slots) in c.metrics.iter().zip(of_output) {
                let slots: Result<Vec<Tensor>> = slots.iter().map(|s| self.variables.get(*s)).collect();
                logs.push(&alloc::format!("{prefix}{output}{}", metric.name()), metric.value(&slots?)?);
            }
        }
        Ok(logs)
    }

    /// Where a saved run goes on: epoch and batch.
    pub(super) fn progress(&self) -> Result<(usize, usize)> {
        let c = self.compiled.as_ref().ok_or_else(|| self.not_compiled())?;
        let at = self.variables.slice::<i32>(c.progress)?;
        Ok((at[0].max(0) as usize, at[1].max(0) as usize))
    }

    pub(super) fn set_progress(&mut self, epoch: usize, step: usize) -> Result<()> {
        let id = self.compiled.as_ref().ok_or_else(|| self.not_compiled())?.progress;
        self.own_write(id, |own| own.copy_from_slice(&[epoch as i32, step as i32]))
    }

    /// The plan of a train step on batches of float32 inputs and class indices or float32 targets.
    ///
    /// **Errors** when the model is not built and compiled.
    pub fn train_plan(&self, batch: usize) -> Result<Plan> {
        self.train_plan_with(batch, &self.plan_options())
    }

    /// The same, compiled otherwise than for the model's device.
    ///
    /// **Errors** as [`train_plan`](Model::train_plan).
    pub fn train_plan_with(&self, batch: usize, options: &PlanOptions) -> Result<Plan> {
        let c = self.compiled.as_ref().ok_or_else(|| self.not_compiled())?;
        let mut kinds = Vec::new();
        for sample in self.input_shapes() {
            kinds.push((with_batch(&sample, batch)?, DType::F32));
        }
        let outputs = &self.topology.outputs;
        for (n, value) in outputs.iter().enumerate() {
            let sample = self.value_shape(value).ok_or_else(|| self.not_compiled())?;
            kinds.push(match c.losses.of(n) {
                Some(loss) if loss.is_sparse() => {
                    let dims = sample.list();
                    let positions = Shape::new(&dims[..dims.len().saturating_sub(1)])?;
                    (with_batch(&positions, batch)?, DType::I32)
                }
                _ => (with_batch(sample, batch)?, DType::F32),
            });
        }
        self.step_plan(&Key { mode: Mode::Train, kinds, targets: outputs.len() }, options)
    }

    /// The first layer whose output on `xs` is not finite, for the message of a loss that is not; needs weights
    /// from before the update.
    pub(super) fn first_not_finite(&mut self, xs: &[Tensor]) -> Result<alloc::string::String> {
        let trace = Trace::new(&self.variables);
        let kinds: Vec<Kind> = xs.iter().map(|x| (*x.shape(), x.dtype())).collect();
        let inputs = trace_inputs(&trace, "x", &kinds);
        let mut call = Call::new(&trace, false, None);
        let values = self.call_layers(&mut call, &inputs)?;
        drop(call);
        let mut layers = Vec::new();
        for call in &self.topology.calls {
            for y in call.outputs.iter().filter_map(|v| values.get(*v as usize).copied().flatten()) {
                let layer = self.layers[call.layer as usize].name();
                trace.output(layer, y);
                layers.push(layer);
            }
        }
        let plan = Plan::compile(&trace.finish()?, &self.plan_options())?;
        let mut session = Session::new(plan, &self.device)?;
        xs.iter().enumerate().try_for_each(|(n, x)| session.set_input(n, x))?;
        session.run(&mut self.variables)?;
        let broken = |x: &Tensor| x.to_f32_vec().iter().any(|v| !v.is_finite());
        if xs.iter().any(broken) {
            return Ok("the input holds a value that is not finite; clean the data".into());
        }
        for (i, name) in layers.iter().enumerate() {
            if broken(&session.output_tensor(i, &self.variables)?) {
                return Ok(alloc::format!(
                    "{name} is the first layer whose output is not finite; lower the learning rate or scale the data"
                ));
            }
        }
        let last = self.output_layer(0);
        Ok(alloc::format!(
            "all layers are finite, so it arises in the loss of {last}'s output; check the targets"
        ))
    }
}

/// The shape of class indices for outputs of this shape.
fn sparse_target(output: &Shape) -> Result<Shape> {
    Shape::new(&output.list()[..output.rank() - 1])
}
