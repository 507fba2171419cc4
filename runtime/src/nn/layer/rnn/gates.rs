//! The weights that the cells with gates have in common: a kernel, a recurrent kernel and a bias, with all gates
//! side by side.

use super::CellCall;
use crate::nn::Initializer;
use crate::nn::layer::param::Param;
use crate::nn::layer::{Base, Call, Weights};
use crate::{Result, Shape, Var, misuse};
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Options and weights of a cell with gates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Gates {
    pub units: usize,
    pub use_bias: bool,
    pub kernel: Param,
    pub recurrent: Param,
    pub bias: Param,
    pub dropout: f32,
    pub recurrent_dropout: f32,
    #[serde(skip)]
    pub base: Base,
    #[serde(skip)]
    input: usize,
}

/// Factors of a product: the columns of one or more gates each, and the dropout mask of what they multiply.
#[derive(Default)]
pub(super) struct Masks<'b> {
    pub factors: Vec<Var<'b>>,
    /// None, or one for each factor.
    pub masks: Vec<Var<'b>>,
}

impl<'b> Masks<'b> {
    /// `x · factors`, side by side; `x` is `[rows, in]`.
    pub fn product(&self, x: Var<'b>) -> Var<'b> {
        let parts: Vec<Var<'b>> = (0..self.factors.len()).map(|i| self.part(i, x)).collect();
        Var::concat(&parts, -1)
    }

    /// `x · factor i`.
    pub fn part(&self, i: usize, x: Var<'b>) -> Var<'b> {
        let factor = self.factors[i];
        let masked = self.masks.get(i).map_or(x, |m| x * *m);
        // Leading axes are rows of one product.
        let (inner, outer) = (factor.dim(0), factor.dim(1));
        let rows = x.shape().numel() / inner.max(1);
        masked.reshape(&[rows, inner]).matmul(factor).reshaped(x.shape().with_dim(-1, outer))
    }
}

impl Gates {
    pub fn new(units: usize) -> Gates {
        Gates {
            units,
            use_bias: true,
            kernel: Param::new(Initializer::GlorotUniform),
            recurrent: Param::new(Initializer::Orthogonal(1.0)),
            bias: Param::new(Initializer::Zeros),
            dropout: 0.0,
            recurrent_dropout: 0.0,
            base: Base::default(),
            input: 0,
        }
    }

    /// Makes the weights of `gates` gates; `bias` are the leading axes of the bias, `ones` the gate whose bias
    /// starts at one.
    pub fn build(
        &mut self,
        cell: &str,
        gates: usize,
        bias: &[usize],
        ones: Option<usize>,
        input: &Shape,
        weights: &mut Weights<'_>,
    ) -> Result<Shape> {
        if input.rank() != 1 {
            return Err(misuse!(
                "{cell}: expected input of shape [batch, time, features], got {}; reshape it first",
                crate::nn::layer::batched_time(input)
            ));
        }
        if self.units == 0 {
            return Err(misuse!("{cell}: expected at least 1 unit, got 0"));
        }
        for (name, rate) in [("dropout", self.dropout), ("recurrent_dropout", self.recurrent_dropout)] {
            if !(0.0..=1.0).contains(&rate) {
                return Err(misuse!("{cell}: expected a {name} in [0, 1], got {rate}"));
            }
        }
        let columns = gates * self.units;
        self.base.name = cell.into();
        self.input = input.dim(0);
        self.kernel.build(weights, "kernel", &[self.input, columns])?;
        self.recurrent.build(weights, "recurrent_kernel", &[self.units, columns])?;
        if self.use_bias {
            let dims = [bias, &[columns]].concat();
            match ones {
                Some(ones) => {
                    let part = |gate| (self.units, (gate == ones).then_some(Initializer::Ones));
                    let parts: Vec<_> = (0..gates).map(part).collect();
                    self.bias.build_parts(weights, "bias", &dims, &parts)?;
                }
                None => self.bias.build(weights, "bias", &dims)?,
            }
        }
        Shape::new(&[self.units])
    }

    /// The values that all steps share; `groups` are the numbers of gates whose recurrent products are taken
    /// together.
    ///
    /// While training, each input and state feature is dropped at all steps or at none (Gal and Ghahramani 2016).
    /// With recurrent dropout each gate has masks of its own, as in Keras.
    pub fn begin<'b>(&self, call: &mut Call<'b>, batch: usize, groups: &[usize]) -> Result<CellCall<'b>> {
        let kernel = self.kernel.get(call, &self.base)?;
        let recurrent = self.recurrent.get(call, &self.base)?;
        let bias = match self.use_bias {
            true => Some(self.bias.get(call, &self.base)?),
            false => None,
        };
        let gates: usize = groups.iter().sum();
        let each = vec![1; gates];
        let alone = self.recurrent_dropout > 0.0;
        let kernels = self.masked(call, kernel, self.dropout, if alone { &each } else { &[] }, batch)?;
        let groups = if alone { &each } else { groups };
        let recurrent = self.masked(call, recurrent, self.recurrent_dropout, groups, batch)?;
        Ok(CellCall { bias, kernels, recurrent, ..CellCall::default() })
    }

