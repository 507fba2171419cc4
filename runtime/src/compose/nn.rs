//! What neural networks are made of.

use crate::op::{Conv2d, Op, Pool, PoolKind, Var, Window};
use crate::{DType, Shape};

impl<'b> Var<'b> {
    /// `tf.nn.conv2d`: input `[n, h, w, c]`, filter `[kh, kw, c / groups, o]`.
    pub fn conv2d(self, filter: Var<'b>, window: &Window) -> Var<'b> {
        Var::op(Op::Conv2d(Conv2d::Forward(*window)), &[self, filter])
    }

    /// `tf.nn.max_pool2d` of `[n, h, w, c]`.
    pub fn max_pool2d(self, window: &Window) -> Var<'b> {
        self.apply(Op::Pool(Pool::Forward(PoolKind::Max, *window)))
    }

    /// `tf.nn.avg_pool2d` of `[n, h, w, c]`.
    pub fn avg_pool2d(self, window: &Window) -> Var<'b> {
        self.apply(Op::Pool(Pool::Forward(PoolKind::Average, *window)))
    }

    /// `tf.nn.softmax` over the last axis.
    pub fn softmax(self) -> Var<'b> {
        self.softmax_axis(-1)
    }

    /// `tf.nn.softmax` over this axis, negative from the end.
    pub fn softmax_axis(self, axis: isize) -> Var<'b> {
        let e = (self - self.max(&[axis], true).stop_gradient()).exp();
        e / e.sum(&[axis], true)
    }

    /// `tf.nn.log_softmax` over the last axis.
    pub fn log_softmax(self) -> Var<'b> {
        self.log_softmax_axis(-1)
    }

    /// `tf.nn.log_softmax` over this axis, negative from the end.
    pub fn log_softmax_axis(self, axis: isize) -> Var<'b> {
        let shifted = self - self.max(&[axis], true).stop_gradient();
        shifted - shifted.exp().sum(&[axis], true).log()
    }

    /// `tf.one_hot`: float32 `[.., depth]`; an index out of range gives zeros.
    pub fn one_hot(self, depth: usize) -> Var<'b> {
        let index = self.cast(DType::I32).expand_dims(-1);
        match Shape::new(&[depth]) {
            Ok(shape) => {
                let count = Var::new(self.builder(), self.builder().push(Op::Iota(shape), &[]));
                index.equal(count).cast(DType::F32)
            }
            Err(e) => self.poison(e),
        }
    }

    /// `tf.nn.conv2d_transpose`: the transpose of [`conv2d`](Var::conv2d) with this window.
    ///
    /// **Shape**: `[n, h, w, c]` with filter `[kh, kw, o / groups, c]` to `output`, `[n, oh, ow, o]`. Several outputs
    /// are possible where the stride is above 1, so the caller chooses: `h * s` for `same` padding and
    /// `h * s + max(k - s, 0)` for `valid`, as Keras does.
    ///
    /// **Errors** when a convolution of an image of shape `output` does not have the shape of this value.
    pub fn conv2d_transpose(self, filter: Var<'b>, output: &[usize], window: &Window) -> Var<'b> {
        match Shape::new(output) {
            Ok(output) => Var::op(Op::Conv2d(Conv2d::InputGrad(*window, output)), &[self, filter]),
            Err(e) => self.poison(e),
        }
    }
}
