//! Training gives the same bits however many threads share the work, on every run, and when it is interrupted
//! by writing the model to a file and reading it back.

use gradling::nn::{
    Activation, Conv2D, Dense, Dropout, Fit, Flatten, Loss, MaxPooling2D, Metric, Optimizer, Progress,
    Sequential,
};
use gradling::rng::Rng;
use gradling::{Device, Level, Padding, Result, Tensor};

const STEPS: usize = 50;
const BATCH: usize = 24;

/// Labelled pictures of noise; the last batch of an epoch is short.
fn data() -> Result<(Tensor, Tensor)> {
    let mut rng = Rng::new(3);
    let samples = 20 * BATCH + 5;
    let pixels: Vec<f32> = (0..samples * 784).map(|_| rng.normal()).collect();
    let labels: Vec<i32> = (0..samples).map(|_| (rng.next_u32() % 10) as i32).collect();
    Ok((Tensor::new(&[samples, 28, 28, 1], pixels)?, Tensor::new(&[samples], labels)?))
}

fn mlp() -> Sequential {
    Sequential::new()
        .add(Flatten::new())
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(10).activation(Activation::Softmax))
}

fn lenet() -> Sequential {
    Sequential::new()
        .add(Conv2D::new(6, [5, 5]).padding(Padding::Same).activation(Activation::Relu))
        .add(MaxPooling2D::new([2, 2]))
        .add(Conv2D::new(16, [5, 5]).activation(Activation::Relu))
        .add(MaxPooling2D::new([2, 2]))
        .add(Flatten::new())
        .add(Dense::new(120).activation(Activation::Relu))
        .add(Dense::new(84).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax))
}

/// The bits of every weight.
fn bits(model: &Sequential) -> Result<Vec<u32>> {
    let names: Vec<String> = model.weights().map(|(_, v)| v.name.clone()).collect();
    let mut bits = Vec::new();
    for name in names {
        bits.extend(model.weight(&name)?.as_f32()?.iter().map(|w| w.to_bits()));
    }
    Ok(bits)
}

/// Trains `STEPS` steps and returns the losses and weights as bits.
fn train(make: fn() -> Sequential, level: Level, threads: usize) -> Result<(Vec<u32>, Vec<u32>)> {
    let (x, y) = data()?;
    let mut model = make().seed(11).on(&Device::new(level, threads)?);
    let loss = Loss::SparseCategoricalCrossentropy { from_logits: false };
    model.compile(Optimizer::adam(), loss, &[Metric::Accuracy])?;
    let fit = Fit { epochs: 9, batch_size: BATCH, ..Fit::default() };
    let mut run = model.begin_fit(&x, &y, &fit)?;
    let mut losses = Vec::new();
    while losses.len() < STEPS {
        if let Progress::Batch { loss, .. } = run.step(&mut model)? {
            losses.push(loss.to_bits());
        }
    }
    Ok((losses, bits(&model)?))
}

#[test]
fn threads_do_not_change_a_bit() {
    for (name, make) in [("MLP", mlp as fn() -> Sequential), ("LeNet-5", lenet)] {
        for &level in Level::available() {
            let one = train(make, level, 1).expect("one thread");
            for threads in [1, 2, 3] {
                let other = train(make, level, threads).expect("several threads");
                let step = one.0.iter().zip(&other.0).position(|(a, b)| a != b);
                assert_eq!(step, None, "{name} at {level:?}: the loss differs on {threads} threads");
                assert!(one.1 == other.1, "{name} at {level:?}: weights differ on {threads} threads");
            }
        }
    }
}

#[test]
fn a_model_read_back_goes_on_where_it_was() {
    let (x, y) = data().expect("data");
    let mut whole = mlp().seed(5);
    let loss = Loss::SparseCategoricalCrossentropy { from_logits: false };
    whole.compile(Optimizer::adam(), loss, &[]).expect("compile");
    let epoch = || Fit { batch_size: BATCH, ..Fit::default() };
    whole.fit(&x, &y, &mut epoch()).expect("first epoch");
    let mut back = whole.to_bytes().and_then(|b| Sequential::from_bytes(&b)).expect("read back");
    for model in [&mut whole, &mut back] {
        model.fit(&x, &y, &mut epoch()).expect("second epoch");
    }
    assert!(bits(&whole).expect("weights") == bits(&back).expect("weights"));
}
