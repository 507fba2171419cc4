//! Pools, one invocation for each element of the result.

use super::kernel::{Part, each};
use super::text::Operand;
use crate::op::{Pool, PoolKind, Window};
use crate::{Result, Shape, misuse};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// Loops over the cells of the window of pixel (oy, ox) that lie on the image.
fn cells(g: &Geometry, body: &str) -> String {
    let [_, h, w, _] = g.image;
    format!(
        "for (var ky = 0u; ky < {}u; ky = ky + 1u) {{
        let iy = oy * {}u + ky - {}u;
        if iy >= {h}u {{ continue; }}
        for (var kx = 0u; kx < {}u; kx = kx + 1u) {{
            let ix = ox * {}u + kx - {}u;
            if ix >= {w}u {{ continue; }}
            {body}
        }}
    }}",
        g.kernel[0], g.strides[0], g.pad[0], g.kernel[1], g.strides[1], g.pad[1]
    )
}

struct Geometry {
    image: [usize; 4],
    out: [usize; 2],
    kernel: [u32; 2],
    strides: [u32; 2],
    pad: [usize; 2],
}

impl Geometry {
    fn new(window: &Window, x: &Shape) -> Result<Geometry> {
        let (out, pad) = window.output(x)?;
        let image = [x.dim(0), x.dim(1), x.dim(2), x.dim(3)];
        Ok(Geometry { image, out, kernel: window.kernel, strides: window.strides, pad })
    }

    /// The element of an image x at cell (iy, ix).
    fn cell(&self) -> String {
        let [_, h, w, c] = self.image;
        format!("((n * {h}u + iy) * {w}u + ix) * {c}u + c")
    }

    /// Coordinates of element `i` of the pixels.
    fn pixel(&self) -> String {
        let ([oh, ow], c) = (self.out, self.image[3]);
        format!(
            "let c = i % {c}u; let ox = i / {c}u % {ow}u; let oy = i / {}u % {oh}u; let n = i / {}u;\n",
            c * ow,
            c * ow * oh
        )
    }

    /// Loops over the pixels whose windows have cell (y, x) of the image, element `i`.
    fn windows(&self, body: &str) -> String {
        let ([_, h, w, c], [oh, ow]) = (self.image, self.out);
        format!(
            "let c = i % {c}u; let x = i / {c}u % {w}u; let y = i / {}u % {h}u; let n = i / {}u;
    for (var ty = 0u; ty < {}u; ty = ty + 1u) {{
        let oy = (y + {}u - ty) / {sh}u;
        if y + {pt}u < ty || (y + {pt}u - ty) % {sh}u != 0u || oy >= {oh}u {{ continue; }}
        for (var tx = 0u; tx < {}u; tx = tx + 1u) {{
            let ox = (x + {}u - tx) / {sw}u;
            if x + {pl}u < tx || (x + {pl}u - tx) % {sw}u != 0u || ox >= {ow}u {{ continue; }}
            let pixel = ((n * {oh}u + oy) * {ow}u + ox) * {c}u + c;
            {body}
        }}
    }}",
            c * w,
            c * w * h,
            self.kernel[0],
            self.pad[0],
            self.kernel[1],
            self.pad[1],
            sh = self.strides[0],
            sw = self.strides[1],
            pt = self.pad[0],
            pl = self.pad[1],
        )
    }
}

/// The shader of a pool or of a gradient of one.
pub fn run(p: &Pool, reads: &[Operand], writes: &[Operand]) -> Result<Vec<Part>> {
    let ([a, rest @ ..], [y]) = (reads, writes) else { return Err(misuse!("{}: no operand", p.name())) };
    let first = |g: &Geometry| {
        cells(
            g,
            &format!(
                "let v = {};
            if !found || v > best || (nan(best) && !nan(v)) {{ best = v; at = {}; found = true; }}",
                a.load(&g.cell()),
                g.cell()
            ),
        )
    };
    let begin = "var best = 0.0; var at = 0u; var found = false;\n";
    let text = match p {
        Pool::Forward(PoolKind::Max, w) => {
            let g = Geometry::new(w, &a.shape)?;
            let none = "if !found { best = special(0xff800000u); }";
            format!("{}{begin}{}\n{none}\n{}", g.pixel(), first(&g), y.store("i", "best"))
        }
        Pool::MaxPick(w) => {
            let ([values], g) = (rest, Geometry::new(w, &a.shape)?) else {
                return Err(misuse!("{}: expected 2 operands", p.name()));
            };
            let value = format!("var value = 0.0; if found {{ value = {}; }}", values.load("at"));
            format!("{}{begin}{}\n{value}\n{}", g.pixel(), first(&g), y.store("i", "value"))
        }
        Pool::MaxGrad(w) => {
            let ([dy], g) = (rest, Geometry::new(w, &a.shape)?) else {
                return Err(misuse!("{}: expected 2 operands", p.name()));
            };
            let body = format!("{begin}{}\nif at == i {{ sum = sum + {}; }}", first(&g), dy.load("pixel"));
            format!("var sum = 0.0;\n{}\n{}", g.windows(&body), y.store("i", "sum"))
        }
        Pool::Forward(PoolKind::Average, w) => {
            let g = Geometry::new(w, &a.shape)?;
            let body = format!("sum = sum + {}; count = count + 1.0;", a.load(&g.cell()));
            let mean = "let mean = sum / max(count, 1.0);";
            format!(
                "{}var sum = 0.0; var count = 0.0;\n{}\n{mean}\n{}",
                g.pixel(),
                cells(&g, &body),
                y.store("i", "mean")
            )
        }
        Pool::AverageGrad(w, x) => {
            let g = Geometry::new(w, x)?;
            let count = cells(&g, "count = count + 1.0;");
            let body = format!("var count = 0.0;\n{count}\nsum = sum + {} / count;", a.load("pixel"));
            format!("var sum = 0.0;\n{}\n{}", g.windows(&body), y.store("i", "sum"))
        }
    };
    Ok(vec![each(y.numel(), &text).of_work(a.numel().max(y.numel()))])
}
