//! Functions that move elements.

use crate::op::{Op, Var};
use crate::{Shape, misuse};
use alloc::vec::Vec;

impl<'b> Var<'b> {
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

    /// `size` elements from `start` on along one axis.
    pub(crate) fn slice_axis(self, axis: usize, start: usize, size: usize) -> Var<'b> {
        let mut dims = self.shape().to_vec();
        let mut begin = alloc::vec![0; dims.len()];
        if let (Some(begin), Some(dim)) = (begin.get_mut(axis), dims.get_mut(axis)) {
            (*begin, *dim) = (start, size);
        }
        self.slice(&begin, &dims)
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

    /// Zeros of the same shape and type.
    pub fn zeros_like(self) -> Var<'b> {
        self.scalar_like(0.0).broadcast(self.shape())
    }

    /// Ones of the same shape and type.
    pub fn ones_like(self) -> Var<'b> {
        self.scalar_like(1.0).broadcast(self.shape())
    }

    /// `tf.reverse`: the elements along these axes (negative from the end) in reverse order.
    pub fn reverse(self, axes: &[isize]) -> Var<'b> {
        let mut bits = 0u8;
        for &axis in axes {
            match self.shape().axis(axis) {
                Some(a) => bits |= 1 << a,
                None => {
                    return self.poison(misuse!("reverse: axis {axis} is beyond shape {}", self.shape()));
                }
            }
        }
        if bits == 0 { self } else { self.apply(Op::Reverse(bits)) }
    }
}
