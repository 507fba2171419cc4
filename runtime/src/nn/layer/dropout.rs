use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::error::Number;
use crate::{Result, Shape, Var, misuse};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// While training, sets each element to zero with probability `rate` and divides the others by `1 - rate`
/// (`keras.layers.Dropout`; Srivastava et al. 2014).
///
/// **Shape**: any, unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dropout {
    pub(super) base: Base,
    rate: f32,
    noise_shape: Option<Vec<Option<u32>>>,
}

impl Dropout {
    /// Dropout with a rate in [0, 1].
    pub fn new(rate: f32) -> Dropout {
        Dropout { base: Base::default(), rate, noise_shape: None }
    }

    /// The extents of the noise, batch axis included; `None` is that of the input. Along an axis of extent 1 all
    /// elements are kept or dropped together.
    #[cfg(feature = "full")]
    pub fn noise_shape(mut self, noise_shape: &[Option<u32>]) -> Dropout {
        self.noise_shape = Some(noise_shape.to_vec());
        self
    }
}

/// Checks that a rate is in [0, 1].
pub(super) fn check_rate(layer: &str, rate: f32) -> Result<()> {
    if !(0.0..=1.0).contains(&rate) {
        return Err(misuse!("{layer}: expected a rate in [0, 1], got {}", Number(rate)));
    }
    Ok(())
}

/// The shape of the noise over `x`.
pub(super) fn noise_over(layer: &str, x: &Shape, noise: &Option<Vec<Option<u32>>>) -> Result<Shape> {
    let Some(noise) = noise else { return Ok(*x) };
    let dims: Vec<usize> =
        noise.iter().enumerate().map(|(a, d)| d.map_or(x.dim(a as isize), |d| d as usize)).collect();
    let shape = Shape::new(&dims)?;
    if shape.rank() != x.rank() || !shape.broadcasts_to(x) {
        return Err(misuse!("{layer}: noise of shape {shape} does not broadcast to input {x}"));
    }
    Ok(shape)
}

/// Drops elements of `x` by noise of a shape that broadcasts to it; `x` in inference mode.
pub(super) fn drop_out<'b>(call: &mut Call<'b>, x: Var<'b>, rate: f32, noise: Shape) -> Var<'b> {
    if !call.training() || rate == 0.0 {
        return x;
    }
    let Some(uniform) = call.random_uniform(noise) else { return x };
    let keep = uniform.greater_equal(uniform.scalar_like(rate));
    let scale = if rate < 1.0 { 1.0 / (1.0 - rate) } else { 0.0 };
    Var::select(keep, x * scale, x.scalar_like(0.0))
}

impl Layer for Dropout {
    named!("Dropout");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        check_rate(&self.base, self.rate)?;
        Ok(*input)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let noise = noise_over(&self.base, &x.shape(), &self.noise_shape)?;
        Ok(drop_out(call, x, self.rate, noise))
    }

    fn passes_mask(&self) -> bool {
        true
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Dropout(self.clone()))
    }
}
