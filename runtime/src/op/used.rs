//! Which code a plan runs, one bit each.
//!
//! A plan is data, so a program that runs any plan links every kernel. A firmware knows its plan when it is
//! compiled: it passes the plan's bits as a constant, and the linker drops what no bit stands for.

use super::region::Scalar;
use super::scalar::{Binary, Unary};
use super::{Conv2d, Op, Pool, PoolKind};
use crate::DType;

/// A set of kernels.
pub type Kernels = u64;

/// Every kernel of this build. Without an allocator the plan tells what is linked; with one, each feature adds what
/// it calls.
pub const EVERY: Kernels = if cfg!(any(feature = "full", not(feature = "alloc"))) {
    // Pages make recurrent cells of elementwise ops.
    if cfg!(gradling_compact) { Kernels::MAX & !CELL } else { Kernels::MAX }
} else {
    Kernels::MAX
        & !FULL
        & !if cfg!(feature = "conv") { 0 } else { IMAGES }
        & !if cfg!(feature = "eager") { 0 } else { EAGER }
};

/// Whether this build has one of these kernels.
pub(super) const fn linked(kernels: Kernels) -> bool {
    EVERY & kernels != 0
}

/// What only the feature `full` calls.
const FULL: Kernels = SORT
    | GATHER
    | CELL
    | PLANNED
    | SCATTER
    | INT8
    | FLOAT16
    | Unary::Atan.kernel()
    | Unary::Half.kernel()
    | Binary::FloorMod.kernel();

/// What only the feature `conv` calls, besides `full`.
const IMAGES: Kernels = ANY_CONV | ANY_POOL;

/// What only the feature `eager` calls, besides `full`.
const EAGER: Kernels = MOVE
    | RECURRENCE
    | Unary::Expm1.kernel()
    | Unary::Log1p.kernel()
    | Unary::Rsqrt.kernel()
    | Unary::Softplus.kernel()
    | Unary::Floor.kernel()
    | Unary::Ceil.kernel()
    | Unary::Round.kernel()
    | Unary::Sin.kernel()
    | Unary::Cos.kernel()
    | Unary::Erf.kernel();

pub(super) const SOURCE: Kernels = 1;
pub(super) const RANDOM: Kernels = 1 << 1;
/// Movements but `Reshape` and `Concat`.
pub(super) const MOVE: Kernels = 1 << 2;
pub(super) const MATMUL: Kernels = 1 << 3;
pub(super) const CONV: Kernels = 1 << 4;
pub(super) const CONV_INPUT_GRAD: Kernels = 1 << 5;
pub(super) const CONV_FILTER_GRAD: Kernels = 1 << 6;
pub(super) const MAX_POOL: Kernels = 1 << 7;
pub(super) const AVERAGE_POOL: Kernels = 1 << 8;
pub(super) const MAX_POOL_GRAD: Kernels = 1 << 9;
pub(super) const AVERAGE_POOL_GRAD: Kernels = 1 << 10;
pub(super) const REDUCE: Kernels = 1 << 11;
pub(super) const ARG_REDUCE: Kernels = 1 << 12;
pub(super) const ANY_CONV: Kernels = CONV | CONV_INPUT_GRAD | CONV_FILTER_GRAD;
pub(super) const ANY_POOL: Kernels = MAX_POOL | AVERAGE_POOL | MAX_POOL_GRAD | AVERAGE_POOL_GRAD;
/// Arithmetic and comparison of integers.
pub(super) const INTEGER: Kernels = 1 << 13;
pub(super) const COMPARE: Kernels = 1 << 14;
/// Logic, selection and conversions.
pub(super) const SELECT: Kernels = 1 << 15;

