//! Whole train steps of the MLP, LeNet-5, the CIFAR-10 baseline and the recurrent models at each level of this machine.

#![allow(missing_docs, reason = "the macro's function takes no comment")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gradling::nn::{Loss, Optimizer, Sequential};
use gradling::{Device, Level, Tensor};
use gradling_benches::models::{baseline, lenet, mlp, stock};
use gradling_benches::workload::{Cell, Input, Numbers};

const BATCH: usize = 32;

/// Makes a model.
type Make = fn() -> Sequential;

fn train_steps(c: &mut Criterion) {
    let models: [(&str, Make, &[usize]); 3] = [
        ("mlp", mlp, &[BATCH, 784]),
        ("lenet", lenet, &[BATCH, 28, 28, 1]),
        ("baseline", baseline, &[BATCH, 32, 32, 3]),
    ];
    for (name, make, shape) in models {
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

fn recurrent_steps(c: &mut Criterion) {
    for cell in [Cell::SimpleRNN, Cell::LSTM, Cell::GRU] {
        let mut numbers = Numbers::new(1);
        let x = Tensor::new(&[BATCH, 60, 1], numbers.fill(Input::Normal, BATCH * 60)).expect("inputs");
        let y = Tensor::new(&[BATCH, 1], numbers.fill(Input::Normal, BATCH)).expect("targets");
        let mut group = c.benchmark_group(format!("train step {cell:?}"));
        group.sample_size(10);
        for &level in Level::available() {
            let mut model = stock(cell).on(&Device::new(level, 1).expect("the level is available"));
            model.compile(Optimizer::adam(), Loss::MeanSquaredError, &[]).expect("the model compiles");
            group.bench_function(format!("{level}"), |bench| {
                bench.iter(|| model.train_on_batch(black_box(&x), &y).expect("a train step"));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, train_steps, recurrent_steps);
criterion_main!(benches);
