//! Loops of formulas known when compiling: every value stays in registers from the loads to the stores.
//!
//! The tile loop ([`super::tile`]) interprets any program, and every instruction goes through the first-level cache;
//! a [`Formula`] is compiled, so its loop runs at the speed of memory.
#![allow(unsafe_code)]

use super::micro::unrolled;
use super::{Cpu, Level, View, ViewMut};
use crate::math::Real;
use crate::{DType, Shape};
use core::ops::Range;

/// `W` results for each element from `R` operands, `P` rows that repeat and `S` numbers that are the same for all.
pub trait Formula<const S: usize, const P: usize, const R: usize, const W: usize>: Sync {
    /// The results for one element, or for the lanes of a vector.
    fn apply<T: Real>(scalars: [T; S], rows: [T; P], x: [T; R]) -> [T; W];
}

/// What a formula reads.
#[derive(Clone, Copy)]
pub struct Operands<'a, 'm, const S: usize, const P: usize, const R: usize> {
    /// Numbers.
    pub scalars: [f32; S],
    /// Rows of one length, which divides the number of elements.
    pub rows: [&'a View<'m>; P],
    /// Tensors of as many elements as the results.
    pub tensors: [&'a View<'m>; R],
}

/// Elements that are loaded together.
const BLOCK: usize = if cfg!(target_arch = "wasm32") { 4 } else { 16 };
/// Elements a thread takes at a time.
const CHUNK: usize = 1 << 14;

impl<const S: usize, const P: usize, const R: usize> Operands<'_, '_, S, P, R> {
    /// The length of the rows; all elements where there are none. `None` where the operands do not fit the results.
    fn row(&self, writes: &[ViewMut], results: usize) -> Option<usize> {
        let total = writes.first()?.shape().numel();
        let row = self.rows.first().map_or(total, |row| row.shape().numel());
        let fits = writes.len() == results
            && row > 0
            && total.is_multiple_of(row)
            && self.rows.iter().all(|r| r.dtype() == DType::F32 && r.shape().numel() == row)
            && self.tensors.iter().all(|r| r.dtype() == DType::F32 && r.shape().numel() == total)
            && writes.iter().all(|w| w.dtype() == DType::F32 && w.shape().numel() == total);
        fits.then_some(row)
    }
}

/// Runs a formula over whole tensors. Results may lie exactly where operands do. Returns false, nothing written, where
/// the operands do not fit.
#[must_use]
pub fn run<F: Formula<S, P, R, W>, const S: usize, const P: usize, const R: usize, const W: usize>(
    cpu: &Cpu,
    formula: &F,
    operands: &Operands<S, P, R>,
    writes: &[ViewMut],
) -> bool {
    let total = writes.first().map_or(0, |w| w.shape().numel());
    if operands.row(writes, W).is_none() {
        return false;
    }
    let chunks = total.div_ceil(CHUNK);
    let task = |i: usize| {
        let range = i * CHUNK..total.min((i + 1) * CHUNK);
        let _ = run_part(cpu, formula, operands, writes, range);
    };
    if chunks <= 1 {
        task(0)
    } else {
        cpu.parallel(chunks, &task)
    }
    true
}

/// Runs a formula over some elements: a part of [`run`].
#[must_use]
pub fn run_part<F: Formula<S, P, R, W>, const S: usize, const P: usize, const R: usize, const W: usize>(
    cpu: &Cpu,
    formula: &F,
    operands: &Operands<S, P, R>,
    writes: &[ViewMut],
    range: Range<usize>,
) -> bool {
    let Some(row) = operands.row(writes, W) else { return false };
    if range.end > writes[0].shape().numel() {
        return false;
    }
    let mut start = range.start;
    while start < range.end {
        // A row that began before, then whole rows, then the beginning of one.
        let (column, left) = (start % row, range.end - start);
        let (n, lines) =
            if column == 0 && left >= row { (row, left / row) } else { ((row - column).min(left), 1) };
        let at = |view: &View, at: usize| view.start().cast::<f32>().wrapping_add(at);
        let part = Part {
            scalars: operands.scalars,
            rows: operands.rows.map(|r| at(r, column)),
            from: operands.tensors.map(|r| at(r, start)),
            from_step: [row; R],
            to: core::array::from_fn(|w| writes[w].start().cast::<f32>().wrapping_add(start)),
            to_step: [row; W],
            n,
            lines,
        };
        dispatch(cpu.level(), formula, &part);
        start += n * lines;
    }
    true
}

