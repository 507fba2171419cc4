//! Losses (`keras.losses`).

#[cfg(feature = "full")]
mod binary;
mod categorical;
#[cfg(feature = "full")]
mod custom;
#[cfg(feature = "full")]
mod distance;
#[cfg(feature = "full")]
mod overlap;
pub(super) mod reduction;

#[cfg(feature = "full")]
pub use binary::{BinaryCrossentropy, BinaryFocalCrossentropy};
pub use categorical::{CategoricalCrossentropy, SparseCategoricalCrossentropy};
#[cfg(feature = "full")]
pub use categorical::{CategoricalFocalCrossentropy, CategoricalGeneralizedCrossentropy};
#[cfg(feature = "full")]
pub use custom::CustomLoss;
#[cfg(feature = "full")]
pub(super) use distance::{cosine_similarity, unit};
#[cfg(feature = "full")]
pub use overlap::{Dice, Tversky};
pub use reduction::Reduction;

use super::layer::Call;
use crate::{DType, Result, Var, misuse};
use serde::{Deserialize, Serialize};

/// A loss: a number for each sample, and their mean over the batch.
///
/// A cross-entropy with `from_logits: false` on the output of a softmax or sigmoid goes back to its logits, as
/// Keras does; bare probabilities are clipped to `[1e-7, 1 - 1e-7]`, those over classes after division by their
/// sum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Mean of `|y - t|`.
    #[cfg(feature = "full")]
    MeanAbsoluteError,
    /// 100 times the mean of `|y - t| / max(|t|, 1e-7)`.
    #[cfg(feature = "full")]
    MeanAbsolutePercentageError,
    /// Mean of `(log(1 + y) - log(1 + t))^2`; numbers below 1e-7 count as 1e-7.
    #[cfg(feature = "full")]
    MeanSquaredLogarithmicError,
    /// Mean of `e^2 / 2` where `|e| <= delta`, else of `delta |e| - delta^2 / 2`, for `e = y - t` (Huber 1964).
    #[cfg(feature = "full")]
    Huber {
        /// Where the parabola ends.
        delta: f32,
    },
    /// Mean of `log(cosh(y - t))`.
    #[cfg(feature = "full")]
    LogCosh,
    /// Minus the cosine of the angle between target and output.
    #[cfg(feature = "full")]
    CosineSimilarity {
        /// The axis of the vectors, negative from the end.
        axis: i32,
    },
    /// Mean of `y - t log(y + 1e-7)`.
    #[cfg(feature = "full")]
    Poisson,
    /// Mean of `max(1 - t y, 0)`; targets that are all 0 or 1 count as -1 and 1.
    #[cfg(feature = "full")]
    Hinge,
    /// Mean of `max(1 - t y, 0)^2`; targets that are all 0 or 1 count as -1 and 1.
    #[cfg(feature = "full")]
    SquaredHinge,
    /// `max(max((1 - t) y) - sum(t y) + 1, 0)`.
    #[cfg(feature = "full")]
    CategoricalHinge,
    /// `sum(t log(t / y))`, both clipped to `[1e-7, 1]` (Kullback and Leibler 1951).
    #[cfg(feature = "full")]
    KlDivergence,
    /// [`BinaryCrossentropy`]
    #[cfg(feature = "full")]
    BinaryCrossentropy(BinaryCrossentropy),
    /// [`BinaryFocalCrossentropy`]
    #[cfg(feature = "full")]
    BinaryFocalCrossentropy(BinaryFocalCrossentropy),
    /// [`CategoricalCrossentropy`], with more options.
    #[cfg(feature = "full")]
    CategoricalCrossentropyWith(CategoricalCrossentropy),
    /// [`CategoricalFocalCrossentropy`]
    #[cfg(feature = "full")]
    CategoricalFocalCrossentropy(CategoricalFocalCrossentropy),
    /// [`CategoricalGeneralizedCrossentropy`]
    #[cfg(feature = "full")]
    CategoricalGeneralizedCrossentropy(CategoricalGeneralizedCrossentropy),
    /// [`SparseCategoricalCrossentropy`], with more options.
    #[cfg(feature = "full")]
    SparseCategoricalCrossentropyWith(SparseCategoricalCrossentropy),
    /// [`Dice`]
    #[cfg(feature = "full")]
    Dice(Dice),
    /// [`Tversky`]
    #[cfg(feature = "full")]
    Tversky(Tversky),
    /// A loss with another reduction; [`Loss::reduced`] makes it.
    #[cfg(feature = "full")]
    Reduced {
        /// The loss.
        #[serde(with = "crate::nn::packed")]
        loss: alloc::boxed::Box<Loss>,
        /// What becomes of the losses of samples.
        reduction: Reduction,
    },
    /// A function of the program's own, which is not saved.
    #[cfg(feature = "full")]
    #[serde(skip)]
    Custom(CustomLoss),
}

