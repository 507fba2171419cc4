use super::param::{Param, setters};
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::nn::Initializer;
use crate::{Result, Shape, Var, misuse};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// `x` above 0, else `alpha * x` with learned slopes (`keras.layers.PReLU`; He et al. 2015).
///
/// **Shape**: any, unchanged; alpha has the shape of a sample, with extent 1 along shared axes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PReLU {
    pub(super) base: Base,
    shared_axes: Vec<u32>,
    alpha: Param,
}

impl Default for PReLU {
    fn default() -> PReLU {
        PReLU::new()
    }
}

impl PReLU {
    /// A slope for each element, zero at first.
    pub fn new() -> PReLU {
        PReLU { base: Base::default(), shared_axes: Vec::new(), alpha: Param::new(Initializer::Zeros) }
    }

    /// Axes along which the slope is the same, counted with the batch axis: `[1, 2]` for one slope a channel.
    pub fn shared_axes(mut self, axes: &[u32]) -> PReLU {
        self.shared_axes = axes.to_vec();
        self
    }
}

setters! { PReLU:
    /// How alpha starts.
    alpha_initializer(Initializer) => alpha.initializer;
    /// The penalty of alpha.
    alpha_regularizer(crate::nn::Regularizer) => alpha.regularizer;
    /// What alpha is projected to after each step.
    alpha_constraint(crate::nn::Constraint) => alpha.constraint;
}

impl Layer for PReLU {
    named!("PReLU");

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        let mut dims = input.to_vec();
        for &axis in &self.shared_axes {
            match dims.get_mut((axis as usize).wrapping_sub(1)) {
                Some(dim) => *dim = 1,
                None => {
                    return Err(misuse!(
                        "{}: expected shared axes from 1 to {}, got {axis}",
                        self.base,
                        input.rank()
                    ));
                }
            }
        }
        self.alpha.build(weights, "alpha", &dims)?;
        Ok(*input)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        Ok(x.relu() - self.alpha.get(call, &self.base)? * (-x).relu())
    }

    fn passes_mask(&self) -> bool {
        true
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::PReLU(self.clone()))
    }
}
