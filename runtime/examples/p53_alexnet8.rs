//! AlexNet with 8 layers (Krizhevsky, Sutskever and Hinton 2012), made smaller for CIFAR-10.

mod common;

use common::Options;
use gradling::nn::{
    Activation, ActivationLayer, BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D, Shared,
    Subclass, Symbol,
};
use gradling::{Padding, Result};

struct AlexNet8 {
    layers: Vec<Shared>,
}

impl AlexNet8 {
    fn new() -> AlexNet8 {
        let relu = Activation::Relu;
        AlexNet8 {
            layers: vec![
                Conv2D::new(96, [3, 3]).into(),
                BatchNormalization::new().into(),
                ActivationLayer::new(relu).into(),
                MaxPooling2D::new([3, 3]).strides([2, 2]).into(),
                Conv2D::new(256, [3, 3]).into(),
                BatchNormalization::new().into(),
                ActivationLayer::new(relu).into(),
                MaxPooling2D::new([3, 3]).strides([2, 2]).into(),
                Conv2D::new(384, [3, 3]).padding(Padding::Same).activation(relu).into(),
                Conv2D::new(384, [3, 3]).padding(Padding::Same).activation(relu).into(),
                Conv2D::new(256, [3, 3]).padding(Padding::Same).activation(relu).into(),
                MaxPooling2D::new([3, 3]).strides([2, 2]).into(),
                Flatten::new().into(),
                Dense::new(2048).activation(relu).into(),
                Dropout::new(0.5).into(),
                Dense::new(2048).activation(relu).into(),
                Dropout::new(0.5).into(),
                Dense::new(10).activation(Activation::Softmax).into(),
            ],
        }
    }
}

impl Subclass for AlexNet8 {
    fn call(&self, x: &Symbol) -> Symbol {
        self.layers.iter().fold(x.clone(), |x, layer| layer.call(&x))
    }
}

fn main() -> Result<()> {
    let options = Options::parse()?;
    let data = common::cifar10(&options, 128)?;
    let model = AlexNet8::new().into_model(&[32, 32, 3])?;
    common::train(&options, model, data, "p53_alexnet8")
}
