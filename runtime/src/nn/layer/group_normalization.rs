use super::batch_normalization::{moments, resolve_axis};
use super::layer_normalization::sample_of;
use super::param::{Param, setters};
use super::{Base, Call, Layer, LayerConfig, Weights, named};
use crate::nn::Initializer;
use crate::{Result, Shape, Var, misuse};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// [`LayerNormalization`](super::LayerNormalization) of groups of features by themselves
/// (`keras.layers.GroupNormalization`; Wu and He 2018): mean and variance of each sample and group over all other
/// axes and the features of the group.
///
/// **Shape**: any, unchanged; gamma and beta have the extent of `axis`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupNormalization {
    pub(super) base: Base,
    groups: i32,
    axis: i32,
    epsilon: f32,
    center: bool,
    scale: bool,
    gamma: Param,
    beta: Param,
}

impl GroupNormalization {
    /// `groups` groups of the last axis, -1 for groups of one feature (instance normalization); epsilon 0.001, with
    /// gamma and beta. Keras's default is 32.
    pub fn new(groups: i32) -> GroupNormalization {
        GroupNormalization {
            base: Base::default(),
            groups,
            axis: -1,
            epsilon: 1e-3,
            center: true,
            scale: true,
            gamma: Param::new(Initializer::Ones),
            beta: Param::new(Initializer::Zeros),
        }
    }

    /// The number of groups of `features` features.
    fn groups(&self, features: usize) -> Result<usize> {
        match self.groups {
            -1 => Ok(features),
            1.. if features > 0 && features.is_multiple_of(self.groups as usize) => Ok(self.groups as usize),
            groups => Err(misuse!(
                "{}: expected groups that divide the {features} features, or -1, got {groups}",
                self.base
            )),
        }
    }
}

setters! { GroupNormalization:
    /// The axis of the features, counted with the batch axis, negative from the end.
    axis(i32) => axis;
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
}

impl Layer for GroupNormalization {
    named!("GroupNormalization");

    fn build(&mut self, input: &Shape, weights: &mut Weights<'_>) -> Result<Shape> {
        let features = input.dim(resolve_axis(&self.base, self.axis, input)? as isize - 1);
        self.groups(features)?;
        if self.scale {
            self.gamma.build(weights, "gamma", &[features])?;
        }
        if self.center {
            self.beta.build(weights, "beta", &[features])?;
        }
        Ok(*input)
    }

    fn call<'b>(&self, call: &mut Call<'b>, x: Var<'b>) -> Result<Var<'b>> {
        let axis = resolve_axis(&self.base, self.axis, &sample_of(x)?)?;
        let features = x.dim(axis as isize);
        let groups = self.groups(features)?;
        // The features as groups, features of a group.
        let mut dims = x.shape().to_vec();
        dims[axis] = features / groups.max(1);
        dims.insert(axis, groups);
        let split = x.reshape(&dims);
        let over: Vec<isize> = (1..dims.len()).filter(|a| *a != axis).map(|a| a as isize).collect();
        let [mean, variance] = moments(split, &over);
        let mut of_feature = alloc::vec![1; dims.len()];
        (of_feature[axis], of_feature[axis + 1]) = (groups, features / groups.max(1));

        let mut factor = (variance + self.epsilon).rsqrt();
        if self.scale {
            factor = factor * self.gamma.get(call, &self.base)?.reshape(&of_feature);
        }
        let mut offset = -(mean * factor);
        if self.center {
            offset = offset + self.beta.get(call, &self.base)?.reshape(&of_feature);
        }
        Ok((split * factor + offset).reshaped(x.shape()))
    }

    fn passes_mask(&self) -> bool {
        true
    }

    fn config(&self) -> Option<LayerConfig> {
        Some(LayerConfig::GroupNormalization(self.clone()))
    }
}
