use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::nn::{Activation, Initializer};
use crate::{Result, Shape, Var, VariableId, misuse};
use serde::{Deserialize, Serialize};

/// A fully connected layer: `activation(x · kernel + bias)` (`keras.layers.Dense`).
///
/// **Shape**: `[batch, .., in]` to `[batch, .., units]`; kernel `[in, units]`, bias `[units]`.
///
/// ```
/// use gradling::nn::{Activation, Dense};
/// let hidden = Dense::new(128).activation(Activation::Relu);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dense {
    pub(super) base: Base,
    units: usize,
    activation: Activation,
    use_bias: bool,
    kernel_initializer: Initializer,
    bias_initializer: Initializer,
    #[serde(skip)]
    input: usize,
    #[serde(skip)]
    kernel: Option<VariableId>,
    #[serde(skip)]
    bias: Option<VariableId>,
}

impl Dense {
    /// A layer of `units` outputs, linear, with a bias.
    pub fn new(units: usize) -> Dense {
        Dense {
            base: Base::default(),
            units,
            activation: Activation::Linear,
            use_bias: true,
            kernel_initializer: Initializer::GlorotUniform,
            bias_initializer: Initializer::Zeros,
            input: 0,
            kernel: None,
            bias: None,
        }
    }

    /// The function applied to the sum.
    pub fn activation(mut self, activation: Activation) -> Dense {
        self.activation = activation;
        self
    }

    /// Whether there is a bias.
    pub fn use_bias(mut self, use_bias: bool) -> Dense {
        self.use_bias = use_bias;
        self
    }

    /// How the kernel starts.
    pub fn kernel_initializer(mut self, init: Initializer) -> Dense {
        self.kernel_initializer = init;
        self
    }

    /// How the bias starts.
    pub fn bias_initializer(mut self, init: Initializer) -> Dense {
        self.bias_initializer = init;
        self
    }
}

impl Layer for Dense {
    named!("Dense");

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        if input.rank() == 0 {
            return Err(misuse!(
                "{}: expected input of shape [batch, features], got [batch]; reshape it to [batch, 1]",
                self.base
            ));
        }
        if self.units == 0 {
            return Err(misuse!("{}: expected at least 1 unit, got 0", self.base));
        }
        self.input = input.dim(-1);
        self.kernel =
            Some(weights.add("kernel", &[self.input, self.units], self.kernel_initializer, true)?);
        if self.use_bias {
            self.bias = Some(weights.add("bias", &[self.units], self.bias_initializer, true)?);
        }
        Ok(input.with_dim(-1, self.units))
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let kernel = call.weight(&self.base, self.kernel)?;
        if x.rank() < 2 || x.dim(-1) != self.input {
            return Err(misuse!(
                "{}: expected input of shape [batch, {}], got {}",
                self.base,
                self.input,
                x.shape()
            ));
        }
        // Leading axes are rows of one product.
        let rows = x.shape().numel() / self.input.max(1);
        let mut y = x.reshape(&[rows, self.input]).matmul(kernel);
        if self.use_bias {
            y = y + call.weight(&self.base, self.bias)?;
        }
        let y = y.reshaped(x.shape().with_dim(-1, self.units));
        Ok(self.activation.apply(call, y))
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Dense(self.clone()))
    }
}
