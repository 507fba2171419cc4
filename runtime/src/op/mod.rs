//! The op table: what every operator means. One file is one primitive family with all its rules: result
//! types (`infer`), gradient (`vjp`) and evaluation (`run`).
//!
//! [`Op`] is closed and matched exhaustively, so the compiler lists what a new op still lacks.

pub mod cell;
pub mod chosen;
#[cfg(all(gradling_compact, target_arch = "wasm32", target_feature = "simd128"))]
mod compact;
mod conv;
pub mod elementwise;
mod formula;
pub mod index;
#[cfg(not(all(gradling_compact, target_arch = "wasm32", target_feature = "simd128")))]
mod loops;
pub mod matmul;
pub mod movement;
pub mod planned;
pub mod pool;
pub mod reduce;
pub mod region;
pub mod scalar;
pub mod scan;
pub mod source;
pub mod used;
#[cfg(feature = "alloc")]
pub mod var;
pub mod window;

pub use cell::RecurrentCell;
pub use conv::Conv2d;
pub use index::{Gather, Scatter};
pub use planned::{Epilogue, Planned, Product};
pub use pool::{Pool, PoolKind};
pub use reduce::{ArgReduce, Reduce, ReduceKind};
pub use region::Region;
pub use scalar::{Binary, Compare, Unary};
pub use scan::{Argsort, Recurrence};
pub use source::Random;
pub use used::Kernels;
use used::linked;
#[cfg(feature = "alloc")]
pub use var::{Backward, Builder, CustomGradient, Node, ValueId, Var};
pub use window::{Padding, Window};

use crate::kernel::{Cpu, View, ViewMut};
use crate::{DType, Error, MAX_RANK, Result, Shape, misuse, unsupported};
use heapless::Vec as Fixed;
use serde::{Deserialize, Serialize};

/// The most operands of an op.
pub const OPERANDS: usize = 8;
/// The most results of an op.
pub const RESULTS: usize = region::WRITES;

/// Shape and element type of a value.
pub type Kind = (Shape, DType);
/// The kinds of an op's results.
pub type Kinds = Fixed<Kind, RESULTS>;

/// An operator. Attributes are constants of the trace; operands are values.
///
/// Regions are large and stay in place: steps of a plan have a fixed size and microcontrollers have no heap.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant)]
pub enum Op {
    /// Input `n` of the graph.
    Input(u16),
    /// Variable `n` at the start of the step.
    Variable(u16),
    /// Constant `n` of the graph.
    Constant(u16),
    /// A scalar of this element type: floats by the bits of the float32, integers by their low bits.
    Scalar(DType, u32),
    /// 0, 1, 2, … along the last axis of this shape, int32 (`tf.range`).
    Iota(Shape),
    /// Random numbers from a key (int32 `[seed, counter]`).
    Random(Random),
    /// A function of one float.
    Unary(Unary),
    /// A function of two numbers of the same type and shape.
    Binary(Binary),
    /// A comparison of two numbers; gives booleans.
    Compare(Compare),
    /// Logical and.
    And,
    /// Logical or.
    Or,
    /// Logical not.
    Not,
    /// `tf.where(condition, a, b)`
    Select,
    /// `tf.cast`
    Cast(DType),
    /// The operand, through which no gradient flows (`tf.stop_gradient`).
    StopGradient,
    /// Several elementwise ops as one loop; made by the `fuse` pass only.
    Region(Region),
    /// A product with a packed operand or an epilogue; made by the passes `epilogues` and `pack` only.
    Planned(Planned),
    /// A matrix, or a filter, as products read it fastest; made by the pass `pack` only.
    Pack,
    /// The same elements under another shape.
    Reshape(Shape),
    /// Axes in another order: axis i of the result is axis `n[i]` of the operand.
    Transpose(Fixed<u8, MAX_RANK>),
    /// NumPy broadcasting to this shape.
    Broadcast(Shape),
    /// The box that starts at these coordinates and has this shape (`tf.slice`).
    Slice(Fixed<u32, MAX_RANK>, Shape),
    /// The operand at these coordinates inside zeros of this shape; the gradient of `Slice`.
    Pad(Fixed<u32, MAX_RANK>, Shape),
    /// Operands one after another along an axis.
    Concat(u8),
    /// Batched matrix product; each flag transposes the last two axes of that operand.
    Matmul(bool, bool),
    /// 2-D convolution and its gradients, NHWC and HWIO.
    Conv2d(Conv2d),
    /// 2-D pooling and its gradients, NHWC.
    Pool(Pool),
    /// Reduction over adjacent axes.
    Reduce(Reduce),
    /// Index of the extreme along one axis, int32.
    ArgReduce(ArgReduce),
    /// Slices along an axis, picked by index.
    Gather(Gather),
    /// Updates added at indices; the gradient of `Gather`.
    Scatter(Scatter),
    /// Axes in reverse order, bit a for axis a (`tf.reverse`).
    Reverse(u8),
    /// A linear recurrence along an axis: cumulative sums and products.
    Recurrence(Recurrence),
    /// The order of the elements along the last axis.
    Argsort(Argsort),
    /// One time step of a recurrent cell behind its products, and its gradient.
    RecurrentCell(RecurrentCell),
}

