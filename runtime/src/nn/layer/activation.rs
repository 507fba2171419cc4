use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::nn::Activation;
use crate::{Result, Shape, Var};
use serde::{Deserialize, Serialize};

/// An activation function as a layer (`keras.layers.Activation`).
///
/// **Shape**: any, unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActivationLayer {
    pub(super) base: Base,
    activation: Activation,
}

impl ActivationLayer {
    /// A layer that applies `activation`.
    pub fn new(activation: Activation) -> ActivationLayer {
        ActivationLayer { base: Base::default(), activation }
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

    fn passes_mask(&self) -> bool {
        true
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::ActivationLayer(self.clone()))
    }
}
