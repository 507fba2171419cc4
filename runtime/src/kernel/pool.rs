//! Pooling over NHWC images, vectorised over channels.
// WebAssembly with vectors has loops of its own.
#![cfg_attr(all(target_arch = "wasm32", target_feature = "simd128"), allow(dead_code, unused_imports))]

use super::vector::{add_lanes, by_channels, by_few_channels, lanes, leveled, set_lanes};
use super::{COMPACT, Chosen, Cpu, Shared, generic, product};

/// A pooling window over images x of `[n, h, w, c]` that yields y of `[n, oh, ow, c]`.
///
/// Output pixel (oy, ox) covers the rows `oy · sh - pad_top ..` and the columns `ox · sw - pad_left ..` of x, `kh` by
/// `kw` of them; cells outside the image take no part.
#[derive(Debug, Copy, Clone, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Pool2d {
    pub n: usize,
    pub h: usize,
    pub w: usize,
    pub c: usize,
    pub oh: usize,
    pub ow: usize,
    pub kh: usize,
    pub kw: usize,
    pub sh: usize,
    pub sw: usize,
    pub pad_top: usize,
    pub pad_left: usize,
}

impl Pool2d {
    /// Asserts that x and y have the lengths of their shapes.
    pub(super) fn check(&self, x: &[f32], y: &[f32]) {
        assert_eq!(x.len(), product(&[self.n, self.h, self.w, self.c]), "pool2d: length of x");
        assert_eq!(y.len(), product(&[self.n, self.oh, self.ow, self.c]), "pool2d: length of y");
    }

    /// The window of one image.
    fn one(&self) -> Pool2d {
        Pool2d { n: 1, ..*self }
    }

    /// Whether the windows are the 2 × 2 blocks of the image; compact builds have no loop for them.
    fn halves(&self) -> bool {
        let Pool2d { h, w, oh, ow, kh, kw, sh, sw, pad_top, pad_left, .. } = *self;
        let two = [kh, kw, sh, sw] == [2; 4] && [pad_top, pad_left] == [0; 2];
        !COMPACT && two && 2 * oh <= h && 2 * ow <= w
    }

    /// Rows of x under the windows of output row `oy`.
    #[inline(always)]
    pub(super) fn rows(&self, oy: usize) -> (usize, usize) {
        let from = oy * self.sh;
        (from.saturating_sub(self.pad_top), (from + self.kh).saturating_sub(self.pad_top).min(self.h))
    }

    /// Columns of x under the windows of output column `ox`.
    #[inline(always)]
    pub(super) fn columns(&self, ox: usize) -> (usize, usize) {
        let from = ox * self.sw;
        (from.saturating_sub(self.pad_left), (from + self.kw).saturating_sub(self.pad_left).min(self.w))
    }

    /// Calls `f(image, elements of x per image, elements of y per image)` for each image, on several threads when the
    /// work is large.
    fn each_image(&self, cpu: &Cpu, f: &(dyn Fn(usize, usize, usize) + Sync)) {
        let (x, y) = (self.h * self.w * self.c, self.oh * self.ow * self.c);
        if product(&[self.n, y, self.kh, self.kw]) < 1 << 18 {
            (0..self.n).for_each(|image| f(image, x, y));
        } else {
            cpu.parallel(self.n, &|image| f(image, x, y));
        }
    }
}

/// The loops of a pool of largest values, or of means, and of its gradient.
pub(crate) fn chosen(cpu: &Cpu, largest: bool) -> Chosen {
    // Pages take the small code for what is rare.
    if cfg!(gradling_compact) && !largest { Chosen::Plain } else { Chosen::vectors(cpu) }
}

