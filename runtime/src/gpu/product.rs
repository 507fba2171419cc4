//! Matrix products, and convolutions and their gradients as products of patches that are nowhere stored.

use super::kernel::Part;
use super::text::{self, Operand, Width, under};
use super::tile::{self, Along, Side, Tiled};
use crate::kernel::Conv;
use crate::op::{Conv2d, Epilogue, Kind, Planned, Product, matmul};
use crate::{DType, Result, misuse, unsupported};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

/// The statements that write `value` as element `i`, or as four from it on: as it is, or through a region.
fn finish(epilogue: Option<(&Epilogue, &[Operand])>, writes: &[Operand], width: Width) -> Result<String> {
    let Some((e, others)) = epilogue else {
        return Ok(match width {
            Width::One => writes[0].store("i", "value"),
            Width::Four => writes[0].store4("i", "bitcast<vec4<u32>>(value)"),
        });
    };
    let four = width == Width::Four;
    let mut text = String::new();
    if four {
        for n in 0..writes.len() {
            let _ = writeln!(text, "var words{n} = vec4<u32>();");
        }
        text.push_str("let values = value; let from_i = i;\nfor (var c = 0u; c < 4u; c = c + 1u) { let i = from_i + c; let value = values[c];\n");
    }
    let mut rest = others.iter();
    for n in 0..usize::from(e.region.reads) {
        let bits = if n == usize::from(e.operand) {
            "bitcast<u32>(value)".into()
        } else {
            let Some(x) = rest.next() else { return Err(misuse!("gpu: an epilogue lacks an operand")) };
            x.seen(width).bits(&under("i", &e.region.shape, &x.shape))
        };
        let _ = writeln!(text, "let r{n} = {bits};");
    }
    text.push_str(&text::region(&e.region));
    for (n, (y, register)) in writes.iter().zip(&e.region.results).enumerate() {
        if y.per_word() > 1 {
            return Err(unsupported!("gpu: an epilogue that writes elements of less than four bytes"));
        }
        let _ = match four {
            true => writeln!(text, "words{n}[c] = r{register};"),
            false => writeln!(text, "{}", y.store_bits("i", &format!("r{register}"))),
        };
    }
    if four {
        text.push_str("}\n");
        for (n, y) in writes.iter().enumerate() {
            let _ = writeln!(text, "{}", y.store4("i", &format!("words{n}")));
        }
    }
    Ok(text)
}

/// Whether memory can be read and written four floats at once, where rows are multiples of these numbers.
fn width(operands: [&Operand; 2], writes: &[Operand], rows: &[usize]) -> Width {
    let fits = |x: &Operand| x.aligned && x.dtype == DType::F32;
    let all = operands.into_iter().chain(writes).all(fits) && rows.iter().all(|n| n % 4 == 0);
    if all { Width::Four } else { Width::One }
}

fn load(x: &Operand, i: &str, width: Width) -> String {
    match width {
        Width::One => x.load(i),
        Width::Four => x.load4(i),
    }
}

/// Matrix products, an epilogue with its further operands behind the two.
pub fn matmul(
    ta: bool,
    tb: bool,
    epilogue: Option<&Epilogue>,
    reads: &[Operand],
    writes: &[Operand],
) -> Result<Vec<Part>> {
    let [a, b, others @ ..] = reads else { return Err(misuse!("matmul: expected 2 operands")) };
    let kinds: [Kind; 2] = [(a.shape, a.dtype), (b.shape, b.dtype)];
    let (batch, g) = matmul::geometry(ta, tb, &kinds)?;
    let (m, n, k) = (g.m, g.n, g.k);
    let small = tile::is_small(batch, m, n, k);
    let rows = [if ta { m } else { k }, if tb { k } else { n }, n];
    let width = if small { Width::One } else { width([a, b], writes, &rows) };
    let at =
        |z: usize, row: &str, step: usize, column: &str| format!("z * {z}u + {row} * {step}u + {column}");
    let left = if ta { at(m * k, "k", m, "row") } else { at(m * k, "row", k, "k") };
    let right = if tb { at(k * n, "column", k, "k") } else { at(k * n, "k", n, "column") };
    let store = finish(epilogue.map(|e| (e, others)), writes, width)?;
    let along = |edge: bool| if edge { Along::Edge } else { Along::Sum };
    let tiled = Tiled {
        batch,
        m,
        n,
        k,
        a: Side { text: format!("value = {};", load(a, &left, width)), along: along(ta) },
        b: Side { text: format!("value = {};", load(b, &right, width)), along: along(!tb) },
        store: format!("let i = (z * {m}u + row) * {n}u + column; {store}"),
        width,
    };
    Ok(tiled.parts())
}

