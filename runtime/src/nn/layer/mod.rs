//! Layers. Each is a config struct with a builder, remembers its weights once built, and emits ops when called.

mod activation;
#[cfg(feature = "full")]
mod activity_regularization;
#[cfg(feature = "full")]
pub mod attention;
#[cfg(feature = "full")]
mod average_pooling2d;
#[cfg(feature = "full")]
mod batch_normalization;
#[cfg(feature = "full")]
mod bidirectional;
#[cfg(feature = "full")]
mod border;
mod call;
#[cfg(feature = "full")]
mod concatenate;
#[cfg(feature = "full")]
mod conv1d;
mod conv2d;
#[cfg(feature = "full")]
mod conv3d;
#[cfg(feature = "full")]
mod conv_transpose;
#[cfg(feature = "full")]
mod crop;
mod dense;
#[cfg(feature = "full")]
mod depthwise_conv;
#[cfg(feature = "full")]
mod dot;
mod dropout;
#[cfg(feature = "full")]
mod embedding;
mod flatten;
#[cfg(feature = "full")]
mod global_pooling;
#[cfg(feature = "full")]
mod group_normalization;
#[cfg(feature = "full")]
mod lambda;
#[cfg(feature = "full")]
mod layer_normalization;
#[cfg(feature = "full")]
mod masking;
mod max_pooling2d;
#[cfg(feature = "full")]
mod merge;
#[cfg(feature = "full")]
mod nested;
#[cfg(feature = "full")]
mod noise;
#[cfg(feature = "full")]
mod normalization;
mod param;
#[cfg(feature = "full")]
mod pooling1d;
#[cfg(feature = "full")]
mod prelu;
#[cfg(feature = "full")]
mod random_affine;
#[cfg(feature = "full")]
mod random_color;
#[cfg(feature = "full")]
mod random_flip;
#[cfg(feature = "full")]
mod relu;
#[cfg(feature = "full")]
mod resample;
#[cfg(feature = "full")]
mod rescaling;
#[cfg(feature = "full")]
mod reshape;
#[cfg(feature = "full")]
mod resizing;
#[cfg(feature = "full")]
mod rms_normalization;
#[cfg(feature = "full")]
pub mod rnn;
#[cfg(feature = "full")]
mod separable_conv;
#[cfg(feature = "full")]
mod softmax;
#[cfg(feature = "full")]
mod spatial_dropout;
#[cfg(feature = "full")]
mod time_distributed;
#[cfg(feature = "full")]
mod unit_normalization;
#[cfg(feature = "full")]
mod unlinked;
#[cfg(feature = "full")]
mod up_sampling;
#[cfg(feature = "full")]
mod warp;

