//! The letter after a letter, where the net learns a point in the plane for each letter: an embedding.

mod common;

use common::Options;
use gradling::nn::{
    Activation, Adam, Dense, Embedding, Fit, Loss, Metric, Optimizer, Sequential, SimpleRNN, Verbose,
};
use gradling::{Result, Tape, Tensor, plot};

fn main() -> Result<()> {
    let options = Options::parse()?;
    let letters = ["a", "b", "c", "d", "e"];
    // Five samples of one step.
    let x_train = Tensor::new(&[5, 1], [0, 1, 2, 3, 4])?;
    let y_train = Tensor::new(&[5], [1, 2, 3, 4, 0])?;

    let mut model = Sequential::new()
        .add(Embedding::new(5, 2))
        .add(SimpleRNN::new(3))
        .add(Dense::new(5).activation(Activation::Softmax))
        .seed(7);

    model.compile(
        Optimizer::from(Adam { learning_rate: 0.01, ..Adam::default() }),
        Loss::SparseCategoricalCrossentropy { from_logits: false },
        &[Metric::SparseCategoricalAccuracy],
    )?;
    let mut fit = Fit { epochs: options.epochs.unwrap_or(100), verbose: Verbose::Bar, ..Fit::default() };
    let history = model.fit(&x_train, &y_train, &mut fit)?;
    println!("{}", model.summary());
    println!("accuracy {:.4}", history.last("sparse_categorical_accuracy").unwrap_or(0.0));
    plot::history(&history).save(options.file("p63_letters_embedding.png"))?;

    let result = model.predict(&x_train, 32)?;
    let next = Tape::compute(&[&result], |y| y[0].argmax(1))?;
    for (letter, &next) in letters.iter().zip(next.as_i32()?) {
        println!("{letter} -> {}", letters[next as usize]);
    }
    Ok(())
}
