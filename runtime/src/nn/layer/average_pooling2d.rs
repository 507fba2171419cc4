use super::param::setters;
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{Padding, Result, Shape, Var, Window};
use serde::{Deserialize, Serialize};

/// The mean of each window (`keras.layers.AveragePooling2D`), channels last; padded cells do not count.
///
/// **Shape**: `[batch, h, w, c]` to `[batch, oh, ow, c]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AveragePooling2D {
    pub(super) base: Base,
    window: Window,
}

impl AveragePooling2D {
    /// Windows of `pool` cells (height, width) that do not overlap; valid padding.
    pub fn new(pool: [u32; 2]) -> AveragePooling2D {
        AveragePooling2D { base: Base::default(), window: Window::new(pool).strides(pool) }
    }
}

setters! { AveragePooling2D:
    /// Cells between neighbouring windows.
    strides([u32; 2]) => window.strides;
    /// What lies beyond the border.
    padding(Padding) => window.padding;
}

impl Layer for AveragePooling2D {
    named!("AveragePooling2D");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        super::expect_rank(&self.base, input, 3, "height, width, channels")?;
        let [oh, ow] = super::extents(&self.base, &self.window, input)?;
        Shape::new(&[oh, ow, input.dim(2)])
    }

    fn call<'b>(&self, _: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        Ok(x.avg_pool2d(&self.window))
    }

    fn multiply_adds(&self, _: &Shape, output: &Shape) -> u64 {
        output.numel() as u64 * super::taps(&self.window)
    }

    fn window(&self) -> Option<Window> {
        Some(self.window)
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::AveragePooling2D(self.clone()))
    }
}