    /// Columns of a kernel in groups of gates (none: all), each with a mask where features are dropped.
    fn masked<'b>(
        &self,
        call: &mut Call<'b>,
        kernel: Var<'b>,
        rate: f32,
        groups: &[usize],
        batch: usize,
    ) -> Result<Masks<'b>> {
        let rows = kernel.dim(0);
        let mut factors = Vec::new();
        if groups.len() <= 1 {
            factors.push(kernel);
        } else {
            let mut at = 0;
            for gates in groups {
                factors.push(kernel.slice(&[0, at * self.units], &[rows, gates * self.units]));
                at += gates;
            }
        }
        let mut masks = Vec::new();
        // Keras drops nothing at a rate of 1 where the cell has several gates; so does this.
        if call.training() && rate > 0.0 && rate < 1.0 {
            let shape = Shape::new(&[batch, rows])?;
            for _ in &factors {
                masks.extend(dropout_mask(call, shape, rate));
            }
        }
        Ok(Masks { factors, masks })
    }

    /// `x · kernel + bias` for all gates.
    pub fn project<'b>(&self, cell: &str, shared: &CellCall<'b>, x: Var<'b>) -> Result<Var<'b>> {
        if x.rank() < 2 || x.dim(-1) != self.input {
            return Err(misuse!(
                "{cell}: expected input of shape [batch, time, {}], got {}",
                self.input,
                x.shape()
            ));
        }
        Ok(shared.kernels.product(x))
    }

    /// Columns of gate `n` of `[batch, gates * units]`.
    pub fn gate<'b>(&self, all: Var<'b>, n: usize) -> Var<'b> {
        all.slice(&[0, n * self.units], &[all.dim(0), self.units])
    }

    pub fn multiply_adds(&self, gates: usize) -> u64 {
        ((self.input + self.units) * self.units * gates) as u64
    }
}

/// Zero with probability `rate`, else `1 / (1 - rate)`; `None` where the call has no random key.
pub(in crate::nn) fn dropout_mask<'b>(call: &mut Call<'b>, shape: Shape, rate: f32) -> Option<Var<'b>> {
    let uniform = call.random_uniform(shape)?;
    let keep = uniform.greater_equal(uniform.scalar_like(rate));
    let scale = if rate < 1.0 { 1.0 / (1.0 - rate) } else { 0.0 };
    Some(Var::select(keep, uniform.scalar_like(scale), uniform.scalar_like(0.0)))
}

/// Builder methods of a cell, also for the layer that runs it.
macro_rules! cell_options {
    ($Cell:ident: $($(#[$doc:meta])* $name:ident: $T:ty = $($path:ident).+;)*) => {
        impl $Cell {
            $($(#[$doc])* pub fn $name(mut self, $name: $T) -> Self {
                self.$($path).+ = $name.into();
                self
            })*
        }
        impl $crate::nn::RNN<$Cell> {
            $($(#[$doc])* pub fn $name(mut self, $name: $T) -> Self {
                self.cell.$($path).+ = $name.into();
                self
            })*
        }
    };
}
pub(super) use cell_options;

/// The builder methods that all cells with gates have.
macro_rules! gate_options {
    ($Cell:ident) => {
        $crate::nn::layer::rnn::gates::cell_options! { $Cell:
            /// The function applied to the candidate.
            activation: $crate::nn::Activation = activation;
            /// Whether there is a bias.
            use_bias: bool = gates.use_bias;
            /// How the kernel starts.
            kernel_initializer: $crate::nn::Initializer = gates.kernel.initializer;
            /// How the recurrent kernel starts.
            recurrent_initializer: $crate::nn::Initializer = gates.recurrent.initializer;
            /// How the bias starts.
            bias_initializer: $crate::nn::Initializer = gates.bias.initializer;
            /// The penalty of the kernel.
            kernel_regularizer: $crate::nn::Regularizer = gates.kernel.regularizer;
            /// The penalty of the recurrent kernel.
            recurrent_regularizer: $crate::nn::Regularizer = gates.recurrent.regularizer;
            /// The penalty of the bias.
            bias_regularizer: $crate::nn::Regularizer = gates.bias.regularizer;
            /// What the kernel is projected to after each step.
            kernel_constraint: $crate::nn::Constraint = gates.kernel.constraint;
            /// What the recurrent kernel is projected to after each step.
            recurrent_constraint: $crate::nn::Constraint = gates.recurrent.constraint;
            /// What the bias is projected to after each step.
            bias_constraint: $crate::nn::Constraint = gates.bias.constraint;
            /// The share of input features dropped while training, in [0, 1].
            dropout: f32 = gates.dropout;
            /// The share of state features dropped from the recurrent product while training, in [0, 1].
            recurrent_dropout: f32 = gates.recurrent_dropout;
        }
    };
}
pub(super) use gate_options;
