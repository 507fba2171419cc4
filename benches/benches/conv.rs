//! Convolution and its gradients at each level of this machine.
#![allow(missing_docs, reason = "the macro's function takes no comment")]

use std::hint::black_box;

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use gradling::kernel::{Conv, Cpu, Level};
use gradling::kernel::{conv2d, conv2d_filter_grad, conv2d_input_grad};
use gradling::kernel::{conv2d_filter_grad_workspace, conv2d_input_grad_workspace, conv2d_workspace};
use gradling_benches::workload::{Input, Numbers};

/// A same-padded (odd kernels) or valid convolution of stride 1.
fn conv(n: usize, size: usize, c: usize, oc: usize, k: usize, same: bool) -> Conv {
    let pad = if same { (k - 1) / 2 } else { 0 };
    let out = size + 2 * pad - (k - 1);
    Conv {
        n,
        h: size,
        w: size,
        c,
        oh: out,
        ow: out,
        oc,
        kh: k,
        kw: k,
        sh: 1,
        sw: 1,
        dh: 1,
        dw: 1,
        pad_top: pad,
        pad_left: pad,
        groups: 1,
    }
}

/// The same convolution at every second row and column.
fn strided(v: Conv) -> Conv {
    Conv { sh: 2, sw: 2, oh: v.oh.div_ceil(2), ow: v.ow.div_ceil(2), ..v }
}

fn each_level(group: &mut BenchmarkGroup<WallTime>, what: &str, mut run: impl FnMut(&Cpu)) {
    for &level in Level::available() {
        let cpu = Cpu::new(level, None);
        group.bench_function(format!("{what} {level:?}"), |bench| bench.iter(|| run(&cpu)));
    }
}

fn convolutions(c: &mut Criterion) {
    let shapes = [
        ("1 channel, lenet first, batch 32", conv(32, 28, 1, 6, 5, true)),
        ("3 channels, baseline, batch 32", conv(32, 32, 3, 6, 5, true)),
        ("3 channels, resnet first, batch 16", conv(16, 32, 3, 64, 3, true)),
        ("6 channels, lenet second, batch 32", conv(32, 14, 6, 16, 5, false)),
        ("64 channels, 56x56", conv(1, 56, 64, 64, 3, true)),
        ("512 channels, 4x4, batch 16", conv(16, 4, 512, 512, 3, true)),
        ("1x1, 56x56, 144 to 24 channels", conv(1, 56, 144, 24, 1, true)),
        ("depthwise, 56x56, 144 channels", Conv { groups: 144, ..conv(1, 56, 144, 144, 3, true) }),
        ("strided, 32x32, 64 to 128 channels", strided(conv(4, 32, 64, 128, 3, true))),
    ];
    for (name, v) in shapes {
        let (xs, ws) = (v.n * v.h * v.w * v.c, v.kh * v.kw * v.c / v.groups * v.oc);
        let ys = v.n * v.oh * v.ow * v.oc;
        let mut numbers = Numbers::new(1);
        let mut x = numbers.fill(Input::Normal, xs);
        let mut w = numbers.fill(Input::Normal, ws);
        let mut y = vec![0.0; ys];
        let mut group = c.benchmark_group(format!("conv {name}"));
        group.throughput(Throughput::Elements(2 * (ys * v.kh * v.kw * v.c / v.groups) as u64));
        let mut scratch = vec![0.0; conv2d_workspace(&v)];
        each_level(&mut group, "forward", |cpu| conv2d(cpu, &v, black_box(&x), &w, &mut y, &mut scratch));
        let mut scratch = vec![0.0; conv2d_input_grad_workspace(&v)];
        each_level(&mut group, "input gradient", |cpu| {
            conv2d_input_grad(cpu, &v, black_box(&y), &w, &mut x, &mut scratch);
        });
        let mut scratch = vec![0.0; conv2d_filter_grad_workspace(&v)];
        each_level(&mut group, "filter gradient", |cpu| {
            conv2d_filter_grad(cpu, &v, black_box(&x), &y, &mut w, &mut scratch);
        });
        group.finish();
    }
}

criterion_group!(benches, convolutions);
criterion_main!(benches);
