//! What a model has learnt, as text.

mod common;

use common::{Data, Options};
use gradling::Result;
use gradling::io::text;
use gradling::nn::{Activation, Dense, Fit, Flatten, Loss, Metric, Optimizer, Sequential, Verbose};

fn main() -> Result<()> {
    let options = Options::parse()?;
    let Data { x_train, y_train, .. } = common::mnist(&options)?;

    let mut model = Sequential::new()
        .add(Flatten::new())
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax));
    model.compile(
        Optimizer::adam(),
        Loss::SparseCategoricalCrossentropy { from_logits: false },
        &[Metric::SparseCategoricalAccuracy],
    )?;
    let mut fit = Fit { epochs: options.epochs(5, 1), verbose: Verbose::Bar, ..Fit::default() };
    model.fit(&x_train, &y_train, &mut fit)?;

    println!("{}", model.summary());
    for (id, variable) in model.trainable_weights() {
        println!("{} {}\n{}", variable.name, variable.shape, model.variables().get(id)?);
    }
    // All values, none left out.
    text::write_parameters(options.file("p44_weights.txt"), model.variables())
}
