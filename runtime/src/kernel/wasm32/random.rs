//! Random numbers, four blocks at a time. Pages are compiled for size, and there arrays do not become vectors.

use crate::rng::{M0, M1, Philox};
use core::arch::wasm32::*;

/// Fills whole groups of sixteen numbers as [`uniform`](crate::kernel::uniform) does, from block `first` on, and returns
/// how many that are.
pub(in crate::kernel) fn uniform(key: [u32; 2], stream: u32, first: u32, y: &mut [f32]) -> usize {
    let mut block = u32x4_add(u32x4_splat(first), u32x4(0, 1, 2, 3));
    let groups = y.as_chunks_mut::<16>().0;
    let count = 16 * groups.len();
    for group in groups {
        let mut c = [block, u32x4_splat(0), u32x4_splat(stream), u32x4_splat(0)];
        let mut rounds = Philox::new(key);
        for _ in 0..Philox::ROUNDS {
            let [k0, k1] = rounds.key();
            let ((low0, high0), (low1, high1)) = (product(M0, c[0]), product(M1, c[2]));
            c = [
                v128_xor(v128_xor(high1, c[1]), u32x4_splat(k0)),
                low1,
                v128_xor(v128_xor(high0, c[3]), u32x4_splat(k1)),
                low0,
            ];
            rounds.advance();
        }
        // Lane l of the four is block l, of which all words come before those of the next.
        let (a, b) = (i32x4_shuffle::<0, 4, 1, 5>(c[0], c[1]), i32x4_shuffle::<0, 4, 1, 5>(c[2], c[3]));
        let (d, e) = (i32x4_shuffle::<2, 6, 3, 7>(c[0], c[1]), i32x4_shuffle::<2, 6, 3, 7>(c[2], c[3]));
        let to = group.as_mut_ptr().cast::<v128>();
        // SAFETY: the group holds four vectors, which need no alignment.
        unsafe {
            v128_store(to, unit(i64x2_shuffle::<0, 2>(a, b)));
            v128_store(to.add(1), unit(i64x2_shuffle::<1, 3>(a, b)));
            v128_store(to.add(2), unit(i64x2_shuffle::<0, 2>(d, e)));
            v128_store(to.add(3), unit(i64x2_shuffle::<1, 3>(d, e)));
        }
        block = u32x4_add(block, u32x4_splat(4));
    }
    count
}

/// The lower and the upper halves of the products of a factor and four words.
#[inline(always)]
fn product(factor: u64, words: v128) -> (v128, v128) {
    let factor = u32x4_splat(factor as u32);
    let (a, b) = (u64x2_extmul_low_u32x4(factor, words), u64x2_extmul_high_u32x4(factor, words));
    (i32x4_shuffle::<0, 2, 4, 6>(a, b), i32x4_shuffle::<1, 3, 5, 7>(a, b))
}

/// [`unit`](crate::rng::unit) of four words.
#[inline(always)]
fn unit(words: v128) -> v128 {
    f32x4_mul(f32x4_convert_i32x4(u32x4_shr(words, 8)), f32x4_splat(1.0 / 16_777_216.0))
}
