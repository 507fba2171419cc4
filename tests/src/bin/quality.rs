//! `quality DATA GOLDEN IRIS`: trains the models of `quality.json` from our own initial weights and shuffles.
//!
//! DATA is the folder with the MNIST files and GOLDEN that of the recorded cases. A line is printed for each run:
//! `{"item":"mnist_mlp","seed":1,"accuracy":0.9766}`. The split of iris is written to the file IRIS, for the same
//! models in the browser. What the accuracies are compared with is the caller's to say.

use std::path::Path;
use std::process::ExitCode;

use gradling::data::iris;
use gradling::data::mnist::{self, Mnist, Source, scaled};
use gradling::nn::{
    Activation, Conv2D, Dense, Fit, Flatten, Initializer, Loss, MaxPooling2D, Metric, Optimizer, SGD,
    Sequential,
};
use gradling::{Result, Tape, Tensor, misuse};
use gradling_tests::case::Group;
use serde_json::json;

const SEEDS: [u64; 3] = [1, 2, 3];

/// Inputs and labels to train on and to test with.
struct Data {
    train: (Tensor, Tensor),
    test: (Tensor, Tensor),
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data, golden, split] = arguments.as_slice() else {
        eprintln!("usage: quality DATA GOLDEN IRIS");
        return ExitCode::FAILURE;
    };
    match run(Path::new(data), Path::new(golden), Path::new(split)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quality: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(data: &Path, golden: &Path, split: &Path) -> Result<()> {
    let flowers = flowers(golden)?;
    std::fs::write(split, text(&flowers)?)?;
    for seed in SEEDS {
        let small = || Initializer::TruncatedNormal(0.0, 0.1);
        let model = Sequential::new().add(
            Dense::new(3)
                .activation(Activation::Softmax)
                .kernel_initializer(small())
                .bias_initializer(small()),
        );
        let mut model = model.seed(seed);
        model.compile(
            SGD { learning_rate: 0.1, ..SGD::default() },
            Loss::MeanSquaredError,
            &[Metric::CategoricalAccuracy],
        )?;
        let mut fit = Fit { batch_size: 32, epochs: 500, shuffle: false, ..Fit::default() };
        model.fit(&flowers.train.0, &one_hot(&flowers.train.1)?, &mut fit)?;
        let logs = model.evaluate(&flowers.test.0, &one_hot(&flowers.test.1)?, 30)?;
        report("iris_softmax", seed, logs.get("categorical_accuracy"));
    }

    let Mnist { train_x, train_y, test_x, test_y } = mnist::load(&Source::Folder(data.into()))?;
    let digits = Data { train: (scaled(&train_x)?, train_y), test: (scaled(&test_x)?, test_y) };
    for seed in SEEDS {
        let model = Sequential::new()
            .add(Flatten::new())
            .add(Dense::new(128).activation(Activation::Relu))
            .add(Dense::new(10).activation(Activation::Softmax));
        report("mnist_mlp", seed, digit_accuracy(model.seed(seed), &digits, 5)?);
    }
    let pictures = |x: &Tensor| x.expand_dims(-1);
    let digits = Data {
        train: (pictures(&digits.train.0)?, digits.train.1),
        test: (pictures(&digits.test.0)?, digits.test.1),
    };
    for seed in SEEDS {
        let model = Sequential::new()
            .add(Conv2D::new(6, [5, 5]).activation(Activation::Relu))
            .add(MaxPooling2D::new([2, 2]))
            .add(Conv2D::new(16, [5, 5]).activation(Activation::Relu))
            .add(MaxPooling2D::new([2, 2]))
            .add(Flatten::new())
            .add(Dense::new(120).activation(Activation::Relu))
            .add(Dense::new(84).activation(Activation::Relu))
            .add(Dense::new(10).activation(Activation::Softmax));
        report("mnist_lenet5", seed, digit_accuracy(model.seed(seed), &digits, 2)?);
    }
    Ok(())
}

fn report(item: &str, seed: u64, accuracy: Option<f32>) {
    println!("{}", json!({ "item": item, "seed": seed, "accuracy": accuracy }));
}

/// Trains on batches of 32 with Adam and gives the accuracy on the test data.
fn digit_accuracy(mut model: Sequential, data: &Data, epochs: usize) -> Result<Option<f32>> {
    let loss = Loss::SparseCategoricalCrossentropy { from_logits: false };
    model.compile(Optimizer::adam(), loss, &[Metric::SparseCategoricalAccuracy])?;
    let mut fit = Fit { batch_size: 32, epochs, ..Fit::default() };
    model.fit(&data.train.0, &data.train.1, &mut fit)?;
    let logs = model.evaluate(&data.test.0, &data.test.1, 500)?;
    Ok(logs.get("sparse_categorical_accuracy"))
}

/// Iris as the recorded run splits it: its 120 training samples are stored in order, and the others test.
fn flowers(golden: &Path) -> Result<Data> {
    let fault = |what: String| misuse!("{}: {what}", golden.join("training.json").display());
    let group = Group::read(&golden.join("training.json")).map_err(fault)?;
    let group = group.ok_or_else(|| fault("no case file".into()))?;
    let case = group.cases.iter().find(|case| case.name.starts_with("iris_softmax"));
    let key = case.and_then(|case| case.inputs.get("x")).ok_or_else(|| fault("no iris".into()))?;
    let stored = group.tensor(key).map_err(|e| fault(format!("{e:?}")))?;
    let stored = gradling_tests::program::tensor(stored, None).map_err(|e| fault(format!("{e:?}")))?;

    let (x, y) = iris::load()?;
    let (features, labels) = (x.as_f32()?.as_chunks::<4>().0, y.as_i32()?);
    let mut left: Vec<usize> = (0..labels.len()).collect();
    let mut train = Vec::new();
    for row in stored.as_f32()?.as_chunks::<4>().0 {
        let same = |&i: &usize| features[i].iter().zip(row).all(|(a, b)| (a - b).abs() < 1e-3);
        let at = left.iter().position(same).ok_or_else(|| fault(format!("no flower is {row:?}")))?;
        train.push(left.remove(at));
    }
    let pick = |rows: &[usize]| -> Result<(Tensor, Tensor)> {
        let x: Vec<f32> = rows.iter().flat_map(|&i| features[i]).collect();
        let y: Vec<i32> = rows.iter().map(|&i| labels[i]).collect();
        Ok((Tensor::new(&[rows.len(), 4], x)?, Tensor::new(&[rows.len()], y)?))
    };
    Ok(Data { train: pick(&train)?, test: pick(&left)? })
}

fn text(data: &Data) -> Result<String> {
    let part = |(x, y): &(Tensor, Tensor)| -> Result<_> { Ok(json!({ "x": x.as_f32()?, "y": y.as_i32()? })) };
    Ok(json!({ "train": part(&data.train)?, "test": part(&data.test)? }).to_string())
}

fn one_hot(labels: &Tensor) -> Result<Tensor> {
    let tape = Tape::new();
    tape.value(tape.constant(labels).one_hot(3))
}
