//! Metrics (`keras.metrics`): sums that a plan moves forward batch by batch, and a result made of them.

mod accuracy;
#[cfg(feature = "full")]
mod auc;
#[cfg(feature = "full")]
mod confusion;
#[cfg(feature = "full")]
mod eager;
#[cfg(feature = "full")]
mod f_score;
#[cfg(feature = "full")]
mod iou;
mod mean;
#[cfg(feature = "full")]
mod r2;

#[cfg(feature = "full")]
pub use auc::{Auc, AucCurve, AucSummation};
#[cfg(feature = "full")]
pub use confusion::{Precision, Recall};
#[cfg(feature = "full")]
pub use eager::MetricState;
#[cfg(feature = "full")]
pub use f_score::{Average, FScore};
#[cfg(feature = "full")]
pub use iou::{BinaryIoU, IoU};
#[cfg(feature = "full")]
pub use r2::{R2Aggregation, R2Score};

use super::layer::Call;
use crate::{Result, Shape, Tensor, Var, misuse};
#[cfg(feature = "full")]
use alloc::vec;
use alloc::vec::Vec;
#[cfg(feature = "full")]
use confusion::Cell;
use serde::{Deserialize, Serialize};

/// A value that a metric keeps over an epoch; it starts at zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricSlot {
    /// The name, that of Keras.
    pub name: &'static str,
    /// The shape; the type is float32.
    pub shape: Shape,
}

impl MetricSlot {
    fn scalar(name: &'static str) -> MetricSlot {
        MetricSlot { name, shape: Shape::SCALAR }
    }
}

/// A metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Metric {
    /// The share of right answers: of the largest output where there are several (against class indices or
    /// one-hot rows), else of outputs above one half.
    Accuracy,
    /// Mean of `(y - t)^2`.
    MeanSquaredError,
    /// Mean of `|y - t|`.
    MeanAbsoluteError,
    /// The share of outputs that equal their targets (`keras.metrics.Accuracy`).
    #[cfg(feature = "full")]
    Equality,
    /// The share of outputs that are above the threshold where the target is 1, and not where it is 0.
    #[cfg(feature = "full")]
    BinaryAccuracy {
        /// The threshold.
        threshold: f32,
    },
    /// The share of samples whose largest output is that of their one-hot target.
    #[cfg(feature = "full")]
    CategoricalAccuracy,
    /// The share of samples whose largest output is that of their class.
    #[cfg(feature = "full")]
    SparseCategoricalAccuracy,
    /// The share of samples whose one-hot target is among the `k` largest outputs; equals count as in.
    #[cfg(feature = "full")]
    TopKCategoricalAccuracy {
        /// How many.
        k: u32,
    },
    /// The share of samples whose class is among the `k` largest outputs; equals count as in.
    #[cfg(feature = "full")]
    SparseTopKCategoricalAccuracy {
        /// How many.
        k: u32,
    },
    /// The root of the mean of `(y - t)^2`.
    #[cfg(feature = "full")]
    RootMeanSquaredError,
    /// The cosine of the angle between target and output.
    #[cfg(feature = "full")]
    CosineSimilarity {
        /// The axis of the vectors, negative from the end.
        axis: i32,
    },
    /// The mean of a loss over samples.
    #[cfg(feature = "full")]
    Loss(super::Loss),
    /// The mean of the outputs.
    #[cfg(feature = "full")]
    Mean,
    /// The sum of the outputs.
    #[cfg(feature = "full")]
    Sum,
    /// [`Precision`]
    #[cfg(feature = "full")]
    Precision(Precision),
    /// [`Recall`]
    #[cfg(feature = "full")]
    Recall(Recall),
    /// How many outputs are above each threshold where the target is 1; one half where there are none.
    #[cfg(feature = "full")]
    TruePositives {
        /// The thresholds.
        thresholds: Vec<f32>,
    },
    /// How many outputs are above each threshold where the target is 0; one half where there are none.
    #[cfg(feature = "full")]
    FalsePositives {
        /// The thresholds.
        thresholds: Vec<f32>,
    },
    /// How many outputs are not above each threshold where the target is 0; one half where there are none.
    #[cfg(feature = "full")]
    TrueNegatives {
        /// The thresholds.
        thresholds: Vec<f32>,
    },
    /// How many outputs are not above each threshold where the target is 1; one half where there are none.
    #[cfg(feature = "full")]
    FalseNegatives {
        /// The thresholds.
        thresholds: Vec<f32>,
    },
    /// [`Auc`]
    #[cfg(feature = "full")]
    Auc(Auc),
    /// [`FScore`]
    #[cfg(feature = "full")]
    FScore(FScore),
    /// [`R2Score`]
    #[cfg(feature = "full")]
    R2Score(R2Score),
    /// [`IoU`]
    #[cfg(feature = "full")]
    IoU(IoU),
    /// [`BinaryIoU`]
    #[cfg(feature = "full")]
    BinaryIoU(BinaryIoU),
}

