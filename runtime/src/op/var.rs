//! Values under construction: what layers, losses and gradient rules are written with.

use super::{Binary, Compare, Kind, Op, ReduceKind, Unary};
use crate::{DType, Error, Shape, Tensor, misuse};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::ops;

/// The number of a value in its builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct ValueId(pub u32);

impl ValueId {
    /// The value of an op that failed; every op on it is this value too.
    pub const POISON: ValueId = ValueId(u32::MAX);

    /// The value as an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One op of a graph: its operands and the range of its results.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The operator.
    pub op: Op,
    /// The operands.
    pub inputs: Vec<ValueId>,
    /// The first result; further ones follow.
    pub first: ValueId,
    /// How many results.
    pub results: usize,
}

impl Node {
    /// The results.
    pub fn outputs(&self) -> impl Iterator<Item = ValueId> + use<> {
        let first = self.first.0;
        (0..self.results as u32).map(move |i| ValueId(first + i))
    }
}

/// Records ops. [`Trace`](crate::Trace) builds a graph, [`Tape`](crate::Tape) also computes each value at once.
///
/// Errors are sticky: the first op that does not type-check stores its error in the builder and yields a
/// poisoned value, and so does every op on it. Whoever finishes the builder gets that first error.
pub trait Builder {
    /// Adds an op; gives its first result.
    fn push(&self, op: Op, inputs: &[ValueId]) -> ValueId;
    /// Adds a constant.
    fn constant_id(&self, value: Tensor) -> ValueId;
    /// Shape and type of a value; a float scalar for a poisoned one.
    fn kind(&self, value: ValueId) -> Kind;
    /// Stores an error unless there is one already.
    fn fail(&self, error: Error);
    /// The number of nodes so far.
    fn nodes(&self) -> usize;
    /// Node `index`.
    fn node(&self, index: usize) -> Node;
    /// The node that computes a value.
    fn producer(&self, value: ValueId) -> usize;
    /// The rule that stands for the vjp of node `index`, if it has one of its own.
    fn custom_gradient(&self, index: usize) -> Option<CustomGradient>;
    /// Gives the node of a value a rule of its own.
    fn set_custom_gradient(&self, value: ValueId, rule: CustomGradient);
}

/// A vjp of a caller: the cotangents of the inputs from the inputs, the result and its cotangent.
pub type Backward = dyn for<'b> Fn(&[Var<'b>], Var<'b>, Var<'b>) -> Vec<Var<'b>>;

/// A gradient rule of a caller, for one node.
#[derive(Clone)]
pub struct CustomGradient {
    /// The values that the rule has cotangents for.
    pub inputs: Vec<ValueId>,
    /// The rule.
    pub backward: Rc<Backward>,
}

/// A handle to a value of a builder. Methods apply ops; binary ops broadcast as in NumPy.
#[derive(Clone, Copy)]
pub struct Var<'b> {
    builder: &'b dyn Builder,
    id: ValueId,
}

impl<'b> Var<'b> {
    /// The handle of value `id` of `builder`.
    pub fn new(builder: &'b dyn Builder, id: ValueId) -> Var<'b> {
        Var { builder, id }
    }

    /// Applies an op to values of one builder.
    pub fn op(op: Op, inputs: &[Var<'b>]) -> Var<'b> {
        let builder = inputs[0].builder;
        let ids = match operand_ids(inputs) {
            Some(ids) => ids,
            None => {
                builder.fail(misuse!("{}: expected at most {} operands", op.name(), super::OPERANDS));
                return Var { builder, id: ValueId::POISON };
            }
        };
        Var { builder, id: builder.push(op, &ids) }
    }

    /// Applies an op to this value alone.
    pub fn apply(self, op: Op) -> Var<'b> {
        Var { builder: self.builder, id: self.builder.push(op, &[self.id]) }
    }

    /// The builder.
    pub fn builder(&self) -> &'b dyn Builder {
        self.builder
    }

    /// The value's number.
    pub fn id(&self) -> ValueId {
        self.id
    }

    /// Stores an error in the builder.
    pub fn fail(&self, error: Error) {
        self.builder.fail(error);
    }

    /// Stores an error in the builder and yields the poisoned value.
    pub fn poison(&self, error: Error) -> Var<'b> {
        self.builder.fail(error);
        Var { builder: self.builder, id: ValueId::POISON }
    }

