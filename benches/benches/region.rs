//! Elementwise work: an Adam update as one fused region and op by op, at each level of this machine.
#![allow(missing_docs, reason = "the macro's function takes no comment")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gradling::{
    DType, Device, Graph, Level, Plan, PlanOptions, Result, Session, Shape, Tensor, Trace, Variables,
};
use gradling_benches::workload::{Input, Numbers};

/// Adam on `n` weights: the gradient is the input, the weights and both moments are variables.
fn adam(n: usize) -> Result<(Graph, Variables)> {
    let mut numbers = Numbers::new(1);
    let mut variables = Variables::new();
    let weights = Tensor::new(&[n], numbers.fill(Input::Normal, n))?;
    let w = variables.add("w", &weights, true)?;
    let m = variables.add("m", &Tensor::zeros(&[n])?, false)?;
    let v = variables.add("v", &Tensor::zeros(&[n])?, false)?;
    let trace = Trace::new(&variables);
    {
        let gradient = trace.input("gradient", Shape::new(&[n])?, DType::F32);
        let (old_w, old_m, old_v) = (trace.variable(w), trace.variable(m), trace.variable(v));
        let new_m = old_m * 0.9 + gradient * 0.1;
        let new_v = old_v * 0.999 + gradient.square() * 0.001;
        trace.assign(m, new_m);
        trace.assign(v, new_v);
        trace.assign(w, old_w - new_m * 0.001 / (new_v.sqrt() + 1e-7));
    }
    Ok((trace.finish()?, variables))
}

fn regions(c: &mut Criterion) {
    for n in [1_000, 100_000] {
        let (graph, mut variables) = adam(n).expect("the graph is well formed");
        let gradient = Numbers::new(2).fill(Input::Normal, n);
        let mut group = c.benchmark_group(format!("adam {n}"));
        group.throughput(Throughput::Elements(n as u64));
        let apart = PlanOptions { optimize: false, in_place: false, workspace: true, strict: false };
        let fused = Level::available()
            .iter()
            .map(|&level| (format!("fused {level:?}"), level, PlanOptions::default()));
        for (name, level, options) in fused.chain([("op by op".to_string(), Level::best(), apart)]) {
            let plan = Plan::compile(&graph, &options).expect("the plan compiles");
            let device = Device::new(level, 1).expect("the level is available");
            let mut session = Session::new(plan, &device).expect("the plan verifies");
            session.input_mut::<f32>(0).expect("input").copy_from_slice(&gradient);
            group.bench_function(name, |bench| {
                bench.iter(|| session.run(black_box(&mut variables)).expect("run"));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, regions);
criterion_main!(benches);
