//! VGG with 16 layers (Simonyan and Zisserman 2015) on CIFAR-10.

mod common;

use common::Options;
use gradling::nn::{
    Activation, ActivationLayer, BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D, Shared,
    Subclass, Symbol,
};
use gradling::{Padding, Result};

/// Convolutions of 3x3, then pooling and dropout.
struct VggBlock {
    convolutions: Vec<[Shared; 3]>,
    pool: Shared,
    dropout: Shared,
}

impl VggBlock {
    fn new(filters: usize, count: usize) -> VggBlock {
        let convolution = || -> [Shared; 3] {
            [
                Conv2D::new(filters, [3, 3]).padding(Padding::Same).into(),
                BatchNormalization::new().into(),
                ActivationLayer::new(Activation::Relu).into(),
            ]
        };
        VggBlock {
            convolutions: (0..count).map(|_| convolution()).collect(),
            pool: MaxPooling2D::new([2, 2]).strides([2, 2]).padding(Padding::Same).into(),
            dropout: Dropout::new(0.2).into(),
        }
    }

    fn call(&self, x: &Symbol) -> Symbol {
        let x = self.convolutions.iter().flatten().fold(x.clone(), |x, layer| layer.call(&x));
        self.dropout.call(&self.pool.call(&x))
    }
}

struct Vgg16 {
    blocks: [VggBlock; 5],
    head: [Shared; 6],
}

impl Vgg16 {
    fn new() -> Vgg16 {
        Vgg16 {
            blocks: [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)].map(|(f, n)| VggBlock::new(f, n)),
            head: [
                Flatten::new().into(),
                Dense::new(512).activation(Activation::Relu).into(),
                Dropout::new(0.2).into(),
                Dense::new(512).activation(Activation::Relu).into(),
                Dropout::new(0.2).into(),
                Dense::new(10).activation(Activation::Softmax).into(),
            ],
        }
    }
}

impl Subclass for Vgg16 {
    fn call(&self, x: &Symbol) -> Symbol {
        let x = self.blocks.iter().fold(x.clone(), |x, block| block.call(&x));
        self.head.iter().fold(x, |x, layer| layer.call(&x))
    }
}

fn main() -> Result<()> {
    let options = Options::parse()?;
    let data = common::cifar10(&options, 64)?;
    let model = Vgg16::new().into_model(&[32, 32, 3])?;
    common::train(&options, model, data, "p54_vgg16")
}
