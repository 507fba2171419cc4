//! Initializers (`keras.initializers`).

#[cfg(feature = "full")]
use crate::misuse;
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
    /// Normal with mean and standard deviation, where numbers beyond two deviations are drawn again.
    #[cfg(feature = "full")]
    TruncatedNormal(f32, f32),
    /// Of variance `scale / n`, with n a number of connections of the weight.
    #[cfg(feature = "full")]
    VarianceScaling {
        /// The factor.
        scale: f32,
        /// Which connections.
        mode: FanMode,
        /// How numbers are drawn.
        distribution: Distribution,
    },
    /// A matrix of the last axis and the others with orthonormal rows or columns, times this gain (Saxe et al.
    /// 2014).
    #[cfg(feature = "full")]
    Orthogonal(f32),
    /// A matrix with this gain on the diagonal.
    #[cfg(feature = "full")]
    Identity(f32),
}

/// The connections that a variance is divided by.
#[cfg(feature = "full")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FanMode {
    /// Those into a unit.
    #[default]
    FanIn,
    /// Those out of a unit.
    FanOut,
    /// Their mean.
    FanAvg,
}

/// How numbers of a variance are drawn.
#[cfg(feature = "full")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Distribution {
    /// Normal, drawn again beyond two deviations; widened so that the variance is kept.
    #[default]
    TruncatedNormal,
    /// Normal.
    UntruncatedNormal,
    /// Uniform.
    Uniform,
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
            #[cfg(feature = "full")]
            Initializer::TruncatedNormal(..) => "truncated_normal",
            #[cfg(feature = "full")]
            Initializer::VarianceScaling { .. } => "variance_scaling",
            #[cfg(feature = "full")]
            Initializer::Orthogonal(_) => "orthogonal",
            #[cfg(feature = "full")]
            Initializer::Identity(_) => "identity",
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
            #[cfg(feature = "full")]
            Initializer::TruncatedNormal(0.0, 0.05),
            #[cfg(feature = "full")]
            Initializer::VarianceScaling {
                scale: 1.0,
                mode: FanMode::FanIn,
                distribution: Distribution::TruncatedNormal,
            },
            #[cfg(feature = "full")]
            Initializer::Orthogonal(1.0),
            #[cfg(feature = "full")]
            Initializer::Identity(1.0),
        ];
        all.into_iter().find(|i| i.name() == name)
    }

    /// A weight of this shape. Fans are taken from the shape: `[.., in, out]` times the receptive field.
    ///
    /// **Errors** when the shape is not one of a tensor, or not one that the initializer is for.
    pub fn tensor(self, shape: &Shape, rng: &mut Rng) -> Result<Tensor> {
        self.tensor_with_fans(shape, fans(shape), rng)
    }

    /// A weight of this shape with so many connections into and out of a unit, where the shape does not tell.
    ///
    /// **Errors** as [`tensor`](Initializer::tensor).
    pub fn tensor_with_fans(self, shape: &Shape, fans: (f32, f32), rng: &mut Rng) -> Result<Tensor> {
        let (fan_in, fan_out) = fans;
        let uniform = |limit: f32, rng: &mut Rng| limit * (2.0 * rng.uniform() - 1.0);
        let truncated =
            |variance: f32, rng: &mut Rng| cut_normal(rng) * math::sqrt(variance) / TRUNCATED_STDDEV;
        #[cfg(feature = "full")]
        match self {
            Initializer::Orthogonal(gain) => return orthogonal(shape, gain, rng),
            Initializer::Identity(gain) => return identity(shape, gain),
            _ => {}
        }
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
            #[cfg(feature = "full")]
            Initializer::TruncatedNormal(mean, stddev) => mean + stddev * cut_normal(rng),
            #[cfg(feature = "full")]
            Initializer::VarianceScaling { scale, mode, distribution } => {
                let n = match mode {
                    FanMode::FanIn => fan_in,
                    FanMode::FanOut => fan_out,
                    FanMode::FanAvg => (fan_in + fan_out) / 2.0,
                };
                let variance = scale / n.max(1.0);
                match distribution {
                    Distribution::TruncatedNormal => truncated(variance, rng),
                    Distribution::UntruncatedNormal => math::sqrt(variance) * rng.normal(),
                    Distribution::Uniform => uniform(math::sqrt(3.0 * variance), rng),
                }
            }
            // They are no numbers drawn one by one.
            #[cfg(feature = "full")]
            Initializer::Orthogonal(_) | Initializer::Identity(_) => 0.0,
        };
        let values: Vec<f32> = (0..shape.numel()).map(|_| value(rng)).collect();
        Tensor::new(&shape.list(), values)
    }
}

/// Standard normal, drawn again beyond 2.
fn cut_normal(rng: &mut Rng) -> f32 {
    let mut z = rng.normal();
    while math::abs(z) > 2.0 {
        z = rng.normal();
    }
    z
}

/// The orthonormal factor of a random matrix, with the signs that make it uniformly distributed (Mezzadri 2007).
#[cfg(feature = "full")]
fn orthogonal(shape: &Shape, gain: f32, rng: &mut Rng) -> Result<Tensor> {
    if shape.rank() < 2 {
        return Err(misuse!("orthogonal: expected a shape of 2 axes or more, got {shape}"));
    }
    if cfg!(gradling_compact) {
        // The layers that start so come from files in the npm package, weights included.
        return Err(crate::unsupported!("orthogonal: the npm package does not have this initializer"));
    }
    let columns = shape.dim(-1);
    let rows = shape.numel().checked_div(columns).unwrap_or(0);
    let (long, short) = (rows.max(columns), rows.min(columns));
    let normal: Vec<f32> = (0..long * short).map(|_| rng.normal()).collect();
    let (q, r) = nalgebra::DMatrix::from_vec(long, short, normal).qr().unpack();
    let values: Vec<f32> = (0..shape.numel())
        .map(|i| {
            let (row, column) = (i / columns, i % columns);
            let (a, b) = if rows < columns { (column, row) } else { (row, column) };
            let sign = if r[(b, b)] < 0.0 { -1.0 } else { 1.0 };
            gain * sign * q[(a, b)]
        })
        .collect();
    Tensor::new(&shape.list(), values)
}

#[cfg(feature = "full")]
fn identity(shape: &Shape, gain: f32) -> Result<Tensor> {
    if shape.rank() != 2 {
        return Err(misuse!("identity: expected a shape of 2 axes, got {shape}"));
    }
    let n = shape.dim(1);
    let values: Vec<f32> = (0..shape.numel()).map(|i| if i / n == i % n { gain } else { 0.0 }).collect();
    Tensor::new(&shape.list(), values)
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
