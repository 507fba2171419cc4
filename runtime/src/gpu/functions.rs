//! Functions that WGSL lacks, or has with another meaning than the processor's kernels. A shader holds those it calls.

use crate::op::Binary;
use alloc::string::String;

/// The value on integers `a` and `b` as WGSL: wrapping, division floors, by zero gives zero.
pub fn on_integers(f: Binary) -> &'static str {
    match f {
        Binary::Add => "a + b",
        Binary::Sub => "a - b",
        Binary::Mul => "a * b",
        Binary::Maximum => "max(a, b)",
        Binary::Minimum => "min(a, b)",
        Binary::Div => "floor_div(a, b)",
        Binary::FloorMod => "floor_mod(a, b)",
        Binary::Pow => "integer_power(a, b)",
    }
}

/// The functions that `text` calls, and those that these call.
pub fn called_by(text: &str) -> String {
    let mut all = String::new();
    loop {
        let missing = ALL
            .iter()
            .find(|(name, body)| !all.contains(body) && [text, &all].iter().any(|t| calls(t, name)));
        match missing {
            Some((_, body)) => all.push_str(body),
            None => return all,
        }
    }
}

/// Whether `name(` is in the text other than as the end of a longer name.
fn calls(text: &str, name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(name)
        .any(|(at, _)| text[at + name.len()..].starts_with('(') && !text[..at].ends_with(word))
}

// Comparisons with itself tell NaN only where a compiler keeps them; bits always do.
const ALL: [(&str, &str); 16] = [
    ("nan", "
fn nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
"),
    // Infinity and NaN are no constant expressions.
    ("special", "
fn special(word: u32) -> f32 { var bits = word; return bitcast<f32>(bits); }
"),
    ("larger", "
fn larger(x: f32, y: f32) -> f32 { return select(select(y, x, x >= y || nan(x)), y, nan(y)); }
"),
    ("smaller", "
fn smaller(x: f32, y: f32) -> f32 { return select(select(y, x, x <= y || nan(x)), y, nan(y)); }
"),
    ("tangent", "
fn tangent(x: f32) -> f32 { return select(tanh(clamp(x, -15.0, 15.0)), x, nan(x)); }
"),
    ("sigmoid", "
fn sigmoid(x: f32) -> f32 { return 1.0 / (1.0 + exp(-x)); }
"),
    // Series where the difference would cancel.
    ("exp_minus_one", "
fn exp_minus_one(x: f32) -> f32 {
    let near = x * (1.0 + x * (0.5 + x * (0.16666667 + x * (0.041666667 + x * 0.008333334))));
    return select(exp(x) - 1.0, near, abs(x) < 0.25);
}
"),
    ("log_one_plus", "
fn log_one_plus(x: f32) -> f32 {
    let s = x / (2.0 + x);
    let t = s * s;
    return select(log(1.0 + x), 2.0 * s * (1.0 + t * (0.33333334 + t * (0.2 + t * 0.14285715))), abs(x) < 0.5);
}
"),
    // The polynomials of `math::erf`.
    ("erf", "
fn erf(x: f32) -> f32 {
    let a = abs(x);
    let s = x * x;
    let near = x * (1.1283792 + s * (-0.37612625 + s * (0.11283586 + s * (-0.026853812 + s * (0.0051883274
        + s * (-0.00080101936 + s * 0.000078538615))))));
    let q = 1.0 / max(a, 1.0);
    let y = q * q;
    let low = 0.56382584 + y * (-0.2741127 + y * (0.340488 + y * (-0.49445154 + y * (0.62100046 + y * (-0.5824733
        + y * (0.36874247 + y * (-0.13870394 + y * 0.023268199)))))));
    let high = 0.5641895 + y * (-0.2820767 + y * (0.42184634 + y * (-1.0152653 + y * (2.921019 + y * (-7.4955187
        + y * (12.97772 + y * -10.477664))))));
    let far = 1.0 - exp(-a * a) * q * select(high, low, a < 2.0);
    return select(select(select(far, -far, x < 0.0), near, a < 1.0), x, nan(x));
}
"),
    ("power", "
fn power(x: f32, y: f32) -> f32 {
    if y == 0.0 || x == 1.0 { return 1.0; }
    let whole = floor(y) == y;
    if nan(x) || nan(y) || (x < 0.0 && !whole && (bitcast<u32>(x) != 0xff800000u)) { return special(0x7fc00000u); }
    let odd = whole && floor(y * 0.5) * 2.0 != y && abs(y) < 16777216.0;
    var magnitude = 0.0;
    // Small whole exponents by products: `pow` has few digits.
    if whole && abs(y) <= 16.0 {
        magnitude = 1.0;
        for (var n = i32(abs(y)); n > 0; n = n - 1) { magnitude = magnitude * abs(x); }
        if y < 0.0 { magnitude = 1.0 / magnitude; }
    } else if x == 0.0 {
        if y < 0.0 { magnitude = special(0x7f800000u); }
    } else {
        magnitude = pow(abs(x), y);
    }
    return select(magnitude, -magnitude, x < 0.0 && odd);
}
"),
    ("floor_div", "
fn floor_div(a: i32, b: i32) -> i32 {
    if b == 0 { return 0; }
    let q = a / b;
    return select(q, q - 1, (a % b != 0) && ((a % b < 0) != (b < 0)));
}
"),
    ("floor_mod", "
fn floor_mod(a: i32, b: i32) -> i32 {
    if b == 0 { return 0; }
    return a - floor_div(a, b) * b;
}
"),
    ("integer_power", "
fn integer_power(base: i32, exponent: i32) -> i32 {
    if exponent < 0 { return select(0, 1, base == 1); }
    var y = 1;
    var x = base;
    var n = exponent;
    while n > 0 {
        if (n & 1) == 1 { y = y * x; }
        x = x * x;
        n = n >> 1u;
    }
    return y;
}
"),
    ("signed", "
fn signed(byte: u32) -> u32 { return bitcast<u32>(bitcast<i32>(byte << 24u) >> 24u); }
"),
    ("half", "
fn half(word: u32, index: u32) -> f32 { return unpack2x16float(word)[index & 1u]; }
"),
    // The lower and the upper word of a product.
    ("wide_product", "
fn wide_product(a: u32, b: u32) -> vec2<u32> {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
    return vec2<u32>(a * b, (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u));
}
"),
];
