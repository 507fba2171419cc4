//! Numbers that elementary functions and compiled loops are written over: floats, and lanes of a vector in pages.

use super::sqrt;

/// What the functions that most time is spent in are written over: floats, and in pages also vectors of four, where
/// compilers optimize for size and vectorize nothing.
pub trait Real: Copy {
    /// This number, in every lane.
    fn of(value: f32) -> Self;
    /// `self + other`
    fn add(self, other: Self) -> Self;
    /// `self - other`
    fn sub(self, other: Self) -> Self;
    /// `self * other`
    fn mul(self, other: Self) -> Self;
    /// `self / other`
    fn div(self, other: Self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// The smaller; NaN where either is.
    fn minimum(self, other: Self) -> Self;
    /// `other` where it is smaller, else this, also where this is NaN.
    fn at_most(self, other: Self) -> Self;
    /// `other` where it is larger, else this, also where this is NaN.
    fn at_least(self, other: Self) -> Self;
    /// `then` where `other` is smaller than this, else `value`.
    fn above(self, other: Self, then: Self, value: Self) -> Self;
    /// The number whose bits are those of this, shifted to the exponent.
    fn exponent(self) -> Self;
}

impl Real for f32 {
    #[inline(always)]
    fn of(value: f32) -> f32 {
        value
    }
    #[inline(always)]
    fn add(self, other: f32) -> f32 {
        self + other
    }
    #[inline(always)]
    fn sub(self, other: f32) -> f32 {
        self - other
    }
    #[inline(always)]
    fn mul(self, other: f32) -> f32 {
        self * other
    }
    #[inline(always)]
    fn div(self, other: f32) -> f32 {
        self / other
    }
    #[inline(always)]
    fn sqrt(self) -> f32 {
        sqrt(self)
    }
    #[inline(always)]
    fn minimum(self, other: f32) -> f32 {
        if self <= other || self.is_nan() { self } else { other }
    }
    #[inline(always)]
    fn at_most(self, other: f32) -> f32 {
        if other < self { other } else { self }
    }
    #[inline(always)]
    fn at_least(self, other: f32) -> f32 {
        if self < other { other } else { self }
    }
    #[inline(always)]
    fn above(self, other: f32, then: f32, value: f32) -> f32 {
        if other < self { then } else { value }
    }
    #[inline(always)]
    fn exponent(self) -> f32 {
        f32::from_bits(self.to_bits() << 23)
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) mod lanes {
    use super::Real;
    use core::arch::wasm32::*;

    /// Four floats.
    #[derive(Clone, Copy)]
    pub(crate) struct Lanes(pub(crate) v128);

    impl Real for Lanes {
        #[inline(always)]
        fn of(value: f32) -> Lanes {
            Lanes(f32x4_splat(value))
        }
        #[inline(always)]
        fn add(self, other: Lanes) -> Lanes {
            Lanes(f32x4_add(self.0, other.0))
        }
        #[inline(always)]
        fn sub(self, other: Lanes) -> Lanes {
            Lanes(f32x4_sub(self.0, other.0))
        }
        #[inline(always)]
        fn mul(self, other: Lanes) -> Lanes {
            Lanes(f32x4_mul(self.0, other.0))
        }
        #[inline(always)]
        fn div(self, other: Lanes) -> Lanes {
            Lanes(f32x4_div(self.0, other.0))
        }
        #[inline(always)]
        fn sqrt(self) -> Lanes {
            Lanes(f32x4_sqrt(self.0))
        }
        #[inline(always)]
        fn minimum(self, other: Lanes) -> Lanes {
            let own = v128_or(f32x4_le(self.0, other.0), f32x4_ne(self.0, self.0));
            Lanes(v128_bitselect(self.0, other.0, own))
        }
        #[inline(always)]
        fn at_most(self, other: Lanes) -> Lanes {
            Lanes(f32x4_pmin(self.0, other.0))
        }
        #[inline(always)]
        fn at_least(self, other: Lanes) -> Lanes {
            Lanes(f32x4_pmax(self.0, other.0))
        }
        #[inline(always)]
        fn above(self, other: Lanes, then: Lanes, value: Lanes) -> Lanes {
            Lanes(v128_bitselect(then.0, value.0, f32x4_lt(other.0, self.0)))
        }
        #[inline(always)]
        fn exponent(self) -> Lanes {
            Lanes(i32x4_shl(self.0, 23))
        }
    }
}
