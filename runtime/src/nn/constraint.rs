//! Constraints (`keras.constraints`): what a weight is projected to after each step.

use super::loss::EPSILON;
use crate::Var;
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A projection of a weight. Norms are taken over `axis`, negative from the end: `[0]` for the kernel of a dense
/// layer, `[0, 1, 2]` for that of a 2-D convolution.
///
/// ```
/// use gradling::nn::Constraint;
/// use gradling::{Tape, Tensor};
///
/// let tape = Tape::new();
/// let w = tape.constant(&Tensor::new(&[3], [1.0, -2.0, 0.5])?);
/// assert_eq!(tape.value(Constraint::NonNeg.call(w))?.as_f32()?, [1.0, 0.0, 0.5]);
/// # Ok::<(), gradling::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Constraint {
    /// Vectors longer than this are shortened to it.
    MaxNorm {
        /// The greatest length.
        max_value: f32,
        /// The axes of a vector.
        axis: Vec<i32>,
    },
    /// Negative elements become 0.
    NonNeg,
    /// Vectors get length 1.
    UnitNorm {
        /// The axes of a vector.
        axis: Vec<i32>,
    },
    /// The length of vectors is brought between two bounds, or nearer to them.
    MinMaxNorm {
        /// The least length.
        min_value: f32,
        /// The greatest length.
        max_value: f32,
        /// 1 brings lengths to the bounds at once, less a part of the way.
        rate: f32,
        /// The axes of a vector.
        axis: Vec<i32>,
    },
}

impl Constraint {
    /// Keras's name.
    pub fn name(&self) -> &'static str {
        match self {
            Constraint::MaxNorm { .. } => "max_norm",
            Constraint::NonNeg => "non_neg",
            Constraint::UnitNorm { .. } => "unit_norm",
            Constraint::MinMaxNorm { .. } => "min_max_norm",
        }
    }

    /// The constraint of this name, with Keras's defaults.
    pub fn from_name(name: &str) -> Option<Constraint> {
        match name {
            "max_norm" => Some(Constraint::MaxNorm { max_value: 2.0, axis: vec![0] }),
            "non_neg" => Some(Constraint::NonNeg),
            "unit_norm" => Some(Constraint::UnitNorm { axis: vec![0] }),
            "min_max_norm" => {
                Some(Constraint::MinMaxNorm { min_value: 0.0, max_value: 1.0, rate: 1.0, axis: vec![0] })
            }
            _ => None,
        }
    }

    /// The projected weight.
    pub fn call<'b>(&self, w: Var<'b>) -> Var<'b> {
        let norm = |axis: &[i32]| {
            let axes: Vec<isize> = axis.iter().map(|a| *a as isize).collect();
            w.square().sum(&axes, true).sqrt()
        };
        match self {
            Constraint::MaxNorm { max_value, axis } => {
                let norm = norm(axis);
                w * (norm.clip(0.0, *max_value) / (norm + EPSILON))
            }
            Constraint::NonNeg => w.maximum(w.scalar_like(0.0)),
            Constraint::UnitNorm { axis } => w / (norm(axis) + EPSILON),
            Constraint::MinMaxNorm { min_value, max_value, rate, axis } => {
                let norm = norm(axis);
                let wanted = norm.clip(*min_value, *max_value) * *rate + norm * (1.0 - rate);
                w * (wanted / (norm + EPSILON))
            }
        }
    }
}