impl Metric {
    /// The name in logs, that of Keras.
    pub fn name(&self) -> &str {
        match self {
            Metric::Accuracy => "accuracy",
            Metric::MeanSquaredError => "mean_squared_error",
            Metric::MeanAbsoluteError => "mean_absolute_error",
            #[cfg(feature = "full")]
            Metric::Equality => "accuracy",
            #[cfg(feature = "full")]
            Metric::BinaryAccuracy { .. } => "binary_accuracy",
            #[cfg(feature = "full")]
            Metric::CategoricalAccuracy => "categorical_accuracy",
            #[cfg(feature = "full")]
            Metric::SparseCategoricalAccuracy => "sparse_categorical_accuracy",
            #[cfg(feature = "full")]
            Metric::TopKCategoricalAccuracy { .. } => "top_k_categorical_accuracy",
            #[cfg(feature = "full")]
            Metric::SparseTopKCategoricalAccuracy { .. } => "sparse_top_k_categorical_accuracy",
            #[cfg(feature = "full")]
            Metric::RootMeanSquaredError => "root_mean_squared_error",
            #[cfg(feature = "full")]
            Metric::CosineSimilarity { .. } => "cosine_similarity",
            #[cfg(feature = "full")]
            Metric::Loss(loss) => loss.name(),
            #[cfg(feature = "full")]
            Metric::Mean => "mean",
            #[cfg(feature = "full")]
            Metric::Sum => "sum",
            #[cfg(feature = "full")]
            Metric::Precision(_) => "precision",
            #[cfg(feature = "full")]
            Metric::Recall(_) => "recall",
            #[cfg(feature = "full")]
            Metric::TruePositives { .. } => "true_positives",
            #[cfg(feature = "full")]
            Metric::FalsePositives { .. } => "false_positives",
            #[cfg(feature = "full")]
            Metric::TrueNegatives { .. } => "true_negatives",
            #[cfg(feature = "full")]
            Metric::FalseNegatives { .. } => "false_negatives",
            #[cfg(feature = "full")]
            Metric::Auc(_) => "auc",
            #[cfg(feature = "full")]
            Metric::FScore(f) => f.name(),
            #[cfg(feature = "full")]
            Metric::R2Score(_) => "r2_score",
            #[cfg(feature = "full")]
            Metric::IoU(m) => m.name(),
            #[cfg(feature = "full")]
            Metric::BinaryIoU(_) => "binary_io_u",
        }
    }

    /// The metric of this name, with Keras's defaults.
    pub fn from_name(name: &str) -> Option<Metric> {
        Some(match name {
            "accuracy" | "acc" => Metric::Accuracy,
            "mean_squared_error" | "mse" => Metric::MeanSquaredError,
            "mean_absolute_error" | "mae" => Metric::MeanAbsoluteError,
            #[cfg(feature = "full")]
            "binary_accuracy" => Metric::BinaryAccuracy { threshold: 0.5 },
            #[cfg(feature = "full")]
            "categorical_accuracy" => Metric::CategoricalAccuracy,
            #[cfg(feature = "full")]
            "sparse_categorical_accuracy" => Metric::SparseCategoricalAccuracy,
            #[cfg(feature = "full")]
            "top_k_categorical_accuracy" => Metric::TopKCategoricalAccuracy { k: 5 },
            #[cfg(feature = "full")]
            "sparse_top_k_categorical_accuracy" => Metric::SparseTopKCategoricalAccuracy { k: 5 },
            #[cfg(feature = "full")]
            "root_mean_squared_error" | "rmse" => Metric::RootMeanSquaredError,
            #[cfg(feature = "full")]
            "cosine_similarity" => Metric::CosineSimilarity { axis: -1 },
            #[cfg(feature = "full")]
            "precision" => Metric::Precision(Precision::default()),
            #[cfg(feature = "full")]
            "recall" => Metric::Recall(Recall::default()),
            #[cfg(feature = "full")]
            "true_positives" => Metric::TruePositives { thresholds: Vec::new() },
            #[cfg(feature = "full")]
            "false_positives" => Metric::FalsePositives { thresholds: Vec::new() },
            #[cfg(feature = "full")]
            "true_negatives" => Metric::TrueNegatives { thresholds: Vec::new() },
            #[cfg(feature = "full")]
            "false_negatives" => Metric::FalseNegatives { thresholds: Vec::new() },
            #[cfg(feature = "full")]
            "auc" => Metric::Auc(Auc::default()),
            #[cfg(feature = "full")]
            "f1_score" => Metric::FScore(FScore::default()),
            #[cfg(feature = "full")]
            "r2_score" => Metric::R2Score(R2Score::default()),
            #[cfg(feature = "full")]
            loss => Metric::Loss(super::Loss::from_name(loss)?),
            #[cfg(not(feature = "full"))]
            _ => return None,
        })
    }

