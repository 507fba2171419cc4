//! Reductions over adjacent axes.

#[cfg(feature = "alloc")]
use super::used::{RECURRENCE, linked};
use super::{Kind, expect_number, expect_operands};
use crate::kernel::{self, Cpu, View, ViewMut};
use crate::{DType, Result, Shape, misuse};
use serde::{Deserialize, Serialize};

/// How elements are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ReduceKind {
    /// `tf.reduce_sum`; 0 where there are no elements.
    Sum,
    /// `tf.reduce_prod`; 1 where there are no elements.
    Prod,
    /// `tf.reduce_max`, NaN passes; minus infinity where there are no elements.
    Max,
    /// `tf.reduce_min`, NaN passes; infinity where there are no elements.
    Min,
}

impl ReduceKind {
    /// The name in messages and profiles.
    pub fn name(self) -> &'static str {
        match self {
            ReduceKind::Sum => "reduce_sum",
            ReduceKind::Prod => "reduce_prod",
            ReduceKind::Max => "reduce_max",
            ReduceKind::Min => "reduce_min",
        }
    }
}

/// Reduces `count` axes from `axis` on; they are dropped from the shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reduce {
    /// How elements are combined.
    pub kind: ReduceKind,
    /// The first axis.
    pub axis: u8,
    /// How many axes.
    pub count: u8,
}

/// `[outer, middle, inner]` around the axes `axis..axis + count`.
fn split(shape: &Shape, axis: usize, count: usize) -> [usize; 3] {
    let product = |from: usize, to: usize| (from..to).map(|a| shape.dim(a as isize)).product();
    [product(0, axis), product(axis, axis + count), product(axis + count, shape.rank())]
}

/// The shape without the axes `axis..axis + count`.
fn without(shape: &Shape, axis: usize, count: usize) -> Result<Shape> {
    let mut dims = shape.list();
    for _ in 0..count {
        dims.remove(axis);
    }
    Shape::new(&dims)
}

impl Reduce {
    pub(super) fn infer(&self, inputs: &[Kind]) -> Result<Kind> {
        let name = self.kind.name();
        expect_operands(name, inputs, 1)?;
        let (x, dtype) = inputs[0];
        expect_number(name, dtype)?;
        let (axis, count) = (self.axis as usize, self.count as usize);
        if axis + count > x.rank() {
            return Err(misuse!("{name}: axes {axis} to {} are beyond shape {x}", axis + count));
        }
        Ok((without(&x, axis, count)?, dtype))
    }

    // Its large frame must not become that of every op.
    #[inline(never)]
    pub(super) fn run(&self, cpu: &Cpu, reads: &[View], writes: &mut [ViewMut]) -> Result<()> {
        let ([x], [y]) = (reads, writes) else {
            return Err(misuse!("{}: expected one operand", self.kind.name()));
        };
        let [outer, mid, inner] = split(x.shape(), self.axis as usize, self.count as usize);
        if x.dtype() == DType::I32 {
            let x = x.slice::<i32>()?;
            for (i, y) in y.slice::<i32>()?.iter_mut().enumerate() {
                let start = i / inner * mid * inner + i % inner;
                let all = (0..mid).map(|j| x[start + j * inner]);
                *y = match self.kind {
                    ReduceKind::Sum => all.fold(0, i32::wrapping_add),
                    ReduceKind::Prod => all.fold(1, i32::wrapping_mul),
                    ReduceKind::Max => all.fold(i32::MIN, i32::max),
                    ReduceKind::Min => all.fold(i32::MAX, i32::min),
                };
            }
            return Ok(());
        }
        let kind = match self.kind {
            ReduceKind::Sum => kernel::Reduce::Sum,
            ReduceKind::Prod => kernel::Reduce::Prod,
            ReduceKind::Max => kernel::Reduce::Max,
            ReduceKind::Min => kernel::Reduce::Min,
        };
        kernel::reduce(cpu, kind, x.slice::<f32>()?, outer, mid, inner, y.slice::<f32>()?);
        Ok(())
    }

