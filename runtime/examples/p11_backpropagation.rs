//! Back-propagation by hand: gradient descent finds the `w` for which `(w + 1)^2` is least.

mod common;

use common::Options;
use gradling::{Result, Tape, Tensor, Variables};

fn main() -> Result<()> {
    let options = Options::parse()?;
    let mut variables = Variables::new();
    let w = variables.add("w", &Tensor::scalar(5.0), true)?;
    let lr = 0.2;

    for epoch in 0..options.epochs.unwrap_or(40) {
        let tape = Tape::with_variables(&variables)?;
        let x = tape.variable(w);
        let loss = (x + 1.0).square();
        let gradient = tape.gradient(loss, &[x])?[0].item()?;
        variables.assign_sub(w, &Tensor::scalar(lr * gradient))?;
        let (w, loss) = (variables.get(w)?.item()?, tape.value(loss)?.item()?);
        println!("after {epoch} epochs w is {w:.6}, loss is {loss:.6}");
    }
    Ok(())
}
