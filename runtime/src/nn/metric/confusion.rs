//! Counts of right and wrong answers at thresholds.

use super::{Metric, MetricSlot};
use crate::nn::loss::matching;
use crate::op::{Op, Var};
use crate::{DType, Result, Shape, Tensor, math, misuse};
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The share of outputs above a threshold whose target is 1 (`keras.metrics.Precision`); 0 where there are none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Precision {
    /// Thresholds in [0, 1]; none means one half, or with `top_k` any of the largest.
    pub thresholds: Vec<f32>,
    /// Only the so many largest outputs of a sample can be above a threshold.
    pub top_k: Option<u32>,
    /// Only this class is looked at.
    pub class_id: Option<u32>,
}

/// The share of targets of 1 whose output is above a threshold (`keras.metrics.Recall`); 0 where there are none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recall {
    /// Thresholds in [0, 1]; none means one half, or with `top_k` any of the largest.
    pub thresholds: Vec<f32>,
    /// Only the so many largest outputs of a sample can be above a threshold.
    pub top_k: Option<u32>,
    /// Only this class is looked at.
    pub class_id: Option<u32>,
}

/// A cell of the confusion matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    TruePositive,
    FalsePositive,
    TrueNegative,
    FalseNegative,
}

/// What counts as minus infinity.
const LOWEST: f32 = -1e10;

/// The thresholds, or one half where there are none.
pub(super) fn or_half(thresholds: &[f32]) -> Vec<f32> {
    if thresholds.is_empty() { vec![0.5] } else { thresholds.to_vec() }
}

/// A vector as a result; a scalar if it has one element.
pub(super) fn vector(values: Vec<f32>) -> Result<Tensor> {
    match values[..] {
        [value] => Ok(Tensor::scalar(value)),
        _ => Tensor::new(&[values.len()], values),
    }
}

pub(super) fn slots(thresholds: &[f32], cells: &[Cell]) -> Vec<MetricSlot> {
    let shape = Shape::new(&[thresholds.len()]).unwrap_or_default();
    let name = |c: &Cell| match c {
        Cell::TruePositive => "true_positives",
        Cell::FalsePositive => "false_positives",
        Cell::TrueNegative => "true_negatives",
        Cell::FalseNegative => "false_negatives",
    };
    cells.iter().map(|c| MetricSlot { name: name(c), shape }).collect()
}

impl Metric {
    /// The cell that the metric counts.
    pub(super) fn cell(&self) -> Cell {
        match self {
            Metric::FalsePositives { .. } => Cell::FalsePositive,
            Metric::TrueNegatives { .. } => Cell::TrueNegative,
            Metric::FalseNegatives { .. } => Cell::FalseNegative,
            _ => Cell::TruePositive,
        }
    }
}

impl Recall {
    fn same(&self) -> Precision {
        let Recall { thresholds, top_k, class_id } = self.clone();
        Precision { thresholds, top_k, class_id }
    }

    pub(super) fn all_thresholds(&self) -> Vec<f32> {
        self.same().all_thresholds()
    }

    pub(super) fn counts<'b>(
        &self,
        target: Var<'b>,
        output: Var<'b>,
        weight: Option<Var<'b>>,
    ) -> Result<Counts<'b>> {
        self.same().counts(target, output, weight)
    }
}

impl Precision {
    pub(super) fn all_thresholds(&self) -> Vec<f32> {
        match (&self.thresholds[..], self.top_k) {
            ([], Some(_)) => vec![LOWEST],
            (given, _) => or_half(given),
        }
    }

    pub(super) fn counts<'b>(
        &self,
        target: Var<'b>,
        output: Var<'b>,
        weight: Option<Var<'b>>,
    ) -> Result<Counts<'b>> {
        let mut t = matching("precision", target, output)?;
        let mut y = output;
        let weight = weight.map(|w| fit_weight(w, y));
        if let Some(k) = self.top_k {
            y = filter_top_k(y, k);
        }
        if let Some(class) = self.class_id {
            let shape = y.shape();
            if shape.rank() < 2 || class as usize >= shape.dim(-1) {
                return Err(misuse!("class_id {class}: not a class of outputs of shape {shape}"));
            }
            let mut begin = vec![0; shape.rank()];
            begin[shape.rank() - 1] = class as usize;
            let size = shape.with_dim(-1, 1).to_vec();
            (t, y) = (t.slice(&begin, &size), y.slice(&begin, &size));
        }
        let thresholds = self.all_thresholds();
        let even = is_even(&thresholds).then_some(false);
        Ok(count(t, y, weight, &thresholds, even, false))
    }
}