pub use activation::ActivationLayer;
#[cfg(feature = "full")]
pub use activity_regularization::ActivityRegularization;
#[cfg(feature = "full")]
pub use attention::{AdditiveAttention, Attention, GroupedQueryAttention, MultiHeadAttention, ScoreMode};
#[cfg(feature = "full")]
pub use average_pooling2d::AveragePooling2D;
#[cfg(feature = "full")]
pub use batch_normalization::BatchNormalization;
#[cfg(feature = "full")]
pub use bidirectional::{Bidirectional, MergeMode};
#[cfg(feature = "full")]
pub use border::{Cropping1D, Cropping2D, ZeroPadding1D, ZeroPadding2D};
pub use call::Call;
#[cfg(feature = "full")]
pub use concatenate::Concatenate;
#[cfg(feature = "full")]
pub use conv_transpose::{Conv1DTranspose, Conv2DTranspose};
#[cfg(feature = "full")]
pub use conv1d::Conv1D;
pub use conv2d::Conv2D;
#[cfg(feature = "full")]
pub use conv3d::Conv3D;
#[cfg(feature = "full")]
pub use crop::{CenterCrop, RandomCrop};
pub use dense::Dense;
#[cfg(feature = "full")]
pub use depthwise_conv::{DepthwiseConv1D, DepthwiseConv2D};
#[cfg(feature = "full")]
pub use dot::Dot;
pub use dropout::Dropout;
#[cfg(feature = "full")]
pub use embedding::Embedding;
pub use flatten::Flatten;
#[cfg(feature = "full")]
pub use global_pooling::{
    GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalMaxPooling1D, GlobalMaxPooling2D,
};
#[cfg(feature = "full")]
pub use group_normalization::GroupNormalization;
#[cfg(feature = "full")]
pub use lambda::Lambda;
#[cfg(feature = "full")]
pub use layer_normalization::LayerNormalization;
#[cfg(feature = "full")]
pub use masking::Masking;
pub use max_pooling2d::MaxPooling2D;
#[cfg(feature = "full")]
pub use merge::{Add, Average, Maximum, Minimum, Multiply, Subtract};
#[cfg(feature = "full")]
pub use noise::{AlphaDropout, GaussianDropout, GaussianNoise};
#[cfg(feature = "full")]
pub use normalization::Normalization;
#[cfg(feature = "full")]
pub use pooling1d::{AveragePooling1D, MaxPooling1D};
#[cfg(feature = "full")]
pub use prelu::PReLU;
#[cfg(feature = "full")]
pub use random_affine::{RandomRotation, RandomTranslation, RandomZoom};
#[cfg(feature = "full")]
pub use random_color::{RandomBrightness, RandomContrast};
#[cfg(feature = "full")]
pub use random_flip::{FlipMode, RandomFlip};
#[cfg(feature = "full")]
pub use relu::{ELU, LeakyReLU, ReLU};
#[cfg(feature = "full")]
pub use resample::Interpolation;
#[cfg(feature = "full")]
pub use rescaling::Rescaling;
#[cfg(feature = "full")]
pub use reshape::{Permute, RepeatVector, Reshape};
#[cfg(feature = "full")]
pub use resizing::{Aspect, Resizing};
#[cfg(feature = "full")]
pub use rms_normalization::RMSNormalization;
#[cfg(feature = "full")]
pub use rnn::{
    Cell, CellCall, CellConfig, GRU, GRUCell, LSTM, LSTMCell, RNN, Recurrence, SimpleRNN, SimpleRNNCell,
    StackedRNN, StackedRNNCells,
};
#[cfg(feature = "full")]
pub use separable_conv::{SeparableConv1D, SeparableConv2D};
#[cfg(feature = "full")]
pub use softmax::Softmax;
#[cfg(feature = "full")]
pub use spatial_dropout::{SpatialDropout1D, SpatialDropout2D};
#[cfg(feature = "full")]
pub use time_distributed::TimeDistributed;
#[cfg(feature = "full")]
pub use unit_normalization::UnitNormalization;
#[cfg(feature = "full")]
pub use up_sampling::{UpSampling1D, UpSampling2D};
#[cfg(feature = "full")]
pub use warp::{Factor, FillMode};

use super::Initializer;
use crate::op::Window;
use crate::rng::Rng;
use crate::{Result, Shape, Tensor, Var, VariableId, Variables, misuse};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A layer: weights made once for an input shape, ops emitted at every trace.
///
/// Shapes passed to `build` and returned from it are those of one sample, without the batch axis. A layer with
/// one input and one output implements `build` and `call`; one with several also overrides `build_many` and
/// `call_many`, which are what models use.
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

    /// [`build`](Layer::build) for several inputs or outputs.
    ///
    /// **Errors** also when the layer takes another number of inputs.
    fn build_many(&mut self, inputs: &[Shape], weights: &mut Weights<'_>) -> Result<Vec<Shape>> {
        Ok(alloc::vec![self.build(only(self.name(), inputs)?, weights)?])
    }

    /// [`call`](Layer::call) for several inputs or outputs.
    ///
    /// **Errors** also when the layer takes another number of inputs.
    fn call_many<'b>(&self, call: &mut Call<'b>, inputs: &[Var<'b>]) -> Result<Vec<Var<'b>>> {
        Ok(alloc::vec![self.call(call, *only(self.name(), inputs)?)?])
    }

    /// Whether training changes the layer's weights.
    fn is_trainable(&self) -> bool {
        true
    }

    /// Freezes the layer's weights or sets them free; takes effect when the model is compiled.
    fn set_trainable(&mut self, _trainable: bool) {}

    /// Whether the mask of the input is also that of the output (`supports_masking`).
    fn passes_mask(&self) -> bool {
        false
    }

    /// Multiply-add operations on one sample, from its shape and the output's.
    fn multiply_adds(&self, _input: &Shape, _output: &Shape) -> u64 {
        0
    }

    /// The window that slides over the two spatial axes, for the receptive field.
    fn window(&self) -> Option<Window> {
        None
    }

    /// The options of a layer that runs over time, for [`Bidirectional`].
    #[cfg(feature = "full")]
    fn recurrence(&mut self) -> Option<&mut Recurrence> {
        None
    }

    /// The layer as data, to save it; `None` for custom layers.
    fn config(&self) -> Option<LayerConfig> {
        None
    }
}

/// The one input of a layer that takes one.
fn only<'i, T>(layer: &str, inputs: &'i [T]) -> Result<&'i T> {
    match inputs {
        [input] => Ok(input),
        _ => Err(misuse!("{layer}: expected 1 input, got {}; merge them first", inputs.len())),
    }
}

