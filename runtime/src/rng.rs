//! Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
//! SC 2011). The n-th number of a stream is a function of (key, counter), so every device draws the same
//! stream and a run is resumed by storing one counter.

pub(crate) const M0: u64 = 0xD251_1F53;
pub(crate) const M1: u64 = 0xCD9E_8D57;
const W0: u32 = 0x9E37_79B9;
const W1: u32 = 0xBB67_AE85;

/// The round function and the keys of the rounds.
#[derive(Clone, Copy)]
pub(crate) struct Philox([u32; 2]);

impl Philox {
    /// How many rounds a block takes.
    pub(crate) const ROUNDS: usize = 10;

    /// Before the first round.
    #[inline(always)]
    pub(crate) fn new(key: [u32; 2]) -> Philox {
        Philox(key)
    }

    /// The key of this round.
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    #[inline(always)]
    pub(crate) fn key(&self) -> [u32; 2] {
        self.0
    }

    /// One round of one block.
    #[inline(always)]
    pub(crate) fn round(&self, c: [u32; 4]) -> [u32; 4] {
        let (k, p0, p1) = (self.0, M0 * c[0] as u64, M1 * c[2] as u64);
        [(p1 >> 32) as u32 ^ c[1] ^ k[0], p1 as u32, (p0 >> 32) as u32 ^ c[3] ^ k[1], p0 as u32]
    }

    /// To the key of the next round.
    #[inline(always)]
    pub(crate) fn advance(&mut self) {
        self.0 = [self.0[0].wrapping_add(W0), self.0[1].wrapping_add(W1)];
    }
}

/// Four random words for one counter value.
pub fn philox(key: [u32; 2], counter: [u32; 4]) -> [u32; 4] {
    let (mut rounds, mut c) = (Philox::new(key), counter);
    for _ in 0..Philox::ROUNDS {
        c = rounds.round(c);
        rounds.advance();
    }
    c
}

/// A word as a float in [0, 1) with 24 random bits.
#[inline(always)]
pub fn unit(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// A sequential view of one Philox stream.
#[derive(Clone, Debug)]
pub struct Rng {
    key: [u32; 2],
    counter: u64,
    buffer: [u32; 4],
    used: usize,
}

impl Rng {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Rng {
        Rng { key: [seed as u32, (seed >> 32) as u32], counter: 0, buffer: [0; 4], used: 4 }
    }

    /// The next random word.
    pub fn next_u32(&mut self) -> u32 {
        if self.used == 4 {
            self.buffer = philox(self.key, [self.counter as u32, (self.counter >> 32) as u32, 0, 0]);
            self.counter += 1;
            self.used = 0;
        }
        self.used += 1;
        self.buffer[self.used - 1]
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f32 {
        unit(self.next_u32())
    }

    /// Standard normal (Box and Muller 1958).
    pub fn normal(&mut self) -> f32 {
        let (u, v) = (1.0 - self.uniform(), self.uniform());
        crate::math::sqrt(-2.0 * crate::math::log(u)) * crate::math::cos(core::f32::consts::TAU * v)
    }

    /// Uniform in 0..`n` without bias (Lemire 2019); 0 when `n` is 0.
    pub fn below(&mut self, n: u32) -> u32 {
        loop {
            let wide = self.next_u32() as u64 * n as u64;
            if wide as u32 >= n.wrapping_neg() % n.max(1) {
                return (wide >> 32) as u32;
            }
        }
    }

    /// Permutes `items` (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u32 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_of_the_paper() {
        assert_eq!(philox([0; 2], [0; 4]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
        assert_eq!(philox([u32::MAX; 2], [u32::MAX; 4]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
    }

    #[test]
    fn moments() {
        let mut rng = Rng::new(7);
        let n = 100_000;
        let (mut sum, mut squares) = (0.0f64, 0.0f64);
        for _ in 0..n {
            let x = rng.normal() as f64;
            sum += x;
            squares += x * x;
        }
        assert!((sum / n as f64).abs() < 0.02 && (squares / n as f64 - 1.0).abs() < 0.02);
        assert_eq!(Rng::new(1).below(1), 0);
    }
}
