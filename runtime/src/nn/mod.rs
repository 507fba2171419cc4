//! Keras on top of plans: layers, losses, metrics, optimizers and models. Everything here emits ops; nothing
//! names a kernel.

pub mod activation;
pub mod callback;
mod compiled;
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
pub mod optimizer;
#[cfg(feature = "std")]
mod progress;
pub mod samples;
mod summary;
pub(crate) mod topology;

pub use activation::Activation;
pub use callback::{Callback, Flow};
pub use fit::{Fit, FitRun, Progress, Verbose};
#[cfg(feature = "full")]
pub use functional::{Shared, Subclass, Symbol};
pub use history::{History, Logs};
pub use init::Initializer;
pub use layer::{
    ActivationLayer, Call, Conv2D, Dense, Dropout, Flatten, Layer, LayerConfig, MaxPooling2D, Weights,
};
#[cfg(feature = "full")]
pub use layer::{
    AdditiveAttention, Attention, Bidirectional, Cell, CellCall, CellConfig, Embedding,
    GroupedQueryAttention, Gru, GruCell, Lstm, LstmCell, MergeMode, MultiHeadAttention, Recurrence, Rnn,
    ScoreMode, SimpleRnn, SimpleRnnCell, StackedRnn, StackedRnnCells, TimeDistributed,
};
pub use loss::Loss;
pub use losses::Losses;
pub use metric::Metric;
pub use model::{Model, Sequential};
pub use optimizer::{Adam, Optimizer, Sgd};
pub use samples::{Arrays, Batch, Batches};
