//! Recurrent layers: a cell, and the loop over time that runs it.

mod cell;
mod gates;
mod gru;
mod lstm;
mod simple;
mod stacked;

pub use cell::{Cell, CellCall, CellConfig};
pub(in crate::nn) use gates::dropout_mask;
pub use gru::{GRU, GRUCell};
pub use lstm::{LSTM, LSTMCell};
pub use simple::{SimpleRNN, SimpleRNNCell};
pub use stacked::{StackedRNN, StackedRNNCells};

use super::{Base, Call, Layer, LayerConfig, Weights, batched, named};
use crate::nn::{Initializer, Regularizer};
use crate::{DType, Result, Shape, Var, VariableId, misuse};
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A cell over time (`keras.layers.RNN`).
///
/// The loop is unrolled while tracing: the inputs of all steps are projected by one product ahead of it, and a
/// plan fuses what is elementwise in each step.
///
/// **Inputs**: the sequence `[batch, time, ..]`, and optionally one initial state `[batch, ..]` for each state of
/// the cell; without them states start at zero, or where the batch before left them if the layer is stateful.
///
/// **Outputs**: the last output `[batch, ..]`, or with `return_sequences` all outputs `[batch, time, ..]`; with
/// `return_state` also the last states.
///
/// **Masks**: at a time step that the input's mask leaves out, the states stay and the output is the one before
/// (zeros before the first step that counts), or zeros with `zero_output_for_mask`. With `return_sequences` the
/// output has the input's mask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RNN<C> {
    pub(in crate::nn::layer) base: Base,
    pub(in crate::nn::layer) options: Recurrence,
    cell: C,
    activity_regularizer: Option<Regularizer>,
    #[serde(skip)]
    input: Option<Shape>,
    #[serde(skip)]
    state: Vec<VariableId>,
}

/// The options that all recurrent layers have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recurrence {
    /// Whether to give the outputs of all steps rather than the last.
    pub return_sequences: bool,
    /// Whether to give the last states, too.
    pub return_state: bool,
    /// Whether to run from the last step to the first; outputs are in the order in which they are computed.
    pub go_backwards: bool,
    /// The batch size of a layer that starts where the batch before left it.
    pub stateful: Option<usize>,
    /// Accepted for Keras's sake: the loop is always unrolled.
    pub unroll: bool,
    /// Whether outputs at masked steps are zero rather than the output before.
    pub zero_output_for_mask: bool,
}

impl<C: Cell> RNN<C> {
    /// A layer that runs `cell` and gives the last output.
    pub fn over(cell: C) -> RNN<C> {
        RNN {
            base: Base::default(),
            options: Recurrence::default(),
            cell,
            activity_regularizer: None,
            input: None,
            state: Vec::new(),
        }
    }

    /// Whether to give the outputs of all steps rather than the last.
    pub fn return_sequences(mut self, return_sequences: bool) -> Self {
        self.options.return_sequences = return_sequences;
        self
    }

    /// Whether to give the last states, too.
    pub fn return_state(mut self, return_state: bool) -> Self {
        self.options.return_state = return_state;
        self
    }

    /// Whether to run from the last step to the first; outputs are in the order in which they are computed.
    pub fn go_backwards(mut self, go_backwards: bool) -> Self {
        self.options.go_backwards = go_backwards;
        self
    }

    /// Starts each batch, always of `batch` samples, with the states in which the batch before ended. They are
    /// the weights `rnn_state`, `rnn_state_1`, …, which training does not change; setting them to zero starts
    /// anew (`reset_state`).
    pub fn stateful(mut self, batch: usize) -> Self {
        self.options.stateful = Some(batch);
        self
    }

    /// Accepted for Keras's sake: the loop is always unrolled.
    pub fn unroll(mut self, unroll: bool) -> Self {
        self.options.unroll = unroll;
        self
    }

    /// Whether outputs at masked steps are zero rather than the output before.
    pub fn zero_output_for_mask(mut self, zero_output_for_mask: bool) -> Self {
        self.options.zero_output_for_mask = zero_output_for_mask;
        self
    }

