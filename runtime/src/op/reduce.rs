//! Reductions over adjacent axes.

use super::{Kind, expect_f32, expect_operands};
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
        expect_f32(name, inputs)?;
        let (axis, count) = (self.axis as usize, self.count as usize);
        let x = inputs[0].0;
        if axis + count > x.rank() {
            return Err(misuse!("{name}: axes {axis} to {} are beyond shape {x}", axis + count));
        }
        Ok((without(&x, axis, count)?, DType::F32))
    }

    // Its large frame must not become that of every op.
    #[inline(never)]
    pub(super) fn run(&self, cpu: &Cpu, reads: &[View], writes: &mut [ViewMut]) -> Result<()> {
        let ([x], [y]) = (reads, writes) else {
            return Err(misuse!("{}: expected one operand", self.kind.name()));
        };
        let [outer, mid, inner] = split(x.shape(), self.axis as usize, self.count as usize);
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
            // With one zero only that element has a gradient, with two none has.
            ReduceKind::Prod => {
                let zero = x.equal(x.scalar_like(0.0));
                let safe = Var::select(zero, x.scalar_like(1.0), x);
                let product = spread(safe.reduce(ReduceKind::Prod, &axes, false));
                let zeros = spread(zero.cast(DType::F32).sum(&axes, false));
                let none =
                    Var::select(zeros.equal(zeros.scalar_like(0.0)), product / safe, x.scalar_like(0.0));
                let one = zeros.equal(zeros.scalar_like(1.0)).logical_and(zero);
                spread(g) * Var::select(one, product, none)
            }
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
        expect_f32(self.name(), inputs)?;
        let x = inputs[0].0;
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
        let x = x.slice::<f32>()?;
        for (i, y) in y.slice::<i32>()?.iter_mut().enumerate() {
            let start = i / inner * mid * inner + i % inner;
            let mut best = if self.smallest { f32::INFINITY } else { f32::NEG_INFINITY };
            *y = 0;
            let mut found = false;
            for j in 0..mid {
                let v = x[start + j * inner];
                if (self.smallest && v < best) || (!self.smallest && v > best) || (!found && v == best) {
                    (best, *y, found) = (v, j as i32, true);
                }
            }
        }
        Ok(())
    }
}
