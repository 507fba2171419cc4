//! Elementary functions with the same bits on every target: plain `f32` arithmetic without branches on
//! data, so that loops over them vectorise.
//!
//! Coefficients are minimax polynomials after S. L. Moshier's Cephes library (single precision), written with
//! all the digits of their source.
#![allow(clippy::excessive_precision)]

mod real;

pub use real::Real;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) use real::lanes::Lanes;

const LOG2E: f32 = core::f32::consts::LOG2_E;
const LN2_HI: f32 = 0.693_359_4;
const LN2_LO: f32 = -2.121_944_4e-4;

/// The polynomial with these coefficients, that of the highest power first.
#[inline(always)]
fn polynomial<T: Real, const N: usize>(x: T, coefficients: [f32; N]) -> T {
    let mut y = T::of(coefficients[0]);
    let mut i = 1;
    while i < N {
        y = y.mul(x).add(T::of(coefficients[i]));
        i += 1;
    }
    y
}

/// Adding 1.5*2^23 rounds to an integer, which then is in the low mantissa bits, here with the bias of an exponent.
const TO_EXPONENT: f32 = 12_582_912.0 + 127.0;

/// `(y, n)` with `e^x = y * 2^n`, y between 0.7 and 1.42, for x between -88 and 89; n is an integer plus
/// [`TO_EXPONENT`].
#[inline(always)]
fn exp_parts<T: Real>(x: T) -> (T, T) {
    let biased = x.mul(T::of(LOG2E)).add(T::of(TO_EXPONENT));
    let n = biased.sub(T::of(TO_EXPONENT));
    let r = x.sub(n.mul(T::of(LN2_HI))).sub(n.mul(T::of(LN2_LO)));
    let p = polynomial(
        r,
        [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5.000_000_1e-1],
    );
    (p.mul(r).mul(r).add(r).add(T::of(1.0)), biased)
}

/// [`exp`] of any [`Real`].
#[inline(always)]
pub(crate) fn exp_of<T: Real>(x: T) -> T {
    const MOST: f32 = 88.722_83;
    const LEAST: f32 = -87.336_54;
    let (y, biased) = exp_parts(x.at_most(T::of(MOST)).at_least(T::of(LEAST)));
    let bias = T::of(TO_EXPONENT);
    let n = biased.sub(bias);
    // Two factors keep the exponent of each in range when n = 128.
    let half = n.mul(T::of(0.5)).add(bias).sub(bias);
    let y = y.mul(half.add(bias).exponent()).mul(n.sub(half).add(bias).exponent());
    let y = x.above(T::of(MOST), T::of(f32::INFINITY), y);
    T::of(LEAST).above(x, T::of(0.0), y)
}

/// `e^x`, relative error below 2e-7; overflows to infinity, underflows to zero, NaN passes.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    exp_of(x)
}

/// `e^x - 1`, accurate near zero.
#[inline(always)]
pub fn expm1(x: f32) -> f32 {
    // For small x the series x + x^2/2 + ... is exact enough; elsewhere the subtraction is harmless.
    let mut p = 1.987_569_1e-4;
    p = p * x + 1.398_2e-3;
    p = p * x + 8.333_452e-3;
    p = p * x + 4.166_579_6e-2;
    p = p * x + 1.666_666_5e-1;
    p = p * x + 5.000_000_1e-1;
    let near = p * x * x + x;
    if abs(x) < 0.346_573_6 { near } else { exp(x) - 1.0 }
}

