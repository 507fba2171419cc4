//! Losses (`keras.losses`), each the mean over samples.

use super::Activation;
use super::layer::Call;
use crate::{DType, Result, Var, misuse};
use serde::{Deserialize, Serialize};

/// A loss.
///
/// A cross-entropy with `from_logits: false` on the output of a softmax goes back to the softmax's logits, as
/// Keras does; on bare probabilities it divides them by their sum and clips to `[1e-7, 1 - 1e-7]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Loss {
    /// Mean of `(y - t)^2`; targets of the output's shape.
    MeanSquaredError,
    /// `-sum(t log p)`; targets are rows of probabilities of the output's shape.
    CategoricalCrossentropy {
        /// Whether the output is logits instead of probabilities.
        from_logits: bool,
    },
    /// `-log p[t]`; targets are class indices, the output's shape without its last axis.
    SparseCategoricalCrossentropy {
        /// Whether the output is logits instead of probabilities.
        from_logits: bool,
    },
}

/// Keras's `epsilon`.
const EPSILON: f32 = 1e-7;

impl Loss {
    /// Keras's name.
    pub fn name(self) -> &'static str {
        match self {
            Loss::MeanSquaredError => "mean_squared_error",
            Loss::CategoricalCrossentropy { .. } => "categorical_crossentropy",
            Loss::SparseCategoricalCrossentropy { .. } => "sparse_categorical_crossentropy",
        }
    }

    /// The loss of this name, from probabilities where it is a cross-entropy.
    pub fn from_name(name: &str) -> Option<Loss> {
        match name {
            "mean_squared_error" | "mse" => Some(Loss::MeanSquaredError),
            "categorical_crossentropy" => Some(Loss::CategoricalCrossentropy { from_logits: false }),
            "sparse_categorical_crossentropy" => {
                Some(Loss::SparseCategoricalCrossentropy { from_logits: false })
            }
            _ => None,
        }
    }

    /// Whether targets are class indices.
    pub fn is_sparse(self) -> bool {
        matches!(self, Loss::SparseCategoricalCrossentropy { .. })
    }

    /// The scalar loss of a batch.
    ///
    /// **Errors** when the targets do not fit the output.
    pub fn call<'b>(self, call: &Call<'b>, target: Var<'b>, output: Var<'b>) -> Result<Var<'b>> {
        Ok(self.values(call, target, output)?.mean(&[], false))
    }

    /// The loss of each sample: the output's shape without its last axis.
    ///
    /// **Errors** when the targets do not fit the output.
    pub fn values<'b>(self, call: &Call<'b>, target: Var<'b>, output: Var<'b>) -> Result<Var<'b>> {
        let name = self.name();
        let (t, y) = (target.shape(), output.shape());
        if y.rank() == 0 {
            return Err(misuse!("{name}: expected outputs with at least one axis, got a scalar"));
        }
        let per_sample = y.list();
        let per_sample = &per_sample[..y.rank() - 1];
        match self {
            Loss::MeanSquaredError => {
                let target = matching(name, target, output)?;
                Ok((output - target).square().mean(&[-1], false))
            }
            Loss::CategoricalCrossentropy { from_logits } => {
                if t != y {
                    return Err(misuse!(
                        "{name}: expected targets of shape {y}, got {t}; class indices want \
                         sparse_categorical_crossentropy or one_hot"
                    ));
                }
                let target = target.cast(DType::F32);
                let log = match self.logits(call, output, from_logits) {
                    Some(logits) => logits.log_softmax(),
                    None => (output / output.sum(&[-1], true)).clip(EPSILON, 1.0 - EPSILON).log(),
                };
                Ok(-(target * log).sum(&[-1], false))
            }
            Loss::SparseCategoricalCrossentropy { from_logits } => {
                if t.numel() != y.numel() / y.dim(-1).max(1) {
                    return Err(misuse!(
                        "{name}: expected one class index per sample for outputs of shape {y}, got targets of \
                         shape {t}; one-hot rows want categorical_crossentropy"
                    ));
                }
                let index = target.cast(DType::I32).reshape(per_sample);
                let log = match self.logits(call, output, from_logits) {
                    Some(logits) => logits.log_softmax(),
                    None => output.clip(EPSILON, 1.0 - EPSILON).log().log_softmax(),
                };
                Ok(-(index.one_hot(y.dim(-1)) * log).sum(&[-1], false))
            }
        }
    }

    fn logits<'b>(self, call: &Call<'b>, output: Var<'b>, from_logits: bool) -> Option<Var<'b>> {
        if from_logits { Some(output) } else { call.logits(Activation::Softmax, output) }
    }
}

/// Targets in the shape of the output, where they differ by axes of size 1 only.
fn matching<'b>(name: &str, target: Var<'b>, output: Var<'b>) -> Result<Var<'b>> {
    let (t, y) = (target.shape(), output.shape());
    let same_size = t.numel() == y.numel() && t.dim(0) == y.dim(0);
    let squeezable = t.rank().abs_diff(y.rank()) <= 1;
    if t != y && !(same_size && squeezable) {
        return Err(misuse!("{name}: expected targets of shape {y}, got {t}"));
    }
    Ok(target.cast(DType::F32).reshaped(y))
}
