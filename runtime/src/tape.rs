//! The eager builder: records ops and computes each at once (`tf.GradientTape`).

use crate::kernel::{Cpu, Pool, View, ViewMut};
use crate::op::{Builder, CustomGradient, Kind, Node, OPERANDS, Op, RESULTS, ValueId, Var};
use crate::variables::{VariableId, Variables};
use crate::{Error, Level, Result, Tensor, Trace, autodiff, misuse};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::RefCell;
use heapless::Vec as Fixed;

/// Records ops and their values.
///
/// ```
/// use gradling::{Tape, Tensor};
/// let tape = Tape::new();
/// let w = tape.watch(&Tensor::scalar(5.0));
/// let loss = (w + 1.0).square();
/// let gradient = tape.gradient(loss, &[w])?;
/// assert_eq!(gradient[0].item()?, 12.0);
/// # Ok::<(), gradling::Error>(())
/// ```
pub struct Tape {
    trace: Trace,
    level: Level,
    pool: Option<Arc<Pool>>,
    variables: Vec<Tensor>,
    values: RefCell<Vec<Tensor>>,
}

impl Default for Tape {
    fn default() -> Tape {
        Tape::new()
    }
}

impl Tape {
    /// An empty tape.
    pub fn new() -> Tape {
        Tape::at_level(Level::best())
    }

    /// An empty tape that computes at an instruction-set level.
    pub fn at_level(level: Level) -> Tape {
        let (trace, values) = (Trace::default(), RefCell::default());
        Tape { trace, level, pool: None, variables: Vec::new(), values }
    }

    /// Computes on the threads of a pool.
    pub fn with_pool(mut self, pool: Option<Arc<Pool>>) -> Tape {
        self.pool = pool;
        self
    }

    /// An empty tape that reads these variables as they are now.
    ///
    /// **Errors** never in practice: only if a variable's buffer is damaged.
    pub fn with_variables(variables: &Variables) -> Result<Tape> {
        let values: Result<Vec<Tensor>> = variables.iter().map(|(id, _)| variables.get(id)).collect();
        Ok(Tape { trace: Trace::new(variables), variables: values?, ..Tape::new() })
    }

