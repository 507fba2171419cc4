//! Cross-entropies over classes.

use super::EPSILON;
use crate::nn::Activation;
use crate::nn::layer::Call;
use crate::{DType, Result, Var, misuse};
use serde::{Deserialize, Serialize};

/// `-sum(t log p)` over an axis; targets are probabilities of the output's shape
/// (`keras.losses.CategoricalCrossentropy`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CategoricalCrossentropy {
    /// Whether the output is logits instead of probabilities.
    pub from_logits: bool,
    /// Share of the targets that is spread over all classes, in [0, 1].
    pub label_smoothing: f32,
    /// The axis of the classes, negative from the end.
    pub axis: i32,
}

impl Default for CategoricalCrossentropy {
    fn default() -> CategoricalCrossentropy {
        CategoricalCrossentropy { from_logits: false, label_smoothing: 0.0, axis: -1 }
    }
}

/// `-log p[t]`; targets are class indices, the output's shape without its last axis
/// (`keras.losses.SparseCategoricalCrossentropy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SparseCategoricalCrossentropy {
    /// Whether the output is logits instead of probabilities.
    pub from_logits: bool,
    /// A class whose samples are left out, also of the mean.
    pub ignore_class: Option<i32>,
}

/// `-sum(alpha (1 - p)^gamma t log p)` over an axis (Lin et al. 2017;
/// `keras.losses.CategoricalFocalCrossentropy`).
#[cfg(feature = "full")]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CategoricalFocalCrossentropy {
    /// Weight of all classes.
    pub alpha: f32,
    /// How much less well classified samples count.
    pub gamma: f32,
    /// Whether the output is logits instead of probabilities.
    pub from_logits: bool,
    /// Share of the targets that is spread over all classes, in [0, 1].
    pub label_smoothing: f32,
    /// The axis of the classes, negative from the end.
    pub axis: i32,
}

#[cfg(feature = "full")]
impl Default for CategoricalFocalCrossentropy {
    fn default() -> CategoricalFocalCrossentropy {
        let (from_logits, label_smoothing) = (false, 0.0);
        CategoricalFocalCrossentropy { alpha: 0.25, gamma: 2.0, from_logits, label_smoothing, axis: -1 }
    }
}

/// `(1 - p[t]^q) / q`; targets are class indices (Zhang and Sabuncu 2018;
/// `keras.losses.CategoricalGeneralizedCrossEntropy`).
#[cfg(feature = "full")]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CategoricalGeneralizedCrossentropy {
    /// In (0, 1): near 0 the cross-entropy, near 1 the absolute error.
    pub q: f32,
}

#[cfg(feature = "full")]
impl Default for CategoricalGeneralizedCrossentropy {
    fn default() -> CategoricalGeneralizedCrossentropy {
        CategoricalGeneralizedCrossentropy { q: 0.5 }
    }
}

/// The logits of an output, if it is them or was made of them.
pub(super) fn logits<'b>(
    call: Option<&Call<'b>>,
    activation: Activation,
    output: Var<'b>,
    from_logits: bool,
) -> Option<Var<'b>> {
    if from_logits { Some(output) } else { call.and_then(|c| c.logits(activation, output)) }
}

/// Targets of the output's shape, smoothed.
fn smooth<'b>(name: &str, target: Var<'b>, output: Var<'b>, smoothing: f32) -> Result<Var<'b>> {
    let (t, y) = (target.shape(), output.shape());
    if t != y {
        return Err(misuse!(
            "{name}: expected targets of shape {y}, got {t}; class indices want \
             sparse_categorical_crossentropy or one_hot"
        ));
    }
    let target = target.cast(DType::F32);
    if smoothing == 0.0 {
        return Ok(target);
    }
    Ok(target * (1.0 - smoothing) + smoothing / t.dim(-1) as f32)
}

