//! Means over samples.

use super::{Metric, MetricSlot};
use crate::nn::layer::Call;
use crate::nn::loss::{Loss, reduction::same_rank};
use crate::{DType, Result, Var};
use alloc::vec;
use alloc::vec::Vec;

pub(super) fn slots() -> Vec<MetricSlot> {
    vec![MetricSlot::scalar("total"), MetricSlot::scalar("count")]
}

impl Metric {
    /// The values that the metric averages: one for each sample or more, and 0 for those that are left out where
    /// samples have weights.
    pub(super) fn values<'b>(
        &self,
        call: Option<&Call<'b>>,
        target: Var<'b>,
        output: Var<'b>,
    ) -> Result<(Var<'b>, Option<Var<'b>>)> {
        match self {
            Metric::MeanSquaredError => Loss::MeanSquaredError.values_and_mask(call, target, output),
            Metric::MeanAbsoluteError => {
                let target = crate::nn::loss::matching(self.name(), target, output)?;
                let error = (output - target).abs();
                Ok((if error.rank() == 0 { error } else { error.mean(&[-1], false) }, None))
            }
            #[cfg(feature = "full")]
            Metric::Loss(loss) => loss.values_and_mask(call, target, output),
            #[cfg(feature = "full")]
            Metric::RootMeanSquaredError => {
                let target = crate::nn::loss::matching(self.name(), target, output)?;
                Ok(((output - target).square(), None))
            }
            #[cfg(feature = "full")]
            Metric::CosineSimilarity { axis } => {
                let target = crate::nn::loss::matching(self.name(), target, output)?;
                Ok((crate::nn::loss::cosine_similarity(target, output, *axis as isize), None))
            }
            #[cfg(feature = "full")]
            Metric::Mean => Ok((output.cast(DType::F32), None)),
            _ => Ok((self.hits(target, output)?, None)),
        }
    }
}

/// The axes from `from` on, where there are some.
fn tail(v: Var<'_>, from: usize) -> Option<Vec<isize>> {
    (v.rank() > from).then(|| (from as isize..v.rank() as isize).collect())
}

/// Values with their weights, reduced to one for each sample.
fn of_samples<'b>(
    values: Var<'b>,
    weight: Option<Var<'b>>,
    reduce: impl Fn(Var<'b>, &[isize]) -> Var<'b>,
) -> (Var<'b>, Option<Var<'b>>) {
    let reduce = |v: Var<'b>, from: usize| match tail(v, from) {
        Some(axes) => reduce(v, &axes),
        None => v,
    };
    let Some(weight) = weight else { return (reduce(values, 1), None) };
    let (values, weight) = same_rank(values, weight.cast(DType::F32));
    let values = reduce(values, weight.rank());
    let weight = weight.broadcast(values.shape());
    (reduce(values * weight, 1), Some(reduce(weight, 1)))
}

/// What a batch adds to total and count.
pub(super) fn increments<'b>(
    values: Var<'b>,
    mask: Option<Var<'b>>,
    weight: Option<Var<'b>>,
) -> Vec<Var<'b>> {
    let weight = weight.map(|w| match mask {
        Some(mask) => {
            let (mask, w) = same_rank(mask, w.cast(DType::F32));
            w * mask
        }
        None => w,
    });
    let (values, weight) = of_samples(values, weight, |v, axes| v.mean(axes, false));
    let count = match weight {
        Some(weight) => weight.sum(&[], false),
        None => values.scalar_like(values.dim(0) as f32),
    };
    vec![values.sum(&[], false), count]
}

/// What a batch adds to a sum.
#[cfg(feature = "full")]
pub(super) fn total<'b>(values: Var<'b>, weight: Option<Var<'b>>) -> Var<'b> {
    let values = values.cast(DType::F32);
    of_samples(values, weight, |v, axes| v.sum(axes, false)).0.sum(&[], false)
}
