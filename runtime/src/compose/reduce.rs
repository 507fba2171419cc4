//! Reductions and what is composed of them.

use crate::DType;
use crate::misuse;
use crate::op::{ArgReduce, Op, ReduceKind, Var};

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

    /// `tf.reduce_mean`; NaN where there are no elements.
    pub fn mean(self, axes: &[isize], keep: bool) -> Var<'b> {
        let total = self.reduce(ReduceKind::Sum, axes, keep);
        let count = self.shape().numel() as f32 / total.shape().numel().max(1) as f32;
        if self.shape().numel() == 0 { total * f32::NAN } else { total * (1.0 / count) }
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
        match self.shape().axis(axis) {
            Some(axis) => self.apply(Op::ArgReduce(ArgReduce { smallest, axis: axis as u8 })),
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