/// Keras's `epsilon`.
pub(super) const EPSILON: f32 = 1e-7;

impl Loss {
    /// Keras's name.
    pub fn name(&self) -> &str {
        match self {
            Loss::MeanSquaredError => "mean_squared_error",
            Loss::CategoricalCrossentropy { .. } => "categorical_crossentropy",
            Loss::SparseCategoricalCrossentropy { .. } => "sparse_categorical_crossentropy",
            #[cfg(feature = "full")]
            Loss::MeanAbsoluteError => "mean_absolute_error",
            #[cfg(feature = "full")]
            Loss::MeanAbsolutePercentageError => "mean_absolute_percentage_error",
            #[cfg(feature = "full")]
            Loss::MeanSquaredLogarithmicError => "mean_squared_logarithmic_error",
            #[cfg(feature = "full")]
            Loss::Huber { .. } => "huber_loss",
            #[cfg(feature = "full")]
            Loss::LogCosh => "log_cosh",
            #[cfg(feature = "full")]
            Loss::CosineSimilarity { .. } => "cosine_similarity",
            #[cfg(feature = "full")]
            Loss::Poisson => "poisson",
            #[cfg(feature = "full")]
            Loss::Hinge => "hinge",
            #[cfg(feature = "full")]
            Loss::SquaredHinge => "squared_hinge",
            #[cfg(feature = "full")]
            Loss::CategoricalHinge => "categorical_hinge",
            #[cfg(feature = "full")]
            Loss::KlDivergence => "kl_divergence",
            #[cfg(feature = "full")]
            Loss::BinaryCrossentropy(_) => "binary_crossentropy",
            #[cfg(feature = "full")]
            Loss::BinaryFocalCrossentropy(_) => "binary_focal_crossentropy",
            #[cfg(feature = "full")]
            Loss::CategoricalCrossentropyWith(_) => "categorical_crossentropy",
            #[cfg(feature = "full")]
            Loss::CategoricalFocalCrossentropy(_) => "categorical_focal_crossentropy",
            #[cfg(feature = "full")]
            Loss::CategoricalGeneralizedCrossentropy(_) => "categorical_generalized_cross_entropy",
            #[cfg(feature = "full")]
            Loss::SparseCategoricalCrossentropyWith(_) => "sparse_categorical_crossentropy",
            #[cfg(feature = "full")]
            Loss::Dice(_) => "dice",
            #[cfg(feature = "full")]
            Loss::Tversky(_) => "tversky",
            #[cfg(feature = "full")]
            Loss::Reduced { loss, .. } => loss.name(),
            #[cfg(feature = "full")]
            Loss::Custom(loss) => loss.name(),
        }
    }

    /// The loss of this name with Keras's defaults, from probabilities where it is a cross-entropy.
    pub fn from_name(name: &str) -> Option<Loss> {
        Some(match name {
            "mean_squared_error" | "mse" => Loss::MeanSquaredError,
            "categorical_crossentropy" => Loss::CategoricalCrossentropy { from_logits: false },
            "sparse_categorical_crossentropy" => Loss::SparseCategoricalCrossentropy { from_logits: false },
            #[cfg(feature = "full")]
            "mean_absolute_error" | "mae" => Loss::MeanAbsoluteError,
            #[cfg(feature = "full")]
            "mean_absolute_percentage_error" | "mape" => Loss::MeanAbsolutePercentageError,
            #[cfg(feature = "full")]
            "mean_squared_logarithmic_error" | "msle" => Loss::MeanSquaredLogarithmicError,
            #[cfg(feature = "full")]
            "huber" | "huber_loss" => Loss::Huber { delta: 1.0 },
            #[cfg(feature = "full")]
            "log_cosh" | "logcosh" => Loss::LogCosh,
            #[cfg(feature = "full")]
            "cosine_similarity" => Loss::CosineSimilarity { axis: -1 },
            #[cfg(feature = "full")]
            "poisson" => Loss::Poisson,
            #[cfg(feature = "full")]
            "hinge" => Loss::Hinge,
            #[cfg(feature = "full")]
            "squared_hinge" => Loss::SquaredHinge,
            #[cfg(feature = "full")]
            "categorical_hinge" => Loss::CategoricalHinge,
            #[cfg(feature = "full")]
            "kl_divergence" | "kullback_leibler_divergence" | "kld" => Loss::KlDivergence,
            #[cfg(feature = "full")]
            "binary_crossentropy" | "bce" => Loss::BinaryCrossentropy(Default::default()),
            #[cfg(feature = "full")]
            "binary_focal_crossentropy" => Loss::BinaryFocalCrossentropy(Default::default()),
            #[cfg(feature = "full")]
            "categorical_focal_crossentropy" => Loss::CategoricalFocalCrossentropy(Default::default()),
            #[cfg(feature = "full")]
            "dice" => Loss::Dice(Dice::default()),
            #[cfg(feature = "full")]
            "tversky" => Loss::Tversky(Tversky::default()),
            _ => return None,
        })
    }

