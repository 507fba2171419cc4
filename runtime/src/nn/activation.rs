//! Activation functions by name.

use super::layer::Call;
use crate::Var;
use serde::{Deserialize, Serialize};

/// An activation function (`keras.activations`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Activation {
    /// The identity.
    #[default]
    Linear,
    /// `max(x, 0)`
    Relu,
    /// `1 / (1 + e^-x)`
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// `e^x / sum(e^x)` over the last axis.
    Softmax,
    /// [`Softmax`](Activation::Softmax) over this axis, negative from the end.
    #[cfg(feature = "full")]
    SoftmaxAxis(i32),
    /// `log(softmax(x))` over this axis, negative from the end.
    #[cfg(feature = "full")]
    LogSoftmax(i32),
    /// `x` between the threshold and the greatest value, that value above, `negative_slope * (x - threshold)` below.
    #[cfg(feature = "full")]
    ReluWith {
        /// The slope below the threshold.
        negative_slope: f32,
        /// The greatest value.
        max_value: Option<f32>,
        /// Where the function leaves zero.
        threshold: f32,
    },
    /// `min(max(x, 0), 6)`
    #[cfg(feature = "full")]
    Relu6,
    /// `x` above 0, else `negative_slope * x`.
    #[cfg(feature = "full")]
    LeakyRelu {
        /// The slope below 0; Keras's default is 0.2.
        negative_slope: f32,
    },
    /// `x` above 0, else `alpha * (e^x - 1)`.
    #[cfg(feature = "full")]
    Elu {
        /// The limit toward minus infinity, negated; Keras's default is 1.
        alpha: f32,
    },
    /// The self-normalising scaled `Elu`.
    #[cfg(feature = "full")]
    Selu,
    /// `max(x, 0) + alpha * (e^(min(x, 0) / alpha) - 1)`
    #[cfg(feature = "full")]
    Celu {
        /// The limit toward minus infinity, negated; Keras's default is 1.
        alpha: f32,
    },
    /// `x * Φ(x)`, by default with the error function.
    #[cfg(feature = "full")]
    Gelu {
        /// Use a hyperbolic tangent instead of the error function.
        approximate: bool,
    },
    /// `log(1 + e^x)`
    #[cfg(feature = "full")]
    Softplus,
    /// `x / (1 + |x|)`
    #[cfg(feature = "full")]
    Softsign,
    /// `relu6(x + 3) / 6`
    #[cfg(feature = "full")]
    HardSigmoid,
    /// `x * hard_sigmoid(x)`, also called hard swish.
    #[cfg(feature = "full")]
    HardSilu,
    /// Clipped to -1 and 1.
    #[cfg(feature = "full")]
    HardTanh,
    /// `e^x`
    #[cfg(feature = "full")]
    Exponential,
    /// `x * sigmoid(x)`, also called swish.
    #[cfg(feature = "full")]
    Silu,
    /// `x * tanh(softplus(x))`
    #[cfg(feature = "full")]
    Mish,
    /// `-log(1 + e^-x)`
    #[cfg(feature = "full")]
    LogSigmoid,
    /// `x - tanh(x)`
    #[cfg(feature = "full")]
    TanhShrink,
    /// `x` where `|x|` is above the threshold, else 0.
    #[cfg(feature = "full")]
    HardShrink {
        /// Keras's default is 0.5.
        threshold: f32,
    },
    /// `x` moved toward 0 by the threshold, 0 where it would pass.
    #[cfg(feature = "full")]
    SoftShrink {
        /// Keras's default is 0.5.
        threshold: f32,
    },
    /// `(x + sqrt(x² + b)) / 2`
    #[cfg(feature = "full")]
    Squareplus {
        /// The smoothness; Keras's default is 4.
        b: f32,
    },
    /// The first half along this axis times the sigmoid of the second half.
    #[cfg(feature = "full")]
    Glu(i32),
    /// `x` above the threshold, else the value.
    #[cfg(feature = "full")]
    Threshold {
        /// The threshold.
        threshold: f32,
        /// What values up to the threshold become.
        default_value: f32,
    },
    /// 0 up to -1, `(x + 1)² / 4` up to 1, then `x`.
    #[cfg(feature = "full")]
    SparsePlus,
    /// 0 up to -1, `(x + 1) / 2` up to 1, then 1.
    #[cfg(feature = "full")]
    SparseSigmoid,
}

