//! ResNet with 18 layers (He et al. 2016) on CIFAR-10: what a block changes is added to what came in.

mod common;

use common::Options;
use gradling::nn::{
    Activation, ActivationLayer, Add, BatchNormalization, Conv2D, Dense, GlobalAveragePooling2D, Regularizer,
    Shared, Subclass, Symbol,
};
use gradling::{Padding, Result};

fn convolution(filters: usize, kernel: u32, strides: u32) -> Shared {
    let c = Conv2D::new(filters, [kernel, kernel]).strides([strides, strides]);
    c.padding(Padding::Same).use_bias(false).into()
}

struct ResnetBlock {
    path: [Shared; 5],
    /// Brings what came in to the shape of what goes out, where they differ.
    down: Option<[Shared; 2]>,
    add: Shared,
    a2: Shared,
}

impl ResnetBlock {
    fn new(filters: usize, strides: u32) -> ResnetBlock {
        ResnetBlock {
            path: [
                convolution(filters, 3, strides),
                BatchNormalization::new().into(),
                ActivationLayer::new(Activation::Relu).into(),
                convolution(filters, 3, 1),
                BatchNormalization::new().into(),
            ],
            down: (strides != 1)
                .then(|| [convolution(filters, 1, strides), BatchNormalization::new().into()]),
            add: Add::new().into(),
            a2: ActivationLayer::new(Activation::Relu).into(),
        }
    }

    fn call(&self, x: &Symbol) -> Symbol {
        let y = self.path.iter().fold(x.clone(), |x, layer| layer.call(&x));
        let residual = self.down.iter().flatten().fold(x.clone(), |x, layer| layer.call(&x));
        self.a2.call(&self.add.join(&[&y, &residual]))
    }
}

struct ResNet18 {
    first: [Shared; 3],
    blocks: Vec<ResnetBlock>,
    p1: Shared,
    f1: Shared,
}

impl ResNet18 {
    fn new(block_list: &[usize], initial_filters: usize) -> ResNet18 {
        let mut blocks = Vec::new();
        for (block, layers) in block_list.iter().enumerate() {
            for layer in 0..*layers {
                let strides = if block != 0 && layer == 0 { 2 } else { 1 };
                blocks.push(ResnetBlock::new(initial_filters << block, strides));
            }
        }
        let relu = ActivationLayer::new(Activation::Relu).into();
        let f1 = Dense::new(10).activation(Activation::Softmax).kernel_regularizer(Regularizer::L2(0.01));
        ResNet18 {
            first: [convolution(initial_filters, 3, 1), BatchNormalization::new().into(), relu],
            blocks,
            p1: GlobalAveragePooling2D::new().into(),
            f1: f1.into(),
        }
    }
}

impl Subclass for ResNet18 {
    fn call(&self, x: &Symbol) -> Symbol {
        let x = self.first.iter().fold(x.clone(), |x, layer| layer.call(&x));
        let x = self.blocks.iter().fold(x, |x, block| block.call(&x));
        self.f1.call(&self.p1.call(&x))
    }
}

fn main() -> Result<()> {
    let options = Options::parse()?;
    let data = common::cifar10(&options, 64)?;
    let model = ResNet18::new(&[2, 2, 2, 2], 64).into_model(&[32, 32, 3])?;
    common::train(&options, model, data, "p56_resnet18")
}
