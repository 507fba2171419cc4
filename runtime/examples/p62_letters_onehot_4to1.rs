//! The letter after four letters: abcd -> e, bcde -> a, … Letters are one-hot rows.

mod common;

use common::Options;
use gradling::nn::{Activation, Adam, Dense, Fit, Loss, Metric, Optimizer, Sequential, SimpleRNN, Verbose};
use gradling::{Result, Tape, Tensor, plot};

fn main() -> Result<()> {
    let options = Options::parse()?;
    let letters = ["a", "b", "c", "d", "e"];
    // Five samples of four steps with five features.
    let windows: Vec<i32> = (0..5).flat_map(|first| (first..first + 4).map(|i| i % 5)).collect();
    let x_train = Tensor::new(&[5, 4], windows.clone())?.one_hot(5)?;
    let y_train = Tensor::new(&[5], [4, 0, 1, 2, 3])?;

    let mut model =
        Sequential::new().add(SimpleRNN::new(3)).add(Dense::new(5).activation(Activation::Softmax)).seed(7);

    model.compile(
        Optimizer::from(Adam { learning_rate: 0.01, ..Adam::default() }),
        Loss::SparseCategoricalCrossentropy { from_logits: false },
        &[Metric::SparseCategoricalAccuracy],
    )?;
    let mut fit = Fit { epochs: options.epochs.unwrap_or(100), verbose: Verbose::Bar, ..Fit::default() };
    let history = model.fit(&x_train, &y_train, &mut fit)?;
    println!("{}", model.summary());
    println!("accuracy {:.4}", history.last("sparse_categorical_accuracy").unwrap_or(0.0));
    plot::history(&history).save(options.file("p62_letters_onehot_4to1.png"))?;

    let result = model.predict(&x_train, 32)?;
    let next = Tape::compute(&[&result], |y| y[0].argmax(1))?;
    for (window, &next) in windows.chunks(4).zip(next.as_i32()?) {
        let word: String = window.iter().map(|&i| letters[i as usize]).collect();
        println!("{word} -> {}", letters[next as usize]);
    }
    Ok(())
}
