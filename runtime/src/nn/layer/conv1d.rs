use super::conv2d::check_groups;
use super::param::{Affine, affine_setters, setters};
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{Padding, Result, Shape, Var, Window};
use serde::{Deserialize, Serialize};

/// 1-D convolution over time (`keras.layers.Conv1D`), channels last: `activation(x * kernel + bias)`.
///
/// **Shape**: `[batch, steps, c]` to `[batch, new steps, filters]`; kernel `[k, c / groups, filters]`, bias
/// `[filters]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conv1D {
    pub(super) base: Base,
    filters: usize,
    /// Over one row.
    window: Window,
    causal: bool,
    affine: Affine,
}

impl Conv1D {
    /// `filters` filters of `kernel` steps: stride 1, valid padding, linear, with a bias.
    pub fn new(filters: usize, kernel: u32) -> Conv1D {
        Conv1D {
            base: Base::default(),
            filters,
            window: Window::new([1, kernel]),
            causal: false,
            affine: Affine::new(),
        }
    }

    /// Steps between neighbouring windows.
    pub fn strides(mut self, strides: u32) -> Conv1D {
        self.window.strides = [1, strides];
        self
    }

    /// Steps between neighbouring taps.
    pub fn dilation_rate(mut self, dilation: u32) -> Conv1D {
        self.window.dilation = [1, dilation];
        self
    }
}

affine_setters!(Conv1D, kernel);
setters! { Conv1D:
    /// What lies beyond the ends.
    padding(Padding) => window.padding;
    /// Whether a step of the output depends on no later step of the input: `padding="causal"`, with which the
    /// other padding does not count.
    causal(bool) => causal;
    /// Channel groups.
    groups(u32) => window.groups;
}

impl Conv1D {
    /// The window with zeros before the first step, as many as it reaches back.
    fn padded(&self) -> Window {
        let reach = self.window.kernel[1].saturating_sub(1).saturating_mul(self.window.dilation[1]);
        if self.causal { self.window.padding(Padding::Explicit([[0, 0], [reach, 0]])) } else { self.window }
    }
}

impl Layer for Conv1D {
    named!("Conv1D");

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        super::expect_rank(&self.base, input, 2, "steps, channels")?;
        let c = input.dim(1);
        check_groups(&self.base, self.window.groups, c, self.filters)?;
        let (steps, _) = self.padded().extent(1, input.dim(0)).map_err(|e| e.within(&self.base))?;
        let kernel = [self.window.kernel[1] as usize, c / self.window.groups as usize, self.filters];
        self.affine.build(weights, ("kernel", &kernel), self.filters)?;
        Shape::new(&[steps, self.filters])
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        super::expect_rank_of(&self.base, x, 3)?;
        let kernel = self.affine.kernel.get(call, &self.base)?.expand_dims(0);
        let y = x.expand_dims(1).conv2d(kernel, &self.padded()).squeeze(&[1]);
        self.affine.finish(call, &self.base, y)
    }

    fn multiply_adds(&self, input: &Shape, output: &Shape) -> u64 {
        output.numel() as u64 * super::taps(&self.window) * (input.dim(-1) as u64)
            / u64::from(self.window.groups.max(1))
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Conv1D(self.clone()))
    }
}
