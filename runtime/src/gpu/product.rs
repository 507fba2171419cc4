//! Products: of matrices, and convolutions and their gradients as products of patches that are nowhere stored.
//!
//! A workgroup makes a tile of the result from strips of both operands in its memory, each invocation a block of it in
//! registers. Long sums of small results are cut into parts that go to scratch memory and are added by a second dispatch.

use super::kernel::{Dispatch, FEW, Part, SMALL, each};
use super::text::{self, Operand, shader, under};
use crate::kernel::Conv;
use crate::op::{Conv2d, Epilogue, Kind, Planned, Product, matmul};
use crate::{Result, misuse, unsupported};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write;

/// Terms of a strip.
const DEPTH: usize = 16;
/// Terms from which on a sum may be cut.
const LONG: usize = 1024;
/// Workgroups that keep a GPU busy.
const BUSY: usize = 64;

/// A product `c[row, column] = sum over k of a[row, k] · b[k, column]` for each of `batch` in `z`.
struct Tiled<'t> {
    batch: usize,
    m: usize,
    n: usize,
    k: usize,
    /// Statements that assign `value` from `row` and `k`, where both are in range.
    a: &'t str,
    /// Statements that assign `value` from `k` and `column`.
    b: &'t str,
    /// Statements that write `value` at `row` and `column`.
    store: &'t str,
    /// The same for a sum of parts.
    last: &'t str,
}

impl Tiled<'_> {
    /// The product as sums of elements by themselves.
    fn small(&self) -> Part {
        let Tiled { batch, m, n, k, a, b, .. } = *self;
        each(
            batch * m * n,
            &format!(
                "let column = i % {n}u; let row = i / {n}u % {m}u; let z = i / {}u;
    var sum = 0.0;
    for (var k = 0u; k < {k}u; k = k + 1u) {{
        var value = 0.0;
        {{ {a} }}
        let left = value;
        value = 0.0;
        {{ {b} }}
        sum = fma(left, value, sum);
    }}
    let value = sum;
    {}",
                m * n,
                self.last
            ),
        )
        .of_work(batch * m * n * k)
    }

    fn parts(&self) -> Vec<Part> {
        let Tiled { batch, m, n, k, .. } = *self;
        if batch * m * n <= FEW && batch * m * n * k <= SMALL {
            return vec![self.small()];
        }
        // Side of a tile and of the block of an invocation.
        let (side, block) = if m >= 256 && n >= 64 { (64, 4) } else { (32, 2) };
        let (high, wide) = (m.div_ceil(side), n.div_ceil(side));
        let tiles = high * wide * batch;
        let parts = if k >= LONG { (BUSY.div_ceil(tiles)).min(k / (LONG / 4)).max(1) } else { 1 };
        let each_part = k.div_ceil(parts).next_multiple_of(DEPTH);
        let threads = side / block;
        let group = threads * threads;
        let (mut sums, mut load, mut rows, mut columns, mut add, mut write) =
            (String::new(), String::new(), String::new(), String::new(), String::new(), String::new());
        for i in 0..block {
            let _ = writeln!(rows, "let a{i} = left[t * {side}u + y * {block}u + {i}u];");
            let _ = writeln!(columns, "let b{i} = right[t * {side}u + x * {block}u + {i}u];");
            for j in 0..block {
                let _ = writeln!(sums, "var s{i}_{j} = 0.0;");
                let _ = writeln!(add, "s{i}_{j} = fma(a{i}, b{j}, s{i}_{j});");
                let _ = writeln!(
                    write,
                    "{{ let row = top + y * {block}u + {i}u; let column = across + x * {block}u + {j}u;
        if row < {m}u && column < {n}u {{ let value = s{i}_{j}; {} }} }}",
                    if parts > 1 {
                        format!("scratch[((part * {batch}u + z) * {m}u + row) * {n}u + column] = value;")
                    } else {
                        self.store.into()
                    }
                );
            }
        }
        let _ = write!(
            load,
            "for (var e = local; e < {}u; e = e + {group}u) {{
            let k = first + e / {side}u;
            var value = 0.0;
            {{ let row = top + e % {side}u; if row < {m}u && k < end {{ {} }} }}
            left[e] = value;
            value = 0.0;
            {{ let column = across + e % {side}u; if column < {n}u && k < end {{ {} }} }}
            right[e] = value;
        }}",
            DEPTH * side,
            self.a,
            self.b
        );
        let source = shader(&format!(
        "
var<workgroup> left: array<f32, {strip}>;
var<workgroup> right: array<f32, {strip}>;
@compute @workgroup_size({group})
fn main(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) local: u32) {{
    let across = tile.x * {side}u;
    let top = tile.y * {side}u;
    let z = tile.z % {batch}u;
    let part = tile.z / {batch}u;
    let x = local % {threads}u;
    let y = local / {threads}u;
    let end = min((part + 1u) * {each_part}u, {k}u);
    {sums}
    for (var first = part * {each_part}u; first < end; first = first + {DEPTH}u) {{
        {load}
        workgroupBarrier();
        for (var t = 0u; t < {DEPTH}u; t = t + 1u) {{
{rows}{columns}{add}
        }}
        workgroupBarrier();
    }}
    {write}
}}
",
            strip = DEPTH * side,
        ));
        let groups = [wide as u32, high as u32, (batch * parts) as u32];
        let elements = batch * m * n;
        let mut all =
            vec![Part::Own(Dispatch { source, groups, scratch: if parts > 1 { parts * elements } else { 0 } })];
        if parts > 1 {
            all.push(each(
                elements,
                &format!(
                    "let column = i % {n}u; let row = i / {n}u % {m}u; let z = i / {}u;
    var value = 0.0;
    for (var part = 0u; part < {parts}u; part = part + 1u) {{ value = value + scratch[part * {elements}u + i]; }}
    {}",
                    m * n,
                    self.last
                ),
            ));
        }
        all
    }
}