/// Natural logarithm, relative error below 2e-7; `log(0)` is minus infinity, negative numbers give NaN.
#[inline(always)]
pub fn log(x: f32) -> f32 {
    let tiny = x < f32::MIN_POSITIVE;
    let scaled = if tiny { x * 8_388_608.0 } else { x };
    let bits = scaled.to_bits();
    let mut e = ((bits >> 23) & 0xff) as i32 as f32 - 126.0 - if tiny { 23.0 } else { 0.0 };
    let mut m = f32::from_bits((bits & 0x007f_ffff) | 0x3f00_0000);
    let low = m < core::f32::consts::FRAC_1_SQRT_2;
    e -= if low { 1.0 } else { 0.0 };
    m = if low { m + m - 1.0 } else { m - 1.0 };
    let z = m * m;
    let mut p = 7.037_683_6e-2;
    p = p * m - 1.151_461e-1;
    p = p * m + 1.167_699_9e-1;
    p = p * m - 1.242_014_1e-1;
    p = p * m + 1.424_932_3e-1;
    p = p * m - 1.666_805_8e-1;
    p = p * m + 2.000_071_5e-1;
    p = p * m - 2.499_999_4e-1;
    p = p * m + 3.333_333_1e-1;
    let mut y = p * m * z + e * LN2_LO - 0.5 * z;
    y = m + y + e * LN2_HI;
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    let y = if x == f32::INFINITY { f32::INFINITY } else { y };
    if x < 0.0 || x.is_nan() { f32::NAN } else { y }
}

/// `log(1 + x)`, accurate near zero (Kahan's correction of the rounding of `1 + x`).
#[inline(always)]
pub fn log1p(x: f32) -> f32 {
    let u = 1.0 + x;
    let corrected = log(u) * (x / (u - 1.0));
    if u == 1.0 {
        x
    } else if u == f32::INFINITY {
        u
    } else {
        corrected
    }
}

/// [`tanh`] of any [`Real`].
#[inline(always)]
pub(crate) fn tanh_of<T: Real>(x: T) -> T {
    // The fit ends at 9, where the function is 1 as far as a float tells; beyond, the ratio stays and x grows.
    let s = x.mul(x).at_most(T::of(81.0));
    let p = polynomial(s, [1.335_440_939e-8, 2.060_889_548e-5, 3.495_576_726e-3, 1.338_101_613e-1, 1.0]);
    let q = polynomial(s, [7.776_453_466e-7, 3.285_616_162e-4, 2.587_693_901e-2, 4.671_433_176e-1, 1.0]);
    x.mul(p).div(q).at_most(T::of(1.0)).at_least(T::of(-1.0))
}

/// Hyperbolic tangent: a ratio of polynomials fitted here to `tanh(x) / x` over `x²`, relative error below 4e-7.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    tanh_of(x)
}

/// [`sigmoid`] of any [`Real`].
#[inline(always)]
pub(crate) fn sigmoid_of<T: Real>(x: T) -> T {
    // Below -88.4 the power is infinite, and 1 over it 0.
    let x = x.at_most(T::of(87.0)).at_least(T::of(-89.0));
    let (y, biased) = exp_parts(T::of(0.0).sub(x));
    T::of(1.0).div(T::of(1.0).add(y.mul(biased.exponent())))
}

/// `1 / (1 + e^-x)`; 0 for x below -88.4.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    sigmoid_of(x)
}

/// `log(1 + e^x)` without overflow.
#[inline(always)]
pub fn softplus(x: f32) -> f32 {
    let positive = if x > 0.0 { x } else { 0.0 };
    let y = positive + log1p(exp(-abs(x)));
    if x.is_nan() { x } else { y }
}

/// The error function (Abramowitz and Stegun 7.1.26 refined by a series near zero); absolute error below
/// 2e-7.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let a = abs(x);
    let s = x * x;
    // Maclaurin series, |x| < 1.
    let mut p = 7.853_861_5e-5;
    p = p * s - 8.010_193_6e-4;
    p = p * s + 5.188_327_4e-3;
    p = p * s - 2.685_381_2e-2;
    p = p * s + 1.128_358_6e-1;
    p = p * s - 3.761_262_5e-1;
    p = p * s + core::f32::consts::FRAC_2_SQRT_PI;
    let near = x * p;
    let far = 1.0 - erfc_tail(a);
    let far = if x < 0.0 { -far } else { far };
    if a < 1.0 {
        near
    } else if x.is_nan() {
        x
    } else {
        far
    }
}