impl Op {
    /// Whether this build has [`Op::Planned`].
    pub const PLANNED: bool = linked(used::PLANNED);

    /// The name in error messages, plans and profiles.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Input(_) => "input",
            Op::Variable(_) => "variable",
            Op::Constant(_) => "constant",
            Op::Scalar(..) => "scalar",
            Op::Iota(_) => "iota",
            Op::Random(_) => "random",
            Op::Unary(f) => f.name(),
            Op::Binary(f) => f.name(),
            Op::Compare(f) => f.name(),
            Op::And => "logical_and",
            Op::Or => "logical_or",
            Op::Not => "logical_not",
            Op::Select => "where",
            Op::Cast(_) => "cast",
            Op::StopGradient => "stop_gradient",
            Op::Region(_) => "region",
            Op::Planned(p) => p.name(),
            Op::Pack => "pack",
            Op::Reshape(_) => "reshape",
            Op::Transpose(_) => "transpose",
            Op::Broadcast(_) => "broadcast_to",
            Op::Slice(..) => "slice",
            Op::Pad(..) => "pad",
            Op::Concat(_) => "concat",
            Op::Matmul(..) => "matmul",
            Op::Conv2d(c) => c.name(),
            Op::Pool(p) => p.name(),
            Op::Reduce(r) => r.kind.name(),
            Op::ArgReduce(a) => a.name(),
            Op::Gather(_) => "gather",
            Op::Scatter(_) => "scatter",
            Op::Reverse(_) => "reverse",
            Op::Recurrence(_) => "recurrence",
            Op::Argsort(_) => "argsort",
            Op::RecurrentCell(c) => c.name(),
        }
    }

    /// Whether the op is a leaf whose value comes from outside the graph.
    pub fn is_source(&self) -> bool {
        matches!(self, Op::Input(_) | Op::Variable(_) | Op::Constant(_))
    }

    /// Whether the op can be an instruction of a region.
    pub fn is_elementwise(&self) -> bool {
        match self {
            Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::And | Op::Or | Op::Not => true,
            Op::Select | Op::Cast(_) | Op::StopGradient => true,
            Op::Input(_) | Op::Variable(_) | Op::Constant(_) | Op::Scalar(..) | Op::Iota(_) => false,
            Op::Random(_) | Op::Region(_) | Op::Planned(_) | Op::Pack | Op::Reshape(_) => false,
            Op::Transpose(_) | Op::Broadcast(_) => false,
            Op::Slice(..) | Op::Pad(..) | Op::Concat(_) | Op::Matmul(..) | Op::Conv2d(_) => false,
            Op::Pool(_) | Op::Reduce(_) | Op::ArgReduce(_) => false,
            Op::Gather(_) | Op::Scatter(_) | Op::Reverse(_) => false,
            Op::Recurrence(_) | Op::Argsort(_) | Op::RecurrentCell(_) => false,
        }
    }

    /// The kinds of the results.
    ///
    /// **Errors** when the operands do not fit; the message names the op, what it expected and got. Sources
    /// are typed by the graph that holds them and have no kinds here.
    pub fn infer(&self, inputs: &[Kind]) -> Result<Kinds> {
        let one = |kind: Result<Kind>| kind.map(|k| Kinds::from_iter([k]));
        match self {
            Op::Input(_) | Op::Variable(_) | Op::Constant(_) => {
                Err(misuse!("{}: a source is typed by its graph", self.name()))
            }
            Op::Scalar(dtype, _) => one(self.no_operands(inputs).map(|_| (Shape::SCALAR, *dtype))),
            Op::Iota(shape) => one(self.no_operands(inputs).map(|_| (*shape, DType::I32))),
            Op::Random(r) => one(r.infer(inputs)),
            Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::And | Op::Or | Op::Not => {
                one(elementwise::infer(self, inputs))
            }
            Op::Select | Op::Cast(_) | Op::StopGradient => one(elementwise::infer(self, inputs)),
            Op::Region(r) => {
                r.check(inputs)?;
                Ok(r.dtypes.iter().enumerate().map(|(i, &d)| (r.result_shape(i), d)).collect())
            }
            Op::Planned(p) if linked(used::PLANNED) => p.infer(inputs),
            Op::Pack if linked(used::PLANNED) => one(planned::infer_pack(inputs)),
            Op::Planned(_) | Op::Pack => self.not_linked(),
            Op::Reshape(_) | Op::Broadcast(_) => one(movement::infer_size(self, inputs)),
            Op::Concat(axis) => one(movement::infer_concat(*axis as usize, inputs)),
            Op::Transpose(_) | Op::Slice(..) | Op::Pad(..) | Op::Reverse(_) if linked(used::MOVE) => {
                one(movement::infer(self, inputs))
            }
            Op::Matmul(ta, tb) => one(matmul::infer(*ta, *tb, inputs)),
            Op::Conv2d(c) if linked(used::ANY_CONV) => one(c.infer(inputs)),
            Op::Pool(p) if linked(used::ANY_POOL) => one(p.infer(inputs)),
            Op::Reduce(r) => one(r.infer(inputs)),
            Op::ArgReduce(a) => one(a.infer(inputs)),
            Op::Gather(g) if linked(used::GATHER) => one(g.infer(inputs)),
            Op::Scatter(s) if linked(used::SCATTER) => one(s.infer(inputs)),
            Op::Recurrence(r) if linked(used::RECURRENCE) => one(r.infer(inputs)),
            Op::Argsort(a) if linked(used::SORT) => one(a.infer(inputs)),
            Op::RecurrentCell(c) if linked(used::CELL) => c.infer(inputs),
            Op::Transpose(_) | Op::Slice(..) | Op::Pad(..) => self.not_linked(),
            Op::Conv2d(_) | Op::Pool(_) | Op::Gather(_) | Op::Scatter(_) => self.not_linked(),
            Op::Reverse(_) | Op::Recurrence(_) | Op::Argsort(_) => self.not_linked(),
            Op::RecurrentCell(_) => self.not_linked(),
        }
    }

    /// Float32 words of scratch memory that `run` can use; it runs without, more slowly.
    pub fn workspace(&self, inputs: &[Kind]) -> usize {
        match self {
            Op::Matmul(ta, tb) => matmul::workspace(*ta, *tb, inputs),
            Op::Conv2d(c) if linked(used::ANY_CONV) => c.workspace(inputs),
            Op::Input(_) | Op::Variable(_) | Op::Constant(_) | Op::Scalar(..) | Op::Iota(_) => 0,
            Op::Random(_) | Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::And | Op::Or => 0,
            Op::Region(r) => r.workspace(),
            Op::Planned(p) if linked(used::PLANNED) => p.workspace(inputs),
            Op::Planned(_) | Op::Pack => 0,
            Op::Not | Op::Select | Op::Cast(_) | Op::StopGradient | Op::Reshape(_) => 0,
            Op::Transpose(_) | Op::Broadcast(_) | Op::Slice(..) | Op::Pad(..) | Op::Concat(_) => 0,
            Op::Conv2d(_)
            | Op::Pool(_)
            | Op::Reduce(_)
            | Op::ArgReduce(_)
            | Op::Gather(_)
            | Op::Scatter(_) => 0,
            Op::Reverse(_) | Op::Recurrence(_) | Op::Argsort(_) | Op::RecurrentCell(_) => 0,
        }
    }

    /// Computes the results on the CPU. `writes` have the kinds that `infer` gives and, except for regions,
    /// overlap no operand.
    pub fn run(
        &self,
        cpu: &Cpu,
        reads: &[View],
        writes: &mut [ViewMut],
        workspace: &mut [f32],
    ) -> Result<()> {
        self.run_with::<{ used::EVERY }>(cpu, reads, writes, workspace)
    }

    /// [`run`](Op::run) in a program that links no kernels but `K`.
    ///
    /// **Errors** also when the op calls others.
    pub fn run_with<const K: Kernels>(
        &self,
        cpu: &Cpu,
        reads: &[View],
        writes: &mut [ViewMut],
        workspace: &mut [f32],
    ) -> Result<()> {
        let dtypes = reads.iter().map(View::dtype).chain(writes.iter().map(ViewMut::dtype));
        if (self.kernels() | used::of_types(dtypes)) & !K != 0 {
            return self.not_linked();
        }
        match self {
            Op::Input(_) | Op::Variable(_) | Op::Constant(_) => {
                Err(misuse!("{}: a source is not computed", self.name()))
            }
            Op::Scalar(..) | Op::Iota(_) if K & used::SOURCE != 0 => source::run::<K>(self, writes),
            Op::Random(r) if K & used::RANDOM != 0 => r.run(cpu, reads, writes),
            Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::And | Op::Or | Op::Not => {
                elementwise::run::<K>(self, cpu, reads, writes)
            }
            Op::Select | Op::Cast(_) | Op::StopGradient | Op::Broadcast(_) => {
                elementwise::run::<K>(self, cpu, reads, writes)
            }
            Op::Region(r) => r.run::<K>(cpu, reads, writes, workspace),
            Op::Planned(p) if K & used::PLANNED != 0 => p.run::<K>(cpu, reads, writes, workspace),
            Op::Pack if K & used::PLANNED != 0 => planned::pack(reads, writes),
            Op::Planned(_) | Op::Pack => self.not_linked(),
            Op::Reshape(_) if K & used::RESHAPE != 0 => movement::copy::<K>(reads, writes),
            Op::Concat(axis) if K & used::CONCAT != 0 => movement::concat::<K>(*axis as usize, reads, writes),
            Op::Transpose(_) | Op::Slice(..) | Op::Pad(..) | Op::Reverse(_) if K & used::MOVE != 0 => {
                movement::run::<K>(self, reads, writes)
            }
            Op::Matmul(ta, tb) if K & used::MATMUL != 0 => {
                let [c] = writes else { return Err(misuse!("matmul: expected one result")) };
                matmul::run(*ta, *tb, false, cpu, reads, c.slice::<f32>()?, workspace, crate::kernel::NOTHING)
            }
            Op::Conv2d(c) if K & used::ANY_CONV != 0 => c.run::<K>(cpu, reads, writes, workspace),
            Op::Pool(p) if K & used::ANY_POOL != 0 => p.run::<K>(cpu, reads, writes),
            Op::Reduce(r) if K & used::REDUCE != 0 => r.run(cpu, reads, writes),
            Op::ArgReduce(a) if K & used::ARG_REDUCE != 0 => a.run(reads, writes),
            Op::Gather(g) if K & used::GATHER != 0 => g.run::<K>(reads, writes),
            Op::Scatter(s) if K & used::SCATTER != 0 => s.run(reads, writes),
            Op::Recurrence(r) if K & used::RECURRENCE != 0 => r.run(reads, writes),
            Op::Argsort(a) if K & used::SORT != 0 => a.run(reads, writes),
            Op::RecurrentCell(c) if K & used::CELL != 0 => c.run(cpu, reads, writes),
            Op::Scalar(..) | Op::Iota(_) | Op::Random(_) | Op::Reshape(_) => self.not_linked(),
            Op::Transpose(_) | Op::Slice(..) | Op::Pad(..) | Op::Concat(_) => self.not_linked(),
            Op::Matmul(..) | Op::Conv2d(_) | Op::Pool(_) => self.not_linked(),
            Op::Reduce(_) | Op::ArgReduce(_) => self.not_linked(),
            Op::Gather(_) | Op::Scatter(_) | Op::Reverse(_) => self.not_linked(),
            Op::Recurrence(_) | Op::Argsort(_) | Op::RecurrentCell(_) => self.not_linked(),
        }
    }

    fn not_linked<T>(&self) -> Result<T> {
        Err(self.missing())
    }

    #[cold]
    fn missing(&self) -> Error {
        unsupported!("{}: this program was built without its kernel", self.name())
    }

    /// The vector-Jacobian product: the cotangent of each operand from the cotangents of the results, `None`
    /// where no gradient flows. The rule only applies ops, so it can be differentiated again.
    #[cfg(feature = "alloc")]
    pub fn vjp<'b>(
        &self,
        inputs: &[Var<'b>],
        outputs: &[Var<'b>],
        cotangents: &[Var<'b>],
    ) -> alloc::vec::Vec<Option<Var<'b>>> {
        let (y, g) = (outputs[0], cotangents[0]);
        match self {
            Op::Input(_) | Op::Variable(_) | Op::Constant(_) | Op::Scalar(..) | Op::Iota(_) => alloc::vec![],
            Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::And | Op::Or | Op::Not => {
                elementwise::vjp(self, inputs, y, g)
            }
            Op::Select | Op::Cast(_) | Op::StopGradient => elementwise::vjp(self, inputs, y, g),
            Op::Random(_) => alloc::vec![None],
            Op::Region(_) | Op::Planned(_) | Op::Pack => {
                y.fail(misuse!("{}: differentiate before the fuse pass", self.name()));
                alloc::vec![None; inputs.len()]
            }
            Op::Reshape(_) => alloc::vec![Some(g.apply(Op::Reshape(inputs[0].shape())))],
            Op::Broadcast(to) => alloc::vec![Some(movement::broadcast_vjp(to, inputs[0].shape(), g))],
            Op::Transpose(_) | Op::Slice(..) | Op::Pad(..) | Op::Concat(_) | Op::Reverse(_)
                if linked(used::MOVE) =>
            {
                movement::vjp(self, inputs, g)
            }
            Op::Matmul(ta, tb) => matmul::vjp(*ta, *tb, inputs, g),
            Op::Conv2d(c) if linked(used::ANY_CONV) => c.vjp(inputs, g),
            Op::Pool(p) if linked(used::ANY_POOL) => p.vjp(inputs, g),
            Op::Reduce(r) => r.vjp(inputs, y, g),
            Op::Gather(gather) if linked(used::GATHER) => gather.vjp(inputs, g),
            Op::Scatter(s) if linked(used::SCATTER) => s.vjp(inputs, g),
            Op::Recurrence(r) if linked(used::RECURRENCE) => r.vjp(inputs, y, g),
            Op::RecurrentCell(c) if linked(used::CELL) => c.vjp(inputs, outputs, cotangents),
            Op::ArgReduce(_) | Op::Argsort(_) => alloc::vec![None],
            Op::Transpose(_)
            | Op::Slice(..)
            | Op::Pad(..)
            | Op::Concat(_)
            | Op::Reverse(_)
            | Op::Conv2d(_)
            | Op::Pool(_)
            | Op::Gather(_)
            | Op::Scatter(_)
            | Op::Recurrence(_)
            | Op::RecurrentCell(_) => {
                y.fail(self.missing());
                alloc::vec![None; inputs.len()]
            }
        }
    }

    fn no_operands(&self, inputs: &[Kind]) -> Result<()> {
        expect_operands(self.name(), inputs, 0)
    }
}

