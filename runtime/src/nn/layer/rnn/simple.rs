//! Elman's recurrent layer.

use super::gates::{Gates, gate_options};
use super::{Cell, CellCall, RNN};
use crate::nn::Activation;
use crate::nn::layer::{Call, LayerConfig, Weights};
use crate::{Result, Shape, Var};
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// One step of a fully connected recurrent layer (`keras.layers.SimpleRNNCell`; Elman 1990):
/// `h' = activation(x · kernel + h · recurrent_kernel + bias)`; the output is `h'`.
///
/// **Shape**: input `[batch, in]`, output and state `[batch, units]`; kernel `[in, units]`, recurrent kernel
/// `[units, units]`, bias `[units]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimpleRNNCell {
    pub(super) gates: Gates,
    pub(super) activation: Activation,
}

/// A fully connected recurrent layer over time (`keras.layers.SimpleRNN`; Elman 1990):
/// `h_t = activation(x_t · kernel + h_{t-1} · recurrent_kernel + bias)`.
///
/// **Shape**: `[batch, time, in]` to `[batch, units]`, the last `h_t`, or with `return_sequences` to
/// `[batch, time, units]`. Further inputs and outputs are those of [`RNN`].
///
/// ```
/// use gradling::nn::SimpleRNN;
/// let layer = SimpleRNN::new(80).return_sequences(true).dropout(0.2);
/// ```
pub type SimpleRNN = RNN<SimpleRNNCell>;

impl SimpleRNNCell {
    /// A cell of `units` units with hyperbolic tangent and a bias.
    pub fn new(units: usize) -> SimpleRNNCell {
        SimpleRNNCell { gates: Gates::new(units), activation: Activation::Tanh }
    }
}

impl SimpleRNN {
    /// A layer of `units` units with hyperbolic tangent and a bias, which gives the last output.
    pub fn new(units: usize) -> SimpleRNN {
        RNN::over(SimpleRNNCell::new(units))
    }
}

gate_options!(SimpleRNNCell);

impl Cell for SimpleRNNCell {
    fn name(&self) -> &str {
        "simple_rnn_cell"
    }

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        self.gates.build("SimpleRNN", 1, &[], None, input, weights)
    }

    fn states(&self) -> Vec<Shape> {
        Shape::new(&[self.gates.units]).into_iter().collect()
    }

    fn begin<'b>(&self, call: &mut Call<'b>, batch: usize) -> Result<CellCall<'b>> {
        self.gates.begin(call, batch, &[1])
    }

    fn project<'b>(&self, shared: &CellCall<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let y = self.gates.project("SimpleRNN", shared, x)?;
        Ok(shared.bias.map_or(y, |bias| y + bias))
    }

    fn step<'b>(
        &self,
        call: &mut Call<'b>,
        shared: &CellCall<'b>,
        x: Var<'b>,
        states: &[Var<'b>],
    ) -> Result<(Var<'b>, Vec<Var<'b>>)> {
        let h = self.activation.apply(call, x + shared.recurrent.product(states[0]));
        Ok((h, vec![h]))
    }

    fn set_trainable(&mut self, trainable: bool) {
        self.gates.base.trainable = trainable;
    }

    fn multiply_adds(&self) -> u64 {
        self.gates.multiply_adds(1)
    }

    fn layer_class() -> &'static str {
        "SimpleRNN"
    }

    fn layer_config(layer: &SimpleRNN) -> Option<LayerConfig> {
        Some(LayerConfig::SimpleRNN(layer.clone()))
    }
}