/// Complementary error function for `a >= 1`: `exp(-a^2) * P(1/a^2) / a` in two ranges.
#[inline(always)]
fn erfc_tail(a: f32) -> f32 {
    let z = exp(-a * a);
    let q = 1.0 / a;
    let y = q * q;
    let mut low = 2.326_819_9e-2;
    low = low * y - 1.387_039_4e-1;
    low = low * y + 3.687_424_7e-1;
    low = low * y - 5.824_733e-1;
    low = low * y + 6.210_004_6e-1;
    low = low * y - 4.944_515_3e-1;
    low = low * y + 3.404_879_9e-1;
    low = low * y - 2.741_127e-1;
    low = low * y + 5.638_258_4e-1;
    let mut high = -1.047_766_4e1;
    high = high * y + 1.297_719_9e1;
    high = high * y - 7.495_518_7;
    high = high * y + 2.921_019;
    high = high * y - 1.015_265_3;
    high = high * y + 4.218_463_4e-1;
    high = high * y - 2.820_767e-1;
    high = high * y + 5.641_895e-1;
    z * q * if a < 2.0 { low } else { high }
}

/// Sine, for |x| up to about 8000 (range reduction in three parts).
#[inline(always)]
pub fn sin(x: f32) -> f32 {
    sin_shifted(x, 0)
}

/// Cosine, for |x| up to about 8000.
#[inline(always)]
pub fn cos(x: f32) -> f32 {
    sin_shifted(x, 1)
}

#[inline(always)]
fn sin_shifted(x: f32, quarter: i32) -> f32 {
    let n = round_even(x * core::f32::consts::FRAC_2_PI);
    let r = x - n * 1.570_312_5 - n * 4.837_513e-4 - n * 7.549_79e-8;
    let z = r * r;
    let sine = ((-1.951_529_6e-4 * z + 8.332_161e-3) * z - 1.666_665_5e-1) * z * r + r;
    let cosine = ((2.443_315_7e-5 * z - 1.388_731_6e-3) * z + 4.166_664_6e-2) * z * z - 0.5 * z + 1.0;
    let q = (n as i32).wrapping_add(quarter) & 3;
    let y = if q & 1 == 1 { cosine } else { sine };
    if q & 2 == 2 { -y } else { y }
}

/// Inverse tangent.
#[inline(always)]
pub fn atan(x: f32) -> f32 {
    let a = abs(x);
    // Reduced to |r| <= tan(pi/8) about 0, pi/4 and pi/2.
    let (base, r) = if a > 2.414_213_6 {
        (core::f32::consts::FRAC_PI_2, -1.0 / a)
    } else if a > 0.414_213_57 {
        (core::f32::consts::FRAC_PI_4, (a - 1.0) / (a + 1.0))
    } else {
        (0.0, a)
    };
    let z = r * r;
    let p = ((8.053_744_5e-2 * z - 1.387_768_6e-1) * z + 1.997_771_1e-1) * z - 3.333_295e-1;
    let y = base + (p * z * r + r);
    if x < 0.0 || x.to_bits() == 0x8000_0000 { -y } else { y }
}

/// The remainder of `x / y` with the sign of `y`, exact; NaN where `y` is 0.
#[inline(always)]
pub fn floormod(x: f32, y: f32) -> f32 {
    let r = x % y;
    if r != 0.0 && (r < 0.0) != (y < 0.0) { r + y } else { r }
}

/// The binary16 number nearest to `x`, ties to even; beyond 65520 it is infinite.
#[inline(always)]
pub fn round_half(x: f32) -> f32 {
    let a = abs(x);
    // Adding this drops the bits that binary16 lacks: 13 of a normal number, all below 2^-24 of a small one.
    let exponent = a.to_bits() & 0x7f80_0000;
    let unit = if exponent < 0x3880_0000 { 0x3880_0000 } else { exponent };
    let magic = f32::from_bits(unit.wrapping_add(13 << 23));
    let r = (a + magic) - magic;
    let r = if a >= 65_520.0 { f32::INFINITY } else { r };
    let r = f32::from_bits(r.to_bits() | (x.to_bits() & 0x8000_0000));
    if x.is_nan() { x } else { r }
}

