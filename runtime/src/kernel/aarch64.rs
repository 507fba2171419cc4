//! Microkernels for AArch64.

use super::micro::{Kernel, Micro, Tile, Vector, kernels, tile, transpose};
use super::transforms::transforms;
use core::arch::aarch64::*;

/// Four lanes of NEON; fused unless `STRICT`.
#[derive(Copy, Clone)]
struct F32x4<const STRICT: bool>(float32x4_t);

impl<const STRICT: bool> Vector for F32x4<STRICT> {
    const STRICT: bool = STRICT;
    const LANES: usize = 4;
    const FREE_MASKS: bool = false;
    type Mask = usize;
    #[inline(always)]
    unsafe fn mask(lanes: usize) -> usize {
        lanes
    }
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the trait's contract.
        unsafe { F32x4(vdupq_n_f32(0.0)) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the trait's contract.
        unsafe { F32x4(vdupq_n_f32(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the trait's contract.
        unsafe { F32x4(vld1q_f32(from)) }
    }
    #[inline(always)]
    unsafe fn load_part(from: *const f32, lanes: usize) -> Self {
        let mut part = [0.0; 4];
        // SAFETY: the trait's contract; reads only the lanes of the mask.
        unsafe {
            for (l, part) in part.iter_mut().enumerate() {
                if l < lanes {
                    *part = *from.add(l);
                }
            }
            F32x4(vld1q_f32(part.as_ptr()))
        }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the trait's contract.
        unsafe { vst1q_f32(to, self.0) }
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, lanes: usize) {
        let mut part = [0.0; 4];
        // SAFETY: the trait's contract; writes only the lanes of the mask.
        unsafe {
            vst1q_f32(part.as_mut_ptr(), self.0);
            for (l, part) in part.iter().enumerate() {
                if l < lanes {
                    *to.add(l) = *part;
                }
            }
        }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        unsafe { F32x4(vaddq_f32(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn multiply_add(self, a: Self, b: Self) -> Self {
        // SAFETY: the trait's contract.
        unsafe {
            if STRICT {
                return F32x4(vaddq_f32(self.0, vmulq_f32(a.0, b.0)));
            }
            F32x4(vfmaq_f32(self.0, a.0, b.0))
        }
    }
}

/// # Safety
/// NEON is available; see [`tile`].
#[target_feature(enable = "neon")]
unsafe fn neon<const R: usize, const N: usize, const BY_COLUMNS: bool>(t: &Tile) {
    // SAFETY: the caller's.
    unsafe { tile::<F32x4<false>, R, N, BY_COLUMNS>(t) }
}

/// # Safety
/// NEON is available; see [`tile`].
#[target_feature(enable = "neon")]
unsafe fn strict<const R: usize, const N: usize, const BY_COLUMNS: bool>(t: &Tile) {
    // SAFETY: the caller's.
    unsafe { tile::<F32x4<true>, R, N, BY_COLUMNS>(t) }
}

/// NEON: 8 × 8.
pub(super) static NEON: Micro = Micro {
    rows: 8,
    lanes: 4,
    vectors: 2,
    by_rows: kernels!(neon, false, [1 2 3 4 5 6 7 8], [1 2]),
    by_columns: kernels!(neon, true, [1 2 3 4 5 6 7 8], [1 2]),
    transpose,
    copy,
};

transforms!(
    #[target_feature(enable = "neon")]
    NEON_TRANSFORMS,
    F32x4<false>
);

/// NEON without fused multiply-add: 6 × 8, which leaves registers for the products.
pub(super) static STRICT: Micro = Micro {
    rows: 6,
    by_rows: kernels!(strict, false, [1 2 3 4 5 6], [1 2]),
    by_columns: kernels!(strict, true, [1 2 3 4 5 6], [1 2]),
    ..NEON
};

/// [`Micro::copy`].
///
/// # Safety
/// As [`super::micro::copy_rows`].
unsafe fn copy(x: *const f32, x_step: usize, y: *mut f32, y_step: usize, k: usize, columns: usize) {
    // SAFETY: the caller's.
    unsafe { super::micro::copy_rows::<8>(x, x_step, y, y_step, k, columns, |_| {}) };
}
