//! Bringing features to one scale.

use std::vec;
use std::vec::Vec;

use crate::{Result, Tensor, misuse};

/// Maps each feature linearly so that its least value in the fitted data becomes 0 and its greatest 1.
///
/// Features lie on the last axis; a tensor of rank 1 has one. A feature that is constant is only moved. Sums are in
/// float64.
///
/// ```
/// use gradling::{Tensor, data::MinMaxScaler};
/// let x = Tensor::new(&[3, 2], [1.0, 10.0, 3.0, 30.0, 2.0, 50.0])?;
/// let scaler = MinMaxScaler::fit(&x)?;
/// assert_eq!(scaler.transform(&x)?.as_f32()?, [0.0, 0.0, 1.0, 0.5, 0.5, 1.0]);
/// assert_eq!(scaler.inverse_transform(&scaler.transform(&x)?)?, x);
/// # Ok::<(), gradling::Error>(())
/// ```
///
/// Reference: `sklearn.preprocessing.MinMaxScaler`.
#[derive(Clone, Debug, PartialEq)]
pub struct MinMaxScaler(Scaling);

/// Maps each feature linearly so that its mean in the fitted data becomes 0 and its standard deviation 1.
///
/// Features lie on the last axis; a tensor of rank 1 has one. The deviation is that of the population (divided by
/// n). A feature that is constant is only moved. Sums are in float64.
///
/// ```
/// use gradling::{Tensor, data::StandardScaler};
/// let scaler = StandardScaler::fit(&Tensor::new(&[4], [1.0, 1.0, 3.0, 3.0])?)?;
/// assert_eq!(scaler.transform(&Tensor::new(&[3], [1.0, 2.0, 5.0])?)?.as_f32()?, [-1.0, 0.0, 3.0]);
/// # Ok::<(), gradling::Error>(())
/// ```
///
/// Reference: `sklearn.preprocessing.StandardScaler`.
#[derive(Clone, Debug, PartialEq)]
pub struct StandardScaler(Scaling);

/// `(x - offset) / scale` for each feature.
#[derive(Clone, Debug, PartialEq)]
struct Scaling {
    offset: Vec<f64>,
    scale: Vec<f64>,
}

impl MinMaxScaler {
    /// The scaler of the features of `x`.
    ///
    /// **Errors**: a scalar, no sample, a value that is not finite.
    pub fn fit(x: &Tensor) -> Result<MinMaxScaler> {
        let (values, features) = samples("MinMaxScaler", x)?;
        let mut least = vec![f64::INFINITY; features];
        let mut most = vec![f64::NEG_INFINITY; features];
        for row in values.chunks_exact(features) {
            for (i, &value) in row.iter().enumerate() {
                least[i] = least[i].min(f64::from(value));
                most[i] = most[i].max(f64::from(value));
            }
        }
        let scale = least.iter().zip(&most).map(|(a, b)| or_one(b - a)).collect();
        Ok(MinMaxScaler(Scaling { offset: least, scale }))
    }

    /// `(x - min) / (max - min)` as float32; values outside the fitted range come out below 0 or above 1.
    ///
    /// **Errors** when `x` has another number of features than the fitted data.
    pub fn transform(&self, x: &Tensor) -> Result<Tensor> {
        self.0.apply("MinMaxScaler", x)
    }

    /// `x * (max - min) + min` as float32.
    ///
    /// **Errors** when `x` has another number of features than the fitted data.
    pub fn inverse_transform(&self, x: &Tensor) -> Result<Tensor> {
        self.0.invert("MinMaxScaler", x)
    }
}

impl StandardScaler {
    /// The scaler of the features of `x`.
    ///
    /// **Errors**: a scalar, no sample, a value that is not finite.
    pub fn fit(x: &Tensor) -> Result<StandardScaler> {
        let (values, features) = samples("StandardScaler", x)?;
        let n = (values.len() / features) as f64;
        let mut mean = vec![0.0; features];
        let mut squares = vec![0.0; features];
        let rows = || values.chunks_exact(features);
        rows().for_each(|row| mean.iter_mut().zip(row).for_each(|(sum, &v)| *sum += f64::from(v)));
        mean.iter_mut().for_each(|sum| *sum /= n);
        for row in rows() {
            for (i, &value) in row.iter().enumerate() {
                let away = f64::from(value) - mean[i];
                squares[i] += away * away;
            }
        }
        let scale = squares.iter().map(|sum| or_one((sum / n).sqrt())).collect();
        Ok(StandardScaler(Scaling { offset: mean, scale }))
    }

    /// `(x - mean) / deviation` as float32.
    ///
    /// **Errors** when `x` has another number of features than the fitted data.
    pub fn transform(&self, x: &Tensor) -> Result<Tensor> {
        self.0.apply("StandardScaler", x)
    }

    /// `x * deviation + mean` as float32.
    ///
    /// **Errors** when `x` has another number of features than the fitted data.
    pub fn inverse_transform(&self, x: &Tensor) -> Result<Tensor> {
        self.0.invert("StandardScaler", x)
    }
}

impl Scaling {
    fn apply(&self, who: &str, x: &Tensor) -> Result<Tensor> {
        self.map(who, x, |value, offset, scale| (value - offset) / scale)
    }

    fn invert(&self, who: &str, x: &Tensor) -> Result<Tensor> {
        self.map(who, x, |value, offset, scale| value * scale + offset)
    }

    fn map(&self, who: &str, x: &Tensor, f: impl Fn(f64, f64, f64) -> f64) -> Result<Tensor> {
        let features = features_of(x);
        if features != self.offset.len() {
            return Err(misuse!(
                "{who}: fitted on {} features, got {features} on the last axis of shape {}",
                self.offset.len(),
                x.shape()
            ));
        }
        let mut values = x.to_f32_vec();
        for row in values.chunks_exact_mut(features.max(1)) {
            for (i, value) in row.iter_mut().enumerate() {
                *value = f(f64::from(*value), self.offset[i], self.scale[i]) as f32;
            }
        }
        Tensor::new(&x.shape().list(), values)
    }
}

fn features_of(x: &Tensor) -> usize {
    if x.shape().rank() == 1 { 1 } else { x.shape().dim(-1) }
}

fn samples(who: &str, x: &Tensor) -> Result<(Vec<f32>, usize)> {
    if x.shape().rank() == 0 || x.numel() == 0 {
        return Err(misuse!("{who}: expected [samples, features], got shape {}", x.shape()));
    }
    let (values, features) = (x.to_f32_vec(), features_of(x));
    match values.iter().position(|v| !v.is_finite()) {
        Some(at) => Err(misuse!(
            "{who}: expected finite values, got {} in sample {}, feature {}",
            values[at],
            at / features,
            at % features
        )),
        None => Ok((values, features)),
    }
}

/// A divisor that leaves constant features in place.
fn or_one(scale: f64) -> f64 {
    if scale > 0.0 { scale } else { 1.0 }
}
