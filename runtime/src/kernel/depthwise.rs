//! Depthwise convolution: one filter per channel, vectorised over channels.

use super::vector::{by_channels, by_few_channels, lanes, leveled, set_lanes};
use super::{COMPACT, Chosen, Conv, Cpu, Shared, Then, finish, generic, product};

/// Multiply-adds that are worth several threads.
const WORK: usize = 1 << 20;

/// Whether every channel has exactly one filter of its own. Compact builds treat such groups as any others.
pub(super) fn suits(v: &Conv) -> bool {
    !COMPACT && v.groups > 1 && v.groups == v.c && v.c == v.oc
}

/// The loops on this processor where it [`suits`].
pub(super) fn chosen(cpu: &Cpu) -> Chosen {
    match Chosen::vectors(cpu) {
        Chosen::Vectors(level) => Chosen::Depthwise(level),
        plain => plain,
    }
}

/// Runs `tasks` tasks, on several threads if the work is large.
fn spread(cpu: &Cpu, v: &Conv, tasks: usize, f: &(dyn Fn(usize) + Sync)) {
    if product(&[v.n, v.oh, v.ow, v.c, v.kh, v.kw]) < WORK {
        (0..tasks).for_each(f);
    } else {
        cpu.parallel(tasks, f);
    }
}

/// [`conv2d`](super::conv2d) where it [`suits`]; the lengths have been checked.
pub(super) fn conv2d(cpu: &Cpu, v: &Conv, x: &[f32], w: &[f32], y: &mut [f32], then: Then) {
    if chosen(cpu) == Chosen::Plain {
        generic::conv2d(v, x, w, y);
        return finish(cpu, y.len(), then);
    }
    let line = v.ow * v.c;
    let y = Shared::new(y);
    spread(cpu, v, v.n * v.oh, &|row| {
        // SAFETY: each task has its own row of y.
        let y = unsafe { y.range(row * line, line) };
        let x = &x[row / v.oh * v.h * v.w * v.c..][..v.h * v.w * v.c];
        let oy = row % v.oh;
        let strict = cpu.is_strict();
        leveled!(cpu.level(), forward_row(v: &Conv, oy: usize, strict: bool, x: &[f32], w: &[f32], y: &mut [f32]));
        then(row * line..(row + 1) * line);
    });
}

/// The input gradient where it [`suits`]; the lengths have been checked.
pub(super) fn input_grad(cpu: &Cpu, v: &Conv, dy: &[f32], w: &[f32], dx: &mut [f32]) {
    if chosen(cpu) == Chosen::Plain {
        return generic::conv2d_input_grad(v, dy, w, dx);
    }
    let line = v.w * v.c;
    let dx = Shared::new(dx);
    spread(cpu, v, v.n * v.h, &|row| {
        // SAFETY: each task has its own row of dx.
        let dx = unsafe { dx.range(row * line, line) };
        let dy = &dy[row / v.h * v.oh * v.ow * v.c..][..v.oh * v.ow * v.c];
        let iy = row % v.h;
        leveled!(cpu.level(), backward_row(v: &Conv, iy: usize, dy: &[f32], w: &[f32], dx: &mut [f32]));
    });
}

/// The filter gradient where it [`suits`]; the lengths have been checked.
pub(super) fn filter_grad(cpu: &Cpu, v: &Conv, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    if chosen(cpu) == Chosen::Plain {
        return generic::conv2d_filter_grad(v, x, dy, dw);
    }
    let dw = Shared::new(dw);
    spread(cpu, v, v.kh * v.kw, &|tap| {
        // SAFETY: each task has its own tap of dw.
        let dw = unsafe { dw.range(tap * v.c, v.c) };
        let strict = cpu.is_strict();
        leveled!(
            cpu.level(),
            filter_tap(v: &Conv, tap: usize, strict: bool, x: &[f32], dy: &[f32], dw: &mut [f32])
        );
    });
}

/// A padded coordinate without its padding, if it is inside.
#[inline(always)]
fn inside(padded: usize, pad: usize, extent: usize) -> Option<usize> {
    padded.checked_sub(pad).filter(|&i| i < extent)
}

/// The output coordinate whose tap at `tap` is the padded coordinate `padded`.
#[inline(always)]
fn source(padded: usize, tap: usize, stride: usize, extent: usize) -> Option<usize> {
    let offset = padded.checked_sub(tap)?;
    (offset % stride == 0 && offset / stride < extent).then_some(offset / stride)
}

#[inline(always)]
fn forward_row(v: &Conv, oy: usize, strict: bool, x: &[f32], w: &[f32], y: &mut [f32]) {
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    // Without relaxed instructions its sums are those of the portable loop.
    if !(strict && cfg!(target_feature = "relaxed-simd")) && v.c % 4 == 0 {
        return super::wasm32::depthwise_row(v, oy, x, w, y);
    }
    let top = (oy * v.sh).checked_sub(v.pad_top);
    // Its three sums a pixel are not those of the portable loop; pages have a loop of their own for most channels.
    let three = !cfg!(target_arch = "wasm32") && !strict && [v.kh, v.kw, v.dh, v.dw] == [3, 3, 1, 1];
    // The output columns whose nine taps are all on the image.
    let begin = v.pad_left.div_ceil(v.sw).min(v.ow);
    let end = ((v.w + v.pad_left).checked_sub(3).map_or(0, |last| last / v.sw + 1)).clamp(begin, v.ow);
    match top {
        Some(top) if three && top + 3 <= v.h && begin < end => {
            by_channels!(v.c, nine_taps(v, top, begin, end, x, w, y));
            by_channels!(v.c, forward_lanes(v, oy, 0, begin, x, w, y));
            by_channels!(v.c, forward_lanes(v, oy, end, v.ow, x, w, y));
        }
        _ => by_few_channels!(v.c, forward_lanes(v, oy, 0, v.ow, x, w, y)),
    }
}