/// Largest cell of each window. NaN counts as less than every number.
///
/// # Panics
/// If a slice does not have the length of its shape.
pub fn max_pool2d(cpu: &Cpu, v: &Pool2d, x: &[f32], y: &mut [f32]) {
    if chosen(cpu, true) == Chosen::Plain {
        return generic::max_pool2d(v, x, y);
    }
    v.check(x, y);
    let y = Shared::new(y);
    v.each_image(cpu, &|image, from, to| {
        // SAFETY: each image has its own range of y.
        let y = unsafe { y.range(image * to, to) };
        let (one, x) = (&v.one(), &x[image * from..(image + 1) * from]);
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        super::wasm32::pool::max(one, x, y);
        #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
        leveled!(cpu.level(), max_image(one: &Pool2d, x: &[f32], y: &mut [f32]));
    });
}

/// Gradient of [`max_pool2d`]: dy goes to the largest cell of its window, of equals to the first in row-major order.
///
/// # Panics
/// If a slice does not have the length of its shape.
pub fn max_pool2d_grad(cpu: &Cpu, v: &Pool2d, x: &[f32], dy: &[f32], dx: &mut [f32]) {
    if chosen(cpu, true) == Chosen::Plain {
        return generic::max_pool2d_grad(v, x, dy, dx);
    }
    v.check(x, dy);
    v.check(dx, dy);
    let dx = Shared::new(dx);
    v.each_image(cpu, &|image, from, to| {
        // SAFETY: each image has its own range of dx.
        let dx = unsafe { dx.range(image * from, from) };
        let (one, x) = (&v.one(), &x[image * from..(image + 1) * from]);
        let dy = &dy[image * to..(image + 1) * to];
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        super::wasm32::pool::max_grad(one, x, dy, dx);
        #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
        leveled!(cpu.level(), max_grad_image(one: &Pool2d, x: &[f32], dy: &[f32], dx: &mut [f32]));
    });
}

/// Mean of the cells of each window that lie on the image; 0 if none does.
///
/// # Panics
/// If a slice does not have the length of its shape.
pub fn average_pool2d(cpu: &Cpu, v: &Pool2d, x: &[f32], y: &mut [f32]) {
    if chosen(cpu, false) == Chosen::Plain {
        return generic::average_pool2d(v, x, y);
    }
    v.check(x, y);
    let y = Shared::new(y);
    v.each_image(cpu, &|image, from, to| {
        // SAFETY: each image has its own range of y.
        let y = unsafe { y.range(image * to, to) };
        let (one, x) = (&v.one(), &x[image * from..(image + 1) * from]);
        leveled!(cpu.level(), average_image(one: &Pool2d, x: &[f32], y: &mut [f32]));
    });
}

/// Gradient of [`average_pool2d`].
///
/// # Panics
/// If a slice does not have the length of its shape.
pub fn average_pool2d_grad(cpu: &Cpu, v: &Pool2d, dy: &[f32], dx: &mut [f32]) {
    if chosen(cpu, false) == Chosen::Plain {
        return generic::average_pool2d_grad(v, dy, dx);
    }
    v.check(dx, dy);
    let dx = Shared::new(dx);
    v.each_image(cpu, &|image, from, to| {
        // SAFETY: each image has its own range of dx.
        let dx = unsafe { dx.range(image * from, from) };
        let (one, dy) = (&v.one(), &dy[image * to..(image + 1) * to]);
        leveled!(cpu.level(), average_grad_image(one: &Pool2d, dy: &[f32], dx: &mut [f32]));
    });
}

#[inline(always)]
fn max_image(v: &Pool2d, x: &[f32], y: &mut [f32]) {
    if v.halves() {
        return by_channels!(v.c, max_of_four(v, x, y));
    }
    by_few_channels!(v.c, max_lanes(v, x, y));
}

#[inline(always)]
fn max_lanes<const L: usize, const PART: bool>(
    v: &Pool2d,
    at: usize,
    valid: usize,
    x: &[f32],
    y: &mut [f32],
) {
    for oy in 0..v.oh {
        let (top, bottom) = v.rows(oy);
        for ox in 0..v.ow {
            let (left, right) = v.columns(ox);
            let empty = top >= bottom || left >= right;
            let mut best = [if empty { f32::NEG_INFINITY } else { f32::NAN }; L];
            for iy in top..bottom {
                for ix in left..right {
                    let cell: [f32; L] = lanes::<L, PART>(x, (iy * v.w + ix) * v.c + at, valid);
                    for l in 0..L {
                        best[l] = if cell[l] > best[l] || best[l].is_nan() { cell[l] } else { best[l] };
                    }
                }
            }
            set_lanes::<L, PART>(&best, y, (oy * v.ow + ox) * v.c + at, valid);
        }
    }
}

