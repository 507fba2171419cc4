//! Layers. Each is a config struct with a builder, remembers its weights once built, and emits ops when called.

mod activation;
mod conv2d;
mod dense;
mod dropout;
mod flatten;
mod max_pooling2d;

pub use activation::ActivationLayer;
pub use conv2d::Conv2D;
pub use dense::Dense;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use max_pooling2d::MaxPooling2D;

use super::{Activation, Initializer};
use crate::graph::Trace;
use crate::op::ValueId;
use crate::rng::Rng;
use crate::{Result, Shape, Tensor, Var, VariableId, Variables, misuse};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A layer: weights made once for an input shape, ops emitted at every trace.
///
/// Shapes passed to `build` and returned from it are those of one sample, without the batch axis.
pub trait Layer {
    /// The class name, as in Keras.
    fn class_name(&self) -> &'static str;
    /// The name, unique in its model; empty until the model gives one.
    fn name(&self) -> &str;
    /// Gives the name.
    fn set_name(&mut self, name: &str);
    /// Makes the weights for inputs of this shape; gives the shape of the output.
    ///
    /// **Errors** when the layer cannot take such inputs.
    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape>;
    /// Emits the layer's ops on a batch.
    ///
    /// **Errors** when the layer is not built or the input does not fit.
    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>>;
    /// The layer as data, to save it; `None` for custom layers.
    fn config(&self) -> Option<LayerConfig> {
        None
    }
}

macro_rules! layer_configs {
    ($($Name:ident),*) => {
        /// A layer as data.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum LayerConfig { $(#[doc = concat!("[`", stringify!($Name), "`]")] $Name($Name),)* }

        impl LayerConfig {
            /// The layer, not built yet.
            pub fn into_layer(self) -> Box<dyn Layer> {
                match self { $(LayerConfig::$Name(layer) => Box::new(layer),)* }
            }
        }
    };
}

layer_configs!(Dense, Flatten, Conv2D, MaxPooling2D, Dropout, ActivationLayer);

/// Where the weights of a model come from.
pub trait Initialize {
    /// The first value of the weight `name`.
    ///
    /// **Errors** when a stored weight has another name or shape.
    fn initial(&mut self, name: &str, shape: &Shape, init: Initializer) -> Result<Tensor>;
}

impl Initialize for Rng {
    fn initial(&mut self, _: &str, shape: &Shape, init: Initializer) -> Result<Tensor> {
        init.tensor(shape, self)
    }
}

/// Makes the weights of one layer.
pub struct Weights<'w> {
    variables: &'w mut Variables,
    source: &'w mut dyn Initialize,
    layer: String,
}

impl<'w> Weights<'w> {
    /// Weights of the layer `layer`, added to `variables`.
    pub fn new(variables: &'w mut Variables, source: &'w mut dyn Initialize, layer: &str) -> Weights<'w> {
        Weights { variables, source, layer: layer.into() }
    }

    /// Adds the weight `layer/name`.
    ///
    /// **Errors** when the dimensions are no shape, or a stored weight has another name or shape.
    pub fn add(
        &mut self,
        name: &str,
        dims: &[usize],
        init: Initializer,
        trainable: bool,
    ) -> Result<VariableId> {
        let shape = Shape::new(dims)?;
        let full = alloc::format!("{}/{name}", self.layer);
        let value = self.source.initial(&full, &shape, init)?;
        self.variables.add(&full, &value, trainable)
    }
}

/// One call of a model's layers on a trace.
pub struct Call<'b> {
    trace: &'b Trace,
    training: bool,
    key: Option<Var<'b>>,
    streams: u32,
    logits: Vec<(ValueId, Activation, Var<'b>)>,
}

impl<'b> Call<'b> {
    /// A call in training or inference mode; random layers draw from `key` (int32 `[seed, counter]`).
    pub fn new(trace: &'b Trace, training: bool, key: Option<Var<'b>>) -> Call<'b> {
        Call { trace, training, key, streams: 0, logits: Vec::new() }
    }

    /// The trace.
    pub fn trace(&self) -> &'b Trace {
        self.trace
    }

    /// Whether layers such as dropout are active.
    pub fn training(&self) -> bool {
        self.training
    }

    /// The value of a weight.
    ///
    /// **Errors** when the layer is not built.
    pub fn weight(&self, layer: &str, id: Option<VariableId>) -> Result<Var<'b>> {
        id.map(|id| self.trace.variable(id))
            .ok_or_else(|| misuse!("{layer}: not built; call model.build or fit first"))
    }

    /// Uniform numbers in [0, 1), other ones at every step; `None` where the call has no random key.
    pub fn random_uniform(&mut self, shape: Shape) -> Option<Var<'b>> {
        self.streams += 1;
        self.key.map(|key| self.trace.random_uniform(shape, key, self.streams))
    }

    /// Remembers that `y` is this activation of `logits`.
    pub fn note_logits(&mut self, activation: Activation, y: Var<'b>, logits: Var<'b>) {
        self.logits.push((y.id(), activation, logits));
    }

    /// The logits of which `y` is the activation.
    pub fn logits(&self, activation: Activation, y: Var<'b>) -> Option<Var<'b>> {
        self.logits.iter().find(|(id, a, _)| *id == y.id() && *a == activation).map(|l| l.2)
    }
}

/// The builder method and trait methods that every layer has.
macro_rules! named {
    ($class:literal) => {
        fn class_name(&self) -> &'static str {
            $class
        }
        fn name(&self) -> &str {
            &self.name
        }
        fn set_name(&mut self, name: &str) {
            self.name = name.into();
        }
    };
}
use named;

/// A sample's shape as `[batch, ..]`.
pub(crate) fn batched(sample: &Shape) -> String {
    let dims: Vec<String> = sample.dims().iter().map(|d| alloc::format!("{d}")).collect();
    if dims.is_empty() { "[batch]".into() } else { alloc::format!("[batch, {}]", dims.join(", ")) }
}
