//! Along one axis: recurrences and sorting.

use super::kernel::{Part, each};
use super::text::Operand;
use crate::op::{Argsort, Recurrence};
use crate::{DType, Result, misuse};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// `y[j] = a[j] y[j-1] + b[j]`, one invocation for each row.
pub fn recurrence(r: &Recurrence, reads: &[Operand], writes: &[Operand]) -> Result<Vec<Part>> {
    let ([b, rest @ ..], [y]) = (reads, writes) else {
        return Err(misuse!("recurrence: expected an operand"));
    };
    let product = |from: usize, to: usize| -> usize { (from..to).map(|a| b.shape.dim(a as isize)).product() };
    let axis = r.axis as usize;
    let (n, inner) = (b.shape.dim(axis as isize), product(axis + 1, b.shape.rank()));
    let zero = if y.dtype == DType::F32 { "0.0" } else { "0" };
    let at = if r.reverse { format!("{}u - j", n.saturating_sub(1)) } else { "j".into() };
    let next = match rest.first() {
        Some(a) => format!("{} * y + {}", a.load("e"), b.load("e")),
        None => format!("y + {}", b.load("e")),
    };
    let text = format!(
        "let start = i / {inner}u * {}u + i % {inner}u;
    var y = {zero};
    for (var j = 0u; j < {n}u; j = j + 1u) {{
        let e = start + ({at}) * {inner}u;
        y = {next};
        {}
    }}",
        n * inner,
        y.store("e", "y")
    );
    Ok(vec![each(product(0, axis) * inner, &text).of_work(b.numel())])
}

/// The order of rows: each element counts those before it. NaN is the largest.
pub fn argsort(a: &Argsort, reads: &[Operand], writes: &[Operand]) -> Result<Vec<Part>> {
    let ([x], [y]) = (reads, writes) else { return Err(misuse!("argsort: expected 1 operand")) };
    let n = x.shape.dim(-1);
    let (small, large) = if a.descending { ("b", "a") } else { ("a", "b") };
    let (nans, both) = match x.dtype {
        DType::F32 => (format!(" || (nan({large}) && !nan({small}))"), " || (nan(a) && nan(b))"),
        _ => (String::new(), ""),
    };
    let text = format!(
        "let row = i / {n}u * {n}u;
    let own = i - row;
    let b = {own};
    var rank = 0u;
    for (var j = 0u; j < {n}u; j = j + 1u) {{
        let a = {other};
        let before = {small} < {large}{nans};
        let equal = a == b{both};
        if before || (equal && j < own) {{ rank = rank + 1u; }}
    }}
    {}",
        y.store("row + rank", "i32(own)"),
        own = x.load("i"),
        other = x.load("row + j"),
    );
    Ok(vec![each(x.numel(), &text).of_work(n * x.numel())])
}
