//! Loops over vectors: denormal control, transposition and reductions.

use super::blocked::copy;
use super::{COMPACT, Cpu, Level, Shared, product};
use core::marker::PhantomData;

/// Calls an `#[inline(always)]` function compiled for the level, so that its plain loops use that level's vectors.
macro_rules! leveled {
    ($level:expr, $body:ident($($arg:ident: $ty:ty),* $(,)?)) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        fn avx2($($arg: $ty),*) { $body($($arg),*) }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512bw,avx512dq")]
        fn avx512($($arg: $ty),*) { $body($($arg),*) }
        match $level {
            // SAFETY: `Cpu` holds only levels that this machine has.
            #[cfg(target_arch = "x86_64")]
            $crate::kernel::Level::Avx2 => unsafe { avx2($($arg),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            $crate::kernel::Level::Avx512 => unsafe { avx512($($arg),*) },
            _ => $body($($arg),*),
        }
    }};
}
pub(crate) use leveled;

/// Calls `$f::<L, PART>($v, at, valid, ..)` for runs of `valid <= L` channels from `at` on that cover `$c` channels;
/// `valid` is `L` unless `PART`.
macro_rules! by_channels {
    ($c:expr, $f:ident($v:expr, $($arg:expr),*)) => {{
        // Pages have code for no more lanes than two vectors have.
        let web = cfg!(target_arch = "wasm32");
        for at in (0..$c).step_by(if $crate::kernel::COMPACT { 4 } else if web { 8 } else { 16 }) {
            if $crate::kernel::COMPACT {
                $f::<4, true>($v, at, ($c - at).min(4), $($arg),*);
                continue;
            }
            if web {
                match ($c - at).min(8) {
                    8 => $f::<8, false>($v, at, 8, $($arg),*),
                    valid @ 5.. => $f::<8, true>($v, at, valid, $($arg),*),
                    valid => $f::<4, true>($v, at, valid, $($arg),*),
                }
                continue;
            }
            match ($c - at).min(16) {
                16 => $f::<16, false>($v, at, 16, $($arg),*),
                valid @ 9.. => $f::<16, true>($v, at, valid, $($arg),*),
                valid @ 5.. => $f::<8, true>($v, at, valid, $($arg),*),
                valid => $f::<4, true>($v, at, valid, $($arg),*),
            }
        }
    }};
}
pub(crate) use by_channels;

/// [`by_channels`] for what is rare: pages have code for four lanes only.
macro_rules! by_few_channels {
    ($c:expr, $f:ident($v:expr, $($arg:expr),*)) => {{
        if cfg!(gradling_compact) {
            for at in (0..$c).step_by(4) {
                $f::<4, true>($v, at, ($c - at).min(4), $($arg),*);
            }
        } else {
            $crate::kernel::vector::by_channels!($c, $f($v, $($arg),*));
        }
    }};
}
pub(crate) use by_few_channels;

/// `L` elements from `at`, of which the first `valid` matter: the others are what follows in x, or zero at its end.
#[inline(always)]
pub(crate) fn lanes<const L: usize, const PART: bool>(x: &[f32], at: usize, valid: usize) -> [f32; L] {
    if PART && at + L > x.len() {
        return last_lanes(&x[at..at + valid]);
    }
    let x = &x[at..at + L];
    // SAFETY: the slice has `L` elements.
    unsafe { x.as_ptr().cast::<[f32; L]>().read_unaligned() }
}

#[cold]
#[inline(never)]
fn last_lanes<const L: usize>(x: &[f32]) -> [f32; L] {
    core::array::from_fn(|l| x.get(l).copied().unwrap_or(0.0))
}

/// Adds the first `valid` lanes to y from `at` on; the others must be zero.
#[inline(always)]
pub(crate) fn add_lanes<const L: usize, const PART: bool>(
    lanes: &[f32; L],
    y: &mut [f32],
    at: usize,
    valid: usize,
) {
    if PART && at + L > y.len() {
        for (y, lane) in y[at..at + valid].iter_mut().zip(lanes) {
            *y += lane;
        }
        return;
    }
    let y = &mut y[at..at + L];
    for l in 0..L {
        y[l] += lanes[l];
    }
}

