//! Ops computed at once on a tape.

use crate::Js;
use crate::tensors::{Core, DTYPES, Tensors, dims, pick};
use gradling::op::{Binary, Compare, ReduceKind, Unary};
use gradling::rng::Rng;
use gradling::{DType, Padding, Result, Shape, Tape, Tensor, Var, Window, misuse};
use wasm_bindgen::prelude::*;

/// Functions composed of ops that TypeScript names by number.
const COMPOSED: [for<'t> fn(Var<'t>) -> Var<'t>; 3] =
    [|x| float(x).softmax(), |x| float(x).log_softmax(), |x| x.cast(DType::Bool).logical_not()];

const REDUCTIONS: [ReduceKind; 4] = [ReduceKind::Sum, ReduceKind::Prod, ReduceKind::Max, ReduceKind::Min];

fn float(x: Var<'_>) -> Var<'_> {
    x.cast(DType::F32)
}

/// The wider of two types, at least `least`: bool, uint8, int32, float32.
fn wider(a: DType, b: DType, least: DType) -> DType {
    a.min(b).min(least)
}

fn compute(
    tape: Tape,
    tensors: &Tensors,
    ids: &[u32],
    f: &dyn for<'t> Fn(&[Var<'t>]) -> Result<Var<'t>>,
) -> Result<Tensor> {
    let mut operands = Vec::with_capacity(ids.len());
    for &id in ids {
        operands.push(tape.constant(tensors.get(id)?));
    }
    let result = f(&operands)?;
    tape.value(result)
}

impl Core {
    fn op(&self, ids: &[u32], f: &dyn for<'t> Fn(&[Var<'t>]) -> Result<Var<'t>>) -> Js<u32> {
        let tape = Tape::new();
        #[cfg(feature = "full")]
        let tape = tape.with_pool(self.device.pool().cloned());
        self.with(|tensors| compute(tape, tensors, ids, f))
    }
}

#[wasm_bindgen]
impl Core {
    /// A function of each element. Integers stay integers where the function maps them to integers.
    pub fn unary(&self, code: u32, x: u32) -> Js<u32> {
        self.op(&[x], &|v| {
            let f = pick(Unary::ALL, code)?;
            let x = v[0];
            if x.dtype() == DType::F32 {
                return Ok(x.unary(f));
            }
            let whole = if x.dtype() == DType::I32 { x } else { x.cast(DType::I32) };
            Ok(match f {
                Unary::Neg => whole.scalar_like(0.0) - whole,
                Unary::Abs => whole.maximum(whole.scalar_like(0.0) - whole),
                Unary::Sign => float(x).unary(f).cast(DType::I32),
                Unary::Square => whole * whole,
                Unary::Relu => whole.maximum(whole.scalar_like(0.0)),
                Unary::Floor | Unary::Ceil | Unary::Round => x,
                _ => float(x).unary(f),
            })
        })
    }

    /// A function of each pair of elements, in the wider of their types.
    pub fn binary(&self, code: u32, a: u32, b: u32) -> Js<u32> {
        self.op(&[a, b], &|v| {
            let f = pick(Binary::ALL, code)?;
            let to = wider(v[0].dtype(), v[1].dtype(), DType::I32);
            Ok(v[0].cast(to).binary(f, v[1].cast(to)))
        })
    }

    /// A comparison of each pair of elements, in the wider of their types.
    pub fn compare(&self, code: u32, a: u32, b: u32) -> Js<u32> {
        self.op(&[a, b], &|v| {
            let f = pick(Compare::ALL, code)?;
            let to = wider(v[0].dtype(), v[1].dtype(), DType::Bool);
            Ok(v[0].cast(to).compare(f, v[1].cast(to)))
        })
    }

    /// `a && b`, or `a || b`.
    pub fn logical(&self, or: bool, a: u32, b: u32) -> Js<u32> {
        self.op(&[a, b], &|v| Ok(if or { v[0].logical_or(v[1]) } else { v[0].logical_and(v[1]) }))
    }

    /// `a` where the condition holds, else `b`.
    pub fn select(&self, condition: u32, a: u32, b: u32) -> Js<u32> {
        self.op(&[condition, a, b], &|v| {
            let to = wider(v[1].dtype(), v[2].dtype(), DType::Bool);
            Ok(Var::select(v[0].cast(DType::Bool), v[1].cast(to), v[2].cast(to)))
        })
    }

    /// softmax, log_softmax or logical_not.
    pub fn composed(&self, code: u32, x: u32) -> Js<u32> {
        self.op(&[x], &|v| Ok(pick(&COMPOSED, code)?(v[0])))
    }

    /// Sum, product, maximum, minimum; integers stay integers.
    pub fn reduce(&self, code: u32, x: u32, axes: &[i32], keep: bool) -> Js<u32> {
        self.op(&[x], &|v| {
            let axes: Vec<isize> = axes.iter().map(|&a| a as isize).collect();
            let whole = v[0].dtype() != DType::F32;
            let y = float(v[0]).reduce(pick(&REDUCTIONS, code)?, &axes, keep);
            Ok(if whole { y.cast(DType::I32) } else { y })
        })
    }

    /// The mean, in float32.
    pub fn mean(&self, x: u32, axes: &[i32], keep: bool) -> Js<u32> {
        self.op(&[x], &|v| {
            let axes: Vec<isize> = axes.iter().map(|&a| a as isize).collect();
            Ok(float(v[0]).mean(&axes, keep))
        })
    }