    /// The shape.
    pub fn shape(&self) -> Shape {
        self.builder.kind(self.id).0
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.builder.kind(self.id).1
    }

    /// Dimension `axis`, negative from the end; 1 where there is no such axis.
    pub fn dim(&self, axis: isize) -> usize {
        self.shape().dim(axis)
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.shape().rank()
    }

    /// A scalar of the same element type.
    pub fn scalar_like(self, value: f32) -> Var<'b> {
        let dtype = self.dtype();
        let bits = match dtype {
            DType::F32 => value.to_bits(),
            DType::F16 => crate::math::round_half(value).to_bits(),
            DType::I8 => value as i32 as i8 as u32,
            DType::I32 | DType::U8 | DType::Bool => value as i32 as u32,
        };
        Var { builder: self.builder, id: self.builder.push(Op::Scalar(dtype, bits), &[]) }
    }

    /// A constant in the same builder.
    pub fn constant_like(self, value: Tensor) -> Var<'b> {
        Var { builder: self.builder, id: self.builder.constant_id(value) }
    }

    /// `tf.broadcast_to`: this value, if it has the shape already.
    pub fn broadcast(self, shape: Shape) -> Var<'b> {
        if self.shape() == shape || self.id == ValueId::POISON {
            self
        } else {
            self.apply(Op::Broadcast(shape))
        }
    }

    fn pair(self, rhs: Var<'b>, op: Op) -> Var<'b> {
        let (a, b) = (self.shape(), rhs.shape());
        match Shape::broadcast(&a, &b) {
            Some(shape) => Var::op(op, &[self.broadcast(shape), rhs.broadcast(shape)]),
            None => self.poison(misuse!("{}: shapes {a} and {b} do not broadcast", op.name())),
        }
    }

    /// `tf.where`: `a` where `condition`, else `b`.
    pub fn select(condition: Var<'b>, a: Var<'b>, b: Var<'b>) -> Var<'b> {
        let shapes = (condition.shape(), a.shape(), b.shape());
        let both = Shape::broadcast(&shapes.1, &shapes.2).and_then(|s| Shape::broadcast(&shapes.0, &s));
        match both {
            Some(s) => Var::op(Op::Select, &[condition.broadcast(s), a.broadcast(s), b.broadcast(s)]),
            None => condition.poison(misuse!(
                "where: shapes {}, {} and {} do not broadcast",
                shapes.0,
                shapes.1,
                shapes.2
            )),
        }
    }

    /// Applies a binary row.
    pub fn binary(self, f: Binary, rhs: Var<'b>) -> Var<'b> {
        self.pair(rhs, Op::Binary(f))
    }

    /// Applies a unary row.
    pub fn unary(self, f: Unary) -> Var<'b> {
        self.apply(Op::Unary(f))
    }

    /// Applies a comparison.
    pub fn compare(self, f: Compare, rhs: Var<'b>) -> Var<'b> {
        self.pair(rhs, Op::Compare(f))
    }

    /// `tf.logical_and`
    pub fn logical_and(self, rhs: Var<'b>) -> Var<'b> {
        self.pair(rhs, Op::And)
    }

    /// `tf.logical_or`
    pub fn logical_or(self, rhs: Var<'b>) -> Var<'b> {
        self.pair(rhs, Op::Or)
    }

    /// `tf.logical_not`
    pub fn logical_not(self) -> Var<'b> {
        self.apply(Op::Not)
    }

    /// `tf.cast`; this value, if it has the type already.
    pub fn cast(self, dtype: DType) -> Var<'b> {
        if self.dtype() == dtype { self } else { self.apply(Op::Cast(dtype)) }
    }

    /// `tf.stop_gradient`
    pub fn stop_gradient(self) -> Var<'b> {
        self.apply(Op::StopGradient)
    }

    /// `tf.custom_gradient`: `forward(inputs)`, whose gradient is what `backward(inputs, result, cotangent)` says: the
    /// cotangents of the inputs, each of the input's shape. The rule is made of ops and so has a gradient itself.
    ///
    /// ```
    /// use gradling::{Tape, Tensor, Var};
    /// let tape = Tape::new();
    /// let x = tape.watch(&Tensor::scalar(3.0));
    /// // The square, whose gradient is kept within -1 and 1.
    /// let y = Var::custom_gradient(&[x], |x| x[0].square(), |x, _, g| vec![(g * x[0] * 2.0).clip(-1.0, 1.0)]);
    /// assert_eq!(tape.value(y)?.item()?, 9.0);
    /// assert_eq!(tape.gradient(y, &[x])?[0].item()?, 1.0);
    /// # Ok::<(), gradling::Error>(())
    /// ```
    pub fn custom_gradient(
        inputs: &[Var<'b>],
        forward: impl FnOnce(&[Var<'b>]) -> Var<'b>,
        backward: impl for<'c> Fn(&[Var<'c>], Var<'c>, Var<'c>) -> Vec<Var<'c>> + 'static,
    ) -> Var<'b> {
        let y = forward(inputs).stop_gradient();
        if y.id != ValueId::POISON {
            let inputs = inputs.iter().map(|x| x.id).collect();
            y.builder.set_custom_gradient(y.id, CustomGradient { inputs, backward: Rc::new(backward) });
        }
        y
    }

    /// Reduces axes (negative from the end; none means all); `keep` leaves them with size 1.
    ///
    /// Bytes are combined modulo 256.
    pub fn reduce(self, kind: ReduceKind, axes: &[isize], keep: bool) -> Var<'b> {
        if let dtype @ (DType::U8 | DType::I8) = self.dtype() {
            return self.cast(DType::I32).reduce(kind, axes, keep).cast(dtype);
        }
        let shape = self.shape();
        let mut reduced = [axes.is_empty(); crate::MAX_RANK];
        for &axis in axes {
            match shape.axis(axis) {
                Some(a) => reduced[a] = true,
                None => return self.poison(misuse!("{}: axis {axis} is beyond shape {shape}", kind.name())),
            }
        }
        let mut y = self;
        let mut a = shape.rank();
        while a > 0 {
            a -= 1;
            if !reduced[a] {
                continue;
            }
            let last = a;
            while a > 0 && reduced[a - 1] {
                a -= 1;
            }
            y = y.apply(Op::Reduce(super::Reduce { kind, axis: a as u8, count: (last - a + 1) as u8 }));
        }
        if !keep {
            return y;
        }
        let mut kept = shape;
        for (a, &r) in reduced.iter().enumerate().take(shape.rank()) {
            if r {
                kept = kept.with_dim(a as isize, 1);
            }
        }
        y.reshaped(kept)
    }

    /// `tf.reshape` to a shape with the same element count.
    pub fn reshaped(self, shape: Shape) -> Var<'b> {
        if self.shape() == shape || self.id == ValueId::POISON {
            self
        } else {
            self.apply(Op::Reshape(shape))
        }
    }
}

