//! Files.

#[cfg(feature = "std")]
pub mod atomic;
pub mod model_file;
#[cfg(feature = "std")]
pub mod text;