/// [`max_lanes`] for windows that are the 2 × 2 blocks of the image.
#[inline(always)]
fn max_of_four<const L: usize, const PART: bool>(
    v: &Pool2d,
    at: usize,
    valid: usize,
    x: &[f32],
    y: &mut [f32],
) {
    for oy in 0..v.oh {
        for ox in 0..v.ow {
            let corner = (2 * oy * v.w + 2 * ox) * v.c + at;
            let mut best: [f32; L] = lanes::<L, PART>(x, corner, valid);
            for cell in [corner + v.c, corner + v.w * v.c, corner + (v.w + 1) * v.c] {
                let cell: [f32; L] = lanes::<L, PART>(x, cell, valid);
                for l in 0..L {
                    best[l] = if (cell[l] > best[l]) | best[l].is_nan() { cell[l] } else { best[l] };
                }
            }
            let to = (oy * v.ow + ox) * v.c + at;
            // The pixel after this one overwrites what is too much.
            if PART && v.c < L && to + L <= y.len() {
                set_lanes::<L, false>(&best, y, to, L);
            } else {
                set_lanes::<L, PART>(&best, y, to, valid);
            }
        }
    }
}

#[inline(always)]
fn max_grad_image(v: &Pool2d, x: &[f32], dy: &[f32], dx: &mut [f32]) {
    if v.halves() && v.h == 2 * v.oh && v.w == 2 * v.ow {
        return by_channels!(v.c, max_of_four_grad(v, x, dy, dx));
    }
    dx.fill(0.0);
    by_few_channels!(v.c, max_grad_lanes(v, x, dy, dx));
}

#[inline(always)]
fn max_grad_lanes<const L: usize, const PART: bool>(
    v: &Pool2d,
    at: usize,
    valid: usize,
    x: &[f32],
    dy: &[f32],
    dx: &mut [f32],
) {
    for oy in 0..v.oh {
        let (top, bottom) = v.rows(oy);
        for ox in 0..v.ow {
            let (left, right) = v.columns(ox);
            if top >= bottom || left >= right {
                continue;
            }
            // The first cell of a window of NaN keeps the gradient: only a number takes its place.
            let mut best: [f32; L] = lanes::<L, PART>(x, (top * v.w + left) * v.c + at, valid);
            let mut winner = [0u32; L];
            let mut number = 0;
            for iy in top..bottom {
                for ix in left..right {
                    let cell: [f32; L] = lanes::<L, PART>(x, (iy * v.w + ix) * v.c + at, valid);
                    for l in 0..L {
                        let wins = (cell[l] > best[l]) | (best[l].is_nan() & !cell[l].is_nan());
                        best[l] = if wins { cell[l] } else { best[l] };
                        winner[l] = if wins { number } else { winner[l] };
                    }
                    number += 1;
                }
            }
            let mut dy: [f32; L] = lanes::<L, PART>(dy, (oy * v.ow + ox) * v.c + at, valid);
            for (l, dy) in dy.iter_mut().enumerate() {
                *dy = if l < valid { *dy } else { 0.0 };
            }
            number = 0;
            for iy in top..bottom {
                for ix in left..right {
                    let mut share = dy;
                    for l in 0..L {
                        share[l] = if winner[l] == number { dy[l] } else { 0.0 };
                    }
                    add_lanes::<L, PART>(&share, dx, (iy * v.w + ix) * v.c + at, valid);
                    number += 1;
                }
            }
        }
    }
}

