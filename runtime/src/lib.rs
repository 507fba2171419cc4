//! Gradling: a neural-network runtime that trains and infers natively, in the browser and on
//! microcontrollers.
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(feature = "std")]
pub mod data;
pub mod dtype;
pub mod error;
pub mod math;
pub mod rng;
pub mod shape;
#[cfg(feature = "alloc")]
pub mod tensor;

pub use dtype::{DType, Element};
pub use error::{Error, Result};
pub use shape::{MAX_RANK, Shape};
#[cfg(feature = "alloc")]
pub use tensor::{Data, Tensor};

#[cfg(feature = "alloc")]
#[doc(hidden)]
pub use alloc::format as __format;
