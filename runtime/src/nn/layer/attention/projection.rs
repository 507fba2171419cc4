//! Linear projections between features and heads.

use super::{Call, Weights};
use crate::nn::Initializer;
use crate::{Result, Shape, Var, VariableId, misuse};
use alloc::vec::Vec;

/// A product that maps the last axes `from` to the axes `to` (`keras.layers.EinsumDense`): kernel `from + to`,
/// bias `to`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Projection {
    from: Vec<usize>,
    to: Vec<usize>,
    kernel: Option<VariableId>,
    bias: Option<VariableId>,
}

/// How the weights of projections start.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Start {
    pub use_bias: bool,
    pub kernel: Initializer,
    pub bias: Initializer,
}

impl Default for Start {
    fn default() -> Start {
        Start { use_bias: true, kernel: Initializer::GlorotUniform, bias: Initializer::Zeros }
    }
}

impl Projection {
    /// Makes the weights `name/kernel` and `name/bias`.
    pub fn build(
        name: &str,
        from: &[usize],
        to: &[usize],
        start: &Start,
        weights: &mut Weights<'_>,
    ) -> Result<Projection> {
        let mut weights = weights.within(name);
        let kernel = weights.add("kernel", &[from, to].concat(), start.kernel, true)?;
        let bias = match start.use_bias {
            true => Some(weights.add("bias", to, start.bias, true)?),
            false => None,
        };
        Ok(Projection { from: from.to_vec(), to: to.to_vec(), kernel: Some(kernel), bias })
    }

    pub fn call<'b>(&self, call: &mut Call<'b>, layer: &str, x: Var<'b>) -> Result<Var<'b>> {
        let kernel = call.weight(layer, self.kernel)?;
        let dims = x.shape().to_vec();
        let lead = dims.len().saturating_sub(self.from.len());
        if dims[lead..] != self.from[..] {
            return Err(misuse!(
                "{layer}: expected input whose last axes are {:?}, got {}",
                self.from,
                x.shape()
            ));
        }
        let (inner, outer) = (self.from.iter().product(), self.to.iter().product());
        let rows = dims[..lead].iter().product();
        let mut y = x.reshape(&[rows, inner]).matmul(kernel.reshape(&[inner, outer]));
        if self.bias.is_some() {
            y = y + call.weight(layer, self.bias)?.reshape(&[outer]);
        }
        Ok(y.reshaped(Shape::new(&[&dims[..lead], &self.to].concat())?))
    }

    /// Multiply-add operations on one row.
    pub fn multiply_adds(&self) -> u64 {
        self.from.iter().chain(&self.to).map(|d| *d as u64).product()
    }
}
