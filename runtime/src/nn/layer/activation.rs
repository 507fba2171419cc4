use super::{Call, Layer, LayerConfig, Weights, named};
use crate::nn::Activation;
use crate::{Result, Shape, Var};
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// An activation function as a layer (`keras.layers.Activation`).
///
/// **Shape**: any, unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActivationLayer {
    pub(super) name: String,
    activation: Activation,
}

impl ActivationLayer {
    /// A layer that applies `activation`.
    pub fn new(activation: Activation) -> ActivationLayer {
        ActivationLayer { name: String::new(), activation }
    }

    /// The layer's name.
    pub fn named(mut self, name: &str) -> ActivationLayer {
        self.name = name.into();
        self
    }
}

impl Layer for ActivationLayer {
    named!("Activation");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        Ok(*input)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        Ok(self.activation.apply(call, x))
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::ActivationLayer(self.clone()))
    }
}
