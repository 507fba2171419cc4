//! Scalar functions as rows: name, value, WGSL text, and the rule for the derivative.
//!
//! To add one: a row here, its derivative in `vjp` of the same enum, and a test domain in `domain`.

use crate::math;
use serde::{Deserialize, Serialize};

macro_rules! rows {
    ($(#[$meta:meta])* $Enum:ident ($($arg:ident),+) -> $Out:ty:
     $($(#[$doc:meta])* $Name:ident $name:literal $wgsl:literal ($($x:ident),+) $value:expr;)*) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $Enum { $($(#[$doc])* $Name,)* }

        impl $Enum {
            /// Every row.
            pub const ALL: &[$Enum] = &[$($Enum::$Name,)*];

            /// The name, that of the TensorFlow op in snake case.
            pub fn name(self) -> &'static str {
                match self { $($Enum::$Name => $name,)* }
            }

            /// The value as a WGSL expression of `a` (and `b`), which may call the functions of `gpu/functions.rs`.
            pub fn wgsl(self) -> &'static str {
                match self { $($Enum::$Name => $wgsl,)* }
            }

            /// The value.
            #[inline(always)]
            pub fn value(self, $($arg: f32),+) -> $Out {
                let arguments = ($($arg,)+);
                match self { $($Enum::$Name => { let ($($x,)+) = arguments; $value })* }
            }

            /// The value if `linked` says so of the row; rows of which it says no when compiling leave no code.
            #[inline(always)]
            pub fn value_if(self, linked: impl Fn($Enum) -> bool, $($arg: f32),+) -> Option<$Out> {
                let arguments = ($($arg,)+);
                match self {
                    $($Enum::$Name if linked($Enum::$Name) => { let ($($x,)+) = arguments; Some($value) })*
                    _ => None,
                }
            }
        }
    };
}

rows! {
    /// Functions of one float.
    Unary(a) -> f32:
    /// `-x`
    Neg "negative" "-a" (x) -x;
    /// `|x|`
    Abs "abs" "abs(a)" (x) math::abs(x);
    /// -1, 0 or 1
    Sign "sign" "select(sign(a), a, nan(a))" (x) if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { x };
    /// `e^x`
    Exp "exp" "exp(a)" (x) math::exp(x);
    /// `e^x - 1`
    Expm1 "expm1" "exp_minus_one(a)" (x) math::expm1(x);
    /// natural logarithm
    Log "log" "log(a)" (x) math::log(x);
    /// `log(1 + x)`
    Log1p "log1p" "log_one_plus(a)" (x) math::log1p(x);
    /// square root
    Sqrt "sqrt" "sqrt(a)" (x) math::sqrt(x);
    /// `1 / sqrt(x)`
    Rsqrt "rsqrt" "inverseSqrt(a)" (x) 1.0 / math::sqrt(x);
    /// `x * x`
    Square "square" "a * a" (x) x * x;
    /// `1 / x`
    Reciprocal "reciprocal" "1.0 / a" (x) 1.0 / x;
    /// `1 / (1 + e^-x)`
    Sigmoid "sigmoid" "1.0 / (1.0 + exp(-a))" (x) math::sigmoid(x);
    /// hyperbolic tangent
    Tanh "tanh" "tangent(a)" (x) math::tanh(x);
    /// `max(x, 0)`, NaN passes
    Relu "relu" "select(max(a, 0.0), a, nan(a))" (x) if x < 0.0 { 0.0 } else { x };
    /// `log(1 + e^x)`
    Softplus "softplus" "select(max(a, 0.0) + log_one_plus(exp(-abs(a))), a, nan(a))" (x) math::softplus(x);
    /// largest integer not above x
    Floor "floor" "floor(a)" (x) math::floor(x);
    /// smallest integer not below x
    Ceil "ceil" "ceil(a)" (x) math::ceil(x);
    /// nearest integer, ties to even
    Round "round" "round(a)" (x) math::round_even(x);
    /// sine
    Sin "sin" "sin(a)" (x) math::sin(x);
    /// cosine
    Cos "cos" "cos(a)" (x) math::cos(x);
    /// error function
    Erf "erf" "erf(a)" (x) math::erf(x);
    /// inverse tangent
    Atan "atan" "atan(a)" (x) math::atan(x);
    /// the nearest binary16 number, ties to even (`tf.cast` to float16)
    Half "round_to_half" "unpack2x16float(pack2x16float(vec2(a))).x" (x) math::round_half(x);
}

rows! {
    /// Functions of two floats.
    Binary(a, b) -> f32:
    /// `x + y`
    Add "add" "a + b" (x, y) x + y;
    /// `x - y`
    Sub "subtract" "a - b" (x, y) x - y;
    /// `x * y`
    Mul "multiply" "a * b" (x, y) x * y;
    /// `x / y`
    Div "divide" "a / b" (x, y) x / y;
    /// `x^y`
    Pow "pow" "power(a, b)" (x, y) math::pow(x, y);
    /// the larger, NaN passes
    Maximum "maximum" "larger(a, b)" (x, y) if x >= y || x.is_nan() { x } else { y };
    /// the smaller, NaN passes
    Minimum "minimum" "smaller(a, b)" (x, y) if x <= y || x.is_nan() { x } else { y };
    /// the remainder with the sign of y (`tf.math.floormod`)
    FloorMod "floormod" "a - floor(a / b) * b" (x, y) math::floormod(x, y);
}

rows! {
    /// Comparisons of two numbers.
    Compare(a, b) -> bool:
    /// `x == y`
    Equal "equal" "a == b" (x, y) x == y;
    /// `x != y`
    NotEqual "not_equal" "a != b" (x, y) x != y;
    /// `x < y`
    Less "less" "a < b" (x, y) x < y;
    /// `x <= y`
    LessEqual "less_equal" "a <= b" (x, y) x <= y;
    /// `x > y`
    Greater "greater" "a > b" (x, y) x > y;
    /// `x >= y`
    GreaterEqual "greater_equal" "a >= b" (x, y) x >= y;
}

impl Unary {
    /// The interval where the function and its derivative are smooth, for tests.
    pub fn domain(self) -> (f32, f32) {
        match self {
            Unary::Log | Unary::Sqrt | Unary::Rsqrt | Unary::Reciprocal => (0.2, 4.0),
            Unary::Log1p => (-0.8, 4.0),
            Unary::Abs | Unary::Relu | Unary::Sign => (0.1, 3.0),
            Unary::Floor | Unary::Ceil | Unary::Round => (0.1, 0.4),
            // Differences over steps far larger than the rounding.
            Unary::Half => (0.5, 0.9),
            Unary::Neg
            | Unary::Exp
            | Unary::Expm1
            | Unary::Square
            | Unary::Sigmoid
            | Unary::Tanh
            | Unary::Softplus
            | Unary::Sin
            | Unary::Cos
            | Unary::Erf
            | Unary::Atan => (-2.0, 2.0),
        }
    }
}

impl Binary {
    /// The value on integers: wrapping, division floors (`tf.math.floordiv`), by zero gives zero.
    #[inline(always)]
    pub fn value_i32(self, x: i32, y: i32) -> i32 {
        match self {
            Binary::Add => x.wrapping_add(y),
            Binary::Sub => x.wrapping_sub(y),
            Binary::Mul => x.wrapping_mul(y),
            Binary::Div if y == 0 => 0,
            Binary::Div => {
                let (q, r) = (x.wrapping_div(y), x.wrapping_rem(y));
                if r != 0 && (r < 0) != (y < 0) { q - 1 } else { q }
            }
            Binary::Pow if y < 0 => i32::from(x == 1),
            Binary::Pow => x.wrapping_pow(y as u32),
            Binary::Maximum => x.max(y),
            Binary::Minimum => x.min(y),
            Binary::FloorMod if y == 0 => 0,
            Binary::FloorMod => {
                let r = x.wrapping_rem(y);
                if r != 0 && (r < 0) != (y < 0) { r + y } else { r }
            }
        }
    }
}

impl Compare {
    /// The value on integers.
    #[inline(always)]
    pub fn value_i32(self, x: i32, y: i32) -> bool {
        match self {
            Compare::Equal => x == y,
            Compare::NotEqual => x != y,
            Compare::Less => x < y,
            Compare::LessEqual => x <= y,
            Compare::Greater => x > y,
            Compare::GreaterEqual => x >= y,
        }
    }
}
