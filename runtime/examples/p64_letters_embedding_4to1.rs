//! The letter after four letters of the alphabet, with an embedding: abcd -> e, bcde -> f, …, vwxy -> z.

mod common;

use common::Options;
use gradling::data::Windows;
use gradling::nn::{
    Activation, Adam, Dense, Embedding, Fit, Loss, Metric, Optimizer, Sequential, SimpleRNN, Verbose,
};
use gradling::{Result, Tape, Tensor, plot};

fn main() -> Result<()> {
    let options = Options::parse()?;
    let alphabet: Vec<char> = ('a'..='z').collect();
    let ids = Tensor::range_i32(0, 26, 1)?;
    // 22 samples of four steps.
    let (x_train, y_train) = Windows::new(4).cut(&ids, &ids)?;
    let (x_train, y_train) = (x_train.reshape(&[22, 4])?, y_train.reshape(&[22])?);

    let mut model = Sequential::new()
        .add(Embedding::new(26, 2))
        .add(SimpleRNN::new(10))
        .add(Dense::new(26).activation(Activation::Softmax))
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
    plot::history(&history).save(options.file("p64_letters_embedding_4to1.png"))?;

    let result = model.predict(&x_train, 32)?;
    let next = Tape::compute(&[&result], |y| y[0].argmax(1))?;
    for (window, &next) in x_train.as_i32()?.chunks(4).zip(next.as_i32()?) {
        let word: String = window.iter().map(|&i| alphabet[i as usize]).collect();
        println!("{word} -> {}", alphabet[next as usize]);
    }
    Ok(())
}
