//! A loop for every scalar row, on tiles. Compact builds interpret the rows instead: `compact`.

use super::{Binary, Compare, Kernels, Unary};
use crate::kernel::tile::Registers;

impl Unary {
    /// Runs the row on a tile, if it is linked.
    #[inline(always)]
    pub(crate) fn run<const K: Kernels>(self, r: &mut Registers, to: u8, a: u8) {
        macro_rules! each {
            ($($Name:ident)*) => {
                match self {
                    $(Unary::$Name => if K & Unary::$Name.kernel() != 0 {
                        r.map(to, a, |x| Unary::$Name.value(f32::from_bits(x)).to_bits())
                    },)*
                }
            };
        }
        each!(Neg Abs Sign Exp Expm1 Log Log1p Sqrt Rsqrt Square Reciprocal Sigmoid Tanh Relu Softplus Floor Ceil Round Sin Cos Erf Atan Half);
    }
}

impl Binary {
    /// Runs the row on a tile of floats, if it is linked.
    #[inline(always)]
    pub(crate) fn run<const K: Kernels>(self, r: &mut Registers, to: u8, a: u8, b: u8) {
        macro_rules! each {
            ($($Name:ident)*) => {
                match self {
                    $(Binary::$Name => if K & Binary::$Name.kernel() != 0 {
                        r.map2(to, a, b, |x, y| {
                            Binary::$Name.value(f32::from_bits(x), f32::from_bits(y)).to_bits()
                        })
                    },)*
                }
            };
        }
        each!(Add Sub Mul Div Pow Maximum Minimum FloorMod);
    }

    /// Runs the row on a tile of integers.
    #[inline(always)]
    pub(crate) fn run_i32(self, r: &mut Registers, to: u8, a: u8, b: u8) {
        macro_rules! each {
            ($($Name:ident)*) => { match self { $(Binary::$Name => r.map2(to, a, b, |x, y| Binary::$Name.value_i32(x as i32, y as i32) as u32),)* } };
        }
        each!(Add Sub Mul Div Pow Maximum Minimum FloorMod);
    }
}

impl Compare {
    /// Runs the row on a tile of floats.
    #[inline(always)]
    pub(crate) fn run(self, r: &mut Registers, to: u8, a: u8, b: u8) {
        macro_rules! each {
            ($($Name:ident)*) => { match self { $(Compare::$Name => r.map2(to, a, b, |x, y| Compare::$Name.value(f32::from_bits(x), f32::from_bits(y)) as u32),)* } };
        }
        each!(Equal NotEqual Less LessEqual Greater GreaterEqual);
    }

    /// Runs the row on a tile of integers.
    #[inline(always)]
    pub(crate) fn run_i32(self, r: &mut Registers, to: u8, a: u8, b: u8) {
        macro_rules! each {
            ($($Name:ident)*) => { match self { $(Compare::$Name => r.map2(to, a, b, |x, y| Compare::$Name.value_i32(x as i32, y as i32) as u32),)* } };
        }
        each!(Equal NotEqual Less LessEqual Greater GreaterEqual);
    }
}
