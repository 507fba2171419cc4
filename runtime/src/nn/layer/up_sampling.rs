use super::param::setters;
use super::resample::{Interpolation, resize};
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{Result, Shape, Var, misuse};
use serde::{Deserialize, Serialize};

/// `x` with each cell along `axis` `times` times.
fn repeat(x: Var<'_>, axis: usize, times: usize) -> Var<'_> {
    let mut dims = x.shape().to_vec();
    dims.insert(axis + 1, times);
    let copies = x.expand_dims(axis as isize + 1).broadcast_to(&dims);
    copies.reshaped(x.shape().with_dim(axis as isize, x.dim(axis as isize) * times))
}

/// The sample shape with larger extents.
fn larger(layer: &str, input: &Shape, size: &[u32]) -> Result<Shape> {
    if size.contains(&0) {
        return Err(misuse!("{layer}: expected a size of at least 1, got {size:?}"));
    }
    let mut dims = input.to_vec();
    dims.iter_mut().zip(size).for_each(|(dim, size)| *dim = dim.saturating_mul(*size as usize));
    Shape::new(&dims)
}

/// Each step several times (`keras.layers.UpSampling1D`).
///
/// **Shape**: `[batch, steps, c]` to `[batch, steps * size, c]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpSampling1D {
    pub(super) base: Base,
    size: u32,
}

impl UpSampling1D {
    /// `size` times; Keras's default is 2.
    pub fn new(size: u32) -> UpSampling1D {
        UpSampling1D { base: Base::default(), size }
    }
}

impl Layer for UpSampling1D {
    named!("UpSampling1D");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        super::expect_rank(&self.base, input, 2, "steps, channels")?;
        larger(&self.base, input, &[self.size])
    }

    fn call<'b>(&self, _: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        super::expect_rank_of(&self.base, x, 3)?;
        Ok(repeat(x, 1, self.size as usize))
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::UpSampling1D(self.clone()))
    }
}

/// Images several times as high and wide (`keras.layers.UpSampling2D`), channels last.
///
/// **Shape**: `[batch, h, w, c]` to `[batch, h * size[0], w * size[1], c]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpSampling2D {
    pub(super) base: Base,
    size: [u32; 2],
    interpolation: Interpolation,
}

impl UpSampling2D {
    /// So many times as high and wide, each cell repeated; Keras's default is `[2, 2]`.
    pub fn new(size: [u32; 2]) -> UpSampling2D {
        UpSampling2D { base: Base::default(), size, interpolation: Interpolation::Nearest }
    }
}

setters! { UpSampling2D:
    /// How the cells between cells are found.
    interpolation(Interpolation) => interpolation;
}

impl Layer for UpSampling2D {
    named!("UpSampling2D");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        super::expect_rank(&self.base, input, 3, "height, width, channels")?;
        larger(&self.base, input, &self.size)
    }

    fn call<'b>(&self, _: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        super::expect_rank_of(&self.base, x, 4)?;
        let [h, w] = self.size.map(|s| s as usize);
        match self.interpolation {
            Interpolation::Nearest => Ok(repeat(repeat(x, 1, h), 2, w)),
            how => resize(x, [x.dim(1) * h, x.dim(2) * w], how, false),
        }
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::UpSampling2D(self.clone()))
    }
}
