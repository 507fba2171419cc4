//! Batched matrix product (`tf.linalg.matmul`).

use super::{Kind, Op, expect_f32, expect_operands};
use crate::kernel::{self, Cpu, Gemm, Then, View};
use crate::{DType, Result, misuse};

/// Operands `[.., m, k]` and `[.., k, n]` after transposition; equal leading axes. The result is `[.., m, n]`.
pub(super) fn infer(ta: bool, tb: bool, inputs: &[Kind]) -> Result<Kind> {
    let (_, g) = geometry(ta, tb, inputs)?;
    let shape = inputs[0].0.with_dim(-2, g.m).with_dim(-1, g.n);
    Ok((shape, DType::F32))
}

/// The number of products and the bounds of one.
pub(crate) fn geometry(ta: bool, tb: bool, inputs: &[Kind]) -> Result<(usize, Gemm)> {
    expect_operands("matmul", inputs, 2)?;
    expect_f32("matmul", inputs)?;
    let (a, b) = (inputs[0].0, inputs[1].0);
    let same_batch = a.with_dim(-1, 1).with_dim(-2, 1) == b.with_dim(-1, 1).with_dim(-2, 1);
    if a.rank() < 2 || b.rank() < 2 || !same_batch {
        return Err(misuse!(
            "matmul: expected [.., m, k] and [.., k, n] with equal leading axes, got {a} and {b}"
        ));
    }
    let (m, k) = if ta { (a.dim(-1), a.dim(-2)) } else { (a.dim(-2), a.dim(-1)) };
    let (k2, n) = if tb { (b.dim(-1), b.dim(-2)) } else { (b.dim(-2), b.dim(-1)) };
    if k != k2 {
        return Err(misuse!("matmul: inner dimensions differ, {k} and {k2}, in {a} and {b}"));
    }
    let batch = a.with_dim(-1, 1).with_dim(-2, 1).numel();
    Ok((batch, Gemm { m, n, k, trans_a: ta, trans_b: tb }))
}

pub(super) fn workspace(ta: bool, tb: bool, inputs: &[Kind]) -> usize {
    geometry(ta, tb, inputs).map_or(0, |(_, g)| kernel::gemm_workspace(&g))
}

/// The product, of which b may be packed, and `then` something with ranges of it.
pub(super) fn run(
    ta: bool,
    tb: bool,
    packed: bool,
    cpu: &Cpu,
    reads: &[View],
    c: &mut [f32],
    workspace: &mut [f32],
    then: Then,
) -> Result<()> {
    let [a, b] = reads else { return Err(misuse!("matmul: expected 2 operands")) };
    let (batch, g) = geometry(ta, tb, &[(*a.shape(), a.dtype()), (*b.shape(), b.dtype())])?;
    let (a, b) = (a.slice::<f32>()?, b.slice::<f32>()?);
    for i in 0..batch {
        let part = |x: usize| i * x..(i + 1) * x;
        let (ai, bi) = (&a[part(g.m * g.k)], &b[part(g.k * g.n)]);
        let first = i * g.m * g.n;
        let then = |range: core::ops::Range<usize>| then(first + range.start..first + range.end);
        let c = &mut c[part(g.m * g.n)];
        if packed && Op::PLANNED {
            kernel::gemm_packed(cpu, &g, ai, bi, c, workspace, &then);
        } else {
            kernel::gemm_then(cpu, &g, ai, bi, c, workspace, &then);
        }
    }
    Ok(())
}

/// Both gradients are products of the cotangent with the other operand.
#[cfg(feature = "alloc")]
pub(super) fn vjp<'b>(
    ta: bool,
    tb: bool,
    x: &[super::Var<'b>],
    g: super::Var<'b>,
) -> alloc::vec::Vec<Option<super::Var<'b>>> {
    let (a, b) = (x[0], x[1]);
    let da = if ta { b.matmul_t(g, tb, true) } else { g.matmul_t(b, false, !tb) };
    let db = if tb { g.matmul_t(a, true, ta) } else { a.matmul_t(g, !ta, false) };
    alloc::vec![Some(da), Some(db)]
}