/// The bits of the binary16 number nearest to `x`, ties to even. A NaN keeps the upper bits of its payload.
#[inline(always)]
pub fn half_bits(x: f32) -> u16 {
    let sign = (x.to_bits() >> 16) as u16 & 0x8000;
    let r = round_half(x).to_bits() & 0x7fff_ffff;
    // All of these are exact, and none has a subnormal float32, which kernels may run without.
    let small = (f32::from_bits(r) * 16_777_216.0) as i32 as u16;
    let normal = (r.wrapping_sub(112 << 23) >> 13) as u16;
    let payload = (r >> 13) as u16 & 0x3ff;
    let nan = 0x7c00 | if payload == 0 { 0x200 } else { payload };
    let special = if r == 0x7f80_0000 { 0x7c00 } else { nan };
    sign | if r < 0x3880_0000 {
        small
    } else if r < 0x7f80_0000 {
        normal
    } else {
        special
    }
}

/// The value of a binary16 number; exact.
#[inline(always)]
pub fn of_half_bits(bits: u16) -> f32 {
    let (sign, size) = ((bits as u32 & 0x8000) << 16, bits as u32 & 0x7fff);
    let small = (size as i32 as f32 * (1.0 / 16_777_216.0)).to_bits();
    let normal = (size << 13) + (112 << 23);
    let special = 0x7f80_0000 | size << 13;
    f32::from_bits(
        sign | if size < 0x400 {
            small
        } else if size < 0x7c00 {
            normal
        } else {
            special
        },
    )
}

/// `|x|`.
#[inline(always)]
pub fn abs(x: f32) -> f32 {
    f32::from_bits(x.to_bits() & 0x7fff_ffff)
}

/// Rounds to the nearest integer, ties to even; exact for every input.
#[inline(always)]
pub fn round_even(x: f32) -> f32 {
    let big = 8_388_608.0;
    let magic = f32::from_bits((x.to_bits() & 0x8000_0000) | 0x4b00_0000);
    let r = (x + magic) - magic;
    let r = f32::from_bits(r.to_bits() | (x.to_bits() & 0x8000_0000));
    if abs(x) < big { r } else { x }
}

/// The largest integer not above `x`.
#[inline(always)]
pub fn floor(x: f32) -> f32 {
    let r = round_even(x);
    let f = if r > x { r - 1.0 } else { r };
    // Keeps the sign of a negative zero.
    f32::from_bits(f.to_bits() | if f == 0.0 { x.to_bits() & 0x8000_0000 } else { 0 })
}

/// The smallest integer not below `x`.
#[inline(always)]
pub fn ceil(x: f32) -> f32 {
    -floor(-x)
}

/// Square root: correctly rounded on every target.
#[inline(always)]
pub fn sqrt(x: f32) -> f32 {
    #[cfg(any(feature = "std", target_arch = "wasm32"))]
    {
        x.sqrt()
    }
    #[cfg(not(any(feature = "std", target_arch = "wasm32")))]
    {
        sqrt_soft(x)
    }
}

/// Correctly rounded square root in integer arithmetic, one result bit a step (restoring method).
#[cfg_attr(any(feature = "std", target_arch = "wasm32"), allow(dead_code))]
pub fn sqrt_soft(x: f32) -> f32 {
    if x.is_nan() || x == 0.0 || x == f32::INFINITY {
        return x;
    }
    if x < 0.0 {
        return f32::NAN;
    }
    let bits = x.to_bits();
    let mut e = (bits >> 23) as i32 - 127;
    let mut m = bits & 0x007f_ffff;
    if e == -127 {
        let shift = m.leading_zeros() as i32 - 8;
        m <<= shift;
        e = -126 - shift;
    } else {
        m |= 0x0080_0000;
    }
    if e & 1 != 0 {
        m <<= 1;
        e -= 1;
    }
    // 24 result bits and one for rounding.
    let mut rest = (m as u64) << 25;
    let mut root = 0u64;
    let mut bit = 1u64 << 24;
    while bit != 0 {
        let t = (root + root + bit) * bit;
        if rest >= t {
            rest -= t;
            root += bit;
        }
        bit >>= 1;
    }
    let up = (root & 1) as u32;
    let mantissa = (root >> 1) as u32 + up;
    f32::from_bits((((e >> 1) + 126) as u32) << 23).to_bits_add(mantissa)
}

