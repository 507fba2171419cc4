use super::layer_normalization::{along, resolve_axes, sample_of};
use super::param::setters;
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::nn::Initializer;
use crate::{DType, Result, Shape, Tensor, Var, VariableId, math, misuse};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Standard deviations count as at least this (Keras's `backend.epsilon()`).
const LEAST: f32 = 1e-7;

/// `(x - mean) / sqrt(variance)` with statistics of the data (`keras.layers.Normalization`).
///
/// The statistics are given, or found by [`adapt`](Normalization::adapt) before the layer joins a model; without either
/// they are weights that training does not change, zeros and ones at first.
///
/// **Shape**: any, unchanged; the result is float32.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normalization {
    pub(super) base: Base,
    axis: Vec<i32>,
    invert: bool,
    /// Mean and variance: one number, or one for each cell of the kept axes.
    statistics: Option<[Vec<f32>; 2]>,
    #[serde(skip)]
    weights: Option<[VariableId; 2]>,
}

impl Default for Normalization {
    fn default() -> Normalization {
        Normalization::new()
    }
}

impl Normalization {
    /// Statistics of each feature, the last axis.
    pub fn new() -> Normalization {
        let axis = alloc::vec![-1];
        Normalization { base: Base::default(), axis, invert: false, statistics: None, weights: None }
    }

    /// The axes that have statistics of their own, counted with the batch axis, negative from the end; none for the
    /// same statistics everywhere.
    pub fn axis(mut self, axes: &[i32]) -> Normalization {
        self.axis = axes.to_vec();
        self
    }

    /// Mean and variance: one number each, or one for each cell of the kept axes.
    pub fn statistics(mut self, mean: &[f32], variance: &[f32]) -> Normalization {
        self.statistics = Some([mean.to_vec(), variance.to_vec()]);
        self
    }

    /// Takes mean and variance (biased) of a batch of data.
    ///
    /// **Errors** when the data has no samples or not the kept axes.
    pub fn adapt(mut self, data: &Tensor) -> Result<Normalization> {
        let shape = data.shape();
        let sample = Shape::new(shape.to_vec().get(1..).unwrap_or_default())?;
        let axes = self.kept(&sample)?;
        let cells: usize = axes.iter().map(|a| shape.dim(*a as isize)).product();
        let count = shape.numel() / cells.max(1);
        if count == 0 {
            return Err(misuse!("{}: cannot adapt to data of shape {shape}; expected samples", self.base));
        }
        let strides = shape.strides();
        let cell = |i: usize| {
            axes.iter().fold(0, |cell, &a| {
                let dim = shape.dim(a as isize);
                cell * dim + i / strides[a] % dim.max(1)
            })
        };
        // Sums in double precision: data sets are long.
        let values = data.to_f32_vec();
        let mut mean = alloc::vec![0f64; cells];
        values.iter().enumerate().for_each(|(i, v)| mean[cell(i)] += f64::from(*v));
        mean.iter_mut().for_each(|m| *m /= count as f64);
        let mut variance = alloc::vec![0f64; cells];
        for (i, v) in values.iter().enumerate() {
            let difference = f64::from(*v) - mean[cell(i)];
            variance[cell(i)] += difference * difference;
        }
        let single = |all: Vec<f64>, by: f64| all.into_iter().map(|v| (v / by) as f32).collect();
        self.statistics = Some([single(mean, 1.0), single(variance, count as f64)]);
        Ok(self)
    }

    fn kept(&self, sample: &Shape) -> Result<Vec<usize>> {
        if self.axis.is_empty() { Ok(Vec::new()) } else { resolve_axes(&self.base, &self.axis, sample) }
    }
}

setters! { Normalization:
    /// Whether the layer undoes the normalization: `x * sqrt(variance) + mean`.
    invert(bool) => invert;
}

impl Layer for Normalization {
    named!("Normalization");

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        let dims: Vec<usize> = self.kept(input)?.iter().map(|a| input.dim(*a as isize - 1)).collect();
        let cells: usize = dims.iter().product();
        match &self.statistics {
            Some(both) => {
                if let Some(wrong) = both.iter().find(|s| s.len() != 1 && s.len() != cells) {
                    return Err(misuse!(
                        "{}: expected one number or {cells} for axes {:?} of input {}, got {}",
                        self.base,
                        self.axis,
                        super::batched(input),
                        wrong.len()
                    ));
                }
            }
            None => {
                let mean = weights.add("mean", &dims, Initializer::Zeros, false)?;
                let variance = weights.add("variance", &dims, Initializer::Ones, false)?;
                self.weights = Some([mean, variance]);
            }
        }
        Ok(*input)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let x = x.cast(DType::F32);
        let axes = self.kept(&sample_of(x)?)?;
        let constant = |numbers: &[f32]| -> Result<Var<'b>> {
            match numbers {
                [one] => Ok(x.scalar_like(*one)),
                all => Ok(along(x.constant_like(Tensor::new(&[all.len()], all.to_vec())?), x, &axes)),
            }
        };
        let [mean, deviation] = match &self.statistics {
            Some([mean, variance]) => {
                let deviation: Vec<f32> = variance.iter().map(|v| math::sqrt(*v).max(LEAST)).collect();
                [constant(mean)?, constant(&deviation)?]
            }
            None => {
                let [mean, variance] = [0, 1].map(|i| call.weight(&self.base, self.weights.map(|w| w[i])));
                let (mean, deviation) = (mean?, variance?.sqrt());
                let deviation = deviation.maximum(deviation.scalar_like(LEAST));
                [along(mean, x, &axes), along(deviation, x, &axes)]
            }
        };
        Ok(if self.invert { x * deviation + mean } else { (x - mean) / deviation })
    }

    fn passes_mask(&self) -> bool {
        true
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Normalization(self.clone()))
    }
}
