use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{Result, Shape, Var, misuse};
use serde::{Deserialize, Serialize};

/// Leaves out the steps at which every feature is `mask_value` (`keras.layers.Masking`): they become zeros, and layers
/// after this one skip them.
///
/// **Shape**: `[batch, steps, ..]`, unchanged; the mask has all axes but the last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Masking {
    pub(super) base: Base,
    mask_value: f32,
}

impl Masking {
    /// Steps of this value do not count; Keras's default is 0.
    pub fn new(mask_value: f32) -> Masking {
        Masking { base: Base::default(), mask_value }
    }
}

impl Layer for Masking {
    named!("Masking");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        if input.rank() == 0 {
            return Err(misuse!("{}: expected input of shape [batch, .., features], got [batch]", self.base));
        }
        Ok(*input)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let counts = x.not_equal(x.scalar_like(self.mask_value)).any(&[-1], true);
        let y = Var::select(counts, x, x.scalar_like(0.0));
        call.set_mask(y, counts.squeeze(&[-1]));
        Ok(y)
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Masking(self.clone()))
    }
}
