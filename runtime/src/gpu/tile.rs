//! Products in tiles.
//!
//! A workgroup makes a tile of the result from strips of both operands in its memory, each invocation a block of 4 x 4 or
//! 8 x 8 in registers. Where rows are of whole vectors, memory is read and written four numbers at a time. Long sums of
//! small results are cut into parts that go to scratch memory and are added by a second dispatch.

use super::kernel::{Dispatch, FEW, Part, SMALL, each};
use super::text::{Width, shader};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write;

/// Terms from which on a sum may be cut.
const LONG: usize = 1024;
/// Workgroups that keep a GPU busy.
const BUSY: usize = 64;

/// Along which way the numbers of an operand lie one after another in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Along {
    /// The terms of a sum.
    Sum,
    /// The rows of the result for the left operand, its columns for the right.
    Edge,
}

/// One operand: statements that assign `value` from `z`, `row` or `column`, and `k`.
pub struct Side {
    pub text: String,
    pub along: Along,
}

/// A product `c[row, column] = sum over k of a[row, k] · b[k, column]` for each of `batch` in `z`.
pub struct Tiled {
    pub batch: usize,
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a: Side,
    pub b: Side,
    /// Statements that write `value` at `z`, `row` and `column`.
    pub store: String,
    /// Whether `value` is four numbers, those along the way of an operand and those of a row of the result.
    pub width: Width,
}

/// Whether a product is rather a small step than one in tiles.
pub fn is_small(batch: usize, m: usize, n: usize, k: usize) -> bool {
    batch * m * n <= FEW && batch * m * n * k <= SMALL
}

/// A tile: rows, columns, rows and columns of the block of an invocation, terms of a strip.
struct Shape {
    high: usize,
    wide: usize,
    block: usize,
    depth: usize,
}

impl Shape {
    fn of(batch: usize, m: usize, n: usize) -> Shape {
        let tiles = |high: usize, wide: usize| batch * m.div_ceil(high) * n.div_ceil(wide);
        let shape = |high, wide, block, depth| Shape { high, wide, block, depth };
        match () {
            () if n <= 8 => shape(128, 8, 4, 16),
            () if n <= 16 => shape(64, 16, 4, 16),
            () if tiles(128, 128) >= BUSY && n > 64 => shape(128, 128, 8, 8),
            () if tiles(64, 64) >= BUSY / 4 && n > 32 => shape(64, 64, 8, 16),
            () => shape(32, 32, 4, 16),
        }
    }
}

