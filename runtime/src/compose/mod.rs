//! Functions composed of ops: everything a layer says that is not a primitive.

mod activation;
mod einsum;
mod index;
mod linalg;
mod math;
mod nn;
mod reduce;
mod scan;
mod shape;

pub use math::IntoOperand;
pub use shape::{PadMode, SliceMasks};