/// Writes the first `valid` lanes to y from `at` on.
#[inline(always)]
pub(crate) fn set_lanes<const L: usize, const PART: bool>(
    lanes: &[f32; L],
    y: &mut [f32],
    at: usize,
    valid: usize,
) {
    if PART {
        copy(&lanes[..valid], &mut y[at..at + valid]);
    } else {
        let y = &mut y[at..at + L];
        // SAFETY: the slice has `L` elements.
        unsafe { y.as_mut_ptr().cast::<[f32; L]>().write_unaligned(*lanes) };
    }
}

/// The floating-point control bits of this thread, without the sticky status bits; 0 where there are none.
pub(crate) fn control_word() -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        let mut word = 0u32;
        // SAFETY: stores the four bytes of MXCSR into `word`.
        unsafe { core::arch::asm!("stmxcsr [{}]", in(reg) &raw mut word, options(nostack, preserves_flags)) };
        word & !0x3f
    }
    #[cfg(not(target_arch = "x86_64"))]
    0
}

/// Sets the floating-point control bits of this thread to a value of [`control_word`].
pub(crate) fn set_control_word(word: u32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: `word` came from MXCSR, at most with the two flush bits added, so no reserved bit is set.
    unsafe {
        core::arch::asm!("ldmxcsr [{}]", in(reg) &raw const word, options(nostack, readonly, preserves_flags))
    };
    #[cfg(not(target_arch = "x86_64"))]
    let _ = word;
}

/// Restores the handling of denormal numbers of its thread when dropped; made by [`flush_denormals`] and
/// [`keep_denormals`].
#[must_use = "denormals are handled so while this guard lives"]
pub struct FlushDenormals {
    saved: u32,
    /// The word belongs to one thread, so the guard must not move to another.
    thread: PhantomData<*const ()>,
}

impl Drop for FlushDenormals {
    fn drop(&mut self) {
        set_control_word(self.saved);
    }
}

const FLUSH_TO_ZERO: u32 = 1 << 15;
const DENORMALS_ARE_ZERO: u32 = 1 << 6;

/// Reads and writes denormal numbers as zero on this thread, and on the threads that run tasks for it, while the
/// guard lives. Does nothing on processors other than x86-64.
pub fn flush_denormals() -> FlushDenormals {
    let saved = control_word();
    set_control_word(saved | FLUSH_TO_ZERO | DENORMALS_ARE_ZERO);
    FlushDenormals { saved, thread: PhantomData }
}

/// As [`flush_denormals`], but computes with denormal numbers, as processors without such a control do.
pub fn keep_denormals() -> FlushDenormals {
    let saved = control_word();
    set_control_word(saved & !(FLUSH_TO_ZERO | DENORMALS_ARE_ZERO));
    FlushDenormals { saved, thread: PhantomData }
}

/// How [`reduce`] joins elements.
#[derive(Debug, Copy, Clone, PartialEq, Eq, Hash)]
pub enum Reduce {
    /// `a + b`, from 0.
    Sum,
    /// `a · b`, from 1.
    Prod,
    /// The larger, from -∞; NaN if any is NaN.
    Max,
    /// The smaller, from ∞; NaN if any is NaN.
    Min,
}

/// Rows that are joined one after another before they are joined to the rest.
const BLOCK: usize = 256;
/// Partial results per output when the innermost extent is small.
const LANES: usize = 16;
/// Rows of fewer elements are reduced from first to last.
const SHORT: usize = 64;
/// Columns per pass when the innermost extent is large.
const WIDTH: usize = 64;