const FIRST_UNARY: u32 = 16;
const FIRST_BINARY: u32 = FIRST_UNARY + Unary::ALL.len() as u32;
const AFTER_ROWS: u32 = FIRST_BINARY + Binary::ALL.len() as u32;
pub(super) const GATHER: Kernels = 1 << AFTER_ROWS;
pub(super) const SCATTER: Kernels = 1 << (AFTER_ROWS + 1);
pub(super) const RECURRENCE: Kernels = 1 << (AFTER_ROWS + 2);
pub(super) const SORT: Kernels = 1 << (AFTER_ROWS + 3);
pub(super) const RESHAPE: Kernels = 1 << (AFTER_ROWS + 4);
pub(super) const CONCAT: Kernels = 1 << (AFTER_ROWS + 5);
/// Elementwise ops on int8.
pub(super) const INT8: Kernels = 1 << (AFTER_ROWS + 6);
/// Products with packed operands or epilogues.
pub(super) const PLANNED: Kernels = 1 << (AFTER_ROWS + 8);
/// Steps of recurrent cells.
pub(super) const CELL: Kernels = 1 << (AFTER_ROWS + 9);
/// Anything on float16.
pub(super) const FLOAT16: Kernels = 1 << (AFTER_ROWS + 7);

impl Unary {
    pub(super) const fn kernel(self) -> Kernels {
        1 << (FIRST_UNARY + self as u32)
    }
}

impl Binary {
    pub(super) const fn kernel(self) -> Kernels {
        1 << (FIRST_BINARY + self as u32)
    }
}

impl Scalar {
    fn kernel(self) -> Kernels {
        match self {
            Scalar::Unary(f) => f.kernel(),
            Scalar::Binary(f) => f.kernel(),
            Scalar::Compare(_) => COMPARE,
            Scalar::BinaryI32(_) | Scalar::CompareI32(_) => INTEGER,
            Scalar::And | Scalar::Or | Scalar::Not | Scalar::Select => SELECT,
            Scalar::FloatOfInt | Scalar::IntOfFloat | Scalar::ByteOfInt => SELECT,
            Scalar::BoolOfFloat | Scalar::BoolOfInt | Scalar::Copy => SELECT,
            Scalar::SignedByteOfInt => SELECT | INT8,
        }
    }
}

/// What operands and results of these element types add to the kernels of an op.
pub fn of_types(dtypes: impl Iterator<Item = DType>) -> Kernels {
    dtypes.fold(0, |set, dtype| match dtype {
        DType::I8 => set | INT8,
        DType::F16 => set | FLOAT16,
        DType::F32 | DType::I32 | DType::U8 | DType::Bool => set,
    })
}

