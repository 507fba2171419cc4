use super::resample::{Interpolation, resize};
use super::resizing::{centre, crop_to_ratio};
use super::warp::iota;
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{DType, Result, Shape, Var, misuse};
use serde::{Deserialize, Serialize};

/// The shape of cropped samples.
fn cropped(layer: &str, input: &Shape, size: [usize; 2]) -> Result<Shape> {
    super::expect_rank(layer, input, 3, "height, width, channels")?;
    if input.numel() == 0 || size.contains(&0) {
        let input = super::batched(input);
        return Err(misuse!("{layer}: cannot crop input {input} to {} x {}", size[0], size[1]));
    }
    Shape::new(&[size[0], size[1], input.dim(2)])
}

/// The largest window of the right ratio in the centre of each image, resized.
fn fitted<'b>(x: Var<'b>, size: [usize; 2]) -> Result<Var<'b>> {
    resize(crop_to_ratio(x, size), size, Interpolation::Bilinear, false)
}

/// A window in the centre of each image (`keras.layers.CenterCrop`), channels last. Of images that are too small the
/// largest window of that ratio is resized.
///
/// **Shape**: `[batch, h, w, c]` to `[batch, height, width, c]`; the result is float32.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CenterCrop {
    pub(super) base: Base,
    size: [usize; 2],
}

impl CenterCrop {
    /// Windows of this height and width.
    pub fn new(height: usize, width: usize) -> CenterCrop {
        CenterCrop { base: Base::default(), size: [height, width] }
    }
}

impl Layer for CenterCrop {
    named!("CenterCrop");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        cropped(&self.base, input, self.size)
    }

    fn call<'b>(&self, _: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        super::expect_rank_of(&self.base, x, 4)?;
        let x = x.cast(DType::F32);
        let fits = x.dim(1) >= self.size[0] && x.dim(2) >= self.size[1];
        if fits { Ok(centre(x, self.size)) } else { fitted(x, self.size) }
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::CenterCrop(self.clone()))
    }
}

/// While training, a window anywhere in each image (`keras.layers.RandomCrop`), channels last. Elsewhere, and of images
/// that are too small, the largest window of that ratio in the centre is resized.
///
/// **Shape**: `[batch, h, w, c]` to `[batch, height, width, c]`; the result is float32.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomCrop {
    pub(super) base: Base,
    size: [usize; 2],
}

impl RandomCrop {
    /// Windows of this height and width.
    pub fn new(height: usize, width: usize) -> RandomCrop {
        RandomCrop { base: Base::default(), size: [height, width] }
    }
}

/// `to` cells along an axis of each image, from a random one on.
fn window<'b>(call: &mut Call<'b>, x: Var<'b>, axis: usize, to: usize) -> Result<Option<Var<'b>>> {
    let places = x.dim(axis as isize).saturating_sub(to) + 1;
    let Some(uniform) = call.random_uniform(Shape::new(&[x.dim(0), 1])?) else { return Ok(None) };
    let last = places.saturating_sub(1) as f32;
    let start = (uniform * places as f32).floor().minimum(uniform.scalar_like(last)).cast(DType::I32);
    Ok(Some(x.gather_batched(start + iota(x, &[1, to]), axis as isize, 1)))
}

impl Layer for RandomCrop {
    named!("RandomCrop");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        cropped(&self.base, input, self.size)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        super::expect_rank_of(&self.base, x, 4)?;
        let (x, [height, width]) = (x.cast(DType::F32), self.size);
        let fits = x.dim(1) >= height && x.dim(2) >= width;
        if call.training()
            && fits
            && let Some(rows) = window(call, x, 1, height)?
            && let Some(cells) = window(call, rows, 2, width)?
        {
            return Ok(cells);
        }
        fitted(x, self.size)
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::RandomCrop(self.clone()))
    }
}
