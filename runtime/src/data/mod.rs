//! Data sets: files on disk become [`Tensor`](crate::tensor::Tensor)s, tensors become batches.

mod dataset;
pub mod idx;
pub mod mnist;

#[cfg(feature = "cli")]
pub mod download;
#[cfg(feature = "mnist-subset")]
pub mod mnist_subset;
#[cfg(feature = "cli")]
pub mod picture;

pub use dataset::{Batches, Dataset, Slices};
