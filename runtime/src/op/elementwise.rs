//! Elementwise ops: operands of one shape (broadcasting is an op of its own).

use super::region::{Instruction, Region, Scalar};
#[cfg(feature = "alloc")]
use super::scalar::{Binary, Compare, Unary};
use super::{Kernels, Kind, Op, expect_f32, expect_number, expect_operands, wrong_type};
use crate::kernel::{Cpu, View, ViewMut};
use crate::{DType, Result, misuse};
use heapless::Vec as Fixed;

/// The kind of the result; operands have equal shapes.
pub(super) fn infer(op: &Op, inputs: &[Kind]) -> Result<Kind> {
    let name = op.name();
    let n = arity(op);
    expect_operands(name, inputs, n)?;
    let (shape, dtype) = inputs[n - 1];
    if let Some((other, _)) = inputs.iter().find(|(s, _)| *s != shape) {
        return Err(misuse!("{name}: expected operands of one shape, got {other} and {shape}"));
    }
    let same_type = |from: usize| match inputs[from..].iter().find(|(_, d)| *d != dtype) {
        Some((_, d)) => Err(misuse!("{name}: expected operands of one type, got {d} and {dtype}; cast one")),
        None => Ok(()),
    };
    let booleans = |count: usize| match inputs[..count].iter().find(|(_, d)| *d != DType::Bool) {
        Some((_, DType::F16)) => Err(wrong_type(name, "bool", DType::F16)),
        Some((_, d)) => Err(misuse!("{name}: expected bool, got {d}; compare it with 0 first")),
        None => Ok(()),
    };
    match op {
        Op::Unary(_) => expect_f32(name, inputs).map(|_| (shape, dtype)),
        Op::Binary(_) | Op::Compare(_) => {
            same_type(0)?;
            if dtype == DType::F16 || matches!(op, Op::Binary(_)) {
                expect_number(name, dtype)?;
            }
            Ok((shape, if matches!(op, Op::Compare(_)) { DType::Bool } else { dtype }))
        }
        Op::And | Op::Or | Op::Not => booleans(n).map(|_| (shape, DType::Bool)),
        Op::Select => {
            booleans(1)?;
            same_type(1)?;
            Ok((shape, dtype))
        }
        Op::Cast(to) => Ok((shape, *to)),
        _ => Ok((shape, dtype)),
    }
}

fn arity(op: &Op) -> usize {
    match op {
        Op::Select => 3,
        Op::Binary(_) | Op::Compare(_) | Op::And | Op::Or => 2,
        _ => 1,
    }
}

/// The instructions that compute the op on operands of type `operand`; the second one follows the first.
pub(crate) fn scalar(op: &Op, operand: DType) -> (Scalar, Option<Scalar>) {
    let float = operand == DType::F32;
    match op {
        Op::Unary(f) => (Scalar::Unary(*f), None),
        Op::Binary(f) => (if float { Scalar::Binary(*f) } else { Scalar::BinaryI32(*f) }, None),
        Op::Compare(f) => (if float { Scalar::Compare(*f) } else { Scalar::CompareI32(*f) }, None),
        Op::And => (Scalar::And, None),
        Op::Or => (Scalar::Or, None),
        Op::Not => (Scalar::Not, None),
        Op::Select => (Scalar::Select, None),
        Op::Cast(to) => Scalar::cast(operand, *to),
        _ => (Scalar::Copy, None),
    }
}

/// Runs one elementwise op, or a broadcast, as a region of its own.
pub(super) fn run<const K: Kernels>(
    op: &Op,
    cpu: &Cpu,
    reads: &[View],
    writes: &mut [ViewMut],
) -> Result<()> {
    let Some(write) = writes.first() else { return Err(misuse!("{}: no result", op.name())) };
    let operand = reads.first().map_or(DType::F32, View::dtype);
    let n = reads.len() as u8;
    let (first, second) = scalar(op, operand);
    let mut code = Fixed::new();
    let _ = code.push(Instruction { op: first, to: n, a: 0, b: 1.min(n - 1), c: 2.min(n - 1) });
    if let Some(second) = second {
        let _ = code.push(Instruction { op: second, to: n + 1, a: n, b: n, c: n });
    }
    let region = Region {
        reads: n,
        immediates: Fixed::new(),
        results: Fixed::from_iter([n + code.len() as u8 - 1]),
        code,
        dtypes: Fixed::from_iter([write.dtype()]),
        shape: *write.shape(),
        summed: Fixed::from_iter([0]),
    };
    region.run::<K>(cpu, reads, writes, &mut [])
}

