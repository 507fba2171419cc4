//! The transforms of Winograd's minimal filtering F(4 × 4, 3 × 3): 4 × 4 outputs of a 3 × 3 filter from 6 × 6 products.
//!
//! With the polynomials of the algorithm taken at 0, ±a, ±b and infinity, `a² = 1/2` and `b² = 2`, the tile of outputs is
//! `Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A` for the filter g and the tile d of 6 × 6 inputs. These points lie closer to one than
//! 0, ±1, ±2 do, so the matrices grow less and rounding errors with them.
//!
//! Lavin, A., Gray, S.: Fast Algorithms for Convolutional Neural Networks, 2015 (<https://arxiv.org/abs/1509.09308>).
//! Barabasz, B., Anderson, A., Soodhalter, K. M., Gregg, D.: Error Analysis and Improving the Accuracy of Winograd
//! Convolution for Deep Neural Networks, 2018 (<https://arxiv.org/abs/1803.10986>).
// Targets without vectors have no transforms, so nothing here is reached.
#![cfg_attr(
    not(any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        all(target_arch = "wasm32", target_feature = "relaxed-simd")
    )),
    allow(dead_code, unused_macros, unused_imports)
)]

use super::micro::{Vector, unrolled, zeros};
use super::{COMPACT, Cpu, Level};
use core::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

/// Whether a level of this build has transforms.
pub(super) const LINKED: bool = !COMPACT
    && cfg!(any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        all(target_arch = "wasm32", target_feature = "relaxed-simd")
    ));

/// Rows and columns of outputs of a tile.
pub(super) const OUT: usize = 4;
/// Rows and columns of inputs of a tile.
pub(super) const IN: usize = OUT + 2;
/// Products of a tile, for each pair of channels.
pub(super) const POINTS: usize = IN * IN;
/// Columns of transformed filters and of products.
pub(super) const COLUMNS: usize = 32;

/// The 3 × 3 taps of some rows and columns of filters.
#[derive(Copy, Clone)]
pub(super) struct Taps {
    /// The first element of the first tap.
    pub from: *const f32,
    /// Elements between two taps.
    pub tap: usize,
    /// Elements between two rows.
    pub row: usize,
    pub rows: usize,
    /// A multiple of the lanes, at most [`COLUMNS`].
    pub columns: usize,
}

/// Where a tile of outputs goes.
#[derive(Copy, Clone)]
pub(super) struct Outputs {
    pub to: *mut f32,
    /// Elements between two rows of pixels, and between two pixels.
    pub step: [usize; 2],
    /// Rows and columns of the tile that are on the image.
    pub inside: [usize; 2],
    /// Channels: a multiple of the lanes, at most [`COLUMNS`].
    pub columns: usize,
}

/// The transforms for one instruction set.
pub(super) struct Transforms {
    /// Of a tile of inputs, given by pixels of `c` elements, to `[POINTS, c]`.
    pub input: unsafe fn(pixels: &[*const f32; POINTS], c: usize, to: *mut f32),
    /// Of filters to `[rows, COLUMNS]` for each point, `point` elements apart.
    pub filter: unsafe fn(taps: &Taps, to: *mut f32, point: usize),
    /// Of `[POINTS, COLUMNS]` products to a tile of outputs.
    pub output: unsafe fn(products: *const f32, to: &Outputs),
}

/// `Bᵀ d`.
#[inline(always)]
unsafe fn input_line<V: Vector>(d: [V; IN]) -> [V; IN] {
    // SAFETY: the caller's instruction set.
    unsafe {
        let times = |x: V, factor: f32, y: V| x.multiply_add(V::splat(factor), y);
        let (even, odd) = (times(d[4], -2.0, d[2]), times(d[3], -2.0, d[1]));
        let (even2, odd2) = (times(d[4], -0.5, d[2]), times(d[3], -0.5, d[1]));
        [
            times(d[0].add(d[4]), -2.5, d[2]),
            times(even, FRAC_1_SQRT_2, odd),
            times(even, -FRAC_1_SQRT_2, odd),
            times(even2, SQRT_2, odd2),
            times(even2, -SQRT_2, odd2),
            times(d[1].add(d[5]), -2.5, d[3]),
        ]
    }
}