/// Weights in the rank of the outputs: those of samples get a last axis.
pub(super) fn fit_weight<'b>(weight: Var<'b>, output: Var<'b>) -> Var<'b> {
    let weight = weight.cast(DType::F32);
    if weight.rank() + 1 == output.rank() { weight.expand_dims(-1) } else { weight }
}

/// Keras's test for thresholds at equal distances from 0 to 1.
pub(super) fn is_even(thresholds: &[f32]) -> bool {
    let last = thresholds.len().saturating_sub(1) as f32;
    let near = |(i, t): (usize, &f32)| {
        let even = i as f32 / last;
        math::abs(t - even) <= 1e-7 + 1e-5 * even
    };
    thresholds.len() >= 3 && thresholds.iter().enumerate().all(near)
}

/// Weighted counts for each threshold.
pub(super) struct Counts<'b> {
    true_positives: Var<'b>,
    false_positives: Var<'b>,
    trues: Var<'b>,
    falses: Var<'b>,
}

impl<'b> Counts<'b> {
    pub(super) fn pick(&self, cells: &[Cell]) -> Vec<Var<'b>> {
        let value = |c: &Cell| match c {
            Cell::TruePositive => self.true_positives,
            Cell::FalsePositive => self.false_positives,
            Cell::TrueNegative => self.falses - self.false_positives,
            Cell::FalseNegative => self.trues - self.true_positives,
        };
        cells.iter().map(value).collect()
    }
}

/// Counts targets by whether outputs are above each threshold. For thresholds at equal distances Keras sorts
/// outputs into buckets, which differs by rounding; `even` then tells whether the lowest takes all. With `labels`
/// the last axis is counted by itself.
pub(super) fn count<'b>(
    target: Var<'b>,
    output: Var<'b>,
    weight: Option<Var<'b>>,
    thresholds: &[f32],
    even: Option<bool>,
    labels: bool,
) -> Counts<'b> {
    let n = thresholds.len();
    let all = output.shape().numel();
    let flat = |v: Var<'b>| if labels { v } else { v.reshape(&[all]) };
    let weight = match weight {
        Some(w) => flat(w.broadcast(output.shape())),
        None => flat(output).ones_like(),
    };
    let (t, y) = (flat(target), flat(output));
    let truth = t.not_equal(t.scalar_like(0.0));
    let zero = weight.scalar_like(0.0);
    let (trues, falses) = (Var::select(truth, weight, zero), Var::select(truth, zero, weight));
    let mut dims = vec![1; y.rank() + 1];
    dims[0] = n;
    let above = match even {
        Some(lowest) => {
            let bucket = (y.clip(0.0, 1.0) * (n as f32 - 1.0)).ceil() - 1.0;
            let bucket = if lowest { bucket.maximum(bucket.scalar_like(0.0)) } else { bucket };
            let line = Shape::new(&[n]).unwrap_or_default();
            let index = Var::new(y.builder(), y.builder().push(Op::Iota(line), &[]));
            bucket.expand_dims(0).greater_equal(index.cast(DType::F32).reshape(&dims))
        }
        None => {
            let line = Tensor::new(&dims, thresholds.to_vec());
            match line {
                Ok(line) => y.expand_dims(0).greater(y.constant_like(line)),
                Err(e) => y.poison(e),
            }
        }
    };
    let above = above.cast(DType::F32);
    let total = |v: Var<'b>| (above * v.expand_dims(0)).sum(&[1], false);
    Counts {
        true_positives: total(trues),
        false_positives: total(falses),
        trues: trues.sum(&[0], false),
        falses: falses.sum(&[0], false),
    }
}

/// The `k` largest outputs along the last axis, the others at minus infinity; among equals the first ones count
/// as larger.
fn filter_top_k(y: Var<'_>, k: u32) -> Var<'_> {
    let n = y.dim(-1);
    let line = Shape::new(&[n]).unwrap_or_default();
    let index = Var::new(y.builder(), y.builder().push(Op::Iota(line), &[])).cast(DType::F32);
    let (own, other) = (y.expand_dims(-1), y.expand_dims(-2));
    let earlier = index.reshape(&[1, n]).less(index.reshape(&[n, 1]));
    let tied = other.equal(own).logical_and(earlier.broadcast(other.equal(own).shape()));
    let rank = other.greater(own).logical_or(tied).cast(DType::F32).sum(&[-1], false);
    Var::select(rank.less(rank.scalar_like(k as f32)), y, y.scalar_like(LOWEST))
}