    /// The penalty of the outputs, divided by the batch size.
    pub fn activity_regularizer(mut self, activity_regularizer: Regularizer) -> Self {
        self.activity_regularizer = Some(activity_regularizer);
        self
    }

    /// The states before the first step.
    fn initial<'b>(&self, call: &Call<'b>, batch: usize, given: &[Var<'b>]) -> Result<Vec<Var<'b>>> {
        let shapes = self.cell.states();
        let full = |s: &Shape| with_leading(batch, s);
        if !given.is_empty() {
            self.check_states(given.len(), shapes.len())?;
            for (state, shape) in given.iter().zip(&shapes) {
                let wanted = full(shape)?;
                if state.shape() != wanted {
                    return Err(misuse!(
                        "{}: expected an initial state of shape {wanted}, got {}",
                        self.base,
                        state.shape()
                    ));
                }
            }
            return Ok(given.to_vec());
        }
        match self.options.stateful {
            None => shapes.iter().map(|s| Ok(call.trace().scalar(0.0).broadcast(full(s)?))).collect(),
            Some(size) if size == batch => Ok(self.state.iter().map(|id| call.state(*id)).collect()),
            Some(size) => Err(misuse!(
                "{}: a stateful layer takes batches of {size} samples, got {batch}; drop the remainder",
                self.base
            )),
        }
    }

    fn check_states(&self, got: usize, wanted: usize) -> Result<()> {
        if got != 0 && got != wanted {
            return Err(misuse!(
                "{}: expected a sequence and {wanted} initial states, got {got} states",
                self.base
            ));
        }
        Ok(())
    }

    fn several(&self) -> Result<()> {
        if self.options.return_state {
            return Err(misuse!("{}: return_state gives several outputs; use a functional model", self.base));
        }
        Ok(())
    }
}

/// `[n, ..]`
pub(in crate::nn::layer) fn with_leading(n: usize, shape: &Shape) -> Result<Shape> {
    let mut dims = vec![n];
    dims.extend(shape.dims().iter().map(|d| *d as usize));
    Shape::new(&dims)
}

impl<C: Cell> RNN<C> {
    fn set_inner_trainable(&mut self, trainable: bool) {
        self.cell.set_trainable(trainable);
    }
}

impl<C: Cell> Layer for RNN<C> {
    named!(C::layer_class(), set_inner_trainable);

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        self.several()?;
        Ok(self.build_many(&[*input], weights)?[0])
    }

    fn build_many(&mut self, inputs: &[Shape], weights: &mut Weights<'_>) -> Result<Vec<Shape>> {
        let Some(input) = inputs.first().filter(|s| s.rank() >= 1) else {
            let got = inputs.first().map_or("nothing".into(), batched);
            return Err(misuse!("{}: expected input of shape [batch, time, ..], got {got}", self.base));
        };
        let step = Shape::new(&input.to_vec()[1..])?;
        let name: alloc::string::String = self.cell.name().into();
        self.cell.set_trainable(self.base.trainable);
        let output = self.cell.build(&step, &mut weights.within(&name))?;
        let states = self.cell.states();
        self.check_states(inputs.len() - 1, states.len())?;
        self.input = Some(step);
        self.state.clear();
        if let Some(batch) = self.options.stateful {
            for (i, shape) in states.iter().enumerate() {
                let name = if i == 0 { "rnn_state".into() } else { alloc::format!("rnn_state_{i}") };
                let dims = with_leading(batch, shape)?.to_vec();
                self.state.push(weights.add(&name, &dims, Initializer::Zeros, false)?);
            }
        }
        let time = input.dim(0);
        let y = if self.options.return_sequences { with_leading(time, &output)? } else { output };
        let mut outputs = vec![y];
        if self.options.return_state {
            outputs.extend(states);
        }
        Ok(outputs)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        self.several()?;
        Ok(self.call_many(call, &[x])?[0])
    }

