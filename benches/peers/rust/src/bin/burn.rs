//! Train steps, inference and kernels by burn on its flex backend.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::gru::{Gru, GruConfig};
use burn::nn::loss::{CrossEntropyLossConfig, MseLoss, Reduction};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig, Lstm, LstmConfig,
    PaddingConfig2d, Rnn, RnnConfig,
};
use burn::optim::{AdamConfig, GradientsParams};
use burn::prelude::*;
use burn::tensor::activation::{relu, softmax};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use gradling_rust_peers::{
    BATCHES, Job, Prepared, Request, Result, generator, inputs, labels, pattern, serve,
};
use std::hint::black_box;

/// A model from `[batch, sample…]`, flattened, to `[batch, outputs]`.
trait Net: Module + Clone + 'static {
    /// Numbers that burn counts as parameters though they are not trained: running means and variances.
    const RUNNING: usize = 0;

    fn made(device: &Device) -> Self;
    fn forward(&self, x: Tensor<2>) -> Tensor<2>;
}

#[derive(Module, Debug)]
struct Mlp {
    first: Linear,
    last: Linear,
}

impl Net for Mlp {
    fn made(device: &Device) -> Mlp {
        Mlp { first: LinearConfig::new(784, 128).init(device), last: LinearConfig::new(128, 10).init(device) }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.last.forward(relu(self.first.forward(x)))
    }
}

#[derive(Module, Debug)]
struct LeNet {
    c1: Conv2d,
    c2: Conv2d,
    pool: MaxPool2d,
    d1: Linear,
    d2: Linear,
    d3: Linear,
}

impl Net for LeNet {
    fn made(device: &Device) -> LeNet {
        let same = PaddingConfig2d::Explicit(2, 2, 2, 2);
        LeNet {
            c1: Conv2dConfig::new([1, 6], [5, 5]).with_padding(same).init(device),
            c2: Conv2dConfig::new([6, 16], [5, 5]).init(device),
            pool: MaxPool2dConfig::new([2, 2]).init(),
            d1: LinearConfig::new(400, 120).init(device),
            d2: LinearConfig::new(120, 84).init(device),
            d3: LinearConfig::new(84, 10).init(device),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let [n, _] = x.dims();
        let x = self.pool.forward(relu(self.c1.forward(x.reshape([n, 1, 28, 28]))));
        let x = self.pool.forward(relu(self.c2.forward(x))).reshape([n, 400]);
        self.d3.forward(relu(self.d2.forward(relu(self.d1.forward(x)))))
    }
}

#[derive(Module, Debug)]
struct Baseline {
    conv: Conv2d,
    norm: BatchNorm,
    pool: MaxPool2d,
    dropout: Dropout,
    first: Linear,
    last: Linear,
}

impl Net for Baseline {
    const RUNNING: usize = 12;

