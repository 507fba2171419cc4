//! Keras on top of plans: layers, losses, metrics, optimizers and models. Everything here emits ops; nothing
//! names a kernel.

pub mod activation;
#[cfg(feature = "full")]
mod analysis;
pub mod callback;
mod compiled;
#[cfg(feature = "full")]
pub mod constraint;
mod evaluate;
pub mod fit;
#[cfg(feature = "full")]
pub mod functional;
pub mod history;
pub mod init;
pub mod layer;
pub mod loss;
pub mod losses;
pub mod metric;
pub mod model;
#[cfg(feature = "gpu")]
mod on_gpu;
pub mod optimizer;
#[cfg(feature = "full")]
mod packed;
#[cfg(feature = "std")]
mod prefetch;
#[cfg(feature = "std")]
mod progress;
#[cfg(feature = "full")]
pub mod regularizer;
#[cfg(feature = "remote")]
mod remote;
pub mod samples;
#[cfg(feature = "full")]
pub mod schedule;
#[cfg(all(feature = "full", feature = "std"))]
mod stream;
mod summary;
pub(crate) mod topology;

pub use activation::Activation;
#[cfg(feature = "full")]
pub use analysis::LayerCost;
#[cfg(all(feature = "full", feature = "std"))]
pub use callback::{CSVLogger, ModelCheckpoint, SaveFreq};
pub use callback::{Callback, Flow};
#[cfg(feature = "full")]
pub use callback::{
    EarlyStopping, LambdaCallback, LearningRateScheduler, Mode, ReduceLROnPlateau, TerminateOnNaN,
};
#[cfg(feature = "full")]
pub use constraint::Constraint;
pub use fit::{Fit, FitRun, Progress, Verbose};
#[cfg(feature = "full")]
pub use functional::{Shared, Subclass, Symbol};
pub use history::{History, Logs};
pub use init::Initializer;
#[cfg(feature = "full")]
pub use init::{Distribution, FanMode};
pub use layer::{
    ActivationLayer, Call, Conv2D, Dense, Dropout, Flatten, Layer, LayerConfig, MaxPooling2D, Weights,
};
#[cfg(feature = "full")]
pub use layer::{
    ActivityRegularization, Add, AdditiveAttention, AlphaDropout, Aspect, Attention, Average,
    AveragePooling1D, AveragePooling2D, BatchNormalization, Bidirectional, Cell, CellCall, CellConfig,
    CenterCrop, Concatenate, Conv1D, Conv1DTranspose, Conv2DTranspose, Conv3D, Cropping1D, Cropping2D,
    DepthwiseConv1D, DepthwiseConv2D, Dot, ELU, Embedding, Factor, FillMode, FlipMode, GRU, GRUCell,
    GaussianDropout, GaussianNoise, GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalMaxPooling1D,
    GlobalMaxPooling2D, GroupNormalization, GroupedQueryAttention, Interpolation, LSTM, LSTMCell, Lambda,
    LayerNormalization, LeakyReLU, Masking, MaxPooling1D, Maximum, MergeMode, Minimum, MultiHeadAttention,
    Multiply, Normalization, PReLU, Permute, RMSNormalization, RNN, RandomBrightness, RandomContrast,
    RandomCrop, RandomFlip, RandomRotation, RandomTranslation, RandomZoom, ReLU, Recurrence, RepeatVector,
    Rescaling, Reshape, Resizing, ScoreMode, SeparableConv1D, SeparableConv2D, SimpleRNN, SimpleRNNCell,
    Softmax, SpatialDropout1D, SpatialDropout2D, StackedRNN, StackedRNNCells, Subtract, TimeDistributed,
    UnitNormalization, UpSampling1D, UpSampling2D, ZeroPadding1D, ZeroPadding2D,
};
pub use loss::{Loss, Reduction};
pub use losses::Losses;
pub use metric::Metric;
pub use model::{Model, Sequential};
#[cfg(feature = "full")]
pub use optimizer::{
    AMSGrad, Adadelta, Adagrad, AdamW, Adamax, Ftrl, Lion, Nadam, OptimizerState, Options, RMSprop,
};
pub use optimizer::{Adam, Optimizer, SGD};
#[cfg(feature = "std")]
pub use prefetch::Prefetch;
#[cfg(feature = "full")]
pub use regularizer::{OrthogonalMode, Regularizer};
#[cfg(feature = "remote")]
pub use remote::Remote;
pub use samples::{Arrays, Batch, Batches};
#[cfg(feature = "full")]
pub use schedule::{
    CosineDecay, CosineDecayRestarts, CustomSchedule, ExponentialDecay, InverseTimeDecay, LearningRate,
    PiecewiseConstantDecay, PolynomialDecay, Schedule,
};
