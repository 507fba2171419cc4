//! Functions composed of ops: everything a layer says that is not a primitive.

mod index;

use crate::op::{ArgReduce, Binary, Compare, Conv2d, Op, Pool, PoolKind, ReduceKind, Unary, Var, Window};
use crate::{DType, Shape, misuse};
use alloc::vec::Vec;

macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident $Row:ident;)*) => {
        impl<'b> Var<'b> {
            $($(#[$doc])* pub fn $name(self) -> Var<'b> { self.unary(Unary::$Row) })*
        }
    };
}

unary! {
    /// `tf.abs`
    abs Abs;
    /// `tf.sign`
    sign Sign;
    /// `tf.exp`
    exp Exp;
    /// `tf.math.expm1`
    expm1 Expm1;
    /// `tf.math.log`
    log Log;
    /// `tf.math.log1p`
    log1p Log1p;
    /// `tf.sqrt`
    sqrt Sqrt;
    /// `tf.math.rsqrt`
    rsqrt Rsqrt;
    /// `tf.square`
    square Square;
    /// `tf.math.reciprocal`
    reciprocal Reciprocal;
    /// `tf.sigmoid`
    sigmoid Sigmoid;
    /// `tf.tanh`
    tanh Tanh;
    /// `tf.nn.relu`
    relu Relu;
    /// `tf.math.softplus`
    softplus Softplus;
    /// `tf.floor`
    floor Floor;
    /// `tf.math.ceil`
    ceil Ceil;
    /// `tf.round`: ties to even
    round Round;
    /// `tf.sin`
    sin Sin;
    /// `tf.cos`
    cos Cos;
    /// `tf.math.erf`
    erf Erf;
}

macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident $method:ident $Row:path;)*) => {
        impl<'b> Var<'b> {
            $($(#[$doc])* pub fn $name(self, rhs: Var<'b>) -> Var<'b> { self.$method($Row, rhs) })*
        }
    };
}

binary! {
    /// `tf.pow`
    power binary Binary::Pow;
    /// `tf.maximum`
    maximum binary Binary::Maximum;
    /// `tf.minimum`
    minimum binary Binary::Minimum;
    /// `tf.equal`
    equal compare Compare::Equal;
    /// `tf.not_equal`
    not_equal compare Compare::NotEqual;
    /// `tf.less`
    less compare Compare::Less;
    /// `tf.less_equal`
    less_equal compare Compare::LessEqual;
    /// `tf.greater`
    greater compare Compare::Greater;
    /// `tf.greater_equal`
    greater_equal compare Compare::GreaterEqual;
}

impl<'b> Var<'b> {
    /// `tf.pow`
    pub fn pow(self, exponent: impl IntoOperand<'b>) -> Var<'b> {
        self.binary(Binary::Pow, exponent.into_operand(self))
    }

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

    /// `tf.reshape`
    pub fn reshape(self, dims: &[usize]) -> Var<'b> {
        match Shape::new(dims) {
            Ok(shape) => self.reshaped(shape),
            Err(e) => self.poison(e),
        }
    }

    /// `tf.broadcast_to`
    pub fn broadcast_to(self, dims: &[usize]) -> Var<'b> {
        match Shape::new(dims) {
            Ok(shape) => self.broadcast(shape),
            Err(e) => self.poison(e),
        }
    }

    /// `tf.transpose`: axis i of the result is axis `order[i]`; an empty order reverses the axes.
    pub fn transpose(self, order: &[usize]) -> Var<'b> {
        let rank = self.rank();
        let mut axes = heapless::Vec::new();
        for i in 0..if order.is_empty() { rank } else { order.len() } {
            let a = if order.is_empty() { rank - 1 - i } else { order[i] };
            if axes.push(a.min(255) as u8).is_err() {
                return self.poison(misuse!("transpose: more axes than a tensor can have: {order:?}"));
            }
        }
        self.apply(Op::Transpose(axes))
    }

    /// `tf.expand_dims`
    pub fn expand_dims(self, axis: isize) -> Var<'b> {
        let mut dims = self.shape().to_vec();
        let at = if axis < 0 { axis + dims.len() as isize + 1 } else { axis };
        if at < 0 || at as usize > dims.len() {
            return self.poison(misuse!("expand_dims: axis {axis} is beyond shape {}", self.shape()));
        }
        dims.insert(at as usize, 1);
        self.reshape(&dims)
    }

    /// `tf.squeeze` of these axes; none means every axis of size 1.
    pub fn squeeze(self, axes: &[isize]) -> Var<'b> {
        let shape = self.shape();
        let mut drop = [false; crate::MAX_RANK];
        for (a, drop) in drop.iter_mut().enumerate().take(shape.rank()) {
            *drop = axes.is_empty() && shape.dim(a as isize) == 1;
        }
        for &axis in axes {
            match shape.axis(axis) {
                Some(a) if shape.dim(a as isize) == 1 => drop[a] = true,
                _ => return self.poison(misuse!("squeeze: axis {axis} of shape {shape} is not of size 1")),
            }
        }
        let dims: Vec<usize> =
            shape.to_vec().into_iter().enumerate().filter(|(a, _)| !drop[*a]).map(|(_, d)| d).collect();
        self.reshape(&dims)
    }

    /// `tf.slice`: the box of shape `size` at `begin`.
    pub fn slice(self, begin: &[usize], size: &[usize]) -> Var<'b> {
        let begin: heapless::Vec<u32, { crate::MAX_RANK }> =
            begin.iter().take(crate::MAX_RANK).map(|&b| b.min(u32::MAX as usize >> 1) as u32).collect();
        match Shape::new(size) {
            Ok(size) => self.apply(Op::Slice(begin, size)),
            Err(e) => self.poison(e),
        }
    }

    /// `tf.pad` with a constant: `(before, after)` for each axis.
    pub fn pad(self, padding: &[(usize, usize)], value: f32) -> Var<'b> {
        let shape = self.shape();
        if padding.len() != shape.rank() {
            return self.poison(misuse!(
                "pad: expected {} pairs for shape {shape}, got {}",
                shape.rank(),
                padding.len()
            ));
        }
        let dims: Vec<usize> = shape
            .to_vec()
            .iter()
            .zip(padding)
            .map(|(d, p)| d.saturating_add(p.0).saturating_add(p.1))
            .collect();
        let begin = padding.iter().map(|p| p.0.min(u32::MAX as usize >> 1) as u32).collect();
        let to = match Shape::new(&dims) {
            Ok(to) => to,
            Err(e) => return self.poison(e),
        };
        if value == 0.0 {
            return self.apply(Op::Pad(begin, to));
        }
        // The value goes where the padded ones are zero.
        let inside = (self.scalar_like(1.0).broadcast(shape)).apply(Op::Pad(begin.clone(), to));
        let border = inside.equal(inside.scalar_like(0.0));
        Var::select(border, self.scalar_like(value), self.apply(Op::Pad(begin, to)))
    }

    /// `tf.concat`
    pub fn concat(values: &[Var<'b>], axis: isize) -> Var<'b> {
        let first = values[0];
        let Some(a) = first.shape().axis(axis) else {
            return first.poison(misuse!("concat: axis {axis} is beyond shape {}", first.shape()));
        };
        // Long lists are joined in groups of as many operands as an op takes.
        let mut level: Vec<Var<'b>> = values.to_vec();
        while level.len() > 1 {
            let join = |g: &[Var<'b>]| if g.len() == 1 { g[0] } else { Var::op(Op::Concat(a as u8), g) };
            level = level.chunks(crate::op::OPERANDS).map(join).collect();
        }
        level[0]
    }

    /// `tf.linalg.matmul`; leading axes broadcast.
    pub fn matmul(self, rhs: Var<'b>) -> Var<'b> {
        self.matmul_t(rhs, false, false)
    }

    /// `tf.linalg.matmul` with `transpose_a` and `transpose_b`.
    pub fn matmul_t(self, rhs: Var<'b>, transpose_a: bool, transpose_b: bool) -> Var<'b> {
        let (a, b) = (self.shape(), rhs.shape());
        let (mut x, mut y) = (self, rhs);
        if a.rank() >= 2 && b.rank() >= 2 {
            let lead = |s: &Shape| Shape::new(&s.to_vec()[..s.rank() - 2]).unwrap_or_default();
            let Some(batch) = Shape::broadcast(&lead(&a), &lead(&b)) else {
                return self.poison(misuse!("matmul: leading axes of {a} and {b} do not broadcast"));
            };
            let full = |s: &Shape| {
                let mut dims = batch.to_vec();
                dims.extend([s.dim(-2), s.dim(-1)]);
                Shape::new(&dims)
            };
            if let (Ok(fa), Ok(fb)) = (full(&a), full(&b)) {
                (x, y) = (x.broadcast(fa), y.broadcast(fb));
            }
        }
        Var::op(Op::Matmul(transpose_a, transpose_b), &[x, y])
    }

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
        let e = (self - self.max(&[-1], true).stop_gradient()).exp();
        e / e.sum(&[-1], true)
    }

    /// `tf.nn.log_softmax` over the last axis.
    pub fn log_softmax(self) -> Var<'b> {
        let shifted = self - self.max(&[-1], true).stop_gradient();
        shifted - shifted.exp().sum(&[-1], true).log()
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

    /// Zeros of the same shape and type.
    pub fn zeros_like(self) -> Var<'b> {
        self.scalar_like(0.0).broadcast(self.shape())
    }

    /// Ones of the same shape and type.
    pub fn ones_like(self) -> Var<'b> {
        self.scalar_like(1.0).broadcast(self.shape())
    }

    /// `tf.clip_by_value`; the gradient passes on the bounds.
    pub fn clip(self, low: f32, high: f32) -> Var<'b> {
        self.minimum(self.scalar_like(high)).maximum(self.scalar_like(low))
    }
}

/// A right operand: a value or a number.
pub trait IntoOperand<'b> {
    /// The operand in the builder of `beside`.
    fn into_operand(self, beside: Var<'b>) -> Var<'b>;
}

impl<'b> IntoOperand<'b> for Var<'b> {
    fn into_operand(self, _: Var<'b>) -> Var<'b> {
        self
    }
}

impl<'b> IntoOperand<'b> for f32 {
    fn into_operand(self, beside: Var<'b>) -> Var<'b> {
        beside.scalar_like(self)
    }
}
