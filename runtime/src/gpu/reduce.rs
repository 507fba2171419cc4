//! Reductions.

use super::kernel::{Dispatch, FEW, Part, each};
use super::text::{GROUP, Operand, Width, shader};
use crate::op::{ArgReduce, Reduce, ReduceKind};
use crate::{DType, Result, misuse};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write;

/// Invocations of a workgroup that sums.
const WIDE: usize = 64;
/// Most parts that rows are cut into.
const PARTS: usize = 128;
/// Rows that one invocation may sum by itself.
const SHORT: usize = 128;

fn split(shape: &crate::Shape, axis: usize, count: usize) -> [usize; 3] {
    let product = |from: usize, to: usize| (from..to).map(|a| shape.dim(a as isize)).product();
    [product(0, axis), product(axis, axis + count), product(axis + count, shape.rank())]
}

/// The shaders of a reduction over adjacent axes.
pub fn run(r: &Reduce, reads: &[Operand], writes: &[Operand]) -> Result<Vec<Part>> {
    let ([x], [y]) = (reads, writes) else { return Err(misuse!("{}: expected one operand", r.kind.name())) };
    let [outer, mid, inner] = split(&x.shape, r.axis as usize, r.count as usize);
    let float = x.dtype == DType::F32;
    if r.kind == ReduceKind::Sum && float && outer == 1 && mid > SHORT && x.numel() > FEW {
        let body = format!("let value = {};", x.load("i"));
        return Ok(columns(mid, inner, &body, &["value".into()], &[*y]));
    }
    let (identity, join) = match (r.kind, float) {
        (ReduceKind::Sum, true) => ("0.0", "acc + v"),
        (ReduceKind::Sum, false) => ("0", "acc + v"),
        (ReduceKind::Prod, true) => ("1.0", "acc * v"),
        (ReduceKind::Prod, false) => ("1", "acc * v"),
        (ReduceKind::Max, true) => ("special(0xff800000u)", "larger(acc, v)"),
        (ReduceKind::Max, false) => ("i32(-2147483647 - 1)", "max(acc, v)"),
        (ReduceKind::Min, true) => ("special(0x7f800000u)", "smaller(acc, v)"),
        (ReduceKind::Min, false) => ("2147483647", "min(acc, v)"),
    };
    let begin = format!("var acc = {identity};");
    let value = x.load(&format!("start + j * {inner}u"));
    if mid <= SHORT || outer * inner >= 4096 || x.numel() <= FEW {
        let text = format!(
            "let start = i / {inner}u * {}u + i % {inner}u;
    {begin}
    for (var j = 0u; j < {mid}u; j = j + 1u) {{ let v = {value}; acc = {join}; }}
    {}",
            mid * inner,
            y.store("i", "acc")
        );
        return Ok(vec![each(y.numel(), &text).of_work(x.numel())]);
    }
    let (row, ty) = (y.numel().clamp(1, super::text::GRID), if float { "f32" } else { "i32" });
    let source = shader(
        &format!(
            "
var<workgroup> parts: array<{ty}, {WIDE}>;
@compute @workgroup_size({WIDE})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {{
    let i = min(group.x + group.y * {row}u, {last}u);
    let start = i / {inner}u * {}u + i % {inner}u;
    {begin}
    for (var j = local; j < {mid}u; j = j + {WIDE}u) {{ let v = {value}; acc = {join}; }}
    parts[local] = acc;
    for (var half = {}u; half > 0u; half = half / 2u) {{
        workgroupBarrier();
        if local < half {{ let acc = parts[local]; let v = parts[local + half]; parts[local] = {join}; }}
    }}
    if local == 0u {{ {} }}
}}
",
            mid * inner,
            WIDE / 2,
            y.store("i", "parts[0]"),
            last = y.numel() - 1,
        ),
        Width::One,
    );
    Ok(vec![Part::Own(Dispatch {
        source,
        groups: [row as u32, y.numel().div_ceil(row) as u32, 1],
        scratch: 0,
    })])
}

