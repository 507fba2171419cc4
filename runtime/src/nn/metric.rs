//! Metrics (`keras.metrics`): a value for each sample, averaged over an epoch.

use crate::{DType, Var};
use serde::{Deserialize, Serialize};

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Metric {
    /// The share of right answers: of the largest output where there are several (against class indices or
    /// one-hot rows), else of outputs above one half.
    Accuracy,
    /// Mean of `(y - t)^2`.
    MeanSquaredError,
    /// Mean of `|y - t|`.
    MeanAbsoluteError,
}

impl Metric {
    /// The name in logs.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Accuracy => "accuracy",
            Metric::MeanSquaredError => "mean_squared_error",
            Metric::MeanAbsoluteError => "mean_absolute_error",
        }
    }

    /// The metric of this name.
    pub fn from_name(name: &str) -> Option<Metric> {
        match name {
            "accuracy" | "acc" => Some(Metric::Accuracy),
            "mean_squared_error" | "mse" => Some(Metric::MeanSquaredError),
            "mean_absolute_error" | "mae" => Some(Metric::MeanAbsoluteError),
            _ => None,
        }
    }

    /// The mean over a batch. Targets are accepted as the loss accepts them.
    pub fn mean<'b>(self, target: Var<'b>, output: Var<'b>) -> Var<'b> {
        let (t, y) = (target.shape(), output.shape());
        let float = |v: Var<'b>| v.cast(DType::F32);
        match self {
            Metric::MeanSquaredError => (output - float(target).reshaped(y)).square().mean(&[], false),
            Metric::MeanAbsoluteError => (output - float(target).reshaped(y)).abs().mean(&[], false),
            Metric::Accuracy if y.dim(-1) == 1 => {
                let answer = output.greater(output.scalar_like(0.5));
                let truth = float(target).reshaped(y);
                float(float(answer).equal(truth)).mean(&[], false)
            }
            Metric::Accuracy => {
                let answer = output.argmax(-1);
                let truth = if t == y { float(target).argmax(-1) } else { target.cast(DType::I32) };
                float(answer.equal(truth.reshaped(answer.shape()))).mean(&[], false)
            }
        }
    }
}
