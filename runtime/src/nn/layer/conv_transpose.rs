use super::param::{Affine, affine_setters, setters};
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{Padding, Result, Shape, Var, Window, misuse};
use serde::{Deserialize, Serialize};

/// Transposed 2-D convolution (`keras.layers.Conv2DTranspose`), channels last: what a convolution does to the
/// gradient of its input.
///
/// **Shape**: `[batch, h, w, c]` to `[batch, oh, ow, filters]`, where `oh` is `h * s` for `same` padding and
/// `h * s + max(k - s, 0)` for `valid`; kernel `[kh, kw, filters, c]`, bias `[filters]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conv2DTranspose {
    pub(super) base: Base,
    filters: usize,
    window: Window,
    output_padding: [Option<u32>; 2],
    affine: Affine,
}

impl Conv2DTranspose {
    /// `filters` filters of `kernel` cells (height, width): stride 1, valid padding, linear, with a bias.
    pub fn new(filters: usize, kernel: [u32; 2]) -> Conv2DTranspose {
        Conv2DTranspose {
            base: Base::default(),
            filters,
            window: Window::new(kernel),
            output_padding: [None; 2],
            affine: Affine::new(),
        }
    }

    /// Cells at the bottom and right beyond the smallest output that gives the input back, fewer than the strides.
    /// Without it the output has the extents above.
    pub fn output_padding(mut self, cells: [u32; 2]) -> Conv2DTranspose {
        self.output_padding = cells.map(Some);
        self
    }
}

affine_setters!(Conv2DTranspose, kernel);
setters! { Conv2DTranspose:
    /// Cells between neighbouring windows of the output.
    strides([u32; 2]) => window.strides;
    /// What lies beyond the border of the output.
    padding(Padding) => window.padding;
    /// Cells between neighbouring taps; above 1 only with strides of 1.
    dilation_rate([u32; 2]) => window.dilation;
}

/// The extent along one axis of the output for an input of `n` cells.
///
/// **Errors** when the convolution of that output would not have `n` cells.
fn extent(layer: &str, window: &Window, axis: usize, n: usize, extra: Option<u32>) -> Result<usize> {
    let (k, s, d) =
        (window.kernel[axis] as usize, window.strides[axis] as usize, window.dilation[axis] as usize);
    if k == 0 || s == 0 || d == 0 {
        return Err(misuse!("{layer}: kernel, strides and dilation must be at least 1, got {window:?}"));
    }
    if window.strides != [1, 1] && window.dilation != [1, 1] {
        return Err(misuse!(
            "{layer}: strides {:?} and dilation {:?} are both above 1; use one of them",
            window.strides,
            window.dilation
        ));
    }
    if extra.is_some_and(|p| p as usize >= s) {
        return Err(misuse!("{layer}: expected an output padding below the stride {s}, got {extra:?}"));
    }
    let reach = (k - 1).saturating_mul(d).saturating_add(1);
    let least = n.saturating_sub(1).saturating_mul(s);
    let out = match (window.padding, extra.map(|p| p as usize)) {
        (Padding::Same, None) => n.saturating_mul(s),
        (Padding::Same, Some(extra)) => least.saturating_add(reach % 2 + extra),
        (Padding::Valid, extra) => {
            least.saturating_add(reach).saturating_add(extra.unwrap_or(s.saturating_sub(reach)))
        }
        (Padding::Explicit(p), extra) => {
            let inner = least.saturating_add(reach).saturating_add(extra.unwrap_or(0));
            inner.saturating_sub(p[axis][0] as usize).saturating_sub(p[axis][1] as usize)
        }
    };
    match window.extent(axis, out) {
        Ok((back, _)) if back == n => Ok(out),
        _ => Err(misuse!(
            "{layer}: no output of {out} cells convolves to the {n} cells of the input; choose another output padding"
        )),
    }
}

