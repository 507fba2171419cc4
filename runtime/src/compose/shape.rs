//! Functions that move elements.

use crate::op::{Op, Var};
use crate::{DType, Result, Shape, Tensor, misuse};
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
        // The value goes where no element is.
        let all = Var::new(self.builder(), self.builder().push(Op::Scalar(DType::Bool, 1), &[]));
        let inside = all.broadcast(shape).apply(Op::Pad(begin.clone(), to));
        Var::select(inside, self.apply(Op::Pad(begin, to)), self.scalar_like(value))
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

    /// `tf.stack`: values of one shape along a new axis.
    pub fn stack(values: &[Var<'b>], axis: isize) -> Var<'b> {
        let parts: Vec<Var<'b>> = values.iter().map(|x| x.expand_dims(axis)).collect();
        Var::concat(&parts, axis)
    }

    /// `tf.unstack`: the slices along an axis, which is dropped.
    pub fn unstack(self, axis: isize) -> Vec<Var<'b>> {
        let n = self.dim(axis);
        self.split_sizes(&alloc::vec![1; n], axis).into_iter().map(|part| part.squeeze(&[axis])).collect()
    }

    /// `tf.split` into `n` equal parts.
    pub fn split(self, n: usize, axis: isize) -> Vec<Var<'b>> {
        let whole = self.dim(axis);
        if n == 0 || !whole.is_multiple_of(n) {
            let error = misuse!("split: axis {axis} of {} does not split into {n} equal parts", self.shape());
            return alloc::vec![self.poison(error); n];
        }
        self.split_sizes(&alloc::vec![whole / n; n], axis)
    }

    /// `tf.split` into parts of these sizes along an axis.
    pub fn split_sizes(self, sizes: &[usize], axis: isize) -> Vec<Var<'b>> {
        let whole = sizes.iter().fold(0usize, |sum, &n| sum.saturating_add(n));
        let axis = match self.shape().axis(axis) {
            Some(a) if whole == self.dim(axis) => a,
            _ => {
                let error =
                    misuse!("split: the sizes {sizes:?} do not add up to axis {axis} of {}", self.shape());
                return alloc::vec![self.poison(error); sizes.len()];
            }
        };
        let mut start = 0;
        let part = |&n: &usize| {
            start += n;
            self.slice_axis(axis, start - n, n)
        };
        sizes.iter().map(part).collect()
    }

    /// This value as `[before, n, after]` around an axis, and what restores the axes with the extent that replaces n.
    fn around(self, axis: usize) -> (Var<'b>, impl Fn(Var<'b>, usize) -> Var<'b>) {
        let dims = self.shape().to_vec();
        let (before, after) = (dims[..axis].iter().product(), dims[axis + 1..].iter().product());
        let rows = self.reshape(&[before, dims[axis], after]);
        let restore = move |y: Var<'b>, n: usize| {
            let mut dims = dims.clone();
            dims[axis] = n;
            y.reshape(&dims)
        };
        (rows, restore)
    }

    /// Every `step`-th element along an axis, from the first on.
    fn every(self, axis: usize, step: usize) -> Var<'b> {
        let n = self.dim(axis as isize);
        if step <= 1 || n == 0 {
            return self;
        }
        let count = n.div_ceil(step);
        let (rows, restore) = self.around(axis);
        let (before, after) = (rows.dim(0), rows.dim(2));
        // The last step is filled up, then each step is a row whose first element stays.
        let full = rows.pad(&[(0, 0), (0, count * step - n), (0, 0)], 0.0);
        let firsts = full.reshape(&[before, count, step * after]).slice(&[0, 0, 0], &[before, count, after]);
        restore(firsts, count)
    }

    /// `tf.strided_slice`: `begin..end` by `strides` for each axis, as Python slices have it: negative numbers count
    /// from the end, what lies beyond is cut off, negative strides go backward. `masks` are TensorFlow's.
    ///
    /// ```
    /// use gradling::{Tape, Tensor, compose::SliceMasks};
    /// let tape = Tape::new();
    /// let x = tape.constant(&Tensor::new(&[5], [0.0, 1.0, 2.0, 3.0, 4.0])?);
    /// let all = SliceMasks { begin: 1, end: 1, ..SliceMasks::default() };
    /// let y = x.strided_slice(&[0], &[0], &[-2], &all);
    /// assert_eq!(tape.value(y)?.as_f32()?, [4.0, 2.0, 0.0]);
    /// # Ok::<(), gradling::Error>(())
    /// ```
    pub fn strided_slice(
        self,
        begin: &[isize],
        end: &[isize],
        strides: &[isize],
        masks: &SliceMasks,
    ) -> Var<'b> {
        match masks.resolve(&self.shape(), begin, end, strides) {
            Ok(Slices { from, size, strides, shape }) => {
                let lengths: Vec<usize> = (size.iter().zip(&strides))
                    .map(|(&n, s)| if n == 0 { 0 } else { (n - 1) * s.unsigned_abs() + 1 })
                    .collect();
                let starts: Vec<usize> = (0..from.len())
                    .map(
                        |a| if strides[a] < 0 && lengths[a] > 0 { from[a] + 1 - lengths[a] } else { from[a] },
                    )
                    .collect();
                let mut y = self.slice(&starts, &lengths);
                let backward = (0..strides.len() as isize).filter(|&a| strides[a as usize] < 0);
                y = y.reverse(&backward.collect::<Vec<_>>());
                for (axis, stride) in strides.iter().enumerate() {
                    y = y.every(axis, stride.unsigned_abs());
                }
                y.reshape(&shape)
            }
            Err(e) => self.poison(e),
        }
    }

    /// `tf.pad` with any mode: `(before, after)` for each axis.
    ///
    /// **Errors** when a mirrored border is larger than what it mirrors.
    pub fn pad_with(self, padding: &[(usize, usize)], mode: PadMode) -> Var<'b> {
        let edge = match mode {
            PadMode::Constant(value) => return self.pad(padding, value),
            PadMode::Reflect => 1,
            PadMode::Symmetric => 0,
        };
        let shape = self.shape();
        let fits =
            |(a, p): (usize, &(usize, usize))| p.0.max(p.1) + edge <= shape.dim(a as isize) || *p == (0, 0);
        if padding.len() != shape.rank() || !padding.iter().enumerate().all(fits) {
            return self.poison(misuse!(
                "pad: expected a pair for each axis of {shape}, none above the extent less {edge}, got {padding:?}"
            ));
        }
        let mut y = self;
        for (axis, &(before, after)) in padding.iter().enumerate() {
            let n = y.dim(axis as isize);
            let mirror =
                |start: usize, size: usize| y.slice_axis(axis, start, size).reverse(&[axis as isize]);
            let mut parts = Vec::new();
            if before > 0 {
                parts.push(mirror(edge, before));
            }
            parts.push(y);
            if after > 0 {
                parts.push(mirror(n - edge - after, after));
            }
            y = Var::concat(&parts, axis as isize);
        }
        y
    }

    /// `tf.roll`: elements moved by `shift` along each axis, those that leave at one end enter at the other.
    pub fn roll(self, shift: &[isize], axes: &[isize]) -> Var<'b> {
        if shift.len() != axes.len() {
            return self.poison(misuse!("roll: expected a shift for each axis, got {shift:?} and {axes:?}"));
        }
        let mut y = self;
        for (&shift, &axis) in shift.iter().zip(axes) {
            let Some(a) = y.shape().axis(axis) else {
                return y.poison(misuse!("roll: axis {axis} is beyond shape {}", y.shape()));
            };
            let n = y.dim(axis);
            let by = if n == 0 { 0 } else { shift.rem_euclid(n as isize) as usize };
            if by > 0 {
                let parts = [y.slice_axis(a, n - by, by), y.slice_axis(a, 0, n - by)];
                y = Var::concat(&parts, axis);
            }
        }
        y
    }

    /// `tf.tile`: the value `multiples[a]` times along each axis a.
    pub fn tile(self, multiples: &[usize]) -> Var<'b> {
        if multiples.len() != self.rank() {
            return self.poison(misuse!(
                "tile: expected a multiple for each axis of {}, got {multiples:?}",
                self.shape()
            ));
        }
        let mut y = self;
        for (axis, &times) in multiples.iter().enumerate() {
            if times != 1 {
                let n = y.dim(axis as isize);
                let (rows, restore) = y.around(axis);
                let (before, after) = (rows.dim(0), rows.dim(2));
                let copies = rows.reshape(&[before, 1, n * after]).broadcast_to(&[before, times, n * after]);
                y = restore(copies, n.saturating_mul(times));
            }
        }
        y
    }

    /// `tf.repeat`: each element along an axis `times` times.
    pub fn repeat(self, times: usize, axis: isize) -> Var<'b> {
        let Some(axis) = self.shape().axis(axis) else {
            return self.poison(misuse!("repeat: axis {axis} is beyond shape {}", self.shape()));
        };
        let n = self.dim(axis as isize);
        let (rows, restore) = self.around(axis);
        let (before, after) = (rows.dim(0), rows.dim(2));
        let each = before * n;
        let copies = rows.reshape(&[each, 1, after]).broadcast_to(&[each, times, after]);
        restore(copies, n.saturating_mul(times))
    }

    /// `tf.repeat` with a count for each element along the axis.
    pub fn repeat_each(self, times: &[usize], axis: isize) -> Var<'b> {
        let n = self.dim(axis);
        if times.len() != n || self.shape().axis(axis).is_none() {
            return self.poison(misuse!("repeat: expected {n} counts for axis {axis} of {}", self.shape()));
        }
        let index: Vec<i32> = (times.iter().enumerate())
            .flat_map(|(i, &times)| core::iter::repeat_n(i as i32, times))
            .collect();
        match Tensor::new(&[index.len()], index) {
            Ok(index) => self.gather(self.constant_like(index), axis),
            Err(e) => self.poison(e),
        }
    }
}

