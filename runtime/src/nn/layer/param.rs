use super::{Call, Weights};
use crate::nn::{Activation, Initializer};
use crate::{Result, Var, VariableId};
use serde::{Deserialize, Serialize};

/// A weight of a layer: how it starts, and where it is once built.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Param {
    pub(super) initializer: Initializer,
    #[serde(skip)]
    id: Option<VariableId>,
}

impl Param {
    /// A weight that starts like this.
    pub(super) fn new(initializer: Initializer) -> Param {
        Param { initializer, id: None }
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

    /// The weight's value.
    ///
    /// **Errors** when the layer is not built.
    pub(super) fn get<'b>(&self, call: &mut Call<'b>, layer: &str) -> Result<Var<'b>> {
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
}

impl Affine {
    /// Linear, with a bias of zeros and a Glorot-uniform kernel.
    pub(super) fn new() -> Affine {
        Affine {
            activation: Activation::Linear,
            use_bias: true,
            kernel: Param::new(Initializer::GlorotUniform),
            bias: Param::new(Initializer::Zeros),
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

    /// Bias and activation of what the kernel gave.
    pub(super) fn finish<'b>(&self, call: &mut Call<'b>, layer: &str, y: Var<'b>) -> Result<Var<'b>> {
        let y = if self.use_bias { y + self.bias.get(call, layer)? } else { y };
        Ok(self.activation.apply(call, y))
    }
}

/// Builder methods that set a field.
macro_rules! setters {
    ($Layer:ident: $($(#[$doc:meta])+ $name:ident($Type:ty) => $($field:ident).+;)+) => {
        impl $Layer {
            $($(#[$doc])+
            pub fn $name(mut self, $name: $Type) -> Self {
                self.$($field).+ = $name;
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
    };
    ($Layer:ident, kernel) => {
        affine_setters!($Layer);
        setters! { $Layer:
            /// How the kernel starts.
            kernel_initializer(crate::nn::Initializer) => affine.kernel.initializer;
        }
    };
}
pub(super) use affine_setters;
