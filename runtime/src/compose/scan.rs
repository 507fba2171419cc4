//! Along one axis: cumulative sums and products, sorting.

use crate::op::{Argsort, Op, Recurrence, Var};
use crate::{DType, misuse};

impl<'b> Var<'b> {
    /// The elements moved one place along an axis, toward its start where `back`; zero comes in.
    pub(crate) fn shifted(self, axis: usize, back: bool) -> Var<'b> {
        let n = self.dim(axis as isize);
        if n == 0 {
            return self;
        }
        let mut padding = alloc::vec![(0, 0); self.rank()];
        padding[axis] = if back { (0, 1) } else { (1, 0) };
        self.slice_axis(axis, usize::from(back), n - 1).pad(&padding, 0.0)
    }

    fn scan(self, name: &str, axis: isize, f: impl FnOnce(Var<'b>, usize) -> Var<'b>) -> Var<'b> {
        match self.shape().axis(axis) {
            Some(axis) if self.dtype().size() == 1 => f(self.cast(DType::I32), axis).cast(self.dtype()),
            Some(axis) => f(self, axis),
            None => self.poison(misuse!("{name}: axis {axis} is beyond shape {}", self.shape())),
        }
    }

    /// `tf.cumsum`: element j is the sum up to element j, with `exclusive` without it, with `reverse` from the end.
    pub fn cumsum(self, axis: isize, exclusive: bool, reverse: bool) -> Var<'b> {
        self.scan("cumsum", axis, |x, axis| {
            let y = x.apply(Op::Recurrence(Recurrence { axis: axis as u8, reverse }));
            if exclusive { y.shifted(axis, reverse) } else { y }
        })
    }

    /// `tf.math.cumprod`: element j is the product up to element j, with `exclusive` without it, with `reverse` from
    /// the end. Its gradient divides by nothing, so zeros are no exception.
    pub fn cumprod(self, axis: isize, exclusive: bool, reverse: bool) -> Var<'b> {
        self.scan("cumprod", axis, |x, axis| {
            let n = x.dim(axis as isize);
            if n == 0 {
                return x;
            }
            // Only the first element starts a product; the others multiply.
            let mut padding = alloc::vec![(0, 0); x.rank()];
            padding[axis] = if reverse { (n - 1, 0) } else { (0, n - 1) };
            let first = x.slice_axis(axis, if reverse { n - 1 } else { 0 }, 1);
            let op = Op::Recurrence(Recurrence { axis: axis as u8, reverse });
            let y = Var::op(op, &[first.pad(&padding, 0.0), x]);
            if !exclusive {
                return y;
            }
            let one = first.ones_like();
            if reverse {
                Var::concat(&[y.slice_axis(axis, 1, n - 1), one], axis as isize)
            } else {
                Var::concat(&[one, y.slice_axis(axis, 0, n - 1)], axis as isize)
            }
        })
    }

    /// `tf.argsort`: the int32 indices that sort this value along `axis`. Equal elements stay in their order, NaN
    /// counts as the largest.
    pub fn argsort(self, axis: isize, descending: bool) -> Var<'b> {
        let x = if self.dtype().size() == 1 { self.cast(DType::I32) } else { self };
        match x.shape().axis(axis) {
            Some(axis) => {
                let last = x.rank() - 1;
                let order = x.swap_axes(axis, last).apply(Op::Argsort(Argsort { descending }));
                order.swap_axes(axis, last)
            }
            None => x.poison(misuse!("argsort: axis {axis} is beyond shape {}", x.shape())),
        }
    }

    /// `tf.sort` along `axis`. The gradient goes to where each element came from.
    pub fn sort(self, axis: isize, descending: bool) -> Var<'b> {
        self.take_along_axis(self.argsort(axis, descending), axis)
    }

    /// `tf.math.top_k`: the `k` largest elements along the last axis and their int32 indices, the largest first, among
    /// equals the one of lower index.
    pub fn top_k(self, k: usize) -> (Var<'b>, Var<'b>) {
        let (n, rank) = (self.dim(-1), self.rank());
        if rank == 0 || k > n {
            let poison = self.poison(misuse!("top_k: expected at least {k} columns, got {}", self.shape()));
            return (poison, poison);
        }
        let indices = self.argsort(-1, true).slice_axis(rank - 1, 0, k);
        (self.take_along_axis(indices, -1), indices)
    }

    /// `tf.math.in_top_k`: whether the prediction of each target, this value `[n]`, is among the `k` largest of its
    /// row of `predictions` `[n, classes]`. Ties with the k-th count; targets out of range and rows that are not
    /// finite do not.
    pub fn in_top_k(self, predictions: Var<'b>, k: usize) -> Var<'b> {
        let hit = self.one_hot(predictions.dim(-1)).cast(DType::Bool);
        let zero = predictions.scalar_like(0.0);
        let own = Var::select(hit, predictions, zero).sum(&[-1], true);
        let above = predictions.greater(own).cast(DType::F32).sum(&[-1], false);
        let few = above.less(above.scalar_like(k as f32));
        few.logical_and(hit.any(&[-1], false)).logical_and(predictions.is_finite().all(&[-1], false))
    }
}
