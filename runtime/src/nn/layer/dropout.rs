use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{Result, Shape, Var, misuse};
use serde::{Deserialize, Serialize};

/// While training, sets each element to zero with probability `rate` and divides the others by `1 - rate`
/// (`keras.layers.Dropout`; Srivastava et al. 2014).
///
/// **Shape**: any, unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dropout {
    pub(super) base: Base,
    rate: f32,
}

impl Dropout {
    /// Dropout with a rate in [0, 1].
    pub fn new(rate: f32) -> Dropout {
        Dropout { base: Base::default(), rate }
    }
}

impl Layer for Dropout {
    named!("Dropout");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        if !(0.0..=1.0).contains(&self.rate) {
            return Err(misuse!("{}: expected a rate in [0, 1], got {}", self.base, self.rate));
        }
        Ok(*input)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        if !call.training() || self.rate == 0.0 {
            return Ok(x);
        }
        let Some(uniform) = call.random_uniform(x.shape()) else { return Ok(x) };
        let keep = uniform.greater_equal(uniform.scalar_like(self.rate));
        let scale = if self.rate < 1.0 { 1.0 / (1.0 - self.rate) } else { 0.0 };
        Ok(Var::select(keep, x * scale, x.scalar_like(0.0)))
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Dropout(self.clone()))
    }
}