    /// Checks the numbers of the metric, so that one read from a damaged file takes no great memory.
    ///
    /// **Errors** when there are more thresholds than 10000, or more classes than 1024.
    pub fn check(&self) -> Result<()> {
        match self {
            #[cfg(feature = "full")]
            Metric::Auc(m) if m.num_thresholds < 2 || m.num_thresholds > 10_000 => {
                Err(misuse!("auc: expected 2 to 10000 thresholds, got {}", m.num_thresholds))
            }
            #[cfg(feature = "full")]
            Metric::IoU(m) if m.num_classes > 1024 => {
                Err(misuse!("{}: expected at most 1024 classes, got {}", self.name(), m.num_classes))
            }
            _ => Ok(()),
        }
    }

    /// What the metric keeps for targets and outputs of these shapes, the batch axis included.
    pub fn slots(&self, target: &Shape, output: &Shape) -> Vec<MetricSlot> {
        let _ = (target, output);
        match self {
            #[cfg(feature = "full")]
            Metric::Sum => vec![MetricSlot::scalar("total")],
            #[cfg(feature = "full")]
            Metric::Precision(m) => {
                confusion::slots(&m.all_thresholds(), &[Cell::TruePositive, Cell::FalsePositive])
            }
            #[cfg(feature = "full")]
            Metric::Recall(m) => {
                confusion::slots(&m.all_thresholds(), &[Cell::TruePositive, Cell::FalseNegative])
            }
            #[cfg(feature = "full")]
            Metric::TruePositives { thresholds }
            | Metric::FalsePositives { thresholds }
            | Metric::TrueNegatives { thresholds }
            | Metric::FalseNegatives { thresholds } => {
                confusion::slots(&confusion::or_half(thresholds), &[self.cell()])
            }
            #[cfg(feature = "full")]
            Metric::Auc(m) => m.slots(output),
            #[cfg(feature = "full")]
            Metric::FScore(m) => m.slots(output),
            #[cfg(feature = "full")]
            Metric::R2Score(_) => r2::slots(output),
            #[cfg(feature = "full")]
            Metric::IoU(m) => m.slots(),
            #[cfg(feature = "full")]
            Metric::BinaryIoU(m) => m.iou().slots(),
            _ => mean::slots(),
        }
    }

