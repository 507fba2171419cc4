//! Whole train steps of the MLP and LeNet-5 at each level of this machine.

#![allow(missing_docs, reason = "the macro's function takes no comment")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gradling::nn::{Loss, Optimizer, Sequential};
use gradling::{Device, Level, Tensor};
use gradling_benches::models::{lenet, mlp};
use gradling_benches::workload::{Input, Numbers};

const BATCH: usize = 32;

fn train_steps(c: &mut Criterion) {
    for name in ["mlp", "lenet"] {
        let (make, shape): (fn() -> Sequential, &[usize]) =
            if name == "mlp" { (mlp, &[BATCH, 784]) } else { (lenet, &[BATCH, 28, 28, 1]) };
        let mut numbers = Numbers::new(1);
        let x = Tensor::new(shape, numbers.fill(Input::Normal, shape.iter().product())).expect("inputs");
        let y = Tensor::new(&[BATCH], numbers.labels(10, BATCH)).expect("labels");
        let mut group = c.benchmark_group(format!("train step {name}"));
        group.throughput(Throughput::Elements(BATCH as u64));
        for &level in Level::available() {
            let mut model = make().on(&Device::new(level, 1).expect("the level is available"));
            let loss = Loss::SparseCategoricalCrossentropy { from_logits: false };
            model.compile(Optimizer::adam(), loss, &[]).expect("the model compiles");
            group.bench_function(format!("{level:?}"), |bench| {
                bench.iter(|| model.train_on_batch(black_box(&x), &y).expect("a train step"));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, train_steps);
criterion_main!(benches);
