//! `page_models FOLDER`: writes models that the npm package has no makers for, for the tests of pages: `cnn.gradling` takes
//! `[28, 28, 1]`, `cifar.gradling` `[32, 32, 3]`, `lstm.gradling` `[12, 4]`.

use std::path::PathBuf;

use gradling::nn::{
    Activation, BatchNormalization, Conv2D, Dense, Dropout, Flatten, LSTM, Loss, MaxPooling2D, Optimizer,
    ReLU, Sequential,
};
use gradling::{Padding, Result, misuse};

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.ok_or_else(|| misuse!("expected the folder to write to"))?;
    std::fs::create_dir_all(&folder).map_err(|e| misuse!("{}: {e}", folder.display()))?;
    let mut cnn = Sequential::new()
        .add(Conv2D::new(6, [5, 5]).use_bias(false))
        .add(BatchNormalization::new())
        .add(ReLU::new())
        .add(MaxPooling2D::new([2, 2]))
        .add(Conv2D::new(16, [5, 5]).use_bias(false))
        .add(BatchNormalization::new())
        .add(ReLU::new())
        .add(MaxPooling2D::new([2, 2]))
        .add(Flatten::new())
        .add(Dense::new(64).activation(Activation::Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(10).activation(Activation::Softmax))
        .seed(1);
    cnn.build(&[28, 28, 1])?;
    cnn.compile(Optimizer::adam(), Loss::SparseCategoricalCrossentropy { from_logits: false }, &[])?;
    cnn.save(folder.join("cnn.gradling"))?;
    let mut cifar = Sequential::new()
        .add(Conv2D::new(6, [5, 5]).padding(Padding::Same))
        .add(BatchNormalization::new())
        .add(ReLU::new())
        .add(MaxPooling2D::new([2, 2]))
        .add(Dropout::new(0.2))
        .add(Flatten::new())
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(10).activation(Activation::Softmax))
        .seed(1);
    cifar.build(&[32, 32, 3])?;
    cifar.compile(Optimizer::adam(), Loss::SparseCategoricalCrossentropy { from_logits: false }, &[])?;
    cifar.save(folder.join("cifar.gradling"))?;
    let mut lstm = Sequential::new()
        .add(LSTM::new(16).return_sequences(true))
        .add(LSTM::new(16))
        .add(Dense::new(1))
        .seed(1);
    lstm.build(&[12, 4])?;
    lstm.compile(Optimizer::adam(), Loss::MeanSquaredError, &[])?;
    lstm.save(folder.join("lstm.gradling"))
}
