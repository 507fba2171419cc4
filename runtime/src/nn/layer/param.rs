use super::{Base, Call, Weights};
use crate::nn::{Activation, Initializer};
#[cfg(feature = "full")]
use crate::nn::{Constraint, Regularizer};
use crate::{Result, Var, VariableId};
#[cfg(not(feature = "full"))]
use absent::{Constraint, Regularizer};
use serde::{Deserialize, Serialize};

/// What a program without the feature `full` cannot read from a file.
#[cfg(not(feature = "full"))]
mod absent {
    use serde::{Deserialize, Serialize};

    /// No regularizer.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub enum Regularizer {}

    /// No constraint.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub enum Constraint {}
}

/// A weight of a layer: how it starts, what it costs, where it may be, and which variable it is once built.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Param {
    pub(super) initializer: Initializer,
    pub(super) regularizer: Option<Regularizer>,
    pub(super) constraint: Option<Constraint>,
    #[serde(skip)]
    id: Option<VariableId>,
}

impl Param {
    /// A weight that starts like this.
    pub(super) fn new(initializer: Initializer) -> Param {
        Param { initializer, regularizer: None, constraint: None, id: None }
    }

    /// Makes the weight.
    pub(super) fn build(&mut self, weights: &mut Weights<'_>, name: &str, dims: &[usize]) -> Result<()> {
        self.id = Some(weights.add(name, dims, self.initializer, true)?);
        Ok(())
    }

    /// Makes a weight whose last axis has parts of these sizes; those with an initializer start by it rather than
    /// as the weight does.
    #[cfg(feature = "full")]
    pub(super) fn build_parts(
        &mut self,
        weights: &mut Weights<'_>,
        name: &str,
        dims: &[usize],
        parts: &[(usize, Option<Initializer>)],
    ) -> Result<()> {
        let parts: alloc::vec::Vec<_> =
            parts.iter().map(|(size, init)| (*size, init.unwrap_or(self.initializer))).collect();
        self.id = Some(weights.add_parts(name, dims, &parts, true)?);
        Ok(())
    }

    /// The weight's value. While the layer is trainable its penalty joins the loss, and the constraint holds after
    /// the step.
    ///
    /// **Errors** when the layer is not built.
    pub(super) fn get<'b>(&self, call: &mut Call<'b>, layer: &Base) -> Result<Var<'b>> {
        #[cfg(feature = "full")]
        if let (Some(id), true) = (self.id, layer.trainable) {
            if let Some(regularizer) = self.regularizer {
                call.add_penalty(id, |w| regularizer.call(w));
            }
            if let Some(constraint) = &self.constraint {
                let constraint = constraint.clone();
                call.constrain(id, move |w| constraint.call(w));
            }
        }
        call.weight(layer, self.id)
    }
}

/// What layers that multiply by a kernel share: `activation(kernel applied to x + bias)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Affine {
    pub(super) activation: Activation,
    pub(super) use_bias: bool,
    pub(super) kernel: Param,
    pub(super) bias: Param,
    pub(super) activity_regularizer: Option<Regularizer>,
}

impl Affine {
    /// Linear, with a bias of zeros and a Glorot-uniform kernel.
    pub(super) fn new() -> Affine {
        Affine {
            activation: Activation::Linear,
            use_bias: true,
            kernel: Param::new(Initializer::GlorotUniform),
            bias: Param::new(Initializer::Zeros),
            activity_regularizer: None,
        }
    }

    /// Makes the kernel, and the bias of `outputs` numbers.
    pub(super) fn build(
        &mut self,
        weights: &mut Weights<'_>,
        (name, kernel): (&str, &[usize]),
        outputs: usize,
    ) -> Result<()> {
        self.kernel.build(weights, name, kernel)?;
        if self.use_bias { self.bias.build(weights, "bias", &[outputs]) } else { Ok(()) }
    }

    /// Bias and activation of what the kernel gave. The penalty of the result joins the loss, divided by the batch
    /// size as Keras does.
    pub(super) fn finish<'b>(&self, call: &mut Call<'b>, layer: &Base, y: Var<'b>) -> Result<Var<'b>> {
        let y = if self.use_bias { y + self.bias.get(call, layer)? } else { y };
        let y = self.activation.apply(call, y);
        #[cfg(feature = "full")]
        if let Some(regularizer) = self.activity_regularizer {
            call.add_loss(regularizer.call(y) / y.dim(0).max(1) as f32);
        }
        Ok(y)
    }
}

/// Builder methods that set a field.
macro_rules! setters {
    ($Layer:ident: $($(#[$doc:meta])+ $name:ident($Type:ty) => $($field:ident).+;)+) => {
        impl $Layer {
            $($(#[$doc])+
            pub fn $name(mut self, $name: $Type) -> Self {
                self.$($field).+ = $name.into();
                self
            })+
        }
    };
}
pub(super) use setters;

/// The builder methods of layers with an [`Affine`].
macro_rules! affine_setters {
    ($Layer:ident) => {
        setters! { $Layer:
            /// The function applied to the sum.
            activation(crate::nn::Activation) => affine.activation;
            /// Whether there is a bias.
            use_bias(bool) => affine.use_bias;
            /// How the bias starts.
            bias_initializer(crate::nn::Initializer) => affine.bias.initializer;
        }
        #[cfg(feature = "full")]
        setters! { $Layer:
            /// The penalty of the bias.
            bias_regularizer(crate::nn::Regularizer) => affine.bias.regularizer;
            /// What the bias is projected to after each step.
            bias_constraint(crate::nn::Constraint) => affine.bias.constraint;
            /// The penalty of the output, divided by the batch size.
            activity_regularizer(crate::nn::Regularizer) => affine.activity_regularizer;
        }
    };
    ($Layer:ident, kernel) => {
        affine_setters!($Layer);
        setters! { $Layer:
            /// How the kernel starts.
            kernel_initializer(crate::nn::Initializer) => affine.kernel.initializer;
        }
        #[cfg(feature = "full")]
        setters! { $Layer:
            /// The penalty of the kernel.
            kernel_regularizer(crate::nn::Regularizer) => affine.kernel.regularizer;
            /// What the kernel is projected to after each step.
            kernel_constraint(crate::nn::Constraint) => affine.kernel.constraint;
        }
    };
}
pub(super) use affine_setters;
