//! Picking elements by index, and its transpose, adding at indices.

use super::{Kernels, Kind, expect_number, expect_operands, used};
use crate::kernel::{View, ViewMut, index};
use crate::{DType, Result, Shape, misuse};
use serde::{Deserialize, Serialize};

/// Slices of x `[B.., P.., n, I..]` along an axis by int32 indices `[B.., M..]`: y is `[B.., P.., M.., I..]`
/// (`tf.gather`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Gather {
    /// The axis of x that the indices count along.
    pub axis: u8,
    /// How many leading axes, B, x and the indices share.
    pub batch: u8,
}

/// The transpose of [`Gather`]: from (indices, updates), zeros of this shape to which each update is added at its
/// index (`tf.scatter_nd`, `tf.math.unsorted_segment_sum`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scatter {
    /// Where the indices count.
    pub gather: Gather,
    /// The shape of the result.
    pub shape: Shape,
}

impl Gather {
    /// The result's shape and the loop bounds.
    pub(crate) fn geometry(&self, name: &str, x: &Shape, indices: Kind) -> Result<(Shape, index::Gather)> {
        let (axis, batch) = (self.axis as usize, self.batch as usize);
        let (i, dtype) = indices;
        if dtype != DType::I32 {
            return Err(misuse!("{name}: expected indices of type int32, got {dtype}; cast them first"));
        }
        if axis >= x.rank() || batch > axis || batch > i.rank() || x.dims()[..batch] != i.dims()[..batch] {
            return Err(misuse!(
                "{name}: indices {i} do not fit axis {axis} of {x} with {batch} batch axes; expected a batch count of at most the axis and equal leading axes"
            ));
        }
        let (x, i) = (x.list(), i.list());
        let parts = [&x[..axis], &i[batch..], &x[axis + 1..]];
        let mut dims = heapless::Vec::<usize, { 2 * crate::MAX_RANK }>::new();
        for &d in parts.iter().copied().flatten() {
            dims.push(d).map_err(|_| misuse!("{name}: the result has too many axes"))?;
        }
        let bounds = index::Gather {
            batch: x[..batch].iter().product(),
            outer: x[batch..axis].iter().product(),
            n: x[axis],
            m: i[batch..].iter().product(),
            inner: x[axis + 1..].iter().product(),
        };
        Ok((Shape::new(&dims)?, bounds))
    }

    pub(super) fn infer(&self, inputs: &[Kind]) -> Result<Kind> {
        expect_operands("gather", inputs, 2)?;
        let (shape, _) = self.geometry("gather", &inputs[0].0, inputs[1])?;
        Ok((shape, inputs[0].1))
    }

    pub(super) fn run<const K: Kernels>(&self, reads: &[View], writes: &mut [ViewMut]) -> Result<()> {
        let ([x, i], [y]) = (reads, writes) else { return Err(misuse!("gather: expected 2 operands")) };
        let (_, g) = self.geometry("gather", x.shape(), (*i.shape(), i.dtype()))?;
        let i = i.slice::<i32>()?;
        match y.dtype().size() {
            4 => index::gather(&g, x.bits::<u32>()?, i, y.bits()?),
            2 if K & used::FLOAT16 != 0 => index::gather(&g, x.bits::<u16>()?, i, y.bits()?),
            _ => index::gather(&g, x.bits::<u8>()?, i, y.bits()?),
        }
        .map_err(|bad| out_of_range("gather", bad, &g))
    }

    #[cfg(feature = "alloc")]
    pub(super) fn vjp<'b>(
        &self,
        x: &[super::Var<'b>],
        g: super::Var<'b>,
    ) -> alloc::vec::Vec<Option<super::Var<'b>>> {
        use super::{Op, Var};
        if !x[0].dtype().is_float() {
            return alloc::vec![None, None];
        }
        let scatter = Scatter { gather: *self, shape: x[0].shape() };
        alloc::vec![Some(Var::op(Op::Scatter(scatter), &[x[1], g])), None]
    }
}

impl Scatter {
    pub(super) fn infer(&self, inputs: &[Kind]) -> Result<Kind> {
        expect_operands("scatter", inputs, 2)?;
        let (wanted, _) = self.gather.geometry("scatter", &self.shape, inputs[0])?;
        let (updates, dtype) = inputs[1];
        if updates != wanted {
            return Err(misuse!("scatter: expected updates of shape {wanted}, got {updates}"));
        }
        expect_number("scatter", dtype)?;
        Ok((self.shape, dtype))
    }

    pub(super) fn run(&self, reads: &[View], writes: &mut [ViewMut]) -> Result<()> {
        let ([i, updates], [y]) = (reads, writes) else {
            return Err(misuse!("scatter: expected 2 operands"));
        };
        let (_, g) = self.gather.geometry("scatter", &self.shape, (*i.shape(), i.dtype()))?;
        let i = i.slice::<i32>()?;
        match y.dtype() {
            DType::F32 => index::scatter_add(&g, i, updates.slice::<f32>()?, y.slice::<f32>()?, |a, b| a + b),
            _ => index::scatter_add(&g, i, updates.slice::<i32>()?, y.slice::<i32>()?, i32::wrapping_add),
        }
        .map_err(|bad| out_of_range("scatter", bad, &g))
    }

    #[cfg(feature = "alloc")]
    pub(super) fn vjp<'b>(
        &self,
        x: &[super::Var<'b>],
        g: super::Var<'b>,
    ) -> alloc::vec::Vec<Option<super::Var<'b>>> {
        use super::{Op, Var};
        if x[1].dtype() != DType::F32 {
            return alloc::vec![None, None];
        }
        alloc::vec![None, Some(Var::op(Op::Gather(self.gather), &[g, x[0]]))]
    }
}

fn out_of_range(name: &str, bad: i32, g: &index::Gather) -> crate::Error {
    misuse!("{name}: index {bad} is out of range, expected 0 to {} (exclusive)", g.n)
}