/// `G g`.
#[inline(always)]
unsafe fn filter_line<V: Vector>(g: [V; 3]) -> [V; IN] {
    // SAFETY: the caller's instruction set.
    unsafe {
        let times = |x: V, factor: f32, y: V| x.multiply_add(V::splat(factor), y);
        let zero = V::zero();
        let even = times(times(zero, -2.0 / 3.0, g[0]), -1.0 / 3.0, g[2]);
        let even2 = times(times(zero, 1.0 / 6.0, g[0]), 1.0 / 3.0, g[2]);
        [
            g[0],
            times(even, -2.0 / 3.0 * FRAC_1_SQRT_2, g[1]),
            times(even, 2.0 / 3.0 * FRAC_1_SQRT_2, g[1]),
            times(even2, SQRT_2 / 6.0, g[1]),
            times(even2, -SQRT_2 / 6.0, g[1]),
            g[2],
        ]
    }
}

/// `Aᵀ m`.
#[inline(always)]
unsafe fn output_line<V: Vector>(m: [V; IN]) -> [V; OUT] {
    // SAFETY: the caller's instruction set.
    unsafe {
        let times = |x: V, factor: f32, y: V| x.multiply_add(V::splat(factor), y);
        let zero = V::zero();
        let (even, even2) = (m[1].add(m[2]), m[3].add(m[4]));
        let (odd, odd2) = (times(m[1], -1.0, m[2]), times(m[3], -1.0, m[4]));
        [
            m[0].add(even).add(even2),
            times(times(zero, FRAC_1_SQRT_2, odd), SQRT_2, odd2),
            times(times(zero, 0.5, even), 2.0, even2),
            times(times(m[5], 0.5 * FRAC_1_SQRT_2, odd), 2.0 * SQRT_2, odd2),
        ]
    }
}

/// [`Transforms::input`].
///
/// # Safety
/// The instruction set of `V` is available; each pixel is good for c elements, a multiple of the lanes, and `to` for
/// those of all points.
#[inline(always)]
// `unrolled!` takes only the branches of indices below the count.
#[allow(clippy::needless_range_loop, clippy::out_of_bounds_indexing)]
pub(super) unsafe fn input<V: Vector>(pixels: &[*const f32; POINTS], c: usize, to: *mut f32) {
    // SAFETY: the caller's.
    unsafe {
        for at in (0..c).step_by(V::LANES) {
            let mut columns: [[V; IN]; IN] = zeros();
            for x in 0..IN {
                let mut d: [V; IN] = zeros();
                unrolled!(IN, Y => { d[Y] = V::load(pixels[Y * IN + x].add(at)); });
                columns[x] = input_line(d);
            }
            for y in 0..IN {
                let mut d: [V; IN] = zeros();
                unrolled!(IN, X => { d[X] = columns[X][y]; });
                let row = input_line(d);
                unrolled!(IN, X => { row[X].store(to.add((y * IN + X) * c + at)); });
            }
        }
    }
}

/// [`Transforms::filter`].
///
/// # Safety
/// The instruction set of `V` is available; the taps are memory of the caller's, and `to` is good for the rows of all
/// points.
#[inline(always)]
// `unrolled!` takes only the branches of indices below the count.
#[allow(clippy::needless_range_loop, clippy::out_of_bounds_indexing)]
pub(super) unsafe fn filter<V: Vector>(taps: &Taps, to: *mut f32, point: usize) {
    // SAFETY: the caller's.
    unsafe {
        for row in 0..taps.rows {
            for at in (0..taps.columns).step_by(V::LANES) {
                let from = taps.from.add(row * taps.row + at);
                let to = to.add(row * COLUMNS + at);
                let mut columns: [[V; IN]; 3] = zeros();
                for x in 0..3 {
                    let mut g: [V; 3] = zeros();
                    unrolled!(3, Y => { g[Y] = V::load(from.add((Y * 3 + x) * taps.tap)); });
                    columns[x] = filter_line(g);
                }
                for y in 0..IN {
                    let row = filter_line([columns[0][y], columns[1][y], columns[2][y]]);
                    unrolled!(IN, X => { row[X].store(to.add((y * IN + X) * point)); });
                }
            }
        }
    }
}

