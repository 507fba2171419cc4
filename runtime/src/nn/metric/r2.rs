//! The coefficient of determination.

use super::MetricSlot;
use crate::nn::loss::matching;
use crate::{DType, Result, Shape, Tensor, Var, misuse};
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// How the scores of outputs become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum R2Aggregation {
    /// Their mean.
    #[default]
    UniformAverage,
    /// Their mean, weighted by the variance of the targets.
    VarianceWeightedAverage,
    /// They stay apart.
    None,
}

/// `1 - sum((t - y)^2) / sum((t - mean(t))^2)` for outputs `[batch, n]` (`keras.metrics.R2Score`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct R2Score {
    /// How the scores of outputs become one.
    pub class_aggregation: R2Aggregation,
    /// The number of independent variables that the score is adjusted for; 0 adjusts nothing.
    pub num_regressors: u32,
}

pub(super) fn slots(output: &Shape) -> Vec<MetricSlot> {
    let shape = Shape::new(&[output.dim(-1)]).unwrap_or_default();
    let mut slots =
        ["squared_sum", "sum", "residual", "count"].map(|name| MetricSlot { name, shape }).to_vec();
    slots.push(MetricSlot::scalar("num_samples"));
    slots
}

pub(super) fn increments<'b>(
    target: Var<'b>,
    output: Var<'b>,
    weight: Option<Var<'b>>,
) -> Result<Vec<Var<'b>>> {
    let t = matching("r2_score", target, output)?;
    if output.rank() != 2 {
        return Err(misuse!("r2_score: expected outputs [batch, n], got {}", output.shape()));
    }
    let weight = match weight.map(|w| w.cast(DType::F32)) {
        Some(w) if w.rank() == 1 => w.expand_dims(1).broadcast(t.shape()),
        Some(w) => w.broadcast(t.shape()),
        None => t.ones_like(),
    };
    let sum = |v: Var<'b>| (v * weight).sum(&[0], false);
    let size = output.scalar_like(output.shape().numel() as f32);
    Ok(vec![sum(t.square()), sum(t), sum((t - output).square()), weight.sum(&[0], false), size])
}

impl R2Score {
    /// The result; `None` for other slots.
    pub(super) fn result(&self, slots: &[&[f32]]) -> Option<Result<Tensor>> {
        let [squares, sums, residuals, counts, &[samples]] = slots[..] else { return None };
        if [sums, residuals, counts].iter().any(|s| s.len() != squares.len()) {
            return None;
        }
        let n = squares.len();
        let total: Vec<f32> = (0..n).map(|i| squares[i] - sums[i] * (sums[i] / counts[i])).collect();
        let score = |i: usize| {
            let raw = 1.0 - residuals[i] / total[i];
            if raw.is_infinite() { 0.0 } else { raw }
        };
        let scores: Vec<f32> = (0..n).map(score).collect();
        let regressors = self.num_regressors as f32;
        let adjusted = |score: f32| {
            if self.num_regressors == 0 || regressors >= samples - 1.0 {
                return score;
            }
            1.0 - (1.0 - score) * (samples - 1.0) / (samples - regressors - 1.0)
        };
        let one = match self.class_aggregation {
            R2Aggregation::UniformAverage => scores.iter().sum::<f32>() / n as f32,
            R2Aggregation::VarianceWeightedAverage => {
                let weighted: f32 = total.iter().zip(&scores).map(|(t, s)| t * s).sum();
                weighted / total.iter().sum::<f32>()
            }
            R2Aggregation::None => {
                return Some(Tensor::new(&[n], scores.into_iter().map(adjusted).collect::<Vec<f32>>()));
            }
        };
        Some(Ok(Tensor::scalar(adjusted(one))))
    }
}
