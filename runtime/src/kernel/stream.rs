//! Loops of formulas known when compiling: every value stays in registers from the loads to the stores.
//!
//! The tile loop ([`super::tile`]) interprets any program, and every instruction goes through the first-level cache;
//! a [`Formula`] is compiled, so its loop runs at the speed of memory.
#![allow(unsafe_code)]

use super::{COMPACT, Cpu, Level, View, ViewMut};
use crate::DType;

/// `W` results for each element from `R` operands and `S` numbers that are the same for all.
pub trait Formula<const S: usize, const R: usize, const W: usize>: Sync {
    /// The results for one element.
    fn apply(scalars: [f32; S], x: [f32; R]) -> [f32; W];
}

/// Elements that are loaded together.
const BLOCK: usize = 16;
/// Elements a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// Runs a formula over whole tensors. Results may lie exactly where operands do. Returns false, nothing written, where
/// the operands are not float32 of one element count.
#[must_use]
pub fn run<F: Formula<S, R, W>, const S: usize, const R: usize, const W: usize>(
    cpu: &Cpu,
    formula: &F,
    scalars: [f32; S],
    reads: [&View; R],
    writes: &[ViewMut],
) -> bool {
    let Some(total) = writes.first().map(|w| w.shape().numel()) else { return false };
    let fits = writes.len() == W
        && reads.iter().all(|r| r.dtype() == DType::F32 && r.shape().numel() == total)
        && writes.iter().all(|w| w.dtype() == DType::F32 && w.shape().numel() == total);
    if !fits {
        return false;
    }
    let task = |i: usize| {
        let (start, end) = (i * CHUNK, total.min((i + 1) * CHUNK));
        let from = reads.map(|r| r.start().cast::<f32>().wrapping_add(start));
        let to = core::array::from_fn(|w| writes[w].start().cast::<f32>().wrapping_add(start));
        dispatch(cpu.level(), formula, scalars, from, to, end - start);
    };
    let chunks = total.div_ceil(CHUNK);
    if chunks <= 1 {
        task(0)
    } else {
        cpu.parallel(chunks, &task)
    }
    true
}

fn dispatch<F: Formula<S, R, W>, const S: usize, const R: usize, const W: usize>(
    level: Level,
    formula: &F,
    scalars: [f32; S],
    from: [*const f32; R],
    to: [*mut f32; W],
    n: usize,
) {
    #[cfg(target_arch = "x86_64")]
    {
        /// The same loop, compiled for AVX-512.
        #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
        unsafe fn avx512<F: Formula<S, R, W>, const S: usize, const R: usize, const W: usize>(
            _: &F,
            scalars: [f32; S],
            from: [*const f32; R],
            to: [*mut f32; W],
            n: usize,
        ) {
            // SAFETY: the caller's.
            unsafe { blocks::<F, S, R, W>(scalars, from, to, n) }
        }
        /// The same loop, compiled for AVX2.
        #[target_feature(enable = "avx2,fma")]
        unsafe fn avx2<F: Formula<S, R, W>, const S: usize, const R: usize, const W: usize>(
            _: &F,
            scalars: [f32; S],
            from: [*const f32; R],
            to: [*mut f32; W],
            n: usize,
        ) {
            // SAFETY: the caller's.
            unsafe { blocks::<F, S, R, W>(scalars, from, to, n) }
        }
        // SAFETY: a level is only chosen where the processor has its features (`Level::available`); the operands and
        // results have `n` elements (checked in `run`).
        match level {
            Level::Avx512 => return unsafe { avx512(formula, scalars, from, to, n) },
            Level::Avx2 => return unsafe { avx2(formula, scalars, from, to, n) },
            _ => {}
        }
    }
    let _ = (level, formula);
    // SAFETY: as above.
    unsafe { blocks::<F, S, R, W>(scalars, from, to, n) }
}

/// # Safety
/// `from` and `to` address `n` elements each; ranges of `to` are disjoint or the same as one of `from`.
// Plain loops: those of iterators and of `array::map` are not always inlined, and then nothing is vectorized.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn blocks<F: Formula<S, R, W>, const S: usize, const R: usize, const W: usize>(
    scalars: [f32; S],
    from: [*const f32; R],
    to: [*mut f32; W],
    n: usize,
) {
    let mut i = 0;
    // SAFETY: blocks end at `n`; each is read before it is written, and no other block is the same memory.
    unsafe {
        while !COMPACT && i + BLOCK <= n {
            let mut x = [[0.0; BLOCK]; R];
            for r in 0..R {
                x[r] = from[r].add(i).cast::<[f32; BLOCK]>().read_unaligned();
            }
            let mut y = [[0.0; BLOCK]; W];
            for j in 0..BLOCK {
                let mut one = [0.0; R];
                for r in 0..R {
                    one[r] = x[r][j];
                }
                let values = F::apply(scalars, one);
                for w in 0..W {
                    y[w][j] = values[w];
                }
            }
            for w in 0..W {
                to[w].add(i).cast::<[f32; BLOCK]>().write_unaligned(y[w]);
            }
            i += BLOCK;
        }
        while i < n {
            let mut one = [0.0; R];
            for r in 0..R {
                one[r] = *from[r].add(i);
            }
            let values = F::apply(scalars, one);
            for w in 0..W {
                *to[w].add(i) = values[w];
            }
            i += 1;
        }
    }
}
