use super::batch_normalization::{moments, resolve_axis};
use super::param::{Param, setters};
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::nn::Initializer;
use crate::{Result, Shape, Var, misuse};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// `gamma * (x - mean) / sqrt(variance + epsilon) + beta` with mean and variance (biased) of each sample over `axis`
/// (`keras.layers.LayerNormalization`; Ba et al. 2016).
///
/// **Shape**: any, unchanged; gamma and beta have the extents of the normalized axes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerNormalization {
    pub(super) base: Base,
    axis: Vec<i32>,
    epsilon: f32,
    center: bool,
    scale: bool,
    rms_scaling: bool,
    gamma: Param,
    beta: Param,
}

impl Default for LayerNormalization {
    fn default() -> LayerNormalization {
        LayerNormalization::new()
    }
}

impl LayerNormalization {
    /// Over the last axis, epsilon 0.001, with gamma and beta.
    pub fn new() -> LayerNormalization {
        LayerNormalization {
            base: Base::default(),
            axis: alloc::vec![-1],
            epsilon: 1e-3,
            center: true,
            scale: true,
            rms_scaling: false,
            gamma: Param::new(Initializer::Ones),
            beta: Param::new(Initializer::Zeros),
        }
    }

    /// The axes to normalize over, counted with the batch axis, negative from the end.
    pub fn axis(mut self, axes: &[i32]) -> LayerNormalization {
        self.axis = axes.to_vec();
        self
    }
}

setters! { LayerNormalization:
    /// What is added to the variance.
    epsilon(f32) => epsilon;
    /// Whether there is a beta.
    center(bool) => center;
    /// Whether there is a gamma.
    scale(bool) => scale;
    /// Divides by the deviation without taking the mean away; then there is a gamma and no beta.
    /// [`RMSNormalization`](super::RMSNormalization) divides by the root of the mean square.
    rms_scaling(bool) => rms_scaling;
    /// How gamma starts.
    gamma_initializer(Initializer) => gamma.initializer;
    /// The penalty of gamma.
    gamma_regularizer(crate::nn::Regularizer) => gamma.regularizer;
    /// What gamma is projected to after each step.
    gamma_constraint(crate::nn::Constraint) => gamma.constraint;
    /// How beta starts.
    beta_initializer(Initializer) => beta.initializer;
    /// The penalty of beta.
    beta_regularizer(crate::nn::Regularizer) => beta.regularizer;
    /// What beta is projected to after each step.
    beta_constraint(crate::nn::Constraint) => beta.constraint;
}

/// Several axes of a layer's option in order, without the batch axis.
pub(super) fn resolve_axes(layer: &str, axes: &[i32], sample: &Shape) -> Result<Vec<usize>> {
    let mut resolved =
        axes.iter().map(|a| resolve_axis(layer, *a, sample)).collect::<Result<Vec<usize>>>()?;
    resolved.sort_unstable();
    if resolved.is_empty() || resolved.windows(2).any(|w| w[0] == w[1]) {
        return Err(misuse!("{layer}: expected at least one axis and none twice, got {axes:?}"));
    }
    Ok(resolved)
}

/// The sample shape of a batch.
pub(super) fn sample_of(x: Var<'_>) -> Result<Shape> {
    Shape::new(x.shape().to_vec().get(1..).unwrap_or_default())
}

/// A weight of the extents of `axes`, so that it broadcasts over `x`.
pub(super) fn along<'b>(weight: Var<'b>, x: Var<'b>, axes: &[usize]) -> Var<'b> {
    let dims: Vec<usize> =
        (0..x.rank()).map(|a| if axes.contains(&a) { x.dim(a as isize) } else { 1 }).collect();
    weight.reshape(&dims)
}

impl Layer for LayerNormalization {
    named!("LayerNormalization");

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        let axes = resolve_axes(&self.base, &self.axis, input)?;
        let dims: Vec<usize> = axes.iter().map(|a| input.dim(*a as isize - 1)).collect();
        if self.scale || self.rms_scaling {
            self.gamma.build(weights, "gamma", &dims)?;
        }
        if self.center && !self.rms_scaling {
            self.beta.build(weights, "beta", &dims)?;
        }
        Ok(*input)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let axes = resolve_axes(&self.base, &self.axis, &sample_of(x)?)?;
        let over: Vec<isize> = axes.iter().map(|a| *a as isize).collect();
        let [mean, variance] = moments(x, &over);
        let mut factor = (variance + self.epsilon).rsqrt();
        if self.scale || self.rms_scaling {
            factor = factor * along(self.gamma.get(call, &self.base)?, x, &axes);
        }
        if self.rms_scaling {
            return Ok(x * factor);
        }
        let mut offset = -(mean * factor);
        if self.center {
            offset = offset + along(self.beta.get(call, &self.base)?, x, &axes);
        }
        Ok(x * factor + offset)
    }

    fn passes_mask(&self) -> bool {
        true
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::LayerNormalization(self.clone()))
    }
}
