use super::param::setters;
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{Result, Shape, Var, misuse};
use serde::{Deserialize, Serialize};

/// `max(x, 0)` with options (`keras.layers.ReLU`): `x` between the threshold and `max_value`, `max_value` above,
/// `negative_slope * (x - threshold)` below.
///
/// **Shape**: any, unchanged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReLU {
    pub(super) base: Base,
    max_value: Option<f32>,
    negative_slope: f32,
    threshold: f32,
}

impl ReLU {
    /// `max(x, 0)`.
    pub fn new() -> ReLU {
        ReLU::default()
    }
}

setters! { ReLU:
    /// The greatest value, if there is one.
    max_value(Option<f32>) => max_value;
    /// The slope below the threshold.
    negative_slope(f32) => negative_slope;
    /// Where the function leaves zero.
    threshold(f32) => threshold;
}

impl Layer for ReLU {
    named!("ReLU");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        let numbers = [self.max_value.unwrap_or(0.0), self.negative_slope, self.threshold];
        if !numbers.iter().all(|n| *n >= 0.0) {
            return Err(misuse!(
                "{}: expected max_value, negative_slope and threshold of 0 or more, got {numbers:?}",
                self.base
            ));
        }
        Ok(*input)
    }

    fn call<'b>(&self, _: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        Ok(x.relu_with(self.negative_slope, self.max_value, self.threshold))
    }

    fn passes_mask(&self) -> bool {
        true
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::ReLU(self.clone()))
    }
}

/// `x` above 0, else `negative_slope * x` (`keras.layers.LeakyReLU`).
///
/// **Shape**: any, unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeakyReLU {
    pub(super) base: Base,
    negative_slope: f32,
}

impl LeakyReLU {
    /// With this slope below 0; Keras's default is 0.3.
    pub fn new(negative_slope: f32) -> LeakyReLU {
        LeakyReLU { base: Base::default(), negative_slope }
    }
}

impl Layer for LeakyReLU {
    named!("LeakyReLU");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        if self.negative_slope.is_nan() || self.negative_slope < 0.0 {
            let slope = self.negative_slope;
            return Err(misuse!("{}: expected a slope of 0 or more, got {slope}", self.base));
        }
        Ok(*input)
    }

    fn call<'b>(&self, _: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        Ok(x.leaky_relu(self.negative_slope))
    }

    fn passes_mask(&self) -> bool {
        true
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::LeakyReLU(self.clone()))
    }
}

/// `x` above 0, else `alpha * (e^x - 1)` (`keras.layers.ELU`; Clevert et al. 2016).
///
/// **Shape**: any, unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ELU {
    pub(super) base: Base,
    alpha: f32,
}

impl ELU {
    /// With this limit toward minus infinity, negated; Keras's default is 1.
    pub fn new(alpha: f32) -> ELU {
        ELU { base: Base::default(), alpha }
    }
}

impl Layer for ELU {
    named!("ELU");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        Ok(*input)
    }

    fn call<'b>(&self, _: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        Ok(x.elu(self.alpha))
    }

    fn passes_mask(&self) -> bool {
        true
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::ELU(self.clone()))
    }
}
