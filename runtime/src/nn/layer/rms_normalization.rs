use super::layer_normalization::{along, resolve_axes, sample_of};
use super::param::{Param, setters};
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::nn::Initializer;
use crate::{Result, Shape, Var};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// `scale * x / sqrt(mean(x²) + epsilon)` with the mean of each sample over `axis` (`keras.layers.RMSNormalization`;
/// Zhang and Sennrich 2019).
///
/// **Shape**: any, unchanged; scale has the extents of the normalized axes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RMSNormalization {
    pub(super) base: Base,
    axis: Vec<i32>,
    epsilon: f32,
    scale: Param,
}

impl Default for RMSNormalization {
    fn default() -> RMSNormalization {
        RMSNormalization::new()
    }
}

impl RMSNormalization {
    /// Over the last axis, epsilon 1e-6.
    pub fn new() -> RMSNormalization {
        RMSNormalization {
            base: Base::default(),
            axis: alloc::vec![-1],
            epsilon: 1e-6,
            scale: Param::new(Initializer::Ones),
        }
    }

    /// The axes to normalize over, counted with the batch axis, negative from the end.
    pub fn axis(mut self, axes: &[i32]) -> RMSNormalization {
        self.axis = axes.to_vec();
        self
    }
}

setters! { RMSNormalization:
    /// What is added to the mean square.
    epsilon(f32) => epsilon;
}

impl Layer for RMSNormalization {
    named!("RMSNormalization");

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        let axes = resolve_axes(&self.base, &self.axis, input)?;
        let dims: Vec<usize> = axes.iter().map(|a| input.dim(*a as isize - 1)).collect();
        self.scale.build(weights, "scale", &dims)?;
        Ok(*input)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let axes = resolve_axes(&self.base, &self.axis, &sample_of(x)?)?;
        let over: Vec<isize> = axes.iter().map(|a| *a as isize).collect();
        let y = x * (x.square().mean(&over, true) + self.epsilon).rsqrt();
        Ok(y * along(self.scale.get(call, &self.base)?, x, &axes))
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::RMSNormalization(self.clone()))
    }
}