/// The columns `begin..end` of an output row whose 3 × 3 taps are all on the image, from row `top` of it on: the
/// filter stays in registers.
#[inline(always)]
fn nine_taps<const L: usize, const PART: bool>(
    v: &Conv,
    at: usize,
    valid: usize,
    top: usize,
    begin: usize,
    end: usize,
    x: &[f32],
    w: &[f32],
    y: &mut [f32],
) {
    let mut filter = [[0.0; L]; 9];
    for (tap, filter) in filter.iter_mut().enumerate() {
        *filter = lanes::<L, PART>(w, tap * v.c + at, valid);
    }
    for ox in begin..end {
        let corner = (top * v.w + ox * v.sw - v.pad_left) * v.c + at;
        let mut sums = [[0.0; L]; 3];
        for ky in 0..3 {
            for kx in 0..3 {
                let x: [f32; L] = lanes::<L, PART>(x, corner + (ky * v.w + kx) * v.c, valid);
                for l in 0..L {
                    sums[ky][l] += x[l] * filter[3 * ky + kx][l];
                }
            }
        }
        let mut sum = [0.0; L];
        for l in 0..L {
            sum[l] = sums[0][l] + sums[1][l] + sums[2][l];
        }
        set_lanes::<L, PART>(&sum, y, ox * v.c + at, valid);
    }
}

#[inline(always)]
fn forward_lanes<const L: usize, const PART: bool>(
    v: &Conv,
    at: usize,
    valid: usize,
    oy: usize,
    begin: usize,
    end: usize,
    x: &[f32],
    w: &[f32],
    y: &mut [f32],
) {
    for ox in begin..end {
        let mut sum = [0.0; L];
        for ky in 0..v.kh {
            let Some(iy) = inside(oy * v.sh + ky * v.dh, v.pad_top, v.h) else { continue };
            for kx in 0..v.kw {
                let Some(ix) = inside(ox * v.sw + kx * v.dw, v.pad_left, v.w) else { continue };
                let x: [f32; L] = lanes::<L, PART>(x, (iy * v.w + ix) * v.c + at, valid);
                let w: [f32; L] = lanes::<L, PART>(w, (ky * v.kw + kx) * v.c + at, valid);
                for l in 0..L {
                    sum[l] += x[l] * w[l];
                }
            }
        }
        set_lanes::<L, PART>(&sum, y, ox * v.c + at, valid);
    }
}

#[inline(always)]
fn backward_row(v: &Conv, iy: usize, dy: &[f32], w: &[f32], dx: &mut [f32]) {
    by_few_channels!(v.c, backward_lanes(v, iy, dy, w, dx));
}

#[inline(always)]
fn backward_lanes<const L: usize, const PART: bool>(
    v: &Conv,
    at: usize,
    valid: usize,
    iy: usize,
    dy: &[f32],
    w: &[f32],
    dx: &mut [f32],
) {
    for ix in 0..v.w {
        let mut sum = [0.0; L];
        // The pixels of dy in ascending order, as in the portable loop.
        for ky in (0..v.kh).rev() {
            let Some(oy) = source(iy + v.pad_top, ky * v.dh, v.sh, v.oh) else { continue };
            for kx in (0..v.kw).rev() {
                let Some(ox) = source(ix + v.pad_left, kx * v.dw, v.sw, v.ow) else { continue };
                let dy: [f32; L] = lanes::<L, PART>(dy, (oy * v.ow + ox) * v.c + at, valid);
                let w: [f32; L] = lanes::<L, PART>(w, (ky * v.kw + kx) * v.c + at, valid);
                for l in 0..L {
                    sum[l] += dy[l] * w[l];
                }
            }
        }
        set_lanes::<L, PART>(&sum, dx, ix * v.c + at, valid);
    }
}

#[inline(always)]
fn filter_tap(v: &Conv, tap: usize, strict: bool, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    by_few_channels!(v.c, filter_lanes(v, tap, strict, x, dy, dw));
}

#[inline(always)]
fn filter_lanes<const L: usize, const PART: bool>(
    v: &Conv,
    at: usize,
    valid: usize,
    tap: usize,
    strict: bool,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) {
    let (ky, kx) = (tap / v.kw, tap % v.kw);
    let mut sum = [0.0; L];
    for image in 0..v.n {
        for oy in 0..v.oh {
            let Some(iy) = inside(oy * v.sh + ky * v.dh, v.pad_top, v.h) else { continue };
            // A sum per row first: long chains of additions lose digits. Strict sums are such chains.
            let mut row = if strict { sum } else { [0.0; L] };
            for ox in 0..v.ow {
                let Some(ix) = inside(ox * v.sw + kx * v.dw, v.pad_left, v.w) else { continue };
                let x: [f32; L] = lanes::<L, PART>(x, ((image * v.h + iy) * v.w + ix) * v.c + at, valid);
                let dy: [f32; L] = lanes::<L, PART>(dy, ((image * v.oh + oy) * v.ow + ox) * v.c + at, valid);
                for l in 0..L {
                    row[l] += x[l] * dy[l];
                }
            }
            for l in 0..L {
                sum[l] = if strict { row[l] } else { sum[l] + row[l] };
            }
        }
    }
    set_lanes::<L, PART>(&sum, dw, at, valid);
}