    #[cfg(feature = "alloc")]
    pub(super) fn vjp<'b>(
        &self,
        x: &[super::Var<'b>],
        y: super::Var<'b>,
        g: super::Var<'b>,
    ) -> alloc::vec::Vec<Option<super::Var<'b>>> {
        use super::{Op, Var};
        let x = x[0];
        if x.dtype() != DType::F32 {
            return alloc::vec![None];
        }
        let full = x.shape();
        let mut kept = full;
        for a in self.axis..self.axis + self.count {
            kept = kept.with_dim(a as isize, 1);
        }
        let spread = |v: Var<'b>| v.apply(Op::Reshape(kept)).apply(Op::Broadcast(full));
        let axes: heapless::Vec<isize, { crate::MAX_RANK }> =
            (self.axis..self.axis + self.count).map(|a| a as isize).collect();
        let dx = match self.kind {
            ReduceKind::Sum => spread(g),
            // The gradient is split evenly among equals.
            ReduceKind::Max | ReduceKind::Min => {
                let hit = x.equal(spread(y)).cast(DType::F32);
                let count = hit.sum(&axes, false);
                spread(g / count) * hit
            }
            // The product of all others, without a division, so that zeros are no exception in any derivative.
            ReduceKind::Prod if linked(RECURRENCE) => {
                let [outer, mid, inner] = split(&full, self.axis as usize, self.count as usize);
                let rows = x.reshape(&[outer, mid, inner]);
                let others = rows.cumprod(1, true, false) * rows.cumprod(1, true, true);
                spread(g) * others.reshaped(full)
            }
            ReduceKind::Prod => x.poison(Op::Reduce(*self).missing()),
        };
        alloc::vec![Some(dx)]
    }
}

/// The index of the extreme along one axis, which is dropped; the first among equals; NaN never wins
/// (`tf.argmax`, `tf.argmin`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ArgReduce {
    /// The smallest instead of the largest.
    pub smallest: bool,
    /// The axis.
    pub axis: u8,
}

impl ArgReduce {
    /// The name in messages and profiles.
    pub fn name(&self) -> &'static str {
        if self.smallest { "argmin" } else { "argmax" }
    }

    pub(super) fn infer(&self, inputs: &[Kind]) -> Result<Kind> {
        expect_operands(self.name(), inputs, 1)?;
        let (x, dtype) = inputs[0];
        expect_number(self.name(), dtype)?;
        if self.axis as usize >= x.rank() || x.dim(self.axis as isize) == 0 {
            return Err(misuse!("{}: axis {} of shape {x} has no elements", self.name(), self.axis));
        }
        Ok((without(&x, self.axis as usize, 1)?, DType::I32))
    }

    pub(super) fn run(&self, reads: &[View], writes: &mut [ViewMut]) -> Result<()> {
        let ([x], [y]) = (reads, writes) else {
            return Err(misuse!("{}: expected one operand", self.name()));
        };
        let [_, mid, inner] = split(x.shape(), self.axis as usize, 1);
        let y = y.slice::<i32>()?;
        match x.dtype() {
            DType::F32 => self.each(x.slice::<f32>()?, mid, inner, y),
            _ => self.each(x.slice::<i32>()?, mid, inner, y),
        }
        Ok(())
    }

    fn each<T: Copy + PartialOrd>(&self, x: &[T], mid: usize, inner: usize, y: &mut [i32]) {
        for (i, y) in y.iter_mut().enumerate() {
            let start = i / inner * mid * inner + i % inner;
            let mut best: Option<T> = None;
            *y = 0;
            for j in 0..mid {
                let v = x[start + j * inner];
                let wins =
                    best.map_or(
                        v.partial_cmp(&v).is_some(),
                        |best| {
                            if self.smallest { v < best } else { v > best }
                        },
                    );
                if wins {
                    (best, *y) = (Some(v), j as i32);
                }
            }
        }
    }
}
