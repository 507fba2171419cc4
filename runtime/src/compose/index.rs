//! Picking and placing elements by index.

use crate::op::{Gather, Op, Scatter, Var};
use crate::{DType, Shape, Tensor, misuse};
use alloc::vec::Vec;

impl<'b> Var<'b> {
    /// `tf.gather`: slices of this value along `axis` (negative from the end) at int32 `indices`.
    ///
    /// **Shape**: `x.shape[..axis] + indices.shape + x.shape[axis + 1..]`.
    ///
    /// **Errors** when running with an index out of range, as TensorFlow does on the CPU.
    pub fn gather(self, indices: Var<'b>, axis: isize) -> Var<'b> {
        self.gather_batched(indices, axis, 0)
    }

    /// `tf.gather` with `batch_dims`: the first `batch_dims` axes of this value and of `indices` are the same, and
    /// each batch has indices of its own.
    ///
    /// **Shape**: `x.shape[..axis] + indices.shape[batch_dims..] + x.shape[axis + 1..]`.
    pub fn gather_batched(self, indices: Var<'b>, axis: isize, batch_dims: isize) -> Var<'b> {
        let shape = self.shape();
        let rank = indices.rank() as isize;
        let batch = if batch_dims < 0 { batch_dims + rank } else { batch_dims };
        match shape.axis(axis) {
            Some(axis) if (0..=rank).contains(&batch) => {
                let gather = Gather { axis: axis as u8, batch: batch as u8 };
                Var::op(Op::Gather(gather), &[self, indices.cast(DType::I32)])
            }
            _ => self.poison(misuse!(
                "gather: axis {axis} or {batch_dims} batch axes are beyond shape {shape} and indices {}",
                indices.shape()
            )),
        }
    }

    /// `np.take_along_axis`: element j along `axis` of the result is the element of this value at index j of
    /// `indices`, which has the same shape but along `axis`.
    pub fn take_along_axis(self, indices: Var<'b>, axis: isize) -> Var<'b> {
        let shape = self.shape();
        let Some(axis) = shape.axis(axis) else {
            return self.poison(misuse!("take_along_axis: axis {axis} is beyond shape {shape}"));
        };
        let last = shape.rank() - 1;
        let (x, i) = (self.swap_axes(axis, last), indices.swap_axes(axis, last));
        x.gather_batched(i, -1, last as isize).swap_axes(axis, last)
    }

    /// `tf.nn.embedding_lookup`: rows of a table.
    pub fn embedding_lookup(self, ids: Var<'b>) -> Var<'b> {
        self.gather(ids, 0)
    }

    /// This value with two axes exchanged.
    pub(crate) fn swap_axes(self, a: usize, b: usize) -> Var<'b> {
        if a == b {
            return self;
        }
        let mut order: Vec<usize> = (0..self.rank()).collect();
        if a < order.len() && b < order.len() {
            order.swap(a, b);
        }
        self.transpose(&order)
    }

    /// Coordinates `[.., k]` in the first k axes of `shape` as one index each, int32; -1 where a coordinate is out of
    /// range, so that whoever uses the index refuses it.
    fn flat_index(self, op: &str, shape: &Shape) -> Result<Var<'b>, crate::Error> {
        let index = self.cast(DType::I32);
        let k = index.dim(-1);
        if index.rank() == 0 || k > shape.rank() {
            return Err(misuse!(
                "{op}: expected coordinates [.., at most {}] for shape {shape}, got {}",
                shape.rank(),
                index.shape()
            ));
        }
        let extents: Vec<i32> = shape.dims()[..k].iter().map(|&d| d as i32).collect();
        let mut strides = alloc::vec![1i32; k];
        for a in (1..k).rev() {
            strides[a - 1] = strides[a].saturating_mul(extents[a]);
        }
        let extents = index.constant_like(Tensor::new(&[k], extents)?);
        let strides = index.constant_like(Tensor::new(&[k], strides)?);
        let inside = index.greater_equal(index.scalar_like(0.0)).logical_and(index.less(extents));
        // Integer sums over the few coordinates, by parts.
        let product = index * strides;
        let lead = index.shape().to_vec()[..index.rank() - 1].to_vec();
        let part = |v: Var<'b>, a: usize| {
            let mut begin = alloc::vec![0; lead.len()];
            begin.push(a);
            let mut size = lead.clone();
            size.push(1);
            v.slice(&begin, &size).reshape(&lead)
        };
        let mut flat = index.scalar_like(0.0).broadcast(Shape::new(&lead)?);
        for a in 0..k {
            flat = flat + part(product, a);
        }
        for a in 0..k {
            flat = Var::select(part(inside, a), flat, flat.scalar_like(-1.0));
        }
        Ok(flat)
    }

    /// `tf.gather_nd`: the elements or slices of this value at coordinates `indices`, `[.., k]`.
    ///
    /// **Shape**: `indices.shape[..-1] + x.shape[k..]`.
    ///
    /// **Errors** when running with a coordinate out of range.
    pub fn gather_nd(self, indices: Var<'b>) -> Var<'b> {
        self.gather_nd_batched(indices, 0)
    }

    /// `tf.gather_nd` with `batch_dims`: the first `batch_dims` axes of this value and of `indices` are the same, and
    /// the coordinates are those of the axes after them.
    pub fn gather_nd_batched(self, indices: Var<'b>, batch_dims: usize) -> Var<'b> {
        let shape = self.shape().to_vec();
        if batch_dims >= indices.rank() || batch_dims > shape.len() {
            return self.poison(misuse!(
                "gather_nd: {batch_dims} batch axes are beyond shape {} or indices {}",
                self.shape(),
                indices.shape()
            ));
        }
        let k = indices.dim(-1).min(shape.len() - batch_dims);
        let rest = Shape::new(&shape[batch_dims..]);
        match rest.and_then(|rest| indices.flat_index("gather_nd", &rest)) {
            Ok(flat) => {
                let mut dims = shape[..batch_dims].to_vec();
                dims.push(shape[batch_dims..batch_dims + k].iter().product());
                dims.extend(&shape[batch_dims + k..]);
                self.reshape(&dims).gather_batched(flat, batch_dims as isize, batch_dims as isize)
            }
            Err(e) => self.poison(e),
        }
    }

    /// `tf.scatter_nd`: zeros of `shape` to which `updates` are added at coordinates, this value, `[.., k]` int32.
    ///
    /// **Errors** when running with a coordinate out of range.
    pub fn scatter_nd(self, updates: Var<'b>, shape: &[usize]) -> Var<'b> {
        let k = self.dim(-1).min(shape.len());
        let flat = Shape::new(shape).and_then(|to| self.flat_index("scatter_nd", &to));
        let rows = shape[..k].iter().product::<usize>();
        let dims: Vec<usize> = core::iter::once(rows).chain(shape[k..].iter().copied()).collect();
        match flat.and_then(|flat| Ok((flat, Shape::new(&dims)?))) {
            Ok((flat, to)) => {
                let scatter = Scatter { gather: Gather { axis: 0, batch: 0 }, shape: to };
                Var::op(Op::Scatter(scatter), &[flat, updates]).reshape(shape)
            }
            Err(e) => self.poison(e),
        }
    }

    /// `tf.tensor_scatter_nd_add`: this value with `updates` added at coordinates `[.., k]`.
    pub fn scatter_nd_add(self, indices: Var<'b>, updates: Var<'b>) -> Var<'b> {
        self + indices.scatter_nd(updates, &self.shape().to_vec())
    }

    /// `tf.math.unsorted_segment_sum`: row `s` of the result is the sum of the slices of this value whose segment is
    /// `s`. Slices with a negative segment are dropped.
    ///
    /// **Shape**: `[segments] + x.shape[ids.rank..]`; `ids` is int32 with the leading shape of this value.
    ///
    /// **Errors** when running with a segment beyond the last.
    pub fn unsorted_segment_sum(self, ids: Var<'b>, segments: usize) -> Var<'b> {
        let (shape, lead) = (self.shape().to_vec(), ids.rank());
        if lead > shape.len() {
            return self.poison(misuse!(
                "unsorted_segment_sum: segments {} are no leading shape of {}",
                ids.shape(),
                self.shape()
            ));
        }
        // Dropped slices go to a row past the last; real segments beyond the last must not.
        let mut dims = alloc::vec![segments + 1];
        dims.extend(&shape[lead..]);
        let ids = ids.cast(DType::I32);
        let dropped = ids.less(ids.int_like(0));
        let beyond = ids.greater_equal(ids.int_like(segments as i32));
        let row = Var::select(dropped, ids.int_like(segments as i32), ids);
        let row = Var::select(beyond, ids.int_like(-1), row);
        match Shape::new(&dims) {
            Ok(to) => {
                let scatter = Scatter { gather: Gather { axis: 0, batch: 0 }, shape: to };
                let all = Var::op(Op::Scatter(scatter), &[row, self]);
                dims[0] = segments;
                all.slice(&alloc::vec![0; dims.len()], &dims)
            }
            Err(e) => self.poison(e),
        }
    }

    /// An int32 scalar in the same builder.
    pub(crate) fn int_like(self, value: i32) -> Var<'b> {
        Var::new(self.builder(), self.builder().push(Op::Scalar(DType::I32, value as u32), &[]))
    }
}
