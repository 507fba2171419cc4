//! Plans on a GPU: WGSL for every op, and sessions through [wgpu](https://wgpu.rs) (Vulkan, Metal, DirectX 12).
//!
//! A [`Program`] is the plan as WGSL texts and dispatches, without any GPU interface: pages run it through WebGPU, the
//! `Session` of the feature `gpu` through wgpu. The shader of a step names shapes and types, and the places of its
//! operands are a uniform, so that steps that differ in those alone share a pipeline. All memory of a plan is three
//! buffers and one for partial sums, bound whole: a run is one command buffer of dispatches over one bind group.

#[cfg(feature = "gpu")]
mod check;
#[cfg(feature = "gpu")]
mod device;
mod functions;
mod kernel;
mod movement;
mod pointwise;
mod pool;
mod product;
#[cfg(feature = "gpu")]
mod profile;
mod program;
mod reduce;
mod scan;
#[cfg(feature = "gpu")]
mod session;
mod sources;
mod support;
mod text;
mod tile;

#[cfg(feature = "gpu")]
pub use device::Gpu;
#[cfg(feature = "gpu")]
pub use profile::{DispatchTime, GpuProfile};
pub use program::{Dispatch, OFFSETS, Program, STRIDE};
#[cfg(feature = "gpu")]
pub use session::Session;
pub use support::{Support, support, table};
