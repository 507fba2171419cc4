//! Initializers (`keras.initializers`).

use crate::rng::Rng;
use crate::{Result, Shape, Tensor, math};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// How a weight starts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Initializer {
    /// All zero.
    Zeros,
    /// All one.
    Ones,
    /// All this value.
    Constant(f32),
    /// Uniform in `[low, high)`.
    RandomUniform(f32, f32),
    /// Normal with mean and standard deviation.
    RandomNormal(f32, f32),
    /// Uniform within `sqrt(6 / (fan_in + fan_out))` (Glorot and Bengio 2010).
    GlorotUniform,
    /// Truncated normal of variance `2 / (fan_in + fan_out)`.
    GlorotNormal,
    /// Uniform within `sqrt(6 / fan_in)` (He et al. 2015).
    HeUniform,
    /// Truncated normal of variance `2 / fan_in`.
    HeNormal,
    /// Uniform within `sqrt(3 / fan_in)` (LeCun et al. 1998).
    LecunUniform,
    /// Truncated normal of variance `1 / fan_in`.
    LecunNormal,
}

/// Standard deviation of a standard normal cut at two sigma.
const TRUNCATED_STDDEV: f32 = 0.879_625_7;

impl Initializer {
    /// Keras's name.
    pub fn name(self) -> &'static str {
        match self {
            Initializer::Zeros => "zeros",
            Initializer::Ones => "ones",
            Initializer::Constant(_) => "constant",
            Initializer::RandomUniform(..) => "random_uniform",
            Initializer::RandomNormal(..) => "random_normal",
            Initializer::GlorotUniform => "glorot_uniform",
            Initializer::GlorotNormal => "glorot_normal",
            Initializer::HeUniform => "he_uniform",
            Initializer::HeNormal => "he_normal",
            Initializer::LecunUniform => "lecun_uniform",
            Initializer::LecunNormal => "lecun_normal",
        }
    }

    /// The initializer of this name, with Keras's default parameters.
    pub fn from_name(name: &str) -> Option<Initializer> {
        let all = [
            Initializer::Zeros,
            Initializer::Ones,
            Initializer::Constant(0.0),
            Initializer::RandomUniform(-0.05, 0.05),
            Initializer::RandomNormal(0.0, 0.05),
            Initializer::GlorotUniform,
            Initializer::GlorotNormal,
            Initializer::HeUniform,
            Initializer::HeNormal,
            Initializer::LecunUniform,
            Initializer::LecunNormal,
        ];
        all.into_iter().find(|i| i.name() == name)
    }

    /// A weight of this shape. Fans are taken from the shape: `[.., in, out]` times the receptive field.
    ///
    /// **Errors** when the shape is not one of a tensor.
    pub fn tensor(self, shape: &Shape, rng: &mut Rng) -> Result<Tensor> {
        let (fan_in, fan_out) = fans(shape);
        let uniform = |limit: f32, rng: &mut Rng| limit * (2.0 * rng.uniform() - 1.0);
        let truncated = |variance: f32, rng: &mut Rng| {
            let mut z = rng.normal();
            while math::abs(z) > 2.0 {
                z = rng.normal();
            }
            z * math::sqrt(variance) / TRUNCATED_STDDEV
        };
        let value = |rng: &mut Rng| match self {
            Initializer::Zeros => 0.0,
            Initializer::Ones => 1.0,
            Initializer::Constant(v) => v,
            Initializer::RandomUniform(low, high) => low + (high - low) * rng.uniform(),
            Initializer::RandomNormal(mean, stddev) => mean + stddev * rng.normal(),
            Initializer::GlorotUniform => uniform(math::sqrt(6.0 / (fan_in + fan_out)), rng),
            Initializer::GlorotNormal => truncated(2.0 / (fan_in + fan_out), rng),
            Initializer::HeUniform => uniform(math::sqrt(6.0 / fan_in), rng),
            Initializer::HeNormal => truncated(2.0 / fan_in, rng),
            Initializer::LecunUniform => uniform(math::sqrt(3.0 / fan_in), rng),
            Initializer::LecunNormal => truncated(1.0 / fan_in, rng),
        };
        let values: Vec<f32> = (0..shape.numel()).map(|_| value(rng)).collect();
        Tensor::new(&shape.list(), values)
    }
}

/// Fan-in and fan-out of a weight.
fn fans(shape: &Shape) -> (f32, f32) {
    let field: usize = (0..shape.rank().saturating_sub(2)).map(|a| shape.dim(a as isize)).product();
    let (i, o) = match shape.rank() {
        0 => (1, 1),
        1 => (shape.dim(0), shape.dim(0)),
        _ => (shape.dim(-2) * field, shape.dim(-1) * field),
    };
    (i.max(1) as f32, o.max(1) as f32)
}