/// What lies beyond the border of a padded value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PadMode {
    /// This number.
    Constant(f32),
    /// The value mirrored about its last element, which is not repeated.
    Reflect,
    /// The value mirrored about its edge: the last element comes twice.
    Symmetric,
}

/// The masks of [`strided_slice`](Var::strided_slice): bit i is about entry i of `begin`, `end` and `strides`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SliceMasks {
    /// `begin` is not looked at: the slice starts at the end that the stride comes from.
    pub begin: u32,
    /// `end` is not looked at: the slice goes to the end that the stride goes to.
    pub end: u32,
    /// The entry stands for all axes that the others do not name; at most one bit.
    pub ellipsis: u32,
    /// The entry is a new axis of extent 1.
    pub new_axis: u32,
    /// The entry is the one element `begin`, and its axis is dropped.
    pub shrink_axis: u32,
}

/// Slices of every axis: first element, count and stride; then the shape of the result.
struct Slices {
    from: Vec<usize>,
    size: Vec<usize>,
    strides: Vec<isize>,
    shape: Vec<usize>,
}

impl SliceMasks {
    fn resolve(&self, x: &Shape, begin: &[isize], end: &[isize], strides: &[isize]) -> Result<Slices> {
        let entries = begin.len();
        let set = |mask: u32, i: usize| i < 32 && mask >> i & 1 == 1;
        if end.len() != entries || strides.len() != entries || self.ellipsis.count_ones() > 1 {
            return Err(misuse!(
                "strided_slice: expected as many begins, ends and strides and at most one ellipsis, got {begin:?}, {end:?}, {strides:?}"
            ));
        }
        let named = (0..entries).filter(|&i| !set(self.ellipsis, i) && !set(self.new_axis, i)).count();
        let Some(rest) = x.rank().checked_sub(named) else {
            return Err(misuse!("strided_slice: {named} slices for shape {x}"));
        };
        let mut all = Slices { from: Vec::new(), size: Vec::new(), strides: Vec::new(), shape: Vec::new() };
        for i in 0..=entries {
            let fill = if i == entries { self.ellipsis == 0 } else { set(self.ellipsis, i) };
            if fill {
                for _ in 0..rest {
                    all.push(0, x.dim(all.from.len() as isize), 1, true);
                }
            } else if i == entries {
                break;
            } else if set(self.new_axis, i) {
                all.shape.push(1);
            } else {
                let n = x.dim(all.from.len() as isize) as isize;
                let (stride, shrink) = (strides[i], set(self.shrink_axis, i));
                let from_end = |at: isize| if at < 0 { at.saturating_add(n) } else { at };
                if stride == 0 || (shrink && stride < 0) {
                    return Err(misuse!("strided_slice: stride {stride} of axis {i} has no meaning"));
                }
                if shrink {
                    let at = from_end(begin[i]);
                    if !(0..n).contains(&at) {
                        return Err(misuse!(
                            "strided_slice: index {} is out of range for axis {i} of {x}",
                            begin[i]
                        ));
                    }
                    all.push(at as usize, 1, 1, false);
                    continue;
                }
                let (low, high) = if stride > 0 { (0, n) } else { (-1, n - 1) };
                let first = if stride > 0 { low } else { high };
                let last = if stride > 0 { high } else { low };
                let at =
                    if set(self.begin, i) { first } else { from_end(begin[i]).clamp(low, high.max(low)) };
                let to = if set(self.end, i) { last } else { from_end(end[i]).clamp(low, high.max(low)) };
                let span = if stride > 0 { to - at } else { at - to };
                let count = span.max(0) as usize;
                all.push(at.max(0) as usize, count.div_ceil(stride.unsigned_abs()), stride, true);
            }
        }
        Ok(all)
    }
}

impl Slices {
    fn push(&mut self, from: usize, size: usize, stride: isize, keep: bool) {
        self.from.push(from);
        self.size.push(size);
        self.strides.push(stride);
        if keep {
            self.shape.push(size);
        }
    }
}