fn operand_ids(inputs: &[Var<'_>]) -> Option<heapless::Vec<ValueId, { super::OPERANDS }>> {
    let mut ids = heapless::Vec::new();
    for v in inputs {
        ids.push(v.id).ok()?;
    }
    Some(ids)
}

macro_rules! operators {
    ($($Trait:ident $method:ident $Row:ident;)*) => {$(
        impl<'b> ops::$Trait for Var<'b> {
            type Output = Var<'b>;
            fn $method(self, rhs: Var<'b>) -> Var<'b> {
                self.binary(Binary::$Row, rhs)
            }
        }
        impl<'b> ops::$Trait<f32> for Var<'b> {
            type Output = Var<'b>;
            fn $method(self, rhs: f32) -> Var<'b> {
                self.binary(Binary::$Row, self.scalar_like(rhs))
            }
        }
        impl<'b> ops::$Trait<Var<'b>> for f32 {
            type Output = Var<'b>;
            fn $method(self, rhs: Var<'b>) -> Var<'b> {
                rhs.scalar_like(self).binary(Binary::$Row, rhs)
            }
        }
    )*};
}

operators! { Add add Add; Sub sub Sub; Mul mul Mul; Div div Div; }

impl<'b> ops::Neg for Var<'b> {
    type Output = Var<'b>;
    fn neg(self) -> Var<'b> {
        match self.dtype() {
            DType::I32 => self.scalar_like(0.0) - self,
            _ => self.unary(Unary::Neg),
        }
    }
}
