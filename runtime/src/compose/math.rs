//! Functions of each element.

use crate::op::{Binary, Compare, Unary, Var};

macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident $Row:ident;)*) => {
        impl<'b> Var<'b> {
            $($(#[$doc])* pub fn $name(self) -> Var<'b> { self.unary(Unary::$Row) })*
        }
    };
}

unary! {
    /// `tf.abs`
    abs Abs;
    /// `tf.sign`
    sign Sign;
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
    /// `tf.square`
    square Square;
    /// `tf.math.reciprocal`
    reciprocal Reciprocal;
    /// `tf.sigmoid`
    sigmoid Sigmoid;
    /// `tf.tanh`
    tanh Tanh;
    /// `tf.nn.relu`
    relu Relu;
    /// `tf.math.softplus`
    softplus Softplus;
    /// `tf.floor`
    floor Floor;
    /// `tf.math.ceil`
    ceil Ceil;
    /// `tf.round`: ties to even
    round Round;
    /// `tf.sin`
    sin Sin;
    /// `tf.cos`
    cos Cos;
    /// `tf.math.erf`
    erf Erf;
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
