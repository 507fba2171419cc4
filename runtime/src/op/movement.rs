//! Ops that move elements without changing them.

use super::{Kernels, Kind, Op, expect_operands, used};
use crate::kernel::{Bits, View, ViewMut, movement};
use crate::{Result, Shape, misuse};

/// The kind of another shape of the same elements, or of a larger one.
pub(super) fn infer_size(op: &Op, inputs: &[Kind]) -> Result<Kind> {
    expect_operands(op.name(), inputs, 1)?;
    let (x, dtype) = inputs[0];
    let shape = match op {
        Op::Reshape(to) if to.numel() == x.numel() => *to,
        Op::Broadcast(to) if x.broadcasts_to(to) => *to,
        Op::Broadcast(to) => return Err(misuse!("broadcast_to: {x} does not broadcast to {to}")),
        Op::Reshape(to) => {
            return Err(misuse!("reshape: {x} has {} elements, {to} has {}", x.numel(), to.numel()));
        }
        _ => return Err(misuse!("{}: not a change of shape", op.name())),
    };
    Ok((shape, dtype))
}

/// The kind of the result of any other movement.
pub(super) fn infer(op: &Op, inputs: &[Kind]) -> Result<Kind> {
    let name = op.name();
    expect_operands(name, inputs, 1)?;
    let (x, dtype) = inputs[0];
    let shape = match op {
        Op::Transpose(order) => {
            let mut seen = 0u32;
            let mut to = x;
            for (a, &from) in order.iter().enumerate() {
                seen |= 1 << (from as u32).min(31);
                to = to.with_dim(a as isize, x.dim(from as isize));
            }
            if order.len() != x.rank() || seen != (1 << x.rank()) - 1 {
                return Err(misuse!("transpose: {order:?} is not an order of the axes of {x}"));
            }
            to
        }
        Op::Slice(begin, size) => {
            let inside = |a: usize| begin[a] as usize + size.dim(a as isize) <= x.dim(a as isize);
            if begin.len() != x.rank() || size.rank() != x.rank() || !(0..x.rank()).all(inside) {
                return Err(misuse!("slice: the box at {begin:?} of shape {size} is not inside {x}"));
            }
            *size
        }
        Op::Pad(begin, to) => {
            let inside = |a: usize| begin[a] as usize + x.dim(a as isize) <= to.dim(a as isize);
            if begin.len() != x.rank() || to.rank() != x.rank() || !(0..x.rank()).all(inside) {
                return Err(misuse!("pad: {x} at {begin:?} is not inside {to}"));
            }
            *to
        }
        Op::Reverse(axes) if (*axes as u32) < 1 << x.rank() => x,
        Op::Reverse(axes) => {
            return Err(misuse!("reverse: the axes with bits {axes:#b} are beyond shape {x}"));
        }
        _ => return Err(misuse!("{name}: not a movement")),
    };
    Ok((shape, dtype))
}

/// The kind of operands one after another.
pub(super) fn infer_concat(axis: usize, inputs: &[Kind]) -> Result<Kind> {
    let Some(&(first, dtype)) = inputs.first() else {
        return Err(misuse!("concat: expected at least one operand"));
    };
    if axis >= first.rank() {
        return Err(misuse!("concat: axis {axis} is beyond shape {first}"));
    }
    let a = axis as isize;
    let mut total = 0;
    for (s, d) in inputs {
        if *d != dtype || s.rank() != first.rank() || s.with_dim(a, 0) != first.with_dim(a, 0) {
            return Err(misuse!("concat: expected operands equal to {first} but for axis {axis}, got {s}"));
        }
        total += s.dim(a);
    }
    Ok((first.with_dim(a, total), dtype))
}

/// Copies the elements.
pub(super) fn copy<const K: Kernels>(reads: &[View], writes: &mut [ViewMut]) -> Result<()> {
    let ([x], [y]) = (reads, writes) else { return Err(misuse!("reshape: expected one operand")) };
    match y.dtype().size() {
        4 => y.bits::<u32>()?.copy_from_slice(x.bits()?),
        2 if K & used::FLOAT16 != 0 => y.bits::<u16>()?.copy_from_slice(x.bits()?),
        _ => y.bits::<u8>()?.copy_from_slice(x.bits()?),
    }
    Ok(())
}

