//! Keras on top of plans: layers, losses, metrics, optimizers and models. Everything here emits ops; nothing
//! names a kernel.

pub mod activation;
pub mod callback;
mod compiled;
pub mod fit;
pub mod history;
pub mod init;
pub mod layer;
pub mod loss;
pub mod metric;
pub mod model;
pub mod optimizer;
#[cfg(feature = "full")]
mod packed;
#[cfg(feature = "std")]
mod progress;
#[cfg(feature = "full")]
pub mod schedule;
mod summary;

pub use activation::Activation;
pub use callback::{Callback, Flow};
pub use fit::{Fit, FitRun, Progress, Verbose};
pub use history::{History, Logs};
pub use init::Initializer;
pub use layer::{
    ActivationLayer, Call, Conv2D, Dense, Dropout, Flatten, Layer, LayerConfig, MaxPooling2D, Weights,
};
pub use loss::{Loss, Reduction};
pub use metric::Metric;
pub use model::Sequential;
pub use optimizer::{Adam, Optimizer, Sgd};
#[cfg(feature = "full")]
pub use schedule::{
    CosineDecay, CosineDecayRestarts, CustomSchedule, ExponentialDecay, InverseTimeDecay, LearningRate,
    PiecewiseConstantDecay, PolynomialDecay, Schedule,
};
