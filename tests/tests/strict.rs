//! Strict arithmetic: training gives the same bits at every level, for any number of threads, and on every target.
//! `tests/js/strict.test.mjs` trains the same models in WebAssembly and holds them against the same hashes.

use gradling::nn::{
    Activation, AveragePooling2D, BatchNormalization, Conv2D, Dense, DepthwiseConv2D, Dropout, Fit, Flatten,
    GlobalAveragePooling2D, Loss, MaxPooling2D, Metric, Optimizer, Sequential,
};
use gradling::{Device, Level, Padding, Result, Tensor};

const SAMPLES: usize = 125;

/// Pictures and labels that every language computes alike; the last batch of an epoch is short.
fn data() -> Result<(Tensor, Tensor)> {
    let pixel = |i: usize| ((i * 7919 % 1009) as f32 - 504.0) / 256.0;
    let x = Tensor::new(&[SAMPLES, 28, 28, 1], (0..SAMPLES * 784).map(pixel).collect::<Vec<f32>>())?;
    let y = Tensor::new(&[SAMPLES], (0..SAMPLES).map(|i| (i * i % 10) as i32).collect::<Vec<i32>>())?;
    Ok((x, y))
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

/// Strides and dilation take other ways through the kernels.
fn strided() -> Sequential {
    Sequential::new()
        .add(Conv2D::new(5, [3, 3]).strides([2, 2]).padding(Padding::Same).activation(Activation::Tanh))
        .add(Conv2D::new(20, [3, 3]).dilation_rate([2, 2]).activation(Activation::Sigmoid))
        .add(MaxPooling2D::new([3, 3]).strides([2, 2]))
        .add(Flatten::new())
        .add(Dense::new(10).activation(Activation::Softmax))
}

/// Windows that overlap, are padded or leave cells out, on numbers of channels that are no multiple of a vector.
fn pools() -> Sequential {
    Sequential::new()
        .add(Conv2D::new(7, [3, 3]).activation(Activation::Tanh))
        .add(MaxPooling2D::new([3, 3]).strides([2, 2]).padding(Padding::Same))
        .add(Conv2D::new(3, [2, 2]))
        .add(MaxPooling2D::new([2, 2]).padding(Padding::Same))
        .add(Conv2D::new(1, [1, 1]))
        .add(MaxPooling2D::new([2, 2]).strides([1, 1]))
        .add(Conv2D::new(6, [2, 2]))
        .add(MaxPooling2D::new([2, 2]).strides([3, 3]).padding(Padding::Same))
        .add(Flatten::new())
        .add(Dense::new(10).activation(Activation::Softmax))
}

/// Layers that the npm package does not have.
fn mobile() -> Sequential {
    Sequential::new()
        .add(Conv2D::new(20, [3, 3]).strides([2, 2]).padding(Padding::Same).use_bias(false))
        .add(BatchNormalization::new())
        .add(DepthwiseConv2D::new([3, 3]).padding(Padding::Same).activation(Activation::Relu))
        .add(AveragePooling2D::new([2, 2]))
        .add(GlobalAveragePooling2D::new())
        .add(Dense::new(10).activation(Activation::Softmax))
}

/// FNV-1a over the bits of the weights, in their order.
fn hash(model: &Sequential) -> Result<u64> {
    let names: Vec<String> = model.weights().map(|(_, v)| v.name.clone()).collect();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for name in names {
        for byte in model.weight(&name)?.as_f32()?.iter().flat_map(|w| w.to_bits().to_le_bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    Ok(hash)
}

/// The hash after training on a device.
fn trained(make: fn() -> Sequential, epochs: usize, device: &Device) -> Result<u64> {
    let (x, y) = data()?;
    let mut model = make().seed(11).on(device);
    let loss = Loss::SparseCategoricalCrossentropy { from_logits: false };
    model.compile(Optimizer::adam(), loss, &[Metric::Accuracy])?;
    model.fit(&x, &y, &mut Fit { epochs, batch_size: 24, ..Fit::default() })?;
    hash(&model)
}

#[test]
fn training_gives_the_recorded_bits_at_every_level() {
    let models = [
        ("MLP", mlp as fn() -> Sequential, 2, 0x6401_39e4_bae0_112d),
        ("LeNet-5", lenet, 1, 0x3540_cb07_9ced_7773),
        ("strided", strided, 1, 0x4f36_eb57_bf91_1814),
        ("pools", pools, 1, 0x55d7_e1e3_225f_6a5f),
        ("depthwise", mobile, 1, 0x9717_29d7_49b8_f2a6),
    ];
    let mut wrong = Vec::new();
    for (name, make, epochs, recorded) in models {
        for &level in Level::available() {
            for threads in [1, 2] {
                let device = Device::new(level, threads).expect("device").strict();
                let hash = trained(make, epochs, &device).expect("training");
                if hash != recorded {
                    wrong.push(format!("{name} at {level:?} on {threads} threads: {hash:#018x}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "other bits than recorded: {wrong:#?}");
}
