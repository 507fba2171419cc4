//! Yoghurt sold by two factors: the mean squared error finds the weights, which are 1 and 1.

mod common;

use common::Options;
use gradling::rng::Rng;
use gradling::{Result, Tape, Tensor, Variables};

fn main() -> Result<()> {
    let options = Options::parse()?;
    let mut rng = Rng::new(23455);
    let x = Tensor::random_uniform(&[32, 2], 0.0, 1.0, &mut rng)?;
    let noise = Tensor::random_uniform(&[32, 1], -0.05, 0.05, &mut rng)?;
    let y_true = Tape::compute(&[&x, &noise], |v| v[0].sum(&[1], true) + v[1])?;

    let mut variables = Variables::new();
    let w1 = variables.add("w1", &Tensor::random_normal(&[2, 1], 0.0, 1.0, &mut rng)?, true)?;
    let lr = 0.002;

    for epoch in 0..options.epochs.unwrap_or(15_000) {
        let tape = Tape::with_variables(&variables)?;
        let w = tape.variable(w1);
        let y = tape.constant(&x).matmul(w);
        let loss = (tape.constant(&y_true) - y).square().mean(&[], false);
        let gradient = tape.gradient(loss * lr, &[w])?;
        variables.assign_sub(w1, &gradient[0])?;
        if epoch % 500 == 0 {
            let loss = tape.value(loss)?.item()?;
            println!("after {epoch} training steps, loss is {loss:.6}, w1 is\n{}", variables.get(w1)?);
        }
    }
    println!("final w1 is\n{}", variables.get(w1)?);
    Ok(())
}
