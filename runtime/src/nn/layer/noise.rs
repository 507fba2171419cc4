use super::dropout::{check_rate, noise_over};
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{DType, Result, Shape, Var, math, misuse};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// While training, adds normal noise (`keras.layers.GaussianNoise`).
///
/// **Shape**: any, unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GaussianNoise {
    pub(super) base: Base,
    stddev: f32,
}

impl GaussianNoise {
    /// Noise of mean 0 and this standard deviation, in [0, 1] as in Keras.
    pub fn new(stddev: f32) -> GaussianNoise {
        GaussianNoise { base: Base::default(), stddev }
    }
}

impl Layer for GaussianNoise {
    named!("GaussianNoise");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        if !(0.0..=1.0).contains(&self.stddev) {
            let stddev = self.stddev;
            return Err(misuse!("{}: expected a standard deviation in [0, 1], got {stddev}", self.base));
        }
        Ok(*input)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        if !call.training() || self.stddev == 0.0 {
            return Ok(x);
        }
        Ok(call.random_normal(x.shape()).map_or(x, |noise| x + noise * self.stddev))
    }

    fn passes_mask(&self) -> bool {
        true
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::GaussianNoise(self.clone()))
    }
}

/// While training, multiplies by normal noise of mean 1 and standard deviation `sqrt(rate / (1 - rate))`
/// (`keras.layers.GaussianDropout`).
///
/// **Shape**: any, unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GaussianDropout {
    pub(super) base: Base,
    rate: f32,
}

impl GaussianDropout {
    /// Noise as strong as dropout with this rate, in [0, 1).
    pub fn new(rate: f32) -> GaussianDropout {
        GaussianDropout { base: Base::default(), rate }
    }
}

impl Layer for GaussianDropout {
    named!("GaussianDropout");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        if !(0.0..1.0).contains(&self.rate) {
            return Err(misuse!("{}: expected a rate in [0, 1), got {}", self.base, self.rate));
        }
        Ok(*input)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        if !call.training() || self.rate == 0.0 {
            return Ok(x);
        }
        let stddev = math::sqrt(self.rate / (1.0 - self.rate));
        Ok(call.random_normal(x.shape()).map_or(x, |noise| x * (noise * stddev + 1.0)))
    }

    fn passes_mask(&self) -> bool {
        true
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::GaussianDropout(self.clone()))
    }
}

/// Dropout that keeps mean and variance of what SELU gives (`keras.layers.AlphaDropout`; Klambauer et al. 2017): while
/// training, elements become SELU's lower limit with probability `rate`, then all are scaled and shifted.
///
/// **Shape**: any, unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlphaDropout {
    pub(super) base: Base,
    rate: f32,
    noise_shape: Option<Vec<Option<u32>>>,
}

impl AlphaDropout {
    /// Dropout with a rate in [0, 1).
    pub fn new(rate: f32) -> AlphaDropout {
        AlphaDropout { base: Base::default(), rate, noise_shape: None }
    }

    /// The extents of the noise, batch axis included; `None` is that of the input.
    pub fn noise_shape(mut self, noise_shape: &[Option<u32>]) -> AlphaDropout {
        self.noise_shape = Some(noise_shape.to_vec());
        self
    }
}

impl Layer for AlphaDropout {
    named!("AlphaDropout");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        check_rate(&self.base, self.rate)?;
        if self.rate == 1.0 {
            return Err(misuse!("{}: expected a rate in [0, 1), got 1", self.base));
        }
        Ok(*input)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let noise = noise_over(&self.base, &x.shape(), &self.noise_shape)?;
        if !call.training() || self.rate == 0.0 {
            return Ok(x);
        }
        let Some(uniform) = call.random_uniform(noise) else { return Ok(x) };
        /// SELU's limit toward minus infinity: its scale times its alpha.
        const LIMIT: f32 = -1.758_099_3;
        let scale = 1.0 / math::sqrt((1.0 - self.rate) * (1.0 + self.rate * LIMIT * LIMIT));
        let keep = uniform.greater_equal(uniform.scalar_like(self.rate)).cast(DType::F32);
        let y = x * keep + (1.0 - keep) * LIMIT;
        Ok(y * scale + -scale * LIMIT * self.rate)
    }

    fn passes_mask(&self) -> bool {
        true
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::AlphaDropout(self.clone()))
    }
}
