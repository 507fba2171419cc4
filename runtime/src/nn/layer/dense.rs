use super::param::{Affine, affine_setters, setters};
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{Result, Shape, Var, misuse};
use serde::{Deserialize, Serialize};

/// A fully connected layer: `activation(x · kernel + bias)` (`keras.layers.Dense`).
///
/// **Shape**: `[batch, .., in]` to `[batch, .., units]`; kernel `[in, units]`, bias `[units]`.
///
/// ```
/// use gradling::nn::{Activation, Dense};
/// let hidden = Dense::new(128).activation(Activation::Relu);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dense {
    pub(super) base: Base,
    units: usize,
    affine: Affine,
    #[serde(skip)]
    input: usize,
}

impl Dense {
    /// A layer of `units` outputs, linear, with a bias.
    pub fn new(units: usize) -> Dense {
        Dense { base: Base::default(), units, affine: Affine::new(), input: 0 }
    }
}

affine_setters!(Dense, kernel);

impl Layer for Dense {
    named!("Dense");

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        if input.rank() == 0 {
            return Err(misuse!(
                "{}: expected input of shape [batch, features], got [batch]; reshape it to [batch, 1]",
                self.base
            ));
        }
        if self.units == 0 {
            return Err(misuse!("{}: expected at least 1 unit, got 0", self.base));
        }
        self.input = input.dim(-1);
        self.affine.build(weights, ("kernel", &[self.input, self.units]), self.units)?;
        Ok(input.with_dim(-1, self.units))
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let kernel = self.affine.kernel.get(call, &self.base)?;
        if x.rank() < 2 || x.dim(-1) != self.input {
            return Err(misuse!(
                "{}: expected input of shape [batch, {}], got {}",
                self.base,
                self.input,
                x.shape()
            ));
        }
        // Leading axes are rows of one product.
        let rows = x.shape().numel() / self.input.max(1);
        let y = x.reshape(&[rows, self.input]).matmul(kernel);
        let y = y.reshaped(x.shape().with_dim(-1, self.units));
        self.affine.finish(call, &self.base, y)
    }

    fn passes_mask(&self) -> bool {
        true
    }

    fn multiply_adds(&self, input: &Shape, _: &Shape) -> u64 {
        input.numel() as u64 * self.units as u64
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Dense(self.clone()))
    }
}
