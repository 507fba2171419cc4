//! Gradling: a neural-network runtime that trains and infers natively, in the browser and on
//! microcontrollers.
//!
//! Everything that runs is a [`Plan`]: a list of fixed-size steps over one arena whose size is known before it
//! runs. Layers, losses and optimizers emit ops on a [`Builder`](op::Builder); [`autodiff`] adds the gradient;
//! [`rewrite`] shortens and fuses; [`Plan::compile`] gives every value its place; a [`Session`] runs it.
#![no_std]
// Web workers sleep on a word of shared memory; builds with shared memory bring their own standard library, and so may.
#![cfg_attr(all(target_arch = "wasm32", target_feature = "atomics"), feature(stdarch_wasm_atomic_wait))]

#[cfg(feature = "alloc")]
extern crate alloc;
// WebAssembly always has std; its square root is an instruction there.
#[cfg(any(feature = "std", target_arch = "wasm32"))]
extern crate std;

pub mod arena;
#[cfg(feature = "alloc")]
pub mod autodiff;
mod checksum;
#[cfg(feature = "alloc")]
pub mod compose;
#[cfg(feature = "std")]
pub mod data;
pub mod dtype;
pub mod error;
#[cfg(feature = "wgsl")]
pub mod gpu;
#[cfg(feature = "alloc")]
pub mod graph;
#[cfg(feature = "alloc")]
pub mod io;
pub mod kernel;
pub mod math;
#[cfg(feature = "alloc")]
pub mod nn;
pub mod op;
pub mod plan;
#[cfg(feature = "plot")]
pub mod plot;
#[cfg(feature = "alloc")]
pub mod rewrite;
pub mod rng;
pub mod session;
pub mod shape;
#[cfg(feature = "alloc")]
pub mod tape;
#[cfg(feature = "alloc")]
pub mod tensor;
#[cfg(feature = "alloc")]
pub mod variables;

pub use dtype::{DType, Element};
pub use error::{Error, Result};
#[cfg(feature = "alloc")]
pub use graph::{Graph, Trace};
pub use half::f16;
pub use kernel::Level;
#[cfg(feature = "alloc")]
pub use op::Var;
pub use op::{Padding, Window};
#[cfg(feature = "alloc")]
pub use plan::{Plan, PlanOptions};
#[cfg(feature = "alloc")]
pub use session::{Device, Session};
pub use shape::{MAX_RANK, Shape};
#[cfg(feature = "alloc")]
pub use tape::Tape;
#[cfg(feature = "alloc")]
pub use tensor::{Data, Tensor};
#[cfg(feature = "alloc")]
pub use variables::{VariableId, Variables};

#[cfg(feature = "alloc")]
#[doc(hidden)]
pub use alloc::format as __format;