/// [`Transforms::output`].
///
/// # Safety
/// The instruction set of `V` is available; there are products of all points, and the pixels inside are memory of the
/// caller's.
#[inline(always)]
// `unrolled!` takes only the branches of indices below the count.
#[allow(clippy::needless_range_loop, clippy::out_of_bounds_indexing)]
pub(super) unsafe fn output<V: Vector>(products: *const f32, to: &Outputs) {
    let Outputs { to, step: [line, pixel], inside: [rows, columns], columns: width } = *to;
    // SAFETY: the caller's.
    unsafe {
        for at in (0..width).step_by(V::LANES) {
            let mut half: [[V; OUT]; IN] = zeros();
            for x in 0..IN {
                let mut m: [V; IN] = zeros();
                unrolled!(IN, Y => { m[Y] = V::load(products.add((Y * IN + x) * COLUMNS + at)); });
                half[x] = output_line(m);
            }
            for y in 0..rows {
                let mut m: [V; IN] = zeros();
                unrolled!(IN, X => { m[X] = half[X][y]; });
                let row = output_line(m);
                unrolled!(OUT, X => {
                    if X < columns {
                        row[X].store(to.add(y * line + X * pixel + at));
                    }
                });
            }
        }
    }
}

/// [`Transforms`] from instances of the three functions for one vector type, behind wrappers that enable its features.
macro_rules! transforms {
    ($(#[$features:meta])* $name:ident, $vector:ty) => {
        #[doc = "The transforms of Winograd convolution."]
        pub(super) static $name: super::transforms::Transforms = {
            /// # Safety
            /// As the function of the same name, with the features of this instruction set.
            $(#[$features])*
            unsafe fn input(
                pixels: &[*const f32; super::transforms::POINTS],
                c: usize,
                to: *mut f32,
            ) {
                // SAFETY: the caller's.
                unsafe { super::transforms::input::<$vector>(pixels, c, to) }
            }
            /// # Safety
            /// As the function of the same name, with the features of this instruction set.
            $(#[$features])*
            unsafe fn filter(taps: &super::transforms::Taps, to: *mut f32, point: usize) {
                // SAFETY: the caller's.
                unsafe { super::transforms::filter::<$vector>(taps, to, point) }
            }
            /// # Safety
            /// As the function of the same name, with the features of this instruction set.
            $(#[$features])*
            unsafe fn output(products: *const f32, to: &super::transforms::Outputs) {
                // SAFETY: the caller's.
                unsafe { super::transforms::output::<$vector>(products, to) }
            }
            super::transforms::Transforms { input, filter, output }
        };
    };
}
pub(super) use transforms;

/// The transforms of a processor; none for [`Level::Portable`] and [`Level::Simd128`], nor where arithmetic is strict.
pub(super) fn available(cpu: &Cpu) -> Option<&'static Transforms> {
    if cpu.is_strict() {
        return None;
    }
    match cpu.level() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => Some(&super::x86::AVX512_TRANSFORMS),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => Some(&super::x86::AVX2_TRANSFORMS),
        #[cfg(target_arch = "aarch64")]
        Level::Neon => Some(&super::aarch64::NEON_TRANSFORMS),
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        Level::RelaxedSimd => Some(&super::wasm32::RELAXED_TRANSFORMS),
        _ => None,
    }
}
