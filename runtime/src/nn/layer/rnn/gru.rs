//! Gated recurrent unit.

use super::gates::{Gates, cell_options, gate_options};
use super::{Cell, CellCall, Rnn};
use crate::nn::Activation;
use crate::nn::layer::{Call, LayerConfig, Weights};
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
pub struct GruCell {
    pub(super) gates: Gates,
    pub(super) activation: Activation,
    pub(super) recurrent_activation: Activation,
    pub(super) reset_after: bool,
}

/// A gated recurrent unit over time (`keras.layers.GRU`; Cho et al. 2014): a [`GruCell`] at every step.
///
/// **Shape**: `[batch, time, in]` to `[batch, units]`, the last h, or with `return_sequences` to
/// `[batch, time, units]`. Further inputs and outputs are those of [`Rnn`].
///
/// ```
/// use gradling::nn::Gru;
/// let layer = Gru::new(80).reset_after(false);
/// ```
pub type Gru = Rnn<GruCell>;

impl GruCell {
    /// A cell of `units` units with hyperbolic tangent, sigmoid gates and a bias.
    pub fn new(units: usize) -> GruCell {
        GruCell {
            gates: Gates::new(units),
            activation: Activation::Tanh,
            recurrent_activation: Activation::Sigmoid,
            reset_after: true,
        }
    }
}

impl Gru {
    /// A layer of `units` units with hyperbolic tangent, sigmoid gates and a bias; it gives the last output.
    pub fn new(units: usize) -> Gru {
        Rnn::over(GruCell::new(units))
    }
}

gate_options!(GruCell);
cell_options! { GruCell:
    /// The function applied to the gates.
    recurrent_activation: Activation = recurrent_activation;
    /// Whether the reset gate applies after the recurrent product rather than before.
    reset_after: bool = reset_after;
}

impl Cell for GruCell {
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
        let mut shared = self.gates.begin(call, "GRU", batch, groups)?;
        if let (true, Some(bias)) = (self.reset_after, shared.bias) {
            let columns = 3 * self.gates.units;
            let row = |n: usize| bias.slice(&[n, 0], &[1, columns]).reshape(&[columns]);
            shared.bias = Some(row(0));
            // Spread once, so that its gradient is one sum over the batch.
            shared.values.push(row(1).broadcast_to(&[batch, columns]));
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
        let (h, units) = (states[0], self.gates.units);
        let (z, r, candidate);
        if self.reset_after {
            let mut inner = shared.recurrent.product(h);
            if let Some(bias) = shared.values.first() {
                inner = inner + *bias;
            }
            let sum = x + inner;
            z = self.recurrent_activation.apply(call, self.gates.gate(sum, 0));
            r = self.recurrent_activation.apply(call, self.gates.gate(sum, 1));
            candidate = self.gates.gate(x, 2) + r * self.gates.gate(inner, 2);
        } else {
            let last = shared.recurrent.factors.len() - 1;
            let parts: Vec<Var<'b>> = (0..last).map(|i| shared.recurrent.part(i, h)).collect();
            let sum = x.slice(&[0, 0], &[x.dim(0), 2 * units]) + Var::concat(&parts, -1);
            z = self.recurrent_activation.apply(call, self.gates.gate(sum, 0));
            r = self.recurrent_activation.apply(call, self.gates.gate(sum, 1));
            candidate = self.gates.gate(x, 2) + shared.recurrent.part(last, r * h);
        }
        let new = self.activation.apply(call, candidate);
        let h = z * h + (1.0 - z) * new;
        Ok((h, vec![h]))
    }

    fn multiply_adds(&self) -> u64 {
        self.gates.multiply_adds(3)
    }

    fn layer_class() -> &'static str {
        "GRU"
    }

    fn layer_config(layer: &Gru) -> Option<LayerConfig> {
        Some(LayerConfig::Gru(layer.clone()))
    }
}
