//! Cross-entropy: how far probabilities are from the truth, and the same with the softmax inside.

use gradling::nn::Loss;
use gradling::{Result, Tape, Tensor};

fn main() -> Result<()> {
    let cross_entropy = Loss::CategoricalCrossentropy { from_logits: false };
    let tape = Tape::new();
    let truth = tape.constant(&Tensor::new(&[1, 2], [1.0, 0.0])?);
    for (name, p) in [("loss_ce1", [0.6, 0.4]), ("loss_ce2", [0.8, 0.2])] {
        let loss = cross_entropy.values(None, truth, tape.constant(&Tensor::new(&[1, 2], p)?))?;
        println!("{name} {}", tape.value(loss)?);
    }

    let labels = Tensor::new(&[5], [0, 1, 2, 0, 1])?.one_hot(3)?;
    #[rustfmt::skip]
    let logits = Tensor::new(&[5, 3], [
        12.0, 3.0, 2.0,
        3.0, 10.0, 1.0,
        1.0, 2.0, 5.0,
        4.0, 6.5, 1.2,
        3.0, 6.0, 1.0,
    ])?;
    let (labels, logits) = (tape.constant(&labels), tape.constant(&logits));
    let in_two_steps = cross_entropy.values(None, labels, logits.softmax())?;
    let in_one_step = logits.softmax_cross_entropy(labels);
    println!("in two steps {}", tape.value(in_two_steps)?);
    println!("in one step {}", tape.value(in_one_step)?);
    Ok(())
}
