use super::layer_normalization::{resolve_axes, sample_of};
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{Result, Shape, Var};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// `x / sqrt(sum(x²))` with the sum of each sample over `axis` (`keras.layers.UnitNormalization`).
///
/// **Shape**: any, unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnitNormalization {
    pub(super) base: Base,
    axis: Vec<i32>,
}

impl Default for UnitNormalization {
    fn default() -> UnitNormalization {
        UnitNormalization::new()
    }
}

impl UnitNormalization {
    /// Over the last axis.
    pub fn new() -> UnitNormalization {
        UnitNormalization { base: Base::default(), axis: alloc::vec![-1] }
    }

    /// The axes to normalize over, counted with the batch axis, negative from the end.
    pub fn axis(mut self, axes: &[i32]) -> UnitNormalization {
        self.axis = axes.to_vec();
        self
    }
}

/// `x` divided by its length over `axes`, or by `epsilon` where it is shorter.
pub(super) fn normalize<'b>(x: Var<'b>, axes: &[isize], epsilon: f32) -> Var<'b> {
    let factor = x.square().sum(axes, true).rsqrt();
    x * factor.minimum(factor.scalar_like(1.0 / epsilon))
}

impl Layer for UnitNormalization {
    named!("UnitNormalization");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        resolve_axes(&self.base, &self.axis, input).map(|_| *input)
    }

    fn call<'b>(&self, _: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let axes = resolve_axes(&self.base, &self.axis, &sample_of(x)?)?;
        let axes: Vec<isize> = axes.into_iter().map(|a| a as isize).collect();
        Ok(normalize(x, &axes, 1e-12))
    }

    fn passes_mask(&self) -> bool {
        true
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::UnitNormalization(self.clone()))
    }
}