/// Gradients of elementwise ops.
#[cfg(feature = "alloc")]
pub(super) fn vjp<'b>(
    op: &Op,
    x: &[super::Var<'b>],
    y: super::Var<'b>,
    g: super::Var<'b>,
) -> alloc::vec::Vec<Option<super::Var<'b>>> {
    use super::Var;
    use alloc::vec;
    match op {
        Op::Unary(f) => vec![unary_vjp(*f, x[0], y, g)],
        Op::Binary(f) => {
            if y.dtype() != DType::F32 {
                return vec![None, None];
            }
            let (a, b) = (x[0], x[1]);
            let zero = g.scalar_like(0.0);
            let (da, db) = match f {
                Binary::Add => (g, g),
                Binary::Sub => (g, -g),
                Binary::Mul => (g * b, g * a),
                Binary::Div => (g / b, -(g * y / b)),
                Binary::Pow => {
                    let positive = a.greater(zero);
                    let safe = Var::select(positive, a, a.scalar_like(1.0));
                    (g * b * a.pow(b - 1.0), g * y * Var::select(positive, safe.log(), zero))
                }
                Binary::Maximum => {
                    let first = a.greater_equal(b);
                    (Var::select(first, g, zero), Var::select(first, zero, g))
                }
                Binary::Minimum => {
                    let first = a.less_equal(b);
                    (Var::select(first, g, zero), Var::select(first, zero, g))
                }
                Binary::FloorMod => (g, -(g * (a / b).floor())),
            };
            vec![Some(da), Some(db)]
        }
        Op::Select => {
            let zero = g.scalar_like(0.0);
            vec![None, Some(Var::select(x[0], g, zero)), Some(Var::select(x[0], zero, g))]
        }
        // The cotangent of float16 is float32: see `autodiff`.
        Op::Cast(to) if to.is_float() && x[0].dtype().is_float() => vec![Some(g)],
        Op::Cast(_) | Op::Not | Op::StopGradient => vec![None],
        Op::Compare(Compare::Equal | Compare::NotEqual | Compare::Less | Compare::LessEqual) => {
            vec![None, None]
        }
        Op::Compare(Compare::Greater | Compare::GreaterEqual) | Op::And | Op::Or => vec![None, None],
        _ => vec![None; x.len()],
    }
}

#[cfg(feature = "alloc")]
fn unary_vjp<'b>(
    f: Unary,
    x: super::Var<'b>,
    y: super::Var<'b>,
    g: super::Var<'b>,
) -> Option<super::Var<'b>> {
    use super::Var;
    Some(match f {
        Unary::Neg => -g,
        Unary::Abs => g * x.sign(),
        Unary::Exp => g * y,
        Unary::Expm1 => g * (y + 1.0),
        Unary::Log => g / x,
        Unary::Log1p => g / (x + 1.0),
        Unary::Sqrt => g * 0.5 / y,
        Unary::Rsqrt => g * -0.5 * (y * y.square()),
        Unary::Square => g * (x * 2.0),
        Unary::Reciprocal => -(g * y.square()),
        Unary::Sigmoid => g * (y * (y.scalar_like(1.0) - y)),
        Unary::Tanh => g * (y.scalar_like(1.0) - y.square()),
        Unary::Relu => Var::select(x.greater(x.scalar_like(0.0)), g, g.scalar_like(0.0)),
        Unary::Softplus => g * x.sigmoid(),
        Unary::Sin => g * x.cos(),
        Unary::Cos => -(g * x.sin()),
        Unary::Erf => g * ((-x.square()).exp() * core::f32::consts::FRAC_2_SQRT_PI),
        Unary::Atan => g / (x.square() + 1.0),
        Unary::Half => g,
        Unary::Sign | Unary::Floor | Unary::Ceil | Unary::Round => return None,
    })
}