    /// The slots after a batch. `sample_weight` has the shape of the values that the metric averages, or one
    /// that broadcasts to it, as `[batch]`. With the call that made the output, a cross-entropy goes back to its
    /// logits.
    ///
    /// **Errors** when targets do not fit outputs, or `slots` are not those that the metric has.
    pub fn update<'b>(
        &self,
        call: Option<&Call<'b>>,
        slots: &[Var<'b>],
        target: Var<'b>,
        output: Var<'b>,
        sample_weight: Option<Var<'b>>,
    ) -> Result<Vec<Var<'b>>> {
        let own = self.slots(&target.shape(), &output.shape());
        if own.len() != slots.len() || own.iter().zip(slots).any(|(a, b)| a.shape != b.shape()) {
            return Err(misuse!(
                "{}: expected {} slots as for outputs of shape {}, got {}; were outputs of another shape before?",
                self.name(),
                own.len(),
                output.shape(),
                slots.len()
            ));
        }
        let steps = self.increments(call, target, output, sample_weight)?;
        Ok(slots.iter().zip(steps).map(|(s, d)| *s + d).collect())
    }

    /// What a batch adds to the slots.
    fn increments<'b>(
        &self,
        call: Option<&Call<'b>>,
        target: Var<'b>,
        output: Var<'b>,
        weight: Option<Var<'b>>,
    ) -> Result<Vec<Var<'b>>> {
        Ok(match self {
            #[cfg(feature = "full")]
            Metric::Sum => vec![mean::total(output, weight)],
            #[cfg(feature = "full")]
            Metric::Precision(m) => {
                let cells = [Cell::TruePositive, Cell::FalsePositive];
                m.counts(target, output, weight)?.pick(&cells)
            }
            #[cfg(feature = "full")]
            Metric::Recall(m) => {
                let cells = [Cell::TruePositive, Cell::FalseNegative];
                m.counts(target, output, weight)?.pick(&cells)
            }
            #[cfg(feature = "full")]
            Metric::TruePositives { thresholds }
            | Metric::FalsePositives { thresholds }
            | Metric::TrueNegatives { thresholds }
            | Metric::FalseNegatives { thresholds } => {
                let thresholds = confusion::or_half(thresholds);
                let plain = Precision { thresholds, ..Precision::default() };
                plain.counts(target, output, weight)?.pick(&[self.cell()])
            }
            #[cfg(feature = "full")]
            Metric::Auc(m) => m.increments(target, output, weight)?,
            #[cfg(feature = "full")]
            Metric::FScore(m) => m.increments(target, output, weight)?,
            #[cfg(feature = "full")]
            Metric::R2Score(_) => r2::increments(target, output, weight)?,
            #[cfg(feature = "full")]
            Metric::IoU(m) => m.increments(target, output, weight)?,
            #[cfg(feature = "full")]
            Metric::BinaryIoU(m) => m.increments(target, output, weight)?,
            _ => {
                let (values, mask) = self.values(call, target, output)?;
                mean::increments(values, mask, weight)
            }
        })
    }

    /// The result: a scalar, or a vector for a metric with several thresholds or classes.
    ///
    /// **Errors** when `slots` are not those that the metric has.
    pub fn result(&self, slots: &[Tensor]) -> Result<Tensor> {
        let values: Result<Vec<&[f32]>> = slots.iter().map(|s| s.as_f32()).collect();
        let values = values?;
        let missing = || misuse!("{}: expected other slots than {}", self.name(), slots.len());
        #[cfg(feature = "full")]
        if let Metric::Precision(_) | Metric::Recall(_) = self {
            let [a, b] = values[..] else { return Err(missing()) };
            return confusion::vector(a.iter().zip(b).map(|(a, b)| share(*a, a + b)).collect());
        }
        #[cfg(feature = "full")]
        if let Metric::Sum
        | Metric::TruePositives { .. }
        | Metric::FalsePositives { .. }
        | Metric::TrueNegatives { .. }
        | Metric::FalseNegatives { .. } = self
        {
            return confusion::vector(values.first().ok_or_else(missing)?.to_vec());
        }
        match self {
            #[cfg(feature = "full")]
            Metric::Auc(m) => m.result(&values).ok_or_else(missing),
            #[cfg(feature = "full")]
            Metric::FScore(m) => m.result(&values).ok_or_else(missing)?,
            #[cfg(feature = "full")]
            Metric::R2Score(m) => m.result(&values).ok_or_else(missing)?,
            #[cfg(feature = "full")]
            Metric::IoU(m) => m.result(&values).ok_or_else(missing),
            #[cfg(feature = "full")]
            Metric::BinaryIoU(m) => m.iou().result(&values).ok_or_else(missing),
            _ => {
                let [&[total], &[count]] = values[..] else { return Err(missing()) };
                let mean = share(total, count);
                #[cfg(feature = "full")]
                if *self == Metric::RootMeanSquaredError {
                    return Ok(Tensor::scalar(crate::math::sqrt(mean)));
                }
                Ok(Tensor::scalar(mean))
            }
        }
    }

    /// The result as one number: the mean of one that has several.
    ///
    /// **Errors** as [`result`](Metric::result).
    pub fn value(&self, slots: &[Tensor]) -> Result<f32> {
        let result = self.result(slots)?.to_f32_vec();
        Ok(result.iter().sum::<f32>() / result.len().max(1) as f32)
    }
}

/// `a / b`, and 0 where `b` is 0.
fn share(a: f32, b: f32) -> f32 {
    if b == 0.0 { 0.0 } else { a / b }
}

#[cfg(feature = "full")]
macro_rules! from_configs {
    ($($Config:ident)*) => {$(
        impl From<$Config> for Metric {
            fn from(metric: $Config) -> Metric {
                Metric::$Config(metric)
            }
        }
    )*};
}

#[cfg(feature = "full")]
from_configs! { Precision Recall Auc FScore R2Score IoU BinaryIoU }

#[cfg(feature = "full")]
impl From<super::Loss> for Metric {
    fn from(loss: super::Loss) -> Metric {
        Metric::Loss(loss)
    }
}

#[cfg(feature = "full")]
impl From<super::loss::CustomLoss> for Metric {
    fn from(function: super::loss::CustomLoss) -> Metric {
        Metric::Loss(function.into())
    }
}
