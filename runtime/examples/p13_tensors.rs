//! Tensors and what is done with them.

use gradling::data::Dataset;
use gradling::rng::Rng;
use gradling::{DType, Result, Tape, Tensor, Variables};

fn main() -> Result<()> {
    println!("constant\n{}", Tensor::new(&[2], [1, 5])?);
    println!("zeros\n{}", Tensor::zeros(&[2, 3])?);
    println!("ones\n{}", Tensor::ones(&[4])?);
    println!("fill\n{}", Tensor::full(&[2, 2], 9.0)?);
    let mut rng = Rng::new(1);
    println!("random normal\n{}", Tensor::random_normal(&[2, 2], 0.5, 1.0, &mut rng)?);
    println!("truncated normal\n{}", Tensor::truncated_normal(&[2, 2], 0.5, 1.0, &mut rng)?);
    println!("random uniform\n{}", Tensor::random_uniform(&[2, 2], 0.0, 1.0, &mut rng)?);

    let x = Tensor::new(&[2, 3], [1.0, 2.0, 3.0, 2.0, 2.0, 3.0])?;
    println!("x\n{x}");
    println!("cast to int32\n{}", Tape::compute(&[&x], |x| x[0].cast(DType::I32))?);
    println!("least {}", Tape::compute(&[&x], |x| x[0].min(&[], false))?);
    println!("greatest {}", Tape::compute(&[&x], |x| x[0].max(&[], false))?);
    println!("mean {}", Tape::compute(&[&x], |x| x[0].mean(&[], false))?);
    println!("sum over axis 1 {}", Tape::compute(&[&x], |x| x[0].sum(&[1], false))?);

    let (a, b) = (Tensor::full(&[1, 3], 1.0)?, Tensor::full(&[1, 3], 3.0)?);
    println!("a + b = {}", Tape::compute(&[&a, &b], |x| x[0] + x[1])?);
    println!("a - b = {}", Tape::compute(&[&a, &b], |x| x[0] - x[1])?);
    println!("a * b = {}", Tape::compute(&[&a, &b], |x| x[0] * x[1])?);
    println!("b / a = {}", Tape::compute(&[&a, &b], |x| x[1] / x[0])?);
    println!("b^3 = {}", Tape::compute(&[&b], |x| x[0].pow(3.0))?);
    println!("b^2 = {}", Tape::compute(&[&b], |x| x[0].square())?);
    println!("square root of b = {}", Tape::compute(&[&b], |x| x[0].sqrt())?);
    let (a, b) = (Tensor::ones(&[3, 2])?, Tensor::full(&[2, 3], 3.0)?);
    println!("product of matrices\n{}", Tape::compute(&[&a, &b], |x| x[0].matmul(x[1]))?);

    let features = Tensor::new(&[4], [12, 23, 10, 17])?;
    let labels = Tensor::new(&[4], [0, 1, 1, 0])?;
    for element in &Dataset::from_tensor_slices((features, labels)) {
        let element = element?;
        println!("feature {} label {}", element[0], element[1]);
    }

    let tape = Tape::new();
    let w = tape.watch(&Tensor::scalar(3.0));
    println!("gradient of w^2 at 3: {}", tape.gradient(w.pow(2.0), &[w])?[0]);

    for (i, word) in ["one", "two", "three"].iter().enumerate() {
        println!("{i} {word}");
    }
    println!("one-hot\n{}", Tensor::new(&[3], [1, 0, 2])?.one_hot(3)?);
    let y = Tensor::new(&[3], [1.01, 2.01, -0.66])?;
    println!("softmax {}", Tape::compute(&[&y], |y| y[0].softmax())?);

    let mut variables = Variables::new();
    let w = variables.add("w", &Tensor::scalar(4.0), true)?;
    variables.assign_sub(w, &Tensor::scalar(1.0))?;
    println!("4 less 1 is {}", variables.get(w)?);

    let test = Tensor::new(&[4, 3], [1.0, 2.0, 3.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0, 8.0, 7.0, 2.0])?;
    println!("argmax of each column {}", Tape::compute(&[&test], |x| x[0].argmax(0))?);
    println!("argmax of each row {}", Tape::compute(&[&test], |x| x[0].argmax(1))?);
    Ok(())
}
