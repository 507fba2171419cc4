//! Scalar functions on tiles for compact builds: what models train with in vectors, the rest an element at a time.

use super::region::{Instruction, Scalar};
use super::scalar::{Binary, Compare, Unary};
use super::used::linked;
use crate::kernel::tile::Registers;
#[cfg(gradling_fast)]
use crate::math::{self, Lanes};
use core::arch::wasm32::*;

/// Runs an instruction on the current tile.
pub(super) fn execute(r: &mut Registers, instruction: &Instruction) {
    let Instruction { op, to, a, b, c } = *instruction;
    let zero = i32x4_splat(0);
    let bit = |mask: v128| v128_and(mask, i32x4_splat(1));
    let sign = i32x4_splat(i32::MIN);
    match op {
        Scalar::Unary(Unary::Neg) => r.map_vectors(to, a, |x| v128_xor(x, sign)),
        Scalar::Unary(Unary::Abs) => r.map_vectors(to, a, |x| v128_andnot(x, sign)),
        Scalar::Unary(Unary::Sqrt) => r.map_vectors(to, a, |x| f32x4_sqrt(x)),
        Scalar::Unary(Unary::Square) => r.map_vectors(to, a, |x| f32x4_mul(x, x)),
        Scalar::Unary(Unary::Reciprocal) => r.map_vectors(to, a, |x| f32x4_div(f32x4_splat(1.0), x)),
        Scalar::Unary(Unary::Relu) => r.map_vectors(to, a, |x| v128_andnot(x, f32x4_lt(x, zero))),
        // The cells of recurrent layers.
        #[cfg(gradling_fast)]
        Scalar::Unary(Unary::Exp) => r.map_vectors(to, a, |x| math::exp_of(Lanes(x)).0),
        #[cfg(gradling_fast)]
        Scalar::Unary(Unary::Sigmoid) => r.map_vectors(to, a, |x| math::sigmoid_of(Lanes(x)).0),
        #[cfg(gradling_fast)]
        Scalar::Unary(Unary::Tanh) => r.map_vectors(to, a, |x| math::tanh_of(Lanes(x)).0),
        Scalar::Unary(f) => r.map(to, a, |x| unary(f, f32::from_bits(x)).to_bits()),
        Scalar::Binary(Binary::Add) => r.map2_vectors(to, a, b, |x, y| f32x4_add(x, y)),
        Scalar::Binary(Binary::Sub) => r.map2_vectors(to, a, b, |x, y| f32x4_sub(x, y)),
        Scalar::Binary(Binary::Mul) => r.map2_vectors(to, a, b, |x, y| f32x4_mul(x, y)),
        Scalar::Binary(Binary::Div) => r.map2_vectors(to, a, b, |x, y| f32x4_div(x, y)),
        Scalar::Binary(Binary::Maximum) => {
            r.map2_vectors(to, a, b, |x, y| v128_bitselect(x, y, v128_or(f32x4_ge(x, y), f32x4_ne(x, x))));
        }
        Scalar::Binary(Binary::Minimum) => {
            r.map2_vectors(to, a, b, |x, y| v128_bitselect(x, y, v128_or(f32x4_le(x, y), f32x4_ne(x, x))));
        }
        Scalar::Binary(f) => {
            r.map2(to, a, b, |x, y| binary(f, f32::from_bits(x), f32::from_bits(y)).to_bits());
        }
        Scalar::BinaryI32(f) => r.map2(to, a, b, |x, y| f.value_i32(x as i32, y as i32) as u32),
        Scalar::Compare(Compare::Equal) => r.map2_vectors(to, a, b, |x, y| bit(f32x4_eq(x, y))),
        Scalar::Compare(Compare::NotEqual) => r.map2_vectors(to, a, b, |x, y| bit(f32x4_ne(x, y))),
        Scalar::Compare(Compare::Less) => r.map2_vectors(to, a, b, |x, y| bit(f32x4_lt(x, y))),
        Scalar::Compare(Compare::LessEqual) => r.map2_vectors(to, a, b, |x, y| bit(f32x4_le(x, y))),
        Scalar::Compare(Compare::Greater) => r.map2_vectors(to, a, b, |x, y| bit(f32x4_gt(x, y))),
        Scalar::Compare(Compare::GreaterEqual) => r.map2_vectors(to, a, b, |x, y| bit(f32x4_ge(x, y))),
        Scalar::CompareI32(f) => r.map2(to, a, b, |x, y| f.value_i32(x as i32, y as i32) as u32),
        Scalar::And => r.map2_vectors(to, a, b, |x, y| v128_and(x, y)),
        Scalar::Or => r.map2_vectors(to, a, b, |x, y| v128_or(x, y)),
        Scalar::Not => r.map_vectors(to, a, |x| v128_xor(x, i32x4_splat(1))),
        Scalar::Select => r.map3_vectors(to, a, b, c, |x, y, z| v128_bitselect(y, z, i32x4_ne(x, zero))),
        Scalar::FloatOfInt => r.map_vectors(to, a, |x| f32x4_convert_i32x4(x)),
        Scalar::IntOfFloat => r.map_vectors(to, a, |x| i32x4_trunc_sat_f32x4(x)),
        Scalar::ByteOfInt => r.map_vectors(to, a, |x| v128_and(x, i32x4_splat(255))),
        Scalar::BoolOfFloat => r.map_vectors(to, a, |x| bit(f32x4_ne(x, zero))),
        Scalar::BoolOfInt => r.map_vectors(to, a, |x| bit(i32x4_ne(x, zero))),
        Scalar::Copy => r.map_vectors(to, a, |x| x),
        Scalar::SignedByteOfInt => r.map_vectors(to, a, |x| i32x4_shr(i32x4_shl(x, 24), 24)),
    }
}

/// A function of two floats that no vector instruction computes. `Op::run_with` refuses those that are not linked.
#[inline(never)]
fn binary(f: Binary, x: f32, y: f32) -> f32 {
    f.value_if(|f| linked(f.kernel()), x, y).unwrap_or(f32::NAN)
}

/// A function that no vector instruction computes. `Op::run_with` refuses those that are not linked.
#[inline(never)]
fn unary(f: Unary, x: f32) -> f32 {
    f.value_if(|f| linked(f.kernel()), x).unwrap_or(f32::NAN)
}