/// Every function with Keras's defaults, by Keras's name.
const ALL: &[(&str, Activation)] = &[
    ("linear", Activation::Linear),
    ("relu", Activation::Relu),
    ("sigmoid", Activation::Sigmoid),
    ("tanh", Activation::Tanh),
    ("softmax", Activation::Softmax),
];

/// As [`ALL`], what only the feature `full` has.
#[cfg(feature = "full")]
const MORE: &[(&str, Activation)] = &[
    ("log_softmax", Activation::LogSoftmax(-1)),
    ("relu6", Activation::Relu6),
    ("leaky_relu", Activation::LeakyRelu { negative_slope: 0.2 }),
    ("elu", Activation::Elu { alpha: 1.0 }),
    ("selu", Activation::Selu),
    ("celu", Activation::Celu { alpha: 1.0 }),
    ("gelu", Activation::Gelu { approximate: false }),
    ("softplus", Activation::Softplus),
    ("softsign", Activation::Softsign),
    ("hard_sigmoid", Activation::HardSigmoid),
    ("hard_silu", Activation::HardSilu),
    ("hard_swish", Activation::HardSilu),
    ("hard_tanh", Activation::HardTanh),
    ("exponential", Activation::Exponential),
    ("silu", Activation::Silu),
    ("swish", Activation::Silu),
    ("mish", Activation::Mish),
    ("log_sigmoid", Activation::LogSigmoid),
    ("tanh_shrink", Activation::TanhShrink),
    ("hard_shrink", Activation::HardShrink { threshold: 0.5 }),
    ("soft_shrink", Activation::SoftShrink { threshold: 0.5 }),
    ("squareplus", Activation::Squareplus { b: 4.0 }),
    ("glu", Activation::Glu(-1)),
    ("threshold", Activation::Threshold { threshold: 0.0, default_value: 0.0 }),
    ("sparse_plus", Activation::SparsePlus),
    ("sparse_sigmoid", Activation::SparseSigmoid),
];