/// `y[outer, inner] = reduce over mid of x[outer, mid, inner]`.
///
/// The order of the reduction depends on the extents alone: not on the level or the number of threads.
///
/// # Panics
/// If a slice does not have the length its shape says.
pub fn reduce(cpu: &Cpu, kind: Reduce, x: &[f32], outer: usize, mid: usize, inner: usize, y: &mut [f32]) {
    assert_eq!(x.len(), product(&[outer, mid, inner]), "reduce: length of x");
    assert_eq!(y.len(), product(&[outer, inner]), "reduce: length of y");
    if y.is_empty() {
        return;
    }
    let level = cpu.level();
    let threads = if x.len() < 1 << 16 { 1 } else { cpu.threads() };
    if outer >= threads || inner <= LANES {
        let chunk = outer.div_ceil(threads);
        let y = Shared::new(y);
        cpu.parallel(outer.div_ceil(chunk), &|task| {
            let from = task * chunk;
            let to = outer.min(from + chunk);
            let x = &x[from * mid * inner..to * mid * inner];
            // SAFETY: each task has its own range of the outer axis.
            let y = unsafe { y.range(from * inner, (to - from) * inner) };
            reduce_at(level, kind, x, mid, inner, y);
        });
    } else {
        let chunk = inner.div_ceil(threads).next_multiple_of(WIDTH);
        let y = Shared::new(y);
        cpu.parallel(inner.div_ceil(chunk), &|task| {
            let from = task * chunk;
            let len = chunk.min(inner - from);
            for o in 0..outer {
                let x = if mid == 0 { x } else { &x[o * mid * inner + from..(o + 1) * mid * inner] };
                // SAFETY: each task has its own range of the inner axis.
                let y = unsafe { y.range(o * inner + from, len) };
                wide_at(level, kind, x, mid, inner, y);
            }
        });
    }
}

fn reduce_at(level: Level, kind: Reduce, x: &[f32], mid: usize, inner: usize, y: &mut [f32]) {
    if inner == 1 && (1..SHORT).contains(&mid) {
        if COMPACT {
            let join = |x: &[f32]| x.iter().fold(kind.identity(), |acc, x| kind.join(acc, *x));
            return x.chunks_exact(mid).zip(y).for_each(|(x, y)| *y = join(x));
        }
        return leveled!(level, short(kind: Reduce, x: &[f32], mid: usize, y: &mut [f32]));
    }
    for (o, y) in y.chunks_exact_mut(inner).enumerate() {
        let x = &x[o * mid * inner..(o + 1) * mid * inner];
        if inner <= LANES {
            leveled!(level, narrow(kind: Reduce, x: &[f32], y: &mut [f32]))
        } else {
            wide_at(level, kind, x, mid, inner, y)
        }
    }
}

fn wide_at(level: Level, kind: Reduce, x: &[f32], mid: usize, stride: usize, y: &mut [f32]) {
    leveled!(level, wide(kind: Reduce, x: &[f32], mid: usize, stride: usize, y: &mut [f32]))
}

impl Reduce {
    fn identity(self) -> f32 {
        match self {
            Reduce::Sum => 0.0,
            Reduce::Prod => 1.0,
            Reduce::Max => f32::NEG_INFINITY,
            Reduce::Min => f32::INFINITY,
        }
    }

    #[inline(always)]
    pub(super) fn join(self, a: f32, b: f32) -> f32 {
        match self {
            Reduce::Sum => a + b,
            Reduce::Prod => a * b,
            Reduce::Max => larger(a, b),
            Reduce::Min => smaller(a, b),
        }
    }
}

fn larger(a: f32, b: f32) -> f32 {
    if a > b || a.is_nan() { a } else { b }
}

fn smaller(a: f32, b: f32) -> f32 {
    if a < b || a.is_nan() { a } else { b }
}

/// Rows of few elements: sixteen rows at a time, each from its first element on.
#[inline(always)]
fn short(kind: Reduce, x: &[f32], mid: usize, y: &mut [f32]) {
    match kind {
        Reduce::Sum => short_of(0.0, |a, b| a + b, x, mid, y),
        Reduce::Prod => short_of(1.0, |a, b| a * b, x, mid, y),
        Reduce::Max => short_of(f32::NEG_INFINITY, larger, x, mid, y),
        Reduce::Min => short_of(f32::INFINITY, smaller, x, mid, y),
    }
}

