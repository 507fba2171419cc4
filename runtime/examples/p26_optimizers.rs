//! Five optimizers written by hand, on the iris flowers: loss, accuracy and time of each.

mod common;

use common::Options;
use gradling::data::{Dataset, iris, train_test_split};
use gradling::plot::{Figure, LineChart};
use gradling::rng::Rng;
use gradling::{DType, Result, Tape, Tensor, Var, Variables, autodiff};
use std::time::Instant;

fn main() -> Result<()> {
    let options = Options::parse()?;
    let mut loss_chart = LineChart::new("Loss", "epoch", "");
    let mut accuracy_chart = LineChart::new("Test accuracy", "epoch", "");
    for rule in ["SGD", "SGDM", "Adagrad", "RMSprop", "Adam"] {
        let start = Instant::now();
        let (losses, accuracies) = train(&options, rule)?;
        let (loss, accuracy) = (losses.last().unwrap_or(&1.0), accuracies.last().unwrap_or(&0.0));
        let seconds = start.elapsed().as_secs_f32();
        println!("{rule}: loss {loss:.6}, test accuracy {accuracy:.4}, total time {seconds:.2} s");
        loss_chart = loss_chart.line(rule, &losses);
        accuracy_chart = accuracy_chart.line(rule, &accuracies);
    }
    Figure::new([loss_chart, accuracy_chart]).save(options.file("p26_optimizers.png"))
}

/// What is taken from a weight with gradient `g` in step `t`, and the new first and second moments.
fn update<'b>(rule: &str, lr: f32, g: Var<'b>, m: Var<'b>, v: Var<'b>, t: i32) -> [Var<'b>; 3] {
    let (first, second) = (m * 0.9 + g * 0.1, v + g.square());
    match rule {
        "SGDM" => [first * lr, first, v],
        "Adagrad" => [g * lr / second.sqrt(), m, second],
        "RMSprop" => {
            let v = v * 0.9 + g.square() * 0.1;
            [g * lr / v.sqrt(), m, v]
        }
        "Adam" => {
            let v = v * 0.999 + g.square() * 0.001;
            let (m_hat, v_hat) = (first / (1.0 - 0.9f32.powi(t)), v / (1.0 - 0.999f32.powi(t)));
            [m_hat * lr / v_hat.sqrt(), first, v]
        }
        _ => [g * lr, m, v],
    }
}

fn train(options: &Options, rule: &str) -> Result<(Vec<f32>, Vec<f32>)> {
    let (x, y) = iris::load()?;
    let ([x_train, y_train], [x_test, y_test]) = train_test_split([&x, &y], 0.2, 116)?;
    let train = Dataset::from_tensor_slices((x_train, y_train)).batch(32, false);
    let mut rng = Rng::new(1);
    let mut variables = Variables::new();
    let mut weights = Vec::new();
    for (name, dims) in [("w1", &[4, 3][..]), ("b1", &[3])] {
        let w = variables.add(name, &Tensor::truncated_normal(dims, 0.0, 0.1, &mut rng)?, true)?;
        let m = variables.add("m", &Tensor::zeros(dims)?, false)?;
        let v = variables.add("v", &Tensor::zeros(dims)?, false)?;
        weights.push([w, m, v]);
    }
    let (mut losses, mut accuracies, mut step) = (Vec::new(), Vec::new(), 0);
    for _ in 0..options.epochs.unwrap_or(500) {
        let mut loss_all = 0.0;
        for batch in &train {
            let batch = batch?;
            step += 1;
            let tape = Tape::with_variables(&variables)?;
            let (w, b) = (tape.variable(weights[0][0]), tape.variable(weights[1][0]));
            let y = (tape.constant(&batch[0]).matmul(w) + b).softmax();
            let loss = (tape.constant(&batch[1]).one_hot(3) - y).square().mean(&[], false);
            loss_all += tape.value(loss)?.item()?;
            for (&[w, m, v], g) in weights.iter().zip(autodiff::grad(loss, &[w, b])) {
                let [by, first, second] = update(rule, 0.1, g, tape.variable(m), tape.variable(v), step);
                variables.assign_sub(w, &tape.value(by)?)?;
                variables.set(m, &tape.value(first)?)?;
                variables.set(v, &tape.value(second)?)?;
            }
        }
        let tape = Tape::with_variables(&variables)?;
        let y = tape.constant(&x_test).matmul(tape.variable(weights[0][0])) + tape.variable(weights[1][0]);
        let correct = y.argmax(1).equal(tape.constant(&y_test)).cast(DType::F32);
        losses.push(loss_all / 4.0);
        accuracies.push(tape.value(correct.mean(&[], false))?.item()?);
    }
    Ok((losses, accuracies))
}
