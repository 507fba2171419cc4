//! Inception with 10 layers (Szegedy et al. 2015) on CIFAR-10: blocks of four branches side by side.

mod common;

use common::Options;
use gradling::nn::{
    Activation, ActivationLayer, BatchNormalization, Concatenate, Conv2D, Dense, GlobalAveragePooling2D,
    MaxPooling2D, Shared, Subclass, Symbol,
};
use gradling::{Padding, Result};

struct ConvBnRelu([Shared; 3]);

impl ConvBnRelu {
    fn new(filters: usize, kernel: u32, strides: u32) -> ConvBnRelu {
        let c = Conv2D::new(filters, [kernel, kernel]).strides([strides, strides]).padding(Padding::Same);
        ConvBnRelu([
            c.into(),
            BatchNormalization::new().into(),
            ActivationLayer::new(Activation::Relu).into(),
        ])
    }

    fn call(&self, x: &Symbol) -> Symbol {
        self.0.iter().fold(x.clone(), |x, layer| layer.call(&x))
    }
}

struct InceptionBlock {
    c1: ConvBnRelu,
    c2: [ConvBnRelu; 2],
    c3: [ConvBnRelu; 2],
    p4: Shared,
    c4: ConvBnRelu,
    concat: Shared,
}

impl InceptionBlock {
    fn new(filters: usize, strides: u32) -> InceptionBlock {
        InceptionBlock {
            c1: ConvBnRelu::new(filters, 1, strides),
            c2: [ConvBnRelu::new(filters, 1, strides), ConvBnRelu::new(filters, 3, 1)],
            c3: [ConvBnRelu::new(filters, 1, strides), ConvBnRelu::new(filters, 5, 1)],
            p4: MaxPooling2D::new([3, 3]).strides([1, 1]).padding(Padding::Same).into(),
            c4: ConvBnRelu::new(filters, 1, strides),
            concat: Concatenate::new(-1).into(),
        }
    }

    fn call(&self, x: &Symbol) -> Symbol {
        let x1 = self.c1.call(x);
        let x2 = self.c2[1].call(&self.c2[0].call(x));
        let x3 = self.c3[1].call(&self.c3[0].call(x));
        let x4 = self.c4.call(&self.p4.call(x));
        self.concat.join(&[&x1, &x2, &x3, &x4])
    }
}

struct Inception10 {
    c1: ConvBnRelu,
    blocks: Vec<InceptionBlock>,
    p1: Shared,
    f1: Shared,
}

impl Inception10 {
    fn new(num_blocks: usize, init_filters: usize, num_classes: usize) -> Inception10 {
        let pair = |block| [2, 1].map(|strides| InceptionBlock::new(init_filters << block, strides));
        Inception10 {
            c1: ConvBnRelu::new(init_filters, 3, 1),
            blocks: (0..num_blocks).flat_map(pair).collect(),
            p1: GlobalAveragePooling2D::new().into(),
            f1: Dense::new(num_classes).activation(Activation::Softmax).into(),
        }
    }
}

impl Subclass for Inception10 {
    fn call(&self, x: &Symbol) -> Symbol {
        let x = self.blocks.iter().fold(self.c1.call(x), |x, block| block.call(&x));
        self.f1.call(&self.p1.call(&x))
    }
}

fn main() -> Result<()> {
    let options = Options::parse()?;
    let data = common::cifar10(&options, 256)?;
    let model = Inception10::new(2, 16, 10).into_model(&[32, 32, 3])?;
    common::train(&options, model, data, "p55_inception10")
}
