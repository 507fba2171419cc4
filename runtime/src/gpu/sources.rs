//! Values made from nothing.

use super::kernel::{Part, each, each_word};
use super::text::Operand;
use crate::op::{Op, Random};
use crate::{DType, Result, misuse};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

/// Scalars and counting.
pub fn run(op: &Op, writes: &[Operand]) -> Result<Vec<Part>> {
    let [y] = writes else { return Err(misuse!("{}: no result", op.name())) };
    let value = match op {
        Op::Scalar(_, bits) => format!("bits = {bits:#x}u;"),
        _ => format!("bits = i % {}u;", y.shape.dim(-1).max(1)),
    };
    Ok(vec![each_word(y, &value)])
}

/// Uniform random numbers, the words of [`philox`](crate::rng::philox).
pub fn random(random: &Random, reads: &[Operand], writes: &[Operand]) -> Result<Vec<Part>> {
    let ([key], [y]) = (reads, writes) else { return Err(misuse!("random: expected one operand")) };
    debug_assert!(y.dtype == DType::F32);
    let n = y.numel();
    let text = format!(
        "var k = vec2<u32>({key}, {salt}u);
    var c = vec4<u32>(i, 0u, {stream}, 0u);
    for (var round = 0u; round < 10u; round = round + 1u) {{
        let p = wide_product(0xD2511F53u, c.x);
        let q = wide_product(0xCD9E8D57u, c.z);
        c = vec4<u32>(q.y ^ c.y ^ k.x, q.x, p.y ^ c.w ^ k.y, p.x);
        k = k + vec2<u32>(0x9E3779B9u, 0xBB67AE85u);
    }}
    for (var word = 0u; word < 4u; word = word + 1u) {{
        let to = i * 4u + word;
        if to < {n}u {{ {store} }}
    }}",
        key = key.bits("0u"),
        stream = key.bits("1u"),
        salt = random.salt,
        store = y.store("to", "f32(c[word] >> 8u) * (1.0 / 16777216.0)"),
    );
    Ok(vec![each(n.div_ceil(4), &text)])
}
