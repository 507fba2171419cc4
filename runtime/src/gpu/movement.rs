//! Elements moved without a change.

use super::kernel::{Part, each, each_word};
use super::text::{Operand, strided, under};
use crate::op::{Gather, Kind, Op, Scatter};
use crate::{DType, Result, misuse};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write;

/// Shaders of the ops of `op/movement.rs`.
pub fn run(op: &Op, reads: &[Operand], writes: &[Operand]) -> Result<Vec<Part>> {
    let ([x, ..], [y]) = (reads, writes) else { return Err(misuse!("{}: no operand", op.name())) };
    let value = match op {
        Op::Reshape(_) => format!("bits = {};", x.bits("i")),
        Op::Broadcast(to) => format!("bits = {};", x.bits(&under("i", to, &x.shape))),
        Op::Transpose(order) => {
            let strides = x.shape.strides();
            let axis = |&a: &u8| (x.shape.dim(a as isize), strides[a as usize]);
            let dims: Vec<(usize, usize)> = order.iter().map(axis).collect();
            format!("bits = {};", x.bits(&strided("i", &dims)))
        }
        Op::Slice(begin, size) => {
            let strides = x.shape.strides();
            let dims: Vec<(usize, usize)> =
                (0..size.rank()).map(|a| (size.dim(a as isize), strides[a])).collect();
            let first: usize = begin.iter().zip(strides).map(|(&b, s)| b as usize * s).sum();
            format!("bits = {};", x.bits(&format!("{first}u + {}", strided("i", &dims))))
        }
        Op::Pad(begin, to) => {
            let (mut inside, mut index) = (String::from("true"), String::from("0u"));
            let (mut below, strides) = (to.numel(), x.shape.strides());
            for a in 0..to.rank() {
                let (n, own, from) = (to.dim(a as isize), x.shape.dim(a as isize), begin[a]);
                below = below.checked_div(n).unwrap_or(0);
                let at = format!("((i / {}u) % {n}u)", below.max(1));
                if own != n {
                    let _ = write!(inside, " && {at} - {from}u < {own}u");
                }
                let _ = write!(index, " + ({at} - {from}u) * {}u", strides[a]);
            }
            format!("if {inside} {{ bits = {}; }}", x.bits(&format!("({index})")))
        }
        Op::Reverse(axes) => {
            let (mut index, mut below) = (String::from("0u"), y.numel());
            for a in 0..y.shape.rank() {
                let n = y.shape.dim(a as isize);
                below = below.checked_div(n).unwrap_or(0);
                let at = format!("((i / {}u) % {n}u)", below.max(1));
                let at = if axes >> a & 1 == 1 { format!("({}u - {at})", n - 1) } else { at };
                let _ = write!(index, " + {at} * {below}u");
            }
            format!("bits = {};", x.bits(&format!("({index})")))
        }
        Op::Concat(axis) => return concat(*axis as usize, reads, y),
        _ => return Err(misuse!("{}: not a movement", op.name())),
    };
    Ok(vec![each_word(y, &value)])
}

fn concat(axis: usize, reads: &[Operand], y: &Operand) -> Result<Vec<Part>> {
    let inner = |x: &Operand| (axis..x.shape.rank()).map(|a| x.shape.dim(a as isize)).product::<usize>();
    let row = inner(y);
    let (mut text, mut from) = (format!("let row = i / {row}u; let column = i % {row}u;\n"), 0);
    for x in reads {
        let part = inner(x);
        let bits = x.bits(&format!("row * {part}u + column - {from}u"));
        let _ = writeln!(text, "if column >= {from}u && column < {}u {{ bits = {bits}; }}", from + part);
        from += part;
    }
    Ok(vec![each_word(y, &text)])
}

/// Slices picked by index. An index out of range gives zeros: a GPU has no errors.
pub fn gather(g: &Gather, reads: &[Operand], writes: &[Operand]) -> Result<Vec<Part>> {
    let ([x, index], [y]) = (reads, writes) else { return Err(misuse!("gather: expected 2 operands")) };
    let kind: Kind = (index.shape, index.dtype);
    let (_, b) = g.geometry("gather", &x.shape, kind)?;
    let text = format!(
        "let inner = i % {inner}u;
        let m = (i / {inner}u) % {m}u;
        let row = i / {mi}u;
        let n = bitcast<u32>({at});
        if n < {n}u {{ bits = {bits}; }}",
        inner = b.inner,
        m = b.m,
        mi = b.m * b.inner,
        at = index.bits(&format!("row / {}u * {}u + m", b.outer, b.m)),
        n = b.n,
        bits = x.bits(&format!("(row * {}u + n) * {}u + inner", b.n, b.inner)),
    );
    Ok(vec![each_word(y, &text)])
}

/// Updates added at indices, each element of the result looking for its own, in their order.
pub fn scatter(s: &Scatter, reads: &[Operand], writes: &[Operand]) -> Result<Vec<Part>> {
    let ([index, updates], [y]) = (reads, writes) else {
        return Err(misuse!("scatter: expected 2 operands"));
    };
    let kind: Kind = (index.shape, index.dtype);
    let (_, b) = s.gather.geometry("scatter", &s.shape, kind)?;
    let zero = if y.dtype == DType::F32 { "0.0" } else { "0" };
    let text = format!(
        "let inner = i % {inner}u;
    let n = (i / {inner}u) % {n}u;
    let row = i / {ni}u;
    var sum = {zero};
    for (var m = 0u; m < {m}u; m = m + 1u) {{
        if bitcast<u32>({at}) == n {{ sum = sum + {value}; }}
    }}
    {store}",
        inner = b.inner,
        n = b.n,
        ni = b.n * b.inner,
        m = b.m,
        at = index.bits(&format!("row / {}u * {}u + m", b.outer, b.m)),
        value = updates.load(&format!("(row * {}u + m) * {}u + inner", b.m, b.inner)),
        store = y.store("i", "sum"),
    );
    Ok(vec![each(y.numel(), &text).of_work(b.m * y.numel())])
}