impl Activation {
    /// Keras's name.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Linear => "linear",
            Activation::Relu => "relu",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            Activation::Softmax => "softmax",
            #[cfg(feature = "full")]
            Activation::SoftmaxAxis(_) => "softmax",
            #[cfg(feature = "full")]
            Activation::ReluWith { .. } => "relu",
            #[cfg(feature = "full")]
            other => {
                let same = |a: &Activation| core::mem::discriminant(a) == core::mem::discriminant(&other);
                MORE.iter().find(|(_, a)| same(a)).map_or("", |(name, _)| name)
            }
        }
    }

    /// The activation of this name, with Keras's defaults.
    pub fn from_name(name: &str) -> Option<Activation> {
        #[cfg(feature = "full")]
        if let Some((_, activation)) = MORE.iter().find(|(n, _)| *n == name) {
            return Some(*activation);
        }
        ALL.iter().find(|(n, _)| *n == name).map(|(_, activation)| *activation)
    }

    /// The activation with one of Keras's arguments set, flags as 0 or 1; `None` where the function does not take it.
    ///
    /// ```
    /// use gradling::nn::Activation;
    /// let leaky = Activation::from_name("leaky_relu").and_then(|a| a.with("negative_slope", 0.1));
    /// assert_eq!(leaky, Some(Activation::LeakyRelu { negative_slope: 0.1 }));
    /// ```
    #[cfg(feature = "full")]
    pub fn with(self, argument: &str, value: f32) -> Option<Activation> {
        let plain = Activation::ReluWith { negative_slope: 0.0, max_value: None, threshold: 0.0 };
        let mut set = if self == Activation::Relu { plain } else { self };
        match (&mut set, argument) {
            (Activation::ReluWith { negative_slope, .. }, "negative_slope") => *negative_slope = value,
            (Activation::ReluWith { max_value, .. }, "max_value") => *max_value = Some(value),
            (Activation::ReluWith { threshold, .. }, "threshold") => *threshold = value,
            (Activation::LeakyRelu { negative_slope }, "negative_slope" | "alpha") => *negative_slope = value,
            (Activation::Elu { alpha } | Activation::Celu { alpha }, "alpha") => *alpha = value,
            (Activation::Gelu { approximate }, "approximate") => *approximate = value != 0.0,
            (Activation::HardShrink { threshold } | Activation::SoftShrink { threshold }, "threshold") => {
                *threshold = value;
            }
            (Activation::Squareplus { b }, "b") => *b = value,
            (Activation::Threshold { threshold, .. }, "threshold") => *threshold = value,
            (Activation::Threshold { default_value, .. }, "default_value") => *default_value = value,
            (Activation::Softmax | Activation::SoftmaxAxis(_), "axis") if value == -1.0 => {
                set = Activation::Softmax;
            }
            (Activation::Softmax | Activation::SoftmaxAxis(_), "axis") => {
                set = Activation::SoftmaxAxis(value as i32);
            }
            (Activation::LogSoftmax(axis) | Activation::Glu(axis), "axis") => *axis = value as i32,
            _ => return None,
        }
        Some(set)
    }

    /// Applies the function. Softmax and sigmoid note their logits, to which a cross-entropy goes back.
    pub fn apply<'b>(self, call: &mut Call<'b>, x: Var<'b>) -> Var<'b> {
        match self {
            Activation::Linear => x,
            Activation::Relu => x.relu(),
            Activation::Tanh => x.tanh(),
            Activation::Sigmoid => {
                let y = x.sigmoid();
                call.note_logits(self, y, x);
                y
            }
            Activation::Softmax => {
                let y = x.softmax();
                call.note_logits(self, y, x);
                y
            }
            #[cfg(feature = "full")]
            Activation::SoftmaxAxis(axis) => {
                let y = x.softmax_axis(axis as isize);
                if axis == -1 || axis as usize + 1 == x.rank() {
                    call.note_logits(Activation::Softmax, y, x);
                }
                y
            }
            #[cfg(feature = "full")]
            Activation::LogSoftmax(axis) => x.log_softmax_axis(axis as isize),
            #[cfg(feature = "full")]
            Activation::ReluWith { negative_slope, max_value, threshold } => {
                x.relu_with(negative_slope, max_value, threshold)
            }
            #[cfg(feature = "full")]
            Activation::Relu6 => x.relu6(),
            #[cfg(feature = "full")]
            Activation::LeakyRelu { negative_slope } => x.leaky_relu(negative_slope),
            #[cfg(feature = "full")]
            Activation::Elu { alpha } => x.elu(alpha),
            #[cfg(feature = "full")]
            Activation::Selu => x.selu(),
            #[cfg(feature = "full")]
            Activation::Celu { alpha } => x.celu(alpha),
            #[cfg(feature = "full")]
            Activation::Gelu { approximate } => x.gelu(approximate),
            #[cfg(feature = "full")]
            Activation::Softplus => x.softplus(),
            #[cfg(feature = "full")]
            Activation::Softsign => x.softsign(),
            #[cfg(feature = "full")]
            Activation::HardSigmoid => x.hard_sigmoid(),
            #[cfg(feature = "full")]
            Activation::HardSilu => x.hard_silu(),
            #[cfg(feature = "full")]
            Activation::HardTanh => x.hard_tanh(),
            #[cfg(feature = "full")]
            Activation::Exponential => x.exp(),
            #[cfg(feature = "full")]
            Activation::Silu => x.silu(),
            #[cfg(feature = "full")]
            Activation::Mish => x.mish(),
            #[cfg(feature = "full")]
            Activation::LogSigmoid => x.log_sigmoid(),
            #[cfg(feature = "full")]
            Activation::TanhShrink => x.tanh_shrink(),
            #[cfg(feature = "full")]
            Activation::HardShrink { threshold } => x.hard_shrink(threshold),
            #[cfg(feature = "full")]
            Activation::SoftShrink { threshold } => x.soft_shrink(threshold),
            #[cfg(feature = "full")]
            Activation::Squareplus { b } => x.squareplus(b),
            #[cfg(feature = "full")]
            Activation::Glu(axis) => x.glu(axis as isize),
            #[cfg(feature = "full")]
            Activation::Threshold { threshold, default_value } => x.threshold(threshold, default_value),
            #[cfg(feature = "full")]
            Activation::SparsePlus => x.sparse_plus(),
            #[cfg(feature = "full")]
            Activation::SparseSigmoid => x.sparse_sigmoid(),
        }
    }
}

#[cfg(all(test, feature = "full"))]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for (name, activation) in ALL.iter().chain(MORE) {
            let found = Activation::from_name(name).unwrap();
            assert_eq!(found, *activation);
            assert_eq!(Activation::from_name(activation.name()), Some(found));
        }
        assert_eq!(Activation::Relu.with("slope", 1.0), None);
    }
}
