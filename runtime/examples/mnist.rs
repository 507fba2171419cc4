//! Trains the MLP of the TF2 course on the embedded MNIST subset: `cargo run --release --features mnist-subset --example mnist`.

use gradling::Result;
use gradling::data::mnist::{self, Source};
use gradling::nn::{Activation, Dense, Fit, Flatten, Loss, Metric, Optimizer, Sequential, Verbose};

fn main() -> Result<()> {
    let digits = mnist::load(&Source::Subset)?;
    let x = mnist::scaled(&digits.train_x)?;
    let validation = (mnist::scaled(&digits.test_x)?.into(), digits.test_y.into());

    let mut model = Sequential::new()
        .add(Flatten::new())
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax));
    model.compile(
        Optimizer::adam(),
        Loss::SparseCategoricalCrossentropy { from_logits: false },
        &[Metric::Accuracy],
    )?;
    let mut fit = Fit { epochs: 8, validation: Some(validation), verbose: Verbose::Bar, ..Fit::default() };
    let history = model.fit(&x, &digits.train_y, &mut fit)?;

    println!("{}", model.summary());
    println!("validation accuracy {:.4}", history.last("val_accuracy").unwrap_or(0.0));
    Ok(())
}
