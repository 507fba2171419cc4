//! Trains the classifier that the firmware in `cortex-m/` carries, and writes what the firmware embeds and what
//! it must answer to `$GRADLING_FIRMWARE_DIR`, else to `target/firmware`:
//!
//! - `mlp.plan`: the inference plan, weights included;
//! - `digit.bin`: a test picture, 28x28 bytes;
//! - `expected.txt`: its label, and ten lines `probability DIGIT VALUE BITS` from the portable kernels of this machine.
//!
//! `cargo run --release --example firmware_model`

use gradling::autodiff::grad;
use gradling::rng::Rng;
use gradling::{
    DType, Device, Level, Plan, PlanOptions, Result, Session, Shape, Tensor, Trace, Var, Variables,
};
use std::fmt::Write;
use std::path::PathBuf;

const PIXELS: usize = 784;
const CLASSES: usize = 10;
const BATCH: usize = 32;

/// The logits of `[n, 784]` pictures.
fn network<'b>(x: Var<'b>, weights: &[Var<'b>]) -> Var<'b> {
    (x.matmul(weights[0]) + weights[1]).relu().matmul(weights[2]) + weights[3]
}

/// A picture that stands for `class`: a ring of blobs whose phase is the class, and noise.
fn picture(class: usize, rng: &mut Rng) -> Vec<u8> {
    let angle = class as f32 * 0.628;
    let (cx, cy) = (14.0 + 9.0 * angle.cos(), 14.0 + 9.0 * angle.sin());
    let pixel = |i: usize, noise: f32| {
        let (x, y) = ((i % 28) as f32 - cx, (i / 28) as f32 - cy);
        ((1.0 - (x * x + y * y) / 40.0).max(0.0) * 200.0 + noise * 55.0) as u8
    };
    (0..PIXELS).map(|i| pixel(i, rng.normal().abs().min(1.0))).collect()
}

fn scaled(pictures: &[u8]) -> Vec<f32> {
    pictures.iter().map(|&p| f32::from(p) / 255.0).collect()
}

fn main() -> Result<()> {
    let mut rng = Rng::new(7);
    let mut variables = Variables::new();
    let mut ids = Vec::new();
    for (name, dims) in
        [("w1", [PIXELS, 128].as_slice()), ("b1", &[128]), ("w2", &[128, CLASSES]), ("b2", &[CLASSES])]
    {
        let n: usize = dims.iter().product();
        let scale = if dims.len() > 1 { (2.0 / dims[0] as f32).sqrt() } else { 0.0 };
        let values: Vec<f32> = (0..n).map(|_| rng.normal() * scale).collect();
        ids.push(variables.add(name, &Tensor::new(dims, values)?, true)?);
    }

    let trace = Trace::new(&variables);
    let weights: Vec<Var> = ids.iter().map(|&id| trace.variable(id)).collect();
    let x = trace.input("x", Shape::new(&[BATCH, PIXELS])?, DType::F32);
    let y = trace.input("y", Shape::new(&[BATCH])?, DType::I32);
    let logits = network(x, &weights);
    let loss = -(logits.log_softmax() * y.one_hot(CLASSES)).sum(&[-1], false).mean(&[], false);
    for ((&id, w), g) in ids.iter().zip(&weights).zip(grad(loss, &weights)) {
        trace.assign(id, *w - g * 0.1);
    }
    let plan = Plan::compile(&trace.finish()?, &PlanOptions::default())?;
    let mut step = Session::new(plan, &Device::default())?;
    for _ in 0..100 {
        let labels: Vec<i32> = (0..BATCH).map(|_| rng.below(CLASSES as u32) as i32).collect();
        let pictures: Vec<u8> = labels.iter().flat_map(|&l| picture(l as usize, &mut rng)).collect();
        step.input_mut::<f32>(0)?.copy_from_slice(&scaled(&pictures));
        step.input_mut::<i32>(1)?.copy_from_slice(&labels);
        step.run(&mut variables)?;
    }

    let trace = Trace::new(&variables);
    let weights: Vec<Var> = ids.iter().map(|&id| trace.variable(id)).collect();
    let x = trace.input("x", Shape::new(&[1, 28, 28])?, DType::F32);
    trace.output("y", network(x.reshape(&[1, PIXELS]), &weights).softmax());
    let options = PlanOptions { workspace: false, ..PlanOptions::default() };
    let plan = Plan::compile_frozen(&trace.finish()?, &variables, &options)?.to_bytes()?;

    let label = 3;
    let digit = picture(label, &mut rng);
    let mut session = Session::new(Plan::from_bytes(&plan)?, &Device::new(Level::Portable, 1)?)?;
    session.input_mut::<f32>(0)?.copy_from_slice(&scaled(&digit));
    session.run(&mut variables)?;
    let mut expected = format!("label {label}\n");
    for (i, p) in session.output::<f32>(0, &variables)?.iter().enumerate() {
        let _ = writeln!(expected, "probability {i} {p:.8e} {:#010x}", p.to_bits());
    }
    print!("{expected}");

    let folder = std::env::var_os("GRADLING_FIRMWARE_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/firmware")),
        PathBuf::from,
    );
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("mlp.plan"), plan)?;
    std::fs::write(folder.join("digit.bin"), digit)?;
    std::fs::write(folder.join("expected.txt"), expected)?;
    Ok(())
}
