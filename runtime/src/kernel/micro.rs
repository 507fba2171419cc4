//! Microkernels: the product of a few rows and a few vectors of columns held in registers.
//!
//! One body serves every instruction set through [`Vector`]. Each element of c is one chain of multiply-adds over k in
//! ascending order, whatever the shape of the tile, so that tiling never changes a bit. Strict vectors round products
//! and go on from c where they add to it: then the chain is that of the portable loops.
// Targets without vectors have no family, so nothing here is reached.
#![cfg_attr(
    not(any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        all(target_arch = "wasm32", target_feature = "simd128")
    )),
    allow(dead_code, unused_macros, unused_imports)
)]

use super::{Cpu, Level};

/// A vector register of `f32`; with no bit set it is zero.
///
/// # Safety
/// The methods may only be called where the instruction set of the implementation is available, and pointers must be
/// good for the lanes they name.
pub(super) trait Vector: Copy {
    /// Lanes of a register.
    const LANES: usize;
    /// Selects the leading lanes.
    type Mask: Copy;
    /// Whether a load with a mask costs no more than one without.
    const FREE_MASKS: bool;
    /// Whether addresses with two registers do not exist: the rows then have a pointer each. Such loops take one term
    /// a round, since LLVM orders the terms of a longer round by their sums: chains that wait, and more live vectors
    /// than registers.
    const POINTERS: bool = false;
    /// Whether there are few kernels: tiles of several vectors have none cut short.
    const FEW: bool = false;
    /// In tiles of fewer rows one vector that is whole runs as if it were cut short, to have less code.
    const SMALL: usize = 0;
    /// Whether products are rounded before they are added, and sums that are added to c begin with it.
    const STRICT: bool;
    /// The mask of the first `lanes` lanes, 1 to `LANES`.
    unsafe fn mask(lanes: usize) -> Self::Mask;
    unsafe fn zero() -> Self;
    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// The lanes of the mask, the others zero; reads nothing else.
    unsafe fn load_part(from: *const f32, mask: Self::Mask) -> Self;
    /// Writes the lanes of the mask and nothing else.
    unsafe fn store_part(self, to: *mut f32, mask: Self::Mask);
    unsafe fn add(self, other: Self) -> Self;
    /// `self + a · b`, rounded once or, if strict, twice.
    unsafe fn multiply_add(self, a: Self, b: Self) -> Self;
}

/// The operands of one tile: `c[i, j] (+)= sum over p of a[i, p] · b[p, j]`.
#[derive(Copy, Clone)]
pub(super) struct Tile {
    /// Terms of the sums per segment.
    pub k: usize,
    /// Segments of the sums.
    pub segments: usize,
    /// Elements between the beginnings of two segments of a.
    pub a_segment: usize,
    /// Element (0, 0) of a.
    pub a: *const f32,
    /// Elements between two rows of a, or between two columns for a kernel that goes by columns; the other is 1.
    pub a_step: usize,
    /// Element (0, 0) of b.
    pub b: *const f32,
    /// Elements between two rows of b.
    pub b_step: usize,
    /// Elements of b left out from one segment to the next.
    pub b_skip: usize,
    /// Element (0, 0) of c.
    pub c: *mut f32,
    /// Elements between two rows of c.
    pub c_step: usize,
    /// Columns in the last vector.
    pub tail: usize,
    /// Whether all lanes of the last vector of each row of b can be read.
    pub whole: bool,
    /// Whether to add to c instead of overwriting it.
    pub add: bool,
}

/// A kernel for tiles of one height and width.
pub(super) type Kernel = unsafe fn(&Tile);

/// A family of microkernels for one instruction set.
pub(super) struct Micro {
    /// Most rows of a tile.
    pub rows: usize,
    /// Lanes of a vector.
    pub lanes: usize,
    /// Most vectors of a tile.
    pub vectors: usize,
    /// Kernels that read a by rows, at `(rows - 1) * vectors + (vectors - 1)`.
    pub by_rows: &'static [Kernel],
    /// Kernels that read a by columns.
    pub by_columns: &'static [Kernel],
    /// `y[p · y_step + j] = x[j · x_step + p]` for `p < k`, `j < columns`.
    pub transpose: Movement,
    /// `y[p · y_step + j] = x[p · x_step + j]` for `p < k`, `j < columns`.
    pub copy: Movement,
}

/// Moves a block: its elements in x, the distance of its rows there; where to in y, the distance there; its extents.
type Movement = unsafe fn(x: *const f32, x_step: usize, y: *mut f32, y_step: usize, k: usize, columns: usize);

impl Micro {
    /// Most columns of a tile.
    pub fn columns(&self) -> usize {
        self.lanes * self.vectors
    }
}

/// Repeats a block for the constants `$i` from 0 to below `$rows`, at most 14: loops this long are not always unrolled,
/// and the accumulators must stay in registers.
macro_rules! unrolled {
    ($rows:expr, $i:ident => $body:block) => {
        unrolled!(@ $rows, $i $body 0 1 2 3 4 5 6 7 8 9 10 11 12 13)
    };
    (@ $rows:expr, $i:ident $body:block $($n:literal)*) => {
        $(if $n < $rows {
            const $i: usize = $n;
            $body
        })*
    };
}

