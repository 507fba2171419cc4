//! Cross-entropies of yes and no.

use super::EPSILON;
use super::categorical::logits;
use crate::nn::Activation;
use crate::nn::layer::Call;
use crate::{Result, Var};
use serde::{Deserialize, Serialize};

/// Mean of `-t log p - (1 - t) log(1 - p)` over an axis; targets of the output's shape
/// (`keras.losses.BinaryCrossentropy`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BinaryCrossentropy {
    /// Whether the output is logits instead of probabilities.
    pub from_logits: bool,
    /// Share of the targets that is drawn to one half, in [0, 1].
    pub label_smoothing: f32,
    /// The axis of the mean, negative from the end.
    pub axis: i32,
}

impl Default for BinaryCrossentropy {
    fn default() -> BinaryCrossentropy {
        BinaryCrossentropy { from_logits: false, label_smoothing: 0.0, axis: -1 }
    }
}

/// Binary cross-entropy times `(1 - q)^gamma`, where q is the probability of the right answer, and, where classes
/// are balanced, times alpha for ones and `1 - alpha` for zeros (Lin et al. 2017;
/// `keras.losses.BinaryFocalCrossentropy`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BinaryFocalCrossentropy {
    /// Whether alpha is applied.
    pub apply_class_balancing: bool,
    /// Weight of ones.
    pub alpha: f32,
    /// How much less well classified samples count.
    pub gamma: f32,
    /// Whether the output is logits instead of probabilities.
    pub from_logits: bool,
    /// Share of the targets that is drawn to one half, in [0, 1].
    pub label_smoothing: f32,
    /// The axis of the mean, negative from the end.
    pub axis: i32,
}

impl Default for BinaryFocalCrossentropy {
    fn default() -> BinaryFocalCrossentropy {
        BinaryFocalCrossentropy {
            apply_class_balancing: false,
            alpha: 0.25,
            gamma: 2.0,
            from_logits: false,
            label_smoothing: 0.0,
            axis: -1,
        }
    }
}

fn smooth(target: Var<'_>, smoothing: f32) -> Var<'_> {
    if smoothing == 0.0 { target } else { target * (1.0 - smoothing) + 0.5 * smoothing }
}

/// The cross-entropy of each element, from logits where there are some.
fn crossentropy<'b>(target: Var<'b>, output: Var<'b>, logits: Option<Var<'b>>) -> Var<'b> {
    match logits {
        Some(x) => x.softplus() - x * target,
        None => {
            let p = output.clip(EPSILON, 1.0 - EPSILON);
            -(target * p.log() + (1.0 - target) * (1.0 - p).log())
        }
    }
}

impl BinaryCrossentropy {
    pub(super) fn values<'b>(
        &self,
        call: Option<&Call<'b>>,
        target: Var<'b>,
        output: Var<'b>,
    ) -> Result<Var<'b>> {
        let target = smooth(target, self.label_smoothing);
        let logits = logits(call, Activation::Sigmoid, output, self.from_logits);
        Ok(crossentropy(target, output, logits).mean(&[self.axis as isize], false))
    }
}

impl BinaryFocalCrossentropy {
    pub(super) fn values<'b>(
        &self,
        call: Option<&Call<'b>>,
        target: Var<'b>,
        output: Var<'b>,
    ) -> Result<Var<'b>> {
        let target = smooth(target, self.label_smoothing);
        let logits = logits(call, Activation::Sigmoid, output, self.from_logits);
        let p = if self.from_logits { output.sigmoid() } else { output };
        let right = target * p + (1.0 - target) * (1.0 - p);
        let mut values = (1.0 - right).pow(self.gamma) * crossentropy(target, p, logits);
        if self.apply_class_balancing {
            values = (target * self.alpha + (1.0 - target) * (1.0 - self.alpha)) * values;
        }
        Ok(values.mean(&[self.axis as isize], false))
    }
}
