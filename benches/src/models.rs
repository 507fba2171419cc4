//! The models of the workloads.

use gradling::nn::{
    Activation, Add, BatchNormalization, Conv2D, Dense, DepthwiseConv2D, Dropout, Flatten, GRU,
    GlobalAveragePooling2D, LSTM, Layer, MaxPooling2D, Model, ReLU, Sequential, SimpleRNN, Symbol,
};
use gradling::{Padding, Result};

use crate::workload::{Cell, Net};

/// A model for samples of a shape.
pub fn net(net: Net) -> Result<(Model, &'static [usize])> {
    Ok(match net {
        Net::Mlp => (mlp(), &[784]),
        Net::LeNet => (lenet(), &[28, 28, 1]),
        Net::ResNet18 => (resnet18()?, &[32, 32, 3]),
        Net::MobileNetV2 => (mobilenet_v2()?, &[224, 224, 3]),
    })
}

/// The MLP 784-128-10.
pub fn mlp() -> Sequential {
    Sequential::new()
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax))
}

/// LeNet-5 with relu on 28x28x1.
pub fn lenet() -> Sequential {
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

/// The course's baseline for CIFAR-10 on 32x32x3.
pub fn baseline() -> Sequential {
    Sequential::new()
        .add(Conv2D::new(6, [5, 5]).padding(Padding::Same))
        .add(BatchNormalization::new())
        .add(ReLU::new())
        .add(MaxPooling2D::new([2, 2]))
        .add(Dropout::new(0.2))
        .add(Flatten::new())
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(10).activation(Activation::Softmax))
}

/// Two recurrent layers on `[60, 1]`, as the course's stock programs have them.
pub fn stock(cell: Cell) -> Sequential {
    let (first, second): (Box<dyn Layer>, Box<dyn Layer>) = match cell {
        Cell::SimpleRNN => {
            (Box::new(SimpleRNN::new(80).return_sequences(true)), Box::new(SimpleRNN::new(100)))
        }
        Cell::LSTM => (Box::new(LSTM::new(80).return_sequences(true)), Box::new(LSTM::new(100))),
        Cell::GRU => (Box::new(GRU::new(80).return_sequences(true)), Box::new(GRU::new(100))),
    };
    let mut model = Sequential::new();
    model.push(first);
    model.push(Box::new(Dropout::new(0.2)));
    model.push(second);
    model.push(Box::new(Dropout::new(0.2)));
    model.push(Box::new(Dense::new(1)));
    model
}

/// Convolution without bias, normalisation.
fn normed(x: &Symbol, filters: usize, kernel: u32, strides: u32) -> Symbol {
    let c = Conv2D::new(filters, [kernel, kernel]).strides([strides, strides]).padding(Padding::Same);
    x.then(c.use_bias(false)).then(BatchNormalization::new())
}

/// ResNet-18 (He et al. 2016) for CIFAR-10, 32x32x3: blocks of 64, 128, 256 and 512 filters.
///
/// **Errors** when it cannot be wired.
pub fn resnet18() -> Result<Model> {
    let input = Symbol::input(&[32, 32, 3]);
    let mut x = normed(&input, 64, 3, 1).then(ReLU::new());
    for (block, filters) in [64, 128, 256, 512].into_iter().enumerate() {
        for layer in 0..2 {
            let strides = if block > 0 && layer == 0 { 2 } else { 1 };
            let y = normed(&normed(&x, filters, 3, strides).then(ReLU::new()), filters, 3, 1);
            let shortcut = if strides == 2 { normed(&x, filters, 1, 2) } else { x };
            x = Symbol::join(Add::new(), &[&y, &shortcut]).then(ReLU::new());
        }
    }
    let y = x.then(GlobalAveragePooling2D::new()).then(Dense::new(10).activation(Activation::Softmax));
    Model::functional(&[&input], &[&y])
}

/// MobileNetV2 of width 1 (Sandler et al. 2018) on 224x224x3 with 1,000 classes.
///
/// **Errors** when it cannot be wired.
pub fn mobilenet_v2() -> Result<Model> {
    let relu6 = || ReLU::new().max_value(Some(6.0));
    let input = Symbol::input(&[224, 224, 3]);
    let mut x = normed(&input, 32, 3, 2).then(relu6());
    let mut channels = 32;
    // Expansion, filters, repetitions, stride of the first.
    let blocks = [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ];
    for (expansion, filters, repetitions, first) in blocks {
        for n in 0..repetitions {
            let strides = if n == 0 { first } else { 1 };
            let wide =
                if expansion > 1 { normed(&x, expansion * channels, 1, 1).then(relu6()) } else { x.clone() };
            let depthwise = DepthwiseConv2D::new([3, 3]).strides([strides, strides]).padding(Padding::Same);
            let y = wide.then(depthwise.use_bias(false)).then(BatchNormalization::new()).then(relu6());
            let y = normed(&y, filters, 1, 1);
            let skips = strides == 1 && channels == filters;
            x = if skips { Symbol::join(Add::new(), &[&y, &x]) } else { y };
            channels = filters;
        }
    }
    let y = normed(&x, 1280, 1, 1).then(relu6()).then(GlobalAveragePooling2D::new());
    Model::functional(&[&input], &[&y.then(Dense::new(1000).activation(Activation::Softmax))])
}
