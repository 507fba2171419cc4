//! Elementwise work at each level of this machine: the updates of optimizers as fused regions, Adam's also op by op,
//! activations, and softmax with its gradient.
#![allow(missing_docs, reason = "the macro's function takes no comment")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gradling::{
    DType, Device, Graph, Level, Plan, PlanOptions, Result, Session, Shape, Tensor, Trace, Var, VariableId,
    Variables, autodiff,
};
use gradling_benches::workload::{Input, Numbers};

/// How an optimizer changes weights: from the old weights, the gradient and two moments to the new ones.
type Update = for<'b> fn(Var<'b>, Var<'b>, Var<'b>, Var<'b>) -> [Option<Var<'b>>; 3];

const UPDATES: [(&str, Update); 4] = [
    ("sgd", |w, g, _, _| [Some(w - g * 0.01), None, None]),
    ("momentum", |w, g, m, _| {
        let m = m * 0.9 - g * 0.01;
        [Some(w + m), Some(m), None]
    }),
    ("rmsprop", |w, g, m, _| {
        let m = m * 0.9 + g.square() * 0.1;
        [Some(w - g * 0.001 / (m + 1e-7).sqrt()), Some(m), None]
    }),
    ("adam", |w, g, m, v| {
        let (m, v) = (m * 0.9 + g * 0.1, v * 0.999 + g.square() * 0.001);
        [Some(w - m * 0.001 / (v.sqrt() + 1e-7)), Some(m), Some(v)]
    }),
];

/// An update of `n` weights: the gradient is the input, the weights and both moments are variables.
fn update(n: usize, update: Update) -> Result<(Graph, Variables)> {
    let mut numbers = Numbers::new(1);
    let mut variables = Variables::new();
    let weights = Tensor::new(&[n], numbers.fill(Input::Normal, n))?;
    let w = variables.add("w", &weights, true)?;
    let m = variables.add("m", &Tensor::zeros(&[n])?, false)?;
    let v = variables.add("v", &Tensor::zeros(&[n])?, false)?;
    let trace = Trace::new(&variables);
    {
        let gradient = trace.input("x", Shape::new(&[n])?, DType::F32);
        let old: [VariableId; 3] = [w, m, v];
        let [w, m, v] = old.map(|id| trace.variable(id));
        for (id, new) in old.into_iter().zip(update(w, gradient, m, v)) {
            if let Some(new) = new {
                trace.assign(id, new);
            }
        }
    }
    Ok((trace.finish()?, variables))
}

/// A function of one input of this shape.
fn function(shape: &[usize], f: Function) -> Result<(Graph, Variables)> {
    let variables = Variables::new();
    let trace = Trace::new(&variables);
    trace.output("y", f(trace.input("x", Shape::new(shape)?, DType::F32)));
    Ok((trace.finish()?, variables))
}

/// A function of one value.
type Function = for<'b> fn(Var<'b>) -> Var<'b>;

const FUNCTIONS: [(&str, Function); 4] = [
    ("relu", |x| x.relu()),
    ("gelu", |x| x.gelu(false)),
    ("softmax", |x| x.softmax()),
    ("gradient of softmax", |x| autodiff::grad(x.softmax().square(), &[x])[0]),
];

fn measure(c: &mut Criterion, name: &str, elements: usize, made: Result<(Graph, Variables)>, apart: bool) {
    let (graph, mut variables) = made.expect("the graph is well formed");
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(elements as u64));
    let alone = PlanOptions { optimize: false, in_place: false, workspace: true, strict: false };
    let fused =
        Level::available().iter().map(|&level| (format!("fused {level}"), level, PlanOptions::default()));
    let apart = apart.then(|| ("op by op".to_string(), Level::best(), alone));
    for (name, level, options) in fused.chain(apart) {
        let plan = Plan::compile(&graph, &options).expect("the plan compiles");
        let device = Device::new(level, 1).expect("the level is available");
        let mut session = Session::new(plan, &device).expect("the plan verifies");
        let input = Numbers::new(2).fill(Input::Normal, elements);
        session.input_mut::<f32>(0).expect("input").copy_from_slice(&input);
        group.bench_function(name, |bench| {
            bench.iter(|| session.run(black_box(&mut variables)).expect("run"));
        });
    }
    group.finish();
}

fn regions(c: &mut Criterion) {
    for n in [1_000, 100_000] {
        for (name, rule) in UPDATES {
            measure(c, &format!("{name} {n}"), n, update(n, rule), name == "adam");
        }
    }
    for (rows, columns) in [(32, 10), (128, 1000)] {
        for (name, f) in FUNCTIONS {
            let made = function(&[rows, columns], f);
            measure(c, &format!("{name} {rows}x{columns}"), rows * columns, made, false);
        }
    }
}

criterion_group!(benches, regions);
criterion_main!(benches);
