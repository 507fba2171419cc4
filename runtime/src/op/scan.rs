//! Along one axis: linear recurrences and sorting.

use super::{Kind, expect_number, expect_operands};
use crate::kernel::{View, ViewMut, index};
use crate::{DType, Result, Shape, misuse};
use core::cmp::Ordering;
use serde::{Deserialize, Serialize};

/// `y[0] = b[0]`, `y[j] = a[j] * y[j - 1] + b[j]` along an axis, from (b, a), or from b alone with `a = 1`.
///
/// Cumulative sums and products, moving averages and discounted returns are recurrences, and so is the gradient of
/// each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Recurrence {
    /// The axis.
    pub axis: u8,
    /// Start at the end of the axis.
    pub reverse: bool,
}

impl Recurrence {
    pub(super) fn infer(&self, inputs: &[Kind]) -> Result<Kind> {
        if inputs.len() != 2 {
            expect_operands("recurrence", inputs, 1)?;
        }
        let (shape, dtype) = inputs[0];
        expect_number("recurrence", dtype)?;
        if let Some((s, d)) = inputs.iter().find(|k| **k != inputs[0]) {
            return Err(misuse!(
                "recurrence: expected operands of one kind, got {dtype} {shape} and {d} {s}"
            ));
        }
        if self.axis as usize >= shape.rank() {
            return Err(misuse!("recurrence: axis {} is beyond shape {shape}", self.axis));
        }
        Ok((shape, dtype))
    }

    pub(super) fn run(&self, reads: &[View], writes: &mut [ViewMut]) -> Result<()> {
        let (Some(b), [y]) = (reads.first(), writes) else {
            return Err(misuse!("recurrence: expected an operand"));
        };
        let (g, reverse) = (around(b.shape(), self.axis as usize), self.reverse);
        match (y.dtype(), reads.get(1)) {
            (DType::F32, None) => {
                index::recurrence(&g, reverse, b.slice::<f32>()?, y.slice()?, |_, y, b| y + b);
            }
            (DType::F32, Some(a)) => {
                let a = a.slice::<f32>()?;
                index::recurrence(&g, reverse, b.slice::<f32>()?, y.slice()?, |i, y, b| a[i] * y + b);
            }
            (_, None) => {
                let add = |_: usize, y: i32, b: i32| y.wrapping_add(b);
                index::recurrence(&g, reverse, b.slice::<i32>()?, y.slice()?, add);
            }
            (_, Some(a)) => {
                let a = a.slice::<i32>()?;
                let step = |i: usize, y: i32, b: i32| a[i].wrapping_mul(y).wrapping_add(b);
                index::recurrence(&g, reverse, b.slice::<i32>()?, y.slice()?, step);
            }
        }
        Ok(())
    }

    /// With the reversed recurrence `l[j] = g[j] + a[j + 1] * l[j + 1]`: `db = l`, `da[j] = l[j] * y[j - 1]`.
    #[cfg(feature = "alloc")]
    pub(super) fn vjp<'b>(
        &self,
        x: &[super::Var<'b>],
        y: super::Var<'b>,
        g: super::Var<'b>,
    ) -> alloc::vec::Vec<Option<super::Var<'b>>> {
        use super::{Op, Var};
        if y.dtype() != DType::F32 {
            return alloc::vec![None; x.len()];
        }
        let back = Op::Recurrence(Recurrence { reverse: !self.reverse, ..*self });
        let axis = self.axis as usize;
        match x.get(1) {
            None => alloc::vec![Some(g.apply(back))],
            Some(a) => {
                let next = a.shifted(axis, !self.reverse);
                let l = Var::op(back, &[g, next]);
                alloc::vec![Some(l), Some(l * y.shifted(axis, self.reverse))]
            }
        }
    }
}

/// The order of the elements along the last axis, int32: `x[.., order]` is sorted, equal elements stay in their
/// order, NaN counts as the largest (`tf.argsort`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Argsort {
    /// The largest first.
    pub descending: bool,
}

impl Argsort {
    pub(super) fn infer(&self, inputs: &[Kind]) -> Result<Kind> {
        expect_operands("argsort", inputs, 1)?;
        let (shape, dtype) = inputs[0];
        expect_number("argsort", dtype)?;
        if shape.rank() == 0 {
            return Err(misuse!("argsort: expected an axis, got a scalar"));
        }
        Ok((shape, DType::I32))
    }

    pub(super) fn run(&self, reads: &[View], writes: &mut [ViewMut]) -> Result<()> {
        let ([x], [y]) = (reads, writes) else { return Err(misuse!("argsort: expected 1 operand")) };
        let n = x.shape().dim(-1);
        let turn = |order: Ordering| if self.descending { order.reverse() } else { order };
        match x.dtype() {
            DType::F32 => index::argsort(n, x.slice::<f32>()?, y.slice()?, |a, b| match a.partial_cmp(&b) {
                Some(order) => turn(order),
                None => turn(a.is_nan().cmp(&b.is_nan())),
            }),
            _ => {
                index::argsort(n, x.slice::<i32>()?, y.slice()?, |a, b| turn(a.cmp(&b)));
            }
        }
        Ok(())
    }
}

fn around(shape: &Shape, axis: usize) -> index::Axis {
    let product = |from: usize, to: usize| (from..to).map(|a| shape.dim(a as isize)).product();
    index::Axis {
        outer: product(0, axis),
        n: shape.dim(axis as isize),
        inner: product(axis + 1, shape.rank()),
    }
}
