use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{Padding, Result, Shape, Var, Window, misuse};
use serde::{Deserialize, Serialize};

/// The largest cell of each window (`keras.layers.MaxPooling2D`), channels last.
///
/// **Shape**: `[batch, h, w, c]` to `[batch, oh, ow, c]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaxPooling2D {
    pub(super) base: Base,
    window: Window,
}

impl MaxPooling2D {
    /// Windows of `pool` cells (height, width) that do not overlap; valid padding.
    pub fn new(pool: [u32; 2]) -> MaxPooling2D {
        MaxPooling2D { base: Base::default(), window: Window::new(pool).strides(pool) }
    }

    /// Cells between neighbouring windows.
    pub fn strides(mut self, strides: [u32; 2]) -> MaxPooling2D {
        self.window = self.window.strides(strides);
        self
    }

    /// What lies beyond the border; padded cells never win.
    pub fn padding(mut self, padding: Padding) -> MaxPooling2D {
        self.window = self.window.padding(padding);
        self
    }
}

impl Layer for MaxPooling2D {
    named!("MaxPooling2D");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        if input.rank() != 3 {
            return Err(misuse!(
                "{}: expected input of shape [batch, height, width, channels], got {}",
                self.base,
                super::batched(input)
            ));
        }
        let extent = |axis: usize| self.window.extent(axis, input.dim(axis as isize));
        let (oh, _) = extent(0).map_err(|e| e.within(&self.base))?;
        let (ow, _) = extent(1).map_err(|e| e.within(&self.base))?;
        Shape::new(&[oh, ow, input.dim(2)])
    }

    fn call<'b>(&self, _: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        Ok(x.max_pool2d(&self.window))
    }

    fn multiply_adds(&self, _: &Shape, output: &Shape) -> u64 {
        output.numel() as u64 * super::taps(&self.window)
    }

    fn window(&self) -> Option<Window> {
        Some(self.window)
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::MaxPooling2D(self.clone()))
    }
}
