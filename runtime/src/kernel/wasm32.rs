//! Microkernels for WebAssembly with 128-bit vectors, with fused multiply-add and strict.

pub(super) mod pool;
pub(super) mod random;

use super::micro::{Kernel, Micro, Tile, Vector, kernels, tile, unrolled};
#[cfg(target_feature = "relaxed-simd")]
use super::transforms::transforms;
use super::{COMPACT, Conv, PAGE, Reduce};
use core::arch::wasm32::*;

/// Four lanes; `FUSED` multiplies and adds with one rounding, else the vectors are strict.
#[derive(Copy, Clone)]
struct F32x4<const FUSED: bool>(v128);

impl<const FUSED: bool> Vector for F32x4<FUSED> {
    const LANES: usize = 4;
    const FREE_MASKS: bool = false;
    const POINTERS: bool = true;
    const FEW: bool = COMPACT;
    const SMALL: usize = if COMPACT {
        usize::MAX
    } else if PAGE {
        4
    } else {
        0
    };
    const STRICT: bool = !FUSED;
    type Mask = usize;
    #[inline(always)]
    unsafe fn mask(lanes: usize) -> usize {
        lanes
    }
    #[inline(always)]
    unsafe fn zero() -> Self {
        F32x4(f32x4_splat(0.0))
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        F32x4(f32x4_splat(value))
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the trait's contract.
        unsafe { F32x4(v128_load(from.cast())) }
    }
    #[inline(always)]
    unsafe fn load_part(from: *const f32, lanes: usize) -> Self {
        // SAFETY: the trait's contract; each arm reads as many lanes as it names.
        unsafe {
            F32x4(match lanes {
                1 => v128_load32_zero(from.cast()),
                2 => v128_load64_zero(from.cast()),
                3 => v128_load32_lane::<2>(v128_load64_zero(from.cast()), from.add(2).cast()),
                _ => v128_load(from.cast()),
            })
        }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the trait's contract.
        unsafe { v128_store(to.cast(), self.0) }
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, lanes: usize) {
        // SAFETY: the trait's contract; each arm writes as many lanes as it names.
        unsafe {
            match lanes {
                1 => v128_store32_lane::<0>(self.0, to.cast()),
                2 => v128_store64_lane::<0>(self.0, to.cast()),
                3 => {
                    v128_store64_lane::<0>(self.0, to.cast());
                    v128_store32_lane::<2>(self.0, to.add(2).cast());
                }
                _ => v128_store(to.cast(), self.0),
            }
        }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        F32x4(f32x4_add(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn multiply_add(self, a: Self, b: Self) -> Self {
        #[cfg(target_feature = "relaxed-simd")]
        if FUSED {
            return F32x4(f32x4_relaxed_madd(a.0, b.0, self.0));
        }
        F32x4(f32x4_add(self.0, f32x4_mul(a.0, b.0)))
    }
}

/// # Safety
/// See [`tile`].
unsafe fn simd128<const R: usize, const N: usize, const BY_COLUMNS: bool>(t: &Tile) {
    // SAFETY: the caller's.
    unsafe { if COMPACT { split(t, R, N, BY_COLUMNS) } else { tile::<F32x4<false>, R, N, BY_COLUMNS>(t) } }
}

/// The product of a tile from few kernels: of four rows or one, two whole vectors or one that may be cut short.
///
/// # Safety
/// See [`tile`].
#[inline(never)]
unsafe fn split(t: &Tile, rows: usize, vectors: usize, by_columns: bool) {
    // SAFETY: the parts lie inside the tile.
    unsafe {
        let mut part = *t;
        let two = vectors == 2 && t.tail == 4;
        for vector in 0..if two { 1 } else { vectors } {
            part.tail = if vector + 1 < vectors { 4 } else { t.tail };
            part.b = t.b.add(4 * vector);
            for row in 0..if rows == 4 { 1 } else { rows } {
                part.a = t.a.wrapping_add(row * if by_columns { 1 } else { t.a_step });
                part.c = t.c.add(row * t.c_step + 4 * vector);
                match (rows == 4, two, by_columns) {
                    (true, true, false) => tile::<F32x4<false>, 4, 2, false>(&part),
                    (true, true, true) => tile::<F32x4<false>, 4, 2, true>(&part),
                    (true, false, false) => tile::<F32x4<false>, 4, 1, false>(&part),
                    (true, false, true) => tile::<F32x4<false>, 4, 1, true>(&part),
                    (false, true, false) => tile::<F32x4<false>, 1, 2, false>(&part),
                    (false, true, true) => tile::<F32x4<false>, 1, 2, true>(&part),
                    (false, false, false) => tile::<F32x4<false>, 1, 1, false>(&part),
                    (false, false, true) => tile::<F32x4<false>, 1, 1, true>(&part),
                }
            }
        }
    }
}

/// # Safety
/// See [`tile`].
#[cfg(target_feature = "relaxed-simd")]
unsafe fn relaxed<const R: usize, const N: usize, const BY_COLUMNS: bool>(t: &Tile) {
    // SAFETY: the caller's.
    unsafe { tile::<F32x4<true>, R, N, BY_COLUMNS>(t) }
}

/// 4 × 8, strict: with the product and the broadcast, what sixteen registers hold without spills.
pub(super) static SIMD128: Micro = Micro {
    rows: 4,
    lanes: 4,
    vectors: 2,
    by_rows: kernels!(simd128, false, [1 2 3 4], [1 2]),
    by_columns: kernels!(simd128, true, [1 2 3 4], [1 2]),
    transpose,
    copy,
};

/// 4 × 8 with fused multiply-add.
#[cfg(target_feature = "relaxed-simd")]
pub(super) static RELAXED: Micro = Micro {
    by_rows: kernels!(relaxed, false, [1 2 3 4], [1 2]),
    by_columns: kernels!(relaxed, true, [1 2 3 4], [1 2]),
    ..SIMD128
};

#[cfg(target_feature = "relaxed-simd")]
transforms!(RELAXED_TRANSFORMS, F32x4<true>);

/// [`Micro::transpose`] in blocks of 4 × 4.
///
/// # Safety
/// x is good for `columns` rows of `k` elements at `x_step`, y for `k` rows of `columns` elements at `y_step`.
unsafe fn transpose(x: *const f32, x_step: usize, y: *mut f32, y_step: usize, k: usize, columns: usize) {
    let (whole_k, whole_columns) = (k / 4 * 4, columns / 4 * 4);
    // SAFETY: inside the two blocks the caller vouches for.
    unsafe {
        for j in (0..whole_columns).step_by(4) {
            for p in (0..whole_k).step_by(4) {
                let row: [v128; 4] = core::array::from_fn(|i| v128_load(x.add((j + i) * x_step + p).cast()));
                let low = i32x4_shuffle::<0, 4, 1, 5>(row[0], row[1]);
                let high = i32x4_shuffle::<2, 6, 3, 7>(row[0], row[1]);
                let low2 = i32x4_shuffle::<0, 4, 1, 5>(row[2], row[3]);
                let high2 = i32x4_shuffle::<2, 6, 3, 7>(row[2], row[3]);
                let to = y.add(p * y_step + j);
                v128_store(to.cast(), i64x2_shuffle::<0, 2>(low, low2));
                v128_store(to.add(y_step).cast(), i64x2_shuffle::<1, 3>(low, low2));
                v128_store(to.add(2 * y_step).cast(), i64x2_shuffle::<0, 2>(high, high2));
                v128_store(to.add(3 * y_step).cast(), i64x2_shuffle::<1, 3>(high, high2));
            }
            let (x, y) = (x.add(j * x_step + whole_k), y.add(whole_k * y_step + j));
            super::micro::transpose(x, x_step, y, y_step, k - whole_k, 4);
        }
        let (x, y) = (x.add(whole_columns * x_step), y.add(whole_columns));
        super::micro::transpose(x, x_step, y, y_step, k, columns - whole_columns);
    }
}

/// A row of a depthwise convolution of channels in fours: sixteen at a time, which arrays of sixteen floats do not become
/// where little is unrolled.
///
/// # Panics
/// If x is not an image of v, w its filter, or y a row of its result.
pub(super) fn depthwise_row(v: &Conv, oy: usize, x: &[f32], w: &[f32], y: &mut [f32]) {
    assert!(v.c.is_multiple_of(4) && x.len() == v.h * v.w * v.c);
    assert!(w.len() == v.kh * v.kw * v.c && y.len() == v.ow * v.c);
    for ox in 0..v.ow {
        let mut at = 0;
        while at < v.c {
            // SAFETY: `at` and the channels after it that are taken are below `c`; the slices have the lengths of their
            // shapes (checked above).
            unsafe {
                if at + 16 <= v.c {
                    depthwise_pixel::<4>(v, [oy, ox], at, x.as_ptr(), w.as_ptr(), y.as_mut_ptr());
                    at += 16;
                } else {
                    depthwise_pixel::<1>(v, [oy, ox], at, x.as_ptr(), w.as_ptr(), y.as_mut_ptr());
                    at += 4;
                }
            }
        }
    }
}

/// `N` vectors of channels from `at` on of one pixel of a depthwise convolution.
///
/// # Safety
/// The channels exist; x is an image, w the filter, y the row of the pixel.
#[inline(always)]
unsafe fn depthwise_pixel<const N: usize>(
    v: &Conv,
    [oy, ox]: [usize; 2],
    at: usize,
    x: *const f32,
    w: *const f32,
    y: *mut f32,
) {
    let mut sum = [f32x4_splat(0.0); N];
    for ky in 0..v.kh {
        let Some(iy) = (oy * v.sh + ky * v.dh).checked_sub(v.pad_top).filter(|&iy| iy < v.h) else {
            continue;
        };
        for kx in 0..v.kw {
            let Some(ix) = (ox * v.sw + kx * v.dw).checked_sub(v.pad_left).filter(|&ix| ix < v.w) else {
                continue;
            };
            // SAFETY: the pixel is on the image, the tap in the filter, the channels are the caller's.
            unsafe {
                let x = x.add((iy * v.w + ix) * v.c + at);
                let w = w.add((ky * v.kw + kx) * v.c + at);
                unrolled!(N, J => {
                    let product = f32x4_mul(v128_load(x.add(4 * J).cast()), v128_load(w.add(4 * J).cast()));
                    sum[J] = f32x4_add(sum[J], product);
                });
            }
        }
    }
    unrolled!(N, J => {
        // SAFETY: the caller's.
        unsafe { v128_store(y.add(ox * v.c + at + 4 * J).cast(), sum[J]) };
    });
}

/// Joins a row to partial results, element by element: [`reduce`](super::reduce) of pages.
pub(super) fn fold(kind: Reduce, acc: &mut [f32], row: &[f32]) {
    match kind {
        Reduce::Sum => fold_by(kind, acc, row, |a, b| f32x4_add(a, b)),
        _ => fold_by(kind, acc, row, |a, b| {
            let nan = f32x4_ne(a, a);
            match kind {
                Reduce::Max => v128_bitselect(a, b, v128_or(f32x4_gt(a, b), nan)),
                Reduce::Min => v128_bitselect(a, b, v128_or(f32x4_lt(a, b), nan)),
                _ => f32x4_mul(a, b),
            }
        }),
    }
}

#[inline(always)]
fn fold_by(kind: Reduce, acc: &mut [f32], row: &[f32], join: impl Fn(v128, v128) -> v128) {
    let len = acc.len().min(row.len());
    let (acc, rest) = acc[..len].as_chunks_mut::<4>();
    let (row, row_rest) = row[..len].as_chunks::<4>();
    for (acc, row) in acc.iter_mut().zip(row) {
        // SAFETY: both are four elements.
        unsafe {
            let to = acc.as_mut_ptr().cast();
            v128_store(to, join(v128_load(to), v128_load(row.as_ptr().cast())));
        }
    }
    for (acc, x) in rest.iter_mut().zip(row_rest) {
        *acc = kind.join(*acc, *x);
    }
}

/// [`Micro::copy`].
///
/// # Safety
/// As [`super::micro::copy_rows`].
unsafe fn copy(x: *const f32, x_step: usize, y: *mut f32, y_step: usize, k: usize, columns: usize) {
    // SAFETY: the caller's.
    unsafe { super::micro::copy_rows::<8>(x, x_step, y, y_step, k, columns, |_| {}) };
}
