//! Harmonic means of precision and recall.

use super::MetricSlot;
use super::confusion::vector;
use crate::nn::loss::matching;
use crate::{DType, Result, Shape, Tensor, Var, misuse};
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// How the scores of classes become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Average {
    /// They stay apart.
    #[default]
    None,
    /// All classes are counted as one.
    Micro,
    /// Their mean.
    Macro,
    /// Their mean, weighted by how often a class is the target.
    Weighted,
}

/// `(1 + beta^2) p r / (beta^2 p + r)` of precision p and recall r for outputs `[batch, classes]`
/// (`keras.metrics.FBetaScore`; with beta 1 `keras.metrics.F1Score`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FScore {
    /// How the scores of classes become one.
    pub average: Average,
    /// How much more recall counts than precision.
    pub beta: f32,
    /// Outputs above it are answers; without it the largest output is.
    pub threshold: Option<f32>,
}

impl Default for FScore {
    fn default() -> FScore {
        FScore { average: Average::None, beta: 1.0, threshold: None }
    }
}

/// Added to divisors.
const EPSILON: f32 = 1e-7;

impl FScore {
    pub(super) fn name(&self) -> &'static str {
        if self.beta == 1.0 { "f1_score" } else { "fbeta_score" }
    }

    pub(super) fn slots(&self, output: &Shape) -> Vec<MetricSlot> {
        let dims = [output.dim(-1)];
        let own: &[usize] = if self.average == Average::Micro { &[] } else { &dims };
        let shape = Shape::new(own).unwrap_or_default();
        ["true_positives", "false_positives", "false_negatives", "intermediate_weights"]
            .map(|name| MetricSlot { name, shape })
            .to_vec()
    }

    pub(super) fn increments<'b>(
        &self,
        target: Var<'b>,
        output: Var<'b>,
        weight: Option<Var<'b>>,
    ) -> Result<Vec<Var<'b>>> {
        let t = matching(self.name(), target, output)?;
        if output.rank() != 2 {
            return Err(misuse!(
                "{}: expected outputs [batch, classes], got {}",
                self.name(),
                output.shape()
            ));
        }
        let answer = match self.threshold {
            Some(threshold) => output.greater(output.scalar_like(threshold)),
            None => {
                let size = output.abs();
                let largest = output.greater_equal(output.max(&[-1], true));
                largest.logical_and(size.greater(size.scalar_like(1e-9)))
            }
        };
        let y = answer.cast(DType::F32);
        let weight =
            weight.map(|w| w.cast(DType::F32)).map(|w| if w.rank() == 1 { w.expand_dims(1) } else { w });
        let axes: &[isize] = if self.average == Average::Micro { &[] } else { &[0] };
        let sum = |v: Var<'b>| weight.map_or(v, |w| v * w).sum(axes, false);
        Ok(vec![sum(y * t), sum(y * (1.0 - t)), sum((1.0 - y) * t), sum(t)])
    }

    /// The result; `None` for other slots.
    pub(super) fn result(&self, slots: &[&[f32]]) -> Option<Result<Tensor>> {
        let [tp, fp, fneg, weights] = slots[..] else { return None };
        if [fp, fneg, weights].iter().any(|s| s.len() != tp.len()) {
            return None;
        }
        let square = self.beta * self.beta;
        let score = |i: usize| {
            let (p, r) = (tp[i] / (tp[i] + fp[i] + EPSILON), tp[i] / (tp[i] + fneg[i] + EPSILON));
            p * r / (square * p + r + EPSILON) * (1.0 + square)
        };
        let scores: Vec<f32> = (0..tp.len()).map(score).collect();
        Some(match self.average {
            Average::None => Tensor::new(&[scores.len()], scores),
            Average::Micro | Average::Macro => {
                Ok(Tensor::scalar(scores.iter().sum::<f32>() / scores.len() as f32))
            }
            Average::Weighted => {
                let total: f32 = weights.iter().sum();
                vector(vec![scores.iter().zip(weights).map(|(s, w)| s * (w / (total + EPSILON))).sum()])
            }
        })
    }
}