/// [`max_grad_lanes`] for windows that are the 2 × 2 blocks of the image and cover it: every cell is written once.
#[inline(always)]
fn max_of_four_grad<const L: usize, const PART: bool>(
    v: &Pool2d,
    at: usize,
    valid: usize,
    x: &[f32],
    dy: &[f32],
    dx: &mut [f32],
) {
    for oy in 0..v.oh {
        for ox in 0..v.ow {
            let corner = (2 * oy * v.w + 2 * ox) * v.c + at;
            let places = [corner, corner + v.c, corner + v.w * v.c, corner + (v.w + 1) * v.c];
            let mut best: [f32; L] = lanes::<L, PART>(x, corner, valid);
            let mut winner = [0u32; L];
            for (number, &place) in places.iter().enumerate().skip(1) {
                let cell: [f32; L] = lanes::<L, PART>(x, place, valid);
                for l in 0..L {
                    let wins = (cell[l] > best[l]) | (best[l].is_nan() & !cell[l].is_nan());
                    best[l] = if wins { cell[l] } else { best[l] };
                    winner[l] = if wins { number as u32 } else { winner[l] };
                }
            }
            let dy: [f32; L] = lanes::<L, PART>(dy, (oy * v.ow + ox) * v.c + at, valid);
            // A sum that begins with zero has no negative zero.
            let dy = dy.map(|dy| 0.0 + dy);
            // What is too much lies in cells to the right in the same row, which are written later.
            let overwritten = PART && v.c < L && (2 * ox + 1) * v.c + L <= v.w * v.c;
            for (number, &place) in places.iter().enumerate() {
                let mut share = dy;
                for l in 0..L {
                    share[l] = if winner[l] == number as u32 { dy[l] } else { 0.0 };
                }
                if overwritten {
                    set_lanes::<L, false>(&share, dx, place, L);
                } else {
                    set_lanes::<L, PART>(&share, dx, place, valid);
                }
            }
        }
    }
}

#[inline(always)]
fn average_image(v: &Pool2d, x: &[f32], y: &mut [f32]) {
    by_channels!(v.c, average_lanes(v, x, y));
}

#[inline(always)]
fn average_lanes<const L: usize, const PART: bool>(
    v: &Pool2d,
    at: usize,
    valid: usize,
    x: &[f32],
    y: &mut [f32],
) {
    for oy in 0..v.oh {
        let (top, bottom) = v.rows(oy);
        for ox in 0..v.ow {
            let (left, right) = v.columns(ox);
            let mut sum = [0.0; L];
            for iy in top..bottom {
                for ix in left..right {
                    let cell: [f32; L] = lanes::<L, PART>(x, (iy * v.w + ix) * v.c + at, valid);
                    for l in 0..L {
                        sum[l] += cell[l];
                    }
                }
            }
            let cells = bottom.saturating_sub(top) * right.saturating_sub(left);
            let mean = sum.map(|sum| if cells == 0 { 0.0 } else { sum / cells as f32 });
            set_lanes::<L, PART>(&mean, y, (oy * v.ow + ox) * v.c + at, valid);
        }
    }
}

#[inline(always)]
fn average_grad_image(v: &Pool2d, dy: &[f32], dx: &mut [f32]) {
    dx.fill(0.0);
    by_channels!(v.c, average_grad_lanes(v, dy, dx));
}

