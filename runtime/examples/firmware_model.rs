//! Trains the classifier that the firmware in `cortex-m/` carries, and writes what the firmware embeds and what it
//! must answer to the folder `GRADLING_FIRMWARE_DIR`, else to `target/firmware`:
//!
//! - `mlp.plan`: the inference plan, weights included;
//! - `digit.bin`: a test picture of MNIST, 28x28 bytes;
//! - `expected.txt`: ten lines `probability DIGIT VALUE BITS`, computed strictly, so that a microcontroller must answer the same
//!   bits.
//!
//! `cargo run --release --package gradling --features mnist-subset --example firmware_model`

use gradling::data::mnist::{self, Source};
use gradling::nn::{Activation, Dense, Fit, Flatten, Loss, Metric, Optimizer, Sequential};
use gradling::{Device, Plan, Result, Session, Variables};
use std::fmt::Write;
use std::path::PathBuf;

fn main() -> Result<()> {
    let data = mnist::load(&Source::Subset)?;
    let (train_x, test_x) = (mnist::scaled(&data.train_x)?, mnist::scaled(&data.test_x)?);
    let mut model = Sequential::new()
        .add(Flatten::new())
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax))
        .seed(1);
    model.build(&[28, 28])?;
    let loss = Loss::SparseCategoricalCrossentropy { from_logits: false };
    model.compile(Optimizer::adam(), loss, &[Metric::Accuracy])?;
    model.fit(&train_x, &data.train_y, &mut Fit { epochs: 3, batch_size: 32, ..Fit::default() })?;
    println!("accuracy {:.3}", model.evaluate(&test_x, &data.test_y, 100)?.get("accuracy").unwrap_or(0.0));
    let plan = model.export_plan(1)?;

    let digit = &data.test_x.as_u8()?[..784];
    let mut session = Session::new(Plan::from_bytes(&plan)?, &Device::default().strict())?;
    session.input_mut::<f32>(0)?.copy_from_slice(&test_x.as_f32()?[..784]);
    let mut variables = Variables::new();
    session.run(&mut variables)?;
    let mut expected = String::new();
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
