//! Training that goes on where it stopped: start it again with more `--epochs`, or after breaking it off.

mod common;

use common::{Data, Options};
use gradling::Result;
use gradling::nn::{
    Activation, Dense, Fit, Flatten, Loss, Metric, Model, ModelCheckpoint, Optimizer, Sequential, Verbose,
};

fn main() -> Result<()> {
    let options = Options::parse()?;
    let Data { x_train, y_train, x_test, y_test } = common::mnist(&options)?;

    let checkpoint = options.file("p43_checkpoint.gradling");
    let resume = checkpoint.exists();
    let mut model = if resume {
        println!("load the model");
        Model::load(&checkpoint)?
    } else {
        Sequential::new()
            .add(Flatten::new())
            .add(Dense::new(128).activation(Activation::Relu))
            .add(Dense::new(10).activation(Activation::Softmax))
    };
    if !resume {
        model.compile(
            Optimizer::adam(),
            Loss::SparseCategoricalCrossentropy { from_logits: false },
            &[Metric::SparseCategoricalAccuracy],
        )?;
    }

    let mut fit = Fit {
        batch_size: 32,
        epochs: options.epochs(5, 4),
        validation: Some((x_test.into(), y_test.into())),
        resume,
        callbacks: vec![Box::new(ModelCheckpoint::new(&checkpoint))],
        verbose: Verbose::Bar,
        ..Fit::default()
    };
    let history = model.fit(&x_train, &y_train, &mut fit)?;

    println!("{}", model.summary());
    let accuracies = history.get("val_sparse_categorical_accuracy");
    for (i, (loss, accuracy)) in history.get("loss").iter().zip(&accuracies).enumerate() {
        println!("epoch {} loss {loss:.6}, validation accuracy {accuracy:.4}", i + 1);
    }
    Ok(())
}
