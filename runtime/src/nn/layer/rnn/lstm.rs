//! Long short-term memory.

use super::gates::{Gates, cell_options, gate_options};
use super::{Cell, CellCall, RNN};
use crate::nn::Activation;
use crate::nn::layer::{Call, LayerConfig, Weights};
use crate::op::{self, RecurrentCell};
use crate::{Result, Shape, Var};
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// One step of a long short-term memory (`keras.layers.LSTMCell`; Hochreiter and Schmidhuber 1997). With
/// `z = x · kernel + h · recurrent_kernel + bias` split into four gates in the order i, f, c, o:
///
/// `c' = σ(z_f) ∘ c + σ(z_i) ∘ a(z_c)` and `h' = σ(z_o) ∘ a(c')`, where σ is the recurrent activation and a the
/// activation; the output is `h'`.
///
/// **Shape**: input `[batch, in]`, output and both states (h, c) `[batch, units]`; kernel `[in, 4 * units]`,
/// recurrent kernel `[units, 4 * units]`, bias `[4 * units]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LSTMCell {
    pub(super) gates: Gates,
    pub(super) activation: Activation,
    pub(super) recurrent_activation: Activation,
    pub(super) unit_forget_bias: bool,
}

/// A long short-term memory over time (`keras.layers.LSTM`; Hochreiter and Schmidhuber 1997): an [`LSTMCell`] at
/// every step.
///
/// **Shape**: `[batch, time, in]` to `[batch, units]`, the last h, or with `return_sequences` to
/// `[batch, time, units]`. Further inputs and outputs are those of [`RNN`]; the states are h and c.
///
/// ```
/// use gradling::nn::LSTM;
/// let layer = LSTM::new(80).return_sequences(true);
/// ```
pub type LSTM = RNN<LSTMCell>;

impl LSTMCell {
    /// A cell of `units` units with hyperbolic tangent, sigmoid gates and a bias that starts at one for the
    /// forget gate.
    pub fn new(units: usize) -> LSTMCell {
        LSTMCell {
            gates: Gates::new(units),
            activation: Activation::Tanh,
            recurrent_activation: Activation::Sigmoid,
            unit_forget_bias: true,
        }
    }
}

impl LSTM {
    /// A layer of `units` units with hyperbolic tangent, sigmoid gates and a bias that starts at one for the
    /// forget gate; it gives the last output.
    pub fn new(units: usize) -> LSTM {
        RNN::over(LSTMCell::new(units))
    }
}

gate_options!(LSTMCell);
cell_options! { LSTMCell:
    /// The function applied to the gates.
    recurrent_activation: Activation = recurrent_activation;
    /// Whether the bias of the forget gate starts at one (Jozefowicz et al. 2015).
    unit_forget_bias: bool = unit_forget_bias;
}

impl Cell for LSTMCell {
    fn name(&self) -> &str {
        "lstm_cell"
    }

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        let forget = self.unit_forget_bias.then_some(1);
        self.gates.build("LSTM", 4, &[], forget, input, weights)
    }

    fn states(&self) -> Vec<Shape> {
        Shape::new(&[self.gates.units]).map_or(Vec::new(), |s| vec![s, s])
    }

    fn begin<'b>(&self, call: &mut Call<'b>, batch: usize) -> Result<CellCall<'b>> {
        self.gates.begin(call, batch, &[4])
    }

    fn project<'b>(&self, shared: &CellCall<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let y = self.gates.project("LSTM", shared, x)?;
        Ok(shared.bias.map_or(y, |bias| y + bias))
    }

    fn step<'b>(
        &self,
        call: &mut Call<'b>,
        shared: &CellCall<'b>,
        x: Var<'b>,
        states: &[Var<'b>],
    ) -> Result<(Var<'b>, Vec<Var<'b>>)> {
        let z = x + shared.recurrent.product(states[0]);
        let usual = self.activation == Activation::Tanh && self.recurrent_activation == Activation::Sigmoid;
        if RecurrentCell::LINKED && usual {
            let results = op::cell::apply(RecurrentCell::Lstm, &[z, states[1]]);
            return Ok((results[0], vec![results[0], results[1]]));
        }
        let [i, f, c, o] = [0, 1, 2, 3].map(|gate| self.gates.gate(z, gate));
        let [i, f, o] = [i, f, o].map(|gate| self.recurrent_activation.apply(call, gate));
        let c = f * states[1] + i * self.activation.apply(call, c);
        let h = o * self.activation.apply(call, c);
        Ok((h, vec![h, c]))
    }

    fn set_trainable(&mut self, trainable: bool) {
        self.gates.base.trainable = trainable;
    }

    fn multiply_adds(&self) -> u64 {
        self.gates.multiply_adds(4)
    }

    fn layer_class() -> &'static str {
        "LSTM"
    }

    fn layer_config(layer: &LSTM) -> Option<LayerConfig> {
        Some(LayerConfig::LSTM(layer.clone()))
    }
}
