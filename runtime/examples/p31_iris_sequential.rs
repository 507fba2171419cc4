//! Iris in six steps with `Sequential`: data, model, compile, fit, summary.

mod common;

use common::Options;
use gradling::Result;
use gradling::data::iris;
use gradling::nn::{Activation, Dense, Fit, Loss, Metric, Optimizer, Regularizer, SGD, Sequential, Verbose};
use gradling::rng::Rng;

fn main() -> Result<()> {
    let options = Options::parse()?;
    let (x, y) = iris::load()?;
    let (x_train, y_train) = (x.shuffle(&mut Rng::new(116))?, y.shuffle(&mut Rng::new(116))?);

    let mut model = Sequential::new()
        .add(Dense::new(3).activation(Activation::Softmax).kernel_regularizer(Regularizer::L2(0.01)));

    model.compile(
        Optimizer::from(SGD { learning_rate: 0.1, ..SGD::default() }),
        Loss::SparseCategoricalCrossentropy { from_logits: false },
        &[Metric::SparseCategoricalAccuracy],
    )?;

    let mut fit = Fit {
        batch_size: 32,
        epochs: options.epochs.unwrap_or(500),
        validation_split: 0.2,
        verbose: Verbose::Bar,
        ..Fit::default()
    };
    let history = model.fit(&x_train, &y_train, &mut fit)?;

    println!("{}", model.summary());
    let last = |name| history.last(name).unwrap_or(0.0);
    println!("loss {:.4}, validation accuracy {:.4}", last("loss"), last("val_sparse_categorical_accuracy"));
    Ok(())
}