impl Tiled {
    /// The shaders.
    pub fn parts(&self) -> Vec<Part> {
        let Tiled { batch, m, n, k, width, .. } = *self;
        if is_small(batch, m, n, k) {
            return vec![self.small()];
        }
        let Shape { high, wide, block, depth } = Shape::of(batch, m, n);
        let tiles = m.div_ceil(high) * n.div_ceil(wide) * batch;
        let parts = if k >= LONG { (BUSY.div_ceil(tiles)).min(k / (LONG / 4)).max(1) } else { 1 };
        let each_part = k.div_ceil(parts).next_multiple_of(depth);
        let (down, over) = (high / block, wide / block);
        let group = down * over;
        let elements = batch * m * n;
        let split = "let first = ((part * batch + z) * m + row) * n + column;";
        let number = if width == Width::Four { "vec4<f32>" } else { "f32" };
        let store = match (parts > 1, width) {
            (false, _) => self.store.clone(),
            (true, Width::One) => format!("{split} scratch[first] = value;"),
            (true, Width::Four) => {
                format!("{split} for (var c = 0u; c < 4u; c = c + 1u) {{ scratch[first + c] = value[c]; }}")
            }
        };
        let (mut sums, mut terms, mut write) = (String::new(), String::new(), String::new());
        for q in 0..block / 4 {
            let _ = writeln!(terms, "let a{q} = left[t * {}u + {}u + y];", high / 4 + 1, q * down);
            let _ = writeln!(terms, "let b{q} = right[t * {}u + {}u + x];", wide / 4 + 1, q * over);
        }
        for (q, c) in (0..block / 4).flat_map(|q| (0..4).map(move |c| (q, c))) {
            let _ = writeln!(write, "{{ let row = top + ({}u + y) * 4u + {c}u; if row < m {{", q * down);
            for j in 0..block / 4 {
                let sum = format!("s{q}_{c}_{j}");
                let _ = writeln!(sums, "var {sum} = vec4<f32>();");
                let _ = writeln!(terms, "{sum} = fma(vec4<f32>(a{q}[{c}]), b{j}, {sum});");
                let column = format!("across + ({}u + x) * 4u", j * over);
                match width {
                    Width::Four => {
                        let _ = writeln!(write, "if {column} < n {{ put(part, z, row, {column}, {sum}); }}");
                    }
                    Width::One => (0..4).for_each(|c| {
                        let _ = writeln!(
                            write,
                            "if {column} + {c}u < n {{ put(part, z, row, {column} + {c}u, {sum}[{c}]); }}"
                        );
                    }),
                }
            }
            write.push_str("} }\n");
        }
        let source = shader(
            &format!(
                "
const m = {m}u;
const n = {n}u;
const batch = {batch}u;
var<workgroup> left: array<vec4<f32>, {left}>;
var<workgroup> right: array<vec4<f32>, {right}>;
fn left_at(z: u32, row: u32, k: u32) -> {number} {{ var value = {number}(); {a} return value; }}
fn right_at(z: u32, column: u32, k: u32) -> {number} {{ var value = {number}(); {b} return value; }}
fn put(part: u32, z: u32, row: u32, column: u32, value: {number}) {{ {store} }}
@compute @workgroup_size({group})
fn main(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) local: u32) {{
    let across = tile.x * {wide}u;
    let top = tile.y * {high}u;
    let z = tile.z % batch;
    let part = tile.z / batch;
    let x = local % {over}u;
    let y = local / {over}u;
    let end = min((part + 1u) * {each_part}u, {k}u);
    {sums}
    for (var first = part * {each_part}u; first < end; first = first + {depth}u) {{
        {load_left}
        {load_right}
        workgroupBarrier();
        for (var t = 0u; t < {depth}u; t = t + 1u) {{
{terms}
        }}
        workgroupBarrier();
    }}
    {write}
}}
",
                left = depth * (high / 4 + 1),
                right = depth * (wide / 4 + 1),
                a = self.a.text,
                b = self.b.text,
                load_left = load("left", "top", "m", self.a.along, width, [high, depth, group]),
                load_right = load("right", "across", "n", self.b.along, width, [wide, depth, group]),
            ),
            width,
        );
        let groups = [n.div_ceil(wide) as u32, m.div_ceil(high) as u32, (batch * parts) as u32];
        let scratch = if parts > 1 { parts * elements } else { 0 };
        let mut all = vec![Part::Own(Dispatch { source, groups, scratch })];
        if parts > 1 {
            let value = match width {
                Width::One => format!("scratch[part * {elements}u + i]"),
                Width::Four => {
                    let at = |c: usize| format!("scratch[part * {elements}u + i * 4u + {c}u]");
                    format!("vec4<f32>({}, {}, {}, {})", at(0), at(1), at(2), at(3))
                }
            };
            let step = if width == Width::Four { 4 } else { 1 };
            let text = format!(
                "let e = i * {step}u;
    let column = e % {n}u; let row = e / {n}u % {m}u; let z = e / {}u;
    var value = {number}();
    for (var part = 0u; part < {parts}u; part = part + 1u) {{ value = value + {value}; }}
    {{ {} }}",
                m * n,
                self.store
            );
            let last = each(elements / step, &text).of_work(elements / step * parts);
            all.push(if width == Width::Four { Part::Own(last.alone_of(width)) } else { last });
        }
        all
    }

    /// The product as sums of elements by themselves.
    fn small(&self) -> Part {
        let Tiled { batch, m, n, k, .. } = *self;
        each(
            batch * m * n,
            &format!(
                "let column = i % {n}u; let row = i / {n}u % {m}u; let z = i / {}u;
    var sum = 0.0;
    for (var k = 0u; k < {k}u; k = k + 1u) {{
        var value = 0.0;
        {{ {} }}
        let left = value;
        value = 0.0;
        {{ {} }}
        sum = fma(left, value, sum);
    }}
    let value = sum;
    {{ {} }}",
                m * n,
                self.a.text,
                self.b.text,
                self.store
            ),
        )
        .of_work(batch * m * n * k)
    }
}

/// The loop that fills a strip of `[edge, depth, invocations]`: vectors of four along the edge, a row of them a term.
fn load(name: &str, start: &str, limit: &str, along: Along, width: Width, size: [usize; 3]) -> String {
    let [edge, depth, group] = size;
    let (quads, pitch) = (edge / 4, edge / 4 + 1);
    let (items, place) = match (along, width) {
        (Along::Sum, Width::Four) => {
            (quads * depth / 4, format!("let k = first + e % {0}u * 4u; let quad = e / {0}u;", depth / 4))
        }
        (Along::Sum, Width::One) => {
            (quads * depth, format!("let k = first + e % {depth}u; let quad = e / {depth}u;"))
        }
        (Along::Edge, _) => {
            (quads * depth, format!("let k = first + e / {quads}u; let quad = e % {quads}u;"))
        }
    };
    let mut text = format!(
        "for (var e = local; e < {items}u; e = e + {group}u) {{ {place} let at = {start} + quad * 4u;\n"
    );
    if let (Along::Edge, Width::Four) = (along, width) {
        let _ = writeln!(
            text,
            "var v = vec4<f32>(); if at < {limit} && k < end {{ v = {name}_at(z, at, k); }}
    {name}[(k - first) * {pitch}u + quad] = v;"
        );
    } else {
        let zero = if width == Width::Four { "vec4<f32>()" } else { "0.0" };
        for c in 0..4 {
            let _ = writeln!(
                text,
                "var v{c} = {zero}; if at + {c}u < {limit} && k < end {{ v{c} = {name}_at(z, at + {c}u, k); }}"
            );
        }
        match width {
            Width::One => {
                let _ = writeln!(text, "{name}[(k - first) * {pitch}u + quad] = vec4<f32>(v0, v1, v2, v3);");
            }
            Width::Four => (0..4).for_each(|j| {
                let _ = writeln!(
                    text,
                    "{name}[(k - first + {j}u) * {pitch}u + quad] = vec4<f32>(v0[{j}], v1[{j}], v2[{j}], v3[{j}]);"
                );
            }),
        }
    }
    text.push_str("}\n");
    text
}
