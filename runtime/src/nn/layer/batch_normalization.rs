use super::param::{Param, setters};
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::nn::Initializer;
use crate::{DType, Result, Shape, Var, VariableId, misuse};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// `gamma * (x - mean) / sqrt(variance + epsilon) + beta` (`keras.layers.BatchNormalization`; Ioffe and Szegedy
/// 2015).
///
/// While training, mean and variance (biased) are those of the batch over every axis but `axis`, and the moving
/// statistics take `moving * momentum + batch * (1 - momentum)`. Elsewhere, and in a layer that is not trainable,
/// they are the moving statistics. With a mask only the steps that count enter the batch statistics.
///
/// **Shape**: any, unchanged; gamma, beta and the moving statistics have the extent of `axis`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchNormalization {
    pub(super) base: Base,
    axis: i32,
    momentum: f32,
    epsilon: f32,
    center: bool,
    scale: bool,
    gamma: Param,
    beta: Param,
    moving_mean_initializer: Initializer,
    moving_variance_initializer: Initializer,
    /// Moving mean and variance.
    #[serde(skip)]
    moving: Option<[VariableId; 2]>,
}

impl Default for BatchNormalization {
    fn default() -> BatchNormalization {
        BatchNormalization::new()
    }
}

impl BatchNormalization {
    /// Over the last axis, momentum 0.99, epsilon 0.001, with gamma and beta.
    pub fn new() -> BatchNormalization {
        BatchNormalization {
            base: Base::default(),
            axis: -1,
            momentum: 0.99,
            epsilon: 1e-3,
            center: true,
            scale: true,
            gamma: Param::new(Initializer::Ones),
            beta: Param::new(Initializer::Zeros),
            moving_mean_initializer: Initializer::Zeros,
            moving_variance_initializer: Initializer::Ones,
            moving: None,
        }
    }
}

setters! { BatchNormalization:
    /// The axis of the features, counted with the batch axis, negative from the end.
    axis(i32) => axis;
    /// How much of the moving statistics stays at each step.
    momentum(f32) => momentum;
    /// What is added to the variance.
    epsilon(f32) => epsilon;
    /// Whether there is a beta.
    center(bool) => center;
    /// Whether there is a gamma.
    scale(bool) => scale;
    /// How gamma starts.
    gamma_initializer(Initializer) => gamma.initializer;
    /// The penalty of gamma.
    gamma_regularizer(crate::nn::Regularizer) => gamma.regularizer;
    /// What gamma is projected to after each step.
    gamma_constraint(crate::nn::Constraint) => gamma.constraint;
    /// How beta starts.
    beta_initializer(Initializer) => beta.initializer;
    /// The penalty of beta.
    beta_regularizer(crate::nn::Regularizer) => beta.regularizer;
    /// What beta is projected to after each step.
    beta_constraint(crate::nn::Constraint) => beta.constraint;
    /// How the moving mean starts.
    moving_mean_initializer(Initializer) => moving_mean_initializer;
    /// How the moving variance starts.
    moving_variance_initializer(Initializer) => moving_variance_initializer;
}

/// Keepdims mean and biased variance of `x` over `axes`.
pub(super) fn moments<'b>(x: Var<'b>, axes: &[isize]) -> [Var<'b>; 2] {
    let over = axes.to_vec();
    let variance = Var::custom_gradient(
        &[x],
        |x| (x[0] - x[0].mean(axes, true)).square().mean(axes, true),
        // The mean moves no sum of deviations: what flows through it is zero, and not computed.
        move |x, _, g| {
            let count = (x[0].shape().numel() / g.shape().numel().max(1)) as f32;
            alloc::vec![(x[0] - x[0].mean(&over, true)) * (g * (2.0 / count))]
        },
    );
    [x.mean(axes, true), variance]
}

