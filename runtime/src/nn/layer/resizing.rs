use super::param::setters;
use super::resample::{Interpolation, resize};
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{DType, Result, Shape, Var, misuse};
use serde::{Deserialize, Serialize};

/// What is done to images of another aspect ratio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Aspect {
    /// They are stretched.
    #[default]
    Stretch,
    /// The largest window in their centre with the right ratio is taken.
    Crop,
    /// They are put in the centre of the smallest frame with the right ratio.
    Pad,
}

/// Images of one size (`keras.layers.Resizing`), channels last, by half-pixel centres.
///
/// **Shape**: `[batch, h, w, c]` to `[batch, height, width, c]`; the result is float32.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resizing {
    pub(super) base: Base,
    height: usize,
    width: usize,
    interpolation: Interpolation,
    antialias: bool,
    aspect: Aspect,
    fill_value: f32,
}

impl Resizing {
    /// To this height and width, bilinear, stretched.
    pub fn new(height: usize, width: usize) -> Resizing {
        Resizing {
            base: Base::default(),
            height,
            width,
            interpolation: Interpolation::Bilinear,
            antialias: false,
            aspect: Aspect::Stretch,
            fill_value: 0.0,
        }
    }
}

setters! { Resizing:
    /// How cells between cells are found.
    interpolation(Interpolation) => interpolation;
    /// Whether smaller images are made of all cells that each of theirs covers.
    antialias(bool) => antialias;
    /// What is done to images of another aspect ratio (`crop_to_aspect_ratio`, `pad_to_aspect_ratio`).
    aspect(Aspect) => aspect;
    /// The value of the frame with [`Aspect::Pad`].
    fill_value(f32) => fill_value;
}

/// The extents of the ratio `to` with the width, and with the height, of `from`.
fn of_ratio(from: [usize; 2], to: [usize; 2]) -> [usize; 2] {
    let share = |n: usize, a: usize, b: usize| n.saturating_mul(a) / b.max(1);
    [share(from[1], to[0], to[1]), share(from[0], to[1], to[0])]
}

/// The largest window in the centre of images that has the ratio of `to`.
pub(super) fn crop_to_ratio<'b>(x: Var<'b>, to: [usize; 2]) -> Var<'b> {
    let from = [x.dim(1), x.dim(2)];
    let whole = of_ratio(from, to);
    let size = [whole[0].min(from[0]).max(1), whole[1].min(from[1]).max(1)];
    centre(x, size)
}

/// A window of this size in the centre of images, the odd cell being left out at the bottom and right.
pub(super) fn centre(x: Var<'_>, size: [usize; 2]) -> Var<'_> {
    let begin = |axis: usize| x.dim(axis as isize + 1).saturating_sub(size[axis]) / 2;
    x.slice(&[0, begin(0), begin(1), 0], &[x.dim(0), size[0], size[1], x.dim(3)])
}

/// Images in the centre of the smallest frame that has the ratio of `to`.
fn pad_to_ratio(x: Var<'_>, to: [usize; 2], value: f32) -> Var<'_> {
    let from = [x.dim(1), x.dim(2)];
    let whole = of_ratio(from, to);
    // The same on both sides, as TensorFlow does.
    let side = |axis: usize| whole[axis].saturating_sub(from[axis]) / 2;
    x.pad(&[(0, 0), (side(0), side(0)), (side(1), side(1)), (0, 0)], value)
}

impl Layer for Resizing {
    named!("Resizing");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        super::expect_rank(&self.base, input, 3, "height, width, channels")?;
        if input.numel() == 0 || self.height == 0 || self.width == 0 {
            return Err(misuse!(
                "{}: cannot make images of {} x {} of input {}",
                self.base,
                self.height,
                self.width,
                super::batched(input)
            ));
        }
        Shape::new(&[self.height, self.width, input.dim(2)])
    }

    fn call<'b>(&self, _: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        super::expect_rank_of(&self.base, x, 4)?;
        let (x, to) = (x.cast(DType::F32), [self.height, self.width]);
        let x = match self.aspect {
            Aspect::Stretch => x,
            Aspect::Crop => crop_to_ratio(x, to),
            Aspect::Pad => pad_to_ratio(x, to, self.fill_value),
        };
        resize(x, to, self.interpolation, self.antialias)
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Resizing(self.clone()))
    }
}
