//! Fashion-MNIST, 28x28 pictures of clothes, with a model written as a type of its own.

mod common;

use common::{Data, Options};
use gradling::Result;
use gradling::nn::{
    Activation, Dense, Fit, Flatten, Loss, Metric, Optimizer, Shared, Subclass, Symbol, Verbose,
};

struct FashionModel {
    flatten: Shared,
    d1: Shared,
    d2: Shared,
}

impl FashionModel {
    fn new() -> FashionModel {
        FashionModel {
            flatten: Flatten::new().into(),
            d1: Dense::new(128).activation(Activation::Relu).into(),
            d2: Dense::new(10).activation(Activation::Softmax).into(),
        }
    }
}

impl Subclass for FashionModel {
    fn call(&self, x: &Symbol) -> Symbol {
        let x = self.flatten.call(x);
        let x = self.d1.call(&x);
        self.d2.call(&x)
    }
}

fn main() -> Result<()> {
    let options = Options::parse()?;
    let Data { x_train, y_train, x_test, y_test } = common::fashion(&options)?;

    let mut model = FashionModel::new().into_model(&[28, 28])?;

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