/// Keepdims mean and biased variance of the cells of `x` that `mask`, bool of all axes but the last, lets through.
fn masked_moments<'b>(x: Var<'b>, mask: Var<'b>, axes: &[isize]) -> [Var<'b>; 2] {
    /// Keras's `backend.epsilon()`.
    const FUZZ: f32 = 1e-7;
    let weights = mask.cast(DType::F32).expand_dims(-1);
    let weighted = x * weights;
    let count = weights.broadcast(x.shape().with_dim(-1, 1)).sum(axes, true) + FUZZ;
    let mean = weighted.sum(axes, true) / count;
    [mean, (weights * (weighted - mean).square()).sum(axes, true) / count]
}

/// The axis of a layer's option, not that of the batch.
pub(super) fn resolve_axis(layer: &str, axis: i32, sample: &Shape) -> Result<usize> {
    let rank = sample.rank() as i32 + 1;
    let resolved = if axis < 0 { axis.saturating_add(rank) } else { axis };
    match resolved {
        1.. if resolved < rank => Ok(resolved as usize),
        _ => Err(misuse!(
            "{layer}: expected an axis from 1 to {} or from -{} to -1 for input {}, got {axis}",
            rank - 1,
            rank - 1,
            super::batched(sample)
        )),
    }
}

impl Layer for BatchNormalization {
    named!("BatchNormalization");

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        let axis = resolve_axis(&self.base, self.axis, input)?;
        if !(self.epsilon >= 0.0 && (0.0..=1.0).contains(&self.momentum)) {
            return Err(misuse!(
                "{}: expected epsilon of 0 or more and momentum in [0, 1], got {} and {}",
                self.base,
                self.epsilon,
                self.momentum
            ));
        }
        let dims = [input.dim(axis as isize - 1)];
        if self.scale {
            self.gamma.build(weights, "gamma", &dims)?;
        }
        if self.center {
            self.beta.build(weights, "beta", &dims)?;
        }
        let mean = weights.add("moving_mean", &dims, self.moving_mean_initializer, false)?;
        let variance = weights.add("moving_variance", &dims, self.moving_variance_initializer, false)?;
        self.moving = Some([mean, variance]);
        Ok(*input)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let rank = x.rank() as isize;
        let Some(axis) = x.shape().axis(self.axis as isize) else {
            return Err(misuse!("{}: axis {} is beyond input {}", self.base, self.axis, x.shape()));
        };
        let features = x.dim(axis as isize);
        let mut dims = alloc::vec![1; x.rank()];
        dims[axis] = features;
        let [mean_id, variance_id] = match self.moving {
            Some(moving) => moving,
            None => return Err(misuse!("{}: not built; call model.build or fit first", self.base)),
        };
        let [mean, variance] = if call.training() && self.base.trainable {
            let axes: Vec<isize> = (0..rank).filter(|a| *a != axis as isize).collect();
            let [mean, variance] = match call.mask(x) {
                Some(mask) if mask.rank() + 1 == x.rank() => masked_moments(x, mask, &axes),
                Some(mask) => {
                    return Err(misuse!(
                        "{}: expected a mask of shape [batch, ..] with one axis less than the input {}, got {}",
                        self.base,
                        x.shape(),
                        mask.shape()
                    ));
                }
                None => moments(x, &axes),
            };
            let momentum = self.momentum;
            for (id, batch) in [(mean_id, mean), (variance_id, variance)] {
                let batch = batch.reshape(&[features]);
                call.update(id, move |moving| moving * momentum + batch * (1.0 - momentum));
            }
            [mean, variance]
        } else {
            [mean_id, variance_id].map(|id| call.trace().variable(id).reshape(&dims))
        };
        let mut factor = (variance + self.epsilon).rsqrt();
        if self.scale {
            factor = factor * self.gamma.get(call, &self.base)?.reshape(&dims);
        }
        let mut offset = -(mean * factor);
        if self.center {
            offset = offset + self.beta.get(call, &self.base)?.reshape(&dims);
        }
        Ok(x * factor + offset)
    }

    fn passes_mask(&self) -> bool {
        true
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::BatchNormalization(self.clone()))
    }
}
