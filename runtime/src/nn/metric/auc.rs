//! The area under a curve of thresholds.

use super::confusion::{Cell, count, fit_weight, is_even};
use super::{MetricSlot, share};
use crate::nn::loss::matching;
use crate::{Result, Shape, Tensor, Var, math, misuse};
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What the curve of an [`Auc`] is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AucCurve {
    /// Recall over the false positive rate.
    #[default]
    Roc,
    /// Precision over recall.
    Pr,
    /// Precision gain over recall gain (Flach and Kull 2015).
    PrGain,
}

/// How the area between two points of a curve is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AucSummation {
    /// Trapezoids; for precision and recall the interpolation of Davis and Goadrich (2006).
    #[default]
    Interpolation,
    /// The lower of the two heights.
    Minoring,
    /// The higher of the two heights.
    Majoring,
}

/// The area under a curve over thresholds from 0 to 1 (`keras.metrics.AUC`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Auc {
    /// How many thresholds, the outermost two just beyond 0 and 1; at least 2.
    pub num_thresholds: u32,
    /// The curve.
    pub curve: AucCurve,
    /// How areas are taken.
    pub summation_method: AucSummation,
    /// The inner thresholds, in place of `num_thresholds` at equal distances.
    pub thresholds: Option<Vec<f32>>,
    /// Whether each label, along the last axis, has a curve of its own, and the result is the mean area.
    pub multi_label: bool,
    /// Weights of labels; none means that all are 1.
    pub label_weights: Option<Vec<f32>>,
    /// Whether the output is logits instead of probabilities.
    pub from_logits: bool,
}

impl Default for Auc {
    fn default() -> Auc {
        Auc {
            num_thresholds: 200,
            curve: AucCurve::Roc,
            summation_method: AucSummation::Interpolation,
            thresholds: None,
            multi_label: false,
            label_weights: None,
            from_logits: false,
        }
    }
}

const EPSILON: f32 = 1e-7;

impl Auc {
    /// All thresholds, and whether those between the outermost are at equal distances.
    fn thresholds(&self) -> (Vec<f32>, bool) {
        let (mut inner, even) = match &self.thresholds {
            Some(given) => {
                let mut inner = given.clone();
                inner.sort_by(f32::total_cmp);
                let mut whole = vec![0.0];
                whole.extend(&inner);
                whole.push(1.0);
                (inner, is_even(&whole))
            }
            None => {
                let n = self.num_thresholds.max(2);
                ((1..n - 1).map(|i| (f64::from(i) / f64::from(n - 1)) as f32).collect(), true)
            }
        };
        inner.insert(0, -EPSILON);
        inner.push(1.0 + EPSILON);
        (inner, even)
    }

    pub(super) fn slots(&self, output: &Shape) -> Vec<MetricSlot> {
        let n = self.thresholds.as_ref().map_or(self.num_thresholds.max(2) as usize, |t| t.len() + 2);
        let dims = [n, output.dim(-1)];
        let shape = Shape::new(if self.multi_label { &dims } else { &dims[..1] }).unwrap_or_default();
        ["true_positives", "false_positives", "true_negatives", "false_negatives"]
            .map(|name| MetricSlot { name, shape })
            .to_vec()
    }

    pub(super) fn increments<'b>(
        &self,
        target: Var<'b>,
        output: Var<'b>,
        weight: Option<Var<'b>>,
    ) -> Result<Vec<Var<'b>>> {
        let target = matching("auc", target, output)?;
        if self.multi_label && output.rank() != 2 {
            return Err(misuse!("auc: expected outputs [batch, labels], got {}", output.shape()));
        }
        let output = if self.from_logits { output.sigmoid() } else { output };
        let mut weight = weight.map(|w| fit_weight(w, output));
        if let (Some(labels), false) = (&self.label_weights, self.multi_label) {
            let labels = output.constant_like(Tensor::new(&[labels.len()], labels.clone())?);
            weight = Some(weight.map_or(labels, |w| w * labels));
        }
        let (thresholds, even) = self.thresholds();
        let counts = count(target, output, weight, &thresholds, even.then_some(true), self.multi_label);
        Ok(counts.pick(&[Cell::TruePositive, Cell::FalsePositive, Cell::TrueNegative, Cell::FalseNegative]))
    }

    /// The result; `None` for other slots.
    pub(super) fn result(&self, slots: &[&[f32]]) -> Option<Tensor> {
        let [tp, fp, tn, fneg] = slots[..] else { return None };
        let n = self.thresholds().0.len();
        let labels = tp.len() / n;
        if labels == 0 || [fp, tn, fneg].iter().any(|s| s.len() != tp.len()) {
            return None;
        }
        let column =
            |s: &[f32], label: usize| -> Vec<f32> { (0..n).map(|i| s[i * labels + label]).collect() };
        let areas: Vec<f32> = (0..labels)
            .map(|l| self.area(&column(tp, l), &column(fp, l), &column(tn, l), &column(fneg, l)))
            .collect();
        let area = match &self.label_weights {
            Some(weights) if self.multi_label => {
                let sum: f32 = areas.iter().zip(weights).map(|(a, w)| a * w).sum();
                share(sum, weights.iter().sum())
            }
            _ => areas.iter().sum::<f32>() / labels as f32,
        };
        Some(Tensor::scalar(area))
    }

    fn area(&self, tp: &[f32], fp: &[f32], tn: &[f32], fneg: &[f32]) -> f32 {
        let n = tp.len();
        if self.curve == AucCurve::Pr && self.summation_method == AucSummation::Interpolation {
            return interpolated(tp, fp, fneg);
        }
        let point = |i: usize| {
            let recall = share(tp[i], tp[i] + fneg[i]);
            match self.curve {
                AucCurve::Roc => (share(fp[i], fp[i] + tn[i]), recall),
                AucCurve::Pr => (recall, share(tp[i], tp[i] + fp[i])),
                AucCurve::PrGain if tp[i] == 0.0 => (0.0, 1.0),
                AucCurve::PrGain => {
                    let scale = share(tp[i] + fneg[i], tn[i] + fp[i]);
                    let gain = |wrong: f32| 1.0 - scale * share(wrong, tp[i]);
                    (gain(fneg[i]).max(0.0), gain(fp[i]))
                }
            }
        };
        (1..n)
            .map(|i| {
                let ((x0, y0), (x1, y1)) = (point(i - 1), point(i));
                let height = match self.summation_method {
                    AucSummation::Interpolation => (y0 + y1) / 2.0,
                    AucSummation::Minoring => y0.min(y1),
                    AucSummation::Majoring => y0.max(y1),
                };
                (x0 - x1) * height
            })
            .sum()
    }
}

/// The area under precision and recall, interpolated in counts (Davis and Goadrich 2006).
fn interpolated(tp: &[f32], fp: &[f32], fneg: &[f32]) -> f32 {
    (1..tp.len())
        .map(|i| {
            let p = |i: usize| tp[i] + fp[i];
            let dtp = tp[i - 1] - tp[i];
            let slope = share(dtp, (p(i - 1) - p(i)).max(0.0));
            let intercept = tp[i] - slope * p(i);
            let ratio = if p(i - 1) > 0.0 && p(i) > 0.0 { share(p(i - 1), p(i)) } else { 1.0 };
            share(slope * (dtp + intercept * math::log(ratio)), (tp[i] + fneg[i]).max(0.0))
        })
        .sum()
}
