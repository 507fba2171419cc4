use super::nested::Nested;
use super::rnn::{leading, stacked, swap_leading, with_leading};
use super::{Base, Call, Layer, LayerConfig, Weights, batched, named};
use crate::{Result, Shape, Var, misuse};
use alloc::boxed::Box;
use alloc::string::ToString;
use serde::{Deserialize, Serialize};

/// Applies a layer to every time step by itself, with the same weights (`keras.layers.TimeDistributed`).
///
/// **Shape**: `[batch, time, ..]` to `[batch, time, ..]`, where the layer maps `[batch, ..]` to `[batch, ..]`.
///
/// All steps are one call on `batch * time` samples, unless the layer has a state, such as moving averages, which
/// then sees one step after another.
///
/// ```
/// use gradling::nn::{Dense, TimeDistributed};
/// let layer = TimeDistributed::new(Dense::new(8));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimeDistributed {
    pub(super) base: Base,
    layer: Nested,
    #[serde(skip)]
    stateful: bool,
}

impl TimeDistributed {
    /// A layer at every time step.
    pub fn new(layer: impl Layer + 'static) -> TimeDistributed {
        TimeDistributed::boxed(Box::new(layer))
    }

    /// [`new`](TimeDistributed::new) with a boxed layer.
    pub fn boxed(layer: Box<dyn Layer>) -> TimeDistributed {
        TimeDistributed { base: Base::default(), layer: Nested(layer), stateful: false }
    }
}

impl TimeDistributed {
    fn set_inner_trainable(&mut self, trainable: bool) {
        self.layer.0.set_trainable(trainable);
    }
}

impl Layer for TimeDistributed {
    named!("TimeDistributed", set_inner_trainable);

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        if input.rank() < 2 {
            return Err(misuse!(
                "{}: expected input of shape [batch, time, ..] with at least 3 dimensions, got {}",
                self.base,
                batched(input)
            ));
        }
        if self.layer.0.name().is_empty() {
            let name = crate::nn::model::snake_case(self.layer.0.class_name());
            self.layer.0.set_name(&name);
        }
        if !self.base.trainable {
            self.layer.0.set_trainable(false);
        }
        let step = Shape::new(&input.to_vec()[1..])?;
        let name = self.layer.0.name().to_string();
        let before = weights.variables.len();
        let output = self.layer.0.build(&step, &mut weights.within(&name))?;
        self.stateful = weights.variables.iter().skip(before).any(|(_, v)| !v.trainable);
        with_leading(input.dim(0), &output)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let dims = x.shape().to_vec();
        if dims.len() < 3 || dims[1] == 0 {
            return Err(misuse!(
                "{}: expected input of shape [batch, time, ..], got {}",
                self.base,
                x.shape()
            ));
        }
        let mask = call.mask(x);
        let inner = mask.filter(|m| m.rank() > 2);
        let y = if self.stateful {
            let (steps, mut outputs) = (swap_leading(x), alloc::vec::Vec::new());
            for t in 0..dims[1] {
                let step = leading(steps, t);
                if let Some(mask) = inner {
                    call.set_mask(step, leading(swap_leading(mask), t));
                }
                outputs.push(self.layer.0.call(call, step)?);
            }
            swap_leading(stacked(&outputs)?)
        } else {
            let merged = |v: Var<'b>| {
                let own = v.shape().to_vec();
                let rows = core::iter::once(own[0] * own[1]).chain(own[2..].iter().copied());
                v.reshape(&rows.collect::<alloc::vec::Vec<_>>())
            };
            let steps = merged(x);
            if let Some(mask) = inner {
                call.set_mask(steps, merged(mask));
            }
            let y = self.layer.0.call(call, steps)?;
            let own = y.shape().to_vec();
            let full = [dims[0], dims[1]].into_iter().chain(own[1..].iter().copied());
            y.reshape(&full.collect::<alloc::vec::Vec<_>>())
        };
        if let Some(mask) = mask {
            call.set_mask(y, mask);
        }
        Ok(y)
    }

    fn multiply_adds(&self, input: &Shape, output: &Shape) -> u64 {
        let step = |s: &Shape| Shape::new(s.to_vec().get(1..).unwrap_or_default()).unwrap_or_default();
        self.layer.0.multiply_adds(&step(input), &step(output)) * input.dim(0) as u64
    }

    fn config(&self) -> Option<LayerConfig> {
        self.layer.config().ok()?;
        Some(LayerConfig::TimeDistributed(self.clone()))
    }
}
