//! Activation functions by name.

use super::layer::Call;
use crate::Var;
use serde::{Deserialize, Serialize};

/// An activation function (`keras.activations`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Activation {
    /// The identity.
    #[default]
    Linear,
    /// `max(x, 0)`
    Relu,
    /// `1 / (1 + e^-x)`
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// `e^x / sum(e^x)` over the last axis.
    Softmax,
}

impl Activation {
    /// Keras's name.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Linear => "linear",
            Activation::Relu => "relu",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            Activation::Softmax => "softmax",
        }
    }

    /// The activation of this name.
    pub fn from_name(name: &str) -> Option<Activation> {
        let all = [
            Activation::Linear,
            Activation::Relu,
            Activation::Sigmoid,
            Activation::Tanh,
            Activation::Softmax,
        ];
        all.into_iter().find(|a| a.name() == name)
    }

    /// Applies the function. Softmax and sigmoid note their logits, to which a cross-entropy goes back.
    pub fn apply<'b>(self, call: &mut Call<'b>, x: Var<'b>) -> Var<'b> {
        match self {
            Activation::Linear => x,
            Activation::Relu => x.relu(),
            Activation::Tanh => x.tanh(),
            Activation::Sigmoid => {
                let y = x.sigmoid();
                call.note_logits(self, y, x);
                y
            }
            Activation::Softmax => {
                let y = x.softmax();
                call.note_logits(self, y, x);
                y
            }
        }
    }
}