/// The shaders that add up rows of `columns` values: `body` makes `values` of element `i`, and may store other things.
/// The sums over parts of the rows go to scratch memory, then those of the parts to the results.
pub fn columns(rows: usize, columns: usize, body: &str, values: &[String], results: &[Operand]) -> Vec<Part> {
    if rows * columns <= FEW {
        let (mut begin, mut add, mut write) = (String::new(), String::new(), String::new());
        for (k, value) in values.iter().enumerate() {
            let _ = writeln!(begin, "var sum{k} = 0.0;");
            let _ = writeln!(add, "sum{k} = sum{k} + {value};");
            let _ = writeln!(write, "{}", results[k].store("column", &format!("sum{k}")));
        }
        let text = format!(
            "let column = i;
    {begin}
    for (var row = 0u; row < {rows}u; row = row + 1u) {{
        let i = row * {columns}u + column;
{body}
{add}
    }}
    {write}"
        );
        return vec![each(columns, &text).of_work(rows * columns)];
    }
    let width = columns.min(WIDE);
    // Rows that a workgroup takes at once.
    let high = WIDE / width;
    let blocks = columns.div_ceil(width);
    let parts = rows.div_ceil(high * 8).clamp(1, (PARTS / blocks).max(1));
    let each_part = rows.div_ceil(parts);
    let n = values.len();
    let (mut begin, mut add, mut share, mut write) =
        (String::new(), String::new(), String::new(), String::new());
    for (k, value) in values.iter().enumerate() {
        let _ = writeln!(begin, "var sum{k} = 0.0;");
        let _ = writeln!(add, "sum{k} = sum{k} + {value};");
        let _ = writeln!(
            share,
            "parts[local] = sum{k};
    workgroupBarrier();
    if local < {width}u && column < {columns}u {{
        var sum = 0.0;
        for (var r = 0u; r < {high}u; r = r + 1u) {{ sum = sum + parts[r * {width}u + local]; }}
        scratch[(group.x * {n}u + {k}u) * {columns}u + column] = sum;
    }}
    workgroupBarrier();"
        );
        let _ = writeln!(
            write,
            "{{
        var sum = 0.0;
        for (var p = 0u; p < {parts}u; p = p + 1u) {{ sum = sum + scratch[(p * {n}u + {k}u) * {columns}u + i]; }}
        {}
    }}",
            results[k].store("i", "sum")
        );
    }
    let source = shader(
        &format!(
            "
var<workgroup> parts: array<f32, {WIDE}>;
@compute @workgroup_size({WIDE})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {{
    let column = group.y * {width}u + local % {width}u;
    let high = local / {width}u;
    let end = min((group.x + 1u) * {each_part}u, {rows}u);
    {begin}
    if high < {high}u && column < {columns}u {{
        for (var row = group.x * {each_part}u + high; row < end; row = row + {high}u) {{
            let i = row * {columns}u + column;
{body}
{add}
        }}
    }}
    {share}
}}
",
        ),
        Width::One,
    );
    let first = Dispatch { source, groups: [parts as u32, blocks as u32, 1], scratch: parts * n * columns };
    vec![Part::Own(first), each(columns, &write)]
}

/// The index of the extreme.
pub fn arg(r: &ArgReduce, reads: &[Operand], writes: &[Operand]) -> Result<Vec<Part>> {
    let ([x], [y]) = (reads, writes) else { return Err(misuse!("{}: expected one operand", r.name())) };
    let [_, mid, inner] = split(&x.shape, r.axis as usize, 1);
    let wins = if r.smallest { "v < best" } else { "v > best" };
    let text = format!(
        "let start = i / {inner}u * {}u + i % {inner}u;
    var best = {};
    var found = !nan(best);
    var index = 0;
    for (var j = 1u; j < {mid}u; j = j + 1u) {{
        let v = {};
        if !nan(v) && (!found || {wins}) {{ best = v; index = i32(j); found = true; }}
    }}
    {}",
        mid * inner,
        x.load("start"),
        x.load(&format!("start + j * {inner}u")),
        y.store("i", "index")
    );
    Ok(vec![each(y.numel(), &text).of_work(x.numel())])
}

const _: () = assert!(GROUP <= WIDE);
