//! LeNet-5 (LeCun et al. 1998) on CIFAR-10.

mod common;

use common::Options;
use gradling::Result;
use gradling::nn::{Activation, Conv2D, Dense, Flatten, MaxPooling2D, Shared, Subclass, Symbol};

struct LeNet5 {
    c1: Shared,
    p1: Shared,
    c2: Shared,
    p2: Shared,
    flatten: Shared,
    f1: Shared,
    f2: Shared,
    f3: Shared,
}

impl LeNet5 {
    fn new() -> LeNet5 {
        LeNet5 {
            c1: Conv2D::new(6, [5, 5]).activation(Activation::Sigmoid).into(),
            p1: MaxPooling2D::new([2, 2]).strides([2, 2]).into(),
            c2: Conv2D::new(16, [5, 5]).activation(Activation::Sigmoid).into(),
            p2: MaxPooling2D::new([2, 2]).strides([2, 2]).into(),
            flatten: Flatten::new().into(),
            f1: Dense::new(120).activation(Activation::Sigmoid).into(),
            f2: Dense::new(84).activation(Activation::Sigmoid).into(),
            f3: Dense::new(10).activation(Activation::Softmax).into(),
        }
    }
}

impl Subclass for LeNet5 {
    fn call(&self, x: &Symbol) -> Symbol {
        let x = self.p1.call(&self.c1.call(x));
        let x = self.p2.call(&self.c2.call(&x));
        let x = self.f1.call(&self.flatten.call(&x));
        self.f3.call(&self.f2.call(&x))
    }
}

fn main() -> Result<()> {
    let options = Options::parse()?;
    let data = common::cifar10(&options, 2_048)?;
    let model = LeNet5::new().into_model(&[32, 32, 3])?;
    common::train(&options, model, data, "p52_lenet5")
}
