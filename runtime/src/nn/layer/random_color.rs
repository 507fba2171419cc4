use super::param::setters;
use super::warp::Factor;
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{DType, Result, Shape, Var};
use serde::{Deserialize, Serialize};

/// While training, scales each image about its mean (`keras.layers.RandomContrast`), channels last:
/// `(x - mean) * factor + mean` with the mean of each channel, clipped to the value range.
///
/// **Shape**: `[batch, h, w, c]`, unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomContrast {
    pub(super) base: Base,
    factor: Factor,
    value_range: [f32; 2],
}

impl RandomContrast {
    /// With factors from `1 - lower` to `1 + upper`, both in [0, 1], for values from 0 to 255.
    pub fn new(lower: f32, upper: f32) -> RandomContrast {
        let factor = Factor { low: -lower, high: upper };
        RandomContrast { base: Base::default(), factor, value_range: [0.0, 255.0] }
    }
}

setters! { RandomContrast:
    /// The least and the largest value.
    value_range([f32; 2]) => value_range;
}

impl Layer for RandomContrast {
    named!("RandomContrast");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        super::expect_rank(&self.base, input, 3, "height, width, channels")?;
        self.factor.check(&self.base, [-1.0, 1.0])?;
        Ok(*input)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let x = x.cast(DType::F32);
        if !call.training() {
            return Ok(x);
        }
        let Some(factor) = self.factor.draw(call, x)? else { return Ok(x) };
        let mean = x.mean(&[1, 2], true);
        let y = (x - mean) * (factor.reshape(&[x.dim(0), 1, 1, 1]) + 1.0) + mean;
        Ok(y.clip(self.value_range[0], self.value_range[1]))
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::RandomContrast(self.clone()))
    }
}

/// While training, adds a number to each image (`keras.layers.RandomBrightness`): a share of the extent of the value
/// range, to which the sum is clipped.
///
/// **Shape**: `[batch, h, w, c]`, unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomBrightness {
    pub(super) base: Base,
    factor: Factor,
    value_range: [f32; 2],
}

impl RandomBrightness {
    /// With shares in [-1, 1], for values from 0 to 255.
    pub fn new(factor: impl Into<Factor>) -> RandomBrightness {
        RandomBrightness { base: Base::default(), factor: factor.into(), value_range: [0.0, 255.0] }
    }
}

setters! { RandomBrightness:
    /// The least and the largest value.
    value_range([f32; 2]) => value_range;
}

impl Layer for RandomBrightness {
    named!("RandomBrightness");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        super::expect_rank(&self.base, input, 3, "height, width, channels")?;
        self.factor.check(&self.base, [-1.0, 1.0])?;
        Ok(*input)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let x = x.cast(DType::F32);
        if !call.training() {
            return Ok(x);
        }
        let Some(share) = self.factor.draw(call, x)? else { return Ok(x) };
        let [low, high] = self.value_range;
        Ok((x + share.reshape(&[x.dim(0), 1, 1, 1]) * (high - low)).clip(low, high))
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::RandomBrightness(self.clone()))
    }
}
