//! Losses that compare target and output element by element or as vectors.

use super::{EPSILON, Loss};
use crate::Var;
use core::f32::consts::LN_2;

impl Loss {
    /// The loss of each sample; the target has the output's shape and type. Losses that are no distance give
    /// an error in the builder.
    pub(super) fn distance<'b>(&self, t: Var<'b>, y: Var<'b>) -> Var<'b> {
        let e = y - t;
        let mean = |v: Var<'b>| v.mean(&[-1], false);
        let log_of = |v: Var<'b>| (v.maximum(v.scalar_like(EPSILON)) + 1.0).log();
        let margin = || {
            let m = 1.0 - signs(t) * y;
            m.maximum(m.scalar_like(0.0))
        };
        match self {
            Loss::MeanAbsoluteError => mean(e.abs()),
            Loss::MeanAbsolutePercentageError => {
                let size = t.abs();
                mean((e / size.maximum(size.scalar_like(EPSILON))).abs()) * 100.0
            }
            Loss::MeanSquaredLogarithmicError => mean((log_of(y) - log_of(t)).square()),
            Loss::Huber { delta } => {
                let size = e.abs();
                let near = size.less_equal(size.scalar_like(*delta));
                mean(Var::select(near, e.square() * 0.5, size * *delta - 0.5 * delta * delta))
            }
            Loss::LogCosh => mean(e + (e * -2.0).softplus() - LN_2),
            Loss::CosineSimilarity { axis } => -cosine_similarity(t, y, *axis as isize),
            Loss::Poisson => mean(y - t * (y + EPSILON).log()),
            Loss::Hinge => mean(margin()),
            Loss::SquaredHinge => mean(margin().square()),
            Loss::CategoricalHinge => {
                let right = (t * y).sum(&[-1], false);
                let wrong = ((1.0 - t) * y).max(&[-1], false);
                let m = wrong - right + 1.0;
                m.maximum(m.scalar_like(0.0))
            }
            Loss::KlDivergence => {
                let (t, y) = (t.clip(EPSILON, 1.0), y.clip(EPSILON, 1.0));
                (t * (t / y).log()).sum(&[-1], false)
            }
            other => y.poison(crate::misuse!("{}: not a distance", other.name())),
        }
    }
}

/// Labels that are all 0 or 1 as -1 and 1; others as they are.
fn signs(t: Var<'_>) -> Var<'_> {
    let binary = t.equal(t.scalar_like(0.0)).logical_or(t.equal(t.scalar_like(1.0)));
    let all = binary.cast(crate::DType::F32).min(&[], false);
    Var::select(all.greater(all.scalar_like(0.5)), t * 2.0 - 1.0, t)
}

/// The cosine of the angle between vectors along an axis; 0 for a vector of zeros.
pub(in crate::nn) fn cosine_similarity<'b>(t: Var<'b>, y: Var<'b>, axis: isize) -> Var<'b> {
    (unit(t, axis) * unit(y, axis)).sum(&[axis], false)
}

/// Vectors along an axis with length 1, or shorter than that where they are shorter than 1e-7.
pub(in crate::nn) fn unit(x: Var<'_>, axis: isize) -> Var<'_> {
    let square = x.square().sum(&[axis], true);
    // The root of zero has no gradient.
    let short = square.less(square.scalar_like(EPSILON * EPSILON));
    let inverse = Var::select(short, square.scalar_like(1.0), square).rsqrt();
    x * Var::select(short, square.scalar_like(1.0 / EPSILON), inverse)
}
