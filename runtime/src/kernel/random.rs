//! Uniform random numbers by Philox, many counters at a time.
// WebAssembly with vectors has loops of its own.
#![cfg_attr(all(target_arch = "wasm32", target_feature = "simd128"), allow(dead_code, unused_imports))]

use super::vector::leveled;
use super::{COMPACT, Chosen, Cpu, Shared};
use crate::rng::{Philox, philox, unit};

/// Blocks of four words that are computed together.
const LANES: usize = 16;
/// Numbers each thread takes at a time.
const CHUNK: usize = 1 << 15;

/// The loops of [`uniform`].
pub(crate) fn chosen(cpu: &Cpu) -> Chosen {
    if COMPACT { Chosen::Plain } else { Chosen::vectors(cpu) }
}

/// Element i is word `i % 4` of the Philox block with counter `(i / 4, 0, stream, 0)`, as a float in [0, 1).
pub fn uniform(cpu: &Cpu, key: [u32; 2], stream: u32, y: &mut [f32]) {
    if chosen(cpu) == Chosen::Plain {
        return few(key, stream, 0, y);
    }
    let (n, y) = (y.len(), Shared::new(y));
    let task = |i: usize| {
        let from = i * CHUNK;
        // SAFETY: each task has its own range of y.
        let y = unsafe { y.range(from, CHUNK.min(n - from)) };
        let first = (from / 4) as u32;
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        {
            let done = super::wasm32::random::uniform(key, stream, first, y);
            few(key, stream, first + (done / 4) as u32, &mut y[done..]);
        }
        #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
        leveled!(cpu.level(), many(key: [u32; 2], stream: u32, first: u32, y: &mut [f32]));
    };
    match n.div_ceil(CHUNK) {
        0 => {}
        1 => task(0),
        tasks => cpu.parallel(tasks, &task),
    }
}

/// One block after another from `first` on.
fn few(key: [u32; 2], stream: u32, first: u32, y: &mut [f32]) {
    for (block, four) in (first..).zip(y.chunks_mut(4)) {
        for (y, word) in four.iter_mut().zip(philox(key, [block, 0, stream, 0])) {
            *y = unit(word);
        }
    }
}

/// As [`few`]: the rounds on arrays, which become vectors.
#[inline(always)]
fn many(key: [u32; 2], stream: u32, mut first: u32, y: &mut [f32]) {
    let mut groups = y.chunks_exact_mut(4 * LANES);
    for group in &mut groups {
        let mut words = [[0; LANES]; 4];
        words[0] = core::array::from_fn(|l| first + l as u32);
        words[2] = [stream; LANES];
        let mut rounds = Philox::new(key);
        for _ in 0..Philox::ROUNDS {
            for l in 0..LANES {
                let next = rounds.round([words[0][l], words[1][l], words[2][l], words[3][l]]);
                for (word, next) in words.iter_mut().zip(next) {
                    word[l] = next;
                }
            }
            rounds.advance();
        }
        for (l, four) in group.chunks_exact_mut(4).enumerate() {
            for (y, word) in four.iter_mut().zip(&words) {
                *y = unit(word[l]);
            }
        }
        first += LANES as u32;
    }
    few(key, stream, first, groups.into_remainder());
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::kernel::Level;
    use std::vec;

    #[test]
    fn every_level_draws_what_the_portable_one_draws() {
        for n in [0, 1, 3, 4, 63, 64, 65, 1000, CHUNK, 2 * CHUNK + 77] {
            let mut expected = vec![0.0; n];
            uniform(&Cpu::new(Level::Portable, None), [1, 2], 3, &mut expected);
            for level in Level::available() {
                let mut got = vec![-1.0; n];
                uniform(&Cpu::new(*level, None), [1, 2], 3, &mut got);
                assert_eq!(got, expected, "{level:?}, {n} numbers");
            }
        }
    }
}
