//! What runs where: each op tried on the processor and as shaders, with its gradient.

use super::Program;
use crate::autodiff::grad;
use crate::graph::Trace;
use crate::op::{ArgReduce, Binary, Builder, Compare, Op, Random, Unary, ValueId};
use crate::{DType, Padding, Plan, PlanOptions, Result, Shape, Var, Variables, Window};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// Where an op runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Support {
    /// The op.
    pub op: String,
    /// Whether plans with it compile for the processor.
    pub cpu: bool,
    /// Whether they have shaders.
    pub gpu: bool,
    /// Whether those of its gradient have; nothing where there is none, such as for comparisons.
    pub gradient: Option<bool>,
}

/// The table of op x device x gradient, tried out.
///
/// ```
/// let rows = gradling::gpu::support();
/// assert!(rows.iter().all(|row| row.cpu && row.gpu));
/// ```
pub fn support() -> Vec<Support> {
    let mut rows = Vec::new();
    let mut add = |op: &str, make: &dyn for<'t> Fn(&'t Trace, Var<'t>) -> Var<'t>| {
        let gpu = |gradient| shaders(make, gradient).is_ok_and(|done| done);
        let differentiable = shaders(make, true) != Ok(false);
        rows.push(Support {
            op: op.to_string(),
            cpu: graph(make, false)
                .and_then(|g| Plan::compile(&g.0, &PlanOptions::default())?.verify())
                .is_ok(),
            gpu: gpu(false),
            gradient: differentiable.then(|| gpu(true)),
        });
    };
    for &f in Unary::ALL {
        add(f.name(), &move |_, x| x.unary(f));
    }
    for &f in Binary::ALL {
        add(f.name(), &move |_, x| x.binary(f, x.unary(Unary::Exp)));
    }
    for &f in Compare::ALL {
        add(f.name(), &move |_, x| x.compare(f, x.unary(Unary::Exp)));
    }
    add("logical_and", &|_, x| positive(x).logical_and(positive(x.unary(Unary::Exp))));
    add("logical_or", &|_, x| positive(x).logical_or(positive(x.unary(Unary::Exp))));
    add("logical_not", &|_, x| positive(x).logical_not());
    add("where", &|_, x| Var::select(positive(x), x, x.unary(Unary::Exp)));
    add("cast", &|_, x| x.cast(DType::I32));
    add("stop_gradient", &|_, x| x.stop_gradient() * 2.0);
    add("reshape", &|_, x| x.unary(Unary::Exp).reshape(&[8, 18]).transpose(&[1, 0]));
    add("transpose", &|_, x| x.transpose(&[3, 1, 2, 0]));
    add("broadcast_to", &|_, x| x.broadcast_to(&[3, 2, 6, 6, 2]));
    add("slice", &|_, x| x.slice(&[0, 1, 1, 0], &[2, 3, 4, 1]));
    add("pad", &|_, x| x.pad(&[(0, 0), (1, 2), (0, 1), (0, 0)], 0.0));
    add("concat", &|_, x| Var::concat(&[x, x.unary(Unary::Exp)], 2));
    add("reverse", &|_, x| x.reverse(&[1]));
    add("gather", &|trace, x| x.gather(indices(trace), 1));
    add("scatter", &|trace, x| x.gather(indices(trace), 1).unary(Unary::Square));
    add("matmul", &|_, x| x.reshape(&[8, 18]).matmul(x.reshape(&[18, 8])));
    let window = |n| Window::new([n, n]).padding(Padding::Same);
    add("conv2d", &move |_, x| {
        x.conv2d(x.slice(&[0, 0, 0, 0], &[1, 3, 3, 2]).reshape(&[3, 3, 2, 1]), &window(3))
    });
    add("max_pool2d", &move |_, x| x.max_pool2d(&window(2)));
    add("avg_pool2d", &move |_, x| x.avg_pool2d(&window(2)));
    add("reduce_sum", &|_, x| x.sum(&[1, 2], false));
    add("reduce_prod", &|_, x| x.prod(&[1, 2], false));
    add("reduce_max", &|_, x| x.max(&[1, 2], false));
    add("reduce_min", &|_, x| x.min(&[1, 2], false));
    for smallest in [false, true] {
        let op = ArgReduce { smallest, axis: 1 };
        add(op.name(), &move |trace, x| emit(trace, Op::ArgReduce(op), &[x]));
    }
    add("recurrence", &|_, x| x.cumsum(1, false, false));
    add("argsort", &|_, x| x.argsort(1, true));
    add("iota", &|trace, x| {
        let shape = Shape::new(&[2, 6, 6, 2]).unwrap_or(Shape::SCALAR);
        x + emit(trace, Op::Iota(shape), &[]).cast(DType::F32)
    });
    add("random", &|trace, x| {
        let shape = Shape::new(&[2, 6, 6, 2]).unwrap_or(Shape::SCALAR);
        let key = trace.input("key", Shape::new(&[2]).unwrap_or(Shape::SCALAR), DType::I32);
        x + emit(trace, Op::Random(Random { salt: 1, shape }), &[key])
    });
    // Pages compose these steps of other ops.
    #[cfg(not(gradling_compact))]
    for (cell, reads) in
        [(crate::op::RecurrentCell::Lstm, [4, 1, 0]), (crate::op::RecurrentCell::Gru, [3, 3, 1])]
    {
        add(Op::RecurrentCell(cell).name(), &move |trace, x| {
            let block = |n: usize| x.reshape(&[144]).slice(&[0], &[6 * n]).reshape(&[2, 3 * n]);
            let operands: Vec<Var> = reads.iter().filter(|n| **n > 0).map(|n| block(*n)).collect();
            emit(trace, Op::RecurrentCell(cell), &operands)
        });
    }
    rows
}

