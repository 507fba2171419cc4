//! CIFAR-10, 32x32 pictures in colour of ten things: convolution, normalisation, activation, pooling, dropout.

mod common;

use common::Options;
use gradling::nn::{
    Activation, ActivationLayer, BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D, Shared,
    Subclass, Symbol,
};
use gradling::{Padding, Result};

struct Baseline {
    c1: Shared,
    b1: Shared,
    a1: Shared,
    p1: Shared,
    d1: Shared,
    flatten: Shared,
    f1: Shared,
    d2: Shared,
    f2: Shared,
}

impl Baseline {
    fn new() -> Baseline {
        Baseline {
            c1: Conv2D::new(6, [5, 5]).padding(Padding::Same).into(),
            b1: BatchNormalization::new().into(),
            a1: ActivationLayer::new(Activation::Relu).into(),
            p1: MaxPooling2D::new([2, 2]).strides([2, 2]).padding(Padding::Same).into(),
            d1: Dropout::new(0.2).into(),
            flatten: Flatten::new().into(),
            f1: Dense::new(128).activation(Activation::Relu).into(),
            d2: Dropout::new(0.2).into(),
            f2: Dense::new(10).activation(Activation::Softmax).into(),
        }
    }
}

impl Subclass for Baseline {
    fn call(&self, x: &Symbol) -> Symbol {
        let layers = [&self.c1, &self.b1, &self.a1, &self.p1, &self.d1];
        let x = layers.iter().fold(x.clone(), |x, layer| layer.call(&x));
        let x = self.f1.call(&self.flatten.call(&x));
        self.f2.call(&self.d2.call(&x))
    }
}

fn main() -> Result<()> {
    let options = Options::parse()?;
    let data = common::cifar10(&options, 2_048)?;
    let model = Baseline::new().into_model(&[32, 32, 3])?;
    common::train(&options, model, data, "p51_baseline")
}