/// Products with an epilogue.
pub fn planned(p: &Planned, reads: &[Operand], writes: &[Operand]) -> Result<Vec<Part>> {
    if p.packed {
        return Err(unsupported!("gpu: {}: plans for a GPU are compiled without packing", "packed"));
    }
    match &p.product {
        Product::Matmul(ta, tb) => matmul(*ta, *tb, p.epilogue.as_ref(), reads, writes),
        Product::Conv2d(window) => conv(&Conv2d::Forward(*window), p.epilogue.as_ref(), reads, writes),
    }
}

/// Convolutions and their gradients.
pub fn conv(
    c: &Conv2d,
    epilogue: Option<&Epilogue>,
    reads: &[Operand],
    writes: &[Operand],
) -> Result<Vec<Part>> {
    let [a, b, others @ ..] = reads else { return Err(misuse!("{}: expected 2 operands", c.name())) };
    let kinds: [Kind; 2] = [(a.shape, a.dtype), (b.shape, b.dtype)];
    let g = c.geometry(&kinds)?;
    let Conv { n, h, w, c: channels, oh, ow, oc, kh, kw, sh, sw, dh, dw, pad_top, pad_left, groups } = g;
    let (cg, ocg) = (channels / groups, oc / groups);
    let (taps, pixels) = (kh * kw, n * oh * ow);
    let (m, columns, k, rows) = match c {
        Conv2d::Forward(_) => (pixels, ocg, taps * cg, [cg, channels, ocg, oc]),
        Conv2d::FilterGrad(..) => (taps * cg, ocg, pixels, [cg, channels, ocg, oc]),
        Conv2d::InputGrad(..) => (n * h * w, cg, taps * ocg, [ocg, oc, cg, channels]),
    };
    let small = tile::is_small(groups, m, columns, k);
    let width = if small { Width::One } else { width([a, b], writes, &rows) };
    // The pixel of x under tap (ky, kx) of an output pixel.
    let under_tap = format!(
        "let ox = pixel % {ow}u; let oy = pixel / {ow}u % {oh}u; let image = pixel / {}u;
        let iy = oy * {sh}u + ky * {dh}u - {pad_top}u; let ix = ox * {sw}u + kx * {dw}u - {pad_left}u;
        if iy < {h}u && ix < {w}u {{ value = {}; }}",
        oh * ow,
        load(a, &format!("((image * {h}u + iy) * {w}u + ix) * {channels}u + z * {cg}u + channel"), width),
    );
    let tap = |index: &str, channels: usize| {
        format!(
            "let channel = {index} % {channels}u; let kx = {index} / {channels}u % {kw}u; let ky = {index} / {}u;",
            channels * kw
        )
    };
    let by_column = format!("value = {};", load(b, &format!("k * {oc}u + z * {ocg}u + column"), width));
    let (left, right, i) = match c {
        Conv2d::Forward(_) => (
            Side { text: format!("let pixel = row; {} {under_tap}", tap("k", cg)), along: Along::Sum },
            Side { text: by_column, along: Along::Edge },
            format!("row * {oc}u + z * {ocg}u + column"),
        ),
        Conv2d::FilterGrad(..) => (
            Side { text: format!("let pixel = k; {} {under_tap}", tap("row", cg)), along: Along::Edge },
            Side { text: by_column, along: Along::Edge },
            format!("row * {oc}u + z * {ocg}u + column"),
        ),
        Conv2d::InputGrad(..) => {
            let pixel = load(
                a,
                &format!(
                    "((image * {oh}u + ty / {sh}u) * {ow}u + tx / {sw}u) * {oc}u + z * {ocg}u + channel"
                ),
                width,
            );
            let left = format!(
                "{} let ix = row % {w}u; let iy = row / {w}u % {h}u; let image = row / {}u;
        let ty = iy + {pad_top}u - ky * {dh}u; let tx = ix + {pad_left}u - kx * {dw}u;
        if ty < {}u && tx < {}u && ty % {sh}u == 0u && tx % {sw}u == 0u {{ value = {pixel}; }}",
                tap("k", ocg),
                h * w,
                oh * sh,
                ow * sw,
            );
            let filter = format!("((ky * {kw}u + kx) * {cg}u + column) * {oc}u + z * {ocg}u + channel");
            let right = format!("{} value = {};", tap("k", ocg), load(b, &filter, width));
            (
                Side { text: left, along: Along::Sum },
                Side { text: right, along: Along::Sum },
                format!("row * {channels}u + z * {cg}u + column"),
            )
        }
    };
    let store = finish(epilogue.map(|e| (e, others)), writes, width)?;
    let store = format!("let i = {i}; {store}");
    Ok(Tiled { batch: groups, m, n: columns, k, a: left, b: right, store, width }.parts())
}
