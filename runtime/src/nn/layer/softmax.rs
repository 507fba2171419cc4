use super::layer_normalization::{resolve_axes, sample_of};
use super::merge::over;
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::nn::Activation;
use crate::{DType, Result, Shape, Var};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// `e^x / sum(e^x)` over `axis` (`keras.layers.Softmax`). Cells that the mask leaves out get 0, all of them if it
/// leaves out all.
///
/// **Shape**: any, unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Softmax {
    pub(super) base: Base,
    axis: Vec<i32>,
}

impl Default for Softmax {
    fn default() -> Softmax {
        Softmax::new()
    }
}

impl Softmax {
    /// Over the last axis.
    pub fn new() -> Softmax {
        Softmax { base: Base::default(), axis: alloc::vec![-1] }
    }

    /// The axes to normalize over, counted with the batch axis, negative from the end.
    pub fn axis(mut self, axes: &[i32]) -> Softmax {
        self.axis = axes.to_vec();
        self
    }
}

impl Layer for Softmax {
    named!("Softmax");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        resolve_axes(&self.base, &self.axis, input).map(|_| *input)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let axes = resolve_axes(&self.base, &self.axis, &sample_of(x)?)?;
        let last = axes == [x.rank() - 1];
        let mask = call.mask(x).map(|mask| over(mask, x));
        // Keras's stand-in for minus infinity.
        let logits = mask.map_or(x, |mask| Var::select(mask, x, x.scalar_like(-1e9)));
        if last && mask.is_none() {
            return Ok(Activation::Softmax.apply(call, x));
        }
        let over: Vec<isize> = axes.into_iter().map(|a| a as isize).collect();
        let e = (logits - logits.max(&over, true).stop_gradient()).exp();
        let y = e / e.sum(&over, true);
        Ok(mask.map_or(y, |mask| y * mask.cast(DType::F32)))
    }

    fn passes_mask(&self) -> bool {
        true
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Softmax(self.clone()))
    }
}