#[inline(always)]
fn average_grad_lanes<const L: usize, const PART: bool>(
    v: &Pool2d,
    at: usize,
    valid: usize,
    dy: &[f32],
    dx: &mut [f32],
) {
    for oy in 0..v.oh {
        let (top, bottom) = v.rows(oy);
        for ox in 0..v.ow {
            let (left, right) = v.columns(ox);
            let cells = bottom.saturating_sub(top) * right.saturating_sub(left);
            let mut share: [f32; L] = lanes::<L, PART>(dy, (oy * v.ow + ox) * v.c + at, valid);
            for (l, share) in share.iter_mut().enumerate() {
                *share = if l < valid { *share / cells as f32 } else { 0.0 };
            }
            for iy in top..bottom {
                for ix in left..right {
                    add_lanes::<L, PART>(&share, dx, (iy * v.w + ix) * v.c + at, valid);
                }
            }
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::kernel::Level;
    use crate::kernel::Pool;
    use std::vec;
    use std::vec::Vec;

    fn windows() -> Vec<Pool2d> {
        let base = Pool2d {
            n: 2,
            h: 8,
            w: 6,
            c: 1,
            oh: 4,
            ow: 3,
            kh: 2,
            kw: 2,
            sh: 2,
            sw: 2,
            pad_top: 0,
            pad_left: 0,
        };
        let mut all = vec![
            Pool2d {
                n: 5,
                h: 56,
                w: 56,
                c: 64,
                oh: 28,
                ow: 28,
                kh: 3,
                kw: 3,
                pad_top: 1,
                pad_left: 1,
                ..base
            },
            Pool2d { n: 0, ..base },
            Pool2d { oh: 6, kh: 2, sh: 3, ..base },
        ];
        for c in [1, 3, 6, 16, 31] {
            all.push(Pool2d { c, ..base });
            all.push(Pool2d { c, kh: 3, kw: 3, pad_top: 1, pad_left: 1, ..base });
            all.push(Pool2d { c, oh: 8, ow: 6, kh: 3, kw: 2, sh: 1, sw: 1, pad_top: 1, ..base });
        }
        all
    }

    #[test]
    fn every_level_agrees_with_the_portable_loops() {
        let pool = Pool::new(2);
        for v in windows() {
            let x: Vec<f32> = (0..v.n * v.h * v.w * v.c).map(|i| (i * 31 % 17) as f32 - 8.0).collect();
            let mut x = x;
            if let Some(x) = x.get_mut(7) {
                *x = f32::NAN;
            }
            let dy: Vec<f32> = (0..v.n * v.oh * v.ow * v.c).map(|i| (i % 13) as f32 * -0.3).collect();
            let mut want = (vec![9.0; dy.len()], vec![9.0; x.len()], vec![9.0; dy.len()], vec![9.0; x.len()]);
            generic::max_pool2d(&v, &x, &mut want.0);
            generic::max_pool2d_grad(&v, &x, &dy, &mut want.1);
            generic::average_pool2d(&v, &x, &mut want.2);
            generic::average_pool2d_grad(&v, &dy, &mut want.3);
            for &level in Level::available() {
                let cpu = Cpu::new(level, Some(&pool));
                let mut got =
                    (vec![7.0; dy.len()], vec![7.0; x.len()], vec![7.0; dy.len()], vec![7.0; x.len()]);
                max_pool2d(&cpu, &v, &x, &mut got.0);
                max_pool2d_grad(&cpu, &v, &x, &dy, &mut got.1);
                average_pool2d(&cpu, &v, &x, &mut got.2);
                average_pool2d_grad(&cpu, &v, &dy, &mut got.3);
                let same = |a: &[f32], b: &[f32]| {
                    a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
                };
                assert!(same(&got.0, &want.0) && same(&got.1, &want.1), "max {level:?} {v:?}");
                assert!(same(&got.2, &want.2) && same(&got.3, &want.3), "average {level:?} {v:?}");
            }
        }
    }

    #[test]
    fn the_first_of_equal_cells_and_of_nan_takes_the_gradient() {
        let v = Pool2d {
            n: 1,
            h: 2,
            w: 6,
            c: 1,
            oh: 1,
            ow: 3,
            kh: 2,
            kw: 2,
            sh: 2,
            sw: 2,
            pad_top: 0,
            pad_left: 0,
        };
        let nan = f32::NAN;
        let x = [1.0, 2.0, nan, -5.0, nan, nan, 2.0, 2.0, nan, -6.0, nan, nan];
        for &level in Level::available() {
            let cpu = Cpu::new(level, None);
            let (mut y, mut dx) = ([0.0; 3], [0.0; 12]);
            max_pool2d(&cpu, &v, &x, &mut y);
            max_pool2d_grad(&cpu, &v, &x, &[1.0, 2.0, 3.0], &mut dx);
            assert!(y[0] == 2.0 && y[1] == -5.0 && y[2].is_nan());
            assert_eq!(dx, [0.0, 1.0, 0.0, 2.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        }
    }
}
