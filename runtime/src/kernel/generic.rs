//! The portable kernels: plain loops, the reference that every other level is tested against.
//!
//! Each sum of a product begins with zero and takes its terms one after another, in ascending order of what is summed
//! over. That order, and a rounding after each multiplication and addition, is what strict kernels reproduce.

use super::panels::Panels;
use super::{Conv, Gemm, Pool2d};

/// `c = op(a) · op(b)`; see [`gemm`](super::gemm()).
pub fn gemm(g: &Gemm, a: &[f32], b: &[f32], c: &mut [f32]) {
    g.check(a, b, c);
    let Gemm { m, n, k, trans_a, trans_b } = *g;
    for i in 0..m {
        let row = &mut c[i * n..(i + 1) * n];
        let at = |p: usize| if trans_a { a[p * m + i] } else { a[i * k + p] };
        if trans_b {
            for (j, y) in row.iter_mut().enumerate() {
                *y = b[j * k..(j + 1) * k].iter().enumerate().fold(0.0, |sum, (p, b)| sum + at(p) * b);
            }
        } else {
            row.fill(0.0);
            for p in 0..k {
                axpy(at(p), &b[p * n..(p + 1) * n], row);
            }
        }
    }
}

/// [`gemm`] with b packed, which is not transposed.
pub(super) fn gemm_packed(g: &Gemm, a: &[f32], b: &Panels, c: &mut [f32]) {
    let Gemm { m, n, k, trans_a, .. } = *g;
    c.fill(0.0);
    for i in 0..m {
        for p in 0..k {
            let value = if trans_a { a[p * m + i] } else { a[i * k + p] };
            for (j, b) in b.row(p) {
                axpy(value, b, &mut c[i * n + j..][..b.len()]);
            }
        }
    }
}

