//! Microkernels: the product of a few rows and a few vectors of columns held in registers.
//!
//! One body serves every instruction set through [`Vector`]. Each element of c is one chain of multiply-adds over k in
//! ascending order, whatever the shape of the tile, so that tiling never changes a bit.

use super::Level;

/// A vector register of `f32`.
///
/// # Safety
/// The methods may only be called where the instruction set of the implementation is available, and pointers must be
/// good for the lanes they name.
pub(super) trait Vector: Copy {
    /// Lanes of a register.
    const LANES: usize;
    /// Selects the leading lanes.
    type Mask: Copy;
    /// The mask of the first `lanes` lanes, 1 to `LANES`.
    unsafe fn mask(lanes: usize) -> Self::Mask;
    unsafe fn zero() -> Self;
    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    /// The lanes of the mask; an implementation whose `Micro` is not `masked` may read them all.
    unsafe fn load_masked(from: *const f32, mask: Self::Mask) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// The first `lanes` lanes; reads nothing else.
    unsafe fn load_part(from: *const f32, mask: Self::Mask, lanes: usize) -> Self;
    /// Writes the first `lanes` lanes and nothing else.
    unsafe fn store_part(self, to: *mut f32, mask: Self::Mask, lanes: usize);
    unsafe fn add(self, other: Self) -> Self;
    /// `self + a · b`.
    unsafe fn multiply_add(self, a: Self, b: Self) -> Self;
}

/// The operands of one tile: `c[i, j] (+)= sum over p of a[i, p] · b[p, j]`.
#[derive(Copy, Clone)]
pub(super) struct Tile {
    /// Length of the sums.
    pub k: usize,
    /// Element (0, 0) of a.
    pub a: *const f32,
    /// Elements between two rows of a, or between two columns for a kernel that goes by columns; the other is 1.
    pub a_step: usize,
    /// Element (0, 0) of b.
    pub b: *const f32,
    /// Elements between two rows of b.
    pub b_step: usize,
    /// Element (0, 0) of c.
    pub c: *mut f32,
    /// Elements between two rows of c.
    pub c_step: usize,
    /// Columns in the last vector.
    pub tail: usize,
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
    /// Whether a partial vector of b may be read in place.
    pub masked: bool,
    /// Kernels that read a by rows, at `(rows - 1) * vectors + (vectors - 1)`.
    pub by_rows: &'static [Kernel],
    /// Kernels that read a by columns.
    pub by_columns: &'static [Kernel],
    /// `y[p · y_step + j] = x[j · x_step + p]` for `p < k`, `j < columns`.
    pub transpose:
        unsafe fn(x: *const f32, x_step: usize, y: *mut f32, y_step: usize, k: usize, columns: usize),
}

impl Micro {
    /// Most columns of a tile.
    pub fn columns(&self) -> usize {
        self.lanes * self.vectors
    }
}

/// The body of every kernel.
///
/// # Safety
/// The instruction set of `V` is available, and the tile describes memory of the caller: `R` rows and
/// `(N - 1) · LANES + tail` columns.
#[inline(always)]
pub(super) unsafe fn tile<V: Vector, const R: usize, const N: usize, const BY_COLUMNS: bool>(t: &Tile) {
    let Tile { k, a, a_step, mut b, b_step, c, c_step, tail, add } = *t;
    // SAFETY: the offsets stay inside the operands the caller vouches for.
    unsafe {
        let mask = V::mask(tail);
        let mut acc = [[V::zero(); N]; R];
        // Row i of a by rows is `bases[i / 3] + (i % 3) · a_step`: few enough pointers to stay in registers.
        let mut bases = [a; 5];
        if !BY_COLUMNS {
            for (group, base) in bases.iter_mut().enumerate() {
                if group * 3 < R {
                    *base = a.add(group * 3 * a_step);
                }
            }
        }
        for _ in 0..k {
            let mut row = [V::zero(); N];
            for (v, row) in row.iter_mut().enumerate() {
                let from = b.add(v * V::LANES);
                *row = if v + 1 == N { V::load_masked(from, mask) } else { V::load(from) };
            }
            for i in 0..R {
                let from = if BY_COLUMNS { bases[0].add(i) } else { bases[i / 3].add(i % 3 * a_step) };
                let value = V::splat(*from);
                for v in 0..N {
                    acc[i][v] = acc[i][v].multiply_add(value, row[v]);
                }
            }
            if BY_COLUMNS {
                bases[0] = bases[0].wrapping_add(a_step);
            } else {
                for (group, base) in bases.iter_mut().enumerate() {
                    if group * 3 < R {
                        *base = base.add(1);
                    }
                }
            }
            b = b.wrapping_add(b_step);
        }
        for (i, acc) in acc.iter().enumerate() {
            for (v, acc) in acc.iter().enumerate() {
                let to = c.add(i * c_step + v * V::LANES);
                if v + 1 == N && tail != V::LANES {
                    let sum = if add { V::load_part(to, mask, tail).add(*acc) } else { *acc };
                    sum.store_part(to, mask, tail);
                } else {
                    let sum = if add { V::load(to).add(*acc) } else { *acc };
                    sum.store(to);
                }
            }
        }
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

/// The families of the level that suit a product of `m` rows and `n` columns; none for [`Level::Portable`].
pub(super) fn family(level: Level, m: usize, n: usize) -> Option<&'static Micro> {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if m == 1 && n > super::x86::AVX512.columns() => Some(&super::x86::AVX512_ROW),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if n <= super::x86::AVX512_NARROW.columns() => Some(&super::x86::AVX512_NARROW),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => Some(&super::x86::AVX512),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 if m == 1 && n > super::x86::AVX2.columns() => Some(&super::x86::AVX2_ROW),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => Some(&super::x86::AVX2),
        #[cfg(target_arch = "aarch64")]
        Level::Neon => Some(&super::aarch64::NEON),
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        Level::Simd128 | Level::RelaxedSimd => Some(&super::wasm32::SIMD128),
        _ => {
            let _ = (m, n);
            None
        }
    }
}