    /// Whether targets are class indices.
    pub fn is_sparse(&self) -> bool {
        match self {
            Loss::SparseCategoricalCrossentropy { .. } => true,
            #[cfg(feature = "full")]
            Loss::SparseCategoricalCrossentropyWith(_) | Loss::CategoricalGeneralizedCrossentropy(_) => true,
            #[cfg(feature = "full")]
            Loss::Reduced { loss, .. } => loss.is_sparse(),
            _ => false,
        }
    }

    /// The class that a sparse loss leaves out; targets may hold it though it is no class of the output.
    pub fn ignored_class(&self) -> Option<i32> {
        match self {
            #[cfg(feature = "full")]
            Loss::SparseCategoricalCrossentropyWith(loss) => loss.ignore_class,
            #[cfg(feature = "full")]
            Loss::Reduced { loss, .. } => loss.ignored_class(),
            _ => None,
        }
    }

    /// What becomes of the losses of samples.
    pub fn reduction(&self) -> Reduction {
        match self {
            #[cfg(feature = "full")]
            Loss::Reduced { reduction, .. } => *reduction,
            _ => Reduction::SumOverBatchSize,
        }
    }

    /// This loss with another reduction.
    #[cfg(feature = "full")]
    pub fn reduced(self, reduction: Reduction) -> Loss {
        match self {
            Loss::Reduced { loss, .. } => Loss::Reduced { loss, reduction },
            loss => Loss::Reduced { loss: alloc::boxed::Box::new(loss), reduction },
        }
    }

