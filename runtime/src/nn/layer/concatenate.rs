use super::batch_normalization::resolve_axis;
use super::layer_normalization::sample_of;
use super::merge::over;
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::{Result, Shape, Var, misuse};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The inputs one after another along an axis (`keras.layers.Concatenate`).
///
/// **Shape**: inputs with equal extents but along `axis`; their sum along it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Concatenate {
    pub(super) base: Base,
    axis: i32,
}

impl Default for Concatenate {
    fn default() -> Concatenate {
        Concatenate::new(-1)
    }
}

impl Concatenate {
    /// Along `axis`, counted with the batch axis, negative from the end. Keras's default is -1.
    pub fn new(axis: i32) -> Concatenate {
        Concatenate { base: Base::default(), axis }
    }

    fn shape(&self, inputs: &[Shape]) -> Result<(Shape, usize)> {
        let Some(first) = inputs.first() else {
            return Err(misuse!("{}: expected at least 1 input, got none", self.base));
        };
        let axis = resolve_axis(&self.base, self.axis, first)?;
        let along = axis as isize - 1;
        let mut total = 0usize;
        for input in inputs {
            if input.rank() != first.rank() || input.with_dim(along, 1) != first.with_dim(along, 1) {
                return Err(misuse!(
                    "{}: expected equal extents but along axis {}, got {} and {}",
                    self.base,
                    self.axis,
                    super::batched(first),
                    super::batched(input)
                ));
            }
            total = total.saturating_add(input.dim(along));
        }
        let mut dims = first.to_vec();
        dims[axis - 1] = total;
        Ok((Shape::new(&dims)?, axis))
    }
}

impl Layer for Concatenate {
    named!("Concatenate");

    fn build(&mut self, input: &Shape, _: &mut Weights<'_>) -> Result<Shape> {
        Ok(self.shape(&[*input])?.0)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        Ok(self.call_many(call, &[x])?[0])
    }

    fn build_many(&mut self, inputs: &[Shape], _: &mut Weights<'_>) -> Result<Vec<Shape>> {
        Ok(alloc::vec![self.shape(inputs)?.0])
    }

    fn call_many<'b>(&self, call: &mut Call<'b>, inputs: &[Var<'b>]) -> Result<Vec<Var<'b>>> {
        let samples = inputs.iter().map(|x| sample_of(*x)).collect::<Result<Vec<Shape>>>()?;
        let (_, axis) = self.shape(&samples)?;
        let y = Var::concat(inputs, axis as isize);
        let masks: Vec<Option<Var<'b>>> = inputs.iter().map(|x| call.mask(*x)).collect();
        if masks.iter().any(Option::is_some) {
            // An input without a mask counts everywhere; a step counts where any of its features does.
            let each = inputs.iter().zip(masks).map(|(x, mask)| {
                let one = x.scalar_like(1.0);
                mask.map_or(one.equal(one), |m| over(m, *x)).broadcast(x.shape())
            });
            let mask = Var::concat(&each.collect::<Vec<Var<'b>>>(), axis as isize);
            call.set_mask(y, mask.any(&[-1], false));
        }
        Ok(alloc::vec![y])
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::Concatenate(self.clone()))
    }
}