/// Checks the number of operands.
pub(crate) fn expect_operands(op: &str, inputs: &[Kind], n: usize) -> Result<()> {
    if inputs.len() != n {
        return Err(misuse!("{op}: expected {n} operands, got {}", inputs.len()));
    }
    Ok(())
}

/// Checks that every operand is float32.
pub(crate) fn expect_f32(op: &str, inputs: &[Kind]) -> Result<()> {
    match inputs.iter().find(|(_, d)| *d != DType::F32) {
        Some((_, d)) => Err(wrong_type(op, "float32", *d)),
        None => Ok(()),
    }
}

/// Checks that values can be added and multiplied.
pub(crate) fn expect_number(op: &str, dtype: DType) -> Result<()> {
    match dtype {
        DType::F32 | DType::I32 => Ok(()),
        DType::U8 | DType::Bool | DType::I8 | DType::F16 => Err(wrong_type(op, "float32 or int32", dtype)),
    }
}

/// The error of an op on a type that it does not take.
#[cold]
pub(crate) fn wrong_type(op: &str, expected: &str, got: DType) -> Error {
    match got {
        DType::F16 => misuse!("{op}: got float16, which is storage only; cast to float32 first"),
        _ => misuse!("{op}: expected {expected}, got {got}; cast it first"),
    }
}
