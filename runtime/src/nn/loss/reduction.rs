//! What becomes of the losses of samples.

use crate::{DType, Var};
use serde::{Deserialize, Serialize};

/// How the losses of samples, times their weights, become the loss of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reduction {
    /// Their sum over the number of samples.
    #[default]
    SumOverBatchSize,
    /// Their sum.
    Sum,
    /// They stay as they are.
    None,
    /// Their sum over the sum of the weights.
    MeanWithSampleWeight,
}

impl Reduction {
    /// Keras's name.
    pub fn name(self) -> &'static str {
        match self {
            Reduction::SumOverBatchSize => "sum_over_batch_size",
            Reduction::Sum => "sum",
            Reduction::None => "none",
            Reduction::MeanWithSampleWeight => "mean_with_sample_weight",
        }
    }

    /// The reduction of this name.
    pub fn from_name(name: &str) -> Option<Reduction> {
        match name {
            "sum_over_batch_size" | "mean" => Some(Reduction::SumOverBatchSize),
            "sum" => Some(Reduction::Sum),
            "none" => Some(Reduction::None),
            "mean_with_sample_weight" => Some(Reduction::MeanWithSampleWeight),
            _ => None,
        }
    }

    /// Weights, masks and reduces the losses of samples.
    ///
    /// Ranks that differ by an axis of size 1 are made equal, other shapes broadcast. A mask counts as a weight
    /// of 1 or 0; means are over the samples that it keeps.
    pub fn apply<'b>(
        self,
        values: Var<'b>,
        sample_weight: Option<Var<'b>>,
        mask: Option<Var<'b>>,
    ) -> Var<'b> {
        let mask = mask.map(|m| self.mask_weight(m.cast(DType::F32)));
        let weight = match (sample_weight.map(|w| w.cast(DType::F32)), mask) {
            (Some(w), Some(m)) => {
                let (m, w) = same_rank(m, w);
                Some(m * w)
            }
            (w, m) => w.or(m),
        };
        let (values, weight) = match weight {
            Some(w) => {
                let (v, w) = same_rank(values, w);
                (v * w, Some(w))
            }
            None => (values, None),
        };
        if values.rank() == 0 {
            return values;
        }
        match (self, weight) {
            (Reduction::None, _) => values,
            (Reduction::Sum, _) => values.sum(&[], false),
            (Reduction::MeanWithSampleWeight, Some(w)) => {
                divide_no_nan(values.sum(&[], false), w.sum(&[], false))
            }
            (Reduction::SumOverBatchSize | Reduction::MeanWithSampleWeight, _) => values.mean(&[], false),
        }
    }

    fn mask_weight(self, mask: Var<'_>) -> Var<'_> {
        match self {
            Reduction::SumOverBatchSize => {
                let kept = mask.sum(&[], false);
                mask * divide_no_nan(kept.scalar_like(mask.shape().numel() as f32), kept)
            }
            Reduction::Sum | Reduction::None | Reduction::MeanWithSampleWeight => mask,
        }
    }
}

/// `a / b`, and 0 where `b` is 0.
pub(in crate::nn) fn divide_no_nan<'b>(a: Var<'b>, b: Var<'b>) -> Var<'b> {
    let none = b.equal(b.scalar_like(0.0));
    Var::select(none, a.scalar_like(0.0), a / Var::select(none, b.scalar_like(1.0), b))
}

/// Two values whose ranks differ by a last axis of size 1, with one rank.
pub(in crate::nn) fn same_rank<'b>(a: Var<'b>, b: Var<'b>) -> (Var<'b>, Var<'b>) {
    let (x, y) = (a.shape(), b.shape());
    if x.rank() == y.rank() + 1 && x.dim(-1) == 1 {
        if y.rank() == 1 { (a, b.expand_dims(-1)) } else { (a.squeeze(&[-1]), b) }
    } else if y.rank() == x.rank() + 1 && y.dim(-1) == 1 {
        if x.rank() == 1 { (a.expand_dims(-1), b) } else { (a, b.squeeze(&[-1])) }
    } else {
        (a, b)
    }
}
