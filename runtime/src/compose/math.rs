//! Functions of each element.

use crate::DType;
use crate::op::{Binary, Compare, Unary, Var};

macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident $Row:ident;)*) => {
        impl<'b> Var<'b> {
            $($(#[$doc])* pub fn $name(self) -> Var<'b> { self.unary(Unary::$Row) })*
        }
    };
}

unary! {
    /// `tf.exp`
    exp Exp;
    /// `tf.math.expm1`
    expm1 Expm1;
    /// `tf.math.log`
    log Log;
    /// `tf.math.log1p`
    log1p Log1p;
    /// `tf.sqrt`
    sqrt Sqrt;
    /// `tf.math.rsqrt`
    rsqrt Rsqrt;
    /// `tf.math.reciprocal`
    reciprocal Reciprocal;
    /// `tf.sigmoid`
    sigmoid Sigmoid;
    /// `tf.tanh`
    tanh Tanh;
    /// `tf.math.softplus`
    softplus Softplus;
    /// `tf.sin`
    sin Sin;
    /// `tf.cos`
    cos Cos;
    /// `tf.math.erf`
    erf Erf;
    /// `tf.math.atan`
    atan Atan;
    /// `tf.cast` to float16, kept as float32: the nearest binary16 number.
    round_to_half Half;
}

macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident $method:ident $Row:path;)*) => {
        impl<'b> Var<'b> {
            $($(#[$doc])* pub fn $name(self, rhs: Var<'b>) -> Var<'b> { self.$method($Row, rhs) })*
        }
    };
}

binary! {
    /// `tf.pow`
    power binary Binary::Pow;
    /// `tf.maximum`
    maximum binary Binary::Maximum;
    /// `tf.minimum`
    minimum binary Binary::Minimum;
    /// `tf.equal`
    equal compare Compare::Equal;
    /// `tf.not_equal`
    not_equal compare Compare::NotEqual;
    /// `tf.less`
    less compare Compare::Less;
    /// `tf.less_equal`
    less_equal compare Compare::LessEqual;
    /// `tf.greater`
    greater compare Compare::Greater;
    /// `tf.greater_equal`
    greater_equal compare Compare::GreaterEqual;
}

impl<'b> Var<'b> {
    /// `tf.pow`
    pub fn pow(self, exponent: impl IntoOperand<'b>) -> Var<'b> {
        self.binary(Binary::Pow, exponent.into_operand(self))
    }

    /// `tf.clip_by_value`; the gradient passes on the bounds.
    pub fn clip(self, low: f32, high: f32) -> Var<'b> {
        self.minimum(self.scalar_like(high)).maximum(self.scalar_like(low))
    }

    fn is_float(self) -> bool {
        self.dtype().is_float()
    }

    /// As float32 where it is of another type.
    fn float(self) -> Var<'b> {
        self.cast(DType::F32)
    }

    /// `tf.abs`
    pub fn abs(self) -> Var<'b> {
        if self.is_float() { self.unary(Unary::Abs) } else { self.maximum(-self) }
    }

    /// `tf.sign`: -1, 0 or 1.
    pub fn sign(self) -> Var<'b> {
        if self.is_float() {
            return self.unary(Unary::Sign);
        }
        self.minimum(self.scalar_like(1.0)).maximum(self.scalar_like(-1.0))
    }

    /// `tf.square`
    pub fn square(self) -> Var<'b> {
        if self.is_float() { self.unary(Unary::Square) } else { self * self }
    }

    /// `tf.nn.relu`
    pub fn relu(self) -> Var<'b> {
        if self.is_float() { self.unary(Unary::Relu) } else { self.maximum(self.scalar_like(0.0)) }
    }

    /// `tf.floor`
    pub fn floor(self) -> Var<'b> {
        if self.is_float() { self.unary(Unary::Floor) } else { self }
    }

    /// `tf.math.ceil`
    pub fn ceil(self) -> Var<'b> {
        if self.is_float() { self.unary(Unary::Ceil) } else { self }
    }

    /// `tf.round`: ties to even
    pub fn round(self) -> Var<'b> {
        if self.is_float() { self.unary(Unary::Round) } else { self }
    }

    /// Toward zero (`tf.truncatediv` by 1).
    pub fn trunc(self) -> Var<'b> {
        if !self.is_float() {
            return self;
        }
        Var::select(self.less(self.scalar_like(0.0)), self.ceil(), self.floor())
    }

    /// `tf.divide`: float32 also for integers.
    pub fn divide(self, rhs: Var<'b>) -> Var<'b> {
        self.float() / rhs.float()
    }

    /// `tf.math.floordiv`: the quotient rounded down; an integer divided by 0 gives 0.
    pub fn floordiv(self, rhs: Var<'b>) -> Var<'b> {
        (self / rhs).floor()
    }

    /// `tf.math.floormod`: the remainder with the sign of the divisor.
    pub fn floormod(self, rhs: Var<'b>) -> Var<'b> {
        self.binary(Binary::FloorMod, rhs)
    }

    /// `tf.truncatediv`: the quotient rounded toward 0.
    pub fn truncatediv(self, rhs: Var<'b>) -> Var<'b> {
        if self.is_float() {
            return (self / rhs).trunc();
        }
        let zero = self.scalar_like(0.0);
        let (down, rest) = (self / rhs, self.floormod(rhs));
        let up = rest.not_equal(zero).logical_and(self.less(zero).not_equal(rhs.less(zero)));
        Var::select(up, down + self.scalar_like(1.0), down)
    }

    /// `tf.truncatemod`: the remainder with the sign of the dividend.
    pub fn truncatemod(self, rhs: Var<'b>) -> Var<'b> {
        let (zero, rest) = (self.scalar_like(0.0), self.floormod(rhs));
        let turn = rest.not_equal(zero).logical_and(self.less(zero).not_equal(rhs.less(zero)));
        Var::select(turn, rest - rhs, rest)
    }

    /// `tf.math.divide_no_nan`: 0 where the divisor is 0.
    pub fn divide_no_nan(self, rhs: Var<'b>) -> Var<'b> {
        let none = rhs.equal(rhs.scalar_like(0.0));
        let safe = Var::select(none, rhs.scalar_like(1.0), rhs);
        Var::select(none, self.scalar_like(0.0), self / safe)
    }

    /// `tf.math.multiply_no_nan`: 0 where the right factor is 0.
    pub fn multiply_no_nan(self, rhs: Var<'b>) -> Var<'b> {
        let (zero, none) = (self.scalar_like(0.0), rhs.equal(rhs.scalar_like(0.0)));
        Var::select(none, zero, Var::select(none, zero, self) * rhs)
    }

    /// `tf.math.squared_difference`
    pub fn squared_difference(self, rhs: Var<'b>) -> Var<'b> {
        (self - rhs).square()
    }

    /// `f(y)` times this value, 0 where this value is 0.
    fn times_where_not_zero(self, f: impl FnOnce(Var<'b>) -> Var<'b>, y: Var<'b>) -> Var<'b> {
        let (zero, none) = (self.scalar_like(0.0), self.equal(self.scalar_like(0.0)));
        Var::select(none, zero, self * f(Var::select(none, y.scalar_like(1.0), y)))
    }

    /// `tf.math.xlogy`: `x log(y)`, 0 where x is 0.
    pub fn xlogy(self, y: Var<'b>) -> Var<'b> {
        self.times_where_not_zero(Var::log, y)
    }

    /// `tf.math.xlog1py`: `x log(1 + y)`, 0 where x is 0.
    pub fn xlog1py(self, y: Var<'b>) -> Var<'b> {
        self.times_where_not_zero(Var::log1p, y)
    }

    /// `tf.math.xdivy`: `x / y`, 0 where x is 0.
    pub fn xdivy(self, y: Var<'b>) -> Var<'b> {
        self.times_where_not_zero(Var::reciprocal, y)
    }

    /// `tf.tan`
    pub fn tan(self) -> Var<'b> {
        self.sin() / self.cos()
    }

    /// `tf.asin`
    pub fn asin(self) -> Var<'b> {
        (self / ((1.0 - self) * (self + 1.0)).sqrt()).atan()
    }

    /// `tf.acos`
    pub fn acos(self) -> Var<'b> {
        ((1.0 - self) / (self + 1.0)).sqrt().atan() * 2.0
    }

    /// `tf.math.atan2`: the angle of the point (x, y), this value being y, in (-π, π].
    pub fn atan2(self, x: Var<'b>) -> Var<'b> {
        use core::f32::consts::{FRAC_PI_2, PI};
        let y = self;
        let zero = y.scalar_like(0.0);
        // The smaller over the larger, so that nothing overflows and no gradient is lost.
        let steep = y.abs().greater(x.abs());
        let large = Var::select(steep, y, x);
        let small = Var::select(steep, x, y);
        let none = large.equal(zero);
        let angle = (small / Var::select(none, large.scalar_like(1.0), large)).atan();
        let sided = |turn: f32| Var::select(y.less(zero), y.scalar_like(-turn), y.scalar_like(turn));
        let flat = angle + Var::select(x.less(zero), sided(PI), zero);
        Var::select(steep, sided(FRAC_PI_2) - angle, flat)
    }

    /// `tf.sinh`
    pub fn sinh(self) -> Var<'b> {
        (self.expm1() - (-self).expm1()) * 0.5
    }

    /// `tf.cosh`
    pub fn cosh(self) -> Var<'b> {
        (self.exp() + (-self).exp()) * 0.5
    }

    /// `tf.asinh`
    pub fn asinh(self) -> Var<'b> {
        let near = self.abs().less(self.scalar_like(1.0));
        let inner = Var::select(near, self, self.scalar_like(0.0));
        let outer = Var::select(near, self.scalar_like(1.0), self);
        let size = outer.abs();
        let far = (size + (size.square() + 1.0).sqrt()).log() * outer.sign();
        Var::select(near, (inner / (inner.square() + 1.0).sqrt()).atanh(), far)
    }

    /// `tf.acosh`
    pub fn acosh(self) -> Var<'b> {
        let above = self - 1.0;
        (above + (above * (self + 1.0)).sqrt()).log1p()
    }

    /// `tf.atanh`
    pub fn atanh(self) -> Var<'b> {
        (self.log1p() - (-self).log1p()) * 0.5
    }

    /// `tf.math.erfc`: `1 - erf(x)`.
    pub fn erfc(self) -> Var<'b> {
        1.0 - self.erf()
    }

    /// `tf.math.is_nan`
    pub fn is_nan(self) -> Var<'b> {
        self.not_equal(self)
    }

    /// `tf.math.is_inf`
    pub fn is_inf(self) -> Var<'b> {
        let x = self.float();
        x.abs().equal(x.scalar_like(f32::INFINITY))
    }

    /// `tf.math.is_finite`
    pub fn is_finite(self) -> Var<'b> {
        let x = self.float();
        x.abs().less(x.scalar_like(f32::INFINITY))
    }

    /// `tf.math.logical_xor`
    pub fn logical_xor(self, rhs: Var<'b>) -> Var<'b> {
        self.not_equal(rhs)
    }

    /// `tf.clip_by_value` with bounds that broadcast.
    pub fn clip_to(self, low: Var<'b>, high: Var<'b>) -> Var<'b> {
        self.minimum(high).maximum(low)
    }
}

/// A right operand: a value or a number.
pub trait IntoOperand<'b> {
    /// The operand in the builder of `beside`.
    fn into_operand(self, beside: Var<'b>) -> Var<'b>;
}

impl<'b> IntoOperand<'b> for Var<'b> {
    fn into_operand(self, _: Var<'b>) -> Var<'b> {
        self
    }
}

impl<'b> IntoOperand<'b> for f32 {
    fn into_operand(self, beside: Var<'b>) -> Var<'b> {
        beside.scalar_like(self)
    }
}
