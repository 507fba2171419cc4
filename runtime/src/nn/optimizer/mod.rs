//! Optimizers (`keras.optimizers`): plain ops that give the new value of a weight and of its slots.

mod adam;
mod sgd;

pub use adam::Adam;
pub use sgd::Sgd;

use crate::Var;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// An optimizer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Optimizer {
    /// Gradient descent, optionally with momentum.
    Sgd(Sgd),
    /// Adam.
    Adam(Adam),
}

/// What an optimizer knows of a step.
#[derive(Clone, Copy)]
pub struct StepState<'b> {
    /// The learning rate, a scalar.
    pub learning_rate: Var<'b>,
    /// The number of this step, from 1, as a float scalar.
    pub step: Var<'b>,
}

impl Optimizer {
    /// Gradient descent with Keras's defaults.
    pub fn sgd() -> Optimizer {
        Optimizer::Sgd(Sgd::default())
    }

    /// Adam with Keras's defaults.
    pub fn adam() -> Optimizer {
        Optimizer::Adam(Adam::default())
    }

    /// Keras's name.
    pub fn name(&self) -> &'static str {
        match self {
            Optimizer::Sgd(_) => "sgd",
            Optimizer::Adam(_) => "adam",
        }
    }

    /// The learning rate at the start.
    pub fn learning_rate(&self) -> f32 {
        match self {
            Optimizer::Sgd(o) => o.learning_rate,
            Optimizer::Adam(o) => o.learning_rate,
        }
    }

    /// The names of the slots that each weight has; they start at zero.
    pub fn slots(&self) -> &'static [&'static str] {
        match self {
            Optimizer::Sgd(o) => o.slots(),
            Optimizer::Adam(_) => Adam::SLOTS,
        }
    }

    /// The new weight and the new slots.
    pub fn update<'b>(
        &self,
        state: &StepState<'b>,
        w: Var<'b>,
        g: Var<'b>,
        slots: &[Var<'b>],
    ) -> (Var<'b>, Vec<Var<'b>>) {
        match self {
            Optimizer::Sgd(o) => o.update(state, w, g, slots),
            Optimizer::Adam(o) => o.update(state, w, g, slots),
        }
    }
}

impl From<Sgd> for Optimizer {
    fn from(o: Sgd) -> Optimizer {
        Optimizer::Sgd(o)
    }
}

impl From<Adam> for Optimizer {
    fn from(o: Adam) -> Optimizer {
        Optimizer::Adam(o)
    }
}
