//! More data from the same pictures: turned, moved and zoomed anew in every epoch. Some of them are drawn.

mod common;

use common::{Data, Options};
use gradling::Result;
use gradling::data::ImageDataGenerator;
use gradling::nn::{Activation, Dense, Fit, Flatten, Loss, Metric, Optimizer, Sequential, Verbose};

fn main() -> Result<()> {
    let options = Options::parse()?;
    let Data { x_train, y_train, x_test, y_test } = common::mnist(&options)?;
    let x_train = x_train.reshape(&[x_train.shape().dim(0), 28, 28, 1])?;
    let x_test = x_test.reshape(&[x_test.shape().dim(0), 28, 28, 1])?;

    let image_gen_train = ImageDataGenerator {
        rotation_range: 45.0,
        width_shift_range: 0.15,
        height_shift_range: 0.15,
        horizontal_flip: false,
        zoom_range: [0.5, 1.5],
        ..ImageDataGenerator::default()
    };
    image_gen_train.contact_sheet(&x_train.rows(0..12)?, 11, options.file("p42_augmentation.png"))?;

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
        epochs: options.epochs(5, 3),
        validation: Some((x_test.into(), y_test.into())),
        verbose: Verbose::Bar,
        ..Fit::default()
    };
    let history = model.fit_dataset(&image_gen_train.flow(&x_train, &y_train, 32), &mut fit)?;

    println!("{}", model.summary());
    let last = |name| history.last(name).unwrap_or(0.0);
    println!("loss {:.4}, validation accuracy {:.4}", last("loss"), last("val_sparse_categorical_accuracy"));
    Ok(())
}
