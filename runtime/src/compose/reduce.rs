//! Reductions and what is composed of them.

use crate::op::{ArgReduce, Op, ReduceKind, Var};
use crate::{DType, misuse};
use alloc::vec::Vec;

impl<'b> Var<'b> {
    /// `tf.reduce_sum` over `axes` (none means all).
    pub fn sum(self, axes: &[isize], keep: bool) -> Var<'b> {
        self.reduce(ReduceKind::Sum, axes, keep)
    }

    /// `tf.reduce_prod`
    pub fn prod(self, axes: &[isize], keep: bool) -> Var<'b> {
        self.reduce(ReduceKind::Prod, axes, keep)
    }

    /// `tf.reduce_max`
    pub fn max(self, axes: &[isize], keep: bool) -> Var<'b> {
        self.reduce(ReduceKind::Max, axes, keep)
    }

    /// `tf.reduce_min`
    pub fn min(self, axes: &[isize], keep: bool) -> Var<'b> {
        self.reduce(ReduceKind::Min, axes, keep)
    }

    /// `tf.reduce_mean`; NaN where there are no elements. The mean of integers is truncated.
    pub fn mean(self, axes: &[isize], keep: bool) -> Var<'b> {
        let total = self.reduce(ReduceKind::Sum, axes, keep);
        let (all, left) = (self.shape().numel(), total.shape().numel().max(1));
        if self.dtype() != DType::F32 {
            return self.cast(DType::I32).sum(axes, keep).truncatediv(total.int_like((all / left) as i32));
        }
        let count = all as f32 / left as f32;
        if all == 0 { total * f32::NAN } else { total * (1.0 / count) }
    }

    /// `tf.math.reduce_variance`: the mean squared distance from the mean.
    pub fn variance(self, axes: &[isize], keep: bool) -> Var<'b> {
        (self - self.mean(axes, true)).square().mean(axes, keep)
    }

    /// `tf.math.reduce_std`: the root of the variance; its gradient is NaN where the variance is 0.
    pub fn std(self, axes: &[isize], keep: bool) -> Var<'b> {
        self.variance(axes, keep).sqrt()
    }

    /// `tf.nn.moments`: mean and variance.
    pub fn moments(self, axes: &[isize], keep: bool) -> (Var<'b>, Var<'b>) {
        (self.mean(axes, keep), self.variance(axes, keep))
    }

    /// `tf.math.count_nonzero`, int32.
    pub fn count_nonzero(self, axes: &[isize], keep: bool) -> Var<'b> {
        self.cast(DType::Bool).cast(DType::I32).sum(axes, keep)
    }

    /// `tf.norm` of order `order` (2 is Euclidean, infinity the largest) over axes, none meaning all.
    pub fn norm(self, order: f32, axes: &[isize], keep: bool) -> Var<'b> {
        match order {
            1.0 => self.abs().sum(axes, keep),
            2.0 => self.square().sum(axes, keep).sqrt(),
            f32::INFINITY => self.abs().max(axes, keep),
            p => self.abs().pow(p).sum(axes, keep).pow(1.0 / p),
        }
    }

    /// `tf.math.l2_normalize`: divided by the Euclidean norm over `axes`, at least `sqrt(epsilon)`.
    pub fn l2_normalize(self, axes: &[isize], epsilon: f32) -> Var<'b> {
        let squares = self.square().sum(axes, true);
        self * squares.maximum(squares.scalar_like(epsilon)).rsqrt()
    }

    /// `tf.nn.l2_loss`: half the sum of squares.
    pub fn l2_loss(self) -> Var<'b> {
        self.square().sum(&[], false) * 0.5
    }

    /// `tf.clip_by_norm`: scaled down to this Euclidean norm over `axes` (none means all) where it is larger.
    pub fn clip_by_norm(self, norm: f32, axes: &[isize]) -> Var<'b> {
        let squares = self.square().sum(axes, true);
        let some = squares.greater(squares.scalar_like(0.0));
        let safe = Var::select(some, squares, squares.scalar_like(1.0));
        let own = Var::select(some, safe.sqrt(), squares);
        self * norm / own.maximum(own.scalar_like(norm))
    }

    /// `tf.linalg.global_norm`: the Euclidean norm of all elements of all values.
    pub fn global_norm(values: &[Var<'b>]) -> Option<Var<'b>> {
        let squares = values.iter().map(|v| v.square().sum(&[], false));
        squares.reduce(|a, b| a + b).map(Var::sqrt)
    }

    /// `tf.clip_by_global_norm`: all values scaled by one factor so that their global norm is at most `norm`; NaN
    /// where it is not finite.
    pub fn clip_by_global_norm(values: &[Var<'b>], norm: f32) -> Vec<Var<'b>> {
        let Some(own) = Var::global_norm(values) else { return Vec::new() };
        let one = own.scalar_like(1.0 / norm);
        // A norm that is not finite makes the sum NaN.
        let scale = own.reciprocal().minimum(one) * norm + own * 0.0;
        values.iter().map(|&v| v * scale).collect()
    }

    /// `tf.math.logsumexp`
    pub fn logsumexp(self, axes: &[isize], keep: bool) -> Var<'b> {
        let top = self.max(axes, true).stop_gradient();
        let finite = top.abs().less(top.scalar_like(f32::INFINITY));
        let top = Var::select(finite, top, top.scalar_like(0.0));
        let sum = (self - top).exp().sum(axes, true).log() + top;
        if keep { sum } else { sum.reshaped(self.max(axes, false).shape()) }
    }

    /// `tf.argmax`: int32, the axis is dropped.
    pub fn argmax(self, axis: isize) -> Var<'b> {
        self.arg_reduce(axis, false)
    }

    /// `tf.argmin`: int32, the axis is dropped.
    pub fn argmin(self, axis: isize) -> Var<'b> {
        self.arg_reduce(axis, true)
    }

    fn arg_reduce(self, axis: isize, smallest: bool) -> Var<'b> {
        let x = if self.dtype().size() == 1 { self.cast(DType::I32) } else { self };
        match self.shape().axis(axis) {
            Some(axis) => x.apply(Op::ArgReduce(ArgReduce { smallest, axis: axis as u8 })),
            None => self.poison(misuse!("argmax: axis {axis} is beyond shape {}", self.shape())),
        }
    }

    /// `tf.reduce_any` of booleans; false where there are no elements.
    pub fn any(self, axes: &[isize], keep: bool) -> Var<'b> {
        let hits = self.cast(DType::Bool).cast(DType::F32).sum(axes, keep);
        hits.greater(hits.scalar_like(0.0))
    }

    /// `tf.reduce_all` of booleans; true where there are no elements.
    pub fn all(self, axes: &[isize], keep: bool) -> Var<'b> {
        self.cast(DType::Bool).logical_not().any(axes, keep).logical_not()
    }
}
