//! Pooling and its gradients, and reductions, at each level of this machine.
#![allow(missing_docs, reason = "the macro's function takes no comment")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gradling::kernel::{Cpu, Level, Pool2d, Reduce};
use gradling::kernel::{average_pool2d, average_pool2d_grad, max_pool2d, max_pool2d_grad, reduce};
use gradling_benches::workload::{Input, Numbers};

/// Windows of 2x2 side by side.
fn halved(n: usize, size: usize, c: usize) -> Pool2d {
    let half = size / 2;
    Pool2d { n, h: size, w: size, c, oh: half, ow: half, kh: 2, kw: 2, sh: 2, sw: 2, pad_top: 0, pad_left: 0 }
}

fn pools(c: &mut Criterion) {
    let shapes = [
        ("lenet first, batch 32", halved(32, 28, 6)),
        ("lenet second, batch 32", halved(32, 10, 16)),
        ("56x56x64", halved(1, 56, 64)),
    ];
    for (name, v) in shapes {
        let (xs, ys) = (v.n * v.h * v.w * v.c, v.n * v.oh * v.ow * v.c);
        let mut numbers = Numbers::new(1);
        let (x, mut y) = (numbers.fill(Input::Normal, xs), numbers.fill(Input::Normal, ys));
        let dy = numbers.fill(Input::Normal, ys);
        let mut dx = vec![0.0; xs];
        let mut group = c.benchmark_group(format!("pool {name}"));
        group.throughput(Throughput::Elements(xs as u64));
        for &level in Level::available() {
            let cpu = Cpu::new(level, None);
            group.bench_function(format!("max {level}"), |bench| {
                bench.iter(|| max_pool2d(&cpu, &v, black_box(&x), &mut y));
            });
            group.bench_function(format!("max gradient {level}"), |bench| {
                bench.iter(|| max_pool2d_grad(&cpu, &v, black_box(&x), &dy, &mut dx));
            });
            group.bench_function(format!("average {level}"), |bench| {
                bench.iter(|| average_pool2d(&cpu, &v, black_box(&x), &mut y));
            });
            group.bench_function(format!("average gradient {level}"), |bench| {
                bench.iter(|| average_pool2d_grad(&cpu, &v, black_box(&dy), &mut dx));
            });
        }
        group.finish();
    }
}

fn reductions(c: &mut Criterion) {
    // Rows, columns, and the two axes around the channels of an image batch.
    let shapes = [
        ("rows of 128x1000", 128, 1000, 1),
        ("columns of 128x1000", 1, 128, 1000),
        ("bias gradient, 25088x6", 1, 25_088, 6),
        ("channels, 16384x64", 1, 16_384, 64),
    ];
    for (name, outer, mid, inner) in shapes {
        let x = Numbers::new(1).fill(Input::Normal, outer * mid * inner);
        let mut y = vec![0.0; outer * inner];
        let mut group = c.benchmark_group(format!("sum of {name}"));
        group.throughput(Throughput::Elements(x.len() as u64));
        for &level in Level::available() {
            let cpu = Cpu::new(level, None);
            group.bench_function(format!("{level}"), |bench| {
                bench.iter(|| reduce(&cpu, Reduce::Sum, black_box(&x), outer, mid, inner, &mut y));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, pools, reductions);
criterion_main!(benches);
