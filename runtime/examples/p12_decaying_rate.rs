//! The same descent with a learning rate that decays exponentially: large steps first, small ones near the end.

mod common;

use common::Options;
use gradling::nn::{ExponentialDecay, LearningRate};
use gradling::{Result, Tape, Tensor, Variables};

fn main() -> Result<()> {
    let options = Options::parse()?;
    let mut variables = Variables::new();
    let w = variables.add("w", &Tensor::scalar(5.0), true)?;
    let decay = LearningRate::from(ExponentialDecay {
        initial_learning_rate: 0.2,
        decay_steps: 1.0,
        decay_rate: 0.99,
        ..ExponentialDecay::default()
    });

    for epoch in 0..options.epochs.unwrap_or(40) {
        let lr = decay.at(epoch as u64);
        let tape = Tape::with_variables(&variables)?;
        let x = tape.variable(w);
        let loss = (x + 1.0).square();
        let gradient = tape.gradient(loss, &[x])?[0].item()?;
        variables.assign_sub(w, &Tensor::scalar(lr * gradient))?;
        let (w, loss) = (variables.get(w)?.item()?, tape.value(loss)?.item()?);
        println!("after {epoch} epochs w is {w:.6}, loss is {loss:.6}, lr is {lr:.6}");
    }
    Ok(())
}
