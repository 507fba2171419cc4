//! Fused regions, with the sums at their edge, and steps of recurrent cells.

use super::kernel::{Part, each};
use super::reduce;
use super::text::{self, Operand, under};
use crate::op::{RecurrentCell, Region};
use crate::{Result, misuse, unsupported};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write;

/// Reads the operands of a region for element `i` and computes its registers.
pub fn body(region: &Region, reads: &[Operand]) -> String {
    let mut text = String::new();
    for (n, x) in reads.iter().enumerate() {
        let _ = writeln!(text, "let r{n} = {};", x.bits(&under("i", &region.shape, &x.shape)));
    }
    text + &text::region(region)
}

/// The shaders of a region: its elements, and for sums also a second one over the parts.
pub fn region(region: &Region, reads: &[Operand], writes: &[Operand]) -> Result<Vec<Part>> {
    let small = writes.iter().map(Operand::per_word).max().unwrap_or(1);
    let sums: Vec<(usize, &Operand)> = writes
        .iter()
        .enumerate()
        .filter(|(n, _)| region.summed.get(*n).is_some_and(|&axes| axes > 0))
        .collect();
    let body = body(region, reads);
    let store = |text: &mut String| {
        for (n, y) in writes.iter().enumerate() {
            if region.summed.get(n).is_none_or(|&axes| axes == 0) && y.per_word() == 1 {
                let _ = writeln!(text, "{}", y.store_bits("i", &format!("r{}", region.results[n])));
            }
        }
    };
    let count = region.shape.numel();
    if !sums.is_empty() {
        if small > 1 {
            return Err(unsupported!("gpu: a region that sums and writes elements of less than four bytes"));
        }
        let mut text = body;
        store(&mut text);
        let columns = sums[0].1.numel();
        if sums.iter().any(|(_, y)| y.numel() != columns) {
            return Err(unsupported!("gpu: a region with sums of several widths"));
        }
        let values: Vec<String> =
            sums.iter().map(|(n, _)| format!("bitcast<f32>(r{})", region.results[*n])).collect();
        let results: Vec<Operand> = sums.iter().map(|(_, y)| **y).collect();
        return Ok(reduce::columns(count / columns.max(1), columns, &text, &values, &results));
    }
    if small == 1 {
        let mut text = body;
        store(&mut text);
        return Ok(vec![each(count, &text)]);
    }
    // Four elements an invocation, so that whole words are written.
    let mut text = String::from("let first = i * 4u;\n");
    for (n, y) in writes.iter().enumerate().filter(|(_, y)| y.per_word() > 1) {
        let _ = writeln!(text, "var words{n} = array<u32, {}>();", 4 / y.per_word());
    }
    let _ = writeln!(
        text,
        "for (var part = 0u; part < 4u; part = part + 1u) {{
        let i = first + part;
        if i >= {count}u {{ break; }}
{body}"
    );
    store(&mut text);
    for (n, y) in writes.iter().enumerate().filter(|(_, y)| y.per_word() > 1) {
        let (per, register) = (y.per_word(), region.results[n]);
        let bits = match y.dtype {
            crate::DType::F16 => format!("pack2x16float(vec2<f32>(bitcast<f32>(r{register}), 0.0))"),
            _ => format!("(r{register} & 255u)"),
        };
        let _ = writeln!(
            text,
            "words{n}[part / {per}u] = words{n}[part / {per}u] | ({bits} << ((part % {per}u) * {}u));",
            32 / per
        );
    }
    text.push_str("}\n");
    for (n, y) in writes.iter().enumerate().filter(|(_, y)| y.per_word() > 1) {
        let per = y.per_word();
        let words = y.numel().div_ceil(per);
        for word in 0..4 / per {
            let at = format!("i * {}u + {word}u", 4 / per);
            let store = y.store_bits(&at, &format!("words{n}[{word}]"));
            let _ = writeln!(text, "if {at} < {words}u {{ {store} }}");
        }
    }
    Ok(vec![each(count.div_ceil(4), &text)])
}

/// A step of a cell: one invocation for each unit of each sample.
pub fn cell(cell: RecurrentCell, reads: &[Operand], writes: &[Operand]) -> Result<Vec<Part>> {
    let Some(state) = reads.last() else { return Err(misuse!("{cell:?}: no operands")) };
    let units = state.shape.dim(-1);
    let mut text = format!("let row = i / {units}u; let unit = i % {units}u;\n");
    let mut number = 0;
    for x in reads {
        let blocks = x.shape.dim(-1) / units;
        for block in 0..blocks {
            let at = format!("(row * {blocks}u + {block}u) * {units}u + unit");
            let _ = writeln!(text, "let x{number} = {};", x.load(&at));
            number += 1;
        }
    }
    text.push_str(match cell {
        RecurrentCell::Lstm => LSTM,
        RecurrentCell::LstmGrad => LSTM_GRAD,
        RecurrentCell::Gru => GRU,
        RecurrentCell::GruGrad => GRU_GRAD,
    });
    let mut number = 0;
    for y in writes {
        let blocks = y.shape.dim(-1) / units;
        for block in 0..blocks {
            let at = format!("(row * {blocks}u + {block}u) * {units}u + unit");
            let _ = writeln!(text, "{}", y.store(&at, &format!("y{number}")));
            number += 1;
        }
    }
    Ok(vec![each(state.numel(), &text)])
}

// The formulas of `op/cell.rs`, from blocks x0, x1, … of the operands to blocks y0, y1, … of the results.
const LSTM: &str = "
    let y2 = sigmoid(x0); let y3 = sigmoid(x1); let y4 = tangent(x2); let y5 = sigmoid(x3);
    let y1 = y3 * x4 + y2 * y4;
    let y6 = tangent(y1);
    let y0 = y5 * y6;
";
const LSTM_GRAD: &str = "
    let d = x7 + x6 * x3 * (1.0 - x5 * x5);
    let y0 = d * x2 * x0 * (1.0 - x0);
    let y1 = d * x4 * x1 * (1.0 - x1);
    let y2 = d * x0 * (1.0 - x2 * x2);
    let y3 = x6 * x5 * x3 * (1.0 - x3);
    let y4 = d * x1;
";
const GRU: &str = "
    let y1 = sigmoid(x0 + x3); let y2 = sigmoid(x1 + x4);
    let y3 = tangent(x2 + y2 * x5);
    let y0 = y1 * x6 + (1.0 - y1) * y3;
";
const GRU_GRAD: &str = "
    let y2 = x7 * (1.0 - x0) * (1.0 - x2 * x2);
    let y0 = x7 * (x6 - x2) * x0 * (1.0 - x0);
    let y1 = y2 * x5 * x1 * (1.0 - x1);
    let y3 = y0; let y4 = y1; let y5 = y2 * x1; let y6 = x7 * x0;
";
