//! Iris flowers told apart by one layer, written by hand: forward, loss, gradient, update, accuracy.

mod common;

use common::Options;
use gradling::data::{Dataset, iris, train_test_split};
use gradling::plot::{Figure, LineChart};
use gradling::rng::Rng;
use gradling::{Result, Tape, Tensor, Variables};

fn main() -> Result<()> {
    let options = Options::parse()?;
    let (x, y) = iris::load()?;
    let ([x_train, y_train], [x_test, y_test]) = train_test_split([&x, &y], 0.2, 116)?;
    let train = Dataset::from_tensor_slices((x_train, y_train)).batch(32, false);

    let mut rng = Rng::new(1);
    let mut variables = Variables::new();
    let w1 = variables.add("w1", &Tensor::truncated_normal(&[4, 3], 0.0, 0.1, &mut rng)?, true)?;
    let b1 = variables.add("b1", &Tensor::truncated_normal(&[3], 0.0, 0.1, &mut rng)?, true)?;
    let lr = 0.1;
    let (mut losses, mut accuracies) = (Vec::new(), Vec::new());

    for epoch in 0..options.epochs.unwrap_or(500) {
        let mut loss_all = 0.0;
        for batch in &train {
            let batch = batch?;
            let tape = Tape::with_variables(&variables)?;
            let (w, b) = (tape.variable(w1), tape.variable(b1));
            let y = (tape.constant(&batch[0]).matmul(w) + b).softmax();
            let y_true = tape.constant(&batch[1]).one_hot(3);
            let loss = (y_true - y).square().mean(&[], false);
            loss_all += tape.value(loss)?.item()?;
            let gradients = tape.gradient(loss * lr, &[w, b])?;
            variables.assign_sub(w1, &gradients[0])?;
            variables.assign_sub(b1, &gradients[1])?;
        }
        let tape = Tape::with_variables(&variables)?;
        let y = (tape.constant(&x_test).matmul(tape.variable(w1)) + tape.variable(b1)).softmax();
        let correct = y.argmax(1).equal(tape.constant(&y_test)).cast(gradling::DType::F32);
        let accuracy = tape.value(correct.mean(&[], false))?.item()?;
        println!("epoch {epoch}, loss: {:.6}, test accuracy: {accuracy:.4}", loss_all / 4.0);
        losses.push(loss_all / 4.0);
        accuracies.push(accuracy);
    }

    let loss = LineChart::new("Loss function curve", "epoch", "").line("loss", &losses);
    let accuracy = LineChart::new("Accuracy curve", "epoch", "").line("accuracy", &accuracies);
    Figure::new([loss, accuracy]).save(options.file("p14_iris.png"))
}