impl Op {
    /// The kernels that `run` may call, besides those of the element types, [`of_types`].
    pub fn kernels(&self) -> Kernels {
        match self {
            Op::Input(_) | Op::Variable(_) | Op::Constant(_) => 0,
            Op::Scalar(..) | Op::Iota(_) => SOURCE,
            Op::Random(_) => RANDOM,
            Op::Unary(f) => f.kernel(),
            Op::Binary(f) => f.kernel() | INTEGER,
            Op::Compare(_) => COMPARE | INTEGER,
            // Rounds to float16 from every wider type.
            Op::Cast(DType::F16) => SELECT | Unary::Half.kernel(),
            Op::And | Op::Or | Op::Not | Op::Select | Op::Cast(_) => SELECT,
            Op::StopGradient | Op::Broadcast(_) => SELECT,
            Op::Region(r) => {
                let sums = if r.summed.iter().any(|&axes| axes > 0) { REDUCE } else { 0 };
                r.code.iter().fold(sums, |set, i| set | i.op.kernel())
            }
            Op::Planned(p) => {
                let after = p.epilogue.as_ref().map_or(0, |e| Op::Region(e.region.clone()).kernels());
                PLANNED | p.product().kernels() | after
            }
            Op::Pack => PLANNED,
            Op::Reshape(_) => RESHAPE,
            Op::Transpose(_) | Op::Slice(..) | Op::Pad(..) => MOVE,
            Op::Concat(_) => CONCAT,
            Op::Matmul(..) => MATMUL,
            Op::Conv2d(Conv2d::Forward(_)) => CONV,
            Op::Conv2d(Conv2d::InputGrad(..)) => CONV_INPUT_GRAD,
            Op::Conv2d(Conv2d::FilterGrad(..)) => CONV_FILTER_GRAD,
            Op::Pool(Pool::Forward(PoolKind::Max, _)) => MAX_POOL,
            Op::Pool(Pool::Forward(PoolKind::Average, _)) => AVERAGE_POOL,
            Op::Pool(Pool::MaxGrad(_) | Pool::MaxPick(_)) => MAX_POOL_GRAD,
            Op::Pool(Pool::AverageGrad(..)) => AVERAGE_POOL_GRAD,
            Op::Reduce(_) => REDUCE,
            Op::ArgReduce(_) => ARG_REDUCE,
            Op::Gather(_) => GATHER,
            Op::Scatter(_) => SCATTER,
            Op::Reverse(_) => MOVE,
            Op::Recurrence(_) => RECURRENCE,
            Op::Argsort(_) => SORT,
            Op::RecurrentCell(_) => CELL,
        }
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;
    use crate::kernel::{Cpu, Level, View, ViewMut};
    use crate::op::{ArgReduce, Argsort, Compare, Kind, Recurrence, Reduce, ReduceKind};
    use crate::{DType, Shape, Window, f16};
    use alloc::vec;
    use alloc::vec::Vec;

    /// An op on float operands gives the same in a program with no kernels but its own, `K`, as in one with all.
    fn check<const K: Kernels>(op: Op, operands: &[&[usize]]) {
        let kinds: Vec<Kind> = operands.iter().map(|dims| (Shape::new(dims).unwrap(), DType::F32)).collect();
        let value = |i: usize| (i * 7 % 11) as f32 * 0.25 + 0.5;
        let data: Vec<Vec<f32>> = kinds.iter().map(|k| (0..k.0.numel()).map(value).collect()).collect();
        let reads: Vec<View> =
            data.iter().zip(&kinds).map(|(x, k)| View::new(x, k.0, k.1).unwrap()).collect();
        let (shape, dtype) = op.infer(&kinds).unwrap()[0];
        assert_eq!((op.kernels() | of_types([dtype].into_iter())) & !K, 0, "{op:?}");
        let cpu = Cpu::new(Level::Portable, None);
        let run = |limited: bool| {
            let n = shape.numel();
            let (mut floats, mut integers, mut bytes) = (vec![-1.0f32; n], vec![-1i32; n], vec![9u8; n]);
            let (mut signed, mut halves) = (vec![-1i8; n], vec![f16::ONE; n]);
            let mut write = [match dtype {
                DType::F32 => ViewMut::new(&mut floats, shape, dtype),
                DType::I32 => ViewMut::new(&mut integers, shape, dtype),
                DType::U8 | DType::Bool => ViewMut::new(&mut bytes, shape, dtype),
                DType::I8 => ViewMut::new(&mut signed, shape, dtype),
                DType::F16 => ViewMut::new(&mut halves, shape, dtype),
            }
            .unwrap()];
            let ran = if limited {
                op.run_with::<K>(&cpu, &reads, &mut write, &mut [])
            } else {
                op.run(&cpu, &reads, &mut write, &mut [])
            };
            ran.unwrap();
            (floats, integers, bytes, signed, halves)
        };
        assert_eq!(run(true), run(false), "{op:?}");
        let mut none: [ViewMut; 0] = [];
        assert!(op.run_with::<0>(&cpu, &reads, &mut none, &mut []).is_err());
    }

    #[test]
    fn ops_run_with_their_own_kernels_alone() {
        let (x, y, filter): (&[usize], &[usize], &[usize]) = (&[1, 4, 4, 2], &[1, 2, 2, 3], &[3, 3, 2, 3]);
        let window = Window::new([3, 3]);
        let shape = |dims: &[usize]| Shape::new(dims).unwrap();
        check::<CONV>(Op::Conv2d(Conv2d::Forward(window)), &[x, filter]);
        check::<CONV_INPUT_GRAD>(Op::Conv2d(Conv2d::InputGrad(window, shape(x))), &[y, filter]);
        check::<CONV_FILTER_GRAD>(Op::Conv2d(Conv2d::FilterGrad(window, shape(filter))), &[x, y]);
        let pooled: &[usize] = &[1, 2, 2, 2];
        check::<MAX_POOL>(Op::Pool(Pool::Forward(PoolKind::Max, window)), &[x]);
        check::<AVERAGE_POOL>(Op::Pool(Pool::Forward(PoolKind::Average, window)), &[x]);
        check::<MAX_POOL_GRAD>(Op::Pool(Pool::MaxGrad(window)), &[x, pooled]);
        check::<MAX_POOL_GRAD>(Op::Pool(Pool::MaxPick(window)), &[x, x]);
        check::<AVERAGE_POOL_GRAD>(Op::Pool(Pool::AverageGrad(window, shape(x))), &[pooled]);
        check::<MATMUL>(Op::Matmul(false, true), &[&[3, 5], &[2, 5]]);
        check::<REDUCE>(Op::Reduce(Reduce { kind: ReduceKind::Sum, axis: 0, count: 1 }), &[&[5, 3]]);
        check::<ARG_REDUCE>(Op::ArgReduce(ArgReduce { smallest: false, axis: 1 }), &[&[5, 3]]);
        check::<MOVE>(Op::Transpose([1, 0].into_iter().collect()), &[&[5, 3]]);
        check::<RESHAPE>(Op::Reshape(shape(&[3, 5])), &[&[5, 3]]);
        check::<CONCAT>(Op::Concat(0), &[&[5, 3], &[2, 3]]);
        check::<SELECT>(Op::Broadcast(shape(&[5, 3])), &[&[3]]);
        check::<SELECT>(Op::Cast(DType::I32), &[&[7]]);
        check::<{ SELECT | INT8 }>(Op::Cast(DType::I8), &[&[7]]);
        check::<{ SELECT | FLOAT16 | Unary::Half.kernel() }>(Op::Cast(DType::F16), &[&[7]]);
        check::<{ Unary::Erf.kernel() }>(Op::Unary(Unary::Erf), &[&[70]]);
        check::<{ Binary::Minimum.kernel() | INTEGER }>(Op::Binary(Binary::Minimum), &[&[70], &[70]]);
        check::<{ COMPARE | INTEGER }>(Op::Compare(Compare::LessEqual), &[&[70], &[70]]);
        check::<SOURCE>(Op::Iota(shape(&[4])), &[]);
        check::<MOVE>(Op::Reverse(2), &[&[5, 3]]);
        check::<RECURRENCE>(Op::Recurrence(Recurrence { axis: 0, reverse: true }), &[&[5, 3], &[5, 3]]);
        check::<SORT>(Op::Argsort(Argsort { descending: true }), &[&[5, 3]]);
    }

    #[test]
    fn small_types_have_code_of_their_own() {
        let (x, shape) = ([f16::ONE, f16::NEG_ONE], Shape::new(&[2]).unwrap());
        let (op, cpu) = (Op::Reverse(1), Cpu::new(Level::Portable, None));
        let mut y = [f16::ZERO; 2];
        let reads = [View::new(&x, shape, DType::F16).unwrap()];
        let mut write = [ViewMut::new(&mut y, shape, DType::F16).unwrap()];
        op.run_with::<{ MOVE | FLOAT16 }>(&cpu, &reads, &mut write, &mut []).unwrap();
        let error = op.run_with::<MOVE>(&cpu, &reads, &mut write, &mut []).unwrap_err();
        assert_eq!(error.message(), "reverse: this program was built without its kernel");
        assert_eq!(y, [f16::NEG_ONE, f16::ONE]);
    }
}
