//! Iris again, the model written as a type of its own: layers are fields, `call` wires them.

mod common;

use common::Options;
use gradling::Result;
use gradling::data::iris;
use gradling::nn::{
    Activation, Dense, Fit, Loss, Metric, Optimizer, Regularizer, SGD, Shared, Subclass, Symbol, Verbose,
};
use gradling::rng::Rng;

struct IrisModel {
    d1: Shared,
}

impl IrisModel {
    fn new() -> IrisModel {
        let d1 = Dense::new(3).activation(Activation::Softmax).kernel_regularizer(Regularizer::L2(0.01));
        IrisModel { d1: d1.into() }
    }
}

impl Subclass for IrisModel {
    fn call(&self, x: &Symbol) -> Symbol {
        self.d1.call(x)
    }
}

fn main() -> Result<()> {
    let options = Options::parse()?;
    let (x, y) = iris::load()?;
    let (x_train, y_train) = (x.shuffle(&mut Rng::new(116))?, y.shuffle(&mut Rng::new(116))?);

    let mut model = IrisModel::new().into_model(&[4])?;

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
