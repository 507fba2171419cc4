//! The test of an adapter when it is opened: a few ops beside the processor.

use super::{Gpu, Session};
use crate::graph::Trace;
use crate::{Device, Plan, PlanOptions, Result, Shape, Tensor, Var, Variables, unsupported};
use alloc::vec::Vec;

/// Largest difference from the processor, relative to the largest value.
const TOLERANCE: f32 = 1e-3;

type Sample = (&'static str, for<'a> fn(Var<'a>) -> Var<'a>);

/// Ops that drivers have got wrong: products of odd sizes, sums over workgroups, functions, indices, shared memory.
const SAMPLES: [Sample; 6] = [
    ("matmul", |x| x.matmul(x.transpose(&[1, 0]))),
    ("reduce_sum", |x| x.sum(&[0], false)),
    ("exp", |x| x.exp()),
    ("tanh", |x| x.tanh()),
    ("transpose", |x| x.transpose(&[1, 0]) * 2.0),
    ("softmax", |x| x.softmax()),
];

/// Compares the adapter with the processor.
///
/// **Errors** with the first op of which the values differ.
pub(super) fn check(gpu: &Gpu) -> Result<()> {
    let values: Vec<f32> = (0..37 * 53).map(|i| ((i * 29 % 101) as f32 - 50.0) / 40.0).collect();
    let x = Tensor::new(&[37, 53], values)?;
    for (name, sample) in SAMPLES {
        let mut variables = Variables::new();
        let trace = Trace::new(&variables);
        let input = trace.input("x", Shape::new(&[37, 53])?, crate::DType::F32);
        trace.output("y", sample(input));
        let graph = trace.finish()?;
        let mut cpu =
            crate::Session::new(Plan::compile(&graph, &PlanOptions::default())?, &Device::default())?;
        cpu.set_input(0, &x)?;
        cpu.run(&mut variables)?;
        let want = cpu.output_tensor(0, &variables)?;
        let mut session = Session::new(Plan::compile(&graph, &Session::options())?, gpu)?;
        session.set_input(0, &x)?;
        session.run();
        let got = session.outputs()?.swap_remove(0);
        let (want, got) = (want.as_f32()?, got.as_f32()?);
        let scale = want.iter().fold(1e-6_f32, |m, v| m.max(v.abs()));
        let close = |(a, b): (&f32, &f32)| (a - b).abs() <= TOLERANCE * scale;
        if let Some(i) = want.iter().zip(got).position(|pair| !close(pair)) {
            return Err(unsupported!(
                "gpu: {} computes wrong values: {name} gives {} where the processor gives {}; use the cpu",
                gpu.name(),
                got[i],
                want[i]
            ));
        }
    }
    Ok(())
}
