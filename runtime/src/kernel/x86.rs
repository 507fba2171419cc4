//! Microkernels for x86-64: AVX2 with FMA, and AVX-512.

use super::micro::{Kernel, Micro, Tile, Vector, kernels, tile};
use super::transforms::transforms;
use core::arch::x86_64::*;

/// Eight lanes of AVX2; fused unless `STRICT`.
#[derive(Copy, Clone)]
struct F32x8<const STRICT: bool>(__m256);

impl<const STRICT: bool> Vector for F32x8<STRICT> {
    const STRICT: bool = STRICT;
    const LANES: usize = 8;
    const FREE_MASKS: bool = false;
    type Mask = __m256i;
    #[inline(always)]
    unsafe fn mask(lanes: usize) -> __m256i {
        // SAFETY: the trait's contract.
        unsafe {
            let index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes as i32), index)
        }
    }
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the trait's contract.
        unsafe { F32x8(_mm256_setzero_ps()) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the trait's contract.
        unsafe { F32x8(_mm256_set1_ps(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the trait's contract.
        unsafe { F32x8(_mm256_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the trait's contract.
        unsafe { _mm256_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn load_part(from: *const f32, mask: __m256i) -> Self {
        // SAFETY: the trait's contract.
        unsafe { F32x8(_mm256_maskload_ps(from, mask)) }
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, mask: __m256i) {
        // SAFETY: the trait's contract.
        unsafe { _mm256_maskstore_ps(to, mask, self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        unsafe { F32x8(_mm256_add_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn multiply_add(self, a: Self, b: Self) -> Self {
        // SAFETY: the trait's contract.
        unsafe {
            if STRICT {
                return F32x8(_mm256_add_ps(self.0, _mm256_mul_ps(a.0, b.0)));
            }
            F32x8(_mm256_fmadd_ps(a.0, b.0, self.0))
        }
    }
}

/// Eight lanes with the masks of AVX-512 VL.
#[derive(Copy, Clone)]
struct Masked8(__m256);

impl Vector for Masked8 {
    const STRICT: bool = false;
    const LANES: usize = 8;
    const FREE_MASKS: bool = true;
    type Mask = __mmask8;
    #[inline(always)]
    unsafe fn mask(lanes: usize) -> __mmask8 {
        (0xff_u32 >> (8 - lanes)) as __mmask8
    }
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the trait's contract.
        unsafe { Masked8(_mm256_setzero_ps()) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the trait's contract.
        unsafe { Masked8(_mm256_set1_ps(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the trait's contract.
        unsafe { Masked8(_mm256_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the trait's contract.
        unsafe { _mm256_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn load_part(from: *const f32, mask: __mmask8) -> Self {
        // SAFETY: the trait's contract.
        unsafe { Masked8(_mm256_maskz_loadu_ps(mask, from)) }
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, mask: __mmask8) {
        // SAFETY: the trait's contract.
        unsafe { _mm256_mask_storeu_ps(to, mask, self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        unsafe { Masked8(_mm256_add_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn multiply_add(self, a: Self, b: Self) -> Self {
        // SAFETY: the trait's contract.
        unsafe { Masked8(_mm256_fmadd_ps(a.0, b.0, self.0)) }
    }
}

/// Sixteen lanes of AVX-512; fused unless `STRICT`.
#[derive(Copy, Clone)]
struct F32x16<const STRICT: bool>(__m512);

impl<const STRICT: bool> Vector for F32x16<STRICT> {
    const STRICT: bool = STRICT;
    const LANES: usize = 16;
    const FREE_MASKS: bool = true;
    type Mask = __mmask16;
    #[inline(always)]
    unsafe fn mask(lanes: usize) -> __mmask16 {
        (0xffff_u32 >> (16 - lanes)) as __mmask16
    }
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the trait's contract.
        unsafe { F32x16(_mm512_setzero_ps()) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the trait's contract.
        unsafe { F32x16(_mm512_set1_ps(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the trait's contract.
        unsafe { F32x16(_mm512_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the trait's contract.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn load_part(from: *const f32, mask: __mmask16) -> Self {
        // SAFETY: the trait's contract.
        unsafe { F32x16(_mm512_maskz_loadu_ps(mask, from)) }
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, mask: __mmask16) {
        // SAFETY: the trait's contract.
        unsafe { _mm512_mask_storeu_ps(to, mask, self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the trait's contract.
        unsafe { F32x16(_mm512_add_ps(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn multiply_add(self, a: Self, b: Self) -> Self {
        // SAFETY: the trait's contract.
        unsafe {
            if STRICT {
                return F32x16(_mm512_add_ps(self.0, _mm512_mul_ps(a.0, b.0)));
            }
            F32x16(_mm512_fmadd_ps(a.0, b.0, self.0))
        }
    }
}

/// # Safety
/// AVX2 and FMA are available; see [`tile`].
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const R: usize, const N: usize, const BY_COLUMNS: bool>(t: &Tile) {
    // SAFETY: the caller's.
    unsafe { tile::<F32x8<false>, R, N, BY_COLUMNS>(t) }
}

/// # Safety
/// AVX2 and FMA are available; see [`tile`].
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2_strict<const R: usize, const N: usize, const BY_COLUMNS: bool>(t: &Tile) {
    // SAFETY: the caller's.
    unsafe { tile::<F32x8<true>, R, N, BY_COLUMNS>(t) }
}

/// # Safety
/// AVX-512 F and VL are available; see [`tile`].
#[target_feature(enable = "avx2,fma,avx512f,avx512vl")]
unsafe fn narrow<const R: usize, const N: usize, const BY_COLUMNS: bool>(t: &Tile) {
    // SAFETY: the caller's.
    unsafe { tile::<Masked8, R, N, BY_COLUMNS>(t) }
}

/// # Safety
/// AVX-512 F is available; see [`tile`].
#[target_feature(enable = "avx2,fma,avx512f,avx512vl")]
unsafe fn avx512<const R: usize, const N: usize, const BY_COLUMNS: bool>(t: &Tile) {
    // SAFETY: the caller's.
    unsafe { tile::<F32x16<false>, R, N, BY_COLUMNS>(t) }
}

/// # Safety
/// AVX-512 F is available; see [`tile`].
#[target_feature(enable = "avx2,fma,avx512f,avx512vl")]
unsafe fn avx512_strict<const R: usize, const N: usize, const BY_COLUMNS: bool>(t: &Tile) {
    // SAFETY: the caller's.
    unsafe { tile::<F32x16<true>, R, N, BY_COLUMNS>(t) }
}

/// AVX2: 6 × 16.
pub(super) static AVX2: Micro = Micro {
    rows: 6,
    lanes: 8,
    vectors: 2,
    by_rows: kernels!(avx2, false, [1 2 3 4 5 6], [1 2]),
    by_columns: kernels!(avx2, true, [1 2 3 4 5 6], [1 2]),
    transpose,
    copy: copy_avx2,
};

/// AVX2 without fused multiply-add.
pub(super) static AVX2_STRICT: Micro = Micro {
    by_rows: kernels!(avx2_strict, false, [1 2 3 4 5 6], [1 2]),
    by_columns: kernels!(avx2_strict, true, [1 2 3 4 5 6], [1 2]),
    ..AVX2
};

/// AVX2 for one row: 1 × 64.
pub(super) static AVX2_ROW: Micro = Micro {
    rows: 1,
    vectors: 8,
    by_rows: kernels!(avx2, false, [1], [1 2 3 4 5 6 7 8]),
    by_columns: kernels!(avx2, true, [1], [1 2 3 4 5 6 7 8]),
    ..AVX2
};

/// AVX2 for at most 8 columns: 12 × 8.
pub(super) static AVX2_NARROW: Micro = Micro {
    rows: 12,
    vectors: 1,
    by_rows: kernels!(avx2, false, [1 2 3 4 5 6 7 8 9 10 11 12], [1]),
    by_columns: kernels!(avx2, true, [1 2 3 4 5 6 7 8 9 10 11 12], [1]),
    ..AVX2
};

/// AVX-512: 14 × 32.
pub(super) static AVX512: Micro = Micro {
    rows: 14,
    lanes: 16,
    vectors: 2,
    by_rows: kernels!(avx512, false, [1 2 3 4 5 6 7 8 9 10 11 12 13 14], [1 2]),
    by_columns: kernels!(avx512, true, [1 2 3 4 5 6 7 8 9 10 11 12 13 14], [1 2]),
    transpose,
    copy: copy_avx512,
};

/// AVX-512 without fused multiply-add: 12 × 32, which leaves registers for the products.
pub(super) static AVX512_STRICT: Micro = Micro {
    rows: 12,
    by_rows: kernels!(avx512_strict, false, [1 2 3 4 5 6 7 8 9 10 11 12], [1 2]),
    by_columns: kernels!(avx512_strict, true, [1 2 3 4 5 6 7 8 9 10 11 12], [1 2]),
    ..AVX512
};

/// AVX-512 for one row: 1 × 128.
pub(super) static AVX512_ROW: Micro = Micro {
    rows: 1,
    vectors: 8,
    by_rows: kernels!(avx512, false, [1], [1 2 3 4 5 6 7 8]),
    by_columns: kernels!(avx512, true, [1], [1 2 3 4 5 6 7 8]),
    ..AVX512
};

/// AVX-512 for at most 8 columns: 14 × 8.
pub(super) static AVX512_NARROW: Micro = Micro {
    lanes: 8,
    vectors: 1,
    by_rows: kernels!(narrow, false, [1 2 3 4 5 6 7 8 9 10 11 12 13 14], [1]),
    by_columns: kernels!(narrow, true, [1 2 3 4 5 6 7 8 9 10 11 12 13 14], [1]),
    ..AVX512
};

/// [`Micro::copy`].
///
/// # Safety
/// AVX2 is available; otherwise as [`super::micro::copy_rows`].
#[target_feature(enable = "avx2,fma")]
unsafe fn copy_avx2(x: *const f32, x_step: usize, y: *mut f32, y_step: usize, k: usize, columns: usize) {
    // SAFETY: the caller's; a prefetch touches no memory that is not there.
    unsafe {
        super::micro::copy_rows::<8>(x, x_step, y, y_step, k, columns, |x| {
            _mm_prefetch::<_MM_HINT_T0>(x.cast())
        });
    }
}

/// [`Micro::copy`].
///
/// # Safety
/// AVX-512 is available; otherwise as [`super::micro::copy_rows`].
#[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
unsafe fn copy_avx512(x: *const f32, x_step: usize, y: *mut f32, y_step: usize, k: usize, columns: usize) {
    // SAFETY: as above.
    unsafe {
        super::micro::copy_rows::<16>(x, x_step, y, y_step, k, columns, |x| {
            _mm_prefetch::<_MM_HINT_T0>(x.cast())
        });
    }
}

transforms!(
    #[target_feature(enable = "avx2,fma")]
    AVX2_TRANSFORMS,
    F32x8<false>
);
transforms!(
    #[target_feature(enable = "avx2,fma,avx512f,avx512vl")]
    AVX512_TRANSFORMS,
    F32x16<false>
);

/// [`Micro::transpose`] in blocks of 8 × 8.
///
/// # Safety
/// AVX2 is available; x is good for `columns` rows of `k` elements at `x_step`, y for `k` rows of `columns` elements
/// at `y_step`.
#[target_feature(enable = "avx2,fma")]
unsafe fn transpose(x: *const f32, x_step: usize, y: *mut f32, y_step: usize, k: usize, columns: usize) {
    let (whole_k, whole_columns) = (k / 8 * 8, columns / 8 * 8);
    // SAFETY: inside the two blocks the caller vouches for.
    unsafe {
        for j in (0..whole_columns).step_by(8) {
            for p in (0..whole_k).step_by(8) {
                transpose_8(x.add(j * x_step + p), x_step, y.add(p * y_step + j), y_step);
            }
            super::micro::transpose(
                x.add(j * x_step + whole_k),
                x_step,
                y.add(whole_k * y_step + j),
                y_step,
                k - whole_k,
                8,
            );
        }
        let (x, y) = (x.add(whole_columns * x_step), y.add(whole_columns));
        super::micro::transpose(x, x_step, y, y_step, k, columns - whole_columns);
    }
}

/// # Safety
/// AVX2 is available; x and y are good for eight rows of eight.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn transpose_8(x: *const f32, x_step: usize, y: *mut f32, y_step: usize) {
    // SAFETY: the caller's.
    let row: [__m256; 8] = core::array::from_fn(|i| unsafe { _mm256_loadu_ps(x.add(i * x_step)) });
    // Pairs of rows interleaved, then pairs of pairs, then the halves.
    let mut pairs = row;
    let mut quads = row;
    for i in (0..8).step_by(2) {
        pairs[i] = _mm256_unpacklo_ps(row[i], row[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_ps(row[i], row[i + 1]);
    }
    for i in [0, 4] {
        quads[i] = _mm256_shuffle_ps::<0x44>(pairs[i], pairs[i + 2]);
        quads[i + 1] = _mm256_shuffle_ps::<0xee>(pairs[i], pairs[i + 2]);
        quads[i + 2] = _mm256_shuffle_ps::<0x44>(pairs[i + 1], pairs[i + 3]);
        quads[i + 3] = _mm256_shuffle_ps::<0xee>(pairs[i + 1], pairs[i + 3]);
    }
    for i in 0..4 {
        // SAFETY: the caller's.
        unsafe {
            _mm256_storeu_ps(y.add(i * y_step), _mm256_permute2f128_ps::<0x20>(quads[i], quads[i + 4]));
            _mm256_storeu_ps(y.add((i + 4) * y_step), _mm256_permute2f128_ps::<0x31>(quads[i], quads[i + 4]));
        }
    }
}
