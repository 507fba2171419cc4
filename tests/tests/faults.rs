//! Bad input to the library: each case gives an error that says what is wrong, and none panics.
//!
//! A row names the case, does it, and says what kind of error must come and what its message must hold.

use std::panic::{AssertUnwindSafe, catch_unwind};

use gradling::nn::{
    Activation, ActivationLayer, Adam, Conv2D, Dense, Dropout, Fit, Flatten, Loss, MaxPooling2D, Metric,
    Optimizer, SGD, Sequential,
};
use gradling::{DType, Data, Device, Level, Plan, PlanOptions, Result, Session, Shape};
use gradling::{Tape, Tensor, Trace, Var, Variables, Window};

/// A bad use, the group of its error, and parts of the message.
struct Fault {
    name: &'static str,
    act: fn() -> Result<()>,
    kind: &'static str,
    says: &'static [&'static str],
}

const SPARSE: Loss = Loss::SparseCategoricalCrossentropy { from_logits: false };
const DENSE: Loss = Loss::CategoricalCrossentropy { from_logits: false };

/// 784 inputs, 10 classes; named layers as Keras would name them.
fn mlp() -> Result<Sequential> {
    let mut model = Sequential::new()
        .add(Dense::new(16).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax));
    model.build(&[784])?;
    model.compile(Optimizer::adam(), SPARSE, &[Metric::Accuracy])?;
    Ok(model)
}

fn zeros(dims: &[usize]) -> Result<Tensor> {
    Tensor::zeros(dims)
}

fn labels(values: impl Into<Data>) -> Result<Tensor> {
    let data = values.into();
    Tensor::new(&[data.len()], data)
}

fn fit(mut model: Sequential, x: Tensor, y: Tensor) -> Result<()> {
    model.fit(&x, &y, &mut Fit::default()).map(drop)
}

/// Applies ops on a tape and asks for the value.
fn eager(shapes: &[&[usize]], op: impl for<'b> Fn(&[Var<'b>]) -> Var<'b>) -> Result<()> {
    let tape = Tape::new();
    let operands = shapes.iter().map(|s| Ok(tape.watch(&zeros(s)?))).collect::<Result<Vec<Var>>>()?;
    tape.value(op(&operands)).map(drop)
}

/// A session that doubles three numbers.
fn session() -> Result<Session> {
    let trace = Trace::new(&Variables::new());
    let x = trace.input("x", Shape::new(&[3])?, DType::F32);
    trace.output("y", x * 2.0);
    Session::new(Plan::compile(&trace.finish()?, &PlanOptions::default())?, &Device::default())
}

