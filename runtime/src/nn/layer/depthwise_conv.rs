use super::param::{Affine, affine_setters, setters};
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::nn::Initializer;
use crate::{Padding, Result, Shape, Var, Window, misuse};
use serde::{Deserialize, Serialize};

/// Convolves each channel by `depth_multiplier` filters of its own (`keras.layers.DepthwiseConv2D`), channels last.
///
/// **Shape**: `[batch, h, w, c]` to `[batch, oh, ow, c * depth_multiplier]`; kernel
/// `[kh, kw, c, depth_multiplier]`, bias `[c * depth_multiplier]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DepthwiseConv2D {
    pub(super) base: Base,
    depth_multiplier: usize,
    window: Window,
    affine: Affine,
}

impl DepthwiseConv2D {
    /// One filter a channel of `kernel` cells (height, width): stride 1, valid padding, linear, with a bias.
    pub fn new(kernel: [u32; 2]) -> DepthwiseConv2D {
        DepthwiseConv2D {
            base: Base::default(),
            depth_multiplier: 1,
            window: Window::new(kernel),
            affine: Affine::new(),
        }
    }
}

affine_setters!(DepthwiseConv2D);
setters! { DepthwiseConv2D:
    /// Filters a channel.
    depth_multiplier(usize) => depth_multiplier;
    /// Cells between neighbouring windows.
    strides([u32; 2]) => window.strides;
    /// What lies beyond the border.
    padding(Padding) => window.padding;
    /// Cells between neighbouring taps.
    dilation_rate([u32; 2]) => window.dilation;
    /// How the kernel starts.
    depthwise_initializer(Initializer) => affine.kernel.initializer;
    /// The penalty of the kernel.
    depthwise_regularizer(crate::nn::Regularizer) => affine.kernel.regularizer;
    /// What the kernel is projected to after each step.
    depthwise_constraint(crate::nn::Constraint) => affine.kernel.constraint;
}

/// A depthwise convolution as one over as many groups as channels: the kernel is `[kh, kw, c, multiplier]`.
pub(super) fn depthwise<'b>(x: Var<'b>, kernel: Var<'b>, window: &Window) -> Var<'b> {
    let [kh, kw, c, multiplier] = core::array::from_fn(|a| kernel.dim(a as isize));
    x.conv2d(kernel.reshape(&[kh, kw, 1, c * multiplier]), &window.groups(c as u32))
}

/// Checks the multiplier.
pub(super) fn check_multiplier(layer: &str, multiplier: usize) -> Result<()> {
    match multiplier {
        0 => Err(misuse!("{layer}: expected a depth multiplier of at least 1, got 0")),
        _ => Ok(()),
    }
}

impl Layer for DepthwiseConv2D {
    named!("DepthwiseConv2D");

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        super::expect_rank(&self.base, input, 3, "height, width, channels")?;
        check_multiplier(&self.base, self.depth_multiplier)?;
        let [oh, ow] = super::extents(&self.base, &self.window, input)?;
        let [kh, kw] = self.window.kernel.map(|k| k as usize);
        let (c, outputs) = (input.dim(2), input.dim(2).saturating_mul(self.depth_multiplier));
        self.affine.build(weights, ("kernel", &[kh, kw, c, self.depth_multiplier]), outputs)?;
        Shape::new(&[oh, ow, outputs])
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let y = depthwise(x, self.affine.kernel.get(call, &self.base)?, &self.window);
        self.affine.finish(call, &self.base, y)
    }

    fn multiply_adds(&self, _: &Shape, output: &Shape) -> u64 {
        output.numel() as u64 * super::taps(&self.window)
    }

    fn window(&self) -> Option<Window> {
        Some(self.window)
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::DepthwiseConv2D(self.clone()))
    }
}

/// Convolves each channel over time by `depth_multiplier` filters of its own (`keras.layers.DepthwiseConv1D`),
/// channels last.
///
/// **Shape**: `[batch, steps, c]` to `[batch, new steps, c * depth_multiplier]`; kernel
/// `[k, c, depth_multiplier]`, bias `[c * depth_multiplier]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DepthwiseConv1D {
    pub(super) base: Base,
    depth_multiplier: usize,
    /// Over one row.
    window: Window,
    affine: Affine,
}

impl DepthwiseConv1D {
    /// One filter a channel of `kernel` steps: stride 1, valid padding, linear, with a bias.
    pub fn new(kernel: u32) -> DepthwiseConv1D {
        DepthwiseConv1D {
            base: Base::default(),
            depth_multiplier: 1,
            window: Window::new([1, kernel]),
            affine: Affine::new(),
        }
    }

    /// Steps between neighbouring windows.
    pub fn strides(mut self, strides: u32) -> DepthwiseConv1D {
        self.window.strides = [1, strides];
        self
    }

    /// Steps between neighbouring taps.
    pub fn dilation_rate(mut self, dilation: u32) -> DepthwiseConv1D {
        self.window.dilation = [1, dilation];
        self
    }
}

affine_setters!(DepthwiseConv1D);
setters! { DepthwiseConv1D:
    /// Filters a channel.
    depth_multiplier(usize) => depth_multiplier;
    /// What lies beyond the ends.
    padding(Padding) => window.padding;
    /// How the kernel starts.
    depthwise_initializer(Initializer) => affine.kernel.initializer;
    /// The penalty of the kernel.
    depthwise_regularizer(crate::nn::Regularizer) => affine.kernel.regularizer;
    /// What the kernel is projected to after each step.
    depthwise_constraint(crate::nn::Constraint) => affine.kernel.constraint;
}

impl Layer for DepthwiseConv1D {
    named!("DepthwiseConv1D");

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        super::expect_rank(&self.base, input, 2, "steps, channels")?;
        check_multiplier(&self.base, self.depth_multiplier)?;
        let (steps, _) = self.window.extent(1, input.dim(0)).map_err(|e| e.within(&self.base))?;
        let (c, outputs) = (input.dim(1), input.dim(1).saturating_mul(self.depth_multiplier));
        let kernel = [self.window.kernel[1] as usize, c, self.depth_multiplier];
        self.affine.build(weights, ("kernel", &kernel), outputs)?;
        Shape::new(&[steps, outputs])
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        super::expect_rank_of(&self.base, x, 3)?;
        let kernel = self.affine.kernel.get(call, &self.base)?.expand_dims(0);
        let y = depthwise(x.expand_dims(1), kernel, &self.window).squeeze(&[1]);
        self.affine.finish(call, &self.base, y)
    }

    fn multiply_adds(&self, _: &Shape, output: &Shape) -> u64 {
        output.numel() as u64 * super::taps(&self.window)
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::DepthwiseConv1D(self.clone()))
    }
}