#[inline(always)]
fn short_of(identity: f32, f: impl Fn(f32, f32) -> f32, x: &[f32], mid: usize, y: &mut [f32]) {
    for (x, y) in x.chunks(LANES * mid).zip(y.chunks_mut(LANES)) {
        let mut acc = [identity; LANES];
        if y.len() == LANES {
            for j in 0..mid {
                for (r, acc) in acc.iter_mut().enumerate() {
                    *acc = f(*acc, x[r * mid + j]);
                }
            }
        } else {
            for (acc, row) in acc.iter_mut().zip(x.chunks_exact(mid)) {
                *acc = row.iter().fold(identity, |acc, x| f(acc, *x));
            }
        }
        y.copy_from_slice(&acc[..y.len()]);
    }
}

/// Few columns: 16 rows side by side make one wide row of partial results.
#[inline(always)]
fn narrow(kind: Reduce, x: &[f32], y: &mut [f32]) {
    if ONE_FOLD {
        return narrow_of(kind.identity(), |acc, row| fold_any(kind, acc, row), x, y);
    }
    match kind {
        Reduce::Sum => narrow_of(0.0, fold(|a, b| a + b), x, y),
        Reduce::Prod => narrow_of(1.0, fold(|a, b| a * b), x, y),
        Reduce::Max => narrow_of(f32::NEG_INFINITY, fold(larger), x, y),
        Reduce::Min => narrow_of(f32::INFINITY, fold(smaller), x, y),
    }
}

#[inline(always)]
fn narrow_of(identity: f32, fold: impl Fn(&mut [f32], &[f32]), x: &[f32], y: &mut [f32]) {
    let inner = y.len();
    let width = LANES * inner;
    let mut total = [identity; LANES * LANES];
    let total = &mut total[..width];
    for block in x.chunks(BLOCK * width) {
        let mut partial = [identity; LANES * LANES];
        let partial = &mut partial[..width];
        for row in block.chunks(width) {
            fold(partial, row);
        }
        fold(total, partial);
    }
    for half in [LANES / 2, LANES / 4, LANES / 8, LANES / 16] {
        let (low, high) = total.split_at_mut(half * inner);
        fold(low, &high[..half * inner]);
    }
    y.copy_from_slice(&total[..inner]);
}

/// Joins a row to partial results by a function.
#[inline(always)]
fn fold(f: impl Fn(f32, f32) -> f32) -> impl Fn(&mut [f32], &[f32]) {
    move |acc, row| {
        for (acc, x) in acc.iter_mut().zip(row) {
            *acc = f(*acc, *x);
        }
    }
}

/// Whether [`fold_any`] takes the place of a loop for each kind: it is small, and in pages it has vectors.
const ONE_FOLD: bool = COMPACT || cfg!(all(target_arch = "wasm32", target_feature = "simd128"));

/// As `fold`, one function for all kinds.
fn fold_any(kind: Reduce, acc: &mut [f32], row: &[f32]) {
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    super::wasm32::fold(kind, acc, row);
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    fold(|a, b| kind.join(a, b))(acc, row);
}

/// Many columns: row after row, `WIDTH` columns at a time. Row `r` of x begins at `r · stride`.
#[inline(always)]
fn wide(kind: Reduce, x: &[f32], mid: usize, stride: usize, y: &mut [f32]) {
    if ONE_FOLD {
        return wide_of(kind.identity(), |acc, row| fold_any(kind, acc, row), x, mid, stride, y);
    }
    match kind {
        Reduce::Sum => wide_of(0.0, fold(|a, b| a + b), x, mid, stride, y),
        Reduce::Prod => wide_of(1.0, fold(|a, b| a * b), x, mid, stride, y),
        Reduce::Max => wide_of(f32::NEG_INFINITY, fold(larger), x, mid, stride, y),
        Reduce::Min => wide_of(f32::INFINITY, fold(smaller), x, mid, stride, y),
    }
}

