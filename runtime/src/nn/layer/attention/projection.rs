//! Linear projections between features and heads.

use super::{Base, Call, Weights};
use crate::nn::layer::param::Param;
use crate::nn::{Initializer, Regularizer};
use crate::{Result, Shape, Var, misuse};
use alloc::vec::Vec;

/// A product that maps the last axes `from` to the axes `to` (`keras.layers.EinsumDense`): kernel `from + to`,
/// bias `to`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Projection {
    from: Vec<usize>,
    to: Vec<usize>,
    weights: Start,
}

/// How the weights of projections start, and what they cost.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Start {
    pub use_bias: bool,
    pub kernel: Param,
    pub bias: Param,
    pub activity_regularizer: Option<Regularizer>,
}

impl Default for Start {
    fn default() -> Start {
        Start {
            use_bias: true,
            kernel: Param::new(Initializer::GlorotUniform),
            bias: Param::new(Initializer::Zeros),
            activity_regularizer: None,
        }
    }
}

impl Projection {
    /// Makes the weights `name/kernel` and `name/bias`.
    pub fn build(
        name: &str,
        from: &[usize],
        to: &[usize],
        start: &Start,
        weights: &mut Weights<'_>,
    ) -> Result<Projection> {
        let mut weights = weights.within(name);
        let mut own = start.clone();
        own.kernel.build(&mut weights, "kernel", &[from, to].concat())?;
        if own.use_bias {
            own.bias.build(&mut weights, "bias", to)?;
        }
        Ok(Projection { from: from.to_vec(), to: to.to_vec(), weights: own })
    }

    pub fn call<'b>(&self, call: &mut Call<'b>, layer: &Base, x: Var<'b>) -> Result<Var<'b>> {
        let kernel = self.weights.kernel.get(call, layer)?;
        let dims = x.shape().to_vec();
        let lead = dims.len().saturating_sub(self.from.len());
        if dims[lead..] != self.from[..] {
            return Err(misuse!(
                "{layer}: expected input whose last axes are {:?}, got {}",
                self.from,
                x.shape()
            ));
        }
        let (inner, outer) = (self.from.iter().product(), self.to.iter().product());
        let rows = dims[..lead].iter().product();
        let mut y = x.reshape(&[rows, inner]).matmul(kernel.reshape(&[inner, outer]));
        if self.weights.use_bias {
            y = y + self.weights.bias.get(call, layer)?.reshape(&[outer]);
        }
        let y = y.reshaped(Shape::new(&[&dims[..lead], &self.to].concat())?);
        if let Some(regularizer) = self.weights.activity_regularizer {
            call.add_loss(regularizer.call(y) / y.dim(0).max(1) as f32);
        }
        Ok(y)
    }

    /// Multiply-add operations on one row.
    pub fn multiply_adds(&self) -> u64 {
        self.from.iter().chain(&self.to).map(|d| *d as u64).product()
    }
}

/// The builder methods of layers with projections.
macro_rules! projection_setters {
    ($Layer:ident) => {
        $crate::nn::layer::param::setters! { $Layer:
            /// How the kernels start.
            kernel_initializer($crate::nn::Initializer) => start.kernel.initializer;
            /// How the biases start.
            bias_initializer($crate::nn::Initializer) => start.bias.initializer;
            /// The penalty of each kernel.
            kernel_regularizer($crate::nn::Regularizer) => start.kernel.regularizer;
            /// The penalty of each bias.
            bias_regularizer($crate::nn::Regularizer) => start.bias.regularizer;
            /// The penalty of what each projection gives, divided by the batch size.
            activity_regularizer($crate::nn::Regularizer) => start.activity_regularizer;
            /// What each kernel is projected to after each step.
            kernel_constraint($crate::nn::Constraint) => start.kernel.constraint;
            /// What each bias is projected to after each step.
            bias_constraint($crate::nn::Constraint) => start.bias.constraint;
        }
    };
}
pub(super) use projection_setters;