fn axpy(a: f32, x: &[f32], y: &mut [f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// Calls `f(pixel of x, pixel of y, tap)` for every pair of pixels that a tap of the filter joins, in row-major order
/// of y and then of the taps.
fn each_tap(v: &Conv, mut f: impl FnMut(usize, usize, usize)) {
    for image in 0..v.n {
        for (oy, ox) in (0..v.oh).flat_map(|oy| (0..v.ow).map(move |ox| (oy, ox))) {
            for ky in 0..v.kh {
                let Some(iy) = inside(oy * v.sh + ky * v.dh, v.pad_top, v.h) else { continue };
                for kx in 0..v.kw {
                    let Some(ix) = inside(ox * v.sw + kx * v.dw, v.pad_left, v.w) else { continue };
                    let (x, y) = ((image * v.h + iy) * v.w + ix, (image * v.oh + oy) * v.ow + ox);
                    f(x, y, ky * v.kw + kx);
                }
            }
        }
    }
}

/// A padded coordinate without its padding, if it lies on the image.
fn inside(padded: usize, pad: usize, extent: usize) -> Option<usize> {
    padded.checked_sub(pad).filter(|&i| i < extent)
}

/// `y = x * w`; see [`conv2d`](super::conv2d).
pub fn conv2d(v: &Conv, x: &[f32], w: &[f32], y: &mut [f32]) {
    v.check(x, w, y);
    let (cg, ocg) = v.group_channels();
    y.fill(0.0);
    each_tap(v, |px, py, tap| {
        for ci in 0..v.c {
            let (group, row) = (ci / cg, tap * cg + ci % cg);
            let w = &w[row * v.oc + group * ocg..][..ocg];
            axpy(x[px * v.c + ci], w, &mut y[py * v.oc + group * ocg..][..ocg]);
        }
    });
}

/// [`conv2d`] with a packed filter, without groups.
pub(super) fn conv2d_packed(v: &Conv, x: &[f32], w: &Panels, y: &mut [f32]) {
    y.fill(0.0);
    each_tap(v, |px, py, tap| {
        for ci in 0..v.c {
            for (j, w) in w.row(tap * v.c + ci) {
                axpy(x[px * v.c + ci], w, &mut y[py * v.oc + j..][..w.len()]);
            }
        }
    });
}

/// Gradient of [`conv2d`] with respect to x.
pub fn conv2d_input_grad(v: &Conv, dy: &[f32], w: &[f32], dx: &mut [f32]) {
    v.check(dx, w, dy);
    let (cg, ocg) = v.group_channels();
    dx.fill(0.0);
    each_tap(v, |px, py, tap| {
        for ci in 0..v.c {
            let (group, row) = (ci / cg, tap * cg + ci % cg);
            let w = &w[row * v.oc + group * ocg..][..ocg];
            let dy = &dy[py * v.oc + group * ocg..][..ocg];
            let dx = &mut dx[px * v.c + ci];
            *dx = w.iter().zip(dy).fold(*dx, |sum, (w, dy)| sum + w * dy);
        }
    });
}

/// Gradient of [`conv2d`] with respect to the filter.
pub fn conv2d_filter_grad(v: &Conv, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    v.check(x, dw, dy);
    let (cg, ocg) = v.group_channels();
    dw.fill(0.0);
    each_tap(v, |px, py, tap| {
        for ci in 0..v.c {
            let (group, row) = (ci / cg, tap * cg + ci % cg);
            let dy = &dy[py * v.oc + group * ocg..][..ocg];
            axpy(x[px * v.c + ci], dy, &mut dw[row * v.oc + group * ocg..][..ocg]);
        }
    });
}

/// Calls `f(cell)` for the pixels of x under the window of output pixel (`image`, `oy`, `ox`), in row-major order.
fn each_cell(v: &Pool2d, image: usize, oy: usize, ox: usize, mut f: impl FnMut(usize)) {
    for ky in 0..v.kh {
        let Some(iy) = inside(oy * v.sh + ky, v.pad_top, v.h) else { continue };
        for kx in 0..v.kw {
            let Some(ix) = inside(ox * v.sw + kx, v.pad_left, v.w) else { continue };
            f((image * v.h + iy) * v.w + ix);
        }
    }
}

/// Calls `f(image, oy, ox, output pixel)` for every output pixel.
fn each_output(v: &Pool2d, mut f: impl FnMut(usize, usize, usize, usize)) {
    for image in 0..v.n {
        for oy in 0..v.oh {
            for ox in 0..v.ow {
                f(image, oy, ox, (image * v.oh + oy) * v.ow + ox);
            }
        }
    }
}

/// Whether `new` takes the place of `best` in a running maximum where NaN loses against everything.
pub(super) fn wins(new: f32, best: f32) -> bool {
    new > best || (best.is_nan() && !new.is_nan())
}

/// Largest cell; see [`max_pool2d`](super::max_pool2d).
pub fn max_pool2d(v: &Pool2d, x: &[f32], y: &mut [f32]) {
    v.check(x, y);
    each_output(v, |image, oy, ox, pixel| {
        for c in 0..v.c {
            let mut best = None;
            each_cell(v, image, oy, ox, |cell| {
                let value = x[cell * v.c + c];
                if best.is_none_or(|best| wins(value, best)) {
                    best = Some(value);
                }
            });
            y[pixel * v.c + c] = best.unwrap_or(f32::NEG_INFINITY);
        }
    });
}

/// Gradient of [`max_pool2d`].
pub fn max_pool2d_grad(v: &Pool2d, x: &[f32], dy: &[f32], dx: &mut [f32]) {
    v.check(x, dy);
    v.check(dx, dy);
    dx.fill(0.0);
    each_output(v, |image, oy, ox, pixel| {
        for c in 0..v.c {
            let mut best = None;
            each_cell(v, image, oy, ox, |cell| {
                let value = x[cell * v.c + c];
                if best.is_none_or(|(_, best)| wins(value, best)) {
                    best = Some((cell, value));
                }
            });
            if let Some((cell, _)) = best {
                dx[cell * v.c + c] += dy[pixel * v.c + c];
            }
        }
    });
}

/// The elements of `values` at the window maxima of `x`, both shaped as the input: the transpose of
/// [`max_pool2d_grad`].
pub fn max_pool2d_pick(v: &Pool2d, x: &[f32], values: &[f32], y: &mut [f32]) {
    v.check(x, y);
    v.check(values, y);
    each_output(v, |image, oy, ox, pixel| {
        for c in 0..v.c {
            let mut best = None;
            each_cell(v, image, oy, ox, |cell| {
                let value = x[cell * v.c + c];
                if best.is_none_or(|(_, best)| wins(value, best)) {
                    best = Some((cell, value));
                }
            });
            y[pixel * v.c + c] = best.map_or(0.0, |(cell, _)| values[cell * v.c + c]);
        }
    });
}

/// Mean over the real cells; see [`average_pool2d`](super::average_pool2d).
pub fn average_pool2d(v: &Pool2d, x: &[f32], y: &mut [f32]) {
    v.check(x, y);
    each_output(v, |image, oy, ox, pixel| {
        for c in 0..v.c {
            let (mut sum, mut cells) = (0.0, 0);
            each_cell(v, image, oy, ox, |cell| {
                sum += x[cell * v.c + c];
                cells += 1;
            });
            y[pixel * v.c + c] = if cells == 0 { 0.0 } else { sum / cells as f32 };
        }
    });
}

/// Gradient of [`average_pool2d`].
pub fn average_pool2d_grad(v: &Pool2d, dy: &[f32], dx: &mut [f32]) {
    v.check(dx, dy);
    dx.fill(0.0);
    each_output(v, |image, oy, ox, pixel| {
        let mut cells = 0;
        each_cell(v, image, oy, ox, |_| cells += 1);
        for c in 0..v.c {
            let share = dy[pixel * v.c + c] / cells as f32;
            each_cell(v, image, oy, ox, |cell| dx[cell * v.c + c] += share);
        }
    });
}