    /// The loss of a batch, a scalar unless the reduction is none. `sample_weight` multiplies the losses of
    /// samples; it has their shape, or one that broadcasts to it. Samples that the output's mask leaves out do
    /// not count.
    ///
    /// **Errors** when the targets do not fit the output.
    pub fn call<'b>(
        &self,
        call: &Call<'b>,
        target: Var<'b>,
        output: Var<'b>,
        sample_weight: Option<Var<'b>>,
    ) -> Result<Var<'b>> {
        self.masked(Some(call), target, output, sample_weight, call.mask(output))
    }

    /// [`call`](Loss::call) outside of a model's call, as hand-written training loops need it: the output is
    /// taken as it is.
    ///
    /// **Errors** when the targets do not fit the output.
    pub fn of<'b>(
        &self,
        target: Var<'b>,
        output: Var<'b>,
        sample_weight: Option<Var<'b>>,
    ) -> Result<Var<'b>> {
        self.masked(None, target, output, sample_weight, None)
    }

    /// The loss of a batch where `mask`, booleans or 0 and 1 of the shape of the losses of samples, leaves
    /// samples out: the mean is then over the others.
    ///
    /// **Errors** when the targets do not fit the output.
    pub fn masked<'b>(
        &self,
        call: Option<&Call<'b>>,
        target: Var<'b>,
        output: Var<'b>,
        sample_weight: Option<Var<'b>>,
        mask: Option<Var<'b>>,
    ) -> Result<Var<'b>> {
        let (values, own) = self.values_and_mask(call, target, output)?;
        let mask = match (mask, own) {
            (Some(a), Some(b)) => {
                let (a, b) = reduction::same_rank(a.cast(DType::F32), b);
                Some(a * b)
            }
            (a, b) => a.or(b),
        };
        Ok(self.reduction().apply(values, sample_weight, mask))
    }

    /// The loss of each sample: the output's shape without its last axis.
    ///
    /// **Errors** when the targets do not fit the output.
    pub fn values<'b>(&self, call: Option<&Call<'b>>, target: Var<'b>, output: Var<'b>) -> Result<Var<'b>> {
        Ok(self.values_and_mask(call, target, output)?.0)
    }

    /// The loss of each sample, and 0 for those that the loss itself leaves out, else 1.
    ///
    /// **Errors** when the targets do not fit the output.
    pub fn values_and_mask<'b>(
        &self,
        call: Option<&Call<'b>>,
        target: Var<'b>,
        output: Var<'b>,
    ) -> Result<(Var<'b>, Option<Var<'b>>)> {
        let name = self.name();
        if output.shape().rank() == 0 {
            return Err(misuse!("{name}: expected outputs with at least one axis, got a scalar"));
        }
        let values = match self {
            Loss::MeanSquaredError => (output - matching(name, target, output)?).square().mean(&[-1], false),
            Loss::CategoricalCrossentropy { from_logits } => {
                let loss = CategoricalCrossentropy { from_logits: *from_logits, ..Default::default() };
                loss.values(call, target, output)?
            }
            Loss::SparseCategoricalCrossentropy { from_logits } => {
                let loss = SparseCategoricalCrossentropy { from_logits: *from_logits, ..Default::default() };
                return loss.values_and_mask(call, target, output);
            }
            #[cfg(feature = "full")]
            Loss::BinaryCrossentropy(loss) => loss.values(call, matching(name, target, output)?, output)?,
            #[cfg(feature = "full")]
            Loss::BinaryFocalCrossentropy(loss) => {
                loss.values(call, matching(name, target, output)?, output)?
            }
            #[cfg(feature = "full")]
            Loss::CategoricalCrossentropyWith(loss) => loss.values(call, target, output)?,
            #[cfg(feature = "full")]
            Loss::CategoricalFocalCrossentropy(loss) => loss.values(target, output)?,
            #[cfg(feature = "full")]
            Loss::CategoricalGeneralizedCrossentropy(loss) => loss.values(target, output)?,
            #[cfg(feature = "full")]
            Loss::SparseCategoricalCrossentropyWith(loss) => {
                return loss.values_and_mask(call, target, output);
            }
            #[cfg(feature = "full")]
            Loss::Dice(loss) => loss.values(matching(name, target, output)?, output),
            #[cfg(feature = "full")]
            Loss::Tversky(loss) => loss.values(matching(name, target, output)?, output),
            #[cfg(feature = "full")]
            Loss::Reduced { loss, .. } => return loss.values_and_mask(call, target, output),
            #[cfg(feature = "full")]
            Loss::Custom(loss) => loss.values(target, output),
            #[cfg(feature = "full")]
            distance => distance.distance(matching(name, target, output)?, output),
        };
        Ok((values, None))
    }
}

/// Targets in the shape of the output, where they differ by axes of size 1 only.
pub(super) fn matching<'b>(name: &str, target: Var<'b>, output: Var<'b>) -> Result<Var<'b>> {
    let (t, y) = (target.shape(), output.shape());
    let same_size = t.numel() == y.numel() && t.dim(0) == y.dim(0);
    let squeezable = t.rank().abs_diff(y.rank()) <= 1;
    if t != y && !(same_size && squeezable) {
        return Err(misuse!("{name}: expected targets of shape {y}, got {t}"));
    }
    Ok(target.cast(DType::F32).reshaped(y))
}

#[cfg(feature = "full")]
macro_rules! from_configs {
    ($($Config:ident $Variant:ident)*) => {$(
        impl From<$Config> for Loss {
            fn from(loss: $Config) -> Loss {
                Loss::$Variant(loss)
            }
        }
    )*};
}

#[cfg(feature = "full")]
from_configs! {
    BinaryCrossentropy BinaryCrossentropy
    BinaryFocalCrossentropy BinaryFocalCrossentropy
    CategoricalCrossentropy CategoricalCrossentropyWith
    CategoricalFocalCrossentropy CategoricalFocalCrossentropy
    CategoricalGeneralizedCrossentropy CategoricalGeneralizedCrossentropy
    SparseCategoricalCrossentropy SparseCategoricalCrossentropyWith
    Dice Dice
    Tversky Tversky
    CustomLoss Custom
}