fn log_softmax(x: Var<'_>, axis: isize) -> Var<'_> {
    let shifted = x - x.max(&[axis], true).stop_gradient();
    shifted - shifted.exp().sum(&[axis], true).log()
}

/// Probabilities that sum to 1, clipped.
fn probabilities(output: Var<'_>, axis: isize) -> Var<'_> {
    (output / output.sum(&[axis], true)).clip(EPSILON, 1.0 - EPSILON)
}

impl CategoricalCrossentropy {
    pub(super) fn values<'b>(
        &self,
        call: Option<&Call<'b>>,
        target: Var<'b>,
        output: Var<'b>,
    ) -> Result<Var<'b>> {
        let target = smooth("categorical_crossentropy", target, output, self.label_smoothing)?;
        let axis = self.axis as isize;
        let log = match logits(call, Activation::Softmax, output, self.from_logits) {
            Some(logits) => log_softmax(logits, axis),
            None => probabilities(output, axis).log(),
        };
        Ok(-(target * log).sum(&[axis], false))
    }
}

/// Class indices in the shape of the output without its last axis.
fn classes<'b>(name: &str, target: Var<'b>, output: Var<'b>) -> Result<Var<'b>> {
    let (t, y) = (target.shape(), output.shape());
    if t.numel() != y.numel() / y.dim(-1).max(1) {
        return Err(misuse!(
            "{name}: expected one class index per sample for outputs of shape {y}, got targets of shape {t}; \
             one-hot rows want categorical_crossentropy"
        ));
    }
    Ok(target.cast(DType::I32).reshape(&y.list()[..y.rank() - 1]))
}

impl SparseCategoricalCrossentropy {
    pub(super) fn values_and_mask<'b>(
        &self,
        call: Option<&Call<'b>>,
        target: Var<'b>,
        output: Var<'b>,
    ) -> Result<(Var<'b>, Option<Var<'b>>)> {
        let mut index = classes("sparse_categorical_crossentropy", target, output)?;
        let mut y = output;
        let valid = self.ignore_class.map(|c| {
            let bits = crate::op::Op::Scalar(DType::I32, c as u32);
            index.not_equal(Var::new(index.builder(), index.builder().push(bits, &[])))
        });
        let mut call = call;
        if let Some(valid) = valid {
            // What is selected from an output has no logits of its own.
            call = None;
            index = Var::select(valid, index, index.scalar_like(0.0));
            y = Var::select(valid.expand_dims(-1), y, y.scalar_like(0.0));
        }
        let log = match logits(call, Activation::Softmax, y, self.from_logits) {
            Some(logits) => logits.log_softmax(),
            None => y.clip(EPSILON, 1.0 - EPSILON).log().log_softmax(),
        };
        let values = -(index.one_hot(y.dim(-1)) * log).sum(&[-1], false);
        Ok(match valid {
            Some(valid) => {
                (Var::select(valid, values, values.scalar_like(0.0)), Some(valid.cast(DType::F32)))
            }
            None => (values, None),
        })
    }
}

#[cfg(feature = "full")]
impl CategoricalFocalCrossentropy {
    pub(super) fn values<'b>(&self, target: Var<'b>, output: Var<'b>) -> Result<Var<'b>> {
        let target = smooth("categorical_focal_crossentropy", target, output, self.label_smoothing)?;
        let axis = self.axis as isize;
        let y = if self.from_logits { log_softmax(output, axis).exp() } else { output };
        let p = probabilities(y, axis);
        let weight = (1.0 - p).pow(self.gamma) * self.alpha;
        Ok((weight * -(target * p.log())).sum(&[axis], false))
    }
}

#[cfg(feature = "full")]
impl CategoricalGeneralizedCrossentropy {
    pub(super) fn values<'b>(&self, target: Var<'b>, output: Var<'b>) -> Result<Var<'b>> {
        let index = classes("categorical_generalized_cross_entropy", target, output)?;
        let p = (index.one_hot(output.dim(-1)) * output).sum(&[-1], false);
        Ok((1.0 - p.pow(self.q)) / self.q)
    }
}
