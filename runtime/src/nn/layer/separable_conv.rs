use super::depthwise_conv::{check_multiplier, depthwise};
use super::param::{Affine, Param, affine_setters, setters};
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::nn::Initializer;
use crate::{Padding, Result, Shape, Var, Window};
use serde::{Deserialize, Serialize};

/// A depthwise convolution, then one of single cells that mixes the channels (`keras.layers.SeparableConv2D`),
/// channels last.
///
/// **Shape**: `[batch, h, w, c]` to `[batch, oh, ow, filters]`; depthwise kernel `[kh, kw, c, depth_multiplier]`,
/// pointwise kernel `[1, 1, c * depth_multiplier, filters]`, bias `[filters]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeparableConv2D {
    pub(super) base: Base,
    filters: usize,
    depth_multiplier: usize,
    window: Window,
    depthwise: Param,
    affine: Affine,
}

impl SeparableConv2D {
    /// `filters` filters of `kernel` cells (height, width): stride 1, valid padding, linear, with a bias.
    pub fn new(filters: usize, kernel: [u32; 2]) -> SeparableConv2D {
        SeparableConv2D {
            base: Base::default(),
            filters,
            depth_multiplier: 1,
            window: Window::new(kernel),
            depthwise: Param::new(Initializer::GlorotUniform),
            affine: Affine::new(),
        }
    }
}

affine_setters!(SeparableConv2D);
setters! { SeparableConv2D:
    /// Filters a channel of the depthwise convolution.
    depth_multiplier(usize) => depth_multiplier;
    /// Cells between neighbouring windows.
    strides([u32; 2]) => window.strides;
    /// What lies beyond the border.
    padding(Padding) => window.padding;
    /// Cells between neighbouring taps.
    dilation_rate([u32; 2]) => window.dilation;
    /// How the depthwise kernel starts.
    depthwise_initializer(Initializer) => depthwise.initializer;
    /// The penalty of the depthwise kernel.
    depthwise_regularizer(crate::nn::Regularizer) => depthwise.regularizer;
    /// What the depthwise kernel is projected to after each step.
    depthwise_constraint(crate::nn::Constraint) => depthwise.constraint;
    /// How the pointwise kernel starts.
    pointwise_initializer(Initializer) => affine.kernel.initializer;
    /// The penalty of the pointwise kernel.
    pointwise_regularizer(crate::nn::Regularizer) => affine.kernel.regularizer;
    /// What the pointwise kernel is projected to after each step.
    pointwise_constraint(crate::nn::Constraint) => affine.kernel.constraint;
}

fn check(layer: &str, multiplier: usize, filters: usize) -> Result<()> {
    check_multiplier(layer, multiplier)?;
    super::expect_filters(layer, filters)
}

/// Multiply-adds of both steps on one sample.
fn multiply_adds(window: &Window, mixed: usize, output: &Shape) -> u64 {
    let cells = output.numel() as u64 / output.dim(-1).max(1) as u64;
    cells * mixed as u64 * (super::taps(window) + output.dim(-1) as u64)
}

impl Layer for SeparableConv2D {
    named!("SeparableConv2D");

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        super::expect_rank(&self.base, input, 3, "height, width, channels")?;
        check(&self.base, self.depth_multiplier, self.filters)?;
        let [oh, ow] = super::extents(&self.base, &self.window, input)?;
        let [kh, kw] = self.window.kernel.map(|k| k as usize);
        let c = input.dim(2);
        self.depthwise.build(weights, "depthwise_kernel", &[kh, kw, c, self.depth_multiplier])?;
        let pointwise = [1, 1, c.saturating_mul(self.depth_multiplier), self.filters];
        self.affine.build(weights, ("pointwise_kernel", &pointwise), self.filters)?;
        Shape::new(&[oh, ow, self.filters])
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let y = depthwise(x, self.depthwise.get(call, &self.base)?, &self.window);
        let y = y.conv2d(self.affine.kernel.get(call, &self.base)?, &Window::new([1, 1]));
        self.affine.finish(call, &self.base, y)
    }

    fn multiply_adds(&self, input: &Shape, output: &Shape) -> u64 {
        multiply_adds(&self.window, input.dim(-1).saturating_mul(self.depth_multiplier), output)
    }

    fn window(&self) -> Option<Window> {
        Some(self.window)
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::SeparableConv2D(self.clone()))
    }
}

