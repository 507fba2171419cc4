//! MNIST, 28x28 pictures of handwritten digits, with `Sequential`.

mod common;

use common::{Data, Options};
use gradling::Result;
use gradling::nn::{Activation, Dense, Fit, Flatten, Loss, Metric, Optimizer, Sequential, Verbose};

fn main() -> Result<()> {
    let options = Options::parse()?;
    let Data { x_train, y_train, x_test, y_test } = common::mnist(&options)?;

    let mut model = Sequential::new()
        .add(Flatten::new())
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax));

    model.compile(
        Optimizer::adam(),
        Loss::SparseCategoricalCrossentropy { from_logits: false },
        &[Metric::SparseCategoricalAccuracy],
    )?;

    let mut fit = Fit {
        batch_size: 32,
        epochs: options.epochs(5, 3),
        validation: Some((x_test.into(), y_test.into())),
        verbose: Verbose::Bar,
        ..Fit::default()
    };
    let history = model.fit(&x_train, &y_train, &mut fit)?;

    println!("{}", model.summary());
    let last = |name| history.last(name).unwrap_or(0.0);
    println!("loss {:.4}, validation accuracy {:.4}", last("loss"), last("val_sparse_categorical_accuracy"));
    Ok(())
}
