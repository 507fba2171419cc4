//! Dots of two classes parted by a small net, without and with L2 regularisation; the boundary is drawn.

mod common;

use common::Options;
use gradling::data::{Dataset, Table};
use gradling::plot::{Figure, Scatter};
use gradling::rng::Rng;
use gradling::{Result, Tape, Tensor, Var, VariableId, Variables};

fn main() -> Result<()> {
    let options = Options::parse()?;
    let (x, y) = dots(&options)?;
    let mut panels = Vec::new();
    for (title, l2) in [("Without regularisation", 0.0), ("With L2 regularisation", 0.03)] {
        println!("{title}");
        let net = train(&options, &x, &y, l2)?;
        let scatter = Scatter::new(title, &x, &y)?.boundary(|points| {
            let tape = Tape::with_variables(&net.variables)?;
            tape.value(net.call(&tape, tape.constant(points)))
        })?;
        panels.push(scatter);
    }
    Figure::new(panels).save(options.file("p25_dots.png"))
}

/// Dots and their classes, from dot.csv or made in its spirit: class 1 lies in the middle.
fn dots(options: &Options) -> Result<(Tensor, Tensor)> {
    if let Some(path) = options.find("dot.csv") {
        let table = Table::read(path, true)?;
        return Ok((table.numbers(&["x1", "x2"])?, table.numbers(&["y_c"])?));
    }
    println!("dot.csv is in no data folder; the program makes dots of its own");
    let mut rng = Rng::new(5);
    let x: Vec<[f32; 2]> = (0..300).map(|_| [rng.normal(), rng.normal()]).collect();
    let mut inside = |[a, b]: &[f32; 2]| a * a + b * b < 2.0 + 0.6 * rng.normal();
    let y: Vec<f32> = x.iter().map(|p| f32::from(u8::from(inside(p)))).collect();
    Ok((Tensor::new(&[300, 2], x.concat())?, Tensor::new(&[300, 1], y)?))
}

/// Two layers: weights and biases.
struct Net {
    variables: Variables,
    ids: [VariableId; 4],
}

impl Net {
    fn call<'b>(&self, tape: &'b Tape, x: Var<'b>) -> Var<'b> {
        let [w1, b1, w2, b2] = self.ids.map(|id| tape.variable(id));
        (x.matmul(w1) + b1).relu().matmul(w2) + b2
    }
}

fn train(options: &Options, x: &Tensor, y: &Tensor, l2: f32) -> Result<Net> {
    let mut rng = Rng::new(2);
    let mut variables = Variables::new();
    let w1 = variables.add("w1", &Tensor::random_normal(&[2, 11], 0.0, 1.0, &mut rng)?, true)?;
    let b1 = variables.add("b1", &Tensor::full(&[11], 0.01)?, true)?;
    let w2 = variables.add("w2", &Tensor::random_normal(&[11, 1], 0.0, 1.0, &mut rng)?, true)?;
    let b2 = variables.add("b2", &Tensor::full(&[1], 0.01)?, true)?;
    let mut net = Net { variables, ids: [w1, b1, w2, b2] };
    let lr = 0.01;
    let train = Dataset::from_tensor_slices((x.clone(), y.clone())).batch(32, false);
    for epoch in 0..options.epochs.unwrap_or(800) {
        let mut last = 0.0;
        for batch in &train {
            let batch = batch?;
            let tape = Tape::with_variables(&net.variables)?;
            let y = net.call(&tape, tape.constant(&batch[0]));
            let mse = (tape.constant(&batch[1]) - y).square().mean(&[], false);
            let penalty = tape.variable(w1).l2_loss() + tape.variable(w2).l2_loss();
            let loss = mse + penalty * l2;
            let gradients = tape.gradient(loss * lr, &net.ids.map(|id| tape.variable(id)))?;
            for (id, gradient) in net.ids.into_iter().zip(&gradients) {
                net.variables.assign_sub(id, gradient)?;
            }
            last = tape.value(loss)?.item()?;
        }
        if epoch % 20 == 0 {
            println!("epoch {epoch}, loss: {last:.6}");
        }
    }
    Ok(net)
}