/// Runs a formula over the columns of matrices that have `rows` rows: element (i, j) of a result comes from elements
/// (i, j) of the operands, each of which is `width` adjacent columns of a matrix, from the given column on. Returns
/// false, nothing written, where columns are not there.
///
/// Results overlap no operands; each column is written once.
#[must_use]
pub fn run_columns<F: Formula<0, 0, R, W>, const R: usize, const W: usize>(
    cpu: &Cpu,
    formula: &F,
    [rows, width]: [usize; 2],
    reads: [(&View, usize); R],
    writes: [(&ViewMut, usize); W],
) -> bool {
    let fits = |shape: &Shape, dtype: DType, column: usize| {
        let pitch = shape.dim(-1);
        dtype == DType::F32 && shape.numel() == rows * pitch && column + width <= pitch
    };
    if !reads.iter().all(|(r, column)| fits(r.shape(), r.dtype(), *column))
        || !writes.iter().all(|(w, column)| fits(w.shape(), w.dtype(), *column))
    {
        return false;
    }
    let together = (CHUNK / width.max(1)).max(1);
    let task = |chunk: usize| {
        let first = chunk * together;
        let place = |shape: &Shape, column: usize| first * shape.dim(-1) + column;
        let part = Part {
            scalars: [],
            rows: [],
            from: reads.map(|(r, column)| r.start().cast::<f32>().wrapping_add(place(r.shape(), column))),
            from_step: reads.map(|(r, _)| r.shape().dim(-1)),
            to: writes.map(|(w, column)| w.start().cast::<f32>().wrapping_add(place(w.shape(), column))),
            to_step: writes.map(|(w, _)| w.shape().dim(-1)),
            n: width,
            lines: together.min(rows - first),
        };
        dispatch(cpu.level(), formula, &part);
    };
    let chunks = rows.div_ceil(together);
    if chunks <= 1 {
        (0..chunks).for_each(task)
    } else {
        cpu.parallel(chunks, &task)
    }
    true
}

/// Lines of `n` elements side by side: where the first ones lie, and how far apart the lines do. Every line has the same
/// rows.
struct Part<const S: usize, const P: usize, const R: usize, const W: usize> {
    scalars: [f32; S],
    rows: [*const f32; P],
    from: [*const f32; R],
    from_step: [usize; R],
    to: [*mut f32; W],
    to_step: [usize; W],
    n: usize,
    lines: usize,
}

fn dispatch<F: Formula<S, P, R, W>, const S: usize, const P: usize, const R: usize, const W: usize>(
    level: Level,
    formula: &F,
    part: &Part<S, P, R, W>,
) {
    #[cfg(target_arch = "x86_64")]
    {
        /// The same loop, compiled for AVX-512.
        #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
        unsafe fn avx512<
            F: Formula<S, P, R, W>,
            const S: usize,
            const P: usize,
            const R: usize,
            const W: usize,
        >(
            _: &F,
            part: &Part<S, P, R, W>,
        ) {
            // SAFETY: the caller's.
            unsafe { blocks::<F, S, P, R, W>(part) }
        }
        /// The same loop, compiled for AVX2.
        #[target_feature(enable = "avx2,fma")]
        unsafe fn avx2<
            F: Formula<S, P, R, W>,
            const S: usize,
            const P: usize,
            const R: usize,
            const W: usize,
        >(
            _: &F,
            part: &Part<S, P, R, W>,
        ) {
            // SAFETY: the caller's.
            unsafe { blocks::<F, S, P, R, W>(part) }
        }
        // SAFETY: a level is only chosen where the processor has its features (`Level::available`); the part is inside
        // the operands and results (checked in `run_part`).
        match level {
            Level::Avx512 => return unsafe { avx512(formula, part) },
            // SAFETY: as above.
            Level::Avx2 => return unsafe { avx2(formula, part) },
            _ => {}
        }
    }
    let _ = (level, formula);
    // SAFETY: as above.
    unsafe { blocks::<F, S, P, R, W>(part) }
}