/// Copies operands one after another along an axis.
pub(super) fn concat<const K: Kernels>(axis: usize, reads: &[View], writes: &mut [ViewMut]) -> Result<()> {
    let [y] = writes else { return Err(misuse!("concat: no result")) };
    match y.dtype().size() {
        4 => concat_as::<u32>(axis, reads, y),
        2 if K & used::FLOAT16 != 0 => concat_as::<u16>(axis, reads, y),
        _ => concat_as::<u8>(axis, reads, y),
    }
}

fn concat_as<T: Bits>(axis: usize, reads: &[View], y: &mut ViewMut) -> Result<()> {
    let inner = |shape: &Shape| (axis..shape.rank()).map(|a| shape.dim(a as isize)).product::<usize>();
    let row = inner(y.shape());
    let y = y.bits::<T>()?;
    let mut at = 0;
    for x in reads {
        let part = inner(x.shape());
        movement::columns(x.bits::<T>()?, part, y, row, at);
        at += part;
    }
    Ok(())
}

/// Runs any movement but `Reshape`, `Broadcast` and `Concat`.
pub(super) fn run<const K: Kernels>(op: &Op, reads: &[View], writes: &mut [ViewMut]) -> Result<()> {
    let Some(y) = writes.first_mut() else { return Err(misuse!("{}: no result", op.name())) };
    match y.dtype().size() {
        4 => run_as::<u32>(op, reads, y),
        2 if K & used::FLOAT16 != 0 => run_as::<u16>(op, reads, y),
        _ => run_as::<u8>(op, reads, y),
    }
}

fn run_as<T: Bits>(op: &Op, reads: &[View], y: &mut ViewMut) -> Result<()> {
    let to: Shape = *y.shape();
    let out = y.bits::<T>()?;
    match op {
        Op::Transpose(order) => movement::transpose(reads[0].bits::<T>()?, reads[0].shape(), order, out),
        Op::Slice(begin, _) => {
            let x = &reads[0];
            movement::copy_box(x.bits::<T>()?, x.shape(), begin, out, &to, &[0; crate::MAX_RANK], &to);
        }
        Op::Pad(begin, _) => {
            let x = &reads[0];
            out.fill(T::default());
            movement::copy_box(x.bits::<T>()?, x.shape(), &[0; crate::MAX_RANK], out, &to, begin, x.shape());
        }
        Op::Reverse(axes) => movement::reverse(reads[0].bits::<T>()?, &to, *axes, out),
        _ => return Err(misuse!("{}: not a movement", op.name())),
    }
    Ok(())
}

/// The gradient of a broadcast: the sum over what it repeats.
#[cfg(feature = "alloc")]
pub(super) fn broadcast_vjp<'b>(to: &Shape, from: Shape, g: super::Var<'b>) -> super::Var<'b> {
    let lead = to.rank() - from.rank();
    let spread = |a: &isize| {
        let own = *a as usize >= lead && from.dim(*a - lead as isize) == to.dim(*a);
        !own
    };
    let axes: alloc::vec::Vec<isize> = (0..to.rank() as isize).filter(spread).collect();
    if axes.is_empty() { g } else { g.sum(&axes, false) }.apply(Op::Reshape(from))
}

/// Gradients of movements are movements.
#[cfg(feature = "alloc")]
pub(super) fn vjp<'b>(
    op: &Op,
    x: &[super::Var<'b>],
    g: super::Var<'b>,
) -> alloc::vec::Vec<Option<super::Var<'b>>> {
    use alloc::vec::Vec;
    use heapless::Vec as Fixed;
    let from = x[0].shape();
    let dx = match op {
        Op::Transpose(order) => {
            let mut back = order.clone();
            for (a, &b) in order.iter().enumerate() {
                back[b as usize] = a as u8;
            }
            g.apply(Op::Transpose(back))
        }
        Op::Slice(begin, _) => g.apply(Op::Pad(begin.clone(), from)),
        Op::Pad(begin, _) => g.apply(Op::Slice(begin.clone(), from)),
        Op::Reverse(axes) => g.apply(Op::Reverse(*axes)),
        Op::Concat(axis) => {
            let mut begin: Fixed<u32, { crate::MAX_RANK }> = from.dims().iter().map(|_| 0).collect();
            let mut parts = Vec::new();
            for v in x {
                parts.push(Some(g.apply(Op::Slice(begin.clone(), v.shape()))));
                begin[*axis as usize] += v.dim(*axis as isize) as u32;
            }
            return parts;
        }
        _ => return alloc::vec![None; x.len()],
    };
    alloc::vec![Some(dx)]
}
