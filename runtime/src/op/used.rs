//! Which code a plan runs, one bit each.
//!
//! A plan is data, so a program that runs any plan links every kernel. A firmware knows its plan when it is
//! compiled: it passes the plan's bits as a constant, and the linker drops what no bit stands for.

use super::region::Scalar;
use super::scalar::{Binary, Unary};
use super::{Conv2d, Op, Pool, PoolKind};

/// A set of kernels.
pub type Kernels = u64;

/// Every kernel.
pub const EVERY: Kernels = u64::MAX;

pub(super) const SOURCE: Kernels = 1;
pub(super) const RANDOM: Kernels = 1 << 1;
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
/// Arithmetic and comparison of integers.
pub(super) const INTEGER: Kernels = 1 << 13;
pub(super) const COMPARE: Kernels = 1 << 14;
/// Logic, selection and conversions.
pub(super) const SELECT: Kernels = 1 << 15;

const FIRST_UNARY: u32 = 16;
const FIRST_BINARY: u32 = FIRST_UNARY + Unary::ALL.len() as u32;
const _: () = assert!(FIRST_BINARY + Binary::ALL.len() as u32 <= Kernels::BITS);

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
        }
    }
}

impl Op {
    /// The kernels that `run` may call.
    pub fn kernels(&self) -> Kernels {
        match self {
            Op::Input(_) | Op::Variable(_) | Op::Constant(_) => 0,
            Op::Scalar(..) | Op::Iota(_) => SOURCE,
            Op::Random(_) => RANDOM,
            Op::Unary(f) => f.kernel(),
            Op::Binary(f) => f.kernel() | INTEGER,
            Op::Compare(_) => COMPARE | INTEGER,
            Op::And | Op::Or | Op::Not | Op::Select | Op::Cast(_) => SELECT,
            Op::StopGradient | Op::Broadcast(_) => SELECT,
            Op::Region(r) => r.code.iter().fold(0, |set, i| set | i.op.kernel()),
            Op::Reshape(_) | Op::Transpose(_) | Op::Slice(..) | Op::Pad(..) | Op::Concat(_) => MOVE,
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
        }
    }
}