    fn made(device: &Device) -> Baseline {
        let same = PaddingConfig2d::Explicit(2, 2, 2, 2);
        Baseline {
            conv: Conv2dConfig::new([3, 6], [5, 5]).with_padding(same).init(device),
            norm: BatchNormConfig::new(6).init(device),
            pool: MaxPool2dConfig::new([2, 2]).init(),
            dropout: DropoutConfig::new(0.2).init(),
            first: LinearConfig::new(1536, 128).init(device),
            last: LinearConfig::new(128, 10).init(device),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let [n, _] = x.dims();
        let x = relu(self.norm.forward(self.conv.forward(x.reshape([n, 3, 32, 32]))));
        let x = self.dropout.forward(self.pool.forward(x)).reshape([n, 1536]);
        self.last.forward(self.dropout.forward(relu(self.first.forward(x))))
    }
}

/// Two recurrent layers and a dense one, for each cell.
macro_rules! stock {
    ($name:ident, $layer:ident, $config:ident, |$cell:ident, $x:ident| $call:expr) => {
        #[derive(Module, Debug)]
        struct $name {
            first: $layer,
            second: $layer,
            dropout: Dropout,
            last: Linear,
        }

        impl Net for $name {
            fn made(device: &Device) -> $name {
                $name {
                    first: $config::new(1, 80, true).init(device),
                    second: $config::new(80, 100, true).init(device),
                    dropout: DropoutConfig::new(0.2).init(),
                    last: LinearConfig::new(100, 1).init(device),
                }
            }

            fn forward(&self, x: Tensor<2>) -> Tensor<2> {
                let step = |$cell: &$layer, $x: Tensor<3>| $call;
                let [n, length] = x.dims();
                let y = step(&self.first, x.reshape([n, length, 1]));
                let y = step(&self.second, self.dropout.forward(y));
                let y = y.slice([0..n, length - 1..length, 0..100]).reshape([n, 100]);
                self.last.forward(self.dropout.forward(y))
            }
        }
    };
}

stock!(StockRnn, Rnn, RnnConfig, |cell, x| cell.forward(x, None).0);
stock!(StockLstm, Lstm, LstmConfig, |cell, x| cell.forward(x, None).0);
stock!(StockGru, Gru, GruConfig, |cell, x| cell.forward(x, None));

fn prepare(request: &Request) -> Result<Prepared> {
    let device = Device::flex();
    let operand = |shape: [usize; 4], seed: usize| -> Tensor<4> {
        let data = TensorData::new(pattern(shape.iter().product(), seed), shape);
        Tensor::from_data(data, &device)
    };
    let job = match request.name.as_str() {
        "T1" => train::<Mlp>(request, 784, true),
        "T2" => train::<LeNet>(request, 784, true),
        "T3" => train::<Baseline>(request, 3072, true),
        "T5 SimpleRNN" => train::<StockRnn>(request, 60, false),
        "T5 LSTM" => train::<StockLstm>(request, 60, false),
        "T5 GRU" => train::<StockGru>(request, 60, false),
        "I1 Mlp" => infer::<Mlp>(request, 784),
        "I1 LeNet" => infer::<LeNet>(request, 784),
        "conv" => {
            let x = operand([1, 56, 56, 64], 1).permute([0, 3, 1, 2]);
            let w = operand([3, 3, 64, 64], 2).permute([3, 2, 0, 1]);
            // Contiguous copies.
            let (x, w) = (x * 1.0, w * 1.0);
            let op = move || {
                let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
                conv2d(x.clone(), w.clone(), None, options)
            };
            kernel(op().permute([0, 2, 3, 1]), op)
        }
        "add" => {
            let (a, b) = (operand([1, 1, 1, 1000], 1), operand([1, 1, 1, 1000], 2));
            let op = move || a.clone() + b.clone();
            kernel(op(), op)
        }
        name => match name.strip_prefix("matmul").and_then(|n| n.parse::<usize>().ok()) {
            Some(n) => {
                let [a, b] = [1, 2].map(|seed| operand([1, 1, n, n], seed).reshape([n, n]));
                let op = move || -> Tensor<2> { a.clone().matmul(b.clone()) };
                kernel(op().reshape([1, 1, n, n]), op)
            }
            None => return Ok(Err(format!("{name} is not written for burn"))),
        },
    };
    Ok(Ok(job))
}

fn kernel<const D: usize>(first: Tensor<4>, op: impl Fn() -> Tensor<D> + 'static) -> Job {
    let values = first.into_data().iter::<f32>().take(4).collect();
    let run = Box::new(move |iterations| {
        for _ in 0..iterations {
            black_box(op());
        }
        Ok(())
    });
    Job { run, parameters: None, values }
}

fn train<N: Net>(request: &Request, sample: usize, classes: bool) -> Job {
    let device = Device::flex().autodiff();
    let model = N::made(&device);
    // burn keeps two biases for each gate of a recurrent layer, so only other models are compared.
    let parameters = classes.then(|| model.num_params() - N::RUNNING);
    let mut model = Some(model);
    let mut optimizer = AdamConfig::new().with_epsilon(1e-7).init();
    let cross_entropy = CrossEntropyLossConfig::new().init(&device);
    let mut rng = generator();
    let n = request.batch;
    let batches: Vec<_> = (0..BATCHES)
        .map(|_| {
            let x = TensorData::new(inputs(request, &mut rng, n * sample), [n, sample]);
            let y = labels(&mut rng, n).into_iter().map(|label| label as i32).collect::<Vec<_>>();
            let number = TensorData::new(inputs(request, &mut rng, n), [n, 1]);
            let y = Tensor::<1, Int>::from_data(TensorData::new(y, [n]), &device);
            (Tensor::<2>::from_data(x, &device), y, Tensor::<2>::from_data(number, &device))
        })
        .collect();
    let run = Box::new(move |iterations| {
        for i in 0..iterations {
            let (x, label, number) = batches[i % BATCHES].clone();
            let old = model.take().ok_or("the model is gone")?;
            let y = old.forward(x);
            let loss = if classes {
                cross_entropy.forward(y, label)
            } else {
                MseLoss::new().forward(y, number, Reduction::Mean)
            };
            let gradients = GradientsParams::from_grads(loss.backward(), &old);
            model = Some(optimizer.step(1e-3, old, gradients));
            black_box(loss.into_scalar::<f32>());
        }
        Ok(())
    });
    Job { run, parameters, values: Vec::new() }
}

fn infer<N: Net>(request: &Request, sample: usize) -> Job {
    let device = Device::flex();
    let model = N::made(&device);
    let x = TensorData::new(inputs(request, &mut generator(), sample), [1, sample]);
    let x = Tensor::<2>::from_data(x, &device);
    let parameters = Some(model.num_params());
    let run = Box::new(move |iterations| {
        for _ in 0..iterations {
            black_box(softmax(model.forward(x.clone()), 1));
        }
        Ok(())
    });
    Job { run, parameters, values: Vec::new() }
}

fn main() -> Result<()> {
    serve(|_| "burn-flex 0.22".into(), |_, request| prepare(request))
}