#[inline(always)]
fn wide_of(
    identity: f32,
    fold: impl Fn(&mut [f32], &[f32]),
    x: &[f32],
    mid: usize,
    stride: usize,
    y: &mut [f32],
) {
    y.fill(identity);
    // A block of rows stays in the cache for all columns.
    for block in (0..mid).step_by(BLOCK) {
        for (i, total) in y.chunks_mut(WIDTH).enumerate() {
            let mut partial = [identity; WIDTH];
            for row in block..mid.min(block + BLOCK) {
                let from = row * stride + i * WIDTH;
                if total.len() == WIDTH {
                    fold(&mut partial, &x[from..from + WIDTH]);
                } else {
                    fold(&mut partial, &x[from..from + total.len()]);
                }
            }
            fold(total, &partial);
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::kernel::Pool;
    use std::vec;
    use std::vec::Vec;

    #[test]
    fn denormals_are_zero_while_the_guard_lives() {
        let tiny = core::hint::black_box(f32::from_bits(8));
        {
            let _guard = flush_denormals();
            if cfg!(target_arch = "x86_64") {
                assert_eq!(core::hint::black_box(tiny * core::hint::black_box(1.0)).to_bits(), 0);
            }
        }
        assert_eq!(core::hint::black_box(tiny * core::hint::black_box(1.0)).to_bits(), 8);
    }

    #[test]
    fn reductions_match_plain_loops_at_every_level_and_thread_count() {
        let pool = Pool::new(3);
        for (outer, mid, inner) in [
            (1, 1, 1),
            (3, 10, 1),
            (2, 1000, 1),
            (1, 5000, 6),
            (4, 7, 16),
            (2, 33, 17),
            (5, 3, 130),
            (1, 700, 200),
        ] {
            let x: Vec<f32> =
                (0..outer * mid * inner).map(|i| ((i * 37 % 101) as f32 - 50.0) * 0.02 + 0.003).collect();
            for kind in [Reduce::Sum, Reduce::Prod, Reduce::Max, Reduce::Min] {
                let mut first: Option<Vec<f32>> = None;
                for &level in Level::available() {
                    for pool in [None, Some(&pool)] {
                        let mut y = vec![9.0; outer * inner];
                        reduce(&Cpu::new(level, pool), kind, &x, outer, mid, inner, &mut y);
                        for (at, y) in y.iter().enumerate() {
                            let (o, i) = (at / inner, at % inner);
                            let values = (0..mid).map(|m| x[(o * mid + m) * inner + i] as f64);
                            let want = match kind {
                                Reduce::Sum => values.sum::<f64>(),
                                Reduce::Prod => values.product(),
                                Reduce::Max => values.fold(f64::NEG_INFINITY, f64::max),
                                Reduce::Min => values.fold(f64::INFINITY, f64::min),
                            };
                            assert!(
                                (*y as f64 - want).abs() <= 1e-4 * (1.0 + want.abs()),
                                "{kind:?} {y} {want}"
                            );
                        }
                        let first = first.get_or_insert_with(|| y.clone());
                        assert!(first.iter().zip(&y).all(|(a, b)| a.to_bits() == b.to_bits()));
                    }
                }
            }
        }
    }

    #[test]
    fn reductions_of_nothing_and_of_nan() {
        let cpu = Cpu::default();
        for (kind, want) in [
            (Reduce::Sum, 0.0),
            (Reduce::Prod, 1.0),
            (Reduce::Max, f32::NEG_INFINITY),
            (Reduce::Min, f32::INFINITY),
        ] {
            for inner in [1, 40] {
                let mut y = vec![9.0; 2 * inner];
                reduce(&cpu, kind, &[], 2, 0, inner, &mut y);
                assert!(y.iter().all(|&y| y == want));
                let mut x = vec![1.0; 20 * inner];
                x[3 * inner] = f32::NAN;
                reduce(&cpu, kind, &x, 1, 20, inner, &mut y[..inner]);
                assert!(y[0].is_nan());
                assert_eq!(y[inner - 1].is_nan(), inner == 1);
            }
        }
        reduce(&cpu, Reduce::Sum, &[], 0, 3, 4, &mut []);
    }
}
