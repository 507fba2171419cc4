//! What one core does at most: the ceilings that benchmarks hold kernels against.

use super::Cpu;
use super::Level;
use super::micro::{Micro, Tile, family};
use super::vector::leveled;
use std::hint::black_box;
use std::time::Instant;
use std::vec;

/// The ceilings of one core at a level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ceilings {
    /// The level.
    pub level: Level,
    /// Float operations a second of multiply-adds that touch nothing but registers.
    pub registers: f64,
    /// Float operations a second of the largest tile of the matrix product on operands in the first-level cache; those
    /// of [`registers`](Ceilings::registers) at the portable level, which has no tiles.
    pub tile: f64,
    /// Bytes read and written a second by copies in each of [`Memory::ALL`].
    pub copy: [f64; 4],
}

/// Where the operands of a copy are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// The first-level cache.
    L1,
    /// The second-level cache.
    L2,
    /// The last-level cache.
    L3,
    /// Beyond the caches.
    Dram,
}

impl Memory {
    /// All, the nearest first.
    pub const ALL: [Memory; 4] = [Memory::L1, Memory::L2, Memory::L3, Memory::Dram];

    /// The nearest memory that commonly holds so many bytes.
    pub fn holding(bytes: u64) -> Memory {
        match bytes {
            0..=0x8000 => Memory::L1,
            0x8001..=0x10_0000 => Memory::L2,
            0x10_0001..=0x80_0000 => Memory::L3,
            _ => Memory::Dram,
        }
    }

    /// Floats of one operand of a copy.
    fn operand(self) -> usize {
        match self {
            Memory::L1 => 2 << 10,
            Memory::L2 => 64 << 10,
            Memory::L3 => 768 << 10,
            Memory::Dram => 16 << 20,
        }
    }
}

impl Ceilings {
    /// Measures a level of this machine, which takes about a quarter of a second.
    ///
    /// # Panics
    /// If the machine lacks the level.
    pub fn measure(level: Level) -> Ceilings {
        assert!(Level::available().contains(&level), "ceilings: this machine does not run {level}");
        let registers = registers(level);
        let tile = family(&Cpu::new(level, None), 1 << 10, 1 << 10).map_or(registers, tile);
        Ceilings { level, registers, tile, copy: Memory::ALL.map(|memory| copy(level, memory)) }
    }

    /// The least seconds of so many operations on so many bytes on one core: what is not near has to be brought.
    pub fn least(&self, flops: u64, bytes: u64) -> f64 {
        let copy = self.copy[Memory::holding(bytes) as usize];
        (flops as f64 / self.tile).max(bytes as f64 / copy)
    }
}

/// The most work a second over several tries of a few milliseconds, where a call does `work`.
fn best(work: f64, mut call: impl FnMut()) -> f64 {
    call();
    let mut calls = 1;
    let mut most = 0.0f64;
    for _ in 0..8 {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        let seconds = start.elapsed().as_secs_f64().max(1e-9);
        most = most.max(work * calls as f64 / seconds);
        calls = ((calls as f64 * 4e-3 / seconds).ceil() as usize).clamp(1, 1 << 24);
    }
    most
}

fn copy(level: Level, memory: Memory) -> f64 {
    let n = memory.operand();
    let (x, mut y) = (vec![1.0f32; n], vec![0.0f32; n]);
    best(8.0 * n as f64, || {
        let (x, y) = (black_box(&x[..]), black_box(&mut y[..]));
        leveled!(level, add_one(x: &[f32], y: &mut [f32]));
    })
}

/// Not the library's copy, which is made for memory farther away and slow to begin.
#[inline(always)]
fn add_one(x: &[f32], y: &mut [f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = x + 1.0;
    }
}