    /// A value to differentiate by.
    pub fn watch(&self, value: &Tensor) -> Var<'_> {
        let var = self.trace.input("watched", *value.shape(), value.dtype());
        self.values.borrow_mut().push(value.clone());
        Var::new(self, var.id())
    }

    /// A constant.
    pub fn constant(&self, value: &Tensor) -> Var<'_> {
        Var::new(self, self.constant_id(value.clone()))
    }

    /// The value of a variable.
    pub fn variable(&self, id: VariableId) -> Var<'_> {
        Var::new(self, self.trace.variable_value(id, |op| self.push(op, &[])))
    }

    /// The computed value.
    ///
    /// **Errors** with the first error of any op on the tape.
    pub fn value(&self, var: Var<'_>) -> Result<Tensor> {
        self.trace.check()?;
        let values = self.values.borrow();
        values
            .get(var.id().index())
            .cloned()
            .ok_or_else(|| misuse!("tape: the value belongs to another tape"))
    }

    /// The gradients of `y` (summed where it is no scalar) with respect to `xs`; zeros where `y` does not depend on an
    /// x. The tape is persistent: it may be asked any number of times.
    ///
    /// What [`autodiff::grad`] gives is a value of the tape again, so that its gradient is a second derivative, as with
    /// nested tapes:
    ///
    /// ```
    /// use gradling::{Tape, Tensor, autodiff::grad};
    /// let tape = Tape::new();
    /// let (w, b) = (tape.watch(&Tensor::scalar(2.0)), tape.watch(&Tensor::scalar(1.0)));
    /// let y = w * w * w + b;
    /// let first = grad(y, &[w, b]);
    /// let second = tape.gradient(first[0], &[w])?;
    /// assert_eq!([tape.value(first[0])?.item()?, tape.value(first[1])?.item()?], [12.0, 1.0]);
    /// assert_eq!(second[0].item()?, 12.0);
    /// # Ok::<(), gradling::Error>(())
    /// ```
    ///
    /// **Errors** with the first error of any op on the tape.
    pub fn gradient<'b>(&'b self, y: Var<'b>, xs: &[Var<'b>]) -> Result<Vec<Tensor>> {
        autodiff::grad(y, xs).into_iter().map(|g| self.value(g)).collect()
    }

    /// The gradients of `sum(y * cotangent)` with respect to `xs` (`output_gradients` of `tf.GradientTape.gradient`).
    ///
    /// **Errors** as [`gradient`](Tape::gradient).
    pub fn gradient_with<'b>(
        &'b self,
        y: Var<'b>,
        cotangent: &Tensor,
        xs: &[Var<'b>],
    ) -> Result<Vec<Tensor>> {
        let cotangent = self.constant(cotangent);
        autodiff::grad_with(y, cotangent, xs).into_iter().map(|g| self.value(g)).collect()
    }

    /// The derivative of every element of `y` with respect to every element of `x` (`tf.GradientTape.jacobian`).
    ///
    /// **Shape**: `y.shape + x.shape`.
    ///
    /// **Errors** as [`gradient`](Tape::gradient).
    pub fn jacobian<'b>(&'b self, y: Var<'b>, x: Var<'b>) -> Result<Tensor> {
        let shape = y.shape();
        let mut rows = Vec::new();
        for i in 0..shape.numel() {
            let mut unit = alloc::vec![0.0; shape.numel()];
            unit[i] = 1.0;
            rows.extend(self.gradient_with(y, &Tensor::new(&shape.list(), unit)?, &[x])?);
        }
        let dims: Vec<usize> = shape.to_vec().into_iter().chain(x.shape().to_vec()).collect();
        if rows.is_empty() {
            return Tensor::zeros(&dims);
        }
        Tensor::stack(&rows, 0)?.reshape(&dims)
    }

    /// Ops on tensors, computed at once, without a gradient.
    ///
    /// ```
    /// use gradling::{Tape, Tensor};
    /// let x = Tensor::new(&[2, 2], [1.0, 2.0, 3.0, 4.0])?;
    /// let y = Tape::compute(&[&x], |x| x[0].matmul(x[0]).sum(&[0], false))?;
    /// assert_eq!(y.to_string(), "[22. 32.]");
    /// # Ok::<(), gradling::Error>(())
    /// ```
    ///
    /// **Errors** with the first error of any op.
    pub fn compute(values: &[&Tensor], f: impl for<'t> FnOnce(&[Var<'t>]) -> Var<'t>) -> Result<Tensor> {
        let tape = Tape::new();
        let operands: Vec<Var<'_>> = values.iter().map(|t| tape.constant(t)).collect();
        let result = f(&operands);
        tape.value(result)
    }

    fn run(&self, op: &Op, inputs: &[ValueId], kinds: &[Kind]) -> Result<Vec<Tensor>> {
        let operands: Fixed<Tensor, OPERANDS> = {
            let values = self.values.borrow();
            inputs.iter().map(|v| values[v.index()].clone()).collect()
        };
        match op {
            Op::Reshape(shape) => return Ok(alloc::vec![operands[0].reshape(&shape.list())?]),
            Op::StopGradient => return Ok(alloc::vec![operands[0].clone()]),
            Op::Variable(n) => return Ok(alloc::vec![self.variables[*n as usize].clone()]),
            _ => {}
        }
        let mut reads = Fixed::<View, OPERANDS>::new();
        for t in &operands {
            reads.push(t.view()?).map_err(|_| misuse!("{}: too many operands", op.name()))?;
        }
        let inputs: Fixed<Kind, OPERANDS> = operands.iter().map(|t| (*t.shape(), t.dtype())).collect();
        let mut workspace = alloc::vec![0.0; op.workspace(&inputs)];
        let cpu = Cpu::new(self.level, self.pool.as_deref());
        if let [(shape, dtype)] = kinds {
            let result = Tensor::filled(*shape, *dtype, |y| {
                op.run(&cpu, &reads, core::slice::from_mut(y), &mut workspace)
            })?;
            return Ok(alloc::vec![result]);
        }
        // Ops with several results give float32.
        let mut results: Vec<Vec<f32>> = kinds.iter().map(|kind| alloc::vec![0.0; kind.0.numel()]).collect();
        let mut writes = Fixed::<ViewMut, RESULTS>::new();
        for (y, (shape, dtype)) in results.iter_mut().zip(kinds) {
            let view = ViewMut::new(y, *shape, *dtype)?;
            writes.push(view).map_err(|_| misuse!("{}: too many results", op.name()))?;
        }
        op.run(&cpu, &reads, &mut writes, &mut workspace)?;
        drop(writes);
        results.into_iter().zip(kinds).map(|(y, (shape, _))| Tensor::new(&shape.list(), y)).collect()
    }
}

impl Builder for Tape {
    fn push(&self, op: Op, inputs: &[ValueId]) -> ValueId {
        let first = self.trace.push(op, inputs);
        if first == ValueId::POISON {
            return first;
        }
        let node = self.trace.node(self.trace.producer(first));
        let kinds: Vec<Kind> = node.outputs().map(|v| self.trace.kind(v)).collect();
        match self.run(&node.op, inputs, &kinds) {
            Ok(results) => self.values.borrow_mut().extend(results),
            Err(e) => {
                self.trace.fail(e);
                return ValueId::POISON;
            }
        }
        first
    }

    fn constant_id(&self, value: Tensor) -> ValueId {
        let id = self.trace.constant_id(value.clone());
        if id != ValueId::POISON {
            self.values.borrow_mut().push(value);
        }
        id
    }

    fn kind(&self, value: ValueId) -> Kind {
        self.trace.kind(value)
    }

    fn fail(&self, error: Error) {
        self.trace.fail(error);
    }

    fn nodes(&self) -> usize {
        self.trace.nodes()
    }

    fn node(&self, index: usize) -> Node {
        self.trace.node(index)
    }

    fn producer(&self, value: ValueId) -> usize {
        self.trace.producer(value)
    }

    fn custom_gradient(&self, index: usize) -> Option<CustomGradient> {
        self.trace.custom_gradient(index)
    }

    fn set_custom_gradient(&self, value: ValueId, rule: CustomGradient) {
        self.trace.set_custom_gradient(value, rule);
    }
}
