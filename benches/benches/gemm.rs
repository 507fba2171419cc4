//! The matrix product at each level of this machine.
#![allow(missing_docs, reason = "the macro's function takes no comment")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gradling::kernel::{Cpu, Gemm, Level, gemm, gemm_workspace};
use gradling_benches::workload::{Input, Numbers};

fn products(c: &mut Criterion) {
    // Square ones, the shapes of the MLP's train step at batch 32, one row, few columns, and 1x1 convolutions.
    let shapes = [
        ("64", 64, 64, 64, false, false),
        ("256", 256, 256, 256, false, false),
        ("512", 512, 512, 512, false, false),
        ("1024", 1024, 1024, 1024, false, false),
        ("dense forward", 32, 128, 784, false, false),
        ("dense kernel gradient", 784, 128, 32, true, false),
        ("dense input gradient", 32, 128, 10, false, true),
        ("one row", 1, 128, 784, false, false),
        ("few columns", 1024, 10, 128, false, false),
        ("few terms", 1024, 128, 10, false, false),
        ("tall, 3136x24x144", 3136, 24, 144, false, false),
    ];
    for (name, m, n, k, trans_a, trans_b) in shapes {
        let mut group = c.benchmark_group(format!("gemm {name}"));
        group.throughput(Throughput::Elements(2 * (m * n * k) as u64));
        let mut numbers = Numbers::new(1);
        let (a, b) = (numbers.fill(Input::Normal, m * k), numbers.fill(Input::Normal, k * n));
        let mut y = vec![0.0; m * n];
        let g = Gemm { m, n, k, trans_a, trans_b };
        let mut workspace = vec![0.0; gemm_workspace(&g)];
        for &level in Level::available() {
            let cpu = Cpu::new(level, None);
            group.bench_function(format!("{level:?}"), |bench| {
                bench.iter(|| gemm(&cpu, &g, black_box(&a), black_box(&b), &mut y, &mut workspace));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, products);
criterion_main!(benches);
