use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{Result, Shape, Var};
use serde::{Deserialize, Serialize};

/// The ways in which [`RandomFlip`] mirrors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlipMode {
    /// Left and right.
    Horizontal,
    /// Top and bottom.
    Vertical,
    /// Both, each by itself.
    #[default]
    HorizontalAndVertical,
}

/// While training, mirrors each image with probability 1/2 (`keras.layers.RandomFlip`), channels last.
///
/// **Shape**: `[batch, h, w, c]`, unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomFlip {
    pub(super) base: Base,
    mode: FlipMode,
}

impl RandomFlip {
    /// Mirrors in this way.
    pub fn new(mode: FlipMode) -> RandomFlip {
        RandomFlip { base: Base::default(), mode }
    }
}

/// Half of the samples with this axis reversed.
fn flip<'b>(call: &mut Call<'b>, x: Var<'b>, axis: isize) -> Result<Var<'b>> {
    let Some(coin) = call.random_uniform(Shape::new(&[x.dim(0), 1, 1, 1])?) else { return Ok(x) };
    Ok(Var::select(coin.less(coin.scalar_like(0.5)), x.reverse(&[axis]), x))
}

impl Layer for RandomFlip {
    named!("RandomFlip");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        super::expect_rank(&self.base, input, 3, "height, width, channels")?;
        Ok(*input)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        super::expect_rank_of(&self.base, x, 4)?;
        if !call.training() {
            return Ok(x);
        }
        match self.mode {
            FlipMode::Horizontal => flip(call, x, 2),
            FlipMode::Vertical => flip(call, x, 1),
            FlipMode::HorizontalAndVertical => {
                let y = flip(call, x, 2)?;
                flip(call, y, 1)
            }
        }
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::RandomFlip(self.clone()))
    }
}
