//! Functions composed of ops: everything a layer says that is not a primitive.

mod activation;
mod index;
mod linalg;
mod math;
mod nn;
mod reduce;
mod shape;

pub use math::IntoOperand;
