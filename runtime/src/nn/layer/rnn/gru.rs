//! Gated recurrent unit.

use super::gates::{Gates, cell_options, gate_options};
use super::{Cell, CellCall, RNN};
use crate::nn::Activation;
use crate::nn::layer::{Call, LayerConfig, Weights};
use crate::op::{self, RecurrentCell};
use crate::{Result, Shape, Var};
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// One step of a gated recurrent unit (`keras.layers.GRUCell`; Cho et al. 2014). Input and state products have
/// three gates in the order z, r, h, `x · kernel + b = [x_z, x_r, x_h]`, and with σ the recurrent activation and
/// a the activation
///
/// `z = σ(x_z + h · U_z)`, `r = σ(x_r + h · U_r)`, `h' = z ∘ h + (1 - z) ∘ a(candidate)`, where the candidate is
/// `x_h + r ∘ (h · U_h)` with `reset_after` (the default; as in cuDNN) and `x_h + (r ∘ h) · U_h` without.
///
/// **Shape**: input `[batch, in]`, output and state `[batch, units]`; kernel `[in, 3 * units]`, recurrent kernel
/// `[units, 3 * units]`, bias `[3 * units]`, or with `reset_after` `[2, 3 * units]`: the second row is added to
/// the recurrent products.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GRUCell {
    pub(super) gates: Gates,
    pub(super) activation: Activation,
    pub(super) recurrent_activation: Activation,
    pub(super) reset_after: bool,
}

/// A gated recurrent unit over time (`keras.layers.GRU`; Cho et al. 2014): a [`GRUCell`] at every step.
///
/// **Shape**: `[batch, time, in]` to `[batch, units]`, the last h, or with `return_sequences` to
/// `[batch, time, units]`. Further inputs and outputs are those of [`RNN`].
///
/// ```
/// use gradling::nn::GRU;
/// let layer = GRU::new(80).reset_after(false);
/// ```
pub type GRU = RNN<GRUCell>;

impl GRUCell {
    /// A cell of `units` units with hyperbolic tangent, sigmoid gates and a bias.
    pub fn new(units: usize) -> GRUCell {
        GRUCell {
            gates: Gates::new(units),
            activation: Activation::Tanh,
            recurrent_activation: Activation::Sigmoid,
            reset_after: true,
        }
    }
}

impl GRU {
    /// A layer of `units` units with hyperbolic tangent, sigmoid gates and a bias; it gives the last output.
    pub fn new(units: usize) -> GRU {
        RNN::over(GRUCell::new(units))
    }
}

gate_options!(GRUCell);
cell_options! { GRUCell:
    /// The function applied to the gates.
    recurrent_activation: Activation = recurrent_activation;
    /// Whether the reset gate applies after the recurrent product rather than before.
    reset_after: bool = reset_after;
}

impl Cell for GRUCell {
    fn name(&self) -> &str {
        "gru_cell"
    }

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        let rows: &[usize] = if self.reset_after { &[2] } else { &[] };
        self.gates.build("GRU", 3, rows, None, input, weights)
    }

    fn states(&self) -> Vec<Shape> {
        Shape::new(&[self.gates.units]).into_iter().collect()
    }

    fn begin<'b>(&self, call: &mut Call<'b>, batch: usize) -> Result<CellCall<'b>> {
        let groups: &[usize] = if self.reset_after { &[3] } else { &[2, 1] };
        let mut shared = self.gates.begin(call, batch, groups)?;
        if let (true, Some(bias)) = (self.reset_after, shared.bias) {
            let units = self.gates.units;
            let row = |n: usize, at: usize, size: usize| bias.slice(&[n, at], &[1, size]).reshape(&[size]);
            // Where both rows are only added, they are added ahead of the loop.
            let both = row(0, 0, 2 * units) + row(1, 0, 2 * units);
            shared.bias = Some(Var::concat(&[both, row(0, 2 * units, units)], 0));
            // The candidate's alone is added to the product of the state. Spread once, so that its gradient is one sum
            // over the batch.
            let none = bias.scalar_like(0.0).broadcast_to(&[2 * units]);
            let inner = Var::concat(&[none, row(1, 2 * units, units)], 0);
            shared.values.push(inner.broadcast_to(&[batch, 3 * units]));
        }
        Ok(shared)
    }

    fn project<'b>(&self, shared: &CellCall<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let y = self.gates.project("GRU", shared, x)?;
        Ok(shared.bias.map_or(y, |bias| y + bias))
    }

    fn step<'b>(
        &self,
        call: &mut Call<'b>,
        shared: &CellCall<'b>,
        x: Var<'b>,
        states: &[Var<'b>],
    ) -> Result<(Var<'b>, Vec<Var<'b>>)> {
        let (h, gates) = (states[0], &self.gates);
        let inner = self.reset_after.then(|| {
            let inner = shared.recurrent.product(h);
            shared.values.first().map_or(inner, |bias| inner + *bias)
        });
        let usual = self.activation == Activation::Tanh && self.recurrent_activation == Activation::Sigmoid;
        if let (Some(inner), true) = (inner, RecurrentCell::LINKED && usual) {
            let results = op::cell::apply(RecurrentCell::Gru, &[x, inner, h]);
            return Ok((results[0], vec![results[0]]));
        }
        let [x_z, x_r, x_h] = [0, 1, 2].map(|n| gates.gate(x, n));
        let (z, r, candidate);
        if let Some(inner) = inner {
            let [h_z, h_r, h_h] = [0, 1, 2].map(|n| gates.gate(inner, n));
            z = self.recurrent_activation.apply(call, x_z + h_z);
            r = self.recurrent_activation.apply(call, x_r + h_r);
            candidate = x_h + r * h_h;
        } else {
            let last = shared.recurrent.factors.len() - 1;
            let parts: Vec<Var<'b>> = (0..last).map(|i| shared.recurrent.part(i, h)).collect();
            let inner = Var::concat(&parts, -1);
            z = self.recurrent_activation.apply(call, x_z + gates.gate(inner, 0));
            r = self.recurrent_activation.apply(call, x_r + gates.gate(inner, 1));
            candidate = x_h + shared.recurrent.part(last, r * h);
        }
        let new = self.activation.apply(call, candidate);
        let h = z * h + (1.0 - z) * new;
        Ok((h, vec![h]))
    }

    fn set_trainable(&mut self, trainable: bool) {
        self.gates.base.trainable = trainable;
    }

    fn multiply_adds(&self) -> u64 {
        self.gates.multiply_adds(3)
    }

    fn layer_class() -> &'static str {
        "GRU"
    }

    fn layer_config(layer: &GRU) -> Option<LayerConfig> {
        Some(LayerConfig::GRU(layer.clone()))
    }
}
