//! Values made from nothing: scalars, counting, random numbers.

use super::{Kernels, Kind, Op, expect_operands, used};
use crate::kernel::{Cpu, View, ViewMut, random};
use crate::{DType, Result, Shape, math, misuse};
use serde::{Deserialize, Serialize};

/// Uniform random numbers in [0, 1), float32.
///
/// Element i of the result is word `i % 4` of Philox block `i / 4` under the key `(seed, salt)` and the
/// counter: a pure function of its operand, the same on every device.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Random {
    /// Tells apart the streams of one step.
    pub salt: u32,
    /// The shape of the result.
    pub shape: Shape,
}

impl Random {
    pub(super) fn infer(&self, inputs: &[Kind]) -> Result<Kind> {
        expect_operands("random", inputs, 1)?;
        let (shape, dtype) = inputs[0];
        if dtype != DType::I32 || shape.dims() != [2] {
            return Err(misuse!("random: expected a key of type int32 and shape [2], got {dtype} {shape}"));
        }
        Ok((self.shape, DType::F32))
    }

    pub(super) fn run(&self, cpu: &Cpu, reads: &[View], writes: &mut [ViewMut]) -> Result<()> {
        let ([key], [y]) = (reads, writes) else { return Err(misuse!("random: expected one operand")) };
        let key = key.slice::<i32>()?;
        random::uniform(cpu, [key[0] as u32, self.salt], key[1] as u32, y.slice::<f32>()?);
        Ok(())
    }
}

/// Writes a scalar or a count.
pub(super) fn run<const K: Kernels>(op: &Op, writes: &mut [ViewMut]) -> Result<()> {
    let Some(y) = writes.first_mut() else { return Err(misuse!("{}: no result", op.name())) };
    match op {
        Op::Scalar(DType::F32, bits) => y.slice::<f32>()?.fill(f32::from_bits(*bits)),
        Op::Scalar(DType::I32, bits) => y.slice::<i32>()?.fill(*bits as i32),
        Op::Scalar(DType::F16, bits) if K & used::FLOAT16 != 0 => {
            y.bits().map(|y| y.fill(math::half_bits(f32::from_bits(*bits))))?;
        }
        Op::Scalar(_, bits) => y.bits::<u8>()?.fill(*bits as u8),
        _ => {
            let n = y.shape().dim(-1).max(1);
            for (i, y) in y.slice::<i32>()?.iter_mut().enumerate() {
                *y = (i % n) as i32;
            }
        }
    }
    Ok(())
}