/// # Safety
/// The pointers address `lines` times `n` elements each; ranges of `to` are disjoint or the same as one of `from`.
// `unrolled!` takes only the branches of indices below the count.
#[allow(clippy::out_of_bounds_indexing)]
#[inline(always)]
unsafe fn blocks<F: Formula<S, P, R, W>, const S: usize, const P: usize, const R: usize, const W: usize>(
    part: &Part<S, P, R, W>,
) {
    let mut line = Line { scalars: part.scalars, rows: part.rows, from: part.from, to: part.to };
    for _ in 0..part.lines {
        // SAFETY: the caller's.
        unsafe { stepped::<F, S, P, R, W>(&line, part.n) };
        unrolled!(R, I => { line.from[I] = line.from[I].wrapping_add(part.from_step[I]); });
        unrolled!(W, I => { line.to[I] = line.to[I].wrapping_add(part.to_step[I]); });
    }
}

/// The `n` elements of a line in blocks, then in smaller ones.
///
/// # Safety
/// As [`blocks`].
#[inline(always)]
unsafe fn stepped<F: Formula<S, P, R, W>, const S: usize, const P: usize, const R: usize, const W: usize>(
    line: &Line<S, P, R, W>,
    n: usize,
) {
    let mut i = 0;
    // SAFETY: blocks end at `n`; each is read before it is written, and no other block is the same memory.
    unsafe {
        while i + BLOCK <= n {
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            lanes::<F, S, P, R, W>(line, i);
            #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
            block::<F, S, P, R, W, BLOCK>(line, i);
            i += BLOCK;
        }
        while BLOCK > 4 && i + BLOCK / 4 <= n {
            block::<F, S, P, R, W, { BLOCK / 4 }>(line, i);
            i += BLOCK / 4;
        }
        while i < n {
            block::<F, S, P, R, W, 1>(line, i);
            i += 1;
        }
    }
}

/// One line of a [`Part`].
struct Line<const S: usize, const P: usize, const R: usize, const W: usize> {
    scalars: [f32; S],
    rows: [*const f32; P],
    from: [*const f32; R],
    to: [*mut f32; W],
}

/// Four elements from `i` on, as one vector.
///
/// # Safety
/// As [`blocks`], of which these are a part.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[allow(clippy::out_of_bounds_indexing)] // `unrolled!` takes only the branches of indices below the count.
#[inline(always)]
unsafe fn lanes<F: Formula<S, P, R, W>, const S: usize, const P: usize, const R: usize, const W: usize>(
    line: &Line<S, P, R, W>,
    i: usize,
) {
    use super::micro::zeros;
    use crate::math::Lanes;
    use core::arch::wasm32::{v128_load, v128_store};
    // SAFETY: the caller's.
    unsafe {
        let (mut scalars, mut rows, mut x): ([Lanes; S], [Lanes; P], [Lanes; R]) =
            (zeros(), zeros(), zeros());
        unrolled!(S, I => { scalars[I] = Lanes::of(line.scalars[I]); });
        unrolled!(P, I => { rows[I] = Lanes(v128_load(line.rows[I].add(i).cast())); });
        unrolled!(R, I => { x[I] = Lanes(v128_load(line.from[I].add(i).cast())); });
        let y = F::apply(scalars, rows, x);
        unrolled!(W, I => { v128_store(line.to[I].add(i).cast(), y[I].0); });
    }
}

/// `B` elements from `i` on.
///
/// # Safety
/// As [`blocks`], of which these are a part.
// Plain loops: those of iterators and of `array::map` are not always inlined, and then nothing is vectorized.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn block<
    F: Formula<S, P, R, W>,
    const S: usize,
    const P: usize,
    const R: usize,
    const W: usize,
    const B: usize,
>(
    part: &Line<S, P, R, W>,
    i: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        let mut x = [[0.0; B]; R];
        for r in 0..R {
            x[r] = part.from[r].add(i).cast::<[f32; B]>().read_unaligned();
        }
        let mut rows = [[0.0; B]; P];
        for p in 0..P {
            rows[p] = part.rows[p].add(i).cast::<[f32; B]>().read_unaligned();
        }
        let mut y = [[0.0; B]; W];
        for j in 0..B {
            let mut one = [0.0; R];
            for r in 0..R {
                one[r] = x[r][j];
            }
            let mut row = [0.0; P];
            for p in 0..P {
                row[p] = rows[p][j];
            }
            let values = F::apply(part.scalars, row, one);
            for w in 0..W {
                y[w][j] = values[w];
            }
        }
        for w in 0..W {
            part.to[w].add(i).cast::<[f32; B]>().write_unaligned(y[w]);
        }
    }
}