/// Vectors that are zero, or addresses. A list of them would be written by a loop, and where that is not unrolled the
/// vectors stay in memory.
///
/// # Safety
/// `T` is made of vectors, of which zero has no bit set, or of addresses.
#[inline(always)]
pub(super) unsafe fn zeros<T: Copy>() -> T {
    // SAFETY: the caller's.
    unsafe { core::mem::zeroed() }
}

/// The body of every kernel.
///
/// # Safety
/// The instruction set of `V` is available, and the tile describes memory of the caller: `R` rows and
/// `(N - 1) · LANES + tail` columns.
#[inline(always)]
#[allow(clippy::needless_range_loop)]
pub(super) unsafe fn tile<V: Vector, const R: usize, const N: usize, const BY_COLUMNS: bool>(t: &Tile) {
    // SAFETY: the offsets stay inside the operands the caller vouches for.
    unsafe {
        let mask = V::mask(t.tail);
        let part = t.tail != V::LANES && !(V::FEW && N > 1);
        let acc = if V::FREE_MASKS || part && !t.whole || (N == 1 && R < V::SMALL) {
            sums::<V, R, N, BY_COLUMNS, true>(t, mask)
        } else {
            sums::<V, R, N, BY_COLUMNS, false>(t, mask)
        };
        unrolled!(R, I => {
            unrolled!(N, J => {
                let to = t.c.add(I * t.c_step + J * V::LANES);
                if J + 1 == N && part {
                    let sum = if t.add && !V::STRICT { V::load_part(to, mask).add(acc[I][J]) } else { acc[I][J] };
                    sum.store_part(to, mask);
                } else {
                    let sum = if t.add && !V::STRICT { V::load(to).add(acc[I][J]) } else { acc[I][J] };
                    sum.store(to);
                }
            });
        });
    }
}

/// The sums of a tile; with `PART` the last vector of b is read by the mask.
///
/// # Safety
/// As [`tile`].
// `unrolled!` takes only the branches of indices below the count.
#[allow(clippy::out_of_bounds_indexing)]
#[inline(always)]
unsafe fn sums<V: Vector, const R: usize, const N: usize, const BY_COLUMNS: bool, const PART: bool>(
    t: &Tile,
    mask: V::Mask,
) -> [[V; N]; R] {
    /// Pointers to rows of a, three rows each.
    const GROUPS: usize = 5;
    let Tile { k, segments, a_segment, mut a, a_step, mut b, b_step, b_skip, .. } = *t;
    // SAFETY: the offsets stay inside the operands the caller vouches for.
    unsafe {
        let mut acc: [[V; N]; R] = zeros();
        if V::STRICT && t.add {
            unrolled!(R, I => { acc[I] = vectors::<V, N, PART>(t.c.add(I * t.c_step), mask); });
        }
        let mut segments = segments;
        while segments > 0 {
            segments -= 1;
            // Row i of a by rows has a pointer of its own, or is `bases[i / 3] + (i % 3) · a_step`: few enough
            // pointers to stay in registers.
            let mut rows: [*const f32; R] = zeros();
            let mut bases: [*const f32; GROUPS] = zeros();
            let mut column = a;
            if !BY_COLUMNS {
                unrolled!(R, I => { rows[I] = a.wrapping_add(I * a_step); });
                unrolled!(GROUPS, I => { bases[I] = a.wrapping_add(I * 3 * a_step); });
            }
            let mut left = k;
            if left > 0 {
                // Tested at its end, as compilers leave it where they optimize for size.
                loop {
                    let row = vectors::<V, N, PART>(b, mask);
                    unrolled!(R, I => {
                        let value = V::splat(if BY_COLUMNS {
                            *column.add(I)
                        } else if V::POINTERS {
                            *rows[I]
                        } else {
                            *bases[I / 3].add(I % 3 * a_step)
                        });
                        unrolled!(N, J => { acc[I][J] = acc[I][J].multiply_add(value, row[J]); });
                    });
                    if BY_COLUMNS {
                        column = column.wrapping_add(a_step);
                    } else if V::POINTERS {
                        unrolled!(R, I => { rows[I] = rows[I].wrapping_add(1); });
                    } else {
                        unrolled!(GROUPS, I => { bases[I] = bases[I].wrapping_add(1); });
                    }
                    b = b.wrapping_add(b_step);
                    left -= 1;
                    if left == 0 {
                        break;
                    }
                }
            }
            a = a.wrapping_add(a_segment);
            b = b.wrapping_add(b_skip);
        }
        acc
    }
}

/// One row of b in registers.
///
/// # Safety
/// As [`tile`].
#[inline(always)]
unsafe fn vectors<V: Vector, const N: usize, const PART: bool>(b: *const f32, mask: V::Mask) -> [V; N] {
    // SAFETY: the caller's.
    unsafe {
        let mut row: [V; N] = zeros();
        unrolled!(N, J => {
            let from = b.add(J * V::LANES);
            row[J] = if J + 1 == N && PART { V::load_part(from, mask) } else { V::load(from) };
        });
        row
    }
}

