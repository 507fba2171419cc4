use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{Result, Shape, Var};
use serde::{Deserialize, Serialize};

/// All axes but the batch as one (`keras.layers.Flatten`).
///
/// **Shape**: `[batch, ..]` to `[batch, product of ..]`; `[batch]` to `[batch, 1]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Flatten {
    pub(super) base: Base,
}

impl Flatten {
    /// A flattening layer.
    pub fn new() -> Flatten {
        Flatten::default()
    }
}

impl Layer for Flatten {
    named!("Flatten");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        Shape::new(&[input.numel()])
    }

    fn call<'b>(&self, _: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let batch = x.dim(0);
        Ok(x.reshape(&[batch, x.shape().numel() / batch.max(1)]))
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Flatten(self.clone()))
    }
}