trait AddBits {
    fn to_bits_add(self, mantissa: u32) -> f32;
}

impl AddBits for f32 {
    /// Adds a 24-bit mantissa whose leading one carries into the exponent field.
    fn to_bits_add(self, mantissa: u32) -> f32 {
        f32::from_bits(self.to_bits().wrapping_add(mantissa))
    }
}

/// `x^y` as TensorFlow defines it for float32.
#[inline(always)]
pub fn pow(x: f32, y: f32) -> f32 {
    let whole = floor(y) == y;
    let odd = whole && floor(y * 0.5) * 2.0 != y && abs(y) < 16_777_216.0;
    let magnitude = pow_positive(abs(x), y);
    let signed = if x < 0.0 && odd { -magnitude } else { magnitude };
    let undefined = x < 0.0 && !whole && x != f32::NEG_INFINITY || x.is_nan() || y.is_nan();
    if y == 0.0 || x == 1.0 {
        1.0
    } else if undefined {
        f32::NAN
    } else {
        signed
    }
}

/// `a^y` for `a >= 0`, by `exp(y log a)` with the logarithm in two pieces.
#[inline(always)]
fn pow_positive(a: f32, y: f32) -> f32 {
    let wide = a as f64;
    if a == 0.0 {
        return if y < 0.0 { f32::INFINITY } else { 0.0 };
    }
    if a == f32::INFINITY {
        return if y < 0.0 { 0.0 } else { a };
    }
    // log2 in double precision: atanh series on the mantissa.
    let bits = wide.to_bits();
    let mut e = ((bits >> 52) as i64 - 1023) as f64;
    let mut m = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    if m > core::f64::consts::SQRT_2 {
        m *= 0.5;
        e += 1.0;
    }
    let t = (m - 1.0) / (m + 1.0);
    let s = t * t;
    let series =
        1.0 + s * (1.0 / 3.0 + s * (0.2 + s * (1.0 / 7.0 + s * (1.0 / 9.0 + s * (1.0 / 11.0 + s / 13.0)))));
    let l = e + 2.0 * t * series * core::f64::consts::LOG2_E;
    let p = (y as f64) * l;
    if p > 128.5 {
        return f32::INFINITY;
    }
    if p < -150.0 {
        return 0.0;
    }
    let n = (p + if p < 0.0 { -0.5 } else { 0.5 }) as i64;
    let r = (p - n as f64) * core::f64::consts::LN_2;
    let q = 1.0
        + r * (1.0
            + r * (0.5
                + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r / 5040.0))))));
    (q * f64::from_bits(((n + 1023) as u64) << 52)) as f32
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    fn sweep(lo: f32, hi: f32, ours: fn(f32) -> f32, oracle: fn(f64) -> f64, rel: f64, abs_tol: f64) {
        let n = 40_000;
        for i in 0..=n {
            let x = lo + (hi - lo) * i as f32 / n as f32;
            let (got, want) = (ours(x) as f64, oracle(x as f64));
            assert!((got - want).abs() <= abs_tol + rel * want.abs(), "f({x}) = {got}, expected {want}");
        }
    }

    #[test]
    fn elementary_functions_are_accurate() {
        sweep(-87.0, 88.5, exp, f64::exp, 3e-7, 0.0);
        sweep(-2.0, 10.0, expm1, f64::exp_m1, 4e-7, 0.0);
        sweep(1e-6, 1000.0, log, f64::ln, 3e-7, 1e-7);
        sweep(-0.9, 20.0, log1p, f64::ln_1p, 4e-7, 0.0);
        sweep(-10.0, 10.0, tanh, f64::tanh, 4e-7, 0.0);
        sweep(-80.0, 80.0, sigmoid, |x| 1.0 / (1.0 + (-x).exp()), 5e-7, 0.0);
        sweep(-80.0, 80.0, softplus, |x| x.max(0.0) + (-x.abs()).exp().ln_1p(), 5e-7, 0.0);
        sweep(-1000.0, 1000.0, sin, f64::sin, 1e-6, 3e-7);
        sweep(-1000.0, 1000.0, cos, f64::cos, 1e-6, 3e-7);
        sweep(0.0, 100.0, |x| pow(x, 2.5), |x| x.powf(2.5), 2e-7, 0.0);
        sweep(-4.0, 4.0, erf, erf_series, 0.0, 4e-7);
        sweep(-20.0, 20.0, atan, f64::atan, 4e-7, 0.0);
    }

    #[test]
    fn halves_and_remainders() {
        let cases = [
            (1.0, 1.0),
            (1.000_488_3, 1.0),
            (1.001_464_8, 1.001_953_1),
            (65_519.0, 65_504.0),
            (65_520.0, f32::INFINITY),
            (-0.1, -0.099_975_586),
            (5.960_464_5e-8, 5.960_464_5e-8),
            (2.980_232_2e-8, 0.0),
            (8.940_697e-8, 1.192_092_9e-7),
            (1e-9, 0.0),
            (6.0e-5, 1007.0 / 16_777_216.0),
        ];
        for (x, want) in cases {
            assert_eq!(round_half(x), want, "{x:e}");
        }
        assert!(round_half(f32::NAN).is_nan() && round_half(-1e9) == f32::NEG_INFINITY);
        assert_eq!([floormod(5.5, -2.0), floormod(-5.5, 2.0), floormod(4.0, 2.0)], [-0.5, 0.5, 0.0]);
        assert!(floormod(1.0, 0.0).is_nan());
    }

    #[test]
    fn halves_are_those_of_half() {
        for bits in 0..=u16::MAX {
            let (want, got) = (half::f16::from_bits(bits), of_half_bits(bits));
            assert!(got.to_bits() == want.to_f32().to_bits() || (got.is_nan() && want.is_nan()), "{bits:#x}");
            assert_eq!(half_bits(got), bits);
        }
        // Float32 numbers spread over all exponents.
        for x in (0..=u32::MAX).step_by(4099).map(f32::from_bits) {
            let want = half::f16::from_f32(x).to_bits();
            assert!(half_bits(x) == want || x.is_nan(), "{x:e}");
            assert_eq!(x.is_nan(), half_bits(x) & 0x7fff > 0x7c00);
        }
    }

    /// Taylor series of erf in double precision.
    fn erf_series(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..120 {
            term *= -x * x / n as f64;
            sum += term / (2 * n + 1) as f64;
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    #[test]
    fn roundings_equal_the_standard_library() {
        for x in [0.0, -0.0, 0.5, 1.5, 2.5, -0.5, -1.5, 3.7, -3.2, 8388607.5, 1e10, -1e10, 0.49999997] {
            assert_eq!(floor(x).to_bits(), x.floor().to_bits(), "floor {x}");
            assert_eq!(ceil(x).to_bits(), x.ceil().to_bits(), "ceil {x}");
            assert_eq!(round_even(x).to_bits(), x.round_ties_even().to_bits(), "round {x}");
        }
        assert!(floor(f32::NAN).is_nan());
    }

    #[test]
    fn soft_square_root_is_correctly_rounded() {
        let mut bits = 1u32;
        while bits < 0x7f80_0000 {
            let x = f32::from_bits(bits);
            assert_eq!(sqrt_soft(x).to_bits(), x.sqrt().to_bits(), "sqrt {x:e}");
            bits += 9_973;
        }
        assert!(sqrt_soft(-1.0).is_nan());
    }

    #[test]
    fn special_values() {
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(100.0), f32::INFINITY);
        assert!(exp(f32::NAN).is_nan() && log(-1.0).is_nan() && tanh(f32::NAN).is_nan());
        assert_eq!(log(0.0), f32::NEG_INFINITY);
        assert_eq!((pow(-2.0, 3.0), pow(0.0, 0.0), pow(-8.0, 2.0)), (-8.0, 1.0, 64.0));
        assert!(pow(-2.0, 0.5).is_nan());
    }
}
