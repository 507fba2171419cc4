//! Data sets: files on disk become [`Tensor`](crate::tensor::Tensor)s, tensors become batches.

pub(crate) mod ahead;
pub mod archive;
mod augment;
pub mod cifar10;
mod dataset;
pub mod fashion_mnist;
pub mod idx;
pub mod iris;
pub mod mnist;
pub mod npy;
mod preprocess;
mod scale;
pub mod stock;
mod table;
mod timeseries;

#[cfg(feature = "cli")]
pub mod download;
#[cfg(feature = "image")]
pub mod folder;
#[cfg(feature = "image")]
pub mod image;
#[cfg(feature = "mnist-subset")]
pub mod mnist_subset;
#[cfg(feature = "image")]
pub mod picture;

pub use augment::{FillMode, ImageDataGenerator};
pub use dataset::{Batches, Dataset, Shuffle, Slices};
pub use preprocess::{normalize, to_categorical, train_test_split};
pub use scale::{MinMaxScaler, StandardScaler};
pub use table::Table;
pub use timeseries::{Windows, columns, timeseries_dataset};