/// A depthwise convolution over time, then one of single steps that mixes the channels
/// (`keras.layers.SeparableConv1D`), channels last.
///
/// **Shape**: `[batch, steps, c]` to `[batch, new steps, filters]`; depthwise kernel `[k, c, depth_multiplier]`,
/// pointwise kernel `[1, c * depth_multiplier, filters]`, bias `[filters]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeparableConv1D {
    pub(super) base: Base,
    filters: usize,
    depth_multiplier: usize,
    /// Over one row.
    window: Window,
    depthwise: Param,
    affine: Affine,
}

impl SeparableConv1D {
    /// `filters` filters of `kernel` steps: stride 1, valid padding, linear, with a bias.
    pub fn new(filters: usize, kernel: u32) -> SeparableConv1D {
        SeparableConv1D {
            base: Base::default(),
            filters,
            depth_multiplier: 1,
            window: Window::new([1, kernel]),
            depthwise: Param::new(Initializer::GlorotUniform),
            affine: Affine::new(),
        }
    }

    /// Steps between neighbouring windows.
    pub fn strides(mut self, strides: u32) -> SeparableConv1D {
        self.window.strides = [1, strides];
        self
    }

    /// Steps between neighbouring taps.
    pub fn dilation_rate(mut self, dilation: u32) -> SeparableConv1D {
        self.window.dilation = [1, dilation];
        self
    }
}

affine_setters!(SeparableConv1D);
setters! { SeparableConv1D:
    /// Filters a channel of the depthwise convolution.
    depth_multiplier(usize) => depth_multiplier;
    /// What lies beyond the ends.
    padding(Padding) => window.padding;
    /// How the depthwise kernel starts.
    depthwise_initializer(Initializer) => depthwise.initializer;
    /// The penalty of the depthwise kernel.
    depthwise_regularizer(crate::nn::Regularizer) => depthwise.regularizer;
    /// What the depthwise kernel is projected to after each step.
    depthwise_constraint(crate::nn::Constraint) => depthwise.constraint;
    /// How the pointwise kernel starts.
    pointwise_initializer(Initializer) => affine.kernel.initializer;
    /// The penalty of the pointwise kernel.
    pointwise_regularizer(crate::nn::Regularizer) => affine.kernel.regularizer;
    /// What the pointwise kernel is projected to after each step.
    pointwise_constraint(crate::nn::Constraint) => affine.kernel.constraint;
}

impl Layer for SeparableConv1D {
    named!("SeparableConv1D");

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        super::expect_rank(&self.base, input, 2, "steps, channels")?;
        check(&self.base, self.depth_multiplier, self.filters)?;
        let (steps, _) = self.window.extent(1, input.dim(0)).map_err(|e| e.within(&self.base))?;
        let (k, c) = (self.window.kernel[1] as usize, input.dim(1));
        self.depthwise.build(weights, "depthwise_kernel", &[k, c, self.depth_multiplier])?;
        let pointwise = [1, c.saturating_mul(self.depth_multiplier), self.filters];
        self.affine.build(weights, ("pointwise_kernel", &pointwise), self.filters)?;
        Shape::new(&[steps, self.filters])
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        super::expect_rank_of(&self.base, x, 3)?;
        let kernel = self.depthwise.get(call, &self.base)?.expand_dims(0);
        let pointwise = self.affine.kernel.get(call, &self.base)?.expand_dims(0);
        let y = depthwise(x.expand_dims(1), kernel, &self.window);
        let y = y.conv2d(pointwise, &Window::new([1, 1])).squeeze(&[1]);
        self.affine.finish(call, &self.base, y)
    }

    fn multiply_adds(&self, input: &Shape, output: &Shape) -> u64 {
        multiply_adds(&self.window, input.dim(-1).saturating_mul(self.depth_multiplier), output)
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::SeparableConv1D(self.clone()))
    }
}