/// Tables of the instances of `$kernel` for the heights listed and the widths listed.
macro_rules! kernels {
    ($kernel:ident, $by_columns:literal, [$($rows:literal)*], $vectors:tt) => {
        &[$(kernels!(@row $kernel, $by_columns, $rows, $vectors)),*].as_flattened()
    };
    (@row $kernel:ident, $by_columns:literal, $rows:literal, [$($vectors:literal)*]) => {
        [$($kernel::<$rows, $vectors, $by_columns> as Kernel),*]
    };
}
pub(super) use kernels;
pub(super) use unrolled;

/// Rows ahead of the one copied that are brought near: operands are often too large for the caches.
const AHEAD: usize = 16;

/// [`Micro::copy`] for any instruction set, `L` elements at a time; `prefetch` brings a line near.
///
/// # Safety
/// x is good for `k` rows of `columns` elements at `x_step`, y for as many at `y_step`.
#[inline(always)]
pub(super) unsafe fn copy_rows<const L: usize>(
    x: *const f32,
    x_step: usize,
    y: *mut f32,
    y_step: usize,
    k: usize,
    columns: usize,
    prefetch: impl Fn(*const f32),
) {
    for p in 0..k {
        let from = x.wrapping_add(p * x_step);
        for line in (0..columns).step_by(16) {
            prefetch(from.wrapping_add(AHEAD * x_step + line));
        }
        // SAFETY: the rows are inside the two blocks the caller vouches for.
        unsafe { copy::<L>(from, y.add(p * y_step), columns) };
    }
}

/// Copies `len` elements, `L` at a time: 8 or 16.
///
/// # Safety
/// x and y are good for as many.
#[inline(always)]
pub(super) unsafe fn copy<const L: usize>(x: *const f32, y: *mut f32, len: usize) {
    /// # Safety
    /// x and y are good for `L` elements from `at` on.
    #[inline(always)]
    unsafe fn block<const L: usize>(x: *const f32, y: *mut f32, at: usize) {
        // SAFETY: the caller's.
        unsafe {
            y.add(at).cast::<[f32; L]>().write_unaligned(x.add(at).cast::<[f32; L]>().read_unaligned())
        };
    }
    // SAFETY: blocks end at `len`; the last one may overlap the one before.
    unsafe {
        if len >= L {
            let mut at = 0;
            while at + L <= len {
                block::<L>(x, y, at);
                at += L;
            }
            if at < len {
                block::<L>(x, y, len - L);
            }
        } else if L > 8 && len >= 8 {
            block::<8>(x, y, 0);
            block::<8>(x, y, len - 8);
        } else if len >= 4 {
            block::<4>(x, y, 0);
            block::<4>(x, y, len - 4);
        } else {
            for at in 0..len {
                *y.add(at) = *x.add(at);
            }
        }
    }
}

/// [`Micro::transpose`] for any instruction set.
///
/// # Safety
/// x is good for `columns` rows of `k` elements at `x_step`, y for `k` rows of `columns` elements at `y_step`.
#[inline(always)]
pub(super) unsafe fn transpose(
    x: *const f32,
    x_step: usize,
    y: *mut f32,
    y_step: usize,
    k: usize,
    columns: usize,
) {
    for j in 0..columns {
        for p in 0..k {
            // SAFETY: inside the two blocks the caller vouches for.
            unsafe { *y.add(p * y_step + j) = *x.add(j * x_step + p) };
        }
    }
}

/// The families of the processor that suit a product of `m` rows and `n` columns; none for [`Level::Portable`].
pub(super) fn family(cpu: &Cpu, m: usize, n: usize) -> Option<&'static Micro> {
    match cpu.level() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if cpu.is_strict() => Some(&super::x86::AVX512_STRICT),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 if cpu.is_strict() => Some(&super::x86::AVX2_STRICT),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if m == 1 && n > super::x86::AVX512.columns() => Some(&super::x86::AVX512_ROW),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if n <= super::x86::AVX512_NARROW.columns() => Some(&super::x86::AVX512_NARROW),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => Some(&super::x86::AVX512),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 if m == 1 && n > super::x86::AVX2.columns() => Some(&super::x86::AVX2_ROW),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 if n <= super::x86::AVX2_NARROW.columns() => Some(&super::x86::AVX2_NARROW),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => Some(&super::x86::AVX2),
        #[cfg(target_arch = "aarch64")]
        Level::Neon if cpu.is_strict() => Some(&super::aarch64::STRICT),
        #[cfg(target_arch = "aarch64")]
        Level::Neon => Some(&super::aarch64::NEON),
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        Level::Simd128 => Some(&super::wasm32::SIMD128),
        // A page that wants the bits of every other target takes the build without relaxed instructions.
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd", not(gradling_compact)))]
        Level::RelaxedSimd if cpu.is_strict() => Some(&super::wasm32::SIMD128),
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        Level::RelaxedSimd => Some(&super::wasm32::RELAXED),
        _ => {
            let _ = (m, n);
            None
        }
    }
}
