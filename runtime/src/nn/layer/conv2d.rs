use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::nn::{Activation, Initializer};
use crate::{Padding, Result, Shape, Var, VariableId, Window, misuse};
use serde::{Deserialize, Serialize};

/// 2-D convolution (`keras.layers.Conv2D`), channels last.
///
/// **Shape**: `[batch, h, w, c]` to `[batch, oh, ow, filters]`; kernel `[kh, kw, c / groups, filters]`, bias
/// `[filters]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conv2D {
    pub(super) base: Base,
    filters: usize,
    window: Window,
    activation: Activation,
    use_bias: bool,
    kernel_initializer: Initializer,
    bias_initializer: Initializer,
    #[serde(skip)]
    kernel: Option<VariableId>,
    #[serde(skip)]
    bias: Option<VariableId>,
}

impl Conv2D {
    /// `filters` filters of `kernel` cells (height, width): stride 1, valid padding, linear, with a bias.
    pub fn new(filters: usize, kernel: [u32; 2]) -> Conv2D {
        Conv2D {
            base: Base::default(),
            filters,
            window: Window::new(kernel),
            activation: Activation::Linear,
            use_bias: true,
            kernel_initializer: Initializer::GlorotUniform,
            bias_initializer: Initializer::Zeros,
            kernel: None,
            bias: None,
        }
    }

    /// Cells between neighbouring windows.
    pub fn strides(mut self, strides: [u32; 2]) -> Conv2D {
        self.window = self.window.strides(strides);
        self
    }

    /// What lies beyond the border.
    pub fn padding(mut self, padding: Padding) -> Conv2D {
        self.window = self.window.padding(padding);
        self
    }

    /// Cells between neighbouring taps.
    pub fn dilation_rate(mut self, dilation: [u32; 2]) -> Conv2D {
        self.window = self.window.dilation(dilation);
        self
    }

    /// Channel groups.
    pub fn groups(mut self, groups: u32) -> Conv2D {
        self.window = self.window.groups(groups);
        self
    }

    /// The function applied to the sum.
    pub fn activation(mut self, activation: Activation) -> Conv2D {
        self.activation = activation;
        self
    }

    /// Whether there is a bias.
    pub fn use_bias(mut self, use_bias: bool) -> Conv2D {
        self.use_bias = use_bias;
        self
    }

    /// How the kernel starts.
    pub fn kernel_initializer(mut self, init: Initializer) -> Conv2D {
        self.kernel_initializer = init;
        self
    }

    /// How the bias starts.
    pub fn bias_initializer(mut self, init: Initializer) -> Conv2D {
        self.bias_initializer = init;
        self
    }
}

impl Layer for Conv2D {
    named!("Conv2D");

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        if input.rank() != 3 {
            let hint = if input.rank() == 2 { "; reshape it to add a channel axis" } else { "" };
            return Err(misuse!(
                "{}: expected input of shape [batch, height, width, channels], got {}{hint}",
                self.base,
                super::batched(input)
            ));
        }
        let (c, groups) = (input.dim(2), self.window.groups as usize);
        if groups == 0
            || self.filters == 0
            || !c.is_multiple_of(groups)
            || !self.filters.is_multiple_of(groups)
        {
            return Err(misuse!(
                "{}: {groups} groups must divide {c} input channels and {} filters",
                self.base,
                self.filters
            ));
        }
        let extent = |axis: usize| self.window.extent(axis, input.dim(axis as isize));
        let (oh, _) = extent(0).map_err(|e| e.within(&self.base))?;
        let (ow, _) = extent(1).map_err(|e| e.within(&self.base))?;
        let [kh, kw] = self.window.kernel.map(|k| k as usize);
        self.kernel = Some(weights.add(
            "kernel",
            &[kh, kw, c / groups, self.filters],
            self.kernel_initializer,
            true,
        )?);
        if self.use_bias {
            self.bias = Some(weights.add("bias", &[self.filters], self.bias_initializer, true)?);
        }
        Shape::new(&[oh, ow, self.filters])
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let mut y = x.conv2d(call.weight(&self.base, self.kernel)?, &self.window);
        if self.use_bias {
            y = y + call.weight(&self.base, self.bias)?;
        }
        Ok(self.activation.apply(call, y))
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Conv2D(self.clone()))
    }
}