const FAULTS: &[Fault] = &[
    // Data that does not fit the model.
    Fault {
        name: "pictures into a dense layer",
        act: || fit(mlp()?, zeros(&[32, 28, 28])?, labels(vec![0u8; 32])?),
        kind: "misuse",
        says: &[
            "dense: expected input of shape [batch, 784], got [32, 28, 28]; add a Flatten layer before it",
        ],
    },
    Fault {
        name: "samples of another width",
        act: || fit(mlp()?, zeros(&[32, 783])?, labels(vec![0u8; 32])?),
        kind: "misuse",
        says: &["dense: expected input of shape [batch, 784], got [32, 783]"],
    },
    Fault {
        name: "fewer targets than inputs",
        act: || fit(mlp()?, zeros(&[32, 784])?, labels(vec![0u8; 31])?),
        kind: "misuse",
        says: &["32 inputs", "[31]"],
    },
    Fault {
        name: "int label out of range",
        act: || fit(mlp()?, zeros(&[3, 784])?, labels(vec![0, 10, 1])?),
        kind: "misuse",
        says: &["label 10", "position 1", "dense_1", "0 to 9"],
    },
    Fault {
        name: "negative label",
        act: || fit(mlp()?, zeros(&[3, 784])?, labels(vec![0, 1, -1])?),
        kind: "misuse",
        says: &["label -1", "position 2"],
    },
    Fault {
        name: "byte label out of range",
        act: || fit(mlp()?, zeros(&[2, 784])?, labels(vec![255u8, 0])?),
        kind: "misuse",
        says: &["label 255"],
    },
    Fault {
        name: "fractional label",
        act: || fit(mlp()?, zeros(&[2, 784])?, labels(vec![0.5f32, 0.0])?),
        kind: "misuse",
        says: &["label 0.5"],
    },
    Fault {
        name: "NaN label",
        act: || fit(mlp()?, zeros(&[2, 784])?, labels(vec![0.0f32, f32::NAN])?),
        kind: "misuse",
        says: &["label NaN", "position 1"],
    },
    Fault {
        name: "label out of range in evaluate",
        act: || mlp()?.evaluate(&zeros(&[2, 784])?, &labels(vec![0, 99])?, 2).map(drop),
        kind: "misuse",
        says: &["evaluate", "label 99"],
    },
    Fault {
        name: "one-hot rows for a sparse loss",
        act: || fit(mlp()?, zeros(&[4, 784])?, zeros(&[4, 10])?),
        kind: "misuse",
        says: &["sparse_categorical_crossentropy", "one-hot rows want categorical_crossentropy"],
    },
    Fault {
        name: "class indices for a dense loss",
        act: || {
            let mut model = mlp()?;
            model.compile(Optimizer::adam(), DENSE, &[])?;
            fit(model, zeros(&[4, 784])?, labels(vec![0; 4])?)
        },
        kind: "misuse",
        says: &["categorical_crossentropy", "sparse_categorical_crossentropy or one_hot"],
    },
    Fault {
        name: "targets of another shape for a squared error",
        act: || {
            let mut model = mlp()?;
            model.compile(Optimizer::sgd(), Loss::MeanSquaredError, &[])?;
            fit(model, zeros(&[4, 784])?, zeros(&[4, 3])?)
        },
        kind: "misuse",
        says: &["mean_squared_error", "[4, 10]", "[4, 3]"],
    },
    // Nothing to do.
    Fault {
        name: "no samples",
        act: || fit(mlp()?, zeros(&[0, 784])?, labels(Vec::<u8>::new())?),
        kind: "misuse",
        says: &["at least one sample", "[0, 784]"],
    },
    Fault {
        name: "batch size 0",
        act: || {
            let (x, y) = (zeros(&[4, 784])?, labels(vec![0; 4])?);
            mlp()?.fit(&x, &y, &mut Fit { batch_size: 0, ..Fit::default() }).map(drop)
        },
        kind: "misuse",
        says: &["batch size of at least 1, got 0"],
    },
    Fault {
        name: "predict with batch size 0",
        act: || mlp()?.predict(&zeros(&[4, 784])?, 0).map(drop),
        kind: "misuse",
        says: &["predict", "at least 1"],
    },
    Fault {
        name: "evaluate with batch size 0",
        act: || mlp()?.evaluate(&zeros(&[4, 784])?, &labels(vec![0; 4])?, 0).map(drop),
        kind: "misuse",
        says: &["evaluate", "got 0"],
    },
    Fault {
        name: "predict nothing",
        act: || mlp()?.predict(&zeros(&[0, 784])?, 32).map(drop),
        kind: "misuse",
        says: &["at least one sample"],
    },
    Fault {
        name: "train on an empty batch",
        act: || mlp()?.train_on_batch(&zeros(&[0, 784])?, &labels(Vec::<i32>::new())?).map(drop),
        kind: "misuse",
        says: &["train_on_batch", "at least one sample"],
    },
    Fault {
        name: "a scalar as data",
        act: || fit(mlp()?, Tensor::scalar(1.0), labels(vec![0])?),
        kind: "misuse",
        says: &["at least one sample"],
    },
    Fault {
        name: "a validation split that leaves nothing",
        act: || {
            let (x, y) = (zeros(&[2, 784])?, labels(vec![0; 2])?);
            mlp()?.fit(&x, &y, &mut Fit { validation_split: 0.9, ..Fit::default() }).map(drop)
        },
        kind: "misuse",
        says: &["validation split"],
    },
    Fault {
        name: "a validation split of 1.5",
        act: || {
            let (x, y) = (zeros(&[2, 784])?, labels(vec![0; 2])?);
            mlp()?.fit(&x, &y, &mut Fit { validation_split: 1.5, ..Fit::default() }).map(drop)
        },
        kind: "misuse",
        says: &["[0, 1)", "1.5"],
    },
    Fault {
        name: "validation data of another shape",
        act: || {
            let (x, y) = (zeros(&[2, 784])?, labels(vec![0; 2])?);
            let validation = Some((zeros(&[2, 5])?.into(), labels(vec![0; 2])?.into()));
            mlp()?.fit(&x, &y, &mut Fit { validation, ..Fit::default() }).map(drop)
        },
        kind: "misuse",
        says: &["[2, 5]"],
    },
    // Numbers that are none.
    Fault {
        name: "NaN in the input",
        act: || fit(mlp()?, Tensor::full(&[4, 784], f32::NAN)?, labels(vec![0; 4])?),
        kind: "misuse",
        says: &["loss is not finite", "epoch 1, batch 1", "input"],
    },
    Fault {
        name: "NaN in the second layer",
        act: || {
            let mut model = mlp()?;
            model.set_weight("dense_1/kernel", &Tensor::full(&[16, 10], f32::NAN)?)?;
            fit(model, zeros(&[4, 784])?, labels(vec![0; 4])?)
        },
        kind: "misuse",
        says: &["loss is not finite", "dense_1 is the first layer"],
    },
    Fault {
        name: "an infinite bias in the first layer",
        act: || {
            let mut model = mlp()?;
            model.set_weight("dense/bias", &Tensor::full(&[16], f32::INFINITY)?)?;
            fit(model, zeros(&[4, 784])?, labels(vec![0; 4])?)
        },
        kind: "misuse",
        says: &["loss is not finite", "dense is the first layer"],
    },
    Fault {
        name: "a learning rate that explodes",
        act: || {
            let mut model = Sequential::new().add(Dense::new(4)).add(Dense::new(4));
            let optimizer = Optimizer::SGD(SGD { learning_rate: 1e18, ..SGD::default() });
            model.compile(optimizer, Loss::MeanSquaredError, &[])?;
            let mut fit = Fit { epochs: 50, ..Fit::default() };
            model.fit(&Tensor::ones(&[8, 3])?, &Tensor::full(&[8, 4], -5.0)?, &mut fit).map(drop)
        },
        kind: "misuse",
        says: &["loss is not finite", "dense"],
    },
    Fault {
        name: "NaN targets",
        act: || {
            let mut model = Sequential::new().add(Dense::new(1));
            model.compile(Optimizer::sgd(), Loss::MeanSquaredError, &[])?;
            fit(model, zeros(&[2, 3])?, Tensor::full(&[2, 1], f32::NAN)?)
        },
        kind: "misuse",
        says: &["loss is not finite", "check the targets"],
    },
    Fault {
        name: "a learning rate that is not a number",
        act: || mlp()?.compile(Adam { learning_rate: f32::NAN, ..Adam::default() }, SPARSE, &[]),
        kind: "misuse",
        says: &["learning rate", "NaN"],
    },
    Fault {
        name: "a negative learning rate",
        act: || mlp()?.compile(Adam { learning_rate: -0.1, ..Adam::default() }, SPARSE, &[]),
        kind: "misuse",
        says: &["learning rate", "-0.1"],
    },
    // Models that cannot be.
    Fault { name: "no layers", act: || Sequential::new().build(&[3]), kind: "misuse", says: &["no layers"] },
    Fault {
        name: "fit before compile",
        act: || fit(Sequential::new().add(Dense::new(1)), zeros(&[2, 3])?, zeros(&[2, 1])?),
        kind: "misuse",
        says: &["compile"],
    },
    Fault {
        name: "predict before build",
        act: || Sequential::new().add(Dense::new(1)).predict(&zeros(&[2, 3])?, 2).map(drop),
        kind: "misuse",
        says: &["not built"],
    },
    Fault {
        name: "save before build",
        act: || Sequential::new().add(Dense::new(1)).to_bytes().map(drop),
        kind: "misuse",
        says: &["not built"],
    },
    Fault {
        name: "built for another shape",
        act: || mlp()?.build(&[28, 28]),
        kind: "misuse",
        says: &["[batch, 784]"],
    },
    Fault {
        name: "a dense layer of no units",
        act: || Sequential::new().add(Dense::new(0)).build(&[3]),
        kind: "misuse",
        says: &["dense", "at least 1 unit"],
    },
    Fault {
        name: "a convolution without channels",
        act: || Sequential::new().add(Conv2D::new(4, [3, 3])).build(&[28, 28]),
        kind: "misuse",
        says: &["conv2d", "[batch, 28, 28]", "channel axis"],
    },
    Fault {
        name: "a convolution larger than its input",
        act: || Sequential::new().add(Conv2D::new(4, [9, 9])).build(&[8, 8, 1]),
        kind: "misuse",
        says: &["conv2d", "do not fit"],
    },
    Fault {
        name: "groups that do not divide the channels",
        act: || Sequential::new().add(Conv2D::new(4, [3, 3]).groups(2)).build(&[8, 8, 3]),
        kind: "misuse",
        says: &["conv2d", "2 groups"],
    },
    Fault {
        name: "stride 0",
        act: || Sequential::new().add(Conv2D::new(4, [3, 3]).strides([0, 1])).build(&[8, 8, 1]),
        kind: "misuse",
        says: &["conv2d", "at least 1"],
    },
    Fault {
        name: "pooling after flatten",
        act: || Sequential::new().add(Flatten::new()).add(MaxPooling2D::new([2, 2])).build(&[8, 8, 1]),
        kind: "misuse",
        says: &["max_pooling2d"],
    },
    Fault {
        name: "a dropout rate of 2",
        act: || Sequential::new().add(Dropout::new(2.0)).build(&[3]),
        kind: "misuse",
        says: &["dropout", "[0, 1]"],
    },
    Fault {
        name: "a weight that is not there",
        act: || mlp()?.set_weight("dense_7/kernel", &zeros(&[1])?),
        kind: "misuse",
        says: &["dense_7/kernel"],
    },
    Fault {
        name: "a weight of another shape",
        act: || mlp()?.set_weight("dense/bias", &zeros(&[17])?),
        kind: "misuse",
        says: &["dense/bias", "[16]", "[17]"],
    },
    Fault {
        name: "sigmoid of nothing",
        act: || {
            let mut model = Sequential::new().add(ActivationLayer::new(Activation::Sigmoid));
            model.build(&[0])?;
            model.predict(&zeros(&[0, 0])?, 1).map(drop)
        },
        kind: "misuse",
        says: &["at least one sample"],
    },
    // Ops.
    Fault {
        name: "shapes that do not broadcast",
        act: || eager(&[&[2, 3], &[2, 4]], |x| x[0] + x[1]),
        kind: "misuse",
        says: &["add", "[2, 3]", "[2, 4]"],
    },
    Fault {
        name: "matmul of unequal inner extents",
        act: || eager(&[&[2, 3], &[4, 2]], |x| x[0].matmul(x[1])),
        kind: "misuse",
        says: &["matmul", "[2, 3]", "[4, 2]"],
    },
    Fault {
        name: "matmul of vectors",
        act: || eager(&[&[3], &[3]], |x| x[0].matmul(x[1])),
        kind: "misuse",
        says: &["matmul"],
    },
    Fault {
        name: "reshape to another count",
        act: || eager(&[&[2, 3]], |x| x[0].reshape(&[4])),
        kind: "misuse",
        says: &["reshape", "6", "4"],
    },
    Fault {
        name: "an axis beyond the rank",
        act: || eager(&[&[2, 3]], |x| x[0].sum(&[2], false)),
        kind: "misuse",
        says: &["axis 2", "[2, 3]"],
    },
    Fault {
        name: "an axis before the rank",
        act: || eager(&[&[2, 3]], |x| x[0].argmax(-3)),
        kind: "misuse",
        says: &["axis -3"],
    },
    Fault {
        name: "a transposition with an axis twice",
        act: || eager(&[&[2, 3]], |x| x[0].transpose(&[0, 0])),
        kind: "misuse",
        says: &["transpose"],
    },
    Fault {
        name: "a slice beyond the border",
        act: || eager(&[&[2, 3]], |x| x[0].slice(&[1, 1], &[2, 2])),
        kind: "misuse",
        says: &["slice"],
    },
    Fault {
        name: "a slice that wraps around",
        act: || eager(&[&[2, 3]], |x| x[0].slice(&[usize::MAX, 0], &[2, 3])),
        kind: "misuse",
        says: &["slice"],
    },
    Fault {
        name: "padding beyond all memory",
        act: || eager(&[&[2, 3]], |x| x[0].pad(&[(0, usize::MAX), (0, 0)], 0.0)),
        kind: "misuse",
        says: &[],
    },
    Fault {
        name: "concat of unequal rests",
        act: || eager(&[&[2, 3], &[2, 4]], |x| Var::concat(x, 0)),
        kind: "misuse",
        says: &["concat"],
    },
    Fault {
        name: "squeeze of an axis larger than 1",
        act: || eager(&[&[2, 3]], |x| x[0].squeeze(&[0])),
        kind: "misuse",
        says: &["squeeze"],
    },
    Fault {
        name: "conv2d of unequal channels",
        act: || eager(&[&[1, 4, 4, 3], &[3, 3, 2, 1]], |x| x[0].conv2d(x[1], &Window::new([3, 3]))),
        kind: "misuse",
        says: &["conv2d"],
    },
    Fault {
        name: "conv2d of another window than the filter",
        act: || eager(&[&[1, 4, 4, 2], &[3, 3, 2, 1]], |x| x[0].conv2d(x[1], &Window::new([2, 2]))),
        kind: "misuse",
        says: &["conv2d"],
    },
    Fault {
        name: "max_pool2d of a matrix",
        act: || eager(&[&[4, 4]], |x| x[0].max_pool2d(&Window::new([2, 2]))),
        kind: "misuse",
        says: &["max_pool2d"],
    },
    Fault {
        name: "exp of booleans",
        act: || eager(&[&[2]], |x| x[0].less(x[0]).exp()),
        kind: "misuse",
        says: &["exp", "bool"],
    },
    Fault {
        name: "logical_and of floats",
        act: || eager(&[&[2], &[2]], |x| x[0].logical_and(x[1])),
        kind: "misuse",
        says: &["logical_and"],
    },
    Fault {
        name: "a sum of a float and an integer",
        act: || eager(&[&[2]], |x| x[0] + x[0].cast(DType::I32)),
        kind: "misuse",
        says: &["add"],
    },
    Fault {
        name: "the first of several errors",
        act: || eager(&[&[2, 3], &[4]], |x| (x[0] + x[1]).matmul(x[1]).reshape(&[99])),
        kind: "misuse",
        says: &["add", "[2, 3]"],
    },
    // Tensors, plans, sessions.
    Fault {
        name: "a tensor of too few elements",
        act: || Tensor::new(&[2, 2], vec![1.0f32; 3]).map(drop),
        kind: "misuse",
        says: &["4", "3"],
    },
    Fault {
        name: "a shape of nine axes",
        act: || Shape::new(&[1; 9]).map(drop),
        kind: "misuse",
        says: &["8"],
    },
    Fault {
        name: "a shape whose count wraps",
        act: || Tensor::new(&[usize::MAX, usize::MAX], Vec::<f32>::new()).map(drop),
        kind: "misuse",
        says: &[],
    },
    Fault {
        name: "rows beyond the end",
        act: || zeros(&[3, 2])?.rows(2..4).map(drop),
        kind: "misuse",
        says: &["2..4"],
    },
    Fault {
        name: "the item of many",
        act: || zeros(&[3])?.item().map(drop),
        kind: "misuse",
        says: &["one element"],
    },
    Fault {
        name: "integers as floats",
        act: || labels(vec![1, 2])?.as_f32().map(drop),
        kind: "misuse",
        says: &["float32", "int32"],
    },
    Fault {
        name: "an input of another shape",
        act: || session()?.set_input(0, &zeros(&[4])?),
        kind: "misuse",
        says: &["input x", "[3]", "[4]"],
    },
    Fault {
        name: "an input that is not there",
        act: || session()?.set_input(1, &zeros(&[3])?),
        kind: "misuse",
        says: &["no input 1"],
    },
    Fault {
        name: "an input of another type",
        act: || session()?.input_mut::<i32>(0).map(drop),
        kind: "misuse",
        says: &[],
    },
    Fault {
        name: "a device that this machine has not",
        act: || {
            let foreign = if cfg!(target_arch = "aarch64") { Level::Avx2 } else { Level::Neon };
            Device::new(foreign, 1).map(drop)
        },
        kind: "misuse",
        says: &["device", "Level::best()"],
    },
    Fault {
        name: "two values for one variable",
        act: || {
            let mut variables = Variables::new();
            let v = variables.add("v", &Tensor::scalar(1.0), true)?;
            let trace = Trace::new(&variables);
            let value = trace.variable(v);
            trace.assign(v, value + 1.0);
            trace.assign(v, value + 2.0);
            trace.finish().map(drop)
        },
        kind: "misuse",
        says: &["assign", "v"],
    },
    Fault {
        name: "a model file that is not there",
        act: || Sequential::load("no/such/model").map(drop),
        kind: "device",
        says: &["no/such/model"],
    },
    Fault {
        name: "a model file in a folder that is not there",
        act: || mlp()?.save("no/such/folder/model"),
        kind: "device",
        says: &["no/such/folder"],
    },
];

#[test]
fn bad_input_gives_a_clear_error() {
    let mut wrong = Vec::new();
    for Fault { name, act, kind, says } in FAULTS {
        let outcome = catch_unwind(AssertUnwindSafe(act));
        match outcome {
            Err(_) => wrong.push(format!("{name}: panics")),
            Ok(Ok(())) => wrong.push(format!("{name}: no error")),
            Ok(Err(error)) => {
                println!("{name}: {error}");
                let missing: Vec<_> = says.iter().filter(|s| !error.to_string().contains(**s)).collect();
                if error.kind() != *kind || !missing.is_empty() {
                    wrong.push(format!("{name}: {} error without {missing:?}: {error}", error.kind()));
                }
            }
        }
    }
    println!("{} kinds of bad input", FAULTS.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