/// Name and state that every layer has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Base {
    name: String,
    trainable: bool,
}

impl Default for Base {
    /// No name yet, trainable.
    fn default() -> Base {
        Base { name: String::new(), trainable: true }
    }
}

impl core::ops::Deref for Base {
    type Target = str;
    /// The name.
    fn deref(&self) -> &str {
        &self.name
    }
}

impl core::fmt::Display for Base {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.name)
    }
}

// The order is that of the variants in files: new ones go to the end.
macro_rules! layer_configs {
    ($($Name:ident),*; full: $($Full:ident),*) => {
        /// A layer as data.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[allow(clippy::large_enum_variant)]
        pub enum LayerConfig {
            $(#[doc = concat!("[`", stringify!($Name), "`]")] $Name($Name),)*
            $(#[cfg(feature = "full")] #[doc = concat!("[`", stringify!($Full), "`]")] $Full($Full),)*
        }

        impl LayerConfig {
            /// The layer, not built yet.
            pub fn into_layer(self) -> Box<dyn Layer> {
                match self {
                    $(LayerConfig::$Name(layer) => Box::new(layer),)*
                    $(#[cfg(feature = "full")] LayerConfig::$Full(layer) => {
                        if const { unlinked::is_linked(stringify!($Full)) } {
                            Box::new(layer)
                        } else {
                            unlinked::layer(stringify!($Full))
                        }
                    })*
                }
            }
        }

        $(named_builders!($Name);)*
        $(#[cfg(feature = "full")] named_builders!($Full);)*
    };
}

/// The builder methods that every layer has.
macro_rules! named_builders {
    ($Name:ident) => {
        impl $Name {
            /// The layer's name; without one the model names it after its class.
            pub fn named(mut self, name: &str) -> Self {
                self.base.name = name.into();
                self
            }

            /// Whether training changes the layer's weights; true by default.
            pub fn trainable(mut self, trainable: bool) -> Self {
                self.base.trainable = trainable;
                self
            }
        }
    };
}

layer_configs!(
    Dense, Flatten, Conv2D, MaxPooling2D, Dropout, ActivationLayer;
    full:
    Conv1D, Conv3D, DepthwiseConv1D, DepthwiseConv2D, SeparableConv1D, SeparableConv2D, Conv1DTranspose,
    Conv2DTranspose, Reshape, Permute, RepeatVector, SpatialDropout1D, SpatialDropout2D, GaussianNoise,
    GaussianDropout, AlphaDropout, ActivityRegularization, UnitNormalization, ZeroPadding1D,
    ZeroPadding2D, Cropping1D, Cropping2D, UpSampling1D, UpSampling2D, Rescaling, LeakyReLU, PReLU, ELU,
    ReLU, Softmax, MaxPooling1D, AveragePooling1D, AveragePooling2D, GlobalMaxPooling1D,
    GlobalMaxPooling2D, GlobalAveragePooling1D, GlobalAveragePooling2D, BatchNormalization,
    LayerNormalization, GroupNormalization, RMSNormalization, Add, Subtract, Multiply, Average, Maximum,
    Minimum, Concatenate, Dot, Masking, SimpleRNN, LSTM, GRU, StackedRNN, Bidirectional, TimeDistributed,
    Embedding, Attention, AdditiveAttention, MultiHeadAttention, GroupedQueryAttention, Normalization, RandomFlip, RandomRotation, RandomTranslation, RandomZoom, RandomContrast, RandomBrightness, RandomCrop, CenterCrop, Resizing
);
#[cfg(feature = "full")]
named_builders!(Lambda);

/// Where the weights of a model come from.
pub trait Initialize {
    /// The first value of the weight `name`.
    ///
    /// **Errors** when a stored weight has another name or shape.
    fn initial(&mut self, name: &str, shape: &Shape, init: Initializer) -> Result<Tensor>;

    /// The first value of a weight whose last axis has parts that start differently.
    ///
    /// **Errors** as [`initial`](Initialize::initial).
    fn initial_parts(&mut self, name: &str, shape: &Shape, parts: &[(usize, Initializer)]) -> Result<Tensor> {
        self.initial(name, shape, parts.first().map_or(Initializer::Zeros, |p| p.1))
    }
}

impl Initialize for Rng {
    fn initial(&mut self, _: &str, shape: &Shape, init: Initializer) -> Result<Tensor> {
        init.tensor(shape, self)
    }

    fn initial_parts(&mut self, _: &str, shape: &Shape, parts: &[(usize, Initializer)]) -> Result<Tensor> {
        let width = shape.dim(-1);
        let mut all = alloc::vec![0.0; shape.numel()];
        let mut from = 0;
        for (columns, init) in parts {
            let part = init.tensor(&shape.with_dim(-1, *columns), self)?;
            for (row, values) in part.to_f32_vec().chunks((*columns).max(1)).enumerate() {
                let at = row * width + from;
                all[at..at + columns].copy_from_slice(values);
            }
            from += columns;
        }
        Tensor::new(&shape.list(), all)
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

    /// The weights of a layer inside this one; their names start with both layers' names.
    pub fn within(&mut self, inner: &str) -> Weights<'_> {
        let layer = alloc::format!("{}/{inner}", self.layer);
        Weights { variables: self.variables, source: self.source, layer }
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

    /// Adds the weight `layer/name`, whose last axis has parts of these sizes that start differently.
    ///
    /// **Errors** as [`add`](Weights::add).
    pub fn add_parts(
        &mut self,
        name: &str,
        dims: &[usize],
        parts: &[(usize, Initializer)],
        trainable: bool,
    ) -> Result<VariableId> {
        let shape = Shape::new(dims)?;
        let sizes: usize = parts.iter().map(|p| p.0).sum();
        if sizes != shape.dim(-1) {
            return Err(misuse!("{}/{name}: parts of {sizes} columns for shape {shape}", self.layer));
        }
        let full = alloc::format!("{}/{name}", self.layer);
        let value = self.source.initial_parts(&full, &shape, parts)?;
        self.variables.add(&full, &value, trainable)
    }
}

/// The trait methods that every layer has, which keeps them in its field `base`. A layer around others names the method
/// that hands them `trainable`.
macro_rules! named {
    ($class:expr $(, $inner:ident)?) => {
        fn class_name(&self) -> &'static str {
            $class
        }
        fn name(&self) -> &str {
            &self.base
        }
        fn set_name(&mut self, name: &str) {
            self.base.name = name.into();
        }
        fn is_trainable(&self) -> bool {
            self.base.trainable
        }
        fn set_trainable(&mut self, trainable: bool) {
            self.base.trainable = trainable;
            $(self.$inner(trainable);)?
        }
    };
}
use named;

/// The taps of a window.
pub(super) fn taps(window: &Window) -> u64 {
    window.kernel.iter().map(|k| u64::from(*k)).product()
}

/// Output height and width of a window over samples `[h, w, ..]`.
#[cfg(feature = "full")]
fn extents(layer: &str, window: &Window, sample: &Shape) -> Result<[usize; 2]> {
    let extent = |axis: usize| window.extent(axis, sample.dim(axis as isize));
    let (oh, _) = extent(0).map_err(|e| e.within(layer))?;
    let (ow, _) = extent(1).map_err(|e| e.within(layer))?;
    Ok([oh, ow])
}

/// Checks that samples have `rank` axes, those of `form`.
#[cfg(feature = "full")]
fn expect_rank(layer: &str, sample: &Shape, rank: usize, form: &str) -> Result<()> {
    if sample.rank() == rank {
        return Ok(());
    }
    let hint = if sample.rank() + 1 == rank { "; reshape it to add the missing axis" } else { "" };
    Err(misuse!("{layer}: expected input of shape [batch, {form}], got {}{hint}", batched(sample)))
}

/// Checks that a batch has `rank` axes.
#[cfg(feature = "full")]
fn expect_rank_of(layer: &str, x: Var<'_>, rank: usize) -> Result<()> {
    if x.rank() == rank {
        return Ok(());
    }
    Err(misuse!("{layer}: expected input with {rank} axes, got {}; build the model for its shape", x.shape()))
}

/// Checks that there are filters.
#[cfg(feature = "full")]
fn expect_filters(layer: &str, filters: usize) -> Result<()> {
    match filters {
        0 => Err(misuse!("{layer}: expected at least 1 filter, got 0")),
        _ => Ok(()),
    }
}

/// The shape of one step of a sample as `[batch, time, ..]`.
#[cfg(feature = "full")]
pub(crate) fn batched_time(step: &Shape) -> String {
    let dims: Vec<String> = step.dims().iter().map(|d| alloc::format!(", {d}")).collect();
    alloc::format!("[batch, time{}]", dims.concat())
}

/// A sample's shape as `[batch, ..]`.
pub(crate) fn batched(sample: &Shape) -> String {
    let dims: Vec<String> = sample.dims().iter().map(|d| alloc::format!("{d}")).collect();
    if dims.is_empty() { "[batch]".into() } else { alloc::format!("[batch, {}]", dims.join(", ")) }
}
