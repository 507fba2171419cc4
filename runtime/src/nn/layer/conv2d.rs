use super::param::{Affine, affine_setters, setters};
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{Padding, Result, Shape, Var, Window, misuse};
use serde::{Deserialize, Serialize};

/// 2-D convolution (`keras.layers.Conv2D`), channels last: `activation(x * kernel + bias)`.
///
/// **Shape**: `[batch, h, w, c]` to `[batch, oh, ow, filters]`; kernel `[kh, kw, c / groups, filters]`, bias
/// `[filters]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conv2D {
    pub(super) base: Base,
    filters: usize,
    window: Window,
    affine: Affine,
}

impl Conv2D {
    /// `filters` filters of `kernel` cells (height, width): stride 1, valid padding, linear, with a bias.
    pub fn new(filters: usize, kernel: [u32; 2]) -> Conv2D {
        Conv2D { base: Base::default(), filters, window: Window::new(kernel), affine: Affine::new() }
    }
}

affine_setters!(Conv2D, kernel);
setters! { Conv2D:
    /// Cells between neighbouring windows.
    strides([u32; 2]) => window.strides;
    /// What lies beyond the border.
    padding(Padding) => window.padding;
    /// Cells between neighbouring taps.
    dilation_rate([u32; 2]) => window.dilation;
    /// Channel groups.
    groups(u32) => window.groups;
}

/// Checks that the groups divide channels and filters.
pub(super) fn check_groups(layer: &str, groups: u32, channels: usize, filters: usize) -> Result<()> {
    let groups = groups as usize;
    if groups == 0 || filters == 0 || !channels.is_multiple_of(groups) || !filters.is_multiple_of(groups) {
        return Err(misuse!(
            "{layer}: {groups} groups must divide {channels} input channels and {filters} filters"
        ));
    }
    Ok(())
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
        let c = input.dim(2);
        check_groups(&self.base, self.window.groups, c, self.filters)?;
        let extent = |axis: usize| self.window.extent(axis, input.dim(axis as isize));
        let (oh, _) = extent(0).map_err(|e| e.within(&self.base))?;
        let (ow, _) = extent(1).map_err(|e| e.within(&self.base))?;
        let [kh, kw] = self.window.kernel.map(|k| k as usize);
        let kernel = [kh, kw, c / self.window.groups as usize, self.filters];
        self.affine.build(weights, ("kernel", &kernel), self.filters)?;
        Shape::new(&[oh, ow, self.filters])
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let y = x.conv2d(self.affine.kernel.get(call, &self.base)?, &self.window);
        self.affine.finish(call, &self.base, y)
    }

    fn multiply_adds(&self, input: &Shape, output: &Shape) -> u64 {
        output.numel() as u64 * super::taps(&self.window) * (input.dim(-1) as u64)
            / u64::from(self.window.groups.max(1))
    }

    fn window(&self) -> Option<Window> {
        Some(self.window)
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Conv2D(self.clone()))
    }
}