impl Layer for Conv2DTranspose {
    named!("Conv2DTranspose");

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        super::expect_rank(&self.base, input, 3, "height, width, channels")?;
        super::expect_filters(&self.base, self.filters)?;
        let [top, left] = self.output_padding;
        let oh = extent(&self.base, &self.window, 0, input.dim(0), top)?;
        let ow = extent(&self.base, &self.window, 1, input.dim(1), left)?;
        let [kh, kw] = self.window.kernel.map(|k| k as usize);
        self.affine.build(weights, ("kernel", &[kh, kw, self.filters, input.dim(2)]), self.filters)?;
        Shape::new(&[oh, ow, self.filters])
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        super::expect_rank_of(&self.base, x, 4)?;
        let [top, left] = self.output_padding;
        let oh = extent(&self.base, &self.window, 0, x.dim(1), top)?;
        let ow = extent(&self.base, &self.window, 1, x.dim(2), left)?;
        let kernel = self.affine.kernel.get(call, &self.base)?;
        let y = x.conv2d_transpose(kernel, &[x.dim(0), oh, ow, self.filters], &self.window);
        self.affine.finish(call, &self.base, y)
    }

    fn multiply_adds(&self, input: &Shape, _: &Shape) -> u64 {
        input.numel() as u64 * super::taps(&self.window) * self.filters as u64
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Conv2DTranspose(self.clone()))
    }
}

/// Transposed 1-D convolution (`keras.layers.Conv1DTranspose`), channels last.
///
/// **Shape**: `[batch, steps, c]` to `[batch, new steps, filters]`, where the new steps are `steps * s` for `same`
/// padding and `steps * s + max(k - s, 0)` for `valid`; kernel `[k, filters, c]`, bias `[filters]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conv1DTranspose {
    pub(super) base: Base,
    filters: usize,
    /// Over one row.
    window: Window,
    output_padding: Option<u32>,
    affine: Affine,
}

impl Conv1DTranspose {
    /// `filters` filters of `kernel` steps: stride 1, valid padding, linear, with a bias.
    pub fn new(filters: usize, kernel: u32) -> Conv1DTranspose {
        Conv1DTranspose {
            base: Base::default(),
            filters,
            window: Window::new([1, kernel]),
            output_padding: None,
            affine: Affine::new(),
        }
    }

    /// Steps at the end beyond the smallest output that gives the input back, fewer than the stride. Without it
    /// the output has the extent above.
    pub fn output_padding(mut self, steps: u32) -> Conv1DTranspose {
        self.output_padding = Some(steps);
        self
    }

    /// Steps between neighbouring windows of the output.
    pub fn strides(mut self, strides: u32) -> Conv1DTranspose {
        self.window.strides = [1, strides];
        self
    }

    /// Steps between neighbouring taps; above 1 only with a stride of 1.
    pub fn dilation_rate(mut self, dilation: u32) -> Conv1DTranspose {
        self.window.dilation = [1, dilation];
        self
    }
}

affine_setters!(Conv1DTranspose, kernel);
setters! { Conv1DTranspose:
    /// What lies beyond the ends of the output.
    padding(Padding) => window.padding;
}

impl Layer for Conv1DTranspose {
    named!("Conv1DTranspose");

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        super::expect_rank(&self.base, input, 2, "steps, channels")?;
        super::expect_filters(&self.base, self.filters)?;
        let steps = extent(&self.base, &self.window, 1, input.dim(0), self.output_padding)?;
        let kernel = [self.window.kernel[1] as usize, self.filters, input.dim(1)];
        self.affine.build(weights, ("kernel", &kernel), self.filters)?;
        Shape::new(&[steps, self.filters])
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        super::expect_rank_of(&self.base, x, 3)?;
        let steps = extent(&self.base, &self.window, 1, x.dim(1), self.output_padding)?;
        let kernel = self.affine.kernel.get(call, &self.base)?.expand_dims(0);
        let output = [x.dim(0), 1, steps, self.filters];
        let y = x.expand_dims(1).conv2d_transpose(kernel, &output, &self.window).squeeze(&[1]);
        self.affine.finish(call, &self.base, y)
    }

    fn multiply_adds(&self, input: &Shape, _: &Shape) -> u64 {
        input.numel() as u64 * super::taps(&self.window) * self.filters as u64
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Conv1DTranspose(self.clone()))
    }
}