fn emit<'t>(trace: &'t Trace, op: Op, operands: &[Var<'t>]) -> Var<'t> {
    let ids: Vec<ValueId> = operands.iter().map(|x| x.id()).collect();
    Var::new(trace, Builder::push(trace, op, &ids))
}

fn indices(trace: &Trace) -> Var<'_> {
    trace.input("indices", Shape::new(&[4]).unwrap_or(Shape::SCALAR), DType::I32)
}

fn positive(x: Var<'_>) -> Var<'_> {
    x.compare(Compare::Greater, x.unary(Unary::Neg))
}

/// The graph of an op on `[2, 6, 6, 2]`, or of its gradient, and whether it has one.
fn graph(
    make: &dyn for<'t> Fn(&'t Trace, Var<'t>) -> Var<'t>,
    gradient: bool,
) -> Result<(crate::graph::Graph, bool)> {
    let trace = Trace::new(&Variables::new());
    let x = trace.input("x", Shape::new(&[2, 6, 6, 2])?, DType::F32);
    let y = make(&trace, x);
    let has = y.dtype() == DType::F32;
    let out = if gradient && has { grad(y.square().sum(&[], false), &[x])[0] } else { y };
    trace.output("y", out);
    Ok((trace.finish()?, has))
}

/// Makes the shaders; whether there is what was asked for.
fn shaders(make: &dyn for<'t> Fn(&'t Trace, Var<'t>) -> Var<'t>, gradient: bool) -> Result<bool> {
    let (graph, has) = graph(make, gradient)?;
    if gradient && !has {
        return Ok(false);
    }
    let options = PlanOptions { workspace: false, ..PlanOptions::default() };
    Program::new(&Plan::compile(&graph, &options)?).map(|_| true)
}

/// The rows as a table.
pub fn table(rows: &[Support]) -> impl fmt::Display + '_ {
    struct Table<'r>(&'r [Support]);
    impl fmt::Display for Table<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let yes = |has: bool| if has { "yes" } else { "no" };
            writeln!(f, "| op | cpu | gpu | gradient |\n|---|---|---|---|")?;
            for row in self.0 {
                let gradient = row.gradient.map_or("-", yes);
                writeln!(f, "| {} | {} | {} | {gradient} |", row.op, yes(row.cpu), yes(row.gpu))?;
            }
            Ok(())
        }
    }
    Table(rows)
}