    /// The index of the largest or smallest element along an axis.
    pub fn arg(&self, x: u32, axis: i32, smallest: bool) -> Js<u32> {
        self.op(&[x], &|v| {
            let (x, axis) = (float(v[0]), axis as isize);
            Ok(if smallest { x.argmin(axis) } else { x.argmax(axis) })
        })
    }

    /// Another element type.
    pub fn cast(&self, x: u32, dtype: u32) -> Js<u32> {
        self.op(&[x], &|v| Ok(v[0].cast(pick(&DTYPES, dtype)?)))
    }

    /// Axes in another order; an empty order reverses them.
    pub fn transpose(&self, x: u32, order: &[u32]) -> Js<u32> {
        self.op(&[x], &|v| Ok(v[0].transpose(&dims(order))))
    }

    /// A larger shape by NumPy's rules.
    pub fn broadcast(&self, x: u32, shape: &[u32]) -> Js<u32> {
        self.op(&[x], &|v| Ok(v[0].broadcast_to(&dims(shape))))
    }

    /// The box of shape `size` at `begin`.
    pub fn slice(&self, x: u32, begin: &[u32], size: &[u32]) -> Js<u32> {
        self.op(&[x], &|v| Ok(v[0].slice(&dims(begin), &dims(size))))
    }

    /// Tensors joined along an axis, in the widest of their types.
    pub fn concat(&self, ids: &[u32], axis: i32) -> Js<u32> {
        self.op(ids, &|v| {
            let to = v.iter().fold(DType::Bool, |to, x| to.min(x.dtype()));
            let values: Vec<Var> = v.iter().map(|x| x.cast(to)).collect();
            if values.is_empty() {
                return Err(misuse!("concat: expected at least one tensor"));
            }
            Ok(Var::concat(&values, axis as isize))
        })
    }

    /// A constant around each axis: `[before, after]` of each.
    pub fn pad(&self, x: u32, padding: &[u32], value: f32) -> Js<u32> {
        self.op(&[x], &|v| {
            let pairs: Vec<(usize, usize)> =
                padding.chunks_exact(2).map(|p| (p[0] as usize, p[1] as usize)).collect();
            Ok(v[0].pad(&pairs, value))
        })
    }

    /// Indices as rows of zeros with a one.
    pub fn one_hot(&self, x: u32, depth: u32) -> Js<u32> {
        self.op(&[x], &|v| Ok(v[0].one_hot(depth as usize)))
    }

    /// The rows of a tensor at these indices.
    pub fn gather(&self, x: u32, index: &[u32]) -> Js<u32> {
        self.with(|t| t.get(x)?.gather_rows(&dims(index)))
    }

    /// The matrix product over the last two axes.
    pub fn matmul(&self, a: u32, b: u32, transpose_a: bool, transpose_b: bool) -> Js<u32> {
        self.op(&[a, b], &|v| Ok(float(v[0]).matmul_t(float(v[1]), transpose_a, transpose_b)))
    }

    /// A convolution of `[n, h, w, c]` with a filter `[kh, kw, c, o]`.
    pub fn conv2d(&self, x: u32, filter: u32, strides: &[u32], dilation: &[u32], same: bool) -> Js<u32> {
        self.op(&[x, filter], &|v| {
            let kernel = [v[1].dim(0) as u32, v[1].dim(1) as u32];
            let w = Window { dilation: pair(dilation)?, ..window(kernel, strides, same)? };
            Ok(float(v[0]).conv2d(float(v[1]), &w))
        })
    }

    /// The maximum, or the average, of each window of `[n, h, w, c]`.
    pub fn pool2d(&self, x: u32, kernel: &[u32], strides: &[u32], same: bool, average: bool) -> Js<u32> {
        self.op(&[x], &|v| {
            let w = window(pair(kernel)?, strides, same)?;
            Ok(if average { float(v[0]).avg_pool2d(&w) } else { float(v[0]).max_pool2d(&w) })
        })
    }

    /// Random numbers: uniform in `[a, b)`, or normal with mean `a` and deviation `b`, or normal within two
    /// deviations.
    pub fn random(&self, kind: u32, shape: &[u32], a: f32, b: f32, seed: f64) -> Js<u32> {
        let draw = || {
            let shape = dims(shape);
            let n = Shape::new(&shape)?.numel();
            let mut rng = Rng::new(seed as u64);
            let values: Vec<f32> = (0..n)
                .map(|_| match kind {
                    0 => a + (b - a) * rng.uniform(),
                    1 => a + b * rng.normal(),
                    _ => loop {
                        let z = rng.normal();
                        if (-2.0..=2.0).contains(&z) {
                            break a + b * z;
                        }
                    },
                })
                .collect();
            Tensor::new(&shape, values)
        };
        self.put(draw())
    }
}

fn pair(list: &[u32]) -> Result<[u32; 2]> {
    match *list {
        [a, b] => Ok([a, b]),
        _ => Err(misuse!("expected two numbers, got {}", list.len())),
    }
}

fn window(kernel: [u32; 2], strides: &[u32], same: bool) -> Result<Window> {
    let padding = if same { Padding::Same } else { Padding::Valid };
    Ok(Window { kernel, strides: pair(strides)?, padding, dilation: [1, 1], groups: 1 })
}
