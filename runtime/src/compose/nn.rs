//! What neural networks are made of.

use crate::op::{Conv2d, Op, Pool, PoolKind, Var, Window};
use crate::{DType, Shape, misuse};

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
        self.one_hot_axis(depth, -1)
    }

    /// `tf.one_hot` with the new axis at `axis`, negative from the end.
    pub fn one_hot_axis(self, depth: usize, axis: isize) -> Var<'b> {
        let index = self.cast(DType::I32).expand_dims(axis);
        let after = if axis < 0 { -1 - axis } else { self.rank() as isize - axis };
        match Shape::new(&[depth]) {
            Ok(shape) => {
                let count = Var::new(self.builder(), self.builder().push(Op::Iota(shape), &[]));
                let mut dims = alloc::vec![depth];
                dims.resize(1 + after.max(0) as usize, 1);
                index.equal(count.reshape(&dims)).cast(DType::F32)
            }
            Err(e) => self.poison(e),
        }
    }

    /// `tf.one_hot` with all its arguments: `on` where the index is, `off` elsewhere.
    pub fn one_hot_with(self, depth: usize, axis: isize, on: f32, off: f32) -> Var<'b> {
        let hit = self.one_hot_axis(depth, axis).cast(DType::Bool);
        let float = |value: f32| {
            let op = Op::Scalar(DType::F32, value.to_bits());
            Var::new(self.builder(), self.builder().push(op, &[]))
        };
        Var::select(hit, float(on), float(off))
    }

    /// `tf.nn.bias_add`: `bias` `[c]` added along the last axis.
    pub fn bias_add(self, bias: Var<'b>) -> Var<'b> {
        self.bias_add_axis(bias, -1)
    }

    /// `tf.nn.bias_add` along another axis: 1 for `NCHW`.
    pub fn bias_add_axis(self, bias: Var<'b>, axis: isize) -> Var<'b> {
        match self.shape().axis(axis) {
            Some(a) if bias.rank() == 1 && bias.dim(0) == self.dim(axis) => {
                let mut dims = alloc::vec![bias.dim(0)];
                dims.resize(self.rank() - a, 1);
                self + bias.reshape(&dims)
            }
            _ => self.poison(misuse!(
                "bias_add: bias {} does not fit axis {axis} of {}",
                bias.shape(),
                self.shape()
            )),
        }
    }

    /// `tf.nn.softmax_cross_entropy_with_logits`: this value, the logits, against `labels` that sum to 1 along the
    /// last axis, which is dropped.
    pub fn softmax_cross_entropy(self, labels: Var<'b>) -> Var<'b> {
        self.softmax_cross_entropy_axis(labels, -1)
    }

    /// [`softmax_cross_entropy`](Var::softmax_cross_entropy) along another axis, negative from the end.
    pub fn softmax_cross_entropy_axis(self, labels: Var<'b>, axis: isize) -> Var<'b> {
        // As TensorFlow has it, the gradient of the logits is softmax - labels whatever the labels sum to: the sum of
        // the labels weighs the value and their own gradient only.
        let shifted = self - self.max(&[axis], true).stop_gradient();
        let total = shifted.exp().sum(&[axis], false).log();
        let fixed = total.stop_gradient();
        labels.sum(&[axis], false) * fixed - (labels * shifted).sum(&[axis], false) + (total - fixed)
    }

    /// `tf.nn.sparse_softmax_cross_entropy_with_logits`: this value, the logits `[.., classes]`, against int32
    /// `labels`.
    ///
    /// **Errors** when running with a label out of range.
    pub fn sparse_softmax_cross_entropy(self, labels: Var<'b>) -> Var<'b> {
        let rows = self.log_softmax();
        -rows.take_along_axis(labels.cast(DType::I32).expand_dims(-1), -1).squeeze(&[-1])
    }

    /// `tf.nn.sigmoid_cross_entropy_with_logits`: `max(x, 0) - x z + log(1 + e^-|x|)` for logits x and labels z.
    pub fn sigmoid_cross_entropy(self, labels: Var<'b>) -> Var<'b> {
        self.softplus() - self * labels
    }

    /// `tf.nn.weighted_cross_entropy_with_logits`: [`sigmoid_cross_entropy`](Var::sigmoid_cross_entropy) with positive
    /// labels weighted.
    pub fn weighted_sigmoid_cross_entropy(self, labels: Var<'b>, positive: f32) -> Var<'b> {
        let weight = labels * (positive - 1.0) + 1.0;
        (1.0 - labels) * self + weight * (-self).softplus()
    }

    /// `tf.nn.depthwise_conv2d`: filter `[kh, kw, c, m]`, of which every input channel has m of its own.
    ///
    /// **Shape**: `[n, h, w, c]` to `[n, oh, ow, c m]`.
    pub fn depthwise_conv2d(self, filter: Var<'b>, window: &Window) -> Var<'b> {
        let f = filter.shape();
        if f.rank() != 4 || f.dim(2) != self.dim(-1) {
            return self.poison(misuse!("depthwise_conv2d: filter {f} does not fit {}", self.shape()));
        }
        let flat = filter.reshape(&[f.dim(0), f.dim(1), 1, f.dim(2) * f.dim(3)]);
        self.conv2d(flat, &window.groups(f.dim(2) as u32))
    }

    /// `tf.nn.separable_conv2d`: depthwise with this window, then a product with `[1, 1, c m, o]`.
    pub fn separable_conv2d(self, depthwise: Var<'b>, pointwise: Var<'b>, window: &Window) -> Var<'b> {
        self.depthwise_conv2d(depthwise, window).conv2d(pointwise, &Window::new([1, 1]))
    }

    /// `tf.nn.conv1d`: `[n, t, c]` with filter `[k, c, o]`; the window's width counts, its height is 1.
    pub fn conv1d(self, filter: Var<'b>, window: &Window) -> Var<'b> {
        self.expand_dims(1).conv2d(filter.expand_dims(0), window).squeeze(&[1])
    }

    /// `tf.nn.max_pool1d` of `[n, t, c]`; the window's width counts, its height is 1.
    pub fn max_pool1d(self, window: &Window) -> Var<'b> {
        self.expand_dims(1).max_pool2d(window).squeeze(&[1])
    }

    /// `tf.nn.avg_pool1d` of `[n, t, c]`; the window's width counts, its height is 1.
    pub fn avg_pool1d(self, window: &Window) -> Var<'b> {
        self.expand_dims(1).avg_pool2d(window).squeeze(&[1])
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
