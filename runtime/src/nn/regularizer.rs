//! Regularizers (`keras.regularizers`): penalties of weights that are added to the loss.

use super::loss::unit;
use crate::{Tensor, Var, misuse};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The vectors that [`Regularizer::Orthogonal`] keeps apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrthogonalMode {
    /// The rows of a matrix.
    #[default]
    Rows,
    /// The columns of a matrix.
    Columns,
}

/// A penalty of a weight.
///
/// ```
/// use gradling::nn::Regularizer;
/// use gradling::{Tape, Tensor};
///
/// let tape = Tape::new();
/// let w = tape.watch(&Tensor::new(&[2], [3.0, -4.0])?);
/// let penalty = Regularizer::L2(0.01).call(w);
/// assert_eq!(tape.value(penalty)?.item()?, 0.25);
/// # Ok::<(), gradling::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Regularizer {
    /// `l1 sum(|w|)`
    L1(f32),
    /// `l2 sum(w^2)`
    L2(f32),
    /// `l1 sum(|w|) + l2 sum(w^2)`
    L1L2 {
        /// Weight of the sum of magnitudes.
        l1: f32,
        /// Weight of the sum of squares.
        l2: f32,
    },
    /// `factor` times the mean magnitude of the products of different rows or columns of a matrix, each of
    /// length 1.
    Orthogonal {
        /// Weight of the mean.
        factor: f32,
        /// Rows or columns.
        mode: OrthogonalMode,
    },
}

impl Regularizer {
    /// Keras's name.
    pub fn name(self) -> &'static str {
        match self {
            Regularizer::L1(_) => "l1",
            Regularizer::L2(_) => "l2",
            Regularizer::L1L2 { .. } => "l1_l2",
            Regularizer::Orthogonal { .. } => "orthogonal_regularizer",
        }
    }

    /// The regularizer of this name, with Keras's defaults.
    pub fn from_name(name: &str) -> Option<Regularizer> {
        match name {
            "l1" => Some(Regularizer::L1(0.01)),
            "l2" => Some(Regularizer::L2(0.01)),
            "l1_l2" => Some(Regularizer::L1L2 { l1: 0.01, l2: 0.01 }),
            "orthogonal_regularizer" => {
                Some(Regularizer::Orthogonal { factor: 0.01, mode: OrthogonalMode::Rows })
            }
            _ => None,
        }
    }

    /// The penalty, a scalar. One of a weight that it is not for, as orthogonality of what is no matrix, is an
    /// error in the builder.
    pub fn call(self, w: Var<'_>) -> Var<'_> {
        match self {
            Regularizer::L1(l1) => w.abs().sum(&[], false) * l1,
            Regularizer::L2(l2) => w.square().sum(&[], false) * l2,
            Regularizer::L1L2 { l1, l2 } => w.abs().sum(&[], false) * l1 + w.square().sum(&[], false) * l2,
            Regularizer::Orthogonal { factor, mode } => {
                if w.rank() != 2 {
                    return w.poison(misuse!("orthogonal_regularizer: expected a matrix, got {}", w.shape()));
                }
                let rows = mode == OrthogonalMode::Rows;
                let w = unit(w, if rows { 1 } else { 0 });
                let products = w.matmul_t(w, !rows, rows);
                let n = products.dim(0);
                let others: Vec<f32> = (0..n * n).map(|i| if i / n == i % n { 0.0 } else { 1.0 }).collect();
                let others = match Tensor::new(&[n, n], others) {
                    Ok(others) => w.constant_like(others),
                    Err(e) => return w.poison(e),
                };
                let pairs = n as f32 * (n as f32 - 1.0) / 2.0;
                (products * others).abs().sum(&[], false) * (factor * 0.5 / pairs)
            }
        }
    }
}