    fn call_many<'b>(&self, call: &mut Call<'b>, inputs: &[Var<'b>]) -> Result<Vec<Var<'b>>> {
        let x = inputs[0];
        let wanted =
            self.input.ok_or_else(|| misuse!("{}: not built; call model.build or fit first", self.base))?;
        let dims = x.shape().to_vec();
        if dims.len() != wanted.rank() + 2 || dims[2..] != wanted.to_vec()[..] || dims[1] == 0 {
            return Err(misuse!(
                "{}: expected input of shape [batch, time, ..] with steps of shape {wanted}, got {}",
                self.base,
                x.shape()
            ));
        }
        let (batch, time) = (dims[0], dims[1]);
        let mut states = self.initial(call, batch, &inputs[1..])?;
        let mask = call.mask(x);
        let keep = mask.map(|m| m.cast(DType::Bool).transpose(&[1, 0]));

        let shared = self.cell.begin(call, batch)?;
        let projected = self.cell.project(&shared, swap_leading(x))?;
        let mut previous: Option<Var<'b>> = None;
        let mut outputs = Vec::new();
        for n in 0..time {
            let t = if self.options.go_backwards { time - 1 - n } else { n };
            let (mut y, mut new) = self.cell.step(call, &shared, leading(projected, t), &states)?;
            call.forget_logits(y);
            let mut shown = y;
            if let Some(keep) = keep {
                let keep = |like: Var<'b>| {
                    let mut dims = vec![1; like.rank()];
                    dims[0] = batch;
                    leading(keep, t).reshape(&dims)
                };
                let before = previous.unwrap_or_else(|| y.zeros_like());
                for (new, old) in new.iter_mut().zip(&states) {
                    *new = Var::select(keep(*new), *new, *old);
                }
                let step = y;
                y = Var::select(keep(step), step, before);
                let zeros = self.options.zero_output_for_mask;
                shown = if zeros { Var::select(keep(step), step, step.scalar_like(0.0)) } else { y };
            }
            (previous, states) = (Some(y), new);
            if self.options.return_sequences || n + 1 == time {
                outputs.push(shown);
            }
        }
        for (id, state) in self.state.iter().zip(&states) {
            call.set_state(*id, *state);
        }
        let y = if self.options.return_sequences {
            let y = swap_leading(stacked(&outputs)?);
            if let Some(mask) = mask {
                call.set_mask(y, mask);
            }
            y
        } else {
            outputs[0]
        };
        let mut results = vec![y];
        if self.options.return_state {
            results.extend(states);
        }
        if let Some(regularizer) = self.activity_regularizer {
            results.iter().for_each(|y| call.add_loss(regularizer.call(*y) / batch as f32));
        }
        Ok(results)
    }

    fn multiply_adds(&self, input: &Shape, _: &Shape) -> u64 {
        self.cell.multiply_adds() * input.dim(0) as u64
    }

    fn recurrence(&mut self) -> Option<&mut Recurrence> {
        Some(&mut self.options)
    }

    fn config(&self) -> Option<LayerConfig> {
        C::layer_config(self)
    }
}

/// `[a, b, ..]` as `[b, a, ..]`.
pub(in crate::nn::layer) fn swap_leading(x: Var<'_>) -> Var<'_> {
    let mut order: Vec<usize> = (0..x.rank()).collect();
    if order.len() >= 2 {
        order.swap(0, 1);
    }
    x.transpose(&order)
}

/// Element `n` of the first axis.
pub(in crate::nn::layer) fn leading(x: Var<'_>, n: usize) -> Var<'_> {
    let dims = x.shape().to_vec();
    let (mut begin, mut size) = (vec![0; dims.len()], dims.clone());
    (begin[0], size[0]) = (n, 1);
    x.slice(&begin, &size).reshape(&dims[1..])
}

/// Values of one shape along a new first axis.
pub(in crate::nn::layer) fn stacked<'b>(values: &[Var<'b>]) -> Result<Var<'b>> {
    let Some(first) = values.first() else { return Err(misuse!("stack: expected at least one value")) };
    let one = with_leading(1, &first.shape())?;
    let rows: Vec<Var<'b>> = values.iter().map(|v| v.reshaped(one)).collect();
    Ok(Var::concat(&rows, 0))
}
