use super::conv2d::check_groups;
use super::param::{Affine, affine_setters, setters};
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{Padding, Result, Shape, Var, Window};
use serde::{Deserialize, Serialize};

/// 3-D convolution (`keras.layers.Conv3D`), channels last: a sum of 2-D convolutions, one for each slice of the
/// kernel along the depth.
///
/// **Shape**: `[batch, d, h, w, c]` to `[batch, od, oh, ow, filters]`; kernel
/// `[kd, kh, kw, c / groups, filters]`, bias `[filters]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conv3D {
    pub(super) base: Base,
    filters: usize,
    /// Along the depth, over one row.
    depth: Window,
    window: Window,
    affine: Affine,
}

impl Conv3D {
    /// `filters` filters of `kernel` cells (depth, height, width): stride 1, valid padding, linear, with a bias.
    pub fn new(filters: usize, kernel: [u32; 3]) -> Conv3D {
        Conv3D {
            base: Base::default(),
            filters,
            depth: Window::new([1, kernel[0]]),
            window: Window::new([kernel[1], kernel[2]]),
            affine: Affine::new(),
        }
    }

    /// Cells between neighbouring windows.
    pub fn strides(mut self, [d, h, w]: [u32; 3]) -> Conv3D {
        (self.depth.strides, self.window.strides) = ([1, d], [h, w]);
        self
    }

    /// What lies beyond the border; explicit padding is that of height and width.
    pub fn padding(mut self, padding: Padding) -> Conv3D {
        self.window.padding = padding;
        self.depth.padding = if padding == Padding::Same { Padding::Same } else { Padding::Valid };
        self
    }

    /// Cells between neighbouring taps.
    pub fn dilation_rate(mut self, [d, h, w]: [u32; 3]) -> Conv3D {
        (self.depth.dilation, self.window.dilation) = ([1, d], [h, w]);
        self
    }
}

affine_setters!(Conv3D, kernel);
setters! { Conv3D:
    /// Channel groups.
    groups(u32) => window.groups;
}

impl Layer for Conv3D {
    named!("Conv3D");

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        super::expect_rank(&self.base, input, 4, "depth, height, width, channels")?;
        let c = input.dim(3);
        check_groups(&self.base, self.window.groups, c, self.filters)?;
        let within = |e: crate::Error| e.within(&self.base);
        let (od, _) = self.depth.extent(1, input.dim(0)).map_err(within)?;
        let (oh, _) = self.window.extent(0, input.dim(1)).map_err(within)?;
        let (ow, _) = self.window.extent(1, input.dim(2)).map_err(within)?;
        let [kh, kw] = self.window.kernel.map(|k| k as usize);
        let kd = self.depth.kernel[1] as usize;
        let kernel = [kd, kh, kw, c / self.window.groups as usize, self.filters];
        self.affine.build(weights, ("kernel", &kernel), self.filters)?;
        Shape::new(&[od, oh, ow, self.filters])
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        super::expect_rank_of(&self.base, x, 5)?;
        let kernel = self.affine.kernel.get(call, &self.base)?;
        let [n, d, h, w, c] = core::array::from_fn(|a| x.dim(a as isize));
        let (kd, sd, dd) = (kernel.dim(0), self.depth.strides[1] as usize, self.depth.dilation[1] as usize);
        let (od, before) = self.depth.extent(1, d).map_err(|e| e.within(&self.base))?;
        // Enough zeros behind that every tap can take whole strides.
        let reach = kd.saturating_sub(1).saturating_mul(dd).saturating_add(od.saturating_mul(sd));
        let after = reach.saturating_sub(d.saturating_add(before));
        let padded = x.pad(&[(0, 0), (before, after), (0, 0), (0, 0), (0, 0)], 0.0);
        let mut sum: Option<Var<'b>> = None;
        for tap in 0..kd {
            let slices = padded
                .slice_axis(1, tap * dd, od * sd)
                .reshape(&[n, od, sd, h, w, c])
                .slice_axis(2, 0, 1)
                .reshape(&[n * od, h, w, c]);
            let filter = kernel.slice_axis(0, tap, 1).squeeze(&[0]);
            let y = slices.conv2d(filter, &self.window);
            sum = Some(sum.map_or(y, |sum| sum + y));
        }
        let y = sum.unwrap_or(padded);
        let y = y.reshape(&[n, od, y.dim(1), y.dim(2), self.filters]);
        self.affine.finish(call, &self.base, y)
    }

    fn multiply_adds(&self, input: &Shape, output: &Shape) -> u64 {
        let taps = super::taps(&self.window) * super::taps(&self.depth);
        output.numel() as u64 * taps * (input.dim(-1) as u64) / u64::from(self.window.groups.max(1))
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Conv3D(self.clone()))
    }
}
