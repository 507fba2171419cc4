use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{DType, Result, Shape, Tensor, Var, misuse};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// `x * scale + offset` (`keras.layers.Rescaling`).
///
/// **Shape**: any, unchanged; the result is float32.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rescaling {
    pub(super) base: Base,
    scale: Vec<f32>,
    offset: Vec<f32>,
}

impl Rescaling {
    /// The same scale for all; no offset.
    pub fn new(scale: f32) -> Rescaling {
        Rescaling { base: Base::default(), scale: alloc::vec![scale], offset: alloc::vec![0.0] }
    }

    /// What is added.
    pub fn offset(mut self, offset: f32) -> Rescaling {
        self.offset = alloc::vec![offset];
        self
    }

    /// A scale and an offset for each channel, the last axis; either can also be one number.
    pub fn of_channels(scale: &[f32], offset: &[f32]) -> Rescaling {
        Rescaling { base: Base::default(), scale: scale.to_vec(), offset: offset.to_vec() }
    }
}

/// One number as a scalar, several along the last axis.
pub(super) fn numbers<'b>(x: Var<'b>, numbers: &[f32]) -> Result<Var<'b>> {
    match numbers {
        [one] => Ok(x.scalar_like(*one)),
        all => Ok(x.constant_like(Tensor::new(&[all.len()], all.to_vec())?)),
    }
}

impl Layer for Rescaling {
    named!("Rescaling");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        for many in [&self.scale, &self.offset] {
            if many.len() != 1 && many.len() != input.dim(-1) {
                return Err(misuse!(
                    "{}: expected one number or one for each of {} channels, got {}",
                    self.base,
                    input.dim(-1),
                    many.len()
                ));
            }
        }
        Ok(*input)
    }

    fn call<'b>(&self, _: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let x = x.cast(DType::F32);
        Ok(x * numbers(x, &self.scale)? + numbers(x, &self.offset)?)
    }

    fn passes_mask(&self) -> bool {
        true
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Rescaling(self.clone()))
    }
}