/// The statements that write `value` as element `i`: as it is, or through a region.
fn finish(epilogue: Option<(&Epilogue, &[Operand])>, writes: &[Operand]) -> Result<String> {
    let Some((e, others)) = epilogue else { return Ok(writes[0].store("i", "value")) };
    let mut text = String::new();
    let mut others = others.iter();
    for n in 0..usize::from(e.region.reads) {
        let bits = if n == usize::from(e.operand) {
            "bitcast<u32>(value)".into()
        } else {
            let Some(x) = others.next() else { return Err(misuse!("gpu: an epilogue lacks an operand")) };
            x.bits(&under("i", &e.region.shape, &x.shape))
        };
        let _ = writeln!(text, "let r{n} = {bits};");
    }
    text.push_str(&text::region(&e.region));
    for (y, register) in writes.iter().zip(&e.region.results) {
        if y.per_word() > 1 {
            return Err(unsupported!("gpu: an epilogue that writes elements of less than four bytes"));
        }
        let _ = writeln!(text, "{}", y.store_bits("i", &format!("r{register}")));
    }
    Ok(text)
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
    let at =
        |z: usize, row: &str, step: usize, column: &str| format!("z * {z}u + {row} * {step}u + {column}");
    let left = if ta { at(m * k, "k", m, "row") } else { at(m * k, "row", k, "k") };
    let right = if tb { at(k * n, "column", k, "k") } else { at(k * n, "k", n, "column") };
    let store = finish(epilogue.map(|e| (e, others)), writes)?;
    let tiled = Tiled {
        batch,
        m,
        n,
        k,
        a: &format!("value = {};", a.load(&left)),
        b: &format!("value = {};", b.load(&right)),
        store: &format!("let i = (z * {m}u + row) * {n}u + column; {store}"),
        last: &store,
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
    // The pixel of x under tap (ky, kx) of an output pixel.
    let under_tap = format!(
        "let ox = pixel % {ow}u; let oy = pixel / {ow}u % {oh}u; let image = pixel / {}u;
        let iy = oy * {sh}u + ky * {dh}u - {pad_top}u; let ix = ox * {sw}u + kx * {dw}u - {pad_left}u;
        if iy < {h}u && ix < {w}u {{ value = {}; }}",
        oh * ow,
        a.load(&format!("((image * {h}u + iy) * {w}u + ix) * {channels}u + z * {cg}u + channel")),
    );
    let tap = |index: &str, channels: usize| {
        format!(
            "let channel = {index} % {channels}u; let kx = {index} / {channels}u % {kw}u; let ky = {index} / {}u;",
            channels * kw
        )
    };
    let store = finish(epilogue.map(|e| (e, others)), writes)?;
    let tiled = |m: usize, n: usize, k: usize, left: String, right: String, i: String| {
        let store = format!("let i = {i}; {store}");
        let tiled =
            Tiled { batch: groups, m, n, k, a: &left, b: &right, store: &store, last: &if_row(&store) };
        tiled.parts()
    };
    Ok(match c {
        Conv2d::Forward(_) => tiled(
            pixels,
            ocg,
            taps * cg,
            format!("let pixel = row; {} {under_tap}", tap("k", cg)),
            format!("value = {};", b.load(&format!("k * {oc}u + z * {ocg}u + column"))),
            format!("row * {oc}u + z * {ocg}u + column"),
        ),
        Conv2d::FilterGrad(..) => tiled(
            taps * cg,
            ocg,
            pixels,
            format!("let pixel = k; {} {under_tap}", tap("row", cg)),
            format!("value = {};", b.load(&format!("k * {oc}u + z * {ocg}u + column"))),
            format!("row * {oc}u + z * {ocg}u + column"),
        ),
        Conv2d::InputGrad(..) => tiled(
            n * h * w,
            cg,
            taps * ocg,
            format!(
                "{} let ix = row % {w}u; let iy = row / {w}u % {h}u; let image = row / {}u;
        let ty = iy + {pad_top}u - ky * {dh}u; let tx = ix + {pad_left}u - kx * {dw}u;
        if ty < {}u && tx < {}u && ty % {sh}u == 0u && tx % {sw}u == 0u {{ value = {}; }}",
                tap("k", ocg),
                h * w,
                oh * sh,
                ow * sw,
                a.load(&format!(
                    "((image * {oh}u + ty / {sh}u) * {ow}u + tx / {sw}u) * {oc}u + z * {ocg}u + channel"
                )),
            ),
            format!(
                "{} value = {};",
                tap("k", ocg),
                b.load(&format!("((ky * {kw}u + kx) * {cg}u + column) * {oc}u + z * {ocg}u + channel"))
            ),
            format!("row * {channels}u + z * {cg}u + column"),
        ),
    })
}

/// In the sum of parts `i` is the element of the parts: that of the result takes its name in a block.
fn if_row(store: &str) -> String {
    format!("{{ {store} }}")
}