fn tile(micro: &Micro) -> f64 {
    /// Terms of the sums: both operands and the result stay in the first-level cache.
    const K: usize = 128;
    let (rows, columns) = (micro.rows, micro.columns());
    let (a, b) = (vec![1e-3f32; rows * K], vec![1e-3f32; K * columns]);
    let mut c = vec![0.0f32; rows * columns];
    let kernel = micro.by_rows[(rows - 1) * micro.vectors + micro.vectors - 1];
    best(2.0 * (rows * columns * K) as f64, || {
        let tile = Tile {
            k: K,
            segments: 1,
            a_segment: 0,
            a: black_box(&a).as_ptr(),
            a_step: K,
            b: black_box(&b).as_ptr(),
            b_step: columns,
            b_skip: 0,
            c: black_box(&mut c).as_mut_ptr(),
            c_step: columns,
            tail: micro.lanes,
            whole: true,
            add: false,
        };
        // SAFETY: the slices have the lengths of the largest tile, and `family` chose kernels of this machine.
        unsafe { kernel(&tile) };
    })
}

/// Chains of multiply-adds that do not wait for each other.
const CHAINS: usize = 12;
/// Links of each chain in a call.
const LINKS: usize = 1000;

fn registers(level: Level) -> f64 {
    let work = (2 * CHAINS * LINKS) as f64;
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => best(work * 16.0, || {
            // SAFETY: the caller asked for a level of this machine.
            black_box(unsafe { x86::avx512(black_box(1e-9)) });
        }),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => best(work * 8.0, || {
            // SAFETY: as above.
            black_box(unsafe { x86::avx2(black_box(1e-9)) });
        }),
        #[cfg(target_arch = "aarch64")]
        Level::Neon => best(work * 4.0, || {
            black_box(neon(black_box(1e-9)));
        }),
        _ => best(work * 4.0, || {
            black_box(plain(black_box(1e-9)));
        }),
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{CHAINS, LINKS};
    use core::arch::x86_64::*;

    #[target_feature(enable = "avx512f")]
    pub fn avx512(x: f32) -> [__m512; CHAINS] {
        let x = _mm512_set1_ps(x);
        let mut sums = [x; CHAINS];
        for _ in 0..LINKS {
            sums = sums.map(|sum| _mm512_fmadd_ps(x, x, sum));
        }
        sums
    }

    #[target_feature(enable = "avx2,fma")]
    pub fn avx2(x: f32) -> [__m256; CHAINS] {
        let x = _mm256_set1_ps(x);
        let mut sums = [x; CHAINS];
        for _ in 0..LINKS {
            sums = sums.map(|sum| _mm256_fmadd_ps(x, x, sum));
        }
        sums
    }
}

#[cfg(target_arch = "aarch64")]
fn neon(x: f32) -> [core::arch::aarch64::float32x4_t; CHAINS] {
    use core::arch::aarch64::*;
    // SAFETY: every AArch64 processor that this builds for has NEON.
    unsafe {
        let x = vdupq_n_f32(x);
        let mut sums = [x; CHAINS];
        for _ in 0..LINKS {
            sums = sums.map(|sum| vfmaq_f32(sum, x, x));
        }
        sums
    }
}

/// Four lanes of a product and a sum.
fn plain(x: f32) -> [[f32; 4]; CHAINS] {
    let mut sums = [[x; 4]; CHAINS];
    let factor = black_box([x; 4]);
    for _ in 0..LINKS {
        for sum in &mut sums {
            for (sum, factor) in sum.iter_mut().zip(factor) {
                *sum = *sum * factor + factor;
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_are_there_at_every_level() {
        for &level in Level::available() {
            let ceilings = Ceilings::measure(level);
            let all = [ceilings.registers, ceilings.tile].into_iter().chain(ceilings.copy);
            assert!(all.into_iter().all(|x| x.is_finite() && x > 0.0), "{ceilings:?}");
            assert!(ceilings.least(1 << 20, 64) > ceilings.least(1 << 10, 64));
        }
    }

    #[test]
    fn memories_hold_more_the_farther_they_are() {
        assert_eq!(Memory::holding(0), Memory::L1);
        for memory in Memory::ALL {
            assert_eq!(Memory::holding(8 * memory.operand() as u64), memory);
        }
    }
}
