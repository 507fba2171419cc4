use super::layer_normalization::sample_of;
use super::{Base, Call, Layer, LayerConfig, Weights, batched, named};
use crate::{Result, Shape, Var, misuse};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The same elements of each sample under another shape (`keras.layers.Reshape`).
///
/// **Shape**: `[batch, ..]` to `[batch, target..]`; one extent of the target can be -1, which means the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reshape {
    pub(super) base: Base,
    target: Vec<i32>,
}

impl Reshape {
    /// Samples of the shape `target`.
    pub fn new(target: &[i32]) -> Reshape {
        Reshape { base: Base::default(), target: target.to_vec() }
    }

    fn shape(&self, sample: &Shape) -> Result<Shape> {
        let no = || {
            misuse!(
                "{}: input {} does not fit the target shape {:?}; expected as many elements and at most one -1",
                self.base,
                batched(sample),
                self.target
            )
        };
        let known: usize =
            self.target.iter().filter(|d| **d >= 0).fold(1, |all, d| all.saturating_mul(*d as usize));
        let dims: Vec<usize> = self
            .target
            .iter()
            .map(|&d| if d >= 0 { d as usize } else { sample.numel() / known.max(1) })
            .collect();
        let shape = Shape::new(&dims).map_err(|_| no())?;
        let wild = self.target.iter().filter(|d| **d < 0).count();
        let fits = shape.numel() == sample.numel() && wild <= 1 && self.target.iter().all(|d| *d >= -1);
        if fits { Ok(shape) } else { Err(no()) }
    }
}

impl Layer for Reshape {
    named!("Reshape");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        self.shape(input)
    }

    fn call<'b>(&self, _: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let mut dims = self.shape(&sample_of(x)?)?.to_vec();
        dims.insert(0, x.dim(0));
        Ok(x.reshape(&dims))
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Reshape(self.clone()))
    }
}

/// The axes of each sample in another order (`keras.layers.Permute`).
///
/// **Shape**: `[batch, ..]` to `[batch, ..]`: axis i of the result, counted from 1, is axis `dims[i - 1]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Permute {
    pub(super) base: Base,
    dims: Vec<u32>,
}

impl Permute {
    /// The order, a permutation of 1, 2, ..
    pub fn new(dims: &[u32]) -> Permute {
        Permute { base: Base::default(), dims: dims.to_vec() }
    }
}

impl Layer for Permute {
    named!("Permute");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        let mut sorted = self.dims.clone();
        sorted.sort_unstable();
        if sorted.len() != input.rank() || !sorted.iter().copied().eq(1..=input.rank() as u32) {
            return Err(misuse!(
                "{}: expected a permutation of 1 to {} for input {}, got {:?}",
                self.base,
                input.rank(),
                batched(input),
                self.dims
            ));
        }
        let dims: Vec<usize> = self.dims.iter().map(|d| input.dim(*d as isize - 1)).collect();
        Shape::new(&dims)
    }

    fn call<'b>(&self, _: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let order: Vec<usize> = core::iter::once(0).chain(self.dims.iter().map(|d| *d as usize)).collect();
        Ok(x.transpose(&order))
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Permute(self.clone()))
    }
}

/// Each sample several times (`keras.layers.RepeatVector`).
///
/// **Shape**: `[batch, features]` to `[batch, n, features]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RepeatVector {
    pub(super) base: Base,
    n: usize,
}

impl RepeatVector {
    /// `n` times.
    pub fn new(n: usize) -> RepeatVector {
        RepeatVector { base: Base::default(), n }
    }
}

impl Layer for RepeatVector {
    named!("RepeatVector");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        super::expect_rank(&self.base, input, 1, "features")?;
        Shape::new(&[self.n, input.dim(0)])
    }

    fn call<'b>(&self, _: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        Ok(x.expand_dims(1).broadcast_to(&[x.dim(0), self.n, x.dim(-1)]))
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::RepeatVector(self.clone()))
    }
}
