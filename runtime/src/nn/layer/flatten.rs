use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{Result, Shape, Var};
use serde::{Deserialize, Serialize};

/// All axes but the batch as one (`keras.layers.Flatten`).
///
/// **Shape**: `[batch, ..]` to `[batch, product of ..]`; `[batch]` to `[batch, 1]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Flatten {
    pub(super) base: Base,
    channels_first: bool,
}

impl Flatten {
    /// A flattening layer.
    pub fn new() -> Flatten {
        Flatten::default()
    }

    /// Whether the channels of the input are its first axis after the batch; they become the last ones
    /// (`data_format`).
    #[cfg(feature = "full")]
    pub fn channels_first(mut self, channels_first: bool) -> Flatten {
        self.channels_first = channels_first;
        self
    }
}

impl Layer for Flatten {
    named!("Flatten");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        Shape::new(&[input.numel()])
    }

    fn call<'b>(&self, _: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let batch = x.dim(0);
        #[cfg(feature = "full")]
        let x = match x.rank() {
            3.. if self.channels_first => {
                let order: alloc::vec::Vec<usize> = [0].into_iter().chain(2..x.rank()).chain([1]).collect();
                x.transpose(&order)
            }
            _ => x,
        };
        Ok(x.reshape(&[batch, x.shape().numel() / batch.max(1)]))
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Flatten(self.clone()))
    }
}
