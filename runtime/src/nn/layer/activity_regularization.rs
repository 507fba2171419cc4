use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{Result, Shape, Var};
use serde::{Deserialize, Serialize};

/// Its input, of which `(l1 * sum(|x|) + l2 * sum(x²)) / batch` is added to the loss
/// (`keras.layers.ActivityRegularization`).
///
/// **Shape**: any, unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActivityRegularization {
    pub(super) base: Base,
    l1: f32,
    l2: f32,
}

impl ActivityRegularization {
    /// The factors of the absolute values and of the squares.
    pub fn new(l1: f32, l2: f32) -> ActivityRegularization {
        ActivityRegularization { base: Base::default(), l1, l2 }
    }
}

impl Layer for ActivityRegularization {
    named!("ActivityRegularization");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        Ok(*input)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let penalty = x.abs().sum(&[], false) * self.l1 + x.square().sum(&[], false) * self.l2;
        call.add_loss(penalty / x.dim(0).max(1) as f32);
        Ok(x)
    }

    fn passes_mask(&self) -> bool {
        true
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::ActivityRegularization(self.clone()))
    }
}
